//! Packets that own their data are the borrowed ones, and come back from serde as they were; what serde makes of any text
//! is refused when it is encoded, or is the packet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqtt_device_fuzz::meaning;
use mqtt_device_proto::Packet;
use mqtt_device_proto::owned::{self, Bytes};

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let (version, role) = meaning(*first);
    if let Ok(packet) = serde_json::from_slice::<owned::Packet>(bytes) {
        let mut out = Vec::new();
        if packet.append(version, &mut out).is_ok() && packet.check_sender(role, version).is_ok() {
            let again = owned::Packet::decode(out.into(), version, role);
            assert_eq!(again.as_ref(), Ok(&packet));
        }
        return;
    }
    let borrowed = Packet::decode(bytes, version, role);
    let packet = match owned::Packet::decode(Bytes::copy_from_slice(bytes), version, role) {
        Ok(packet) => packet,
        Err(error) => return assert_eq!(borrowed, Err(error)),
    };
    let borrowed = borrowed.expect("the owned packet was decoded");
    assert_eq!(packet.as_borrowed(), borrowed);
    assert_eq!(owned::Packet::copy_from(&borrowed).as_ref(), Ok(&packet));
    let json = serde_json::to_string(&packet).expect("a string");
    assert_eq!(serde_json::to_string(&borrowed).expect("a string"), json);
    let again: owned::Packet = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(again, packet);
    let binary = postcard::to_allocvec(&packet).expect("bytes");
    let again: owned::Packet = postcard::from_bytes(&binary).unwrap_or_else(|error| panic!("{error}: {packet:?}"));
    assert_eq!(again, packet);
});
