//! What is accepted and sent on is accepted again, means the same, and is never longer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqtt_device_fuzz::{check, meaning};
use mqtt_device_proto::{Packet, PublishHead};

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let (version, role) = meaning(*first);
    let Ok(packet) = Packet::decode(bytes, version, role) else { return };
    check(&packet, bytes, version, role);
    if let Packet::Publish(publish) = packet {
        let head = PublishHead::decode(bytes, version).unwrap().expect("all of it is there");
        assert_eq!((head.topic, head.packet_id, head.qos), (publish.topic, publish.packet_id, publish.qos));
        let payload = u32::try_from(publish.payload.len()).unwrap();
        let mut written = vec![0; publish.head_len(version, payload).unwrap()];
        assert_eq!(publish.encode_head(version, payload, &mut written), Ok(written.len()));
        let mut whole = vec![0; publish.encoded_len(version).unwrap()];
        assert_eq!(publish.encode(version, &mut whole), Ok(whole.len()));
        assert_eq!((&whole[..written.len()], &whole[written.len()..]), (&written[..], publish.payload));
    }
});
