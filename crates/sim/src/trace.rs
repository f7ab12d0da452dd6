//! What happened, one line each: the first thing to read when a scenario fails.

use core::fmt;
use std::collections::VecDeque;

use mqtt_device_core::Instant;

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the machine to the server.
    Up,
    /// From the server to the machine.
    Down,
    /// Neither: the link, the clock, the application.
    Note,
}

/// The last lines of a run.
#[derive(Clone, Debug)]
pub struct Trace {
    lines: VecDeque<(Instant, Way, String)>,
    forgotten: usize,
    most: usize,
}

impl Trace {
    /// Keeps the last `most` lines.
    #[must_use]
    pub const fn keeping(most: usize) -> Self {
        Self { lines: VecDeque::new(), forgotten: 0, most }
    }

    /// Adds a line.
    pub fn line(&mut self, now: Instant, way: Way, text: impl Into<String>) {
        if self.lines.len() >= self.most {
            self.lines.pop_front();
            self.forgotten += 1;
        }
        self.lines.push_back((now, way, text.into()));
    }

    /// How many lines there are, those that are forgotten included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len() + self.forgotten
    }

    /// Whether nothing happened yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The environment variable that sets how many lines are kept.
pub const LENGTH_VARIABLE: &str = "SIM_TRACE";

impl Default for Trace {
    /// Keeps 400 lines, or as many as [`LENGTH_VARIABLE`] says.
    fn default() -> Self {
        let most = std::env::var(LENGTH_VARIABLE).ok().and_then(|text| text.parse().ok());
        Self::keeping(most.unwrap_or(400))
    }
}

impl fmt::Display for Trace {
    /// Seconds, an arrow, a text: `   12.345 → 1 PUBLISH …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.forgotten > 0 {
            writeln!(f, "  … {} earlier lines", self.forgotten)?;
        }
        for (at, way, text) in &self.lines {
            let arrow = match way {
                Way::Up => '→',
                Way::Down => '←',
                Way::Note => '·',
            };
            writeln!(f, "{:>9}.{:03} {arrow} {text}", at.as_millis() / 1000, at.as_millis() % 1000)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_lines_make_room_and_are_counted() {
        let mut trace = Trace::keeping(2);
        for text in ["one", "two", "three"] {
            trace.line(Instant::from_millis(1234), Way::Up, text);
        }
        assert_eq!(trace.to_string(), "  … 1 earlier lines\n        1.234 → two\n        1.234 → three\n");
        assert_eq!(trace.len(), 3);
    }
}
