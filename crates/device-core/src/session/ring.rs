//! Inbound messages that await their acknowledgement, in order of receipt.
//!
//! Acknowledgements leave in that order [MQTT-4.6.0-2], so one that is given early waits for those before it. The ring
//! belongs to one connection: an acknowledgement must never go out on a later one.

use crate::event::AckToken;
use mqtt_device_proto::PacketId;

/// Memory for one inbound message. Opaque: a [`Storage`](crate::Storage) lends slices of them.
#[derive(Clone, Copy, Debug)]
pub struct InSlot {
    packet_id: Option<PacketId>,
    ready: bool,
    /// What the layer above knows it by; 0 for nothing.
    tag: u32,
}

impl InSlot {
    /// A slot that holds nothing.
    pub const EMPTY: Self = Self { packet_id: None, ready: false, tag: 0 };
}

impl Default for InSlot {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// The ring's ends, as numbers of messages since the connection began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ring {
    first: u32,
    len: u32,
    /// Where the oldest message stands in the slice.
    head: usize,
}

impl Ring {
    pub(crate) fn is_full(&self, slots: &[InSlot]) -> bool {
        self.len as usize >= slots.len()
    }

    /// A message came; its token's sequence number.
    pub(crate) fn push(&mut self, slots: &mut [InSlot], packet_id: PacketId, ready: bool) -> Option<u32> {
        if self.is_full(slots) {
            return None;
        }
        let sequence = self.first.wrapping_add(self.len);
        *self.slot(slots, sequence)? = InSlot { packet_id: Some(packet_id), ready, tag: 0 };
        self.len = self.len.saturating_add(1);
        Some(sequence)
    }

    /// Whether this packet identifier is waiting here already: the server repeats itself on one connection.
    pub(crate) fn position(&self, slots: &[InSlot], id: PacketId) -> Option<u32> {
        (0..self.len)
            .map(|n| self.first.wrapping_add(n))
            .find(|&s| self.peek(slots, s).is_some_and(|x| x.packet_id == Some(id)))
    }

    /// Where the oldest message stands, when there is room for no other.
    pub(crate) fn full_at(&self, slots: &[InSlot]) -> Option<usize> {
        self.is_full(slots).then_some(self.head)
    }

    /// The slots were moved: the oldest message stands at the beginning.
    pub(crate) const fn moved(&mut self) {
        self.head = 0;
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Gives up one and all behind it, which must not be acknowledged before it [MQTT-4.6.0-2]. False when it is not
    /// waiting, or is dealt with.
    pub(crate) fn forgo(&mut self, slots: &[InSlot], sequence: u32) -> bool {
        let before = sequence.wrapping_sub(self.first);
        let waits = before < self.len && self.peek(slots, sequence).is_some_and(|slot| !slot.ready);
        if waits {
            self.len = before;
        }
        waits
    }

    /// Marks one as dealt with; false when it is not waiting any more.
    pub(crate) fn ready(&mut self, slots: &mut [InSlot], sequence: u32) -> bool {
        if sequence.wrapping_sub(self.first) >= self.len {
            return false;
        }
        self.slot(slots, sequence).is_some_and(|s| !core::mem::replace(&mut s.ready, true))
    }

    /// Gives a message the name under which the layer above knows it.
    pub(crate) fn tag(&mut self, slots: &mut [InSlot], sequence: u32, tag: u32) {
        if sequence.wrapping_sub(self.first) < self.len
            && let Some(slot) = self.slot(slots, sequence)
        {
            slot.tag = tag;
        }
    }

    pub(crate) fn tag_of(&self, slots: &[InSlot], sequence: u32) -> Option<u32> {
        let waits = sequence.wrapping_sub(self.first) < self.len;
        waits.then(|| self.peek(slots, sequence))?.map(|slot| slot.tag).filter(|&tag| tag != 0)
    }

    /// Marks all messages of a name as dealt with; whether there was one that was not.
    pub(crate) fn ready_tagged(&mut self, slots: &mut [InSlot], tag: u32) -> bool {
        let mut any = false;
        for n in 0..self.len {
            let sequence = self.first.wrapping_add(n);
            if let Some(slot) = self.slot(slots, sequence).filter(|slot| slot.tag == tag && !slot.ready) {
                slot.ready = true;
                any = true;
            }
        }
        any
    }

    /// The oldest message, when its acknowledgement is due.
    pub(crate) fn due(&self, slots: &[InSlot]) -> Option<PacketId> {
        (self.len > 0).then(|| self.peek(slots, self.first))?.filter(|s| s.ready)?.packet_id
    }

    /// The sequence number of the oldest message.
    pub(crate) fn first(&self) -> Option<u32> {
        (self.len > 0).then_some(self.first)
    }

    /// The oldest message's acknowledgement was taken; its name.
    pub(crate) fn pop(&mut self, slots: &[InSlot]) -> u32 {
        let tag = self.peek(slots, self.first).map_or(0, |slot| slot.tag);
        self.head = self.index(slots, self.first.wrapping_add(1));
        self.first = self.first.wrapping_add(1);
        self.len = self.len.saturating_sub(1);
        tag
    }

    fn index(&self, slots: &[InSlot], sequence: u32) -> usize {
        let at = self.head.wrapping_add(sequence.wrapping_sub(self.first) as usize);
        at.checked_rem(slots.len()).unwrap_or(0)
    }

    fn peek<'s>(&self, slots: &'s [InSlot], sequence: u32) -> Option<&'s InSlot> {
        slots.get(self.index(slots, sequence))
    }

    fn slot<'s>(&self, slots: &'s mut [InSlot], sequence: u32) -> Option<&'s mut InSlot> {
        let at = self.index(slots, sequence);
        slots.get_mut(at)
    }
}

impl AckToken {
    pub(crate) const fn new(connection: u32, sequence: u32) -> Self {
        Self { connection, sequence }
    }
}
