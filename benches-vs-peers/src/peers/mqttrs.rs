//! mqttrs.

use mqttrs::{
    Connect, LastWill, Packet, Pid, Protocol, Publish, QoS, QosPid, Subscribe, SubscribeReturnCodes, SubscribeTopic,
    decode_slice, encode_slice,
};

use crate::bench::{Bench, Decoder};
use crate::fields::Sink;
use crate::input::{self, Case};
use crate::peers::{payload, qos, qos_of};

const WHO: &str = "mqttrs";

qos!(QoS, AtMostOnce AtLeastOnce ExactlyOnce);

pub struct Mqttrs;

impl Decoder for Mqttrs {
    const WHO: &'static str = WHO;
    const V5: bool = false;
    type Input<'a> = &'a [u8];

    fn input(stream: &[u8]) -> &[u8] {
        stream
    }

    #[inline]
    fn read(input: &mut &[u8], sink: &mut impl Sink) -> Result<(), String> {
        let frame = *input;
        // It does not say how long the packet was.
        *input = input.get(frame_len(input)..).ok_or("too short")?;
        match &decode_slice(frame) {
            Ok(Some(Packet::Publish(packet))) => {
                let (qos, id) = match packet.qospid {
                    QosPid::AtMostOnce => (0, 0),
                    QosPid::AtLeastOnce(id) => (1, id.get()),
                    QosPid::ExactlyOnce(id) => (2, id.get()),
                };
                sink.number(qos);
                sink.number(packet.dup.into());
                sink.number(packet.retain.into());
                sink.text(packet.topic_name);
                sink.number(id.into());
                sink.bytes(packet.payload);
            }
            Ok(Some(Packet::Puback(id) | Packet::Pubrec(id) | Packet::Pubrel(id) | Packet::Pubcomp(id))) => {
                sink.number(id.get().into());
                sink.number(0);
            }
            Ok(Some(Packet::Suback(ack))) => {
                sink.number(ack.pid.get().into());
                for code in &ack.return_codes {
                    sink.number(match code {
                        SubscribeReturnCodes::Success(qos) => *qos as u32,
                        SubscribeReturnCodes::Failure => 0x80,
                    });
                }
            }
            Ok(Some(Packet::Subscribe(packet))) => {
                sink.number(packet.pid.get().into());
                for topic in &packet.topics {
                    sink.text(&topic.topic_path);
                    sink.number(topic.qos as u32);
                }
            }
            Ok(Some(Packet::Connect(packet))) => {
                sink.number(packet.clean_session.into());
                sink.number(packet.keep_alive.into());
                sink.text(packet.client_id);
                if let Some(will) = &packet.last_will {
                    sink.text(will.topic);
                    sink.bytes(will.message);
                    sink.number(will.qos as u32);
                    sink.number(will.retain.into());
                }
                sink.text(packet.username.unwrap_or_default());
                sink.bytes(packet.password.unwrap_or_default());
            }
            Ok(Some(Packet::Pingresp)) => {}
            Ok(_) => return Err("a packet of no case".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
        Ok(())
    }
}

/// Where the packet ends that was decoded.
#[inline]
fn frame_len(frame: &[u8]) -> usize {
    let (mut len, mut shift) = (0, 0);
    for (at, byte) in frame.iter().enumerate().skip(1) {
        len |= usize::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return len + at + 1;
        }
    }
    0
}

/// Encodes every case.
pub fn encode(bench: &mut Bench) {
    let id = Pid::try_from(input::ID).unwrap();
    for case in input::CASES {
        let payload = payload(case);
        let packet = match case {
            Case::Publish { .. } => Packet::Publish(Publish {
                dup: false,
                qospid: if qos_of(case) == 0 { QosPid::AtMostOnce } else { QosPid::AtLeastOnce(id) },
                retain: false,
                topic_name: input::TOPIC,
                payload: &payload,
            }),
            Case::PubAck => Packet::Puback(id),
            Case::Subscribe => {
                let topic = |(filter, of): (&str, _)| SubscribeTopic { topic_path: filter.to_owned(), qos: qos(of) };
                Packet::Subscribe(Subscribe::new(id, input::FILTERS.into_iter().map(topic).collect()))
            }
            Case::Connect => Packet::Connect(Connect {
                protocol: Protocol::MQTT311,
                keep_alive: input::KEEP_ALIVE,
                client_id: input::CLIENT_ID,
                clean_session: true,
                last_will: Some(LastWill {
                    topic: input::WILL_TOPIC,
                    message: input::WILL_PAYLOAD,
                    qos: QoS::AtLeastOnce,
                    retain: false,
                }),
                username: Some(input::USERNAME),
                password: Some(input::PASSWORD.as_bytes()),
            }),
            Case::PublishWithProperties | Case::Stream => continue,
        };
        bench.encode(
            (case, false, WHO),
            &packet,
            (vec![0; 1 << 17], 0),
            |packet, (out, len)| *len = encode_slice(packet, out).unwrap(),
            |(out, len)| out[..*len].to_vec(),
        );
    }
}
