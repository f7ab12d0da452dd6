//! Random packets there and back, cut at every byte, changed at every byte; replay with `PROTO_SEED`.

mod common;
#[path = "common/packets.rs"]
mod packets;

use common::{Random, places, push_varint, rounds};
use mqtt_device_proto::{
    DecodeErrorKind, EncodeError, Packet, PacketType, PublishHead, Role, Status, Version, frame_len,
};
use packets::{VERSIONS, with_packet};

fn each_packet(test: &str, times: usize, mut check: impl FnMut(&mut Random, Version, Role, &Packet<'_>, &[u8])) {
    let mut random = Random::new(test);
    for _ in 0..rounds(times) {
        let (version, role) = (random.pick(VERSIONS), random.pick(&[Role::Client, Role::Server]));
        with_packet(&mut random, version, role, |random, packet| {
            let mut out = vec![0; packet.encoded_len(version).unwrap_or_else(|e| panic!("{packet:?}: {e}"))];
            assert_eq!(packet.encode(version, &mut out), Ok(out.len()), "{packet:?}");
            check(random, version, role, &packet, &out);
        });
    }
}

#[test]
fn there_and_back() {
    let mut seen = std::collections::BTreeSet::new();
    each_packet("there_and_back", 20_000, |_, version, role, packet, out| {
        assert_eq!(Packet::decode(out, version, role).as_ref(), Ok(packet), "{out:02x?}");
        assert_eq!(frame_len(out, u32::MAX), Ok(Status::Complete(out.len())));
        // Properties, filters and codes borrowed from the wire go out as those from a slice do.
        let again = Packet::decode(out, version, role).unwrap();
        let mut twice = vec![0; out.len()];
        assert_eq!(again.encode(version, &mut twice), Ok(out.len()));
        assert_eq!(out, twice);
        seen.insert((version, role, packet.packet_type()));
    });
    let mut all = std::collections::BTreeSet::new();
    for version in VERSIONS {
        for packet in (1..16u8).filter_map(|nibble| PacketType::from_first_byte(nibble << 4)) {
            let roles = [Role::Client, Role::Server].into_iter().filter(|role| packet.is_sent_by(*role, *version));
            all.extend(roles.map(|role| (*version, role, packet)));
        }
    }
    assert!(cfg!(miri) || seen == all, "not every packet was tried");
}

#[test]
fn a_packet_cut_anywhere_is_incomplete() {
    each_packet("a_packet_cut_anywhere_is_incomplete", 1_000, |_, version, role, packet, out| {
        for len in places(out.len()) {
            let error = Packet::decode(&out[..len], version, role).expect_err("cut");
            assert_eq!(
                (error.kind, error.at),
                (DecodeErrorKind::Incomplete, u32::try_from(len).unwrap()),
                "{packet:?}"
            );
            let Ok(Status::Partial { need }) = frame_len(&out[..len], u32::MAX) else { panic!("{packet:?} at {len}") };
            assert!(len < need && need <= out.len());
            if let Packet::Publish(publish) = packet
                && let Some(head) = PublishHead::decode(&out[..len], version).unwrap()
            {
                assert_eq!((head.dup, head.qos, head.retain), (publish.dup, publish.qos, publish.retain));
                assert_eq!((head.topic, head.packet_id), (publish.topic, publish.packet_id));
                assert_eq!(usize::try_from(head.total), Ok(out.len()));
                assert!(usize::try_from(head.len).unwrap() <= len);
            }
        }
        if let Packet::Publish(publish) = packet {
            let head = PublishHead::decode(out, version).unwrap().expect("all of it is there");
            if !version.has_properties() {
                assert_eq!(out.get(usize::try_from(head.len).unwrap()..), Some(publish.payload));
            }
        }
    });
}

/// What is accepted must mean the same when it is sent on, and never be longer.
fn check_any(bytes: &[u8], version: Version, role: Role) {
    let _ = frame_len(bytes, 64);
    let _ = PublishHead::decode(bytes, version).map(|head| head.map(|head| format!("{head:?}")));
    let _ = mqtt_device_proto::Connect::version(bytes);
    match Packet::decode(bytes, version, role) {
        Ok(packet) => {
            let len = packet.encoded_len(version).unwrap_or_else(|e| panic!("{packet:?}: {e}"));
            assert!(len <= bytes.len(), "{packet:?} {bytes:02x?}");
            let mut out = vec![0; len];
            assert_eq!(packet.encode(version, &mut out), Ok(len));
            assert_eq!(Packet::decode(&out, version, role), Ok(packet));
            assert_eq!(frame_len(bytes, u32::MAX), Ok(Status::Complete(bytes.len())));
        }
        Err(error) => {
            assert!(usize::try_from(error.at).unwrap() <= bytes.len(), "{error} {bytes:02x?}");
            assert!(error.reason_code().is_error());
            assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn a_body_cut_anywhere_is_refused_or_sound() {
    each_packet("a_body_cut_anywhere_is_refused_or_sound", 1_000, |_, version, role, _, out| {
        let start = 1 + out[1..].iter().position(|byte| *byte < 0x80).unwrap() + 1;
        for end in places(out.len()).filter(|end| *end >= start) {
            let mut cut = vec![out[0]];
            push_varint(&mut cut, end - start);
            cut.extend(&out[start..end]);
            check_any(&cut, version, role);
        }
    });
}

#[test]
fn a_packet_with_any_byte_changed_is_refused_or_sound() {
    each_packet("a_packet_with_any_byte_changed_is_refused_or_sound", 250, |random, version, role, _, out| {
        let mut changed = out.to_vec();
        for at in places(out.len()) {
            for bit in 0..8 {
                changed[at] = out[at] ^ 1 << bit;
                check_any(&changed, version, role);
            }
            for byte in [0, 1, 0x7F, 0x80, 0xFF, b'+', b'#', random.byte()] {
                changed[at] = byte;
                check_any(&changed, version, role);
            }
            changed[at] = out[at];
            // A byte more, a byte less, with the length as it was.
            changed.insert(at, random.byte());
            check_any(&changed, version, role);
            changed.remove(at);
            let byte = changed.remove(at);
            check_any(&changed, version, role);
            changed.insert(at, byte);
        }
    });
}

#[test]
fn noise_is_refused_or_sound() {
    let mut random = Random::new("noise_is_refused_or_sound");
    for _ in 0..rounds(100_000) {
        let mut noise = vec![random.byte(), 0];
        noise.extend((0..random.below(40)).map(|_| if random.flip() { random.byte() & 7 } else { random.byte() }));
        noise[1] = u8::try_from(noise.len() - 2).unwrap();
        check_any(&noise, random.pick(VERSIONS), random.pick(&[Role::Client, Role::Server]));
    }
}

#[test]
fn a_buffer_too_small_is_never_a_success() {
    each_packet("a_buffer_too_small_is_never_a_success", 500, |_, version, _, packet, out| {
        for len in places(out.len()) {
            let mut small = vec![0; len];
            assert_eq!(packet.encode(version, &mut small), Err(EncodeError::BufferTooSmall { needed: out.len() }));
        }
        #[cfg(feature = "alloc")]
        {
            let mut grown = vec![0xAA; 3];
            assert_eq!(packet.append(version, &mut grown), Ok(out.len()));
            assert_eq!((&grown[..3], &grown[3..]), (&[0xAA; 3][..], out));
        }
        // What is behind the packet is left alone.
        let mut large = vec![0xAA; out.len() + 3];
        assert_eq!(packet.encode(version, &mut large), Ok(out.len()));
        assert_eq!((&large[..out.len()], &large[out.len()..]), (out, &[0xAA; 3][..]));
    });
}

#[test]
fn the_head_of_a_publish_is_the_packet_without_its_payload() {
    each_packet("the_head_of_a_publish", 5_000, |_, version, _, packet, out| {
        let Packet::Publish(publish) = packet else { return };
        let payload = u32::try_from(publish.payload.len()).unwrap();
        let head = &out[..out.len() - publish.payload.len()];
        let mut written = vec![0; head.len()];
        let elsewhere = mqtt_device_proto::Publish { payload: b"does not count", ..*publish };
        assert_eq!(elsewhere.head_len(version, payload), Ok(head.len()));
        assert_eq!(elsewhere.encode_head(version, payload, &mut written), Ok(head.len()));
        assert_eq!(written, head);
        let small = &mut written[1..];
        let needed = head.len();
        assert_eq!(elsewhere.encode_head(version, payload, small), Err(EncodeError::BufferTooSmall { needed }));
    });
}

#[cfg(feature = "alloc")]
#[test]
fn nothing_is_appended_of_a_packet_that_is_refused() {
    let publish = mqtt_device_proto::Publish::new(mqtt_device_proto::TopicName::EMPTY, b"payload");
    let mut out = vec![7];
    assert_eq!(Packet::from(publish).append(Version::V311, &mut out), Err(EncodeError::EmptyTopicName));
    assert_eq!(out, [7]);
}
