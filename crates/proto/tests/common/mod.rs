//! A small notation for packets, and a seeded source of randomness.
#![allow(dead_code, reason = "not every test uses all of it")]

/// Bytes in a readable form: hex digits; `'raw text'`; `<text>` with its two-byte length in front; `{ … }` with its
/// Variable Byte Integer in front; `..` as the remaining length of all that follows.
///
/// # Panics
/// On a mistake in the notation.
#[must_use]
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut chars = text.chars().peekable();
    let out = group(&mut chars, false);
    assert!(chars.next().is_none(), "unbalanced braces in {text}");
    out
}

fn group(chars: &mut core::iter::Peekable<core::str::Chars<'_>>, inner: bool) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\n' => {}
            '\'' => chars.by_ref().take_while(|c| *c != '\'').for_each(|c| push_char(&mut out, c)),
            '<' => {
                let mut string = Vec::new();
                chars.by_ref().take_while(|c| *c != '>').for_each(|c| push_char(&mut string, c));
                out.extend(u16::try_from(string.len()).unwrap().to_be_bytes());
                out.extend(string);
            }
            '{' => {
                let group = group(chars, true);
                push_varint(&mut out, group.len());
                out.extend(group);
            }
            '}' => {
                assert!(inner, "unbalanced braces");
                return out;
            }
            '.' => {
                assert_eq!(chars.next(), Some('.'));
                let rest = group(chars, inner);
                push_varint(&mut out, rest.len());
                out.extend(rest);
                return out;
            }
            high => {
                let low = chars.next().and_then(|c| c.to_digit(16)).expect("two hex digits");
                out.push(u8::try_from(high.to_digit(16).expect("a hex digit") * 16 + low).unwrap());
            }
        }
    }
    out
}

fn push_char(out: &mut Vec<u8>, c: char) {
    out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The shortest form, worked out apart from the crate's own.
pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let septet = u8::try_from(value % 128).unwrap();
        value /= 128;
        if value == 0 {
            out.push(septet);
            return;
        }
        out.push(septet | 0x80);
    }
}

/// Splitmix64: enough for tests, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Seeded from `PROTO_SEED` if that is set, to replay a failure; else from the clock. The seed is printed, which
    /// the test harness shows when the test fails.
    #[must_use]
    pub(crate) fn new(test: &str) -> Self {
        let seed = match std::env::var("PROTO_SEED") {
            Ok(seed) => seed.parse().expect("PROTO_SEED is a number"),
            Err(_) if cfg!(miri) => 1,
            Err(_) => u64::try_from(
                std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()
                    & u128::from(u64::MAX),
            )
            .unwrap(),
        };
        println!("{test}: replay with PROTO_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    pub(crate) fn flip(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// How often a randomised test goes round; few under Miri.
#[must_use]
pub(crate) fn rounds(normally: usize) -> usize {
    if cfg!(miri) { normally / 500 + 2 } else { normally }
}

/// Every place in `len` bytes; under Miri the first ones, and then one in eleven.
pub(crate) fn places(len: usize) -> impl Iterator<Item = usize> {
    (0..len).filter(|at| !cfg!(miri) || *at < 4 || at % 11 == 0)
}
