//! The device's side of the driver: what it lends the machine, and what it does with facts.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use mqtt_device_core::json::JsonStr;
use mqtt_device_core::{
    Command as CoreCommand, CommandSpec, CommandToken, DeviceEvent as CoreEvent, MessageKey, Notice, Outcome, Profile,
};
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::command::Handlers;
use super::{Command, CommandCall, DeviceEvent, Machine, TriggerAck};
use crate::completions::{Completions, Ending};
use crate::driver::{Frame, Sink};
use crate::queue::Fanout;
use crate::running::Reporter;
use crate::shared::Handle;

/// Tasks of handlers at once from which on no result of a trigger is handled; commands are bounded by the command table
/// and the room for their answers.
const TASKS: usize = 128;

/// The key and the commands.
#[derive(Default)]
pub(super) struct DeviceProfile {
    pub(super) api_key: String,
    pub(super) commands: Vec<Command>,
}

impl AsRef<dyn Profile + Send + Sync> for DeviceProfile {
    fn as_ref(&self) -> &(dyn Profile + Send + Sync + 'static) {
        self
    }
}

impl Profile for DeviceProfile {
    fn api_key(&self) -> &str {
        &self.api_key
    }

    fn command(&self, index: usize) -> Option<CommandSpec<'_>> {
        self.commands.get(index).map(Command::spec)
    }
}

/// Starts handlers and copies events to their subscribers.
pub(super) struct DeviceSink {
    pub(super) handle: Handle<Machine>,
    pub(super) handlers: Arc<Handlers>,
    /// Aborted with the sink.
    pub(super) tasks: JoinSet<()>,
    pub(super) events: Arc<Fanout<DeviceEvent>>,
    pub(super) completions: Arc<Completions>,
    pub(super) reporter: Reporter,
    pub(super) runtime: runtime::Handle,
    pub(super) session_present: bool,
    pub(super) detail: Option<String>,
}

fn text(s: JsonStr<'_>) -> String {
    s.chars().collect()
}

impl DeviceSink {
    fn command(&mut self, command: &CoreCommand<'_>, frame: Frame<'_>) {
        while self.tasks.try_join_next().is_some() {}
        let (id, name) = (command.id.as_str().to_owned(), text(command.name));
        // As text: a value takes many times the memory, and only the handler knows whether it wants one.
        let json = command.payload.map_or(Bytes::new(), |json| frame.own(json));
        tracing::info!(id, name, dup = command.dup, "command");
        self.events.send(&DeviceEvent::CommandReceived { id: id.clone(), name: name.clone() });
        let started = Instant::now();
        let deadline = started + self.handlers.timeout(&name, command.timeout.map(Into::into));
        let (handle, token) = (self.handle.clone(), command.token);
        let (handlers, events) = (Arc::clone(&self.handlers), Arc::clone(&self.events));
        let run = async move {
            let answer = handlers.run(CommandCall { id: id.clone(), name: name.clone(), json, deadline }).await;
            let error = respond(&handle, token, answer.map_err(|e| e.to_string()));
            let took = started.elapsed();
            tracing::info!(id, name, error, ?took, "answered");
            events.send(&DeviceEvent::CommandAnswered { id, name, error, took });
        };
        self.tasks.spawn_on(tracing::Instrument::in_current_span(run), &self.runtime);
    }

    fn trigger_result(&mut self, name: String, json: Bytes) {
        while self.tasks.try_join_next().is_some() {}
        if self.handlers.results.contains_key(&name) {
            if self.tasks.len() >= TASKS {
                let message = format!("too many handlers are running: a result of {name} was not handled");
                return self.events.send(&DeviceEvent::Error { message });
            }
            let (handlers, events) = (Arc::clone(&self.handlers), Arc::clone(&self.events));
            let run = async move {
                match serde_json::from_slice(&json) {
                    Ok(result) => handlers.run_result(&name, result).await,
                    // JSON, and yet more than a `Value` holds.
                    Err(e) => events.send(&DeviceEvent::Error { message: format!("the result of {name}: {e}") }),
                }
            };
            self.tasks.spawn_on(tracing::Instrument::in_current_span(run), &self.runtime);
        }
    }

    fn translate(&mut self, event: CoreEvent<'_>, frame: Frame<'_>) -> Option<DeviceEvent> {
        Some(match event {
            CoreEvent::Connected { session_present } => {
                self.session_present = session_present;
                return None;
            }
            CoreEvent::Welcome { message } => DeviceEvent::Welcome { message: message.map(text) },
            CoreEvent::Command(command) => {
                self.command(&command, frame);
                return None;
            }
            CoreEvent::Repeated { id, executing } => {
                DeviceEvent::CommandRepeated { id: id.as_str().to_owned(), executing }
            }
            CoreEvent::TriggerAck { key, received, trigger_id, error } => {
                let ack = TriggerAck { received, trigger_id: trigger_id.map(text), error: error.map(text) };
                if let Some(key) = key {
                    self.completions.finish(key, Ending::Acknowledged(ack.clone()));
                }
                DeviceEvent::TriggerAck { key, ack }
            }
            CoreEvent::TriggerResult { name, result } => {
                let name = text(name);
                let json = frame.own(result);
                self.trigger_result(name.clone(), json.clone());
                DeviceEvent::TriggerResult { name, json }
            }
            CoreEvent::ServerError { code, message } => {
                let code = code.map(|c| String::from_utf8_lossy(c.raw()).trim_matches('"').to_owned());
                DeviceEvent::ServerError { code, message: message.map(text) }
            }
            CoreEvent::Rejected { topic, error } => {
                DeviceEvent::Rejected { topic: topic.to_owned(), error: error.to_string() }
            }
            CoreEvent::Oversize(over) => {
                DeviceEvent::Oversize { topic: over.topic.map(|t| t.as_str().to_owned()), total: over.total }
            }
            CoreEvent::Unrelated(message) => DeviceEvent::Unrelated { topic: message.topic.as_str().to_owned() },
            other => DeviceEvent::Error { message: format!("{other:?}") },
        })
    }
}

/// Answers the command; returns what went wrong, here or there.
fn respond(handle: &Handle<Machine>, token: CommandToken, answer: Result<Vec<u8>, String>) -> Option<String> {
    let (data, error) = match answer {
        Ok(data) => (data, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let given = error.as_deref().map_or(Ok(&data[..]), Err);
    let refused = match handle.with(|m, now| m.respond(now, token, given)) {
        Ok(Ok(())) => return error,
        Ok(Err(refused)) => refused.to_string(),
        Err(closed) => return Some(closed.to_string()),
    };
    // An answer that does not fit is an error answer, which always does.
    let short = format!("The answer could not be sent: {refused}");
    let _ = handle.with(|m, now| m.respond(now, token, Err(&short)));
    Some(short)
}

impl Sink<Machine> for DeviceSink {
    fn event(&mut self, event: CoreEvent<'_>, frame: Frame<'_>) {
        if let Some(event) = self.translate(event, frame) {
            tracing::debug!(?event);
            self.events.send(&event);
        }
    }

    fn notice(&mut self, notice: Notice) {
        let session_present = self.session_present;
        let event = match notice {
            Notice::Ready { again } => {
                self.reporter.ready();
                tracing::info!(session_present, again, "ready");
                match again {
                    false => DeviceEvent::Connected { session_present },
                    true => DeviceEvent::Reconnected { session_present },
                }
            }
            Notice::Disconnected { reason, retry_in } => {
                let detail = self.detail.take();
                tracing::info!(?reason, detail, ?retry_in, "disconnected");
                self.reporter.down(reason, detail.clone());
                DeviceEvent::Disconnected { reason, detail, retry_in: retry_in.map(Duration::from) }
            }
            Notice::SubscriptionRefused { reason, .. } => {
                self.reporter.refused(reason);
                DeviceEvent::SubscriptionRefused { reason }
            }
            Notice::PossibleDuplicateClient => DeviceEvent::PossibleDuplicateClient,
            Notice::AcknowledgedEarly { count } => DeviceEvent::AcknowledgedEarly { count },
            Notice::CommandDropped { count } | Notice::CommandBusy { count } => {
                DeviceEvent::CommandsTurnedAway { count }
            }
            Notice::CommandsInterrupted { count } => DeviceEvent::CommandsInterrupted { count },
            Notice::Pong { latency } => DeviceEvent::Pong { latency: latency.into() },
            Notice::TriggerTimeout { key } => {
                self.completions.finish(key, Ending::Silence);
                DeviceEvent::TriggerTimeout { key }
            }
            Notice::Stopped { clean } => {
                self.reporter.stopped(clean);
                DeviceEvent::Stopped { clean }
            }
            other => return tracing::debug!(notice = ?other, "notice"),
        };
        self.events.send(&event);
    }

    fn outcome(&mut self, key: MessageKey, outcome: Outcome) {
        self.completions.finish(key, Ending::Outcome(outcome));
    }

    fn link_failed(&mut self, error: &dyn fmt::Display) {
        self.detail = Some(error.to_string());
    }
}

impl Drop for DeviceSink {
    fn drop(&mut self) {
        self.completions.close();
        self.events.close();
    }
}
