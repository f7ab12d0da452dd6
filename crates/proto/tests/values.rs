//! What is read out of a packet: options, codes, filters and properties, what they are equal to, and how they are shown.

mod common;

use common::frame;
use mqtt_device_proto::{
    DecodeErrorKind, Filters, Framed, Framer, Packet, PacketId, Publish, QoS, ReasonCode, ReasonCodes, RetainHandling,
    Role, SubscribeOptions, Subscription, TopicFilter, TopicFilters, TopicName, Version,
};

fn decode(text: &str, version: Version, role: Role, check: impl FnOnce(Packet<'_>)) {
    let bytes = frame(text);
    check(Packet::decode(&bytes, version, role).unwrap_or_else(|error| panic!("{text}: {error}")));
}

#[test]
fn options_are_read_as_they_were_set_in_any_order() {
    let handlings = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend];
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        for (handling, bits) in handlings.into_iter().zip(0u8..) {
            for flags in 0..4u8 {
                let (no_local, as_published) = (flags & 1 != 0, flags & 2 != 0);
                let expected = qos.as_u8() | u8::from(no_local) << 2 | u8::from(as_published) << 3 | bits << 4;
                // Whatever was set before.
                for before in handlings {
                    for set in [false, true] {
                        let options = SubscribeOptions::new(qos)
                            .with_retain_handling(before)
                            .with_no_local(set)
                            .with_retain_as_published(!set)
                            .with_no_local(no_local)
                            .with_retain_handling(handling)
                            .with_retain_as_published(as_published);
                        assert_eq!(options.as_u8(), expected);
                        assert_eq!((options.qos(), options.retain_handling()), (qos, handling));
                        assert_eq!((options.no_local(), options.retain_as_published()), (no_local, as_published));
                    }
                }
            }
        }
    }
    let options = SubscribeOptions::new(QoS::AtLeastOnce).with_no_local(true);
    assert_eq!(
        format!("{options:?}"),
        "SubscribeOptions { qos: AtLeastOnce, no_local: true, retain_as_published: false, retain_handling: Send }"
    );
}

#[test]
fn filters_are_read_where_they_lie() {
    decode("82 .. 0001 <a/#> 01 <é> 02", Version::V311, Role::Client, |packet| {
        let Packet::Subscribe(subscribe) = packet else { panic!() };
        let found: Vec<_> = subscribe.filters.into_iter().map(|one| (one.filter.as_str(), one.options.qos())).collect();
        assert_eq!(found, [("a/#", QoS::AtLeastOnce), ("é", QoS::ExactlyOnce)]);
        assert_eq!(subscribe.filters.count(), 2);
        let of = |filter, qos| Subscription::new(TopicFilter::new(filter).unwrap(), qos);
        let (first, second) = (of("a/#", QoS::AtLeastOnce), of("é", QoS::ExactlyOnce));
        assert_eq!(subscribe.filters, Filters::from_slice(&[first, second]));
        assert_ne!(subscribe.filters, Filters::from_slice(&[second, first]));
        assert_ne!(subscribe.filters, Filters::from_slice(&[first]));
        let mut iter = subscribe.filters.iter();
        assert_eq!(iter.next(), Some(first));
        assert_eq!(format!("{iter:?}"), format!("{:?}", [second]));
        assert_eq!((iter.next(), iter.next(), iter.next()), (Some(second), None, None));
        assert_eq!(format!("{:?}", subscribe.filters), format!("{:?}", [first, second]));
    });
    decode("A2 .. 0001 <a/#> <é>", Version::V311, Role::Client, |packet| {
        let Packet::Unsubscribe(unsubscribe) = packet else { panic!() };
        let (first, second) = (TopicFilter::new("a/#").unwrap(), TopicFilter::new("é").unwrap());
        assert_eq!(unsubscribe.filters, TopicFilters::from_slice(&[first, second]));
        assert_ne!(unsubscribe.filters, TopicFilters::from_slice(&[second, first]));
        assert_eq!((unsubscribe.filters.count(), unsubscribe.filters.into_iter().last()), (2, Some(second)));
        assert_eq!(format!("{:?}", unsubscribe.filters.iter()), format!("{:?}", [first, second]));
    });
}

#[test]
fn codes_are_read_where_they_lie() {
    decode("90 .. 0001 00 02 80", Version::V311, Role::Server, |packet| {
        let Packet::SubAck(suback) = packet else { panic!() };
        let codes = [ReasonCode::SUCCESS, ReasonCode::GRANTED_QOS_2, ReasonCode::UNSPECIFIED_ERROR];
        let slice = ReasonCodes::from_slice(&codes);
        for found in [suback.codes, slice] {
            assert_eq!((found.len(), found.is_empty(), found.iter().len()), (3, false, 3));
            assert_eq!(found.into_iter().collect::<Vec<_>>(), codes);
            let mut iter = found.iter();
            assert_eq!((iter.next(), iter.size_hint()), (Some(codes[0]), (2, Some(2))));
            assert_eq!(format!("{iter:?}"), format!("{:?}", &codes[1..]));
            assert_eq!(format!("{found:?}"), format!("{codes:?}"));
        }
        assert_eq!(suback.codes, slice);
        assert_ne!(suback.codes, ReasonCodes::from_slice(&codes[1..]));
        assert_eq!((ReasonCodes::EMPTY.len(), ReasonCodes::EMPTY.is_empty()), (0, true));
        assert_eq!(ReasonCodes::EMPTY.iter().next(), None);
    });
}

#[test]
fn packets_that_differ_are_not_equal() {
    let topic = TopicName::new("a").unwrap();
    assert_ne!(Publish::new(topic, b"1"), Publish::new(topic, b"2"));
    assert_ne!(Packet::PingReq, Packet::PingResp);
    assert_ne!(PacketId::new(1), PacketId::new(2));
}

/// Two bytes that a quick check must not take for none: both are wrong, or the one hides the other.
#[test]
fn two_defects_are_no_better_than_one() {
    let places = if cfg!(miri) { 9 } else { 33 };
    for first in 0..places {
        for second in first + 1..places {
            for bytes in [*b"++", *b"##", *b"+#", *b"\0\0", *b"\0+"] {
                let mut name = *b"abcdefghijklmnopqrstuvwxyzABCDEFG";
                (name[first], name[second]) = (bytes[0], bytes[1]);
                let name = &name[..places];
                assert!(TopicName::new(core::str::from_utf8(name).unwrap()).is_err());
                let mut packet = vec![0x30, u8::try_from(places + 2).unwrap(), 0, u8::try_from(places).unwrap()];
                packet.extend(name);
                let error = Packet::decode(&packet, Version::V311, Role::Server).unwrap_err();
                let nul = bytes.contains(&0);
                let kind = if nul { DecodeErrorKind::NulCharacter } else { DecodeErrorKind::WildcardInTopicName };
                let at = if bytes == *b"\0+" || !nul { first } else { first.min(second) };
                assert_eq!((error.kind, error.at), (kind, u32::try_from(at + 4).unwrap()), "{name:?}");
            }
        }
    }
}

/// MQTT 3.1.1 takes a filter for what it is; it is no shared subscription without a name.
#[test]
fn a_share_without_a_name_is_a_filter_like_any_other() {
    decode("82 .. 0001 <$share//a> 00 <$share/a/> 00 <$share/c/a> 00", Version::V311, Role::Client, |packet| {
        let Packet::Subscribe(subscribe) = packet else { panic!() };
        let shares: Vec<_> = subscribe.filters.iter().map(|one| one.filter.share()).collect();
        assert_eq!(shares, [None, None, Some(("c", "a"))]);
    });
}

#[test]
fn the_name_of_mqtt_311_is_not_one_of_mqtt_31() {
    let bytes = frame("10 .. <MQTT> 03 02 000A <p>");
    let error = Packet::decode(&bytes, Version::V31, Role::Client).unwrap_err();
    assert_eq!((error.kind, error.at), (DecodeErrorKind::BadProtocolName, 2));
}

#[test]
fn what_is_skipped_is_told_as_soon_as_its_head_is_there() {
    let mut buffer = [0; 32];
    let mut framer = Framer::new(&mut buffer, 32, Version::V311);
    let head = frame("32 7F <a> 0007");
    framer.space()[..head.len()].copy_from_slice(&head);
    framer.filled(head.len() - 1);
    assert_eq!(framer.next(), Ok(None));
    framer.filled(1);
    let Ok(Some(Framed::Skipped(skipped))) = framer.next() else { panic!("its head is there") };
    assert_eq!((skipped.total, skipped.head.unwrap().topic.as_str()), (129, "a"));
    assert_eq!(framer.next(), Ok(None));
    assert_eq!(format!("{framer:?}"), "Framer { received: 0, skip: 122, limit: 32, .. }");
    // Of another packet only its identifier is waited for, if it has one.
    for (bytes, packet_id) in [(&[0x90, 0x7F, 0, 7][..], PacketId::new(7)), (&[0x20, 0x7F], None)] {
        framer.reset(Version::V311);
        framer.space()[..bytes.len()].copy_from_slice(bytes);
        framer.filled(bytes.len());
        let Ok(Some(Framed::Skipped(skipped))) = framer.next() else { panic!("all that is wanted is there") };
        assert_eq!((skipped.total, skipped.packet_id, skipped.head), (129, packet_id, None));
    }
}

#[cfg(feature = "v5")]
mod v5 {
    use mqtt_device_proto::{Properties, Property, PropertyId};

    use super::{
        DecodeErrorKind, Packet, PacketId, QoS, Role, SubscribeOptions, Subscription, TopicFilter, Version, decode,
        frame,
    };

    #[test]
    fn properties_are_read_where_they_lie() {
        // A text as a whole, and not.
        for (data, bytes) in [("<data>", &b"data"[..]), ("0002 FFFE", b"\xFF\xFE")] {
            let text = format!("30 .. <a> {{ 09 {data} 26 <n> <v> 26 <m> <é> }}");
            decode(&text, Version::V5, Role::Server, |packet| {
                let Packet::Publish(publish) = packet else { panic!() };
                let expected = [
                    Property::CorrelationData(bytes),
                    Property::UserProperty("n", "v"),
                    Property::UserProperty("m", "é"),
                ];
                let found = publish.properties;
                let slice = Properties::from_slice(&expected);
                assert_eq!(found, slice);
                for other in [&expected[1..], &expected[..2], &[expected[0], expected[2], expected[1]][..]] {
                    assert_ne!(found, Properties::from_slice(other));
                }
                for set in [found, slice] {
                    assert!(!set.is_empty() && !set.into_iter().eq(None));
                    assert_eq!(set.user_properties().collect::<Vec<_>>(), [("n", "v"), ("m", "é")]);
                    assert_eq!(set.find(PropertyId::UserProperty), Some(expected[1]));
                    assert_eq!(set.find(PropertyId::TopicAlias), None);
                    assert_eq!(format!("{set:?}"), format!("{expected:?}"));
                    let mut iter = set.iter();
                    assert_eq!(iter.next(), Some(expected[0]));
                    assert_eq!(format!("{iter:?}"), format!("{:?}", &expected[1..]));
                    assert_eq!((iter.by_ref().count(), iter.next()), (2, None));
                }
            });
        }
        assert!(Properties::EMPTY.is_empty() && Properties::default().into_iter().next().is_none());
        let ids = [1u8, 0x0B, 0x2A].map(|id| PropertyId::from_u8(id).unwrap().to_string());
        assert_eq!(ids, ["Payload Format Indicator", "Subscription Identifier", "Shared Subscription Available"]);
    }

    /// Only a shared subscription forbids it, not whatever begins with `$`.
    #[test]
    fn no_local_goes_with_a_topic_of_the_server() {
        let options = SubscribeOptions::new(QoS::AtMostOnce).with_no_local(true);
        let filters = [Subscription { filter: TopicFilter::new("$SYS/#").unwrap(), options }];
        let subscribe = mqtt_device_proto::Subscribe {
            packet_id: PacketId::new(1).unwrap(),
            properties: Properties::EMPTY,
            filters: mqtt_device_proto::Filters::from_slice(&filters),
        };
        let mut out = [0; 14];
        assert_eq!(subscribe.encode(Version::V5, &mut out), Ok(14));
        assert_eq!(out.to_vec(), frame("82 .. 0001 00 <$SYS/#> 04"));
        assert_eq!(Packet::decode(&out, Version::V5, Role::Client), Ok(subscribe.into()));
    }

    /// Both the set and what stands in it must end where they say.
    #[test]
    fn a_set_that_runs_past_its_packet_is_truncated() {
        for (text, kind, at) in [
            ("30 .. <a> 04 26 <n>", DecodeErrorKind::FieldTruncated, 10),
            ("30 .. <a> 05 26 <n>", DecodeErrorKind::PropertiesTruncated, 5),
            ("30 .. <a> 81", DecodeErrorKind::FieldTruncated, 5),
        ] {
            let error = Packet::decode(&frame(text), Version::V5, Role::Server).unwrap_err();
            assert_eq!((error.kind, error.at), (kind, at), "{text}");
        }
    }
}

#[cfg(feature = "v5")]
#[test]
fn what_the_other_side_alone_sends_is_found() {
    use mqtt_device_proto::{EncodeError, PropertyId};
    let (v311, v5) = (Version::V311, Version::V5);
    for (text, sender, error) in [
        ("30 .. <t> { 0B 01 }", Role::Server, EncodeError::PropertyWrongDirection(PropertyId::SubscriptionIdentifier)),
        (
            "E0 .. 00 { 11 00000001 }",
            Role::Client,
            EncodeError::PropertyWrongDirection(PropertyId::SessionExpiryInterval),
        ),
        ("E0 .. 8B 00", Role::Server, EncodeError::BadReasonCode(ReasonCode::SERVER_SHUTTING_DOWN)),
        ("E0 .. 04 00", Role::Client, EncodeError::BadReasonCode(ReasonCode::DISCONNECT_WITH_WILL)),
        ("F0 .. 00 { 15 <m> }", Role::Server, EncodeError::BadReasonCode(ReasonCode::SUCCESS)),
        ("D0 00", Role::Server, EncodeError::WrongDirection),
    ] {
        let other = if sender == Role::Client { Role::Server } else { Role::Client };
        decode(text, v5, sender, |packet| {
            assert_eq!(packet.check_sender(sender, v5), Ok(()), "{text}");
            assert_eq!(packet.check_sender(other, v5), Err(error), "{text}");
        });
    }
    decode("E0 00", v311, Role::Client, |packet| {
        assert_eq!(packet.check_sender(Role::Client, v311), Ok(()));
        assert_eq!(packet.check_sender(Role::Server, v311), Err(EncodeError::WrongDirection));
        assert_eq!(packet.check_sender(Role::Server, v5), Ok(()));
    });
    decode("30 .. <t>", v311, Role::Client, |packet| assert_eq!(packet.check_sender(Role::Server, v311), Ok(())));
}
