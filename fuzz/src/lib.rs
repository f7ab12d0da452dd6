//! What the fuzz targets share: how an input is read, and what must hold of whatever is accepted.

use mqtt_device_proto::{Packet, Role, Status, Version, frame_len};

/// The first byte of an input says how the rest is meant: its version and its sender.
#[must_use]
pub fn meaning(first: u8) -> (Version, Role) {
    let version = match first >> 1 & 3 {
        0 => Version::V31,
        1 => Version::V311,
        _ => Version::V5,
    };
    (version, if first & 1 == 0 { Role::Client } else { Role::Server })
}

/// The other way.
#[must_use]
pub fn first_byte(version: Version, role: Role) -> u8 {
    let version = match version {
        Version::V31 => 0,
        Version::V311 => 1,
        _ => 2,
    };
    version << 1 | u8::from(role == Role::Server)
}

/// An accepted packet means the same when it is sent on, is never longer then, and ends where `frame_len` says.
///
/// # Panics
/// If not.
pub fn check(packet: &Packet<'_>, bytes: &[u8], version: Version, role: Role) {
    assert_eq!(frame_len(bytes, u32::MAX), Ok(Status::Complete(bytes.len())));
    assert_eq!(packet.check_sender(role, version), Ok(()));
    let len = packet.encoded_len(version).expect("what was decoded can be encoded");
    assert!(len <= bytes.len());
    let mut out = vec![0; len];
    assert_eq!(packet.encode(version, &mut out), Ok(len));
    assert_eq!(Packet::decode(&out, version, role).as_ref(), Ok(packet));
    if !version.has_properties() && packet.packet_type() == mqtt_device_proto::PacketType::Publish && len == bytes.len()
    {
        assert_eq!(out, bytes);
    }
}
