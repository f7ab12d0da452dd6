//! The defects, one by one.

use alloc::vec::Vec;

use super::layout::{Field, Layout, Length, What, ends};
use super::packets::is_code;
#[cfg(feature = "v5")]
use super::property_defects::PropertyDefect;
use super::text::{pick, pick_of};
use crate::error::DecodeErrorKind as Kind;
use crate::owned::{ByteString, Bytes, Packet, Properties, ReasonCodes, TopicFilters, TopicName};
use crate::reason::ReasonCode;
use crate::types::{PacketId, PacketType, QoS, Role, Version};

/// The packet in which a defect is made.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) version: Version,
    pub(super) role: Role,
    pub(super) packet: PacketType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    ReservedPacketType,
    WrongDirection,
    ReservedFlags,
    BadQoS,
    DupWithQoS0,
    VarintTooLong,
    VarintNotMinimal,
    FieldTruncated,
    TrailingBytes,
    BadUtf8,
    NulCharacter,
    ZeroPacketId,
    BadProtocolName,
    BadProtocolLevel,
    ReservedConnectFlag,
    WillFlagsWithoutWill,
    BadWillQoS,
    PasswordWithoutUserName,
    EmptyClientId,
    ReservedConnAckFlags,
    SessionPresentWithError,
    BadReasonCode,
    EmptyTopicName,
    WildcardInTopicName,
    EmptyTopicFilter,
    MisplacedMultiLevelWildcard,
    MisplacedSingleLevelWildcard,
    BadSharedFilter,
    ReservedSubscribeOptions,
    BadSubscribeOptions,
    NoLocalOnShared,
    NoTopicFilter,
    NoReasonCodes,
    #[cfg(feature = "v5")]
    Property(PropertyDefect),
}

/// Not UTF-8, wherever between two characters they stand.
pub(super) const ILL_FORMED: &[&[u8]] = &[
    &[0x80],
    &[0xBF],
    // Too long for what it says.
    &[0xC0, 0xAF],
    &[0xC1, 0xBF],
    &[0xE0, 0x80, 0xAF],
    &[0xF0, 0x80, 0x80, 0xAF],
    // Surrogates.
    &[0xED, 0xA0, 0x80],
    &[0xED, 0xBF, 0xBF],
    &[0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80],
    // Above U+10FFFF.
    &[0xF4, 0x90, 0x80, 0x80],
    &[0xF5, 0x80, 0x80, 0x80],
    &[0xFF],
    // Cut off.
    &[0xC3],
    &[0xE2, 0x82],
    &[0xF0, 0x9F, 0x98],
];

const MULTI: &[&str] = &["a#", "#a", "#/a", "a/#/b", "a/b#", "a#/b", "##", "/#/", "#/#"];
const SINGLE: &[&str] = &["a+", "+a", "a/+b", "a/b+/c", "++", "/+a", "+a/#"];
#[cfg(feature = "v5")]
const SHARED: &[&str] =
    &["$share/", "$share//a", "$share/a", "$share/a/", "$share//", "$share/+/a", "$share/#", "$share/+"];

impl Defect {
    /// Those that a packet of this type can have.
    pub(super) fn all(context: Context) -> Vec<Self> {
        let Context { version, packet, .. } = context;
        let v5 = version.has_properties();
        let mut all = alloc::vec![Self::VarintTooLong];
        let mut add = |holds: bool, defects: &[Self]| {
            if holds {
                all.extend(defects);
            }
        };
        let is = |one: &[PacketType]| one.contains(&packet);
        let publish = packet == PacketType::Publish;
        let connect = packet == PacketType::Connect;
        let subscribe = packet == PacketType::Subscribe;
        let filters = subscribe || packet == PacketType::Unsubscribe;
        let pings = [PacketType::PingReq, PacketType::PingResp, PacketType::Disconnect, PacketType::Auth];
        let acks = [PacketType::PubAck, PacketType::PubRec, PacketType::PubRel, PacketType::PubComp];
        add(v5, &[Self::VarintNotMinimal]);
        add(is(&[PacketType::PingReq, PacketType::PingResp]), &[Self::ReservedPacketType]);
        add(!publish, &[Self::ReservedFlags]);
        add(publish, &[Self::BadQoS, Self::DupWithQoS0]);
        add(!is(&pings) && packet != PacketType::ConnAck, &[Self::FieldTruncated]);
        add(ends(packet, version), &[Self::TrailingBytes]);
        add(connect || publish || filters, &[Self::BadUtf8, Self::NulCharacter]);
        add(connect || publish, &[Self::EmptyTopicName, Self::WildcardInTopicName]);
        add(!is(&pings) && !connect && packet != PacketType::ConnAck, &[Self::ZeroPacketId]);
        add(connect, &[Self::BadProtocolName, Self::BadProtocolLevel, Self::ReservedConnectFlag]);
        add(connect, &[Self::WillFlagsWithoutWill, Self::BadWillQoS]);
        add(connect && !v5, &[Self::PasswordWithoutUserName, Self::EmptyClientId]);
        let connack = packet == PacketType::ConnAck;
        add(connack && version != Version::V31, &[Self::ReservedConnAckFlags, Self::SessionPresentWithError]);
        add(connack || packet == PacketType::SubAck, &[Self::BadReasonCode]);
        add(
            v5 && (is(&acks) || is(&[PacketType::UnsubAck, PacketType::Disconnect, PacketType::Auth])),
            &[Self::BadReasonCode],
        );
        add(filters, &[Self::EmptyTopicFilter, Self::NoTopicFilter]);
        add(filters, &[Self::MisplacedMultiLevelWildcard, Self::MisplacedSingleLevelWildcard]);
        add(filters && v5, &[Self::BadSharedFilter]);
        add(subscribe, &[Self::ReservedSubscribeOptions]);
        add(subscribe && v5, &[Self::BadSubscribeOptions, Self::NoLocalOnShared]);
        add(packet == PacketType::SubAck || v5 && packet == PacketType::UnsubAck, &[Self::NoReasonCodes]);
        #[cfg(feature = "v5")]
        if v5 {
            all.extend(PropertyDefect::all(context).into_iter().map(Self::Property));
        }
        all
    }

    /// The packet with this defect, or `None` if it cannot have it.
    pub(super) fn make(self, mut packet: Packet, context: Context, choices: (u16, u16)) -> Option<(Vec<u8>, Kind)> {
        self.prepare(&mut packet, context.version)?;
        let mut layout = Layout::of(&packet.as_borrowed(), context.version)?;
        let kind = self.spoil(&mut layout, context, choices)?;
        Some((layout.bytes(), kind))
    }

    /// Makes the packet one that can have the defect and is still valid, or, where what is wrong is that something is
    /// missing, leaves that out.
    fn prepare(self, packet: &mut Packet, version: Version) -> Option<()> {
        match (self, packet) {
            (Self::DupWithQoS0, Packet::Publish(p)) => (p.dup, p.qos, p.packet_id) = (false, QoS::AtMostOnce, None),
            (Self::ZeroPacketId, Packet::Publish(p)) if p.packet_id.is_none() => {
                (p.qos, p.packet_id) = (QoS::AtLeastOnce, PacketId::new(1));
            }
            (Self::EmptyTopicName, Packet::Publish(p)) => {
                (p.topic, p.properties) = (TopicName::EMPTY, Properties::EMPTY);
            }
            (Self::WillFlagsWithoutWill, Packet::Connect(p)) => p.will = None,
            (Self::PasswordWithoutUserName, Packet::Connect(p)) => {
                p.username = None;
                p.password.get_or_insert(Bytes::new());
            }
            (Self::EmptyClientId, Packet::Connect(p)) => {
                p.client_id = ByteString::new();
                p.clean_start &= version == Version::V31;
            }
            (Self::SessionPresentWithError, Packet::ConnAck(p)) => {
                p.session_present = false;
                if p.reason == ReasonCode::SUCCESS {
                    p.reason = ReasonCode::NOT_AUTHORIZED;
                }
            }
            (Self::BadReasonCode | Self::ReservedConnAckFlags, Packet::ConnAck(p)) => p.session_present = false,
            (Self::NoTopicFilter, Packet::Subscribe(p)) => {
                p.filters = core::iter::empty::<crate::Subscription<'_>>().collect()
            }
            (Self::NoTopicFilter, Packet::Unsubscribe(p)) => {
                p.filters = TopicFilters::from_iter(core::iter::empty::<crate::TopicFilter<'_>>());
            }
            (Self::NoReasonCodes, Packet::SubAck(p)) => p.codes = ReasonCodes::EMPTY,
            (Self::NoReasonCodes, Packet::UnsubAck(p)) => p.codes = ReasonCodes::EMPTY,
            _ => {}
        }
        Some(())
    }

    /// Makes the defect, and says what it is.
    fn spoil(self, layout: &mut Layout, context: Context, (choice, other): (u16, u16)) -> Option<Kind> {
        let [_, low] = choice.to_be_bytes();
        let replace = |layout: &mut Layout, what, text: &str| layout.field(other, what)?.set_content(text.as_bytes());
        Some(match self {
            Self::ReservedPacketType => {
                layout.first = if context.packet == PacketType::Auth && choice & 1 == 0 { 0xF0 } else { low & 0x0F };
                Kind::ReservedPacketType
            }
            // The sender's packet is as it should be.
            Self::WrongDirection => Kind::WrongDirection,
            Self::ReservedFlags => {
                let right = layout.first & 0x0F;
                // MQTT 3.1 has DUP in those that are sent again.
                let dup = right == 2 && context.version == Version::V31;
                let wrong = pick_of(0..16u8, |flags| *flags != right && !(dup && flags & 7 == 2), choice)?;
                layout.first = layout.first & 0xF0 | wrong;
                Kind::ReservedFlags
            }
            Self::BadQoS => {
                layout.first |= 0x06;
                Kind::BadQoS
            }
            Self::DupWithQoS0 => {
                layout.first |= 0x08;
                Kind::DupWithQoS0
            }
            Self::VarintTooLong => {
                layout.length = Length::TooLong;
                Kind::VarintTooLong
            }
            Self::VarintNotMinimal => {
                // Four bytes are filled by a length of 2 MiB: there is no longer form.
                let body = layout.bytes().len();
                layout.length = if body < 0x20_0000 { Length::Padded } else { return None };
                Kind::VarintNotMinimal
            }
            Self::FieldTruncated => {
                let longer = |what| !matches!(what, What::Payload | What::Properties);
                let at = pick(&layout.all(|field| longer(field.what) && field.bytes.len() > 1), choice)?;
                layout.fields.truncate(at.saturating_add(1));
                let bytes = &mut layout.fields.last_mut()?.bytes;
                let len = usize::from(other).checked_rem(bytes.len().saturating_sub(1))?.saturating_add(1);
                bytes.truncate(len);
                Kind::FieldTruncated
            }
            Self::TrailingBytes => {
                // An AUTH may be empty: then these bytes would be taken for what it left out.
                if context.packet == PacketType::Auth && layout.fields.is_empty() {
                    return None;
                }
                let bytes = [low].repeat(usize::from(other & 3).saturating_add(1));
                layout.fields.push(Field { what: What::Payload, bytes, set: None });
                Kind::TrailingBytes
            }
            Self::BadUtf8 => {
                spoil_text(layout, pick(ILL_FORMED, choice)?, other)?;
                Kind::BadUtf8
            }
            Self::NulCharacter => {
                spoil_text(layout, &[0], other)?;
                Kind::NulCharacter
            }
            Self::ZeroPacketId => {
                layout.field(0, What::PacketId)?.bytes = alloc::vec![0, 0];
                Kind::ZeroPacketId
            }
            Self::BadProtocolName => {
                let right = context.version.protocol_name();
                let names = ["MQTT", "MQIsdp", "", "mqtt", "MQTT ", "MQT", "MQTTT", "MQISDP", "HTTP"];
                replace(layout, What::ProtocolName, pick_of(names, |name| *name != right, choice)?)?;
                Kind::BadProtocolName
            }
            Self::BadProtocolLevel => {
                let level = pick_of(0..=u8::MAX, |level| *level != context.version.level(), choice)?;
                set_byte(layout, other, What::ProtocolLevel, level)?;
                Kind::BadProtocolLevel(level)
            }
            Self::ReservedConnectFlag => {
                set_bits(layout, other, What::ConnectFlags, 0x01)?;
                Kind::ReservedConnectFlag
            }
            Self::WillFlagsWithoutWill => {
                let flags = pick(&[0x08, 0x10, 0x20, 0x28, 0x30], choice)?;
                set_bits(layout, other, What::ConnectFlags, flags)?;
                if flags == 0x20 { Kind::WillRetainWithoutWill } else { Kind::WillQoSWithoutWill }
            }
            Self::BadWillQoS => {
                let flags = layout.field(0, What::ConnectFlags)?.bytes.last_mut()?;
                if *flags & 0x04 == 0 {
                    return None;
                }
                *flags |= 0x18;
                Kind::BadWillQoS
            }
            Self::PasswordWithoutUserName => Kind::PasswordWithoutUserName,
            Self::EmptyClientId => Kind::EmptyClientId,
            Self::ReservedConnAckFlags => {
                set_byte(layout, other, What::ConnAckFlags, low.max(2))?;
                Kind::ReservedConnAckFlags
            }
            Self::SessionPresentWithError => {
                set_byte(layout, other, What::ConnAckFlags, 1)?;
                Kind::SessionPresentWithError
            }
            Self::BadReasonCode => {
                let Context { version, role, packet } = context;
                let codes = (0..=u8::MAX).filter(|code| match packet {
                    PacketType::ConnAck if !version.has_properties() => *code > 5,
                    _ => !is_code(ReasonCode::new(*code), packet, version, role),
                });
                let code = pick_of(codes, |_| true, choice)?;
                set_byte(layout, other, What::Code, code)?;
                Kind::BadReasonCode(code)
            }
            Self::EmptyTopicName => {
                replace(layout, What::Name, "")?;
                Kind::EmptyTopicName
            }
            Self::WildcardInTopicName => {
                let part = pick(&["+", "#", "/+", "#/"], choice)?;
                let name = layout.field(other, What::Name)?;
                let spoilt = inserted(name.content(), part.as_bytes(), other)?;
                name.set_content(&spoilt)?;
                Kind::WildcardInTopicName
            }
            Self::EmptyTopicFilter => {
                replace(layout, What::Filter, "")?;
                Kind::EmptyTopicFilter
            }
            Self::MisplacedMultiLevelWildcard => {
                replace(layout, What::Filter, pick(MULTI, choice)?)?;
                Kind::MisplacedMultiLevelWildcard
            }
            Self::MisplacedSingleLevelWildcard => {
                replace(layout, What::Filter, pick(SINGLE, choice)?)?;
                Kind::MisplacedSingleLevelWildcard
            }
            #[cfg(feature = "v5")]
            Self::BadSharedFilter => {
                let filter = pick(SHARED, choice)?;
                replace(layout, What::Filter, filter)?;
                let is_unnamed = filter == "$share/" || filter.starts_with("$share//");
                if is_unnamed { Kind::EmptyShareName } else { Kind::BadSharedFilter }
            }
            Self::ReservedSubscribeOptions => {
                let reserved = |options: &u8| {
                    if context.version.has_properties() {
                        options & 0xC0 != 0 && options & 0x03 != 0x03 && options & 0x30 != 0x30 && options & 0x04 == 0
                    } else {
                        *options > 2
                    }
                };
                set_byte(layout, other, What::Options, pick_of(0..=u8::MAX, reserved, choice)?)?;
                Kind::ReservedSubscribeOptions
            }
            Self::BadSubscribeOptions => {
                // Either of them, not both, and nothing that a shared subscription forbids.
                let bad = |options: &u8| options & 0xC4 == 0 && (options & 0x03 == 0x03) != (options & 0x30 == 0x30);
                set_byte(layout, other, What::Options, pick_of(0..=u8::MAX, bad, choice)?)?;
                Kind::BadSubscribeOptions
            }
            Self::NoLocalOnShared => {
                replace(layout, What::Filter, pick(&["$share/a/b", "$share/a/#", "$share/é//"], choice)?)?;
                set_bits(layout, other, What::Options, 0x04)?;
                Kind::NoLocalOnShared
            }
            Self::NoTopicFilter => Kind::NoTopicFilter,
            Self::NoReasonCodes => Kind::NoReasonCodes,
            #[cfg(feature = "v5")]
            Self::Property(defect) => return defect.spoil(layout, context, (choice, other)),
            #[cfg(not(feature = "v5"))]
            Self::BadSharedFilter => return None,
        })
    }
}

/// Sets bits in a field that is one byte long.
fn set_bits(layout: &mut Layout, choice: u16, what: What, bits: u8) -> Option<()> {
    *layout.field(choice, what)?.bytes.last_mut()? |= bits;
    Some(())
}

fn set_byte(layout: &mut Layout, choice: u16, what: What, byte: u8) -> Option<()> {
    *layout.field(choice, what)?.bytes.last_mut()? = byte;
    Some(())
}

/// `part` put between two characters of a text.
pub(super) fn inserted(text: &[u8], part: &[u8], choice: u16) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(text).ok()?;
    let at = usize::from(choice).checked_rem(text.len().saturating_add(1))?;
    let (before, behind) = text.split_at_checked((0..=at).rev().find(|at| text.is_char_boundary(*at))?)?;
    Some([before.as_bytes(), part, behind.as_bytes()].concat())
}

/// Puts `part` into one of the strings.
fn spoil_text(layout: &mut Layout, part: &[u8], choice: u16) -> Option<()> {
    let text = |what| matches!(what, What::Text | What::ClientId | What::Name | What::Filter);
    let field = layout.any(choice, |field| text(field.what))?;
    let spoilt = match field.what {
        // In a filter it could stand beside a wildcard, which would be a second defect.
        What::Filter => [b"a/", part, b"/b"].concat(),
        _ => inserted(field.content(), part, choice.wrapping_shr(3))?,
    };
    field.set_content(&spoilt)
}
