//! The commands that were sent and not yet answered: when each is sent again, when it is given up.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::value::RawValue;

use super::manifest::Retry;
use super::names::DeviceId;
use crate::limits::{BACKOFF_MS, within};

/// How many commands may wait for their answer at once.
pub(crate) const MAX_PENDING: usize = 10_000;

/// How many answered commands are remembered, to tell a repeated answer from one to nobody's command.
const MAX_ANSWERED: usize = 1000;

/// A command to send.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) device: DeviceId,
    pub(crate) command: String,
    /// JSON, sent as it was written.
    pub(crate) payload: Option<Box<RawValue>>,
    pub(crate) retry: Retry,
    /// How long an answer may take, in milliseconds.
    pub(crate) timeout_ms: u64,
}

/// What is to be done about a command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Publish `body` on the device's command topic.
    Send { id: String, device: DeviceId, command: String, attempt: u32, body: Vec<u8> },
    /// Nobody answered any attempt.
    GiveUp { id: String, device: DeviceId, command: String, attempts: u32 },
}

/// What an answer belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The first answer to this command.
    First { command: String, attempts: u32 },
    /// One more answer to this command.
    Again { command: String },
    /// Not sent by this gateway.
    Unknown,
}

/// The table of commands. Time is in milliseconds of any monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    pending: BTreeMap<String, Pending>,
    answered: VecDeque<(String, DeviceId, String)>,
}

#[derive(Debug)]
struct Pending {
    device: DeviceId,
    command: String,
    body: Vec<u8>,
    retry: Retry,
    timeout_ms: u64,
    attempt: u32,
    /// Whether the answer's time is over and the pause before the next attempt runs.
    pausing: bool,
    due: u64,
}

impl Commands {
    /// Sends a command for the first time.
    ///
    /// # Errors
    /// Too many wait for their answer.
    pub(crate) fn start(&mut self, now: u64, id: String, request: Request) -> Result<Step, &'static str> {
        if self.pending.len() >= MAX_PENDING {
            return Err("too many commands wait for their answer: wait for some of them");
        }
        let body = Body {
            command_id: &id,
            command: &request.command,
            payload: request.payload.as_deref(),
            timeout: request.timeout_ms,
        };
        let Ok(body) = serde_json::to_vec(&body) else { return Err("the payload is no JSON: write it as JSON") };
        let Request { device, command, retry, timeout_ms, .. } = request;
        let due = now.saturating_add(timeout_ms);
        let pending = Pending { device, command, body, retry, timeout_ms, attempt: 1, pausing: false, due };
        let step = pending.send(&id);
        self.pending.insert(id, pending);
        Ok(step)
    }

    /// An answer with this id came from that device.
    pub(crate) fn answer(&mut self, device: &DeviceId, id: &str) -> Answered {
        if self.pending.get(id).is_some_and(|pending| pending.device == *device) {
            let Some((id, Pending { command, attempt, .. })) = self.pending.remove_entry(id) else {
                return Answered::Unknown;
            };
            if self.answered.len() >= MAX_ANSWERED {
                self.answered.pop_front();
            }
            self.answered.push_back((id, device.clone(), command.clone()));
            return Answered::First { command, attempts: attempt };
        }
        let known = self.answered.iter().find(|(known, by, _)| known == id && by == device);
        known.map_or(Answered::Unknown, |(_, _, command)| Answered::Again { command: command.clone() })
    }

    /// When [`Self::run_due`] is to be called.
    pub(crate) fn due(&self) -> Option<u64> {
        self.pending.values().map(|pending| pending.due).min()
    }

    /// Sends again and gives up what is due.
    pub(crate) fn run_due(&mut self, now: u64) -> Vec<Step> {
        let mut steps = Vec::new();
        self.pending.retain(|id, pending| {
            let step = if now < pending.due { None } else { pending.advance(now, id) };
            let keep = !matches!(step, Some(Step::GiveUp { .. }));
            steps.extend(step);
            keep
        });
        steps
    }

    /// How many wait for their answer.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }
}

impl Pending {
    fn advance(&mut self, now: u64, id: &str) -> Option<Step> {
        if self.attempt >= self.retry.max_attempts {
            let (device, command) = (self.device.clone(), self.command.clone());
            return Some(Step::GiveUp { id: id.to_owned(), device, command, attempts: self.attempt });
        }
        if !self.pausing {
            self.pausing = true;
            let doublings = self.attempt.saturating_sub(1).min(16);
            let pause = self.retry.backoff_ms.saturating_mul(1 << doublings);
            self.due = now.saturating_add(within(pause, &BACKOFF_MS));
            return None;
        }
        self.pausing = false;
        self.attempt += 1;
        self.due = now.saturating_add(self.timeout_ms);
        Some(self.send(id))
    }

    fn send(&self, id: &str) -> Step {
        let (device, command, body) = (self.device.clone(), self.command.clone(), self.body.clone());
        Step::Send { id: id.to_owned(), device, command, attempt: self.attempt, body }
    }
}

/// A command on the wire.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    command_id: &'a str,
    command: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    timeout: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(max_attempts: u32) -> Request {
        Request {
            device: "a:d".parse().unwrap(),
            command: "read".to_owned(),
            payload: Some(RawValue::from_string("{\"n\": 12345678901234567890123}".to_owned()).unwrap()),
            retry: Retry { max_attempts, backoff_ms: 100 },
            timeout_ms: 1000,
        }
    }

    fn attempt(step: &Step) -> Option<(u32, &[u8])> {
        match step {
            Step::Send { attempt, body, .. } => Some((*attempt, body)),
            Step::GiveUp { .. } => None,
        }
    }

    #[test]
    fn the_same_bytes_are_sent_again_until_the_attempts_are_used_up() {
        let mut commands = Commands::default();
        let first = commands.start(0, "c1".to_owned(), request(3)).unwrap();
        let (_, body) = attempt(&first).unwrap();
        let text = r#"{"commandId":"c1","command":"read","payload":{"n": 12345678901234567890123},"timeout":1000}"#;
        assert_eq!(core::str::from_utf8(body).unwrap(), text);
        assert_eq!(commands.due(), Some(1000));
        assert!(commands.run_due(999).is_empty());
        let mut sent = Vec::new();
        let mut gave_up = 0;
        while let Some(now) = commands.due() {
            for step in commands.run_due(now) {
                match attempt(&step) {
                    Some((n, again)) => {
                        assert_eq!(again, body);
                        sent.push((now, n));
                    }
                    None => gave_up = now,
                }
            }
        }
        assert_eq!(sent, [(1100, 2), (2300, 3)]); // the pause doubles
        assert_eq!((gave_up, commands.len()), (3300, 0));
    }

    #[test]
    fn an_answer_ends_the_attempts_and_a_repeated_one_is_known() {
        let mut commands = Commands::default();
        let (device, stranger) = ("a:d".parse().unwrap(), "a:x".parse().unwrap());
        commands.start(0, "c1".to_owned(), request(3)).unwrap();
        assert_eq!(commands.answer(&stranger, "c1"), Answered::Unknown);
        assert_eq!(commands.answer(&device, "c1"), Answered::First { command: "read".to_owned(), attempts: 1 });
        assert_eq!(commands.due(), None);
        assert_eq!(commands.answer(&device, "c1"), Answered::Again { command: "read".to_owned() });
        assert_eq!(commands.answer(&device, "c2"), Answered::Unknown);
    }

    #[test]
    fn the_tables_are_bounded() {
        let mut commands = Commands::default();
        let device = "a:d".parse().unwrap();
        for n in 0..MAX_PENDING {
            commands.start(0, n.to_string(), request(1)).unwrap();
        }
        assert!(commands.start(0, "one more".to_owned(), request(1)).is_err());
        for n in 0..MAX_PENDING {
            commands.answer(&device, &n.to_string());
        }
        assert_eq!((commands.len(), commands.answered.len()), (0, MAX_ANSWERED));
    }
}
