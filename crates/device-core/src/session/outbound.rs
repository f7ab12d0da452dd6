//! Operations that the application asks for: accepted into a slot, held within bounds, ended in one outcome.

use super::arena::Arena;
use super::slot::{Body, Kind, List, NONE, OutSlot, Owner, Range, State, Text};
use super::state::Core;
use crate::config::{OnSessionLoss, WhenFull};
use crate::event::{DropReason, MessageKey, Outcome};
use crate::json::Window;
use crate::source::{BodyToken, TopicToken};
use crate::storage::Parts;
use crate::time::{Duration, Instant};

/// What a publication is, apart from its body.
///
/// ```
/// use mqtt_device_core::{Duration, Publication, QoS};
/// let mut p = Publication::new("plant/1/humidity", QoS::AtLeastOnce);
/// p.ttl = Some(Duration::from_secs(60));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// Where to.
    pub topic: PublicationTopic<'a>,
    /// Quality of service.
    pub qos: mqtt_device_proto::QoS,
    /// Whether the server is to keep it for later subscribers.
    pub retain: bool,
    /// How long it may wait unsent; `None`: as its class says.
    pub ttl: Option<Duration>,
    /// Its class, an index into [`Config::classes`](crate::Config::classes).
    pub class: u8,
}

/// A topic as text, or as a token that the source turns into text when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicationTopic<'a> {
    /// The Topic Name; copied.
    Name(&'a str),
    /// The source knows it.
    Token(TopicToken),
}

impl<'a> Publication<'a> {
    /// Not retained, class 0, time to live as the class says.
    #[must_use]
    pub const fn new(topic: &'a str, qos: mqtt_device_proto::QoS) -> Self {
        Self { topic: PublicationTopic::Name(topic), qos, retain: false, ttl: None, class: 0 }
    }

    /// The same with a topic that the source writes.
    #[must_use]
    pub const fn with_token(topic: TopicToken, qos: mqtt_device_proto::QoS) -> Self {
        Self { topic: PublicationTopic::Token(topic), qos, retain: false, ttl: None, class: 0 }
    }
}

/// All that a new slot needs.
pub(crate) struct Request<'a, P> {
    pub(crate) kind: Kind,
    pub(crate) text: Text,
    /// Copied in front of the body; may be empty.
    pub(crate) name: &'a [u8],
    /// How many bytes `fill` writes into the arena, behind the name.
    pub(crate) len: usize,
    pub(crate) fill: &'a dyn Fn(&mut Window<'_>),
    pub(crate) body: Body<P>,
    pub(crate) class: u8,
    pub(crate) ttl: Option<Duration>,
    pub(crate) owner: Owner,
    /// May use the slots that are kept for the layer above.
    pub(crate) reserved: bool,
    pub(crate) weight: usize,
}

/// Why a request was not accepted, and what storage would help.
pub(crate) struct Short {
    pub(crate) arena: usize,
    pub(crate) slots: usize,
}

impl Core {
    /// Accepts a request, or says what is short. Nothing has changed then.
    pub(crate) fn accept<P>(
        &mut self,
        p: &mut Parts<'_, P>,
        now: Instant,
        request: Request<'_, P>,
    ) -> Result<(MessageKey, u16), Short> {
        let name = request.name;
        let len = name.len().saturating_add(request.len);
        let spare = if request.reserved { 0 } else { usize::from(self.reserved) };
        let free = self.free_slots(p.out.len());
        if free <= spare {
            let slots = p.out.len().saturating_add(spare).saturating_add(1).saturating_sub(free);
            return Err(Short { arena: p.arena.len(), slots });
        }
        let range = match self.arena.take(len, p.arena.len(), p.out) {
            Some(range) => range,
            None if self.arena.compact(len, p.arena, p.out) => {
                self.arena.take(len, p.arena.len(), p.out).unwrap_or_default()
            }
            None => {
                let used = Arena::used(p.out);
                return Err(Short { arena: used.saturating_add(len), slots: p.out.len() });
            }
        };
        let copied = p.arena.get_mut(range.at as usize..range.end() as usize);
        if let Some((to_name, to_body)) = copied.and_then(|room| room.split_at_mut_checked(name.len())) {
            to_name.copy_from_slice(name);
            (request.fill)(&mut Window::new(0, to_body));
        }
        if self.order.len == 0 {
            self.longest_name = 0;
        }
        self.longest_name = self.longest_name.max(name.len());
        let i = self.take_slot(p.out);
        self.next_key = self.next_key.wrapping_add(1).max(1);
        let key = MessageKey(self.next_key);
        let class = usize::from(request.class);
        let weight = u32::try_from(request.weight).unwrap_or(u32::MAX);
        let ttl = request.ttl.or_else(|| self.config.classes.get(class).and_then(|c| c.ttl));
        let expires = ttl.map(|ttl| now + ttl);
        if let Some(slot) = p.out.get_mut(usize::from(i)) {
            let turn = slot.turn;
            *slot = OutSlot {
                state: State::Waiting,
                key,
                owner: request.owner,
                class: request.class,
                kind: request.kind,
                text: request.text,
                body: request.body,
                range,
                weight,
                expires,
                turn,
                ..OutSlot::EMPTY
            };
        }
        if let Some(count) = self.class_count.get_mut(class) {
            *count = count.saturating_add(1);
        }
        if let Some(bytes) = self.class_bytes.get_mut(class) {
            *bytes = bytes.saturating_add(weight);
        }
        self.next_expiry = [self.next_expiry, expires].into_iter().flatten().min();
        self.order.push_back(p.out, i);
        self.point_cursor_at(i);
        self.wake = true;
        Ok((key, i))
    }

    /// Whether the class takes one more message of `len` bytes, after its policy has made room. Changes nothing.
    pub(crate) fn class_takes<P>(&self, p: &Parts<'_, P>, class: u8, len: usize) -> bool {
        let Some(limits) = self.config.classes.get(usize::from(class)) else { return false };
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let (mut count, mut bytes) = self.class_load(class);
        if limits.when_full != WhenFull::Reject {
            let mut i = self.order.first;
            while let Some(slot) = p.out.get(usize::from(i)) {
                if slot.class == class && is_unsent(slot) {
                    (count, bytes) = (count.saturating_sub(1), bytes.saturating_sub(slot.weight));
                }
                i = slot.next;
            }
        }
        count < limits.count && bytes.saturating_add(len) <= limits.bytes
    }

    /// Applies the policy of the class after `newest` was accepted: what has to make room for it ends. The first `same`
    /// bytes of its body count as a part of its topic.
    pub(crate) fn enforce_class<P>(&mut self, p: &mut Parts<'_, P>, class: u8, (newest, same): (u16, usize)) {
        let Some(limits) = self.config.classes.get(usize::from(class)).copied() else { return };
        if limits.when_full == WhenFull::Latest {
            let text = p.out.get(usize::from(newest)).map(|slot| (slot.range, slot.text));
            while let Some(i) = self.find_index(p, |i, slot, arena| {
                let is_same = |t| same_text((slot.range, slot.text), t, same, arena);
                i != newest && slot.class == class && is_unsent(slot) && text.is_some_and(is_same)
            }) {
                self.finish(p.out, i, Outcome::Dropped(DropReason::Policy));
            }
        }
        loop {
            let (count, bytes) = self.class_load(class);
            if count <= limits.count && bytes <= limits.bytes {
                return;
            }
            let oldest = self.find_index(p, |i, slot, _| i != newest && slot.class == class && is_unsent(slot));
            let Some(oldest) = oldest else { return };
            self.finish(p.out, oldest, Outcome::Dropped(DropReason::Policy));
        }
    }

    fn class_load(&self, class: u8) -> (u16, u32) {
        let class = usize::from(class);
        (self.class_count.get(class).copied().unwrap_or(0), self.class_bytes.get(class).copied().unwrap_or(0))
    }

    /// Gives up the oldest unsent message of a class whose policy says so, to make room; false when there is none.
    pub(crate) fn drop_oldest<P>(&mut self, p: &mut Parts<'_, P>, class: u8) -> bool {
        let policy = self.config.classes.get(usize::from(class)).map(|limits| limits.when_full);
        if policy != Some(WhenFull::DropOldest) {
            return false;
        }
        let oldest = self.find(p, |slot, _| slot.class == class && is_unsent(slot));
        oldest.inspect(|&i| self.finish(p.out, i, Outcome::Dropped(DropReason::Policy))).is_some()
    }

    /// The first in the send order for which `test` holds.
    pub(crate) fn find<P>(&self, p: &Parts<'_, P>, test: impl Fn(&OutSlot<P>, &[u8]) -> bool) -> Option<u16> {
        self.find_index(p, |_, slot, arena| test(slot, arena))
    }

    fn find_index<P>(&self, p: &Parts<'_, P>, test: impl Fn(u16, &OutSlot<P>, &[u8]) -> bool) -> Option<u16> {
        let mut i = self.order.first;
        while let Some(slot) = p.out.get(usize::from(i)) {
            if test(i, slot, p.arena) {
                return Some(i);
            }
            i = slot.next;
        }
        None
    }

    /// Ends an operation: the one place where that happens.
    pub(crate) fn finish<P>(&mut self, out: &mut [OutSlot<P>], i: u16, outcome: Outcome) {
        let Some(slot) = out.get_mut(usize::from(i)) else { return };
        let (was, next, owner, class) = (slot.state, slot.next, slot.owner, usize::from(slot.class));
        slot.range = Range::default();
        let bytes = core::mem::take(&mut slot.weight);
        slot.state = State::Done(outcome);
        if matches!(slot.body, Body::Owned(_)) {
            slot.body = Body::Arena;
        }
        slot.packet_id = None;
        let acknowledged = slot.is_acknowledged_publish();
        match was {
            State::Free | State::Done(_) => return,
            State::Flushing(_) => self.flushing.remove(out, i),
            State::Waiting | State::Sent(_) => self.order.remove(out, i),
        }
        if let Some(c) = &mut self.connection {
            if c.cursor == i && !matches!(was, State::Flushing(_)) {
                c.cursor = next;
            }
            if acknowledged && matches!(was, State::Sent(_)) {
                c.in_flight = c.in_flight.saturating_sub(1);
            }
            if c.current.is_some_and(|current| current.slot == i) {
                c.current = None;
            }
        }
        if let Some(count) = self.class_count.get_mut(class) {
            *count = count.saturating_sub(1);
        }
        if let Some(total) = self.class_bytes.get_mut(class) {
            *total = total.saturating_sub(bytes);
        }
        match owner {
            Owner::App => self.ended.push_back(out, i),
            Owner::Inner => self.ended_inner.push_back(out, i),
        }
        self.wake = true;
    }

    /// The next outcome for the application.
    pub(crate) fn take_outcome<P>(&mut self, out: &mut [OutSlot<P>]) -> Option<(MessageKey, Outcome)> {
        let i = self.ended.pop_front(out)?;
        let slot = out.get(usize::from(i))?;
        let State::Done(outcome) = slot.state else { return None };
        let key = slot.key;
        self.release(out, i);
        Some((key, outcome))
    }

    /// The next outcome for the layer above, with the body that it published.
    pub(crate) fn take_inner_outcome<P>(&mut self, out: &mut [OutSlot<P>]) -> Option<(BodyToken, Outcome)> {
        let i = self.ended_inner.pop_front(out)?;
        let slot = out.get(usize::from(i))?;
        let (State::Done(outcome), Body::Source(body)) = (slot.state, &slot.body) else { return None };
        let body = *body;
        self.release(out, i);
        Some((body, outcome))
    }

    /// Ends what nobody waits for any more; true when it was still unsent. What is half written, or sent and not
    /// acknowledged, cannot be called back.
    pub(crate) fn cancel<P>(&mut self, p: &mut Parts<'_, P>, key: MessageKey) -> bool {
        let found = self.find(p, |slot, _| slot.key == key && is_unsent(slot));
        found.inspect(|&i| self.finish(p.out, i, Outcome::Dropped(DropReason::Cancelled))).is_some()
    }

    /// Ends what has waited too long; what is sent goes on.
    pub(crate) fn expire<P>(&mut self, p: &mut Parts<'_, P>, now: Instant) {
        if self.next_expiry.is_none_or(|at| at > now) {
            return;
        }
        while let Some(i) = self.find(p, |slot, _| is_unsent(slot) && slot.expires.is_some_and(|at| at <= now)) {
            self.finish(p.out, i, Outcome::Expired);
        }
        self.next_expiry = None;
        let mut i = self.order.first;
        while let Some(slot) = p.out.get(usize::from(i)) {
            if is_unsent(slot) {
                self.next_expiry = [self.next_expiry, slot.expires].into_iter().flatten().min();
            }
            i = slot.next;
        }
    }

    /// The connection is gone: what was sent and not acknowledged waits again, in its place.
    pub(crate) fn rewind<P>(&mut self, p: &mut Parts<'_, P>) {
        while self.flushing.first != NONE {
            self.finish(p.out, self.flushing.first, Outcome::Dropped(DropReason::ConnectionLost));
        }
        let mut i = self.order.first;
        while let Some(slot) = p.out.get_mut(usize::from(i)) {
            if matches!(slot.state, State::Sent(_)) {
                slot.state = State::Waiting;
            }
            if !slot.is_acknowledged_publish() {
                // The identifier of a subscription is the connection's, not the session's, and a QoS 0 message of
                // which the server has only a part was not sent.
                slot.packet_id = None;
                slot.tried = false;
            }
            i = slot.next;
        }
    }

    /// The server has no session: nothing that was sent is known there.
    pub(crate) fn session_lost<P>(&mut self, p: &mut Parts<'_, P>) {
        let policy = self.config.on_session_loss;
        let mut i = self.order.first;
        while let Some(slot) = p.out.get_mut(usize::from(i)) {
            let next = slot.next;
            if slot.packet_id.is_some() && slot.qos().is_some() {
                slot.packet_id = None;
                slot.tried = false;
                if policy == OnSessionLoss::Fail && slot.owner == Owner::App {
                    self.finish(p.out, i, Outcome::SessionLost);
                }
            }
            i = next;
        }
    }

    /// Holds an operation back, or lets it go, last in the send order.
    pub(crate) fn park<P>(&mut self, p: &mut Parts<'_, P>, key: MessageKey, parked: bool) {
        let Some(i) = self.find(p, |slot, _| slot.key == key && is_unsent(slot)) else { return };
        let Some(slot) = p.out.get_mut(usize::from(i)) else { return };
        slot.parked = parked;
        let next = slot.next;
        if !parked {
            if let Some(c) = self.connection.as_mut().filter(|c| c.cursor == i) {
                c.cursor = next;
            }
            self.order.remove(p.out, i);
            self.order.push_back(p.out, i);
            self.point_cursor_at(i);
            self.wake = true;
        }
    }

    /// Moves an operation before all that was never sent: it overtakes what waits, never what is sent again.
    pub(crate) fn move_to_front<P>(&mut self, p: &mut Parts<'_, P>, key: MessageKey) {
        let Some(i) = self.find(p, |slot, _| slot.key == key && is_unsent(slot)) else { return };
        let at = self.find(p, |slot, _| is_unsent(slot) && !slot.parked).unwrap_or(NONE);
        if at == i {
            return;
        }
        let next = p.out.get(usize::from(i)).map_or(NONE, |slot| slot.next);
        self.order.remove(p.out, i);
        self.order.insert_before(p.out, i, at);
        if let Some(c) = &mut self.connection {
            if c.cursor == i {
                c.cursor = next;
            }
            if c.cursor == at || c.cursor == NONE {
                c.cursor = i;
            }
        }
    }

    pub(crate) fn free_slots(&self, slots: usize) -> usize {
        slots.saturating_sub(usize::from(self.fresh)).saturating_add(usize::from(self.free.len))
    }

    fn take_slot<P>(&mut self, out: &mut [OutSlot<P>]) -> u16 {
        self.free.pop_front(out).unwrap_or_else(|| {
            let i = self.fresh;
            self.fresh = self.fresh.saturating_add(1);
            i
        })
    }

    fn release<P>(&mut self, out: &mut [OutSlot<P>], i: u16) {
        if let Some(slot) = out.get_mut(usize::from(i)) {
            let turn = slot.turn;
            *slot = OutSlot { turn, ..OutSlot::EMPTY };
        }
        self.free.push_back(out, i);
    }

    /// Something new stands at the end of the send order: the cursor that had run off the end is to find it.
    fn point_cursor_at(&mut self, i: u16) {
        if let Some(c) = self.connection.as_mut().filter(|c| c.cursor == NONE) {
            c.cursor = i;
        }
    }

    /// Whether nothing waits, is sent or has ended without being drained.
    pub(crate) fn is_idle(&self) -> bool {
        let lists = [self.order, self.flushing, self.ended, self.ended_inner];
        lists.iter().all(|list: &List| list.len == 0)
    }
}

/// Whether no byte of it ever left, and none is leaving.
pub(crate) fn is_unsent<P>(slot: &OutSlot<P>) -> bool {
    slot.state == State::Waiting && !slot.tried && slot.packet_id.is_none()
}

/// Whether two messages have one topic, and the first `same` bytes of their bodies.
fn same_text(a: (Range, Text), b: (Range, Text), same: usize, arena: &[u8]) -> bool {
    let bytes = |(range, text): (Range, Text)| {
        let (token, len) = match text {
            Text::Source(token) => (Some(token), 0),
            Text::Arena(len) => (None, usize::from(len)),
        };
        let at = range.at as usize;
        (token, len, arena.get(at..at.saturating_add(len).saturating_add(same).min(range.end() as usize)))
    };
    bytes(a) == bytes(b)
}

/// The text at the beginning of a range.
pub(crate) fn text_of(range: Range, len: u16, arena: &[u8]) -> Option<&[u8]> {
    let at = range.at as usize;
    arena.get(at..at.saturating_add(usize::from(len)))
}

/// The body at the end of a range, from `from` on.
pub(crate) fn body_of(range: Range, text: usize, from: u32, arena: &[u8]) -> Option<&[u8]> {
    let start = (range.at as usize).saturating_add(text).saturating_add(from as usize);
    arena.get(start..range.end() as usize)
}
