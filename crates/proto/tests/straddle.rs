//! Strings whose length bytes look like a part of a character: the packet is UTF-8 as a whole, the string is not
//! `[MQTT-1.5.3-1]`. A decoder that looks at the whole must not be taken in.

mod common;

use common::push_varint;
use mqtt_device_proto::{DecodeErrorKind, Packet, Role, Version};

const VERSIONS: &[Version] = &[
    Version::V31,
    Version::V311,
    #[cfg(feature = "v5")]
    Version::V5,
];

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    push_varint(&mut packet, body.len());
    packet.extend(body);
    packet
}

fn refused(bytes: &[u8], version: Version, at: usize) {
    let error = Packet::decode(bytes, version, Role::Client).expect_err("a string that is not UTF-8");
    assert_eq!((error.kind, usize::try_from(error.at).unwrap()), (DecodeErrorKind::BadUtf8, at), "{version} {error}");
}

/// All bytes that begin a character, each with bytes that go on with it: for a string of so many bytes, the lead is the
/// second byte of its length.
fn characters() -> impl Iterator<Item = (u8, &'static [u8])> {
    let rest = |lead: u8| -> &'static [u8] {
        match lead {
            0xC2..=0xDF => &[0xA9],
            0xE0 => &[0xA0, 0x80],
            0xE1..=0xEF => &[0x82, 0xAC],
            0xF0 => &[0x9F, 0x98, 0x80],
            _ => &[0x80, 0x80, 0x80],
        }
    };
    (0xC2..=0xF4).map(move |lead| (lead, rest(lead)))
}

/// A string of `lead` bytes with its length in front, which begins with the end of the character that the length begins.
fn beheaded(lead: u8, rest: &[u8]) -> Vec<u8> {
    let mut field = vec![0, lead];
    field.extend(rest);
    field.resize(2 + usize::from(lead), b'a');
    assert!(std::str::from_utf8(&field).is_ok() && std::str::from_utf8(&field[2..]).is_err());
    field
}

/// A string that ends with `lead`, and one behind it whose length goes on with the character.
fn torn() -> [Vec<u8>; 2] {
    let mut second = vec![0x80, 0x61];
    second.resize(2 + 0x8061, b'a');
    [vec![0, 2, b'a', 0xC3], second]
}

#[test]
fn a_filter_begins_inside_a_character() {
    for (version, (lead, rest)) in VERSIONS.iter().flat_map(|version| characters().map(move |c| (*version, c))) {
        let before: &[u8] = if version.has_properties() { &[0, 1, 0] } else { &[0, 1] };
        let subscribe = [before, &beheaded(lead, rest), &[0]].concat();
        let unsubscribe = [before, &beheaded(lead, rest)].concat();
        let header = 1 + if subscribe.len() < 128 { 1 } else { 2 };
        refused(&packet(0x82, &subscribe), version, header + before.len() + 2);
        refused(&packet(0xA2, &unsubscribe), version, header + before.len() + 2);
    }
}

#[test]
fn a_filter_ends_inside_a_character() {
    let [first, second] = torn();
    for version in VERSIONS {
        let before: &[u8] = if version.has_properties() { &[0, 1, 0] } else { &[0, 1] };
        let body = [before, &first, &second].concat();
        assert!(std::str::from_utf8(&body).is_ok());
        // Three bytes of length.
        refused(&packet(0xA2, &body), *version, 4 + before.len() + 3);
    }
}

#[test]
fn a_field_of_connect_begins_inside_a_character() {
    for (version, (lead, rest)) in VERSIONS.iter().flat_map(|version| characters().map(move |c| (*version, c))) {
        let name = version.protocol_name();
        let mut body = vec![0, u8::try_from(name.len()).unwrap()];
        body.extend(name.as_bytes());
        // A user name.
        body.extend([version.level(), 0x82, 0, 0]);
        body.extend(if version.has_properties() { &[0][..] } else { &[] });
        let client_id = [&body[..], &beheaded(lead, rest), &[0, 1, b'u']].concat();
        let header = 1 + if client_id.len() < 128 { 1 } else { 2 };
        refused(&packet(0x10, &client_id), version, header + body.len() + 2);
        let username = [&body[..], &[0, 1, b'c'], &beheaded(lead, rest)].concat();
        refused(&packet(0x10, &username), version, header + body.len() + 5);
    }
}

#[cfg(feature = "v5")]
#[test]
fn a_property_begins_or_ends_inside_a_character() {
    let publish = |set: &[u8]| {
        let mut body = vec![0, 1, b't'];
        push_varint(&mut body, set.len());
        let at = body.len();
        body.extend(set);
        let packet = packet(0x30, &body);
        (packet.len() - set.len() - (body.len() - at - set.len()), packet)
    };
    for (lead, rest) in characters() {
        // Content Type, Response Topic, the name and the value of a User Property.
        for before in [&[0x03][..], &[0x08], &[0x26], &[0x26, 0, 1, b'n']] {
            let mut set = [before, &beheaded(lead, rest)].concat();
            set.extend(if before == [0x26] { &[0, 1, b'v'][..] } else { &[] });
            assert!(std::str::from_utf8(&set).is_ok());
            let (start, packet) = publish(&set);
            refused(&packet, Version::V5, start + before.len() + 2);
        }
    }
    let [first, second] = torn();
    let (start, packet) = publish(&[&[0x26], &first[..], &second].concat());
    refused(&packet, Version::V5, start + 1 + 3);
}
