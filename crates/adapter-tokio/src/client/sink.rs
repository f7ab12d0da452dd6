//! The client's side of the driver: what it lends the machine, and what it does with facts.

use core::fmt;
use std::sync::Arc;

use mqtt_device_core::{Credentials, Event, MessageKey, NoRoom, Notice, Outcome, Oversize, Source, Subscription};
use mqtt_device_proto::{QoS, TopicFilter};

use super::messages::Waiting;
use super::{ClientEvent, Machine, Message, Will};
use crate::completions::{Completions, Ending};
use crate::driver::{Frame, Sink};
use crate::queue::{Fanout, Queue};
use crate::running::Reporter;
use crate::shared::Handle;

/// Names, credentials and declared subscriptions.
pub(super) struct ClientSource {
    pub(super) client_id: String,
    pub(super) username: Option<String>,
    pub(super) password: Option<Vec<u8>>,
    pub(super) will: Option<Will>,
    pub(super) subscriptions: Vec<(String, QoS)>,
}

impl AsRef<dyn Source + Send + Sync> for ClientSource {
    fn as_ref(&self) -> &(dyn Source + Send + Sync + 'static) {
        self
    }
}

impl Source for ClientSource {
    fn credentials<'s>(&'s self, _: Option<u64>, _: &'s mut [u8]) -> Result<Credentials<'s>, NoRoom> {
        Ok(Credentials {
            client_id: &self.client_id,
            username: self.username.as_deref(),
            password: self.password.as_deref(),
            will: self.will.as_ref().and_then(Will::lend),
        })
    }

    fn subscription<'s>(&'s self, index: u16, _: &'s mut [u8]) -> Option<Subscription<'s>> {
        let (filter, qos) = self.subscriptions.get(usize::from(index))?;
        Some(Subscription::new(TopicFilter::new(filter).ok()?, *qos))
    }
}

/// Copies messages into the queue and events to their subscribers.
pub(super) struct ClientSink {
    pub(super) messages: Arc<Queue<Waiting>>,
    /// How many QoS 1 messages may stand over the queue's capacity: what the server can have under way.
    pub(super) extra: usize,
    pub(super) dropped: u64,
    pub(super) handle: Handle<Machine>,
    /// The server keeps the session over a lost connection.
    pub(super) keeps_session: bool,
    pub(super) filters: Vec<String>,
    pub(super) events: Arc<Fanout<ClientEvent>>,
    pub(super) completions: Arc<Completions>,
    pub(super) reporter: Reporter,
    pub(super) detail: Option<String>,
}

impl ClientSink {
    fn message(&mut self, message: mqtt_device_core::Message<'_>, frame: Frame<'_>) {
        let mqtt_device_core::Message { topic, payload, qos, retain, dup, ack: token } = message;
        let topic = topic.as_str().to_owned();
        let message = Message { topic, payload: frame.own(payload), qos, retain, dup, ack: None };
        let extra = if token.is_some() { self.extra } else { 0 };
        let mut waiting = Waiting { message, token, orphan: false };
        // One that must be acknowledged takes the place of those that need not be.
        while let Err(refused) = self.messages.push(waiting, extra) {
            if refused.token.is_some() && self.messages.evict(|waiting| waiting.token.is_none()) {
                self.dropped();
                waiting = refused;
                continue;
            }
            if let Some(token) = refused.token {
                if self.messages.is_closed() {
                    // Nobody is there who would take it, now or later.
                    return;
                }
                let _ = self.handle.with(|m, _| m.forgo(token));
                if self.keeps_session {
                    // Not acknowledged: it comes again when there is room.
                    return;
                }
            }
            return self.dropped();
        }
    }

    fn dropped(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
        self.events.send(&ClientEvent::MessagesDropped { count: self.dropped });
    }
}

impl Sink<Machine> for ClientSink {
    fn event(&mut self, event: Event<'_>, frame: Frame<'_>) {
        match event {
            Event::Connected { session_present } => {
                tracing::info!(session_present, "connected");
                if session_present {
                    // What the consumer has not taken is unacknowledged, and comes again.
                    self.messages.retain(|waiting| waiting.token.is_none() || waiting.orphan);
                } else {
                    self.messages.update(|waiting| waiting.orphan = true);
                }
                self.events.send(&ClientEvent::Connected { session_present });
            }
            Event::Message(message) => self.message(message, frame),
            Event::Oversize(Oversize { topic, total }) => {
                let topic = topic.map(|t| t.as_str().to_owned());
                tracing::warn!(?topic, total, "a message over the limit was skipped");
                self.events.send(&ClientEvent::Oversize { topic, total });
            }
            other => tracing::debug!(event = ?other, "an event that this adapter does not know"),
        }
    }

    fn notice(&mut self, notice: Notice) {
        let event = match notice {
            Notice::Ready { again } => {
                self.reporter.ready();
                ClientEvent::Ready { again }
            }
            Notice::SubscriptionRefused { index, reason } => {
                self.reporter.refused(reason);
                let filter = self.filters.get(usize::from(index)).cloned().unwrap_or_default();
                tracing::warn!(filter, %reason, "subscription refused");
                ClientEvent::SubscriptionRefused { filter, reason }
            }
            Notice::Disconnected { reason, retry_in } => {
                let detail = self.detail.take();
                tracing::info!(?reason, detail, ?retry_in, "disconnected");
                self.reporter.down(reason, detail.clone());
                ClientEvent::Disconnected { reason, detail, retry_in: retry_in.map(Into::into) }
            }
            Notice::PossibleDuplicateClient => ClientEvent::PossibleDuplicateClient,
            Notice::AcknowledgedEarly { count } => ClientEvent::AcknowledgedEarly { count },
            Notice::Unacknowledged { count } => ClientEvent::Unacknowledged { count },
            Notice::Stopped { clean } => {
                self.reporter.stopped(clean);
                ClientEvent::Stopped { clean }
            }
            other => return tracing::debug!(notice = ?other, "notice"),
        };
        self.events.send(&event);
    }

    fn outcome(&mut self, key: MessageKey, outcome: Outcome) {
        self.completions.finish(key, Ending::Outcome(outcome));
    }

    fn link_failed(&mut self, error: &dyn fmt::Display) {
        self.detail = Some(error.to_string());
    }
}

impl Drop for ClientSink {
    fn drop(&mut self) {
        self.completions.close();
        self.messages.close();
        self.events.close();
    }
}
