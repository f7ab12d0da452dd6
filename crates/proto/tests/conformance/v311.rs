//! MQTT 3.1.1.

use mqtt_device_proto::{
    Auth, ConnAck, Connect, DecodeErrorKind as Kind, Disconnect, EncodeError, Filters, PacketId, Properties, PubAck,
    PubRec, Publish, QoS, ReasonCode, ReasonCodes, Role, SubAck, Subscribe, SubscribeOptions, Subscription, TopicError,
    TopicFilter, TopicFilters, TopicName, UnsubAck, Unsubscribe, Version,
};

use crate::{Checks, LONGEST, frame};
use Role::{Client, Server};

#[test]
fn v311() {
    let mut c = Checks::new(Version::V311, include_str!("v311.txt"));
    strings(&mut c);
    fixed_header(&mut c);
    directions(&mut c);
    connect(&mut c);
    connack(&mut c);
    publish(&mut c);
    acks(&mut c);
    subscribe(&mut c);
    topics(&mut c);
    c.finish();
}

pub(crate) const ID: PacketId = PacketId::new(1).unwrap();

/// Places of strings: text before, text after, offset of the string's first byte.
const STRINGS: [(&str, Role, &str, &str, u32); 6] = [
    ("MQTT-3.1.3-4", Client, "10 .. <MQTT> 04 02 000A", "", 14),
    ("MQTT-3.1.3-10", Client, "10 .. <MQTT> 04 06 000A <p>", "<>", 17),
    ("MQTT-3.1.3-11", Client, "10 .. <MQTT> 04 82 000A <p>", "", 17),
    ("MQTT-3.3.2-1", Server, "30 ..", "", 4),
    ("MQTT-3.8.3-1", Client, "82 .. 0001", "00", 6),
    ("MQTT-3.10.3-1", Client, "A2 .. 0001", "", 6),
];

fn strings(c: &mut Checks) {
    for (id, role, before, after, at) in STRINGS {
        for general in [id, "MQTT-1.5.3-1"] {
            // A surrogate, an overlong form, a lone continuation, a sequence cut short, beyond U+10FFFF.
            for bad in ["EDA080", "C080", "80", "C3", "F4908080", "FF"] {
                let text = format!("{before} {:04x} 'ab' {bad} {after}", bad.len() / 2 + 2);
                c.refuses(general, role, &text, Kind::BadUtf8, at + 2);
            }
            c.accepts(general, role, &format!("{before} <aé€😀> {after}"));
        }
        c.refuses("MQTT-1.5.3-2", role, &format!("{before} 0003 'a' 00 'b' {after}"), Kind::NulCharacter, at + 1);
        c.refuses("MQTT-1.5.3-2", role, &format!("{before} 0003 00 FF 'b' {after}"), Kind::NulCharacter, at);
        c.accepts("MQTT-1.5.3-2", role, &format!("{before} 0002 'a' 01 {after}"));
        c.accepts("MQTT-1.5.3-3", role, &format!("{before} 0003 EFBBBF {after}"));
        c.accepts("MQTT-1.5.3-3", role, &format!("{before} 0005 'a' EFBBBF 'b' {after}"));
        c.refuses("", role, &format!("{before} 0009 'ab'"), Kind::FieldTruncated, at - 2);
        c.refuses("", role, &format!("{before} 00"), Kind::FieldTruncated, at - 2);
    }
    c.cannot_send("MQTT-1.5.3-2", Connect::new("a\0"), EncodeError::NulCharacter);
    c.cannot_send("", Connect { username: Some("\0"), ..Connect::new("a") }, EncodeError::NulCharacter);
    let long = "x".repeat(65_536);
    c.cannot_send("", Connect::new(&long), EncodeError::StringTooLong);
    c.cannot_send("", Connect { username: Some(&long), ..Connect::new("a") }, EncodeError::StringTooLong);
    let password = Some(long.as_bytes());
    c.cannot_send("", Connect { username: Some("u"), password, ..Connect::new("a") }, EncodeError::StringTooLong);
}

fn fixed_header(c: &mut Checks) {
    let both = &["MQTT-2.2.2-1", "MQTT-2.2.2-2"][..];
    c.flags(both, Client, 1, 0, "<MQTT> 04 02 000A <p>");
    c.flags(both, Server, 2, 0, "00 00");
    for (packet, flags) in [(4, 0), (5, 0), (7, 0)] {
        c.flags(both, Client, packet, flags, "0001");
    }
    c.flags(both, Server, 9, 0, "0001 00");
    c.flags(both, Server, 11, 0, "0001");
    c.flags(both, Client, 12, 0, "");
    c.flags(both, Server, 13, 0, "");
    c.flags(&["MQTT-3.6.1-1"], Client, 6, 2, "0001");
    c.flags(&["MQTT-3.8.1-1"], Client, 8, 2, "0001 <a> 00");
    c.flags(&["MQTT-3.10.1-1"], Client, 10, 2, "0001 <a>");
    c.flags(&["MQTT-3.14.1-1"], Client, 14, 0, "");

    for first in 0..16 {
        c.refuses("", Client, &format!("{first:02x} 00"), Kind::ReservedPacketType, 0);
        c.refuses("", Server, &format!("F{first:x} 00"), Kind::ReservedPacketType, 0);
    }
    c.refuses("", Client, "C0 FFFFFFFF", Kind::VarintTooLong, 1);
    c.refuses("", Client, "C0 80808080 00", Kind::VarintTooLong, 1);
    c.refuses("", Client, "C0 01 00", Kind::TrailingBytes, 2);
    c.refuses("", Client, "C0 00 00", Kind::TrailingBytes, 2);
    for text in ["C0", "C0 80", "30 FFFF7F", "30 03 0001"] {
        c.refuses("", Client, text, Kind::Incomplete, u32::try_from(frame(text).len()).unwrap());
    }
    c.refuses("", Client, "", Kind::Incomplete, 0);
    // MQTT 3.1.1 does not demand the shortest form of a length.
    c.accepts_as("", Client, "C0 808000", &[0xC0, 0]);
}

fn directions(c: &mut Checks) {
    for text in ["10 .. <MQTT> 04 02 000A <p>", "82 .. 0001 <a> 00", "A2 .. 0001 <a>", "C000", "E000", "82", "C0"] {
        c.refuses("", Server, text, Kind::WrongDirection, 0);
    }
    for text in ["2002 0000", "9003 000100", "B002 0001", "D000", "20"] {
        c.refuses("", Client, text, Kind::WrongDirection, 0);
    }
}

fn connect(c: &mut Checks) {
    let minimal = "10 .. <MQTT> 04 02 000A <p>";
    for id in ["MQTT-3.1.2-1", "MQTT-3.1.2-3", "MQTT-3.1.2-18", "MQTT-3.1.2-20", "MQTT-3.1.2-22", "MQTT-3.1.3-3"] {
        c.accepts(id, Client, minimal);
    }
    for name in ["MQIsdp", "MQTt", "mqtt", "MQT", "MQTTT", ""] {
        c.refuses("MQTT-3.1.2-1", Client, &format!("10 .. <{name}> 04 02 000A <p>"), Kind::BadProtocolName, 2);
    }
    for level in (0..=255).filter(|level| *level != 4) {
        let text = format!("10 .. <MQTT> {level:02x} 02 000A <p>");
        c.refuses("", Client, &text, Kind::BadProtocolLevel(level), 8);
    }
    let full = "10 .. <MQTT> 04 F6 000A <p> <topic> <payload> <user> <password>";
    for id in ["MQTT-3.1.2-9", "MQTT-3.1.2-19", "MQTT-3.1.2-21", "MQTT-3.1.3-1"] {
        c.accepts(id, Client, full);
    }
    // Every combination of the flags.
    for flags in 0..=255u8 {
        let (will, user, password) = (flags & 4 != 0, flags & 0x80 != 0, flags & 0x40 != 0);
        let mut text = format!("10 .. <MQTT> 04 {flags:02x} 000A <p>");
        text += if will { "<topic> <payload>" } else { "" };
        text += if user { "<user>" } else { "" };
        text += if password { "<password>" } else { "" };
        if flags & 1 != 0 {
            c.refuses("MQTT-3.1.2-3", Client, &text, Kind::ReservedConnectFlag, 9);
        } else if !will && flags & 0x38 != 0 {
            let ids = ["MQTT-3.1.2-11", "MQTT-3.1.2-13", "MQTT-3.1.2-15"];
            let broken = [true, flags & 0x18 != 0, flags & 0x20 != 0];
            for (id, _) in ids.into_iter().zip(broken).filter(|(_, broken)| *broken) {
                let has_qos = flags & 0x18 != 0;
                let kind = if has_qos { Kind::WillQoSWithoutWill } else { Kind::WillRetainWithoutWill };
                c.refuses(id, Client, &text, kind, 9);
            }
        } else if flags & 0x18 == 0x18 {
            c.refuses("MQTT-3.1.2-14", Client, &text, Kind::BadWillQoS, 9);
        } else if password && !user {
            c.refuses("MQTT-3.1.2-22", Client, &text, Kind::PasswordWithoutUserName, 9);
        } else {
            for id in ["MQTT-3.1.2-11", "MQTT-3.1.2-13", "MQTT-3.1.2-14", "MQTT-3.1.2-15"] {
                c.accepts(id, Client, &text);
            }
        }
    }
    // A field too few, a field too many.
    c.refuses("MQTT-3.1.2-9", Client, "10 .. <MQTT> 04 06 000A <p> <topic>", Kind::FieldTruncated, 22);
    c.refuses("MQTT-3.1.2-9", Client, "10 .. <MQTT> 04 06 000A <p>", Kind::FieldTruncated, 15);
    c.refuses("MQTT-3.1.2-19", Client, "10 .. <MQTT> 04 82 000A <p>", Kind::FieldTruncated, 15);
    c.refuses("MQTT-3.1.2-21", Client, "10 .. <MQTT> 04 C2 000A <p> <u>", Kind::FieldTruncated, 18);
    c.refuses("MQTT-3.1.2-11", Client, "10 .. <MQTT> 04 02 000A <p> <topic> <payload>", Kind::TrailingBytes, 15);
    c.refuses("MQTT-3.1.2-18", Client, "10 .. <MQTT> 04 02 000A <p> <user>", Kind::TrailingBytes, 15);
    c.refuses("MQTT-3.1.2-20", Client, "10 .. <MQTT> 04 82 000A <p> <u> <password>", Kind::TrailingBytes, 18);
    c.refuses("MQTT-3.1.3-1", Client, "10 .. <MQTT> 04 06 000A <p> <> <topic>", Kind::EmptyTopicName, 15);
    c.refuses("MQTT-3.1.3-3", Client, "10 .. <MQTT> 04 02 000A", Kind::FieldTruncated, 12);
    c.refuses("", Client, "10 .. <MQTT> 04 02 00", Kind::FieldTruncated, 10);
    c.refuses("", Client, "10 .. <MQTT> 04", Kind::FieldTruncated, 9);

    c.accepts("MQTT-3.1.3-7", Client, "10 .. <MQTT> 04 02 000A <>");
    c.refuses("MQTT-3.1.3-7", Client, "10 .. <MQTT> 04 00 000A <>", Kind::EmptyClientId, 12);
    c.cannot_send("MQTT-3.1.3-7", Connect { clean_start: false, ..Connect::new("") }, EncodeError::EmptyClientId);
    let password = Connect { password: Some(b"p"), ..Connect::new("a") };
    c.cannot_send("MQTT-3.1.2-22", password, EncodeError::PasswordWithoutUserName);
}

fn connack(c: &mut Checks) {
    let present = ConnAck { session_present: true, reason: ReasonCode::SUCCESS, properties: Properties::EMPTY };
    c.accepts("", Server, "2002 0000");
    c.accepts("MQTT-3.2.2-4", Server, "2002 0100");
    for code in 1..=5 {
        c.accepts("MQTT-3.2.2-4", Server, &format!("2002 00{code:02x}"));
        c.refuses("MQTT-3.2.2-4", Server, &format!("2002 01{code:02x}"), Kind::SessionPresentWithError, 2);
    }
    for code in 6..=255 {
        c.refuses("", Server, &format!("2002 00{code:02x}"), Kind::BadReasonCode(code), 3);
    }
    for flags in 2..=255 {
        c.refuses("", Server, &format!("2002 {flags:02x}00"), Kind::ReservedConnAckFlags, 2);
    }
    c.refuses("", Server, "2001 00", Kind::FieldTruncated, 3);
    c.refuses("", Server, "2003 000000", Kind::TrailingBytes, 4);
    let refused = ConnAck { reason: ReasonCode::NOT_AUTHORIZED, ..present };
    c.cannot_send("MQTT-3.2.2-4", refused, EncodeError::SessionPresentWithError);
    let reason = ReasonCode::SERVER_BUSY;
    c.cannot_send("", ConnAck { reason, session_present: false, ..present }, EncodeError::ReasonCodeNotInThisVersion);
}

fn publish(c: &mut Checks) {
    c.accepts("MQTT-2.3.1-5", Server, "30 .. <a> 0001");
    c.accepts("MQTT-2.3.1-1", Server, "32 .. <a> 0001 'payload'");
    c.accepts("MQTT-2.3.1-1", Client, "3D .. <a> FFFF");
    c.accepts("MQTT-3.3.2-2", Client, "31 .. <a/b c/$d//> 'payload'");
    c.refuses("MQTT-2.3.1-1", Server, "32 .. <a> 0000 'payload'", Kind::ZeroPacketId, 5);
    c.refuses("MQTT-2.3.1-1", Server, "34 .. <a> 00", Kind::FieldTruncated, 5);
    for flags in ["36", "37", "3E", "3F"] {
        c.refuses("MQTT-3.3.1-4", Client, &format!("{flags} .. <a> 0001"), Kind::BadQoS, 0);
        c.refuses("MQTT-3.3.1-4", Client, flags, Kind::BadQoS, 0);
    }
    for flags in ["32", "34", "3A", "3C", "33", "35", "3B", "3D"] {
        c.accepts("MQTT-3.3.1-4", Client, &format!("{flags} .. <a> 0001"));
        c.accepts("MQTT-3.3.1-2", Client, &format!("{flags} .. <a> 0001"));
    }
    c.refuses("MQTT-3.3.1-2", Client, "38 .. <a>", Kind::DupWithQoS0, 0);
    c.refuses("MQTT-3.3.1-2", Server, "39 .. <a>", Kind::DupWithQoS0, 0);
    for (wildcard, at) in [("+", 4), ("#", 4), ("a+", 5), ("sport/+/player", 10), ("a/b/c/d/e/#", 14)] {
        for id in ["MQTT-3.3.2-2", "MQTT-4.7.1-1"] {
            c.refuses(id, Server, &format!("30 .. <{wildcard}>"), Kind::WildcardInTopicName, at);
        }
        assert_eq!(TopicName::new(wildcard), Err(TopicError::WildcardInName));
    }
    c.refuses("MQTT-4.7.3-1", Server, "30 .. <> 'payload'", Kind::EmptyTopicName, 2);
    c.refuses("MQTT-3.3.2-1", Server, "30 ..", Kind::FieldTruncated, 2);

    let topic = TopicName::new("a").unwrap();
    let message = Publish::new(topic, b"");
    c.cannot_send("MQTT-3.3.1-2", Publish { dup: true, ..message }, EncodeError::DupWithQoS0);
    c.cannot_send("MQTT-2.3.1-5", Publish { packet_id: Some(ID), ..message }, EncodeError::PacketIdWithQoS0);
    c.cannot_send("MQTT-2.3.1-1", Publish { qos: QoS::AtLeastOnce, ..message }, EncodeError::NoPacketId);
    c.cannot_send("MQTT-4.7.3-1", Publish { topic: TopicName::EMPTY, ..message }, EncodeError::EmptyTopicName);
}

fn acks(c: &mut Checks) {
    for first in ["40", "50", "62", "70"] {
        for role in [Client, Server] {
            c.accepts("", role, &format!("{first} .. 1234"));
            c.refuses("", role, &format!("{first} .. 0000"), Kind::ZeroPacketId, 2);
            c.refuses("", role, &format!("{first} .. 00"), Kind::FieldTruncated, 2);
            c.refuses("", role, &format!("{first} .."), Kind::FieldTruncated, 2);
            c.refuses("", role, &format!("{first} .. 0001 00"), Kind::TrailingBytes, 4);
        }
    }
    c.accepts("", Server, "B0 .. 1234");
    c.refuses("", Server, "B0 .. 0000", Kind::ZeroPacketId, 2);
    c.refuses("", Server, "B0 .. 1234 00", Kind::TrailingBytes, 4);
    c.refuses("", Client, "E0 .. 00", Kind::TrailingBytes, 2);
    let reason = ReasonCode::NO_MATCHING_SUBSCRIBERS;
    c.cannot_send("", PubAck { reason, ..PubAck::new(ID) }, EncodeError::ReasonCodeNotInThisVersion);
    c.cannot_send("", PubRec { reason, ..PubRec::new(ID) }, EncodeError::ReasonCodeNotInThisVersion);
    let with_will = Disconnect::new(ReasonCode::DISCONNECT_WITH_WILL);
    c.cannot_send("", with_will, EncodeError::ReasonCodeNotInThisVersion);
    let auth = Auth { reason: ReasonCode::SUCCESS, properties: Properties::EMPTY };
    c.cannot_send("", auth, EncodeError::PacketNotInThisVersion);
    let codes = ReasonCodes::from_slice(&[ReasonCode::SUCCESS]);
    let unsuback = UnsubAck { packet_id: ID, properties: Properties::EMPTY, codes };
    c.cannot_send("", unsuback, EncodeError::ReasonCodeNotInThisVersion);
}

fn subscribe(c: &mut Checks) {
    let one = "82 .. 0001 <a> 00";
    for id in ["MQTT-2.3.1-1", "MQTT-3.8.3-3"] {
        c.accepts(id, Client, one);
        c.accepts(id, Client, "82 .. 0001 <a> 00 <b/#> 01 <+/c> 02");
    }
    c.refuses("MQTT-2.3.1-1", Client, "82 .. 0000 <a> 00", Kind::ZeroPacketId, 2);
    c.refuses("MQTT-3.8.3-3", Client, "82 .. 0001", Kind::NoTopicFilter, 4);
    c.refuses("MQTT-3.8.3-3", Client, "82 .. 0001 <a>", Kind::FieldTruncated, 7);
    for options in 0..=2 {
        c.accepts("MQTT-3.8.3-4", Client, &format!("82 .. 0001 <a> {options:02x}"));
    }
    for options in 3..=255 {
        let text = format!("82 .. 0001 <a> 00 <b> {options:02x}");
        c.refuses("MQTT-3.8.3-4", Client, &text, Kind::ReservedSubscribeOptions, 11);
    }
    let nothing = Subscribe { packet_id: ID, properties: Properties::EMPTY, filters: Filters::from_slice(&[]) };
    c.cannot_send("MQTT-3.8.3-3", nothing, EncodeError::NoTopicFilter);
    let filter = TopicFilter::new("a").unwrap();
    let options = SubscribeOptions::default().with_no_local(true);
    let filters = [Subscription { filter, options }];
    let no_local = Subscribe { filters: Filters::from_slice(&filters), ..nothing };
    c.cannot_send("", no_local, EncodeError::OptionsNotInThisVersion);

    c.accepts("MQTT-3.10.3-2", Client, "A2 .. 0001 <a>");
    c.accepts("MQTT-3.10.3-2", Client, "A2 .. 0001 <a> <b> <c/#>");
    c.refuses("MQTT-2.3.1-1", Client, "A2 .. 0000 <a>", Kind::ZeroPacketId, 2);
    c.refuses("MQTT-3.10.3-2", Client, "A2 .. 0001", Kind::NoTopicFilter, 4);
    let nothing = Unsubscribe { packet_id: ID, properties: Properties::EMPTY, filters: TopicFilters::from_slice(&[]) };
    c.cannot_send("MQTT-3.10.3-2", nothing, EncodeError::NoTopicFilter);

    for id in ["MQTT-3.8.4-5", "MQTT-3.9.3-2"] {
        c.accepts(id, Server, "90 .. 0001 00 01 02 80");
    }
    for code in (3..0x80).chain(0x81..=255) {
        c.refuses("MQTT-3.9.3-2", Server, &format!("90 .. 0001 00 {code:02x}"), Kind::BadReasonCode(code), 5);
    }
    c.refuses("MQTT-3.8.4-5", Server, "90 .. 0001", Kind::NoReasonCodes, 4);
    let codes = ReasonCodes::from_slice(&[]);
    let suback = SubAck { packet_id: ID, properties: Properties::EMPTY, codes };
    c.cannot_send("MQTT-3.8.4-5", suback, EncodeError::NoReasonCodes);
    let codes = ReasonCodes::from_slice(&[ReasonCode::QUOTA_EXCEEDED]);
    c.cannot_send("MQTT-3.9.3-2", SubAck { codes, ..suback }, EncodeError::ReasonCodeNotInThisVersion);
}

fn topics(c: &mut Checks) {
    for (before, after) in [("82 .. 0001", "00"), ("A2 .. 0001", "")] {
        let text = |filter: &str| format!("{before} <{filter}> {after}");
        c.accepts("MQTT-4.7.1-1", Client, &text("+/#"));
        for good in ["#", "/#", "a/#", "+/+/#", "$SYS/#", "//#"] {
            c.accepts("MQTT-4.7.1-2", Client, &text(good));
        }
        for bad in ["##", "#/", "#/a", "a#", "a/b#", "a/#/b", "/a#"] {
            c.refuses("MQTT-4.7.1-2", Client, &text(bad), Kind::MisplacedMultiLevelWildcard, 6);
            assert_eq!(TopicFilter::new(bad), Err(TopicError::MisplacedMultiLevelWildcard), "{bad}");
        }
        for good in ["+", "+/", "/+", "a/+", "+/a", "+/+", "a/+/b", "/+/", "+//+"] {
            c.accepts("MQTT-4.7.1-3", Client, &text(good));
        }
        for bad in ["++", "+#", "a+", "+a", "a/+b", "a/b+", "a+/b", "/a+/", "+/a+"] {
            c.refuses("MQTT-4.7.1-3", Client, &text(bad), Kind::MisplacedSingleLevelWildcard, 6);
            assert_eq!(TopicFilter::new(bad), Err(TopicError::MisplacedSingleLevelWildcard), "{bad}");
        }
        c.accepts("MQTT-4.7.3-1", Client, &text("/"));
        c.refuses("MQTT-4.7.3-1", Client, &text(""), Kind::EmptyTopicFilter, 6);
        c.refuses("MQTT-4.7.3-2", Client, &format!("{before} 0003 'a/' 00 {after}"), Kind::NulCharacter, 8);
        c.accepts("MQTT-4.7.3-2", Client, &text("a/1"));
        // MQTT 3.1.1 knows no shared subscriptions, and `$share` is a level like any other.
        c.accepts("", Client, &text("$share/a"));
        c.accepts("MQTT-4.7.3-3", Client, &text(&"f".repeat(LONGEST)));
    }
    c.accepts("MQTT-4.7.3-1", Server, "30 .. <a>");
    c.accepts("MQTT-4.7.3-3", Server, &format!("30 .. <{}>", "é".repeat(LONGEST / 2)));
    let long = "é".repeat(32_768);
    assert_eq!(TopicName::new(&long), Err(TopicError::TooLong));
    assert_eq!(TopicFilter::new(&long), Err(TopicError::TooLong));
    // Nothing longer can be written: two bytes of length are all there is, and what they leave over is another field.
    let text = format!("82 .. 0001 FFFF '{}'", "f".repeat(LONGEST - 1));
    // Behind a Remaining Length of three bytes, or of two under Miri.
    c.refuses("MQTT-4.7.3-3", Client, &text, Kind::FieldTruncated, if cfg!(miri) { 5 } else { 6 });
    assert_eq!(TopicName::new(""), Err(TopicError::EmptyName));
    assert_eq!(TopicFilter::new(""), Err(TopicError::EmptyFilter));
    assert_eq!(TopicName::new("a\0"), Err(TopicError::NulCharacter));
    assert_eq!(TopicFilter::new("a\0"), Err(TopicError::NulCharacter));
}
