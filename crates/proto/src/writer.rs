//! Writes fields into a buffer that is known to be large enough, and never past its end.

use crate::error::EncodeError;
use crate::text;

/// What is left of the buffer. Every method answers `None` instead of writing past it.
pub(crate) struct Writer<'o> {
    rest: &'o mut [u8],
}

impl<'o> Writer<'o> {
    pub(crate) const fn new(out: &'o mut [u8]) -> Self {
        Self { rest: out }
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let (place, rest) = core::mem::take(&mut self.rest).split_at_mut_checked(bytes.len())?;
        self.rest = rest;
        // A copy, and not `copy_from_slice`, of which the check of the lengths is not always seen to be in vain.
        place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Some(())
    }

    #[inline]
    fn chunk<const N: usize>(&mut self, bytes: [u8; N]) -> Option<()> {
        let (place, rest) = core::mem::take(&mut self.rest).split_first_chunk_mut()?;
        *place = bytes;
        self.rest = rest;
        Some(())
    }

    #[inline]
    pub(crate) fn u8(&mut self, value: u8) -> Option<()> {
        self.chunk([value])
    }

    #[inline]
    pub(crate) fn u16(&mut self, value: u16) -> Option<()> {
        self.chunk(value.to_be_bytes())
    }

    #[cfg(feature = "v5")]
    #[inline]
    pub(crate) fn u32(&mut self, value: u32) -> Option<()> {
        self.chunk(value.to_be_bytes())
    }

    /// A string or binary data behind its length.
    #[inline]
    pub(crate) fn binary(&mut self, bytes: &[u8]) -> Option<()> {
        self.u16(u16::try_from(bytes.len()).ok()?)?;
        self.bytes(bytes)
    }

    /// A Variable Byte Integer in its shortest form.
    #[inline]
    pub(crate) fn varint(&mut self, value: u32) -> Option<()> {
        let [a, b, c, d] = septets(value);
        match varint_len(value) {
            1 => self.u8(a),
            2 => self.chunk([a | 0x80, b]),
            3 => self.chunk([a | 0x80, b | 0x80, c]),
            _ => self.chunk([a | 0x80, b | 0x80, c | 0x80, d]),
        }
    }
}

const fn septets(value: u32) -> [u8; 4] {
    let [a, _, _, _] = (value & 0x7F).to_le_bytes();
    let [b, _, _, _] = (value >> 7 & 0x7F).to_le_bytes();
    let [c, _, _, _] = (value >> 14 & 0x7F).to_le_bytes();
    let [d, _, _, _] = (value >> 21 & 0x7F).to_le_bytes();
    [a, b, c, d]
}

/// The greatest Variable Byte Integer.
pub(crate) const VARINT_MAX: u32 = 268_435_455;

/// Bytes of a Variable Byte Integer up to `VARINT_MAX`.
pub(crate) const fn varint_len(value: u32) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// Bytes of a field with its length in front.
#[inline]
pub(crate) const fn binary_len(bytes: &[u8]) -> Result<usize, EncodeError> {
    if bytes.len() > 0xFFFF { Err(EncodeError::StringTooLong) } else { Ok(bytes.len().wrapping_add(2)) }
}

/// The same for a string, in which U+0000 is refused `[MQTT-1.5.3-2]`.
#[inline]
pub(crate) fn string_len(string: &str) -> Result<usize, EncodeError> {
    if !text::is_plain(string.as_bytes()) && text::scan(string.as_bytes()).nul() {
        return Err(EncodeError::NulCharacter);
    }
    binary_len(string.as_bytes())
}
