//! The codec on a stream: any chunking gives the same, limits hold before memory is taken, nothing half-written stays.

#[path = "../../proto/tests/common/mod.rs"]
mod common;
#[path = "../../proto/tests/common/packets.rs"]
mod packets;

use bytes::{Bytes, BytesMut};
use common::{Random, frame, rounds};
use futures_util::{SinkExt, StreamExt};
use mqtt_device_proto::{
    Connect, DecodeErrorKind, EncodeError, Packet, PacketId, PacketType, Publish, QoS, Role, TopicName, Version, owned,
};
use mqtt_device_tokio::codec::{Codec, CodecError, Incoming};
use packets::{VERSIONS, with_packet};
use tokio::io::AsyncWriteExt;
use tokio_util::codec::{Decoder, Encoder, Framed};

/// What a codec gives for a stream in pieces, with the error that ended it.
fn decode(codec: &mut Codec, mut stream: &[u8], mut piece: impl FnMut() -> usize) -> (Vec<Incoming>, Option<String>) {
    let (mut all, mut src) = (Vec::new(), BytesMut::new());
    loop {
        let n = piece().clamp(1, stream.len().max(1)).min(stream.len());
        src.extend_from_slice(&stream[..n]);
        stream = &stream[n..];
        loop {
            let next = if stream.is_empty() { codec.decode_eof(&mut src) } else { codec.decode(&mut src) };
            match next {
                Ok(Some(incoming)) => all.push(incoming),
                Ok(None) if stream.is_empty() => return (all, None),
                Ok(None) => break,
                Err(error) => return (all, Some(error.to_string())),
            }
        }
    }
}

fn encoded(packet: &Packet<'_>, version: Version) -> Vec<u8> {
    let mut out = vec![0; packet.encoded_len(version).unwrap()];
    packet.encode(version, &mut out).unwrap();
    out
}

fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    encoded(&Publish::new(TopicName::new(topic).unwrap(), payload).into(), Version::V311)
}

fn client(limit: u32) -> Codec {
    Codec::client(Version::V311, limit)
}

fn decode_one(codec: &mut Codec, bytes: &[u8]) -> Result<Option<Incoming>, CodecError> {
    codec.decode(&mut BytesMut::from(bytes))
}

#[test]
fn any_chunking_gives_the_same() {
    let mut random = Random::new("codec_any_chunking_gives_the_same");
    for _ in 0..rounds(300) {
        let version = random.pick(VERSIONS);
        let role = random.pick(&[Role::Client, Role::Server]);
        let limit = 40 + random.below(150);
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        let mut codec = if role == Role::Client {
            let connect = Packet::from(Connect::new("me"));
            stream.extend(encoded(&connect, version));
            expected.push(Incoming::Packet(owned::Packet::copy_from(&connect).unwrap()));
            Codec::server(u32::try_from(limit).unwrap())
        } else {
            Codec::client(version, u32::try_from(limit).unwrap())
        }
        .skipping();
        for _ in 0..random.below(20) {
            with_packet(&mut random, version, role, |_, packet| {
                let bytes = encoded(&packet, version);
                let total = u32::try_from(bytes.len()).unwrap();
                let head = match packet {
                    Packet::Connect(_) if bytes.len() > limit => return,
                    Packet::Publish(publish) => Some(owned::PublishHead {
                        dup: publish.dup,
                        qos: publish.qos,
                        retain: publish.retain,
                        topic: publish.topic.into(),
                        packet_id: publish.packet_id,
                        total,
                        len: u32::try_from(
                            if total < 130 { 4 } else { 5 }
                                + publish.topic.as_str().len()
                                + publish.packet_id.map_or(0, |_| 2),
                        )
                        .unwrap(),
                    }),
                    _ => None,
                };
                stream.extend(&bytes);
                expected.push(if bytes.len() <= limit {
                    Incoming::Packet(owned::Packet::copy_from(&packet).unwrap())
                } else {
                    let packet_id = match packet {
                        Packet::Publish(p) => p.packet_id,
                        Packet::PubAck(p) => Some(p.packet_id),
                        Packet::PubRec(p) => Some(p.packet_id),
                        Packet::PubRel(p) => Some(p.packet_id),
                        Packet::PubComp(p) => Some(p.packet_id),
                        Packet::Subscribe(p) => Some(p.packet_id),
                        Packet::SubAck(p) => Some(p.packet_id),
                        Packet::Unsubscribe(p) => Some(p.packet_id),
                        Packet::UnsubAck(p) => Some(p.packet_id),
                        _ => None,
                    };
                    Incoming::Skipped(owned::Skipped { packet: packet.packet_type(), total, packet_id, head })
                });
            });
        }
        let most = 1 + random.below(100);
        assert_eq!(decode(&mut codec.clone(), &stream, || 1 + random.below(most)), (expected.clone(), None));
        assert_eq!(decode(&mut codec.clone(), &stream, || 1), (expected.clone(), None));
        assert_eq!(decode(&mut codec, &stream, || usize::MAX), (expected, None));
        assert!(stream.is_empty() || codec.version() == Some(version));
    }
}

#[tokio::test]
async fn packets_go_through_a_pipe_both_ways() {
    let mut random = Random::new("codec_packets_go_through_a_pipe");
    for version in VERSIONS {
        let (near, far) = tokio::io::duplex(61);
        let mut client = Framed::new(near, Codec::client(*version, 4096));
        let mut server = Framed::new(far, Codec::server(4096));
        let connect = owned::Connect::new("me");
        let (sent, received) = tokio::join!(client.send(owned::Packet::from(connect.clone())), server.next());
        sent.unwrap();
        assert_eq!(received.unwrap().unwrap(), Incoming::Packet(connect.into()));
        assert_eq!(server.codec().version(), Some(*version));
        for _ in 0..rounds(200) {
            let mut copy = None;
            let role = random.pick(&[Role::Client, Role::Server]);
            with_packet(&mut random, *version, role, |_, packet| copy = owned::Packet::copy_from(&packet).ok());
            let packet = copy.unwrap();
            let (from, to) = if role == Role::Client { (&mut client, &mut server) } else { (&mut server, &mut client) };
            let borrowed = packet.as_borrowed();
            let (sent, received) = match random.below(4) {
                0 => tokio::join!(from.send(borrowed), to.next()),
                1 => tokio::join!(from.send(&borrowed), to.next()),
                2 => tokio::join!(from.send(&packet), to.next()),
                _ => tokio::join!(from.send(packet.clone()), to.next()),
            };
            sent.unwrap();
            assert_eq!(received.unwrap().unwrap(), Incoming::Packet(packet));
        }
        drop(client);
        assert!(server.next().await.is_none());
    }
}

#[test]
fn what_comes_out_shares_the_read_buffer() {
    let mut src = BytesMut::from(&publish("house/door", b"open")[..]);
    let range = src.as_ptr_range();
    let Ok(Some(Incoming::Packet(owned::Packet::Publish(publish)))) = client(100).decode(&mut src) else {
        panic!("no PUBLISH");
    };
    assert_eq!((publish.topic.as_str(), &publish.payload[..]), ("house/door", &b"open"[..]));
    assert!(range.contains(&publish.topic.as_str().as_ptr()) && range.contains(&publish.payload.as_ptr()));
}

#[test]
fn nothing_is_reserved_on_the_peers_word() {
    // A head that announces 256 MiB.
    let announced = frame("30 FF FF FF 7F 0001 't'");
    for (mut codec, refused) in [
        (client(u32::MAX), false),
        (client(1000), true),
        (client(u32::MAX).skipping(), false),
        (client(9).skipping(), false),
    ] {
        let mut src = BytesMut::from(&announced[..]);
        assert_eq!(codec.decode(&mut src).is_err(), refused, "{codec:?}");
        assert!(src.capacity() < 10_000, "{} by {codec:?}", src.capacity());
    }
    // What is allowed is reserved as it comes, and never more than twice of that.
    let large = publish("t", &[7; 1 << 20]);
    let (mut codec, mut src) = (client(u32::MAX), BytesMut::new());
    for (at, chunk) in large.chunks(1000).enumerate() {
        assert!(src.capacity() <= 4 * (at * 1000 + 4096), "{} after {} KB", src.capacity(), at);
        src.extend_from_slice(chunk);
        let taken = codec.decode(&mut src).unwrap();
        assert_eq!(taken.is_some(), (at + 1) * 1000 >= large.len());
    }
}

#[test]
fn a_large_packet_is_skipped_in_constant_memory() {
    let mut codec = client(64).skipping();
    let packet = Publish {
        qos: QoS::AtLeastOnce,
        packet_id: PacketId::new(7),
        ..Publish::new(TopicName::new("large").unwrap(), &[0xD0; 1 << 20])
    };
    let mut stream = encoded(&packet.into(), Version::V311);
    let total = stream.len();
    stream.extend([0xD0, 0]);
    let (mut all, mut src) = (Vec::new(), BytesMut::new());
    for chunk in stream.chunks(1448) {
        src.extend_from_slice(chunk);
        while let Some(incoming) = codec.decode(&mut src).unwrap() {
            all.push(incoming);
        }
        assert!(src.is_empty() && src.capacity() < 10_000, "{} with {}", src.capacity(), src.len());
    }
    let [Incoming::Skipped(skipped), Incoming::Packet(owned::Packet::PingResp)] = &all[..] else { panic!("{all:?}") };
    assert_eq!((skipped.packet, usize::try_from(skipped.total)), (PacketType::Publish, Ok(total)));
    let head = skipped.head.as_ref().unwrap();
    assert_eq!((head.topic.as_str(), head.packet_id), ("large", PacketId::new(7)));
}

#[test]
fn a_packet_that_is_too_long_is_an_error_for_good() {
    let mut codec = client(10);
    let mut src = BytesMut::from(&publish("topic", b"payload")[..]);
    for _ in 0..2 {
        let error = codec.decode(&mut src).unwrap_err();
        let CodecError::TooLarge { packet: PacketType::Publish, total: 16, limit: 10 } = error else {
            panic!("{error}")
        };
    }
    assert!(decode_one(&mut client(16), &publish("topic", b"payload")).unwrap().is_some());
    // Where there is one, a CONNECT cannot be skipped.
    let connect = encoded(&Connect::new("a long client identifier").into(), Version::V311);
    for len in 2..connect.len() {
        let error = decode_one(&mut Codec::server(20).skipping(), &connect[..len]).unwrap_err();
        assert!(matches!(error, CodecError::TooLarge { packet: PacketType::Connect, limit: 20, .. }), "{error}");
    }
}

#[test]
fn what_is_wrong_is_wrong_for_good() {
    let mut codec = client(100);
    let mut src = BytesMut::from(&frame("30 03 <+> D0 00 D0 00")[..]);
    for _ in 0..3 {
        let Err(CodecError::Decode(error)) = codec.decode(&mut src) else { panic!("{src:?}") };
        assert_eq!((error.packet, error.kind), (Some(PacketType::Publish), DecodeErrorKind::WildcardInTopicName));
    }
    // A bad first byte is found while the rest is missing; so is a packet of the wrong side once it is there.
    for (bad, kind) in [("01", DecodeErrorKind::ReservedPacketType), ("C0 00", DecodeErrorKind::WrongDirection)] {
        let Err(CodecError::Decode(error)) = decode_one(&mut client(100), &frame(bad)) else { panic!("{bad}") };
        assert_eq!(error.kind, kind);
    }
}

#[test]
fn a_server_learns_the_version_from_the_first_packet() {
    let mut codec = Codec::server(100);
    let (stream, mut src) = (encoded(&Connect::new("me").into(), Version::V31), BytesMut::new());
    for byte in &stream[..stream.len() - 1] {
        src.extend_from_slice(&[*byte]);
        assert_eq!(codec.decode(&mut src).unwrap(), None);
    }
    assert_eq!(codec.version(), Some(Version::V31));
    src.extend_from_slice(&stream[stream.len() - 1..]);
    let connect = owned::Connect::new("me");
    assert_eq!(codec.decode(&mut src).unwrap(), Some(Incoming::Packet(connect.into())));

    for (first, kind) in [
        ("C0 00", DecodeErrorKind::WrongDirection),
        ("10 .. <HTTP> 04 02 0000 <>", DecodeErrorKind::BadProtocolName),
        ("10 .. <MQTT> 09 02 0000 <>", DecodeErrorKind::BadProtocolLevel(9)),
    ] {
        let mut codec = Codec::server(100);
        let Err(CodecError::Decode(error)) = decode_one(&mut codec, &frame(first)) else { panic!("{first}") };
        assert_eq!((error.kind, codec.version()), (kind, None));
        // It can be told so all the same.
        let mut dst = BytesMut::new();
        assert!(matches!(codec.encode(Packet::PingResp, &mut dst), Err(CodecError::NoVersion)));
        codec.set_version(Version::V311);
        codec.encode(Packet::PingResp, &mut dst).unwrap();
        assert_eq!(dst, &[0xD0, 0][..]);
    }
}

#[tokio::test]
async fn a_stream_that_ends_inside_a_packet_is_an_error() {
    let whole = publish("t", b"payload");
    for (codec, len) in
        [(client(100), 3), (client(100), whole.len() - 1), (client(5).skipping(), 7), (client(5).skipping(), 1)]
    {
        let (mut near, far) = tokio::io::duplex(64);
        near.write_all(&whole[..len]).await.unwrap();
        drop(near);
        let mut link = Framed::new(far, codec);
        let error = loop {
            match link.next().await.unwrap() {
                Ok(Incoming::Skipped(skipped)) => assert_eq!(skipped.total, 12),
                Ok(packet) => panic!("{packet:?}"),
                Err(error) => break error,
            }
        };
        let CodecError::Io(error) = error else { panic!("{error}") };
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn a_packet_that_cannot_be_sent_leaves_nothing_behind() {
    let mut codec = client(100);
    let mut dst = BytesMut::from(&b"before"[..]);
    let publish = Publish::new(TopicName::new("t").unwrap(), b"payload");
    let no_id = Publish { qos: QoS::AtLeastOnce, ..publish };
    let Err(CodecError::Encode(EncodeError::NoPacketId)) = codec.encode(Packet::from(no_id), &mut dst) else {
        panic!("sent");
    };
    let long = "x".repeat(65_536);
    let connect = owned::Connect::new(long);
    let Err(CodecError::Encode(EncodeError::StringTooLong)) = codec.encode(owned::Packet::from(connect), &mut dst)
    else {
        panic!("sent");
    };
    codec.set_peer_max_packet_size(11);
    let Err(CodecError::TooLargeForPeer { total: 12, limit: 11 }) = codec.encode(Packet::from(publish), &mut dst)
    else {
        panic!("sent");
    };
    assert_eq!(dst, &b"before"[..]);
    codec.set_peer_max_packet_size(12);
    codec.encode(Packet::from(publish), &mut dst).unwrap();
    assert_eq!(dst, [&b"before"[..], &self::publish("t", b"payload")].concat()[..]);
}

#[test]
fn what_is_written_is_what_the_packet_encodes() {
    let mut random = Random::new("codec_what_is_written");
    for _ in 0..rounds(3_000) {
        let (version, role) = (random.pick(VERSIONS), random.pick(&[Role::Client, Role::Server]));
        with_packet(&mut random, version, role, |_, packet| {
            let mut dst = BytesMut::from(&b"before"[..]);
            let mut codec = if role == Role::Client { Codec::client(version, 0) } else { Codec::server(0) };
            codec.set_version(version);
            codec.encode(packet, &mut dst).unwrap();
            assert_eq!(dst[6..], encoded(&packet, version));
            let owned = owned::Packet::decode(Bytes::from(encoded(&packet, version)), version, role).unwrap();
            codec.encode(&owned, &mut dst).unwrap();
            assert_eq!(dst.len(), 6 + 2 * encoded(&packet, version).len());
        });
    }
}

#[test]
fn what_the_other_side_alone_may_send_is_not_sent() {
    let mut dst = BytesMut::from(&b"before"[..]);
    let mut client = Codec::client(Version::V311, 9);
    let mut server = Codec::server(9);
    server.set_version(Version::V311);
    let error = client.encode(Packet::PingResp, &mut dst).unwrap_err();
    assert!(matches!(error, CodecError::WrongDirection(PacketType::PingResp)), "{error}");
    let error = server.encode(Packet::from(Connect::new("me")), &mut dst).unwrap_err();
    assert!(matches!(error, CodecError::WrongDirection(PacketType::Connect)), "{error}");
    assert_eq!(dst, b"before"[..]);
    client.encode(Packet::PingReq, &mut dst).unwrap();
    server.encode(Packet::PingResp, &mut dst).unwrap();
    assert_eq!(dst[6..], [0xC0, 0, 0xD0, 0]);
}

#[test]
fn what_is_skipped_has_a_sound_header() {
    let mut cases = vec![
        ("20 .. '0123456789'", Version::V311, DecodeErrorKind::WrongDirection),
        ("8A .. '0123456789'", Version::V311, DecodeErrorKind::ReservedFlags),
    ];
    #[cfg(feature = "v5")]
    cases.push(("82 8A 00", Version::V5, DecodeErrorKind::VarintNotMinimal));
    for (bytes, version, kind) in cases {
        let mut codec = Codec::server(8).skipping();
        codec.set_version(version);
        let mut src = BytesMut::from(&frame(bytes)[..]);
        // And it goes on like that.
        for _ in 0..2 {
            match codec.decode(&mut src) {
                Err(CodecError::Decode(error)) => assert_eq!(error.kind, kind, "{bytes}"),
                other => panic!("{bytes}: {other:?}"),
            }
        }
    }
}
