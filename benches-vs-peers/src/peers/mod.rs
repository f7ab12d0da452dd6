//! The libraries: each hands over the fields of what it decodes, and encodes packets that were built before.

pub mod codec_kit;
pub mod mqtt5_protocol;
pub mod mqtt_protocol_core;
pub mod mqttbytes;
pub mod mqttrs;
pub mod ntex;
pub mod ours;
pub mod rumqttc_v5;

use crate::bench::{Bench, Decoder, fields};
use crate::input;
use ours::Ours;

/// Runs every cell.
pub fn run(bench: &mut Bench) {
    decode::<Ours<false>>(bench);
    decode::<Ours<true>>(bench);
    if cfg!(feature = "unchecked-ascii") {
        return;
    }
    decode::<mqtt_protocol_core::V4>(bench);
    decode::<mqtt_protocol_core::V5>(bench);
    decode::<mqttbytes::RumqttcV4>(bench);
    decode::<rumqttc_v5::V5>(bench);
    decode::<mqttbytes::Mqttbytes>(bench);
    decode::<mqttrs::Mqttrs>(bench);
    decode::<codec_kit::V4>(bench);
    decode::<codec_kit::V5>(bench);
    decode::<ntex::V3>(bench);
    decode::<ntex::V5>(bench);
    decode::<mqtt5_protocol::Mqtt5Protocol<false>>(bench);
    decode::<mqtt5_protocol::Mqtt5Protocol<true>>(bench);
    for v5 in [false, true] {
        ours::encode(bench, v5);
        ours::copy(bench, v5);
        mqtt5_protocol::encode(bench, v5);
    }
    mqtt_protocol_core::encode_v4(bench);
    mqtt_protocol_core::encode_v5(bench);
    mqttbytes::encode_rumqttc(bench);
    mqttbytes::encode_mqttbytes(bench);
    rumqttc_v5::encode(bench);
    mqttrs::encode(bench);
    codec_kit::encode_v4(bench);
    codec_kit::encode_v5(bench);
    ntex::encode_v3(bench);
    ntex::encode_v5(bench);
}

/// Each is verified against our decoder, which its own tests hold against the standard.
fn decode<D: Decoder>(bench: &mut Bench) {
    if D::V5 {
        bench.decode::<Ours<true>, D>();
    } else {
        bench.decode::<Ours<false>, D>();
    }
}

/// Whether what was encoded is the packet: byte by byte, or with its properties in another order.
pub fn same_packet(bytes: &[u8], wire: &[u8], v5: bool) -> Result<(), String> {
    let sorted = |bytes| {
        let fields = if v5 { fields::<Ours<true>>(bytes, 1) } else { fields::<Ours<false>>(bytes, 1) };
        fields.map(|mut fields| {
            fields.0.sort();
            fields
        })
    };
    if bytes == wire || bytes.len() == wire.len() && sorted(bytes)? == sorted(wire)? {
        Ok(())
    } else {
        Err("other bytes".to_owned())
    }
}

/// The libraries that end a QoS as a number of their own.
macro_rules! qos {
    ($qos:ty, $zero:ident $one:ident $two:ident) => {
        fn qos(qos: u8) -> $qos {
            match qos {
                0 => <$qos>::$zero,
                1 => <$qos>::$one,
                _ => <$qos>::$two,
            }
        }
    };
}
pub(crate) use qos;

/// The payload of a case that publishes.
pub fn payload(case: input::Case) -> Vec<u8> {
    input::payload(if let input::Case::Publish { payload, .. } = case { payload } else { 64 })
}

/// The QoS of a case that publishes.
pub fn qos_of(case: input::Case) -> u8 {
    if let input::Case::Publish { qos, .. } = case { qos } else { 1 }
}
