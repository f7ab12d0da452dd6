//! mqtt5-protocol, the codec of mqtt5.

use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use mqtt5_protocol::packet::MqttPacket;
use mqtt5_protocol::packet::connect::ConnectPacket;
use mqtt5_protocol::packet::puback::PubAckPacket;
use mqtt5_protocol::packet::publish::PublishPacket;
use mqtt5_protocol::packet::subscribe::SubscribePacket;
use mqtt5_protocol::types::{ConnectOptions, WillMessage};
use mqtt5_protocol::{FixedHeader, Packet, PropertyId, PropertyValue, QoS};

use crate::bench::{Bench, Decoder};
use crate::fields::Sink;
use crate::input::{self, Case};
use crate::peers::{payload, qos, qos_of};

const WHO: &str = "mqtt5-protocol";

qos!(QoS, AtMostOnce AtLeastOnce ExactlyOnce);

/// MQTT 3.1.1 or 5.
pub struct Mqtt5Protocol<const V5: bool>;

impl<const V5: bool> Decoder for Mqtt5Protocol<V5> {
    const WHO: &'static str = WHO;
    const V5: bool = V5;
    type Input<'a> = (Bytes, u8);

    fn input(stream: &[u8]) -> (Bytes, u8) {
        (Bytes::copy_from_slice(stream), if V5 { 5 } else { 4 })
    }

    #[inline]
    fn read((input, version): &mut (Bytes, u8), sink: &mut impl Sink) -> Result<(), String> {
        let header = FixedHeader::decode(input).map_err(|error| error.to_string())?;
        let len = header.remaining_length as usize;
        if input.remaining() < len {
            return Err("too short".to_owned());
        }
        let mut body = input.split_to(len);
        let packet = Packet::decode_from_body_with_version(header.packet_type, &header, &mut body, *version)
            .map_err(|error| error.to_string())?;
        match &packet {
            Packet::Publish(packet) => publish(packet, sink),
            Packet::PubAck(ack) => {
                sink.number(ack.packet_id.into());
                sink.number(u8::from(ack.reason_code).into());
            }
            Packet::PubRec(ack) => {
                sink.number(ack.packet_id.into());
                sink.number(u8::from(ack.reason_code).into());
            }
            Packet::PubRel(ack) => {
                sink.number(ack.packet_id.into());
                sink.number(u8::from(ack.reason_code).into());
            }
            Packet::PubComp(ack) => {
                sink.number(ack.packet_id.into());
                sink.number(u8::from(ack.reason_code).into());
            }
            Packet::SubAck(ack) => {
                sink.number(ack.packet_id.into());
                ack.reason_codes.iter().for_each(|code| sink.number(*code as u32));
            }
            Packet::Subscribe(packet) => {
                sink.number(packet.packet_id.into());
                for filter in &packet.filters {
                    let options = &filter.options;
                    sink.text(&filter.filter);
                    let options = options.qos as u32
                        | u32::from(options.no_local) << 2
                        | u32::from(options.retain_as_published) << 3
                        | (options.retain_handling as u32) << 4;
                    sink.number(options);
                }
            }
            Packet::Connect(packet) => {
                sink.number(packet.clean_start.into());
                sink.number(packet.keep_alive.into());
                sink.text(&packet.client_id);
                if let Some(will) = &packet.will {
                    sink.text(&will.topic);
                    sink.bytes(&will.payload);
                    sink.number(will.qos as u32);
                    sink.number(will.retain.into());
                }
                sink.text(packet.username.as_deref().unwrap_or_default());
                sink.bytes(packet.password.as_deref().unwrap_or_default());
            }
            Packet::PingResp => {}
            _ => return Err("a packet of no case".to_owned()),
        }
        Ok(())
    }
}

#[inline(always)]
fn publish(packet: &PublishPacket, sink: &mut impl Sink) {
    sink.number(packet.qos as u32);
    sink.number(packet.dup.into());
    sink.number(packet.retain.into());
    sink.text(&packet.topic_name);
    sink.number(packet.packet_id.unwrap_or(0).into());
    // A hash map: asked for in the order of the packet.
    if !packet.properties.is_empty() {
        for id in [
            PropertyId::PayloadFormatIndicator,
            PropertyId::MessageExpiryInterval,
            PropertyId::ContentType,
            PropertyId::ResponseTopic,
            PropertyId::CorrelationData,
            PropertyId::UserProperty,
        ] {
            for value in packet.properties.get_all(id).unwrap_or_default() {
                match value {
                    PropertyValue::Byte(value) => sink.number((*value).into()),
                    PropertyValue::FourByteInteger(value) => sink.number(*value),
                    PropertyValue::BinaryData(value) => sink.bytes(value),
                    PropertyValue::Utf8String(value) => sink.text(value),
                    PropertyValue::Utf8StringPair(name, value) => {
                        sink.text(name);
                        sink.text(value);
                    }
                    _ => unreachable!("in no case"),
                }
            }
        }
    }
    sink.bytes(&packet.payload);
}

/// Encodes every case.
pub fn encode(bench: &mut Bench, v5: bool) {
    for case in input::CASES {
        match case {
            Case::PublishWithProperties if !v5 => {}
            Case::Publish { .. } | Case::PublishWithProperties => {
                let new = if v5 { PublishPacket::new } else { PublishPacket::new_v311 };
                let mut packet = new(input::TOPIC, payload(case), qos(qos_of(case))).with_packet_id(input::ID);
                if case == Case::PublishWithProperties {
                    packet = packet
                        .with_payload_format_indicator(true)
                        .with_message_expiry_interval(input::EXPIRY)
                        .with_content_type(input::CONTENT_TYPE.to_owned())
                        .with_response_topic(input::RESPONSE_TOPIC.to_owned())
                        .with_correlation_data(input::CORRELATION.to_vec())
                        .with_user_property(input::USER_PROPERTY.0.to_owned(), input::USER_PROPERTY.1.to_owned());
                }
                write(bench, case, v5, &packet);
            }
            Case::PubAck => write(bench, case, v5, &PubAckPacket::new(input::ID)),
            Case::Subscribe => {
                let new = if v5 { SubscribePacket::new } else { SubscribePacket::new_v311 };
                let packet = input::FILTERS
                    .into_iter()
                    .fold(new(input::ID), |packet, (filter, of)| packet.add_filter(filter, qos(of)));
                write(bench, case, v5, &packet);
            }
            Case::Connect => {
                let mut will = WillMessage::new(input::WILL_TOPIC, input::WILL_PAYLOAD);
                will.qos = QoS::AtLeastOnce;
                let options = ConnectOptions::new(input::CLIENT_ID)
                    .with_keep_alive(Duration::from_secs(input::KEEP_ALIVE.into()))
                    .with_clean_start(true)
                    .with_credentials(input::USERNAME, input::PASSWORD)
                    .with_will(will);
                let new = if v5 { ConnectPacket::new } else { ConnectPacket::new_v311 };
                write(bench, case, v5, &new(options));
            }
            Case::Stream => {}
        }
    }
}

fn write<P: MqttPacket>(bench: &mut Bench, case: Case, v5: bool, packet: &P) {
    let write = |packet: &P, out: &mut BytesMut| {
        out.clear();
        packet.encode(out).unwrap();
    };
    bench.encode((case, v5, WHO), packet, BytesMut::with_capacity(1 << 17), write, |out| out.to_vec());
}
