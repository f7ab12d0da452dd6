//! The small values that every packet is made of: versions, roles, packet types, packet identifiers, QoS.

use core::fmt;
use core::num::NonZeroU16;

/// A version of the protocol. It is an argument of every decode and encode, never part of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Version {
    /// MQTT 3.1: protocol name `MQIsdp`, level 3.
    #[cfg_attr(feature = "serde", serde(rename = "3.1"))]
    V31,
    /// MQTT 3.1.1: protocol name `MQTT`, level 4.
    #[cfg_attr(feature = "serde", serde(rename = "3.1.1"))]
    V311,
    /// MQTT 5: protocol name `MQTT`, level 5. With feature `v5`.
    #[cfg(feature = "v5")]
    #[cfg_attr(feature = "serde", serde(rename = "5.0"))]
    V5,
}

impl Version {
    /// Whether packets carry properties and reason codes: true for MQTT 5 alone, so always false without feature `v5`.
    #[must_use]
    pub const fn has_properties(self) -> bool {
        match self {
            Self::V31 | Self::V311 => false,
            #[cfg(feature = "v5")]
            Self::V5 => true,
        }
    }

    /// The protocol level in CONNECT.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::V31 => 3,
            Self::V311 => 4,
            #[cfg(feature = "v5")]
            Self::V5 => 5,
        }
    }

    /// The protocol name in CONNECT `[MQTT-3.1.2-1]`.
    #[must_use]
    pub const fn protocol_name(self) -> &'static str {
        match self {
            Self::V31 => "MQIsdp",
            _ => "MQTT",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V31 => "3.1",
            Self::V311 => "3.1.1",
            #[cfg(feature = "v5")]
            Self::V5 => "5.0",
        })
    }
}

/// Who *sent* a packet. Some packets, properties and reason codes are legal in one direction only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Role {
    /// The packet travels from the client to the server.
    Client,
    /// The packet travels from the server to the client.
    Server,
}

/// The control packet type, the upper half of a packet's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "UPPERCASE"))]
#[expect(missing_docs, reason = "the standard's own names")]
#[repr(u8)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PacketType {
    Connect = 1,
    ConnAck = 2,
    Publish = 3,
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    Subscribe = 8,
    SubAck = 9,
    Unsubscribe = 10,
    UnsubAck = 11,
    PingReq = 12,
    PingResp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl PacketType {
    /// The type in the upper half of `first_byte`; `None` for the reserved type 0.
    #[must_use]
    pub const fn from_first_byte(first_byte: u8) -> Option<Self> {
        Some(match first_byte >> 4 {
            1 => Self::Connect,
            2 => Self::ConnAck,
            3 => Self::Publish,
            4 => Self::PubAck,
            5 => Self::PubRec,
            6 => Self::PubRel,
            7 => Self::PubComp,
            8 => Self::Subscribe,
            9 => Self::SubAck,
            10 => Self::Unsubscribe,
            11 => Self::UnsubAck,
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect,
            15 => Self::Auth,
            _ => return None,
        })
    }

    /// The name as the standard prints it, such as `PUBLISH`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::ConnAck => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::PubAck => "PUBACK",
            Self::PubRec => "PUBREC",
            Self::PubRel => "PUBREL",
            Self::PubComp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::SubAck => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::UnsubAck => "UNSUBACK",
            Self::PingReq => "PINGREQ",
            Self::PingResp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }

    /// Whether `role` may send this type in `version`.
    #[must_use]
    #[inline]
    pub const fn is_sent_by(self, role: Role, version: Version) -> bool {
        // Bit `n` is packet type `n`; PUBLISH and its four acknowledgements go both ways.
        let types: u16 = match (role, version.has_properties()) {
            (Role::Client, false) => 0b0101_0101_1111_1010,
            (Role::Client, true) => 0b1101_0101_1111_1010,
            (Role::Server, false) => 0b0010_1010_1111_1100,
            (Role::Server, true) => 0b1110_1010_1111_1100,
        };
        types & self.bit() != 0
    }

    #[expect(clippy::as_conversions, reason = "the discriminant of a repr(u8) enum")]
    pub(crate) const fn bit(self) -> u16 {
        1u16.wrapping_shl(self as u32)
    }

    /// Whether a packet identifier is the first thing behind the fixed header.
    pub(crate) const fn begins_with_id(self) -> bool {
        matches!(
            self,
            Self::PubAck
                | Self::PubRec
                | Self::PubRel
                | Self::PubComp
                | Self::Subscribe
                | Self::SubAck
                | Self::Unsubscribe
                | Self::UnsubAck
        )
    }

    /// The lower half of the first byte, for all types but PUBLISH `[MQTT-2.2.2-1]`.
    #[inline]
    pub(crate) const fn flags(self) -> u8 {
        if self.bit() & (Self::PubRel.bit() | Self::Subscribe.bit() | Self::Unsubscribe.bit()) == 0 { 0 } else { 2 }
    }

    /// The first byte of a packet of this type whose flags are fixed.
    #[expect(clippy::as_conversions, reason = "the discriminant of a repr(u8) enum")]
    pub(crate) const fn first_byte(self) -> u8 {
        (self as u8) << 4 | self.flags()
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A packet identifier, never 0 `[MQTT-2.3.1-1]`.
///
/// ```
/// use mqtt_device_proto::PacketId;
/// assert_eq!(PacketId::new(7).map(PacketId::get), Some(7));
/// assert_eq!(PacketId::new(0), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// `None` for 0.
    #[must_use]
    pub const fn new(id: u16) -> Option<Self> {
        match NonZeroU16::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// Every other 16-bit number is an identifier.
    #[must_use]
    pub const fn from_non_zero(id: NonZeroU16) -> Self {
        Self(id)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Debug for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PacketId({})", self.get())
    }
}

impl fmt::Display for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// The delivery guarantee of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum QoS {
    /// Delivered at most once; not acknowledged.
    #[default]
    AtMostOnce = 0,
    /// Delivered at least once; acknowledged by PUBACK.
    AtLeastOnce = 1,
    /// Delivered exactly once; PUBREC, PUBREL, PUBCOMP.
    ExactlyOnce = 2,
}

impl QoS {
    /// `None` for 3 and above.
    #[must_use]
    pub const fn from_u8(qos: u8) -> Option<Self> {
        Some(match qos {
            0 => Self::AtMostOnce,
            1 => Self::AtLeastOnce,
            2 => Self::ExactlyOnce,
            _ => return None,
        })
    }

    /// 0, 1 or 2.
    #[must_use]
    #[expect(clippy::as_conversions, reason = "the discriminant of a repr(u8) enum")]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }
}
