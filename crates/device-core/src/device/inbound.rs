//! What the server's messages mean: each by the suffix of its topic.

use super::commands::Received;
use super::event::{Command, DeviceEvent};
use super::message::{CommandMessage, Connected, MessageError, ServerError, TriggerAck, TriggerResult};
use super::source::{Kind, topic};
use super::suffix::Suffix;
use super::tables::Tables;
use super::{Device, Stopping, tag};
use mqtt_device_proto::QoS;

use crate::event::{AckToken, Event, Message, Notice};
use crate::session::Publication;
use crate::storage::Storage;
use crate::time::{Duration, Instant};

impl<S: Storage, D: Tables> Device<S, D> {
    pub(super) fn translate<'b>(&mut self, now: Instant, event: Event<'b>) -> Option<DeviceEvent<'b>> {
        match event {
            Event::Connected { session_present } => {
                self.commands.resumed(session_present);
                self.counted = Some(now);
                self.announce(now);
                Some(DeviceEvent::Connected { session_present })
            }
            Event::Oversize(oversize) => Some(DeviceEvent::Oversize(oversize)),
            Event::Message(message) => self.message(now, message),
        }
    }

    fn message<'b>(&mut self, now: Instant, message: Message<'b>) -> Option<DeviceEvent<'b>> {
        let topic = message.topic.as_str();
        let suffix = self.identity.suffix_of(topic).and_then(Suffix::parse);
        if suffix == Some(Suffix::Command) {
            return self.command(now, message);
        }
        // Everything but a command is dealt with by being handed over.
        if let Some(ack) = message.ack {
            self.client.acknowledge(ack);
        }
        let rejected = |error| DeviceEvent::Rejected { topic, error };
        Some(match suffix {
            Some(Suffix::Pong) => {
                self.pong(now);
                return None;
            }
            Some(Suffix::Connected) => match Connected::parse(message.payload) {
                Ok(Connected { message, .. }) => DeviceEvent::Welcome { message },
                Err(error) => rejected(error),
            },
            Some(Suffix::TriggerAck) => match TriggerAck::parse(message.payload) {
                Ok(ack) => DeviceEvent::TriggerAck {
                    key: self.trigger_acknowledged(&ack),
                    received: ack.received,
                    trigger_id: ack.trigger_id,
                    error: ack.error,
                },
                Err(error) => rejected(error),
            },
            Some(Suffix::TriggerResult) => match TriggerResult::parse(message.payload) {
                Ok(TriggerResult { name, result, .. }) => DeviceEvent::TriggerResult { name, result },
                Err(error) => rejected(error),
            },
            Some(Suffix::Error) => match ServerError::parse(message.payload) {
                Ok(ServerError { code, message, .. }) => DeviceEvent::ServerError { code, message },
                Err(error) => rejected(error),
            },
            _ => DeviceEvent::Unrelated(message),
        })
    }

    fn command<'b>(&mut self, now: Instant, message: Message<'b>) -> Option<DeviceEvent<'b>> {
        let Message { payload, qos, dup, ack, .. } = message;
        if self.stopping != Stopping::No {
            // Neither run nor acknowledged: the broker keeps it for the next start.
            return None;
        }
        let command = match CommandMessage::parse(payload) {
            Ok(command) => command,
            Err(error) => return Some(self.reject(message, error)),
        };
        // A new command is taken up only when its answer can be queued for certain.
        let known = self.commands.lookup(&command.id).is_some();
        let room = known || self.client.session_mut().has_spare_slot();
        // The server repeats itself on one connection: one acknowledgement answers both, so no further one is owed.
        let tagged = self.commands.lookup(&command.id).map(|received| tag(received.token()));
        let again = tagged.is_some() && ack.and_then(|ack| self.client.session_mut().tag_of(ack)) == tagged;
        let qos = if again { QoS::AtMostOnce } else { qos };
        let received =
            if room { self.commands.receive(&command.id, now.as_millis(), qos) } else { Err(super::commands::Full) };
        let Ok(received) = received else {
            self.answer_busy(now, &command, ack);
            return None;
        };
        let token = received.token();
        if let Some(ack) = ack {
            self.client.session_mut().tag(ack, tag(token));
        }
        match received {
            Received::New(token) => {
                self.reserve();
                self.release_held(now);
                let CommandMessage { id, name, payload, timeout, .. } = command;
                let timeout = timeout.map(Duration::from_millis);
                Some(DeviceEvent::Command(Command { token, id, name, payload, timeout, dup }))
            }
            Received::Executing(_) => {
                self.release_held(now);
                Some(DeviceEvent::Repeated { id: command.id, executing: true })
            }
            Received::Done(token) => {
                if !self.send_response(now, token, false) {
                    self.drop_command();
                }
                self.client.session_mut().acknowledge_tagged(tag(token));
                Some(DeviceEvent::Repeated { id: command.id, executing: false })
            }
        }
    }

    fn reject<'b>(&mut self, message: Message<'b>, error: MessageError) -> DeviceEvent<'b> {
        if let Some(ack) = message.ack {
            self.client.acknowledge(ack);
        }
        DeviceEvent::Rejected { topic: message.topic.as_str(), error }
    }

    /// Every entry, or every slot, is in use: the command is not run, and is told so.
    fn answer_busy(&mut self, now: Instant, command: &CommandMessage<'_>, ack: Option<AckToken>) {
        // What is only waiting for a confirmation may be free after the next answer of the server.
        self.client.session_mut().request_ping();
        match self.busy.take(command.id) {
            Some(index) => {
                self.busied = self.busied.saturating_add(1);
                let count = self.busied;
                let publication = Publication::with_token(topic(Suffix::Response), Suffix::Response.qos());
                let body = Kind::Busy.token(index);
                if self.client.session_mut().publish_inner(now, &publication, body, true).is_ok() {
                    self.client.session_mut().notify(Notice::CommandBusy { count });
                } else {
                    self.busy.free(index);
                    self.drop_command();
                }
                self.reserve();
            }
            None => self.drop_command(),
        }
        if let Some(ack) = ack {
            self.client.acknowledge(ack);
        }
    }

    fn drop_command(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
        self.client.session_mut().notify(Notice::CommandDropped { count: self.dropped });
    }
}
