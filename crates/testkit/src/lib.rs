//! What the tests need from real peers.
//!
//! - [`Mosquitto`]: a broker of one's own on a free loopback port, that can be stopped, killed and
//!   started again on the same port.
//! - [`Endpoint`], [`Recorder`] and the publishing functions: mosquitto's command line clients, as
//!   witnesses that share no code with ours. They work on any broker.
//! - [`python`]: the interpreter of the environment that holds the official client.
//!
//! Everything is blocking and has a deadline; a function that waits does so for an event (a line, a
//! connection, an exit), not for time to pass. Every process is ended through its own handle when the
//! value is dropped.
//!
//! `./ci.sh test` installs what is started here.
#![forbid(unsafe_code)]

/// The examples of the README, as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

mod endpoint;
mod lines;
mod mosquitto;
mod passwords;
mod port;
mod process;
pub mod python;

pub use endpoint::{Endpoint, Message, Recorder};
pub use lines::Lines;
pub use mosquitto::{Builder, Mosquitto};
pub use port::free_port;
pub use process::Process;

use core::time::Duration;

/// How long an event of another process is waited for before it counts as missing. Long, since two
/// cores may be shared by a whole build; a passing test never waits it out.
pub const PATIENCE: Duration = Duration::from_secs(20);
