//! One run of a program: JSON in, JSON out, within its time and its size.

use core::time::Duration;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::config::{CommandConfig, KeySource};
use super::find::find_program;
use crate::broker::PASSWORD_VARIABLE;
use crate::text::{excerpt, tail};

/// How much of what a program wrote to standard error goes into an error.
const STDERR_TAIL: usize = 400;

/// How long after a program's exit its output may still be open: what was written before is read by then.
pub(super) const AFTER_EXIT: Duration = Duration::from_millis(200);

/// How a program is started.
#[derive(Debug)]
pub(super) struct Launcher {
    folder: PathBuf,
    /// Environment variables with secrets, which programs do not get.
    hidden: Vec<String>,
    /// One permit for each command that may run at once.
    permits: Semaphore,
}

impl Launcher {
    pub(super) fn new(folder: PathBuf, key: &KeySource, parallel: usize) -> Self {
        let mut hidden = vec![PASSWORD_VARIABLE.to_owned()];
        if let KeySource::Variable(name) = key {
            hidden.push(name.clone());
        }
        Self { folder, hidden, permits: Semaphore::new(parallel) }
    }

    /// Starts `program` in a process group of its own, so that Ctrl-C does not reach it and all of it can be ended.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn start(&self, program: &[String], variables: &[(&str, &str)]) -> Result<(Child, Group), String> {
        let Some((name, arguments)) = program.split_first() else { return Err("no program is named".to_owned()) };
        let mut command = Command::new(find_program(name, &self.folder)?);
        command.args(arguments).current_dir(&self.folder).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in &self.hidden {
            command.env_remove(name);
        }
        command.envs(variables.iter().filter(|(_, value)| !value.contains('\0')).copied());
        #[cfg(unix)]
        command.process_group(0);
        let child = command.spawn().map_err(|error| format!("{name} does not start: {error}"))?;
        let group = Group::of(&child);
        Ok((child, group))
    }
}

/// All groups that are to be ended with the program.
static GROUPS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn groups() -> MutexGuard<'static, BTreeSet<u32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends all that was started: the program itself is about to end, without dropping anything.
pub(super) fn end_all() {
    groups().iter().for_each(|id| end(*id));
}

/// Ends a process and what it started, when it is dropped before [`Group::leave`].
pub(super) struct Group {
    id: Option<u32>,
}

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id();
        groups().extend(id);
        Self { id }
    }

    /// Lets what is left of it be.
    fn leave(&mut self) {
        if let Some(id) = self.id.take() {
            groups().remove(&id);
        }
    }

    /// Ends all of it.
    pub(super) fn kill(&mut self) {
        self.id.into_iter().for_each(end);
        self.leave();
    }
}

fn end(id: u32) {
    #[cfg(unix)]
    if let Some(pid) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
        // It fails only when nobody is left.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command's program: the payload goes in as it came, the result comes out as it was printed. `deadline` is the
/// caller's; the earlier of it and the configured timeout holds.
///
/// # Errors
/// In words for the caller: it failed, took too long, or wrote something else than JSON.
pub(super) async fn run(
    launcher: &Launcher,
    command: &CommandConfig,
    id: &str,
    payload: &[u8],
    deadline: Instant,
) -> Result<Box<RawValue>, String> {
    let name = command.program.first().map_or("", String::as_str);
    let variables = [("MQTT_DEVICE_COMMAND", command.name.as_str()), ("MQTT_DEVICE_COMMAND_ID", id)];
    let called = Instant::now();
    // A little before the caller's own deadline, so that there is time to say why.
    let spare = Duration::from_millis(50).min(deadline.saturating_duration_since(called) / 4);
    let deadline = deadline.checked_sub(spare).unwrap_or(deadline).min(called + command.timeout);
    let Ok(Ok(_permit)) = tokio::time::timeout_at(deadline, launcher.permits.acquire()).await else {
        return Err(format!("{name} was not started in time: too many other commands are running"));
    };
    let (mut child, mut group) = launcher.start(&command.program, &variables)?;
    let mut run = Run { stdout: Vec::new(), stderr: Vec::new() };
    let ended = tokio::time::timeout_at(deadline, run.go(&mut child, &mut group, payload, command.max_output)).await;
    let Run { stdout, stderr } = run;
    let because = |what: String| match stderr.trim_ascii() {
        [] => what,
        said => format!("{what}: {}", tail(said)),
    };
    match ended {
        Err(_) => {
            group.kill();
            let took = deadline.saturating_duration_since(called).as_millis();
            Err(because(format!("{name} took longer than {took} ms and was stopped")))
        }
        Ok(Err(error)) => Err(format!("{name}: {error}")),
        Ok(Ok(End::TooLarge)) => {
            group.kill();
            Err(format!("{name} wrote more than {} bytes and was stopped", command.max_output))
        }
        Ok(Ok(End::Exited(status))) if status.success() => {
            group.leave();
            if stdout.trim_ascii().is_empty() {
                return Ok(RawValue::NULL.to_owned());
            }
            serde_json::from_slice(&stdout).map_err(|error| {
                because(format!("{name} wrote something else than JSON ({error}): {}", excerpt(&stdout)))
            })
        }
        Ok(Ok(End::Exited(status))) => {
            group.leave();
            Err(because(format!("{name} {}", describe(status))))
        }
    }
}

/// What a run has written so far.
struct Run {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

enum End {
    Exited(ExitStatus),
    TooLarge,
}

impl Run {
    async fn go(&mut self, child: &mut Child, group: &mut Group, payload: &[u8], bound: usize) -> std::io::Result<End> {
        let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(std::io::Error::other("a pipe is missing"));
        };
        // A line end behind it, for programs that read lines.
        let payload = if payload.is_empty() { b"null" } else { payload };
        let input = [payload, b"\n"].concat();
        // A program need not read its input: that it closed the pipe is no error.
        let write = async move {
            let _ = stdin.write_all(&input).await;
        };
        let mut write = core::pin::pin!(write);
        let (mut written, mut out_open, mut err_open, mut status) = (false, true, true, None);
        let mut patience = Instant::now();
        loop {
            if let Some(status) = status.filter(|_| !out_open && !err_open) {
                return Ok(End::Exited(status));
            }
            tokio::select! {
                () = &mut write, if !written => written = true,
                more = read(&mut stdout, &mut self.stdout), if out_open => {
                    out_open = more?;
                    if self.stdout.len() > bound {
                        return Ok(End::TooLarge);
                    }
                }
                more = read(&mut stderr, &mut self.stderr), if err_open => {
                    err_open = more?;
                    let excess = self.stderr.len().saturating_sub(STDERR_TAIL);
                    self.stderr.drain(..excess);
                }
                exited = child.wait(), if status.is_none() => {
                    status = Some(exited?);
                    patience = Instant::now() + AFTER_EXIT;
                }
                () = tokio::time::sleep_until(patience), if status.is_some() => {
                    // Something that it started holds a pipe: its output is nobody's.
                    group.kill();
                    (out_open, err_open) = (false, false);
                }
            }
        }
    }
}

/// Appends what there is; false at the end. Cancel-safe.
async fn read(from: &mut (impl AsyncRead + Unpin), to: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut chunk = [0; 8 * 1024];
    let n = from.read(&mut chunk).await?;
    to.extend_from_slice(chunk.get(..n).unwrap_or_default());
    Ok(n > 0)
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was ended by signal {signal}");
    }
    status.code().map_or_else(|| "ended in an unknown way".to_owned(), |code| format!("failed with exit code {code}"))
}
