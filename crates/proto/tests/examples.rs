//! The examples do what they say.

mod common;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::OnceLock;

use common::frame;
use mqtt_device_proto::{Role, Version};

#[path = "../examples/subscribe.rs"]
mod subscribe;
#[path = "../examples/watch.rs"]
mod watch;

/// A link whose other side has said all that it will.
#[derive(Default)]
struct Link {
    incoming: VecDeque<u8>,
    /// The most that one read gives.
    at_once: usize,
    written: Vec<u8>,
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.at_once);
        self.incoming.read(&mut buffer[..most])
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the client shows and sends, and what its end is.
fn subscribed(server: &[&str], at_once: usize) -> (Vec<String>, Vec<u8>, Result<(), String>) {
    let incoming = server.iter().flat_map(|text| frame(text)).collect();
    let mut link = Link { incoming, at_once, written: Vec::new() };
    let mut shown = Vec::new();
    let show = |topic: &str, payload: &[u8]| {
        shown.push(format!("{topic}={}", payload.escape_ascii()));
        Ok(())
    };
    let end = subscribe::subscribe(&mut link, "pump/+", 2, show).map_err(|error| error.to_string());
    (shown, link.written, end)
}

#[test]
fn the_client_subscribes_shows_and_acknowledges() {
    let long = "p".repeat(5000);
    let long = format!("32 .. <pump/1> 0007 '{long}'");
    let server = ["20 .. 00 00", "90 .. 0001 01", "32 .. <pump/7> 0009 'on'", &long, "30 .. <pump/8> 'off'", "C0 00"];
    for at_once in if cfg!(miri) { vec![4096] } else { vec![1, 2, 7, 4096] } {
        let (shown, sent, end) = subscribed(&server, at_once);
        assert_eq!((shown, end), (vec!["pump/7=on".to_owned(), "pump/8=off".to_owned()], Ok(())));
        let expected =
            ["10 .. <MQTT> 04 02 0000 <>", "82 .. 0001 <pump/+> 01", "40 .. 0009", "40 .. 0007", "E0 00"].map(frame);
        assert_eq!(sent, expected.concat());
    }
}

#[test]
fn the_client_says_why_it_ends() {
    for (server, why) in [
        (&["20 .. 00 05"][..], "connection refused: Not authorized"),
        (&["20 .. 00 00", "90 .. 0001 80"], "subscription refused: Unspecified error"),
        (&["20 .. 00 00"], "the server has closed the connection"),
        (&["20 .. 00 00", "D0 00"], "nobody asked for this PINGRESP"),
        (&["20 .. 00 00", "90 .. 0002 01"], "nobody asked for this SUBACK"),
        (&["20 .. 00 00", "34 .. <pump/7> 0009 'on'"], "nobody asked for this PUBLISH"),
        (&["20 .. 02 00"], "CONNACK, byte 2: reserved acknowledge flags set"),
    ] {
        assert_eq!(subscribed(server, 4096).2, Err(why.to_owned()));
    }
}

/// What is shown of the bytes of a side, which all are passed on.
fn watched(sender: Role, bytes: &[u8], at_once: usize, version: &OnceLock<Version>) -> Vec<String> {
    let mut link = Link { incoming: bytes.iter().copied().collect(), at_once, written: Vec::new() };
    let (mut shown, mut passed) = (Vec::new(), Vec::new());
    watch::watch(sender, &mut link, &mut passed, version, |packet| {
        shown.push(packet.map_or_else(|error| error.to_string(), |packet| packet.packet_type().to_string()));
    })
    .unwrap();
    assert_eq!(passed, bytes);
    shown
}

#[test]
fn the_proxy_passes_on_everything_and_shows_the_packets() {
    // Miri sees one that is not too long.
    let long = "p".repeat(if cfg!(miri) { 7 } else { 70_000 });
    let packets: &[&str] = if cfg!(miri) { &["CONNECT", "PUBLISH", "SUBSCRIBE"] } else { &["CONNECT", "SUBSCRIBE"] };
    let client =
        ["10 .. <MQIsdp> 03 02 0000 <me>", &format!("30 .. <t> '{long}'"), "8A .. 0001 <a> 00"].map(frame).concat();
    for at_once in if cfg!(miri) { vec![65_536] } else { vec![1, 4096, 65_536] } {
        let version = OnceLock::new();
        assert_eq!(watched(Role::Client, &client, at_once, &version), packets);
        assert_eq!(version.get(), Some(&Version::V31), "in which SUBSCRIBE has DUP");
        let server = ["20 .. 07 00", "90 .. 0001 00", "00 00", "D0 00"].map(frame).concat();
        let shown = watched(Role::Server, &server, at_once, &version);
        // Behind what is no packet nothing is shown.
        assert_eq!(shown, ["CONNACK", "SUBACK", "byte 0: reserved packet type"]);
    }
}

#[test]
fn the_proxy_does_not_guess_what_is_spoken() {
    // A level that nobody knows, and a server that speaks before the client.
    let unknown = ["10 .. <MQTT> 06 02 0000 <me>", "30 .. <t> 'x'"].map(frame).concat();
    let version = OnceLock::new();
    assert_eq!(
        watched(Role::Client, &unknown, 4096, &version),
        ["CONNECT, byte 8: protocol level 6 is not that of the version"]
    );
    assert_eq!(watched(Role::Server, &frame("20 .. 00 00"), 4096, &version), [""; 0]);
    assert_eq!(version.get(), None);
    if !cfg!(miri) {
        let long = format!("10 .. <MQTT> 04 C2 0000 <me> <user> <{}>", "p".repeat(65_535));
        assert_eq!(watched(Role::Client, &[frame(&long), frame("C0 00")].concat(), 4096, &version), [""; 0]);
        assert_eq!(version.get(), None);
    }
}

#[cfg(feature = "v5")]
#[test]
fn the_proxy_goes_on_behind_a_long_message_with_an_alias() {
    let long = format!("30 .. <> {{ 23 0001 }} '{}'", "p".repeat(if cfg!(miri) { 7 } else { 70_000 }));
    let client = ["10 .. <MQTT> 05 02 0000 00 <me>", "30 .. <al> { 23 0001 } 'x'", &long, "30 .. <after> 00", "C0 00"]
        .map(frame);
    let version = OnceLock::new();
    let mut shown = watched(Role::Client, &client.concat(), 4096, &version);
    if cfg!(miri) {
        shown.remove(2);
    }
    assert_eq!(shown, ["CONNECT", "PUBLISH", "PUBLISH", "PINGREQ"]);
    assert_eq!(version.get(), Some(&Version::V5));
}
