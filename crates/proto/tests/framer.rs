//! Any split of a stream gives the same packets, and what is too long is skipped and named.

mod common;
#[path = "common/packets.rs"]
mod packets;

use common::{Random, frame, rounds};
use mqtt_device_proto::{
    DecodeErrorKind, Framed, Framer, Packet, PacketType, Publish, PublishHead, Role, TopicName, Version,
};
use packets::{VERSIONS, with_packet};

/// All that `framer` gives back for `stream`, put in by pieces of the lengths that `piece` says.
fn feed(framer: &mut Framer<'_>, mut stream: &[u8], mut piece: impl FnMut() -> usize) -> Vec<String> {
    let mut out = Vec::new();
    while !stream.is_empty() {
        let space = framer.space();
        assert!(!space.is_empty());
        let n = piece().clamp(1, space.len()).min(stream.len());
        space[..n].copy_from_slice(&stream[..n]);
        framer.filled(n);
        stream = &stream[n..];
        while let Some(framed) = framer.next().unwrap() {
            out.push(match framed {
                Framed::Frame(frame) => format!("{:02x?}", frame.bytes()),
                Framed::Skipped(skipped) => format!(
                    "{} {} {:?} {:?}",
                    skipped.packet,
                    skipped.total,
                    skipped.head.map(|head| head.topic.to_string()),
                    skipped.head.and_then(|head| head.packet_id)
                ),
            });
        }
    }
    out
}

#[test]
fn any_split_gives_the_same_packets() {
    let mut random = Random::new("any_split_gives_the_same_packets");
    for _ in 0..rounds(400) {
        let version = random.pick(VERSIONS);
        let (limit, mut stream, mut expected) = (64 + random.below(200), Vec::new(), Vec::new());
        for _ in 0..random.below(20) {
            with_packet(&mut random, version, Role::Server, |_, packet| {
                let mut bytes = vec![0; packet.encoded_len(version).unwrap()];
                packet.encode(version, &mut bytes).unwrap();
                expected.push(match packet {
                    _ if bytes.len() <= limit => format!("{bytes:02x?}"),
                    Packet::Publish(publish) => {
                        format!("PUBLISH {} {:?} {:?}", bytes.len(), Some(publish.topic.to_string()), publish.packet_id)
                    }
                    _ => format!("{} {} None None", packet.packet_type(), bytes.len()),
                });
                stream.extend(bytes);
            });
        }
        let mut buffer = vec![0; limit + random.below(30)];
        let limit = u32::try_from(limit).unwrap();
        let most = 1 + random.below(100);
        let mut framer = Framer::new(&mut buffer, limit, version);
        assert_eq!(feed(&mut framer, &stream, || 1 + random.below(most)), expected);
        framer.reset(version);
        assert_eq!(feed(&mut framer, &stream, || 1), expected);
        framer.reset(version);
        assert_eq!(feed(&mut framer, &stream, || usize::MAX), expected);
    }
}

#[test]
fn a_mebibyte_passes_through_64_bytes() {
    let payload = vec![0xC3; 1 << 20];
    let publish = Publish {
        qos: mqtt_device_proto::QoS::AtLeastOnce,
        packet_id: mqtt_device_proto::PacketId::new(7),
        ..Publish::new(TopicName::new("large").unwrap(), &payload)
    };
    let mut stream = vec![0; publish.encoded_len(Version::V311).unwrap()];
    publish.encode(Version::V311, &mut stream).unwrap();
    stream.extend([0xD0, 0]);
    let mut buffer = [0; 64];
    let mut framer = Framer::new(&mut buffer, 1 << 20, Version::V311);
    let total = stream.len() - 2;
    let expected = [format!("PUBLISH {total} Some(\"large\") Some(PacketId(7))"), "[d0, 00]".to_owned()];
    assert_eq!(feed(&mut framer, &stream, || 1448), expected);
}

#[test]
fn a_topic_longer_than_the_buffer_is_skipped_without_its_head() {
    let stream = frame(&format!("30 .. <{}> 'payload' ", "t".repeat(100)));
    let mut buffer = [0; 32];
    let mut framer = Framer::new(&mut buffer, 32, Version::V311);
    assert_eq!(feed(&mut framer, &stream, || 5), ["PUBLISH 111 None None"]);
}

#[test]
fn a_bad_first_byte_ends_the_stream_at_once() {
    let mut buffer = [0; 32];
    let mut framer = Framer::new(&mut buffer, 32, Version::V311);
    framer.space()[..3].copy_from_slice(&[0xD0, 0, 0x07]);
    framer.filled(3);
    assert!(matches!(framer.next(), Ok(Some(Framed::Frame(frame))) if frame.bytes() == [0xD0, 0]));
    let error = framer.next().unwrap_err();
    assert_eq!((error.packet, error.at, error.kind), (None, 0, DecodeErrorKind::ReservedPacketType));
    framer.reset(Version::V311);
    assert_eq!(framer.next(), Ok(None));
    // The head of what is skipped must be sound too.
    let stream = frame("30 7F <a+>");
    framer.space()[..stream.len()].copy_from_slice(&stream);
    framer.filled(stream.len());
    assert_eq!(framer.next().unwrap_err().kind, DecodeErrorKind::WildcardInTopicName);
    assert_eq!(PacketType::from_first_byte(0x07), None);
}

#[cfg(feature = "v5")]
#[test]
fn a_server_says_the_version_once_it_knows_it() {
    // An MQTT 5 PUBLISH with a topic alias instead of a name, too long, behind a CONNECT.
    let connect = frame("10 .. <MQTT> 05 02 00 00 {} <c>");
    let publish = frame(&format!("30 .. <> {{23 0001}} '{}'", "p".repeat(200)));
    for (version, skipped) in [(Version::V5, true), (Version::V311, false)] {
        let mut buffer = [0; 64];
        let mut framer = Framer::new(&mut buffer, 64, Version::V311);
        let stream = [&connect[..], &publish[..30]].concat();
        framer.space()[..stream.len()].copy_from_slice(&stream);
        framer.filled(stream.len());
        assert!(matches!(framer.next(), Ok(Some(Framed::Frame(frame))) if frame.bytes() == connect));
        framer.set_version(version);
        match framer.next() {
            Ok(Some(Framed::Skipped(publish))) => assert!(skipped && publish.head.unwrap().topic.is_empty()),
            other => assert!(!skipped && other.is_err(), "{other:?}"),
        }
    }
}

#[test]
fn the_header_of_what_is_skipped_is_judged_by_the_version() {
    for (bytes, version, expected) in [
        // The DUP bit of MQTT 3.1.
        (&[0x8A, 0x7F, 0x00, 0x01][..], Version::V31, None),
        (&[0x8A, 0x7F], Version::V311, Some(DecodeErrorKind::ReservedFlags)),
        (&[0x82, 0xFF, 0x00, 0x00, 0x01], Version::V311, None),
        #[cfg(feature = "v5")]
        (&[0x82, 0xFF, 0x00], Version::V5, Some(DecodeErrorKind::VarintNotMinimal)),
    ] {
        let mut buffer = [0; 16];
        let mut framer = Framer::new(&mut buffer, 16, version);
        framer.space()[..bytes.len()].copy_from_slice(bytes);
        framer.filled(bytes.len());
        match (framer.next(), expected) {
            (Ok(Some(Framed::Skipped(skipped))), None) => assert_eq!(skipped.packet, PacketType::Subscribe),
            (Err(error), Some(kind)) => assert_eq!(error.kind, kind),
            (other, _) => panic!("{bytes:02x?} {version}: {other:?}"),
        }
    }
}

#[test]
fn the_identifier_of_any_packet_that_is_skipped_is_told() {
    let mut buffer = [0; 8];
    let mut framer = Framer::new(&mut buffer, 8, Version::V311);
    for first in [0x82, 0x90, 0xA2] {
        framer.reset(Version::V311);
        for (at, byte) in [first, 0x09, 0x12, 0x34].into_iter().enumerate() {
            assert_eq!(framer.next(), Ok(None), "{first:02x} {at}");
            framer.space()[0] = byte;
            framer.filled(1);
        }
        let Ok(Some(Framed::Skipped(skipped))) = framer.next() else { panic!("its identifier is there") };
        assert_eq!((skipped.total, skipped.packet_id.map(|id| id.get()), skipped.head), (11, Some(0x1234), None));
    }
    framer.reset(Version::V311);
    framer.space()[..4].copy_from_slice(&[0x82, 0x09, 0, 0]);
    framer.filled(4);
    let error = framer.next().unwrap_err();
    assert_eq!((error.kind, error.at), (DecodeErrorKind::ZeroPacketId, 2));
}

#[test]
fn a_topic_that_is_longer_than_its_packet_is_refused_at_once() {
    let kind = |text: &str| {
        let bytes = frame(text);
        PublishHead::decode(&bytes, Version::V311).map(|head| head.is_some()).map_err(|error| (error.kind, error.at))
    };
    assert_eq!(kind("30 05 0014 't'"), Err((DecodeErrorKind::FieldTruncated, 2)));
    assert_eq!(kind("32 05 0002 'ta' 01"), Err((DecodeErrorKind::FieldTruncated, 6)));
    // Not before the topic is there: it may have a defect, which comes first.
    assert_eq!(kind("32 05 0002 't'"), Ok(false));
    assert_eq!(kind("32 06 0003 't' 00"), Ok(false));
    assert_eq!(kind("32 06 0002 't'"), Ok(false));
    assert_eq!(kind("30 05 0003 't'"), Ok(false));
}
