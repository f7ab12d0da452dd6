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

use mqtt_device_core::CommandSpec;
use serde::de::DeserializeOwned;
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
    /// Its payload; `Null` when there was none.
    pub payload: Value,
    /// When the caller stops waiting. The handler is dropped then, at its next await point.
    pub deadline: Instant,
}

impl CommandCall {
    /// Reads the payload into a type of your own.
    ///
    /// # Errors
    /// What does not fit, in words for the caller.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, CommandError> {
        T::deserialize(&self.payload).map_err(|e| CommandError(format!("Invalid payload: {e}")))
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

type Running<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Answer = Result<Value, CommandError>;
/// A handler of commands.
pub(super) type Handler = Box<dyn Fn(CommandCall) -> Running<Answer> + Send + Sync>;
/// A handler of trigger results.
pub(super) type ResultHandler = Box<dyn Fn(Value) -> Running<()> + Send + Sync>;

/// What the application does, by name.
#[derive(Default)]
pub(super) struct Handlers {
    pub(super) commands: HashMap<String, Handler>,
    pub(super) timeouts: HashMap<String, Duration>,
    pub(super) results: HashMap<String, ResultHandler>,
}

impl Handlers {
    pub(super) fn timeout(&self, name: &str, asked: Option<Duration>) -> Duration {
        asked.or_else(|| self.timeouts.get(name).copied()).unwrap_or(DEFAULT_TIMEOUT).min(LONGEST_TIMEOUT)
    }

    /// Runs a command to its answer, whatever the handler does: it may fail, panic or take too long.
    pub(super) async fn run(&self, call: CommandCall) -> Answer {
        let (name, deadline) = (call.name.clone(), call.deadline);
        let Some(handler) = self.commands.get(&name) else { return Err(CommandError::unknown(&name)) };
        let guarded = catching(|| handler(call));
        match tokio::time::timeout_at(deadline, guarded).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(panic)) => {
                tracing::error!(command = name, panic, "the handler panicked");
                Err(CommandError(format!("The handler of {name} panicked")))
            }
            Err(_) => Err(CommandError(format!("The command {name} took too long"))),
        }
    }

    /// Runs the handler of a trigger's result, if there is one.
    pub(super) async fn run_result(&self, name: &str, result: Value) {
        let Some(handler) = self.results.get(name) else { return };
        if let Err(panic) = catching(|| handler(result)).await {
            tracing::error!(trigger = name, panic, "the handler of the trigger's result panicked");
        }
    }
}

/// Runs what `start` makes; a panic, in `start` or later, becomes its message.
async fn catching<T>(start: impl FnOnce() -> Running<T>) -> Result<T, String> {
    // Whatever a panic left half done is the handler's own; nothing of it is looked at afterwards.
    let mut running = catch_unwind(AssertUnwindSafe(start)).map_err(|p| message(&*p))?;
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
        Err(p) => Poll::Ready(Err(message(&*p))),
    })
    .await
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}
