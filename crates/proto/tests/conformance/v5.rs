//! MQTT 5.

use core::num::NonZeroU32;

use mqtt_device_proto::{
    Auth, ConnAck, Connect, DecodeErrorKind as Kind, Disconnect, EncodeError, Filters, Packet, PacketId, Properties,
    Property, PropertyId, PubAck, PubComp, PubRec, PubRel, Publish, QoS, ReasonCode, ReasonCodes, Role, SubAck,
    Subscribe, SubscribeOptions, Subscription, TopicFilter, TopicFilters, TopicName, UnsubAck, Unsubscribe, Version,
    Will,
};

use crate::{Checks, LONGEST, frame, properties};
use Role::{Client, Server};

#[test]
fn v5() {
    let mut c = Checks::new(Version::V5, include_str!("v5.txt"));
    strings(&mut c);
    fixed_header(&mut c);
    connect(&mut c);
    connack(&mut c);
    publish(&mut c);
    acks(&mut c);
    subscribe(&mut c);
    filters(&mut c);
    disconnect_and_auth(&mut c);
    properties::places(&mut c);
    properties::values(&mut c);
    c.finish();
}

pub(crate) const ID: PacketId = PacketId::new(1).unwrap();

fn strings(c: &mut Checks) {
    let places = [
        ("MQTT-3.1.3-4", Client, "10 .. <MQTT> 05 02 000A 00", "", 15),
        ("MQTT-3.1.3-11", Client, "10 .. <MQTT> 05 06 000A 00 <p> 00", "<>", 19),
        ("MQTT-3.1.3-12", Client, "10 .. <MQTT> 05 82 000A 00 <p>", "", 18),
        ("MQTT-3.3.2-1", Server, "30 ..", "00", 4),
        ("MQTT-3.3.2-13", Server, "30 .. <a> { 08", "}", 9),
        ("MQTT-3.3.2-19", Server, "30 .. <a> { 03", "}", 9),
        ("MQTT-1.5.7-1", Server, "30 .. <a> { 26", "<b> }", 9),
        ("MQTT-1.5.7-1", Server, "30 .. <a> { 26 <b>", "}", 12),
        ("MQTT-1.5.4-1", Server, "20 .. 00 00 { 12", "}", 8),
        ("MQTT-1.5.4-1", Server, "20 .. 00 00 { 1A", "}", 8),
        ("MQTT-1.5.4-1", Server, "20 .. 00 00 { 1C", "}", 8),
        ("MQTT-1.5.4-1", Server, "20 .. 00 00 { 1F", "}", 8),
        ("MQTT-1.5.4-1", Client, "10 .. <MQTT> 05 02 000A { 15", "} <p>", 16),
        ("MQTT-3.8.3-1", Client, "82 .. 0001 00", "00", 7),
        ("MQTT-3.10.3-1", Client, "A2 .. 0001 00", "", 7),
    ];
    for (id, role, before, after, at) in places {
        for bad in ["EDA080", "C080", "80", "C3", "F4908080", "FF"] {
            let text = format!("{before} {:04x} 'ab' {bad} {after}", bad.len() / 2 + 2);
            c.refuses(id, role, &text, Kind::BadUtf8, at + 2);
            c.refuses("MQTT-1.5.4-1", role, &text, Kind::BadUtf8, at + 2);
        }
        c.refuses("MQTT-1.5.4-2", role, &format!("{before} 0003 'a' 00 'b' {after}"), Kind::NulCharacter, at + 1);
        for id in [id, "MQTT-1.5.4-1", "MQTT-1.5.4-2"] {
            c.accepts(id, role, &format!("{before} <aé€😀> {after}"));
        }
        c.accepts("MQTT-1.5.4-3", role, &format!("{before} 0005 'a' EFBBBF 'b' {after}"));
    }
    let long = "x".repeat(65_536);
    for (text, error) in [("\0", EncodeError::NulCharacter), (&long, EncodeError::StringTooLong)] {
        for property in
            [Property::ReasonString(text), Property::UserProperty("a", text), Property::UserProperty(text, "a")]
        {
            let properties = [property];
            let ack = PubAck { properties: Properties::from_slice(&properties), ..PubAck::new(ID) };
            c.cannot_send("MQTT-1.5.4-2", ack, error);
        }
    }
}

fn fixed_header(c: &mut Checks) {
    let id = &["MQTT-2.1.3-1"][..];
    c.flags(id, Client, 1, 0, "<MQTT> 05 02 000A 00 <p>");
    c.flags(id, Server, 2, 0, "00 00 00");
    for packet in [4, 5, 7] {
        c.flags(id, Client, packet, 0, "0001");
    }
    c.flags(id, Server, 9, 0, "0001 00 00");
    c.flags(id, Server, 11, 0, "0001 00 00");
    c.flags(id, Client, 12, 0, "");
    c.flags(id, Server, 13, 0, "");
    c.flags(&["MQTT-3.6.1-1"], Server, 6, 2, "0001");
    c.flags(&["MQTT-3.8.1-1"], Client, 8, 2, "0001 00 <a> 00");
    c.flags(&["MQTT-3.10.1-1"], Client, 10, 2, "0001 00 <a>");
    c.flags(&["MQTT-3.14.1-1"], Server, 14, 0, "");
    c.flags(&["MQTT-3.15.1-1"], Server, 15, 0, "18 { 15 <m> }");

    // Shortest form: of the remaining length, a property length, an identifier, a value.
    let id = "MQTT-1.5.5-1";
    c.accepts(id, Client, "C0 00");
    c.refuses(id, Client, "C0 8000", Kind::VarintNotMinimal, 1);
    c.refuses(id, Client, "C0 80808000", Kind::VarintNotMinimal, 1);
    c.refuses(id, Server, "30 .. <a> 8000", Kind::VarintNotMinimal, 5);
    c.refuses(id, Server, "30 .. <a> { A600 <a> <b> }", Kind::VarintNotMinimal, 6);
    c.refuses(id, Server, "30 .. <a> { 0B 8100 }", Kind::VarintNotMinimal, 7);
    for value in ["7F", "8001", "FF7F", "808001", "FFFF7F", "80808001", "FFFFFF7F"] {
        c.accepts(id, Server, &format!("30 .. <a> {{ 0B {value} }} 'payload'"));
    }
    c.accepts(id, Server, &format!("30 .. <a> {{ 26 <{}> <b> }}", "n".repeat(200)));
    c.refuses("", Server, "30 .. <a> FFFFFFFF", Kind::VarintTooLong, 5);
    c.refuses("", Server, "30 .. <a> { 0B FFFFFFFF7F }", Kind::VarintTooLong, 7);

    let id = "MQTT-2.2.2-1";
    c.accepts(id, Server, "20 .. 00 00 00");
    c.refuses(id, Server, "20 .. 00 00", Kind::FieldTruncated, 4);
    c.refuses(id, Server, "30 .. <a>", Kind::FieldTruncated, 5);
    c.refuses(id, Server, "90 .. 0001", Kind::FieldTruncated, 4);
    c.refuses(id, Client, "10 .. <MQTT> 05 02 000A", Kind::FieldTruncated, 12);
    c.refuses(id, Server, "30 .. <a> 01", Kind::PropertiesTruncated, 5);
    c.refuses(id, Server, "20 .. 00 00 05 21 0001", Kind::PropertiesTruncated, 4);
}

fn connect(c: &mut Checks) {
    let minimal = "10 .. <MQTT> 05 02 000A 00 <p>";
    for id in ["MQTT-3.1.2-1", "MQTT-3.1.2-2", "MQTT-3.1.2-3", "MQTT-3.1.2-16", "MQTT-3.1.2-18", "MQTT-3.1.3-3"] {
        c.accepts(id, Client, minimal);
    }
    let full = "10 .. <MQTT> 05 F6 000A { 21 0005 } <p> { 18 00000001 } <topic> <payload> <user> <password>";
    for id in ["MQTT-3.1.2-9", "MQTT-3.1.2-17", "MQTT-3.1.2-19", "MQTT-3.1.3-1"] {
        c.accepts(id, Client, full);
    }
    c.refuses("MQTT-3.1.2-1", Client, "10 .. <MQIsdp> 05 02 000A 00 <p>", Kind::BadProtocolName, 2);
    for level in (0..=255).filter(|level| *level != 5) {
        let text = format!("10 .. <MQTT> {level:02x} 02 000A 00 <p>");
        c.refuses("MQTT-3.1.2-2", Client, &text, Kind::BadProtocolLevel(level), 8);
    }
    for flags in 0..=255u8 {
        let (will, user, password) = (flags & 4 != 0, flags & 0x80 != 0, flags & 0x40 != 0);
        let mut text = format!("10 .. <MQTT> 05 {flags:02x} 000A 00 <p>");
        text += if will { "00 <topic> <payload>" } else { "" };
        text += if user { "<user>" } else { "" };
        text += if password { "<password>" } else { "" };
        if flags & 1 != 0 {
            c.refuses("MQTT-3.1.2-3", Client, &text, Kind::ReservedConnectFlag, 9);
        } else if !will && flags & 0x38 != 0 {
            if flags & 0x18 != 0 {
                c.refuses("MQTT-3.1.2-11", Client, &text, Kind::WillQoSWithoutWill, 9);
            } else {
                c.refuses("MQTT-3.1.2-13", Client, &text, Kind::WillRetainWithoutWill, 9);
            }
        } else if flags & 0x18 == 0x18 {
            c.refuses("MQTT-3.1.2-12", Client, &text, Kind::BadWillQoS, 9);
        } else {
            // A password without a user name is legal here.
            for id in ["MQTT-3.1.2-11", "MQTT-3.1.2-12", "MQTT-3.1.2-13", "MQTT-3.1.2-19"] {
                c.accepts(id, Client, &text);
            }
        }
    }
    c.refuses("MQTT-3.1.2-9", Client, "10 .. <MQTT> 05 06 000A 00 <p>", Kind::FieldTruncated, 16);
    c.refuses("MQTT-3.1.2-9", Client, "10 .. <MQTT> 05 06 000A 00 <p> 00", Kind::FieldTruncated, 17);
    c.refuses("MQTT-3.1.2-9", Client, "10 .. <MQTT> 05 06 000A 00 <p> 00 <t>", Kind::FieldTruncated, 20);
    c.refuses("MQTT-3.1.2-16", Client, "10 .. <MQTT> 05 02 000A 00 <p> <user>", Kind::TrailingBytes, 16);
    c.refuses("MQTT-3.1.2-17", Client, "10 .. <MQTT> 05 82 000A 00 <p>", Kind::FieldTruncated, 16);
    c.refuses("MQTT-3.1.2-18", Client, "10 .. <MQTT> 05 82 000A 00 <p> <u> <password>", Kind::TrailingBytes, 19);
    c.refuses("MQTT-3.1.2-19", Client, "10 .. <MQTT> 05 42 000A 00 <p>", Kind::FieldTruncated, 16);
    // Topic and payload before the properties.
    c.refuses("MQTT-3.1.3-1", Client, "10 .. <MQTT> 05 06 000A 00 <p> <topic> <> 00", Kind::FieldTruncated, 17);
    c.refuses("MQTT-3.1.3-3", Client, "10 .. <MQTT> 05 02 000A 00", Kind::FieldTruncated, 13);
    // The server chooses an identifier, whether the session is a new one or not.
    c.accepts("", Client, "10 .. <MQTT> 05 00 000A 00 <>");

    let topic = TopicName::EMPTY;
    let will = Will { qos: QoS::AtMostOnce, retain: false, topic, payload: b"", properties: Properties::EMPTY };
    c.cannot_send("", Connect { will: Some(will), ..Connect::new("a") }, EncodeError::EmptyTopicName);
    c.refuses("", Client, "10 .. <MQTT> 05 02 000A { 16 <data> } <p>", Kind::NoAuthenticationMethod, 13);
    let properties = [Property::AuthenticationData(b"data")];
    let connect = Connect { properties: Properties::from_slice(&properties), ..Connect::new("a") };
    c.cannot_send("", connect, EncodeError::NoAuthenticationMethod);
}

/// All codes that CONNACK lists but 0.
const CONNACK_CODES: [u8; 21] = [
    0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C,
    0x9D, 0x9F,
];

fn connack(c: &mut Checks) {
    for flags in 2..=255 {
        c.refuses("MQTT-3.2.2-1", Server, &format!("20 .. {flags:02x} 00 00"), Kind::ReservedConnAckFlags, 2);
    }
    for id in ["MQTT-3.2.2-1", "MQTT-3.2.2-6"] {
        c.accepts(id, Server, "20 .. 00 00 00");
        c.accepts(id, Server, "20 .. 01 00 { 21 0005 }");
    }
    let mut allowed = vec![0];
    allowed.extend(CONNACK_CODES);
    c.codes("MQTT-3.2.2-8", Server, "20 .. 00 ?? 00", 3, &allowed);
    for code in CONNACK_CODES {
        let text = format!("20 .. 01 {code:02x} 00");
        c.refuses("MQTT-3.2.2-6", Server, &text, Kind::SessionPresentWithError, 2);
    }
    let reason = ReasonCode::SESSION_TAKEN_OVER;
    let connack = ConnAck { session_present: false, reason, properties: Properties::EMPTY };
    c.cannot_send("MQTT-3.2.2-8", connack, EncodeError::BadReasonCode(reason));
}

fn publish(c: &mut Checks) {
    c.accepts("MQTT-2.2.1-2", Server, "30 .. <a> 00 0001");
    c.accepts("", Server, "32 .. <a> 0001 00 'payload'");
    c.refuses("", Server, "32 .. <a> 0000 00", Kind::ZeroPacketId, 5);
    let message = Publish::new(TopicName::new("a").unwrap(), b"");
    c.cannot_send("MQTT-2.2.1-2", Publish { packet_id: Some(ID), ..message }, EncodeError::PacketIdWithQoS0);
    for flags in ["36", "37", "3E", "3F"] {
        c.refuses("MQTT-3.3.1-4", Client, &format!("{flags} .. <a> 0001 00"), Kind::BadQoS, 0);
    }
    for flags in ["32", "34", "3A", "3C", "33", "35", "3B", "3D"] {
        c.accepts("MQTT-3.3.1-4", Client, &format!("{flags} .. <a> 0001 00"));
        c.accepts("MQTT-3.3.1-2", Client, &format!("{flags} .. <a> 0001 00"));
    }
    c.refuses("MQTT-3.3.1-2", Client, "38 .. <a> 00", Kind::DupWithQoS0, 0);
    for id in ["MQTT-3.3.2-2", "MQTT-4.7.0-1"] {
        c.refuses(id, Server, "30 .. <a/+> 00", Kind::WildcardInTopicName, 6);
        c.refuses(id, Server, "30 .. <#> 00", Kind::WildcardInTopicName, 4);
        c.accepts(id, Server, "30 .. <a/b> 00");
    }
    for alias in ["0001", "FFFF"] {
        c.accepts("MQTT-3.3.2-8", Server, &format!("30 .. <a> {{ 23 {alias} }}"));
        c.accepts("MQTT-4.7.3-1", Server, &format!("30 .. <> {{ 23 {alias} }}"));
    }
    c.refuses("MQTT-3.3.2-8", Server, "30 .. <> { 23 0000 }", Kind::BadPropertyValue(PropertyId::TopicAlias), 6);
    c.refuses("MQTT-4.7.3-1", Server, "30 .. <> 00", Kind::EmptyTopicName, 2);
    c.refuses("MQTT-4.7.3-1", Server, "30 .. <> { 26 <a> <b> }", Kind::EmptyTopicName, 2);
    c.refuses("MQTT-4.7.3-1", Server, "30 .. <a> { 08 <> }", Kind::EmptyTopicName, 7);
    c.cannot_send("MQTT-4.7.3-1", Publish { topic: TopicName::EMPTY, ..message }, EncodeError::EmptyTopicName);
    let properties = [Property::ResponseTopic(TopicName::EMPTY)];
    let empty = Publish { properties: Properties::from_slice(&properties), ..message };
    c.cannot_send("MQTT-4.7.3-1", empty, EncodeError::EmptyTopicName);
    c.accepts("MQTT-3.3.2-14", Server, "30 .. <a> { 08 <re/sponse> }");
    c.refuses("MQTT-3.3.2-14", Server, "30 .. <a> { 08 <re/+> }", Kind::WildcardInResponseTopic, 12);

    c.accepts("MQTT-3.3.4-6", Server, "30 .. <a> { 0B 01 0B FFFF7F 0B 01 }");
    let wrong = Kind::PropertyWrongDirection(PropertyId::SubscriptionIdentifier);
    c.refuses("MQTT-3.3.4-6", Client, "30 .. <a> { 0B 01 }", wrong, 6);
    let properties = [Property::SubscriptionIdentifier(NonZeroU32::new(268_435_456).unwrap())];
    let publish = Publish { properties: Properties::from_slice(&properties), ..message };
    c.cannot_send("", publish, EncodeError::BadPropertyValue(PropertyId::SubscriptionIdentifier));
}

fn acks(c: &mut Checks) {
    let received = [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    c.codes("MQTT-3.4.2-1", Client, "40 .. 0001 ??", 4, &received);
    c.codes("MQTT-3.5.2-1", Server, "50 .. 0001 ?? 00", 4, &received);
    c.codes("MQTT-3.6.2-1", Client, "62 .. 0001 ??", 4, &[0, 0x92]);
    c.codes("MQTT-3.7.2-1", Server, "70 .. 0001 ?? { 1F <why> }", 4, &[0, 0x92]);
    let reason = ReasonCode::SERVER_BUSY;
    c.cannot_send("MQTT-3.4.2-1", PubAck { reason, ..PubAck::new(ID) }, EncodeError::BadReasonCode(reason));
    c.cannot_send("MQTT-3.5.2-1", PubRec { reason, ..PubRec::new(ID) }, EncodeError::BadReasonCode(reason));
    c.cannot_send("MQTT-3.6.2-1", PubRel { reason, ..PubRel::new(ID) }, EncodeError::BadReasonCode(reason));
    c.cannot_send("MQTT-3.7.2-1", PubComp { reason, ..PubComp::new(ID) }, EncodeError::BadReasonCode(reason));

    // The short forms, and what they are sent on as.
    for (first, code) in [("40", "10"), ("50", "10"), ("62", "92"), ("70", "92")] {
        let short = frame(&format!("{first} 02 0001"));
        c.accepts("", Client, &format!("{first} .. 0001"));
        c.accepts_as("", Client, &format!("{first} .. 0001 00"), &short);
        c.accepts_as("", Client, &format!("{first} .. 0001 00 00"), &short);
        c.accepts("", Client, &format!("{first} .. 0001 {code}"));
        c.accepts_as("", Client, &format!("{first} .. 0001 {code} 00"), &frame(&format!("{first} 03 0001 {code}")));
        c.accepts("", Server, &format!("{first} .. 0001 00 {{ 1F <why> 26 <a> <b> 26 <a> <b> }}"));
        c.refuses("", Server, &format!("{first} .. 0001 00 00 00"), Kind::TrailingBytes, 6);
        c.refuses("", Server, &format!("{first} .. 0000"), Kind::ZeroPacketId, 2);
        c.refuses("", Server, &format!("{first} .. 0001 00 01"), Kind::PropertiesTruncated, 5);
    }
}

fn subscribe(c: &mut Checks) {
    c.accepts("MQTT-3.8.3-2", Client, "82 .. 0001 00 <a> 00 <b> 2E");
    c.accepts("MQTT-3.8.3-2", Client, "82 .. 0001 { 0B 01 } <a> 00");
    c.refuses("MQTT-3.8.3-2", Client, "82 .. 0001 00", Kind::NoTopicFilter, 5);
    c.accepts("MQTT-3.10.3-2", Client, "A2 .. 0001 { 26 <a> <b> } <a>");
    c.refuses("MQTT-3.10.3-2", Client, "A2 .. 0001 00", Kind::NoTopicFilter, 5);
    for options in 0..=255u8 {
        let text = format!("82 .. 0001 00 <a> {options:02x}");
        if options & 0xC0 != 0 {
            c.refuses("MQTT-3.8.3-5", Client, &text, Kind::ReservedSubscribeOptions, 8);
        } else if options & 3 == 3 || options & 0x30 == 0x30 {
            c.refuses("", Client, &text, Kind::BadSubscribeOptions, 8);
        } else {
            c.accepts("MQTT-3.8.3-5", Client, &text);
        }
    }
    c.accepts("MQTT-3.8.3-4", Client, "82 .. 0001 00 <$share/crew/a> 01");
    c.accepts("MQTT-3.8.3-4", Client, "82 .. 0001 00 <a> 05");
    c.refuses("MQTT-3.8.3-4", Client, "82 .. 0001 00 <$share/c/a> 04", Kind::NoLocalOnShared, 17);

    let filter = TopicFilter::new("$share/crew/a").unwrap();
    let options = SubscribeOptions::default().with_no_local(true);
    let filters = [Subscription { filter, options }];
    let nothing = Subscribe { packet_id: ID, properties: Properties::EMPTY, filters: Filters::from_slice(&[]) };
    c.cannot_send("MQTT-3.8.3-2", nothing, EncodeError::NoTopicFilter);
    let shared = Subscribe { filters: Filters::from_slice(&filters), ..nothing };
    c.cannot_send("MQTT-3.8.3-4", shared, EncodeError::NoLocalOnShared);
    let nothing = Unsubscribe { packet_id: ID, properties: Properties::EMPTY, filters: TopicFilters::from_slice(&[]) };
    c.cannot_send("MQTT-3.10.3-2", nothing, EncodeError::NoTopicFilter);

    let suback_codes = [0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2];
    for id in ["MQTT-3.9.3-2", "MQTT-3.8.4-7"] {
        c.codes(id, Server, "90 .. 0001 00 00 ??", 6, &suback_codes);
    }
    c.codes("MQTT-3.11.3-2", Server, "B0 .. 0001 00 ??", 5, &[0, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]);
    c.accepts("MQTT-3.8.4-6", Server, "90 .. 0001 { 1F <why> } 00 01 02");
    c.refuses("MQTT-3.8.4-6", Server, "90 .. 0001 00", Kind::NoReasonCodes, 5);
    c.refuses("MQTT-3.11.3-2", Server, "B0 .. 0001 00", Kind::NoReasonCodes, 5);
    let codes = ReasonCodes::from_slice(&[ReasonCode::SERVER_BUSY]);
    let error = EncodeError::BadReasonCode(ReasonCode::SERVER_BUSY);
    let suback = SubAck { packet_id: ID, properties: Properties::EMPTY, codes };
    c.cannot_send("MQTT-3.9.3-2", suback, error);
    c.cannot_send("MQTT-3.8.4-6", SubAck { codes: ReasonCodes::EMPTY, ..suback }, EncodeError::NoReasonCodes);
    let unsuback = UnsubAck { packet_id: ID, properties: Properties::EMPTY, codes };
    c.cannot_send("MQTT-3.11.3-2", unsuback, error);
    c.cannot_send("MQTT-3.11.3-2", UnsubAck { codes: ReasonCodes::EMPTY, ..unsuback }, EncodeError::NoReasonCodes);
}

fn filters(c: &mut Checks) {
    for (before, after) in [("82 .. 0001 00", "00"), ("A2 .. 0001 00", "")] {
        let text = |filter: &str| format!("{before} <{filter}> {after}");
        c.accepts("MQTT-4.7.0-1", Client, &text("+/#"));
        for good in ["#", "/#", "a/#", "+/+/#", "$share/crew/a/#"] {
            c.accepts("MQTT-4.7.1-1", Client, &text(good));
        }
        for bad in ["##", "#/", "a#", "a/#/b", "$share/crew/#/a"] {
            c.refuses("MQTT-4.7.1-1", Client, &text(bad), Kind::MisplacedMultiLevelWildcard, 7);
        }
        for good in ["+", "a/+/b", "/+", "+/", "$share/crew/+"] {
            c.accepts("MQTT-4.7.1-2", Client, &text(good));
        }
        for bad in ["++", "+#", "a+", "+a", "a/b+", "$share/crew/a+"] {
            c.refuses("MQTT-4.7.1-2", Client, &text(bad), Kind::MisplacedSingleLevelWildcard, 7);
        }
        c.accepts("MQTT-4.7.3-1", Client, &text("/"));
        c.refuses("MQTT-4.7.3-1", Client, &text(""), Kind::EmptyTopicFilter, 7);
        c.accepts("MQTT-4.7.3-2", Client, &text("a"));
        c.refuses("MQTT-4.7.3-2", Client, &format!("{before} 0002 'a' 00 {after}"), Kind::NulCharacter, 8);
        c.accepts("MQTT-4.7.3-3", Client, &text(&"f".repeat(LONGEST)));
        for id in ["MQTT-4.8.2-1", "MQTT-4.8.2-2"] {
            c.accepts(id, Client, &text("$share/crew/a"));
            c.accepts(id, Client, &text("$share/c//"));
        }
        c.refuses("MQTT-4.8.2-1", Client, &text("$share//a"), Kind::EmptyShareName, 7);
        c.refuses("MQTT-4.8.2-1", Client, &text("$share/"), Kind::EmptyShareName, 7);
        for bad in ["$share/crew", "$share/crew/", "$share/+/a", "$share/#"] {
            c.refuses("MQTT-4.8.2-2", Client, &text(bad), Kind::BadSharedFilter, 7);
        }
        c.refuses("MQTT-4.8.2-2", Client, &text("$share/c+/a"), Kind::MisplacedSingleLevelWildcard, 7);
        c.refuses("MQTT-4.8.2-2", Client, &text("$share/c#/a"), Kind::MisplacedMultiLevelWildcard, 7);
    }
    c.refuses("MQTT-4.7.3-3", Client, "82 .. 0001 00 FFFF 'f'", Kind::FieldTruncated, 5);

    // A filter that MQTT 3.1.1 allows, and this version does not, stays outside.
    let bytes = frame("82 .. 0001 <$share/a> 00");
    let Ok(Packet::Subscribe(old)) = Packet::decode(&bytes, Version::V311, Client) else { panic!() };
    c.cannot_send("MQTT-4.8.2-2", old, EncodeError::BadSharedFilter);
    let bytes = frame("A2 .. 0001 <$share/a>");
    let Ok(Packet::Unsubscribe(old)) = Packet::decode(&bytes, Version::V311, Client) else { panic!() };
    c.cannot_send("MQTT-4.8.2-2", old, EncodeError::BadSharedFilter);
}

fn disconnect_and_auth(c: &mut Checks) {
    let client = [0, 4, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
    let server = [
        0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
        0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
    ];
    c.codes("MQTT-3.14.2-1", Client, "E0 .. ??", 2, &client);
    c.codes("MQTT-3.14.2-1", Server, "E0 .. ?? 00", 2, &server);
    c.codes("MQTT-3.15.2-1", Client, "F0 .. ?? { 15 <m> }", 2, &[0x18, 0x19]);
    c.codes("MQTT-3.15.2-1", Server, "F0 .. ?? { 15 <m> }", 2, &[0, 0x18]);
    c.codes("MQTT-4.12.0-2", Server, "F0 .. ?? { 15 <m> 16 <more> }", 2, &[0, 0x18]);
    let reason = ReasonCode::GRANTED_QOS_1;
    c.cannot_send("MQTT-3.14.2-1", Disconnect::new(reason), EncodeError::BadReasonCode(reason));
    let method = [Property::AuthenticationMethod("m")];
    let auth = Auth { reason, properties: Properties::from_slice(&method) };
    c.cannot_send("MQTT-3.15.2-1", auth, EncodeError::BadReasonCode(reason));

    for role in [Client, Server] {
        c.accepts("", role, "E0 00");
        c.accepts_as("", role, "E0 01 00", &[0xE0, 0]);
        c.accepts_as("", role, "E0 02 00 00", &[0xE0, 0]);
        c.accepts_as("", role, "E0 02 81 00", &[0xE0, 1, 0x81]);
        c.accepts("", role, "E0 .. 00 { 1F <why> 26 <a> <b> }");
    }
    c.accepts("MQTT-3.14.2-2", Client, "E0 .. 00 { 11 00000001 }");
    let wrong = Kind::PropertyWrongDirection(PropertyId::SessionExpiryInterval);
    c.refuses("MQTT-3.14.2-2", Server, "E0 .. 00 { 11 00000001 }", wrong, 4);

    // The short form of AUTH says success, which is the server's word.
    c.accepts("", Server, "F0 00");
    c.refuses("", Client, "F0 00", Kind::BadReasonCode(0), 2);
    // Whoever gives a reason gives properties, too, unlike in a DISCONNECT.
    c.refuses("", Server, "F0 01 18", Kind::FieldTruncated, 3);
    c.refuses("", Server, "F0 01 00", Kind::FieldTruncated, 3);
    c.refuses("", Server, "F0 02 18 00", Kind::NoAuthenticationMethod, 2);
    c.refuses("", Server, "F0 .. 18 { 16 <data> }", Kind::NoAuthenticationMethod, 4);
    c.refuses("", Server, "F0 .. 18 { 15 <m> } 00", Kind::TrailingBytes, 8);
    let auth = Auth { reason: ReasonCode::CONTINUE_AUTHENTICATION, properties: Properties::EMPTY };
    c.cannot_send("", auth, EncodeError::NoAuthenticationMethod);
}

/// A defect names the statement that a reader would look up.
#[test]
fn the_statement_of_a_defect() {
    let statement =
        |text: &str, role| Packet::decode(&frame(text), Version::V5, role).unwrap_err().statement(Version::V5);
    assert_eq!(statement("61 00", Client), Some("MQTT-3.6.1-1"));
    assert_eq!(statement("30 .. <a/+> 00", Client), Some("MQTT-3.3.2-2"));
    assert_eq!(statement("30 .. <a> { 0B 01 }", Client), Some("MQTT-3.3.4-6"));
    assert_eq!(statement("B0 .. 0001 00", Server), Some("MQTT-3.11.3-2"));
    assert_eq!(statement("40 .. 0001 05", Server), Some("MQTT-3.4.2-1"));
    assert_eq!(statement("C0", Client), None);
    assert_eq!(statement("30 .. <a> { 05 01 }", Client), None);
}
