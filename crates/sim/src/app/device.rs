//! An application on a [`Device`]: it runs commands as the test says, now or later, and keeps what it is told.

use std::collections::BTreeMap;

use mqtt_device_core::{
    CommandSpec, CommandToken, Device, DeviceEvent, Duration, Instant, Machine, MessageError, MessageKey, Notice,
    Outcome, Profile, PublishError, Storage, Tables,
};

use super::{App, Ledger};

/// A command that is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its payload as JSON text.
    pub payload: Option<String>,
    /// Whether it may have been delivered to an earlier life of the device.
    pub dup: bool,
}

/// How a command is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// How long it runs.
    pub after: Duration,
    /// JSON, or an error text; `None` never answers.
    pub result: Option<Result<String, String>>,
}

impl Reply {
    /// Succeeds at once with this JSON.
    #[must_use]
    pub fn ok(json: &str) -> Self {
        Self { after: Duration::ZERO, result: Some(Ok(json.into())) }
    }

    /// Fails at once with this text.
    #[must_use]
    pub fn error(text: &str) -> Self {
        Self { after: Duration::ZERO, result: Some(Err(text.into())) }
    }

    /// The same, after so long.
    #[must_use]
    pub fn after(mut self, span: Duration) -> Self {
        self.after = span;
        self
    }
}

/// What the device was told, apart from commands.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// The server accepted a connection; whether it had the session.
    Connected(bool),
    /// The gateway's greeting.
    Welcome(Option<String>),
    /// A command came again; whether it was still being run.
    Repeated(String, bool),
    /// The gateway acknowledged a trigger.
    TriggerAck(Option<MessageKey>, bool),
    /// What came of a trigger: name and JSON.
    TriggerResult(String, String),
    /// The gateway reports an error: code and text.
    ServerError(Option<String>, Option<String>),
    /// A message made no sense.
    Rejected(Rejection),
    /// A message was too large: topic and size of the packet.
    Oversize(Option<String>, u32),
    /// A message on another topic.
    Unrelated(String),
}

/// A message that made no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Its topic.
    pub topic: String,
    /// Why.
    pub error: MessageError,
}

/// What decides how a command is answered.
type Handler = Box<dyn FnMut(&Call) -> Reply>;

/// Runs commands and keeps everything; see its fields.
pub struct DeviceApp {
    /// Commands in the order in which they were to be run, with their time.
    pub calls: Vec<(Instant, Call)>,
    /// The tokens of those commands.
    pub tokens: Vec<CommandToken>,
    /// Everything else that packets brought.
    pub told: Vec<(Instant, Told)>,
    /// Notices with their time.
    pub notices: Vec<(Instant, Notice)>,
    /// Triggers, and how they ended.
    pub ledger: Ledger,
    /// Errors of `respond`.
    pub errors: Vec<PublishError>,
    handler: Handler,
    running: Vec<(Instant, CommandToken, Result<String, String>)>,
}

impl DeviceApp {
    /// Runs commands with `handler`.
    #[must_use]
    pub fn new(handler: impl FnMut(&Call) -> Reply + 'static) -> Self {
        Self {
            calls: Vec::new(),
            tokens: Vec::new(),
            told: Vec::new(),
            notices: Vec::new(),
            ledger: Ledger::default(),
            errors: Vec::new(),
            handler: Box::new(handler),
            running: Vec::new(),
        }
    }

    /// Answers every command at once with its own payload under `echo`.
    #[must_use]
    pub fn echo() -> Self {
        Self::new(|call| Reply::ok(&format!("{{\"echo\":{}}}", call.payload.as_deref().unwrap_or("null"))))
    }

    /// How often each command ran.
    #[must_use]
    pub fn runs(&self) -> BTreeMap<&str, u32> {
        let mut runs = BTreeMap::new();
        for (_, call) in &self.calls {
            *runs.entry(call.id.as_str()).or_default() += 1;
        }
        runs
    }

    /// How many notices of a kind came.
    #[must_use]
    pub fn count(&self, is: impl Fn(&Notice) -> bool) -> usize {
        self.notices.iter().filter(|(_, notice)| is(notice)).count()
    }

    /// Commands that are being run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Fires a trigger, and puts it in the books.
    ///
    /// # Errors
    /// The machine's.
    pub fn trigger<S: Storage, D: Tables>(
        &mut self,
        now: Instant,
        device: &mut Device<S, D>,
        name: &str,
        payload: &str,
    ) -> Result<MessageKey, PublishError> {
        let key = device.trigger(now, name, payload.as_bytes())?;
        self.ledger.accepted(key);
        Ok(key)
    }

    fn answer<S: Storage, D: Tables>(
        &mut self,
        now: Instant,
        device: &mut Device<S, D>,
        token: CommandToken,
        result: &Result<String, String>,
    ) {
        let result = result.as_ref().map(String::as_bytes).map_err(String::as_str);
        if let Err(error) = device.respond(now, token, result) {
            self.errors.push(error);
        }
    }
}

impl<S: Storage, D: Tables> App<Device<S, D>> for DeviceApp {
    fn event(&mut self, now: Instant, device: &mut Device<S, D>, event: DeviceEvent<'_>) {
        let told = match event {
            DeviceEvent::Command(command) => {
                let call = Call {
                    id: command.id.as_str().into(),
                    name: command.name.to_string(),
                    payload: command.payload.map(|json| String::from_utf8_lossy(json).into_owned()),
                    dup: command.dup,
                };
                let reply = (self.handler)(&call);
                self.calls.push((now, call));
                self.tokens.push(command.token);
                match reply.result {
                    Some(result) if reply.after == Duration::ZERO => self.answer(now, device, command.token, &result),
                    Some(result) => self.running.push((now + reply.after, command.token, result)),
                    None => {}
                }
                return;
            }
            DeviceEvent::Connected { session_present } => Told::Connected(session_present),
            DeviceEvent::Welcome { message } => Told::Welcome(message.map(|m| m.to_string())),
            DeviceEvent::Repeated { id, executing } => Told::Repeated(id.as_str().into(), executing),
            DeviceEvent::TriggerAck { key, received, .. } => Told::TriggerAck(key, received),
            DeviceEvent::TriggerResult { name, result } => {
                Told::TriggerResult(name.to_string(), String::from_utf8_lossy(result).into_owned())
            }
            DeviceEvent::ServerError { code, message } => Told::ServerError(
                code.map(|code| String::from_utf8_lossy(code.raw()).into_owned()),
                message.map(|m| m.to_string()),
            ),
            DeviceEvent::Rejected { topic, error } => Told::Rejected(Rejection { topic: topic.into(), error }),
            DeviceEvent::Oversize(o) => Told::Oversize(o.topic.map(|t| t.as_str().into()), o.total),
            DeviceEvent::Unrelated(message) => Told::Unrelated(message.topic.as_str().into()),
            _ => return,
        };
        self.told.push((now, told));
    }

    fn outcome(&mut self, _now: Instant, _device: &mut Device<S, D>, key: MessageKey, outcome: Outcome) {
        self.ledger.ended(key, outcome);
    }

    fn notice(&mut self, now: Instant, _device: &mut Device<S, D>, notice: Notice) {
        self.notices.push((now, notice));
    }

    fn due(&self) -> Option<Instant> {
        self.running.iter().map(|(at, ..)| *at).min()
    }

    fn wake(&mut self, now: Instant, device: &mut Device<S, D>) {
        let (due, later) = core::mem::take(&mut self.running).into_iter().partition(|(at, ..)| *at <= now);
        self.running = later;
        let due: Vec<_> = due;
        for (_, token, result) in due {
            self.answer(now, device, token, &result);
        }
    }

    fn check(&self, _device: &Device<S, D>) -> Result<(), String> {
        self.ledger.check(None)
    }
}

impl core::fmt::Debug for DeviceApp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DeviceApp").field("calls", &self.calls).field("told", &self.told).finish_non_exhaustive()
    }
}

/// The key and the commands of a device under test.
#[derive(Clone, Debug)]
pub struct TestProfile {
    key: String,
    commands: Vec<String>,
}

impl TestProfile {
    /// A profile with this key and commands of these names.
    #[must_use]
    pub fn new(key: &str, commands: &[&str]) -> Self {
        Self { key: key.into(), commands: commands.iter().map(|&name| name.into()).collect() }
    }

    /// The source of a machine whose source is a profile.
    #[must_use]
    pub fn boxed<M: Machine<Source = dyn Profile + Send + Sync>>(self) -> Box<M::Source> {
        Box::new(self)
    }
}

impl Profile for TestProfile {
    fn api_key(&self) -> &str {
        &self.key
    }

    fn command(&self, index: usize) -> Option<CommandSpec<'_>> {
        self.commands.get(index).map(|name| CommandSpec::new(name, "a command of a test"))
    }
}
