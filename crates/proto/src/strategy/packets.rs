//! The packets themselves.

use alloc::vec::Vec;

use proptest::arbitrary::any;
use proptest::collection::vec;
use proptest::option;
use proptest::prop_oneof;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Just, Strategy, Union};

use super::properties::{Place, of};
use super::text::{binary, payload, text, topic_filter, topic_name};
use crate::owned::{
    Auth, ByteString, ConnAck, Connect, Disconnect, Packet, Properties, PubAck, PubComp, PubRec, PubRel, Publish,
    ReasonCodes, SubAck, Subscribe, Subscription, TopicName, UnsubAck, Unsubscribe, Will,
};
use crate::reason::ReasonCode;
use crate::subscription::{RetainHandling, SubscribeOptions};
use crate::types::{PacketId, PacketType, QoS, Role, Version};

/// Every packet type.
pub(super) fn types() -> impl Iterator<Item = PacketType> {
    (1..16u8).filter_map(|packet| PacketType::from_first_byte(packet << 4))
}

/// Every packet that `role` may send in `version`.
pub fn packet(version: Version, role: Role) -> BoxedStrategy<Packet> {
    Union::new(types().filter(|packet| packet.is_sent_by(role, version)).map(|packet| of_type(packet, version, role)))
        .boxed()
}

pub(super) fn of_type(packet: PacketType, version: Version, role: Role) -> BoxedStrategy<Packet> {
    match packet {
        PacketType::Connect => connect(version).prop_map(Packet::Connect).boxed(),
        PacketType::ConnAck => connack(version).prop_map(Packet::ConnAck).boxed(),
        PacketType::Publish => publish(version, role).prop_map(Packet::Publish).boxed(),
        PacketType::PubAck => puback(version).prop_map(Packet::PubAck).boxed(),
        PacketType::PubRec => pubrec(version).prop_map(Packet::PubRec).boxed(),
        PacketType::PubRel => pubrel(version).prop_map(Packet::PubRel).boxed(),
        PacketType::PubComp => pubcomp(version).prop_map(Packet::PubComp).boxed(),
        PacketType::Subscribe => subscribe(version).prop_map(Packet::Subscribe).boxed(),
        PacketType::SubAck => suback(version).prop_map(Packet::SubAck).boxed(),
        PacketType::Unsubscribe => unsubscribe(version).prop_map(Packet::Unsubscribe).boxed(),
        PacketType::UnsubAck => unsuback(version).prop_map(Packet::UnsubAck).boxed(),
        PacketType::PingReq => Just(Packet::PingReq).boxed(),
        PacketType::PingResp => Just(Packet::PingResp).boxed(),
        PacketType::Disconnect => disconnect(version, role).prop_map(Packet::Disconnect).boxed(),
        PacketType::Auth => auth(role).prop_map(Packet::Auth).boxed(),
    }
}

/// Any packet identifier.
pub fn packet_id() -> BoxedStrategy<PacketId> {
    (1..=u16::MAX).prop_filter_map("not 0", PacketId::new).boxed()
}

/// Any QoS.
pub fn qos() -> BoxedStrategy<QoS> {
    select(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][..]).boxed()
}

/// Whether `version` lets `sender` put this code into a packet of this type.
pub(super) fn is_code(code: ReasonCode, packet: PacketType, version: Version, sender: Role) -> bool {
    match packet {
        _ if version.has_properties() => code.is_listed_in(packet, Some(sender)),
        PacketType::ConnAck => code.as_return_code().is_some(),
        PacketType::SubAck => matches!(code.as_u8(), 0 | 1 | 2 | 0x80),
        _ => code == ReasonCode::SUCCESS,
    }
}

/// Any code that `sender` may put into a packet of this type; [`ReasonCode::SUCCESS`] for one that has none.
pub fn reason_code(packet: PacketType, version: Version, sender: Role) -> BoxedStrategy<ReasonCode> {
    let codes = (0..=u8::MAX).map(ReasonCode::new).filter(|code| is_code(*code, packet, version, sender));
    let codes: Vec<_> = codes.collect();
    if codes.is_empty() { Just(ReasonCode::SUCCESS).boxed() } else { select(codes).boxed() }
}

/// Any CONNECT.
pub fn connect(version: Version) -> BoxedStrategy<Connect> {
    let properties = of(version, Place::Packet(PacketType::Connect), Role::Client);
    let fields = (any::<bool>(), any::<u16>(), text(), option::of(will(version)));
    (fields, option::of(text()), option::of(binary()), properties)
        .prop_map(move |((clean_start, keep_alive, client_id, will), username, password, properties)| {
            let mut connect = Connect { clean_start, keep_alive, client_id, will, username, password, properties };
            if !version.has_properties() {
                // What those versions forbid.
                if connect.client_id.is_empty() && version == Version::V31 {
                    connect.client_id = ByteString::from_static("a");
                }
                connect.clean_start |= connect.client_id.is_empty();
                connect.password = connect.password.filter(|_| connect.username.is_some());
            }
            connect
        })
        .boxed()
}

/// Any will.
pub fn will(version: Version) -> BoxedStrategy<Will> {
    (qos(), any::<bool>(), topic_name(), binary(), of(version, Place::Will, Role::Client))
        .prop_map(|(qos, retain, topic, payload, properties)| Will { qos, retain, topic, payload, properties })
        .boxed()
}

/// Any CONNACK.
pub fn connack(version: Version) -> BoxedStrategy<ConnAck> {
    let reason = reason_code(PacketType::ConnAck, version, Role::Server);
    let reason = prop_oneof![Just(ReasonCode::SUCCESS), reason];
    (any::<bool>(), reason, of(version, Place::Packet(PacketType::ConnAck), Role::Server))
        .prop_map(move |(present, reason, properties)| {
            let session_present = present && reason == ReasonCode::SUCCESS && version != Version::V31;
            ConnAck { session_present, reason, properties }
        })
        .boxed()
}

/// Any PUBLISH of this side.
pub fn publish(version: Version, role: Role) -> BoxedStrategy<Publish> {
    let properties = of(version, Place::Packet(PacketType::Publish), role);
    ((any::<bool>(), qos(), any::<bool>()), (any::<bool>(), topic_name()), packet_id(), properties, payload())
        .prop_map(|((again, qos, retain), (by_alias, topic), packet_id, properties, payload)| {
            let acknowledged = qos != QoS::AtMostOnce;
            let by_alias = by_alias && properties.as_borrowed().topic_alias().is_some();
            Publish {
                dup: again && acknowledged,
                qos,
                retain,
                topic: if by_alias { TopicName::EMPTY } else { topic },
                packet_id: acknowledged.then_some(packet_id),
                properties,
                payload,
            }
        })
        .boxed()
}

macro_rules! acks {
    ($($function:ident $packet:ident $name:literal)*) => {$(
        #[doc = concat!("Any ", $name, ".")]
        pub fn $function(version: Version) -> BoxedStrategy<$packet> {
            // Its codes and properties are the same for both sides.
            let reason = reason_code(PacketType::$packet, version, Role::Client);
            (packet_id(), reason, of(version, Place::Packet(PacketType::$packet), Role::Client))
                .prop_map(|(packet_id, reason, properties)| $packet { packet_id, reason, properties })
                .boxed()
        }
    )*};
}

acks! {
    puback PubAck "PUBACK"
    pubrec PubRec "PUBREC"
    pubrel PubRel "PUBREL"
    pubcomp PubComp "PUBCOMP"
}

/// Any filter with any options.
pub fn subscription(version: Version) -> BoxedStrategy<Subscription> {
    let handling = select(&[RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend][..]);
    (topic_filter(), qos(), any::<bool>(), any::<bool>(), handling)
        .prop_map(move |(filter, qos, no_local, as_published, handling)| {
            let mut options = SubscribeOptions::new(qos);
            if version.has_properties() {
                options = options
                    .with_no_local(no_local && filter.share().is_none())
                    .with_retain_as_published(as_published)
                    .with_retain_handling(handling);
            }
            Subscription { filter, options }
        })
        .boxed()
}

/// Any SUBSCRIBE.
pub fn subscribe(version: Version) -> BoxedStrategy<Subscribe> {
    let properties = of(version, Place::Packet(PacketType::Subscribe), Role::Client);
    (packet_id(), properties, vec(subscription(version), 1..5))
        .prop_map(|(packet_id, properties, filters)| Subscribe {
            packet_id,
            properties,
            filters: filters.into_iter().collect(),
        })
        .boxed()
}

/// Any UNSUBSCRIBE.
pub fn unsubscribe(version: Version) -> BoxedStrategy<Unsubscribe> {
    let properties = of(version, Place::Packet(PacketType::Unsubscribe), Role::Client);
    (packet_id(), properties, vec(topic_filter(), 1..5))
        .prop_map(|(packet_id, properties, filters)| Unsubscribe {
            packet_id,
            properties,
            filters: filters.into_iter().collect(),
        })
        .boxed()
}

fn codes(packet: PacketType, version: Version) -> BoxedStrategy<ReasonCodes> {
    vec(reason_code(packet, version, Role::Server), 1..6).prop_map(ReasonCodes::from_iter).boxed()
}

/// Any SUBACK.
pub fn suback(version: Version) -> BoxedStrategy<SubAck> {
    let properties = of(version, Place::Packet(PacketType::SubAck), Role::Server);
    (packet_id(), properties, codes(PacketType::SubAck, version))
        .prop_map(|(packet_id, properties, codes)| SubAck { packet_id, properties, codes })
        .boxed()
}

/// Any UNSUBACK.
pub fn unsuback(version: Version) -> BoxedStrategy<UnsubAck> {
    let properties = of(version, Place::Packet(PacketType::UnsubAck), Role::Server);
    let codes =
        if version.has_properties() { codes(PacketType::UnsubAck, version) } else { Just(ReasonCodes::EMPTY).boxed() };
    (packet_id(), properties, codes)
        .prop_map(|(packet_id, properties, codes)| UnsubAck { packet_id, properties, codes })
        .boxed()
}

/// Any DISCONNECT of this side, which before MQTT 5 is the client.
pub fn disconnect(version: Version, role: Role) -> BoxedStrategy<Disconnect> {
    let reason = reason_code(PacketType::Disconnect, version, role);
    (reason, of(version, Place::Packet(PacketType::Disconnect), role))
        .prop_map(|(reason, properties)| Disconnect { reason, properties })
        .boxed()
}

/// Any AUTH of this side, in MQTT 5. From the server it may be empty.
pub fn auth(role: Role) -> BoxedStrategy<Auth> {
    let codes = (0..=u8::MAX).map(ReasonCode::new).filter(|code| code.is_listed_in(PacketType::Auth, Some(role)));
    let full = (select(codes.collect::<Vec<_>>()), super::properties(Place::Packet(PacketType::Auth), role))
        .prop_map(|(reason, properties)| Auth { reason, properties });
    let empty = Just(Auth { reason: ReasonCode::SUCCESS, properties: Properties::EMPTY });
    match role {
        Role::Client => full.boxed(),
        Role::Server => prop_oneof![9 => full, 1 => empty].boxed(),
    }
}
