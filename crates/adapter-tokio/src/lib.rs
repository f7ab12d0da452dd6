//! MQTT clients and Lua devices on tokio.
//!
//! **Delivery, in one paragraph.** A command is run once for each `commandId` as long as the process lives, and is
//! acknowledged to the broker when its response waits in the outbox. Nothing is stored on disk: a process that crashes
//! between running a command and acknowledging it may run it again when the broker redelivers it.
//!
//! - [`Device`] is a device of the Lua protocol: it announces its commands, runs each once, answers it, fires triggers,
//!   beats, and comes back after every cut.
//! - [`Client`] is a plain MQTT client: publish, declared subscriptions, a bounded [`Messages`] stream.
//! - `codec::Codec` (feature `codec`) is MQTT for `tokio_util`'s `Framed`, for servers, proxies and clients that do without
//!   a session.
//! - [`driver::Driver`] runs any [`Machine`](mqtt_device_core::Machine) over any transport, for uses of your own.
//!
//! The protocol itself lives in `mqtt-device-core`, which knows neither sockets nor clocks. This crate moves bytes,
//! tells the time, and turns facts into futures and streams. Everything here is bounded: a consumer that lags gets a
//! `Lagged(n)`, never unbounded memory.
//!
//! ```no_run
//! use mqtt_device_tokio::{Command, Device};
//! use serde_json::json;
//!
//! # async fn example(key: String) -> Result<(), mqtt_device_tokio::Error> {
//! let device = Device::builder("mqtt://127.0.0.1:1883")
//!     .identity("agent", "greenhouse-1")
//!     .api_key(key)
//!     .command(Command::new("read_environment").description("Temperature and humidity"))
//!     .on_command("read_environment", |_call| async { Ok(json!({ "temperature": 21.5 })) })
//!     .connect()
//!     .await?;
//! device.trigger("humidity_alert", &json!({ "humidity": 91 })).await?;
//! device.stop(core::time::Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod client;
#[cfg(feature = "codec")]
pub mod codec;
mod completions;
mod device;
pub mod driver;
mod endpoint;
mod error;
mod link;
mod queue;
mod running;
mod server;
mod shared;

pub use client::{AckHandle, Client, ClientBuilder, ClientEvent, Message, Messages, Will};
pub use completions::{Delivery, Operation};
pub use device::{Command, CommandCall, CommandError, Device, DeviceBuilder, DeviceEvent, Trigger, TriggerAck};
pub use error::{ConnectError, Error};
pub use link::{Connecting, Connector, Link, Transport};
pub use queue::Events;
pub use server::{PRESETS, Server, UrlError};
pub use shared::{Handle, Stopped};

pub use mqtt_device_core;
pub use mqtt_device_core::{
    Config, DeviceConfig, DisconnectReason, DropReason, Failure, HeapLimits, MessageKey, Outcome, Publication,
    PublishError, Security, SubscribeError,
};
#[cfg(feature = "codec")]
pub use mqtt_device_proto;
pub use mqtt_device_proto::{QoS, ReasonCode};
