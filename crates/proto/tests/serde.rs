//! What is serialised comes back the same, in formats for humans and in a binary one; what breaks a rule does not.

mod common;
#[cfg(feature = "bytes")]
#[path = "common/packets.rs"]
mod packets;

use core::fmt::Debug;

use mqtt_device_proto::{
    DecodeError, DecodeErrorKind, EncodeError, PacketId, PacketType, PropertyId, Publish, QoS, ReasonCode,
    RetainHandling, Role, Status, SubscribeOptions, TopicError, TopicName, Verdict, Version,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// There and back in all formats; the answer is the JSON.
fn through<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> String {
    let json = serde_json::to_string(value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&json).map_err(|e| e.to_string()).as_ref(), Ok(value), "{json}");
    // Another one for humans, which has bytes of its own and shows newtypes.
    let shown = ron::to_string(value).unwrap();
    assert_eq!(ron::from_str::<T>(&shown).map_err(|e| e.to_string()).as_ref(), Ok(value), "{shown}");
    let binary = &mut [0; 4096];
    let binary = postcard::to_slice(value, binary).unwrap();
    assert_eq!(postcard::from_bytes::<T>(binary).as_ref(), Ok(value), "{binary:02x?}");
    json
}

/// Why `json` is no `T`.
fn refused<T: DeserializeOwned + Debug>(json: &str) -> String {
    serde_json::from_str::<T>(json).expect_err("refused").to_string()
}

#[test]
fn small_values_have_readable_names() {
    assert_eq!(through(&Version::V31), r#""3.1""#);
    assert_eq!(through(&Version::V311), r#""3.1.1""#);
    #[cfg(feature = "v5")]
    assert_eq!(through(&Version::V5), r#""5.0""#);
    assert_eq!((through(&Role::Client), through(&Role::Server)), (r#""client""#.to_owned(), r#""server""#.to_owned()));
    for packet in (1..16u8).filter_map(|nibble| PacketType::from_first_byte(nibble << 4)) {
        assert_eq!(through(&packet), format!("{:?}", packet.name()));
    }
    for id in (0..=0xFF).filter_map(PropertyId::from_u8) {
        assert_eq!(through(&id), format!("{:?}", id.name().to_lowercase().replace(' ', "_")));
    }
    assert_eq!(through(&PacketId::new(65_535).unwrap()), "65535");
    for qos in 0..3 {
        assert_eq!(through(&QoS::from_u8(qos).unwrap()), qos.to_string());
    }
    for code in 0..=0xFF {
        assert_eq!(through(&ReasonCode::new(code)), code.to_string());
    }
    assert_eq!(through(&Status::<usize>::Oversize { total: 7 }), r#"{"oversize":{"total":7}}"#);
    assert_eq!(through(&Verdict::ProtocolError), r#""protocol-error""#);
    let options = SubscribeOptions::new(QoS::AtLeastOnce).with_no_local(true).with_retain_as_published(true);
    for (handling, name) in [
        (RetainHandling::Send, "send"),
        (RetainHandling::SendIfNew, "send_if_new"),
        (RetainHandling::DoNotSend, "do_not_send"),
    ] {
        let json = format!(r#"{{"qos":1,"no_local":true,"retain_as_published":true,"retain_handling":"{name}"}}"#);
        assert_eq!(through(&options.with_retain_handling(handling)), json);
    }
}

#[test]
fn errors_come_back() {
    let error = DecodeError { packet: Some(PacketType::Publish), at: 4, kind: DecodeErrorKind::BadUtf8 };
    assert_eq!(through(&error), r#"{"packet":"PUBLISH","at":4,"kind":"bad_utf8"}"#);
    assert_eq!(through(&DecodeErrorKind::BadQoS), r#""bad_qos""#);
    assert_eq!(through(&DecodeErrorKind::BadWillQoS), r#""bad_will_qos""#);
    assert_eq!(through(&DecodeErrorKind::DupWithQoS0), r#""dup_with_qos0""#);
    let json = r#"{"duplicate_property":"maximum_qos"}"#;
    assert_eq!(through(&DecodeErrorKind::DuplicateProperty(PropertyId::MaximumQoS)), json);
    assert_eq!(through(&EncodeError::BufferTooSmall { needed: 7 }), r#"{"buffer_too_small":{"needed":7}}"#);
    assert_eq!(through(&EncodeError::DupWithQoS0), r#""dup_with_qos0""#);
    assert_eq!(through(&EncodeError::PacketIdWithQoS0), r#""packet_id_with_qos0""#);
    assert_eq!(through(&TopicError::WildcardInName), r#""wildcard_in_name""#);
}

#[test]
fn bad_small_values_are_refused() {
    let message = refused::<PacketId>("0");
    assert!(
        message.starts_with("invalid value: integer `0`, expected a packet identifier from 1 to 65535"),
        "{message}"
    );
    let message = refused::<QoS>("3");
    assert!(message.starts_with("invalid value: integer `3`, expected a QoS of 0, 1 or 2"), "{message}");
    assert!(refused::<SubscribeOptions>(r#"{"qos":3}"#).contains("a QoS of 0, 1 or 2"));
    assert!(refused::<SubscribeOptions>(r#"{"no_locl":true}"#).contains("unknown field `no_locl`"));
    assert!(refused::<SubscribeOptions>(r#"{"retain_handling":"3"}"#).contains("unknown variant `3`"));
    assert!(refused::<Version>(r#""4""#).contains("unknown variant `4`"));
    // QoS 3 and Retain Handling 3 in a binary format.
    assert!(postcard::from_bytes::<SubscribeOptions>(&[3, 0, 0, 0]).is_err());
    assert!(postcard::from_bytes::<SubscribeOptions>(&[0, 0, 0, 3]).is_err());
    assert_eq!(serde_json::from_str::<SubscribeOptions>("{}").unwrap(), SubscribeOptions::default());
}

#[test]
fn borrowed_packets_are_serialised() {
    let publish = Publish::new(TopicName::new("door").unwrap(), b"open");
    let json =
        r#"{"dup":false,"qos":0,"retain":false,"topic":"door","packet_id":null,"properties":[],"payload":"open"}"#;
    assert_eq!(serde_json::to_string(&publish).unwrap(), json);
    let publish = Publish { payload: b"\xFF\x00", ..publish };
    assert_eq!(serde_json::to_value(publish).unwrap()["payload"], serde_json::json!([255, 0]));
}

#[cfg(feature = "bytes")]
mod owned_packets {
    use mqtt_device_proto::owned::{
        Bytes, Connect, Filters, Packet, Properties, PubAck, Publish, PublishHead, Skipped, Subscribe, TopicFilter,
        TopicName,
    };
    use mqtt_device_proto::{EncodeError, PacketType, QoS, ReasonCode, Role, SubscribeOptions, Version};
    use serde_json::{from_str, from_value, json, to_value};

    use super::common::{Random, rounds};
    use super::packets::{VERSIONS, with_packet};
    use super::{refused, through};

    #[test]
    fn every_packet_comes_back() {
        let mut random = Random::new("every_packet_comes_back");
        for _ in 0..rounds(10_000) {
            let (version, role) = (random.pick(VERSIONS), random.pick(&[Role::Client, Role::Server]));
            with_packet(&mut random, version, role, |_, packet| {
                let copied = Packet::copy_from(&packet).unwrap();
                let json = through(&copied);
                assert_eq!(serde_json::to_string(&packet).unwrap(), json, "the borrowed form is another");
                let mut frame = vec![0; packet.encoded_len(version).unwrap()];
                packet.encode(version, &mut frame).unwrap();
                let decoded = Packet::decode(Bytes::from(frame.clone()), version, role).unwrap();
                assert_eq!(through(&decoded), json);
                // What came back is as good as what was sent.
                let again: Packet = from_str(&json).unwrap();
                let mut out = vec![0; frame.len()];
                assert_eq!(again.encode(version, &mut out), Ok(out.len()));
                assert_eq!(out, frame, "{json}");
            });
        }
    }

    #[test]
    fn what_may_be_left_out_has_its_default() {
        let publish = Publish::new(TopicName::new("door").unwrap(), "open");
        assert_eq!(from_str::<Publish>(r#"{"topic":"door","payload":"open"}"#).unwrap(), publish);
        assert_eq!(from_str::<Connect>(r#"{"client_id":"me"}"#).unwrap(), Connect::new("me"));
        let id = mqtt_device_proto::PacketId::new(7).unwrap();
        assert_eq!(from_str::<Packet>(r#"{"PUBACK":{"packet_id":7}}"#).unwrap(), PubAck::new(id).into());
        assert_eq!(from_str::<Packet>(r#""PINGREQ""#).unwrap(), Packet::PingReq);
        let subscribe: Subscribe = from_str(r#"{"packet_id":7,"filters":[{"filter":"a/#"}]}"#).unwrap();
        let options = SubscribeOptions::default();
        let filter = TopicFilter::new("a/#").unwrap();
        let filters = Filters::from_iter([mqtt_device_proto::owned::Subscription { filter, options }]);
        assert_eq!(subscribe, Subscribe { packet_id: id, properties: Properties::EMPTY, filters });
    }

    #[test]
    fn a_payload_is_a_string_bytes_or_numbers() {
        let publish = Publish::new(TopicName::new("t").unwrap(), &b"\xC3\x28"[..]);
        assert_eq!(to_value(&publish).unwrap()["payload"], json!([0xC3, 0x28]));
        through(&publish);
        let text = Publish::new(TopicName::new("t").unwrap(), "é \0");
        assert_eq!(to_value(&text).unwrap()["payload"], json!("é \0"));
        through(&text);
        assert_eq!(from_value::<Publish>(json!({"topic": "t", "payload": [0xC3, 0x28]})).unwrap(), publish);
        assert!(refused::<Publish>(r#"{"topic":"t","payload":[256]}"#).contains("invalid value: integer `256`"));
        assert!(refused::<Publish>(r#"{"topic":"t","payload":7}"#).contains("a string, bytes, or an array of numbers"));
    }

    #[test]
    fn a_password_is_serialised() {
        let connect = Connect { password: Some(Bytes::from_static(b"secret")), ..Connect::new("me") };
        assert_eq!(to_value(&connect).unwrap()["password"], "secret");
        assert!(!format!("{connect:?}").contains("secret"));
        through(&connect);
    }

    #[test]
    fn bad_packets_are_refused() {
        for (json, reason) in [
            (json!({"PUBLISH": {"topic": "a/+"}}), "wildcard in a topic name"),
            (json!({"PUBLISH": {"topic": "a\0"}}), "U+0000 in a topic"),
            (json!({"PUBLISH": {"topic": "x".repeat(65_536)}}), "topic longer than 65535 bytes"),
            (json!({"PUBLISH": {"topic": "a", "qos": 3}}), "a QoS of 0, 1 or 2"),
            (json!({"PUBLISH": {"topic": "a", "packet_id": 0}}), "a packet identifier from 1 to 65535"),
            (json!({"PUBLISH": {"topic": "a", "paylod": "x"}}), "unknown field `paylod`"),
            (json!({"PUBLISH": {"payload": "x"}}), "missing field `topic`"),
            (json!({"CONNECT": {"client_id": "a\0"}}), "U+0000 in a string"),
            (json!({"CONNECT": {"client_id": "x".repeat(65_536)}}), "a field is longer than 65535 bytes"),
            (json!({"CONNECT": {"client_id": "a", "will": {"topic": "#"}}}), "wildcard in a topic name"),
            (json!({"PUBACK": {"reason": 0}}), "missing field `packet_id`"),
            (json!({"PUBACK": {"packet_id": 65_536}}), "invalid value: integer `65536`"),
            (json!({"SUBSCRIBE": {"packet_id": 1, "filters": [{"filter": "a#"}]}}), "misplaced # in a topic filter"),
            (json!({"UNSUBSCRIBE": {"packet_id": 1, "filters": [""]}}), "empty topic filter"),
            (json!({"SUBACK": {"packet_id": 1, "codes": [256]}}), "invalid value: integer `256`"),
            (json!("PING"), "unknown variant `PING`"),
        ] {
            let message = from_value::<Packet>(json.clone()).expect_err("refused").to_string();
            assert!(message.contains(reason), "{json}: {message}");
        }
    }

    #[test]
    fn what_depends_on_the_version_is_left_to_encoding() {
        // MQTT 3.1.1 knows no shared subscriptions, so this is a filter there, and comes back.
        let frame = Bytes::from(super::common::frame("82 .. 0007 <$share/x> 00"));
        let packet = Packet::decode(frame, Version::V311, Role::Client).unwrap();
        through(&packet);
        let publish: Publish = from_str(r#"{"topic":"","qos":1}"#).unwrap();
        assert_eq!(publish.encoded_len(Version::V311), Err(EncodeError::NoPacketId));
        let publish: Publish = from_str(r#"{"topic":""}"#).unwrap();
        assert_eq!(publish.encoded_len(Version::V311), Err(EncodeError::EmptyTopicName));
    }

    #[test]
    fn what_was_skipped_comes_back() {
        let topic = TopicName::new("large").unwrap();
        let packet_id = mqtt_device_proto::PacketId::new(7);
        let head =
            PublishHead { dup: true, qos: QoS::AtLeastOnce, retain: true, topic, packet_id, total: 1 << 20, len: 13 };
        through(&Skipped { packet: PacketType::Publish, total: 1 << 20, packet_id: head.packet_id, head: Some(head) });
        assert_eq!(
            through(&[ReasonCode::SUCCESS].into_iter().collect::<mqtt_device_proto::owned::ReasonCodes>()),
            "[0]"
        );
    }

    #[test]
    fn noise_is_refused_or_sound() {
        let mut random = Random::new("serde_noise_is_refused_or_sound");
        let mut taken = 0;
        for _ in 0..rounds(200_000) {
            let noise: Vec<u8> = (0..random.below(40)).map(|_| random.byte() & 0x1F).collect();
            if let Ok(packet) = postcard::from_bytes::<Packet>(&noise) {
                taken += 1;
                through(&packet);
                for version in VERSIONS {
                    if let Ok(len) = packet.encoded_len(*version) {
                        assert_eq!(packet.encode(*version, &mut vec![0; len]), Ok(len), "{packet:?}");
                    }
                }
            }
        }
        assert!(cfg!(miri) || taken > 0, "all noise was refused");
    }

    #[cfg(not(feature = "v5"))]
    #[test]
    fn properties_are_of_mqtt_5_alone() {
        let message = refused::<Publish>(r#"{"topic":"t","properties":[{"content_type":"x"}]}"#);
        assert!(message.contains("properties are of MQTT 5 alone"), "{message}");
    }

    #[cfg(feature = "v5")]
    #[test]
    fn properties_have_the_names_of_their_identifiers() {
        use mqtt_device_proto::Property;
        let set = [
            Property::ContentType("text/plain"),
            Property::MessageExpiryInterval(60),
            Property::CorrelationData(b"\xFF"),
            Property::UserProperty("a", "b"),
        ];
        let properties = Properties::from_slice(&set).unwrap();
        let json = r#"[{"content_type":"text/plain"},{"message_expiry_interval":60},{"correlation_data":[255]},{"user_property":["a","b"]}]"#;
        assert_eq!(through(&properties), json);
        assert_eq!(
            through(&Properties::from_slice(&[Property::MaximumQoS(QoS::AtMostOnce)]).unwrap()),
            r#"[{"maximum_qos":0}]"#
        );
        for (bad, reason) in [
            (r#"[{"topic_alias":0}]"#, "nonzero"),
            (r#"[{"response_topic":""}]"#, "empty topic name"),
            (r#"[{"response_topic":"a/+"}]"#, "wildcard in a topic name"),
            (r#"[{"maximum_qos":2}]"#, "Maximum QoS is out of range"),
            (r#"[{"subscription_identifier":268435456}]"#, "Subscription Identifier is out of range"),
            (r#"[{"topic_alias":1},{"topic_alias":1}]"#, "Topic Alias stands twice"),
            (r#"[{"authentication_data":"x"}]"#, "no authentication method"),
            (r#"[{"content-type":"x"}]"#, "unknown variant `content-type`"),
        ] {
            let message = refused::<Properties>(bad);
            assert!(message.contains(reason), "{bad}: {message}");
        }
    }
}
