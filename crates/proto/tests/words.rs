//! What a defect is called: its text, its reason code, its class, and the statement of each standard that it breaks. Written
//! down apart from the code, from the standards.

use mqtt_device_proto::{
    DecodeError, DecodeErrorKind as Kind, EncodeError, PacketId, PacketType as Type, PropertyId as Id, QoS, ReasonCode,
    TopicError, TopicFilter, TopicName, Verdict, Version,
};

/// A defect, the packet that has it, and what is said of it.
type Defect = (Kind, Option<Type>, &'static str, u8, &'static str, &'static str);

/// A defect in a packet: text, reason code, statement of MQTT 3.1.1, statement of MQTT 5; `-` is none.
#[rustfmt::skip]
const DEFECTS: &[Defect] = &[
    (Kind::Incomplete, Some(Type::PingReq), "the packet is not complete", 0x81, "-", "-"),
    (Kind::ReservedPacketType, None, "reserved packet type", 0x81, "-", "-"),
    (Kind::ReservedFlags, Some(Type::PingReq), "wrong flags in the fixed header", 0x81, "2.2.2-2", "2.1.3-1"),
    (Kind::ReservedFlags, Some(Type::PubRel), "wrong flags in the fixed header", 0x81, "3.6.1-1", "3.6.1-1"),
    (Kind::ReservedFlags, Some(Type::Subscribe), "wrong flags in the fixed header", 0x81, "3.8.1-1", "3.8.1-1"),
    (Kind::ReservedFlags, Some(Type::Unsubscribe), "wrong flags in the fixed header", 0x81, "3.10.1-1", "3.10.1-1"),
    (Kind::ReservedFlags, Some(Type::Disconnect), "wrong flags in the fixed header", 0x81, "3.14.1-1", "3.14.1-1"),
    (Kind::ReservedFlags, Some(Type::Auth), "wrong flags in the fixed header", 0x81, "2.2.2-2", "3.15.1-1"),
    (Kind::BadQoS, Some(Type::Publish), "QoS 3", 0x81, "3.3.1-4", "3.3.1-4"),
    (Kind::VarintTooLong, Some(Type::Publish), "variable byte integer longer than four bytes", 0x81, "-", "-"),
    (Kind::VarintNotMinimal, Some(Type::Publish), "variable byte integer not in its shortest form", 0x81, "-", "1.5.5-1"),
    (Kind::FieldTruncated, Some(Type::Publish), "the packet ends inside a field", 0x81, "-", "-"),
    (Kind::TrailingBytes, Some(Type::PubAck), "bytes after the last field", 0x81, "-", "-"),
    (Kind::WrongDirection, Some(Type::PubAck), "not a packet of this sender", 0x82, "-", "-"),
    (Kind::BadUtf8, Some(Type::Connect), "ill-formed UTF-8", 0x81, "1.5.3-1", "1.5.4-1"),
    (Kind::NulCharacter, Some(Type::Connect), "U+0000 in a string", 0x81, "1.5.3-2", "1.5.4-2"),
    (Kind::ZeroPacketId, Some(Type::PubAck), "packet identifier 0", 0x82, "2.3.1-1", "2.2.1-3"),
    (Kind::BadProtocolName, Some(Type::Connect), "wrong protocol name", 0x84, "3.1.2-1", "3.1.2-1"),
    (Kind::BadProtocolLevel(9), Some(Type::Connect), "protocol level 9 is not that of the version", 0x84, "3.1.2-2", "3.1.2-2"),
    (Kind::ReservedConnectFlag, Some(Type::Connect), "reserved connect flag set", 0x81, "3.1.2-3", "3.1.2-3"),
    (Kind::WillQoSWithoutWill, Some(Type::Connect), "will QoS without a will", 0x81, "3.1.2-11", "3.1.2-11"),
    (Kind::WillRetainWithoutWill, Some(Type::Connect), "will retain without a will", 0x81, "3.1.2-11", "3.1.2-13"),
    (Kind::BadWillQoS, Some(Type::Connect), "will QoS 3", 0x81, "3.1.2-14", "3.1.2-12"),
    (Kind::PasswordWithoutUserName, Some(Type::Connect), "password without a user name", 0x81, "3.1.2-22", "-"),
    (Kind::EmptyClientId, Some(Type::Connect), "empty client identifier without clean session, or in MQTT 3.1", 0x85, "3.1.3-7", "-"),
    (Kind::ReservedConnAckFlags, Some(Type::ConnAck), "reserved acknowledge flags set", 0x81, "-", "3.2.2-1"),
    (Kind::SessionPresentWithError, Some(Type::ConnAck), "session present in a refusal", 0x82, "3.2.2-4", "3.2.2-6"),
    (Kind::BadReasonCode(10), Some(Type::ConnAck), "code 0x0A is not defined here", 0x82, "-", "3.2.2-8"),
    (Kind::BadReasonCode(10), Some(Type::PubAck), "code 0x0A is not defined here", 0x82, "-", "3.4.2-1"),
    (Kind::BadReasonCode(10), Some(Type::PubRec), "code 0x0A is not defined here", 0x82, "-", "3.5.2-1"),
    (Kind::BadReasonCode(10), Some(Type::PubRel), "code 0x0A is not defined here", 0x82, "-", "3.6.2-1"),
    (Kind::BadReasonCode(10), Some(Type::PubComp), "code 0x0A is not defined here", 0x82, "-", "3.7.2-1"),
    (Kind::BadReasonCode(10), Some(Type::SubAck), "code 0x0A is not defined here", 0x82, "3.9.3-2", "3.9.3-2"),
    (Kind::BadReasonCode(10), Some(Type::UnsubAck), "code 0x0A is not defined here", 0x82, "-", "3.11.3-2"),
    (Kind::BadReasonCode(10), Some(Type::Disconnect), "code 0x0A is not defined here", 0x82, "-", "3.14.2-1"),
    (Kind::BadReasonCode(10), Some(Type::Auth), "code 0x0A is not defined here", 0x82, "-", "3.15.2-1"),
    (Kind::BadReasonCode(10), Some(Type::Publish), "code 0x0A is not defined here", 0x82, "-", "-"),
    (Kind::DupWithQoS0, Some(Type::Publish), "DUP with QoS 0", 0x81, "3.3.1-2", "3.3.1-2"),
    (Kind::EmptyTopicName, Some(Type::Publish), "empty topic name", 0x82, "4.7.3-1", "4.7.3-1"),
    (Kind::WildcardInTopicName, Some(Type::Publish), "wildcard in a topic name", 0x90, "3.3.2-2", "3.3.2-2"),
    (Kind::WildcardInTopicName, Some(Type::Connect), "wildcard in a topic name", 0x90, "4.7.1-1", "4.7.0-1"),
    (Kind::WildcardInResponseTopic, Some(Type::Publish), "wildcard in a response topic", 0x90, "-", "3.3.2-14"),
    (Kind::WildcardInResponseTopic, Some(Type::Connect), "wildcard in a response topic", 0x90, "-", "4.7.0-1"),
    (Kind::EmptyTopicFilter, Some(Type::Subscribe), "empty topic filter", 0x82, "4.7.3-1", "4.7.3-1"),
    (Kind::MisplacedMultiLevelWildcard, Some(Type::Subscribe), "misplaced # in a topic filter", 0x8F, "4.7.1-2", "4.7.1-1"),
    (Kind::MisplacedSingleLevelWildcard, Some(Type::Subscribe), "misplaced + in a topic filter", 0x8F, "4.7.1-3", "4.7.1-2"),
    (Kind::EmptyShareName, Some(Type::Subscribe), "shared subscription without a share name", 0x8F, "-", "4.8.2-1"),
    (Kind::BadSharedFilter, Some(Type::Subscribe), "shared subscription with a wildcard in its share name, or without a filter", 0x8F, "-", "4.8.2-2"),
    (Kind::ReservedSubscribeOptions, Some(Type::Subscribe), "reserved bits in the subscription options", 0x81, "3.8.3-4", "3.8.3-5"),
    (Kind::BadSubscribeOptions, Some(Type::Subscribe), "QoS 3 or retain handling 3 in the subscription options", 0x82, "-", "-"),
    (Kind::NoLocalOnShared, Some(Type::Subscribe), "no local on a shared subscription", 0x82, "-", "3.8.3-4"),
    (Kind::NoTopicFilter, Some(Type::Subscribe), "no topic filter", 0x82, "3.8.3-3", "3.8.3-2"),
    (Kind::NoTopicFilter, Some(Type::Unsubscribe), "no topic filter", 0x82, "3.10.3-2", "3.10.3-2"),
    (Kind::NoReasonCodes, Some(Type::SubAck), "no reason codes", 0x81, "3.8.4-5", "3.8.4-6"),
    (Kind::NoReasonCodes, Some(Type::UnsubAck), "no reason codes", 0x81, "3.8.4-5", "3.11.3-2"),
    (Kind::PropertiesTruncated, Some(Type::Publish), "the property length runs past the packet", 0x81, "-", "-"),
    (Kind::UnknownProperty(5), Some(Type::Publish), "unknown property 0x05", 0x81, "-", "-"),
    (Kind::PropertyNotAllowed(Id::TopicAlias), Some(Type::PubAck), "Topic Alias is not allowed in this packet", 0x81, "-", "-"),
    (Kind::PropertyWrongDirection(Id::SubscriptionIdentifier), Some(Type::Publish), "Subscription Identifier may not be sent by this side", 0x82, "-", "3.3.4-6"),
    (Kind::PropertyWrongDirection(Id::SessionExpiryInterval), Some(Type::Disconnect), "Session Expiry Interval may not be sent by this side", 0x82, "-", "3.14.2-2"),
    (Kind::DuplicateProperty(Id::TopicAlias), Some(Type::Publish), "Topic Alias stands twice", 0x82, "-", "-"),
    (Kind::BadPropertyValue(Id::TopicAlias), Some(Type::Publish), "Topic Alias is out of range", 0x94, "-", "3.3.2-8"),
    (Kind::BadPropertyValue(Id::ReceiveMaximum), Some(Type::Connect), "Receive Maximum is out of range", 0x82, "-", "-"),
    (Kind::NoAuthenticationMethod, Some(Type::Auth), "no authentication method", 0x82, "-", "-"),
];

#[test]
fn each_defect_has_its_words_its_code_and_its_statement() {
    for (kind, packet, text, code, v311, v5) in DEFECTS {
        let error = DecodeError { packet: *packet, at: 7, kind: *kind };
        assert_eq!(kind.to_string(), *text);
        let whole = match packet {
            Some(packet) => format!("{packet}, byte 7: {text}"),
            None => format!("byte 7: {text}"),
        };
        assert_eq!(error.to_string(), whole);
        assert_eq!((error.reason_code().as_u8(), kind.reason_code().as_u8()), (*code, *code), "{error}");
        assert_eq!(kind.is_protocol_error(), *code != 0x81, "{error}");
        let verdict = match kind {
            Kind::Incomplete => Verdict::Incomplete,
            _ if *code == 0x81 => Verdict::Malformed,
            _ => Verdict::ProtocolError,
        };
        assert_eq!(Verdict::of(&Err(error)), verdict, "{error}");
        let statement = |id: &str| if id == "-" { None } else { Some(format!("MQTT-{id}")) };
        assert_eq!(error.statement(Version::V31), None, "{error}");
        assert_eq!(error.statement(Version::V311).map(str::to_owned), statement(v311), "{error}");
        #[cfg(feature = "v5")]
        assert_eq!(error.statement(Version::V5).map(str::to_owned), statement(v5), "{error}");
        #[cfg(not(feature = "v5"))]
        assert!(v5.len() > 3 || *v5 == "-");
    }
}

#[test]
fn verdicts_have_names() {
    let names = [Verdict::Valid, Verdict::Malformed, Verdict::ProtocolError, Verdict::Incomplete];
    assert_eq!(names.map(Verdict::as_str), ["valid", "malformed", "protocol-error", "incomplete"]);
    assert_eq!(names.map(|verdict| verdict.to_string()), ["valid", "malformed", "protocol-error", "incomplete"]);
}

#[test]
fn what_cannot_be_sent_has_its_words() {
    for (error, text) in [
        (EncodeError::BufferTooSmall { needed: 9 }, "the buffer is too small: 9 bytes are needed"),
        (EncodeError::StringTooLong, "a field is longer than 65535 bytes"),
        (EncodeError::PacketTooLarge, "the packet is longer than the format allows"),
        (EncodeError::PacketNotInThisVersion, "a packet that only MQTT 5 has"),
        (EncodeError::PropertiesNotInThisVersion, "properties, which only MQTT 5 has"),
        (EncodeError::ReasonCodeNotInThisVersion, "a reason code that this version of MQTT does not have here"),
        (EncodeError::OptionsNotInThisVersion, "subscription options beside the QoS, which only MQTT 5 has"),
        (EncodeError::SessionPresentNotInThisVersion, "session present, which MQTT 3.1 does not have"),
        (EncodeError::NulCharacter, "U+0000 in a string"),
        (EncodeError::NoPacketId, "QoS above 0 without a packet identifier"),
        (EncodeError::PacketIdWithQoS0, "QoS 0 with a packet identifier"),
        (EncodeError::DupWithQoS0, "DUP with QoS 0"),
        (EncodeError::PasswordWithoutUserName, "password without a user name"),
        (EncodeError::EmptyClientId, "empty client identifier without clean start, or in MQTT 3.1"),
        (EncodeError::EmptyTopicName, "empty topic name without a topic alias"),
        (EncodeError::NoTopicFilter, "no topic filter"),
        (EncodeError::WrongDirection, "the packet is not sent by this side"),
        (EncodeError::PropertyWrongDirection(Id::TopicAlias), "Topic Alias may not be sent by this side"),
        (EncodeError::BadSharedFilter, "shared subscription with a bad share name, or without a filter"),
        (EncodeError::NoLocalOnShared, "no local on a shared subscription"),
        (EncodeError::NoReasonCodes, "no reason codes"),
        (EncodeError::SessionPresentWithError, "session present in a refusal"),
        (EncodeError::BadReasonCode(ReasonCode::BANNED), "Banned may not stand in this packet"),
        (EncodeError::PropertyNotAllowed(Id::TopicAlias), "Topic Alias is not allowed in this packet"),
        (EncodeError::DuplicateProperty(Id::TopicAlias), "Topic Alias stands twice"),
        (EncodeError::BadPropertyValue(Id::TopicAlias), "Topic Alias is out of range"),
        (EncodeError::NoAuthenticationMethod, "no authentication method"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn topics_that_are_none_have_their_words() {
    for (error, text, kind) in [
        (TopicError::EmptyName, "empty topic name", Kind::EmptyTopicName),
        (TopicError::EmptyFilter, "empty topic filter", Kind::EmptyTopicFilter),
        (TopicError::TooLong, "topic longer than 65535 bytes", Kind::FieldTruncated),
        (TopicError::NulCharacter, "U+0000 in a topic", Kind::NulCharacter),
        (TopicError::WildcardInName, "wildcard in a topic name", Kind::WildcardInTopicName),
        (TopicError::MisplacedMultiLevelWildcard, "misplaced # in a topic filter", Kind::MisplacedMultiLevelWildcard),
        (TopicError::MisplacedSingleLevelWildcard, "misplaced + in a topic filter", Kind::MisplacedSingleLevelWildcard),
        (TopicError::EmptyShareName, "shared subscription without a share name", Kind::EmptyShareName),
        (
            TopicError::BadShare,
            "shared subscription with a wildcard in its share name, or without a filter",
            Kind::BadSharedFilter,
        ),
    ] {
        assert_eq!((error.to_string().as_str(), Kind::from(error)), (text, kind));
    }
    assert_eq!(TopicName::new("a/b").unwrap().to_string(), "a/b");
    assert_eq!(TopicFilter::new("a/+").unwrap().to_string(), "a/+");
    assert_eq!((TopicName::new("a").unwrap().is_empty(), TopicName::EMPTY.is_empty()), (false, true));
}

#[test]
fn versions_and_packets_have_the_names_of_the_standard() {
    let versions = [
        (Version::V31, "3.1", "MQIsdp", 3, false),
        (Version::V311, "3.1.1", "MQTT", 4, false),
        #[cfg(feature = "v5")]
        (Version::V5, "5.0", "MQTT", 5, true),
    ];
    for (version, text, name, level, properties) in versions {
        assert_eq!(version.to_string(), text);
        let found = (version.protocol_name(), version.level(), version.has_properties());
        assert_eq!(found, (name, level, properties));
    }
    let names = [
        "CONNECT",
        "CONNACK",
        "PUBLISH",
        "PUBACK",
        "PUBREC",
        "PUBREL",
        "PUBCOMP",
        "SUBSCRIBE",
        "SUBACK",
        "UNSUBSCRIBE",
        "UNSUBACK",
        "PINGREQ",
        "PINGRESP",
        "DISCONNECT",
        "AUTH",
    ];
    for (nibble, name) in (1u8..).zip(names) {
        for flags in [0, 5, 15] {
            let packet = Type::from_first_byte(nibble << 4 | flags).unwrap();
            assert_eq!((packet.name(), packet.to_string().as_str()), (name, name));
        }
    }
    assert_eq!(Type::from_first_byte(0x0F), None);
}

#[test]
fn small_values_are_what_they_were_made_of() {
    assert_eq!([0, 1, 2, 3, 255].map(|qos| QoS::from_u8(qos).map(QoS::as_u8)), [Some(0), Some(1), Some(2), None, None]);
    let id = PacketId::from_non_zero(core::num::NonZeroU16::new(0x1234).unwrap());
    assert_eq!((id.get(), Some(id)), (0x1234, PacketId::new(0x1234)));
    assert_eq!((id.to_string(), format!("{id:?}")), ("4660".to_owned(), "PacketId(4660)".to_owned()));
}

#[test]
fn reason_codes_have_names_and_return_codes() {
    for (code, reason, name) in [
        (0, ReasonCode::SUCCESS, "Success"),
        (0x7F, ReasonCode::new(0x7F), "reason code 0x7F"),
        (0x80, ReasonCode::UNSPECIFIED_ERROR, "Unspecified error"),
        (0xA2, ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, "Wildcard Subscriptions not supported"),
        (0xA3, ReasonCode::new(0xA3), "reason code 0xA3"),
    ] {
        assert_eq!((ReasonCode::new(code), reason.as_u8()), (reason, code));
        assert_eq!(reason.to_string(), name);
        assert_eq!(reason.is_error(), code >= 0x80);
        let shown = if reason.name().is_some() { format!("0x{code:02X} {name}") } else { format!("0x{code:02X}") };
        assert_eq!(format!("{reason:?}"), shown);
    }
    let codes = [(0, 0), (1, 0x84), (2, 0x85), (3, 0x88), (4, 0x86), (5, 0x87)];
    for code in 0..=255u8 {
        let reason = codes.iter().find(|(old, _)| *old == code).map(|(_, reason)| ReasonCode::new(*reason));
        assert_eq!(ReasonCode::from_return_code(code), reason);
        let old = codes.iter().find(|(_, reason)| *reason == code).map(|(old, _)| *old);
        assert_eq!(ReasonCode::new(code).as_return_code(), old);
    }
}
