//! The lists of SUBSCRIBE, UNSUBSCRIBE and their answers, in the form of the wire.

use core::fmt;

use alloc::vec::Vec;

use bytes::Bytes;

use super::share::{self, Owned, Wire, deserialize};
use super::topic::TopicFilter;
use crate::error::EncodeError;
use crate::filters::{FiltersIter, TopicFiltersIter};
use crate::reason::ReasonCode;
use crate::suback::ReasonCodesIter;
use crate::subscription::SubscribeOptions;
use crate::types::QoS;

/// A filter with its options.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Subscription {
    /// What is asked for.
    pub filter: TopicFilter,
    /// And how.
    #[cfg_attr(feature = "serde", serde(default))]
    pub options: SubscribeOptions,
}

impl Subscription {
    /// A subscription with this greatest QoS and no other option.
    #[must_use]
    pub const fn new(filter: TopicFilter, qos: QoS) -> Self {
        Self { filter, options: SubscribeOptions::new(qos) }
    }

    /// The borrowed form; costs nothing.
    #[must_use]
    pub fn as_borrowed(&self) -> crate::Subscription<'_> {
        crate::Subscription { filter: self.filter.as_borrowed(), options: self.options }
    }
}

impl Owned for Subscription {
    type Borrowed<'b> = crate::Subscription<'b>;

    fn as_borrowed(&self) -> crate::Subscription<'_> {
        self.as_borrowed()
    }

    fn share_from(borrowed: crate::Subscription<'_>, buffer: &Bytes) -> Result<Self, EncodeError> {
        Ok(Self { filter: Owned::share_from(borrowed.filter, buffer)?, options: borrowed.options })
    }

    deserialize!();
}

/// What `as_borrowed`, `iter` and the like are made of.
macro_rules! list {
    ($list:ident $iter:ident $item:ty) => {
        impl $list {
            /// The items in the order of the packet.
            #[must_use]
            pub fn iter(&self) -> $iter<'_> {
                self.as_borrowed().iter()
            }
        }

        impl Owned for $list {
            type Borrowed<'b> = crate::$list<'b>;

            fn as_borrowed(&self) -> crate::$list<'_> {
                self.as_borrowed()
            }

            fn share_from(borrowed: crate::$list<'_>, buffer: &Bytes) -> Result<Self, EncodeError> {
                Ok(match borrowed.wire() {
                    Some(wire) => Self::share_wire(wire, buffer),
                    None => borrowed.iter().collect(),
                })
            }

            deserialize!();
        }

        /// A copy.
        impl From<crate::$list<'_>> for $list {
            fn from(borrowed: crate::$list<'_>) -> Self {
                borrowed.iter().collect()
            }
        }

        impl PartialEq for $list {
            fn eq(&self, other: &Self) -> bool {
                self.as_borrowed() == other.as_borrowed()
            }
        }

        impl Eq for $list {}

        impl fmt::Debug for $list {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.as_borrowed().fmt(f)
            }
        }

        impl<'b> IntoIterator for &'b $list {
            type Item = $item;
            type IntoIter = $iter<'b>;

            fn into_iter(self) -> $iter<'b> {
                self.iter()
            }
        }
    };
}

/// A list of filters, whose items are written by `push`.
macro_rules! filters {
    ($(#[$doc:meta])* $list:ident $iter:ident $item:ident, $push:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $list(Wire);

        impl $list {
            /// How many there are.
            #[must_use]
            pub fn count(&self) -> usize {
                self.iter().count()
            }

            /// The items as owned ones, which share this list's bytes.
            pub fn iter_owned(&self) -> impl Iterator<Item = $item> + '_ {
                self.iter().filter_map(|item| $item::share_from(item, self.0.as_bytes()).ok())
            }

            /// The borrowed form; costs nothing.
            #[must_use]
            pub fn as_borrowed(&self) -> crate::$list<'_> {
                crate::$list::from_wire(self.0.as_borrowed())
            }

            fn share_wire(wire: crate::fields::Wire<'_>, buffer: &Bytes) -> Self {
                Self(Wire::share_from(wire, buffer))
            }
        }

        list!($list $iter crate::$item<'b>);

        impl<'a> FromIterator<crate::$item<'a>> for $list {
            fn from_iter<I: IntoIterator<Item = crate::$item<'a>>>(items: I) -> Self {
                let mut wire = Vec::new();
                items.into_iter().for_each(|item| $push(&mut wire, item));
                Self(Wire::from(wire))
            }
        }

        impl FromIterator<$item> for $list {
            fn from_iter<I: IntoIterator<Item = $item>>(items: I) -> Self {
                let mut wire = Vec::new();
                items.into_iter().for_each(|item| $push(&mut wire, item.as_borrowed()));
                Self(Wire::from(wire))
            }
        }
    };
}

filters! {
    /// The filters of a SUBSCRIBE with their options: collect them from borrowed or owned [`Subscription`]s.
    Filters FiltersIter Subscription, |wire: &mut Vec<u8>, item: crate::Subscription<'_>| {
        push(wire, &item.filter);
        wire.push(item.options.as_u8());
    }
}

filters! {
    /// The filters of an UNSUBSCRIBE: collect them from borrowed or owned [`TopicFilter`]s.
    TopicFilters TopicFiltersIter TopicFilter, |wire: &mut Vec<u8>, item: crate::TopicFilter<'_>| push(wire, &item)
}

/// A filter has at most 65,535 bytes.
fn push(wire: &mut Vec<u8>, filter: &crate::TopicFilter<'_>) {
    let filter = filter.as_str().as_bytes();
    wire.extend(u16::try_from(filter.len()).unwrap_or(u16::MAX).to_be_bytes());
    wire.extend(filter);
}

/// Codes in the order of the filters that they answer: collect them from [`ReasonCode`]s.
#[derive(Clone)]
pub struct ReasonCodes(Bytes);

impl ReasonCodes {
    /// No codes, as in an UNSUBACK before MQTT 5.
    pub const EMPTY: Self = Self(Bytes::new());

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The borrowed form; costs nothing.
    #[must_use]
    pub fn as_borrowed(&self) -> crate::ReasonCodes<'_> {
        crate::ReasonCodes::from_wire(&self.0)
    }

    fn share_wire(wire: &[u8], buffer: &Bytes) -> Self {
        Self(share::bytes(wire, buffer))
    }
}

list!(ReasonCodes ReasonCodesIter ReasonCode);

impl Default for ReasonCodes {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl FromIterator<ReasonCode> for ReasonCodes {
    fn from_iter<I: IntoIterator<Item = ReasonCode>>(codes: I) -> Self {
        Self(codes.into_iter().map(ReasonCode::as_u8).collect())
    }
}
