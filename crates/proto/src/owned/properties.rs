//! Owned properties: one by one, and as a packet's set in the form of the wire.

#[cfg(feature = "v5")]
use core::borrow::Borrow;
use core::fmt;
use core::num::{NonZeroU16, NonZeroU32};

#[cfg(feature = "v5")]
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

#[cfg(feature = "v5")]
use super::share::Wire;
use super::share::{Owned, deserialize};
use super::topic::TopicName;
use crate::error::EncodeError;
use crate::properties::PropertyIter;
#[cfg(feature = "v5")]
use crate::property::Places;
use crate::property::PropertyId;
use crate::types::QoS;

macro_rules! properties {
    ($($(#[$meta:meta])* $id:ident($($value:ident: $type:ty),+))*) => {
        /// One property with its value. Each variant is the one of the same name of the borrowed
        /// [`Property`](crate::Property).
        ///
        /// `Debug` shows the length alone of authentication data.
        #[derive(Clone, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "snake_case"))]
        #[non_exhaustive]
        pub enum Property {
            $(
                #[doc = concat!("See [`", stringify!($id), "`](crate::Property::", stringify!($id), ").")]
                $(#[$meta])*
                $id($(#[cfg_attr(feature = "serde", serde(deserialize_with = "Owned::deserialize"))] $type),+),
            )*
        }

        impl Owned for Property {
            type Borrowed<'b> = crate::Property<'b>;

            fn as_borrowed(&self) -> crate::Property<'_> {
                match self { $(Self::$id($($value),+) => crate::Property::$id($(Owned::as_borrowed($value)),+),)* }
            }

            fn share_from(borrowed: crate::Property<'_>, buffer: &Bytes) -> Result<Self, EncodeError> {
                Ok(match borrowed {
                    $(crate::Property::$id($($value),+) => Self::$id($(Owned::share_from($value, buffer)?),+),)*
                })
            }

            deserialize!();
        }
    };
}

properties! {
    PayloadFormatIndicator(value: bool)
    MessageExpiryInterval(value: u32)
    ContentType(value: ByteString)
    ResponseTopic(value: TopicName)
    CorrelationData(value: Bytes)
    SubscriptionIdentifier(value: NonZeroU32)
    SessionExpiryInterval(value: u32)
    AssignedClientIdentifier(value: ByteString)
    ServerKeepAlive(value: u16)
    AuthenticationMethod(value: ByteString)
    AuthenticationData(value: Bytes)
    RequestProblemInformation(value: bool)
    WillDelayInterval(value: u32)
    RequestResponseInformation(value: bool)
    ResponseInformation(value: ByteString)
    ServerReference(value: ByteString)
    ReasonString(value: ByteString)
    ReceiveMaximum(value: NonZeroU16)
    TopicAliasMaximum(value: u16)
    TopicAlias(value: NonZeroU16)
    #[cfg_attr(feature = "serde", serde(rename = "maximum_qos"))]
    MaximumQoS(value: QoS)
    RetainAvailable(value: bool)
    UserProperty(name: ByteString, value: ByteString)
    MaximumPacketSize(value: NonZeroU32)
    WildcardSubscriptionAvailable(value: bool)
    SubscriptionIdentifiersAvailable(value: bool)
    SharedSubscriptionAvailable(value: bool)
}

impl Property {
    /// The borrowed form; costs nothing.
    #[must_use]
    pub fn as_borrowed(&self) -> crate::Property<'_> {
        Owned::as_borrowed(self)
    }

    /// Which property this is.
    #[must_use]
    pub fn id(&self) -> PropertyId {
        self.as_borrowed().id()
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_borrowed().fmt(f)
    }
}

/// The properties of one packet, in order. Always empty before MQTT 5, and without feature `v5`.
///
/// They are kept as the wire has them: a decoded set is a piece of the receive buffer, and one that is built is written
/// once. [`as_borrowed`](Self::as_borrowed) has the methods that find one.
#[derive(Clone)]
pub struct Properties {
    #[cfg(feature = "v5")]
    wire: Wire,
    /// Where they may stand for certain. Those that were built are checked again when their packet is encoded.
    #[cfg(feature = "v5")]
    place: Places,
}

impl Properties {
    /// No properties.
    pub const EMPTY: Self = Self {
        #[cfg(feature = "v5")]
        wire: Wire::EMPTY,
        #[cfg(feature = "v5")]
        place: Places::NONE,
    };

    /// Copies properties.
    ///
    /// ```
    /// use mqtt_device_proto::{Property, owned::Properties};
    /// let properties = Properties::from_slice(&[Property::ContentType("text/plain")])?;
    /// assert_eq!(properties.as_borrowed().content_type(), Some("text/plain"));
    /// # Ok::<(), mqtt_device_proto::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// What no packet may carry: a string that is too long or has U+0000 in it, a value out of range, a property twice,
    /// Authentication Data alone. Whether *this* packet may carry them is checked when it is encoded.
    #[cfg(feature = "v5")]
    pub fn from_slice(properties: &[crate::Property<'_>]) -> Result<Self, EncodeError> {
        Ok(Self { wire: Wire::from(crate::Properties::written(properties)?), place: Places::NONE })
    }

    /// The same from owned properties, which are copied too: a set is one piece.
    ///
    /// ```
    /// use mqtt_device_proto::{Property, PropertyId, owned::Properties};
    /// let all = Properties::from_slice(&[Property::ContentType("text/plain"), Property::UserProperty("a", "b")])?;
    /// let fewer = all.iter_owned().filter(|property| property.as_borrowed().id() != PropertyId::ContentType);
    /// assert_eq!(Properties::try_from_iter(fewer)?.iter().count(), 1);
    /// # Ok::<(), mqtt_device_proto::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// As [`from_slice`](Self::from_slice).
    #[cfg(feature = "v5")]
    pub fn try_from_iter(properties: impl IntoIterator<Item: Borrow<Property>>) -> Result<Self, EncodeError> {
        let properties: Vec<_> = properties.into_iter().collect();
        let borrowed: Vec<_> = properties.iter().map(|property| property.borrow().as_borrowed()).collect();
        Self::from_slice(&borrowed)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_borrowed().is_empty()
    }

    /// The properties in the order of the packet.
    #[must_use]
    pub fn iter(&self) -> PropertyIter<'_> {
        self.as_borrowed().iter()
    }

    /// The same as owned properties, which share this set's bytes.
    pub fn iter_owned(&self) -> impl Iterator<Item = Property> + '_ {
        #[cfg(feature = "v5")]
        let bytes = self.wire.as_bytes().clone();
        #[cfg(not(feature = "v5"))]
        let bytes = Bytes::new();
        // Only a set can fail to be shared.
        self.iter().filter_map(move |property| Property::share_from(property, &bytes).ok())
    }

    /// The borrowed form; costs nothing.
    #[must_use]
    pub fn as_borrowed(&self) -> crate::Properties<'_> {
        #[cfg(feature = "v5")]
        return crate::Properties::from_wire(self.wire.as_borrowed(), self.place);
        #[cfg(not(feature = "v5"))]
        crate::Properties::EMPTY
    }
}

impl Owned for Properties {
    type Borrowed<'b> = crate::Properties<'b>;

    fn as_borrowed(&self) -> crate::Properties<'_> {
        self.as_borrowed()
    }

    fn share_from(borrowed: crate::Properties<'_>, buffer: &Bytes) -> Result<Self, EncodeError> {
        #[cfg(feature = "v5")]
        return match borrowed.wire() {
            _ if borrowed.is_empty() => Ok(Self::EMPTY),
            Some((wire, place)) => Ok(Self { wire: Wire::share_from(wire, buffer), place }),
            None => Self::from_slice(&borrowed.iter().collect::<Vec<_>>()),
        };
        #[cfg(not(feature = "v5"))]
        {
            let _ = (borrowed, buffer);
            Ok(Self::EMPTY)
        }
    }

    deserialize!();
}

impl Default for Properties {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl PartialEq for Properties {
    fn eq(&self, other: &Self) -> bool {
        self.as_borrowed() == other.as_borrowed()
    }
}

impl Eq for Properties {}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_borrowed().fmt(f)
    }
}

/// A copy.
impl TryFrom<crate::Properties<'_>> for Properties {
    type Error = EncodeError;

    fn try_from(borrowed: crate::Properties<'_>) -> Result<Self, EncodeError> {
        Self::share_from(borrowed, &Bytes::new())
    }
}

impl<'b> IntoIterator for &'b Properties {
    type Item = crate::Property<'b>;
    type IntoIter = PropertyIter<'b>;

    fn into_iter(self) -> PropertyIter<'b> {
        self.iter()
    }
}
