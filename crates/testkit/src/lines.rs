//! The output of a process, line by line, readable while it grows.

use core::time::Duration;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// Every line that a process has written so far. Clones look at the same lines.
#[derive(Clone, Debug)]
pub struct Lines {
    name: Arc<str>,
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    closed: bool,
}

impl Lines {
    /// Reads `source` to its end on a thread of its own. `name` appears in error messages.
    #[must_use]
    pub fn read(name: &str, source: impl Read + Send + 'static) -> Self {
        let this = Self { name: name.into(), shared: Arc::default() };
        let writer = this.clone();
        thread::spawn(move || writer.fill(source));
        this
    }

    fn fill(&self, source: impl Read) {
        let mut source = BufReader::new(source);
        let mut line = Vec::new();
        while source.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line);
            let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
            self.state().lines.push(text);
            self.shared.1.notify_all();
            line.clear();
        }
        self.state().closed = true;
        self.shared.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lines so far.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.state().lines.clone()
    }

    /// How many lines there are so far; with [`Self::wait_from`], a mark to wait behind.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state().lines.len()
    }

    /// Whether nothing has been written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first line, of those written already or later, that `wanted` accepts.
    ///
    /// # Errors
    ///
    /// `TimedOut` after [`PATIENCE`](crate::PATIENCE), `UnexpectedEof` when the process has closed its
    /// output; the message holds the last lines.
    pub fn wait(&self, wanted: impl FnMut(&str) -> bool) -> Result<String> {
        self.wait_from(0, crate::PATIENCE, wanted).map(|(_, line)| line)
    }

    /// Like [`Self::wait`], for lines from index `from` on and with a limit; gives the index as well.
    ///
    /// # Errors
    ///
    /// As [`Self::wait`].
    pub fn wait_from(
        &self,
        from: usize,
        limit: Duration,
        mut wanted: impl FnMut(&str) -> bool,
    ) -> Result<(usize, String)> {
        let mut next = from;
        self.wait_until(limit, |lines| {
            while let Some(line) = lines.get(next) {
                next += 1;
                if wanted(line) {
                    return Some((next - 1, line.clone()));
                }
            }
            None
        })
    }

    /// Waits until `done`, which is given all lines so far, returns a value.
    ///
    /// # Errors
    ///
    /// As [`Self::wait`].
    pub fn wait_until<T>(&self, limit: Duration, mut done: impl FnMut(&[String]) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + limit;
        let mut state = self.state();
        loop {
            if let Some(value) = done(&state.lines) {
                return Ok(value);
            }
            if state.closed {
                return Err(self.error(ErrorKind::UnexpectedEof, "ended", &state));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.error(ErrorKind::TimedOut, "did not write what was awaited", &state));
            }
            state = self.shared.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn error(&self, kind: ErrorKind, what: &str, state: &State) -> Error {
        let tail = state.lines.len().saturating_sub(12);
        let tail = state.lines[tail..].join("\n  ");
        Error::new(kind, format!("{} {what}; its last lines:\n  {tail}", self.name))
    }
}
