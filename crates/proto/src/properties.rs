//! A packet's set of properties: read from the wire where it lies, or lent by the caller as a slice.

use core::fmt;

use crate::error::{DecodeError, EncodeError};
#[cfg(feature = "v5")]
use crate::fields::Wire;
use crate::property::{Places, Property, PropertyId};
use crate::reader::Reader;
#[cfg(feature = "v5")]
use crate::text::Text;
use crate::topic::TopicName;
use crate::types::{QoS, Role, Version};
use crate::writer::Writer;

/// The properties of one packet, in order. Always empty before MQTT 5, and without feature `v5`.
///
/// Decoded ones were checked as a whole and are read again, in place, by [`iter`](Self::iter).
#[derive(Clone, Copy, Default)]
pub struct Properties<'b> {
    repr: Repr<'b>,
    /// Where they were found to be in place.
    #[cfg(feature = "v5")]
    place: Places,
}

#[cfg(not(feature = "v5"))]
type Repr<'b> = core::marker::PhantomData<&'b ()>;

#[cfg(feature = "v5")]
#[derive(Clone, Copy)]
enum Repr<'b> {
    Wire(Wire<'b>),
    Slice(&'b [Property<'b>]),
}

#[cfg(feature = "v5")]
impl Default for Repr<'_> {
    fn default() -> Self {
        Self::Slice(&[])
    }
}

impl<'b> Properties<'b> {
    /// No properties.
    #[cfg(not(feature = "v5"))]
    pub const EMPTY: Self = Self { repr: core::marker::PhantomData };
    /// No properties.
    #[cfg(feature = "v5")]
    pub const EMPTY: Self = Self::from_slice(&[]);

    /// Properties to encode. They are checked when the packet is encoded. With feature `v5`.
    #[cfg(feature = "v5")]
    #[must_use]
    pub const fn from_slice(properties: &'b [Property<'b>]) -> Self {
        Self { repr: Repr::Slice(properties), place: Places::NONE }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        #[cfg(feature = "v5")]
        match self.repr {
            Repr::Wire(Wire::Text(text)) => text.is_empty(),
            Repr::Wire(Wire::Bytes(bytes)) => bytes.is_empty(),
            Repr::Slice(slice) => slice.is_empty(),
        }
        #[cfg(not(feature = "v5"))]
        true
    }

    /// The properties in the order of the packet.
    #[must_use]
    pub fn iter(&self) -> PropertyIter<'b> {
        #[cfg(feature = "v5")]
        return match self.repr {
            Repr::Wire(Wire::Bytes(rest)) => PropertyIter { rest, ..PropertyIter::EMPTY },
            Repr::Wire(Wire::Text(text)) => {
                PropertyIter { rest: text.as_bytes(), text: Text::known(text), ..PropertyIter::EMPTY }
            }
            Repr::Slice(slice) => PropertyIter { slice, ..PropertyIter::EMPTY },
        };
        #[cfg(not(feature = "v5"))]
        PropertyIter(core::marker::PhantomData)
    }

    /// The first property with this identifier.
    #[must_use]
    pub fn find(&self, id: PropertyId) -> Option<Property<'b>> {
        self.iter().find(|property| property.id() == id)
    }

    /// The user properties, in order.
    pub fn user_properties(&self) -> impl Iterator<Item = (&'b str, &'b str)> + use<'b> {
        self.iter().filter_map(|property| match property {
            Property::UserProperty(name, value) => Some((name, value)),
            _ => None,
        })
    }
}

macro_rules! find {
    ($($method:ident $id:ident $value:ty, $doc:literal;)*) => {
        /// The value of one property, where the packet has it.
        impl<'b> Properties<'b> {
            $(
                #[doc = $doc]
                #[must_use]
                pub fn $method(&self) -> Option<$value> {
                    match self.find(PropertyId::$id)? {
                        Property::$id(value) => Some(value.into()),
                        _ => None,
                    }
                }
            )*
        }
    };
}

find! {
    payload_format_indicator PayloadFormatIndicator bool, "Whether the payload is said to be UTF-8.";
    message_expiry_interval MessageExpiryInterval u32, "Seconds until the message is stale.";
    content_type ContentType &'b str, "What the payload is.";
    response_topic ResponseTopic TopicName<'b>, "Where the response is to go.";
    correlation_data CorrelationData &'b [u8], "What the response is to repeat.";
    subscription_identifier SubscriptionIdentifier u32, "The first subscription identifier.";
    session_expiry_interval SessionExpiryInterval u32, "Seconds that the session outlives its connection.";
    assigned_client_identifier AssignedClientIdentifier &'b str, "The client identifier that the server chose.";
    server_keep_alive ServerKeepAlive u16, "The keep alive that the client must use.";
    authentication_method AuthenticationMethod &'b str, "The name of the authentication method.";
    authentication_data AuthenticationData &'b [u8], "What the authentication method exchanges.";
    request_problem_information RequestProblemInformation bool, "Whether problem information is asked for.";
    will_delay_interval WillDelayInterval u32, "Seconds between the connection's end and the will.";
    request_response_information RequestResponseInformation bool, "Whether Response Information is asked for.";
    response_information ResponseInformation &'b str, "The basis of response topics.";
    server_reference ServerReference &'b str, "Another server to use.";
    reason_string ReasonString &'b str, "For a human who diagnoses.";
    receive_maximum ReceiveMaximum u16, "How many QoS 1 and 2 messages may be on their way at once.";
    topic_alias_maximum TopicAliasMaximum u16, "The greatest topic alias that the sender takes.";
    topic_alias TopicAlias u16, "A number in place of the topic name.";
    maximum_qos MaximumQoS QoS, "The greatest QoS that the server takes.";
    retain_available RetainAvailable bool, "Whether the server keeps retained messages.";
    maximum_packet_size MaximumPacketSize u32, "The longest packet that the sender takes.";
    wildcard_subscription_available WildcardSubscriptionAvailable bool, "Whether the server takes wildcards.";
    subscription_identifiers_available SubscriptionIdentifiersAvailable bool,
        "Whether the server takes subscription identifiers.";
    shared_subscription_available SharedSubscriptionAvailable bool, "Whether the server takes shared subscriptions.";
}

impl PartialEq for Properties<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Properties<'_> {}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'b> IntoIterator for Properties<'b> {
    type Item = Property<'b>;
    type IntoIter = PropertyIter<'b>;

    fn into_iter(self) -> PropertyIter<'b> {
        self.iter()
    }
}

/// The properties of a packet in their order.
#[cfg(not(feature = "v5"))]
#[derive(Clone)]
pub struct PropertyIter<'b>(core::marker::PhantomData<&'b ()>);

/// The properties of a packet in their order.
// Not an enumeration, so that the compiler keeps it in registers.
#[cfg(feature = "v5")]
#[derive(Clone)]
pub struct PropertyIter<'b> {
    /// Of a packet: checked.
    rest: &'b [u8],
    text: Text<'b>,
    /// Of a caller, if `rest` is empty.
    slice: &'b [Property<'b>],
}

#[cfg(feature = "v5")]
impl PropertyIter<'_> {
    const EMPTY: Self = Self { rest: &[], text: Text::known(""), slice: &[] };
}

impl fmt::Debug for PropertyIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'b> Iterator for PropertyIter<'b> {
    type Item = Property<'b>;

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn next(&mut self) -> Option<Property<'b>> {
        #[cfg(feature = "v5")]
        if self.rest.is_empty() {
            let (first, rest) = self.slice.split_first()?;
            self.slice = rest;
            Some(*first)
        } else {
            // A copy, which stays in registers: through `self` it would cost a set of six 30 instructions.
            let mut rest = self.rest;
            let property = Property::take(&mut rest, self.text);
            self.rest = rest;
            property
        }
        #[cfg(not(feature = "v5"))]
        None
    }
}

impl core::iter::FusedIterator for PropertyIter<'_> {}

/// Reads and writes whole sets. Before MQTT 5 a set takes no bytes.
impl<'b> Properties<'b> {
    /// Reads the length and the properties behind it, all checked, if the version has them.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn read(
        reader: &mut Reader<'b>,
        version: Version,
        place: Places,
        sender: Role,
    ) -> Result<Self, DecodeError> {
        #[cfg(feature = "v5")]
        if version.has_properties() {
            let set = wire::open(reader)?;
            if !set.is_empty() {
                return Self::check(set, place, sender);
            }
        }
        let _ = (reader, version, place, sender);
        Ok(Self::EMPTY)
    }

    #[cfg(feature = "v5")]
    #[inline(never)]
    fn check(set: Reader<'b>, place: Places, sender: Role) -> Result<Self, DecodeError> {
        Ok(Self { repr: Repr::Wire(wire::check(set, place, sender)?), place })
    }

    /// Bytes of the set with its length in front, all checked `[MQTT-2.2.2-1 v5]`.
    #[inline]
    pub(crate) fn encoded_len(&self, version: Version, place: Places) -> Result<usize, EncodeError> {
        if self.is_empty() {
            return Ok(Self::with_length(0, version));
        }
        self.count_apart(version, place).map(|counted| Self::with_length(counted, version))
    }

    /// Most packets have no properties, and need not have in them what others need.
    #[inline(never)]
    fn count_apart(&self, version: Version, place: Places) -> Result<usize, EncodeError> {
        self.count(version, place)
    }

    /// Bytes of the set without its length in front, all checked; 0 before MQTT 5. For `write_counted`.
    #[inline]
    pub(crate) fn count(&self, version: Version, place: Places) -> Result<usize, EncodeError> {
        if version.has_properties() {
            #[cfg(feature = "v5")]
            return self.body_len(place);
        } else if !self.is_empty() {
            return Err(EncodeError::PropertiesNotInThisVersion);
        }
        let _ = place;
        Ok(0)
    }

    /// What a set of `counted` bytes takes with its length in front.
    #[inline]
    pub(crate) const fn with_length(counted: usize, version: Version) -> usize {
        let len = match counted {
            _ if !version.has_properties() => return 0,
            0..0x80 => 1,
            0x80..0x4000 => 2,
            0x4000..0x20_0000 => 3,
            _ => 4,
        };
        counted.saturating_add(len)
    }

    /// Writes what `encoded_len` has counted.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn write(&self, version: Version, writer: &mut Writer<'_>) -> Option<()> {
        if !version.has_properties() {
            return Some(());
        }
        if self.is_empty() {
            return writer.u8(0);
        }
        writer.hand_to(|writer| self.write_apart(version, writer))
    }

    #[inline(never)]
    fn write_apart<'o>(&self, version: Version, mut writer: Writer<'o>) -> Option<Writer<'o>> {
        #[cfg(feature = "v5")]
        let counted = if let Repr::Slice(slice) = self.repr { wire::counted(slice) } else { 0 };
        #[cfg(not(feature = "v5"))]
        let counted = 0;
        self.write_counted(version, counted, &mut writer)?;
        Some(writer)
    }

    /// The same for a set of which `count` is known.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn write_counted(&self, version: Version, counted: usize, writer: &mut Writer<'_>) -> Option<()> {
        #[cfg(feature = "v5")]
        if version.has_properties() {
            let bytes = match self.repr {
                Repr::Wire(wire) => wire.as_bytes(),
                Repr::Slice([]) => return writer.u8(0),
                Repr::Slice(slice) => return writer.hand_to(|writer| wire::write(slice, counted, writer)),
            };
            writer.varint(u32::try_from(bytes.len()).ok()?)?;
            return writer.bytes(bytes);
        }
        let _ = (version, counted, writer);
        Some(())
    }

    /// From what was checked for `place`.
    #[cfg(all(feature = "v5", any(feature = "bytes", target_pointer_width = "64")))]
    pub(crate) const fn from_wire(wire: Wire<'b>, place: Places) -> Self {
        if wire.as_bytes().is_empty() { Self::EMPTY } else { Self { repr: Repr::Wire(wire), place } }
    }

    /// Properties that were lent.
    #[cfg(all(feature = "v5", target_pointer_width = "64"))]
    pub(crate) const fn slice(&self) -> Option<&'b [Property<'b>]> {
        match self.repr {
            Repr::Slice(slice) => Some(slice),
            Repr::Wire(_) => None,
        }
    }

    #[cfg(feature = "v5")]
    #[inline]
    fn body_len(&self, place: Places) -> Result<usize, EncodeError> {
        match self.repr {
            Repr::Wire(wire) if self.place == place => Ok(wire.as_bytes().len()),
            Repr::Slice([]) => Ok(0),
            Repr::Slice(slice) => wire::len_of_slice(slice, place),
            _ => wire::len(self.iter(), place),
        }
    }
}

/// For owned properties, which are kept in the wire's form.
#[cfg(all(feature = "bytes", feature = "v5"))]
impl<'b> Properties<'b> {
    /// The wire's form, and where it may stand.
    pub(crate) const fn wire(&self) -> Option<(Wire<'b>, Places)> {
        match self.repr {
            Repr::Wire(wire) => Some((wire, self.place)),
            Repr::Slice(_) => None,
        }
    }

    /// Properties in the wire's form, for no packet in particular: checked for what none may carry.
    pub(crate) fn written(properties: &[Property<'_>]) -> Result<alloc::vec::Vec<u8>, EncodeError> {
        let counted = wire::len_of_slice(properties, Places::NONE)?;
        let len = Self::with_length(counted, Version::V5);
        let mut out = alloc::vec![0; len];
        wire::write(properties, counted, Writer::new(&mut out)).ok_or(EncodeError::PacketTooLarge)?;
        out.drain(..len.saturating_sub(counted));
        Ok(out)
    }
}

#[cfg(all(test, feature = "v5", target_pointer_width = "64"))]
pub(crate) use wire::check_each;
#[cfg(feature = "v5")]
#[path = "properties_wire.rs"]
mod wire;
