//! A PUBLISH that is larger than the buffer: skipped in constant memory, reported, acknowledged.
//!
//! MQTT 3.1.1 has no way to tell the server a limit, and an unacknowledged message comes back for ever, so closing the
//! connection would be a loop.

use mqtt_device_proto::PacketId;

/// What is left to skip, and what was learnt on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    /// Bytes of the packet that did not come yet.
    left: u32,
    /// Bytes before the packet identifier, when it is still to come.
    before_id: u32,
    /// Bytes of the packet identifier that came.
    id: [u8; 2],
    id_have: u8,
    wants_id: bool,
}

impl Skip {
    /// `left` bytes are to come; with `acknowledged` the packet identifier stands `before_id` bytes from here.
    pub(crate) const fn new(left: u32, before_id: u32, acknowledged: bool) -> Self {
        Self { left, before_id, id: [0; 2], id_have: 0, wants_id: acknowledged }
    }

    /// Takes bytes of the packet; how many.
    pub(crate) fn feed(&mut self, rx: &[u8]) -> usize {
        let n = rx.len().min(self.left as usize);
        for byte in rx.iter().take(n).skip(self.before_id as usize).take(2usize.saturating_sub(self.id_have.into())) {
            if let Some(place) = self.id.get_mut(usize::from(self.id_have)).filter(|_| self.wants_id) {
                *place = *byte;
                self.id_have = self.id_have.saturating_add(1);
            }
        }
        let n32 = u32::try_from(n).unwrap_or(u32::MAX);
        self.before_id = self.before_id.saturating_sub(n32);
        self.left = self.left.saturating_sub(n32);
        n
    }

    /// Whether all of it is gone.
    pub(crate) const fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Whether the message is to be acknowledged, and as what; `Some(None)` is an identifier of 0, which is malformed.
    pub(crate) fn acknowledges(&self) -> Option<Option<PacketId>> {
        self.wants_id.then(|| PacketId::new(u16::from_be_bytes(self.id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_split_skips_the_same_bytes_and_finds_the_identifier() {
        let packet: [u8; 12] = [b't', b'o', b'p', 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7];
        for chunk in 1..=packet.len() {
            let mut skip = Skip::new(12, 3, true);
            let mut at = 0;
            while !skip.is_done() {
                at += skip.feed(&packet[at..packet.len().min(at + chunk)]);
            }
            assert_eq!((at, skip.acknowledges()), (12, Some(PacketId::new(0x1234))), "chunk of {chunk}");
        }
    }

    #[test]
    fn bytes_of_the_next_packet_stay() {
        let mut skip = Skip::new(3, 0, false);
        assert_eq!(skip.feed(&[1, 2, 3, 4]), 3);
        assert!(skip.is_done());
        assert_eq!(skip.acknowledges(), None);
    }
}
