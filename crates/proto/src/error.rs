//! Errors: what is wrong with the peer's bytes (`DecodeError`) and with the caller's packet (`EncodeError`).

use core::fmt;

use crate::property::PropertyId;
use crate::reason::ReasonCode;
use crate::topic::TopicError;
use crate::types::PacketType;

/// The bytes are not a packet that the standard allows: close the connection, in MQTT 5 after a DISCONNECT with
/// [`reason_code`](Self::reason_code).
///
/// A server answers a CONNECT, the first packet, with a CONNACK of this code instead; before MQTT 5 with one if there is a
/// [return code](ReasonCode::as_return_code) for it. Where the version itself is not known, that of MQTT 3.1.1 is what every
/// client reads `[MQTT-3.1.2-2]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DecodeError {
    /// The type in the first byte, where that is one.
    pub packet: Option<PacketType>,
    /// The offset of the defect from the packet's first byte.
    pub at: u32,
    /// The defect.
    pub kind: DecodeErrorKind,
}

impl DecodeError {
    /// The MQTT 5 code for this defect: Malformed Packet, Protocol Error, or a more precise one. Two of them, Unsupported
    /// Protocol Version and Client Identifier not valid, are for a CONNACK alone: a CONNECT that is not the first packet is a
    /// Protocol Error whatever is in it `[MQTT-3.1.0-2]`.
    #[must_use]
    pub const fn reason_code(&self) -> ReasonCode {
        self.kind.reason_code()
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.packet {
            Some(packet) => write!(f, "{packet}, byte {}: {}", self.at, self.kind),
            None => write!(f, "byte {}: {}", self.at, self.kind),
        }
    }
}

impl core::error::Error for DecodeError {}

/// A defect in a packet. "Protocol error" below means that the bytes can be read, yet are forbidden; all other kinds are
/// malformed packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DecodeErrorKind {
    /// The slice ends before the packet does. Only from decoding an incomplete frame; see [`frame_len`](crate::frame_len).
    Incomplete,
    /// Packet type 0, or 15 before MQTT 5.
    ReservedPacketType,
    /// The lower half of the first byte is not what the type demands `[MQTT-2.2.2-1]` `[MQTT-2.2.2-2]`.
    ReservedFlags,
    /// QoS 3 in a PUBLISH `[MQTT-3.3.1-4]`.
    #[cfg_attr(feature = "serde", serde(rename = "bad_qos"))]
    BadQoS,
    /// A Variable Byte Integer of more than four bytes.
    VarintTooLong,
    /// A Variable Byte Integer that is not in its shortest form `[MQTT-1.5.5-1 v5]`.
    VarintNotMinimal,
    /// The packet ends inside a field.
    FieldTruncated,
    /// Bytes are left after the last field, or after the packet.
    TrailingBytes,
    /// This side may not send this packet (protocol error).
    WrongDirection,
    /// Not UTF-8: ill-formed, or a surrogate `[MQTT-1.5.3-1]`.
    BadUtf8,
    /// U+0000 in a string `[MQTT-1.5.3-2]`.
    NulCharacter,
    /// Packet identifier 0 (protocol error) `[MQTT-2.3.1-1]`.
    ZeroPacketId,
    /// The protocol name is not that of the version (protocol error) `[MQTT-3.1.2-1]`.
    BadProtocolName,
    /// The protocol level is not that of the version (protocol error) `[MQTT-3.1.2-2]`.
    BadProtocolLevel(u8),
    /// Bit 0 of the connect flags is set `[MQTT-3.1.2-3]`.
    ReservedConnectFlag,
    /// Will QoS without the Will Flag `[MQTT-3.1.2-11]` `[MQTT-3.1.2-13]`.
    #[cfg_attr(feature = "serde", serde(rename = "will_qos_without_will"))]
    WillQoSWithoutWill,
    /// Will Retain, but not Will QoS, without the Will Flag `[MQTT-3.1.2-11]` `[MQTT-3.1.2-15]`.
    WillRetainWithoutWill,
    /// Will QoS 3 `[MQTT-3.1.2-14]`.
    #[cfg_attr(feature = "serde", serde(rename = "bad_will_qos"))]
    BadWillQoS,
    /// A password without a user name, before MQTT 5 `[MQTT-3.1.2-22]`.
    PasswordWithoutUserName,
    /// An empty client identifier where a session is to be kept, before MQTT 5, and always in MQTT 3.1 (protocol error)
    /// `[MQTT-3.1.3-7]`.
    EmptyClientId,
    /// Reserved bits of the CONNACK flags are set.
    ReservedConnAckFlags,
    /// Session present together with a refusal (protocol error) `[MQTT-3.2.2-4]`.
    SessionPresentWithError,
    /// A code that this packet may not carry from this side (protocol error) `[MQTT-3.9.3-2]`.
    BadReasonCode(u8),
    /// DUP on a QoS 0 message `[MQTT-3.3.1-2]`.
    #[cfg_attr(feature = "serde", serde(rename = "dup_with_qos0"))]
    DupWithQoS0,
    /// An empty topic name, in MQTT 5 without a topic alias (protocol error) `[MQTT-4.7.3-1]`.
    EmptyTopicName,
    /// A wildcard in a topic name (protocol error) `[MQTT-3.3.2-2]` `[MQTT-4.7.1-1]`.
    WildcardInTopicName,
    /// A wildcard in a response topic (protocol error) `[MQTT-3.3.2-14 v5]`.
    WildcardInResponseTopic,
    /// An empty topic filter (protocol error) `[MQTT-4.7.3-1]`.
    EmptyTopicFilter,
    /// A `#` that does not fill its level, or before the last level (protocol error) `[MQTT-4.7.1-2]`.
    MisplacedMultiLevelWildcard,
    /// A `+` that does not fill its level (protocol error) `[MQTT-4.7.1-3]`.
    MisplacedSingleLevelWildcard,
    /// A shared subscription without a share name (protocol error) `[MQTT-4.8.2-1 v5]`.
    EmptyShareName,
    /// A shared subscription with a wildcard in its share name, or without a filter (protocol error) `[MQTT-4.8.2-2 v5]`.
    BadSharedFilter,
    /// Reserved bits in the subscription options `[MQTT-3.8.3-4]` `[MQTT-3.8.3-5 v5]`, or QoS 3 before MQTT 5.
    ReservedSubscribeOptions,
    /// QoS 3 or Retain Handling 3 in MQTT 5 subscription options (protocol error).
    BadSubscribeOptions,
    /// No Local on a shared subscription (protocol error) `[MQTT-3.8.3-4 v5]`.
    NoLocalOnShared,
    /// SUBSCRIBE or UNSUBSCRIBE without a filter (protocol error) `[MQTT-3.8.3-3]` `[MQTT-3.10.3-2]`.
    NoTopicFilter,
    /// SUBACK, or in MQTT 5 UNSUBACK, without a code `[MQTT-3.8.4-5]`.
    NoReasonCodes,
    /// The property length runs past the packet.
    PropertiesTruncated,
    /// No property has this identifier.
    UnknownProperty(u32),
    /// The property is not allowed in this packet.
    PropertyNotAllowed(PropertyId),
    /// The property may not be sent by this side (protocol error) `[MQTT-3.3.4-6 v5]` `[MQTT-3.14.2-2 v5]`.
    PropertyWrongDirection(PropertyId),
    /// The property stands twice (protocol error).
    DuplicateProperty(PropertyId),
    /// The value is outside the property's range (protocol error).
    BadPropertyValue(PropertyId),
    /// Authentication Data without Authentication Method, or an AUTH without one (protocol error).
    NoAuthenticationMethod,
}

impl DecodeErrorKind {
    /// Whether the standard's word for this is Protocol Error rather than Malformed Packet.
    #[must_use]
    pub const fn is_protocol_error(self) -> bool {
        !matches!(self.reason_code(), ReasonCode::MALFORMED_PACKET)
    }

    /// The MQTT 5 code to send.
    #[must_use]
    pub const fn reason_code(self) -> ReasonCode {
        match self {
            Self::Incomplete
            | Self::ReservedPacketType
            | Self::ReservedFlags
            | Self::BadQoS
            | Self::VarintTooLong
            | Self::VarintNotMinimal
            | Self::FieldTruncated
            | Self::TrailingBytes
            | Self::BadUtf8
            | Self::NulCharacter
            | Self::ReservedConnectFlag
            | Self::WillQoSWithoutWill
            | Self::WillRetainWithoutWill
            | Self::BadWillQoS
            | Self::PasswordWithoutUserName
            | Self::ReservedConnAckFlags
            | Self::DupWithQoS0
            | Self::ReservedSubscribeOptions
            | Self::NoReasonCodes
            | Self::PropertiesTruncated
            | Self::UnknownProperty(_)
            | Self::PropertyNotAllowed(_) => ReasonCode::MALFORMED_PACKET,
            Self::BadProtocolName | Self::BadProtocolLevel(_) => ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
            Self::EmptyClientId => ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
            Self::WildcardInTopicName | Self::WildcardInResponseTopic => ReasonCode::TOPIC_NAME_INVALID,
            Self::MisplacedMultiLevelWildcard | Self::MisplacedSingleLevelWildcard => ReasonCode::TOPIC_FILTER_INVALID,
            Self::EmptyShareName | Self::BadSharedFilter => ReasonCode::TOPIC_FILTER_INVALID,
            Self::BadPropertyValue(PropertyId::TopicAlias) => ReasonCode::TOPIC_ALIAS_INVALID,
            Self::WrongDirection
            | Self::ZeroPacketId
            | Self::SessionPresentWithError
            | Self::BadReasonCode(_)
            | Self::EmptyTopicName
            | Self::EmptyTopicFilter
            | Self::BadSubscribeOptions
            | Self::NoLocalOnShared
            | Self::NoTopicFilter
            | Self::PropertyWrongDirection(_)
            | Self::DuplicateProperty(_)
            | Self::BadPropertyValue(_)
            | Self::NoAuthenticationMethod => ReasonCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::Incomplete => "the packet is not complete",
            Self::ReservedPacketType => "reserved packet type",
            Self::ReservedFlags => "wrong flags in the fixed header",
            Self::BadQoS => "QoS 3",
            Self::VarintTooLong => "variable byte integer longer than four bytes",
            Self::VarintNotMinimal => "variable byte integer not in its shortest form",
            Self::FieldTruncated => "the packet ends inside a field",
            Self::TrailingBytes => "bytes after the last field",
            Self::WrongDirection => "not a packet of this sender",
            Self::BadUtf8 => "ill-formed UTF-8",
            Self::NulCharacter => "U+0000 in a string",
            Self::ZeroPacketId => "packet identifier 0",
            Self::BadProtocolName => "wrong protocol name",
            Self::BadProtocolLevel(level) => return write!(f, "protocol level {level} is not that of the version"),
            Self::ReservedConnectFlag => "reserved connect flag set",
            Self::WillQoSWithoutWill => "will QoS without a will",
            Self::WillRetainWithoutWill => "will retain without a will",
            Self::BadWillQoS => "will QoS 3",
            Self::PasswordWithoutUserName => "password without a user name",
            Self::EmptyClientId => "empty client identifier without clean session, or in MQTT 3.1",
            Self::ReservedConnAckFlags => "reserved acknowledge flags set",
            Self::SessionPresentWithError => "session present in a refusal",
            Self::BadReasonCode(code) => return write!(f, "code 0x{code:02X} is not defined here"),
            Self::DupWithQoS0 => "DUP with QoS 0",
            Self::EmptyTopicName => "empty topic name",
            Self::WildcardInTopicName => "wildcard in a topic name",
            Self::WildcardInResponseTopic => "wildcard in a response topic",
            Self::EmptyTopicFilter => "empty topic filter",
            Self::MisplacedMultiLevelWildcard => "misplaced # in a topic filter",
            Self::MisplacedSingleLevelWildcard => "misplaced + in a topic filter",
            Self::EmptyShareName => "shared subscription without a share name",
            Self::BadSharedFilter => "shared subscription with a wildcard in its share name, or without a filter",
            Self::ReservedSubscribeOptions => "reserved bits in the subscription options",
            Self::BadSubscribeOptions => "QoS 3 or retain handling 3 in the subscription options",
            Self::NoLocalOnShared => "no local on a shared subscription",
            Self::NoTopicFilter => "no topic filter",
            Self::NoReasonCodes => "no reason codes",
            Self::PropertiesTruncated => "the property length runs past the packet",
            Self::UnknownProperty(id) => return write!(f, "unknown property 0x{id:02X}"),
            Self::PropertyNotAllowed(id) => return write!(f, "{id} is not allowed in this packet"),
            Self::PropertyWrongDirection(id) => return write!(f, "{id} may not be sent by this side"),
            Self::DuplicateProperty(id) => return write!(f, "{id} stands twice"),
            Self::BadPropertyValue(id) => return write!(f, "{id} is out of range"),
            Self::NoAuthenticationMethod => "no authentication method",
        };
        f.write_str(text)
    }
}

/// A topic's own rule, broken on the wire.
impl From<TopicError> for DecodeErrorKind {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::EmptyName => Self::EmptyTopicName,
            TopicError::EmptyFilter => Self::EmptyTopicFilter,
            TopicError::TooLong => Self::FieldTruncated,
            TopicError::NulCharacter => Self::NulCharacter,
            TopicError::WildcardInName => Self::WildcardInTopicName,
            TopicError::MisplacedMultiLevelWildcard => Self::MisplacedMultiLevelWildcard,
            TopicError::MisplacedSingleLevelWildcard => Self::MisplacedSingleLevelWildcard,
            TopicError::EmptyShareName => Self::EmptyShareName,
            TopicError::BadShare => Self::BadSharedFilter,
        }
    }
}

/// The caller's packet cannot be sent as it is. Nothing useful is in the buffer then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum EncodeError {
    /// The buffer is too small; the packet, or its head, is `needed` bytes long.
    BufferTooSmall {
        /// Bytes that the packet takes.
        needed: usize,
    },
    /// A string or binary field of more than 65,535 bytes.
    StringTooLong,
    /// More than 268,435,455 bytes after the fixed header.
    PacketTooLarge,
    /// AUTH before MQTT 5.
    PacketNotInThisVersion,
    /// Properties before MQTT 5.
    PropertiesNotInThisVersion,
    /// A reason code other than success where only MQTT 5 has one, or one that is no return code of this version.
    ReasonCodeNotInThisVersion,
    /// No Local, Retain As Published or Retain Handling before MQTT 5.
    OptionsNotInThisVersion,
    /// Session Present in MQTT 3.1.
    SessionPresentNotInThisVersion,
    /// U+0000 in a string `[MQTT-1.5.3-2]`.
    NulCharacter,
    /// QoS 1 or 2 without a packet identifier `[MQTT-2.3.1-1]`.
    NoPacketId,
    /// QoS 0 with a packet identifier `[MQTT-2.3.1-5]`.
    #[cfg_attr(feature = "serde", serde(rename = "packet_id_with_qos0"))]
    PacketIdWithQoS0,
    /// DUP with QoS 0 `[MQTT-3.3.1-2]`.
    #[cfg_attr(feature = "serde", serde(rename = "dup_with_qos0"))]
    DupWithQoS0,
    /// A password without a user name, before MQTT 5 `[MQTT-3.1.2-22]`.
    PasswordWithoutUserName,
    /// An empty client identifier without clean start, before MQTT 5, and always in MQTT 3.1 `[MQTT-3.1.3-7]`.
    EmptyClientId,
    /// An empty topic name without a topic alias `[MQTT-4.7.3-1]`.
    EmptyTopicName,
    /// No filter in SUBSCRIBE or UNSUBSCRIBE `[MQTT-3.8.3-3]` `[MQTT-3.10.3-2]`.
    NoTopicFilter,
    /// A shared subscription without a share name `[MQTT-4.8.2-1 v5]`, with a wildcard in it, or without a filter
    /// `[MQTT-4.8.2-2 v5]`.
    BadSharedFilter,
    /// No Local on a shared subscription `[MQTT-3.8.3-4 v5]`.
    NoLocalOnShared,
    /// No code in SUBACK or UNSUBACK.
    NoReasonCodes,
    /// Session present together with a refusal `[MQTT-3.2.2-4]`.
    SessionPresentWithError,
    /// The packet may not carry this code, or not from this side.
    BadReasonCode(ReasonCode),
    /// The packet is the other side's: only [`Packet::check_sender`](crate::Packet::check_sender) says so.
    WrongDirection,
    /// The property is the other side's: only [`Packet::check_sender`](crate::Packet::check_sender) says so.
    PropertyWrongDirection(PropertyId),
    /// The property is not allowed in this packet.
    PropertyNotAllowed(PropertyId),
    /// The property stands twice.
    DuplicateProperty(PropertyId),
    /// The value is outside the property's range.
    BadPropertyValue(PropertyId),
    /// Authentication Data without Authentication Method, or an AUTH without one.
    NoAuthenticationMethod,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::BufferTooSmall { needed } => return write!(f, "the buffer is too small: {needed} bytes are needed"),
            Self::StringTooLong => "a field is longer than 65535 bytes",
            Self::PacketTooLarge => "the packet is longer than the format allows",
            Self::PacketNotInThisVersion => "a packet that only MQTT 5 has",
            Self::PropertiesNotInThisVersion => "properties, which only MQTT 5 has",
            Self::ReasonCodeNotInThisVersion => "a reason code that this version of MQTT does not have here",
            Self::OptionsNotInThisVersion => "subscription options beside the QoS, which only MQTT 5 has",
            Self::SessionPresentNotInThisVersion => "session present, which MQTT 3.1 does not have",
            Self::NulCharacter => "U+0000 in a string",
            Self::NoPacketId => "QoS above 0 without a packet identifier",
            Self::PacketIdWithQoS0 => "QoS 0 with a packet identifier",
            Self::DupWithQoS0 => "DUP with QoS 0",
            Self::PasswordWithoutUserName => "password without a user name",
            Self::EmptyClientId => "empty client identifier without clean start, or in MQTT 3.1",
            Self::EmptyTopicName => "empty topic name without a topic alias",
            Self::NoTopicFilter => "no topic filter",
            Self::BadSharedFilter => "shared subscription with a bad share name, or without a filter",
            Self::NoLocalOnShared => "no local on a shared subscription",
            Self::NoReasonCodes => "no reason codes",
            Self::SessionPresentWithError => "session present in a refusal",
            Self::BadReasonCode(code) => return write!(f, "{code} may not stand in this packet"),
            Self::WrongDirection => "the packet is not sent by this side",
            Self::PropertyWrongDirection(id) => return write!(f, "{id} may not be sent by this side"),
            Self::PropertyNotAllowed(id) => return write!(f, "{id} is not allowed in this packet"),
            Self::DuplicateProperty(id) => return write!(f, "{id} stands twice"),
            Self::BadPropertyValue(id) => return write!(f, "{id} is out of range"),
            Self::NoAuthenticationMethod => "no authentication method",
        };
        f.write_str(text)
    }
}

impl core::error::Error for EncodeError {}
