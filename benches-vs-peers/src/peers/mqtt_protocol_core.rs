//! mqtt-protocol-core: its packet builder and the typed parsers behind it, which is what its connection does with input.

use mqtt_protocol_core::mqtt::common::{Arc, ArcPayload, Cursor};
use mqtt_protocol_core::mqtt::connection::{PacketBuildResult, PacketBuilder, PacketData};
use mqtt_protocol_core::mqtt::packet::{
    ContentType, CorrelationData, MessageExpiryInterval, PayloadFormat, PayloadFormatIndicator, Property, Qos,
    ResponseTopic, SubEntry, SubOpts, UserProperty, v3_1_1, v5_0,
};

use crate::bench::{Bench, Decoder};
use crate::fields::Sink;
use crate::input::{self, Case};
use crate::peers::{payload, qos, qos_of};

const WHO: &str = "mqtt-protocol-core";

qos!(Qos, AtMostOnce AtLeastOnce ExactlyOnce);

macro_rules! decoder {
    ($version:ident $v:ident $v5:literal $codes:ident $properties:ident) => {
        pub struct $version;

        impl Decoder for $version {
            const WHO: &'static str = WHO;
            const V5: bool = $v5;
            type Input<'a> = (PacketBuilder, Cursor<&'a [u8]>);

            fn input(stream: &[u8]) -> Self::Input<'_> {
                (PacketBuilder::new(), Cursor::new(stream))
            }

            #[inline]
            fn read((builder, input): &mut Self::Input<'_>, sink: &mut impl Sink) -> Result<(), String> {
                let PacketBuildResult::Complete(raw) = builder.feed(input) else { return Err("no packet".to_owned()) };
                macro_rules! parse {
                    ($packet:ident) => {
                        raw.parse_exact($v::$packet::parse).map_err(|error| format!("{error:?}"))?
                    };
                }
                macro_rules! ack {
                    ($packet:ident) => {{
                        let ack = parse!($packet);
                        sink.number(ack.packet_id().into());
                        sink.number(ack.reason_code().map_or(0, |code| code as u32));
                    }};
                }
                match raw.packet_type() {
                    3 => {
                        let flags = raw.flags();
                        let PacketData::Publish(data) = raw.data else { return Err("no payload".to_owned()) };
                        let (packet, _) = $v::Publish::parse(flags, data).map_err(|error| format!("{error:?}"))?;
                        sink.number(packet.qos() as u32);
                        sink.number(packet.dup().into());
                        sink.number(packet.retain().into());
                        sink.text(packet.topic_name());
                        sink.number(packet.packet_id().unwrap_or(0).into());
                        $properties(&packet, sink);
                        sink.bytes(packet.payload().as_slice());
                    }
                    4 => ack!(Puback),
                    5 => ack!(Pubrec),
                    6 => ack!(Pubrel),
                    7 => ack!(Pubcomp),
                    9 => {
                        let ack = parse!(Suback);
                        sink.number(ack.packet_id().into());
                        ack.$codes().into_iter().for_each(|code| sink.number(code as u32));
                    }
                    8 => {
                        let packet = parse!(Subscribe);
                        sink.number(packet.packet_id().into());
                        for entry in packet.entries() {
                            sink.text(entry.topic_filter());
                            let options = entry.sub_opts();
                            let options = options.qos() as u32
                                | u32::from(options.nl()) << 2
                                | u32::from(options.rap()) << 3
                                | (options.rh() as u32) << 4;
                            sink.number(options);
                        }
                    }
                    1 => {
                        let packet = parse!(Connect);
                        sink.number(packet.clean_start().into());
                        sink.number(packet.keep_alive().into());
                        sink.text(packet.client_id());
                        if packet.will_flag() {
                            sink.text(packet.will_topic().unwrap_or_default());
                            sink.bytes(packet.will_payload().unwrap_or_default());
                            sink.number(packet.will_qos() as u32);
                            sink.number(packet.will_retain().into());
                        }
                        sink.text(packet.user_name().unwrap_or_default());
                        sink.bytes(packet.password().unwrap_or_default());
                    }
                    13 => {
                        parse!(Pingresp);
                    }
                    _ => return Err("a packet of no case".to_owned()),
                }
                Ok(())
            }
        }
    };
}

decoder!(V4 v3_1_1 false return_codes no_properties);
decoder!(V5 v5_0 true reason_codes properties);

#[inline(always)]
fn no_properties(_: &v3_1_1::Publish, _: &mut impl Sink) {}

#[inline(always)]
fn properties(packet: &v5_0::Publish, sink: &mut impl Sink) {
    for property in packet.props().iter() {
        match property {
            Property::PayloadFormatIndicator(value) => sink.number(value.val().into()),
            Property::MessageExpiryInterval(value) => sink.number(value.val()),
            Property::ContentType(value) => sink.text(value.val()),
            Property::ResponseTopic(value) => sink.text(value.val()),
            Property::CorrelationData(value) => sink.bytes(value.val()),
            Property::UserProperty(value) => {
                sink.text(value.key());
                sink.text(value.val());
            }
            _ => unreachable!("in no case"),
        }
    }
}

fn property_list() -> Vec<Property> {
    vec![
        PayloadFormatIndicator::new(PayloadFormat::String).unwrap().into(),
        MessageExpiryInterval::new(input::EXPIRY).unwrap().into(),
        ContentType::new(input::CONTENT_TYPE).unwrap().into(),
        ResponseTopic::new(input::RESPONSE_TOPIC).unwrap().into(),
        CorrelationData::new(input::CORRELATION.to_vec()).unwrap().into(),
        UserProperty::new(input::USER_PROPERTY.0, input::USER_PROPERTY.1).unwrap().into(),
    ]
}

macro_rules! encoder {
    ($encode:ident $v:ident $v5:literal $with_properties:ident) => {
        /// Encodes every case, into a buffer of its own each time, as it offers nothing else.
        pub fn $encode(bench: &mut Bench) {
            macro_rules! encode {
                ($case:ident $packet:expr) => {
                    bench.encode(
                        ($case, $v5, WHO),
                        &$packet.build().unwrap(),
                        Vec::new(),
                        |packet, out| *out = packet.to_continuous_buffer(),
                        |out| out.clone(),
                    )
                };
            }
            for case in input::CASES {
                match case {
                    Case::PublishWithProperties if !$v5 => {}
                    Case::Publish { .. } | Case::PublishWithProperties => {
                        let payload: Arc<[u8]> = Arc::from(payload(case));
                        let len = payload.len();
                        let mut packet = $v::Publish::builder()
                            .topic_name(input::TOPIC)
                            .unwrap()
                            .qos(qos(qos_of(case)))
                            .payload(ArcPayload::new(payload, 0, len));
                        if qos_of(case) > 0 {
                            packet = packet.packet_id(input::ID);
                        }
                        if case == Case::PublishWithProperties {
                            packet = $with_properties!(packet);
                        }
                        encode!(case packet);
                    }
                    Case::PubAck => encode!(case $v::Puback::builder().packet_id(input::ID)),
                    Case::Subscribe => {
                        let entry = |(filter, of)| SubEntry::new(filter, SubOpts::new().set_qos(qos(of))).unwrap();
                        let entries: Vec<_> = input::FILTERS.map(entry).to_vec();
                        encode!(case $v::Subscribe::builder().packet_id(input::ID).entries(entries));
                    }
                    Case::Connect => encode!(case $v::Connect::builder()
                        .client_id(input::CLIENT_ID)
                        .unwrap()
                        .clean_start(true)
                        .keep_alive(input::KEEP_ALIVE)
                        .will_message(input::WILL_TOPIC, input::WILL_PAYLOAD.to_vec(), Qos::AtLeastOnce, false)
                        .unwrap()
                        .user_name(input::USERNAME)
                        .unwrap()
                        .password(input::PASSWORD.as_bytes().to_vec())
                        .unwrap()),
                    Case::Stream => {}
                }
            }
        }
    };
}

macro_rules! unchanged {
    ($packet:ident) => {
        $packet
    };
}

macro_rules! with_properties {
    ($packet:ident) => {
        $packet.props(property_list())
    };
}

encoder!(encode_v4 v3_1_1 false unchanged);
encoder!(encode_v5 v5_0 true with_properties);
