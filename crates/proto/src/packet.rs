//! Any control packet: decoding by type, encoding by type, and the frame that all encoders share.

use crate::ack::{PubAck, PubComp, PubRec, PubRel};
use crate::connack::ConnAck;
use crate::connect::Connect;
use crate::disconnect::{Auth, Disconnect};
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::frame::{Frame, Header, open_usual};
use crate::publish::Publish;
use crate::reader::Reader;
use crate::suback::{SubAck, UnsubAck};
use crate::subscribe::{Subscribe, Unsubscribe};
use crate::types::{PacketId, PacketType, Role, Version};
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
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "UPPERCASE"))]
#[expect(missing_docs, reason = "each variant's struct says what it is")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn decode(frame: &'b [u8], version: Version, role: Role) -> Result<Self, DecodeError> {
        match open_usual(frame) {
            Some((first, body)) => Self::decode_body(frame, first, body, version, role),
            None => Self::decode_unusual(frame, version, role),
        }
    }

    /// What comes with every message stays in the caller; the rest is kept apart, so that it costs those nothing.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn decode_body(
        frame: &'b [u8],
        first: u8,
        body: &'b [u8],
        version: Version,
        role: Role,
    ) -> Result<Self, DecodeError> {
        // Every second packet on a busy connection: an acknowledgement that says nothing but its identifier, which all
        // versions and both sides write alike.
        if let [high, low] = *body
            && let Some(id) = PacketId::new(u16::from_be_bytes([high, low]))
        {
            match first {
                0x40 => return Ok(Self::PubAck(PubAck::new(id))),
                0x50 => return Ok(Self::PubRec(PubRec::new(id))),
                0x62 => return Ok(Self::PubRel(PubRel::new(id))),
                0x70 => return Ok(Self::PubComp(PubComp::new(id))),
                _ => {}
            }
        }
        if first >> 4 == 3 {
            Publish::read(Reader::new(body, frame.len(), PacketType::Publish), version, role, first)
        } else if first == 0x10 && role == Role::Client {
            Connect::read(Reader::new(body, frame.len(), PacketType::Connect), version)
        } else if first == 0x82 && role == Role::Client {
            Subscribe::read(Reader::new(body, frame.len(), PacketType::Subscribe), version)
        } else {
            Self::decode_rarer(frame, first, body, version, role)
        }
    }

    #[inline(never)]
    fn decode_rarer(
        frame: &'b [u8],
        first: u8,
        body: &'b [u8],
        version: Version,
        role: Role,
    ) -> Result<Self, DecodeError> {
        match PacketType::from_first_byte(first) {
            Some(packet) if packet.is_sent_by(role, version) => {
                Self::decode_as(packet, first, Reader::new(body, frame.len(), packet), version, role)
            }
            // Not of this sender, or not of this version: `open` says which.
            _ => Self::decode_unusual(frame, version, role),
        }
    }

    /// What has no usual fixed header, good or bad.
    #[inline(never)]
    fn decode_unusual(frame: &'b [u8], version: Version, role: Role) -> Result<Self, DecodeError> {
        let (packet, first, body) = open(frame, version, role)?;
        Self::decode_as(packet, first, Reader::new(body, frame.len(), packet), version, role)
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn decode_as(
        packet: PacketType,
        first: u8,
        reader: Reader<'b>,
        version: Version,
        role: Role,
    ) -> Result<Self, DecodeError> {
        match packet {
            PacketType::Connect => Connect::read(reader, version),
            PacketType::ConnAck => ConnAck::read(reader, version).map(Self::ConnAck),
            PacketType::Publish => Publish::read(reader, version, role, first),
            PacketType::PubAck => PubAck::read(reader, version).map(Self::PubAck),
            PacketType::PubRec => PubRec::read(reader, version).map(Self::PubRec),
            PacketType::PubRel => PubRel::read(reader, version).map(Self::PubRel),
            PacketType::PubComp => PubComp::read(reader, version).map(Self::PubComp),
            PacketType::Subscribe => Subscribe::read(reader, version),
            PacketType::SubAck => SubAck::read(reader, version).map(Self::SubAck),
            PacketType::Unsubscribe => Unsubscribe::read(reader, version),
            PacketType::UnsubAck => UnsubAck::read(reader, version).map(Self::UnsubAck),
            PacketType::PingReq => reader.finish().map(|()| Self::PingReq),
            PacketType::PingResp => reader.finish().map(|()| Self::PingResp),
            PacketType::Disconnect => Disconnect::read(reader, version, role).map(Self::Disconnect),
            PacketType::Auth => Auth::read(reader, version, role).map(Self::Auth),
        }
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

    /// Whether `role` may send this packet: what encoding does not ask, since it is not told who sends.
    ///
    /// # Errors
    /// [`WrongDirection`](EncodeError::WrongDirection), or a property or reason code that is the other side's.
    pub fn check_sender(&self, role: Role, version: Version) -> Result<(), EncodeError> {
        let packet = self.packet_type();
        if !packet.is_sent_by(role, version) {
            return Err(EncodeError::WrongDirection);
        }
        let (reason, properties) = match self {
            Self::Publish(p) => (None, p.properties),
            Self::Disconnect(p) => (Some(p.reason), p.properties),
            Self::Auth(p) => (Some(p.reason), p.properties),
            _ => return Ok(()),
        };
        if let Some(code) = reason
            && version.has_properties()
            && !code.is_listed_in(packet, Some(role))
        {
            return Err(EncodeError::BadReasonCode(code));
        }
        let mut ids = properties.iter().map(|property| property.id());
        match ids.find(|id| id.is_misdirected(packet.into(), role)) {
            Some(id) => Err(EncodeError::PropertyWrongDirection(id)),
            None => Ok(()),
        }
    }

    /// Bytes of the whole packet.
    ///
    /// # Errors
    /// [`EncodeError`] for everything that the standard forbids whoever sends it.
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

    /// Appends the packet to `out` and answers its length. After an error `out` is as it was. With feature `alloc`.
    ///
    /// # Errors
    /// [`EncodeError`] for everything that the standard forbids whoever sends it.
    #[cfg(feature = "alloc")]
    pub fn append(&self, version: Version, out: &mut alloc::vec::Vec<u8>) -> Result<usize, EncodeError> {
        let start = out.len();
        out.resize(start.saturating_add(self.encoded_len(version)?), 0);
        let written = self.encode(version, out.get_mut(start..).unwrap_or_default());
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    /// Writes the packet to the front of `out` and answers its length. After an error there may be anything in `out`.
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

impl<'b> Frame<'b> {
    /// Decodes the packet, sent by `role`: what [`Packet::decode`] does, without a second look at the fixed header.
    ///
    /// # Errors
    /// The first defect with its offset.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub fn decode(&self, version: Version, role: Role) -> Result<Packet<'b>, DecodeError> {
        match self.usual() {
            Some((first, body)) => Packet::decode_body(self.bytes(), first, body, version, role),
            None => Packet::decode_unusual(self.bytes(), version, role),
        }
    }
}

/// Checks the fixed header of a whole frame: its type, its first byte, its body.
#[inline(never)]
fn open(frame: &[u8], version: Version, role: Role) -> Result<(PacketType, u8, &[u8]), DecodeError> {
    if let Some(header) = Header::read(frame, version)?
        && header.packet.is_sent_by(role, version)
        && usize::try_from(header.total).is_ok_and(|total| total == frame.len())
        && let Some(body) = frame.get(header.len..)
    {
        return Ok((header.packet, header.first, body));
    }
    Err(not_a_frame(frame, version, role))
}

/// What is wrong with a frame of which the header, as far as it goes, is well formed.
#[cold]
#[inline(never)]
fn not_a_frame(frame: &[u8], version: Version, role: Role) -> DecodeError {
    let end = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let packet = frame.first().and_then(|first| PacketType::from_first_byte(*first));
    let (at, kind) = match Header::read(frame, version) {
        _ if packet.is_some_and(|packet| !packet.is_sent_by(role, version)) => (0, DecodeErrorKind::WrongDirection),
        Ok(Some(header)) if end > header.total => (header.total, DecodeErrorKind::TrailingBytes),
        _ => (end, DecodeErrorKind::Incomplete),
    };
    DecodeError { packet, at, kind }
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
    // Asked for first, since most packets are as short.
    let len = match body {
        0..0x80 => body.wrapping_add(2),
        0x80..0x4000 => body.wrapping_add(3),
        _ => packet_len(body)?,
    };
    let needed = len.wrapping_sub(later);
    let out = out.get_mut(..needed).ok_or(EncodeError::BufferTooSmall { needed })?;
    let writer = &mut Writer::new(out);
    let written = || {
        writer.fixed_header(first_byte, u32::try_from(body).ok()?)?;
        write(writer)
    };
    // The buffer is as long as was counted, so this never fails; it is not worth a panic if it did.
    written().ok_or(EncodeError::BufferTooSmall { needed })?;
    Ok(needed)
}

/// `encoded_len` and `encode` of a packet with `first_byte()`, `body_len(version)` and `write(version, writer)`.
macro_rules! encoding {
    ($packet:ident $(, $quick:ident)?) => {
        impl $packet<'_> {
            /// Bytes of the whole packet.
            ///
            /// # Errors
            /// [`EncodeError`](crate::EncodeError) for everything that the standard forbids whoever sends it.
            #[inline]
            pub fn encoded_len(&self, version: crate::Version) -> Result<usize, crate::EncodeError> {
                crate::packet::packet_len(self.body_len(version)?)
            }

            /// Writes the packet to the front of `out` and answers its length. After an error there may be anything in `out`.
            ///
            /// # Errors
            /// [`BufferTooSmall`](crate::EncodeError::BufferTooSmall) with the length that is needed, or what the
            /// standard forbids in this packet.
            #[inline]
            pub fn encode(&self, version: crate::Version, out: &mut [u8]) -> Result<usize, crate::EncodeError> {
                $(
                    #[cfg(target_pointer_width = "64")]
                    if let Some(len) = $quick::encode(self, version, out) {
                        return Ok(len);
                    }
                )?
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
