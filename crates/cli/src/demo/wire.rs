//! What passes on an MQTT connection, from its packet types alone: what waits for an acknowledgement, who said goodbye.

/// Finds packet boundaries in a stream that comes in pieces, and hands over each packet's first byte.
#[derive(Debug, Default)]
pub(super) struct Packets {
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Type,
    Length {
        first: u8,
        value: usize,
        shift: u32,
    },
    Body(usize),
}

impl Packets {
    /// Calls `packet` with the first byte of each packet of which the header is complete.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut packet: impl FnMut(u8)) {
        while let Some((byte, rest)) = bytes.split_first() {
            self.state = match self.state {
                State::Type => State::Length { first: *byte, value: 0, shift: 0 },
                State::Length { first, value, shift } => {
                    let value = value | (usize::from(byte & 0x7f) << shift);
                    if byte & 0x80 != 0 && shift < 21 {
                        State::Length { first, value, shift: shift + 7 }
                    } else {
                        packet(first);
                        if value == 0 { State::Type } else { State::Body(value) }
                    }
                }
                State::Body(left) => {
                    let skip = left.min(bytes.len());
                    bytes = bytes.get(skip..).unwrap_or_default();
                    self.state = if left == skip { State::Type } else { State::Body(left - skip) };
                    continue;
                }
            };
            bytes = rest;
        }
    }
}

/// What has passed through the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wire {
    /// Connections so far.
    pub(super) connections: u32,
    /// Whether one is open.
    pub(super) open: bool,
    /// DISCONNECT packets of the device.
    pub(super) goodbyes: u32,
    /// QoS 1 messages of the present connection, both ways, whose PUBACK has not passed.
    pub(super) unacknowledged: i64,
}

const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const DISCONNECT: u8 = 14;

impl Wire {
    /// A packet was read, and is about to be passed on.
    pub(super) fn coming(&mut self, first: u8) {
        if first >> 4 == PUBLISH && first >> 1 & 3 == 1 {
            self.unacknowledged += 1;
        }
    }

    /// A packet was passed on.
    pub(super) fn passed(&mut self, first: u8) {
        match first >> 4 {
            PUBACK => self.unacknowledged -= 1,
            DISCONNECT => self.goodbyes += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CONNECT of 3 bytes, PUBLISH QoS 1 of 200 bytes, PINGREQ, PUBACK, DISCONNECT.
    fn stream() -> Vec<u8> {
        let mut bytes = vec![0x10, 3, 9, 9, 9, 0x32, 0xc8, 1];
        bytes.extend([0x30; 200]);
        bytes.extend([0xc0, 0, 0x40, 2, 0, 1, 0xe0, 0]);
        bytes
    }

    #[test]
    fn packets_are_found_however_the_stream_is_cut() {
        let bytes = stream();
        for size in 1..=bytes.len() {
            let (mut packets, mut found) = (Packets::default(), Vec::new());
            bytes.chunks(size).for_each(|chunk| packets.feed(chunk, |first| found.push(first)));
            assert_eq!(found, [0x10, 0x32, 0xc0, 0x40, 0xe0], "in pieces of {size}");
        }
    }

    #[test]
    fn a_message_waits_until_its_acknowledgement_has_passed() {
        let mut wire = Wire::default();
        wire.coming(0x30); // QoS 0
        assert_eq!(wire.unacknowledged, 0);
        wire.coming(0x3a); // QoS 1, DUP
        wire.passed(0x3a);
        assert_eq!(wire.unacknowledged, 1);
        wire.coming(0x40);
        assert_eq!(wire.unacknowledged, 1);
        wire.passed(0x40);
        wire.passed(0xe0);
        assert_eq!((wire.unacknowledged, wire.goodbyes), (0, 1));
    }
}
