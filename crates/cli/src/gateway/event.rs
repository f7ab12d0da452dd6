//! What a gateway reports: one JSON line, or one line for people.

use serde::Serialize;
use serde_json::Value;

use super::names::DeviceId;
use crate::text::{Plain, excerpt};

/// Something that happened. No event holds an API key.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A device is online; `retained` when the broker kept that from earlier.
    Online { device: DeviceId, group: Option<String>, retained: bool },
    /// A device is offline: it said so, or its will did.
    Offline { device: DeviceId, retained: bool },
    /// A device showed a valid key and its commands.
    Authenticated { device: DeviceId, group: Option<String>, commands: Vec<String> },
    /// A device was refused.
    Refused { device: DeviceId, code: &'static str, reason: String },
    /// A device lives whose key this gateway has not seen; said once.
    Unproven { device: DeviceId },
    /// A device beat and got its `pong`.
    Heartbeat { device: DeviceId },
    /// A command left for a device.
    Command { device: DeviceId, command_id: String, command: String, attempt: u32 },
    /// A device answered; `repeat` when it had answered before, no `command` when this gateway did not ask.
    #[serde(rename = "response")]
    Answer {
        device: DeviceId,
        command_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        command: Option<String>,
        success: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        repeat: bool,
    },
    /// No attempt at a command was answered.
    NoAnswer { device: DeviceId, command_id: String, command: String, attempts: u32 },
    /// A device fired a trigger, and was told whether it was accepted.
    Trigger { device: DeviceId, trigger: String, trigger_id: String, payload: Value, accepted: bool },
    /// Something that is not the protocol. `excerpt` is left out where a key could be in it.
    Invalid {
        topic: String,
        reason: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        excerpt: Option<String>,
    },
    /// A bound of the gateway was reached.
    Limit { device: DeviceId, reason: &'static str },
    /// The gateway itself: connected, cut, …
    Gateway { message: String },
}

impl Event {
    /// Who it is about, for the left column.
    pub(crate) fn who(&self) -> String {
        match self {
            Self::Online { device, .. }
            | Self::Offline { device, .. }
            | Self::Authenticated { device, .. }
            | Self::Refused { device, .. }
            | Self::Unproven { device }
            | Self::Heartbeat { device }
            | Self::Command { device, .. }
            | Self::Answer { device, .. }
            | Self::NoAnswer { device, .. }
            | Self::Trigger { device, .. }
            | Self::Limit { device, .. } => device.to_string(),
            Self::Invalid { .. } | Self::Gateway { .. } => "gateway".to_owned(),
        }
    }

    /// What happened, in words; whatever a device wrote is cut short and cannot drive the terminal.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::Online { group, retained, .. } => {
                let group = group.as_ref().map(|group| format!(", group {}", Plain(group))).unwrap_or_default();
                format!("online{group}{}", kept(*retained))
            }
            Self::Offline { retained, .. } => format!("offline{}", kept(*retained)),
            Self::Authenticated { commands, .. } => format!("key accepted; commands: {}", list(commands)),
            Self::Refused { code, reason, .. } => format!("refused ({code}): {}", Plain(reason)),
            Self::Unproven { .. } => {
                "has not shown its API key to this gateway: ignored, but for commands, until it connects again"
                    .to_owned()
            }
            Self::Heartbeat { .. } => "heartbeat, answered with pong".to_owned(),
            Self::Command { command_id, command, attempt, .. } => {
                let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
                format!("command {} sent ({}{again})", Plain(command), Plain(command_id))
            }
            Self::Answer { command_id, command, success, data, error, repeat, .. } => {
                let what = command.as_deref().unwrap_or("a command of somebody else's");
                let again = if *repeat { " again" } else { "" };
                let id = excerpt(command_id.as_bytes());
                let said = match (success, data, error) {
                    (true, Some(data), _) => excerpt(data.to_string().as_bytes()),
                    (true, None, _) => "done".to_owned(),
                    (false, _, error) => format!("failed: {}", excerpt(error.as_deref().unwrap_or("?").as_bytes())),
                };
                format!("answered {}{again} ({id}): {said}", Plain(what))
            }
            Self::NoAnswer { command_id, command, attempts, .. } => {
                format!("did not answer {} ({}), {attempts} attempts", Plain(command), Plain(command_id))
            }
            Self::Trigger { trigger, payload, trigger_id, accepted, .. } => {
                let verdict = if *accepted { "acknowledged" } else { "refused" };
                let payload = excerpt(payload.to_string().as_bytes());
                format!("trigger {} {payload}, {verdict} as {trigger_id}", excerpt(trigger.as_bytes()))
            }
            Self::Invalid { topic, reason, excerpt } => {
                let shown = excerpt.as_ref().map(|text| format!(": {}", Plain(text))).unwrap_or_default();
                format!("not the protocol, on {}: {}{shown}", self::excerpt(topic.as_bytes()), Plain(reason))
            }
            Self::Limit { reason, .. } => (*reason).to_owned(),
            Self::Gateway { message } => Plain(message).to_string(),
        }
    }

    /// Whether a person should notice it.
    pub(crate) const fn is_trouble(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Unproven { .. }
                | Self::NoAnswer { .. }
                | Self::Invalid { .. }
                | Self::Limit { .. }
                | Self::Answer { success: false, .. }
                | Self::Trigger { accepted: false, .. }
        )
    }
}

const fn kept(retained: bool) -> &'static str {
    if retained { " (as the broker kept it)" } else { "" }
}

/// Names, at most ten of them.
fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let mut shown: Vec<String> = names.iter().take(10).map(|name| excerpt(name.as_bytes())).collect();
    if names.len() > shown.len() {
        shown.push(format!("and {} more", names.len() - shown.len()));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_json_with_a_tag() {
        let event = Event::Answer {
            device: "a:d".parse().unwrap(),
            command_id: "c\n1".to_owned(),
            command: Some("read".to_owned()),
            success: true,
            data: Some(serde_json::json!({"t": 1})),
            error: None,
            repeat: false,
        };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(
            line,
            r#"{"event":"response","device":"a:d","command_id":"c\n1","command":"read","success":true,"data":{"t":1},"repeat":false}"#
        );
    }

    #[test]
    fn what_a_device_wrote_cannot_drive_the_terminal() {
        let event = Event::Trigger {
            device: "a:d".parse().unwrap(),
            trigger: "\u{1b}[2Jgone\r\n".to_owned(),
            trigger_id: "t".to_owned(),
            payload: Value::String("\u{9b}31m".repeat(500)),
            accepted: true,
        };
        let what = event.what();
        assert!(!what.contains(char::is_control), "{what:?}");
        assert!(what.len() < 1000, "{}", what.len());
    }
}
