//! What the standard asks of a string's bytes, eight or sixteen at a time: U+0000, wildcards, ASCII.

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

/// Whether all is ASCII without U+0000, `+` and `#`: what nearly every string is, found out in half the time.
#[inline]
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((chunk, tail)) = rest.split_first_chunk::<16>() {
        let [a, b, c, d, e, f, g, h, second @ ..] = *chunk;
        let first = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        if (suspicious(first) | suspicious(u64::from_le_bytes(second))) & HIGH != 0 {
            return false;
        }
        rest = tail;
    }
    // Two words, or two halves of one, that overlap: a byte seen twice changes nothing.
    let last = match (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        (Some(first), Some(last)) => suspicious(u64::from_le_bytes(*first)) | suspicious(u64::from_le_bytes(*last)),
        _ => suspicious(match (rest, rest.last_chunk::<4>()) {
            ([a, b, c, d, ..], Some([e, f, g, h])) => u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            ([], _) => return true,
            _ => short_word(rest, b'a'),
        }),
    };
    last & HIGH == 0
}

/// In a byte below 0x80 a subtraction sets the highest bit if the byte was 0, or by a borrow if another was.
#[inline]
const fn suspicious(word: u64) -> u64 {
    word | word.wrapping_sub(LOW) | ((word | WILDCARD_BIT) ^ PLUS).wrapping_sub(LOW)
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
    let text = core::str::from_utf8(bytes);
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
    use super::{BadText, check, is_plain, scan, wildcards};

    #[test]
    fn each_byte_at_each_place_of_each_length_is_seen() {
        for len in 0..40 {
            for at in 0..len {
                for byte in 0..=255u8 {
                    let mut bytes = [b'x'; 40];
                    bytes[at] = byte;
                    let marks = scan(&bytes[..len]);
                    assert_eq!(marks.nul(), byte == 0, "{byte:#x} at {at} of {len}");
                    let plain = byte < 0x80 && !matches!(byte, 0 | b'+' | b'#');
                    assert_eq!(is_plain(&bytes[..len]), plain, "{byte:#x} at {at} of {len}");
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
