//! Owned topic names and topic filters.

use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;

use alloc::string::String;

use bytes::Bytes;
use bytestring::ByteString;

use super::share::{self, Owned, deserialize};
use crate::error::EncodeError;
use crate::topic::TopicError;

/// The topic of one message: at least one character, no wildcards, no U+0000, at most 65,535 bytes. A clone shares them.
///
/// ```
/// use mqtt_device_proto::{TopicError, owned::TopicName};
/// let name: TopicName = "house/door".parse()?;
/// assert_eq!(name.as_str(), "house/door");
/// assert_eq!(TopicName::new("house/+"), Err(TopicError::WildcardInName));
/// # Ok::<(), TopicError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(ByteString);

/// What a subscription asks for: a topic name in which `+` stands for one level and a final `#` for any number. A clone
/// shares its bytes.
///
/// ```
/// use mqtt_device_proto::owned::{TopicFilter, TopicName};
/// let filter = TopicFilter::new("house/+/state")?;
/// assert!(filter.matches(&TopicName::new("house/door/state")?));
/// # Ok::<(), mqtt_device_proto::TopicError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter(ByteString);

impl TopicName {
    /// The empty name: an MQTT 5 PUBLISH carries it when a topic alias stands for the name.
    pub const EMPTY: Self = Self(ByteString::new());

    /// Whether a topic alias must say what the name is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TopicFilter {
    /// The share name and the filter behind it, if this is a shared subscription.
    #[must_use]
    pub fn share(&self) -> Option<(&str, &str)> {
        self.as_borrowed().share()
    }

    /// Whether a message on `topic` is asked for, as [`matches`](crate::TopicFilter::matches) of the borrowed filter has
    /// it.
    #[must_use]
    pub fn matches(&self, topic: &TopicName) -> bool {
        self.as_borrowed().matches(&topic.as_borrowed())
    }
}

macro_rules! topics {
    ($($type:ident $rules:literal)*) => {$(
        impl $type {
            #[doc = $rules]
            /// A `String` is taken over and a `&str` copied; a [`ByteString`] may share a static string or a buffer.
            ///
            /// # Errors
            /// [`TopicError`] names the rule that is broken.
            pub fn new(topic: impl Into<ByteString>) -> Result<Self, TopicError> {
                let topic = topic.into();
                crate::$type::new(&topic)?;
                Ok(Self(topic))
            }

            /// Of a string that was checked.
            #[cfg(feature = "serde")]
            pub(super) const fn checked(topic: ByteString) -> Self {
                Self(topic)
            }

            /// As it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The borrowed form; costs nothing.
            #[must_use]
            pub fn as_borrowed(&self) -> crate::$type<'_> {
                crate::$type::checked(&self.0)
            }

            /// The string without its rules.
            #[must_use]
            pub fn into_inner(self) -> ByteString {
                self.0
            }
        }

        impl Owned for $type {
            type Borrowed<'b> = crate::$type<'b>;

            fn as_borrowed(&self) -> crate::$type<'_> {
                self.as_borrowed()
            }

            fn share_from(borrowed: crate::$type<'_>, buffer: &Bytes) -> Result<Self, EncodeError> {
                Ok(Self(share::text(borrowed.as_str(), buffer)))
            }

            deserialize!();
        }

        /// A copy.
        impl From<crate::$type<'_>> for $type {
            fn from(borrowed: crate::$type<'_>) -> Self {
                Self(ByteString::from(borrowed.as_str()))
            }
        }

        impl<'b> From<&'b $type> for crate::$type<'b> {
            fn from(owned: &'b $type) -> Self {
                owned.as_borrowed()
            }
        }

        impl TryFrom<&str> for $type {
            type Error = TopicError;

            fn try_from(topic: &str) -> Result<Self, TopicError> {
                Self::new(topic)
            }
        }

        impl TryFrom<String> for $type {
            type Error = TopicError;

            fn try_from(topic: String) -> Result<Self, TopicError> {
                Self::new(topic)
            }
        }

        impl TryFrom<ByteString> for $type {
            type Error = TopicError;

            fn try_from(topic: ByteString) -> Result<Self, TopicError> {
                Self::new(topic)
            }
        }

        impl FromStr for $type {
            type Err = TopicError;

            fn from_str(topic: &str) -> Result<Self, TopicError> {
                Self::new(topic)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        /// Equal, ordered and hashed as the string: a map can be asked by `&str`.
        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.as_borrowed().fmt(f)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}

topics! {
    TopicName "Checks the rules of a topic name."
    TopicFilter "Checks the rules of a topic filter, and of a shared subscription where it is one."
}
