//! The gateway as a machine: what came on which topic in, what to publish and to report out. It does no I/O.

use serde_json::Value;

use super::commands::{Answered, Commands, Request, Step};
use super::event::Event;
use super::keys::{KeyRing, Verdict};
use super::manifest::{Command, DEFAULT_TIMEOUT_MS, Manifest, Record, Retry};
use super::names::{DEVICES, DeviceId, GATEWAY};
use super::proof::Proof;
use super::registry::{Presence, Registry, Standing};
use super::wire::{self, Body};
use crate::limits::{ATTEMPTS, TIMEOUT_MS, within};
use crate::text::excerpt;

/// What a gateway is told at its start.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) keys: KeyRing,
    /// Makes the ids of this run differ from those of any other.
    pub(crate) run: u64,
    /// The result sent after each accepted trigger, if any.
    pub(crate) trigger_result: Option<Value>,
    /// Whether what is known of each device is kept, retained, on the gateway's own topics: for `list`, for `send`, and
    /// for the next run.
    pub(crate) keep_records: bool,
}

/// A message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    /// QoS 1, else QoS 0.
    pub(crate) at_least_once: bool,
    pub(crate) retain: bool,
}

/// What the gateway wants done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Publish(Outgoing),
    Report(Event),
}

/// What is to be sent to a device; what is not said comes from its manifest.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) device: DeviceId,
    pub(crate) command: String,
    pub(crate) payload: Option<Box<serde_json::value::RawValue>>,
    pub(crate) attempts: Option<u32>,
    pub(crate) timeout_ms: Option<u64>,
}

/// The server's side of the protocol.
#[derive(Debug)]
pub(crate) struct Gateway {
    settings: Settings,
    registry: Registry,
    commands: Commands,
    ids: u64,
    out: Vec<Action>,
}

impl Gateway {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, registry: Registry::default(), commands: Commands::default(), ids: 0, out: Vec::new() }
    }

    /// All that is known of devices.
    pub(crate) const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// How many commands wait for their answer.
    pub(crate) fn waiting(&self) -> usize {
        self.commands.len()
    }

    /// A message came. `now` is in milliseconds of any monotonic clock.
    pub(crate) fn handle(&mut self, topic: &str, payload: &[u8], retain: bool) -> Vec<Action> {
        let fault = match DeviceId::from_topic(DEVICES, topic) {
            Ok((device, Some("status"))) => self.status(&device, payload, retain),
            // A retained message on the other topics is nothing that happened now.
            Ok((_, Some("heartbeat" | "response" | "trigger"))) if retain => Ok(()),
            Ok((device, Some("heartbeat"))) => {
                self.heartbeat(device);
                Ok(())
            }
            Ok((device, Some("response"))) => self.response(device, payload),
            Ok((device, Some("trigger"))) => self.trigger(device, payload),
            Ok(_) => Err(Fault::new("nothing is expected on this topic").shown(payload)),
            Err(_) if topic.starts_with(GATEWAY) => self.record(topic, payload),
            Err(reason) => Err(Fault::new(reason)),
        };
        if let Err(Fault { reason, excerpt, tell }) = fault {
            if let Some(device) = tell {
                self.error(&device, "invalid_message", &reason);
            }
            self.report(Event::Invalid { topic: excerpt_topic(topic), reason, excerpt });
        }
        core::mem::take(&mut self.out)
    }

    /// A message too large to be read came.
    pub(crate) fn handle_oversize(&mut self, topic: &str, total: usize) -> Vec<Action> {
        let reason = format!("the message has {total} bytes: more than the gateway reads");
        self.report(Event::Invalid { topic: excerpt_topic(topic), reason, excerpt: None });
        core::mem::take(&mut self.out)
    }

    /// Sends a command; returns its id.
    ///
    /// # Errors
    /// Why it is not sent.
    pub(crate) fn send(&mut self, now: u64, order: Order) -> Result<(String, Vec<Action>), &'static str> {
        let Order { device, command, payload, attempts, timeout_ms } = order;
        let known = self.registry.manifest(&device).and_then(|manifest| manifest.command(&command));
        let (retry, its_timeout) = known.map_or((Retry::default(), DEFAULT_TIMEOUT_MS), Command::terms);
        let max_attempts = within(attempts.unwrap_or(retry.max_attempts), &ATTEMPTS);
        let timeout_ms = within(timeout_ms.unwrap_or(its_timeout), &TIMEOUT_MS);
        let retry = Retry { max_attempts, ..retry };
        let id = self.next_id("cmd");
        let step = self.commands.start(now, id.clone(), Request { device, command, payload, retry, timeout_ms })?;
        self.run(step);
        Ok((id, core::mem::take(&mut self.out)))
    }

    /// When [`Self::run_due`] is to be called.
    pub(crate) fn due(&self) -> Option<u64> {
        self.commands.due()
    }

    /// Sends again and gives up what is due.
    pub(crate) fn run_due(&mut self, now: u64) -> Vec<Action> {
        self.commands.run_due(now).into_iter().for_each(|step| self.run(step));
        core::mem::take(&mut self.out)
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Send { id, device, command, attempt, body } => {
                self.publish(&device, "command", body, true);
                self.report(Event::Command { device, command_id: id, command, attempt });
            }
            Step::GiveUp { id, device, command, attempts } => {
                self.report(Event::NoAnswer { device, command_id: id, command, attempts });
            }
        }
    }

    /// Presence, or key and manifest.
    fn status(&mut self, device: &DeviceId, payload: &[u8], retained: bool) -> Result<(), Fault> {
        if payload.is_empty() {
            self.registry.forget(device);
            return Ok(()); // a retained status was cleared
        }
        // No excerpt: the text may hold a key.
        let status = wire::read::<wire::Status>(payload).map_err(|reason| Fault::new(reason).tell(device))?;
        match (status.status.as_str(), status.api_key) {
            ("online", Some(_)) if retained => Err(Fault::new("an API key in a retained message: clear it")),
            ("online", Some(key)) => {
                let manifest = Manifest { group: status.group, commands: status.commands.unwrap_or_default() };
                self.authenticate(device, &key, manifest, payload.len())
            }
            ("online", None) => {
                self.note(device, Presence::Online, status.group.clone());
                self.report(Event::Online { device: device.clone(), group: status.group, retained });
                Ok(())
            }
            ("offline", _) => {
                self.note(device, Presence::Offline, None);
                self.report(Event::Offline { device: device.clone(), retained });
                Ok(())
            }
            _ => Err(Fault::new("`status` is neither \"online\" nor \"offline\"").tell(device)),
        }
    }

    fn note(&mut self, device: &DeviceId, presence: Presence, group: Option<String>) {
        if !self.settings.keys.names(device) {
            return; // a stranger takes no room
        }
        if let Err(reason) = self.registry.set_presence(device, presence, group) {
            self.report(Event::Limit { device: device.clone(), reason });
        }
    }

    fn authenticate(&mut self, device: &DeviceId, key: &str, manifest: Manifest, size: usize) -> Result<(), Fault> {
        let reason = match self.settings.keys.check(device, key) {
            Verdict::Accepted => None,
            Verdict::UnknownDevice => Some("this device is not known here"),
            Verdict::WrongKey => Some("the API key is wrong"),
        };
        if let Some(reason) = reason {
            if self.settings.keys.names(device) {
                // Without room nothing is known of it, so that it is not believed either.
                let _ = self.registry.set_standing(device, Standing::Refused);
            }
            self.error(device, "unauthorized", reason);
            let (device, reason) = (device.clone(), reason.to_owned());
            self.report(Event::Refused { device, code: "unauthorized", reason });
            return Ok(());
        }
        manifest.validate().map_err(|why| Fault::new(format!("the manifest: {why}")).tell(device))?;
        let commands = manifest.commands.iter().map(|command| command.name.clone()).collect();
        let group = manifest.group.clone();
        let record = Record { manifest, proof: Some(Proof::new(device, key, self.settings.run)) };
        let kept = serde_json::to_vec(&record).unwrap_or_default();
        if let Err(reason) = self.registry.set_manifest(device, record.manifest, size) {
            self.error(device, "limit", reason);
            self.report(Event::Limit { device: device.clone(), reason });
            return Ok(());
        }
        self.note(device, Presence::Online, group.clone());
        let heard = self.registry.standing(device) == Standing::Heard;
        let _ = self.registry.set_standing(device, Standing::Accepted); // it has room, with its manifest
        self.publish(device, "connected", Body::Connected { message: "authenticated" }.write(), true);
        if heard {
            self.heartbeat(device.clone());
        }
        if self.settings.keep_records {
            let (topic, retain) = (device.record_topic(), true);
            self.out.push(Action::Publish(Outgoing { topic, payload: kept, at_least_once: true, retain }));
        }
        self.report(Event::Authenticated { device: device.clone(), group, commands });
        Ok(())
    }

    fn response(&mut self, device: DeviceId, payload: &[u8]) -> Result<(), Fault> {
        let fault = |reason: String| Fault::new(reason).shown(payload).tell(&device);
        let answer = wire::read::<wire::Response>(payload).map_err(fault)?;
        let (command, repeat) = match self.commands.answer(&device, &answer.command_id) {
            Answered::First { command, .. } => (Some(command), false),
            Answered::Again { command } => (Some(command), true),
            Answered::Unknown => (None, false),
        };
        let wire::Response { command_id, success, data, error } = answer;
        self.report(Event::Answer { device, command_id, command, success, data, error, repeat });
        Ok(())
    }

    fn trigger(&mut self, device: DeviceId, payload: &[u8]) -> Result<(), Fault> {
        let fault = |reason: String| Fault::new(reason).shown(payload).tell(&device);
        let wire::Trigger { trigger_name, payload } = wire::read::<wire::Trigger>(payload).map_err(fault)?;
        let trigger_id = self.next_id("trg");
        let accepted = self.is_accepted(&device);
        let error = (!accepted).then_some("the device has not shown its API key to this gateway");
        let ack = Body::TriggerAck { trigger_id: &trigger_id, received: accepted, error };
        self.publish(&device, "trigger_ack", ack.write(), true);
        if let Some(result) = self.settings.trigger_result.clone().filter(|_| accepted) {
            let result = Body::TriggerResult { trigger_name: &trigger_name, result: &result };
            self.publish(&device, "trigger_result", result.write(), true);
        }
        self.report(Event::Trigger { device, trigger: trigger_name, trigger_id, payload, accepted });
        Ok(())
    }

    /// What an earlier run of a gateway kept of a device.
    fn record(&mut self, topic: &str, payload: &[u8]) -> Result<(), Fault> {
        let (device, rest) = DeviceId::from_topic(&format!("{GATEWAY}devices/"), topic).map_err(Fault::new)?;
        if rest.is_some() {
            return Err(Fault::new("it is no record of a device"));
        }
        if payload.is_empty() || !self.settings.keys.names(&device) {
            return Ok(());
        }
        let Record { manifest, proof } = wire::read(payload).map_err(|reason| Fault::new(reason).shown(payload))?;
        manifest.validate().map_err(Fault::new)?;
        if let Err(reason) = self.registry.set_manifest(&device, manifest, payload.len()) {
            self.report(Event::Limit { device, reason });
            return Ok(());
        }
        // What the device itself showed to this run stands over any record.
        if self.registry.standing(&device) != Standing::Refused
            && proof.is_some_and(|proof| self.settings.keys.believe(&device, &proof))
            && let Err(reason) = self.registry.set_standing(&device, Standing::Accepted)
        {
            self.report(Event::Limit { device, reason });
        }
        Ok(())
    }

    fn heartbeat(&mut self, device: DeviceId) {
        let is_first = self.registry.standing(&device) == Standing::Unproven;
        if is_first && self.settings.keys.names(&device) && !matches!(self.settings.keys, KeyRing::Open) {
            // Without room nothing is remembered of it, and nothing answered.
            let _ = self.registry.set_standing(&device, Standing::Heard);
        } else if self.is_accepted(&device) {
            self.publish(&device, "pong", Vec::new(), false);
            self.report(Event::Heartbeat { device });
        }
    }

    /// Whether what the device says is believed. Of one that is not, the first time is reported.
    fn is_accepted(&mut self, device: &DeviceId) -> bool {
        if matches!(self.settings.keys, KeyRing::Open) {
            return true;
        }
        let standing = self.registry.standing(device);
        // Of a refused one it was reported why; a stranger takes no room to remember that it was reported.
        if matches!(standing, Standing::Unproven | Standing::Heard)
            && self.settings.keys.names(device)
            && self.registry.set_standing(device, Standing::Told).is_ok()
        {
            self.report(Event::Unproven { device: device.clone() });
        }
        standing == Standing::Accepted
    }

    fn error(&mut self, device: &DeviceId, code: &str, message: &str) {
        self.publish(device, "error", Body::Error { code, message }.write(), true);
    }

    fn publish(&mut self, device: &DeviceId, suffix: &str, payload: Vec<u8>, at_least_once: bool) {
        let topic = device.topic(suffix);
        self.out.push(Action::Publish(Outgoing { topic, payload, at_least_once, retain: false }));
    }

    fn report(&mut self, event: Event) {
        self.out.push(Action::Report(event));
    }

    fn next_id(&mut self, kind: &str) -> String {
        self.ids += 1;
        format!("{kind}-{:016x}-{}", self.settings.run, self.ids)
    }
}

/// A message that is not the protocol.
struct Fault {
    reason: String,
    excerpt: Option<String>,
    tell: Option<DeviceId>,
}

impl Fault {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), excerpt: None, tell: None }
    }

    /// The payload's beginning may be shown.
    fn shown(self, payload: &[u8]) -> Self {
        Self { excerpt: Some(excerpt(payload)), ..self }
    }

    /// The device is told by an `error` message.
    fn tell(self, device: &DeviceId) -> Self {
        Self { tell: Some(device.clone()), ..self }
    }
}

fn excerpt_topic(topic: &str) -> String {
    excerpt(topic.as_bytes())
}
