//! Every statement of the standards that a codec can break, checked on bytes: what is refused, why and where, and what
//! is accepted and comes out as the same bytes. Prints what ran against the lists of statements beside this file, and
//! fails where a statement was not covered from both sides (a `+` in the list: it only allows something).

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "v5")]
mod properties;
mod v31;
mod v311;
#[cfg(feature = "v5")]
mod v5;

use std::collections::{BTreeMap, BTreeSet};

use common::frame;
use mqtt_device_proto::{DecodeErrorKind, EncodeError, Packet, Role, Version};

/// Bytes of the longest string. Miri takes minutes for one of these, and gets shorter ones.
const LONGEST: usize = if cfg!(miri) { 999 } else { 65_535 };

struct Checks {
    version: Version,
    /// Each statement, and whether it refuses something.
    statements: BTreeMap<&'static str, bool>,
    refused: BTreeSet<&'static str>,
    accepted: BTreeSet<&'static str>,
}

impl Checks {
    fn new(version: Version, list: &'static str) -> Self {
        let ids = list.lines().map(|line| line.split_once(':').expect("id: text").0);
        let statements = ids.map(|id| (id.trim_start_matches('+'), !id.starts_with('+'))).collect();
        Self { version, statements, refused: BTreeSet::new(), accepted: BTreeSet::new() }
    }

    fn known(&self, id: &'static str) {
        assert!(id.is_empty() || self.statements.contains_key(id), "{id} is in no list");
    }

    /// `text` from `role` is refused with `kind` at byte `at`. An empty id is a rule that has no statement.
    #[track_caller]
    fn refuses(&mut self, id: &'static str, role: Role, text: &str, kind: DecodeErrorKind, at: u32) {
        self.known(id);
        let bytes = frame(text);
        let error = Packet::decode(&bytes, self.version, role).expect_err(text);
        assert_eq!((error.kind, error.at), (kind, at), "{text}: {error}");
        if let Some(statement) = error.statement(self.version) {
            // Those two bind a session, which the codec helps.
            let known =
                ["MQTT-3.1.2-2", "MQTT-2.2.1-3"].contains(&statement) || self.statements.get(statement) == Some(&true);
            assert!(known, "{statement} is in no list");
        }
        self.refused.insert(id);
    }

    /// `text` from `role` is a packet, and the packet is encoded as `text`.
    #[track_caller]
    fn accepts(&mut self, id: &'static str, role: Role, text: &str) {
        let bytes = frame(text);
        self.accepts_as(id, role, text, &bytes);
    }

    /// The same, but the shortest form is another.
    #[track_caller]
    fn accepts_as(&mut self, id: &'static str, role: Role, text: &str, shortest: &[u8]) {
        self.known(id);
        let bytes = frame(text);
        let packet = Packet::decode(&bytes, self.version, role).unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut out = vec![0; bytes.len()];
        let len = packet.encode(self.version, &mut out).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(out[..len], *shortest, "{text}");
        assert_eq!(packet.encoded_len(self.version), Ok(len));
        self.accepted.insert(id);
    }

    /// The caller cannot send `packet`.
    #[track_caller]
    fn cannot_send<'b>(&mut self, id: &'static str, packet: impl Into<Packet<'b>>, error: EncodeError) {
        self.known(id);
        let packet = packet.into();
        let mut out = [0; 512];
        assert_eq!(packet.encode(self.version, &mut out), Err(error), "{packet:?}");
        assert_eq!(packet.encoded_len(self.version), Err(error), "{packet:?}");
        self.refused.insert(id);
    }

    /// Of all bytes in the place of `??`, exactly `allowed` are accepted.
    #[cfg(feature = "v5")]
    #[track_caller]
    fn codes(&mut self, id: &'static str, role: Role, text: &str, at: u32, allowed: &[u8]) {
        for code in 0..=255u8 {
            let text = text.replace("??", &format!("{code:02x}"));
            if allowed.contains(&code) {
                let bytes = frame(&text);
                assert!(Packet::decode(&bytes, self.version, role).is_ok(), "{text}");
                self.accepted.insert(id);
            } else {
                self.refuses(id, role, &text, DecodeErrorKind::BadReasonCode(code), at);
            }
        }
    }

    /// The lower half of the first byte must be `flags`.
    #[track_caller]
    fn flags(&mut self, ids: &[&'static str], role: Role, packet_type: u8, flags: u8, body: &str) {
        for wrong in (0..16).filter(|other| *other != flags) {
            // One byte is enough to refuse it.
            for text in
                [format!("{:02x}", packet_type << 4 | wrong), format!("{:02x} .. {body}", packet_type << 4 | wrong)]
            {
                ids.iter().for_each(|id| self.refuses(id, role, &text, DecodeErrorKind::ReservedFlags, 0));
            }
        }
        let text = format!("{:02x} .. {body}", packet_type << 4 | flags);
        ids.iter().for_each(|id| self.accepts(id, role, &text));
    }

    fn finish(self) {
        let mut covered = 0;
        let mut missing = Vec::new();
        for (&id, &refusable) in &self.statements {
            match (self.accepted.contains(id), self.refused.contains(id)) {
                (true, refused) if refused || !refusable => covered += 1,
                (accepted, _) => {
                    missing.push(format!("{id} {}", if accepted { "never refused" } else { "never accepted" }))
                }
            }
        }
        let total = self.statements.len();
        if total != 0 {
            println!("conformance {}: {covered}/{total}", self.version);
        }
        assert!(missing.is_empty(), "not covered: {missing:#?}");
    }
}
