//! SUBSCRIBE and UNSUBSCRIBE, and the filters in them, which are read where they lie.

use core::fmt;
use core::str::from_utf8;

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::packet::{Packet, encoding};
use crate::properties::Properties;
use crate::property::Places;
use crate::reader::{Reader, take_string};
use crate::topic::{self, TopicFilter};
use crate::types::{PacketId, PacketType, QoS, Role, Version};
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

/// A filter with its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Subscription<'b> {
    /// What is asked for.
    pub filter: TopicFilter<'b>,
    /// And how.
    pub options: SubscribeOptions,
}

impl<'b> Subscription<'b> {
    /// A subscription with this greatest QoS and no other option.
    #[must_use]
    pub const fn new(filter: TopicFilter<'b>, qos: QoS) -> Self {
        Self { filter, options: SubscribeOptions::new(qos) }
    }

    /// Bytes of the filter, of which there are at most 65,535, its length and the options.
    #[inline]
    fn len(&self, version: Version) -> Result<u64, EncodeError> {
        let filter = self.filter.as_str().as_bytes();
        if version.has_properties() {
            if let [b'$', ..] = filter
                && check_filter(&self.filter, version)?
                && self.options.no_local()
            {
                return Err(EncodeError::NoLocalOnShared);
            }
        } else if self.options.as_u8() > 2 {
            return Err(EncodeError::NotInThisVersion);
        }
        u64::try_from(filter.len()).map(|len| len.wrapping_add(3)).map_err(|_| EncodeError::StringTooLong)
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) -> Option<()> {
        writer.framed([], self.filter.as_str().as_bytes(), [self.options.as_u8()])
    }
}

/// Options of a subscription; before MQTT 5 the QoS alone.
///
/// ```
/// use mqtt_device_proto::{QoS, SubscribeOptions};
/// let options = SubscribeOptions::new(QoS::AtLeastOnce).with_no_local(true);
/// assert_eq!((options.qos(), options.no_local()), (QoS::AtLeastOnce, true));
/// ```
// The byte on the wire, of which a QoS 3 and a Retain Handling 3 are never made.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SubscribeOptions(u8);

/// When a subscription brings the retained messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[repr(u8)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RetainHandling {
    /// With every SUBSCRIBE.
    #[default]
    Send = 0,
    /// Only if the subscription is a new one.
    SendIfNew = 1,
    /// Never.
    DoNotSend = 2,
}

const NO_LOCAL: u8 = 0x04;
const RETAIN_AS_PUBLISHED: u8 = 0x08;

impl SubscribeOptions {
    /// This greatest QoS and no other option.
    #[must_use]
    pub const fn new(qos: QoS) -> Self {
        Self(qos.as_u8())
    }

    /// The greatest QoS of what is received.
    #[must_use]
    pub const fn qos(self) -> QoS {
        match self.0 & 3 {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        }
    }

    /// Not what this client itself publishes (MQTT 5).
    #[must_use]
    pub const fn no_local(self) -> bool {
        self.0 & NO_LOCAL != 0
    }

    /// RETAIN as the publisher set it (MQTT 5).
    #[must_use]
    pub const fn retain_as_published(self) -> bool {
        self.0 & RETAIN_AS_PUBLISHED != 0
    }

    /// Whether retained messages are sent at once (MQTT 5).
    #[must_use]
    pub const fn retain_handling(self) -> RetainHandling {
        match self.0 >> 4 & 3 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            _ => RetainHandling::DoNotSend,
        }
    }

    /// The same with [`no_local`](Self::no_local) set or cleared.
    #[must_use]
    pub const fn with_no_local(self, no_local: bool) -> Self {
        Self(self.0 & !NO_LOCAL | if no_local { NO_LOCAL } else { 0 })
    }

    /// The same with [`retain_as_published`](Self::retain_as_published) set or cleared.
    #[must_use]
    pub const fn with_retain_as_published(self, as_published: bool) -> Self {
        Self(self.0 & !RETAIN_AS_PUBLISHED | if as_published { RETAIN_AS_PUBLISHED } else { 0 })
    }

    /// The same with this [`retain_handling`](Self::retain_handling).
    #[must_use]
    #[expect(clippy::as_conversions, reason = "the discriminant of a repr(u8) enum")]
    pub const fn with_retain_handling(self, handling: RetainHandling) -> Self {
        Self(self.0 & !0x30 | (handling as u8) << 4)
    }

    /// The byte on the wire `[MQTT-3.8.3-4]`.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self.0
    }

    /// From a byte that was checked.
    #[inline]
    const fn from_checked(byte: u8) -> Self {
        Self(byte)
    }
}

impl fmt::Debug for SubscribeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscribeOptions")
            .field("qos", &self.qos())
            .field("no_local", &self.no_local())
            .field("retain_as_published", &self.retain_as_published())
            .field("retain_handling", &self.retain_handling())
            .finish()
    }
}

const fn check_options(byte: u8, shared: bool, version: Version) -> Result<(), DecodeErrorKind> {
    let reserved = if version.has_properties() { 0xC0 } else { 0xFC };
    if byte & reserved != 0 || byte & 3 == 3 && !version.has_properties() {
        Err(DecodeErrorKind::ReservedSubscribeOptions)
    } else if byte & 3 == 3 || byte & 0x30 == 0x30 {
        Err(DecodeErrorKind::BadSubscribeOptions)
    } else if byte & NO_LOCAL != 0 && shared {
        Err(DecodeErrorKind::NoLocalOnShared)
    } else {
        Ok(())
    }
}

impl<'b> Subscribe<'b> {
    /// As a [`Packet`], so that it is written to where the caller wants it and not copied there.
    #[inline(never)]
    pub(crate) fn read(reader: Reader<'b>, version: Version) -> Result<Packet<'b>, DecodeError> {
        let mut reader = reader.in_registers();
        let packet_id = reader.packet_id()?;
        let properties = Properties::read(&mut reader, version, Places::SUBSCRIBE, Role::Client)?;
        let filters = Repr::of_rest(&reader)?;
        while !reader.is_empty() {
            let filter = filters.check_filter(&mut reader)?;
            let options = reader.u8()?;
            let shared = check_rules(&reader, filter, 1, version)?;
            // A QoS and nothing else needs no look at its bits.
            if options > 2 {
                check_options(options, shared, version).map_err(|kind| reader.fault_back(1, kind))?;
            }
        }
        Ok(Packet::Subscribe(Self { packet_id, properties, filters: Filters(filters) }))
    }

    const fn first_byte(&self) -> u8 {
        PacketType::Subscribe.first_byte()
    }

    #[inline]
    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let properties = self.properties.encoded_len(version, Places::SUBSCRIBE)?;
        // Each takes less than 64 KiB, and no memory holds so many that their sum would not fit.
        let mut len = 0u64;
        match self.filters.0 {
            Repr::Slice(slice) => {
                for subscription in slice {
                    len = len.wrapping_add(subscription.len(version)?);
                }
            }
            Repr::Wire { .. } => {
                for subscription in self.filters {
                    len = len.wrapping_add(subscription.len(version)?);
                }
            }
        }
        let len = usize::try_from(len).map_err(|_| EncodeError::PacketTooLarge)?;
        if len == 0 { Err(EncodeError::NoTopicFilter) } else { Ok(len.saturating_add(properties.wrapping_add(2))) }
    }

    #[inline]
    fn write(&self, version: Version, writer: &mut Writer<'_>) -> Option<()> {
        writer.u16(self.packet_id.get())?;
        self.properties.write(version, writer)?;
        match self.filters.0 {
            Repr::Slice(slice) => slice.iter().try_for_each(|subscription| subscription.write(writer)),
            Repr::Wire { .. } => self.filters.iter().try_for_each(|subscription| subscription.write(writer)),
        }
    }
}

encoding!(Subscribe);

impl<'b> Unsubscribe<'b> {
    /// As a [`Packet`], like that of SUBSCRIBE.
    #[inline(never)]
    pub(crate) fn read(reader: Reader<'b>, version: Version) -> Result<Packet<'b>, DecodeError> {
        let mut reader = reader.in_registers();
        let packet_id = reader.packet_id()?;
        let properties = Properties::read(&mut reader, version, Places::UNSUBSCRIBE, Role::Client)?;
        let filters = Repr::of_rest(&reader)?;
        while !reader.is_empty() {
            let filter = filters.check_filter(&mut reader)?;
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
            check_filter(&filter, version)?;
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

/// Whether the filter is a shared subscription of this version, and a well-formed one.
#[inline]
fn check_filter(filter: &TopicFilter<'_>, version: Version) -> Result<bool, EncodeError> {
    if !version.has_properties() || !filter.as_str().starts_with('$') {
        return Ok(false);
    }
    filter.check_share().map_err(|_| EncodeError::BadSharedFilter)
}

/// Items from a packet, checked there and read again in place; or from a slice.
#[derive(Clone, Copy)]
enum Repr<'b, T> {
    /// `text` ends where `rest` ends, or is empty if that is not UTF-8 as a whole, the lengths and options included.
    Wire {
        rest: &'b [u8],
        text: &'b str,
    },
    Slice(&'b [T]),
}

impl<'b, T> Repr<'b, T> {
    /// All that is left, which is not nothing, and is still to be checked.
    #[inline]
    fn of_rest(reader: &Reader<'b>) -> Result<Self, DecodeError> {
        if reader.is_empty() {
            return Err(reader.fault(DecodeErrorKind::NoTopicFilter));
        }
        // With luck, which the lengths and options rarely spoil, it is a text as a whole.
        let rest = reader.rest();
        Ok(Self::Wire { rest, text: from_utf8(rest).unwrap_or("") })
    }

    /// Takes a filter off `reader`, checked without keeping it.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn check_filter(&self, reader: &mut Reader<'b>) -> Result<&'b [u8], DecodeError> {
        reader.check_filter(!matches!(self, Self::Wire { text: "", .. }))
    }
}

macro_rules! lists {
    ($(#[$doc:meta])* $list:ident $iter:ident $item:ident, $next:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $list<'b>(Repr<'b, $item<'b>>);

        impl<'b> $list<'b> {
            /// What to encode.
            #[must_use]
            pub const fn from_slice(items: &'b [$item<'b>]) -> Self {
                Self(Repr::Slice(items))
            }

            /// The items in the order of the packet.
            #[must_use]
            #[inline]
            pub const fn iter(&self) -> $iter<'b> {
                $iter(self.0)
            }

            /// How many there are.
            #[must_use]
            pub fn count(&self) -> usize {
                self.iter().count()
            }
        }

        /// For owned lists, which are kept in the wire's form.
        #[cfg(feature = "bytes")]
        impl<'b> $list<'b> {
            /// The wire's form, and the same as a text, or an empty one if it is none.
            pub(crate) const fn wire(&self) -> Option<(&'b [u8], &'b str)> {
                match self.0 {
                    Repr::Wire { rest, text } => Some((rest, text)),
                    Repr::Slice(_) => None,
                }
            }

            pub(crate) const fn from_wire((rest, text): (&'b [u8], &'b str)) -> Self {
                Self(Repr::Wire { rest, text })
            }
        }

        impl PartialEq for $list<'_> {
            fn eq(&self, other: &Self) -> bool {
                self.iter().eq(other.iter())
            }
        }

        impl Eq for $list<'_> {}

        impl fmt::Debug for $list<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.iter()).finish()
            }
        }

        impl<'b> IntoIterator for $list<'b> {
            type Item = $item<'b>;
            type IntoIter = $iter<'b>;

            #[inline]
            fn into_iter(self) -> $iter<'b> {
                self.iter()
            }
        }

        /// The items in the order of the packet.
        #[derive(Clone)]
        pub struct $iter<'b>(Repr<'b, $item<'b>>);

        impl fmt::Debug for $iter<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_list().entries(self.clone()).finish()
            }
        }

        impl<'b> Iterator for $iter<'b> {
            type Item = $item<'b>;

            #[cfg_attr(target_pointer_width = "64", inline(always))]
            fn next(&mut self) -> Option<$item<'b>> {
                match &mut self.0 {
                    Repr::Slice(slice) => {
                        let (first, rest) = slice.split_first()?;
                        *slice = rest;
                        Some(*first)
                    }
                    Repr::Wire { rest, text } => {
                        let filter = TopicFilter::checked(take_string(rest, text)?);
                        $next(filter, rest)
                    }
                }
            }
        }

        impl core::iter::FusedIterator for $iter<'_> {}
    };
}

lists! {
    /// The filters of a SUBSCRIBE with their options.
    Filters FiltersIter Subscription, |filter, rest: &mut &'b [u8]| {
        let (options, tail) = rest.split_first()?;
        *rest = tail;
        Some(Subscription { filter, options: SubscribeOptions::from_checked(*options) })
    }
}

lists! {
    /// The filters of an UNSUBSCRIBE.
    TopicFilters TopicFiltersIter TopicFilter, |filter, _| Some(filter)
}
