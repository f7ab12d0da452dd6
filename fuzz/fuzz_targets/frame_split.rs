//! A stream cut into any pieces gives the same packets as the whole, and a `Framer` gives them in any buffer that is long
//! enough; of what is longer than its buffer it says what it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqtt_device_fuzz::meaning;
use mqtt_device_proto::{
    DecodeError, DecodeErrorKind, Framed, Framer, Packet, Role, Skipped, Status, Version, frame_len,
};

const LIMIT: u32 = 256;

/// Takes packets off `stream`, of which `given` bytes are there, until more are needed.
fn take(
    stream: &[u8],
    at: &mut usize,
    given: usize,
    version: Version,
    role: Role,
    out: &mut Vec<String>,
) -> Result<(), DecodeError> {
    loop {
        let there = &stream[(*at).min(given)..given];
        match frame_len(there, LIMIT)? {
            Status::Complete(len) => {
                out.push(format!("{:?}", Packet::decode(&there[..len], version, role)?));
                *at += len;
            }
            Status::Partial { need } => {
                assert!(need > there.len());
                return Ok(());
            }
            Status::Oversize { total } => {
                out.push(format!("oversize {total}"));
                *at += usize::try_from(total).unwrap();
            }
        }
        if *at >= given {
            return Ok(());
        }
    }
}

/// The same in one go, as a framer with a buffer of `limit` bytes must see it: whole packets, and the heads of those that
/// are longer. Nothing is decoded.
fn expect(stream: &[u8], limit: usize, version: Version) -> (Vec<String>, Option<DecodeError>) {
    let (mut out, mut rest) = (Vec::new(), stream);
    loop {
        match frame_len(rest, u32::try_from(limit).unwrap()) {
            Ok(Status::Complete(len)) => {
                out.push(format!("{:02x?}", &rest[..len]));
                rest = &rest[len..];
            }
            Ok(Status::Partial { .. }) => return (out, None),
            Ok(Status::Oversize { total }) => {
                // The fixed header is judged by the version, though a framer does not know the sender.
                if let Err(error) = Packet::decode(&rest[..rest.len().min(5)], version, Role::Client)
                    && !matches!(error.kind, DecodeErrorKind::Incomplete | DecodeErrorKind::WrongDirection)
                {
                    return (out, Some(error));
                }
                // No more of it is ever in the buffer.
                let seen = &rest[..rest.len().min(limit)];
                match Skipped::decode(seen, version, seen.len() >= limit) {
                    Err(error) => return (out, Some(error)),
                    Ok(None) => return (out, None),
                    Ok(Some(skipped)) => out.push(format!("{skipped:?}")),
                }
                match rest.get(usize::try_from(total).unwrap()..) {
                    Some(behind) => rest = behind,
                    None => return (out, None),
                }
            }
            Err(error) => return (out, Some(error)),
        }
    }
}

/// What a framer makes of `stream`, in pieces of what `piece` says.
fn frame(
    mut stream: &[u8],
    limit: usize,
    version: Version,
    mut piece: impl FnMut() -> usize,
) -> (Vec<String>, Option<DecodeError>) {
    let mut buffer = vec![0; limit];
    let mut framer = Framer::new(&mut buffer, u32::MAX, version);
    let mut out = Vec::new();
    while !stream.is_empty() {
        let space = framer.space();
        assert!(!space.is_empty());
        let n = piece().clamp(1, space.len()).min(stream.len());
        space[..n].copy_from_slice(&stream[..n]);
        framer.filled(n);
        stream = &stream[n..];
        loop {
            match framer.next() {
                Ok(Some(Framed::Frame(frame))) => out.push(format!("{:02x?}", frame.bytes())),
                Ok(Some(Framed::Skipped(skipped))) => out.push(format!("{skipped:?}")),
                Ok(None) => break,
                Err(error) => return (out, Some(error)),
            }
        }
    }
    (out, None)
}

fuzz_target!(|data: &[u8]| {
    let [first, step, stream @ ..] = data else { return };
    let (version, role) = meaning(*first);
    let mut whole = Vec::new();
    let end = take(stream, &mut 0, stream.len(), version, role, &mut whole);

    let (mut pieces, mut at, mut given) = (Vec::new(), 0, 0);
    let mut step = u64::from(*step) + 1;
    let mut end_of_pieces = Ok(());
    while given < stream.len() && end_of_pieces.is_ok() {
        // Pieces of 1 to 13 bytes, different each time.
        step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        given = (given + 1 + usize::try_from((step >> 33) % 13).unwrap()).min(stream.len());
        if at < given {
            end_of_pieces = take(stream, &mut at, given, version, role, &mut pieces);
        }
    }
    assert_eq!(whole, pieces);
    assert_eq!(end, end_of_pieces);

    // The smallest buffer holds a fixed header and nothing else.
    let limit = 5 + usize::try_from(step >> 40).unwrap() % 60;
    let expected = expect(stream, limit, version);
    let mut random = || {
        step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((step >> 33) % 13).unwrap()
    };
    assert_eq!(frame(stream, limit, version, || 1), expected);
    assert_eq!(frame(stream, limit, version, &mut random), expected);
    assert_eq!(frame(stream, limit, version, || usize::MAX), expected);
});
