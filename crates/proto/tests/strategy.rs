//! The strategies make what they say, all of it, and this codec agrees. Replay with `PROTO_SEED`.

mod common;

use core::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use common::{Random, rounds};
use mqtt_device_proto::owned::Packet;
use mqtt_device_proto::{DecodeErrorKind, PacketType, Role, Version, strategy};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

const VERSIONS: &[Version] = &[
    Version::V31,
    Version::V311,
    #[cfg(feature = "v5")]
    Version::V5,
];
const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// Runs with a seed that is printed, and leaves no file behind.
fn runner(test: &str, cases: usize) -> TestRunner {
    let Random(seed) = Random::new(test);
    TestRunner::new(Config {
        cases: u32::try_from(rounds(cases)).unwrap(),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..Config::default()
    })
}

#[track_caller]
fn check<S: Strategy>(test: &str, cases: usize, strategy: &S, check: impl Fn(S::Value)) {
    let result = runner(test, cases).run(strategy, |value| {
        check(value);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{test}: {error}");
    }
}

fn encoded(packet: &Packet, version: Version) -> Vec<u8> {
    let mut out = vec![0; packet.encoded_len(version).unwrap_or_else(|error| panic!("{packet:?}: {error}"))];
    assert_eq!(packet.encode(version, &mut out), Ok(out.len()));
    out
}

#[test]
fn each_packet_is_encoded_and_decoded_to_itself() {
    let seen = RefCell::new(BTreeSet::new());
    for (version, role) in VERSIONS.iter().flat_map(|version| ROLES.map(|role| (*version, role))) {
        check("each_packet_is_encoded_and_decoded_to_itself", 1_000, &strategy::packet(version, role), |packet| {
            let out = encoded(&packet, version);
            assert_eq!(Packet::decode(out.into(), version, role), Ok(packet.clone()));
            seen.borrow_mut().insert((version, role, packet.packet_type()));
        });
    }
    let sent = |version: Version, role| {
        let types = (1..16u8).filter_map(|nibble| PacketType::from_first_byte(nibble << 4));
        types.filter(move |packet| packet.is_sent_by(role, version)).map(move |packet| (version, role, packet))
    };
    let all: BTreeSet<_> =
        VERSIONS.iter().flat_map(|version| ROLES.into_iter().flat_map(move |role| sent(*version, role))).collect();
    assert!(cfg!(miri) || seen.into_inner() == all, "not every packet was made");
}

#[test]
fn each_malformed_packet_is_refused_for_its_defect() {
    let seen = RefCell::new(BTreeSet::new());
    // One of them takes Miri seconds.
    let cases = if cfg!(miri) { 1 } else { 3_000 };
    for (version, role) in VERSIONS.iter().flat_map(|version| ROLES.map(|role| (*version, role))) {
        let malformed = strategy::malformed(version, role);
        check("each_malformed_packet_is_refused_for_its_defect", cases, &malformed, |malformed| {
            let result = mqtt_device_proto::Packet::decode(&malformed.bytes, version, role);
            let error = result.expect_err("a malformed packet is accepted");
            assert_eq!(error.kind, malformed.kind, "{error}");
            if malformed.kind == DecodeErrorKind::WrongDirection {
                // Nothing else is wrong with it.
                let other = if role == Role::Client { Role::Server } else { Role::Client };
                assert_eq!(mqtt_device_proto::Packet::decode(&malformed.bytes, version, other).err(), None);
            }
            let kind = format!("{:?}", malformed.kind);
            seen.borrow_mut().insert(kind.split('(').next().unwrap_or_default().to_owned());
        });
    }
    // All kinds of a defect that there are, but for the packet that is only not complete.
    let mut all = vec![
        "ReservedPacketType ReservedFlags BadQoS VarintTooLong FieldTruncated TrailingBytes WrongDirection BadUtf8",
        "NulCharacter ZeroPacketId BadProtocolName BadProtocolLevel ReservedConnectFlag BadWillQoS WillQoSWithoutWill",
        "PasswordWithoutUserName EmptyClientId ReservedConnAckFlags SessionPresentWithError BadReasonCode DupWithQoS0",
        "EmptyTopicName WildcardInTopicName EmptyTopicFilter MisplacedMultiLevelWildcard MisplacedSingleLevelWildcard",
        "ReservedSubscribeOptions NoTopicFilter NoReasonCodes WillRetainWithoutWill",
    ];
    if cfg!(feature = "v5") {
        all.extend([
            "VarintNotMinimal EmptyShareName BadSharedFilter BadSubscribeOptions NoLocalOnShared PropertiesTruncated",
            "WildcardInResponseTopic UnknownProperty PropertyNotAllowed PropertyWrongDirection DuplicateProperty BadPropertyValue NoAuthenticationMethod",
        ]);
    }
    let all: BTreeSet<String> = all.iter().flat_map(|line| line.split(' ')).map(String::from).collect();
    assert!(cfg!(miri) || seen.borrow().is_superset(&all), "missing: {:?}", all.difference(&seen.borrow()));
}

#[test]
fn each_neighbour_is_refused_or_means_the_same_when_sent_on() {
    let accepted = Cell::new(0);
    for (version, role) in VERSIONS.iter().flat_map(|version| ROLES.map(|role| (*version, role))) {
        let neighbour = strategy::neighbour(version, role);
        check("each_neighbour_is_refused_or_means_the_same_when_sent_on", 2_000, &neighbour, |bytes| {
            match Packet::decode(bytes.clone(), version, role) {
                Ok(packet) => {
                    accepted.set(accepted.get() + 1);
                    let out = encoded(&packet, version);
                    assert!(out.len() <= bytes.len());
                    assert_eq!(Packet::decode(out.into(), version, role), Ok(packet));
                }
                Err(error) => assert!(usize::try_from(error.at).unwrap() <= bytes.len()),
            }
        });
    }
    assert!(cfg!(miri) || accepted.get() > 200, "only {} of them were packets", accepted.get());
}

#[test]
fn strings_are_empty_and_long_and_not_ascii() {
    let most = Cell::new([0; 3]);
    let (mut none, mut wide, mut wildcards, mut shares) = (false, false, 0, 0);
    let mut random = runner("strings_are_empty_and_long_and_not_ascii", 1);
    let strategies = (strategy::text(), strategy::topic_name(), strategy::topic_filter(), strategy::binary());
    for _ in 0..rounds(3_000) {
        use proptest::strategy::ValueTree;
        let (text, name, filter, binary) = strategies.new_tree(&mut random).unwrap().current();
        none |= text.is_empty() && binary.len() < 5;
        wide |= text.chars().any(|c| c.len_utf8() == 4);
        wildcards += usize::from(filter.as_str().contains(['+', '#']));
        shares += usize::from(filter.share().is_some());
        let [a, b, c] = most.get();
        most.set([a.max(text.len()), b.max(name.as_str().len()), c.max(filter.as_str().len())]);
        assert!(!text.contains('\0') && text.len() <= 0xFFFF);
    }
    assert!(cfg!(miri) || none && wide && wildcards > 300 && shares > 50, "{none} {wide} {wildcards} {shares}");
    assert!(cfg!(miri) || most.get().iter().all(|most| *most > 0xFFF0), "the longest were {most:?}");
}

/// What a test that fails shows: the shortest packet for which it fails.
#[test]
fn packets_shrink() {
    let shortest = |limit: usize| {
        let strategy = strategy::publish(Version::V311, Role::Client);
        let result = runner("packets_shrink", 10_000).run(&strategy, |publish| match publish.payload.len() {
            len if len < limit => Ok(()),
            _ => Err(TestCaseError::fail("too long")),
        });
        let Err(TestError::Fail(_, publish)) = result else { panic!("no such payload was made") };
        publish
    };
    // Too few are made under Miri for what is rare.
    for limit in [1, 3, 300].into_iter().take(if cfg!(miri) { 2 } else { 3 }) {
        let publish = shortest(limit);
        assert_eq!(&publish.payload[..], vec![0; limit], "{publish:?}");
        assert_eq!((publish.topic.as_str(), publish.packet_id, publish.dup, publish.retain), ("/", None, false, false));
    }
    let malformed = strategy::malformed(Version::V311, Role::Client);
    let result = runner("packets_shrink", 10_000).run(&malformed, |malformed| match malformed.kind {
        kind if cfg!(miri) || kind == DecodeErrorKind::MisplacedSingleLevelWildcard => {
            Err(TestCaseError::fail("found"))
        }
        _ => Ok(()),
    });
    let Err(TestError::Fail(_, malformed)) = result else { panic!("no such packet was made") };
    // Under Miri it does not go on for long enough.
    assert!(malformed.bytes.len() <= if cfg!(miri) { 40 } else { 10 }, "{malformed:?}");
}
