//! Reads fields from the front of one packet's body; every defect becomes a `DecodeError` with its offset.

use crate::error::{DecodeError, DecodeErrorKind};
#[cfg(feature = "v5")]
use crate::frame::Varint;
use crate::text::{self, BadText, Text};
use crate::topic::{self, TopicName};
use crate::types::{PacketId, PacketType};

/// What is left of a packet's body.
#[derive(Clone)]
pub(crate) struct Reader<'b> {
    rest: &'b [u8],
    /// The offset of the end of `rest` in the frame.
    end: usize,
    packet: PacketType,
}

impl<'b> Reader<'b> {
    /// `body` ends `end` bytes after the start of the frame.
    pub(crate) const fn new(body: &'b [u8], end: usize, packet: PacketType) -> Self {
        Self { rest: body, end, packet }
    }

    /// The same reader. An argument lies in memory, and stays there.
    #[inline]
    pub(crate) fn in_registers(&self) -> Self {
        self.clone()
    }

    /// The offset of the next byte in the frame.
    pub(crate) const fn position(&self) -> usize {
        self.end.wrapping_sub(self.rest.len())
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that is left, as a text if it is one.
    #[inline]
    pub(crate) fn text(&self) -> Text<'b> {
        Text::of(self.rest)
    }

    /// All that is left.
    pub(crate) const fn rest(&self) -> &'b [u8] {
        self.rest
    }

    // The reader itself never reaches a function that is not inlined, so that it lives in registers.

    /// A defect at the next byte.
    #[inline]
    pub(crate) fn fault(&self, kind: DecodeErrorKind) -> DecodeError {
        fault(self.packet, self.position(), kind)
    }

    #[inline]
    pub(crate) fn fault_at(&self, at: usize, kind: DecodeErrorKind) -> DecodeError {
        fault(self.packet, at, kind)
    }

    /// A defect in the `back` bytes that were read last.
    #[inline]
    pub(crate) fn fault_back(&self, back: usize, kind: DecodeErrorKind) -> DecodeError {
        fault(self.packet, self.position().wrapping_sub(back), kind)
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn chunk<const N: usize>(&mut self) -> Result<&'b [u8; N], DecodeError> {
        match self.rest.split_first_chunk() {
            Some((chunk, rest)) => {
                self.rest = rest;
                Ok(chunk)
            }
            None => Err(self.fault(DecodeErrorKind::FieldTruncated)),
        }
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.chunk().map(|[byte]| *byte)
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.chunk().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// A packet identifier `[MQTT-2.3.1-1]`.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::new(self.u16()?).ok_or_else(|| self.fault_back(2, DecodeErrorKind::ZeroPacketId))
    }

    /// Binary data behind its two-byte length.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn binary(&mut self) -> Result<&'b [u8], DecodeError> {
        let found = match self.rest.split_first_chunk() {
            Some((len, rest)) => rest.split_at_checked(usize::from(u16::from_be_bytes(*len))),
            None => None,
        };
        match found {
            Some((data, rest)) => {
                self.rest = rest;
                Ok(data)
            }
            None => Err(self.fault(DecodeErrorKind::FieldTruncated)),
        }
    }

    /// A string `[MQTT-1.5.3-1]` `[MQTT-1.5.3-2]`; `text` is of what was left here or before.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn string(&mut self, text: Text<'b>) -> Result<&'b str, DecodeError> {
        let bytes = self.binary()?;
        match text.string(bytes, self.rest.len()) {
            Some(string) if text::is_string(bytes) => Ok(string),
            _ => check_text(self.packet, self.position(), bytes),
        }
    }

    /// A topic name, which may be empty `[MQTT-3.3.2-1]` `[MQTT-3.3.2-2]`; `text` as with a string.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn topic_name(&mut self, text: Text<'b>) -> Result<TopicName<'b>, DecodeError> {
        let bytes = self.binary()?;
        match text.string(bytes, self.rest.len()) {
            Some(name) if text::is_plain_name(bytes) => Ok(TopicName::checked(name)),
            _ => check_topic_name(self.packet, self.position(), bytes),
        }
    }

    /// Takes the front of a CONNECT up to its flags, if the name is `MQTT` and the level is this.
    #[inline]
    pub(crate) const fn connect_flags(&mut self, expected: u8) -> Option<u8> {
        let [0, 4, b'M', b'Q', b'T', b'T', level, flags, rest @ ..] = self.rest else { return None };
        if *level != expected {
            return None;
        }
        self.rest = rest;
        Some(*flags)
    }

    /// Takes a byte that is 0, such as the length of a set of no properties.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) const fn skip_zero(&mut self) -> bool {
        let [0, rest @ ..] = self.rest else { return false };
        self.rest = rest;
        true
    }

    /// The same where no text was looked for.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn first_topic_name(&mut self) -> Result<TopicName<'b>, DecodeError> {
        let bytes = self.binary()?;
        match text::plain_name(bytes) {
            Some(name) => Ok(TopicName::checked(name)),
            None => check_topic_name(self.packet, self.position(), bytes),
        }
    }

    /// Checks a topic filter without keeping it.
    #[inline]
    pub(crate) fn check_filter(&mut self) -> Result<&'b [u8], DecodeError> {
        let bytes = self.binary()?;
        if !text::is_plain_filter(bytes) {
            check_filter(self.packet, self.position(), bytes)?;
        }
        Ok(bytes)
    }

    /// The body must be used up.
    #[inline]
    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(self.fault(DecodeErrorKind::TrailingBytes)) }
    }
}

#[cfg(feature = "v5")]
impl<'b> Reader<'b> {
    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// `len` bytes.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    /// A Variable Byte Integer in its shortest form `[MQTT-1.5.5-1 v5]`.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u32, DecodeError> {
        if let Some((byte, rest)) = self.rest.split_first()
            && *byte < 0x80
        {
            self.rest = rest;
            return Ok(u32::from(*byte));
        }
        let (value, rest) = long_varint(self.packet, self.position(), self.rest)?;
        self.rest = rest;
        Ok(value)
    }

    /// Checks a string without keeping it.
    #[inline]
    pub(crate) fn check_string(&mut self) -> Result<(), DecodeError> {
        let bytes = self.binary()?;
        check_text(self.packet, self.position(), bytes).map(|_| ())
    }

    /// Checks a topic name without keeping it.
    #[inline]
    pub(crate) fn check_topic_name(&mut self) -> Result<bool, DecodeError> {
        let bytes = self.binary()?;
        check_topic_name(self.packet, self.position(), bytes)?;
        Ok(!bytes.is_empty())
    }

    /// A reader of the next `len` bytes alone.
    #[inline]
    pub(crate) fn sub(&mut self, len: usize) -> Option<Self> {
        let body = self.take(len)?;
        Some(Self::new(body, self.position(), self.packet))
    }
}

#[cfg(feature = "v5")]
#[inline(never)]
fn long_varint(packet: PacketType, at: usize, bytes: &[u8]) -> Result<(u32, &[u8]), DecodeError> {
    let kind = match Varint::read(bytes) {
        Varint::Value { minimal: false, .. } => DecodeErrorKind::VarintNotMinimal,
        Varint::Value { value, len, .. } => return Ok((value, bytes.get(len..).unwrap_or(&[]))),
        Varint::Partial => DecodeErrorKind::FieldTruncated,
        Varint::TooLong => DecodeErrorKind::VarintTooLong,
    };
    Err(fault(packet, at, kind))
}

#[cold]
#[inline(never)]
fn fault(packet: PacketType, at: usize, kind: DecodeErrorKind) -> DecodeError {
    DecodeError { packet: Some(packet), at: u32::try_from(at).unwrap_or(u32::MAX), kind }
}

/// A string, with the first defect in `bytes`, which end at `end`.
#[inline(never)]
fn check_text(packet: PacketType, end: usize, bytes: &[u8]) -> Result<&str, DecodeError> {
    let start = end.wrapping_sub(bytes.len());
    text::check(bytes).map_err(|bad| match bad {
        BadText::Nul(at) => fault(packet, start.wrapping_add(at), DecodeErrorKind::NulCharacter),
        BadText::Utf8(at) => fault(packet, start.wrapping_add(at), DecodeErrorKind::BadUtf8),
    })
}

#[inline(never)]
fn check_topic_name(packet: PacketType, end: usize, bytes: &[u8]) -> Result<TopicName<'_>, DecodeError> {
    let name = check_text(packet, end, bytes)?;
    TopicName::new_or_empty(name).map_err(|error| {
        let wildcard = bytes.iter().position(|byte| matches!(byte, b'+' | b'#')).unwrap_or(0);
        fault(packet, end.wrapping_sub(bytes.len()).wrapping_add(wildcard), error.into())
    })
}

/// The rules of a filter, one by one.
#[inline(never)]
fn check_filter(packet: PacketType, end: usize, bytes: &[u8]) -> Result<(), DecodeError> {
    check_text(packet, end, bytes)?;
    topic::check_wildcards(bytes).map_err(|error| fault(packet, end.wrapping_sub(bytes.len()), error.into()))
}
