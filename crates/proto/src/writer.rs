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

    /// Has another function write, which takes the writer by value, so that it stays in registers.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn hand_to(&mut self, write: impl FnOnce(Self) -> Option<Self>) -> Option<()> {
        *self = write(Self { rest: core::mem::take(&mut self.rest) })?;
        Some(())
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let (place, rest) = core::mem::take(&mut self.rest).split_at_mut_checked(bytes.len())?;
        self.rest = rest;
        copy(place, bytes)?;
        Some(())
    }

    #[inline]
    pub(crate) fn chunk<const N: usize>(&mut self, bytes: [u8; N]) -> Option<()> {
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

    /// A string or binary data behind its length, which was counted and is 65,535 at most.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn binary(&mut self, bytes: &[u8]) -> Option<()> {
        self.framed([], bytes, [])
    }

    /// The same with some bytes before and behind: one look at the space that is left for all of it, where two or three
    /// cost a SUBSCRIBE 15 % more.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn framed<const F: usize, const L: usize>(
        &mut self,
        first: [u8; F],
        bytes: &[u8],
        last: [u8; L],
    ) -> Option<()> {
        let len = bytes.len().saturating_add(const { F.saturating_add(L).saturating_add(2) });
        let (place, rest) = core::mem::take(&mut self.rest).split_at_mut_checked(len)?;
        let (to, place) = place.split_first_chunk_mut()?;
        *to = first;
        let (to, place) = place.split_first_chunk_mut()?;
        let [low, high, ..] = bytes.len().to_le_bytes();
        *to = [high, low];
        // One call to copy, where a loop over both would be unrolled for each place it is written at.
        let (to, place) = place.split_at_mut_checked(bytes.len())?;
        // Before the call, so that nothing but the writer has to outlast it.
        *place.first_chunk_mut()? = last;
        self.rest = rest;
        copy(to, bytes)
    }

    /// The fixed header, and what comes behind it in one go.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn fixed_header(&mut self, first_byte: u8, body: u32) -> Option<()> {
        let [a, b, ..] = septets(body);
        if body < 0x80 {
            self.chunk([first_byte, a])
        } else if body < 0x4000 {
            self.chunk([first_byte, a | 0x80, b])
        } else {
            self.u8(first_byte)?;
            self.varint(body)
        }
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

/// For the quick ways.
#[cfg(target_pointer_width = "64")]
impl Writer<'_> {
    /// Bytes that still fit.
    pub(crate) const fn space(&self) -> usize {
        self.rest.len()
    }

    /// Leaves `len` bytes as they are.
    #[cfg(feature = "v5")]
    #[inline]
    pub(crate) fn skip(&mut self, len: usize) -> Option<()> {
        (_, self.rest) = core::mem::take(&mut self.rest).split_at_mut_checked(len)?;
        Some(())
    }

    /// A byte and an integer.
    #[cfg(feature = "v5")]
    #[inline]
    pub(crate) fn with_chunk<const N: usize>(&mut self, first: u8, bytes: [u8; N]) -> Option<()> {
        let (place, rest) = core::mem::take(&mut self.rest).split_at_mut_checked(const { N.saturating_add(1) })?;
        *place.first_mut()? = first;
        *place.last_chunk_mut()? = bytes;
        self.rest = rest;
        Some(())
    }
}

/// Copies all of `from` to as many bytes. Asked here, so that `copy_from_slice` never has to panic.
#[cfg_attr(target_pointer_width = "64", inline(always))]
const fn copy(to: &mut [u8], from: &[u8]) -> Option<()> {
    if to.len() != from.len() {
        return None;
    }
    to.copy_from_slice(from);
    Some(())
}

/// Moves `len` bytes from one place to another; what stands between the two may be anything then.
#[cfg(target_pointer_width = "64")]
#[cold]
#[inline(never)]
pub(crate) fn shift(out: &mut [u8], from: usize, len: usize, to: usize) -> Option<()> {
    let (start, by) = (from.min(to), from.abs_diff(to));
    let both = out.get_mut(start..from.max(to).checked_add(len)?)?;
    // Never: asked here, so that to rotate never has to panic.
    if by > both.len() {
        return None;
    }
    if from < to {
        both.rotate_right(by)
    } else {
        both.rotate_left(by)
    }
    Some(())
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
    if text::is_string(string.as_bytes()) { binary_len(string.as_bytes()) } else { Err(EncodeError::NulCharacter) }
}
