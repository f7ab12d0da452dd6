//! PUBLISH: a message, with its head apart from its payload where the payload is elsewhere.

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::frame::Header;
use crate::packet::{Packet, encode, packet_len};
use crate::properties::Properties;
use crate::property::{Places, PropertyId};
#[cfg(all(feature = "v5", target_pointer_width = "64"))]
use crate::quick;
use crate::reader::Reader;
use crate::text::Text;
use crate::topic::TopicName;
use crate::types::{PacketId, PacketType, QoS, Role, Version};
use crate::writer::Writer;

/// A message on a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Publish<'b> {
    /// Sent before; never with QoS 0 `[MQTT-3.3.1-2]`.
    pub dup: bool,
    /// The delivery guarantee.
    pub qos: QoS,
    /// To be kept by the server, or kept by it until now.
    pub retain: bool,
    /// The topic. [`TopicName::EMPTY`] where the property Topic Alias says it (MQTT 5).
    pub topic: TopicName<'b>,
    /// With QoS 1 and 2, and only then `[MQTT-2.3.1-1]` `[MQTT-2.3.1-5]`.
    pub packet_id: Option<PacketId>,
    /// Properties of the message.
    pub properties: Properties<'b>,
    /// The message itself.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::bytes"))]
    pub payload: &'b [u8],
}

const RETAIN: u8 = 0x01;
const DUP: u8 = 0x08;

impl<'b> Publish<'b> {
    /// A message with QoS 0.
    #[must_use]
    pub const fn new(topic: TopicName<'b>, payload: &'b [u8]) -> Self {
        Self {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic,
            packet_id: None,
            properties: Properties::EMPTY,
            payload,
        }
    }

    /// As a [`Packet`], so that it is written to where the caller wants it and not copied there.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn read(
        mut reader: Reader<'b>,
        version: Version,
        sender: Role,
        first: u8,
    ) -> Result<Packet<'b>, DecodeError> {
        let topic = reader.first_topic_name()?;
        let qos = qos(first);
        let packet_id = if qos == QoS::AtMostOnce { None } else { Some(reader.packet_id()?) };
        if topic.is_empty() || version.has_properties() && !reader.skip_zero() {
            return Self::read_properties(reader, version, sender, first, (topic, packet_id));
        }
        let (dup, retain) = (first & DUP != 0, first & RETAIN != 0);
        let properties = Properties::EMPTY;
        Ok(Packet::Publish(Self { dup, qos, retain, topic, packet_id, properties, payload: reader.rest() }))
    }

    /// The rest where there may be properties. Apart, so that nearly every message needs few registers.
    #[inline(never)]
    fn read_properties(
        mut reader: Reader<'b>,
        version: Version,
        sender: Role,
        first: u8,
        (topic, packet_id): (TopicName<'b>, Option<PacketId>),
    ) -> Result<Packet<'b>, DecodeError> {
        let (dup, qos, retain) = (first & DUP != 0, qos(first), first & RETAIN != 0);
        #[cfg(all(feature = "v5", target_pointer_width = "64"))]
        if version == Version::V5
            && !topic.is_empty()
            && let Some((properties, payload)) = quick::properties::read(reader.rest(), Places::PUBLISH, sender)
        {
            return Ok(Packet::Publish(Self { dup, qos, retain, topic, packet_id, properties, payload }));
        }
        let back = topic.as_str().len().wrapping_add(if packet_id.is_some() { 4 } else { 2 });
        let at = reader.position().wrapping_sub(back);
        let properties = Properties::read(&mut reader, version, Places::PUBLISH, sender)?;
        if topic.is_empty() && properties.find(PropertyId::TopicAlias).is_none() {
            return Err(reader.fault_at(at, DecodeErrorKind::EmptyTopicName));
        }
        Ok(Packet::Publish(Self { dup, qos, retain, topic, packet_id, properties, payload: reader.rest() }))
    }

    #[inline]
    pub(crate) const fn first_byte(&self) -> u8 {
        PacketType::Publish.first_byte()
            | if self.dup { DUP } else { 0 }
            | self.qos.as_u8() << 1
            | if self.retain { RETAIN } else { 0 }
    }

    /// Bytes between the fixed header and the payload, and of the properties in them without their length.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn measure(&self, version: Version) -> Result<(usize, usize), EncodeError> {
        let id_len = self.id_len()?;
        let properties = self.properties.count(version, Places::PUBLISH)?;
        if self.topic.is_empty() && self.properties.find(PropertyId::TopicAlias).is_none() {
            return Err(EncodeError::EmptyTopicName);
        }
        // A topic name has at most 65,535 bytes.
        let topic = self.topic.as_str().len().saturating_add(2);
        let len = topic.saturating_add(id_len).saturating_add(Properties::with_length(properties, version));
        Ok((len, properties))
    }

    #[inline]
    pub(crate) const fn id_len(&self) -> Result<usize, EncodeError> {
        match (self.qos, self.packet_id) {
            (QoS::AtMostOnce, None) if self.dup => Err(EncodeError::DupWithQoS0),
            (QoS::AtMostOnce, None) => Ok(0),
            (QoS::AtMostOnce, Some(_)) => Err(EncodeError::PacketIdWithQoS0),
            (_, Some(_)) => Ok(2),
            (_, None) => Err(EncodeError::NoPacketId),
        }
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn write_head(&self, version: Version, properties: usize, writer: &mut Writer<'_>) -> Option<()> {
        let topic = self.topic.as_str().as_bytes();
        match self.packet_id {
            Some(id) => writer.framed([], topic, id.get().to_be_bytes())?,
            None => writer.binary(topic)?,
        }
        self.properties.write_counted(version, properties, writer)
    }

    /// Writes the packet with `len` bytes of payload: `self.payload`, or what the caller sends `LATER`.
    #[inline]
    fn encode_with<const LATER: bool>(
        &self,
        version: Version,
        len: usize,
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        if !self.properties.is_empty() || self.topic.is_empty() {
            return self.encode_more::<LATER>(version, len, out);
        }
        // What nearly every message is, with what is known put in: a fifth less work.
        let topic = self.topic.as_str().as_bytes();
        let head = self.id_len()?.wrapping_add(topic.len()).wrapping_add(if version.has_properties() { 3 } else { 2 });
        // A payload that is there fits into memory together with a topic.
        let (body, later) = if LATER { (head.saturating_add(len), len) } else { (head.wrapping_add(len), 0) };
        encode(self.first_byte(), body, later, out, |writer| {
            match (self.packet_id, version.has_properties()) {
                (None, false) => writer.framed([], topic, [])?,
                (None, true) => writer.framed([], topic, [0])?,
                (Some(id), false) => writer.framed([], topic, id.get().to_be_bytes())?,
                (Some(id), true) => {
                    let [high, low] = id.get().to_be_bytes();
                    writer.framed([], topic, [high, low, 0])?;
                }
            }
            if LATER { Some(()) } else { writer.bytes(self.payload) }
        })
    }

    /// A message with properties, or without a topic.
    #[inline(never)]
    fn encode_more<const LATER: bool>(
        &self,
        version: Version,
        len: usize,
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        #[cfg(all(feature = "v5", target_pointer_width = "64"))]
        if version == Version::V5
            && let Some(set) = self.properties.slice()
        {
            return match quick::publish::encode::<LATER>(self, set, len, out) {
                Some(written) => Ok(written),
                // The version as it is known here need not be kept until now.
                None => self.encode_any::<LATER>(Version::V5, len, out),
            };
        }
        self.encode_any::<LATER>(version, len, out)
    }

    #[inline(never)]
    pub(crate) fn encode_any<const LATER: bool>(
        &self,
        version: Version,
        len: usize,
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        let (head, properties) = self.measure(version)?;
        let later = if LATER { len } else { 0 };
        encode(self.first_byte(), head.saturating_add(len), later, out, |writer| {
            self.write_head(version, properties, writer)?;
            if LATER { Some(()) } else { writer.bytes(self.payload) }
        })
    }

    /// Bytes of the whole packet.
    ///
    /// # Errors
    /// [`EncodeError`] for everything that the standard forbids whoever sends it.
    #[inline]
    pub fn encoded_len(&self, version: Version) -> Result<usize, EncodeError> {
        let (head, _) = self.measure(version)?;
        packet_len(head.saturating_add(self.payload.len()))
    }

    /// Writes the packet to the front of `out` and answers its length. After an error there may be anything in `out`.
    ///
    /// # Errors
    /// [`EncodeError::BufferTooSmall`] with the length that is needed, or what the standard forbids in this packet.
    #[inline]
    pub fn encode(&self, version: Version, out: &mut [u8]) -> Result<usize, EncodeError> {
        self.encode_with::<false>(version, self.payload.len(), out)
    }

    /// Bytes of all but the payload, where a payload of `payload_len` bytes follows. `self.payload` does not count.
    ///
    /// # Errors
    /// [`EncodeError`] for everything that the standard forbids whoever sends it.
    #[inline]
    pub fn head_len(&self, version: Version, payload_len: u32) -> Result<usize, EncodeError> {
        let payload = usize::try_from(payload_len).map_err(|_| EncodeError::PacketTooLarge)?;
        let (head, _) = self.measure(version)?;
        packet_len(head.saturating_add(payload)).map(|len| len.wrapping_sub(payload))
    }

    /// Writes all but the payload, of which `payload_len` bytes follow from elsewhere. `self.payload` does not count. After
    /// an error there may be anything in `out`.
    ///
    /// ```
    /// # use mqtt_device_proto::{Publish, TopicName, Version};
    /// let publish = Publish::new(TopicName::new("log")?, &[]);
    /// let mut head = [0; 16];
    /// let len = publish.encode_head(Version::V311, 1000, &mut head)?;
    /// assert_eq!(head[..len], [0x30, 0xED, 0x07, 0, 3, b'l', b'o', b'g']); // and now the 1000 bytes
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EncodeError::BufferTooSmall`] with the length of the head, or what the standard forbids.
    #[inline]
    pub fn encode_head(&self, version: Version, payload_len: u32, out: &mut [u8]) -> Result<usize, EncodeError> {
        let payload = usize::try_from(payload_len).map_err(|_| EncodeError::PacketTooLarge)?;
        self.encode_with::<true>(version, payload, out)
    }
}

impl<'b> From<Publish<'b>> for Packet<'b> {
    fn from(packet: Publish<'b>) -> Self {
        Self::Publish(packet)
    }
}

/// The QoS in the first byte; 3 was refused with the fixed header.
#[inline]
fn qos(first: u8) -> QoS {
    QoS::from_u8(first >> 1 & 3).unwrap_or_default()
}

/// The front of a PUBLISH whose rest is not there, such as one that is too long to be received: enough to acknowledge it
/// and to tell the application what was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PublishHead<'b> {
    /// Sent before.
    pub dup: bool,
    /// The delivery guarantee.
    pub qos: QoS,
    /// A retained message.
    pub retain: bool,
    /// The topic; [`TopicName::EMPTY`] in MQTT 5 where a topic alias, which is not read here, says it.
    pub topic: TopicName<'b>,
    /// With QoS 1 and 2.
    pub packet_id: Option<PacketId>,
    /// Bytes of the whole packet.
    pub total: u32,
    /// Bytes read here: what follows is the payload, in MQTT 5 with the properties in front of it.
    pub len: u32,
}

impl<'b> PublishHead<'b> {
    /// Reads the front of a PUBLISH from its first bytes; `None` while there are too few. At most 65,544 are needed.
    ///
    /// # Errors
    /// What [`Packet::decode`](crate::Packet::decode) would find wrong in these bytes, or that the packet is no PUBLISH
    /// ([`WrongDirection`](DecodeErrorKind::WrongDirection)).
    pub fn decode(prefix: &'b [u8], version: Version) -> Result<Option<Self>, DecodeError> {
        let Some(header) = Header::read(prefix, version)? else { return Ok(None) };
        if header.packet != PacketType::Publish {
            return Err(DecodeError { packet: Some(header.packet), at: 0, kind: DecodeErrorKind::WrongDirection });
        }
        let total = usize::try_from(header.total).unwrap_or(usize::MAX);
        let end = prefix.len().min(total);
        let Some(body) = prefix.get(header.len..end) else { return Ok(None) };
        let mut reader = Reader::new(body, end, header.packet);
        let at = reader.position();
        let qos = qos(header.first);
        let fields = reader.topic_name(Text::default()).and_then(|topic| {
            if topic.is_empty() && !version.has_properties() {
                return Err(reader.fault_at(at, DecodeErrorKind::EmptyTopicName));
            }
            Ok((topic, if qos == QoS::AtMostOnce { None } else { Some(reader.packet_id()?) }))
        });
        let (topic, packet_id) = match fields {
            Ok(fields) => fields,
            Err(error) if error.kind == DecodeErrorKind::FieldTruncated && end < total => {
                // What is still to come does not cure a topic that is longer than the packet, nor an identifier that does not
                // fit behind a topic that is there, and good.
                let Some(len) = body.first_chunk() else { return Ok(None) };
                let topic_end = header.len.saturating_add(2).saturating_add(usize::from(u16::from_be_bytes(*len)));
                let is_hopeless = topic_end > total
                    || topic_end <= end && qos != QoS::AtMostOnce && total.saturating_sub(topic_end) < 2;
                return if is_hopeless { Err(error) } else { Ok(None) };
            }
            Err(error) => return Err(error),
        };
        let (dup, retain) = (header.first & DUP != 0, header.first & RETAIN != 0);
        let len = u32::try_from(reader.position()).unwrap_or(u32::MAX);
        Ok(Some(Self { dup, qos, retain, topic, packet_id, total: header.total, len }))
    }
}
