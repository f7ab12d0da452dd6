//! SUBSCRIBE and UNSUBSCRIBE.

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::fields::{Wire, take_binary};
use crate::filters::{Filters, Items, TopicFilters};
use crate::packet::{Packet, encoding};
use crate::properties::Properties;
use crate::property::Places;
use crate::reader::Reader;
use crate::subscription::{Subscription, check_options, check_share};
use crate::text;
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
    /// As a [`Packet`], so that it is written to where the caller wants it and not copied there.
    #[inline(never)]
    pub(crate) fn read(reader: Reader<'b>, version: Version) -> Result<Packet<'b>, DecodeError> {
        // A quick look first, where memory for the code of both is no matter.
        if cfg!(target_pointer_width = "64")
            && let Some(packet) = Self::read_usual(reader.rest(), version)
        {
            return Ok(Packet::Subscribe(packet));
        }
        Self::read_any(reader, version)
    }

    /// Without properties, and with filters and options as nearly every client sends them: all checked, but without a word
    /// on what is wrong.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn read_usual(body: &'b [u8], version: Version) -> Option<Self> {
        let (packet_id, mut rest) = body.split_first_chunk()?;
        let packet_id = PacketId::new(u16::from_be_bytes(*packet_id))?;
        if version.has_properties() {
            let [0, behind @ ..] = rest else { return None };
            rest = behind;
        }
        let filters = Wire::of(rest);
        if rest.is_empty() || matches!(filters, Wire::Bytes(_)) {
            return None;
        }
        while let Some(filter) = take_binary(&mut rest) {
            let [0..=2, behind @ ..] = rest else { return None };
            let is_good = match filter {
                [] => false,
                [b'$', ..] if version.has_properties() => false,
                _ => text::is_plain_filter(filter) || text::is_good_filter(filter, rest),
            };
            if !is_good {
                return None;
            }
            rest = behind;
        }
        if !rest.is_empty() {
            return None;
        }
        Some(Self { packet_id, properties: Properties::EMPTY, filters: Filters(Items::Wire(filters)) })
    }

    #[inline(never)]
    fn read_any(reader: Reader<'b>, version: Version) -> Result<Packet<'b>, DecodeError> {
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

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::Subscribe;
    use crate::reader::Reader;
    use crate::types::{PacketType, Version};

    #[cfg(feature = "v5")]
    const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];
    #[cfg(not(feature = "v5"))]
    const VERSIONS: [Version; 2] = [Version::V31, Version::V311];

    /// What is read at a look is what is read one by one, and is refused there if it is wrong.
    #[test]
    fn the_quick_look_takes_nothing_that_the_other_refuses() {
        let bodies: [&[u8]; 6] = [
            b"\0\x01\0\x05a/b/#\x01\0\x01+\x02\0\x03a/b\0",
            b"\x12\x34\0\x11a/long/+/filter/x\0\0\x08a\xC3\xA9/+/b/\x01",
            b"\0\x01\0\0\x03a/b\x01",
            b"\0\x01\0\0\x0A$share/g/t\x01\0\x03$SY\0",
            b"\0\x01\0\0\x01#\x2C",
            b"\0\x01\x02\x0B\x05\0\x01#\0",
        ];
        let (mut good, mut quick) = (0, 0);
        let mut judge = |body: &[u8]| {
            for version in VERSIONS {
                let each = Subscribe::read_any(Reader::new(body, body.len(), PacketType::Subscribe), version);
                let quickly = Subscribe::read_usual(body, version).map(Into::into);
                assert!(quickly.is_none() || quickly == each.ok(), "{body:02x?} {version:?}: {quickly:?}, {each:?}");
                good += u32::from(each.is_ok());
                quick += u32::from(quickly.is_some());
            }
        };
        for body in bodies {
            judge(body);
            for at in 0..body.len() {
                let mut changed = Vec::from(body);
                for byte in (0..=255).step_by(if cfg!(miri) { 43 } else { 1 }) {
                    changed[at] = byte;
                    judge(&changed);
                }
                judge(&body[..at]);
                changed.remove(at);
                judge(&changed);
            }
        }
        assert!(cfg!(miri) || quick > 1000 && quick <= good, "{quick} of {good}");
    }
}
