//! Sans-IO MQTT: a session, a client that keeps itself connected, and a device of the Lua device protocol.
//!
//! **Without a store, a crash may repeat a command that was not yet acknowledged.** A store is a later step; until then
//! the promise "each command runs once" holds for as long as the process lives, over any loss of the connection.
//!
//! Three layers, each on the one below: [`Session`] is one MQTT session, passive, bytes and times in, bytes and facts
//! out. [`Client`] adds connecting, delays, servers and declared subscriptions. [`Device`] adds the device protocol.
//! `Client` and `Device` are [`Machine`]s: what a driver needs to know about either. No layer knows a socket, a clock,
//! an allocator, a source of randomness or a runtime.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod client;
mod config;
mod describe;
pub mod device;
mod error;
mod event;
pub mod json;
mod machine;
mod session;
mod source;
mod storage;
mod time;

pub use client::Client;
pub use config::{Backoff, CLASSES, ClassLimits, Config, OnSessionLoss, WhenFull, WhenHeld};
#[cfg(feature = "alloc")]
pub use device::HeapTables;
pub use device::{
    Command, CommandId, CommandSpec, CommandToken, Counters, Device, DeviceConfig, DeviceEvent, Entry, FixedTables,
    Identity, MessageError, NameError, Profile, Retry, Secret, SpecError, Suffix, Tables, validate_profile,
};
pub use error::{Failure, ProtocolError, PublishError, Security, SubscribeError};
pub use event::{
    AckToken, Actions, Attempt, Blocked, DisconnectReason, DropReason, Event, Message, MessageKey, Notice, Outcome,
    Oversize, Progress, Taken, Ticket,
};
pub use machine::Machine;
pub use mqtt_device_proto::{
    self as proto, PacketId, QoS, ReasonCode, SubscribeOptions, Subscription, TopicError, TopicFilter, TopicName,
    Version, Will,
};
pub use session::{InSlot, MAX_DECLARED, OutSlot, Publication, PublicationTopic, Session, Timer};
pub use source::{BodyToken, Credentials, NoRoom, Source, TopicToken};
pub use storage::{Fixed, Lent, NoPayload, Parts, Storage};
#[cfg(feature = "alloc")]
pub use storage::{Heap, HeapLimits};
pub use time::{Duration, Instant};
