//! Random packets, valid by construction for a version and a sender.

use mqtt_device_proto::*;

use crate::common::Random;

const TEXTS: &[&str] =
    &["", "a", "client-7", "é€😀", "\u{FEFF}x", "a string that is longer than two words of eight bytes"];
const NAMES: &[&str] =
    &["a", "/", "a/b", "house/door/state", "$SYS/x", "é/€", "a//b", "0123456789abcdef0123456789abcdef"];
const FILTERS: &[&str] =
    &["a", "#", "+", "a/+/b", "a/b/#", "+/+", "$SYS/#", "$share/crew/a/+", "house/door/state", "/"];
const BYTES: &[&[u8]] = &[&[], &[0], &[0xFF, 0, 1], b"payload", &[7; 130]];

pub(crate) const VERSIONS: &[Version] = &[
    Version::V31,
    Version::V311,
    #[cfg(feature = "v5")]
    Version::V5,
];

fn text(r: &mut Random) -> &'static str {
    r.pick(TEXTS)
}

fn bytes(r: &mut Random) -> &'static [u8] {
    r.pick(BYTES)
}

fn name(r: &mut Random) -> TopicName<'static> {
    TopicName::new(r.pick(NAMES)).unwrap()
}

fn filter(r: &mut Random) -> TopicFilter<'static> {
    TopicFilter::new(r.pick(FILTERS)).unwrap()
}

fn qos(r: &mut Random) -> QoS {
    r.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn packet_id(r: &mut Random) -> PacketId {
    PacketId::new(u16::try_from(r.below(0xFFFF) + 1).unwrap()).unwrap()
}

fn reason(r: &mut Random, version: Version, packet: PacketType, role: Role) -> ReasonCode {
    loop {
        let code = if version.has_properties() { ReasonCode::new(r.byte()) } else { ReasonCode::SUCCESS };
        if code.is_listed_in(packet, Some(role)) {
            return code;
        }
    }
}

/// What may stand in a packet's properties; `packet` 0 is the will.
#[cfg(feature = "v5")]
pub(crate) fn properties(r: &mut Random, packet: u8, role: Role) -> Vec<Property<'static>> {
    use core::num::{NonZeroU16, NonZeroU32};
    let number = |r: &mut Random| u32::try_from(r.next() >> 32 >> (r.byte() & 31)).unwrap();
    let short = |r: &mut Random| u16::try_from(r.next() >> 48 >> (r.byte() & 15)).unwrap();
    let mut all: Vec<Property<'static>> = match packet {
        0 | 3 => vec![
            Property::PayloadFormatIndicator(r.flip()),
            Property::MessageExpiryInterval(number(r)),
            Property::ContentType(text(r)),
            Property::ResponseTopic(name(r)),
            Property::CorrelationData(bytes(r)),
        ],
        1 => vec![
            Property::SessionExpiryInterval(number(r)),
            Property::AuthenticationMethod(text(r)),
            Property::RequestProblemInformation(r.flip()),
            Property::RequestResponseInformation(r.flip()),
            Property::ReceiveMaximum(NonZeroU16::new(short(r).max(1)).unwrap()),
            Property::TopicAliasMaximum(short(r)),
            Property::MaximumPacketSize(NonZeroU32::new(number(r).max(1)).unwrap()),
        ],
        2 => vec![
            Property::SessionExpiryInterval(number(r)),
            Property::AssignedClientIdentifier(text(r)),
            Property::ServerKeepAlive(short(r)),
            Property::AuthenticationMethod(text(r)),
            Property::ResponseInformation(text(r)),
            Property::ServerReference(text(r)),
            Property::ReasonString(text(r)),
            Property::ReceiveMaximum(NonZeroU16::new(short(r).max(1)).unwrap()),
            Property::TopicAliasMaximum(short(r)),
            Property::MaximumQoS(r.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce])),
            Property::RetainAvailable(r.flip()),
            Property::MaximumPacketSize(NonZeroU32::new(number(r).max(1)).unwrap()),
            Property::WildcardSubscriptionAvailable(r.flip()),
            Property::SubscriptionIdentifiersAvailable(r.flip()),
            Property::SharedSubscriptionAvailable(r.flip()),
        ],
        8 => vec![Property::SubscriptionIdentifier(NonZeroU32::new((number(r) >> 4).max(1)).unwrap())],
        10 => vec![],
        14 if role == Role::Client => {
            vec![Property::SessionExpiryInterval(number(r)), Property::ReasonString(text(r))]
        }
        14 => vec![Property::ServerReference(text(r)), Property::ReasonString(text(r))],
        15 => vec![Property::ReasonString(text(r))],
        _ => vec![Property::ReasonString(text(r))],
    };
    match packet {
        0 => all.push(Property::WillDelayInterval(number(r))),
        3 => all.push(Property::TopicAlias(NonZeroU16::new(short(r).max(1)).unwrap())),
        _ => {}
    }
    all.retain(|_| r.flip());
    if packet == 15 || matches!(packet, 1 | 2) && all.iter().any(|p| matches!(p, Property::AuthenticationMethod(_))) {
        all.retain(|p| !matches!(p, Property::AuthenticationMethod(_)));
        all.push(Property::AuthenticationMethod(text(r)));
        all.push(Property::AuthenticationData(bytes(r)));
    }
    if packet == 3 && role == Role::Server {
        for _ in 0..r.below(3) {
            all.push(Property::SubscriptionIdentifier(NonZeroU32::new((number(r) >> 4).max(1)).unwrap()));
        }
    }
    for _ in 0..r.below(3) {
        all.insert(r.below(all.len() + 1), Property::UserProperty(text(r), text(r)));
    }
    all
}

#[cfg(feature = "v5")]
fn lend<'b>(version: Version, properties: &'b [Property<'b>]) -> Properties<'b> {
    if version.has_properties() { Properties::from_slice(properties) } else { Properties::EMPTY }
}

/// Hands a random packet of `version`, sent by `role`, to `check`.
pub(crate) fn with_packet(r: &mut Random, version: Version, role: Role, check: impl FnOnce(&mut Random, Packet<'_>)) {
    let packet_type = loop {
        let packet = PacketType::from_first_byte(r.byte());
        if let Some(packet) = packet.filter(|packet| packet.is_sent_by(role, version)) {
            break packet;
        }
    };
    #[cfg(feature = "v5")]
    let (own, of_will) = (properties(r, packet_type_nibble(packet_type), role), properties(r, 0, role));
    #[cfg(feature = "v5")]
    let (properties, will_properties) = (lend(version, &own), lend(version, &of_will));
    #[cfg(not(feature = "v5"))]
    let (properties, will_properties) = (Properties::EMPTY, Properties::EMPTY);

    let reason = |r: &mut Random, role| reason(r, version, packet_type, role);
    let packet_id = packet_id(r);
    match packet_type {
        PacketType::Connect => {
            let clean_start = r.flip();
            let name_needed = !version.has_properties() && (!clean_start || version == Version::V31);
            let client_id = Some(text(r)).filter(|id| !(id.is_empty() && name_needed)).unwrap_or("id");
            let username = r.flip().then(|| text(r));
            let password = (r.flip() && (username.is_some() || version.has_properties())).then(|| bytes(r));
            let will = r.flip().then(|| Will {
                qos: qos(r),
                retain: r.flip(),
                topic: name(r),
                payload: bytes(r),
                properties: will_properties,
            });
            let keep_alive = packet_id.get();
            let connect = Connect { clean_start, keep_alive, client_id, will, username, password, properties };
            check(r, connect.into());
        }
        PacketType::ConnAck => {
            let reason = if version.has_properties() {
                reason(r, role)
            } else {
                ReasonCode::from_return_code(u8::try_from(r.below(6)).unwrap()).unwrap()
            };
            let session_present = reason == ReasonCode::SUCCESS && version != Version::V31 && r.flip();
            check(r, ConnAck { session_present, reason, properties }.into());
        }
        PacketType::Publish => {
            let qos = qos(r);
            let acknowledged = qos != QoS::AtMostOnce;
            let topic = if properties.topic_alias().is_some() && r.flip() { TopicName::EMPTY } else { name(r) };
            let publish = Publish {
                dup: acknowledged && r.flip(),
                qos,
                retain: r.flip(),
                topic,
                packet_id: acknowledged.then_some(packet_id),
                properties,
                payload: bytes(r),
            };
            check(r, publish.into());
        }
        PacketType::PubAck => {
            let reason = reason(r, role);
            check(r, PubAck { packet_id, reason, properties }.into());
        }
        PacketType::PubRec => {
            let reason = reason(r, role);
            check(r, PubRec { packet_id, reason, properties }.into());
        }
        PacketType::PubRel => {
            let reason = reason(r, role);
            check(r, PubRel { packet_id, reason, properties }.into());
        }
        PacketType::PubComp => {
            let reason = reason(r, role);
            check(r, PubComp { packet_id, reason, properties }.into());
        }
        PacketType::Subscribe => {
            let filters: Vec<_> = (0..=r.below(4))
                .map(|_| {
                    let filter = filter(r);
                    let mut options = SubscribeOptions::new(qos(r));
                    if version.has_properties() {
                        let handling = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend];
                        options = options
                            .with_no_local(r.flip() && filter.share().is_none())
                            .with_retain_as_published(r.flip())
                            .with_retain_handling(r.pick(&handling));
                    }
                    Subscription { filter, options }
                })
                .collect();
            check(r, Subscribe { packet_id, properties, filters: Filters::from_slice(&filters) }.into());
        }
        PacketType::Unsubscribe => {
            let filters: Vec<_> = (0..=r.below(4)).map(|_| filter(r)).collect();
            check(r, Unsubscribe { packet_id, properties, filters: TopicFilters::from_slice(&filters) }.into());
        }
        PacketType::SubAck | PacketType::UnsubAck => {
            let subscribed = packet_type == PacketType::SubAck;
            let none = !subscribed && !version.has_properties();
            let codes: Vec<_> = (0..if none { 0 } else { 1 + r.below(4) })
                .map(|_| match version.has_properties() {
                    true => reason(r, role),
                    false => ReasonCode::new(r.pick(&[0, 1, 2, 0x80])),
                })
                .collect();
            let codes = ReasonCodes::from_slice(&codes);
            if subscribed {
                check(r, SubAck { packet_id, properties, codes }.into());
            } else {
                check(r, UnsubAck { packet_id, properties, codes }.into());
            }
        }
        PacketType::PingReq => check(r, Packet::PingReq),
        PacketType::PingResp => check(r, Packet::PingResp),
        PacketType::Disconnect => {
            let reason = reason(r, role);
            check(r, Disconnect { reason, properties }.into());
        }
        PacketType::Auth => {
            let reason = reason(r, role);
            check(r, Auth { reason, properties }.into());
        }
    }
}

#[cfg(feature = "v5")]
fn packet_type_nibble(packet: PacketType) -> u8 {
    (1..16).find(|nibble| PacketType::from_first_byte(nibble << 4) == Some(packet)).unwrap()
}
