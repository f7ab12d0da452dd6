//! SUBACK and UNSUBACK: one code for each filter.

use core::fmt;

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::packet::encoding;
use crate::properties::Properties;
use crate::property::Places;
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::types::{PacketId, PacketType, Role, Version};
use crate::writer::Writer;

/// Answers SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SubAck<'b> {
    /// The identifier of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// Reason String and User Properties.
    pub properties: Properties<'b>,
    /// The granted QoS or the failure for each filter, in the order of the SUBSCRIBE `[MQTT-3.8.4-5]`.
    pub codes: ReasonCodes<'b>,
}

/// Answers UNSUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnsubAck<'b> {
    /// The identifier of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// Reason String and User Properties.
    pub properties: Properties<'b>,
    /// Success or failure for each filter; none before MQTT 5.
    pub codes: ReasonCodes<'b>,
}

impl<'b> SubAck<'b> {
    /// An answer without properties.
    #[must_use]
    pub const fn new(packet_id: PacketId, codes: ReasonCodes<'b>) -> Self {
        Self { packet_id, properties: Properties::EMPTY, codes }
    }

    pub(crate) fn read(mut reader: Reader<'b>, version: Version) -> Result<Self, DecodeError> {
        let packet_id = reader.packet_id()?;
        let properties = Properties::read(&mut reader, version, Places::SUBACK, Role::Server)?;
        let codes = ReasonCodes::read(reader, |code| code.is_suback_code(version))?;
        Ok(Self { packet_id, properties, codes })
    }

    const fn first_byte(&self) -> u8 {
        PacketType::SubAck.first_byte()
    }

    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let codes = self.codes.check(|code| code.is_suback_code(version)).map_err(|error| match error {
            EncodeError::BadReasonCode(_) if !version.has_properties() => EncodeError::ReasonCodeNotInThisVersion,
            other => other,
        })?;
        let properties = self.properties.encoded_len(version, Places::SUBACK)?;
        Ok(codes.saturating_add(properties).saturating_add(2))
    }

    fn write(&self, version: Version, writer: &mut Writer<'_>) -> Option<()> {
        writer.u16(self.packet_id.get())?;
        self.properties.write(version, writer)?;
        self.codes.write(writer)
    }
}

encoding!(SubAck);

impl<'b> UnsubAck<'b> {
    /// An answer without properties; before MQTT 5 the codes are [`ReasonCodes::EMPTY`].
    #[must_use]
    pub const fn new(packet_id: PacketId, codes: ReasonCodes<'b>) -> Self {
        Self { packet_id, properties: Properties::EMPTY, codes }
    }

    pub(crate) fn read(mut reader: Reader<'b>, version: Version) -> Result<Self, DecodeError> {
        let packet_id = reader.packet_id()?;
        if !version.has_properties() {
            reader.finish()?;
            return Ok(Self { packet_id, properties: Properties::EMPTY, codes: ReasonCodes::EMPTY });
        }
        let properties = Properties::read(&mut reader, version, Places::UNSUBACK, Role::Server)?;
        let codes = ReasonCodes::read(reader, |code| code.is_listed_in(PacketType::UnsubAck, None))?;
        Ok(Self { packet_id, properties, codes })
    }

    const fn first_byte(&self) -> u8 {
        PacketType::UnsubAck.first_byte()
    }

    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let codes = if version.has_properties() {
            self.codes.check(|code| code.is_listed_in(PacketType::UnsubAck, None))?
        } else if self.codes.is_empty() {
            0
        } else {
            return Err(EncodeError::ReasonCodeNotInThisVersion);
        };
        let properties = self.properties.encoded_len(version, Places::UNSUBACK)?;
        Ok(codes.saturating_add(properties).saturating_add(2))
    }

    fn write(&self, version: Version, writer: &mut Writer<'_>) -> Option<()> {
        writer.u16(self.packet_id.get())?;
        self.properties.write(version, writer)?;
        self.codes.write(writer)
    }
}

encoding!(UnsubAck);

/// Codes in the order of the filters that they answer.
#[derive(Clone, Copy)]
pub struct ReasonCodes<'b>(Repr<'b>);

#[derive(Clone, Copy)]
enum Repr<'b> {
    Wire(&'b [u8]),
    Slice(&'b [ReasonCode]),
}

impl<'b> ReasonCodes<'b> {
    /// No codes, as in an UNSUBACK before MQTT 5.
    pub const EMPTY: Self = Self(Repr::Wire(&[]));

    /// Codes to encode.
    #[must_use]
    pub const fn from_slice(codes: &'b [ReasonCode]) -> Self {
        Self(Repr::Slice(codes))
    }

    /// The codes in order.
    #[must_use]
    pub const fn iter(&self) -> ReasonCodesIter<'b> {
        ReasonCodesIter(self.0)
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.0 {
            Repr::Wire(bytes) => bytes.len(),
            Repr::Slice(codes) => codes.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(mut reader: Reader<'b>, allowed: impl Fn(ReasonCode) -> bool) -> Result<Self, DecodeError> {
        let bytes = reader.rest();
        if bytes.is_empty() {
            return Err(reader.fault(DecodeErrorKind::NoReasonCodes));
        }
        while !reader.is_empty() {
            let code = reader.u8()?;
            if !allowed(ReasonCode::new(code)) {
                return Err(reader.fault_back(1, DecodeErrorKind::BadReasonCode(code)));
            }
        }
        Ok(Self(Repr::Wire(bytes)))
    }

    /// The number of codes, all of which are allowed.
    fn check(&self, allowed: impl Fn(ReasonCode) -> bool) -> Result<usize, EncodeError> {
        match self.iter().find(|code| !allowed(*code)) {
            Some(code) => Err(EncodeError::BadReasonCode(code)),
            None if self.is_empty() => Err(EncodeError::NoReasonCodes),
            None => Ok(self.len()),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) -> Option<()> {
        match self.0 {
            Repr::Wire(bytes) => writer.bytes(bytes),
            Repr::Slice(codes) => codes.iter().try_for_each(|code| writer.u8(code.as_u8())),
        }
    }
}

/// For owned codes, which are kept in the wire's form.
#[cfg(feature = "bytes")]
impl<'b> ReasonCodes<'b> {
    pub(crate) const fn wire(&self) -> Option<&'b [u8]> {
        match self.0 {
            Repr::Wire(bytes) => Some(bytes),
            Repr::Slice(_) => None,
        }
    }

    pub(crate) const fn from_wire(bytes: &'b [u8]) -> Self {
        Self(Repr::Wire(bytes))
    }
}

impl PartialEq for ReasonCodes<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for ReasonCodes<'_> {}

impl fmt::Debug for ReasonCodes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'b> IntoIterator for ReasonCodes<'b> {
    type Item = ReasonCode;
    type IntoIter = ReasonCodesIter<'b>;

    fn into_iter(self) -> ReasonCodesIter<'b> {
        self.iter()
    }
}

/// Codes in the order of the packet.
#[derive(Clone)]
pub struct ReasonCodesIter<'b>(Repr<'b>);

impl fmt::Debug for ReasonCodesIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl Iterator for ReasonCodesIter<'_> {
    type Item = ReasonCode;

    #[inline]
    fn next(&mut self) -> Option<ReasonCode> {
        match &mut self.0 {
            Repr::Wire(bytes) => {
                let (code, rest) = bytes.split_first()?;
                *bytes = rest;
                Some(ReasonCode::new(*code))
            }
            Repr::Slice(codes) => {
                let (code, rest) = codes.split_first()?;
                *codes = rest;
                Some(*code)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = ReasonCodes(self.0).len();
        (len, Some(len))
    }
}

impl ExactSizeIterator for ReasonCodesIter<'_> {}
impl core::iter::FusedIterator for ReasonCodesIter<'_> {}
