//! What happens to a device, as owned values.

use core::time::Duration;

use bytes::Bytes;
use mqtt_device_core::{DisconnectReason, MessageKey};

use super::TriggerAck;
use crate::queue::{Lagging, Weight};

/// What happened to a [`Device`](crate::Device).
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum DeviceEvent {
    /// Connected and ready for commands, for the first time.
    Connected {
        /// Whether the server had a session from an earlier life.
        session_present: bool,
    },
    /// Connected and ready again.
    Reconnected {
        /// Whether the server still had the session.
        session_present: bool,
    },
    /// The connection, or the attempt at one, is over.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// What the transport said, if it failed.
        detail: Option<String>,
        /// When the next attempt starts; `None` when there will be none.
        retry_in: Option<Duration>,
    },
    /// The gateway greets.
    Welcome {
        /// What it says.
        message: Option<String>,
    },
    /// The gateway reports an error.
    ServerError {
        /// Its code, as text.
        code: Option<String>,
        /// What it says.
        message: Option<String>,
    },
    /// A command came in and its handler was started.
    CommandReceived {
        /// Its `commandId`.
        id: String,
        /// Its name.
        name: String,
    },
    /// A command came again; it was not run again.
    CommandRepeated {
        /// Its `commandId`.
        id: String,
        /// Whether the first run is still going on; otherwise the same answer was sent again.
        executing: bool,
    },
    /// A command was answered.
    CommandAnswered {
        /// Its `commandId`.
        id: String,
        /// Its name.
        name: String,
        /// Why it was answered with `success: false`; `None` for success.
        error: Option<String>,
        /// How long the handler took.
        took: Duration,
    },
    /// The gateway answered a trigger.
    TriggerAck {
        /// The trigger; `None` when none was waiting.
        key: Option<MessageKey>,
        /// The answer.
        ack: TriggerAck,
    },
    /// No answer to a trigger came in time.
    TriggerTimeout {
        /// The trigger.
        key: MessageKey,
    },
    /// A trigger led to a result.
    TriggerResult {
        /// The trigger's name.
        name: String,
        /// The result, as JSON text.
        json: Bytes,
    },
    /// A message on one of our topics makes no sense; it was acknowledged and dropped.
    Rejected {
        /// Its topic.
        topic: String,
        /// What is wrong with it.
        error: String,
    },
    /// A message larger than the limit was skipped.
    Oversize {
        /// Its topic; `None` when not even that fitted.
        topic: Option<String>,
        /// The size of its packet.
        total: u32,
    },
    /// A message that is none of the protocol's.
    Unrelated {
        /// Its topic.
        topic: String,
    },
    /// The server answered a heartbeat.
    Pong {
        /// The round trip.
        latency: Duration,
    },
    /// The server refused a subscription without which the device is deaf.
    SubscriptionRefused {
        /// The server's reason.
        reason: mqtt_device_proto::ReasonCode,
    },
    /// Connections end soon after they begin: perhaps another device has the same name.
    PossibleDuplicateClient,
    /// A command was acknowledged before it was answered, to let the server go on.
    AcknowledgedEarly {
        /// How many so far.
        count: u32,
    },
    /// Commands were answered `busy` or dropped, since every entry of the command table is in use.
    CommandsTurnedAway {
        /// How many so far.
        count: u32,
    },
    /// Commands had not ended when the time of a stop was over, and were answered with `success: false`.
    CommandsInterrupted {
        /// How many.
        count: u32,
    },
    /// Something that has no event of its own, in words.
    Error {
        /// What.
        message: String,
    },
    /// The end.
    Stopped {
        /// Whether everything that was accepted left, and the server got an orderly goodbye.
        clean: bool,
    },
    /// The consumer of this stream lags: so many events were dropped here.
    Lagged(u64),
}

impl Lagging for DeviceEvent {
    fn lagged(n: u64) -> Self {
        Self::Lagged(n)
    }
}

impl Weight for DeviceEvent {
    fn weight(&self) -> usize {
        let len = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match self {
            Self::TriggerResult { name, json } => name.len() + json.len(),
            Self::CommandReceived { name, .. } | Self::CommandAnswered { name, .. } => name.len(),
            Self::Welcome { message } => len(message),
            Self::ServerError { code, message } => len(code) + len(message),
            Self::TriggerAck { ack, .. } => len(&ack.trigger_id) + len(&ack.error),
            Self::Rejected { topic, .. } | Self::Unrelated { topic } => topic.len(),
            Self::Oversize { topic, .. } => len(topic),
            _ => 0,
        }
    }
}
