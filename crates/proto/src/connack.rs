//! CONNACK: the server's answer to CONNECT.

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::packet::encoding;
use crate::properties::Properties;
use crate::property::Places;
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::types::{PacketType, Role, Version};
use crate::writer::Writer;

/// The server accepts or refuses the connection.
///
/// The return codes of MQTT 3.1 and 3.1.1 are given as the [`ReasonCode`] with their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ConnAck<'b> {
    /// The server goes on with a session that it has kept; never with a refusal `[MQTT-3.2.2-4]`. MQTT 3.1 cannot say so.
    pub session_present: bool,
    /// Success or the reason of the refusal.
    pub reason: ReasonCode,
    /// What the server can do and what it demands.
    pub properties: Properties<'b>,
}

impl<'b> ConnAck<'b> {
    /// A new session, or the reason of the refusal.
    #[must_use]
    pub const fn new(reason: ReasonCode) -> Self {
        Self { session_present: false, reason, properties: Properties::EMPTY }
    }

    pub(crate) fn read(mut reader: Reader<'b>, version: Version) -> Result<Self, DecodeError> {
        let flags = reader.u8()?;
        let session_present = match (version, flags) {
            // A reserved byte in MQTT 3.1, of which the standard asks nothing.
            (Version::V31, _) | (_, 0) => false,
            (_, 1) => true,
            _ => return Err(reader.fault_back(1, DecodeErrorKind::ReservedConnAckFlags)),
        };
        let code = reader.u8()?;
        let reason = if version.has_properties() {
            let reason = ReasonCode::new(code);
            reason.is_listed_in(PacketType::ConnAck, None).then_some(reason)
        } else {
            ReasonCode::from_return_code(code)
        };
        let Some(reason) = reason else {
            return Err(reader.fault_back(1, DecodeErrorKind::BadReasonCode(code)));
        };
        if session_present && reason != ReasonCode::SUCCESS {
            return Err(reader.fault_back(2, DecodeErrorKind::SessionPresentWithError));
        }
        let properties = Properties::read(&mut reader, version, Places::CONNACK, Role::Server)?;
        reader.finish()?;
        Ok(Self { session_present, reason, properties })
    }

    const fn first_byte(&self) -> u8 {
        PacketType::ConnAck.first_byte()
    }

    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        if self.session_present && self.reason != ReasonCode::SUCCESS {
            return Err(EncodeError::SessionPresentWithError);
        }
        if version.has_properties() {
            if !self.reason.is_listed_in(PacketType::ConnAck, None) {
                return Err(EncodeError::BadReasonCode(self.reason));
            }
        } else if self.reason.as_return_code().is_none() {
            return Err(EncodeError::ReasonCodeNotInThisVersion);
        } else if self.session_present && version == Version::V31 {
            return Err(EncodeError::SessionPresentNotInThisVersion);
        }
        self.properties.encoded_len(version, Places::CONNACK).map(|len| len.saturating_add(2))
    }

    fn write(&self, version: Version, writer: &mut Writer<'_>) -> Option<()> {
        writer.u8(u8::from(self.session_present))?;
        writer.u8(if version.has_properties() { self.reason.as_u8() } else { self.reason.as_return_code()? })?;
        self.properties.write(version, writer)
    }
}

encoding!(ConnAck);
