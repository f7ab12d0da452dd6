//! Writes the first corpus of each target: `cargo run --example seeds` in this folder. Every packet of every version,
//! small, with and without its optional parts, and a few that are refused.

use std::fs;
use std::path::Path;

use mqtt_device_fuzz::first_byte;
use mqtt_device_proto::{Packet, Role, Version};

/// Bodies behind the first byte; the length is put in between.
const V3: &[(u8, &[u8])] = &[
    (0x10, b"\0\x04MQTT\x04\x02\0\x0A\0\x01p"),
    (0x10, b"\0\x04MQTT\x04\xF6\0\x0A\0\x01p\0\x01t\0\x01m\0\x01u\0\x01s"),
    (0x10, b"\0\x06MQIsdp\x03\x02\0\x0A\0\x01p"),
    (0x20, b"\0\0"),
    (0x20, b"\x01\0"),
    (0x20, b"\0\x05"),
    (0x30, b"\0\x03a/bpayload"),
    (0x3D, b"\0\x03a/b\0\x01payload"),
    (0x32, b"\0\x01a\x12\x34"),
    (0x40, b"\0\x01"),
    (0x50, b"\0\x01"),
    (0x62, b"\0\x01"),
    (0x70, b"\0\x01"),
    (0x82, b"\0\x01\0\x03a/#\x01\0\x01+\x02"),
    (0x90, b"\0\x01\0\x01\x02\x80"),
    (0xA2, b"\0\x01\0\x03a/#\0\x01+"),
    (0xB0, b"\0\x01"),
    (0xC0, b""),
    (0xD0, b""),
    (0xE0, b""),
    (0x36, b"\0\x01a\0\x01"),
    (0x82, b"\0\x01\0\x02a#\x01"),
    (0x30, b"\0\x02a\0"),
    (0x30, b"\0\x03\xED\xA0\x80"),
];

const V5: &[(u8, &[u8])] = &[
    (0x10, b"\0\x04MQTT\x05\x02\0\x0A\0\0\x01p"),
    (
        0x10,
        b"\0\x04MQTT\x05\xF6\0\x0A\x10\x11\0\0\0\x01\x21\0\x05\x22\0\x05\x27\0\0\x01\0\0\x01p\x07\x18\0\0\0\x01\x01\x01\0\x01t\0\x01m\0\x01u\0\x01s",
    ),
    (0x10, b"\0\x04MQTT\x05\x02\0\x0A\x0C\x15\0\x01m\x16\0\x01d\x17\0\x19\x01\0\x01p"),
    (0x20, b"\0\0\0"),
    (0x20, b"\x01\0\x16\x21\0\x05\x24\x01\x25\0\x28\0\x29\0\x2A\0\x12\0\x01i\x13\0\x01\x1A\0"),
    (0x20, b"\0\x87\x0D\x1F\0\x01w\x26\0\x01a\0\x01b\x24\0"),
    (0x30, b"\0\x03a/b\0payload"),
    (0x32, b"\0\x03a/b\0\x01\x1C\x01\x01\x02\0\0\0\x01\x03\0\x01c\x08\0\x01r\x09\0\x01d\x0B\x01\x0B\x80\x01\x23\0\x01payload"),
    (0x30, b"\0\0\x03\x23\0\x01x"),
    (0x40, b"\0\x01"),
    (0x40, b"\0\x01\x10"),
    (0x50, b"\0\x01\x87\x04\x1F\0\x01w"),
    (0x62, b"\0\x01\x92\x07\x26\0\x01a\0\x01b"),
    (0x70, b"\0\x01\x92"),
    (0x82, b"\0\x01\x02\x0B\x01\0\x03a/#\x2E\0\x0A$share/g/a\x01"),
    (0x90, b"\0\x01\0\0\x01\x02\x80"),
    (0xA2, b"\0\x01\x07\x26\0\x01a\0\x01b\0\x03a/#"),
    (0xB0, b"\0\x01\0\0\x11"),
    (0xE0, b"\x04"),
    (0xE0, b"\x8E\x04\x1F\0\x01w"),
    (0xE0, b"\0\x05\x11\0\0\0\x01"),
    (0xF0, b"\x18\x08\x15\0\x01m\x16\0\x01d"),
    (0xF0, b""),
    (0x30, b"\0\x03a/b\x02\x05\x01"),
    (0x30, b"\0\x03a/b\x03\x0B\x80\x00"),
];

/// Filters of all forms, and what is done with them.
const ROUTES: &str =
    "a/b\na/+\n+/b\n#\n$SYS/#\n$share/g/a/#\na//+\n+\na/#\na/b\n?a/b\n?a\n?$SYS/x\n?a//\n-a/b\n?a/b\n~1\n?a/b/c\na#\n";

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let (mut streams, mut count) = (Vec::new(), 0);
    for (version, packets) in [(Version::V31, V3), (Version::V311, V3), (Version::V5, V5)] {
        for role in [Role::Client, Role::Server] {
            let mut stream = vec![first_byte(version, role), 3];
            for (first, body) in packets {
                let mut frame = vec![*first, u8::try_from(body.len()).expect("short")];
                frame.extend(*body);
                let valid = Packet::decode(&frame, version, role).is_ok();
                if valid {
                    stream.extend(&frame);
                }
                let name = format!("{version}-{role:?}-{count:03}");
                count += 1;
                frame.insert(0, first_byte(version, role));
                for target in ["decode", "roundtrip", "owned"].into_iter().take(if valid { 3 } else { 1 }) {
                    fs::create_dir_all(corpus.join(target))?;
                    fs::write(corpus.join(target).join(&name), &frame)?;
                }
                if let Some(Ok(packet)) = valid.then(|| Packet::decode(&frame[1..], version, role)) {
                    let json = serde_json::to_vec(&packet)?;
                    let seed = [&[first_byte(version, role)][..], &json].concat();
                    fs::write(corpus.join("owned").join(format!("{name}-json")), seed)?;
                }
            }
            streams.push((format!("{version}-{role:?}"), stream));
        }
    }
    fs::create_dir_all(corpus.join("frame_split"))?;
    for (name, stream) in streams {
        fs::write(corpus.join("frame_split").join(name), stream)?;
    }
    fs::create_dir_all(corpus.join("encode"))?;
    for kind in 0..15u8 {
        for version in [2u8, 3, 4, 5] {
            let mut seed = vec![version, kind, 0, 0, 0, 1, 0, 1, 0, 1];
            seed.extend(b"\x03a/b\x01\x01\x03a/b\x01\x01\x01p");
            fs::write(corpus.join("encode").join(format!("{kind:02}-{version}")), seed)?;
        }
    }
    fs::create_dir_all(corpus.join("router"))?;
    fs::write(corpus.join("router").join("lines"), ROUTES)?;
    Ok(())
}
