//! How each library is asked to write a PUBLISH or a SUBSCRIBE, by what its safe interface lets a caller say.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::{Bytes, BytesMut};
use mqtt_device_proto as ours;
use ntex_codec::Encoder as _;

/// A PUBLISH; the properties for MQTT 5 alone.
#[derive(Clone, Copy, Default)]
pub struct Message<'a> {
    pub topic: &'a str,
    pub dup: bool,
    /// With a packet identifier the QoS is 1.
    pub id: Option<u16>,
    pub payload_format: Option<u8>,
    pub alias: Option<u16>,
    pub response: Option<&'a str>,
    pub subscription: Option<u32>,
    pub content_type: Option<&'a str>,
    pub user: Option<&'a str>,
}

/// The bytes, if the library lets a caller write them.
pub type Written = Option<Vec<u8>>;
pub type Publish = fn(&Message<'_>) -> Written;
/// Packet identifier, Subscription Identifier (MQTT 5 alone), filters, No Local (MQTT 5 alone).
pub type Subscribe = fn(u16, Option<u32>, &[&str], bool) -> Written;

pub const PUBLISH_V4: [(&str, Publish); 6] = [
    ("mqtt-device", |message| ours_publish(message, ours::Version::V311)),
    ("rumqttc-v4", rumqttc_v4),
    ("mqttbytes", mqttbytes),
    ("mqttrs", mqttrs),
    ("mqtt-codec-kit", codec_kit_v4),
    ("ntex-mqtt", ntex_v3),
];
pub const PUBLISH_V5: [(&str, Publish); 4] = [
    ("mqtt-device", |message| ours_publish(message, ours::Version::V5)),
    ("rumqttc-v5", rumqttc_v5),
    ("mqtt-codec-kit", codec_kit_v5),
    ("ntex-mqtt", ntex_v5),
];
pub const SUBSCRIBE_V4: [(&str, Subscribe); 6] = [
    ("mqtt-device", |id, _, filters, _| ours_subscribe(id, None, filters, false, ours::Version::V311)),
    ("rumqttc-v4", |id, _, filters, _| {
        use rumqttc::{QoS, SubscribeFilter, mqttbytes::v4};
        let filter = |filter: &&str| SubscribeFilter::new((*filter).to_owned(), QoS::AtMostOnce);
        let mut packet = v4::Subscribe::new_many(filters.iter().map(filter));
        packet.pkid = id;
        let mut out = BytesMut::new();
        v4::Packet::Subscribe(packet).write(&mut out, 1 << 20).ok()?;
        Some(out.to_vec())
    }),
    ("mqttbytes", |id, _, filters, _| {
        use mqttbytes::{QoS, v4};
        let filter = |filter: &&str| v4::SubscribeFilter::new((*filter).to_owned(), QoS::AtMostOnce);
        let mut packet = v4::Subscribe::new_many(filters.iter().map(filter));
        packet.pkid = id;
        let mut out = BytesMut::new();
        packet.write(&mut out).ok()?;
        Some(out.to_vec())
    }),
    ("mqttrs", |id, _, filters, _| {
        let topic =
            |filter: &&str| mqttrs::SubscribeTopic { topic_path: (*filter).to_owned(), qos: mqttrs::QoS::AtMostOnce };
        let packet = mqttrs::Subscribe::new(id.try_into().ok()?, filters.iter().map(topic).collect());
        encode_slice(&packet.into())
    }),
    ("mqtt-codec-kit", |id, _, filters, _| {
        use mqtt_codec_kit::common::{QualityOfService, TopicFilter};
        let filter = |filter: &&str| Some((TopicFilter::new(*filter).ok()?, QualityOfService::Level0));
        let filters = filters.iter().map(filter).collect::<Option<_>>()?;
        encodable(&mqtt_codec_kit::v4::packet::SubscribePacket::new(id, filters))
    }),
    ("ntex-mqtt", |id, _, filters, _| {
        let topic_filters = filters.iter().map(|filter| ((*filter).into(), ntex_mqtt::QoS::AtMostOnce)).collect();
        ntex_v3_packet(ntex_mqtt::v3::codec::Encoded::Packet(ntex_mqtt::v3::codec::Packet::Subscribe {
            packet_id: NonZeroU16::new(id)?,
            topic_filters,
        }))
    }),
];
pub const SUBSCRIBE_V5: [(&str, Subscribe); 4] = [
    ("mqtt-device", |id, subscription, filters, no_local| {
        ours_subscribe(id, subscription, filters, no_local, ours::Version::V5)
    }),
    ("rumqttc-v5", |id, subscription, filters, no_local| {
        use rumqttc::v5::mqttbytes::{QoS, v5};
        let filter = |filter: &&str| {
            let mut filter = v5::Filter::new(*filter, QoS::AtMostOnce);
            filter.nolocal = no_local;
            filter
        };
        let properties =
            subscription.map(|id| v5::SubscribeProperties { id: Some(id as usize), user_properties: Vec::new() });
        let mut packet = v5::Subscribe::new_many(filters.iter().map(filter), properties);
        packet.pkid = id;
        let mut out = BytesMut::new();
        v5::Packet::Subscribe(packet).write(&mut out, Some(1 << 20)).ok()?;
        Some(out.to_vec())
    }),
    ("mqtt-codec-kit", |id, subscription, filters, no_local| {
        use mqtt_codec_kit::common::TopicFilter;
        use mqtt_codec_kit::v5::{control::SubscribeProperties, packet};
        let mut options = packet::subscribe::SubscribeOptions::default();
        options.set_no_local(no_local);
        let filter = |filter: &&str| Some((TopicFilter::new(*filter).ok()?, options));
        let filters = filters.iter().map(filter).collect::<Option<_>>()?;
        let mut packet = packet::SubscribePacket::new(id, filters);
        let mut properties = SubscribeProperties::default();
        properties.set_identifier(subscription.map(|id| id as usize));
        packet.set_properties(properties);
        encodable(&packet)
    }),
    ("ntex-mqtt", |id, subscription, filters, no_local| {
        use ntex_mqtt::v5::codec::{Encoded, Packet, Subscribe, SubscriptionOptions};
        let options = SubscriptionOptions { no_local, ..SubscriptionOptions::default() };
        let id_given = subscription.is_some();
        let subscription = subscription.and_then(NonZeroU32::new);
        if id_given && subscription.is_none() {
            return None;
        }
        ntex_v5_packet(Encoded::Packet(Packet::Subscribe(Subscribe {
            packet_id: NonZeroU16::new(id)?,
            id: subscription,
            user_properties: Vec::new(),
            topic_filters: filters.iter().map(|filter| ((*filter).into(), options)).collect(),
        })))
    }),
];

/// Of every message.
pub const PAYLOAD: &[u8] = b"x";

fn ours_publish(message: &Message<'_>, version: ours::Version) -> Written {
    let topic =
        if message.topic.is_empty() { ours::TopicName::EMPTY } else { ours::TopicName::new(message.topic).ok()? };
    let mut properties = Vec::new();
    if let Some(format) = message.payload_format {
        properties.push(ours::Property::PayloadFormatIndicator(match format {
            0 => false,
            1 => true,
            _ => return None,
        }));
    }
    if let Some(alias) = message.alias {
        properties.push(ours::Property::TopicAlias(NonZeroU16::new(alias)?));
    }
    if let Some(response) = message.response {
        let response =
            if response.is_empty() { ours::TopicName::EMPTY } else { ours::TopicName::new(response).ok()? };
        properties.push(ours::Property::ResponseTopic(response));
    }
    if let Some(id) = message.subscription {
        properties.push(ours::Property::SubscriptionIdentifier(NonZeroU32::new(id)?));
    }
    if let Some(content_type) = message.content_type {
        properties.push(ours::Property::ContentType(content_type));
    }
    if let Some(user) = message.user {
        properties.push(ours::Property::UserProperty(user, user));
    }
    let packet_id = match message.id {
        None => None,
        Some(id) => Some(ours::PacketId::new(id)?),
    };
    let packet = ours::Publish {
        dup: message.dup,
        qos: if packet_id.is_some() { ours::QoS::AtLeastOnce } else { ours::QoS::AtMostOnce },
        packet_id,
        properties: ours::Properties::from_slice(&properties),
        ..ours::Publish::new(topic, PAYLOAD)
    };
    let mut out = vec![0; 1 << 17];
    let len = packet.encode(version, &mut out).ok()?;
    out.truncate(len);
    Some(out)
}

fn ours_subscribe(
    id: u16,
    subscription: Option<u32>,
    filters: &[&str],
    no_local: bool,
    version: ours::Version,
) -> Written {
    let options = ours::SubscribeOptions::default().with_no_local(no_local);
    let filters = filters.iter().map(|filter| ours::TopicFilter::new(filter).ok());
    let filters: Vec<_> =
        filters.map(|filter| Some(ours::Subscription { filter: filter?, options })).collect::<Option<_>>()?;
    let mut properties = Vec::new();
    if let Some(id) = subscription {
        properties.push(ours::Property::SubscriptionIdentifier(NonZeroU32::new(id)?));
    }
    let packet = ours::Subscribe {
        packet_id: ours::PacketId::new(id)?,
        properties: ours::Properties::from_slice(&properties),
        filters: ours::Filters::from_slice(&filters),
    };
    let mut out = vec![0; 1 << 17];
    let len = packet.encode(version, &mut out).ok()?;
    out.truncate(len);
    Some(out)
}

fn rumqttc_v4(message: &Message<'_>) -> Written {
    use rumqttc::{QoS, mqttbytes::v4};
    let qos = if message.id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce };
    let mut packet = v4::Publish::new(message.topic, qos, PAYLOAD);
    (packet.dup, packet.pkid) = (message.dup, message.id.unwrap_or(0));
    let mut out = BytesMut::new();
    v4::Packet::Publish(packet).write(&mut out, 1 << 20).ok()?;
    Some(out.to_vec())
}

fn rumqttc_v5(message: &Message<'_>) -> Written {
    use rumqttc::v5::mqttbytes::{QoS, v5};
    let qos = if message.id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce };
    let properties = v5::PublishProperties {
        payload_format_indicator: message.payload_format,
        topic_alias: message.alias,
        response_topic: message.response.map(str::to_owned),
        user_properties: message.user.iter().map(|user| ((*user).to_owned(), (*user).to_owned())).collect(),
        subscription_identifiers: message.subscription.iter().map(|id| *id as usize).collect(),
        content_type: message.content_type.map(str::to_owned),
        ..v5::PublishProperties::default()
    };
    let mut packet = v5::Publish::new(message.topic, qos, PAYLOAD, Some(properties));
    (packet.dup, packet.pkid) = (message.dup, message.id.unwrap_or(0));
    let mut out = BytesMut::new();
    v5::Packet::Publish(packet).write(&mut out, Some(1 << 20)).ok()?;
    Some(out.to_vec())
}

fn mqttbytes(message: &Message<'_>) -> Written {
    use mqttbytes::{QoS, v4};
    let qos = if message.id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce };
    let mut packet = v4::Publish::from_bytes(message.topic, qos, Bytes::from_static(PAYLOAD));
    (packet.dup, packet.pkid) = (message.dup, message.id.unwrap_or(0));
    let mut out = BytesMut::new();
    packet.write(&mut out).ok()?;
    Some(out.to_vec())
}

fn mqttrs(message: &Message<'_>) -> Written {
    let qospid = match message.id {
        None => mqttrs::QosPid::AtMostOnce,
        Some(id) => mqttrs::QosPid::AtLeastOnce(id.try_into().ok()?),
    };
    let packet =
        mqttrs::Publish { dup: message.dup, qospid, retain: false, topic_name: message.topic, payload: PAYLOAD };
    encode_slice(&packet.into())
}

pub fn encode_slice(packet: &mqttrs::Packet<'_>) -> Written {
    let mut out = vec![0; 1 << 17];
    let len = mqttrs::encode_slice(packet, &mut out).ok()?;
    out.truncate(len);
    Some(out)
}

macro_rules! codec_kit {
    ($name:ident $v:ident $properties:expr) => {
        fn $name(message: &Message<'_>) -> Written {
            use mqtt_codec_kit::common::{TopicName, qos::QoSWithPacketIdentifier};
            use mqtt_codec_kit::$v::packet::PublishPacket;
            let qos = message.id.map_or(QoSWithPacketIdentifier::Level0, QoSWithPacketIdentifier::Level1);
            let mut packet = PublishPacket::new(TopicName::new(message.topic).ok()?, qos, PAYLOAD);
            packet.set_dup(message.dup);
            $properties(&mut packet, message);
            encodable(&packet)
        }
    };
}

codec_kit!(codec_kit_v4 v4 |_: &mut PublishPacket, _: &Message<'_>| ());
codec_kit!(codec_kit_v5 v5 |packet: &mut PublishPacket, message: &Message<'_>| {
    let mut set = packet.properties().clone();
    set.set_payload_format_indicator(message.payload_format);
    set.set_topic_alias(message.alias);
    set.set_response_topic(message.response.map(str::to_owned));
    set.set_content_type(message.content_type.map(str::to_owned));
    if let Some(id) = message.subscription {
        set.set_subscription_identifier(id);
    }
    if let Some(user) = message.user {
        set.add_user_property(user, user);
    }
    packet.set_properties(set);
});

pub fn encodable(packet: &impl mqtt_codec_kit::common::Encodable) -> Written {
    let mut out = Vec::new();
    packet.encode(&mut out).ok()?;
    Some(out)
}

macro_rules! ntex {
    ($publish:ident $packet:ident $v:ident $properties:expr) => {
        fn $publish(message: &Message<'_>) -> Written {
            use ntex_mqtt::QoS;
            use ntex_mqtt::$v::codec::Encoded;
            let packet_id = match message.id {
                None => None,
                Some(id) => Some(NonZeroU16::new(id)?),
            };
            let qos = if packet_id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce };
            let packet = $properties(message, packet_id, qos)?;
            $packet(Encoded::Publish(packet, Some(ntex_bytes::Bytes::from_static(PAYLOAD))))
        }

        fn $packet(packet: ntex_mqtt::$v::codec::Encoded) -> Written {
            let mut pages = ntex_bytes::BytePages::new(ntex_bytes::BytePageSize::Size16);
            ntex_mqtt::$v::codec::Codec::new().encodev(packet, &mut pages).ok()?;
            let mut out = Vec::new();
            while let Some(page) = pages.take() {
                out.extend(page.to_vec());
            }
            Some(out)
        }
    };
}

ntex!(ntex_v3 ntex_v3_packet v3 |message: &Message<'_>, packet_id, qos| {
    Some(ntex_mqtt::v3::codec::Publish {
        dup: message.dup,
        retain: false,
        qos,
        topic: message.topic.into(),
        packet_id,
        payload_size: PAYLOAD.len() as u32,
    })
});
ntex!(ntex_v5 ntex_v5_packet v5 |message: &Message<'_>, packet_id, qos| {
    use ntex_mqtt::v5::codec::{Publish, PublishProperties};
    // It cannot say these at all.
    if message.payload_format.is_some_and(|format| format > 1) || message.alias == Some(0) || message.subscription == Some(0) {
        return None;
    }
    Some(Publish {
        dup: message.dup,
        qos,
        topic: message.topic.into(),
        packet_id,
        payload_size: PAYLOAD.len() as u32,
        properties: PublishProperties {
            response_topic: message.response.map(Into::into),
            content_type: message.content_type.map(Into::into),
            subscription_ids: message.subscription.and_then(NonZeroU32::new).into_iter().collect(),
            user_properties: message.user.iter().map(|user| ((*user).into(), (*user).into())).collect(),
            ..PublishProperties::default()
        },
        ..Publish::default()
    })
});
