//! Any control packet: decoding by type, encoding by type, and the frame that all encoders share.

use crate::ack::{PubAck, PubComp, PubRec, PubRel};
use crate::connack::ConnAck;
use crate::connect::Connect;
use crate::disconnect::{Auth, Disconnect};
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::frame::Header;
use crate::publish::Publish;
use crate::reader::Reader;
use crate::suback::{SubAck, UnsubAck};
use crate::subscribe::{Subscribe, Unsubscribe};
use crate::types::{PacketType, Role, Version};
use crate::writer::{VARINT_MAX, Writer, varint_len};

/// One control packet, borrowed from the bytes it was decoded from or from what the caller wants to send.
///
/// ```
/// use mqtt_device_proto::{Packet, Role, Version};
/// let frame = [0x30, 0x07, 0x00, 0x04, b'd', b'o', b'o', b'r', b'1'];
/// let Packet::Publish(publish) = Packet::decode(&frame, Version::V311, Role::Server)? else { panic!() };
/// assert_eq!((publish.topic.as_str(), publish.payload), ("door", &b"1"[..]));
///
/// let mut out = [0; 16];
/// let len = publish.encode(Version::V311, &mut out)?;
/// assert_eq!(out[..len], frame);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's struct says what it is")]
pub enum Packet<'b> {
    Connect(Connect<'b>),
    ConnAck(ConnAck<'b>),
    Publish(Publish<'b>),
    PubAck(PubAck<'b>),
    PubRec(PubRec<'b>),
    PubRel(PubRel<'b>),
    PubComp(PubComp<'b>),
    Subscribe(Subscribe<'b>),
    SubAck(SubAck<'b>),
    Unsubscribe(Unsubscribe<'b>),
    UnsubAck(UnsubAck<'b>),
    /// Asks for a sign of life.
    PingReq,
    /// Answers PINGREQ.
    PingResp,
    Disconnect(Disconnect<'b>),
    /// MQTT 5 alone.
    Auth(Auth<'b>),
}

impl<'b> Packet<'b> {
    /// Decodes `frame`, which is exactly one packet as [`frame_len`](crate::frame_len) finds it, sent by `role`.
    ///
    /// # Errors
    /// The first defect with its offset: [`DecodeErrorKind`] lists them. A frame that is cut short is
    /// [`Incomplete`](DecodeErrorKind::Incomplete) unless its first bytes are wrong already.
    #[inline]
    pub fn decode(frame: &'b [u8], version: Version, role: Role) -> Result<Self, DecodeError> {
        let (header, mut reader) = open(frame, version, role)?;
        let r = &mut reader;
        Ok(match header.packet {
            PacketType::Connect => Self::Connect(Connect::read(r, version)?),
            PacketType::ConnAck => Self::ConnAck(ConnAck::read(r, version)?),
            PacketType::Publish => Self::Publish(Publish::read(r, version, role, header.first)?),
            PacketType::PubAck => Self::PubAck(PubAck::read(r, version)?),
            PacketType::PubRec => Self::PubRec(PubRec::read(r, version)?),
            PacketType::PubRel => Self::PubRel(PubRel::read(r, version)?),
            PacketType::PubComp => Self::PubComp(PubComp::read(r, version)?),
            PacketType::Subscribe => Self::Subscribe(Subscribe::read(r, version)?),
            PacketType::SubAck => Self::SubAck(SubAck::read(r, version)?),
            PacketType::Unsubscribe => Self::Unsubscribe(Unsubscribe::read(r, version)?),
            PacketType::UnsubAck => Self::UnsubAck(UnsubAck::read(r, version)?),
            PacketType::PingReq => {
                r.finish()?;
                Self::PingReq
            }
            PacketType::PingResp => {
                r.finish()?;
                Self::PingResp
            }
            PacketType::Disconnect => Self::Disconnect(Disconnect::read(r, version, role)?),
            PacketType::Auth => Self::Auth(Auth::read(r, version, role)?),
        })
    }

    /// The type.
    #[must_use]
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }

    /// Bytes of the whole packet.
    ///
    /// # Errors
    /// [`EncodeError`] for everything that the standard forbids.
    #[inline]
    pub fn encoded_len(&self, version: Version) -> Result<usize, EncodeError> {
        match self {
            Self::Connect(packet) => packet.encoded_len(version),
            Self::ConnAck(packet) => packet.encoded_len(version),
            Self::Publish(packet) => packet.encoded_len(version),
            Self::PubAck(packet) => packet.encoded_len(version),
            Self::PubRec(packet) => packet.encoded_len(version),
            Self::PubRel(packet) => packet.encoded_len(version),
            Self::PubComp(packet) => packet.encoded_len(version),
            Self::Subscribe(packet) => packet.encoded_len(version),
            Self::SubAck(packet) => packet.encoded_len(version),
            Self::Unsubscribe(packet) => packet.encoded_len(version),
            Self::UnsubAck(packet) => packet.encoded_len(version),
            Self::PingReq | Self::PingResp => Ok(2),
            Self::Disconnect(packet) => packet.encoded_len(version),
            Self::Auth(packet) => packet.encoded_len(version),
        }
    }

    /// Writes the packet to the front of `out` and answers its length.
    ///
    /// # Errors
    /// [`EncodeError::BufferTooSmall`] with the length that is needed, or what the standard forbids in this packet.
    #[inline]
    pub fn encode(&self, version: Version, out: &mut [u8]) -> Result<usize, EncodeError> {
        match self {
            Self::Connect(packet) => packet.encode(version, out),
            Self::ConnAck(packet) => packet.encode(version, out),
            Self::Publish(packet) => packet.encode(version, out),
            Self::PubAck(packet) => packet.encode(version, out),
            Self::PubRec(packet) => packet.encode(version, out),
            Self::PubRel(packet) => packet.encode(version, out),
            Self::PubComp(packet) => packet.encode(version, out),
            Self::Subscribe(packet) => packet.encode(version, out),
            Self::SubAck(packet) => packet.encode(version, out),
            Self::Unsubscribe(packet) => packet.encode(version, out),
            Self::UnsubAck(packet) => packet.encode(version, out),
            Self::PingReq => encode(PacketType::PingReq.first_byte(), 0, 0, out, |_| Some(())),
            Self::PingResp => encode(PacketType::PingResp.first_byte(), 0, 0, out, |_| Some(())),
            Self::Disconnect(packet) => packet.encode(version, out),
            Self::Auth(packet) => packet.encode(version, out),
        }
    }
}

/// Checks the fixed header of a whole frame and opens its body.
#[inline]
fn open(frame: &[u8], version: Version, role: Role) -> Result<(Header, Reader<'_>), DecodeError> {
    let end = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let fault = |packet, at, kind| Err(DecodeError { packet, at, kind });
    let header = Header::read(frame, version)?;
    let packet = match &header {
        Some(header) => Some(header.packet),
        None => frame.first().and_then(|first| PacketType::from_first_byte(*first)),
    };
    if packet.is_some_and(|packet| !packet.is_sent_by(role, version)) {
        return fault(packet, 0, DecodeErrorKind::WrongDirection);
    }
    let Some(header) = header else { return fault(packet, end, DecodeErrorKind::Incomplete) };
    if end > header.total {
        return fault(packet, header.total, DecodeErrorKind::TrailingBytes);
    }
    match frame.get(header.len..) {
        Some(body) if end == header.total => Ok((header, Reader::new(body, frame.len(), header.packet))),
        _ => fault(packet, end, DecodeErrorKind::Incomplete),
    }
}

/// Bytes of a packet of which the body takes `body` bytes.
#[inline]
pub(crate) fn packet_len(body: usize) -> Result<usize, EncodeError> {
    match u32::try_from(body) {
        Ok(body_len) if body_len <= VARINT_MAX => Ok(body.wrapping_add(varint_len(body_len)).wrapping_add(1)),
        _ => Err(EncodeError::PacketTooLarge),
    }
}

/// Writes the fixed header and then, with `write`, the body of `body` bytes; the last `later` of them are not written,
/// since the caller sends them itself.
#[inline]
pub(crate) fn encode(
    first_byte: u8,
    body: usize,
    later: usize,
    out: &mut [u8],
    write: impl FnOnce(&mut Writer<'_>) -> Option<()>,
) -> Result<usize, EncodeError> {
    let needed = packet_len(body)?.wrapping_sub(later);
    let out = out.get_mut(..needed).ok_or(EncodeError::BufferTooSmall { needed })?;
    let writer = &mut Writer::new(out);
    let written = || {
        writer.u8(first_byte)?;
        writer.varint(u32::try_from(body).ok()?)?;
        write(writer)
    };
    // The buffer is as long as was counted, so this never fails; it is not worth a panic if it did.
    written().ok_or(EncodeError::BufferTooSmall { needed })?;
    Ok(needed)
}

/// `encoded_len` and `encode` of a packet with `first_byte()`, `body_len(version)` and `write(version, writer)`.
macro_rules! encoding {
    ($packet:ident) => {
        impl $packet<'_> {
            /// Bytes of the whole packet.
            ///
            /// # Errors
            /// [`EncodeError`](crate::EncodeError) for everything that the standard forbids.
            #[inline]
            pub fn encoded_len(&self, version: crate::Version) -> Result<usize, crate::EncodeError> {
                crate::packet::packet_len(self.body_len(version)?)
            }

            /// Writes the packet to the front of `out` and answers its length.
            ///
            /// # Errors
            /// [`BufferTooSmall`](crate::EncodeError::BufferTooSmall) with the length that is needed, or what the
            /// standard forbids in this packet.
            #[inline]
            pub fn encode(&self, version: crate::Version, out: &mut [u8]) -> Result<usize, crate::EncodeError> {
                let body = self.body_len(version)?;
                crate::packet::encode(self.first_byte(), body, 0, out, |writer| self.write(version, writer))
            }
        }

        impl<'b> From<$packet<'b>> for crate::Packet<'b> {
            fn from(packet: $packet<'b>) -> Self {
                Self::$packet(packet)
            }
        }
    };
}
pub(crate) use encoding;
