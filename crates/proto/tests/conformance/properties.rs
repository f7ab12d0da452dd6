//! The properties of MQTT 5: where each may stand, and its values.

use core::num::{NonZeroU16, NonZeroU32};

use mqtt_device_proto::{
    ConnAck, Connect, DecodeErrorKind as Kind, Disconnect, EncodeError, Packet, Properties, Property, PropertyId,
    PubAck, Publish, QoS, ReasonCode, ReasonCodes, Role, SubAck, TopicName, Version,
};

use crate::v5::ID;
use crate::{Checks, frame};
use Role::{Client, Server};

/// Every property: identifier, a value on the wire, and the packets (0: the will) that may carry it.
const PROPERTIES: [(u8, &str, &[u8]); 27] = [
    (0x01, "01", &[0, 3]),
    (0x02, "00000001", &[0, 3]),
    (0x03, "<type>", &[0, 3]),
    (0x08, "<topic>", &[0, 3]),
    (0x09, "<data>", &[0, 3]),
    (0x0B, "01", &[3, 8]),
    (0x11, "00000001", &[1, 2, 14]),
    (0x12, "<id>", &[2]),
    (0x13, "0001", &[2]),
    (0x15, "<method>", &[1, 2, 15]),
    (0x16, "<data>", &[1, 2, 15]),
    (0x17, "01", &[1]),
    (0x18, "00000001", &[0]),
    (0x19, "01", &[1]),
    (0x1A, "<info>", &[2]),
    (0x1C, "<server>", &[2, 14]),
    (0x1F, "<why>", &[2, 4, 5, 6, 7, 9, 11, 14, 15]),
    (0x21, "0001", &[1, 2]),
    (0x22, "0001", &[1, 2]),
    (0x23, "0001", &[3]),
    (0x24, "01", &[2]),
    (0x25, "01", &[2]),
    (0x26, "<name> <value>", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15]),
    (0x27, "00000001", &[1, 2]),
    (0x28, "01", &[2]),
    (0x29, "01", &[2]),
    (0x2A, "01", &[2]),
];

/// The packets that have properties: type, sender, text before and after, offset of the first property.
const PLACES: [(u8, Role, &str, &str, u32); 14] = [
    (0, Client, "10 .. <MQTT> 05 06 000A 00 <p> {", "} <topic> <payload>", 17),
    (1, Client, "10 .. <MQTT> 05 02 000A {", "} <p>", 13),
    (2, Server, "20 .. 00 00 {", "}", 5),
    (3, Server, "30 .. <a> {", "} 'payload'", 6),
    (4, Client, "40 .. 0001 00 {", "}", 6),
    (5, Server, "50 .. 0001 00 {", "}", 6),
    (6, Client, "62 .. 0001 00 {", "}", 6),
    (7, Server, "70 .. 0001 00 {", "}", 6),
    (8, Client, "82 .. 0001 {", "} <a> 00", 5),
    (9, Server, "90 .. 0001 {", "} 00", 5),
    (10, Client, "A2 .. 0001 {", "} <a>", 5),
    (11, Server, "B0 .. 0001 {", "} 00", 5),
    (14, Client, "E0 .. 00 {", "}", 4),
    (15, Server, "F0 .. 18 { 15 <m>", "}", 8),
];

pub(crate) fn places(c: &mut Checks) {
    for (packet, role, before, after, at) in PLACES {
        for id in (0..=0x7Fu8).chain([0x80, 0xFF]) {
            let Some((_, value, places)) = PROPERTIES.iter().find(|(known, ..)| *known == id) else {
                let text = format!(
                    "{before} {} 01 {after}",
                    if id < 0x80 { format!("{id:02x}") } else { format!("{id:02x}01") }
                );
                let number = if id < 0x80 { u32::from(id) } else { u32::from(id & 0x7F) + 0x80 };
                c.refuses("", role, &text, Kind::UnknownProperty(number), at);
                continue;
            };
            let property = PropertyId::from_u8(id).unwrap();
            assert_eq!(property.as_u8(), id);
            let once = format!("{id:02x} {value}");
            let method = if id == 0x16 && packet != 15 { "15 <method>" } else { "" };
            let text = format!("{before} {once} {method} {after}");
            if !places.contains(&packet) {
                c.refuses("", role, &text, Kind::PropertyNotAllowed(property), at);
                continue;
            }
            if !(packet == 15 && id == 0x15) {
                c.accepts("", role, &text);
            }
            // Twice.
            let text = format!("{before} {once} {once} {method} {after}");
            if id == 0x26 || id == 0x0B && packet == 3 {
                c.accepts("", role, &text);
            } else {
                let again =
                    frame(&format!("{before} {once} {after}")).len() - frame(&format!("{before} {after}")).len();
                // Longer packets may have one more byte of length; these do not.
                let second = if packet == 15 && id == 0x15 { at } else { at + u32::try_from(again).unwrap() };
                c.refuses("", role, &text, Kind::DuplicateProperty(property), second);
            }
            // Cut short: the set ends inside the value.
            let whole = frame(&once);
            for len in 1..whole.len() {
                let cut: String = whole[..len].iter().map(|byte| format!("{byte:02x}")).collect();
                let bytes = frame(&format!("{before} {cut} {after}"));
                let error = Packet::decode(&bytes, Version::V5, role).expect_err(&cut);
                assert!(
                    matches!(error.kind, Kind::FieldTruncated | Kind::DuplicateProperty(_)) && error.at >= at,
                    "{before} {cut} {after}: {error}"
                );
            }
        }
    }
    // The other way: what the caller asks for is checked by the same table.
    let all = [
        Property::PayloadFormatIndicator(true),
        Property::SessionExpiryInterval(1),
        Property::ServerKeepAlive(1),
        Property::SubscriptionIdentifier(NonZeroU32::MIN),
        Property::TopicAlias(NonZeroU16::MIN),
        Property::ReasonString("why"),
        Property::WillDelayInterval(1),
    ];
    for property in all {
        let places = PROPERTIES.iter().find(|(id, ..)| *id == property.id().as_u8()).unwrap().2;
        let (one, two) = ([property], [property, property]);
        for (twice, properties) in [(false, Properties::from_slice(&one)), (true, Properties::from_slice(&two))] {
            let codes = ReasonCodes::from_slice(&[ReasonCode::SUCCESS]);
            let connack = ConnAck { session_present: false, reason: ReasonCode::SUCCESS, properties };
            let publish = Publish { properties, ..Publish::new(TopicName::new("a").unwrap(), b"") };
            let packets: [(u8, Packet<'_>); 6] = [
                (1, Connect { properties, ..Connect::new("a") }.into()),
                (2, connack.into()),
                (3, publish.into()),
                (4, PubAck { properties, ..PubAck::new(ID) }.into()),
                (9, SubAck { packet_id: ID, properties, codes }.into()),
                (14, Disconnect { reason: ReasonCode::SUCCESS, properties }.into()),
            ];
            for (packet_type, packet) in packets {
                if !places.contains(&packet_type) {
                    c.cannot_send("", packet, EncodeError::PropertyNotAllowed(property.id()));
                } else if twice && !(packet_type == 3 && property.id() == PropertyId::SubscriptionIdentifier) {
                    c.cannot_send("", packet, EncodeError::DuplicateProperty(property.id()));
                } else {
                    assert!(packet.encoded_len(Version::V5).is_ok());
                }
                let old = Err(EncodeError::PropertiesNotInThisVersion);
                assert_eq!(packet.encoded_len(Version::V311), old, "{packet:?}");
                assert_eq!(packet.encode(Version::V311, &mut [0; 256]), old, "{packet:?}");
            }
        }
    }
    // Properties that were read from one packet are checked again when they are put into another.
    let bytes = frame("30 .. <a> { 01 01 }");
    let Ok(Packet::Publish(publish)) = Packet::decode(&bytes, Version::V5, Server) else { panic!() };
    let ack = PubAck { properties: publish.properties, ..PubAck::new(ID) };
    c.cannot_send("", ack, EncodeError::PropertyNotAllowed(PropertyId::PayloadFormatIndicator));
}

pub(crate) fn values(c: &mut Checks) {
    for (id, packet, bad) in [
        (0x01, 3, &["02", "FF"][..]),
        (0x17, 1, &["02", "FF"]),
        (0x19, 1, &["02", "FF"]),
        (0x24, 2, &["02", "03", "FF"]),
        (0x25, 2, &["02", "FF"]),
        (0x28, 2, &["02", "FF"]),
        (0x29, 2, &["02", "FF"]),
        (0x2A, 2, &["02", "FF"]),
        (0x21, 1, &["0000"]),
        (0x21, 2, &["0000"]),
        (0x27, 1, &["00000000"]),
        (0x27, 2, &["00000000"]),
        (0x0B, 3, &["00"]),
        (0x0B, 8, &["00"]),
    ] {
        let (_, role, before, after, at) = PLACES.into_iter().find(|(place, ..)| *place == packet).unwrap();
        for value in bad {
            let text = format!("{before} {id:02x} {value} {after}");
            c.refuses("", role, &text, Kind::BadPropertyValue(PropertyId::from_u8(id).unwrap()), at + 1);
        }
    }
    // Zero is a value of these.
    c.accepts("", Client, "10 .. <MQTT> 05 02 000A { 11 00000000 22 0000 17 00 19 00 } <p>");
    c.accepts("", Server, "20 .. 00 00 { 13 0000 22 0000 24 00 25 00 28 00 29 00 2A 00 }");
    c.accepts("", Server, "30 .. <a> { 01 00 02 00000000 03 <> 09 <> }");
    let properties = [Property::MaximumQoS(QoS::ExactlyOnce)];
    let properties = Properties::from_slice(&properties);
    let connack = ConnAck { session_present: false, reason: ReasonCode::SUCCESS, properties };
    c.cannot_send("", connack, EncodeError::BadPropertyValue(PropertyId::MaximumQoS));

    // Each getter reads the value that was sent.
    let bytes = frame(
        "20 .. 00 00 { 11 00000001 21 0002 24 01 25 00 27 00000003 12 <id> 22 0004 1F <why> 26 <a> <b> 28 01 29 00 2A 01
         13 0005 1A <info> 1C <server> 15 <method> 16 <data> }",
    );
    let Ok(Packet::ConnAck(connack)) = Packet::decode(&bytes, Version::V5, Server) else { panic!() };
    let p = connack.properties;
    assert_eq!(
        (p.session_expiry_interval(), p.receive_maximum(), p.maximum_qos()),
        (Some(1), Some(2), Some(QoS::AtLeastOnce))
    );
    assert_eq!(
        (p.retain_available(), p.maximum_packet_size(), p.assigned_client_identifier()),
        (Some(false), Some(3), Some("id"))
    );
    assert_eq!(
        (p.topic_alias_maximum(), p.reason_string(), p.wildcard_subscription_available()),
        (Some(4), Some("why"), Some(true))
    );
    assert_eq!((p.subscription_identifiers_available(), p.shared_subscription_available()), (Some(false), Some(true)));
    assert_eq!(
        (p.server_keep_alive(), p.response_information(), p.server_reference()),
        (Some(5), Some("info"), Some("server"))
    );
    assert_eq!((p.authentication_method(), p.authentication_data()), (Some("method"), Some(&b"data"[..])));
    assert_eq!(p.user_properties().collect::<Vec<_>>(), [("a", "b")]);
    assert_eq!((p.topic_alias(), p.iter().count()), (None, 17));
    let bytes = frame(
        "30 .. <a> { 01 01 23 0001 02 00000002 08 <topic> 09 <data> 0B 03 0B 04 03 <type> 26 <a> <b> 26 <a> <c> }",
    );
    let Ok(Packet::Publish(publish)) = Packet::decode(&bytes, Version::V5, Server) else { panic!() };
    let p = publish.properties;
    assert_eq!(
        (p.payload_format_indicator(), p.topic_alias(), p.message_expiry_interval()),
        (Some(true), Some(1), Some(2))
    );
    assert_eq!(p.response_topic().map(|topic| topic.as_str()), Some("topic"));
    assert_eq!((p.correlation_data(), p.subscription_identifier()), (Some(&b"data"[..]), Some(3)));
    assert_eq!(p.content_type(), Some("type"));
    assert_eq!(p.user_properties().collect::<Vec<_>>(), [("a", "b"), ("a", "c")]);
    let bytes = frame("10 .. <MQTT> 05 06 000A { 17 00 19 01 } <p> { 18 00000007 } <topic> <payload>");
    let Ok(Packet::Connect(connect)) = Packet::decode(&bytes, Version::V5, Client) else { panic!() };
    let p = connect.properties;
    assert_eq!((p.request_problem_information(), p.request_response_information()), (Some(false), Some(true)));
    assert_eq!(connect.will.unwrap().properties.will_delay_interval(), Some(7));
}
