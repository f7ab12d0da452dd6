//! What a hostile review found, kept found. Virtual time: an elapsed time that is asserted is exact.

mod client;
mod device;
#[path = "../support/mod.rs"]
mod support;

use core::time::Duration;

use support::{Got, Peer};

/// What comes within a time; PUBLISH and PINGREQ are answered.
async fn collect(peer: &mut Peer, within: Duration) -> Vec<Got> {
    let mut all = Vec::new();
    let end = tokio::time::Instant::now() + within;
    while let Ok(Some(got)) = tokio::time::timeout_at(end, peer.recv()).await {
        match &got {
            Got::Publish { id: id @ 1.., .. } => peer.puback(*id).await,
            Got::PingReq => peer.send(&mqtt_device_proto::Packet::PingResp).await,
            _ => {}
        }
        all.push(got);
    }
    all
}
