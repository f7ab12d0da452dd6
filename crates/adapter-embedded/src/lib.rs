//! MQTT clients and Lua devices over [`embedded_io_async`], without a heap, an executor's types or unsafe code.
//!
//! **Delivery, in one paragraph.** A command is run once for each `commandId` as long as the device has power, over any
//! loss of the connection. Nothing is stored: a device that loses power between running a command and acknowledging it
//! may run it again.
//!
//! - [`Shared`] holds the machine (a [`Device`](mqtt_device_core::Device) or a [`Client`](mqtt_device_core::Client)) and
//!   the clock. A reference to it is the handle for every task of the executor: [`Shared::trigger`],
//!   [`Shared::respond`], [`Shared::publish`], [`Shared::stop`].
//! - [`Driver`] moves the bytes. [`Driver::serve`] connects through a [`Connector`] whenever the machine asks for it;
//!   [`Driver::run`] drives a connection that was made elsewhere. Both are one future, to be awaited in one task, and
//!   may be dropped at any await.
//! - [`Fact`] is what the application is told, through a plain function that may call the handle back.
//! - [`Clock`] tells the time and waits; [`DelayClock`] makes one of any `embedded_hal_async` delay.
//!
//! All memory is the caller's: two buffers for the driver, and the storage that was given to the machine. Nothing here
//! panics, whatever the server or the transport does.
//!
//! ```
//! use mqtt_device_core::{
//!     CommandSpec, Config, Device, DeviceConfig, DeviceEvent, Fixed, FixedTables, Identity, Profile,
//! };
//! use mqtt_device_embedded::{Clock, Connector, Driver, Fact, SetupError, Shared};
//!
//! struct Lamp;
//!
//! impl Profile for Lamp {
//!     fn api_key(&self) -> &str {
//!         "from your flash, not from your source code"
//!     }
//!
//!     fn command(&self, index: usize) -> Option<CommandSpec<'_>> {
//!         [CommandSpec::new("led_on", "On"), CommandSpec::new("led_off", "Off")].get(index).copied()
//!     }
//! }
//!
//! async fn lamp(
//!     clock: impl Clock,
//!     mut network: impl Connector,
//!     identity: Identity,
//!     seed: u64, // another one for each device and each boot
//!     mut led: impl FnMut(bool),
//! ) -> Result<(), SetupError> {
//!     let mut config = Config::new(seed);
//!     config.maximum_packet_size = 1024;
//!     let storage = Fixed::<2048, 24, 8>::new(); // bytes and messages on their way out, messages that came in
//!     let tables = FixedTables::<16, 256>::new(); // commands that are remembered, bytes of each response
//!     let shared = Shared::new(Device::new(config, DeviceConfig::default(), identity, storage, tables), clock);
//!     let (mut rx, mut tx) = ([0; 1024], [0; 512]);
//!     let mut driver = Driver::new(&mut rx, &mut tx);
//!     let on_fact = |fact: Fact<DeviceEvent<'_>>| {
//!         if let Fact::Event(DeviceEvent::Command(command)) = fact {
//!             led(command.name == "led_on");
//!             let _ = shared.respond(command.token, Ok(br#"{"led":"switched"}"#));
//!         }
//!     };
//!     driver.serve(&shared, &Lamp, &mut network, on_fact).await
//! }
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::arithmetic_side_effects
)]

mod bell;
mod clock;
mod connector;
mod driver;
mod error;
mod fact;
mod shared;
mod wait;

pub use clock::{Clock, DelayClock};
pub use connector::{CLOSE_WITHIN, Connector, Link};
pub use driver::Driver;
pub use error::{Busy, CallError, Error, SetupError};
pub use fact::Fact;
pub use shared::Shared;
