//! A JSON string as it stood in the document, read without unescaping it into memory.

use core::fmt::{self, Write as _};

/// The text between the quotes of a valid JSON string, escapes and all.
///
/// Comparison, `Display` and [`chars`](Self::chars) see it unescaped: `"\u0041"` equals `"A"`. A surrogate that stands
/// alone, which JSON allows and Rust does not, reads as U+FFFD.
#[derive(Clone, Copy)]
pub struct JsonStr<'b> {
    raw: &'b str,
}

impl<'b> JsonStr<'b> {
    /// `raw` was checked by the scanner.
    pub(super) const fn of_valid(raw: &'b str) -> Self {
        Self { raw }
    }

    /// The text as written, without the quotes.
    #[must_use]
    pub const fn raw(self) -> &'b str {
        self.raw
    }

    /// The characters, unescaped.
    #[must_use]
    pub fn chars(self) -> Chars<'b> {
        Chars { raw: self.raw.chars() }
    }

    /// The string itself, if it was written without escapes: no copy is needed then.
    #[must_use]
    pub fn as_plain(self) -> Option<&'b str> {
        if self.raw.as_bytes().contains(&b'\\') { None } else { Some(self.raw) }
    }

    /// How many bytes the string has unescaped.
    #[must_use]
    pub fn unescaped_len(self) -> usize {
        self.chars().map(char::len_utf8).fold(0, usize::saturating_add)
    }

    /// Unescapes into `out`; `None` when it does not fit.
    pub fn unescape_into(self, out: &mut [u8]) -> Option<&str> {
        let mut len = 0_usize;
        for c in self.chars() {
            let mut encoded = [0; 4];
            let encoded = c.encode_utf8(&mut encoded).as_bytes();
            let end = len.checked_add(encoded.len())?;
            out.get_mut(len..end)?.copy_from_slice(encoded);
            len = end;
        }
        core::str::from_utf8(out.get(..len)?).ok()
    }
}

impl PartialEq<str> for JsonStr<'_> {
    fn eq(&self, other: &str) -> bool {
        self.chars().eq(other.chars())
    }
}

impl PartialEq<&str> for JsonStr<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.chars().eq(other.chars())
    }
}

impl PartialEq for JsonStr<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.chars().eq(other.chars())
    }
}

impl Eq for JsonStr<'_> {}

impl fmt::Display for JsonStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars().try_for_each(|c| f.write_char(c))
    }
}

impl fmt::Debug for JsonStr<'_> {
    /// As in the document: what is escaped there stays so, which keeps control characters out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.raw)
    }
}

/// The characters of a [`JsonStr`], unescaped.
#[derive(Clone, Debug)]
pub struct Chars<'b> {
    raw: core::str::Chars<'b>,
}

impl Chars<'_> {
    fn hex4(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit << 4 | self.raw.next()?.to_digit(16)?;
        }
        Some(unit)
    }

    /// The second half of a surrogate pair, if it is next; nothing is consumed if not.
    fn low_surrogate(&mut self) -> Option<u32> {
        let mut ahead = self.clone();
        let escape = ahead.raw.next() == Some('\\') && ahead.raw.next() == Some('u');
        let low = ahead.hex4().filter(|unit| escape && (0xDC00..=0xDFFF).contains(unit))?;
        *self = ahead;
        Some(low)
    }
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let c = self.raw.next()?;
        if c != '\\' {
            return Some(c);
        }
        Some(match self.raw.next()? {
            'b' => '\u{8}',
            'f' => '\u{C}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = self.hex4()?;
                let scalar = match unit {
                    0xD800..=0xDBFF => match self.low_surrogate() {
                        Some(low) => 0x1_0000_u32.saturating_add((unit & 0x3FF) << 10 | low & 0x3FF),
                        None => unit,
                    },
                    _ => unit,
                };
                char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            itself => itself,
        })
    }
}
