//! What nobody may send, given to every encoder: what a fast peer writes shows the check that it saves. What was written is
//! held against our decoder.

use bytes::BytesMut;
use mqtt_codec_kit::common::Encodable as _;
use mqtt_device_proto as ours;

use super::quietly;
use super::writers::{
    Message, PAYLOAD, PUBLISH_V4, PUBLISH_V5, Publish, SUBSCRIBE_V4, SUBSCRIBE_V5, Subscribe, Written, encodable,
    encode_slice,
};

/// One line a packet: who writes it.
pub fn findings() -> Vec<String> {
    let mut found = Vec::new();
    let long = "x".repeat(65_537);
    let good = Message { topic: "a", ..Message::default() };
    // What both versions forbid, with the statement of each.
    let topics = [
        ("wildcard in the topic name", "3.3.2-2", "3.3.2-2", Message { topic: "a/+", ..good }),
        ("U+0000 in the topic name", "1.5.3-2", "1.5.4-2", Message { topic: "a\0", ..good }),
        ("empty topic name", "4.7.3-1", "4.7.3-1", Message { topic: "", ..good }),
        ("topic name of 65,537 bytes", "4.7.3-3", "4.7.3-3", Message { topic: &long, ..good }),
        ("DUP with QoS 0", "3.3.1-2", "3.3.1-2", Message { dup: true, ..good }),
        ("packet identifier 0", "2.3.1-1", "2.2.1-3", Message { id: Some(0), ..good }),
    ];
    for (what, statement, _, message) in &topics {
        found.push(publish("3.1.1", &format!("{what} [MQTT-{statement}]"), &PUBLISH_V4, message));
    }
    let filters: [(&str, &str, &str, u16, &[&str]); 6] = [
        ("no filter", "3.8.3-3", "3.8.3-2", 1, &[]),
        ("packet identifier 0", "2.3.1-1", "2.2.1-3", 0, &["a"]),
        ("U+0000 in the filter", "1.5.3-2", "1.5.4-2", 1, &["a\0"]),
        ("misplaced #", "4.7.1-2", "4.7.1-1", 1, &["#/a"]),
        ("empty filter", "4.7.3-1", "4.7.3-1", 1, &[""]),
        ("filter of 65,537 bytes", "4.7.3-3", "4.7.3-3", 1, &[&long]),
    ];
    for (what, statement, _, id, filters) in filters {
        let what = format!("{what} [MQTT-{statement}]");
        found.push(subscribe("3.1.1", &what, &SUBSCRIBE_V4, id, None, filters, false));
    }
    found.push(puback());
    found.push(too_large());

    for (what, _, statement, message) in &topics {
        found.push(publish("5", &format!("{what} [MQTT-{statement} v5]"), &PUBLISH_V5, message));
    }
    for (what, message) in [
        ("Payload Format Indicator 2", Message { payload_format: Some(2), ..good }),
        ("Topic Alias 0 [MQTT-3.3.2-8 v5]", Message { alias: Some(0), ..good }),
        ("wildcard in the Response Topic [MQTT-3.3.2-14 v5]", Message { response: Some("a/#"), ..good }),
        ("empty Response Topic [MQTT-4.7.3-1 v5]", Message { response: Some(""), ..good }),
        ("U+0000 in the Response Topic [MQTT-1.5.4-2 v5]", Message { response: Some("a\0"), ..good }),
        ("Subscription Identifier 0", Message { subscription: Some(0), ..good }),
        ("Subscription Identifier of five bytes", Message { subscription: Some(268_435_456), ..good }),
        ("U+0000 in the Content Type [MQTT-1.5.4-2 v5]", Message { content_type: Some("\0"), ..good }),
        ("U+0000 in a User Property [MQTT-1.5.4-2 v5]", Message { user: Some("\0"), ..good }),
    ] {
        found.push(publish("5", what, &PUBLISH_V5, &message));
    }
    for (what, _, statement, id, filters) in filters {
        let what = format!("{what} [MQTT-{statement} v5]");
        found.push(subscribe("5", &what, &SUBSCRIBE_V5, id, None, filters, false));
    }
    for (what, subscription, filter, no_local) in [
        ("Subscription Identifier 0", Some(0), "a", false),
        ("Subscription Identifier of five bytes", Some(268_435_456), "a", false),
        ("No Local on a shared subscription [MQTT-3.8.3-4 v5]", None, "$share/g/a", true),
        ("empty share name [MQTT-4.8.2-1 v5]", None, "$share//a", false),
        ("wildcard in the share name [MQTT-4.8.2-2 v5]", None, "$share/+/a", false),
    ] {
        found.push(subscribe("5", what, &SUBSCRIBE_V5, 1, subscription, &[filter], no_local));
    }
    found
}

/// The line, with those that have written it. That a packet is wrong is not taken on trust: ours refuses its bytes, or reads
/// another packet in them than was meant.
fn line(
    version: &str,
    what: &str,
    written: Vec<(&str, Written)>,
    as_meant: impl Fn(&ours::Packet<'_>) -> bool,
) -> String {
    let decoded_as = if version == "5" { ours::Version::V5 } else { ours::Version::V311 };
    let mut line = format!("{version} encode | {what} | ");
    for (who, bytes) in written {
        let Some(bytes) = bytes else { continue };
        let role = if bytes.first() == Some(&0x82) { ours::Role::Client } else { ours::Role::Server };
        let packet = ours::Packet::decode(&bytes, decoded_as, role);
        assert!(!packet.is_ok_and(|packet| as_meant(&packet)), "{who} writes a good packet: {what}");
        line.push(' ');
        line.push_str(who);
    }
    line
}

/// Nothing is written by a library that panics.
fn attempt(write: impl FnOnce() -> Written) -> Written {
    quietly(write).flatten()
}

fn publish(version: &str, what: &str, libraries: &[(&'static str, Publish)], message: &Message<'_>) -> String {
    let written = libraries.iter().map(|(who, write)| (*who, attempt(|| write(message)))).collect();
    let as_meant = |packet: &ours::Packet<'_>| {
        matches!(packet, ours::Packet::Publish(publish)
            if publish.topic.as_str() == message.topic && publish.payload == PAYLOAD)
    };
    line(version, &format!("PUBLISH, {what}"), written, as_meant)
}

fn subscribe(
    version: &str,
    what: &str,
    libraries: &[(&'static str, Subscribe)],
    id: u16,
    subscription: Option<u32>,
    filters: &[&str],
    no_local: bool,
) -> String {
    let write = |write: &Subscribe| attempt(|| write(id, subscription, filters, no_local));
    let written = libraries.iter().map(|(who, library)| (*who, write(library))).collect();
    let as_meant = |packet: &ours::Packet<'_>| {
        matches!(packet, ours::Packet::Subscribe(packet)
            if packet.filters.iter().map(|filter| filter.filter.as_str()).eq(filters.iter().copied()))
    };
    line(version, &format!("SUBSCRIBE, {what}"), written, as_meant)
}

fn puback() -> String {
    let written = |who, write: fn() -> Written| (who, attempt(write));
    let written = vec![
        written("mqtt-device", || {
            let mut out = vec![0; 4];
            ours::PubAck::new(ours::PacketId::new(0)?).encode(ours::Version::V311, &mut out).ok()?;
            Some(out)
        }),
        written("rumqttc-v4", || {
            let mut out = BytesMut::new();
            rumqttc::mqttbytes::v4::PubAck::new(0).write(&mut out).ok()?;
            Some(out.to_vec())
        }),
        written("mqttbytes", || {
            let mut out = BytesMut::new();
            mqttbytes::v4::PubAck::new(0).write(&mut out).ok()?;
            Some(out.to_vec())
        }),
        written("mqttrs", || encode_slice(&mqttrs::Packet::Puback(0.try_into().ok()?))),
        written("mqtt-codec-kit", || encodable(&mqtt_codec_kit::v4::packet::PubackPacket::new(0))),
    ];
    line("3.1.1", "PUBACK, packet identifier 0 [MQTT-2.3.1-1]", written, |_| true)
}

/// A payload of which the length has no form: only of those that need no copy of it to say so.
fn too_large() -> String {
    /// Keeps the first bytes.
    struct Front(Vec<u8>);
    impl std::io::Write for Front {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.extend(bytes.iter().take(16_usize.saturating_sub(self.0.len())));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    const LARGE: u32 = 268_435_456;
    let ours = attempt(|| {
        let mut head = vec![0; 32];
        let packet = ours::Publish::new(ours::TopicName::new("a").ok()?, b"");
        packet.encode_head(ours::Version::V311, LARGE, &mut head).ok()?;
        Some(head)
    });
    let codec_kit = attempt(|| {
        use mqtt_codec_kit::common::{TopicName, qos::QoSWithPacketIdentifier};
        let topic = TopicName::new("a").ok()?;
        let payload = vec![0; LARGE as usize];
        let packet = mqtt_codec_kit::v4::packet::PublishPacket::new(topic, QoSWithPacketIdentifier::Level0, payload);
        let mut front = Front(Vec::new());
        packet.encode(&mut front).ok()?;
        Some(front.0)
    });
    // A length of five bytes; the front alone would be refused in any case.
    let kept = |bytes: Written| bytes.filter(|bytes| bytes[1..5].iter().all(|byte| byte & 0x80 != 0));
    let written = vec![("mqtt-device", kept(ours)), ("mqtt-codec-kit", kept(codec_kit))];
    line("3.1.1", "PUBLISH, Remaining Length of five bytes", written, |_| true)
}
