//! The stage: gateway, device, proxy and an observer; everything that happens to them passes here and is counted.

use core::sync::atomic::Ordering;
use core::time::Duration;

use mqtt_device_tokio::{Device, DeviceEvent, Events};
use tokio::sync::watch;

use super::counts::Counts;
use super::greenhouse::Runs;
use super::proxy::Proxy;
use super::timeline::{Actor, Timeline};
use super::wire::Wire;
use crate::exit::{Failure, Outcome};
use crate::gateway::{Action, DeviceId, Event, Gateway, Link, News, Order, Outgoing};
use crate::run::describe_event;

/// How long any single thing may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// All that is on the stage.
pub(super) struct Stage {
    pub(super) id: DeviceId,
    pub(super) timeline: Timeline,
    pub(super) proxy: Proxy,
    pub(super) wire: watch::Receiver<Wire>,
    pub(super) gateway: Gateway,
    /// The gateway's connection.
    pub(super) link: Link,
    /// Another connection, which sees every message of the device in both directions, and no more.
    pub(super) observer: Link,
    pub(super) device: Device,
    /// `None` after the device's end.
    pub(super) events: Option<Events<DeviceEvent>>,
    pub(super) runs: Runs,
    pub(super) facts: Facts,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) seen: Counts,
    /// Whether the device is connected and ready.
    pub(super) ready: bool,
    /// Greetings, acknowledgements and results that reached the device.
    pub(super) welcomes: u64,
    pub(super) acks: u64,
    pub(super) results: u64,
    /// The answers in order, as the observer saw them.
    pub(super) answers: Vec<Vec<u8>>,
    /// Whether the observer's marker has come back since it was last sent.
    pub(super) marked: bool,
    /// Whether an `offline` that comes now is the will's.
    pub(super) cut: bool,
}

enum Happening {
    Gateway(News),
    Observer(News),
    Device(Option<DeviceEvent>),
    Wire,
    Due,
}

impl Stage {
    /// Plays on until `done`; `what` is awaited, for the complaint.
    ///
    /// # Errors
    /// It does not come in time, or a part has come to its end.
    pub(super) async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Outcome {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !done(self) {
            let happening = tokio::time::timeout_at(deadline, self.next()).await;
            let happening = happening.map_err(|_: tokio::time::error::Elapsed| {
                let facts = format!("{:?} {:?}", self.facts, *self.wire.borrow());
                tracing::debug!("{facts}");
                Failure::no_answer(format_args!("waited {} s for {what}, in vain: -vv says more", PATIENCE.as_secs()))
            })?;
            self.happened(happening)?;
        }
        Ok(())
    }

    /// Plays on for ever.
    ///
    /// # Errors
    /// A part has come to its end.
    pub(super) async fn play(&mut self) -> Outcome {
        loop {
            let happening = self.next().await;
            self.happened(happening)?;
        }
    }

    async fn next(&mut self) -> Happening {
        let due = self.gateway.due().map(|ms| self.link.at(ms));
        tokio::select! {
            news = self.link.next() => Happening::Gateway(news),
            news = self.observer.next() => Happening::Observer(news),
            event = next_event(&mut self.events) => Happening::Device(event),
            // When the wire is gone there is no more to hear of it.
            Ok(()) = self.wire.changed() => Happening::Wire,
            () = crate::gateway::sleep_until(due) => Happening::Due,
        }
    }

    fn happened(&mut self, happening: Happening) -> Outcome {
        match happening {
            Happening::Gateway(News::Message(message)) => {
                let actions = self.gateway.handle(&message.topic, &message.payload, message.retain);
                self.act(actions).map(drop)
            }
            Happening::Observer(News::Message(message)) => self.observed(&message.topic, &message.payload),
            Happening::Gateway(News::Event(event)) | Happening::Observer(News::Event(event)) => {
                crate::gateway::describe(event).into_iter().for_each(|text| tracing::info!("{text}"));
                Ok(())
            }
            Happening::Gateway(News::End) | Happening::Observer(News::End) => {
                Err(Failure::failed("a connection ended"))
            }
            Happening::Device(Some(event)) => self.device_said(&event),
            Happening::Device(None) => {
                self.events = None;
                Ok(())
            }
            Happening::Wire => Ok(()),
            Happening::Due => {
                let actions = self.gateway.run_due(self.link.now());
                self.act(actions).map(drop)
            }
        }
    }

    /// Sends a command through the gateway; gives what was published.
    ///
    /// # Errors
    /// The gateway refuses it.
    pub(super) fn send(&mut self, command: &str, payload: &str) -> Outcome<Outgoing> {
        let payload = serde_json::value::RawValue::from_string(payload.to_owned());
        let payload = Some(payload.map_err(|error| Failure::failed(format_args!("no payload: {error}")))?);
        let (device, command) = (self.id.clone(), command.to_owned());
        let order = Order { device, command, payload, attempts: Some(1), timeout_ms: Some(20_000) };
        let (_, actions) = self.gateway.send(self.link.now(), order).map_err(Failure::failed)?;
        self.act(actions)?.ok_or_else(|| Failure::failed("no command left"))
    }

    /// Carries out; gives the last message that was published.
    fn act(&mut self, actions: Vec<Action>) -> Outcome<Option<Outgoing>> {
        let mut last = None;
        for action in actions {
            match action {
                Action::Publish(outgoing) => {
                    self.link.publish(outgoing.clone());
                    last = Some(outgoing);
                }
                Action::Report(event) => {
                    match &event {
                        Event::Answer { repeat, command, .. } if command.is_some() => {
                            self.facts.seen.add(if *repeat { "repeats" } else { "answers" }, 1);
                        }
                        Event::Authenticated { .. } => self.facts.seen.add("manifests", 1),
                        _ => {}
                    }
                    self.timeline.say(Actor::Gateway, &event.what())?;
                }
            }
        }
        Ok(last)
    }

    fn observed(&mut self, topic: &str, payload: &[u8]) -> Outcome {
        let prefix = self.id.topic("");
        let Some(suffix) = topic.strip_prefix(&prefix) else {
            self.facts.marked = true; // the observer sees one topic beside the device's: its own marker's
            return Ok(());
        };
        self.facts.seen.add(suffix, 1);
        match suffix {
            "response" => self.facts.answers.push(payload.to_vec()),
            "status" if self.facts.cut && payload.starts_with(br#"{"status":"offline""#) => {
                self.facts.cut = false;
                self.facts.seen.add("wills", 1);
                self.timeline.say(Actor::Broker, "publishes the device's will: offline")?;
            }
            _ => {}
        }
        Ok(())
    }

    fn device_said(&mut self, event: &DeviceEvent) -> Outcome {
        match event {
            DeviceEvent::Connected { .. } | DeviceEvent::Reconnected { .. } => self.facts.ready = true,
            DeviceEvent::Disconnected { .. } => self.facts.ready = false,
            DeviceEvent::Welcome { .. } => self.facts.welcomes += 1,
            DeviceEvent::TriggerAck { ack, .. } if ack.received => self.facts.acks += 1,
            DeviceEvent::TriggerResult { .. } => self.facts.results += 1,
            _ => {}
        }
        describe_event(event).map_or(Ok(()), |text| self.timeline.say(Actor::Device, &text))
    }

    /// Waits until nothing is on its way: what is cut now is lost by nobody.
    ///
    /// # Errors
    /// As [`Self::until`].
    pub(super) async fn settle(&mut self) -> Outcome {
        self.until("every acknowledgement", |stage| stage.wire.borrow().unacknowledged == 0).await
    }

    /// Waits until the observer has seen all that the broker was given before.
    ///
    /// # Errors
    /// As [`Self::until`].
    pub(super) async fn catch_up(&mut self) -> Outcome {
        self.facts.marked = false;
        self.observer.mark();
        self.until("the observer's marker", |stage| stage.facts.marked).await
    }

    /// How often commands ran.
    pub(super) fn ran(&self) -> u64 {
        u64::from(self.runs.load(Ordering::Relaxed))
    }
}

/// The next event; after the end, never.
async fn next_event(events: &mut Option<Events<DeviceEvent>>) -> Option<DeviceEvent> {
    match events {
        Some(events) => events.next().await,
        None => core::future::pending().await,
    }
}
