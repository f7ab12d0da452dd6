//! What the standard asks of a string's bytes, eight or sixteen at a time: U+0000, wildcards, ASCII.

use core::str::from_utf8;

/// The end of a packet, if all of it happens to be UTF-8, which the lengths and flags between its strings rarely spoil: then
/// no string in it needs a check of its own. Otherwise empty.
#[derive(Clone, Copy, Default)]
pub(crate) struct Text<'b>(&'b str);

impl<'b> Text<'b> {
    #[inline]
    pub(crate) fn of(bytes: &'b [u8]) -> Self {
        Self(utf8(bytes).unwrap_or_default())
    }

    /// What is known to be a text.
    #[cfg(feature = "v5")]
    pub(crate) const fn known(text: &'b str) -> Self {
        Self(text)
    }

    /// `bytes` as a string; they end `behind` bytes before the packet does.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn string(self, bytes: &'b [u8], behind: usize) -> Option<&'b str> {
        let end = self.0.len().checked_sub(behind);
        match end.and_then(|end| self.0.get(end.checked_sub(bytes.len())?..end)) {
            Some(string) => Some(string),
            None => utf8(bytes),
        }
    }
}

/// Bytes as text, if they are UTF-8.
#[inline]
pub(crate) fn utf8(bytes: &[u8]) -> Option<&str> {
    #[cfg(feature = "unchecked-ascii")]
    if is_ascii(bytes) {
        return ascii(bytes);
    }
    from_utf8(bytes).ok()
}

/// A topic name, if it is a plain one.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn plain_name(bytes: &[u8]) -> Option<&str> {
    if is_without::<NOT_PLAIN>(bytes) { ascii(bytes) } else { None }
}

/// What was seen to be ASCII as text; with the feature, without a second look.
#[cfg_attr(feature = "unchecked-ascii", expect(unsafe_code, reason = "ARCHITECTURE.md, Unsafe code"))]
#[inline]
fn ascii(bytes: &[u8]) -> Option<&str> {
    debug_assert!(bytes.is_ascii(), "{bytes:?}");
    #[cfg(not(feature = "unchecked-ascii"))]
    let text = from_utf8(bytes).ok();
    // SAFETY: both callers have seen that no byte is over 0x7F, and such bytes are UTF-8.
    #[cfg(feature = "unchecked-ascii")]
    let text = Some(unsafe { core::str::from_utf8_unchecked(bytes) });
    text
}

/// What stands in a string.
#[derive(Clone, Copy)]
pub(crate) struct Marks {
    nul: u64,
    wildcard: u64,
}

impl Marks {
    pub(crate) const fn nul(self) -> bool {
        self.nul & HIGH != 0
    }

    /// A `+` or a `#`.
    pub(crate) const fn wildcard(self) -> bool {
        self.wildcard & HIGH != 0
    }

    /// The highest bits of `nul` and `wildcard` say whether one of the eight bytes is 0, and nothing about which.
    #[inline]
    const fn add(self, word: u64) -> Self {
        let wildcard = (word | WILDCARD_BIT) ^ PLUS;
        Self {
            nul: self.nul | (word.wrapping_sub(LOW) & !word),
            wildcard: self.wildcard | (wildcard.wrapping_sub(LOW) & !wildcard),
        }
    }
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
/// `+` is 0x2B and `#` is 0x23: they differ in this bit alone.
const WILDCARD_BIT: u64 = 0x0808_0808_0808_0808;
const PLUS: u64 = 0x2B2B_2B2B_2B2B_2B2B;

/// The highest bit of each byte that is a `+` or a `#`, and of no other.
#[inline]
pub(crate) const fn wildcards(word: u64) -> u64 {
    let word = (word | WILDCARD_BIT) ^ PLUS;
    !((word & !HIGH).wrapping_add(!HIGH) | word | !HIGH)
}

/// Whether a filter is ASCII and good: without wildcard, or with one as its last level. What nearly every filter is.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn is_plain_filter(filter: &[u8]) -> bool {
    match filter {
        [levels @ .., b'/', b'+' | b'#'] => is_plain_name(levels),
        _ => is_plain_name(filter),
    }
}

pub(crate) const fn is_wildcard(byte: u8) -> bool {
    byte | 0x08 == b'+'
}

/// Up to seven bytes as a word, the first in its lowest byte; the bytes that are missing read as `fill`.
#[inline]
pub(crate) const fn short_word(bytes: &[u8], fill: u8) -> u64 {
    let mut word = u64::from_le_bytes([fill; 8]);
    let mut rest = bytes;
    while let [head @ .., last] = rest {
        word = word << 8 | u64::from_le_bytes([*last, 0, 0, 0, 0, 0, 0, 0]);
        rest = head;
    }
    word
}

/// Whether one of the eight bytes is 0.
#[inline]
pub(crate) const fn has_nul(word: u64) -> bool {
    word.wrapping_sub(LOW) & !word & HIGH != 0
}

/// Looks at every byte once, eight at a time.
pub(crate) const fn scan(bytes: &[u8]) -> Marks {
    let marks = Marks { nul: 0, wildcard: 0 };
    let Some(last) = bytes.last_chunk::<8>() else { return marks.add(short_word(bytes, b'a')) };
    // The last word may overlap the one before: a byte seen twice changes nothing.
    let mut marks = marks.add(u64::from_le_bytes(*last));
    let mut rest = bytes;
    while let Some((word, tail)) = rest.split_first_chunk::<8>() {
        marks = marks.add(u64::from_le_bytes(*word));
        rest = tail;
    }
    marks
}

/// Whether there is no U+0000: all that a UTF-8 text has to be to be a string of the standard.
#[inline(never)]
pub(crate) fn is_string(text: &[u8]) -> bool {
    is_without::<NUL>(text)
}

/// Whether all is ASCII without U+0000, `+` and `#`: what nearly every topic name is.
#[inline(never)]
pub(crate) fn is_plain_name(text: &[u8]) -> bool {
    is_without::<NOT_PLAIN>(text)
}

#[cfg(feature = "unchecked-ascii")]
#[inline(never)]
fn is_ascii(bytes: &[u8]) -> bool {
    is_without::<NOT_ASCII>(bytes)
}

/// U+0000.
const NUL: u8 = 0;
/// What stands in no plain name.
const NOT_PLAIN: u8 = 1;
/// What is not ASCII.
#[cfg(feature = "unchecked-ascii")]
const NOT_ASCII: u8 = 2;

/// The high bit is asked for in a plain name since one comparison finds it together with U+0000.
#[inline]
const fn is_found<const WHAT: u8>(byte: u8) -> bool {
    match WHAT {
        NUL => byte == 0,
        NOT_PLAIN => byte >= 0x80 || byte == 0 || is_wildcard(byte),
        _ => byte >= 0x80,
    }
}

/// Whether nothing of the kind is there.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn is_without<const WHAT: u8>(bytes: &[u8]) -> bool {
    // Pieces that overlap: a byte seen twice changes nothing.
    let (Some((first, mut rest)), Some(last)) = (bytes.split_first_chunk::<16>(), bytes.last_chunk::<16>()) else {
        return is_short_without::<WHAT>(bytes);
    };
    while let Some((chunk, tail)) = rest.split_first_chunk::<16>() {
        if has::<WHAT, _>(chunk) {
            return false;
        }
        rest = tail;
    }
    !(has::<WHAT, _>(first) | has::<WHAT, _>(last))
}

/// The same for less than 16 bytes.
#[inline(never)]
fn is_short_without<const WHAT: u8>(bytes: &[u8]) -> bool {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return !(has::<WHAT, _>(first) | has::<WHAT, _>(last));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return !(has::<WHAT, _>(first) | has::<WHAT, _>(last));
    }
    !bytes.iter().any(|byte| is_found::<WHAT>(*byte))
}

/// Without an exit before the end, so that the compiler has one vector instruction look at all bytes.
#[inline]
fn has<const WHAT: u8, const N: usize>(bytes: &[u8; N]) -> bool {
    bytes.iter().fold(false, |found, byte| found | is_found::<WHAT>(*byte))
}

/// Why bytes are no string of the standard, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadText {
    Utf8(usize),
    Nul(usize),
}

/// The first reason why `bytes` are no string: ill-formed UTF-8 or U+0000.
#[cold]
#[inline(never)]
pub(crate) fn check(bytes: &[u8]) -> Result<&str, BadText> {
    let text = from_utf8(bytes);
    let bad_utf8 = text.err().map(|e| e.valid_up_to());
    let nul = bytes.iter().position(|b| *b == 0).filter(|nul| bad_utf8.is_none_or(|bad| *nul < bad));
    match (nul, text) {
        (Some(at), _) => Err(BadText::Nul(at)),
        (None, Err(error)) => Err(BadText::Utf8(error.valid_up_to())),
        (None, Ok(text)) => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::{BadText, check, is_plain_name, is_string, plain_name, scan, utf8, wildcards};

    #[test]
    fn each_byte_at_each_place_of_each_length_is_seen() {
        // Under Miri on both sides of each word's end alone.
        for len in (0..40).filter(|len| !cfg!(miri) || len % 8 < 2) {
            for at in 0..len {
                for byte in (0..=255u8).filter(|byte| !cfg!(miri) || b"\0#+a\x7F\x80\xFF".contains(byte)) {
                    let mut bytes = [b'x'; 40];
                    bytes[at] = byte;
                    let marks = scan(&bytes[..len]);
                    assert_eq!(marks.nul(), byte == 0, "{byte:#x} at {at} of {len}");
                    assert_eq!(is_string(&bytes[..len]), byte != 0, "{byte:#x} at {at} of {len}");
                    let plain = byte < 0x80 && !matches!(byte, 0 | b'+' | b'#');
                    assert_eq!(is_plain_name(&bytes[..len]), plain, "{byte:#x} at {at} of {len}");
                    // With the feature unchecked-ascii, too.
                    let text = core::str::from_utf8(&bytes[..len]).ok();
                    assert_eq!(utf8(&bytes[..len]), text, "{byte:#x} at {at} of {len}");
                    assert_eq!(plain_name(&bytes[..len]), text.filter(|_| plain), "{byte:#x} at {at} of {len}");
                    assert_eq!(marks.wildcard(), byte == b'+' || byte == b'#', "{byte:#x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn wildcards_are_found_at_their_places() {
        for word in [*b"a+#b\x22\x2A\x2C+", *b"########", *b"\0\x01\xAB\xA3#\x24\x2B\x23", *b"abcdefgh"] {
            let mut expected = 0;
            for (at, byte) in word.iter().enumerate() {
                expected |= u64::from(matches!(byte, b'+' | b'#')) << (8 * at + 7);
            }
            assert_eq!(wildcards(u64::from_le_bytes(word)), expected, "{word:?}");
        }
    }

    #[test]
    fn the_first_defect_is_reported() {
        assert_eq!(check(b"ab\0\xFF").err(), Some(BadText::Nul(2)));
        assert_eq!(check(b"ab\xFF\0").err(), Some(BadText::Utf8(2)));
        assert!(check("\u{FEFF}é".as_bytes()).is_ok());
    }
}
