//! Errors, with the blame in the type: the server's, the caller's, the transport's.

use core::fmt;
use mqtt_device_proto::{DecodeError, PacketType, ReasonCode, TopicError};

/// The server broke the protocol (or this machine is wrong about itself, see [`ProtocolError::Internal`]).
///
/// After it the machine takes no further input; go on writing until `Actions::close`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A packet could not be decoded.
    Malformed(DecodeError),
    /// A packet that has no place here, such as anything before CONNACK or a second CONNACK.
    Unexpected(PacketType),
    /// Session Present with a refusal, or though a clean start was asked for [MQTT-3.2.2-1], [MQTT-3.2.2-4].
    SessionPresent,
    /// A message with a QoS above the highest that was subscribed to.
    QosNotSupported,
    /// A packet other than PUBLISH was over the size that this machine takes.
    TooLarge {
        /// Its size.
        total: u32,
    },
    /// A SUBACK or UNSUBACK with a number of codes that does not fit the request [MQTT-3.9.3-1].
    WrongCodeCount,
    /// A branch that cannot happen happened. A fault of this library: please report it.
    Internal,
}

impl ProtocolError {
    /// The reason code that says this to the server (MQTT 5 DISCONNECT).
    #[must_use]
    pub fn reason_code(&self) -> ReasonCode {
        match self {
            Self::Malformed(e) => e.reason_code(),
            Self::Unexpected(_) | Self::SessionPresent | Self::WrongCodeCount => ReasonCode::PROTOCOL_ERROR,
            Self::QosNotSupported => ReasonCode::QOS_NOT_SUPPORTED,
            Self::TooLarge { .. } => ReasonCode::PACKET_TOO_LARGE,
            Self::Internal => ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(e) => write!(f, "the server sent a malformed packet: {e}"),
            Self::Unexpected(t) => write!(f, "the server sent {t:?} where the protocol has no place for it"),
            Self::SessionPresent => f.write_str("the server claims a session that cannot be"),
            Self::QosNotSupported => f.write_str("the server sent a message with a higher QoS than was subscribed to"),
            Self::TooLarge { total } => write!(f, "the server sent a control packet of {total} bytes, over the limit"),
            Self::WrongCodeCount => f.write_str("the server answered a subscription with a wrong number of codes"),
            Self::Internal => f.write_str("internal error in mqtt-device-core; please report it"),
        }
    }
}

impl core::error::Error for ProtocolError {}

/// A publication was not accepted; nothing changed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// The topic is no valid Topic Name.
    Topic(TopicError),
    /// No slot is free, or the class of the message is at its bound: try again after an outcome.
    Full,
    /// The outgoing buffer has no room for these many bytes now.
    NoRoom {
        /// Bytes that the message needs.
        needed: usize,
    },
    /// The message can never be sent: it is over the protocol's limit, its class's or the storage's.
    TooLarge {
        /// Bytes of the whole packet.
        total: u64,
    },
    /// QoS 2 is not built in.
    QosNotSupported,
    /// There is no class with this index; see [`CLASSES`](crate::CLASSES).
    NoSuchClass,
    /// The machine is stopping or stopped.
    Stopped,
    /// Device: the text is no JSON.
    NotJson {
        /// Offset of the first byte that is wrong.
        at: usize,
    },
    /// Device: a name that is empty, too long or holds control characters.
    BadName,
    /// Device: this command was answered already, or is not known.
    UnknownCommand,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(e) => write!(f, "not a topic name: {e}"),
            Self::Full => f.write_str("the outbox is full; wait for an outcome and try again"),
            Self::NoRoom { needed } => write!(f, "the outbox has no room for {needed} bytes; wait for an outcome"),
            Self::TooLarge { total } => write!(f, "a packet of {total} bytes is over what is ever accepted here"),
            Self::QosNotSupported => f.write_str("QoS 2 is not supported here"),
            Self::NoSuchClass => f.write_str("there is no class of messages with this index"),
            Self::Stopped => f.write_str("the machine is stopping"),
            Self::NotJson { at } => write!(f, "the payload is no valid JSON: look at byte {at}"),
            Self::BadName => f.write_str("a name must have 1 to 64 bytes and no control characters"),
            Self::UnknownCommand => f.write_str("this command is not waiting for an answer"),
        }
    }
}

impl core::error::Error for PublishError {}

/// A subscription or its removal was not accepted; nothing changed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeError {
    /// The text is no valid Topic Filter.
    Filter(TopicError),
    /// No slot or no room is free: try again after an outcome.
    Full,
    /// QoS 2 is not built in.
    QosNotSupported,
    /// The machine is stopping or stopped.
    Stopped,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(e) => write!(f, "not a topic filter: {e}"),
            Self::Full => f.write_str("the outbox is full; wait for an outcome and try again"),
            Self::QosNotSupported => f.write_str("QoS 2 is not supported here"),
            Self::Stopped => f.write_str("the machine is stopping"),
        }
    }
}

impl core::error::Error for SubscribeError {}

/// How far the transport is to be trusted, as the driver found it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// Encrypted, and the server's certificate was verified.
    Verified,
    /// Encrypted, but nobody knows to whom.
    Unverified,
    /// In clear text over a network.
    Plain,
    /// It does not leave this machine: loopback, a unix socket, a pipe.
    Local,
}

/// Why a transport could not be opened.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The name has no address.
    Dns,
    /// Nobody listens there.
    Refused,
    /// The server's certificate is not signed by anyone trusted.
    Untrusted,
    /// The server's certificate has expired.
    Expired,
    /// The server's certificate is for another host.
    WrongHost,
    /// The proxy refused.
    Proxy,
    /// It took too long.
    Timeout,
    /// Anything else.
    Other,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "the server's name has no address",
            Self::Refused => "connection refused: nobody listens there",
            Self::Untrusted => "the server's certificate is not signed by a trusted authority",
            Self::Expired => "the server's certificate has expired",
            Self::WrongHost => "the server's certificate is for another host",
            Self::Proxy => "the proxy refused the connection",
            Self::Timeout => "connecting took too long",
            Self::Other => "the transport could not be opened",
        })
    }
}
