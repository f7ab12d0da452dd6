//! One entry of a SUBSCRIBE: a filter and the options of its subscription.

use core::fmt;

use crate::error::{DecodeErrorKind, EncodeError};
use crate::topic::TopicFilter;
use crate::types::{QoS, Version};
use crate::writer::Writer;

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
    pub(crate) fn len(&self, version: Version) -> Result<u64, EncodeError> {
        let filter = self.filter.as_str().as_bytes();
        if version.has_properties() {
            if let [b'$', ..] = filter
                && check_share(&self.filter, version)?
                && self.options.no_local()
            {
                return Err(EncodeError::NoLocalOnShared);
            }
        } else if self.options.as_u8() > 2 {
            return Err(EncodeError::OptionsNotInThisVersion);
        }
        u64::try_from(filter.len()).map(|len| len.wrapping_add(3)).map_err(|_| EncodeError::StringTooLong)
    }

    #[inline]
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Option<()> {
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
    pub(crate) const fn from_checked(byte: u8) -> Self {
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

pub(crate) const fn check_options(byte: u8, shared: bool, version: Version) -> Result<(), DecodeErrorKind> {
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

/// Whether the filter is a shared subscription of this version, and a well-formed one.
#[inline]
pub(crate) fn check_share(filter: &TopicFilter<'_>, version: Version) -> Result<bool, EncodeError> {
    if !version.has_properties() || !filter.as_str().starts_with('$') {
        return Ok(false);
    }
    filter.check_share().map_err(|_| EncodeError::BadSharedFilter)
}
