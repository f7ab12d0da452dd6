//! Packets that own their data and share the buffer they were received in.
//!
//! The borrowed packets of the crate's root end with their buffer. These do not: [`Packet::decode`] cuts topic, payload and
//! lists out of a [`Bytes`] without copying them, so that a packet can be stored, queued and sent to another task, and a
//! clone of it costs a few counters. The buffer lives as long as the last piece of it; a small piece of a large buffer that
//! is kept for long is better copied ([`Packet::copy_from`]).
//!
//! There is one struct for each borrowed one, with the same fields, and [`as_borrowed`](Packet::as_borrowed) on each leads
//! to all that the borrowed ones can do.
//!
//! ```
//! use mqtt_device_proto::owned::{BytesMut, Packet};
//! use mqtt_device_proto::{Role, Status, Version, frame_len};
//!
//! let mut received = BytesMut::from(&[0x30, 0x07, 0x00, 0x04, b'd', b'o', b'o', b'r', b'1', 0xD0][..]);
//! let Status::Complete(len) = frame_len(&received, 65_536)? else { panic!() };
//! let frame = received.split_to(len).freeze();
//! let Packet::Publish(publish) = Packet::decode(frame.clone(), Version::V311, Role::Server)? else { panic!() };
//! assert_eq!((publish.topic.as_str(), &publish.payload[..]), ("door", &b"1"[..]));
//! assert!(frame.as_ptr_range().contains(&publish.payload.as_ptr())); // not a copy
//!
//! let mut out = [0; 16];
//! let len = publish.encode(Version::V311, &mut out)?;
//! assert_eq!(out[..len], frame);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What can be built but not be sent is found when it is encoded, as with the borrowed packets, with one exception:
//! [`Properties`] are written when they are built, and refuse then what no packet may carry. This is the one reason why
//! copying a packet can fail.
//!
//! This module needs an allocator, and a processor with atomic operations: for one without, such as `thumbv6m`, see the
//! feature `extra-platforms` of the crate `bytes`.

mod lists;
mod packets;
mod properties;
#[cfg(feature = "serde")]
mod serial;
mod share;
mod topic;

pub use bytes::{Bytes, BytesMut};
pub use bytestring::ByteString;

pub use lists::{Filters, ReasonCodes, Subscription, TopicFilters};
pub use packets::{
    Auth, ConnAck, Connect, Disconnect, Packet, PubAck, PubComp, PubRec, PubRel, Publish, PublishHead, Skipped, SubAck,
    Subscribe, UnsubAck, Unsubscribe, Will,
};
pub use properties::{Properties, Property};
pub use topic::{TopicFilter, TopicName};
