//! mqtt-codec-kit.

use mqtt_codec_kit::common::qos::QoSWithPacketIdentifier;
use mqtt_codec_kit::common::{Decodable as _, Encodable as _, QualityOfService, TopicFilter, TopicName};
use mqtt_codec_kit::{v4, v5};

use crate::bench::{Bench, Decoder};
use crate::fields::Sink;
use crate::input::{self, Case};
use crate::peers::{payload, qos, qos_of};

const WHO: &str = "mqtt-codec-kit";

qos!(QualityOfService, Level0 Level1 Level2);

fn with_id(qos: u8) -> QoSWithPacketIdentifier {
    match qos {
        0 => QoSWithPacketIdentifier::Level0,
        1 => QoSWithPacketIdentifier::Level1(input::ID),
        _ => QoSWithPacketIdentifier::Level2(input::ID),
    }
}

macro_rules! decoder {
    ($version:ident $v:ident $v5:literal $reason:ident $options:ident $codes:ident $properties:ident) => {
        pub struct $version;

        impl Decoder for $version {
            const WHO: &'static str = WHO;
            const V5: bool = $v5;
            type Input<'a> = &'a [u8];

            fn input(stream: &[u8]) -> &[u8] {
                stream
            }

            #[inline]
            fn read(input: &mut &[u8], sink: &mut impl Sink) -> Result<(), String> {
                use $v::packet::VariablePacket as Packet;
                match Packet::decode(input).map_err(|error| error.to_string())? {
                    Packet::PublishPacket(packet) => {
                        let (qos, id) = match packet.qos() {
                            QoSWithPacketIdentifier::Level0 => (0, 0),
                            QoSWithPacketIdentifier::Level1(id) => (1, id),
                            QoSWithPacketIdentifier::Level2(id) => (2, id),
                        };
                        sink.number(qos);
                        sink.number(packet.dup().into());
                        sink.number(packet.retain().into());
                        sink.text(packet.topic_name());
                        sink.number(id.into());
                        $properties(&packet, sink);
                        sink.bytes(packet.payload());
                    }
                    Packet::PubackPacket(ack) => {
                        sink.number(ack.packet_identifier().into());
                        sink.number($reason!(ack));
                    }
                    Packet::PubrecPacket(ack) => {
                        sink.number(ack.packet_identifier().into());
                        sink.number($reason!(ack));
                    }
                    Packet::PubrelPacket(ack) => {
                        sink.number(ack.packet_identifier().into());
                        sink.number($reason!(ack));
                    }
                    Packet::PubcompPacket(ack) => {
                        sink.number(ack.packet_identifier().into());
                        sink.number($reason!(ack));
                    }
                    Packet::SubackPacket(ack) => {
                        sink.number(ack.packet_identifier().into());
                        ack.$codes().iter().for_each(|code| sink.number($options!(code)));
                    }
                    Packet::SubscribePacket(packet) => {
                        sink.number(packet.packet_identifier().into());
                        for (filter, options) in packet.subscribes() {
                            sink.text(filter);
                            sink.number($options!(options));
                        }
                    }
                    Packet::ConnectPacket(packet) => {
                        sink.number(packet.clean_session().into());
                        sink.number(packet.keep_alive().into());
                        sink.text(packet.client_identifier());
                        if let Some(will) = packet.will() {
                            sink.text(will.topic());
                            sink.bytes(&will.message().0);
                            sink.number(will.qos() as u32);
                            sink.number(will.retain().into());
                        }
                        sink.text(packet.username().unwrap_or_default());
                        sink.text(packet.password().unwrap_or_default());
                    }
                    Packet::PingrespPacket(_) => {}
                    _ => return Err("a packet of no case".to_owned()),
                }
                Ok(())
            }
        }
    };
}

macro_rules! no_reason {
    ($ack:ident) => {
        0
    };
}

macro_rules! reason {
    ($ack:ident) => {
        u8::from($ack.reason_code()).into()
    };
}

macro_rules! as_number {
    ($value:ident) => {
        *$value as u32
    };
}

macro_rules! as_byte {
    ($value:ident) => {
        u8::from($value).into()
    };
}

decoder!(V4 v4 false no_reason as_number return_codes no_properties);
decoder!(V5 v5 true reason as_byte reason_code properties);

#[inline(always)]
fn no_properties(_: &v4::packet::PublishPacket, _: &mut impl Sink) {}

#[inline(always)]
fn properties(packet: &v5::packet::PublishPacket, sink: &mut impl Sink) {
    let set = packet.properties();
    if let Some(value) = set.payload_format_indicator() {
        sink.number(value.into());
    }
    if let Some(value) = set.message_expiry_interval() {
        sink.number(value);
    }
    if let Some(value) = set.content_type() {
        sink.text(value);
    }
    if let Some(value) = set.response_topic() {
        sink.text(value);
    }
    if let Some(value) = set.correlation_data() {
        sink.bytes(&value.0);
    }
    for (name, value) in set.user_properties() {
        sink.text(name);
        sink.text(value);
    }
}

macro_rules! encoder {
    ($encode:ident $v:ident $v5:literal $properties:ident $puback:expr, $options:expr) => {
        /// Encodes every case.
        pub fn $encode(bench: &mut Bench) {
            use $v::packet::connect::LastWill;
            use $v::packet::{ConnectPacket, PublishPacket, SubscribePacket, VariablePacket};
            for case in input::CASES {
                let packet: VariablePacket = match case {
                    Case::PublishWithProperties if !$v5 => continue,
                    Case::Publish { .. } | Case::PublishWithProperties => {
                        let topic = TopicName::new(input::TOPIC).unwrap();
                        let mut packet = PublishPacket::new(topic, with_id(qos_of(case)), payload(case));
                        if case == Case::PublishWithProperties {
                            $properties(&mut packet);
                        }
                        packet.into()
                    }
                    Case::PubAck => $puback.into(),
                    Case::Subscribe => {
                        let filter = |(filter, of)| (TopicFilter::new(filter).unwrap(), $options(of));
                        SubscribePacket::new(input::ID, input::FILTERS.map(filter).to_vec()).into()
                    }
                    Case::Connect => {
                        let mut packet = ConnectPacket::new(input::CLIENT_ID);
                        packet.set_keep_alive(input::KEEP_ALIVE);
                        packet.set_clean_session(true);
                        packet.set_will(LastWill::new(input::WILL_TOPIC, input::WILL_PAYLOAD.to_vec()).ok());
                        packet.set_will_qos(1);
                        packet.set_username(Some(input::USERNAME.to_owned()));
                        packet.set_password(Some(input::PASSWORD.to_owned()));
                        packet.into()
                    }
                    Case::Stream => continue,
                };
                let write = |packet: &VariablePacket, out: &mut Vec<u8>| {
                    out.clear();
                    packet.encode(out).unwrap();
                };
                bench.encode((case, $v5, WHO), &packet, Vec::with_capacity(1 << 17), write, |out| out.clone());
            }
        }
    };
}

encoder!(encode_v4 v4 false set_none v4::packet::PubackPacket::new(input::ID), qos);
encoder!(encode_v5 v5 true set_properties v5::packet::PubackPacket::new_success(input::ID), options);

fn set_none(_: &mut v4::packet::PublishPacket) {}

fn set_properties(packet: &mut v5::packet::PublishPacket) {
    let mut set = packet.properties().clone();
    set.set_payload_format_indicator(Some(1));
    set.set_message_expiry_interval(Some(input::EXPIRY));
    set.set_content_type(Some(input::CONTENT_TYPE.to_owned()));
    set.set_response_topic(Some(input::RESPONSE_TOPIC.to_owned()));
    set.set_correlation_data(Some(input::CORRELATION.to_vec()));
    set.add_user_property(input::USER_PROPERTY.0, input::USER_PROPERTY.1);
    packet.set_properties(set);
}

fn options(of: u8) -> v5::packet::subscribe::SubscribeOptions {
    let mut options = v5::packet::subscribe::SubscribeOptions::default();
    options.set_qos(qos(of));
    options
}
