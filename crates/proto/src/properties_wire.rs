//! The wire form of a property set: the checks on the way in, the counts on the way out.

use core::num::{NonZeroU16, NonZeroU32};

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::property::{Kind, Places, Property, PropertyId};
use crate::reader::Reader;
use crate::topic::TopicName;
use crate::types::{PacketType, QoS, Role};
use crate::writer::{VARINT_MAX, Writer, binary_len, string_len, varint_len};

/// The identifiers that were seen; they are all below 64.
#[derive(Clone, Copy, Default)]
struct Seen(u64);

impl Seen {
    const fn contains(self, id: PropertyId) -> bool {
        self.0 & Self::bit(id) != 0
    }

    /// Whether `id` must not stand again. User Properties always may; so may Subscription Identifiers in a PUBLISH.
    const fn is_repeated(&mut self, id: PropertyId, place: Places) -> bool {
        let repeated = self.contains(id);
        self.0 |= Self::bit(id);
        repeated
            && match id {
                PropertyId::UserProperty => false,
                PropertyId::SubscriptionIdentifier => !Places::PUBLISH.contains(place),
                _ => true,
            }
    }

    const fn bit(id: PropertyId) -> u64 {
        let [bit, ..] = [id.as_u8()];
        1u64.wrapping_shl(u32::from_le_bytes([bit, 0, 0, 0]))
    }

    /// Authentication Data needs a method.
    const fn lacks_method(self) -> bool {
        self.contains(PropertyId::AuthenticationData) && !self.contains(PropertyId::AuthenticationMethod)
    }
}

/// A reader over a set that was checked before; offsets no longer matter.
pub(super) const fn reader(bytes: &[u8]) -> Reader<'_> {
    Reader::new(bytes, bytes.len(), PacketType::Auth)
}

/// The same for a set that is a text.
pub(super) const fn reader_of_text(text: &str) -> Reader<'_> {
    Reader::of_text(text, PacketType::Auth)
}

/// Takes a whole set off `reader`.
#[inline]
pub(super) fn open<'b>(reader: &mut Reader<'b>) -> Result<Reader<'b>, DecodeError> {
    let at = reader.position();
    let len = reader.varint()?;
    match usize::try_from(len).ok().and_then(|len| reader.sub(len)) {
        Some(set) => Ok(set),
        None => Err(reader.fault_at(at, DecodeErrorKind::PropertiesTruncated)),
    }
}

/// Checks a set. The answer is the set as a text, if it is one.
pub(super) fn check<'b>(mut reader: Reader<'b>, place: Places, sender: Role) -> Result<Option<&'b str>, DecodeError> {
    let set = &mut reader;
    set.look_for_text();
    let text = set.rest_as_text();
    let start = set.position();
    let mut seen = Seen::default();
    while !set.is_empty() {
        let at = set.position();
        let id = read_id(set)?;
        let (places, kind) = id.rules();
        if !places.contains(place) {
            return Err(set.fault_at(at, DecodeErrorKind::PropertyNotAllowed(id)));
        }
        if seen.is_repeated(id, place) {
            return Err(set.fault_at(at, DecodeErrorKind::DuplicateProperty(id)));
        }
        check_value(set, id, kind)?;
        if is_misdirected(id, place, sender) {
            return Err(set.fault_at(at, DecodeErrorKind::PropertyWrongDirection(id)));
        }
    }
    if seen.lacks_method() {
        return Err(set.fault_at(start, DecodeErrorKind::NoAuthenticationMethod));
    }
    Ok(text)
}

/// `[MQTT-3.3.4-6 v5]` `[MQTT-3.14.2-2 v5]`
fn is_misdirected(id: PropertyId, place: Places, sender: Role) -> bool {
    match id {
        PropertyId::SubscriptionIdentifier => sender == Role::Client && place == Places::PUBLISH,
        PropertyId::SessionExpiryInterval => sender == Role::Server && place == Places::DISCONNECT,
        _ => false,
    }
}

/// The identifier is a Variable Byte Integer, though all that exist take one byte.
#[inline]
fn read_id(set: &mut Reader<'_>) -> Result<PropertyId, DecodeError> {
    let at = set.position();
    let id = set.varint()?;
    u8::try_from(id)
        .ok()
        .and_then(PropertyId::from_u8)
        .ok_or_else(|| set.fault_at(at, DecodeErrorKind::UnknownProperty(id)))
}

#[inline]
fn check_value(set: &mut Reader<'_>, id: PropertyId, kind: Kind) -> Result<(), DecodeError> {
    let at = set.position();
    let in_range = match kind {
        Kind::Flag => set.u8()? <= 1,
        Kind::U16 => set.u16().map(|_| true)?,
        Kind::NonZeroU16 => set.u16()? != 0,
        Kind::U32 => set.u32().map(|_| true)?,
        Kind::NonZeroU32 => set.u32()? != 0,
        Kind::Varint => set.varint()? != 0,
        Kind::Text => set.check_string().map(|()| true)?,
        Kind::Binary => set.binary().map(|_| true)?,
        // `[MQTT-3.3.2-13 v5]` `[MQTT-3.3.2-14 v5]`
        Kind::Topic if set.check_topic_name()? => true,
        Kind::Topic => return Err(set.fault_at(at, DecodeErrorKind::EmptyTopicName)),
        Kind::Pair => {
            set.check_string()?;
            set.check_string().map(|()| true)?
        }
    };
    if in_range { Ok(()) } else { Err(set.fault_at(at, DecodeErrorKind::BadPropertyValue(id))) }
}

/// The next property of a set that was checked.
pub(super) fn read<'b>(set: &mut Reader<'b>) -> Option<Property<'b>> {
    if set.is_empty() {
        return None;
    }
    let property = read_value(set);
    if property.is_none() {
        // Cannot happen: what was checked can be read. End rather than go round.
        *set = reader(&[]);
    }
    property
}

fn read_value<'b>(set: &mut Reader<'b>) -> Option<Property<'b>> {
    let id = PropertyId::from_u8(set.u8().ok()?)?;
    let flag = |set: &mut Reader<'b>| Some(set.u8().ok()? != 0);
    let text = |set: &mut Reader<'b>| set.checked_string();
    Some(match id {
        PropertyId::PayloadFormatIndicator => Property::PayloadFormatIndicator(flag(set)?),
        PropertyId::MessageExpiryInterval => Property::MessageExpiryInterval(set.u32().ok()?),
        PropertyId::ContentType => Property::ContentType(text(set)?),
        PropertyId::ResponseTopic => Property::ResponseTopic(TopicName::checked(text(set)?)),
        PropertyId::CorrelationData => Property::CorrelationData(set.binary().ok()?),
        PropertyId::SubscriptionIdentifier => Property::SubscriptionIdentifier(NonZeroU32::new(set.varint().ok()?)?),
        PropertyId::SessionExpiryInterval => Property::SessionExpiryInterval(set.u32().ok()?),
        PropertyId::AssignedClientIdentifier => Property::AssignedClientIdentifier(text(set)?),
        PropertyId::ServerKeepAlive => Property::ServerKeepAlive(set.u16().ok()?),
        PropertyId::AuthenticationMethod => Property::AuthenticationMethod(text(set)?),
        PropertyId::AuthenticationData => Property::AuthenticationData(set.binary().ok()?),
        PropertyId::RequestProblemInformation => Property::RequestProblemInformation(flag(set)?),
        PropertyId::WillDelayInterval => Property::WillDelayInterval(set.u32().ok()?),
        PropertyId::RequestResponseInformation => Property::RequestResponseInformation(flag(set)?),
        PropertyId::ResponseInformation => Property::ResponseInformation(text(set)?),
        PropertyId::ServerReference => Property::ServerReference(text(set)?),
        PropertyId::ReasonString => Property::ReasonString(text(set)?),
        PropertyId::ReceiveMaximum => Property::ReceiveMaximum(NonZeroU16::new(set.u16().ok()?)?),
        PropertyId::TopicAliasMaximum => Property::TopicAliasMaximum(set.u16().ok()?),
        PropertyId::TopicAlias => Property::TopicAlias(NonZeroU16::new(set.u16().ok()?)?),
        PropertyId::MaximumQoS => Property::MaximumQoS(QoS::from_u8(set.u8().ok()?)?),
        PropertyId::RetainAvailable => Property::RetainAvailable(flag(set)?),
        PropertyId::UserProperty => Property::UserProperty(text(set)?, text(set)?),
        PropertyId::MaximumPacketSize => Property::MaximumPacketSize(NonZeroU32::new(set.u32().ok()?)?),
        PropertyId::WildcardSubscriptionAvailable => Property::WildcardSubscriptionAvailable(flag(set)?),
        PropertyId::SubscriptionIdentifiersAvailable => Property::SubscriptionIdentifiersAvailable(flag(set)?),
        PropertyId::SharedSubscriptionAvailable => Property::SharedSubscriptionAvailable(flag(set)?),
    })
}

/// A property's value as the wire has it.
enum Value<'b> {
    U8(u8),
    U16(u16),
    U32(u32),
    Varint(u32),
    Text(&'b str),
    /// Checked when it was made.
    Topic(&'b [u8]),
    Binary(&'b [u8]),
    Pair(&'b str, &'b str),
}

const fn value<'b>(property: &Property<'b>) -> Value<'b> {
    match *property {
        Property::PayloadFormatIndicator(v)
        | Property::RequestProblemInformation(v)
        | Property::RequestResponseInformation(v)
        | Property::RetainAvailable(v)
        | Property::WildcardSubscriptionAvailable(v)
        | Property::SubscriptionIdentifiersAvailable(v)
        | Property::SharedSubscriptionAvailable(v) => Value::U8(if v { 1 } else { 0 }),
        Property::MaximumQoS(v) => Value::U8(v.as_u8()),
        Property::ServerKeepAlive(v) | Property::TopicAliasMaximum(v) => Value::U16(v),
        Property::ReceiveMaximum(v) | Property::TopicAlias(v) => Value::U16(v.get()),
        Property::MessageExpiryInterval(v) | Property::SessionExpiryInterval(v) | Property::WillDelayInterval(v) => {
            Value::U32(v)
        }
        Property::MaximumPacketSize(v) => Value::U32(v.get()),
        Property::SubscriptionIdentifier(v) => Value::Varint(v.get()),
        Property::ContentType(v)
        | Property::AssignedClientIdentifier(v)
        | Property::AuthenticationMethod(v)
        | Property::ResponseInformation(v)
        | Property::ServerReference(v)
        | Property::ReasonString(v) => Value::Text(v),
        Property::ResponseTopic(v) => Value::Topic(v.as_str().as_bytes()),
        Property::CorrelationData(v) | Property::AuthenticationData(v) => Value::Binary(v),
        Property::UserProperty(name, value) => Value::Pair(name, value),
    }
}

/// Bytes of the properties, all of which may stand in `place`.
#[inline(never)]
pub(super) fn len_of_slice(properties: &[Property<'_>], place: Places) -> Result<usize, EncodeError> {
    let mut counted = Counted::default();
    for property in properties {
        counted.add(property, place)?;
    }
    counted.finish()
}

/// The same for properties that were read from another packet.
#[inline(never)]
pub(super) fn len<'b>(properties: impl Iterator<Item = Property<'b>>, place: Places) -> Result<usize, EncodeError> {
    let mut counted = Counted::default();
    for property in properties {
        counted.add_rarely(&property, place)?;
    }
    counted.finish()
}

#[derive(Default)]
struct Counted {
    seen: Seen,
    len: usize,
}

impl Counted {
    /// Apart, so that there is one place where the other is inlined.
    #[inline(never)]
    fn add_rarely(&mut self, property: &Property<'_>, place: Places) -> Result<(), EncodeError> {
        self.add(property, place)
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn add(&mut self, property: &Property<'_>, place: Places) -> Result<(), EncodeError> {
        let id = property.id();
        if !id.rules().0.contains(place) {
            return Err(EncodeError::PropertyNotAllowed(id));
        }
        if self.seen.is_repeated(id, place) {
            return Err(EncodeError::DuplicateProperty(id));
        }
        let len = match value(property) {
            Value::U8(v) if v > 1 => return Err(EncodeError::BadPropertyValue(id)),
            Value::Varint(v) if v > VARINT_MAX => return Err(EncodeError::BadPropertyValue(id)),
            Value::U8(_) => 1,
            Value::U16(_) => 2,
            Value::U32(_) => 4,
            Value::Varint(v) => varint_len(v),
            Value::Text(v) => string_len(v)?,
            Value::Topic([]) => return Err(EncodeError::EmptyTopicName),
            Value::Topic(v) | Value::Binary(v) => binary_len(v)?,
            Value::Pair(name, value) => string_len(name)?.wrapping_add(string_len(value)?),
        };
        self.len = self.len.saturating_add(len.wrapping_add(1));
        Ok(())
    }

    fn finish(self) -> Result<usize, EncodeError> {
        if self.seen.lacks_method() {
            return Err(EncodeError::NoAuthenticationMethod);
        }
        match u32::try_from(self.len) {
            Ok(len) if len <= VARINT_MAX => Ok(self.len),
            _ => Err(EncodeError::PacketTooLarge),
        }
    }
}

/// What `len` has counted, without the checks.
pub(super) fn counted(slice: &[Property<'_>]) -> usize {
    slice.iter().map(|property| value_len(&value(property)).saturating_add(1)).fold(0, usize::saturating_add)
}

/// Writes the length and the properties, which `len` has passed and counted.
#[inline(never)]
pub(super) fn write(slice: &[Property<'_>], counted: usize, writer: &mut Writer<'_>) -> Option<()> {
    // Kept in registers while it is written to.
    let mut own = core::mem::replace(writer, Writer::new(&mut []));
    own.varint(u32::try_from(counted).ok()?)?;
    for property in slice {
        let id = property.id().as_u8();
        match value(property) {
            Value::U8(v) => own.chunk([id, v])?,
            Value::U16(v) => {
                let [a, b] = v.to_be_bytes();
                own.chunk([id, a, b])?;
            }
            Value::U32(v) => {
                let [a, b, c, d] = v.to_be_bytes();
                own.chunk([id, a, b, c, d])?;
            }
            Value::Varint(v) => {
                own.u8(id)?;
                own.varint(v)?;
            }
            Value::Text(v) => own.framed([id], v.as_bytes(), [])?,
            Value::Topic(v) | Value::Binary(v) => own.framed([id], v, [])?,
            Value::Pair(name, value) => {
                own.framed([id], name.as_bytes(), [])?;
                own.binary(value.as_bytes())?;
            }
        }
    }
    *writer = own;
    Some(())
}

fn value_len(value: &Value<'_>) -> usize {
    match value {
        Value::U8(_) => 1,
        Value::U16(_) => 2,
        Value::U32(_) => 4,
        Value::Varint(v) => varint_len(*v),
        Value::Text(v) => v.len().saturating_add(2),
        Value::Topic(v) | Value::Binary(v) => v.len().saturating_add(2),
        Value::Pair(name, value) => name.len().saturating_add(value.len()).saturating_add(4),
    }
}
