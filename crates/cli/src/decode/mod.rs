//! `decode`: what bytes are as MQTT packets, and what is wrong with those that are none.

mod fields;
mod hex;
mod jsonl;

use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mqtt_device_proto::{
    Connect, DecodeError, DecodeErrorKind, Packet, PacketType, Role, Status, Verdict, Version, frame_len,
};
use serde_json::json;

use crate::exit::{Failure, Outcome};
use crate::output::{Output, Tone};
use crate::text::Plain;

const ABOUT: &str = "\
Decodes MQTT packets, strictly by the standard: prints each packet, and for bytes that are none the offset of the \
defect, what it is, the statement of the standard that it breaks, and the code to answer. Behind a bad packet it goes on, \
if its end is known.

The bytes come as hexadecimal digits (spaces, colons, commas and 0x do not matter; - reads the digits from standard \
input), or from a file as they are. Without --mqtt they are MQTT 3.1.1, and from a CONNECT on the version it announces.

With --json, one object a packet: where it starts (packetAt) and how long it is (len), verdict, type, and either the \
packet, in which a payload that is no text is payloadHex and of a password the length is all that is shown, or the defect: \
at, kind, statement, message, the code to answer, and how many bytes are missing.

With --jsonl, lines of JSON come on standard input, each exactly one packet, \
{\"id\":\"…\",\"hex\":\"…\",\"version\":\"3.1\"|\"3.1.1\"|\"5.0\",\"direction\":\"c2s\"|\"s2c\"}, and for each a line \
goes out: {\"id\":\"…\",\"verdict\":\"valid\"|\"malformed\"|\"protocol-error\"|\"incomplete\",\"type\":\"…\",\"kind\":\
\"…\",\"at\":n}. A line that is no such question is answered by {\"line\":n,\"error\":\"…\"}; then the exit status is 2 \
at the end, and otherwise 0, whatever the verdicts.";

const AFTER: &str = "\
Examples:
  mqtt-device decode 30 07 00 04 64 6f 6f 72 31
  mqtt-device decode --mqtt 5 --from server 20:03:00:00:00
  xxd -p capture.bin | mqtt-device decode -
  mqtt-device decode '0x30, 0x05, 0x00, 0x01, 0x61, 0x68, 0x69'
  mqtt-device decode --file capture.bin --json
  mqtt-device decode --jsonl <packets.jsonl >verdicts.jsonl";

/// Decode packets; say exactly what is wrong with bad ones
#[derive(Args, Debug)]
#[command(long_about = ABOUT, after_help = AFTER, after_long_help = format!("{AFTER}\n\n{}", crate::cli::exit_status()))]
pub(crate) struct Options {
    /// The bytes, as hexadecimal digits; `-` reads them from standard input
    #[arg(value_name = "HEX", required_unless_present_any = ["file", "jsonl"])]
    hex: Vec<String>,
    /// A file with the bytes as they are; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "hex")]
    file: Option<PathBuf>,
    /// The version of MQTT (3.1, 3.1.1 and 5.0 work as well); otherwise 4, and what a CONNECT announces
    #[arg(long, value_name = "VERSION")]
    mqtt: Option<Mqtt>,
    /// Who sent the bytes
    #[arg(long, value_name = "SIDE", default_value = "client")]
    from: Side,
    /// Print one JSON object per packet
    #[arg(long)]
    json: bool,
    /// Read lines of JSON on standard input and write a verdict for each
    #[arg(long, conflicts_with_all = ["hex", "file", "mqtt", "from", "json"])]
    jsonl: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mqtt {
    /// MQTT 3.1
    #[value(name = "3", alias = "3.1")]
    V31,
    /// MQTT 3.1.1
    #[value(name = "4", alias = "3.1.1")]
    V311,
    /// MQTT 5
    #[value(name = "5", alias = "5.0")]
    V5,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Side {
    Client,
    Server,
}

/// Decodes and prints.
///
/// # Errors
/// Not all bytes are packets (1), or they cannot be read (2).
pub(crate) fn decode(options: &Options) -> Outcome {
    if options.jsonl {
        return jsonl::verdicts(io::stdin().lock(), io::BufWriter::with_capacity(1 << 16, io::stdout().lock()));
    }
    let bytes = match &options.file {
        Some(file) => read(file)?,
        None => {
            let mut bytes = Vec::new();
            let digits = match options.hex.as_slice() {
                [stdin] if stdin == "-" => io::read_to_string(io::stdin().lock())
                    .map_err(|error| Failure::usage(format_args!("standard input: {error}")))?,
                digits => digits.concat(),
            };
            hex::read(&digits, &mut bytes).map_err(|why| Failure::usage(format_args!("HEX: {why}")))?;
            bytes
        }
    };
    if bytes.is_empty() {
        return Err(Failure::usage("there are no bytes to decode"));
    }
    let version = options.mqtt.map(|mqtt| match mqtt {
        Mqtt::V31 => Version::V31,
        Mqtt::V311 => Version::V311,
        Mqtt::V5 => Version::V5,
    });
    let role = match options.from {
        Side::Client => Role::Client,
        Side::Server => Role::Server,
    };
    print(&bytes, version, role, options.json)
}

fn read(file: &std::path::Path) -> Outcome<Vec<u8>> {
    let read = if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::stdin().lock(), &mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    read.map_err(|error| Failure::usage(format_args!("--file: cannot read {}: {error}", file.display())))
}

fn print(bytes: &[u8], given: Option<Version>, role: Role, as_json: bool) -> Outcome {
    let mut output = Output::new();
    let (mut at, mut all_good) = (0, true);
    let mut version = given.unwrap_or(Version::V311);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        if given.is_none()
            && let Ok(Some(announced)) = Connect::version(rest)
        {
            version = announced;
        }
        let (len, missing, result) = match frame_len(rest, u32::MAX) {
            Ok(Status::Complete(len)) => (len, None, Packet::decode(rest.get(..len).unwrap_or(rest), version, role)),
            // Of what is cut short, the beginning may be wrong already.
            Ok(Status::Partial { need }) => {
                (rest.len(), need.checked_sub(rest.len()), Packet::decode(rest, version, role))
            }
            Ok(Status::Oversize { .. }) => (rest.len(), None, Packet::decode(rest, version, role)),
            // Behind it no packet's beginning is known.
            Err(error) => (rest.len(), None, Err(error)),
        };
        match result {
            Ok(packet) => {
                let (kind, fields) = (packet.packet_type().to_string(), fields::of(&packet, version));
                if as_json {
                    let shown = json!({"packetAt": at, "len": len, "verdict": "valid", "type": kind, "packet": fields});
                    output.json(&shown)?;
                } else {
                    // JSON escapes some control characters, but not all that move a cursor or turn text around.
                    let fields: String =
                        fields.iter().map(|(name, value)| format!("  {name}={}", Plain(&value.to_string()))).collect();
                    output.line(&format!("{at:>6}  {len:>5} bytes  {kind}{fields}"))?;
                }
            }
            Err(error) => {
                all_good = false;
                Defect { error, at, missing, version, role, given: given.is_some() }.show(&mut output, as_json)?;
            }
        }
        at += len;
    }
    if all_good { Ok(()) } else { Err(Failure::quiet(1)) }
}

/// What is wrong with a packet that starts at `at`.
struct Defect {
    error: DecodeError,
    at: usize,
    /// Bytes until it could be whole, as far as that is known.
    missing: Option<usize>,
    version: Version,
    role: Role,
    /// Whether the version was.
    given: bool,
}

impl Defect {
    fn show(&self, output: &mut Output, as_json: bool) -> Outcome {
        let Self { error, at, version, .. } = *self;
        let verdict = Verdict::of(&Err(error));
        let missing = self.missing.filter(|_| verdict == Verdict::Incomplete);
        let place = at.saturating_add(usize::try_from(error.at).unwrap_or(usize::MAX));
        let kind = format!("{:?}", error.kind);
        if as_json {
            let packet = error.packet.map(|packet| packet.to_string());
            let mut shown = json!({"packetAt": at, "at": place, "verdict": verdict.as_str(), "type": packet,
                "kind": kind, "statement": error.statement(version), "message": error.kind.to_string()});
            for (name, value) in [
                ("reasonCode", self.reason_code().map(usize::from)),
                ("returnCode", self.return_code().map(usize::from)),
                ("missing", missing),
            ] {
                if let Some(value) = value {
                    shown[name] = value.into();
                }
            }
            if let Some(hint) = self.hint() {
                shown["hint"] = hint.into();
            }
            return Ok(output.json(&shown)?);
        }
        let mut text = format!("byte {place}: ");
        if let Some(packet) = error.packet {
            text += &if place == at { format!("{packet}: ") } else { format!("{packet} at byte {at}: ") };
        }
        text += &error.kind.to_string();
        if let Some(statement) = error.statement(version) {
            text += &format!(" [{statement}]");
        }
        text += &format!(": {}", verdict.as_str());
        match (self.reason_code(), self.return_code(), missing) {
            (Some(code), ..) => text += &format!(", reason code 0x{code:02x}"),
            (_, Some(code), _) => text += &format!(", return code {code}"),
            (.., Some(missing)) => text += &format!(", at least {missing} more bytes"),
            _ => {}
        }
        if let Some(hint) = self.hint() {
            text += &format!("; {hint}");
        }
        Ok(output.line(&Tone::Bad.paint(&text, 0))?)
    }

    /// What MQTT 5 has the receiver answer.
    fn reason_code(&self) -> Option<u8> {
        let is_answered = self.version == Version::V5 && Verdict::of(&Err(self.error)) != Verdict::Incomplete;
        is_answered.then(|| self.error.reason_code().as_u8())
    }

    /// What the older versions have a server answer to some CONNECTs; all else it answers by closing the connection.
    fn return_code(&self) -> Option<u8> {
        let is_answered = self.version != Version::V5 && self.error.packet == Some(PacketType::Connect);
        is_answered.then(|| self.error.reason_code().as_return_code()).flatten().filter(|code| *code != 0)
    }

    /// What to do if the bytes are good and the question is not.
    fn hint(&self) -> Option<String> {
        match (self.error.kind, self.error.packet) {
            (DecodeErrorKind::BadProtocolLevel(level @ (3..=5)), _) if self.given => {
                Some(format!("it was read as MQTT {}: try --mqtt {level}", self.version))
            }
            (DecodeErrorKind::WrongDirection, Some(packet)) => match self.role {
                Role::Client if packet.is_sent_by(Role::Server, self.version) => Some("try --from server".to_owned()),
                Role::Server if packet.is_sent_by(Role::Client, self.version) => Some("try --from client".to_owned()),
                _ => Some(format!("it was read as MQTT {}: try --mqtt 5", self.version)),
            },
            _ => None,
        }
    }
}
