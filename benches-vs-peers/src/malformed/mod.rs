//! What the standard forbids, given to every library: what a fast peer accepts shows the check that it saves.

mod encode;
mod writers;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::bench::{Decoder, fields};
use crate::peers::ours::Ours;
use crate::peers::{codec_kit, mqtt_protocol_core, mqtt5_protocol, mqttbytes, mqttrs, ntex, rumqttc_v5};

/// Packets of MQTT 3.1.1 that are malformed or a protocol error, with the statement.
const V4: [(&str, &[u8]); 36] = [
    ("PUBLISH, topic name not UTF-8 [MQTT-1.5.3-1]", b"\x30\x05\0\x03a\xFFb"),
    ("PUBLISH, U+0000 in the topic name [MQTT-1.5.3-2]", b"\x30\x05\0\x03a\0b"),
    ("PUBLISH, wildcard in the topic name [MQTT-3.3.2-2]", b"\x30\x05\0\x03a/+"),
    ("PUBLISH, empty topic name [MQTT-4.7.3-1]", b"\x30\x03\0\0x"),
    ("PUBLISH, packet identifier 0 [MQTT-2.3.1-1]", b"\x32\x05\0\x01a\0\0"),
    ("PUBLISH, DUP with QoS 0 [MQTT-3.3.1-2]", b"\x38\x03\0\x01a"),
    ("PUBLISH, QoS 3 [MQTT-3.3.1-4]", b"\x36\x05\0\x01a\0\x01"),
    ("PUBLISH that ends inside its topic name; the stream goes on", b"\x30\x03\0\x05a\x30\x03\0\x01b"),
    ("PUBLISH that ends before its packet identifier", b"\x32\x03\0\x01a"),
    ("PUBLISH that ends before its packet identifier; the stream goes on", b"\x32\x03\0\x01a\xD0\0"),
    ("PUBACK, packet identifier 0 [MQTT-2.3.1-1]", b"\x40\x02\0\0"),
    ("PUBACK, a byte too many", b"\x40\x03\0\x01\0"),
    ("PUBACK, reserved flags [MQTT-2.2.2-2]", b"\x41\x02\0\x01"),
    ("PUBACK without a packet identifier; the stream goes on", b"\x40\0\xD0\0"),
    ("SUBSCRIBE, misplaced # [MQTT-4.7.1-2]", b"\x82\x08\0\x01\0\x03#/a\x01"),
    ("SUBSCRIBE, misplaced + [MQTT-4.7.1-3]", b"\x82\x07\0\x01\0\x02a+\x01"),
    ("SUBSCRIBE, U+0000 in the filter [MQTT-1.5.3-2]", b"\x82\x07\0\x01\0\x02a\0\x01"),
    ("SUBSCRIBE, empty filter [MQTT-4.7.3-1]", b"\x82\x05\0\x01\0\0\x01"),
    ("SUBSCRIBE without a filter [MQTT-3.8.3-3]", b"\x82\x02\0\x01"),
    ("SUBSCRIBE, packet identifier 0 [MQTT-2.3.1-1]", b"\x82\x06\0\0\0\x01a\x01"),
    ("SUBSCRIBE, reserved bits of the options [MQTT-3.8.3-4]", b"\x82\x06\0\x01\0\x01a\x41"),
    ("SUBSCRIBE, reserved flags [MQTT-3.8.1-1]", b"\x80\x06\0\x01\0\x01a\x01"),
    ("CONNECT, reserved flag [MQTT-3.1.2-3]", b"\x10\x0D\0\x04MQTT\x04\x03\0\0\0\x01a"),
    ("CONNECT, a byte too many", b"\x10\x0E\0\x04MQTT\x04\x02\0\0\0\x01ab"),
    ("CONNECT, U+0000 in the client identifier [MQTT-1.5.3-2]", b"\x10\x0D\0\x04MQTT\x04\x02\0\0\0\x01\0"),
    ("CONNECT, empty client identifier for a kept session [MQTT-3.1.3-7]", b"\x10\x0C\0\x04MQTT\x04\0\0\0\0\0"),
    ("CONNECT, will QoS without a will [MQTT-3.1.2-13]", b"\x10\x0D\0\x04MQTT\x04\x0A\0\0\0\x01a"),
    ("CONNECT, will retain without a will [MQTT-3.1.2-15]", b"\x10\x0D\0\x04MQTT\x04\x22\0\0\0\x01a"),
    ("CONNECT, will QoS 3 [MQTT-3.1.2-14]", b"\x10\x12\0\x04MQTT\x04\x1E\0\0\0\x01a\0\x01t\0\0"),
    ("CONNECT, wildcard in the will's topic [MQTT-4.7.1-1]", b"\x10\x12\0\x04MQTT\x04\x06\0\0\0\x01a\0\x01#\0\0"),
    ("CONNECT, empty topic of the will [MQTT-4.7.3-1]", b"\x10\x11\0\x04MQTT\x04\x06\0\0\0\x01a\0\0\0\0"),
    ("CONNECT, U+0000 in the will's topic [MQTT-1.5.3-2]", b"\x10\x12\0\x04MQTT\x04\x06\0\0\0\x01a\0\x01\0\0\0"),
    ("CONNECT, U+0000 in the user name [MQTT-1.5.3-2]", b"\x10\x10\0\x04MQTT\x04\x82\0\0\0\x01a\0\x01\0"),
    ("CONNECT, password without a user name [MQTT-3.1.2-22]", b"\x10\x10\0\x04MQTT\x04\x42\0\0\0\x01a\0\x01p"),
    ("CONNECT that ends before its flags", b"\x10\x07\0\x04MQTT\x04"),
    (
        "CONNECT that ends inside its client identifier; the stream goes on",
        b"\x10\x0D\0\x04MQTT\x04\x02\0\0\0\x05a\x30\x03\0\x01b",
    ),
];

/// The same for MQTT 5.
const V5: [(&str, &[u8]); 20] = [
    ("PUBLISH, topic name not UTF-8 [MQTT-1.5.4-1 v5]", b"\x30\x06\0\x03a\xFFb\0"),
    ("PUBLISH, U+0000 in the topic name [MQTT-1.5.4-2 v5]", b"\x30\x06\0\x03a\0b\0"),
    ("PUBLISH, wildcard in the topic name [MQTT-3.3.2-2 v5]", b"\x30\x06\0\x03a/+\0"),
    ("PUBLISH, empty topic name without a topic alias [MQTT-4.7.3-1 v5]", b"\x30\x03\0\0\0"),
    ("PUBLISH, DUP with QoS 0 [MQTT-3.3.1-2 v5]", b"\x38\x04\0\x01a\0"),
    ("PUBLISH, the same property twice", b"\x30\x08\0\x01a\x04\x01\0\x01\0"),
    ("PUBLISH, property of another packet (Receive Maximum)", b"\x30\x07\0\x01a\x03\x21\0\x01"),
    ("PUBLISH, Payload Format Indicator 2", b"\x30\x06\0\x01a\x02\x01\x02"),
    ("PUBLISH, Topic Alias 0 [MQTT-3.3.2-8 v5]", b"\x30\x07\0\x01a\x03\x23\0\0"),
    ("PUBLISH, Subscription Identifier 0", b"\x30\x06\0\x01a\x02\x0B\0"),
    ("PUBLISH, wildcard in the Response Topic [MQTT-3.3.2-14 v5]", b"\x30\x08\0\x01a\x04\x08\0\x01#"),
    ("PUBLISH, empty Response Topic [MQTT-4.7.3-1 v5]", b"\x30\x07\0\x01a\x03\x08\0\0"),
    ("PUBLISH, U+0000 in the Content Type [MQTT-1.5.4-2 v5]", b"\x30\x08\0\x01a\x04\x03\0\x01\0"),
    ("PUBLISH, U+0000 in a User Property [MQTT-1.5.4-2 v5]", b"\x30\x0A\0\x01a\x06\x26\0\x01\0\0\0"),
    ("PUBACK, Remaining Length not in its shortest form [MQTT-1.5.5-1 v5]", b"\x40\x82\x00\0\x01"),
    ("SUBSCRIBE, reserved bits of the options [MQTT-3.8.3-5 v5]", b"\x82\x07\0\x01\0\0\x01a\x40"),
    ("SUBSCRIBE, No Local on a shared subscription [MQTT-3.8.3-4 v5]", b"\x82\x10\0\x01\0\0\x0A$share/g/a\x04"),
    ("SUBSCRIBE, empty share name [MQTT-4.8.2-1 v5]", b"\x82\x0F\0\x01\0\0\x09$share//a\x00"),
    ("CONNECT, Receive Maximum 0", b"\x10\x11\0\x04MQTT\x05\x02\0\0\x03\x21\0\0\0\x01a"),
    ("CONNECT, Authentication Data without a method", b"\x10\x12\0\x04MQTT\x05\x02\0\0\x04\x16\0\x01d\0\x01a"),
];

/// One line an input: who accepts it.
pub fn findings() -> Vec<String> {
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
    found.extend(encode::findings());
    let ours: Vec<_> = found.iter().filter(|line| line.contains(" mqtt-device")).collect();
    assert!(ours.is_empty(), "taken by us: {ours:#?}");
    found
}

/// `None` if `f` panics: a library that panics says so in the table, and not in the terminal.
fn quietly<T>(f: impl FnOnce() -> T) -> Option<T> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let result = catch_unwind(AssertUnwindSafe(f));
    std::panic::set_hook(hook);
    result.ok()
}

/// " name" of a library that accepts the packet, and of one that panics.
fn taken<D: Decoder>(bytes: &[u8]) -> String {
    match quietly(|| fields::<D>(bytes, 1)) {
        Some(Ok(_)) => format!(" {}", D::WHO),
        Some(Err(_)) => String::new(),
        None => format!(" {} (panics)", D::WHO),
    }
}
