//! The wire form of a property set: the checks on the way in, the counts on the way out.

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::fields::Wire;
use crate::property::{Kind, Places, Property, PropertyId, Seen};
#[cfg(target_pointer_width = "64")]
use crate::quick::properties as quick;
use crate::reader::Reader;
use crate::types::Role;
use crate::writer::{VARINT_MAX, Writer, binary_len, string_len, varint_len};

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

/// Checks a set.
pub(super) fn check<'b>(reader: Reader<'b>, place: Places, sender: Role) -> Result<Wire<'b>, DecodeError> {
    let set = Wire::of(reader.rest());
    #[cfg(target_pointer_width = "64")]
    if matches!(set, Wire::Text(_)) && quick::is_good_text(reader.rest(), place, sender) {
        return Ok(set);
    }
    check_each(reader, place, sender)?;
    Ok(set)
}

/// Finds the first defect of a set, and where it is.
pub(crate) fn check_each(mut reader: Reader<'_>, place: Places, sender: Role) -> Result<(), DecodeError> {
    let set = &mut reader;
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
        if id.is_misdirected(place, sender) {
            return Err(set.fault_at(at, DecodeErrorKind::PropertyWrongDirection(id)));
        }
    }
    if seen.lacks_method() {
        return Err(set.fault_at(start, DecodeErrorKind::NoAuthenticationMethod));
    }
    Ok(())
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
        Kind::Topic if set.check_topic_name().map_err(in_response_topic)? => true,
        Kind::Topic => return Err(set.fault_at(at, DecodeErrorKind::EmptyTopicName)),
        Kind::Pair => {
            set.check_string()?;
            set.check_string().map(|()| true)?
        }
    };
    if in_range { Ok(()) } else { Err(set.fault_at(at, DecodeErrorKind::BadPropertyValue(id))) }
}

fn in_response_topic(error: DecodeError) -> DecodeError {
    match error.kind {
        DecodeErrorKind::WildcardInTopicName => DecodeError { kind: DecodeErrorKind::WildcardInResponseTopic, ..error },
        _ => error,
    }
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
pub(super) fn write<'o>(slice: &[Property<'_>], counted: usize, mut writer: Writer<'o>) -> Option<Writer<'o>> {
    writer.varint(u32::try_from(counted).ok()?)?;
    for property in slice {
        write_one(property, &mut writer)?;
    }
    Some(writer)
}

fn write_one(property: &Property<'_>, writer: &mut Writer<'_>) -> Option<()> {
    let id = property.id().as_u8();
    match value(property) {
        Value::U8(v) => writer.chunk([id, v]),
        Value::U16(v) => {
            let [a, b] = v.to_be_bytes();
            writer.chunk([id, a, b])
        }
        Value::U32(v) => {
            let [a, b, c, d] = v.to_be_bytes();
            writer.chunk([id, a, b, c, d])
        }
        Value::Varint(v) => {
            writer.u8(id)?;
            writer.varint(v)
        }
        Value::Text(v) => writer.framed([id], v.as_bytes(), []),
        Value::Topic(v) | Value::Binary(v) => writer.framed([id], v, []),
        Value::Pair(name, value) => {
            writer.framed([id], name.as_bytes(), [])?;
            writer.binary(value.as_bytes())
        }
    }
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
