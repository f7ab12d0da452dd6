//! Text of strangers, made fit for a terminal.

use core::fmt::{self, Write as _};

/// How many characters of a stranger's text are shown.
const EXCERPT: usize = 160;

/// Shows text with every control character escaped, so that it cannot move the cursor or change colours.
pub(crate) struct Plain<'a>(pub(crate) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| plain_char(c, f))
    }
}

fn plain_char(c: char, out: &mut impl fmt::Write) -> fmt::Result {
    match c {
        // Bidirectional overrides reorder what stands beside them.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => write!(out, "{}", c.escape_unicode()),
        c if c.is_control() => write!(out, "{}", c.escape_default()),
        c => out.write_char(c),
    }
}

/// The beginning of a payload, fit for a terminal, with its full size when something was left out.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    // Four bytes a character at most: what is shown never depends on what lies behind.
    let head = bytes.get(..bytes.len().min(EXCERPT * 4)).unwrap_or_default();
    let text = String::from_utf8_lossy(head);
    let mut shown = String::new();
    let mut taken = 0;
    for c in text.chars().take(EXCERPT) {
        // Writing to a string does not fail.
        let _ = plain_char(c, &mut shown);
        taken += c.len_utf8();
    }
    if taken < bytes.len() {
        let _ = write!(shown, "… ({} bytes)", bytes.len());
    }
    shown
}

/// The end of a text, fit for a terminal.
pub(crate) fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let skipped = text.chars().count().saturating_sub(EXCERPT);
    let mut shown = String::from(if skipped > 0 { "…" } else { "" });
    for c in text.chars().skip(skipped) {
        let _ = plain_char(c, &mut shown);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_shown_as_it_is() {
        assert_eq!(excerpt("grün 21 °C".as_bytes()), "grün 21 °C");
        assert_eq!(excerpt(b""), "");
    }

    #[test]
    fn long_text_is_cut_and_says_its_size() {
        let long = "ü".repeat(1000);
        let shown = excerpt(long.as_bytes());
        assert!(shown.starts_with("üüü") && shown.ends_with("… (2000 bytes)"), "{shown}");
        assert_eq!(shown.chars().filter(|c| *c == 'ü').count(), EXCERPT);
    }

    #[test]
    fn control_characters_and_bad_utf8_are_harmless() {
        assert_eq!(excerpt(b"a\x1b[2J\r\n\0b"), r"a\u{1b}[2J\r\n\u{0}b");
        assert_eq!(Plain("\u{202e}x").to_string(), r"\u{202e}x");
        assert_eq!(excerpt(b"\xff!"), "\u{fffd}!");
    }

    #[test]
    fn the_end_of_a_text_is_shown() {
        assert_eq!(tail(b"short\n"), r"short\n");
        let shown = tail(format!("{}end", "ü".repeat(1000)).as_bytes());
        assert!(shown.starts_with("…ü") && shown.ends_with("üend"), "{shown}");
        assert_eq!(shown.chars().count(), 1 + EXCERPT);
    }
}
