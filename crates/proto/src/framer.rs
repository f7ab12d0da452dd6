//! Cuts a stream into packets in the caller's buffer, and skips a packet that is longer than allowed.

use core::cell::Cell;
use core::fmt;

use crate::error::DecodeError;
use crate::frame::{Frame, Header, Status};
use crate::publish::PublishHead;
use crate::reader::Reader;
use crate::types::{PacketId, PacketType, Version};

/// A receive buffer that gives back whole frames, however the stream is split: for who reads into one fixed buffer. Who has
/// the bytes already takes [`Frame`]s off them.
///
/// A packet of more than `limit` bytes is not received but skipped, in constant memory and without closing: the
/// [`Skipped`] says what was missed, so that it can still be acknowledged.
///
/// ```
/// use mqtt_device_proto::{Framed, Framer, Packet, Role, Version};
/// # fn read(space: &mut [u8]) -> usize { space[..3].copy_from_slice(&[0xD0, 0x00, 0xD0]); 3 }
/// let mut buffer = [0; 256];
/// let mut framer = Framer::new(&mut buffer, 256, Version::V311);
///
/// let n = read(framer.space()); // from wherever bytes come
/// framer.filled(n);
/// while let Some(framed) = framer.next()? {
///     match framed {
///         Framed::Frame(frame) => assert_eq!(frame.decode(Version::V311, Role::Server)?, Packet::PingResp),
///         Framed::Skipped(skipped) => println!("{} of {} bytes", skipped.packet, skipped.total),
///     }
/// }
/// # Ok::<(), mqtt_device_proto::DecodeError>(())
/// ```
pub struct Framer<'m> {
    buffer: &'m mut [u8],
    /// What was received and not yet given back.
    start: usize,
    end: usize,
    /// Bytes from `start` on that are of no use, those that are still to come included.
    skip: u32,
    limit: u32,
    version: Version,
}

/// What stands at the front of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Framed<'b> {
    /// One whole packet.
    Frame(Frame<'b>),
    /// A packet that is over the limit. The rest of it is dropped as it comes.
    Skipped(Skipped<'b>),
}

/// A packet that was not received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Skipped<'b> {
    /// Its type.
    pub packet: PacketType,
    /// Bytes of the whole packet.
    pub total: u32,
    /// Its packet identifier, if it has one that fits into the buffer together with the topic in front of it.
    pub packet_id: Option<PacketId>,
    /// What a PUBLISH is about. `None` for other packets, and for one of which topic and packet identifier are longer than
    /// the buffer.
    pub head: Option<PublishHead<'b>>,
}

impl<'b> Skipped<'b> {
    /// What the first bytes of a packet say about it. `None` while there are too few, unless they are `all` that will be
    /// looked at; even then `None` without a whole fixed header.
    ///
    /// # Errors
    /// A defect in these bytes.
    pub fn decode(prefix: &'b [u8], version: Version, all: bool) -> Result<Option<Self>, DecodeError> {
        let Some(Header { packet, len, total, .. }) = Header::read(prefix, version)? else { return Ok(None) };
        let head = if packet == PacketType::Publish { PublishHead::decode(prefix, version)? } else { None };
        let packet_id = match packet {
            PacketType::Publish => head.and_then(|head| head.packet_id),
            _ if !packet.begins_with_id() => return Ok(Some(Self { packet, total, packet_id: None, head })),
            _ => {
                let body = prefix.get(len..).unwrap_or_default();
                if body.len() < 2 { None } else { Some(Reader::new(body, prefix.len(), packet).packet_id()?) }
            }
        };
        let is_known = head.is_some() || packet_id.is_some();
        Ok(if is_known || all { Some(Self { packet, total, packet_id, head }) } else { None })
    }
}

impl<'m> Framer<'m> {
    /// A framer for packets of at most `limit` bytes, header included, and of at most the buffer's length, which is five
    /// bytes or more: a longer packet is skipped, and of a PUBLISH the topic is told if the buffer holds it. The version
    /// counts for the head of a PUBLISH that is skipped: a server starts with any, and says it once it knows it
    /// ([`set_version`](Self::set_version)).
    #[must_use]
    pub fn new(buffer: &'m mut [u8], limit: u32, version: Version) -> Self {
        let limit = limit.min(u32::try_from(buffer.len()).unwrap_or(u32::MAX));
        Self { buffer, start: 0, end: 0, skip: 0, limit, version }
    }

    /// Where to put what is received next. Call [`next`](Self::next) until it answers `None` before: then there is space,
    /// provided that the buffer has room for a fixed header, five bytes. Otherwise this may be empty, and to read into
    /// nothing looks like the end of a stream.
    pub fn space(&mut self) -> &mut [u8] {
        self.drop_skipped();
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.move_to_front();
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// `n` bytes were put into the front of [`space`](Self::space); more than it holds count as so many.
    pub fn filled(&mut self, n: usize) {
        self.end = self.end.saturating_add(n).min(self.buffer.len());
    }

    /// The next packet, once all of it has been received; `None` asks for more. Not an iterator, since what is given
    /// back lies in the buffer.
    ///
    /// # Errors
    /// The stream cannot go on: what [`Frame::take`] refuses, or a defect in the head of a packet that is skipped. Close.
    #[expect(clippy::should_implement_trait, reason = "it lends from itself")]
    pub fn next(&mut self) -> Result<Option<Framed<'_>>, DecodeError> {
        self.drop_skipped();
        if self.skip != 0 {
            return Ok(None);
        }
        let received = self.buffer.get(self.start..self.end).unwrap_or_default();
        match Frame::take(&mut &*received, self.limit)? {
            Status::Complete(frame) => {
                self.start = self.start.saturating_add(frame.bytes().len());
                Ok(Some(Framed::Frame(frame)))
            }
            Status::Partial { .. } => Ok(None),
            Status::Oversize { total } => {
                let skipped = Skipped::decode(received, self.version, received.len() >= self.buffer.len())?;
                if skipped.is_some() {
                    self.skip = total;
                }
                Ok(skipped.map(Framed::Skipped))
            }
        }
    }

    /// The version from now on, as [`Connect::version`](crate::Connect::version) has found it. What was received stays.
    pub const fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// Forgets the stream: for the next connection.
    pub fn reset(&mut self, version: Version) {
        (self.start, self.end, self.skip, self.version) = (0, 0, 0, version);
    }

    /// What a look at it shows: bytes that were received, bytes to be skipped, and the limit.
    pub(crate) const fn state(&self) -> (usize, u32, u32) {
        (self.end.saturating_sub(self.start), self.skip, self.limit)
    }

    /// Lets go of what is here of a packet that is skipped.
    fn drop_skipped(&mut self) {
        let here = self.end.saturating_sub(self.start);
        let skip = usize::try_from(self.skip).unwrap_or(usize::MAX).min(here);
        self.start = self.start.saturating_add(skip);
        self.skip = self.skip.saturating_sub(u32::try_from(skip).unwrap_or(u32::MAX));
    }

    fn move_to_front(&mut self) {
        let cells = Cell::from_mut(&mut *self.buffer).as_slice_of_cells();
        let rest = cells.get(self.start..self.end).unwrap_or_default();
        cells.iter().zip(rest).for_each(|(to, from)| to.set(from.get()));
        (self.start, self.end) = (0, rest.len());
    }
}

impl fmt::Debug for Framer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (received, skip, limit) = self.state();
        f.debug_struct("Framer")
            .field("received", &received)
            .field("skip", &skip)
            .field("limit", &limit)
            .finish_non_exhaustive()
    }
}
