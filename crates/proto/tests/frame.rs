//! `frame_len` and the first bytes of packets.

mod common;

use common::frame;
use mqtt_device_proto::{
    Connect, DecodeErrorKind, Frame, Packet, PacketType, PublishHead, QoS, Role, Status, Version, frame_len,
};

#[test]
fn an_incomplete_packet_is_a_status() {
    assert_eq!(frame_len(&[], 100), Ok(Status::Partial { need: 1 }));
    assert_eq!(frame_len(&[0x30], 100), Ok(Status::Partial { need: 2 }));
    assert_eq!(frame_len(&[0x30, 5], 100), Ok(Status::Partial { need: 7 }));
    assert_eq!(frame_len(&[0x30, 5, 0, 1, b'a', 1], 100), Ok(Status::Partial { need: 7 }));
    assert_eq!(frame_len(&[0x30, 5, 0, 1, b'a', 1, 2], 100), Ok(Status::Complete(7)));
    assert_eq!(frame_len(&[0x30, 5, 0, 1, b'a', 1, 2, 0xFF], 100), Ok(Status::Complete(7)));
    assert_eq!(frame_len(&[0x30, 0x80], 100), Ok(Status::Partial { need: 3 }));
    assert_eq!(frame_len(&[0x30, 0x80, 0x80], 100), Ok(Status::Partial { need: 4 }));
    assert_eq!(frame_len(&[0x30, 0x80, 0x80, 0x80], 100), Ok(Status::Partial { need: 5 }));
}

#[test]
fn every_length_of_a_length() {
    for (bytes, total) in [
        (&[0x30, 0x7F][..], 129),
        (&[0x30, 0x80, 0x01], 131),
        (&[0x30, 0xFF, 0x7F], 16_386),
        (&[0x30, 0x80, 0x80, 0x01], 16_388),
        (&[0x30, 0xFF, 0xFF, 0x7F], 2_097_155),
        (&[0x30, 0x80, 0x80, 0x80, 0x01], 2_097_157),
        (&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], 268_435_460),
    ] {
        let need = usize::try_from(total).unwrap();
        assert_eq!(frame_len(bytes, u32::MAX), Ok(Status::Partial { need }));
        assert_eq!(frame_len(bytes, total), Ok(Status::Partial { need }));
        assert_eq!(frame_len(bytes, total - 1), Ok(Status::Oversize { total }));
    }
}

#[test]
fn the_limit_counts_the_whole_packet_even_when_it_is_there() {
    let bytes = frame("30 .. <a> 'x'");
    assert_eq!(frame_len(&bytes, 6), Ok(Status::Complete(6)));
    assert_eq!(frame_len(&bytes, 5), Ok(Status::Oversize { total: 6 }));
}

#[test]
fn what_no_packet_begins_with_is_refused_at_once() {
    let kind = |bytes: &[u8]| frame_len(bytes, 100).map_err(|error| (error.kind, error.at));
    assert_eq!(kind(&[0x00]), Err((DecodeErrorKind::ReservedPacketType, 0)));
    assert_eq!(kind(&[0x36]), Err((DecodeErrorKind::BadQoS, 0)));
    assert_eq!(kind(&[0x38]), Err((DecodeErrorKind::DupWithQoS0, 0)));
    assert_eq!(kind(&[0x60]), Err((DecodeErrorKind::ReservedFlags, 0)));
    assert_eq!(kind(&[0xC1]), Err((DecodeErrorKind::ReservedFlags, 0)));
    assert_eq!(kind(&[0xC0, 0x80, 0x80, 0x80, 0x80]), Err((DecodeErrorKind::VarintTooLong, 1)));
    if cfg!(feature = "v5") {
        assert_eq!(kind(&[0xF0]), Ok(Status::Partial { need: 2 }));
    } else {
        assert_eq!(kind(&[0xF0]), Err((DecodeErrorKind::ReservedPacketType, 0)));
    }
    // All 256: no first byte is refused that some version allows, and none accepted that no version does.
    for first in 0..=255u8 {
        let legal = match first >> 4 {
            0 => false,
            3 => first & 6 != 6 && first & 0xE != 8,
            6 | 8 | 10 => first & 7 == 2,
            15 => cfg!(feature = "v5") && first == 0xF0,
            _ => first & 0xF == 0,
        };
        assert_eq!(frame_len(&[first], 100).is_ok(), legal, "{first:02x}");
    }
}

#[test]
fn the_head_of_a_message_that_is_not_all_there() {
    // A mebibyte is announced; 20 bytes are here.
    let bytes = frame("3D 808040 <log/a> 1234 'payload'");
    let head = PublishHead::decode(&bytes, Version::V311).unwrap().unwrap();
    assert_eq!((head.topic.as_str(), head.packet_id.map(|id| id.get())), ("log/a", Some(0x1234)));
    assert_eq!((head.qos, head.dup, head.retain), (QoS::ExactlyOnce, true, true));
    assert_eq!((head.total, head.len), (1_048_576 + 4, 13));
    for len in 0..13 {
        assert_eq!(PublishHead::decode(&bytes[..len], Version::V311), Ok(None), "{len}");
    }

    let kind = |text: &str| {
        let bytes = frame(text);
        PublishHead::decode(&bytes, Version::V311).map(drop).map_err(|error| (error.kind, error.at))
    };
    assert_eq!(kind("C0 00"), Err((DecodeErrorKind::WrongDirection, 0)));
    assert_eq!(kind("30 7F <a+>"), Err((DecodeErrorKind::WildcardInTopicName, 5)));
    assert_eq!(kind("30 7F <>"), Err((DecodeErrorKind::EmptyTopicName, 2)));
    assert_eq!(kind("32 7F <a> 0000"), Err((DecodeErrorKind::ZeroPacketId, 5)));
    // The packet ends before its head does: no more will come.
    assert_eq!(kind("32 04 <a> 00"), Err((DecodeErrorKind::FieldTruncated, 5)));
    assert_eq!(kind("32 04 <a> 00 00 00"), Err((DecodeErrorKind::FieldTruncated, 5)));
    assert_eq!(kind("30 00"), Err((DecodeErrorKind::FieldTruncated, 2)));
    assert_eq!(kind("30 01 00"), Err((DecodeErrorKind::FieldTruncated, 2)));
    // Nor is there room for an identifier behind a topic that is here.
    assert_eq!(kind("32 04 <a>"), Err((DecodeErrorKind::FieldTruncated, 5)));
    assert_eq!(kind("32 05 <a>"), Ok(()));
    assert_eq!(kind("30 04 <a>"), Ok(()));
    for (first, dup, retain) in [("32", false, false), ("3A", true, false), ("33", false, true)] {
        let bytes = frame(&format!("{first} 7F <a> 0001"));
        let head = PublishHead::decode(&bytes, Version::V311).unwrap().unwrap();
        assert_eq!((head.dup, head.retain), (dup, retain));
    }
}

#[test]
fn the_version_of_a_connect() {
    let version = |text: &str| Connect::version(&frame(text)).map_err(|error| (error.kind, error.at));
    assert_eq!(version("10 .. <MQIsdp> 03 02 000A <p>"), Ok(Some(Version::V31)));
    assert_eq!(version("10 .. <MQTT> 04 02 000A <p>"), Ok(Some(Version::V311)));
    assert_eq!(version("10 7F <MQTT> 04"), Ok(Some(Version::V311)));
    assert_eq!(version("10 7F <MQTT>"), Ok(None));
    assert_eq!(version("10 7F 00"), Ok(None));
    assert_eq!(version("10"), Ok(None));
    assert_eq!(version(""), Ok(None));
    assert_eq!(version("10 .. <MQTT>"), Err((DecodeErrorKind::FieldTruncated, 2)));
    assert_eq!(version("10 .. <MQTT> 06"), Err((DecodeErrorKind::BadProtocolLevel(6), 8)));
    assert_eq!(version("10 .. <MQTT> 03"), Err((DecodeErrorKind::BadProtocolLevel(3), 8)));
    assert_eq!(version("10 .. <MQIsdp> 83"), Err((DecodeErrorKind::BadProtocolLevel(0x83), 10)));
    assert_eq!(version("10 .. <HTTP> 04"), Err((DecodeErrorKind::BadProtocolName, 2)));
    assert_eq!(version("C0 00"), Err((DecodeErrorKind::WrongDirection, 0)));
    assert_eq!(version("11 00"), Err((DecodeErrorKind::ReservedFlags, 0)));
    #[cfg(feature = "v5")]
    assert_eq!(version("10 .. <MQTT> 05"), Ok(Some(Version::V5)));
    #[cfg(not(feature = "v5"))]
    assert_eq!(version("10 .. <MQTT> 05"), Err((DecodeErrorKind::BadProtocolLevel(5), 8)));
}

/// Found by fuzzing: the quick way of reading a length took a length that ends early for one of three bytes.
#[test]
fn a_length_of_one_byte_too_many_is_not_a_longer_one() {
    // 2 in two bytes, and what follows.
    let stream = [0x40, 0x82, 0x00, 0x00, 0x01, 0x50, 0x02];
    assert_eq!(frame_len(&stream, 1 << 20), Ok(Status::Complete(5)));
    assert!(Packet::decode(&stream[..5], Version::V311, Role::Server).is_ok());
    // Every length at the bounds of its form, with anything behind it.
    for (len, form) in [
        (0x7F, &[0x7F][..]),
        (0x80, &[0x80, 0x01]),
        (0x3FFF, &[0xFF, 0x7F]),
        (0x4000, &[0x80, 0x80, 0x01]),
        (0x1F_FFFF, &[0xFF, 0xFF, 0x7F]),
        (0x20_0000, &[0x80, 0x80, 0x80, 0x01]),
        (1, &[0x81, 0x80, 0x80, 0x00]),
        (1, &[0x81, 0x80, 0x00]),
        (1, &[0x81, 0x00]),
    ] {
        for behind in [0x00, 0x01, 0x7F, 0x80, 0xFF] {
            let mut stream = vec![0x30];
            stream.extend(form);
            stream.extend([behind; 3]);
            let need = 1 + form.len() + len;
            let status = if need <= stream.len() { Status::Complete(need) } else { Status::Partial { need } };
            assert_eq!(frame_len(&stream, u32::MAX), Ok(status), "{stream:02X?}");
        }
    }
}

#[test]
fn a_frame_is_taken_and_decoded_as_its_bytes_are() {
    // A usual header, one not in its shortest form, a DUP bit of MQTT 3.1, a type of MQTT 5, a wrong sender.
    for bytes in [&[0xC0, 0][..], &[0xD0, 0x80, 0], &[0x6A, 2, 0, 1], &[0xF0, 0], &[0x20, 2, 0, 0], &[0x10, 0]] {
        let mut stream = &[bytes, &[0x30]].concat()[..];
        let Ok(Status::Complete(frame)) = Frame::take(&mut stream, 4) else {
            assert!(frame_len(bytes, 4).is_err(), "{bytes:02x?}");
            continue;
        };
        assert_eq!((frame.bytes(), stream), (bytes, &[0x30][..]));
        assert_eq!(Some(frame.packet_type()), PacketType::from_first_byte(bytes[0]));
        for version in [
            Version::V31,
            Version::V311,
            #[cfg(feature = "v5")]
            Version::V5,
        ] {
            for role in [Role::Client, Role::Server] {
                assert_eq!(frame.decode(version, role), Packet::decode(bytes, version, role), "{frame:?} {version}");
            }
        }
    }
}

#[test]
fn a_frame_that_is_not_there_leaves_the_stream_alone() {
    let bytes = [0x30, 0x05, 0, 1];
    for (limit, expected) in [(7, Status::Partial { need: 7 }), (6, Status::Oversize { total: 7 })] {
        let mut stream = &bytes[..];
        assert_eq!(Frame::take(&mut stream, limit), Ok(expected));
        assert_eq!(stream, bytes);
    }
    // All of it is there, and too long.
    let whole = [0x30, 0x05, 0, 1, b't', b'p', b'p'];
    let mut stream = &whole[..];
    assert_eq!(Frame::take(&mut stream, 6), Ok(Status::Oversize { total: 7 }));
    assert_eq!(stream, whole);
    let mut stream = &[0x36, 0][..];
    assert_eq!(Frame::take(&mut stream, 9).unwrap_err().kind, DecodeErrorKind::BadQoS);
    assert_eq!(stream, [0x36, 0]);
}

#[test]
fn the_bytes_of_a_frame_are_not_shown() {
    let mut stream = &[0xD0, 0][..];
    let Ok(Status::Complete(frame)) = Frame::take(&mut stream, 9) else { panic!() };
    assert_eq!(format!("{frame:?}"), "Frame(PINGRESP, 2 bytes)");
}
