//! CONNECT: who the client is, and the will it leaves behind.

use core::fmt;

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::frame::Header;
use crate::packet::{Packet, encoding};
use crate::properties::Properties;
use crate::property::Places;
#[cfg(target_pointer_width = "64")]
use crate::quick::connect as quick;
use crate::reader::Reader;
use crate::topic::TopicName;
use crate::types::{PacketType, QoS, Role, Version};
use crate::writer::{Writer, binary_len, string_len};

/// The first packet of a client. Its `Debug` shows of the password nothing but the length.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Connect<'b> {
    /// Begin a new session; `false` goes on with the kept one. Called Clean Session before MQTT 5.
    pub clean_start: bool,
    /// The longest silence of the client, in seconds; 0 is without limit.
    pub keep_alive: u16,
    /// The Client Identifier. Empty asks the server for one, before MQTT 5 only with `clean_start` `[MQTT-3.1.3-7]`.
    pub client_id: &'b str,
    /// What the server is to publish when the connection ends without a DISCONNECT.
    pub will: Option<Will<'b>>,
    /// The user name.
    pub username: Option<&'b str>,
    /// The password, before MQTT 5 only with a user name `[MQTT-3.1.2-22]`.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::option_of_bytes"))]
    pub password: Option<&'b [u8]>,
    /// Properties of the connection, not of the will.
    pub properties: Properties<'b>,
}

/// A message to be published by the server when the client is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Will<'b> {
    /// The QoS it is published with.
    pub qos: QoS,
    /// Whether it is published as a retained message.
    pub retain: bool,
    /// The topic.
    pub topic: TopicName<'b>,
    /// The payload.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::bytes"))]
    pub payload: &'b [u8],
    /// Properties of the will.
    pub properties: Properties<'b>,
}

impl<'b> Will<'b> {
    /// A will with QoS 0, not retained.
    #[must_use]
    pub const fn new(topic: TopicName<'b>, payload: &'b [u8]) -> Self {
        Self { qos: QoS::AtMostOnce, retain: false, topic, payload, properties: Properties::EMPTY }
    }
}

impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("clean_start", &self.clean_start)
            .field("keep_alive", &self.keep_alive)
            .field("client_id", &self.client_id)
            .field("will", &self.will)
            .field("username", &self.username)
            .field("password", &self.password.map(Redacted))
            .field("properties", &self.properties)
            .finish()
    }
}

/// A secret, of which the length alone is shown.
pub(crate) struct Redacted<'b>(pub(crate) &'b [u8]);

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

const RESERVED: u8 = 0x01;
pub(crate) const CLEAN_START: u8 = 0x02;
pub(crate) const WILL: u8 = 0x04;
pub(crate) const WILL_QOS: u8 = 0x18;
pub(crate) const WILL_RETAIN: u8 = 0x20;
pub(crate) const PASSWORD: u8 = 0x40;
pub(crate) const USERNAME: u8 = 0x80;

impl<'b> Connect<'b> {
    /// A client with a clean start, and nothing else.
    #[must_use]
    pub const fn new(client_id: &'b str) -> Self {
        Self {
            clean_start: true,
            keep_alive: 0,
            client_id,
            will: None,
            username: None,
            password: None,
            properties: Properties::EMPTY,
        }
    }

    /// The version that a CONNECT announces, from its first bytes; `None` while there are too few. This is how a server
    /// learns what to decode it as.
    ///
    /// # Errors
    /// The packet is no CONNECT ([`WrongDirection`](DecodeErrorKind::WrongDirection)), its fixed header is wrong, or it
    /// is of no version that this crate knows `[MQTT-3.1.2-1]` `[MQTT-3.1.2-2]`; [`DecodeError`] says how to answer. MQTT 5 is
    /// known with feature `v5`.
    pub fn version(prefix: &[u8]) -> Result<Option<Version>, DecodeError> {
        let Some(header) = Header::read(prefix, Version::V311)? else { return Ok(None) };
        let fault = |at, kind| Err(DecodeError { packet: Some(header.packet), at, kind });
        if header.packet != PacketType::Connect {
            return fault(0, DecodeErrorKind::WrongDirection);
        }
        let mut reader = Reader::new(prefix.get(header.len..).unwrap_or(&[]), prefix.len(), header.packet);
        let at = u32::try_from(header.len).unwrap_or(0);
        let (Ok(name), Ok(level)) = (reader.binary(), reader.u8()) else {
            let complete = usize::try_from(header.total).is_ok_and(|total| prefix.len() >= total);
            return if complete { fault(at, DecodeErrorKind::FieldTruncated) } else { Ok(None) };
        };
        match (name, level) {
            (b"MQIsdp", 3) => Ok(Some(Version::V31)),
            (b"MQTT", 4) => Ok(Some(Version::V311)),
            #[cfg(feature = "v5")]
            (b"MQTT", 5) => Ok(Some(Version::V5)),
            (b"MQTT" | b"MQIsdp", _) => Err(reader.fault_back(1, DecodeErrorKind::BadProtocolLevel(level))),
            _ => fault(at, DecodeErrorKind::BadProtocolName),
        }
    }

    /// As a [`Packet`], so that it is written to where the caller wants it and not copied there.
    #[inline(never)]
    pub(crate) fn read(reader: Reader<'b>, version: Version) -> Result<Packet<'b>, DecodeError> {
        #[cfg(target_pointer_width = "64")]
        if let Some(packet) = quick::read(reader.rest(), version) {
            return Ok(packet);
        }
        Self::read_any(reader, version)
    }

    #[inline(never)]
    pub(crate) fn read_any(reader: Reader<'b>, version: Version) -> Result<Packet<'b>, DecodeError> {
        let mut reader = reader.in_registers();
        let flags = read_flags(&mut reader, version)?;
        let keep_alive = reader.u16()?;
        let properties = Properties::read(&mut reader, version, Places::CONNECT, Role::Client)?;
        let clean_start = flags & CLEAN_START != 0;
        let text = reader.text();
        let client_id = reader.string(text)?;
        if client_id.is_empty() && !version.has_properties() && (!clean_start || version == Version::V31) {
            return Err(reader.fault_back(2, DecodeErrorKind::EmptyClientId));
        }
        // Filled in here, and not read by a function of its own: its answer would be copied twice.
        let mut will = Will::new(TopicName::EMPTY, &[]);
        if flags & WILL != 0 {
            will.properties = Properties::read(&mut reader, version, Places::WILL, Role::Client)?;
            let at = reader.position();
            will.topic = reader.topic_name(text)?;
            if will.topic.is_empty() {
                return Err(reader.fault_at(at, DecodeErrorKind::EmptyTopicName));
            }
            will.payload = reader.binary()?;
        }
        // In MQTT 3.1 the length has precedence over these flags: the strings may be missing.
        let is_there =
            |flag: u8, reader: &Reader<'_>| flags & flag != 0 && (version != Version::V31 || !reader.is_empty());
        let username = if is_there(USERNAME, &reader) { Some(reader.string(text)?) } else { None };
        let password = if is_there(PASSWORD, &reader) { Some(reader.binary()?) } else { None };
        reader.finish()?;
        // QoS 3 was refused with the flags.
        will.qos = QoS::from_u8((flags & WILL_QOS) >> 3).unwrap_or_default();
        will.retain = flags & WILL_RETAIN != 0;
        let will = if flags & WILL != 0 { Some(will) } else { None };
        Ok(Packet::Connect(Self { clean_start, keep_alive, client_id, will, username, password, properties }))
    }

    pub(crate) const fn first_byte(&self) -> u8 {
        PacketType::Connect.first_byte()
    }

    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        if !version.has_properties() {
            if self.client_id.is_empty() && (!self.clean_start || version == Version::V31) {
                return Err(EncodeError::EmptyClientId);
            }
            if self.password.is_some() && self.username.is_none() {
                return Err(EncodeError::PasswordWithoutUserName);
            }
        }
        // Five fields of 64 KiB and two sets of 256 MiB at most: this does not overflow.
        // Level, flags, keep alive; the name has its length in front.
        let mut len = binary_len(version.protocol_name().as_bytes())?.wrapping_add(4);
        len = len.wrapping_add(self.properties.encoded_len(version, Places::CONNECT)?);
        len = len.wrapping_add(string_len(self.client_id)?);
        if let Some(will) = &self.will {
            len = len.wrapping_add(will.len(version)?);
        }
        if let Some(username) = self.username {
            len = len.wrapping_add(string_len(username)?);
        }
        if let Some(password) = self.password {
            len = len.wrapping_add(binary_len(password)?);
        }
        Ok(len)
    }

    fn write(&self, version: Version, writer: &mut Writer<'_>) -> Option<()> {
        let [high, low] = self.keep_alive.to_be_bytes();
        let rest = [version.level(), self.flags(), high, low];
        match version {
            Version::V31 => writer.framed([], version.protocol_name().as_bytes(), rest)?,
            _ => {
                let [level, flags, ..] = rest;
                writer.chunk([0, 4, b'M', b'Q', b'T', b'T', level, flags, high, low])?;
            }
        }
        self.properties.write(version, writer)?;
        writer.binary(self.client_id.as_bytes())?;
        if let Some(will) = &self.will {
            will.properties.write(version, writer)?;
            writer.binary(will.topic.as_str().as_bytes())?;
            writer.binary(will.payload)?;
        }
        if let Some(username) = self.username {
            writer.binary(username.as_bytes())?;
        }
        if let Some(password) = self.password {
            writer.binary(password)?;
        }
        Some(())
    }

    pub(crate) const fn flags(&self) -> u8 {
        let mut flags = if self.clean_start { CLEAN_START } else { 0 };
        if let Some(will) = &self.will {
            flags |= WILL | will.qos.as_u8() << 3;
            if will.retain {
                flags |= WILL_RETAIN;
            }
        }
        if self.username.is_some() {
            flags |= USERNAME;
        }
        if self.password.is_some() {
            flags |= PASSWORD;
        }
        flags
    }
}

/// Name, level and flags, each as the version wants them.
#[inline]
fn read_flags(reader: &mut Reader<'_>, version: Version) -> Result<u8, DecodeError> {
    let at = reader.position();
    // Name and level as nearly every client sends them.
    let usual = &mut reader.clone();
    if version != Version::V31
        && let Some(flags) = usual.connect_flags(version.level())
        && is_usual(flags)
    {
        *reader = usual.clone();
        return Ok(flags);
    }
    let (name, level) = (reader.binary()?, reader.u8()?);
    if name != version.protocol_name().as_bytes() {
        return Err(reader.fault_at(at, DecodeErrorKind::BadProtocolName));
    }
    if level != version.level() {
        return Err(reader.fault_back(1, DecodeErrorKind::BadProtocolLevel(level)));
    }
    let flags = reader.u8()?;
    let defect = if flags & RESERVED != 0 {
        DecodeErrorKind::ReservedConnectFlag
    } else if flags & WILL == 0 && flags & WILL_QOS != 0 {
        DecodeErrorKind::WillQoSWithoutWill
    } else if flags & WILL == 0 && flags & WILL_RETAIN != 0 {
        DecodeErrorKind::WillRetainWithoutWill
    } else if flags & WILL_QOS == WILL_QOS {
        DecodeErrorKind::BadWillQoS
    } else if flags & USERNAME == 0 && flags & PASSWORD != 0 && !version.has_properties() {
        DecodeErrorKind::PasswordWithoutUserName
    } else {
        return Ok(flags);
    };
    Err(reader.fault_back(1, defect))
}

/// Flags without a defect, and with a user name if there is a password.
#[inline]
pub(crate) const fn is_usual(flags: u8) -> bool {
    flags & RESERVED == 0
        && (flags & WILL != 0 || flags & (WILL_QOS | WILL_RETAIN) == 0)
        && flags & WILL_QOS != WILL_QOS
        && flags & (USERNAME | PASSWORD) != PASSWORD
}

impl Will<'_> {
    fn len(&self, version: Version) -> Result<usize, EncodeError> {
        if self.topic.is_empty() {
            return Err(EncodeError::EmptyTopicName);
        }
        let properties = self.properties.encoded_len(version, Places::WILL)?;
        let topic = binary_len(self.topic.as_str().as_bytes())?;
        Ok(properties.wrapping_add(topic).wrapping_add(binary_len(self.payload)?))
    }
}

encoding!(Connect, quick);
