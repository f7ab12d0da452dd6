//! mqttbytes, and the codec of rumqttc for MQTT 3.1.1, which descends from it.

use bytes::{Bytes, BytesMut};

use crate::bench::{Bench, Decoder};
use crate::fields::Sink;
use crate::input::{self, Case};
use crate::peers::{payload, qos, qos_of};

const LIMIT: usize = 1 << 20;

macro_rules! library {
    ($module:ident $library:ident $encode:ident $who:literal, $v4:path, $qos:path, $read:expr, $write:expr) => {
        pub struct $library;
        pub use $module::encode as $encode;

        mod $module {
            use $qos as QoS;
            use $v4 as v4;

            use super::*;

            qos!(QoS, AtMostOnce AtLeastOnce ExactlyOnce);

            impl Decoder for $library {
                const WHO: &'static str = $who;
                const V5: bool = false;
                type Input<'a> = BytesMut;

                fn input(stream: &[u8]) -> BytesMut {
                    BytesMut::from(stream)
                }

                #[inline]
                fn read(input: &mut BytesMut, sink: &mut impl Sink) -> Result<(), String> {
                    let packet: Result<v4::Packet, _> = $read(input, LIMIT);
                    match packet.map_err(|error| format!("{error:?}"))? {
                        v4::Packet::Publish(packet) => {
                            sink.number(packet.qos as u32);
                            sink.number(packet.dup.into());
                            sink.number(packet.retain.into());
                            sink.text(&packet.topic);
                            sink.number(packet.pkid.into());
                            sink.bytes(&packet.payload);
                        }
                        v4::Packet::PubAck(v4::PubAck { pkid })
                        | v4::Packet::PubRec(v4::PubRec { pkid })
                        | v4::Packet::PubRel(v4::PubRel { pkid })
                        | v4::Packet::PubComp(v4::PubComp { pkid }) => {
                            sink.number(pkid.into());
                            sink.number(0);
                        }
                        v4::Packet::SubAck(ack) => {
                            sink.number(ack.pkid.into());
                            for code in &ack.return_codes {
                                sink.number(match code {
                                    v4::SubscribeReasonCode::Success(qos) => *qos as u32,
                                    _ => 0x80,
                                });
                            }
                        }
                        v4::Packet::Subscribe(packet) => {
                            sink.number(packet.pkid.into());
                            for filter in &packet.filters {
                                sink.text(&filter.path);
                                sink.number(filter.qos as u32);
                            }
                        }
                        v4::Packet::Connect(packet) => {
                            sink.number(packet.clean_session.into());
                            sink.number(packet.keep_alive.into());
                            sink.text(&packet.client_id);
                            if let Some(will) = &packet.last_will {
                                sink.text(&will.topic);
                                sink.bytes(&will.message);
                                sink.number(will.qos as u32);
                                sink.number(will.retain.into());
                            }
                            if let Some(login) = &packet.login {
                                sink.text(&login.username);
                                sink.text(&login.password);
                            }
                        }
                        v4::Packet::PingResp => {}
                        _ => return Err("a packet of no case".to_owned()),
                    }
                    Ok(())
                }
            }

            /// Encodes every case.
            pub fn encode(bench: &mut Bench) {
                for case in input::CASES {
                    let packet = match case {
                        Case::Publish { .. } => {
                            let payload = Bytes::from(payload(case));
                            let mut packet = v4::Publish::from_bytes(input::TOPIC, qos(qos_of(case)), payload);
                            packet.pkid = if qos_of(case) > 0 { input::ID } else { 0 };
                            v4::Packet::Publish(packet)
                        }
                        Case::PubAck => v4::Packet::PubAck(v4::PubAck::new(input::ID)),
                        Case::Subscribe => {
                            let filters = input::FILTERS
                                .map(|(filter, of)| v4::SubscribeFilter::new(filter.to_owned(), qos(of)));
                            let mut packet = v4::Subscribe::new_many(filters);
                            packet.pkid = input::ID;
                            v4::Packet::Subscribe(packet)
                        }
                        Case::Connect => {
                            let mut packet = v4::Connect::new(input::CLIENT_ID);
                            packet.keep_alive = input::KEEP_ALIVE;
                            packet.set_login(input::USERNAME, input::PASSWORD);
                            let will =
                                v4::LastWill::new(input::WILL_TOPIC, input::WILL_PAYLOAD, QoS::AtLeastOnce, false);
                            packet.last_will = Some(will);
                            v4::Packet::Connect(packet)
                        }
                        Case::PublishWithProperties | Case::Stream => continue,
                    };
                    let write = |packet: &v4::Packet, out: &mut BytesMut| {
                        out.clear();
                        $write(packet, out);
                    };
                    let out = BytesMut::with_capacity(1 << 17);
                    bench.encode((case, false, $who), &packet, out, write, |out| out.to_vec());
                }
            }
        }
    };
}

library!(rumqttc_v4 RumqttcV4 encode_rumqttc "rumqttc-v4", rumqttc::mqttbytes::v4, rumqttc::mqttbytes::QoS,
v4::Packet::read, |packet: &v4::Packet, out: &mut BytesMut| {
    packet.write(out, LIMIT).unwrap();
});

library!(bytes_v4 Mqttbytes encode_mqttbytes "mqttbytes", mqttbytes::v4, mqttbytes::QoS,
v4::read, |packet: &v4::Packet, out: &mut BytesMut| {
    match packet {
        v4::Packet::Publish(packet) => packet.write(out),
        v4::Packet::PubAck(packet) => packet.write(out),
        v4::Packet::Subscribe(packet) => packet.write(out),
        v4::Packet::Connect(packet) => packet.write(out),
        other => unreachable!("{other:?} in no case"),
    }
    .unwrap();
});
