//! What `defmt` is given of each type, and what it is not.

mod common;
#[path = "common/packets.rs"]
mod packets;

use common::{Random, rounds};
use defmt::Format;
use mqtt_device_proto::*;

/// The bytes that would leave the chip; the constant texts in them are numbers.
fn bytes_of<T: Format + ?Sized>(value: &T) -> Vec<u8> {
    defmt::export::fmt(value);
    defmt::export::fetch_bytes()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn secrets_do_not_leave_the_chip() {
    let will = Will {
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: TopicName::new("gone").unwrap(),
        payload: b"bye",
        properties: Properties::EMPTY,
    };
    let connect = Connect {
        username: Some("somebody"),
        password: Some(b"s3cret-number-one"),
        will: Some(will),
        #[cfg(feature = "v5")]
        properties: Properties::from_slice(&[
            Property::AuthenticationMethod("plain"),
            Property::AuthenticationData(b"s3cret-number-two"),
            Property::UserProperty("colour", "green"),
        ]),
        ..Connect::new("device-7")
    };
    let packet = Packet::Connect(connect);
    let shown = [
        bytes_of(&connect),
        bytes_of(&packet),
        bytes_of(&Ok::<_, DecodeError>(packet)),
        #[cfg(feature = "bytes")]
        bytes_of(&owned::Connect::copy_from(&connect).unwrap()),
        #[cfg(feature = "bytes")]
        bytes_of(&owned::Packet::copy_from(&packet).unwrap()),
    ];
    for bytes in shown {
        for part in ["device-7", "somebody", "gone", "bye"] {
            assert!(contains(&bytes, part.as_bytes()), "{part} in {bytes:02x?}");
        }
        #[cfg(feature = "v5")]
        for part in ["plain", "colour", "green"] {
            assert!(contains(&bytes, part.as_bytes()), "{part} in {bytes:02x?}");
        }
        assert!(!contains(&bytes, b"s3cret"), "{bytes:02x?}");
    }
    // Of a secret the length alone.
    let of = |password| bytes_of(&Connect { password: Some(password), ..Connect::new("") });
    let (one, other, longer) = (of(b"secret"), of(b"hidden"), of(b"hidden!"));
    assert_eq!(one.len(), other.len());
    assert!(contains(&one, &6u32.to_le_bytes()) && contains(&longer, &7u32.to_le_bytes()));
}

#[test]
fn whatever_is_in_a_packet_is_shown() {
    let mut random = Random::new("whatever_is_in_a_packet_is_shown");
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..rounds(2_000) {
        let (version, role) = (random.pick(packets::VERSIONS), random.pick(&[Role::Client, Role::Server]));
        packets::with_packet(&mut random, version, role, |_, packet| {
            let bytes = bytes_of(&packet);
            seen.insert(packet.packet_type());
            let all = |parts: &mut dyn Iterator<Item = &str>| {
                parts.for_each(|part| {
                    assert!(contains(&bytes, part.as_bytes()), "{part} of {packet:?} in {bytes:02x?}")
                });
            };
            match packet {
                Packet::Publish(p) => {
                    all(&mut [p.topic.as_str()].into_iter());
                    assert!(contains(&bytes, p.payload));
                }
                Packet::Subscribe(p) => all(&mut p.filters.iter().map(|subscription| subscription.filter.as_str())),
                Packet::Unsubscribe(p) => all(&mut p.filters.iter().map(|filter| filter.as_str())),
                Packet::SubAck(p) => p.codes.iter().for_each(|code| {
                    assert!(
                        bytes.contains(&code.as_u8()) && contains(&bytes, code.name().unwrap_or_default().as_bytes())
                    );
                }),
                _ => assert!(!bytes.is_empty()),
            }
        });
    }
    assert!(cfg!(miri) || seen.len() >= 14, "not every packet was tried: {seen:?}");
}

/// That it compiles is one half; that different values are told apart the other.
#[test]
fn each_type_has_a_format() {
    fn differ<T: Format>(one: &T, other: &T) {
        assert_ne!(bytes_of(one), bytes_of(other));
    }
    let id = |id| PacketId::new(id).unwrap();
    let filter = |text| TopicFilter::new(text).unwrap();
    differ(&Version::V31, &Version::V311);
    differ(&Role::Client, &Role::Server);
    differ(&QoS::AtMostOnce, &QoS::ExactlyOnce);
    differ(&PacketType::PingReq, &PacketType::PingResp);
    differ(&id(1), &id(2));
    differ(&ReasonCode::SUCCESS, &ReasonCode::BANNED);
    differ(&ReasonCode::new(0x7F), &ReasonCode::new(0x7E));
    differ(&Verdict::Valid, &Verdict::Malformed);
    differ(&Status::Complete(1), &Status::Complete(2));
    differ(&Status::<usize>::Partial { need: 1 }, &Status::Oversize { total: 1 });
    differ(&PropertyId::ReasonString, &PropertyId::UserProperty);
    differ(&Property::ReceiveMaximum(1.try_into().unwrap()), &Property::TopicAliasMaximum(1));
    differ(&TopicName::new("a"), &TopicName::new(""));
    differ(&TopicFilter::new("a"), &TopicFilter::new("b"));
    differ(&TopicError::EmptyName, &TopicError::EmptyFilter);
    differ(&InsertError::Full, &InsertError::BadFilter(TopicError::TooLong));
    differ(&EncodeError::BufferTooSmall { needed: 1 }, &EncodeError::BufferTooSmall { needed: 2 });
    differ(&DecodeErrorKind::BadReasonCode(1), &DecodeErrorKind::BadReasonCode(2));
    let decode = |frame: &'static [u8]| Packet::decode(frame, Version::V311, Role::Client);
    differ(&decode(&[0xC1, 0]), &decode(&[0xD0, 0]));
    differ(&decode(&[0xC0, 0]), &decode(&[0xE0, 0]));
    differ(&SubscribeOptions::new(QoS::AtMostOnce), &SubscribeOptions::new(QoS::AtLeastOnce));
    differ(&RetainHandling::Send, &RetainHandling::DoNotSend);
    let subscriptions =
        [Subscription::new(filter("a"), QoS::AtMostOnce), Subscription::new(filter("b"), QoS::AtMostOnce)];
    differ(&subscriptions[0], &subscriptions[1]);
    differ(&Filters::from_slice(&subscriptions), &Filters::from_slice(&subscriptions[1..]));
    differ(&Filters::from_slice(&subscriptions).iter(), &Filters::from_slice(&subscriptions[1..]).iter());
    let filters = [filter("a"), filter("b")];
    differ(&TopicFilters::from_slice(&filters), &TopicFilters::from_slice(&filters[1..]));
    differ(&TopicFilters::from_slice(&filters).iter(), &TopicFilters::from_slice(&filters[1..]).iter());
    let codes = [ReasonCode::SUCCESS, ReasonCode::BANNED];
    differ(&ReasonCodes::from_slice(&codes), &ReasonCodes::from_slice(&codes[1..]));
    differ(&ReasonCodes::from_slice(&codes).iter(), &ReasonCodes::from_slice(&codes[1..]).iter());
    let mut one: Router<[Slot<TopicFilter<'_>, u8>; 1]> = Router::new();
    one.insert(filter("a"), 7).unwrap();
    let topic = TopicName::new("a").unwrap();
    let none = Router::<[Slot<TopicFilter<'_>, u8>; 1]>::new();
    differ(&one, &none);
    differ(&one.matches(&topic), &none.matches(&topic));
    assert!(contains(&bytes_of(&one), b"a"));
    let mut buffers = ([0; 8], [0; 9]);
    differ(&Framer::new(&mut buffers.0, 100, Version::V311), &Framer::new(&mut buffers.1, 100, Version::V311));
    let skipped = |total| Skipped { packet: PacketType::Publish, total, packet_id: None, head: None };
    differ(&Framed::Skipped(skipped(1)), &Framed::Skipped(skipped(2)));
    differ(&PublishHead::decode(&[0x30, 3, 0, 1, b'a'], Version::V311), &Ok(None));
    #[cfg(feature = "v5")]
    {
        let user = [Property::UserProperty("a", "b"), Property::UserProperty("c", "d")];
        differ(&Properties::from_slice(&user), &Properties::from_slice(&user[1..]));
        differ(&Properties::from_slice(&user).iter(), &Properties::EMPTY.iter());
    }
}
