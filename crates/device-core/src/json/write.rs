//! The writer: a window on a body of any length, so that it streams through a buffer of any size.

use core::fmt;

use super::JsonStr;

/// A sink that keeps the bytes of a body from an offset on, as many as fit, and counts them all.
///
/// A body is a function that writes to a window. It runs once over [`count`](Self::count), which tells its length, and
/// once for each chunk; so it must write the same bytes each time. Nothing is kept between chunks.
///
/// ```
/// use mqtt_device_core::json::Window;
/// let body = |w: &mut Window<'_>| w.string("tea & \"cake\"");
/// let mut length = Window::count();
/// body(&mut length);
/// assert_eq!(length.total(), 16);
/// let mut chunk = [0; 8];
/// let mut window = Window::new(7, &mut chunk);
/// body(&mut window);
/// assert_eq!(window.filled(), 8);
/// assert_eq!(&chunk, br#"\"cake\""#);
/// ```
#[derive(Debug)]
pub struct Window<'w> {
    skip: usize,
    out: &'w mut [u8],
    filled: usize,
    total: usize,
}

impl<'w> Window<'w> {
    /// Keeps nothing: for the length alone.
    #[must_use]
    pub const fn count() -> Self {
        Self { skip: 0, out: &mut [], filled: 0, total: 0 }
    }

    /// Skips `offset` bytes of the body, fills `out` with those that follow, and ignores the rest.
    #[must_use]
    pub fn new(offset: u32, out: &'w mut [u8]) -> Self {
        Self { skip: usize::try_from(offset).unwrap_or(usize::MAX), out, filled: 0, total: 0 }
    }

    /// How many bytes the body had so far, kept or not.
    #[must_use]
    pub fn total(&self) -> u32 {
        u32::try_from(self.total).unwrap_or(u32::MAX)
    }

    /// How many bytes are in the buffer.
    #[must_use]
    pub const fn filled(&self) -> usize {
        self.filled
    }

    /// Takes the next bytes of the body.
    pub fn write(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len());
        let before = self.skip.min(bytes.len());
        self.skip = self.skip.saturating_sub(before);
        let kept = bytes.get(before..).unwrap_or_default();
        let room = self.out.get_mut(self.filled..).unwrap_or_default();
        let len = kept.len().min(room.len());
        if let (Some(to), Some(from)) = (room.get_mut(..len), kept.get(..len)) {
            to.copy_from_slice(from);
            self.filled = self.filled.saturating_add(len);
        }
    }

    /// A JSON value that is written already; it is not looked at.
    pub fn raw(&mut self, json: &[u8]) {
        self.write(json);
    }

    /// A string, quoted and escaped.
    pub fn string(&mut self, text: &str) {
        self.write(b"\"");
        self.escaped(text);
        self.write(b"\"");
    }

    /// What `text` prints, as one string, quoted and escaped.
    pub fn display(&mut self, text: &dyn fmt::Display) {
        self.write(b"\"");
        // Neither writer fails; a `Display` that does has its text cut off there, and the quote keeps the JSON whole.
        let _ = fmt::write(&mut Escaped(self), format_args!("{text}"));
        self.write(b"\"");
    }

    /// A string from another document, as it was written there.
    pub fn json_str(&mut self, text: JsonStr<'_>) {
        self.write(b"\"");
        self.write(text.raw().as_bytes());
        self.write(b"\"");
    }

    /// A number.
    pub fn u64(&mut self, number: u64) {
        // By hand: `core::fmt` would bring its padding into every image.
        let mut digits = [0; 20];
        let mut rest = number;
        let mut first = digits.len();
        for (index, digit) in digits.iter_mut().enumerate().rev() {
            *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or(0));
            rest /= 10;
            first = index;
            if rest == 0 {
                break;
            }
        }
        self.write(digits.get(first..).unwrap_or_default());
    }

    fn escaped(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        loop {
            let plain = rest.iter().take_while(|&&byte| byte >= 0x20 && byte != b'"' && byte != b'\\').count();
            let Some((run, tail)) = rest.split_at_checked(plain) else { return };
            self.write(run);
            let Some((&byte, tail)) = tail.split_first() else { return };
            match byte {
                b'"' => self.write(b"\\\""),
                b'\\' => self.write(b"\\\\"),
                b'\n' => self.write(b"\\n"),
                b'\r' => self.write(b"\\r"),
                b'\t' => self.write(b"\\t"),
                _ => self.write(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 0xF)]),
            }
            rest = tail;
        }
    }
}

/// As it is, without quotes or escapes.
impl fmt::Write for Window<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes());
        Ok(())
    }
}

/// Escapes what is printed to it.
struct Escaped<'a, 'w>(&'a mut Window<'w>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.escaped(text);
        Ok(())
    }
}

const fn hex(nibble: u8) -> u8 {
    nibble.saturating_add(if nibble < 10 { b'0' } else { b'a' - 10 })
}
