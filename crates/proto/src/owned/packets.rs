//! The owned packets: for each borrowed struct one with the same fields.

use core::fmt;

use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use super::lists::{Filters, ReasonCodes, TopicFilters};
use super::properties::Properties;
use super::share::{Owned, deserialize};
use super::topic::TopicName;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::reason::ReasonCode;
use crate::types::{PacketId, PacketType, QoS, Role, Version};

/// Structs with the fields of borrowed ones. Behind the type stands what a field is that is left out when it is
/// deserialised.
macro_rules! owned {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$of_field:meta])* $field:ident: $type:ty $([$($default:tt)+])?,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(deny_unknown_fields))]
        pub struct $name {
            $(
                $(#[$of_field])*
                #[cfg_attr(feature = "serde", serde(deserialize_with = "Owned::deserialize" $(, $($default)+)?))]
                pub $field: $type,
            )*
        }

        impl Owned for $name {
            type Borrowed<'b> = crate::$name<'b>;

            fn as_borrowed(&self) -> crate::$name<'_> {
                crate::$name { $($field: Owned::as_borrowed(&self.$field),)* }
            }

            fn share_from(borrowed: crate::$name<'_>, buffer: &Bytes) -> Result<Self, EncodeError> {
                Ok(Self { $($field: Owned::share_from(borrowed.$field, buffer)?,)* })
            }

            deserialize!();
        }

        borrowed!($name);
    )*};
}

/// What is made of the trait for each type.
macro_rules! borrowed {
    ($name:ident) => {
        impl $name {
            /// The borrowed form; costs nothing worth counting.
            #[must_use]
            pub fn as_borrowed(&self) -> crate::$name<'_> {
                Owned::as_borrowed(self)
            }

            /// Copies all of it.
            ///
            /// # Errors
            /// The properties are a slice with something in it that no packet may carry. Never for what was decoded.
            pub fn copy_from(borrowed: &crate::$name<'_>) -> Result<Self, EncodeError> {
                Owned::share_from(*borrowed, &Bytes::new())
            }

            /// Shares what lies in `buffer`, and copies what does not.
            ///
            /// # Errors
            /// As [`copy_from`](Self::copy_from).
            pub fn share_from(borrowed: &crate::$name<'_>, buffer: &Bytes) -> Result<Self, EncodeError> {
                Owned::share_from(*borrowed, buffer)
            }
        }

        /// A copy.
        impl TryFrom<crate::$name<'_>> for $name {
            type Error = EncodeError;

            fn try_from(borrowed: crate::$name<'_>) -> Result<Self, EncodeError> {
                Self::copy_from(&borrowed)
            }
        }

        impl<'b> From<&'b $name> for crate::$name<'b> {
            fn from(owned: &'b $name) -> Self {
                owned.as_borrowed()
            }
        }

        /// As the borrowed form is shown: no secrets.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.as_borrowed().fmt(f)
            }
        }
    };
}

owned! {
    /// The first packet of a client. Its `Debug` shows of the password nothing but the length; serde writes all of it.
    Connect {
        /// Begin a new session; `false` goes on with the kept one. Called Clean Session before MQTT 5.
        clean_start: bool [default = "super::serial::yes"],
        /// The longest silence of the client, in seconds; 0 is without limit.
        keep_alive: u16 [default],
        /// The Client Identifier. Empty asks the server for one, before MQTT 5 only with `clean_start` `[MQTT-3.1.3-7]`.
        client_id: ByteString,
        /// What the server is to publish when the connection ends without a DISCONNECT.
        will: Option<Will> [default],
        /// The user name.
        username: Option<ByteString> [default],
        /// The password, before MQTT 5 only with a user name `[MQTT-3.1.2-22]`.
        password: Option<Bytes> [default],
        /// Properties of the connection, not of the will.
        properties: Properties [default],
    }

    /// A message to be published by the server when the client is gone.
    Will {
        /// The QoS it is published with.
        qos: QoS [default],
        /// Whether it is published as a retained message.
        retain: bool [default],
        /// The topic.
        topic: TopicName,
        /// The payload.
        payload: Bytes [default],
        /// Properties of the will.
        properties: Properties [default],
    }

    /// The server accepts or refuses the connection.
    ConnAck {
        /// The server goes on with a session that it has kept; never with a refusal `[MQTT-3.2.2-4]`.
        session_present: bool [default],
        /// Success or the reason of the refusal.
        reason: ReasonCode [default],
        /// What the server can do and what it demands.
        properties: Properties [default],
    }

    /// A message on a topic.
    Publish {
        /// Sent before; never with QoS 0 `[MQTT-3.3.1-2]`.
        dup: bool [default],
        /// The delivery guarantee.
        qos: QoS [default],
        /// To be kept by the server, or kept by it until now.
        retain: bool [default],
        /// The topic. [`TopicName::EMPTY`] where the property Topic Alias says it (MQTT 5).
        topic: TopicName,
        /// With QoS 1 and 2, and only then `[MQTT-2.3.1-1]` `[MQTT-2.3.1-5]`.
        packet_id: Option<PacketId> [default],
        /// Properties of the message.
        properties: Properties [default],
        /// The message itself.
        payload: Bytes [default],
    }

    /// Asks for messages.
    Subscribe {
        /// What the SUBACK repeats.
        packet_id: PacketId,
        /// Subscription Identifier and User Properties.
        properties: Properties [default],
        /// At least one `[MQTT-3.8.3-3]`.
        filters: Filters,
    }

    /// Answers SUBSCRIBE.
    SubAck {
        /// The identifier of the SUBSCRIBE.
        packet_id: PacketId,
        /// Reason String and User Properties.
        properties: Properties [default],
        /// The granted QoS or the failure for each filter, in the order of the SUBSCRIBE `[MQTT-3.8.4-5]`.
        codes: ReasonCodes,
    }

    /// Asks for no more messages.
    Unsubscribe {
        /// What the UNSUBACK repeats.
        packet_id: PacketId,
        /// User Properties.
        properties: Properties [default],
        /// At least one `[MQTT-3.10.3-2]`.
        filters: TopicFilters,
    }

    /// Answers UNSUBSCRIBE.
    UnsubAck {
        /// The identifier of the UNSUBSCRIBE.
        packet_id: PacketId,
        /// Reason String and User Properties.
        properties: Properties [default],
        /// Success or failure for each filter; none before MQTT 5.
        codes: ReasonCodes [default],
    }

    /// The last packet on a connection: from the client, in MQTT 5 from the server too.
    Disconnect {
        /// Why; before MQTT 5 always [`ReasonCode::NORMAL_DISCONNECTION`].
        reason: ReasonCode [default],
        /// Session Expiry Interval (from the client), Reason String, Server Reference, User Properties.
        properties: Properties [default],
    }

    /// One step of an extended authentication. MQTT 5 alone.
    Auth {
        /// Success (from the server), continue, or re-authenticate (from the client).
        reason: ReasonCode [default],
        /// Authentication Method and Data, Reason String, User Properties.
        properties: Properties [default],
    }

    /// The front of a PUBLISH whose rest is not there.
    PublishHead {
        /// Sent before.
        dup: bool [default],
        /// The delivery guarantee.
        qos: QoS [default],
        /// A retained message.
        retain: bool [default],
        /// The topic; [`TopicName::EMPTY`] in MQTT 5 where a topic alias, which is not read here, says it.
        topic: TopicName,
        /// With QoS 1 and 2.
        packet_id: Option<PacketId> [default],
        /// Bytes of the whole packet.
        total: u32,
        /// Bytes up to the payload, in MQTT 5 up to the properties in front of it.
        len: u32,
    }

    /// A packet that was not received, since it was too long.
    Skipped {
        /// Its type.
        packet: PacketType,
        /// Bytes of the whole packet.
        total: u32,
        /// Its packet identifier, if it has one and it was looked at.
        packet_id: Option<PacketId> [default],
        /// What a PUBLISH is about. `None` for other packets, and for one of which topic and packet identifier are longer
        /// than the limit.
        head: Option<PublishHead> [default],
    }
}

macro_rules! acks {
    ($($(#[$doc:meta])* $name:ident)*) => {
        owned! {$(
            $(#[$doc])*
            $name {
                /// The identifier of the PUBLISH.
                packet_id: PacketId,
                /// Success, or why not; before MQTT 5 always [`ReasonCode::SUCCESS`].
                reason: ReasonCode [default],
                /// Reason String and User Properties.
                properties: Properties [default],
            }
        )*}

        $(impl $name {
            /// A success without properties.
            #[must_use]
            pub const fn new(packet_id: PacketId) -> Self {
                Self { packet_id, reason: ReasonCode::SUCCESS, properties: Properties::EMPTY }
            }
        })*
    };
}

acks! {
    /// Answers a QoS 1 PUBLISH.
    PubAck
    /// Answers a QoS 2 PUBLISH: received.
    PubRec
    /// Answers PUBREC: released.
    PubRel
    /// Answers PUBREL: complete.
    PubComp
}

impl Connect {
    /// A client with a clean start, and nothing else.
    #[must_use]
    pub fn new(client_id: impl Into<ByteString>) -> Self {
        Self {
            clean_start: true,
            keep_alive: 0,
            client_id: client_id.into(),
            will: None,
            username: None,
            password: None,
            properties: Properties::EMPTY,
        }
    }
}

impl Will {
    /// A will with QoS 0, not retained.
    #[must_use]
    pub fn new(topic: TopicName, payload: impl Into<Bytes>) -> Self {
        Self { qos: QoS::AtMostOnce, retain: false, topic, payload: payload.into(), properties: Properties::EMPTY }
    }
}

impl ConnAck {
    /// A new session, or the reason of the refusal.
    #[must_use]
    pub const fn new(reason: ReasonCode) -> Self {
        Self { session_present: false, reason, properties: Properties::EMPTY }
    }
}

macro_rules! listing {
    ($(#[$doc:meta] $name:ident($field:ident: $list:ident))*) => {$(
        impl $name {
            #[$doc]
            #[must_use]
            pub const fn new(packet_id: PacketId, $field: $list) -> Self {
                Self { packet_id, properties: Properties::EMPTY, $field }
            }
        }
    )*};
}

listing! {
    /// A request without properties.
    Subscribe(filters: Filters)
    /// An answer without properties.
    SubAck(codes: ReasonCodes)
    /// A request without properties.
    Unsubscribe(filters: TopicFilters)
    /// An answer without properties; before MQTT 5 the codes are [`ReasonCodes::EMPTY`].
    UnsubAck(codes: ReasonCodes)
}

impl Publish {
    /// A message with QoS 0.
    #[must_use]
    pub fn new(topic: TopicName, payload: impl Into<Bytes>) -> Self {
        Self {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic,
            packet_id: None,
            properties: Properties::EMPTY,
            payload: payload.into(),
        }
    }
}

impl Disconnect {
    /// A normal disconnection: the server forgets the will.
    pub const NORMAL: Self = Self::new(ReasonCode::NORMAL_DISCONNECTION);

    /// A reason without properties.
    #[must_use]
    pub const fn new(reason: ReasonCode) -> Self {
        Self { reason, properties: Properties::EMPTY }
    }
}

/// The enum of all packets.
macro_rules! packets {
    ($($name:ident)* / $($bodiless:ident)* / $($last:ident)*) => {
        /// One control packet that owns its data. A clone shares it.
        #[derive(Clone, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "UPPERCASE"))]
        #[expect(missing_docs, reason = "each variant's struct says what it is")]
        pub enum Packet {
            $($name($name),)*
            $($bodiless,)*
            $($last($last),)*
        }

        impl Owned for Packet {
            type Borrowed<'b> = crate::Packet<'b>;

            fn as_borrowed(&self) -> crate::Packet<'_> {
                match self {
                    $(Self::$name(packet) => crate::Packet::$name(packet.as_borrowed()),)*
                    $(Self::$bodiless => crate::Packet::$bodiless,)*
                    $(Self::$last(packet) => crate::Packet::$last(packet.as_borrowed()),)*
                }
            }

            fn share_from(borrowed: crate::Packet<'_>, buffer: &Bytes) -> Result<Self, EncodeError> {
                Ok(match borrowed {
                    $(crate::Packet::$name(packet) => Self::$name(Owned::share_from(packet, buffer)?),)*
                    $(crate::Packet::$bodiless => Self::$bodiless,)*
                    $(crate::Packet::$last(packet) => Self::$last(Owned::share_from(packet, buffer)?),)*
                })
            }

            deserialize!();
        }

        borrowed!(Packet);
        encoding!($($name)* $($last)* Packet);
        variants!($($name)* $($last)*);
    };
}

macro_rules! encoding {
    ($($name:ident)*) => {$(
        impl $name {
            /// Bytes of the whole packet.
            ///
            /// # Errors
            /// [`EncodeError`] for everything that the standard forbids whoever sends it.
            pub fn encoded_len(&self, version: Version) -> Result<usize, EncodeError> {
                self.as_borrowed().encoded_len(version)
            }

            /// Writes the packet to the front of `out` and answers its length. After an error there may be anything in `out`.
            ///
            /// # Errors
            /// [`EncodeError::BufferTooSmall`] with the length that is needed, or what the standard forbids in this
            /// packet.
            pub fn encode(&self, version: Version, out: &mut [u8]) -> Result<usize, EncodeError> {
                self.as_borrowed().encode(version, out)
            }
        }
    )*};
}

macro_rules! variants {
    ($($name:ident)*) => {$(
        impl From<$name> for Packet {
            fn from(packet: $name) -> Self {
                Self::$name(packet)
            }
        }
    )*};
}

// In the order of the types: binary formats of serde number them.
packets! {
    Connect ConnAck Publish PubAck PubRec PubRel PubComp Subscribe SubAck Unsubscribe UnsubAck
    / PingReq PingResp
    / Disconnect Auth
}

impl Packet {
    /// Decodes `frame`, which is exactly one packet as [`frame_len`](crate::frame_len) finds it, sent by `role`. Nothing is
    /// copied: what has a length in the packet becomes a part of `frame`.
    ///
    /// # Errors
    /// As [`Packet::decode`](crate::Packet::decode) of the borrowed packet.
    pub fn decode(frame: Bytes, version: Version, role: Role) -> Result<Self, DecodeError> {
        let packet = crate::Packet::decode(&frame, version, role)?;
        let packet_type = packet.packet_type();
        // Cannot fail: decoded properties are not a slice.
        Self::share_from(&packet, &frame).map_err(|_| DecodeError {
            packet: Some(packet_type),
            at: 0,
            kind: DecodeErrorKind::PropertiesTruncated,
        })
    }

    /// The type.
    #[must_use]
    pub fn packet_type(&self) -> PacketType {
        self.as_borrowed().packet_type()
    }

    /// Whether `role` may send this packet: what encoding does not ask, since it is not told who sends.
    ///
    /// # Errors
    /// [`WrongDirection`](EncodeError::WrongDirection), or a property or reason code that is the other side's.
    pub fn check_sender(&self, role: Role, version: Version) -> Result<(), EncodeError> {
        self.as_borrowed().check_sender(role, version)
    }

    /// Appends the packet to `out` and answers its length. After an error `out` is as it was.
    ///
    /// # Errors
    /// [`EncodeError`] for everything that the standard forbids whoever sends it.
    pub fn append(&self, version: Version, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
        self.as_borrowed().append(version, out)
    }
}
