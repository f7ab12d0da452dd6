//! A model MQTT server, a faulty link and a virtual clock, for testing MQTT clients without sockets and without waiting.
//!
//! [`Server`](server::Server) is a broker, sans I/O, that also lists what a client does wrong. [`Link`](link::Link) is a
//! byte stream that delays, splits, stalls and is cut where the test says. [`World`](world::World) drives any
//! [`Machine`](mqtt_device_core::Machine) against both in virtual time, by the driver contract of that trait, and fails
//! with a readable trace and a seed that runs the same again. [`Gateway`](gateway::Gateway) is the other side of the
//! Lua device protocol.
//!
//! ```
//! use mqtt_device_core::{Client, Config, Duration, Fixed};
//! use mqtt_device_sim::app::{ClientApp, ClientSource};
//! use mqtt_device_sim::link::LinkConfig;
//! use mqtt_device_sim::server::ServerConfig;
//! use mqtt_device_sim::world::{HostConfig, World};
//!
//! let mut world = World::new(7, ServerConfig::default());
//! let client = Client::new(Config::new(1), Fixed::<1024, 8, 8>::new());
//! let source = Box::new(ClientSource::new("thermometer", &["house/+"]));
//! world.add(HostConfig::new(LinkConfig::good()), client, source, ClientApp::default());
//! world.run_until("ready", Duration::from_secs(1), |w| w.host().machine.is_ready());
//! assert_eq!(world.net.server.subscriptions("thermometer"), ["house/+"]);
//! world.assert_clean();
//! ```
#![forbid(unsafe_code)]

pub mod app;
pub mod clock;
pub mod gateway;
pub mod json;
pub mod link;
pub mod packet;
pub mod rng;
pub mod server;
pub mod trace;
pub mod world;
