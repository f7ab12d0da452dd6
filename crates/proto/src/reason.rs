//! Reason codes: one table of code, name and the packets that may carry it.

use core::fmt;

use crate::types::{PacketType, QoS, Role, Version};

/// Why something was accepted, refused or ended, in MQTT 5's numbering.
///
/// The codec translates the return codes of an older CONNACK at the boundary (1 → 0x84, 2 → 0x85, 3 → 0x88, 4 → 0x86,
/// 5 → 0x87), so a code has one meaning for all versions.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct ReasonCode(u8);

/// Where a code may stand: bit `n` is packet type `n`; bits 14 and 0 part DISCONNECT by its sender (client, server),
/// 15 and 12 AUTH likewise.
type Places = u16;
const CONNACK: Places = 1 << 2;
const PUBACK: Places = 1 << 4 | 1 << 5;
const PUBREL: Places = 1 << 6 | 1 << 7;
const SUBACK: Places = 1 << 9;
const UNSUBACK: Places = 1 << 11;
const DISC_C: Places = 1 << 14;
const DISC_S: Places = 1 << 0;
const DISC: Places = DISC_C | DISC_S;
const AUTH_C: Places = 1 << 15;
const AUTH_S: Places = 1 << 12;

macro_rules! reasons {
    ($($code:literal $name:ident $text:literal $places:expr;)*) => {
        impl ReasonCode {
            $(#[doc = $text] pub const $name: Self = Self($code);)*

            /// The standard's name, or `None` for a code that MQTT 5 does not define.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                Some(match self.0 { $($code => $text,)* _ => return None })
            }

            const fn places(self) -> Places {
                match self.0 { $($code => $places,)* _ => 0 }
            }
        }
    };
}

reasons! {
    0x00 SUCCESS "Success" CONNACK | PUBACK | PUBREL | SUBACK | UNSUBACK | DISC | AUTH_S;
    0x01 GRANTED_QOS_1 "Granted QoS 1" SUBACK;
    0x02 GRANTED_QOS_2 "Granted QoS 2" SUBACK;
    0x04 DISCONNECT_WITH_WILL "Disconnect with Will Message" DISC_C;
    0x10 NO_MATCHING_SUBSCRIBERS "No matching subscribers" PUBACK;
    0x11 NO_SUBSCRIPTION_EXISTED "No subscription existed" UNSUBACK;
    0x18 CONTINUE_AUTHENTICATION "Continue authentication" AUTH_C | AUTH_S;
    0x19 RE_AUTHENTICATE "Re-authenticate" AUTH_C;
    0x80 UNSPECIFIED_ERROR "Unspecified error" CONNACK | PUBACK | SUBACK | UNSUBACK | DISC;
    0x81 MALFORMED_PACKET "Malformed Packet" CONNACK | DISC;
    0x82 PROTOCOL_ERROR "Protocol Error" CONNACK | DISC;
    0x83 IMPLEMENTATION_SPECIFIC_ERROR "Implementation specific error" CONNACK | PUBACK | SUBACK | UNSUBACK | DISC;
    0x84 UNSUPPORTED_PROTOCOL_VERSION "Unsupported Protocol Version" CONNACK;
    0x85 CLIENT_IDENTIFIER_NOT_VALID "Client Identifier not valid" CONNACK;
    0x86 BAD_USER_NAME_OR_PASSWORD "Bad User Name or Password" CONNACK;
    0x87 NOT_AUTHORIZED "Not authorized" CONNACK | PUBACK | SUBACK | UNSUBACK | DISC_S;
    0x88 SERVER_UNAVAILABLE "Server unavailable" CONNACK;
    0x89 SERVER_BUSY "Server busy" CONNACK | DISC_S;
    0x8A BANNED "Banned" CONNACK;
    0x8B SERVER_SHUTTING_DOWN "Server shutting down" DISC_S;
    0x8C BAD_AUTHENTICATION_METHOD "Bad authentication method" CONNACK | DISC_S;
    0x8D KEEP_ALIVE_TIMEOUT "Keep Alive timeout" DISC_S;
    0x8E SESSION_TAKEN_OVER "Session taken over" DISC_S;
    0x8F TOPIC_FILTER_INVALID "Topic Filter invalid" SUBACK | UNSUBACK | DISC_S;
    0x90 TOPIC_NAME_INVALID "Topic Name invalid" CONNACK | PUBACK | DISC;
    0x91 PACKET_IDENTIFIER_IN_USE "Packet Identifier in use" PUBACK | SUBACK | UNSUBACK;
    0x92 PACKET_IDENTIFIER_NOT_FOUND "Packet Identifier not found" PUBREL;
    0x93 RECEIVE_MAXIMUM_EXCEEDED "Receive Maximum exceeded" DISC;
    0x94 TOPIC_ALIAS_INVALID "Topic Alias invalid" DISC;
    0x95 PACKET_TOO_LARGE "Packet too large" CONNACK | DISC;
    0x96 MESSAGE_RATE_TOO_HIGH "Message rate too high" DISC;
    0x97 QUOTA_EXCEEDED "Quota exceeded" CONNACK | PUBACK | SUBACK | DISC;
    0x98 ADMINISTRATIVE_ACTION "Administrative action" DISC;
    0x99 PAYLOAD_FORMAT_INVALID "Payload format invalid" CONNACK | PUBACK | DISC;
    0x9A RETAIN_NOT_SUPPORTED "Retain not supported" CONNACK | DISC_S;
    0x9B QOS_NOT_SUPPORTED "QoS not supported" CONNACK | DISC_S;
    0x9C USE_ANOTHER_SERVER "Use another server" CONNACK | DISC_S;
    0x9D SERVER_MOVED "Server moved" CONNACK | DISC_S;
    0x9E SHARED_SUBSCRIPTIONS_NOT_SUPPORTED "Shared Subscriptions not supported" SUBACK | DISC_S;
    0x9F CONNECTION_RATE_EXCEEDED "Connection rate exceeded" CONNACK | DISC_S;
    0xA0 MAXIMUM_CONNECT_TIME "Maximum connect time" DISC_S;
    0xA1 SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED "Subscription Identifiers not supported" SUBACK | DISC_S;
    0xA2 WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED "Wildcard Subscriptions not supported" SUBACK | DISC_S;
}

impl ReasonCode {
    /// 0x00 in a DISCONNECT.
    pub const NORMAL_DISCONNECTION: Self = Self::SUCCESS;
    /// 0x00 in a SUBACK.
    pub const GRANTED_QOS_0: Self = Self::SUCCESS;

    /// Any byte; whether a packet may carry it is checked where the packet is encoded or decoded.
    #[must_use]
    pub const fn new(code: u8) -> Self {
        Self(code)
    }

    /// What a SUBACK says of a subscription that was granted `qos`.
    #[must_use]
    pub const fn granted(qos: QoS) -> Self {
        Self(qos.as_u8())
    }

    /// The byte.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self.0
    }

    /// Whether the code is a failure: 0x80 and above.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// Whether the standard lists the code for this packet, sent by `sender` (`None`: by either side).
    ///
    /// This is the rule of MQTT 5; before it SUBACK alone had codes (0, 1, 2, 0x80) and CONNACK the five that are
    /// translated.
    #[must_use]
    pub const fn is_listed_in(self, packet: PacketType, sender: Option<Role>) -> bool {
        let places = match (packet, sender) {
            (PacketType::ConnAck, _) => CONNACK,
            (PacketType::PubAck | PacketType::PubRec, _) => PUBACK,
            (PacketType::PubRel | PacketType::PubComp, _) => PUBREL,
            (PacketType::SubAck, _) => SUBACK,
            (PacketType::UnsubAck, _) => UNSUBACK,
            (PacketType::Disconnect, Some(Role::Client)) => DISC_C,
            (PacketType::Disconnect, Some(Role::Server)) => DISC_S,
            (PacketType::Disconnect, None) => DISC,
            (PacketType::Auth, Some(Role::Client)) => AUTH_C,
            (PacketType::Auth, Some(Role::Server)) => AUTH_S,
            (PacketType::Auth, None) => AUTH_C | AUTH_S,
            _ => 0,
        };
        self.places() & places != 0
    }

    /// The reason for a CONNACK return code of MQTT 3.1 and 3.1.1; `None` for the reserved 6 to 255.
    #[must_use]
    pub const fn from_return_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::SUCCESS,
            1 => Self::UNSUPPORTED_PROTOCOL_VERSION,
            2 => Self::CLIENT_IDENTIFIER_NOT_VALID,
            3 => Self::SERVER_UNAVAILABLE,
            4 => Self::BAD_USER_NAME_OR_PASSWORD,
            5 => Self::NOT_AUTHORIZED,
            _ => return None,
        })
    }

    /// The CONNACK return code of MQTT 3.1 and 3.1.1, where there is one with this meaning.
    #[must_use]
    pub const fn as_return_code(self) -> Option<u8> {
        Some(match self {
            Self::SUCCESS => 0,
            Self::UNSUPPORTED_PROTOCOL_VERSION => 1,
            Self::CLIENT_IDENTIFIER_NOT_VALID => 2,
            Self::SERVER_UNAVAILABLE => 3,
            Self::BAD_USER_NAME_OR_PASSWORD => 4,
            Self::NOT_AUTHORIZED => 5,
            _ => return None,
        })
    }

    /// Whether a SUBACK of `version` may carry this code `[MQTT-3.9.3-2]`.
    pub(crate) const fn is_suback_code(self, version: Version) -> bool {
        if version.has_properties() {
            self.is_listed_in(PacketType::SubAck, None)
        } else {
            matches!(self.0, 0 | 1 | 2 | 0x80)
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "reason code 0x{:02X}", self.0),
        }
    }
}

impl fmt::Debug for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "0x{:02X} {name}", self.0),
            None => write!(f, "0x{:02X}", self.0),
        }
    }
}
