//! Lines of unknown length, read within a bound.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// Reads lines; a line that is too long is skipped in constant memory and reported.
pub(crate) struct Lines<R> {
    reader: R,
    bound: usize,
    line: Vec<u8>,
    skipping: bool,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Without its end; what is not UTF-8 is replaced.
    Text(String),
    /// It had more bytes than the bound.
    TooLong,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(crate) const fn new(reader: R, bound: usize) -> Self {
        Self { reader, bound, line: Vec::new(), skipping: false }
    }

    /// The next line; `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// Reading fails.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let chunk = self.reader.fill_buf().await?;
            if chunk.is_empty() {
                let rest = !self.line.is_empty() || self.skipping;
                return Ok(rest.then(|| self.take()));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            if self.skipping || self.line.len() + part.len() > self.bound {
                self.skipping = true;
                self.line.clear();
            } else {
                self.line.extend_from_slice(part);
            }
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some(self.take()));
            }
        }
    }

    fn take(&mut self) -> Line {
        if core::mem::take(&mut self.skipping) {
            return Line::TooLong;
        }
        let line = core::mem::take(&mut self.line);
        Line::Text(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    #[tokio::test]
    async fn lines_come_whole_and_long_ones_are_skipped() {
        let text: &[u8] = b"one\r\n\n0123456789\nmore than ten bytes\nlast \xff";
        // A buffer of 4 bytes: every line comes in pieces.
        let mut lines = Lines::new(BufReader::with_capacity(4, text), 10);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            all.push(line);
        }
        let line = |text: &str| Line::Text(text.to_owned());
        assert_eq!(all, [line("one"), line(""), line("0123456789"), Line::TooLong, line("last \u{fffd}")]);
    }

    #[tokio::test]
    async fn a_long_line_at_the_end_is_reported_too() {
        let mut lines = Lines::new(BufReader::with_capacity(4, &b"0123456789x"[..]), 10);
        assert_eq!(lines.next().await.unwrap(), Some(Line::TooLong));
        assert_eq!(lines.next().await.unwrap(), None);
    }
}
