//! One outbound operation, and the lists in which they stand.

use crate::event::{MessageKey, Outcome};
use crate::source::{BodyToken, TopicToken};
use crate::time::Instant;
use mqtt_device_proto::{PacketId, QoS, SubscribeOptions};

/// The end of a list.
pub(crate) const NONE: u16 = u16::MAX;

/// A range of the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Range {
    pub(crate) at: u32,
    pub(crate) len: u32,
}

impl Range {
    pub(crate) const fn end(self) -> u32 {
        self.at.saturating_add(self.len)
    }
}

/// Where the topic of a publication, or the filter of a subscription, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Text {
    /// The first so many bytes of the slot's range in the arena.
    Arena(u16),
    /// The source writes it.
    Source(TopicToken),
}

/// Where the body of a publication is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Body<P> {
    /// The slot's range in the arena, behind the text.
    Arena,
    /// A handle.
    Owned(P),
    /// The source writes it.
    Source(BodyToken),
}

/// What an operation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Publish { qos: QoS, retain: bool },
    Subscribe(SubscribeOptions),
    Unsubscribe,
}

/// Where an operation stands. Every transition is made in `outbound.rs`, `transmit.rs` and `inbound.rs`:
///
/// | from | event | to |
/// |---|---|---|
/// | `Free` | accepted | `Waiting` |
/// | `Waiting` | its last byte is taken | `Flushing` (QoS 0), `Sent` (all else) |
/// | `Waiting` | expired, cancelled, replaced | `Done` |
/// | `Flushing` | flushed; connection lost | `Done(Sent)`; `Done(Dropped)` |
/// | `Sent` | acknowledged | `Done` |
/// | `Sent` | connection lost | `Waiting` (a publication keeps its packet identifier) |
/// | `Done` | outcome drained | `Free` |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Free,
    /// Not taken, or not to the end, on this connection.
    Waiting,
    /// QoS 0, taken to the end, which is at this position of the stream.
    Flushing(u64),
    /// Taken to the end; the packet began at this position of the stream.
    Sent(u64),
    Done(Outcome),
}

/// Who is told the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// The application, by `poll_outcome`.
    App,
    /// The layer above, by `take_inner_outcome`.
    Inner,
}

/// Memory for one outbound operation. Opaque: a [`Storage`](crate::Storage) lends slices of them.
#[derive(Clone, Debug)]
pub struct OutSlot<P> {
    pub(crate) state: State,
    pub(crate) key: MessageKey,
    pub(crate) owner: Owner,
    pub(crate) class: u8,
    pub(crate) kind: Kind,
    pub(crate) text: Text,
    pub(crate) body: Body<P>,
    pub(crate) range: Range,
    /// Bytes of topic and payload, wherever they are: what it counts for in its class.
    pub(crate) weight: u32,
    /// Set when the packet is first written, kept for every repetition of a publication.
    pub(crate) packet_id: Option<PacketId>,
    /// A byte of it was taken on some connection before: a repetition says so with DUP.
    pub(crate) tried: bool,
    /// Held back by the layer above.
    pub(crate) parked: bool,
    pub(crate) expires: Option<Instant>,
    /// The list in which it stands: the send order, or the ended ones. `next` also links the free ones.
    pub(crate) next: u16,
    pub(crate) prev: u16,
    /// Turns with each packet identifier that this slot gives out.
    pub(crate) turn: u16,
}

impl<P> OutSlot<P> {
    /// A slot that holds nothing.
    pub const EMPTY: Self = Self {
        state: State::Free,
        key: MessageKey(0),
        owner: Owner::App,
        class: 0,
        kind: Kind::Unsubscribe,
        text: Text::Arena(0),
        body: Body::Arena,
        range: Range { at: 0, len: 0 },
        weight: 0,
        packet_id: None,
        tried: false,
        parked: false,
        expires: None,
        next: NONE,
        prev: NONE,
        turn: 0,
    };

    pub(crate) const fn qos(&self) -> Option<QoS> {
        match self.kind {
            Kind::Publish { qos, .. } => Some(qos),
            Kind::Subscribe(_) | Kind::Unsubscribe => None,
        }
    }

    /// Whether it is a publication that the server must acknowledge.
    pub(crate) fn is_acknowledged_publish(&self) -> bool {
        self.qos().is_some_and(|q| q != QoS::AtMostOnce)
    }

    /// Whether bytes of the arena belong to it.
    pub(crate) fn lives_in_arena(&self) -> bool {
        self.range.len > 0 && !matches!(self.state, State::Free | State::Done(_))
    }
}

impl<P> Default for OutSlot<P> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// A list of slots, first and last. Links are indices, so that slots may stand in any slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) first: u16,
    pub(crate) last: u16,
    pub(crate) len: u16,
}

impl List {
    pub(crate) const EMPTY: Self = Self { first: NONE, last: NONE, len: 0 };

    pub(crate) fn push_back<P>(&mut self, out: &mut [OutSlot<P>], i: u16) {
        self.insert_before(out, i, NONE);
    }

    /// Puts `i` before `at`, or at the end when `at` is [`NONE`].
    pub(crate) fn insert_before<P>(&mut self, out: &mut [OutSlot<P>], i: u16, at: u16) {
        let before = match out.get(usize::from(at)) {
            Some(slot) => slot.prev,
            None => self.last,
        };
        if let Some(slot) = out.get_mut(usize::from(i)) {
            (slot.prev, slot.next) = (before, at);
        }
        match out.get_mut(usize::from(before)) {
            Some(slot) => slot.next = i,
            None => self.first = i,
        }
        match out.get_mut(usize::from(at)) {
            Some(slot) => slot.prev = i,
            None => self.last = i,
        }
        self.len = self.len.saturating_add(1);
    }

    pub(crate) fn remove<P>(&mut self, out: &mut [OutSlot<P>], i: u16) {
        let Some(slot) = out.get_mut(usize::from(i)) else { return };
        let (prev, next) = (slot.prev, slot.next);
        (slot.prev, slot.next) = (NONE, NONE);
        match out.get_mut(usize::from(prev)) {
            Some(slot) => slot.next = next,
            None => self.first = next,
        }
        match out.get_mut(usize::from(next)) {
            Some(slot) => slot.prev = prev,
            None => self.last = prev,
        }
        self.len = self.len.saturating_sub(1);
    }

    pub(crate) fn pop_front<P>(&mut self, out: &mut [OutSlot<P>]) -> Option<u16> {
        let first = self.first;
        (first != NONE).then(|| {
            self.remove(out, first);
            first
        })
    }
}
