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
        self.high != 0
    }
    pub(crate) const fn nul(self) -> bool {
        self.nul != 0
    }
    /// A `+` or a `#`.
    pub(crate) const fn wildcard(self) -> bool {
        self.wildcard != 0
    }
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
/// `+` is 0x2B and `#` is 0x23: they differ in this bit alone.
const WILDCARD_BIT: u64 = 0x0808_0808_0808_0808;
const PLUS: u64 = 0x2B2B_2B2B_2B2B_2B2B;

/// Non-zero exactly if one of the eight bytes is 0.
const fn zero_byte(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

impl Marks {
    const fn add(self, word: u64) -> Self {
        Self {
            high: self.high | (word & HIGH),
            nul: self.nul | zero_byte(word),
            wildcard: self.wildcard | zero_byte((word | WILDCARD_BIT) ^ PLUS),
        }
    }
}

/// Looks at every byte once, eight at a time.
#[inline]
pub(crate) const fn scan(bytes: &[u8]) -> Marks {
    let mut marks = Marks { high: 0, nul: 0, wildcard: 0 };
    let Some(last) = bytes.last_chunk::<8>() else {
        // Shorter than a word: the bytes that are missing read as 'a'.
        let mut word = 0x6161_6161_6161_6161;
        let mut rest = bytes;
        while let [first, tail @ ..] = rest {
            word = word << 8 | u64::from_le_bytes([*first, 0, 0, 0, 0, 0, 0, 0]);
            rest = tail;
        }
        return marks.add(word);
    };
    let mut rest = bytes;
    while let Some((word, tail)) = rest.split_first_chunk::<8>() {
        marks = marks.add(u64::from_le_bytes(*word));
        rest = tail;
    }
    // The last word overlaps what was seen already: a byte seen twice changes nothing.
    marks.add(u64::from_le_bytes(*last))
}

/// Why bytes are no string of the standard, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadText {
    Utf8(usize),
    Nul(usize),
}

/// Validates `bytes` as a string without keeping it: no U+0000, strict UTF-8.
#[inline]
pub(crate) fn check(bytes: &[u8]) -> Result<Marks, BadText> {
    let marks = scan(bytes);
    if marks.non_ascii() || marks.nul() { check_slowly(bytes, marks) } else { Ok(marks) }
}

#[cold]
fn check_slowly(bytes: &[u8], marks: Marks) -> Result<Marks, BadText> {
    let bad_utf8 = core::str::from_utf8(bytes).err().map(|e| e.valid_up_to());
    let nul = bytes.iter().position(|b| *b == 0).filter(|nul| bad_utf8.is_none_or(|bad| *nul < bad));
    match (nul, bad_utf8) {
        (Some(at), _) => Err(BadText::Nul(at)),
        (None, Some(at)) => Err(BadText::Utf8(at)),
        (None, None) => Ok(marks),
    }
}

#[cfg(test)]
mod tests {
    use super::{BadText, check, scan};

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
                    assert_eq!(marks.wildcard(), byte == b'+' || byte == b'#', "{byte:#x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn the_first_defect_is_reported() {
        assert_eq!(check(b"ab\0\xFF").err(), Some(BadText::Nul(2)));
        assert_eq!(check(b"ab\xFF\0").err(), Some(BadText::Utf8(2)));
        assert!(check("\u{FEFF}é".as_bytes()).is_ok());
    }
}
