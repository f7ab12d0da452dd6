//! A sans-IO codec for MQTT 3.1, 3.1.1 and 5: bytes in, borrowed packets out, and back.
//!
//! No allocation, no `std`, no dependencies and no unsafe code (unless a feature asks for them), and no way to panic. Both
//! directions are there, so that clients, servers and proxies can be built on it: what a packet may be depends on its
//! [`Version`] and on the [`Role`] of its sender, which are arguments of decoding. Encoding takes the version; what one side
//! alone may send is not checked there, but by [`Packet::check_sender`].
//!
//! 1. [`Frame::take`] finds the first packet of a stream; an incomplete one is a [`Status`], not an error. [`frame_len`]
//!    only says where it ends, and [`Framer`] does it in your buffer and skips what is too long.
//! 2. [`Frame::decode`], or [`Packet::decode`] for bytes that are known to be one packet, refuses all that the standard
//!    refuses, with the defect and its offset ([`DecodeError`]).
//!    A server learns the version from the first bytes that come ([`Connect::version`]).
//! 3. [`Packet::encode`], or the `encode` of each packet, writes into your buffer; [`Publish::encode_head`] leaves the
//!    payload to you.
//! 4. [`Router`] finds which of many filters match a topic.
//!
//! ```
//! use mqtt_device_proto::{Frame, Packet, Role, Status, Version};
//!
//! let mut stream: &[u8] = &[0xD0, 0x00, 0x40, 0x02, 0x00];
//! let mut packets = Vec::new();
//! loop {
//!     match Frame::take(&mut stream, 4096)? {
//!         Status::Complete(frame) => packets.push(frame.decode(Version::V311, Role::Server)?),
//!         Status::Partial { .. } => break, // read more behind what is left in `stream`
//!         Status::Oversize { total } => return Err(format!("{total} bytes are too many").into()), // or skip so many
//!     }
//! }
//! assert_eq!(packets, [Packet::PingResp]);
//! assert_eq!(stream, [0x40, 0x02, 0x00]);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Encoding
//! ```
//! use mqtt_device_proto::{
//!     Connect, Filters, PacketId, Properties, Publish, QoS, Subscribe, Subscription, TopicFilter, TopicName, Version, Will,
//! };
//!
//! let mut out = [0; 256];
//! let will = Will { retain: true, ..Will::new(TopicName::new("pump/7/state")?, b"offline") };
//! let connect = Connect { keep_alive: 60, will: Some(will), ..Connect::new("pump-7") };
//! let len = connect.encode(Version::V311, &mut out)?; // `out[..len]` is the packet
//! assert_eq!(out[..2], [0x10, 41]);
//!
//! let filters = [Subscription::new(TopicFilter::new("pump/7/command/#")?, QoS::AtLeastOnce)];
//! let packet_id = PacketId::new(1).ok_or("0 is none")?;
//! let subscribe = Subscribe::new(packet_id, Filters::from_slice(&filters));
//! subscribe.encode(Version::V311, &mut out)?;
//!
//! # #[cfg(feature = "v5")] {
//! use mqtt_device_proto::Property;
//! let set = [Property::ContentType("text/plain"), Property::UserProperty("site", "plant-7")];
//! let message = Publish {
//!     properties: Properties::from_slice(&set),
//!     ..Publish::new(TopicName::new("pump/7/pressure")?, b"4.2")
//! };
//! message.encode(Version::V5, &mut out)?;
//! # }
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Features
//! Each adds, none changes what is there without it.
//!
//! - `v5`: MQTT 5, that is `Version::V5`, and properties that are not empty.
//! - `bytes`: the module `owned`, packets that own their data and share the buffer they were received in. It needs an
//!   allocator and atomics, the latter unless the crate `bytes` is given its feature `extra-platforms`.
//! - `serde`: `Serialize` and `Deserialize` for all types that own their data, so with `bytes` for all packets; `Serialize`
//!   alone for those that borrow. The names are the standard's, as in `{"PUBLISH": {"topic": "door", "payload": "open"}}`;
//!   what may be left out has its default; a payload is a string where the format is for humans and it is UTF-8. A number,
//!   string or topic that no packet can have is refused; what depends on the version, on the packet or on another field, and
//!   how long binary data is, is left to encoding, as with a packet that is built. **A password is serialised as it is**, and the
//!   error of a format may quote what it could not read: use `Debug` for logs.
//! - `alloc`: a [`Router`] that grows, and `Packet::append` to a `Vec`.
//! - `defmt`: `defmt::Format` for all types, which shows what `Debug` shows: no passwords, no authentication data.
//! - `unchecked-ascii`: decodes a PUBLISH with two fifths less work, by the only unsafe line of this crate: what was seen to be
//!   ASCII becomes text without a second look. Without the feature the crate forbids unsafe code.
//! - `proptest`: the module `strategy`, all packets of a side and malformed ones, for tests; with `bytes`, and with `std`.
//!
//! # Speed and size
//! Where memory is small, so must code be: what is inlined by force on machines with 64-bit pointers is left to the compiler
//! on others.
#![no_std]
#![cfg_attr(not(feature = "unchecked-ascii"), forbid(unsafe_code))]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod ack;
mod connack;
mod connect;
mod disconnect;
mod error;
mod fields;
mod filters;
#[cfg(feature = "defmt")]
mod format;
mod frame;
mod framer;
#[cfg(feature = "bytes")]
pub mod owned;
mod packet;
mod properties;
mod property;
mod publish;
#[cfg(target_pointer_width = "64")]
mod quick;
mod reader;
mod reason;
mod router;
#[cfg(feature = "serde")]
mod serial;
#[cfg(feature = "proptest")]
pub mod strategy;
mod suback;
mod subscribe;
mod subscription;
mod text;
mod topic;
mod types;
mod verdict;
mod writer;

pub use ack::{PubAck, PubComp, PubRec, PubRel};
pub use connack::ConnAck;
pub use connect::{Connect, Will};
pub use disconnect::{Auth, Disconnect};
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use filters::{Filters, FiltersIter, TopicFilters, TopicFiltersIter};
pub use frame::{Frame, Status, frame_len};
pub use framer::{Framed, Framer, Skipped};
pub use packet::Packet;
pub use properties::{Properties, PropertyIter};
pub use property::{Property, PropertyId};
pub use publish::{Publish, PublishHead};
pub use reason::ReasonCode;
pub use router::{InsertError, Matches, Route, Router, Slot, Slots};
pub use suback::{ReasonCodes, ReasonCodesIter, SubAck, UnsubAck};
pub use subscribe::{Subscribe, Unsubscribe};
pub use subscription::{RetainHandling, SubscribeOptions, Subscription};
pub use topic::{TopicError, TopicFilter, TopicName};
pub use types::{PacketId, PacketType, QoS, Role, Version};
pub use verdict::Verdict;
