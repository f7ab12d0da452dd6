//! DISCONNECT and AUTH: a reason and properties, both of which may be left out.

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::packet::encoding;
use crate::properties::Properties;
use crate::property::{Places, PropertyId};
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::types::{PacketType, Role, Version};
use crate::writer::Writer;

/// The last packet on a connection: from the client, in MQTT 5 from the server too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Disconnect<'b> {
    /// Why; before MQTT 5 always [`ReasonCode::NORMAL_DISCONNECTION`].
    pub reason: ReasonCode,
    /// Session Expiry Interval (from the client), Reason String, Server Reference, User Properties.
    pub properties: Properties<'b>,
}

/// One step of an extended authentication. MQTT 5 alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Auth<'b> {
    /// Success (from the server), continue, or re-authenticate (from the client).
    pub reason: ReasonCode,
    /// Authentication Method and Data, Reason String, User Properties.
    pub properties: Properties<'b>,
}

impl<'b> Disconnect<'b> {
    /// A normal disconnection: the server forgets the will.
    pub const NORMAL: Disconnect<'static> =
        Disconnect { reason: ReasonCode::NORMAL_DISCONNECTION, properties: Properties::EMPTY };

    /// A reason without properties.
    #[must_use]
    pub const fn new(reason: ReasonCode) -> Self {
        Self { reason, properties: Properties::EMPTY }
    }

    pub(crate) fn read(reader: Reader<'b>, version: Version, sender: Role) -> Result<Self, DecodeError> {
        let (reason, properties) = read(reader, version, sender, PacketType::Disconnect)?;
        Ok(Self { reason, properties })
    }

    const fn first_byte(&self) -> u8 {
        PacketType::Disconnect.first_byte()
    }

    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        if version.has_properties() {
            return body_len(self.reason, &self.properties, version, PacketType::Disconnect);
        }
        if self.reason != ReasonCode::NORMAL_DISCONNECTION {
            return Err(EncodeError::ReasonCodeNotInThisVersion);
        }
        if self.properties.is_empty() { Ok(0) } else { Err(EncodeError::PropertiesNotInThisVersion) }
    }

    fn write(&self, version: Version, writer: &mut Writer<'_>) -> Option<()> {
        write(self.reason, &self.properties, version, writer)
    }
}

encoding!(Disconnect);

impl<'b> Auth<'b> {
    pub(crate) fn read(reader: Reader<'b>, version: Version, sender: Role) -> Result<Self, DecodeError> {
        let (reason, properties) = read(reader.clone(), version, sender, PacketType::Auth)?;
        if lacks_method(&properties) && !reader.is_empty() {
            return Err(reader.fault(DecodeErrorKind::NoAuthenticationMethod));
        }
        Ok(Self { reason, properties })
    }

    const fn first_byte(&self) -> u8 {
        PacketType::Auth.first_byte()
    }

    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        if !version.has_properties() {
            return Err(EncodeError::PacketNotInThisVersion);
        }
        let len = body_len(self.reason, &self.properties, version, PacketType::Auth)?;
        if lacks_method(&self.properties) && len != 0 { Err(EncodeError::NoAuthenticationMethod) } else { Ok(len) }
    }

    fn write(&self, version: Version, writer: &mut Writer<'_>) -> Option<()> {
        write(self.reason, &self.properties, version, writer)
    }
}

encoding!(Auth);

fn lacks_method(properties: &Properties<'_>) -> bool {
    properties.find(PropertyId::AuthenticationMethod).is_none()
}

fn place(packet: PacketType) -> Places {
    Places::from(packet)
}

/// `[MQTT-3.14.2-1 v5]` `[MQTT-3.15.2-1 v5]`
fn read<'b>(
    mut reader: Reader<'b>,
    version: Version,
    sender: Role,
    packet: PacketType,
) -> Result<(ReasonCode, Properties<'b>), DecodeError> {
    let mut reason = ReasonCode::SUCCESS;
    let mut properties = Properties::EMPTY;
    if version.has_properties() {
        let at = reader.position();
        if !reader.is_empty() {
            reason = ReasonCode::new(reader.u8()?);
        }
        // An AUTH may leave out both or nothing; a DISCONNECT the properties alone, too.
        if !reader.is_empty() || packet == PacketType::Auth && reader.position() != at {
            properties = Properties::read(&mut reader, version, place(packet), sender)?;
        }
        if !reason.is_listed_in(packet, Some(sender)) {
            return Err(reader.fault_at(at, DecodeErrorKind::BadReasonCode(reason.as_u8())));
        }
    }
    reader.finish()?;
    Ok((reason, properties))
}

/// Bytes of the shortest form.
fn body_len(
    reason: ReasonCode,
    properties: &Properties<'_>,
    version: Version,
    packet: PacketType,
) -> Result<usize, EncodeError> {
    if !reason.is_listed_in(packet, None) {
        return Err(EncodeError::BadReasonCode(reason));
    }
    if !properties.is_empty() {
        return properties.encoded_len(version, place(packet)).map(|len| len.saturating_add(1));
    }
    Ok(if reason == ReasonCode::SUCCESS { 0 } else { 1 })
}

fn write(reason: ReasonCode, properties: &Properties<'_>, version: Version, writer: &mut Writer<'_>) -> Option<()> {
    if !properties.is_empty() {
        writer.u8(reason.as_u8())?;
        return properties.write(version, writer);
    }
    if reason == ReasonCode::SUCCESS { Some(()) } else { writer.u8(reason.as_u8()) }
}
