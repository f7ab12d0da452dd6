//! `decode`: what bytes are as MQTT packets, and what is wrong with those that are none.

mod fields;
mod hex;
mod jsonl;

use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mqtt_device_proto::{DecodeError, Packet, Role, Status, Verdict, Version, frame_len};
use serde_json::json;

use crate::exit::{Failure, Outcome};
use crate::output::{Output, Tone};

const ABOUT: &str = "\
Decodes MQTT packets, strictly by the standard: prints each packet, and for bytes that are none the offset of the \
defect, what it is, the statement of the standard that it breaks, and the reason code to answer.

The bytes come as hexadecimal digits (spaces, colons, commas and 0x do not matter), or from a file as they are. With \
--jsonl, lines of JSON come on standard input, each exactly one packet, \
{\"id\":\"…\",\"hex\":\"…\",\"version\":\"3.1\"|\"3.1.1\"|\"5.0\",\"direction\":\"c2s\"|\"s2c\"}, and for each a line \
goes out: {\"id\":\"…\",\"verdict\":\"valid\"|\"malformed\"|\"protocol-error\"|\"incomplete\",\"type\":\"…\",\"kind\":\
\"…\",\"at\":n}.";

const AFTER: &str = "\
Examples:
  mqtt-device decode 30 07 00 04 64 6f 6f 72 31
  mqtt-device decode --mqtt 5 --from server 20:03:00:00:00
  mqtt-device decode '0x30, 0x05, 0x00, 0x01, 0x61, 0x68, 0x69'
  mqtt-device decode --file capture.bin --json
  mqtt-device decode --jsonl <packets.jsonl >verdicts.jsonl";

/// Decode packets; say exactly what is wrong with bad ones
#[derive(Args, Debug)]
#[command(long_about = ABOUT, after_help = AFTER, after_long_help = format!("{AFTER}\n\n{}", crate::cli::exit_status()))]
pub(crate) struct Options {
    /// The bytes, as hexadecimal digits
    #[arg(value_name = "HEX", required_unless_present_any = ["file", "jsonl"])]
    hex: Vec<String>,
    /// A file with the bytes as they are; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "hex")]
    file: Option<PathBuf>,
    /// The version of MQTT (3.1, 3.1.1 and 5.0 work as well)
    #[arg(long, value_name = "VERSION", default_value = "4")]
    mqtt: Mqtt,
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
/// The bytes are no packets (1), or cannot be read (2).
pub(crate) fn decode(options: &Options) -> Outcome {
    if options.jsonl {
        return jsonl::verdicts(io::stdin().lock(), io::BufWriter::with_capacity(1 << 16, io::stdout().lock()));
    }
    let bytes = match &options.file {
        Some(file) => read(file)?,
        None => {
            let mut bytes = Vec::new();
            hex::read(&options.hex.concat(), &mut bytes).map_err(|why| Failure::usage(format_args!("HEX: {why}")))?;
            bytes
        }
    };
    let version = match options.mqtt {
        Mqtt::V31 => Version::V31,
        Mqtt::V311 => Version::V311,
        Mqtt::V5 => Version::V5,
    };
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

fn print(bytes: &[u8], version: Version, role: Role, as_json: bool) -> Outcome {
    let mut output = Output::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let (len, result) = match frame_len(rest, u32::MAX) {
            Ok(Status::Complete(len)) => {
                let frame = rest.get(..len).unwrap_or(rest);
                (len, Packet::decode(frame, version, role))
            }
            // Of what is cut short, the beginning may be wrong already.
            Ok(_) => (rest.len(), Packet::decode(rest, version, role)),
            Err(error) => (rest.len(), Err(error)),
        };
        match result {
            Ok(packet) => {
                let (kind, fields) = (packet.packet_type().to_string(), fields::of(&packet, version));
                if as_json {
                    let shown = json!({"at": at, "len": len, "verdict": "valid", "type": kind, "packet": fields});
                    output.json(&shown)?;
                } else {
                    let fields: String = fields.iter().map(|(name, value)| format!("  {name}={value}")).collect();
                    output.line(&format!("{at:>6}  {len:>5} bytes  {kind}{fields}"))?;
                }
            }
            Err(error) => {
                complain(&mut output, &error, at, version, as_json)?;
                return Err(Failure::quiet(1)); // behind it no packet's beginning is known
            }
        }
        at += len;
    }
    Ok(())
}

fn complain(output: &mut Output, error: &DecodeError, at: usize, version: Version, as_json: bool) -> Outcome {
    let verdict = Verdict::of(&Err(*error));
    let place = at.saturating_add(usize::try_from(error.at).unwrap_or(usize::MAX));
    let kind = format!("{:?}", error.kind);
    let code = error.reason_code().as_u8();
    if as_json {
        let packet = error.packet.map(|packet| packet.to_string());
        return Ok(output.json(&json!({"at": place, "verdict": verdict.as_str(), "type": packet, "kind": kind,
            "statement": error.statement(version), "reasonCode": code, "message": error.kind.to_string()}))?);
    }
    let statement = error.statement(version).map(|statement| format!(" [{statement}]")).unwrap_or_default();
    let packet = error.packet.map(|packet| format!("{packet}: ")).unwrap_or_default();
    let text = format!("byte {place}: {packet}{}{statement}: {verdict}, reason code 0x{code:02x}", error.kind);
    Ok(output.line(&Tone::Bad.paint(&text, 0))?)
}
