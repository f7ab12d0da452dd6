//! What a client may not do, and the list of what it did all the same.

use core::fmt;

use mqtt_device_core::Instant;

/// A rule that a client broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The first packet must be CONNECT [MQTT-3.1.0-1].
    ConnectFirst,
    /// CONNECT comes once [MQTT-3.1.0-2].
    ConnectOnce,
    /// Nothing may follow DISCONNECT [MQTT-3.14.4-2].
    NothingAfterDisconnect,
    /// Bytes that are no packet: wrong flags, wrong lengths, bad strings.
    Undecodable,
    /// A packet that only a server sends, or that answers nothing.
    Unexpected,
    /// A packet identifier that is still in use [MQTT-2.3.1-2].
    PacketIdInUse,
    /// A repeated message without DUP, or DUP on a message that cannot have been sent before [MQTT-3.3.1-1].
    Dup,
    /// A repeated message that is not the same as the first time.
    ResendChanged,
    /// Repeated messages out of order, or after new ones, or missing [MQTT-4.6.0-1], [MQTT-4.4.0-1].
    ResendOrder,
    /// A message repeated on the connection on which it was sent.
    ResentWhileConnected,
    /// PUBACK for a message that was not sent on this connection, or not whole yet.
    UnknownAck,
    /// PUBACKs in another order than the messages came [MQTT-4.6.0-2].
    AckOrder,
    /// QoS 2, which this server does not offer.
    QosNotOffered,
    /// Nothing came within the Keep Alive time [MQTT-3.1.2-23].
    KeepAlive,
    /// PINGREQ much more often than the Keep Alive time asks for.
    PingTooOften,
    /// A subscription to the topic of the client's own will: it would hear itself.
    OwnStatus,
    /// A secret where others can read it: in a topic, a will, a retained message, a client identifier.
    Secret,
    /// A filter that was subscribed to already, in a session that still had it, for nothing.
    SubscribedAgain,
}

/// One breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Instant,
    /// Whose; empty before CONNECT.
    pub client_id: String,
    /// What was broken.
    pub rule: Rule,
    /// The packet, and what was wrong with it.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, client_id, rule, detail } = self;
        write!(f, "at {} ms {client_id:?} broke {rule:?}: {detail}", at.as_millis())
    }
}
