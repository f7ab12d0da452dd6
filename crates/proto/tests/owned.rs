//! Owned packets are what the borrowed ones are, and share the bytes they were decoded from.

mod common;
#[path = "common/packets.rs"]
mod packets;

use std::collections::HashMap;
use std::ops::Range;

use common::{Random, frame, rounds};
use mqtt_device_proto::owned::{self, Bytes};
use mqtt_device_proto::{
    ConnAck, Connect, EncodeError, Filters, Packet, PacketId, Properties, Property, Publish, QoS, ReasonCode,
    ReasonCodes, Role, SubAck, Subscribe, Subscription, TopicError, TopicFilter, TopicFilters, TopicName, UnsubAck,
    Unsubscribe, Version, Will,
};
use packets::{VERSIONS, with_packet};

fn each_packet(test: &str, mut check: impl FnMut(Version, Role, &Packet<'_>, Bytes)) {
    let mut random = Random::new(test);
    for _ in 0..rounds(10_000) {
        let (version, role) = (random.pick(VERSIONS), random.pick(&[Role::Client, Role::Server]));
        with_packet(&mut random, version, role, |_, packet| {
            let mut out = vec![0; packet.encoded_len(version).unwrap()];
            packet.encode(version, &mut out).unwrap();
            check(version, role, &packet, Bytes::from(out));
        });
    }
}

fn in_properties<'b>(properties: &Properties<'b>, pieces: &mut Vec<&'b [u8]>) {
    for property in properties.iter() {
        match property {
            Property::ContentType(text)
            | Property::AssignedClientIdentifier(text)
            | Property::AuthenticationMethod(text)
            | Property::ResponseInformation(text)
            | Property::ServerReference(text)
            | Property::ReasonString(text) => pieces.push(text.as_bytes()),
            Property::ResponseTopic(name) => pieces.push(name.as_str().as_bytes()),
            Property::CorrelationData(bytes) | Property::AuthenticationData(bytes) => pieces.push(bytes),
            Property::UserProperty(name, value) => pieces.extend([name.as_bytes(), value.as_bytes()]),
            _ => {}
        }
    }
}

/// All strings and all binary data of a packet that are not empty.
fn pieces<'b>(packet: &Packet<'b>) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    let properties = match *packet {
        Packet::Connect(Connect { client_id, will, username, password, properties, .. }) => {
            pieces.extend([client_id.as_bytes(), username.unwrap_or("").as_bytes(), password.unwrap_or(&[])]);
            if let Some(will) = will {
                pieces.extend([will.topic.as_str().as_bytes(), will.payload]);
                in_properties(&will.properties, &mut pieces);
            }
            properties
        }
        Packet::Publish(Publish { topic, payload, properties, .. }) => {
            pieces.extend([topic.as_str().as_bytes(), payload]);
            properties
        }
        Packet::Subscribe(packet) => {
            pieces.extend(packet.filters.iter().map(|item| item.filter.as_str().as_bytes()));
            packet.properties
        }
        Packet::Unsubscribe(packet) => {
            pieces.extend(packet.filters.iter().map(|filter| filter.as_str().as_bytes()));
            packet.properties
        }
        Packet::ConnAck(packet) => packet.properties,
        Packet::PubAck(packet) => packet.properties,
        Packet::PubRec(packet) => packet.properties,
        Packet::PubRel(packet) => packet.properties,
        Packet::PubComp(packet) => packet.properties,
        Packet::SubAck(packet) => packet.properties,
        Packet::UnsubAck(packet) => packet.properties,
        Packet::Disconnect(packet) => packet.properties,
        Packet::Auth(packet) => packet.properties,
        Packet::PingReq | Packet::PingResp => Properties::EMPTY,
    };
    in_properties(&properties, &mut pieces);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn is_within(piece: &[u8], buffer: &Range<*const u8>) -> bool {
    let piece = piece.as_ptr_range();
    buffer.start <= piece.start && piece.end <= buffer.end
}

#[test]
fn there_and_back() {
    each_packet("owned_there_and_back", |version, role, packet, frame| {
        let owned = owned::Packet::decode(frame.clone(), version, role).unwrap();
        // Built by hand, with slices for lists and properties, and copied.
        let copied = owned::Packet::copy_from(packet).unwrap();
        assert_eq!(owned, copied);
        for owned in [owned, copied] {
            assert_eq!(owned.as_borrowed(), *packet);
            assert_eq!(owned.packet_type(), packet.packet_type());
            assert_eq!(format!("{owned:?}"), format!("{packet:?}"));
            assert_eq!(owned.encoded_len(version), Ok(frame.len()));
            let mut out = vec![0; frame.len()];
            assert_eq!(owned.encode(version, &mut out), Ok(out.len()));
            assert_eq!(out, frame);
        }
    });
}

#[test]
fn nothing_is_copied_that_is_shared_and_all_that_is_copied() {
    let mut seen = 0;
    each_packet("nothing_is_copied", |version, role, _, frame| {
        let range = frame.as_ptr_range();
        let decoded = owned::Packet::decode(frame.clone(), version, role).unwrap();
        let borrowed = Packet::decode(&frame, version, role).unwrap();
        let shared = owned::Packet::share_from(&borrowed, &frame).unwrap();
        let copied = owned::Packet::copy_from(&borrowed).unwrap();
        drop(frame);
        for piece in [&decoded, &shared, &decoded.clone()].map(|packet| pieces(&packet.as_borrowed())).concat() {
            assert!(is_within(piece, &range), "copied: {piece:02x?}");
            seen += 1;
        }
        for piece in pieces(&copied.as_borrowed()) {
            assert!(!is_within(piece, &range), "shared: {piece:02x?}");
        }
        assert_eq!((&decoded, &decoded), (&shared, &copied));
    });
    assert!(seen > 0, "no piece was looked at");
}

#[test]
fn topic_and_payload_are_parts_of_the_buffer() {
    let frame = Bytes::from(frame("32 .. <house/door> 0007 'open'"));
    let packet = owned::Packet::decode(frame.clone(), Version::V311, Role::Server).unwrap();
    let owned::Packet::Publish(publish) = packet else { panic!("{packet:?}") };
    assert_eq!(publish.topic.as_str().as_ptr(), frame[4..].as_ptr());
    assert_eq!(publish.payload.as_ptr(), frame[16..].as_ptr());
    assert_eq!((publish.topic.as_str(), &publish.payload[..]), ("house/door", &b"open"[..]));
    // A payload outlives its packet and its buffer's other owners.
    let payload = publish.payload;
    drop((publish.topic, frame));
    assert_eq!(payload, "open");
}

#[test]
fn what_has_no_bytes_does_not_keep_the_buffer() {
    for text in ["C0 00", "40 02 0007", "E0 00"] {
        let frame = Bytes::from(frame(text));
        let packet = owned::Packet::decode(frame.clone(), Version::V311, Role::Client).unwrap();
        assert!(frame.is_unique(), "{packet:?}");
    }
}

#[test]
fn what_is_wrong_is_refused_as_in_a_borrowed_packet() {
    for bad in [&[0xD0, 0x01, 0x00][..], &[0x30, 0x03, 0x00, 0x01, b'+'], &[0x30, 0x02], &[]] {
        let expected = Packet::decode(bad, Version::V311, Role::Server).map(|_| ());
        let refused = owned::Packet::decode(Bytes::copy_from_slice(bad), Version::V311, Role::Server);
        assert!(refused.is_err());
        assert_eq!(refused.map(|_| ()), expected);
    }
}

#[test]
fn secrets_are_not_shown() {
    let connect = Connect { username: Some("u"), password: Some(b"hunter2"), ..Connect::new("c") };
    let shown = format!("{:?}", owned::Connect::copy_from(&connect).unwrap());
    assert_eq!(shown, format!("{connect:?}"));
    assert!(shown.contains("password: Some([7 bytes])"), "{shown}");
    let data = owned::Property::AuthenticationData(Bytes::from_static(b"hunter2"));
    assert_eq!(format!("{data:?}"), "AuthenticationData([7 bytes])");
}

#[test]
fn topics_keep_their_rules() {
    assert_eq!(owned::TopicName::new(""), Err(TopicError::EmptyName));
    assert_eq!(owned::TopicName::try_from("a/+"), Err(TopicError::WildcardInName));
    assert_eq!(owned::TopicName::try_from("a\0".to_owned()), Err(TopicError::NulCharacter));
    assert_eq!("a#".parse::<owned::TopicFilter>(), Err(TopicError::MisplacedMultiLevelWildcard));
    assert_eq!(owned::TopicFilter::new("$share/x"), Err(TopicError::BadShare));
    assert_eq!(owned::TopicFilter::new("a".repeat(65_536)), Err(TopicError::TooLong));

    let name = owned::TopicName::new("a/b").unwrap();
    assert_eq!((name.as_ref(), name.to_string().as_str(), &*name.clone().into_inner()), ("a/b", "a/b", "a/b"));
    assert_eq!(name, TopicName::new("a/b").unwrap().into());
    assert_eq!(TopicName::from(&name), TopicName::new("a/b").unwrap());
    assert!(owned::TopicName::EMPTY.is_empty() && !name.is_empty());
    let by_name = HashMap::from([(name, 7)]);
    assert_eq!(by_name.get("a/b"), Some(&7));

    let filter = owned::TopicFilter::new("$share/crew/a/+").unwrap();
    assert_eq!(filter.share(), Some(("crew", "a/+")));
    assert!(filter.matches(&owned::TopicName::new("a/b").unwrap()));
}

#[test]
fn lists_are_collected_from_owned_and_borrowed_items() {
    let borrowed = Subscription::new(TopicFilter::new("a/é/+").unwrap(), QoS::AtLeastOnce);
    let owned = owned::Subscription::new(owned::TopicFilter::new("a/é/+").unwrap(), QoS::AtLeastOnce);
    let filters: owned::Filters = [borrowed].into_iter().collect();
    assert_eq!(filters, [owned.clone()].into_iter().collect());
    assert_eq!((filters.count(), filters.iter().next(), filters.iter_owned().next()), (1, Some(borrowed), Some(owned)));
    assert_eq!(format!("{filters:?}"), format!("{:?}", [borrowed]));

    let filters: owned::TopicFilters = [borrowed.filter].into_iter().collect();
    assert_eq!(filters, filters.iter_owned().collect());
    assert_eq!((&filters).into_iter().count(), 1);

    let codes: owned::ReasonCodes = [ReasonCode::GRANTED_QOS_1, ReasonCode::NOT_AUTHORIZED].into_iter().collect();
    assert_eq!(codes.iter().collect::<Vec<_>>(), [ReasonCode::GRANTED_QOS_1, ReasonCode::NOT_AUTHORIZED]);
    assert_eq!((codes.len(), owned::ReasonCodes::default().is_empty()), (2, true));
}

#[test]
fn a_list_of_nothing_is_refused_when_it_is_encoded() {
    let packet_id = PacketId::new(7).unwrap();
    let filters = owned::Filters::from_iter::<[owned::Subscription; 0]>([]);
    let subscribe = owned::Subscribe { packet_id, properties: owned::Properties::EMPTY, filters };
    assert_eq!(subscribe.encoded_len(Version::V311), Err(EncodeError::NoTopicFilter));
    let suback = owned::SubAck { packet_id, properties: owned::Properties::EMPTY, codes: owned::ReasonCodes::EMPTY };
    assert_eq!(suback.encoded_len(Version::V311), Err(EncodeError::NoReasonCodes));
}

#[test]
fn what_is_new_is_what_the_borrowed_one_is() {
    let (id, payload) = (PacketId::new(7).unwrap(), b"gone");
    let (name, filter) = (TopicName::new("a/b").unwrap(), TopicFilter::new("a/+").unwrap());
    let subscription = [Subscription::new(filter, QoS::AtLeastOnce)];
    let filters = [filter];
    let codes = [ReasonCode::granted(QoS::AtLeastOnce), ReasonCode::UNSPECIFIED_ERROR];
    let borrowed_codes = ReasonCodes::from_slice(&codes);
    let owned_codes: owned::ReasonCodes = codes.into_iter().collect();
    let owned_name = owned::TopicName::new("a/b").unwrap();
    let owned_filters: owned::TopicFilters = filters.into_iter().collect();

    let will = Will::new(name, payload);
    assert_eq!((will.qos, will.retain, will.topic, will.payload), (QoS::AtMostOnce, false, name, &payload[..]));
    assert_eq!(owned::Will::new(owned_name, &payload[..]).as_borrowed(), will);
    let connack = ConnAck::new(ReasonCode::NOT_AUTHORIZED);
    assert_eq!((connack.session_present, connack.reason), (false, ReasonCode::NOT_AUTHORIZED));
    assert_eq!(owned::ConnAck::new(ReasonCode::NOT_AUTHORIZED).as_borrowed(), connack);
    // What each of them is on the wire; an UNSUBACK has no codes before MQTT 5.
    let packets: [(Packet<'_>, owned::Packet, &[u8]); 5] = [
        (
            Subscribe::new(id, Filters::from_slice(&subscription)).into(),
            owned::Subscribe::new(id, subscription.into_iter().collect()).into(),
            b"\x82\x08\0\x07\0\x03a/+\x01",
        ),
        (SubAck::new(id, borrowed_codes).into(), owned::SubAck::new(id, owned_codes).into(), b"\x90\x04\0\x07\x01\x80"),
        (
            Unsubscribe::new(id, TopicFilters::from_slice(&filters)).into(),
            owned::Unsubscribe::new(id, owned_filters).into(),
            b"\xA2\x07\0\x07\0\x03a/+",
        ),
        (
            UnsubAck::new(id, ReasonCodes::EMPTY).into(),
            owned::UnsubAck::new(id, owned::ReasonCodes::EMPTY).into(),
            b"\xB0\x02\0\x07",
        ),
        (connack.into(), owned::ConnAck::new(ReasonCode::NOT_AUTHORIZED).into(), b"\x20\x02\0\x05"),
    ];
    for (borrowed, owned, wire) in packets {
        assert_eq!(owned.as_borrowed(), borrowed);
        let mut out = b"before".to_vec();
        assert_eq!(owned.append(Version::V311, &mut out), Ok(wire.len()));
        assert_eq!(out, [b"before", wire].concat());
    }
}

#[test]
fn what_cannot_be_appended_leaves_the_bytes_as_they_were() {
    let packet = owned::Packet::from(owned::SubAck::new(PacketId::new(7).unwrap(), owned::ReasonCodes::EMPTY));
    let mut out = b"before".to_vec();
    assert_eq!(packet.append(Version::V311, &mut out), Err(EncodeError::NoReasonCodes));
    assert_eq!(out, b"before");
}

#[test]
fn an_owned_packet_knows_who_may_send_it() {
    let packet = owned::Packet::from(owned::ConnAck::new(ReasonCode::SUCCESS));
    assert_eq!(packet.check_sender(Role::Server, Version::V311), Ok(()));
    assert_eq!(packet.check_sender(Role::Client, Version::V311), Err(EncodeError::WrongDirection));
}

#[cfg(feature = "v5")]
mod v5 {
    use mqtt_device_proto::PropertyId;

    use super::*;

    #[test]
    fn properties_are_checked_when_they_are_built() {
        let long = "x".repeat(65_536);
        for (bad, error) in [
            (&[Property::ContentType("a\0")][..], EncodeError::NulCharacter),
            (&[Property::ReasonString(&long)], EncodeError::StringTooLong),
            (&[Property::ResponseTopic(TopicName::EMPTY)], EncodeError::EmptyTopicName),
            (&[Property::TopicAliasMaximum(1); 2], EncodeError::DuplicateProperty(PropertyId::TopicAliasMaximum)),
            (&[Property::MaximumQoS(QoS::ExactlyOnce)], EncodeError::BadPropertyValue(PropertyId::MaximumQoS)),
            (&[Property::AuthenticationData(b"x")], EncodeError::NoAuthenticationMethod),
        ] {
            assert_eq!(owned::Properties::from_slice(bad), Err(error));
            let publish = Publish { properties: Properties::from_slice(bad), ..Publish::new(TopicName::EMPTY, b"") };
            assert_eq!(owned::Publish::copy_from(&publish), Err(error));
        }
    }

    #[test]
    fn properties_that_are_moved_to_another_packet_are_checked_for_it() {
        let mut publish = owned::Publish::new(owned::TopicName::new("t").unwrap(), "");
        publish.properties = owned::Properties::from_slice(&[Property::ContentType("é")]).unwrap();
        let mut out = [0; 32];
        let len = publish.encode(Version::V5, &mut out).unwrap();
        let frame = Bytes::copy_from_slice(&out[..len]);
        let owned::Packet::Publish(decoded) = owned::Packet::decode(frame, Version::V5, Role::Client).unwrap() else {
            panic!("not a PUBLISH");
        };
        for properties in [publish.properties, decoded.properties] {
            let disconnect = owned::Disconnect { properties, ..owned::Disconnect::NORMAL };
            let error = EncodeError::PropertyNotAllowed(PropertyId::ContentType);
            assert_eq!(disconnect.encoded_len(Version::V5), Err(error));
            assert_eq!(disconnect.encode(Version::V5, &mut out), Err(error));
        }
    }

    #[test]
    fn a_property_that_is_taken_out_shares_the_set() {
        let set = [Property::UserProperty("name", "value"), Property::CorrelationData(b"\xFF\0")];
        let properties = owned::Properties::from_slice(&set).unwrap();
        let range = properties.iter().find_map(|property| match property {
            Property::CorrelationData(data) => Some(data.as_ptr_range()),
            _ => None,
        });
        let mut all: Vec<_> = properties.iter_owned().collect();
        assert_eq!(owned::Properties::try_from_iter(&all), Ok(properties.clone()));
        drop(properties);
        let Some(owned::Property::CorrelationData(data)) = all.pop() else { panic!("{all:?}") };
        assert_eq!((data.as_ref(), Some(data.as_ptr_range())), (&[0xFF, 0][..], range));
        assert_eq!(all, [owned::Property::UserProperty("name".into(), "value".into())]);
        assert_eq!(all[0].id(), PropertyId::UserProperty);
    }
}
