//! serde for what is no plain derive: numbers with a range, options, lists, payloads. All without an allocator.

use core::str::from_utf8;

use serde::de::{Error, Unexpected};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::filters::{Filters, TopicFilters};
use crate::properties::Properties;
use crate::suback::ReasonCodes;
use crate::subscription::{RetainHandling, SubscribeOptions};
use crate::types::{PacketId, QoS};

macro_rules! numbers {
    ($($type:ident $number:ty: $new:path, $get:path, $range:literal;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $get(*self).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = <$number>::deserialize(deserializer)?;
                $new(number).ok_or_else(|| D::Error::invalid_value(Unexpected::Unsigned(number.into()), &$range))
            }
        }
    )*};
}

numbers! {
    PacketId u16: PacketId::new, PacketId::get, "a packet identifier from 1 to 65535";
    QoS u8: QoS::from_u8, QoS::as_u8, "a QoS of 0, 1 or 2";
}

/// The form of `SubscribeOptions`: its bits by their names, all of which may be left out.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename = "SubscribeOptions", default, deny_unknown_fields)]
struct Options {
    qos: QoS,
    no_local: bool,
    retain_as_published: bool,
    retain_handling: RetainHandling,
}

impl Serialize for SubscribeOptions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let options = Options {
            qos: self.qos(),
            no_local: self.no_local(),
            retain_as_published: self.retain_as_published(),
            retain_handling: self.retain_handling(),
        };
        options.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SubscribeOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let options = Options::deserialize(deserializer)?;
        Ok(Self::new(options.qos)
            .with_no_local(options.no_local)
            .with_retain_as_published(options.retain_as_published)
            .with_retain_handling(options.retain_handling))
    }
}

macro_rules! lists {
    ($($list:ident)*) => {$(
        impl Serialize for $list<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                // Counted first: binary formats want the number in front.
                let mut list = serializer.serialize_seq(Some(self.iter().count()))?;
                self.iter().try_for_each(|item| list.serialize_element(&item))?;
                list.end()
            }
        }
    )*};
}

lists!(Properties Filters TopicFilters ReasonCodes);

/// Binary data. Where the format is for humans, a string if it is UTF-8, else numbers: what such formats make of bytes
/// differs, and some cannot read it back.
struct Binary<'b>(&'b [u8]);

impl Serialize for Binary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match from_utf8(self.0) {
            Ok(text) if serializer.is_human_readable() => serializer.serialize_str(text),
            _ if serializer.is_human_readable() => serializer.collect_seq(self.0),
            _ => serializer.serialize_bytes(self.0),
        }
    }
}

pub(crate) fn bytes<S: Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    Binary(bytes).serialize(serializer)
}

pub(crate) fn option_of_bytes<S: Serializer>(bytes: &Option<&[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    bytes.map(Binary).serialize(serializer)
}
