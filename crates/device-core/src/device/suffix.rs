//! The last level of the protocol's topics, with direction, QoS and retain: one row each.

use mqtt_device_proto::QoS;

/// The messages of the protocol by the suffix of their topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Suffix {
    /// Retained presence: `online` or `offline`.
    Status,
    /// API key and manifest: the topic of [`Status`](Self::Status), but never retained.
    Auth,
    /// Every 30 s, empty.
    Heartbeat,
    /// The answer to a command.
    Response,
    /// An event fired by the device.
    Trigger,
    /// A command to run.
    Command,
    /// The server greets.
    Connected,
    /// The server has a trigger, or refuses it.
    TriggerAck,
    /// What came of a trigger.
    TriggerResult,
    /// The server reports an error.
    Error,
    /// The answer to a heartbeat.
    Pong,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the device.
    Out,
    /// To the device.
    In,
}

impl Suffix {
    /// What the device subscribes to, in that order. Its own status is not among it.
    pub const SUBSCRIBED: [Self; 6] =
        [Self::Command, Self::Connected, Self::TriggerAck, Self::TriggerResult, Self::Error, Self::Pong];

    /// The last level of the topic.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// Which way it goes.
    #[must_use]
    pub const fn direction(self) -> Direction {
        self.row().1
    }

    /// At which QoS it is published, or asked for.
    #[must_use]
    pub const fn qos(self) -> QoS {
        self.row().2
    }

    /// Whether it is published with RETAIN.
    #[must_use]
    pub const fn retain(self) -> bool {
        self.row().3
    }

    /// The suffix of that name. `status` is [`Status`](Self::Status): only RETAIN tells the two apart.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        const ALL: [Suffix; 10] = [
            Suffix::Status,
            Suffix::Heartbeat,
            Suffix::Response,
            Suffix::Trigger,
            Suffix::Command,
            Suffix::Connected,
            Suffix::TriggerAck,
            Suffix::TriggerResult,
            Suffix::Error,
            Suffix::Pong,
        ];
        ALL.into_iter().find(|suffix| suffix.as_str() == text)
    }

    /// The protocol's table.
    const fn row(self) -> (&'static str, Direction, QoS, bool) {
        match self {
            Self::Status => ("status", Direction::Out, QoS::AtLeastOnce, true),
            Self::Auth => ("status", Direction::Out, QoS::AtLeastOnce, false),
            Self::Heartbeat => ("heartbeat", Direction::Out, QoS::AtMostOnce, false),
            Self::Response => ("response", Direction::Out, QoS::AtLeastOnce, false),
            Self::Trigger => ("trigger", Direction::Out, QoS::AtLeastOnce, false),
            Self::Command => ("command", Direction::In, QoS::AtLeastOnce, false),
            Self::Connected => ("connected", Direction::In, QoS::AtLeastOnce, false),
            Self::TriggerAck => ("trigger_ack", Direction::In, QoS::AtLeastOnce, false),
            Self::TriggerResult => ("trigger_result", Direction::In, QoS::AtLeastOnce, false),
            Self::Error => ("error", Direction::In, QoS::AtLeastOnce, false),
            Self::Pong => ("pong", Direction::In, QoS::AtMostOnce, false),
        }
    }
}
