//! The device of the demo: the greenhouse of the protocol's description.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::sync::Arc;

use mqtt_device_tokio::{Command, CommandError, Device, Security};
use serde::Deserialize;
use serde_json::json;

use super::proxy::Door;
use crate::broker::Hidden;
use crate::exit::{Failure, Outcome};
use crate::gateway::DeviceId;

/// How often its handlers ran.
pub(super) type Runs = Arc<AtomicU32>;

#[derive(Deserialize)]
struct Toggle {
    enabled: bool,
}

/// Starts the device; it connects through the proxy.
///
/// # Errors
/// A name cannot be used.
pub(super) fn start(
    id: &DeviceId,
    key: Hidden,
    door: Door,
    security: Security,
    allow_insecure: bool,
) -> Outcome<(Device, Runs)> {
    let runs = Runs::default();
    let irrigation = Arc::new(AtomicBool::new(false));
    let (read_runs, read_irrigation) = (Arc::clone(&runs), Arc::clone(&irrigation));
    let toggle_runs = Arc::clone(&runs);
    let schema = json!({"type":"object","properties":{"enabled":{"type":"boolean"}},"required":["enabled"]});
    let mut builder = Device::over(move |_| door.clone().connect(security))
        .identity(id.agent(), id.device())
        .group("greenhouse-sensors")
        .api_key(key.0)
        .command(Command::new("read_environment").description("Read temperature, humidity, and soil moisture"))
        .command(Command::new("toggle_irrigation").description("Turn irrigation on or off").input_schema(schema))
        .on_command("read_environment", move |_call| {
            read_runs.fetch_add(1, Ordering::Relaxed);
            let on = read_irrigation.load(Ordering::Relaxed);
            async move { Ok(json!({"temperature": 28.3, "humidity": 65, "soilMoisture": 42, "irrigationOn": on})) }
        })
        .on_command("toggle_irrigation", move |call| {
            toggle_runs.fetch_add(1, Ordering::Relaxed);
            let irrigation = Arc::clone(&irrigation);
            async move {
                let Toggle { enabled } = call.parse()?;
                irrigation.store(enabled, Ordering::Relaxed);
                Ok::<_, CommandError>(json!({"irrigationOn": enabled}))
            }
        })
        // A person waits.
        .configure(|config| {
            config.backoff.base = Duration::from_millis(100).into();
            config.backoff.cap = Duration::from_millis(400).into();
        });
    if allow_insecure {
        builder = builder.allow_insecure_credentials();
    }
    let device = builder.start().map_err(Failure::usage)?;
    Ok((device, runs))
}
