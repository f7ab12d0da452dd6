//! Lists of filters: in a packet, where they are read where they lie, or lent by the caller as a slice.

use core::fmt;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::fields::Wire;
use crate::reader::Reader;
use crate::subscription::{SubscribeOptions, Subscription};
use crate::topic::TopicFilter;

/// Items from a packet, checked there and read again in place; or from a slice.
#[derive(Clone, Copy)]
pub(crate) enum Items<'b, T> {
    Wire(Wire<'b>),
    Slice(&'b [T]),
}

impl<'b, T> Items<'b, T> {
    /// All that is left, which is not nothing, and is still to be checked.
    #[inline]
    pub(crate) fn of_rest(reader: &Reader<'b>) -> Result<Self, DecodeError> {
        if reader.is_empty() {
            return Err(reader.fault(DecodeErrorKind::NoTopicFilter));
        }
        Ok(Self::Wire(Wire::of(reader.rest())))
    }
}

macro_rules! lists {
    ($(#[$doc:meta])* $list:ident $iter:ident $item:ident, $read:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $list<'b>(pub(crate) Items<'b, $item<'b>>);

        impl<'b> $list<'b> {
            /// What to encode.
            #[must_use]
            pub const fn from_slice(items: &'b [$item<'b>]) -> Self {
                Self(Items::Slice(items))
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
            pub(crate) const fn wire(&self) -> Option<Wire<'b>> {
                match self.0 {
                    Items::Wire(wire) => Some(wire),
                    Items::Slice(_) => None,
                }
            }

            pub(crate) const fn from_wire(wire: Wire<'b>) -> Self {
                Self(Items::Wire(wire))
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
        pub struct $iter<'b>(Items<'b, $item<'b>>);

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
                    Items::Slice(slice) => {
                        let (first, rest) = slice.split_first()?;
                        *slice = rest;
                        Some(*first)
                    }
                    Items::Wire(wire) => wire.take().map($read),
                }
            }
        }

        impl core::iter::FusedIterator for $iter<'_> {}
    };
}

lists! {
    /// The filters of a SUBSCRIBE with their options.
    Filters FiltersIter Subscription, |(filter, [options])| Subscription {
        filter: TopicFilter::checked(filter),
        options: SubscribeOptions::from_checked(options),
    }
}

lists! {
    /// The filters of an UNSUBSCRIBE.
    TopicFilters TopicFiltersIter TopicFilter, |(filter, [])| TopicFilter::checked(filter)
}
