//! SUBSCRIBE and UNSUBSCRIBE.

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::filters::{Filters, Items, TopicFilters};
use crate::packet::{Packet, encoding};
use crate::properties::Properties;
use crate::property::Places;
#[cfg(target_pointer_width = "64")]
use crate::quick::subscribe as quick;
use crate::reader::Reader;
use crate::subscription::{Subscription, check_options, check_share};
use crate::topic;
use crate::types::{PacketId, PacketType, Role, Version};
use crate::writer::{Writer, binary_len};

/// Asks for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Subscribe<'b> {
    /// What the SUBACK repeats.
    pub packet_id: PacketId,
    /// Subscription Identifier and User Properties.
    pub properties: Properties<'b>,
    /// At least one `[MQTT-3.8.3-3]`.
    pub filters: Filters<'b>,
}

/// Asks for no more messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Unsubscribe<'b> {
    /// What the UNSUBACK repeats.
    pub packet_id: PacketId,
    /// User Properties.
    pub properties: Properties<'b>,
    /// At least one `[MQTT-3.10.3-2]`.
    pub filters: TopicFilters<'b>,
}

impl<'b> Subscribe<'b> {
    /// A request without properties.
    #[must_use]
    pub const fn new(packet_id: PacketId, filters: Filters<'b>) -> Self {
        Self { packet_id, properties: Properties::EMPTY, filters }
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
        let packet_id = reader.packet_id()?;
        let properties = Properties::read(&mut reader, version, Places::SUBSCRIBE, Role::Client)?;
        let filters = Items::of_rest(&reader)?;
        while !reader.is_empty() {
            let filter = reader.check_filter()?;
            let options = reader.u8()?;
            let shared = check_rules(&reader, filter, 1, version)?;
            check_options(options, shared, version).map_err(|kind| reader.fault_back(1, kind))?;
        }
        Ok(Packet::Subscribe(Self { packet_id, properties, filters: Filters(filters) }))
    }

    const fn first_byte(&self) -> u8 {
        PacketType::Subscribe.first_byte()
    }

    #[inline]
    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let properties = self.properties.encoded_len(version, Places::SUBSCRIBE)?;
        let len = match self.filters.0 {
            Items::Slice(slice) => filters_len(slice.iter().copied(), version)?,
            Items::Wire(_) => self.wire_len(version)?,
        };
        let len = usize::try_from(len).map_err(|_| EncodeError::PacketTooLarge)?;
        if len == 0 { Err(EncodeError::NoTopicFilter) } else { Ok(len.saturating_add(properties.wrapping_add(2))) }
    }

    /// Apart, like the next, since a packet that is passed on is rarer than one that is made.
    #[inline(never)]
    fn wire_len(&self, version: Version) -> Result<u64, EncodeError> {
        filters_len(self.filters.iter(), version)
    }

    #[inline(never)]
    fn write_wire<'o>(&self, mut writer: Writer<'o>) -> Option<Writer<'o>> {
        self.filters.iter().try_for_each(|subscription| subscription.write(&mut writer))?;
        Some(writer)
    }

    #[inline]
    fn write(&self, version: Version, writer: &mut Writer<'_>) -> Option<()> {
        writer.u16(self.packet_id.get())?;
        self.properties.write(version, writer)?;
        match self.filters.0 {
            Items::Slice(slice) => slice.iter().try_for_each(|subscription| subscription.write(writer)),
            Items::Wire(_) => writer.hand_to(|writer| self.write_wire(writer)),
        }
    }
}

/// Each takes less than 64 KiB, and no memory holds so many that their sum would not fit.
#[inline]
fn filters_len<'b>(filters: impl Iterator<Item = Subscription<'b>>, version: Version) -> Result<u64, EncodeError> {
    let mut len = 0u64;
    for subscription in filters {
        len = len.wrapping_add(subscription.len(version)?);
    }
    Ok(len)
}

encoding!(Subscribe);

impl<'b> Unsubscribe<'b> {
    /// A request without properties.
    #[must_use]
    pub const fn new(packet_id: PacketId, filters: TopicFilters<'b>) -> Self {
        Self { packet_id, properties: Properties::EMPTY, filters }
    }

    /// As a [`Packet`], like that of SUBSCRIBE.
    #[inline(never)]
    pub(crate) fn read(reader: Reader<'b>, version: Version) -> Result<Packet<'b>, DecodeError> {
        let mut reader = reader.in_registers();
        let packet_id = reader.packet_id()?;
        let properties = Properties::read(&mut reader, version, Places::UNSUBSCRIBE, Role::Client)?;
        let filters = Items::of_rest(&reader)?;
        while !reader.is_empty() {
            let filter = reader.check_filter()?;
            check_rules(&reader, filter, 0, version)?;
        }
        Ok(Packet::Unsubscribe(Self { packet_id, properties, filters: TopicFilters(filters) }))
    }

    const fn first_byte(&self) -> u8 {
        PacketType::Unsubscribe.first_byte()
    }

    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let properties = self.properties.encoded_len(version, Places::UNSUBSCRIBE)?;
        let mut len = 0usize;
        for filter in self.filters {
            check_share(&filter, version)?;
            len = len.saturating_add(binary_len(filter.as_str().as_bytes())?);
        }
        if len == 0 { Err(EncodeError::NoTopicFilter) } else { Ok(len.saturating_add(properties.wrapping_add(2))) }
    }

    fn write(&self, version: Version, writer: &mut Writer<'_>) -> Option<()> {
        writer.u16(self.packet_id.get())?;
        self.properties.write(version, writer)?;
        self.filters.iter().try_for_each(|filter| writer.binary(filter.as_str().as_bytes()))
    }
}

encoding!(Unsubscribe);

/// The rules of a filter that stands `behind` bytes before the reader's place. The answer is whether it is shared.
#[inline]
fn check_rules(reader: &Reader<'_>, filter: &[u8], behind: usize, version: Version) -> Result<bool, DecodeError> {
    let kind = match filter {
        [] => DecodeErrorKind::EmptyTopicFilter,
        [b'$', ..] if version.has_properties() => match topic::check_share(filter) {
            Ok(shared) => return Ok(shared),
            Err(error) => error.into(),
        },
        _ => return Ok(false),
    };
    Err(reader.fault_back(filter.len().wrapping_add(behind), kind))
}
