//! A stream cut into any pieces gives the same packets as the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqtt_device_fuzz::meaning;
use mqtt_device_proto::{DecodeError, Packet, Role, Status, Version, frame_len};

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
});
