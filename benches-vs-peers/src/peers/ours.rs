//! mqtt-device-proto.

use bytes::BufMut as _;
use mqtt_device_proto::{
    Connect, Filters, Frame, Packet, PacketId, Properties, Property, PubAck, Publish, QoS, Role, Status, Subscribe,
    Subscription, TopicFilter, TopicName, Version, Will,
};

use crate::bench::{Bench, Decoder};
use crate::fields::Sink;
use crate::input::{self, Case};

/// MQTT 3.1.1 or 5.
pub struct Ours<const V5: bool>;

/// A stream, read by a client or by a server.
pub struct Input<'a> {
    rest: &'a [u8],
    version: Version,
    role: Role,
}

impl<const V5: bool> Decoder for Ours<V5> {
    const WHO: &'static str =
        if cfg!(feature = "unchecked-ascii") { "mqtt-device-unchecked-ascii" } else { "mqtt-device" };
    const V5: bool = V5;
    type Input<'a> = Input<'a>;

    fn input(stream: &[u8]) -> Input<'_> {
        let role = if matches!(stream.first(), Some(0x10 | 0x82)) { Role::Client } else { Role::Server };
        Input { rest: stream, version: if V5 { Version::V5 } else { Version::V311 }, role }
    }

    #[inline]
    fn read(input: &mut Input<'_>, sink: &mut impl Sink) -> Result<(), String> {
        let Ok(Status::Complete(frame)) = Frame::take(&mut input.rest, 1 << 20) else {
            return Err("no frame".to_owned());
        };
        // Read where it was put: a packet that is handed on by value is copied whole.
        match &frame.decode(input.version, input.role) {
            Ok(Packet::Publish(packet)) => publish(packet, sink),
            Ok(Packet::PubAck(ack)) => ack_fields(ack.packet_id, ack.reason.as_u8(), &ack.properties, sink),
            Ok(Packet::PubRec(ack)) => ack_fields(ack.packet_id, ack.reason.as_u8(), &ack.properties, sink),
            Ok(Packet::PubRel(ack)) => ack_fields(ack.packet_id, ack.reason.as_u8(), &ack.properties, sink),
            Ok(Packet::PubComp(ack)) => ack_fields(ack.packet_id, ack.reason.as_u8(), &ack.properties, sink),
            Ok(Packet::SubAck(ack)) => {
                sink.number(ack.packet_id.get().into());
                properties(&ack.properties, sink);
                ack.codes.iter().for_each(|code| sink.number(code.as_u8().into()));
            }
            Ok(Packet::Subscribe(packet)) => {
                sink.number(packet.packet_id.get().into());
                properties(&packet.properties, sink);
                for Subscription { filter, options } in packet.filters {
                    sink.text(filter.as_str());
                    sink.number(options.as_u8().into());
                }
            }
            Ok(Packet::Connect(packet)) => connect(packet, sink),
            Ok(Packet::PingResp) => {}
            Ok(_) => return Err("a packet of no case".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
        Ok(())
    }
}

#[inline(always)]
fn ack_fields(id: PacketId, reason: u8, set: &Properties<'_>, sink: &mut impl Sink) {
    sink.number(id.get().into());
    sink.number(reason.into());
    properties(set, sink);
}

#[inline(always)]
fn publish(packet: &Publish<'_>, sink: &mut impl Sink) {
    sink.number(packet.qos.as_u8().into());
    sink.number(packet.dup.into());
    sink.number(packet.retain.into());
    sink.text(packet.topic.as_str());
    sink.number(packet.packet_id.map_or(0, PacketId::get).into());
    properties(&packet.properties, sink);
    sink.bytes(packet.payload);
}

#[inline(always)]
fn connect(packet: &Connect<'_>, sink: &mut impl Sink) {
    sink.number(packet.clean_start.into());
    sink.number(packet.keep_alive.into());
    properties(&packet.properties, sink);
    sink.text(packet.client_id);
    if let Some(will) = &packet.will {
        properties(&will.properties, sink);
        sink.text(will.topic.as_str());
        sink.bytes(will.payload);
        sink.number(will.qos.as_u8().into());
        sink.number(will.retain.into());
    }
    sink.text(packet.username.unwrap_or_default());
    sink.bytes(packet.password.unwrap_or_default());
}

#[inline(always)]
fn properties(set: &Properties<'_>, sink: &mut impl Sink) {
    if !set.is_empty() {
        each_property(set, sink);
    }
}

/// Once for all packets: in seven places it would be more than the compiler wants to have in a loop.
#[inline(never)]
fn each_property(set: &Properties<'_>, sink: &mut impl Sink) {
    for property in set.iter() {
        match property {
            Property::PayloadFormatIndicator(value) => sink.number(value.into()),
            Property::MessageExpiryInterval(value) => sink.number(value),
            Property::ContentType(value) => sink.text(value),
            Property::ResponseTopic(value) => sink.text(value.as_str()),
            Property::CorrelationData(value) => sink.bytes(value),
            Property::UserProperty(name, value) => {
                sink.text(name);
                sink.text(value);
            }
            other => unreachable!("{other:?} in no case"),
        }
    }
}

/// Encodes every case.
pub fn encode(bench: &mut Bench, v5: bool) {
    let version = if v5 { Version::V5 } else { Version::V311 };
    let id = PacketId::new(input::ID).unwrap();
    let topic = TopicName::new(input::TOPIC).unwrap();
    let set = [
        Property::PayloadFormatIndicator(true),
        Property::MessageExpiryInterval(input::EXPIRY),
        Property::ContentType(input::CONTENT_TYPE),
        Property::ResponseTopic(TopicName::new(input::RESPONSE_TOPIC).unwrap()),
        Property::CorrelationData(input::CORRELATION),
        Property::UserProperty(input::USER_PROPERTY.0, input::USER_PROPERTY.1),
    ];
    let filters = input::FILTERS
        .map(|(filter, qos)| Subscription::new(TopicFilter::new(filter).unwrap(), QoS::from_u8(qos).unwrap()));
    for case in input::CASES {
        let payload = input::payload(if let Case::Publish { payload, .. } = case { payload } else { 64 });
        let mut message = Publish::new(topic, &payload);
        macro_rules! encode {
            ($packet:expr) => {
                bench.encode(
                    (case, v5, "mqtt-device"),
                    $packet,
                    (vec![0; 1 << 17], 0),
                    // The version comes from outside, as it does for a client that speaks several.
                    |packet, (out, len)| *len = packet.encode(std::hint::black_box(version), out).unwrap(),
                    |(out, len)| out[..*len].to_vec(),
                )
            };
        }
        match case {
            Case::Publish { qos, .. } => {
                message.qos = QoS::from_u8(qos).unwrap();
                message.packet_id = (qos > 0).then_some(id);
                encode!(&message);
                bench.encode(
                    (case, v5, "mqtt-device-head"),
                    &message,
                    (vec![0; 1 << 17], 0),
                    |packet, (out, len)| {
                        let payload = u32::try_from(packet.payload.len()).unwrap();
                        *len = packet.encode_head(std::hint::black_box(version), payload, out).unwrap();
                    },
                    |(out, len)| [&out[..*len], &payload].concat(),
                );
            }
            Case::PublishWithProperties if v5 => {
                message.qos = QoS::AtLeastOnce;
                message.packet_id = Some(id);
                message.properties = Properties::from_slice(&set);
                encode!(&message);
            }
            Case::PubAck => encode!(&PubAck::new(id)),
            Case::Subscribe => encode!(&Subscribe {
                packet_id: id,
                properties: Properties::EMPTY,
                filters: Filters::from_slice(&filters),
            }),
            Case::Connect => encode!(&Connect {
                keep_alive: input::KEEP_ALIVE,
                will: Some(Will {
                    qos: QoS::AtLeastOnce,
                    retain: false,
                    topic: TopicName::new(input::WILL_TOPIC).unwrap(),
                    payload: input::WILL_PAYLOAD,
                    properties: Properties::EMPTY,
                }),
                username: Some(input::USERNAME),
                password: Some(input::PASSWORD.as_bytes()),
                ..Connect::new(input::CLIENT_ID)
            }),
            Case::PublishWithProperties | Case::Stream => {}
        }
    }
}

/// The floor: the bytes of a packet are copied, and nothing is looked at.
pub fn copy(bench: &mut Bench, v5: bool) {
    for case in input::CASES {
        let Some((wire, packets)) = case.wire(v5) else { continue };
        let len = wire.len() / packets;
        let times = (1 << 20) / len.max(1 << 13);
        for kind in ["decode", "encode"] {
            if case == Case::Stream && kind == "encode" {
                continue;
            }
            let stream = wire.repeat(if packets == 1 { 2 * times } else { 2 });
            let packets = packets.max(times);
            bench.cell(format!("{kind}/{}", case.name(v5)), "memcpy", packets, |run| {
                let stream = &stream;
                let mut copy = Vec::with_capacity(len);
                move || {
                    for packet in stream.chunks_exact(len).take(packets * run) {
                        copy.clear();
                        copy.put_slice(packet);
                        std::hint::black_box(&mut copy);
                    }
                }
            });
        }
    }
}
