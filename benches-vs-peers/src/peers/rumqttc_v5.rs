//! The codec of rumqttc for MQTT 5.

use bytes::{Bytes, BytesMut};
use rumqttc::v5::mqttbytes::{QoS, v5};

use crate::bench::{Bench, Decoder};
use crate::fields::Sink;
use crate::input::{self, Case};
use crate::peers::{payload, qos, qos_of};

const WHO: &str = "rumqttc-v5";
const LIMIT: u32 = 1 << 20;

qos!(QoS, AtMostOnce AtLeastOnce ExactlyOnce);

pub struct V5;

impl Decoder for V5 {
    const WHO: &'static str = WHO;
    const V5: bool = true;
    type Input<'a> = BytesMut;

    fn input(stream: &[u8]) -> BytesMut {
        BytesMut::from(stream)
    }

    #[inline]
    fn read(input: &mut BytesMut, sink: &mut impl Sink) -> Result<(), String> {
        let packet = v5::Packet::read(input, Some(LIMIT)).map_err(|error| error.to_string())?;
        match packet {
            v5::Packet::Publish(packet) => publish(&packet, sink),
            v5::Packet::PubAck(ack) => {
                sink.number(ack.pkid.into());
                sink.number(ack.reason as u32);
            }
            v5::Packet::PubRec(ack) => {
                sink.number(ack.pkid.into());
                sink.number(ack.reason as u32);
            }
            v5::Packet::PubRel(ack) => {
                sink.number(ack.pkid.into());
                sink.number(ack.reason as u32);
            }
            v5::Packet::PubComp(ack) => {
                sink.number(ack.pkid.into());
                sink.number(ack.reason as u32);
            }
            v5::Packet::SubAck(ack) => {
                sink.number(ack.pkid.into());
                for code in &ack.return_codes {
                    sink.number(match code {
                        v5::SubscribeReasonCode::Success(qos) => *qos as u32,
                        _ => 0x80,
                    });
                }
            }
            v5::Packet::Subscribe(packet) => {
                sink.number(packet.pkid.into());
                for filter in &packet.filters {
                    sink.text(&filter.path);
                    let options = filter.qos as u32
                        | u32::from(filter.nolocal) << 2
                        | u32::from(filter.preserve_retain) << 3
                        | (filter.retain_forward_rule.clone() as u32) << 4;
                    sink.number(options);
                }
            }
            v5::Packet::Connect(packet, will, login) => {
                sink.number(packet.clean_start.into());
                sink.number(packet.keep_alive.into());
                sink.text(&packet.client_id);
                if let Some(will) = &will {
                    sink.bytes(&will.topic);
                    sink.bytes(&will.message);
                    sink.number(will.qos as u32);
                    sink.number(will.retain.into());
                }
                if let Some(login) = &login {
                    sink.text(&login.username);
                    sink.text(&login.password);
                }
            }
            v5::Packet::PingResp(_) => {}
            _ => return Err("a packet of no case".to_owned()),
        }
        Ok(())
    }
}

#[inline(always)]
fn publish(packet: &v5::Publish, sink: &mut impl Sink) {
    sink.number(packet.qos as u32);
    sink.number(packet.dup.into());
    sink.number(packet.retain.into());
    sink.bytes(&packet.topic);
    sink.number(packet.pkid.into());
    if let Some(set) = &packet.properties {
        if let Some(value) = set.payload_format_indicator {
            sink.number(value.into());
        }
        if let Some(value) = set.message_expiry_interval {
            sink.number(value);
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
    sink.bytes(&packet.payload);
}

fn properties() -> v5::PublishProperties {
    v5::PublishProperties {
        payload_format_indicator: Some(1),
        message_expiry_interval: Some(input::EXPIRY),
        content_type: Some(input::CONTENT_TYPE.to_owned()),
        response_topic: Some(input::RESPONSE_TOPIC.to_owned()),
        correlation_data: Some(Bytes::from_static(input::CORRELATION)),
        user_properties: vec![(input::USER_PROPERTY.0.to_owned(), input::USER_PROPERTY.1.to_owned())],
        ..v5::PublishProperties::default()
    }
}

/// Encodes every case.
pub fn encode(bench: &mut Bench) {
    for case in input::CASES {
        let packet = match case {
            Case::Publish { .. } | Case::PublishWithProperties => {
                let set = (case == Case::PublishWithProperties).then(properties);
                let mut packet = v5::Publish::new(input::TOPIC, qos(qos_of(case)), payload(case), set);
                packet.pkid = if qos_of(case) > 0 { input::ID } else { 0 };
                v5::Packet::Publish(packet)
            }
            Case::PubAck => v5::Packet::PubAck(v5::PubAck::new(input::ID, None)),
            Case::Subscribe => {
                let filters = input::FILTERS.map(|(filter, of)| v5::Filter::new(filter, qos(of)));
                let mut packet = v5::Subscribe::new_many(filters, None);
                packet.pkid = input::ID;
                v5::Packet::Subscribe(packet)
            }
            Case::Connect => {
                let packet = v5::Connect {
                    keep_alive: input::KEEP_ALIVE,
                    client_id: input::CLIENT_ID.to_owned(),
                    clean_start: true,
                    properties: None,
                };
                let payload = input::WILL_PAYLOAD.to_vec();
                let will = v5::LastWill::new(input::WILL_TOPIC, payload, QoS::AtLeastOnce, false, None);
                v5::Packet::Connect(packet, Some(will), Some(v5::Login::new(input::USERNAME, input::PASSWORD)))
            }
            Case::Stream => continue,
        };
        let write = |packet: &v5::Packet, out: &mut BytesMut| {
            out.clear();
            packet.write(out, Some(LIMIT)).unwrap();
        };
        bench.encode((case, true, WHO), &packet, BytesMut::with_capacity(1 << 17), write, |out| out.to_vec());
    }
}
