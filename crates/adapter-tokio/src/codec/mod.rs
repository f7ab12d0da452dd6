//! MQTT packets on [`tokio_util::codec::Framed`], for servers, proxies and clients of your own.
//!
//! Nothing here knows a session: [`Codec`] cuts the stream into packets, refuses what the standard refuses, and writes what
//! it is given. What comes in owns its data and shares the read buffer with it ([`owned`]); what goes
//! out may be borrowed or owned.
//!
//! ```
//! use futures_util::{SinkExt, StreamExt};
//! use mqtt_device_tokio::codec::{Codec, CodecError, Incoming};
//! use mqtt_device_tokio::mqtt_device_proto::{ConnAck, Packet, ReasonCode, owned};
//! use tokio::io::{AsyncRead, AsyncWrite};
//! use tokio_util::codec::Framed;
//!
//! /// Accepts every client, and answers its pings.
//! async fn serve(link: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), CodecError> {
//!     let mut link = Framed::new(link, Codec::server(65_536));
//!     while let Some(incoming) = link.next().await {
//!         match incoming? {
//!             Incoming::Packet(owned::Packet::Connect(_)) => {
//!                 link.send(Packet::from(ConnAck::new(ReasonCode::SUCCESS))).await?;
//!             }
//!             Incoming::Packet(owned::Packet::PingReq) => link.send(Packet::PingResp).await?,
//!             Incoming::Packet(packet) => println!("{packet:?}"),
//!             Incoming::Skipped(skipped) => println!("too long: {skipped:?}"),
//!         }
//!     }
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), CodecError> {
//! use mqtt_device_tokio::mqtt_device_proto::{Connect, Version};
//! let (near, far) = tokio::io::duplex(64);
//! tokio::spawn(serve(far));
//! let mut client = Framed::new(near, Codec::client(Version::V311, 65_536));
//! client.send(Packet::from(Connect::new("me"))).await?;
//! assert!(matches!(client.next().await, Some(Ok(Incoming::Packet(owned::Packet::ConnAck(_))))));
//! client.send(owned::Packet::PingReq).await?;
//! assert_eq!(client.next().await.unwrap()?, Incoming::Packet(owned::Packet::PingResp));
//! # Ok(())
//! # }
//! ```

mod decode;
mod encode;
mod error;

use mqtt_device_proto::{DecodeError, Role, Version, owned};

pub use error::CodecError;

/// Cuts a stream into packets, and writes packets into one: a [`Decoder`](tokio_util::codec::Decoder) of [`Incoming`], and
/// an [`Encoder`](tokio_util::codec::Encoder) of packets, borrowed ([`Packet`](mqtt_device_proto::Packet)) and owned
/// ([`owned::Packet`]), by value or by reference.
///
/// A packet of more than the greatest size is not received, and no memory is reserved for it. It is an error, unless the
/// codec is told to [skip](Self::skipping) such packets. What is reserved for the others grows with what has come, not with
/// what was announced.
///
/// Received packets share the read buffer, which lives as long as one of them: copy what is kept for long
/// ([`owned::Packet::copy_from`]).
#[derive(Clone, Debug)]
pub struct Codec {
    /// Who sends what is decoded.
    peer: Role,
    /// `None` until the client has said it.
    version: Option<Version>,
    /// The longest packet that is received.
    limit: u32,
    /// The longest packet that is sent.
    peer_limit: u32,
    /// Whether a longer one is skipped.
    skips: bool,
    /// Bytes that are still to be skipped.
    skip: u32,
    /// What was wrong with the last packet: nothing good comes behind it.
    failed: Option<DecodeError>,
}

impl Codec {
    /// The codec of a client, which receives packets of at most `max_packet_size` bytes from a server.
    #[must_use]
    pub const fn client(version: Version, max_packet_size: u32) -> Self {
        Self::new(Role::Server, Some(version), max_packet_size)
    }

    /// The codec of a server, which receives packets of at most `max_packet_size` bytes from a client. The version is what
    /// the client's CONNECT says, which must be its first packet `[MQTT-3.1.0-1]`.
    #[must_use]
    pub const fn server(max_packet_size: u32) -> Self {
        Self::new(Role::Client, None, max_packet_size)
    }

    const fn new(peer: Role, version: Option<Version>, limit: u32) -> Self {
        Self { peer, version, limit, peer_limit: u32::MAX, skips: false, skip: 0, failed: None }
    }

    /// The same, but packets that are too long are skipped in constant memory, and told of as [`Incoming::Skipped`]: enough
    /// to acknowledge a PUBLISH. MQTT 3.1.1 cannot tell the peer a greatest size, so that closing would bring the same
    /// message again. A CONNECT that is too long is an error all the same.
    #[must_use]
    pub const fn skipping(self) -> Self {
        Self { skips: true, ..self }
    }

    /// The version, once it is known.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Settles the version: for a server that refuses a client whose version it does not know, and wants to say so in one
    /// that it does.
    pub const fn set_version(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// The longest packet that may be sent from now on: what the peer said with the property Maximum Packet Size
    /// (MQTT 5). Without a call there is no limit.
    pub const fn set_peer_max_packet_size(&mut self, max_packet_size: u32) {
        self.peer_limit = max_packet_size;
    }
}

/// What a [`Codec`] has received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "v5",
    expect(clippy::large_enum_variant, reason = "nearly all are packets, and a box for each costs more")
)]
pub enum Incoming {
    /// A whole packet.
    Packet(owned::Packet),
    /// A packet that was too long; from a codec that [skips](Codec::skipping) such.
    Skipped(owned::Skipped),
}
