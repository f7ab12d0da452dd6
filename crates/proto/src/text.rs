//! One pass over a string's bytes that answers every question the standard asks: ASCII, U+0000, wildcards.

/// What stands in a string.
#[derive(Clone, Copy)]
pub(crate) struct Marks {
    high: u64,
    nul: u64,
    wildcard: u64,
}

impl Marks {
    /// Not plain ASCII: UTF-8 must be checked in full.
    pub(crate) const fn non_ascii(self) -> bool {
        self.high & HIGH != 0
    }

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
            high: self.high | word,
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

/// Up to seven bytes as a word; the bytes that are missing read as `a`.
#[inline]
const fn short_word(bytes: &[u8]) -> u64 {
    let mut word = 0x6161_6161_6161_6161;
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        word = word << 8 | u64::from_le_bytes([*first, 0, 0, 0, 0, 0, 0, 0]);
        rest = tail;
    }
    word
}

/// Looks at every byte once, eight at a time.
pub(crate) const fn scan(bytes: &[u8]) -> Marks {
    let marks = Marks { high: 0, nul: 0, wildcard: 0 };
    let Some(last) = bytes.last_chunk::<8>() else { return marks.add(short_word(bytes)) };
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
    // In a byte below 0x80 the subtraction sets the highest bit if the byte was 0, or by a borrow if another was.
    let suspicious = |word: u64| word | word.wrapping_sub(LOW) | ((word | WILDCARD_BIT) ^ PLUS).wrapping_sub(LOW);
    let Some(last) = bytes.last_chunk::<8>() else { return suspicious(short_word(bytes)) & HIGH == 0 };
    let mut all = suspicious(u64::from_le_bytes(*last));
    let mut rest = bytes;
    while let Some((word, tail)) = rest.split_first_chunk::<8>() {
        all |= suspicious(u64::from_le_bytes(*word));
        rest = tail;
    }
    all & HIGH == 0
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
                    assert_eq!(marks.non_ascii(), byte >= 0x80, "{byte:#x} at {at} of {len}");
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
