//! Any bytes: nothing panics, every offset is inside, and all that is lazy can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqtt_device_fuzz::meaning;
use mqtt_device_proto::{Connect, Packet, PublishHead, Status, Verdict, frame_len};

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let (version, role) = meaning(*first);
    match frame_len(bytes, 1 << 20) {
        Ok(Status::Complete(len)) => assert!(len >= 2 && len <= bytes.len()),
        Ok(Status::Partial { need }) => assert!(need > bytes.len()),
        Ok(Status::Oversize { total }) => assert!(total > 1 << 20),
        Err(error) => assert!(error.at <= 1),
    }
    let _ = Connect::version(bytes);
    if let Ok(Some(head)) = PublishHead::decode(bytes, version) {
        assert!(head.len <= head.total && usize::try_from(head.len).unwrap() <= bytes.len());
    }
    let result = Packet::decode(bytes, version, role);
    let verdict = Verdict::of(&result);
    match result {
        Ok(packet) => {
            assert_eq!(verdict, Verdict::Valid);
            // Reads every filter, code and property.
            assert!(!format!("{packet:?}").is_empty());
        }
        Err(error) => {
            assert!(usize::try_from(error.at).unwrap() <= bytes.len());
            assert!(error.reason_code().is_error());
            assert!(!format!("{error} {:?}", error.statement(version)).is_empty());
        }
    }
});
