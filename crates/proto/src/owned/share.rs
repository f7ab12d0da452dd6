//! What each owned type can do with its borrowed form; pieces of a buffer, shared where they lie in it.

use core::num::{NonZeroU16, NonZeroU32};
use core::ops::Range;

use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;
#[cfg(feature = "serde")]
use serde::Deserializer;

#[cfg(feature = "serde")]
use super::serial;
use crate::error::EncodeError;
use crate::fields;
use crate::reason::ReasonCode;
use crate::subscription::SubscribeOptions;
use crate::types::{PacketId, PacketType, QoS};

/// An owned packet or a part of one.
pub(crate) trait Owned: Sized + 'static {
    type Borrowed<'b>;

    fn as_borrowed(&self) -> Self::Borrowed<'_>;

    /// Shares what lies in `buffer` and copies what does not. Fails for properties that no packet may carry.
    fn share_from(borrowed: Self::Borrowed<'_>, buffer: &Bytes) -> Result<Self, EncodeError>;

    #[cfg(feature = "serde")]
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// For what implements `Deserialize` by itself.
macro_rules! deserialize {
    () => {
        #[cfg(feature = "serde")]
        fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            serde::Deserialize::deserialize(deserializer)
        }
    };
}
pub(super) use deserialize;

macro_rules! plain {
    ($($type:ty)*) => {$(
        impl Owned for $type {
            type Borrowed<'b> = Self;

            fn as_borrowed(&self) -> Self {
                *self
            }

            fn share_from(borrowed: Self, _buffer: &Bytes) -> Result<Self, EncodeError> {
                Ok(borrowed)
            }

            deserialize!();
        }
    )*};
}

plain!(bool u16 u32 NonZeroU16 NonZeroU32 QoS PacketId PacketType ReasonCode SubscribeOptions);

impl<T: Owned> Owned for Option<T> {
    type Borrowed<'b> = Option<T::Borrowed<'b>>;

    fn as_borrowed(&self) -> Self::Borrowed<'_> {
        self.as_ref().map(T::as_borrowed)
    }

    fn share_from(borrowed: Self::Borrowed<'_>, buffer: &Bytes) -> Result<Self, EncodeError> {
        borrowed.map(|some| T::share_from(some, buffer)).transpose()
    }

    #[cfg(feature = "serde")]
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serial::option(deserializer)
    }
}

impl Owned for Bytes {
    type Borrowed<'b> = &'b [u8];

    fn as_borrowed(&self) -> &[u8] {
        self
    }

    fn share_from(borrowed: &[u8], buffer: &Bytes) -> Result<Self, EncodeError> {
        Ok(bytes(borrowed, buffer))
    }

    #[cfg(feature = "serde")]
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serial::bytes(deserializer)
    }
}

impl Owned for ByteString {
    type Borrowed<'b> = &'b str;

    fn as_borrowed(&self) -> &str {
        self
    }

    fn share_from(borrowed: &str, buffer: &Bytes) -> Result<Self, EncodeError> {
        Ok(text(borrowed, buffer))
    }

    #[cfg(feature = "serde")]
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serial::text(deserializer)
    }
}

/// `part`, without a copy if it lies in `buffer`.
pub(super) fn bytes(part: &[u8], buffer: &Bytes) -> Bytes {
    match place(part, buffer) {
        Some(place) => buffer.slice(place),
        None => Bytes::copy_from_slice(part),
    }
}

/// The same for a text. What is shared is looked at once more, since only `unsafe` code may claim that it is a text.
pub(super) fn text(part: &str, buffer: &Bytes) -> ByteString {
    let shared = place(part.as_bytes(), buffer).map(|place| ByteString::try_from(buffer.slice(place)));
    match shared {
        Some(Ok(text)) => text,
        _ => ByteString::from(part),
    }
}

/// Where `part` lies in `buffer`. An empty one lies nowhere, so that it does not keep the buffer alive.
fn place(part: &[u8], buffer: &Bytes) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(buffer.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (start < end && end <= buffer.len()).then_some(start..end)
}

/// A list of a packet as the wire has it: as a text if all of it, the lengths and numbers included, is one. Then so is
/// every string in it, and none is looked at again.
#[derive(Clone)]
pub(super) enum Wire {
    Text(ByteString),
    Bytes(Bytes),
}

impl Wire {
    #[cfg(feature = "v5")]
    pub(super) const EMPTY: Self = Self::Text(ByteString::new());

    pub(super) fn share_from(borrowed: fields::Wire<'_>, buffer: &Bytes) -> Self {
        match borrowed {
            fields::Wire::Text(text) => Self::Text(self::text(text, buffer)),
            fields::Wire::Bytes(bytes) => Self::Bytes(self::bytes(bytes, buffer)),
        }
    }

    pub(super) fn as_borrowed(&self) -> fields::Wire<'_> {
        match self {
            Self::Text(text) => fields::Wire::Text(text),
            Self::Bytes(bytes) => fields::Wire::Bytes(bytes),
        }
    }

    pub(super) fn as_bytes(&self) -> &Bytes {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Wire {
    fn from(bytes: Vec<u8>) -> Self {
        let bytes = Bytes::from(bytes);
        match ByteString::try_from(bytes.clone()) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Bytes(bytes),
        }
    }
}
