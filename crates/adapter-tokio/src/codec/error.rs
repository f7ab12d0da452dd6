//! What can go wrong between a stream and packets, by blame: the transport, the peer's bytes, the caller's packet.

use core::fmt;
use std::io;

use mqtt_device_proto::{DecodeError, EncodeError, PacketType, ReasonCode};

/// Why a [`Codec`](super::Codec) cannot go on, or did not take a packet.
#[non_exhaustive]
#[derive(Debug)]
pub enum CodecError {
    /// The transport failed. A stream that ends inside a packet is [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
    Io(io::Error),
    /// The peer's bytes are no packet: close the connection, in MQTT 5 after saying why
    /// ([`reason_code`](DecodeError::reason_code)). Decoding further fails alike; a `Framed` then answers `None`.
    Decode(DecodeError),
    /// The peer's packet is longer than allowed: close the connection, in MQTT 5 after saying Packet too large.
    /// Decoding further fails alike; a `Framed` then answers `None`.
    TooLarge {
        /// Its type.
        packet: PacketType,
        /// Bytes of the whole packet.
        total: u32,
        /// Bytes that are allowed.
        limit: u32,
    },
    /// The packet cannot be sent as it is. Nothing of it was written, and the connection is as it was.
    Encode(EncodeError),
    /// The packet is longer than the peer allows. Nothing of it was written, and the connection is as it was.
    TooLargeForPeer {
        /// Bytes of the whole packet.
        total: usize,
        /// Bytes that the peer allows.
        limit: u32,
    },
    /// This side may not send such a packet. Nothing of it was written, and the connection is as it was.
    WrongDirection(PacketType),
    /// There is no version to encode for: no CONNECT has come yet. Nothing was written.
    NoVersion,
}

impl CodecError {
    /// What to tell the peer of MQTT 5 before closing, where it is to blame.
    #[must_use]
    pub const fn reason_code(&self) -> Option<ReasonCode> {
        match self {
            Self::Decode(error) => Some(error.reason_code()),
            Self::TooLarge { .. } => Some(ReasonCode::PACKET_TOO_LARGE),
            _ => None,
        }
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => e.fmt(f),
            Self::Decode(e) => e.fmt(f),
            Self::TooLarge { packet, total, limit } => {
                write!(f, "the peer's {packet} has {total} bytes, and {limit} are allowed")
            }
            Self::Encode(e) => e.fmt(f),
            Self::TooLargeForPeer { total, limit } => {
                write!(f, "the packet has {total} bytes, and the peer allows {limit}")
            }
            Self::WrongDirection(packet) => write!(f, "{packet} is not a packet of this side"),
            Self::NoVersion => f.write_str("the version is not known before the client's CONNECT"),
        }
    }
}

impl core::error::Error for CodecError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(e) => Some(e),
            Self::Decode(e) => Some(e),
            Self::Encode(e) => Some(e),
            _ => None,
        }
    }
}

impl From<io::Error> for CodecError {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

impl From<DecodeError> for CodecError {
    fn from(e: DecodeError) -> Self {
        Self::Decode(e)
    }
}

impl From<EncodeError> for CodecError {
    fn from(e: EncodeError) -> Self {
        Self::Encode(e)
    }
}
