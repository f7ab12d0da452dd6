//! MQTT 5 properties: one table of their types and places; validated once, then read in place.

use core::fmt;
use core::num::{NonZeroU16, NonZeroU32};

use crate::connect::Redacted;
#[cfg(feature = "v5")]
use crate::fields::{take_binary, take_string, take_u8, take_u16, take_u32, take_varint};
#[cfg(feature = "v5")]
use crate::text::Text;
use crate::topic::TopicName;
use crate::types::{PacketType, QoS, Role};

/// Where a property may stand: bit `n` is packet type `n`, bit 0 the will.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places(u16);

impl Places {
    /// No place in particular: every property may stand there.
    #[cfg(feature = "v5")]
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const WILL: Self = Self(1);
    pub(crate) const CONNECT: Self = Self(1 << 1);
    pub(crate) const CONNACK: Self = Self(1 << 2);
    pub(crate) const PUBLISH: Self = Self(1 << 3);
    pub(crate) const SUBSCRIBE: Self = Self(1 << 8);
    pub(crate) const SUBACK: Self = Self(1 << 9);
    pub(crate) const UNSUBSCRIBE: Self = Self(1 << 10);
    pub(crate) const UNSUBACK: Self = Self(1 << 11);
    pub(crate) const DISCONNECT: Self = Self(1 << 14);
    pub(crate) const AUTH: Self = Self(1 << 15);
    /// The packets that answer: their properties are a Reason String and User Properties.
    pub(crate) const ANSWERS: Self = Self(1 << 4 | 1 << 5 | 1 << 6 | 1 << 7).or(Self::SUBACK).or(Self::UNSUBACK);
    pub(crate) const ALL: Self = Self(0xCFFF);

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[cfg(feature = "v5")]
    pub(crate) const fn contains(self, place: Self) -> bool {
        self.0 & place.0 == place.0
    }
}

impl From<PacketType> for Places {
    fn from(packet: PacketType) -> Self {
        Self(packet.bit())
    }
}

/// How a property's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One byte, 0 or 1.
    Flag,
    U16,
    /// Never 0.
    NonZeroU16,
    U32,
    NonZeroU32,
    /// A Variable Byte Integer, never 0.
    Varint,
    Text,
    Topic,
    Binary,
    Pair,
}

/// The identifiers that were seen; they are all below 64.
#[cfg(feature = "v5")]
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen(u64);

#[cfg(feature = "v5")]
impl Seen {
    const fn contains(self, id: PropertyId) -> bool {
        self.0 & Self::bit(id) != 0
    }

    /// Whether `id` must not stand again. User Properties always may; so may Subscription Identifiers in a PUBLISH.
    pub(crate) const fn is_repeated(&mut self, id: PropertyId, place: Places) -> bool {
        let repeated = self.contains(id);
        self.0 |= Self::bit(id);
        repeated
            && match id {
                PropertyId::UserProperty => false,
                PropertyId::SubscriptionIdentifier => !Places::PUBLISH.contains(place),
                _ => true,
            }
    }

    const fn bit(id: PropertyId) -> u64 {
        let [bit, ..] = [id.as_u8()];
        1u64.wrapping_shl(u32::from_le_bytes([bit, 0, 0, 0]))
    }

    /// Authentication Data needs a method.
    pub(crate) const fn lacks_method(self) -> bool {
        self.contains(PropertyId::AuthenticationData) && !self.contains(PropertyId::AuthenticationMethod)
    }
}

/// Of an identifier that no property has.
const NO_RULES: (Places, Kind) = (Places(0), Kind::Flag);

/// What a property is matched by and shown as, by its kind.
macro_rules! shown {
    ($id:ident Pair $value:ident) => {
        Self::$id($value, _)
    };
    ($id:ident $kind:ident $value:ident) => {
        Self::$id($value)
    };
}

/// A property's value, by its kind, off bytes that were checked.
#[cfg(feature = "v5")]
macro_rules! taken {
    (MaximumQoS Flag $set:ident $text:ident) => {
        Self::MaximumQoS(QoS::from_u8(take_u8($set)?)?)
    };
    ($id:ident Flag $set:ident $text:ident) => {
        Self::$id(take_u8($set)? != 0)
    };
    ($id:ident U16 $set:ident $text:ident) => {
        Self::$id(take_u16($set)?)
    };
    ($id:ident NonZeroU16 $set:ident $text:ident) => {
        Self::$id(NonZeroU16::new(take_u16($set)?)?)
    };
    ($id:ident U32 $set:ident $text:ident) => {
        Self::$id(take_u32($set)?)
    };
    ($id:ident NonZeroU32 $set:ident $text:ident) => {
        Self::$id(NonZeroU32::new(take_u32($set)?)?)
    };
    ($id:ident Varint $set:ident $text:ident) => {
        Self::$id(NonZeroU32::new(take_varint($set)?)?)
    };
    ($id:ident Text $set:ident $text:ident) => {
        Self::$id(take_string($set, $text)?)
    };
    ($id:ident Topic $set:ident $text:ident) => {
        Self::$id(TopicName::checked(take_string($set, $text)?))
    };
    ($id:ident Binary $set:ident $text:ident) => {
        Self::$id(take_binary($set)?)
    };
    ($id:ident Pair $set:ident $text:ident) => {
        Self::$id(take_string($set, $text)?, take_string($set, $text)?)
    };
}

macro_rules! properties {
    ($($(#[$meta:meta])* $code:literal $id:ident $name:literal $kind:ident $places:expr;)*) => {
        /// The identifier of a property.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
        #[non_exhaustive]
        #[repr(u8)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub enum PropertyId {
            $(#[doc = $name] $(#[$meta])* $id = $code,)*
        }

        impl PropertyId {
            /// The property with this identifier, if there is one.
            #[must_use]
            pub const fn from_u8(id: u8) -> Option<Self> {
                Some(match id { $($code => Self::$id,)* _ => return None })
            }

            /// The identifier on the wire.
            #[must_use]
            pub const fn as_u8(self) -> u8 {
                match self { $(Self::$id => $code,)* }
            }

            /// The standard's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => $name,)* }
            }

            /// Where it may stand, and how it is written.
            #[cfg_attr(not(feature = "v5"), expect(dead_code))]
            #[inline]
            pub(crate) fn rules(self) -> (Places, Kind) {
                RULES.get(usize::from(self.as_u8())).copied().unwrap_or(NO_RULES)
            }
        }

        /// By identifier. Looked up: as a match it would be one more jump for each property, a fifth of its encoding.
        static RULES: [(Places, Kind); 64] = {
            let mut rules = [NO_RULES; 64];
            $(if let Some((_, [rule, ..])) = rules.split_at_mut_checked($code) {
                *rule = ($places, Kind::$kind);
            })*
            rules
        };

        impl fmt::Debug for Property<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if let Self::AuthenticationData(secret) = self {
                    return f.debug_tuple("AuthenticationData").field(&Redacted(secret)).finish();
                }
                if let Self::UserProperty(name, value) = self {
                    return f.debug_tuple("UserProperty").field(name).field(value).finish();
                }
                match self { $(shown!($id $kind value) => f.debug_tuple(stringify!($id)).field(value).finish(),)* }
            }
        }

        #[cfg(feature = "v5")]
        impl<'b> Property<'b> {
            /// Takes a property off the front of a set that was checked, which may be part of a text. `None` is the end.
            #[cfg_attr(target_pointer_width = "64", inline(always))]
            pub(crate) fn take(set: &mut &'b [u8], text: Text<'b>) -> Option<Self> {
                Some(match take_u8(set)? { $($code => taken!($id $kind set text),)* _ => return None })
            }
        }

        impl Property<'_> {
            /// Which property this is.
            #[must_use]
            pub const fn id(&self) -> PropertyId {
                match self { $(Self::$id(..) => PropertyId::$id,)* }
            }
        }
    };
}

/// Every property: identifier, name, kind and places. A macro is told them, to make of them what it likes.
macro_rules! table {
    ($make:ident) => {
        $make! {
            0x01 PayloadFormatIndicator "Payload Format Indicator" Flag Places::PUBLISH.or(Places::WILL);
            0x02 MessageExpiryInterval "Message Expiry Interval" U32 Places::PUBLISH.or(Places::WILL);
            0x03 ContentType "Content Type" Text Places::PUBLISH.or(Places::WILL);
            0x08 ResponseTopic "Response Topic" Topic Places::PUBLISH.or(Places::WILL);
            0x09 CorrelationData "Correlation Data" Binary Places::PUBLISH.or(Places::WILL);
            0x0B SubscriptionIdentifier "Subscription Identifier" Varint Places::PUBLISH.or(Places::SUBSCRIBE);
            0x11 SessionExpiryInterval "Session Expiry Interval" U32
                Places::CONNECT.or(Places::CONNACK).or(Places::DISCONNECT);
            0x12 AssignedClientIdentifier "Assigned Client Identifier" Text Places::CONNACK;
            0x13 ServerKeepAlive "Server Keep Alive" U16 Places::CONNACK;
            0x15 AuthenticationMethod "Authentication Method" Text Places::CONNECT.or(Places::CONNACK).or(Places::AUTH);
            0x16 AuthenticationData "Authentication Data" Binary Places::CONNECT.or(Places::CONNACK).or(Places::AUTH);
            0x17 RequestProblemInformation "Request Problem Information" Flag Places::CONNECT;
            0x18 WillDelayInterval "Will Delay Interval" U32 Places::WILL;
            0x19 RequestResponseInformation "Request Response Information" Flag Places::CONNECT;
            0x1A ResponseInformation "Response Information" Text Places::CONNACK;
            0x1C ServerReference "Server Reference" Text Places::CONNACK.or(Places::DISCONNECT);
            0x1F ReasonString "Reason String" Text
                Places::CONNACK.or(Places::ANSWERS).or(Places::DISCONNECT).or(Places::AUTH);
            0x21 ReceiveMaximum "Receive Maximum" NonZeroU16 Places::CONNECT.or(Places::CONNACK);
            0x22 TopicAliasMaximum "Topic Alias Maximum" U16 Places::CONNECT.or(Places::CONNACK);
            0x23 TopicAlias "Topic Alias" NonZeroU16 Places::PUBLISH;
            #[cfg_attr(feature = "serde", serde(rename = "maximum_qos"))]
            0x24 MaximumQoS "Maximum QoS" Flag Places::CONNACK;
            0x25 RetainAvailable "Retain Available" Flag Places::CONNACK;
            0x26 UserProperty "User Property" Pair Places::ALL;
            0x27 MaximumPacketSize "Maximum Packet Size" NonZeroU32 Places::CONNECT.or(Places::CONNACK);
            0x28 WildcardSubscriptionAvailable "Wildcard Subscription Available" Flag Places::CONNACK;
            0x29 SubscriptionIdentifiersAvailable "Subscription Identifiers Available" Flag Places::CONNACK;
            0x2A SharedSubscriptionAvailable "Shared Subscription Available" Flag Places::CONNACK;
        }
    };
}
#[cfg(all(feature = "v5", target_pointer_width = "64"))]
pub(crate) use table;

table!(properties);

impl PropertyId {
    /// `[MQTT-3.3.4-6 v5]` `[MQTT-3.14.2-2 v5]`
    pub(crate) fn is_misdirected(self, place: Places, sender: Role) -> bool {
        match self {
            Self::SubscriptionIdentifier => sender == Role::Client && place == Places::PUBLISH,
            Self::SessionExpiryInterval => sender == Role::Server && place == Places::DISCONNECT,
            _ => false,
        }
    }
}

impl fmt::Display for PropertyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One property with its value. Zero, where the standard forbids it, cannot be expressed.
///
/// `Debug` shows the length alone of authentication data.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Property<'b> {
    /// Whether the payload is said to be UTF-8.
    PayloadFormatIndicator(bool),
    /// Seconds until the message is stale.
    MessageExpiryInterval(u32),
    /// What the payload is, such as a MIME type.
    ContentType(&'b str),
    /// Where the response is to go.
    ResponseTopic(TopicName<'b>),
    /// What the response is to repeat.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::bytes"))]
    CorrelationData(&'b [u8]),
    /// The number the client gave the subscription, 1 to 268,435,455.
    SubscriptionIdentifier(NonZeroU32),
    /// Seconds that the session outlives its connection; `u32::MAX` is for ever.
    SessionExpiryInterval(u32),
    /// The client identifier that the server chose.
    AssignedClientIdentifier(&'b str),
    /// The keep alive, in seconds, that the client must use instead of its own.
    ServerKeepAlive(u16),
    /// The name of the authentication method.
    AuthenticationMethod(&'b str),
    /// What the authentication method exchanges.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::bytes"))]
    AuthenticationData(&'b [u8]),
    /// Whether the server may send reason strings and user properties with failures.
    RequestProblemInformation(bool),
    /// Seconds between the connection's end and the will.
    WillDelayInterval(u32),
    /// Whether the client asks for Response Information.
    RequestResponseInformation(bool),
    /// The basis of response topics.
    ResponseInformation(&'b str),
    /// Another server to use.
    ServerReference(&'b str),
    /// For a human who diagnoses.
    ReasonString(&'b str),
    /// How many QoS 1 and 2 messages may be on their way at once.
    ReceiveMaximum(NonZeroU16),
    /// The greatest topic alias that the sender of this takes.
    TopicAliasMaximum(u16),
    /// A number in place of the topic name `[MQTT-3.3.2-8 v5]`.
    TopicAlias(NonZeroU16),
    /// The greatest QoS that the server takes: 0 or 1.
    #[cfg_attr(feature = "serde", serde(rename = "maximum_qos"))]
    MaximumQoS(QoS),
    /// Whether the server keeps retained messages.
    RetainAvailable(bool),
    /// A name and a value; any number of them, in order.
    UserProperty(&'b str, &'b str),
    /// The longest packet, in bytes, that the sender of this takes.
    MaximumPacketSize(NonZeroU32),
    /// Whether the server takes wildcards in filters.
    WildcardSubscriptionAvailable(bool),
    /// Whether the server takes subscription identifiers.
    SubscriptionIdentifiersAvailable(bool),
    /// Whether the server takes shared subscriptions.
    SharedSubscriptionAvailable(bool),
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn authentication_data_is_not_shown() {
        let secret = [0x73, 0x65, 0x63, 0x72, 0x65, 0x74];
        assert_eq!(format!("{:?}", Property::AuthenticationData(&secret)), "AuthenticationData([6 bytes])");
        assert_eq!(format!("{:?}", Property::UserProperty("a", "b")), r#"UserProperty("a", "b")"#);
        assert_eq!(format!("{:?}", Property::ReceiveMaximum(NonZeroU16::MIN)), "ReceiveMaximum(1)");
    }
}
