//! The class of a packet in the standard's words, and the statement that a refused one breaks.

use core::fmt;

use crate::error::{DecodeError, DecodeErrorKind as Kind};
use crate::packet::Packet;
use crate::types::{PacketType, Version};

/// What the standard calls a frame.
///
/// ```
/// use mqtt_device_proto::{Packet, Role, Verdict, Version};
/// let verdict = |frame| Verdict::of(&Packet::decode(frame, Version::V311, Role::Client));
/// assert_eq!(verdict(&[0xC0, 0x00]), Verdict::Valid);
/// assert_eq!(verdict(&[0xC1, 0x00]), Verdict::Malformed);
/// assert_eq!(verdict(&[0xD0, 0x00]), Verdict::ProtocolError); // PINGRESP from a client
/// assert_eq!(verdict(&[0xC0]).to_string(), "incomplete");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Verdict {
    /// A packet.
    Valid,
    /// Bytes that cannot be read as a packet.
    Malformed,
    /// A packet that is forbidden, by its content or its sender.
    ProtocolError,
    /// The beginning of something that may become a packet.
    Incomplete,
}

impl Verdict {
    /// The verdict that a result of [`Packet::decode`] stands for.
    #[must_use]
    pub const fn of(result: &Result<Packet<'_>, DecodeError>) -> Self {
        match result {
            Ok(_) => Self::Valid,
            Err(DecodeError { kind: Kind::Incomplete, .. }) => Self::Incomplete,
            Err(error) if error.kind.is_protocol_error() => Self::ProtocolError,
            Err(_) => Self::Malformed,
        }
    }

    /// In lower case, words joined by a hyphen.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Malformed => "malformed",
            Self::ProtocolError => "protocol-error",
            Self::Incomplete => "incomplete",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl DecodeError {
    /// The normative statement that the packet breaks, such as `MQTT-3.1.2-3`, where the standard of `version` has
    /// numbered one. The rules of a packet's shape have no number, and nothing in MQTT 3.1 has.
    #[must_use]
    pub const fn statement(&self, version: Version) -> Option<&'static str> {
        match version {
            Version::V31 => None,
            Version::V311 => self.statement_v311(),
            #[cfg(feature = "v5")]
            Version::V5 => self.statement_v5(),
        }
    }

    const fn statement_v311(&self) -> Option<&'static str> {
        Some(match (self.kind, self.packet) {
            (Kind::ReservedFlags, Some(PacketType::PubRel)) => "MQTT-3.6.1-1",
            (Kind::ReservedFlags, Some(PacketType::Subscribe)) => "MQTT-3.8.1-1",
            (Kind::ReservedFlags, Some(PacketType::Unsubscribe)) => "MQTT-3.10.1-1",
            (Kind::ReservedFlags, Some(PacketType::Disconnect)) => "MQTT-3.14.1-1",
            (Kind::ReservedFlags, _) => "MQTT-2.2.2-2",
            (Kind::BadQoS, _) => "MQTT-3.3.1-4",
            (Kind::BadUtf8, _) => "MQTT-1.5.3-1",
            (Kind::NulCharacter, _) => "MQTT-1.5.3-2",
            (Kind::ZeroPacketId, _) => "MQTT-2.3.1-1",
            (Kind::BadProtocolName, _) => "MQTT-3.1.2-1",
            (Kind::BadProtocolLevel(_), _) => "MQTT-3.1.2-2",
            (Kind::ReservedConnectFlag, _) => "MQTT-3.1.2-3",
            (Kind::WillQoSWithoutWill | Kind::WillRetainWithoutWill, _) => "MQTT-3.1.2-11",
            (Kind::BadWillQoS, _) => "MQTT-3.1.2-14",
            (Kind::PasswordWithoutUserName, _) => "MQTT-3.1.2-22",
            (Kind::EmptyClientId, _) => "MQTT-3.1.3-7",
            (Kind::SessionPresentWithError, _) => "MQTT-3.2.2-4",
            (Kind::BadReasonCode(_), Some(PacketType::SubAck)) => "MQTT-3.9.3-2",
            (Kind::DupWithQoS0, _) => "MQTT-3.3.1-2",
            (Kind::EmptyTopicName | Kind::EmptyTopicFilter, _) => "MQTT-4.7.3-1",
            (Kind::WildcardInTopicName, Some(PacketType::Publish)) => "MQTT-3.3.2-2",
            (Kind::WildcardInTopicName, _) => "MQTT-4.7.1-1",
            (Kind::MisplacedMultiLevelWildcard, _) => "MQTT-4.7.1-2",
            (Kind::MisplacedSingleLevelWildcard, _) => "MQTT-4.7.1-3",
            (Kind::ReservedSubscribeOptions, _) => "MQTT-3.8.3-4",
            (Kind::NoTopicFilter, Some(PacketType::Unsubscribe)) => "MQTT-3.10.3-2",
            (Kind::NoTopicFilter, _) => "MQTT-3.8.3-3",
            (Kind::NoReasonCodes, _) => "MQTT-3.8.4-5",
            _ => return None,
        })
    }

    #[cfg(feature = "v5")]
    const fn statement_v5(&self) -> Option<&'static str> {
        use crate::property::PropertyId;
        Some(match (self.kind, self.packet) {
            (Kind::ReservedFlags, Some(PacketType::PubRel)) => "MQTT-3.6.1-1",
            (Kind::ReservedFlags, Some(PacketType::Subscribe)) => "MQTT-3.8.1-1",
            (Kind::ReservedFlags, Some(PacketType::Unsubscribe)) => "MQTT-3.10.1-1",
            (Kind::ReservedFlags, Some(PacketType::Disconnect)) => "MQTT-3.14.1-1",
            (Kind::ReservedFlags, Some(PacketType::Auth)) => "MQTT-3.15.1-1",
            (Kind::ReservedFlags, _) => "MQTT-2.1.3-1",
            (Kind::BadQoS, _) => "MQTT-3.3.1-4",
            (Kind::BadUtf8, _) => "MQTT-1.5.4-1",
            (Kind::NulCharacter, _) => "MQTT-1.5.4-2",
            (Kind::VarintNotMinimal, _) => "MQTT-1.5.5-1",
            (Kind::ZeroPacketId, _) => "MQTT-2.2.1-3",
            (Kind::BadProtocolName, _) => "MQTT-3.1.2-1",
            (Kind::BadProtocolLevel(_), _) => "MQTT-3.1.2-2",
            (Kind::ReservedConnectFlag, _) => "MQTT-3.1.2-3",
            (Kind::WillQoSWithoutWill, _) => "MQTT-3.1.2-11",
            (Kind::WillRetainWithoutWill, _) => "MQTT-3.1.2-13",
            (Kind::BadWillQoS, _) => "MQTT-3.1.2-12",
            (Kind::ReservedConnAckFlags, _) => "MQTT-3.2.2-1",
            (Kind::SessionPresentWithError, _) => "MQTT-3.2.2-6",
            (Kind::BadReasonCode(_), Some(packet)) => match packet {
                PacketType::ConnAck => "MQTT-3.2.2-8",
                PacketType::PubAck => "MQTT-3.4.2-1",
                PacketType::PubRec => "MQTT-3.5.2-1",
                PacketType::PubRel => "MQTT-3.6.2-1",
                PacketType::PubComp => "MQTT-3.7.2-1",
                PacketType::SubAck => "MQTT-3.9.3-2",
                PacketType::UnsubAck => "MQTT-3.11.3-2",
                PacketType::Disconnect => "MQTT-3.14.2-1",
                PacketType::Auth => "MQTT-3.15.2-1",
                _ => return None,
            },
            (Kind::DupWithQoS0, _) => "MQTT-3.3.1-2",
            (Kind::EmptyTopicName | Kind::EmptyTopicFilter, _) => "MQTT-4.7.3-1",
            (Kind::WildcardInTopicName, Some(PacketType::Publish)) => "MQTT-3.3.2-2",
            (Kind::WildcardInResponseTopic, Some(PacketType::Publish)) => "MQTT-3.3.2-14",
            (Kind::WildcardInTopicName | Kind::WildcardInResponseTopic, _) => "MQTT-4.7.0-1",
            (Kind::MisplacedMultiLevelWildcard, _) => "MQTT-4.7.1-1",
            (Kind::MisplacedSingleLevelWildcard, _) => "MQTT-4.7.1-2",
            (Kind::EmptyShareName, _) => "MQTT-4.8.2-1",
            (Kind::BadSharedFilter, _) => "MQTT-4.8.2-2",
            (Kind::ReservedSubscribeOptions, _) => "MQTT-3.8.3-5",
            (Kind::NoLocalOnShared, _) => "MQTT-3.8.3-4",
            (Kind::NoTopicFilter, Some(PacketType::Unsubscribe)) => "MQTT-3.10.3-2",
            (Kind::NoTopicFilter, _) => "MQTT-3.8.3-2",
            (Kind::NoReasonCodes, Some(PacketType::UnsubAck)) => "MQTT-3.11.3-2",
            (Kind::NoReasonCodes, _) => "MQTT-3.8.4-6",
            (Kind::PropertyWrongDirection(PropertyId::SubscriptionIdentifier), _) => "MQTT-3.3.4-6",
            (Kind::PropertyWrongDirection(_), _) => "MQTT-3.14.2-2",
            (Kind::BadPropertyValue(PropertyId::TopicAlias), _) => "MQTT-3.3.2-8",
            _ => return None,
        })
    }
}
