//! ntex-mqtt.

use std::num::{NonZeroU16, NonZeroU32};

use ntex_bytes::{BytePageSize, BytePages, ByteString, Bytes, BytesMut};
use ntex_codec::{Decoder as _, Encoder as _};
use ntex_mqtt::{QoS, v3, v5};

use crate::bench::{Bench, Decoder};
use crate::fields::Sink;
use crate::input::{self, Case};
use crate::peers::{payload, qos, qos_of};

const WHO: &str = "ntex-mqtt";
const ID: NonZeroU16 = NonZeroU16::new(input::ID).unwrap();

qos!(QoS, AtMostOnce AtLeastOnce ExactlyOnce);

macro_rules! connect {
    ($packet:ident $clean:ident $sink:ident) => {{
        $sink.number($packet.$clean.into());
        $sink.number($packet.keep_alive.into());
        $sink.text(&$packet.client_id);
        if let Some(will) = &$packet.last_will {
            $sink.text(&will.topic);
            $sink.bytes(&will.message);
            $sink.number(will.qos as u32);
            $sink.number(will.retain.into());
        }
        $sink.text($packet.username.as_deref().unwrap_or_default());
        $sink.bytes($packet.password.as_deref().unwrap_or_default());
    }};
}

/// MQTT 3.1.1.
pub struct V3;

impl Decoder for V3 {
    const WHO: &'static str = WHO;
    const V5: bool = false;
    type Input<'a> = (v3::codec::Codec, BytesMut);

    fn input(stream: &[u8]) -> Self::Input<'_> {
        (v3::codec::Codec::new(), BytesMut::copy_from_slice(stream))
    }

    #[inline]
    fn read((codec, input): &mut Self::Input<'_>, sink: &mut impl Sink) -> Result<(), String> {
        use v3::codec::{Decoded, Packet, SubscribeReturnCode};
        match codec.decode(input).map_err(|error| error.to_string())?.ok_or("no packet")? {
            Decoded::Publish(packet, payload, _) => {
                sink.number(packet.qos as u32);
                sink.number(packet.dup.into());
                sink.number(packet.retain.into());
                sink.text(&packet.topic);
                sink.number(packet.packet_id.map_or(0, NonZeroU16::get).into());
                sink.bytes(&payload);
            }
            Decoded::Packet(packet, _) => match packet {
                Packet::PublishAck { packet_id }
                | Packet::PublishReceived { packet_id }
                | Packet::PublishRelease { packet_id }
                | Packet::PublishComplete { packet_id } => {
                    sink.number(packet_id.get().into());
                    sink.number(0);
                }
                Packet::SubscribeAck { packet_id, status } => {
                    sink.number(packet_id.get().into());
                    for code in status {
                        sink.number(if let SubscribeReturnCode::Success(qos) = code { qos as u32 } else { 0x80 });
                    }
                }
                Packet::Subscribe { packet_id, topic_filters } => {
                    sink.number(packet_id.get().into());
                    for (filter, qos) in &topic_filters {
                        sink.text(filter);
                        sink.number(*qos as u32);
                    }
                }
                Packet::Connect(packet) => connect!(packet clean_session sink),
                Packet::PingResponse => {}
                _ => return Err("a packet of no case".to_owned()),
            },
            Decoded::PayloadChunk(..) => return Err("a payload in parts".to_owned()),
        }
        Ok(())
    }
}

/// MQTT 5.
pub struct V5;

impl Decoder for V5 {
    const WHO: &'static str = WHO;
    const V5: bool = true;
    type Input<'a> = (v5::codec::Codec, BytesMut);

    fn input(stream: &[u8]) -> Self::Input<'_> {
        (v5::codec::Codec::new(), BytesMut::copy_from_slice(stream))
    }

    #[inline]
    fn read((codec, input): &mut Self::Input<'_>, sink: &mut impl Sink) -> Result<(), String> {
        use v5::codec::{Decoded, Packet};
        match codec.decode(input).map_err(|error| error.to_string())?.ok_or("no packet")? {
            Decoded::Publish(packet, payload, _) => {
                sink.number(packet.qos as u32);
                sink.number(packet.dup.into());
                sink.number(packet.retain.into());
                sink.text(&packet.topic);
                sink.number(packet.packet_id.map_or(0, NonZeroU16::get).into());
                properties(&packet.properties, sink);
                sink.bytes(&payload);
            }
            Decoded::Packet(packet, _) => match packet {
                Packet::PublishAck(ack) | Packet::PublishReceived(ack) => {
                    sink.number(ack.packet_id.get().into());
                    sink.number(ack.reason_code as u32);
                }
                Packet::PublishRelease(ack) | Packet::PublishComplete(ack) => {
                    sink.number(ack.packet_id.get().into());
                    sink.number(ack.reason_code as u32);
                }
                Packet::SubscribeAck(ack) => {
                    sink.number(ack.packet_id.get().into());
                    ack.status.iter().for_each(|code| sink.number(*code as u32));
                }
                Packet::Subscribe(packet) => {
                    sink.number(packet.packet_id.get().into());
                    for (filter, options) in &packet.topic_filters {
                        sink.text(filter);
                        let options = options.qos as u32
                            | u32::from(options.no_local) << 2
                            | u32::from(options.retain_as_published) << 3
                            | (options.retain_handling as u32) << 4;
                        sink.number(options);
                    }
                }
                Packet::Connect(packet) => connect!(packet clean_start sink),
                Packet::PingResponse => {}
                _ => return Err("a packet of no case".to_owned()),
            },
            Decoded::PayloadChunk(..) => return Err("a payload in parts".to_owned()),
        }
        Ok(())
    }
}

#[inline(always)]
fn properties(set: &v5::codec::PublishProperties, sink: &mut impl Sink) {
    if set.is_utf8_payload {
        sink.number(1);
    }
    if let Some(value) = set.message_expiry_interval {
        sink.number(value.get());
    }
    if let Some(value) = &set.content_type {
        sink.text(value);
    }
    if let Some(value) = &set.response_topic {
        sink.text(value);
    }
    if let Some(value) = &set.correlation_data {
        sink.bytes(value);
    }
    for (name, value) in &set.user_properties {
        sink.text(name);
        sink.text(value);
    }
}

macro_rules! encoder {
    ($encode:ident $v:ident $v5:literal, $packet:expr) => {
        /// Encodes every case. It takes packets by value: what is measured has a copy of the packet in it, which shares
        /// strings and payload. The pages that are full are taken out, since it writes to nothing else.
        pub fn $encode(bench: &mut Bench) {
            for case in input::CASES {
                let payload = Bytes::from(payload(case));
                let Some(packet) = $packet(case, payload) else { continue };
                let out = ($v::codec::Codec::new(), BytePages::new(BytePageSize::Size16), Vec::new());
                bench.encode(
                    (case, $v5, WHO),
                    &packet,
                    out,
                    |packet: &$v::codec::Encoded, (codec, pages, taken)| {
                        codec.encodev(packet.clone(), pages).unwrap();
                        taken.clear();
                        while let Some(page) = pages.take() {
                            taken.push(page);
                        }
                    },
                    |(_, _, taken)| taken.iter().flat_map(|page| page.to_vec()).collect(),
                );
            }
        }
    };
}

encoder!(encode_v3 v3 false, v3_packet);
encoder!(encode_v5 v5 true, v5_packet);

fn v3_packet(case: Case, payload: Bytes) -> Option<v3::codec::Encoded> {
    use v3::codec::{Connect, Encoded, LastWill, Packet, Publish};
    Some(Encoded::Packet(match case {
        Case::Publish { .. } => {
            let packet = Publish {
                dup: false,
                retain: false,
                qos: qos(qos_of(case)),
                topic: ByteString::from_static(input::TOPIC),
                packet_id: (qos_of(case) > 0).then_some(ID),
                payload_size: payload.len() as u32,
            };
            return Some(Encoded::Publish(packet, Some(payload)));
        }
        Case::PubAck => Packet::PublishAck { packet_id: ID },
        Case::Subscribe => {
            let filter = |(filter, of)| (ByteString::from_static(filter), qos(of));
            Packet::Subscribe { packet_id: ID, topic_filters: input::FILTERS.map(filter).to_vec() }
        }
        Case::Connect => Packet::Connect(Box::new(Connect {
            clean_session: true,
            keep_alive: input::KEEP_ALIVE,
            last_will: Some(LastWill {
                qos: QoS::AtLeastOnce,
                retain: false,
                topic: ByteString::from_static(input::WILL_TOPIC),
                message: Bytes::from_static(input::WILL_PAYLOAD),
            }),
            client_id: ByteString::from_static(input::CLIENT_ID),
            username: Some(ByteString::from_static(input::USERNAME)),
            password: Some(Bytes::from_static(input::PASSWORD.as_bytes())),
        })),
        Case::PublishWithProperties | Case::Stream => return None,
    }))
}

fn v5_packet(case: Case, payload: Bytes) -> Option<v5::codec::Encoded> {
    use v5::codec::{
        Connect, Encoded, LastWill, Packet, Publish, PublishAck, PublishProperties, Subscribe, SubscriptionOptions,
    };
    Some(Encoded::Packet(match case {
        Case::Publish { .. } | Case::PublishWithProperties => {
            let mut packet = Publish {
                qos: qos(qos_of(case)),
                topic: ByteString::from_static(input::TOPIC),
                packet_id: (qos_of(case) > 0).then_some(ID),
                payload_size: payload.len() as u32,
                ..Publish::default()
            };
            if case == Case::PublishWithProperties {
                let user_property = input::USER_PROPERTY;
                packet.properties = PublishProperties {
                    is_utf8_payload: true,
                    message_expiry_interval: NonZeroU32::new(input::EXPIRY),
                    content_type: Some(ByteString::from_static(input::CONTENT_TYPE)),
                    response_topic: Some(ByteString::from_static(input::RESPONSE_TOPIC)),
                    correlation_data: Some(Bytes::from_static(input::CORRELATION)),
                    user_properties: vec![(user_property.0.into(), user_property.1.into())],
                    ..PublishProperties::default()
                };
            }
            return Some(Encoded::Publish(packet, Some(payload)));
        }
        Case::PubAck => Packet::PublishAck(PublishAck { packet_id: ID, ..PublishAck::default() }),
        Case::Subscribe => {
            let options = |of| SubscriptionOptions { qos: qos(of), ..SubscriptionOptions::default() };
            let filter = |(filter, of)| (ByteString::from_static(filter), options(of));
            let topic_filters = input::FILTERS.map(filter).to_vec();
            Packet::Subscribe(Subscribe { packet_id: ID, id: None, user_properties: Vec::new(), topic_filters })
        }
        Case::Connect => Packet::Connect(Box::new(Connect {
            clean_start: true,
            keep_alive: input::KEEP_ALIVE,
            last_will: Some(LastWill {
                qos: QoS::AtLeastOnce,
                retain: false,
                topic: ByteString::from_static(input::WILL_TOPIC),
                message: Bytes::from_static(input::WILL_PAYLOAD),
                will_delay_interval_sec: None,
                correlation_data: None,
                message_expiry_interval: None,
                content_type: None,
                user_properties: Vec::new(),
                is_utf8_payload: None,
                response_topic: None,
            }),
            client_id: ByteString::from_static(input::CLIENT_ID),
            username: Some(ByteString::from_static(input::USERNAME)),
            password: Some(Bytes::from_static(input::PASSWORD.as_bytes())),
            ..Connect::default()
        })),
        Case::Stream => return None,
    }))
}
