//! serde for owned packets: written as their borrowed forms are, and checked when they are read.

use core::fmt;

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::lists::{Filters, ReasonCodes, Subscription, TopicFilters};
use super::packets::{
    Auth, ConnAck, Connect, Disconnect, Packet, PubAck, PubComp, PubRec, PubRel, Publish, PublishHead, Skipped, SubAck,
    Subscribe, UnsubAck, Unsubscribe, Will,
};
use super::properties::{Properties, Property};
use super::share::Owned;
use super::topic::{TopicFilter, TopicName};
use crate::reason::ReasonCode;
use crate::writer::string_len;

macro_rules! serialize {
    ($($type:ident)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.as_borrowed().serialize(serializer)
            }
        }
    )*};
}

serialize! {
    Packet Connect Will ConnAck Publish PubAck PubRec PubRel PubComp Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth
    PublishHead Skipped Properties Property Filters TopicFilters ReasonCodes TopicName TopicFilter
}

/// What Clean Start is when nothing is said about it.
pub(super) const fn yes() -> bool {
    true
}

/// A string of the standard.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteString, D::Error> {
    let text = String::deserialize(deserializer)?;
    string_len(&text).map_err(D::Error::custom)?;
    Ok(text.into())
}

/// Binary data: a string, bytes, or an array of numbers.
pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(Binary)
    } else {
        deserializer.deserialize_byte_buf(Binary)
    }
}

struct Binary;

impl<'de> Visitor<'de> for Binary {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, bytes, or an array of numbers from 0 to 255")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
        self.visit_bytes(text.as_bytes())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Bytes, E> {
        Ok(text.into())
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(bytes))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(bytes.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Bytes, A::Error> {
        // What is announced is not believed: nothing is reserved.
        let mut bytes = Vec::new();
        while let Some(byte) = numbers.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes.into())
    }
}

/// Something that may be missing.
pub(super) fn option<'de, T: Owned, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    struct Part<T>(T);

    impl<'de, T: Owned> Deserialize<'de> for Part<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            T::deserialize(deserializer).map(Self)
        }
    }

    Ok(Option::<Part<T>>::deserialize(deserializer)?.map(|Part(some)| some))
}

/// The empty name passes: a packet with a topic alias has it, and any other is refused when it is encoded.
impl<'de> Deserialize<'de> for TopicName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        crate::TopicName::new_or_empty(&name).map_err(D::Error::custom)?;
        Ok(Self::checked(name.into()))
    }
}

/// The form of shared subscriptions is left to encoding, which knows the version: MQTT 3.1.1 has none.
impl<'de> Deserialize<'de> for TopicFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let filter = String::deserialize(deserializer)?;
        crate::TopicFilter::new_unshared(&filter).map_err(D::Error::custom)?;
        Ok(Self::checked(filter.into()))
    }
}

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let properties = Vec::<Property>::deserialize(deserializer)?;
        #[cfg(feature = "v5")]
        return Self::try_from_iter(&properties).map_err(D::Error::custom);
        #[cfg(not(feature = "v5"))]
        if properties.is_empty() { Ok(Self::EMPTY) } else { Err(D::Error::custom("properties are of MQTT 5 alone")) }
    }
}

macro_rules! lists {
    ($($list:ident $item:ident)*) => {$(
        impl<'de> Deserialize<'de> for $list {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Vec::<$item>::deserialize(deserializer)?.into_iter().collect())
            }
        }
    )*};
}

lists!(Filters Subscription TopicFilters TopicFilter ReasonCodes ReasonCode);
