//! Where a packet ends: the fixed header, read before anything else and without trusting it.

use core::fmt;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::types::{PacketType, Version};

/// What the beginning of a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Status<T = usize> {
    /// One whole packet stands at the front: it is that many bytes long, or that [`Frame`].
    Complete(T),
    /// The packet's end is not there yet.
    Partial {
        /// Bytes that are needed to go on: the whole packet where its length is known, else one more than there are.
        need: usize,
    },
    /// The packet, of which the length is known, is longer than the limit. Nothing of it was looked at.
    Oversize {
        /// Bytes of the whole packet, its fixed header included.
        total: u32,
    },
}

/// Finds the end of the first packet in `buf`, of at most `limit` bytes, header included.
///
/// An incomplete packet is a [`Status`], not an error; a first byte or a length that no packet can have is an error at
/// once, while the rest is still missing. Nothing is reserved for the length that the peer announces.
///
/// ```
/// use mqtt_device_proto::{Status, frame_len};
/// assert_eq!(frame_len(&[0xC0], 1024)?, Status::Partial { need: 2 });
/// assert_eq!(frame_len(&[0xC0, 0, 0x30], 1024)?, Status::Complete(2));
/// assert_eq!(frame_len(&[0x30, 0xFF, 0x7F], 1024)?, Status::Oversize { total: 16_386 });
/// # Ok::<(), mqtt_device_proto::DecodeError>(())
/// ```
///
/// # Errors
/// A reserved type, wrong flags `[MQTT-2.2.2-2]` (the DUP bit that MQTT 3.1 knows in PUBREL, SUBSCRIBE and UNSUBSCRIBE
/// is left to [`Packet::decode`](crate::Packet::decode), which knows the version), QoS 3 `[MQTT-3.3.1-4]`, or a length of
/// more than four bytes.
#[inline]
pub fn frame_len(buf: &[u8], limit: u32) -> Result<Status, DecodeError> {
    if let Some((_, total)) = usual_header(buf)
        && u32::try_from(total).is_ok_and(|total| total <= limit)
    {
        return Ok(if total <= buf.len() { Status::Complete(total) } else { Status::Partial { need: total } });
    }
    long_frame_len(buf, limit)
}

/// Bytes of the fixed header and of the whole packet, for packets up to 2 MiB with legal flags and the length in its
/// shortest form; `None` for any other, good or bad, which [`Header::read`] takes in more steps.
#[inline]
fn usual_header(buf: &[u8]) -> Option<(usize, usize)> {
    let [first, low, rest @ ..] = buf else { return None };
    if !has_legal_flags(*first) {
        return None;
    }
    let low = usize::from(*low);
    if low < 0x80 {
        return Some((2, low.wrapping_add(2)));
    }
    match rest {
        // Bit 7 of the low septet is too many, the three bytes of the header are missing.
        [high @ 1..0x80, ..] => Some((3, usize::from(*high).wrapping_shl(7).wrapping_add(low).wrapping_sub(0x80 - 3))),
        [middle @ 0x80..=0xFF, high @ 1..0x80, ..] => {
            let high = usize::from(*high).wrapping_shl(14).wrapping_add(usize::from(*middle).wrapping_shl(7));
            Some((4, high.wrapping_add(low).wrapping_sub((0x80 << 7) + 0x80 - 4)))
        }
        _ => None,
    }
}

/// The same for all packets, not just for short ones.
#[inline(never)]
fn long_frame_len(buf: &[u8], limit: u32) -> Result<Status, DecodeError> {
    let Some((first, rest)) = buf.split_first() else {
        return Ok(Status::Partial { need: 1 });
    };
    let packet = first_byte(*first, Version::V31, cfg!(feature = "v5")).map_err(|e| e.at_first_byte(*first))?;
    match Varint::read(rest) {
        Varint::Value { value, len, .. } => {
            let total = value.wrapping_add(header_len(len));
            if total > limit {
                return Ok(Status::Oversize { total });
            }
            Ok(match usize::try_from(total) {
                Ok(total) if total <= buf.len() => Status::Complete(total),
                Ok(need) => Status::Partial { need },
                Err(_) => Status::Oversize { total },
            })
        }
        Varint::Partial => Ok(Status::Partial { need: buf.len().saturating_add(1) }),
        Varint::TooLong => Err(DecodeError { packet: Some(packet), at: 1, kind: DecodeErrorKind::VarintTooLong }),
    }
}

/// For each packet type the flags that are legal in every version, as bits.
const LEGAL_FLAGS: [u16; 16] = {
    let reserved = 1;
    let request = 1 << 2;
    // QoS 0 without DUP, QoS 1 and 2.
    let publish = 0b0011_1100_0011_1111;
    let auth = if cfg!(feature = "v5") { reserved } else { 0 };
    [
        0, reserved, reserved, publish, reserved, reserved, request, reserved, request, reserved, request, reserved,
        reserved, reserved, reserved, auth,
    ]
};

#[inline]
fn has_legal_flags(first: u8) -> bool {
    let legal = LEGAL_FLAGS.get(usize::from(first >> 4)).copied().unwrap_or(0);
    legal.wrapping_shr(u32::from(first & 0x0F)) & 1 != 0
}

/// The first byte and the body of a whole packet with a [`usual_header`]: what nearly every packet has.
#[inline]
pub(crate) fn open_usual(frame: &[u8]) -> Option<(u8, &[u8])> {
    let (header, total) = usual_header(frame)?;
    if total != frame.len() {
        return None;
    }
    frame.first().copied().zip(frame.get(header..))
}

/// One whole packet, of which the fixed header was read to find its end.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Frame<'b> {
    bytes: &'b [u8],
    /// Bytes of a [`usual_header`]; 0 for any other, which is to be judged by the version.
    header: usize,
}

impl<'b> Frame<'b> {
    /// Takes the first packet, of at most `limit` bytes, off a stream. The stream stays as it is where there is none.
    ///
    /// ```
    /// use mqtt_device_proto::{Frame, Packet, Role, Status, Version};
    /// let mut stream: &[u8] = &[0xD0, 0x00, 0x40, 0x02, 0x00];
    /// let Status::Complete(frame) = Frame::take(&mut stream, 4096)? else { panic!() };
    /// assert_eq!(frame.decode(Version::V311, Role::Server)?, Packet::PingResp);
    /// assert_eq!(Frame::take(&mut stream, 4096)?, Status::Partial { need: 4 });
    /// assert_eq!(stream, [0x40, 0x02, 0x00]); // to be kept until more is there
    /// # Ok::<(), mqtt_device_proto::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// As [`frame_len`].
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn take(stream: &mut &'b [u8], limit: u32) -> Result<Status<Self>, DecodeError> {
        if let Some((header, total)) = usual_header(stream)
            && u32::try_from(total).is_ok_and(|total| total <= limit)
            && let Some((bytes, rest)) = stream.split_at_checked(total)
        {
            *stream = rest;
            return Ok(Status::Complete(Self { bytes, header }));
        }
        Self::take_unusual(stream, limit)
    }

    #[inline(never)]
    fn take_unusual(stream: &mut &'b [u8], limit: u32) -> Result<Status<Self>, DecodeError> {
        Ok(match long_frame_len(stream, limit)? {
            Status::Complete(len) => match stream.split_at_checked(len) {
                Some((bytes, rest)) => {
                    *stream = rest;
                    Status::Complete(Self { bytes, header: 0 })
                }
                None => Status::Partial { need: len },
            },
            Status::Partial { need } => Status::Partial { need },
            Status::Oversize { total } => Status::Oversize { total },
        })
    }

    /// The packet's type.
    #[must_use]
    pub fn packet_type(&self) -> PacketType {
        // There is a first byte, and it is of a type: `take` has seen to it.
        self.bytes.first().and_then(|first| PacketType::from_first_byte(*first)).unwrap_or(PacketType::Publish)
    }

    /// The packet's bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// The packet's first byte and body, unless its header is still to be judged.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn usual(&self) -> Option<(u8, &'b [u8])> {
        if self.header == 0 {
            return None;
        }
        self.bytes.first().copied().zip(self.bytes.get(self.header..))
    }
}

/// The bytes are not shown: there may be a password among them.
impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({}, {} bytes)", self.packet_type(), self.bytes.len())
    }
}

/// One byte and the `len` (1 to 4) of the remaining length.
const fn header_len(len: usize) -> u32 {
    match len {
        1 => 2,
        2 => 3,
        3 => 4,
        _ => 5,
    }
}

/// The first bytes of a packet, understood.
#[derive(Clone, Copy)]
pub(crate) struct Header {
    pub(crate) packet: PacketType,
    pub(crate) first: u8,
    /// Bytes of the fixed header.
    pub(crate) len: usize,
    /// Bytes of the whole packet.
    pub(crate) total: u32,
}

impl Header {
    /// `None` while the length is not all there.
    #[inline]
    pub(crate) fn read(buf: &[u8], version: Version) -> Result<Option<Self>, DecodeError> {
        let Some((first, rest)) = buf.split_first() else {
            return Ok(None);
        };
        let packet = first_byte(*first, version, version.has_properties()).map_err(|e| e.at_first_byte(*first))?;
        let fault = |kind| Err(DecodeError { packet: Some(packet), at: 1, kind });
        match Varint::read(rest) {
            Varint::Value { minimal: false, .. } if version.has_properties() => {
                fault(DecodeErrorKind::VarintNotMinimal)
            }
            Varint::Value { value, len, .. } => {
                let total = value.wrapping_add(header_len(len));
                Ok(Some(Self { packet, first: *first, len: len.wrapping_add(1), total }))
            }
            Varint::Partial => Ok(None),
            Varint::TooLong => fault(DecodeErrorKind::VarintTooLong),
        }
    }
}

impl DecodeErrorKind {
    #[cold]
    const fn at_first_byte(self, first: u8) -> DecodeError {
        DecodeError { packet: PacketType::from_first_byte(first), at: 0, kind: self }
    }
}

/// The type of a packet by its first byte, of which the flags are checked `[MQTT-2.2.2-1]`.
#[inline]
const fn first_byte(first: u8, version: Version, auth: bool) -> Result<PacketType, DecodeErrorKind> {
    if let Some(packet) = PacketType::from_first_byte(first) {
        let flags = first & 0x0F;
        let good = match packet {
            PacketType::Publish => flags & 0x06 != 0x06 && flags & 0x0E != 0x08,
            PacketType::Auth => flags == 0 && auth,
            _ => flags == packet.flags(),
        };
        if good {
            return Ok(packet);
        }
    }
    unusual_first_byte(first, version, auth)
}

#[cold]
const fn unusual_first_byte(first: u8, version: Version, auth: bool) -> Result<PacketType, DecodeErrorKind> {
    let flags = first & 0x0F;
    match PacketType::from_first_byte(first) {
        None => Err(DecodeErrorKind::ReservedPacketType),
        Some(PacketType::Auth) if !auth => Err(DecodeErrorKind::ReservedPacketType),
        Some(PacketType::Publish) if flags & 0x06 == 0x06 => Err(DecodeErrorKind::BadQoS),
        Some(PacketType::Publish) => Err(DecodeErrorKind::DupWithQoS0),
        // MQTT 3.1 marks a repeated request with the DUP bit.
        Some(packet @ (PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe))
            if matches!(version, Version::V31) && flags & 0x07 == 2 =>
        {
            Ok(packet)
        }
        Some(_) => Err(DecodeErrorKind::ReservedFlags),
    }
}

/// A Variable Byte Integer at the front of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Varint {
    /// It is `len` bytes long, and `minimal` if no shorter form exists.
    Value {
        value: u32,
        len: usize,
        minimal: bool,
    },
    Partial,
    TooLong,
}

impl Varint {
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Self {
        match *bytes {
            [a, ..] if a < 0x80 => Self::Value { value: u32::from(a), len: 1, minimal: true },
            [a, b, ..] if b < 0x80 => Self::value([a, b, 0, 0], 2, b),
            [_] | [] => Self::Partial,
            [a, b, c, ..] if c < 0x80 => Self::value([a, b, c, 0], 3, c),
            [_, _] => Self::Partial,
            [a, b, c, d, ..] if d < 0x80 => Self::value([a, b, c, d], 4, d),
            [_, _, _] => Self::Partial,
            _ => Self::TooLong,
        }
    }

    fn value(septets: [u8; 4], len: usize, last: u8) -> Self {
        let [a, b, c, d] = septets.map(|byte| u32::from(byte & 0x7F));
        Self::Value { value: a | b << 7 | c << 14 | d << 21, len, minimal: last != 0 }
    }
}
