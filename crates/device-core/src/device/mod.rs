//! The Lua device protocol: a device that runs each command once, answers it, fires triggers and comes back.

pub mod bodies;
mod busy;
pub mod commands;
mod config;
mod entry;
mod event;
pub mod identity;
mod inbound;
mod machine;
pub mod message;
mod presence;
pub mod profile;
mod received;
pub mod secret;
mod short;
mod source;
pub mod suffix;
pub mod tables;
pub mod timestamp;
mod trigger;

pub use commands::{CommandToken, Counters, FinishError, TTL_MS};
pub use config::DeviceConfig;
pub use entry::Entry;
pub use event::{Command, DeviceEvent};
pub use identity::{Identity, NameError, NameErrorKind, NameOf};
pub use message::{
    CommandId, CommandMessage, Connected, Expected, MessageError, ServerError, TriggerAck, TriggerResult,
};
pub use profile::{
    COMMANDS_MAX, CommandSpec, Profile, Retry, SpecError, SpecErrorKind, validate_profile, validate_spec,
};
pub use secret::Secret;
pub use suffix::{Direction, Suffix};
#[cfg(feature = "alloc")]
pub use tables::HeapTables;
pub use tables::{FixedTables, RESPONSE_MIN, Tables};
pub use timestamp::Timestamp;

use crate::PublishError;
use crate::client::Client;
use crate::config::{Config, WhenHeld};
use crate::event::{MessageKey, Notice};
use crate::machine::Machine;
use crate::session::{Publication, Timer};
use crate::storage::Storage;
use crate::time::Instant;
use busy::Busy;
use commands::Commands;
use presence::Presence;
use source::body_of;
use trigger::Lane;

/// A [`Client`] that is a device of the Lua device protocol.
///
/// Drive it through [`Machine`]. A command comes as [`DeviceEvent::Command`], once however often the
/// server delivers it; answer it with [`Device::respond`]. Without a store, a crash of the process may repeat a command
/// that was not yet acknowledged.
///
/// `S` holds what is on its way to the server, `D` the commands and their responses; neither can starve the other. Of
/// the slots of `S`, eight are kept for what the device must always be able to say and one for each command that runs;
/// give it 16 at least, and as many more as commands are to run and triggers to wait at once.
#[derive(Clone, Debug)]
pub struct Device<S, D> {
    client: Client<S>,
    commands: Commands<D>,
    identity: Identity,
    config: DeviceConfig,
    presence: Presence,
    lane: Lane,
    busy: Busy,
    stopping: Stopping,
    /// Until when connected time is counted.
    counted: Option<Instant>,
    dropped: u32,
    busied: u32,
}

/// How far an orderly end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    No,
    /// What executes may still be answered, and what waits may leave, until then.
    Draining {
        until: Instant,
    },
    /// `offline` is on its way.
    Offline,
    /// `offline` has come: DISCONNECT.
    Goodbye,
}

impl<S: Storage, D: Tables> Device<S, D> {
    /// A device that connects at the first `poll`. The bounds of triggers in `device` replace those of their class in
    /// `config`, and acknowledgements are the device's own business.
    #[must_use]
    pub fn new(mut config: Config, device: DeviceConfig, identity: Identity, storage: S, tables: D) -> Self {
        config.auto_ack = false;
        config.when_held = WhenHeld::AcknowledgeEarly;
        config.clean_start = false;
        if let Some(class) = config.classes.get_mut(usize::from(trigger::CLASS)) {
            *class = device.triggers;
        }
        let commands = Commands::with_ttl(tables, device.remember.as_millis());
        let mut it = Self {
            client: Client::new(config, storage),
            commands,
            identity,
            config: device,
            presence: Presence::default(),
            lane: Lane::Free,
            busy: Busy::default(),
            stopping: Stopping::No,
            counted: None,
            dropped: 0,
            busied: 0,
        };
        it.reserve();
        it
    }

    /// Answers a command: with JSON (none: no `data`), or with an error text.
    ///
    /// The response is kept, so that a repeat of the command is answered with the same bytes. One that is larger than
    /// the table keeps becomes an error answer that says so.
    ///
    /// # Errors
    /// [`PublishError::UnknownCommand`] when it is answered already or the token is not of this device;
    /// [`PublishError::NotJson`] when the data is no JSON; nothing has changed then.
    /// [`PublishError::TooLarge`] when it was too large: the command *is* answered, with an error.
    pub fn respond(
        &mut self,
        now: Instant,
        token: CommandToken,
        result: Result<&[u8], &str>,
    ) -> Result<(), PublishError> {
        if let Ok(data) = result
            && !data.is_empty()
        {
            crate::json::validate(data).map_err(|e| PublishError::NotJson { at: e.at })?;
        }
        if self.client.is_stopped() || matches!(self.stopping, Stopping::Offline | Stopping::Goodbye) {
            // It could not leave any more: the command stays unacknowledged, and the broker keeps it.
            return Err(PublishError::Stopped);
        }
        let Some(id) = self.commands.id(token).and_then(CommandId::new) else {
            return Err(PublishError::UnknownCommand);
        };
        let finished = self.commands.finish(token, &|window| match result {
            Ok(data) => bodies::response_ok(id.as_str(), Some(data).filter(|data| !data.is_empty()), window),
            Err(error) => bodies::response_error(id.as_str(), &error, window),
        });
        let too_large = match finished {
            Ok(()) => None,
            Err(FinishError::TooLarge { len, .. }) => Some(PublishError::TooLarge { total: len.into() }),
            Err(_) => return Err(PublishError::UnknownCommand),
        };
        if self.send_response(now, token, true) {
            self.client.session_mut().acknowledge_tagged(tag(token));
        }
        self.reserve();
        too_large.map_or(Ok(()), Err)
    }

    /// Fires a trigger: JSON `payload` (empty: `{}`) under `name`.
    ///
    /// It waits within the bounds of [`DeviceConfig::triggers`] while the device is away. Triggers are sent one after
    /// the other, each when the one before is acknowledged by the server's gateway or given up: the protocol's
    /// acknowledgement does not say to what it belongs, so this is the only way to know. That acknowledgement comes as
    /// [`DeviceEvent::TriggerAck`], its absence as [`Notice::TriggerTimeout`]; the key's
    /// outcome is the broker's.
    ///
    /// # Errors
    /// See [`PublishError`]; nothing has changed then.
    pub fn trigger(&mut self, now: Instant, name: &str, payload: &[u8]) -> Result<MessageKey, PublishError> {
        if self.client.is_stopping() {
            return Err(PublishError::Stopped);
        }
        self.queue_trigger(now, name, payload)
    }

    /// Whether the server has accepted the connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.is_connected()
    }

    /// Whether all subscriptions are granted: commands can come.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.client.is_ready()
    }

    /// Who it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The client below, for questions.
    #[must_use]
    pub const fn client(&self) -> &Client<S> {
        &self.client
    }

    /// Gives up a message of which no byte has left; false when it is too late.
    pub fn cancel(&mut self, key: MessageKey) -> bool {
        self.client.cancel(key)
    }

    /// What happened to commands so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.commands.counters()
    }

    /// How many commands are being run.
    #[must_use]
    pub fn executing(&self) -> usize {
        self.commands.executing_len()
    }

    /// The next deadline and its name: for debugging, "why did I wake?".
    #[must_use]
    pub fn next_timer(&self) -> Option<(Instant, Timer)> {
        let hold = self
            .commands
            .oldest_held()
            .filter(|_| self.holds())
            .map(|(_, since)| (Instant::from_millis(since) + self.config.hold_for, Timer::Hold));
        let draining = match self.stopping {
            Stopping::Draining { until } if self.is_connected() => Some((until, Timer::Stop)),
            _ => None,
        };
        // A deadline is named only where something is done at it.
        let presence = self.presence.next_timer().filter(|_| self.is_connected() && self.stopping == Stopping::No);
        let trigger = self.lane.deadline().map(|at| (at, Timer::Trigger)).filter(|_| self.is_connected());
        [self.client.next_timer(), hold, draining, presence, trigger].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// What still executes at the end of a stop's time is answered: its caller is told, and the server does not deliver
    /// it again to run a second time.
    pub(super) fn interrupt(&mut self, now: Instant) {
        let mut count: u32 = 0;
        loop {
            let next = self.commands.executing().next().map(|executing| executing.token);
            let Some(token) = next else { break };
            if self.respond(now, token, Err(INTERRUPTED)).is_err() {
                break;
            }
            count = count.saturating_add(1);
        }
        if count > 0 {
            self.client.session_mut().notify(Notice::CommandsInterrupted { count });
        }
    }

    /// Puts the response of a finished command into the outbox, unless it stands there unsent; false when it is full.
    fn send_response(&mut self, now: Instant, token: CommandToken, reserved: bool) -> bool {
        let body = source::Kind::Response.token(token.index());
        if self.client.session_mut().has_body(body, true) {
            return true;
        }
        if !self.commands.lend(token) {
            return false;
        }
        let publication = Publication::with_token(source::topic(Suffix::Response), Suffix::Response.qos());
        let queued = self.client.session_mut().publish_inner(now, &publication, body, reserved).is_ok();
        if !queued {
            self.commands.returned(token);
        }
        queued
    }

    /// Keeps a slot for the answer of each command that runs, and for what the device itself must be able to say.
    fn reserve(&mut self) {
        let executing = u16::try_from(self.commands.executing_len()).unwrap_or(u16::MAX);
        let slots = executing.saturating_add(presence::SLOTS).saturating_add(self.busy.free_slots());
        self.client.session_mut().reserve(slots);
    }

    /// The hold policy applies while nothing is being stopped.
    fn holds(&self) -> bool {
        self.stopping == Stopping::No && self.client.session().has_transport()
    }

    /// Acknowledges the oldest held commands early: beyond `hold_max` of them, and after `hold_for`.
    fn release_held(&mut self, now: Instant) {
        if !self.holds() {
            return;
        }
        while let Some((token, since)) = self.commands.oldest_held() {
            let too_many = self.commands.held() > usize::from(self.config.hold_max);
            let too_long = now.since(Instant::from_millis(since)) >= self.config.hold_for;
            if !(too_many || too_long) || !self.commands.ack_early(token) {
                break;
            }
            self.client.session_mut().acknowledge_tagged_early(tag(token));
        }
    }

    /// Acknowledgements that were taken, publications of our own that ended.
    fn collect(&mut self, now: Instant) {
        while let Some((tag, position)) = self.client.session_mut().take_written() {
            if let Some(token) = token_of(tag).and_then(|index| self.commands.token_at(index)) {
                self.commands.ack_written(token, position);
            }
        }
        while let Some((body, outcome)) = self.client.session_mut().take_inner_outcome() {
            let (kind, index) = body_of(body);
            match kind {
                Some(source::Kind::Response) => {
                    if let Some(token) = self.commands.token_at(index) {
                        self.commands.returned(token);
                    }
                }
                Some(source::Kind::Busy) => self.busy.free(index),
                Some(kind) => self.presence_ended(now, kind, outcome),
                None => {}
            }
        }
    }

    /// Connected time goes on.
    fn count_time(&mut self, now: Instant) {
        if let Some(since) = self.counted {
            // A process that was suspended was not connected all the time: a repetition may stand in the transport.
            self.commands.tick(now.since(since).as_millis().min(MOST_AT_ONCE));
            self.counted = Some(now);
        }
    }
}

/// The answer to a command that had not ended when the device was stopped.
const INTERRUPTED: &str = "interrupted: the device was stopped before the command ended";

/// The most connected time that passes between two calls, in milliseconds; twice the time between two heartbeats.
const MOST_AT_ONCE: u64 = 60_000;

/// The name under which the session knows the messages of a command: never 0.
fn tag(token: CommandToken) -> u32 {
    u32::from(token.index()).saturating_add(1)
}

fn token_of(tag: u32) -> Option<u16> {
    u16::try_from(tag.checked_sub(1)?).ok()
}
