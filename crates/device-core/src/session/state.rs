//! What a session knows, in two types: what outlives a connection, and what must not.

use super::arena::Arena;
use super::declared::Declared;
use super::notices::Notices;
use super::ring::Ring;
use super::skip::Skip;
use super::slot::List;
use crate::config::{CLASSES, Config};
use crate::event::DisconnectReason;
use crate::time::Instant;
use crate::{Security, session::MAX_DECLARED};
use mqtt_device_proto::PacketId;

/// The state machine of a session. It knows no capacity: it works on the slices that the storage lends.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    pub(crate) config: Config,
    /// Packet identifiers are this far apart in one slot, so that an identifier leads to its slot by a remainder.
    pub(crate) modulus: u32,
    /// Every operation that is not ended, in the order of sending.
    pub(crate) order: List,
    /// QoS 0 publications that are taken and not flushed.
    pub(crate) flushing: List,
    /// Ended, and the application is to be told.
    pub(crate) ended: List,
    /// Ended, and the layer above is to be told.
    pub(crate) ended_inner: List,
    /// Slots that were used and are free again.
    pub(crate) free: List,
    /// Slots from here on were never used.
    pub(crate) fresh: u16,
    /// Free slots that only the layer above may use.
    pub(crate) reserved: u16,
    pub(crate) arena: Arena,
    pub(crate) class_count: [u16; CLASSES],
    pub(crate) class_bytes: [u32; CLASSES],
    pub(crate) next_key: u32,
    /// No message expires before this.
    pub(crate) next_expiry: Option<Instant>,
    pub(crate) wall_clock: Option<(Instant, u64)>,
    pub(crate) connection: Option<Connection>,
    /// Connections so far: acknowledgement tokens of an earlier one are void.
    pub(crate) connections: u32,
    pub(crate) notices: Notices,
    pub(crate) early_acks: u32,
    pub(crate) stray_acks: u32,
    pub(crate) withheld_acks: u32,
    /// The connection is ended in an orderly way already: it is not ended to have messages delivered again.
    pub(crate) stopping: bool,
    /// The longest topic or filter since nothing waited last, in bytes.
    pub(crate) longest_name: usize,
    pub(crate) wake: bool,
}

impl Core {
    pub(crate) const fn new(config: Config) -> Self {
        Self {
            config,
            modulus: 0,
            order: List::EMPTY,
            flushing: List::EMPTY,
            ended: List::EMPTY,
            ended_inner: List::EMPTY,
            free: List::EMPTY,
            fresh: 0,
            reserved: 0,
            arena: Arena::NEW,
            class_count: [0; CLASSES],
            class_bytes: [0; CLASSES],
            next_key: 0,
            next_expiry: None,
            wall_clock: None,
            connection: None,
            connections: 0,
            notices: Notices::NEW,
            early_acks: 0,
            stray_acks: 0,
            withheld_acks: 0,
            stopping: false,
            longest_name: 0,
            wake: false,
        }
    }

    /// Settles how packet identifiers lead to slots; the limit of a storage does not change.
    pub(crate) fn fit(&mut self, out_limit: usize) {
        if self.modulus == 0 {
            let slots = u32::try_from(out_limit).unwrap_or(u32::MAX).min(32_000);
            self.modulus = slots.saturating_add(u32::from(MAX_DECLARED)).next_power_of_two();
        }
    }

    /// The identifier of slot `index` on its `turn`; the second value is the next turn.
    pub(crate) fn packet_id(&self, index: u32, turn: u16) -> Option<(PacketId, u16)> {
        let first = index.checked_add(1)?;
        let id = first.checked_add(self.modulus.checked_mul(u32::from(turn))?)?;
        match u16::try_from(id).ok().and_then(PacketId::new) {
            Some(id) => Some((id, turn.wrapping_add(1))),
            None => Some((PacketId::new(u16::try_from(first).ok()?)?, 1)),
        }
    }

    /// The slot that an identifier leads to; whether it is that slot's now is another question.
    pub(crate) fn index_of(&self, id: PacketId) -> u32 {
        u32::from(id.get()).saturating_sub(1).checked_rem(self.modulus).unwrap_or(0)
    }

    pub(crate) fn unix_ms(&self, now: Instant) -> Option<u64> {
        self.wall_clock.map(|(at, unix_ms)| unix_ms.saturating_add(now.since(at).as_millis()))
    }

    /// The connection, when the server has accepted it and it is not being closed.
    pub(crate) fn open(&self) -> Option<&Connection> {
        self.connection.as_ref().filter(|c| c.phase == Phase::Open && c.closing.is_none())
    }

    /// The storage was given back: no slot was ever used.
    pub(crate) fn forget_storage(&mut self) {
        self.free = List::EMPTY;
        self.fresh = 0;
        self.arena.forget();
    }

    /// Ends the connection; the first reason stays.
    pub(crate) fn close(&mut self, reason: DisconnectReason, goodbye: bool) {
        if let Some(c) = &mut self.connection {
            let goodbye = goodbye && c.phase == Phase::Open;
            let stage = if goodbye { Stage::Owed } else { Stage::Now };
            match &mut c.closing {
                None => c.closing = Some(Closing { reason, stage }),
                // The first reason stays, but a goodbye that cannot leave must not keep the connection open.
                Some(closing) if stage == Stage::Now => closing.stage = Stage::Now,
                Some(_) => {}
            }
        }
    }
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// CONNECT is to be written.
    ConnectDue,
    /// CONNECT is taken.
    AwaitConnAck,
    /// The server accepted.
    Open,
}

/// The end of a connection, as decided here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closing {
    pub(crate) reason: DisconnectReason,
    pub(crate) stage: Stage,
}

/// How far the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// DISCONNECT is to be written, after what is half written and the acknowledgements.
    Owed,
    /// DISCONNECT is taken up to this position of the stream; close when it is flushed.
    Taken(u64),
    /// Close at once.
    Now,
}

/// The PINGREQ that is due or on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ping {
    /// None.
    Idle,
    /// To be written.
    Due,
    /// Taken; it began and ended at these positions of the stream.
    Taken { start: u64, end: u64 },
    /// Flushed: PINGRESP must come by the deadline.
    Awaited {
        start: u64,
        deadline: Instant,
        /// The deadline was found passed late, and put off once.
        graced: bool,
    },
}

/// A packet of which the head is taken and the body is not, or not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Current {
    pub(crate) slot: u16,
    /// Where the packet began in the stream.
    pub(crate) start: u64,
    pub(crate) done: u32,
    pub(crate) total: u32,
    /// The wall clock when the packet began: a body must be written as it was counted.
    pub(crate) unix_ms: Option<u64>,
}

/// Names of acknowledgements that were taken and of which the layer above does not know yet. When it is full, none is
/// taken until that layer has asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    tags: [(u32, u64); 8],
    len: usize,
}

impl Written {
    pub(crate) fn is_full(&self) -> bool {
        self.len >= self.tags.len()
    }

    /// The acknowledgement named `tag` ends at this position of the stream.
    pub(crate) fn push(&mut self, tag: u32, position: u64) {
        if let Some(place) = self.tags.get_mut(self.len).filter(|_| tag != 0) {
            *place = (tag, position);
            self.len = self.len.saturating_add(1);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<(u32, u64)> {
        self.len = self.len.checked_sub(1)?;
        self.tags.get(self.len).copied()
    }
}

/// What belongs to one connection: made afresh for each, so that nothing stale can survive.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) phase: Phase,
    pub(crate) security: Security,
    pub(crate) closing: Option<Closing>,
    /// Bytes given to the driver, and those of them that are flushed.
    pub(crate) taken: u64,
    pub(crate) flushed: u64,
    /// Since when bytes wait to be flushed.
    pub(crate) writing_since: Option<Instant>,
    pub(crate) last_flushed: Instant,
    pub(crate) last_received: Instant,
    pub(crate) ping: Ping,
    /// Since when no input is taken for want of writing.
    pub(crate) blocked_since: Option<Instant>,
    pub(crate) current: Option<Current>,
    /// The first operation in the send order that may be untaken; those before it are taken or held back.
    pub(crate) cursor: u16,
    /// Publications that wait for their PUBACK on this connection.
    pub(crate) in_flight: u16,
    pub(crate) ring: Ring,
    pub(crate) written: Written,
    /// A PUBREL nobody waits for is answered, so that the server does not repeat it for ever.
    pub(crate) owed_comp: Option<PacketId>,
    pub(crate) skip: Option<Skip>,
    /// How much of the next packet there was at the last call: a large one that comes slowly is a sign of life.
    pub(crate) partial: usize,
    pub(crate) declared: Declared,
    /// A message came that will not be acknowledged on this connection.
    pub(crate) withheld: bool,
    /// A message was acknowledged.
    pub(crate) acknowledged: bool,
    /// The server has received all that was taken before this position of the stream.
    pub(crate) confirmed: u64,
}

impl Connection {
    pub(crate) fn new(now: Instant, security: Security, first: u16) -> Self {
        Self {
            phase: Phase::ConnectDue,
            security,
            closing: None,
            taken: 0,
            flushed: 0,
            writing_since: None,
            last_flushed: now,
            last_received: now,
            ping: Ping::Idle,
            blocked_since: None,
            current: None,
            cursor: first,
            in_flight: 0,
            ring: Ring::default(),
            written: Written::default(),
            owed_comp: None,
            skip: None,
            partial: 0,
            declared: Declared::default(),
            withheld: false,
            acknowledged: false,
            confirmed: 0,
        }
    }

    /// Whether the driver is to close the transport now.
    pub(crate) fn is_over(&self) -> bool {
        self.closing.is_some_and(|c| match c.stage {
            Stage::Owed => false,
            Stage::Taken(end) => self.flushed >= end,
            Stage::Now => true,
        })
    }

    /// Whether DISCONNECT was written and flushed.
    pub(crate) fn said_goodbye(&self) -> bool {
        self.closing.is_some_and(|c| matches!(c.stage, Stage::Taken(end) if self.flushed >= end))
    }

    /// Notes that the server has received all before `position`.
    pub(crate) fn confirm(&mut self, position: u64) {
        self.confirmed = self.confirmed.max(position);
    }
}
