//! The server's side of the Lua device protocol for one device: it sends commands, answers triggers and heartbeats, and
//! notes every message of the device that is not as the protocol has it.

use std::collections::{BTreeMap, BTreeSet};

use mqtt_device_core::{Duration, Instant};
use mqtt_device_proto::QoS;

use crate::json::{Json, quoted};
use crate::packet::ApplicationMessage;
use crate::server::{Published, Server};

/// What the gateway does by itself.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Heartbeats are answered.
    pub pongs: bool,
    /// Triggers are acknowledged.
    pub trigger_acks: bool,
    /// A device that authenticates is greeted.
    pub welcomes: bool,
    /// A command without a response is sent again after so long, under the same id.
    pub retry_after: Option<Duration>,
    /// How often a command is sent in all.
    pub attempts: u32,
}

impl Default for Habits {
    /// Answers everything, repeats nothing.
    fn default() -> Self {
        Self { pongs: true, trigger_acks: true, welcomes: true, retry_after: None, attempts: 1 }
    }
}

/// A command on its way.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its JSON.
    pub body: String,
    /// When it was sent.
    pub at: Vec<Instant>,
}

/// The gateway of one device.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// What it does by itself.
    pub habits: Habits,
    prefix: String,
    client_id: String,
    api_key: Option<String>,
    seen: usize,
    numbers: u32,
    commands: BTreeMap<String, Sent>,
    /// Those of them that are not answered.
    open: BTreeSet<String>,
    responses: BTreeMap<String, Vec<(Instant, String)>>,
    triggers: Vec<(Instant, String, Json)>,
    manifests: Vec<(Instant, Vec<String>)>,
    presence: Vec<(Instant, bool)>,
    heartbeats: Vec<Instant>,
    /// Ids that [`Gateway::send_raw`] may have used: their responses are not nonsense.
    foreign: bool,
    faults: Vec<String>,
}

impl Gateway {
    /// The gateway of device `device` of agent `agent`.
    #[must_use]
    pub fn new(agent: &str, device: &str) -> Self {
        Self {
            habits: Habits::default(),
            prefix: format!("lua/devices/{agent}/{device}/"),
            client_id: format!("lua-{agent}-{device}"),
            api_key: None,
            seen: 0,
            numbers: 0,
            commands: BTreeMap::new(),
            open: BTreeSet::new(),
            responses: BTreeMap::new(),
            triggers: Vec::new(),
            manifests: Vec::new(),
            presence: Vec::new(),
            heartbeats: Vec::new(),
            foreign: false,
            faults: Vec::new(),
        }
    }

    /// Demands this key when the device authenticates.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.api_key = Some(key.into());
        self
    }

    // ---------------------------------------------------------------- what a test makes it do

    /// Sends a command under an id of its own; `payload` is JSON, or empty for none.
    pub fn send(&mut self, now: Instant, server: &mut Server, command: &str, payload: &str) -> String {
        self.numbers += 1;
        let id = format!("cmd-{}", self.numbers);
        let payload = if payload.is_empty() { String::new() } else { format!(",\"payload\":{payload}") };
        let body = format!("{{\"commandId\":{},\"command\":{}{payload}}}", quoted(&id), quoted(command));
        self.commands.insert(id.clone(), Sent { body, at: Vec::new() });
        self.open.insert(id.clone());
        self.resend(now, server, &id);
        id
    }

    /// Sends a command again, under the same id.
    pub fn resend(&mut self, now: Instant, server: &mut Server, id: &str) {
        if let Some(sent) = self.commands.get_mut(id) {
            sent.at.push(now);
            let body = sent.body.clone();
            self.publish(now, server, "command", &body, QoS::AtLeastOnce);
        }
    }

    /// Publishes anything under a suffix of the device: for gateways that are broken or hostile.
    pub fn send_raw(&mut self, now: Instant, server: &mut Server, suffix: &str, body: &[u8]) {
        self.foreign = true;
        server.publish(now, ApplicationMessage::new(&format!("{}{suffix}", self.prefix), body, QoS::AtLeastOnce));
    }

    fn publish(&self, now: Instant, server: &mut Server, suffix: &str, body: &str, qos: QoS) {
        server.publish(now, ApplicationMessage::new(&format!("{}{suffix}", self.prefix), body.as_bytes(), qos));
    }

    // ---------------------------------------------------------------- what a test looks at

    /// The topic with a suffix.
    #[must_use]
    pub fn topic(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.prefix)
    }

    /// The Client Identifier of the device.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Responses by command id, each with every time it came.
    #[must_use]
    pub const fn responses(&self) -> &BTreeMap<String, Vec<(Instant, String)>> {
        &self.responses
    }

    /// The responses to one command.
    #[must_use]
    pub fn responses_to(&self, id: &str) -> Vec<&str> {
        self.responses.get(id).into_iter().flatten().map(|(_, body)| body.as_str()).collect()
    }

    /// Whether every command that was sent is answered, with something else than `busy`.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.open.is_empty()
    }

    /// Commands that were sent.
    #[must_use]
    pub const fn commands(&self) -> &BTreeMap<String, Sent> {
        &self.commands
    }

    /// Triggers in order of arrival: time, name, payload.
    #[must_use]
    pub fn triggers(&self) -> &[(Instant, String, Json)] {
        &self.triggers
    }

    /// The names of the commands in each manifest that came.
    #[must_use]
    pub fn manifests(&self) -> &[(Instant, Vec<String>)] {
        &self.manifests
    }

    /// Each retained status that came, wills among them: whether it says `online`.
    #[must_use]
    pub fn presence(&self) -> &[(Instant, bool)] {
        &self.presence
    }

    /// Whether the last status says `online`.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.presence.last().is_some_and(|(_, online)| *online)
    }

    /// When heartbeats came.
    #[must_use]
    pub fn heartbeats(&self) -> &[Instant] {
        &self.heartbeats
    }

    /// What the device sent that is not as the protocol has it.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    // ---------------------------------------------------------------- its work

    /// Reads what the server took since, and answers; whether there was anything.
    pub fn run(&mut self, now: Instant, server: &mut Server) -> bool {
        let before = self.seen;
        while let Some(published) = server.published().get(self.seen).cloned() {
            self.seen += 1;
            let ours = published.client_id.as_deref() == Some(&self.client_id);
            if let Some(suffix) = published.message.topic.strip_prefix(&self.prefix).filter(|_| ours) {
                let suffix = suffix.to_owned();
                if let Err(fault) = self.read(now, server, &suffix, &published) {
                    self.faults.push(format!("at {} ms: {fault}: {published:?}", now.as_millis()));
                }
            } else if ours {
                self.faults.push(format!("a topic that is not the device's: {published:?}"));
            }
        }
        let due: Vec<String> = self.overdue(now).cloned().collect();
        due.iter().for_each(|id| self.resend(now, server, id));
        before != self.seen || !due.is_empty()
    }

    /// When a command is to be sent again.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.repeats().map(|(_, at)| at).min()
    }

    fn repeats(&self) -> impl Iterator<Item = (&String, Instant)> {
        let after = self.habits.retry_after;
        let open = self.open.iter().filter(move |_| after.is_some());
        open.filter_map(move |id| {
            let sent = self.commands.get(id).filter(|sent| sent.at.len() < self.habits.attempts as usize)?;
            Some((id, *sent.at.last()? + after?))
        })
    }

    fn overdue(&self, now: Instant) -> impl Iterator<Item = &String> {
        self.repeats().filter(move |(_, at)| *at <= now).map(|(id, _)| id)
    }

    fn read(&mut self, now: Instant, server: &mut Server, suffix: &str, published: &Published) -> Result<(), String> {
        let message = &published.message;
        let expect = |qos, retain| match (message.qos, message.retain) == (qos, retain) {
            true => Ok(()),
            false => Err(format!("{suffix} with the wrong QoS or RETAIN")),
        };
        if suffix == "heartbeat" {
            expect(QoS::AtMostOnce, false)?;
            self.heartbeats.push(now);
            if self.habits.pongs {
                self.publish(now, server, "pong", "", QoS::AtMostOnce);
            }
            return message.payload.is_empty().then_some(()).ok_or("a heartbeat has no body".into());
        }
        let json = Json::parse(&message.payload)?;
        match suffix {
            "status" => {
                expect(QoS::AtLeastOnce, message.retain)?;
                if message.retain { self.note_presence(now, &json) } else { self.note_manifest(now, server, &json) }
            }
            "response" => {
                expect(QoS::AtLeastOnce, false)?;
                self.note_response(now, message.text(), &json)
            }
            "trigger" => {
                expect(QoS::AtLeastOnce, false)?;
                let name = json.text("triggerName").ok_or("no triggerName")?;
                let payload = json.get("payload").ok_or("no payload")?;
                self.triggers.push((now, name.into(), payload.clone()));
                if self.habits.trigger_acks {
                    let body = format!("{{\"triggerId\":\"t-{}\",\"received\":true}}", self.triggers.len());
                    self.publish(now, server, "trigger_ack", &body, QoS::AtLeastOnce);
                }
                Ok(())
            }
            _ => Err("a topic that no device publishes to".into()),
        }
    }

    fn note_presence(&mut self, now: Instant, json: &Json) -> Result<(), String> {
        let online = match json.text("status") {
            Some("online") => true,
            Some("offline") => false,
            _ => return Err("status is neither online nor offline".into()),
        };
        self.presence.push((now, online));
        match json.get("timestamp") {
            Some(Json::Null) => Ok(()),
            Some(Json::Text(text)) if text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T' => Ok(()),
            _ => Err("no timestamp in ISO 8601 with milliseconds".into()),
        }
    }

    fn note_manifest(&mut self, now: Instant, server: &mut Server, json: &Json) -> Result<(), String> {
        let Some(Json::List(commands)) = json.get("commands") else { return Err("no commands".into()) };
        let names = commands.iter().map(|c| c.text("name").map(str::to_owned).ok_or("a command without a name"));
        self.manifests.push((now, names.collect::<Result<_, _>>()?));
        let key = json.text("apiKey").ok_or("no apiKey")?;
        if self.api_key.as_deref().is_some_and(|expected| expected != key) {
            self.publish(now, server, "error", r#"{"code":"AUTH","message":"wrong key"}"#, QoS::AtLeastOnce);
        } else if self.habits.welcomes {
            self.publish(now, server, "connected", r#"{"message":"welcome"}"#, QoS::AtLeastOnce);
        }
        json.get("group").map(|_| ()).ok_or("no group".into())
    }

    fn note_response(&mut self, now: Instant, text: &str, json: &Json) -> Result<(), String> {
        let id = json.text("commandId").ok_or("no commandId")?;
        match (json.get("success"), json.text("error"), json.get("data")) {
            (Some(Json::Bool(true)), None, _) | (Some(Json::Bool(false)), Some(_), None) => {}
            _ => return Err("success, data and error do not go together".into()),
        }
        // `busy` says that it was not run and may be sent again: the answer proper is still to come.
        let is_busy = |json: &Json| json.text("error").is_some_and(|error| error.starts_with("busy"));
        let all = self.responses.entry(id.into()).or_default();
        all.push((now, text.into()));
        if !is_busy(json) {
            self.open.remove(id);
            let first = all.iter().find(|(_, other)| Json::parse(other.as_bytes()).is_ok_and(|json| !is_busy(&json)));
            if first.is_some_and(|(_, first)| first != text) {
                return Err("the response changed".into());
            }
        }
        match self.foreign || self.commands.contains_key(id) {
            true => Ok(()),
            false => Err("a response to nothing".into()),
        }
    }
}
