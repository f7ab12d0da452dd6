//! What the standard forbids, given to every library: what a fast peer accepts shows the check that it saves.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::{Bytes, BytesMut};

use crate::bench::{Decoder, fields};
use crate::peers::ours::Ours;
use crate::peers::{codec_kit, mqtt_protocol_core, mqtt5_protocol, mqttbytes, mqttrs, ntex, rumqttc_v5};

/// Packets of MQTT 3.1.1 that are malformed or a protocol error, with the statement.
const V4: [(&str, &[u8]); 15] = [
    ("PUBLISH, topic name not UTF-8 [MQTT-1.5.3-1]", b"\x30\x05\0\x03a\xFFb"),
    ("PUBLISH, U+0000 in the topic name [MQTT-1.5.3-2]", b"\x30\x05\0\x03a\0b"),
    ("PUBLISH, wildcard in the topic name [MQTT-3.3.2-2]", b"\x30\x05\0\x03a/+"),
    ("PUBLISH, empty topic name [MQTT-4.7.3-1]", b"\x30\x03\0\0x"),
    ("PUBLISH, packet identifier 0 [MQTT-2.3.1-1]", b"\x32\x05\0\x01a\0\0"),
    ("PUBLISH, DUP with QoS 0 [MQTT-3.3.1-2]", b"\x38\x03\0\x01a"),
    ("PUBACK, packet identifier 0 [MQTT-2.3.1-1]", b"\x40\x02\0\0"),
    ("PUBACK, a byte too many", b"\x40\x03\0\x01\0"),
    ("PUBACK, reserved flags [MQTT-2.2.2-2]", b"\x41\x02\0\x01"),
    ("SUBSCRIBE, misplaced # [MQTT-4.7.1-2]", b"\x82\x08\0\x01\0\x03#/a\x01"),
    ("SUBSCRIBE, misplaced + [MQTT-4.7.1-3]", b"\x82\x07\0\x01\0\x02a+\x01"),
    ("SUBSCRIBE, reserved bits of the options [MQTT-3.8.3-4]", b"\x82\x06\0\x01\0\x01a\x41"),
    ("SUBSCRIBE, reserved flags [MQTT-3.8.1-1]", b"\x80\x06\0\x01\0\x01a\x01"),
    ("CONNECT, reserved flag [MQTT-3.1.2-3]", b"\x10\x0D\0\x04MQTT\x04\x03\0\0\0\x01a"),
    ("CONNECT, a byte too many", b"\x10\x0E\0\x04MQTT\x04\x02\0\0\0\x01ab"),
];

/// The same for MQTT 5.
const V5: [(&str, &[u8]); 8] = [
    ("PUBLISH, topic name not UTF-8 [MQTT-1.5.4-1 v5]", b"\x30\x06\0\x03a\xFFb\0"),
    ("PUBLISH, wildcard in the topic name [MQTT-3.3.2-2 v5]", b"\x30\x06\0\x03a/+\0"),
    ("PUBLISH, the same property twice", b"\x30\x08\0\x01a\x04\x01\0\x01\0"),
    ("PUBLISH, property of another packet (Receive Maximum)", b"\x30\x07\0\x01a\x03\x21\0\x01"),
    ("PUBLISH, Payload Format Indicator 2", b"\x30\x06\0\x01a\x02\x01\x02"),
    ("PUBLISH, wildcard in the Response Topic [MQTT-3.3.2-14 v5]", b"\x30\x08\0\x01a\x04\x08\0\x01#"),
    ("PUBLISH, U+0000 in a User Property [MQTT-1.5.4-2 v5]", b"\x30\x0A\0\x01a\x06\x26\0\x01\0\0\0"),
    ("PUBACK, Remaining Length not in its shortest form [MQTT-1.5.5-1 v5]", b"\x40\x82\x00\0\x01"),
];

/// One line an input: who accepts it.
pub fn findings() -> Vec<String> {
    // A library that panics at bad bytes says so here, and not in the terminal.
    std::panic::set_hook(Box::new(|_| ()));
    let mut found = Vec::new();
    for (what, bytes) in V4 {
        let all = [
            taken::<Ours<false>>(bytes),
            taken::<mqtt_protocol_core::V4>(bytes),
            taken::<mqttbytes::RumqttcV4>(bytes),
            taken::<mqttbytes::Mqttbytes>(bytes),
            taken::<mqttrs::Mqttrs>(bytes),
            taken::<codec_kit::V4>(bytes),
            taken::<ntex::V3>(bytes),
            taken::<mqtt5_protocol::Mqtt5Protocol<false>>(bytes),
        ];
        found.push(format!("3.1.1 decode | {what} | {}", all.concat()));
    }
    for (what, bytes) in V5 {
        let all = [
            taken::<Ours<true>>(bytes),
            taken::<mqtt_protocol_core::V5>(bytes),
            taken::<rumqttc_v5::V5>(bytes),
            taken::<codec_kit::V5>(bytes),
            taken::<ntex::V5>(bytes),
            taken::<mqtt5_protocol::Mqtt5Protocol<true>>(bytes),
        ];
        found.push(format!("5 decode | {what} | {}", all.concat()));
    }
    found.extend(encoded());
    let _ = std::panic::take_hook();
    found
}

/// " name" of a library that accepts the packet, and of one that panics.
fn taken<D: Decoder>(bytes: &[u8]) -> String {
    match catch_unwind(AssertUnwindSafe(|| fields::<D>(bytes, 1))) {
        Ok(Ok(_)) => format!(" {}", D::WHO),
        Ok(Err(_)) => String::new(),
        Err(_) => format!(" {} (panics)", D::WHO),
    }
}

/// What the fast encoders write that nobody may send.
fn encoded() -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |what: &str, who: &[(&str, bool)]| {
        let who: String = who.iter().filter(|(_, writes)| *writes).map(|(who, _)| format!(" {who}")).collect();
        found.push(format!("3.1.1 encode | {what} | {who}"));
    };
    let mqttbytes = |topic: &str| {
        let packet = ::mqttbytes::v4::Publish::new(topic, ::mqttbytes::QoS::AtMostOnce, Bytes::from_static(b"x"));
        packet.write(&mut BytesMut::new()).is_ok()
    };
    let rumqttc = |topic: &str| {
        let packet = rumqttc::mqttbytes::v4::Publish::new(topic, rumqttc::QoS::AtMostOnce, b"x");
        rumqttc::mqttbytes::v4::Packet::Publish(packet).write(&mut BytesMut::new(), 1 << 20).is_ok()
    };
    let mqttrs = |topic_name: &str| {
        let packet = ::mqttrs::Publish {
            dup: false,
            qospid: ::mqttrs::QosPid::AtMostOnce,
            retain: false,
            topic_name,
            payload: b"x",
        };
        ::mqttrs::encode_slice(&packet.into(), &mut vec![0; 1 << 17]).is_ok()
    };
    let ours = |topic: &str| mqtt_device_proto::TopicName::new(topic).is_ok();
    let long = "x".repeat(65_537);
    for (what, topic) in [
        ("PUBLISH, wildcard in the topic name [MQTT-3.3.2-2]", "a/+"),
        ("PUBLISH, U+0000 in the topic name [MQTT-1.5.3-2]", "a\0"),
        ("PUBLISH, empty topic name [MQTT-4.7.3-1]", ""),
        ("PUBLISH, topic name of 65,537 bytes: its length is written as 1 [MQTT-1.5.3]", &long),
    ] {
        let by = |write: &dyn Fn(&str) -> bool| catch_unwind(AssertUnwindSafe(|| write(topic))).unwrap_or(false);
        say(
            what,
            &[
                ("mqtt-device", by(&ours)),
                ("rumqttc-v4", by(&rumqttc)),
                ("mqttbytes", by(&mqttbytes)),
                ("mqttrs", by(&mqttrs)),
            ],
        );
    }
    let zero = mqtt_codec_kit::v4::packet::PubackPacket::new(0);
    let mut out = Vec::new();
    let codec_kit = mqtt_codec_kit::common::Encodable::encode(&zero, &mut out).is_ok();
    let rumqttc = rumqttc::mqttbytes::v4::PubAck::new(0).write(&mut BytesMut::new()).is_ok();
    let mqttbytes = ::mqttbytes::v4::PubAck::new(0).write(&mut BytesMut::new()).is_ok();
    say(
        "PUBACK, packet identifier 0 [MQTT-2.3.1-1]",
        &[("rumqttc-v4", rumqttc), ("mqttbytes", mqttbytes), ("mqtt-codec-kit", codec_kit)],
    );
    found
}
