//! Triggers from lines of JSON: what a line looks like, and how many may be open at once.

use std::sync::Arc;

use mqtt_device_tokio::Device;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::AsyncBufRead;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::lines::{Line, Lines};
use crate::text::excerpt;

/// How long a line may be.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// How many triggers of one source may be open, that is, wait for a connection or for the gateway's answer.
pub(super) const OPEN: u16 = 16;

/// A line that fires a trigger.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TriggerLine {
    pub(super) trigger: String,
    pub(super) payload: Option<Box<RawValue>>,
}

impl TriggerLine {
    /// How many bytes it takes, about.
    pub(super) fn len(&self) -> usize {
        self.trigger.len() + self.payload.as_ref().map_or(0, |raw| raw.get().len())
    }

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

/// Fires a trigger for each line until the input ends. A line is read when there is a place for its trigger, and not
/// before: the pipe waits, also while the device is offline. What goes wrong is in the log.
pub(super) async fn fire_each(device: &Device, from: &str, input: impl AsyncBufRead + Unpin) {
    let mut lines = Lines::new(input, MAX_LINE);
    let places = Places::default();
    loop {
        let place = places.next().await;
        // Empty and bad lines take no place.
        let line = loop {
            match next_trigger(&mut lines, from).await {
                Next::Trigger(line) => break line,
                Next::Bad => {}
                Next::End => return,
            }
        };
        place.fire(device, line);
    }
}

/// What a source of lines gives next.
pub(super) enum Next {
    Trigger(TriggerLine),
    /// Nothing, or something that the log tells of.
    Bad,
    End,
}

/// Reads one line. Cancel-safe.
pub(super) async fn next_trigger(lines: &mut Lines<impl AsyncBufRead + Unpin>, from: &str) -> Next {
    let line = match lines.next().await {
        Ok(Some(line)) => line,
        Ok(None) => return Next::End,
        Err(error) => {
            tracing::error!("{from}: {error}");
            return Next::End;
        }
    };
    match TriggerLine::read(&line) {
        Ok(Some(line)) => Next::Trigger(line),
        Ok(None) => Next::Bad,
        Err(why) => {
            tracing::error!("{from}: {why}");
            Next::Bad
        }
    }
}

/// The places for triggers of one source.
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(usize::from(OPEN))))
    }
}

/// A place for one trigger.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// Waits for a free one. Cancel-safe.
    pub(super) async fn next(&self) -> Place {
        match Arc::clone(&self.0).acquire_owned().await {
            Ok(_permit) => Place { _permit },
            Err(_) => core::future::pending().await, // nobody closes it
        }
    }

    /// A place, if one is free now.
    pub(super) fn try_next(&self) -> Option<Place> {
        Arc::clone(&self.0).try_acquire_owned().ok().map(|_permit| Place { _permit })
    }
}

impl Place {
    /// Fires; the place is taken until the gateway has answered, or will not any more. What goes wrong is in the log.
    pub(super) fn fire(self, device: &Device, line: TriggerLine) {
        let TriggerLine { trigger, payload } = line;
        let fired = device.trigger_json(&trigger, payload.as_ref().map_or("", |raw| raw.get()).as_bytes());
        tokio::spawn(async move {
            if let Err(error) = fired.await {
                tracing::error!("trigger {}: {error}", excerpt(trigger.as_bytes()));
            }
            drop(self);
        });
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
