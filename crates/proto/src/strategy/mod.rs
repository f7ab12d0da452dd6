//! Strategies for `proptest`: every packet that a side may send, packets with one defect each, and what lies near them.
//!
//! They are there for the tests of what is built on this crate, and for the tests of other codecs: whatever is malformed is
//! so by construction, not because this crate's decoder says so.
//!
//! ```
//! use mqtt_device_proto::{Packet, Role, Version, strategy};
//! use proptest::test_runner::{Config, TestRunner};
//!
//! let mut runner = TestRunner::new(Config { cases: 20, failure_persistence: None, ..Config::default() });
//! runner.run(&strategy::malformed(Version::V311, Role::Client), |malformed| {
//!     let error = Packet::decode(&malformed.bytes, Version::V311, Role::Client).unwrap_err();
//!     assert_eq!(error.kind, malformed.kind);
//!     Ok(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is made is mostly short, now and then as long as the format allows, and shrinks to the shortest that fails.

mod defects;
mod layout;
mod malformed;
mod packets;
mod properties;
#[cfg(feature = "v5")]
mod property_defects;
mod text;

pub use malformed::{Malformed, malformed, neighbour};
pub use packets::{
    auth, connack, connect, disconnect, packet, packet_id, puback, pubcomp, publish, pubrec, pubrel, qos, reason_code,
    suback, subscribe, subscription, unsuback, unsubscribe, will,
};
#[cfg(feature = "v5")]
pub use properties::property;
pub use properties::{Place, properties};
pub use text::{binary, payload, text, topic_filter, topic_name};
