//! Output that never holds up the program: a thread writes, behind a bounded queue.

use core::time::Duration;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// How many bytes wait for a reader that stalls. Lines beyond are dropped and counted.
const BOUND: usize = 1 << 20;

/// How long what waits may take to leave at the end.
pub(crate) const FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// Makes a line of the number of lines lost.
type Notice = fn(u64) -> String;

/// A queue in front of a stream. Clones share it.
#[derive(Clone)]
pub(crate) struct Spool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    failed: Notify,
}

#[derive(Default)]
struct State {
    /// Each with its line end.
    lines: VecDeque<String>,
    bytes: usize,
    lost: u64,
    /// The thread has a line that is not written yet.
    writing: bool,
    /// Nobody reads any more, or the disk is full.
    error: Option<(io::ErrorKind, String)>,
}

impl Spool {
    /// Starts the thread. It ends with the process, or when `stream` fails.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(crate) fn start(stream: impl Write + Send + 'static, notice: Notice) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), failed: Notify::new() });
        let writer = Arc::clone(&shared);
        std::thread::Builder::new().name("output".to_owned()).spawn(move || writer.write(stream, notice))?;
        Ok(Self(shared))
    }

    /// Queues a line, which ends with its line end, or counts it as lost.
    ///
    /// # Errors
    /// Writing an earlier line failed.
    pub(crate) fn push(&self, line: String) -> io::Result<()> {
        let mut state = self.0.lock();
        state.check()?;
        // Once lines are lost, so are all until the queue is empty: the gap stands in one place.
        if state.lost > 0 || (!state.lines.is_empty() && state.bytes + line.len() > BOUND) {
            state.lost += 1;
            return Ok(());
        }
        state.bytes += line.len();
        state.lines.push_back(line);
        drop(state);
        self.0.changed.notify_all();
        Ok(())
    }

    /// Waits until writing has failed; says why. For one waiter. Cancel-safe.
    pub(crate) async fn failed(&self) -> io::Error {
        loop {
            if let Err(error) = self.0.lock().check() {
                return error;
            }
            self.0.failed.notified().await;
        }
    }

    /// Lets what waits leave, for as long as that may take.
    ///
    /// # Errors
    /// Writing failed; not that the time was over.
    pub(crate) fn flush(&self, within: Duration) -> io::Result<()> {
        let deadline = Instant::now() + within;
        let mut state = self.0.lock();
        while state.error.is_none() && (state.writing || !state.lines.is_empty() || state.lost > 0) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.check()
    }
}

impl State {
    fn check(&self) -> io::Result<()> {
        self.error.as_ref().map_or(Ok(()), |(kind, text)| Err(io::Error::new(*kind, text.clone())))
    }

    /// What is to be written next: behind the last line before a gap, how large the gap is.
    fn next(&mut self, notice: Notice) -> Option<String> {
        if let Some(line) = self.lines.pop_front() {
            self.bytes -= line.len();
            return Some(line);
        }
        (self.lost > 0).then(|| notice(core::mem::take(&mut self.lost)) + "\n")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, mut stream: impl Write, notice: Notice) {
        let mut state = self.lock();
        loop {
            let Some(line) = state.next(notice) else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.writing = true;
            drop(state);
            let written = stream.write_all(line.as_bytes()).and_then(|()| stream.flush());
            state = self.lock();
            state.writing = false;
            let error = written.err().map(|error| (error.kind(), error.to_string()));
            let end = error.is_some();
            state.error = error;
            self.changed.notify_all();
            if end {
                self.failed.notify_one();
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A reader that takes a line when it is told to, or has gone.
    struct Reader {
        turns: mpsc::Receiver<()>,
        lines: mpsc::Sender<String>,
    }

    impl Write for Reader {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.turns.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            let _ = self.lines.send(String::from_utf8_lossy(line).into_owned());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn spool() -> (Spool, mpsc::Sender<()>, mpsc::Receiver<String>) {
        let ((turn, turns), (lines, read)) = (mpsc::channel(), mpsc::channel());
        let spool = Spool::start(Reader { turns, lines }, |n| format!("{n} lines lost")).unwrap();
        (spool, turn, read)
    }

    #[test]
    fn a_stalled_reader_loses_lines_and_is_told_how_many_in_their_place() {
        let (spool, turn, read) = spool();
        let line = |n: usize| format!("{n:0>1000}\n");
        let kept = (0..).take_while(|n| {
            spool.push(line(*n)).unwrap();
            spool.0.lock().lost == 0
        });
        let kept = kept.count();
        assert!((900..1100).contains(&kept), "{kept}");
        for _ in 0..6 {
            spool.push("lost too\n".to_owned()).unwrap();
        }
        (0..=kept).for_each(|_| turn.send(()).unwrap());
        for n in 0..kept {
            assert_eq!(read.recv().unwrap(), line(n));
        }
        assert_eq!(read.recv().unwrap(), "7 lines lost\n");
        turn.send(()).unwrap();
        spool.push("on it goes\n".to_owned()).unwrap();
        spool.flush(Duration::from_secs(60)).unwrap();
        assert_eq!(read.try_recv().unwrap(), "on it goes\n", "flushed");
    }

    #[test]
    fn a_flush_does_not_wait_for_a_reader_that_stalls() {
        let (spool, _turn, _read) = spool();
        spool.push("never read\n".to_owned()).unwrap();
        spool.flush(Duration::from_millis(1)).unwrap();
        assert!(!spool.0.lock().lines.is_empty() || spool.0.lock().writing, "it still waits");
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_is_an_error_of_everything_that_follows() {
        let (spool, turn, _read) = spool();
        drop(turn);
        spool.push("nobody reads\n".to_owned()).unwrap();
        assert_eq!(spool.failed().await.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(spool.push("\n".to_owned()).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(spool.flush(FLUSH_WITHIN).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_line_larger_than_the_bound_is_written() {
        let (spool, turn, read) = spool();
        turn.send(()).unwrap();
        spool.push("x".repeat(2 * BOUND)).unwrap();
        assert_eq!(read.recv().unwrap().len(), 2 * BOUND);
    }
}
