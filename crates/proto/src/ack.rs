//! PUBACK, PUBREC, PUBREL and PUBCOMP, which have one shape.

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::packet::{Packet, encode, packet_len};
use crate::properties::Properties;
use crate::property::Places;
use crate::reader::Reader;
use crate::reason::ReasonCode;
use crate::types::{PacketId, PacketType, Role, Version};
use crate::writer::Writer;

macro_rules! acks {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub struct $name<'b> {
            /// The identifier of the PUBLISH.
            pub packet_id: PacketId,
            /// Success, or why not; before MQTT 5 always [`ReasonCode::SUCCESS`].
            pub reason: ReasonCode,
            /// Reason String and User Properties.
            pub properties: Properties<'b>,
        }

        impl<'b> $name<'b> {
            /// A success without properties.
            #[must_use]
            pub const fn new(packet_id: PacketId) -> Self {
                Self { packet_id, reason: ReasonCode::SUCCESS, properties: Properties::EMPTY }
            }

            pub(crate) fn read(reader: Reader<'b>, version: Version) -> Result<Self, DecodeError> {
                let (packet_id, reason, properties) = read(reader, version, PacketType::$name)?;
                Ok(Self { packet_id, reason, properties })
            }

            const fn first_byte(&self) -> u8 {
                PacketType::$name.first_byte()
            }

            /// Bytes of the whole packet.
            ///
            /// # Errors
            /// [`EncodeError`] for everything that the standard forbids whoever sends it.
            #[inline]
            pub fn encoded_len(&self, version: Version) -> Result<usize, EncodeError> {
                packet_len(self.body_len(version)?)
            }

            /// Writes the packet to the front of `out` and answers its length. After an error there may be anything in `out`.
            ///
            /// # Errors
            /// [`EncodeError::BufferTooSmall`] with the length that is needed, or what the standard forbids in this
            /// packet.
            #[inline]
            pub fn encode(&self, version: Version, out: &mut [u8]) -> Result<usize, EncodeError> {
                // The form that all versions have in common, and that nearly all of these packets take.
                if self.reason == ReasonCode::SUCCESS
                    && self.properties.is_empty()
                    && let Some(short) = out.first_chunk_mut()
                {
                    let [high, low] = self.packet_id.get().to_be_bytes();
                    *short = [self.first_byte(), 2, high, low];
                    return Ok(short.len());
                }
                self.encode_any(version, out)
            }

            #[inline(never)]
            fn encode_any(&self, version: Version, out: &mut [u8]) -> Result<usize, EncodeError> {
                let body = self.body_len(version)?;
                encode(self.first_byte(), body, 0, out, |writer| self.write(version, writer))
            }

            fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
                body_len(self.reason, &self.properties, version, PacketType::$name)
            }

            fn write(&self, version: Version, writer: &mut Writer<'_>) -> Option<()> {
                write(self.packet_id, self.reason, &self.properties, version, writer)
            }
        }

        impl<'b> From<$name<'b>> for Packet<'b> {
            fn from(packet: $name<'b>) -> Self {
                Self::$name(packet)
            }
        }
    )*};
}

acks! {
    /// Answers a QoS 1 PUBLISH.
    PubAck
    /// Answers a QoS 2 PUBLISH: received.
    PubRec
    /// Answers PUBREC: released.
    PubRel
    /// Answers PUBREL: complete.
    PubComp
}

fn read<'b>(
    mut reader: Reader<'b>,
    version: Version,
    packet: PacketType,
) -> Result<(PacketId, ReasonCode, Properties<'b>), DecodeError> {
    let packet_id = reader.packet_id()?;
    if version.has_properties() && !reader.is_empty() {
        let (reason, properties) = read_reason(reader, version, packet)?;
        return Ok((packet_id, reason, properties));
    }
    reader.finish()?;
    Ok((packet_id, ReasonCode::SUCCESS, Properties::EMPTY))
}

/// `[MQTT-3.4.2-1 v5]` `[MQTT-3.5.2-1 v5]` `[MQTT-3.6.2-1 v5]` `[MQTT-3.7.2-1 v5]`
#[inline(never)]
fn read_reason<'b>(
    mut reader: Reader<'b>,
    version: Version,
    packet: PacketType,
) -> Result<(ReasonCode, Properties<'b>), DecodeError> {
    let reason = ReasonCode::new(reader.u8()?);
    if !reason.is_listed_in(packet, None) {
        return Err(reader.fault_back(1, DecodeErrorKind::BadReasonCode(reason.as_u8())));
    }
    if reader.is_empty() {
        return Ok((reason, Properties::EMPTY));
    }
    // The rules for these properties are the same for both sides.
    let properties = Properties::read(&mut reader, version, Places::from(packet), Role::Server)?;
    reader.finish()?;
    Ok((reason, properties))
}

#[inline]
fn body_len(
    reason: ReasonCode,
    properties: &Properties<'_>,
    version: Version,
    packet: PacketType,
) -> Result<usize, EncodeError> {
    if reason == ReasonCode::SUCCESS && properties.is_empty() {
        return Ok(2);
    }
    if !version.has_properties() {
        let success = reason == ReasonCode::SUCCESS;
        return Err(if success {
            EncodeError::PropertiesNotInThisVersion
        } else {
            EncodeError::ReasonCodeNotInThisVersion
        });
    }
    if !reason.is_listed_in(packet, None) {
        return Err(EncodeError::BadReasonCode(reason));
    }
    if properties.is_empty() {
        return Ok(3);
    }
    properties.encoded_len(version, Places::from(packet)).map(|len| len.saturating_add(3))
}

/// The shortest form: neither a success nor an empty set is written out.
#[inline]
fn write(
    packet_id: PacketId,
    reason: ReasonCode,
    properties: &Properties<'_>,
    version: Version,
    writer: &mut Writer<'_>,
) -> Option<()> {
    writer.u16(packet_id.get())?;
    if !version.has_properties() || reason == ReasonCode::SUCCESS && properties.is_empty() {
        return Some(());
    }
    writer.u8(reason.as_u8())?;
    if properties.is_empty() { Some(()) } else { properties.write(version, writer) }
}
