//! Triggers from lines of JSON: on standard input, or from a program that is watched.

use core::time::Duration;

use mqtt_device_tokio::{Device, Trigger};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufRead, BufReader};
use tokio::time::Instant;

use super::program::Launcher;
use crate::lines::{Line, Lines};
use crate::text::excerpt;

/// How long a line may be.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// The pause before a watched program is started again: doubled after each short run.
const RESTART: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A line that fires a trigger.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TriggerLine {
    pub(super) trigger: String,
    pub(super) payload: Option<Box<RawValue>>,
}

impl TriggerLine {
    /// Reads a line; `None` when there is nothing on it.
    ///
    /// # Errors
    /// What is wrong with it, and how it looks right.
    pub(super) fn read(line: &Line) -> Result<Option<Self>, String> {
        let text = match line {
            Line::TooLong => return Err(format!("a line has more than {MAX_LINE} bytes: shorten it")),
            Line::Text(text) if text.trim().is_empty() => return Ok(None),
            Line::Text(text) => text,
        };
        serde_json::from_str(text).map(Some).map_err(|error| {
            let line = excerpt(text.as_bytes());
            format!("{line}: {error}: write {{\"trigger\":\"NAME\",\"payload\":{{…}}}}")
        })
    }
}

/// Fires a trigger for each line until the input ends. What goes wrong is in the log.
pub(super) async fn fire_each(device: &Device, from: &str, input: impl AsyncBufRead + Unpin) {
    let mut lines = Lines::new(input, MAX_LINE);
    loop {
        let line = match lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) => return,
            Err(error) => {
                tracing::error!("{from}: {error}");
                return;
            }
        };
        match TriggerLine::read(&line) {
            Ok(None) => {}
            Ok(Some(TriggerLine { trigger, payload })) => {
                let payload = payload.as_ref().map_or("", |raw| raw.get());
                let fired = device.trigger_json(&trigger, payload.as_bytes());
                tokio::spawn(report(trigger, fired));
            }
            Err(why) => tracing::error!("{from}: {why}"),
        }
    }
}

async fn report(name: String, fired: Trigger) {
    if let Err(error) = fired.await {
        tracing::error!("trigger {}: {error}", excerpt(name.as_bytes()));
    }
}

/// Runs a program whose output fires triggers; starts it again when it ends.
pub(super) async fn watch(device: &Device, launcher: &Launcher, program: &[String]) {
    let name = program.first().map_or("", String::as_str);
    let mut pause = RESTART.0;
    loop {
        let began = Instant::now();
        match launcher.start(program, &[]) {
            Err(why) => tracing::error!("watched program: {why}"),
            Ok((mut child, group)) => {
                drop(child.stdin.take());
                let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
                let triggers = async {
                    if let Some(stdout) = stdout {
                        fire_each(device, name, BufReader::new(stdout)).await;
                    }
                };
                let complaints = async {
                    if let Some(stderr) = stderr {
                        forward(name, stderr).await;
                    }
                };
                tokio::join!(triggers, complaints);
                drop(group); // its output has ended: nothing can come of it any more
                match child.wait().await {
                    Ok(status) => tracing::warn!("watched program {name} ended ({status}): started again soon"),
                    Err(error) => tracing::error!("watched program {name}: {error}"),
                }
            }
        }
        pause = if began.elapsed() > RESTART.1 { RESTART.0 } else { pause };
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RESTART.1);
    }
}

/// What a watched program writes to standard error goes into the log.
async fn forward(name: &str, stderr: impl tokio::io::AsyncRead + Unpin) {
    let mut lines = Lines::new(BufReader::new(stderr), MAX_LINE);
    while let Ok(Some(line)) = lines.next().await {
        match line {
            Line::Text(text) => tracing::warn!("{name}: {}", excerpt(text.as_bytes())),
            Line::TooLong => tracing::warn!("{name}: a line of more than {MAX_LINE} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<TriggerLine>, String> {
        TriggerLine::read(&Line::Text(text.to_owned()))
    }

    #[test]
    fn a_line_names_a_trigger_and_its_payload() {
        let line = read(r#"{"trigger":"hot","payload":{"t": 4.0}}"#).unwrap().unwrap();
        assert_eq!((line.trigger.as_str(), line.payload.unwrap().get()), ("hot", r#"{"t": 4.0}"#));
        assert!(read(r#"{"trigger":"hot"}"#).unwrap().unwrap().payload.is_none());
        assert!(read("  ").unwrap().is_none());
    }

    #[test]
    fn a_bad_line_is_shown_with_what_to_write() {
        for text in ["hot", r#"{"trigger":1}"#, r#"{"payload":{}}"#, r#"{"trigger":"a","paylod":{}}"#] {
            let why = read(text).unwrap_err();
            assert!(why.contains(r#"{"trigger":"NAME""#), "{why}");
        }
        assert!(TriggerLine::read(&Line::TooLong).unwrap_err().contains("65536 bytes"));
    }
}
