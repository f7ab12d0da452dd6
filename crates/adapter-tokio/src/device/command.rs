//! Commands: how one is declared, called, and answered.

use core::any::Any;
use core::fmt;
use core::future::{Future, poll_fn};
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use std::collections::HashMap;
use std::panic::catch_unwind;

use bytes::Bytes;
use mqtt_device_core::CommandSpec;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

/// How long a handler may take when neither the call nor the declaration says.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest time a call can ask for: the clock must not run over.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30 * 24 * 3600);

/// The declaration of a command, as the manifest tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    pub(super) name: String,
    description: String,
    input_schema: Option<String>,
    timeout: Option<Duration>,
    retry: Option<mqtt_device_core::Retry>,
}

impl Command {
    /// A command of this name: 1 to 64 bytes without control characters.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), description: String::new(), input_schema: None, timeout: None, retry: None }
    }

    /// What it does, for people.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// A JSON Schema of the payload; must be an object.
    #[must_use]
    pub fn input_schema(mut self, schema: Value) -> Self {
        self.input_schema = Some(schema.to_string());
        self
    }

    /// How long the handler may take (30 s); a call may say otherwise.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How often the gateway sends it in all, and how long it waits in between, when no answer comes.
    #[must_use]
    pub fn retry(mut self, max_attempts: u32, backoff: Duration) -> Self {
        let backoff_ms = u32::try_from(backoff.as_millis()).unwrap_or(u32::MAX);
        self.retry = Some(mqtt_device_core::Retry { max_attempts, backoff_ms });
        self
    }

    pub(super) fn time_limit(&self) -> Option<(String, Duration)> {
        self.timeout.map(|timeout| (self.name.clone(), timeout))
    }

    pub(super) fn spec(&self) -> CommandSpec<'_> {
        let mut spec = CommandSpec::new(&self.name, &self.description);
        spec.input_schema = self.input_schema.as_deref();
        spec.timeout_ms = self.timeout.map(|t| u32::try_from(t.as_millis()).unwrap_or(u32::MAX));
        spec.retry = self.retry;
        spec
    }
}

/// One call of a command, given to its handler.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct CommandCall {
    /// Its `commandId`.
    pub id: String,
    /// Its name.
    pub name: String,
    pub(super) json: Bytes,
    /// When the caller stops waiting. The handler is dropped then, at its next await point.
    pub deadline: Instant,
}

impl CommandCall {
    /// The payload's JSON as it came; empty when there was none.
    #[must_use]
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// The payload; `Null` when there was none.
    ///
    /// # Errors
    /// JSON, and yet more than a `Value` holds: a number beyond all bounds. In words for the caller.
    pub fn payload(&self) -> Result<Value, CommandError> {
        self.parse()
    }

    /// Reads the payload into a type of your own; none at all is read as `null`.
    ///
    /// # Errors
    /// What does not fit, in words for the caller.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, CommandError> {
        let json = if self.json.is_empty() { b"null" } else { self.json() };
        serde_json::from_slice(json).map_err(|e| CommandError(format!("Invalid payload: {e}")))
    }
}

/// Why a command failed, in words for the caller: the answer's `error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError(String);

impl CommandError {
    /// From anything that can be printed.
    #[must_use]
    pub fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }

    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// Not `Error` itself, so that every error becomes one by `?`.
impl<E: core::error::Error> From<E> for CommandError {
    fn from(e: E) -> Self {
        Self::new(e)
    }
}

impl CommandError {
    pub(super) fn unknown(name: &str) -> Self {
        Self(format!("Unknown command: {name}"))
    }
}

type InProgress<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// JSON text; empty for nothing.
type Answer = Result<Vec<u8>, CommandError>;
/// A handler of commands.
type Handler = Box<dyn Fn(CommandCall) -> InProgress<Answer> + Send + Sync>;
/// A handler of trigger results.
pub(super) type ResultHandler = Box<dyn Fn(Value) -> InProgress<()> + Send + Sync>;

/// What the application does, by name.
#[derive(Default)]
pub(super) struct Handlers {
    pub(super) commands: HashMap<String, Handler>,
    pub(super) timeouts: HashMap<String, Duration>,
    pub(super) results: HashMap<String, ResultHandler>,
}

impl Handlers {
    pub(super) fn on_command<F, Fut, R>(&mut self, name: String, handler: F)
    where
        F: Fn(CommandCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, CommandError>> + Send + 'static,
        R: Serialize,
    {
        let handler: Handler = Box::new(move |call| {
            let running = handler(call);
            Box::pin(async move { written(&running.await?) })
        });
        self.commands.insert(name, handler);
    }

    pub(super) fn timeout(&self, name: &str, asked: Option<Duration>) -> Duration {
        asked.or_else(|| self.timeouts.get(name).copied()).unwrap_or(DEFAULT_TIMEOUT).min(LONGEST_TIMEOUT)
    }

    /// Runs a command to its answer, whatever the handler does: it may fail, panic or take too long.
    pub(super) async fn run(&self, call: CommandCall) -> Answer {
        let (name, deadline) = (call.name.clone(), call.deadline);
        let Some(handler) = self.commands.get(&name) else { return Err(CommandError::unknown(&name)) };
        let panicked = |panic: String| {
            tracing::error!(command = name, panic, "the handler panicked");
            Err(CommandError(format!("The handler of {name} panicked")))
        };
        let mut running = match caught(|| handler(call)) {
            Ok(running) => running,
            Err(panic) => return panicked(panic),
        };
        let answer = match tokio::time::timeout_at(deadline, catching(&mut running)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(panic)) => panicked(panic),
            Err(_) => Err(CommandError(format!("The command {name} took too long"))),
        };
        // What the handler leaves behind may panic, too; its answer stands.
        if let Err(panic) = caught(move || drop(running)) {
            let _ = panicked(panic);
        }
        answer
    }

    /// Runs the handler of a trigger's result, if there is one.
    pub(super) async fn run_result(&self, name: &str, result: Value) {
        let Some(handler) = self.results.get(name) else { return };
        let ended = match caught(|| handler(result)) {
            Ok(mut running) => {
                let ended = catching(&mut running).await;
                ended.and(caught(move || drop(running)))
            }
            Err(panic) => Err(panic),
        };
        if let Err(panic) = ended {
            tracing::error!(trigger = name, panic, "the handler of the trigger's result panicked");
        }
    }
}

/// An answer as JSON text.
fn written(answer: &impl Serialize) -> Answer {
    let json =
        serde_json::to_vec(answer).map_err(|e| CommandError(format!("The answer is not writable as JSON: {e}")))?;
    // As the official clients: nothing to say means no `data` at all.
    Ok(if json == b"null" { Vec::new() } else { json })
}

/// Runs `what`; a panic becomes its message.
fn caught<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    // Whatever a panic left half done is the handler's own; nothing of it is looked at afterwards.
    catch_unwind(AssertUnwindSafe(what)).map_err(|p| message(&*p))
}

/// Runs to the end, or to a panic.
async fn catching<T>(running: &mut InProgress<T>) -> Result<T, String> {
    poll_fn(|cx| match caught(|| running.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}
