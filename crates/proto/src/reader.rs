//! Reads fields from the front of one packet's body; every defect becomes a `DecodeError` with its offset.

use core::str::from_utf8;

use crate::error::{DecodeError, DecodeErrorKind};
#[cfg(feature = "v5")]
use crate::frame::Varint;
use crate::text::{self, BadText, Marks};
use crate::topic::TopicName;
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

    /// The offset of the next byte in the frame.
    pub(crate) const fn position(&self) -> usize {
        self.end.wrapping_sub(self.rest.len())
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that is left.
    pub(crate) const fn rest(&self) -> &'b [u8] {
        self.rest
    }

    /// A defect at the next byte.
    #[cold]
    pub(crate) fn fault(&self, kind: DecodeErrorKind) -> DecodeError {
        self.fault_at(self.position(), kind)
    }

    #[cold]
    pub(crate) fn fault_at(&self, at: usize, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { packet: Some(self.packet), at: u32::try_from(at).unwrap_or(u32::MAX), kind }
    }

    /// A defect in the `back` bytes that were read last.
    #[cold]
    pub(crate) fn fault_back(&self, back: usize, kind: DecodeErrorKind) -> DecodeError {
        self.fault_at(self.position().wrapping_sub(back), kind)
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Result<&'b [u8; N], DecodeError> {
        match self.rest.split_first_chunk() {
            Some((chunk, rest)) => {
                self.rest = rest;
                Ok(chunk)
            }
            None => Err(self.fault(DecodeErrorKind::FieldTruncated)),
        }
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.chunk().map(|[byte]| *byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.chunk().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// A packet identifier `[MQTT-2.3.1-1]`.
    #[inline]
    pub(crate) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::new(self.u16()?).ok_or_else(|| self.fault_back(2, DecodeErrorKind::ZeroPacketId))
    }

    /// Binary data behind its two-byte length.
    #[inline]
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

    /// A string `[MQTT-1.5.3-1]` `[MQTT-1.5.3-2]`.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<&'b str, DecodeError> {
        let bytes = self.binary()?;
        match from_utf8(bytes) {
            Ok(string) if !text::scan(bytes).nul() => Ok(string),
            _ => Err(self.bad_text(bytes)),
        }
    }

    /// Checks a string without keeping it.
    #[inline]
    pub(crate) fn check_string(&mut self) -> Result<(&'b [u8], Marks), DecodeError> {
        let bytes = self.binary()?;
        match text::check(bytes) {
            Ok(marks) => Ok((bytes, marks)),
            Err(_) => Err(self.bad_text(bytes)),
        }
    }

    /// The first defect in `bytes`, which were read last.
    #[cold]
    fn bad_text(&self, bytes: &[u8]) -> DecodeError {
        let start = self.position().wrapping_sub(bytes.len());
        match text::check(bytes) {
            Err(BadText::Nul(at)) => self.fault_at(start.wrapping_add(at), DecodeErrorKind::NulCharacter),
            Err(BadText::Utf8(at)) => self.fault_at(start.wrapping_add(at), DecodeErrorKind::BadUtf8),
            Ok(_) => self.fault_at(start, DecodeErrorKind::BadUtf8),
        }
    }

    /// A topic name, which may be empty `[MQTT-3.3.2-1]` `[MQTT-3.3.2-2]`.
    #[inline]
    pub(crate) fn topic_name(&mut self) -> Result<TopicName<'b>, DecodeError> {
        let bytes = self.binary()?;
        let Ok(name) = from_utf8(bytes) else { return Err(self.bad_text(bytes)) };
        TopicName::new_or_empty(name).map_err(|_| self.bad_topic_name(bytes))
    }

    #[cold]
    fn bad_topic_name(&self, bytes: &[u8]) -> DecodeError {
        if text::check(bytes).is_err() {
            return self.bad_text(bytes);
        }
        let wildcard = bytes.iter().position(|byte| matches!(byte, b'+' | b'#')).unwrap_or(0);
        self.fault_back(bytes.len().wrapping_sub(wildcard), DecodeErrorKind::WildcardInTopicName)
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
    #[inline]
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
        match Varint::read(self.rest) {
            Varint::Value { value, len, minimal } => {
                if !minimal {
                    return Err(self.fault(DecodeErrorKind::VarintNotMinimal));
                }
                let _ = self.take(len);
                Ok(value)
            }
            Varint::Partial => Err(self.fault(DecodeErrorKind::FieldTruncated)),
            Varint::TooLong => Err(self.fault(DecodeErrorKind::VarintTooLong)),
        }
    }

    /// A reader of the next `len` bytes alone.
    #[inline]
    pub(crate) fn sub(&mut self, len: usize) -> Option<Self> {
        let body = self.take(len)?;
        Some(Self { rest: body, end: self.position(), packet: self.packet })
    }
}
