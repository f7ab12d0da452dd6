//! What a running device tells the person who watches it.

use mqtt_device_tokio::{DeviceEvent, Events};

use crate::exit::Outcome;
use crate::gateway::why;
use crate::output::{Spooled, Tone, Verbosity, gap};
use crate::text::excerpt;

/// Prints every event until the device has come to its end.
pub(super) async fn report(mut events: Events<DeviceEvent>, verbosity: Verbosity) -> Outcome {
    let output = Spooled::new(gap)?;
    while let Some(event) = events.next().await {
        let Some(Said { level, trouble, text }) = describe(&event) else { continue };
        if level <= verbosity || trouble {
            let tone = if trouble { Tone::Bad } else { Tone::Plain };
            output.line(&tone.paint(&text, 0))?;
        }
    }
    Ok(output.close()?)
}

/// What a device's event says, in words; `None` for what is of no interest.
pub(crate) fn describe_event(event: &DeviceEvent) -> Option<String> {
    describe(event).map(|said| said.text)
}

struct Said {
    /// From which verbosity on it is said.
    level: Verbosity,
    trouble: bool,
    text: String,
}

fn describe(event: &DeviceEvent) -> Option<Said> {
    let say = |level, text: String| Some(Said { level, trouble: false, text });
    let trouble = |text: String| Some(Said { level: -1, trouble: true, text });
    let plain = |text: &str| excerpt(text.as_bytes());
    let opt = |text: &Option<String>| text.as_deref().map(plain).unwrap_or_default();
    match event {
        DeviceEvent::Connected { .. } => say(0, "connected, ready for commands".to_owned()),
        DeviceEvent::Reconnected { .. } => say(0, "connected again".to_owned()),
        DeviceEvent::Disconnected { reason, detail, retry_in } => {
            let why = why(*reason, detail.as_ref());
            match retry_in {
                Some(delay) => trouble(format!("not connected: {why}; trying again in {} ms", delay.as_millis())),
                None => say(1, "disconnected".to_owned()),
            }
        }
        DeviceEvent::Welcome { message } => say(0, format!("the gateway greets: {}", opt(message))),
        DeviceEvent::ServerError { code, message } => {
            let hint = match code.as_deref() {
                Some("unauthorized") => ": is the key in api_key_file or api_key_env the right one?",
                _ => "",
            };
            trouble(format!("the gateway reports an error: {} ({}){hint}", opt(message), opt(code)))
        }
        DeviceEvent::CommandReceived { id, name } => say(1, format!("command {} ({})", plain(name), plain(id))),
        DeviceEvent::CommandRepeated { id, executing } => {
            let what = if *executing { "still running" } else { "the same answer again" };
            say(0, format!("command {} came again: not run again, {what}", plain(id)))
        }
        DeviceEvent::CommandAnswered { name, error: None, took, .. } => {
            say(0, format!("{} done in {} ms", plain(name), took.as_millis()))
        }
        DeviceEvent::CommandAnswered { name, error: Some(error), took, .. } => {
            trouble(format!("{} failed after {} ms: {}", plain(name), took.as_millis(), plain(error)))
        }
        DeviceEvent::TriggerAck { ack, .. } => {
            let id = opt(&ack.trigger_id);
            if ack.received {
                say(0, format!("trigger acknowledged ({id})"))
            } else {
                trouble(format!("trigger refused ({id}): {}", opt(&ack.error)))
            }
        }
        DeviceEvent::TriggerResult { name, json } => {
            say(0, format!("result of trigger {}: {}", plain(name), excerpt(json)))
        }
        DeviceEvent::Pong { latency } => say(1, format!("pong after {} ms", latency.as_millis())),
        DeviceEvent::Rejected { topic, error } => {
            trouble(format!("not the protocol, on {}: {}", plain(topic), plain(error)))
        }
        DeviceEvent::Oversize { topic, total } => {
            trouble(format!("a message of {total} bytes on {} is too large: skipped", opt(topic)))
        }
        DeviceEvent::Unrelated { topic } => say(1, format!("a message on {}, which is no topic of ours", plain(topic))),
        DeviceEvent::SubscriptionRefused { reason } => {
            trouble(format!("the broker refuses a subscription ({reason}): without it no command can come"))
        }
        DeviceEvent::PossibleDuplicateClient => {
            trouble("connections end soon after they begin: is another device running under this name?".to_owned())
        }
        DeviceEvent::CommandsTurnedAway { count } => trouble(format!("too many commands at once: {count} turned away")),
        DeviceEvent::CommandsInterrupted { count } => {
            trouble(format!("{count} commands interrupted by the stop, and answered so"))
        }
        DeviceEvent::AcknowledgedEarly { count } => {
            say(1, format!("{count} commands acknowledged before their answer"))
        }
        DeviceEvent::Error { message } => trouble(plain(message)),
        DeviceEvent::Lagged(n) => trouble(format!("too busy: {n} events not shown")),
        DeviceEvent::Stopped { clean: true } => say(0, "stopped".to_owned()),
        // Of triggers the log tells, with their names.
        _ => None,
    }
}
