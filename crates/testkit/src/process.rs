//! A child process that does not outlive its handle.

use core::time::Duration;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::io::{Error, ErrorKind, Result};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::Lines;

/// A running program with its output as [`Lines`]. Dropping it kills it, by its own pid.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    pid: Pid,
    ended: Ended,
    stdout: Lines,
    stderr: Lines,
}

impl Process {
    /// Starts `command` with both outputs read line by line. Standard input is as the command says.
    ///
    /// # Errors
    ///
    /// When the program cannot be started; one that is not installed is said so.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| not_started(&name, error))?;
        let missing = || Error::other("a piped output is missing");
        let stdout = Lines::read(&name, child.stdout.take().ok_or_else(missing)?);
        let stderr = Lines::read(&name, child.stderr.take().ok_or_else(missing)?);
        let pid = Pid::from_child(&child);
        Ok(Self { name, child, pid, ended: watch(pid), stdout, stderr })
    }

    /// What it wrote to standard output.
    #[must_use]
    pub const fn stdout(&self) -> &Lines {
        &self.stdout
    }

    /// What it wrote to standard error.
    #[must_use]
    pub const fn stderr(&self) -> &Lines {
        &self.stderr
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The pipe to its standard input, once, if the command asked for one. Dropping it closes the pipe.
    #[must_use]
    pub fn take_stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// Sends a signal; `Signal` is `rustix`'s.
    ///
    /// # Errors
    ///
    /// When the process has ended already.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(self.pid, signal)?)
    }

    /// SIGINT, as Ctrl-C sends it.
    ///
    /// # Errors
    ///
    /// When the process has ended already.
    pub fn interrupt(&self) -> Result<()> {
        self.signal(Signal::INT)
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    ///
    /// When it does not end within [`PATIENCE`](crate::PATIENCE).
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait(crate::PATIENCE)
    }

    /// SIGKILL, and waits for the end: what a power cut leaves.
    ///
    /// # Errors
    ///
    /// When the process cannot be waited for.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// The exit status, if it has ended.
    ///
    /// # Errors
    ///
    /// When the process cannot be waited for.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for the end.
    ///
    /// # Errors
    ///
    /// `TimedOut` when it is still running after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        let (ended, changed) = &*self.ended;
        let mut guard = ended.lock().unwrap_or_else(PoisonError::into_inner);
        while !*guard {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let message = format!("{} did not end within {limit:?}", self.name);
                return Err(Error::new(ErrorKind::TimedOut, message));
            }
            let waited = changed.wait_timeout(guard, left);
            guard = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(guard);
        self.child.wait()
    }
}

/// Set when the process has ended. A thread waits for that without reaping it: its id stays its own
/// until [`Process`] has read the exit status.
type Ended = Arc<(Mutex<bool>, Condvar)>;

fn watch(pid: Pid) -> Ended {
    let ended = Ended::default();
    let setter = Arc::clone(&ended);
    thread::spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while waitid(WaitId::Pid(pid), options).is_err_and(|error| error == Errno::INTR) {}
        *setter.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        setter.1.notify_all();
    });
    ended
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Adds what to do about a program that is not installed.
pub(crate) fn not_started(program: &str, error: Error) -> Error {
    if error.kind() == ErrorKind::NotFound {
        let message = format!("{program} is not installed: `./ci.sh test` installs it");
        return Error::new(ErrorKind::NotFound, message);
    }
    Error::new(error.kind(), format!("{program} does not start: {error}"))
}
