//! MQTT clients and Lua devices over [`embedded_io_async`], without a heap, an executor's types or unsafe code.
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
