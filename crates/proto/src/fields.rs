//! Fields taken off bytes without a word on what would be wrong: of what was checked before, or for a quick look at it.

#[cfg(feature = "v5")]
use crate::frame::Varint;
#[cfg(feature = "v5")]
use crate::text::Text;
use crate::text::utf8;

/// What was checked, as the wire has it.
#[derive(Clone, Copy)]
pub(crate) enum Wire<'b> {
    /// UTF-8 as a whole, the lengths and numbers between its strings included, which they rarely spoil. Then every string in it
    /// is UTF-8, too, and none is looked at again.
    Text(&'b str),
    Bytes(&'b [u8]),
}

impl<'b> Wire<'b> {
    #[inline]
    pub(crate) fn of(bytes: &'b [u8]) -> Self {
        match utf8(bytes) {
            Some(text) => Self::Text(text),
            None => Self::Bytes(bytes),
        }
    }

    #[cfg(feature = "v5")]
    #[inline]
    pub(crate) const fn as_bytes(&self) -> &'b [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Takes a string behind its length, and the `N` bytes behind it.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn take<const N: usize>(&mut self) -> Option<(&'b str, [u8; N])> {
        match self {
            Self::Text(text) => {
                let (len, _) = text.as_bytes().split_first_chunk()?;
                let end = usize::from(u16::from_be_bytes(*len)).wrapping_add(2);
                let string = text.get(2..end)?;
                let behind = text.as_bytes().get(end..)?.first_chunk()?;
                *text = text.get(end.wrapping_add(N)..)?;
                Some((string, *behind))
            }
            Self::Bytes(rest) => {
                let string = utf8(take_binary(rest)?)?;
                let (behind, tail) = rest.split_first_chunk()?;
                *rest = tail;
                Some((string, *behind))
            }
        }
    }
}

/// Data behind its length.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn take_binary<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (len, tail) = rest.split_first_chunk()?;
    let (data, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    *rest = tail;
    Some(data)
}

/// A string, with the text it may be a part of.
#[cfg(feature = "v5")]
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn take_string<'b>(rest: &mut &'b [u8], text: Text<'b>) -> Option<&'b str> {
    let bytes = take_binary(rest)?;
    text.string(bytes, rest.len())
}

#[cfg(feature = "v5")]
fn take_chunk<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (chunk, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*chunk)
}

#[cfg(feature = "v5")]
pub(crate) fn take_u8(rest: &mut &[u8]) -> Option<u8> {
    take_chunk(rest).map(|[byte]| byte)
}

#[cfg(feature = "v5")]
pub(crate) fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    take_chunk(rest).map(u16::from_be_bytes)
}

#[cfg(feature = "v5")]
pub(crate) fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    take_chunk(rest).map(u32::from_be_bytes)
}

#[cfg(feature = "v5")]
pub(crate) fn take_varint(rest: &mut &[u8]) -> Option<u32> {
    let Varint::Value { value, len, .. } = Varint::read(rest) else { return None };
    *rest = rest.get(len..)?;
    Some(value)
}
