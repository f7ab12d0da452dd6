//! Lines of packets in, lines of verdicts out; hundreds of thousands a second.

use core::fmt::{Debug, Display};
use std::borrow::Cow;
use std::io::{BufRead, Read as _, Write};

use mqtt_device_proto::{DecodeError, DecodeErrorKind, Packet, PacketType, Role, Verdict, Version};
use serde::{Deserialize, Serialize, Serializer};

use super::hex;
use crate::exit::{Failure, Outcome};

/// A line that comes in.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    hex: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow)]
    direction: Cow<'a, str>,
}

/// A line that goes out.
#[derive(Serialize)]
struct Answer<'a> {
    id: Cow<'a, str>,
    verdict: &'static str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    packet: Option<Shown<PacketType>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Named<DecodeErrorKind>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u32>,
}

/// Written as it is displayed.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Written as it is named in the source.
struct Named<T>(T);

impl<T: Debug> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.0))
    }
}

/// Bytes of a line, which is held as a whole: a packet of eight MiB.
const LONGEST: u64 = 1 << 24;

/// What some editors put in front of a file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The answer to a line that is no question.
#[derive(Serialize)]
struct Unclear {
    line: u64,
    error: String,
}

/// Answers every line.
///
/// # Errors
/// A line was no question (2, after all answers), or the output is gone.
pub(super) fn verdicts(mut input: impl BufRead, mut output: impl Write) -> Outcome {
    let (mut line, mut bytes) = (Vec::new(), Vec::new());
    let mut unclear = 0_u64;
    for number in 1_u64.. {
        line.clear();
        let failed = |why: &dyn Display| Failure::usage(format_args!("standard input, line {number}: {why}"));
        let read = (&mut input).take(LONGEST).read_until(b'\n', &mut line).map_err(|error| failed(&error))?;
        if read == 0 {
            break;
        }
        if u64::try_from(line.len()) == Ok(LONGEST) && !line.ends_with(b"\n") {
            output.flush()?;
            return Err(failed(&format_args!("it has more than {LONGEST} bytes: use --file for such a packet")));
        }
        if number == 1 && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match answer(&line, &mut bytes) {
            Ok(answer) => serde_json::to_writer(&mut output, &answer),
            Err(error) => {
                unclear += 1;
                serde_json::to_writer(&mut output, &Unclear { line: number, error })
            }
        }
        .map_err(std::io::Error::from)?;
        output.write_all(b"\n")?;
    }
    output.flush()?;
    match unclear {
        0 => Ok(()),
        1 => Err(Failure::usage("standard input: one line was no question; its answer says why")),
        _ => Err(Failure::usage(format_args!(
            "standard input: {unclear} lines were no questions; their answers say why"
        ))),
    }
}

/// The answer to one line; `bytes` is room for the packet.
fn answer<'l>(line: &'l [u8], bytes: &mut Vec<u8>) -> Result<Answer<'l>, String> {
    let Line { id, hex, version, direction } = serde_json::from_slice(line).map_err(|error| {
        // The line within the line says nothing.
        let text = error.to_string();
        text.replace(
            &format!(" at line {} column {}", error.line(), error.column()),
            &format!(" at {}", error.column()),
        )
    })?;
    let version = match version.as_ref() {
        "3.1" => Version::V31,
        "3.1.1" => Version::V311,
        "5.0" | "5" => Version::V5,
        other => return Err(format!("version {other:?}: write \"3.1\", \"3.1.1\" or \"5.0\"")),
    };
    let role = match direction.as_ref() {
        "c2s" => Role::Client,
        "s2c" => Role::Server,
        other => return Err(format!("direction {other:?}: write \"c2s\" or \"s2c\"")),
    };
    bytes.clear();
    hex::read(&hex, bytes).map_err(|why| format!("hex: {why}"))?;
    let result = Packet::decode(bytes, version, role);
    let verdict = Verdict::of(&result).as_str();
    Ok(match result {
        Ok(packet) => Answer { id, verdict, packet: Some(Shown(packet.packet_type())), kind: None, at: None },
        Err(DecodeError { packet, at, kind }) => {
            Answer { id, verdict, packet: packet.map(Shown), kind: Some(Named(kind)), at: Some(at) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts_of(input: &str) -> (String, Outcome) {
        let mut output = Vec::new();
        let outcome = verdicts(input.as_bytes(), &mut output);
        (String::from_utf8(output).unwrap(), outcome)
    }

    #[test]
    fn each_line_gets_its_verdict() {
        let input = r#"{"id":"a","hex":"c000","version":"3.1.1","direction":"c2s","more":1}
            {"id":"b\u0041","hex":"c100","version":"3.1","direction":"c2s"}

            {"id":"c","hex":"d000","version":"5.0","direction":"c2s"}
            {"id":"d","hex":"c0","version":"3.1.1","direction":"c2s"}"#;
        let (output, outcome) = verdicts_of(input);
        outcome.unwrap();
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines[0], r#"{"id":"a","verdict":"valid","type":"PINGREQ"}"#);
        assert_eq!(lines[1], r#"{"id":"bA","verdict":"malformed","type":"PINGREQ","kind":"ReservedFlags","at":0}"#);
        assert_eq!(
            lines[2],
            r#"{"id":"c","verdict":"protocol-error","type":"PINGRESP","kind":"WrongDirection","at":0}"#
        );
        assert!(lines[3].starts_with(r#"{"id":"d","verdict":"incomplete","#), "{}", lines[3]);
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn a_line_that_is_no_question_is_named_and_the_next_is_answered() {
        let good = r#"{"id":"a","hex":"c000","version":"3.1.1","direction":"c2s"}"#;
        for (bad, says) in [
            ("rubbish", "expected value at 1"),
            (
                r#"{"id":5,"hex":"c000","version":"5","direction":"c2s"}"#,
                "invalid type: integer `5`, expected a string at 7",
            ),
            (r#"{"id":"a","hex":"c","version":"5.0","direction":"c2s"}"#, "hex: a single digit"),
            (r#"{"id":"a","hex":"","version":"4","direction":"c2s"}"#, "version"),
            (r#"{"id":"a","hex":"","version":"5.0","direction":"up"}"#, "direction"),
        ] {
            let (output, outcome) = verdicts_of(&format!("{good}\n{bad}\n{good}\n"));
            let lines: Vec<&str> = output.lines().collect();
            assert_eq!((lines.len(), lines[0]), (3, lines[2]));
            let answer: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
            assert_eq!(answer["line"], 2);
            assert!(answer["error"].as_str().unwrap().contains(says), "{answer}");
            assert!(outcome.unwrap_err().to_string().contains("one line"));
        }
        let (output, outcome) = verdicts_of(&format!("\u{feff}{good}\n{good}"));
        assert_eq!((output.lines().count(), outcome.is_ok()), (2, true), "a byte order mark is nothing: {output}");
        let long = format!("{good}\n{}", "a".repeat(usize::try_from(LONGEST).unwrap() + 1));
        let (output, outcome) = verdicts_of(&long);
        assert!(output.lines().count() == 1 && outcome.unwrap_err().to_string().contains("line 2: it has more than"));
        assert!(verdicts_of("x\ny").1.unwrap_err().to_string().contains("2 lines"));
    }
}
