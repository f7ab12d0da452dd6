//! What happens to a client, as owned values.

use core::time::Duration;

use mqtt_device_core::DisconnectReason;
use mqtt_device_proto::ReasonCode;

use crate::queue::{Lagging, Weight};

/// What happened to a [`Client`](crate::Client).
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum ClientEvent {
    /// The server accepted the connection.
    Connected {
        /// Whether it still had the session.
        session_present: bool,
    },
    /// Every declared subscription is granted.
    Ready {
        /// Whether the client was ready before.
        again: bool,
    },
    /// The server refused a declared subscription.
    SubscriptionRefused {
        /// Its filter.
        filter: String,
        /// The server's reason.
        reason: ReasonCode,
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
    /// A message larger than the limit was skipped.
    Oversize {
        /// Its topic; `None` when not even that fitted.
        topic: Option<String>,
        /// The size of its packet.
        total: u32,
    },
    /// The consumer of [`Messages`](crate::Messages) lags, and messages were dropped: of QoS 0, or of a session that is not kept.
    MessagesDropped {
        /// How many so far.
        count: u64,
    },
    /// Connections end soon after they begin: perhaps another client has the same Client Identifier.
    PossibleDuplicateClient,
    /// A message that waits for its acknowledgement was acknowledged early, to let the server go on.
    AcknowledgedEarly {
        /// How many so far.
        count: u32,
    },
    /// A QoS 1 message stays unacknowledged until the server delivers it again: the queue is full, or its
    /// [`AckHandle`](crate::AckHandle) was dropped. Once all others are dealt with, the client connects anew to have it.
    Unacknowledged {
        /// How many so far.
        count: u32,
    },
    /// The end.
    Stopped {
        /// Whether everything that was accepted left, and the server got an orderly goodbye.
        clean: bool,
    },
    /// The consumer of this stream lags: so many events were dropped here.
    Lagged(u64),
}

impl Lagging for ClientEvent {
    fn lagged(n: u64) -> Self {
        Self::Lagged(n)
    }
}

impl Weight for ClientEvent {
    fn weight(&self) -> usize {
        match self {
            Self::Oversize { topic: Some(topic), .. } => topic.len(),
            _ => 0,
        }
    }
}
