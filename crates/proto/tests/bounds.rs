//! At the bounds: the longest of everything, the first that is too long, and each length at which the form of a length
//! changes.

mod common;

use common::push_varint;
use mqtt_device_proto::{
    Connect, EncodeError, Filters, Packet, PacketId, Publish, QoS, Role, Status, Subscribe, Subscription, TopicError,
    TopicFilter, TopicFilters, TopicName, Unsubscribe, Version, frame_len,
};

/// Lengths on both sides of each change of their form. Miri would copy the longest for minutes: three bytes of length are the
/// most that it sees.
fn bodies() -> impl Iterator<Item = usize> {
    [0x7F, 0x80, 0x3FFF, 0x4000, 0x1F_FFFF, 0x20_0000, 0x20_0001].into_iter().take(if cfg!(miri) { 4 } else { 7 })
}

fn topic(name: &str) -> TopicName<'_> {
    TopicName::new(name).unwrap()
}

#[test]
fn the_fixed_header_takes_the_shortest_form_of_each_length() {
    for body in bodies() {
        let payload = vec![b'x'; body - 3];
        let publish = Publish::new(topic("a"), &payload);
        let mut expected = vec![0x30];
        push_varint(&mut expected, body);
        expected.extend(b"\0\x01a");
        let head_len = expected.len();
        expected.extend(&payload);

        let mut out = vec![0xAA; expected.len() + 1];
        assert_eq!(publish.encode(Version::V311, &mut out), Ok(expected.len()));
        assert!(out.starts_with(&expected), "{body}");
        assert_eq!(publish.encoded_len(Version::V311), Ok(expected.len()));
        let later = u32::try_from(payload.len()).unwrap();
        assert_eq!(publish.head_len(Version::V311, later), Ok(head_len));
        assert_eq!(publish.encode_head(Version::V311, later, &mut out), Ok(head_len));
        assert_eq!(out[..head_len], expected[..head_len]);

        assert_eq!(frame_len(&expected, u32::MAX), Ok(Status::Complete(expected.len())));
        assert_eq!(Packet::decode(&expected, Version::V311, Role::Client), Ok(publish.into()));
        // Other packets write it another way.
        if let Some(len) = body.checked_sub(12).filter(|len| *len <= 0xFFFF) {
            let client_id = "c".repeat(len);
            let connect = Connect::new(&client_id);
            let len = connect.encode(Version::V311, &mut out).unwrap();
            assert_eq!(frame_len(&out[..len], u32::MAX), Ok(Status::Complete(len)));
            assert_eq!(Packet::decode(&out[..len], Version::V311, Role::Client), Ok(connect.into()));
        }
    }
}

#[test]
fn the_longest_packet_can_be_sent_and_no_longer_one() {
    const MOST: u32 = 268_435_455;
    let publish = Publish::new(topic("a"), b"");
    assert_eq!(publish.head_len(Version::V311, MOST - 3), Ok(8));
    let mut head = [0; 8];
    assert_eq!(publish.encode_head(Version::V311, MOST - 3, &mut head), Ok(8));
    assert_eq!(head, *b"\x30\xFF\xFF\xFF\x7F\0\x01a");
    assert_eq!(frame_len(&head, u32::MAX), Ok(Status::Partial { need: 268_435_460 }));
    for longer in [MOST - 2, MOST, u32::MAX] {
        assert_eq!(publish.head_len(Version::V311, longer), Err(EncodeError::PacketTooLarge));
        assert_eq!(publish.encode_head(Version::V311, longer, &mut head), Err(EncodeError::PacketTooLarge));
    }
    // Many filters make a packet too long as well; the same one over and over takes no memory.
    let filter = "f".repeat(0xFFFF);
    let filter = TopicFilter::new(&filter).unwrap();
    let packet_id = PacketId::new(1).unwrap();
    for (count, fits) in [(4095, true), (4097, false)] {
        let filters = vec![Subscription::new(filter, QoS::AtMostOnce); count];
        let properties = mqtt_device_proto::Properties::EMPTY;
        let subscribe = Subscribe { packet_id, properties, filters: Filters::from_slice(&filters) };
        let len = if fits { Ok(5 + 2 + count * (0xFFFF + 3)) } else { Err(EncodeError::PacketTooLarge) };
        assert_eq!(subscribe.encoded_len(Version::V311), len);
        let filters = vec![filter; count];
        let unsubscribe = Unsubscribe { packet_id, properties, filters: TopicFilters::from_slice(&filters) };
        let len = if fits { Ok(5 + 2 + count * (0xFFFF + 2)) } else { Err(EncodeError::PacketTooLarge) };
        assert_eq!(unsubscribe.encoded_len(Version::V311), len);
    }
}

#[test]
fn the_longest_topic_has_65535_bytes() {
    let longest = "t".repeat(0xFFFF);
    assert_eq!(TopicName::new(&longest).map(|name| name.as_str().len()), Ok(0xFFFF));
    assert_eq!(TopicFilter::new(&longest).map(|filter| filter.as_str().len()), Ok(0xFFFF));
    let longer = "t".repeat(0x1_0000);
    assert_eq!(TopicName::new(&longer), Err(TopicError::TooLong));
    assert_eq!(TopicFilter::new(&longer), Err(TopicError::TooLong));
}

#[test]
fn the_longest_string_has_65535_bytes() {
    let mut out = vec![0; 4 * 0x1_0000];
    for text in ["c".repeat(0xFFFF), "é".repeat(0x7FFF)].iter().take(if cfg!(miri) { 1 } else { 2 }) {
        let connect = Connect { username: Some(text), password: Some(text.as_bytes()), ..Connect::new(text) };
        let len = connect.encode(Version::V311, &mut out).unwrap();
        assert_eq!(Packet::decode(&out[..len], Version::V311, Role::Client), Ok(connect.into()));
    }
    for text in ["c".repeat(0x1_0000), "é".repeat(0x8000)] {
        let error = Err(EncodeError::StringTooLong);
        assert_eq!(Connect::new(&text).encode(Version::V311, &mut out), error);
        assert_eq!(Connect { username: Some(&text), ..Connect::new("c") }.encode(Version::V311, &mut out), error);
        let password = Some(text.as_bytes());
        let connect = Connect { username: Some("u"), password, ..Connect::new("c") };
        assert_eq!(connect.encode(Version::V311, &mut out), error);
    }
}

#[cfg(feature = "v5")]
mod v5 {
    use core::num::NonZeroU32;

    use mqtt_device_proto::{DecodeErrorKind, Properties, Property, PubAck};

    use super::{EncodeError, Packet, PacketId, Publish, Role, Status, Version, bodies, frame_len, push_varint, topic};

    /// User properties that take `len` bytes.
    fn properties(len: usize, text: &str) -> Vec<Property<'_>> {
        let mut properties = Vec::new();
        let mut rest = len;
        while rest != 0 {
            // What would be left over is never too short for one more.
            let this = if rest > 0xFFFF { 0xFFFF - 21 } else { rest };
            properties.push(Property::UserProperty("n", &text[..this - 6]));
            rest -= this;
        }
        properties
    }

    #[test]
    fn a_set_takes_the_shortest_form_of_each_length() {
        // Text, and what is not ASCII: the two are checked in different ways.
        for filler in ["v", "é"] {
            let text = filler.repeat(0xFFFF);
            for len in bodies().map(|len| len / filler.len() * filler.len()) {
                let properties = properties(len, &text);
                let publish =
                    Publish { properties: Properties::from_slice(&properties), ..Publish::new(topic("a"), b"p") };
                let mut out = vec![0; len + 16];
                let encoded = publish.encode(Version::V5, &mut out).unwrap();
                assert_eq!(publish.encoded_len(Version::V5), Ok(encoded));
                let mut set = b"\0\x01a".to_vec();
                push_varint(&mut set, len);
                let mut front = vec![0x30];
                push_varint(&mut front, set.len() + len + 1);
                front.extend(&set);
                assert!(out.starts_with(&front), "{len}");
                let bytes = &out[..encoded];
                assert_eq!(frame_len(bytes, u32::MAX), Ok(Status::Complete(encoded)));
                let decoded = Packet::decode(bytes, Version::V5, Role::Client).unwrap();
                assert_eq!(decoded, publish.into());
                // Sent on from where it lies.
                let mut again = vec![0; encoded];
                assert_eq!(decoded.encode(Version::V5, &mut again), Ok(encoded));
                assert_eq!(again, bytes);
            }
        }
    }

    #[test]
    fn the_longest_set_is_the_longest_packet() {
        // What is not ASCII is looked through in the quicker way. 2049 times 131,073 bytes are over 268,435,455.
        let text = "é".repeat(0x7FFF);
        let properties = vec![Property::UserProperty(&text, &text); if cfg!(miri) { 1 } else { 2049 }];
        let publish = Publish { properties: Properties::from_slice(&properties), ..Publish::new(topic("a"), b"") };
        let error = if cfg!(miri) { Ok(131_073 + 3 + 3 + 4) } else { Err(EncodeError::PacketTooLarge) };
        assert_eq!(publish.encoded_len(Version::V5), error);
    }

    #[test]
    fn the_greatest_subscription_identifier() {
        let mut out = [0; 16];
        for (id, wire) in [(127, &[0x7F][..]), (128, &[0x80, 1]), (268_435_455, &[0xFF, 0xFF, 0xFF, 0x7F])] {
            let properties = [Property::SubscriptionIdentifier(NonZeroU32::new(id).unwrap())];
            let publish = Publish { properties: Properties::from_slice(&properties), ..Publish::new(topic("a"), b"") };
            let len = publish.encode(Version::V5, &mut out).unwrap();
            assert!(out[..len].ends_with(wire), "{id}");
            assert_eq!(Packet::decode(&out[..len], Version::V5, Role::Server), Ok(publish.into()));
        }
    }

    /// A set that was read is checked again where it goes, also one that is no text as a whole.
    #[test]
    fn a_set_of_one_packet_does_not_fit_into_another() {
        let frame = *b"\x30\x0A\0\x01a\x06\x09\0\x03\xFF\xFE\0";
        let Ok(Packet::Publish(publish)) = Packet::decode(&frame, Version::V5, Role::Server) else { panic!() };
        let ack = PubAck { properties: publish.properties, ..PubAck::new(PacketId::new(1).unwrap()) };
        let id = mqtt_device_proto::PropertyId::CorrelationData;
        assert_eq!(ack.encoded_len(Version::V5), Err(EncodeError::PropertyNotAllowed(id)));
        let mut out = [0; 12];
        assert_eq!(publish.encode(Version::V5, &mut out), Ok(12));
        assert_eq!(out, frame);
        // What may stand in both goes from one to the other.
        let frame = *b"\x30\x0C\0\x01a\x08\x26\0\x01n\0\x02\xC3\xA9";
        let Ok(Packet::Publish(publish)) = Packet::decode(&frame, Version::V5, Role::Server) else { panic!() };
        let ack = PubAck { properties: publish.properties, ..PubAck::new(PacketId::new(1).unwrap()) };
        let mut out = [0; 14];
        assert_eq!(ack.encode(Version::V5, &mut out), Ok(14));
        assert_eq!(out, *b"\x40\x0C\0\x01\0\x08\x26\0\x01n\0\x02\xC3\xA9");
        let error = Packet::decode(b"\x40\x0A\0\x01\0\x06\x09\0\x03\xFF\xFE\0", Version::V5, Role::Server).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::PropertyNotAllowed(id));
    }
}
