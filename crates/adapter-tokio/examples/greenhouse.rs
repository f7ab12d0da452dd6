//! A greenhouse that is read, watered from afar, and raises an alarm: two commands and a trigger.
//!
//! Usage: `greenhouse [URL]` with the key in `LUA_API_KEY` and the agent in `LUA_AGENT_ID`; Ctrl-C stops it.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;

use mqtt_device_tokio::{Command, Device, DeviceEvent, Error};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Toggle {
    enabled: bool,
}

/// Stands in for a sensor: between 65 and 85.
fn humidity(n: u32) -> u32 {
    65 + n * 7 % 20
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "mqtt://127.0.0.1:1883".into());
    let agent = std::env::var("LUA_AGENT_ID").unwrap_or_else(|_| "agent".into());
    let irrigation = Arc::new(AtomicBool::new(false));
    let (reader, switch) = (Arc::clone(&irrigation), irrigation);
    let schema =
        json!({ "type": "object", "properties": { "enabled": { "type": "boolean" } }, "required": ["enabled"] });

    let device = Device::builder(url)
        .identity(agent, "greenhouse-sensor")
        .group("greenhouse-sensors")
        .api_key(std::env::var("LUA_API_KEY").unwrap_or_default())
        .command(Command::new("read_environment").description("Read temperature, humidity, and soil moisture"))
        .on_command("read_environment", move |_| {
            let irrigation_on = reader.load(Ordering::Relaxed);
            async move {
                Ok(json!({ "temperature": 28.3, "humidity": 65, "soilMoisture": 42, "irrigationOn": irrigation_on }))
            }
        })
        .command(Command::new("toggle_irrigation").description("Turn irrigation on or off").input_schema(schema))
        .on_command("toggle_irrigation", move |call| {
            let switch = Arc::clone(&switch);
            async move {
                let Toggle { enabled } = call.parse()?;
                switch.store(enabled, Ordering::Relaxed);
                Ok(json!({ "irrigationOn": enabled }))
            }
        })
        .connect()
        .await?;
    println!("online");

    let mut events = device.events();
    let mut measure = tokio::time::interval(Duration::from_secs(10));
    for n in 0.. {
        tokio::select! {
            event = events.next() => match event {
                Some(DeviceEvent::Reconnected { .. }) => println!("online again"),
                Some(event) => println!("{event:?}"),
                None => break,
            },
            _ = measure.tick() => {
                let humidity = humidity(n);
                if humidity > 80 {
                    let alert = device.trigger("humidity_alert", &json!({ "humidity": humidity, "threshold": 80 }));
                    // Its answer is an event as well; nobody has to wait for it here.
                    drop(alert);
                }
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    let stopped = device.stop(Duration::from_secs(5)).await;
    println!("{}", if stopped.clean { "offline" } else { "stopped before everything had left" });
    Ok(())
}
