//! The wire form of a property set: the checks on the way in, the counts on the way out.

use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::fields::{Wire, take_binary, take_u8, take_u16, take_u32};
use crate::property::{Kind, Places, Property, PropertyId};
use crate::reader::Reader;
use crate::text;
use crate::types::Role;
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
    // A quick look first, where memory for the code of both is no matter.
    let is_good =
        cfg!(target_pointer_width = "64") && matches!(set, Wire::Text(_)) && is_good_text(reader.rest(), place, sender);
    if !is_good {
        check_each(reader, place, sender)?;
    }
    Ok(set)
}

/// Finds the first defect of a set, and where it is.
fn check_each(mut reader: Reader<'_>, place: Places, sender: Role) -> Result<(), DecodeError> {
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
        if is_misdirected(id, place, sender) {
            return Err(set.fault_at(at, DecodeErrorKind::PropertyWrongDirection(id)));
        }
    }
    if seen.lacks_method() {
        return Err(set.fault_at(start, DecodeErrorKind::NoAuthenticationMethod));
    }
    Ok(())
}

/// Whether a set, which is UTF-8 as a whole, has no defect, without a word on what it would be. What is good and rare is
/// left to `check_each`.
fn is_good_text(set: &[u8], place: Places, sender: Role) -> bool {
    let mut seen = Seen::default();
    let mut rest = set;
    while let [id, value @ ..] = rest {
        let Some(id) = PropertyId::from_u8(*id) else { return false };
        let (places, kind) = id.rules();
        if !places.contains(place) || seen.is_repeated(id, place) || is_misdirected(id, place, sender) {
            return false;
        }
        let Some(behind) = skip_good(kind, value) else { return false };
        rest = behind;
    }
    !seen.lacks_method()
}

/// What is behind a value that is common and good.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn skip_good(kind: Kind, value: &[u8]) -> Option<&[u8]> {
    let mut rest = value;
    match kind {
        Kind::Flag if take_u8(&mut rest)? <= 1 => {}
        Kind::U16 => _ = take_u16(&mut rest)?,
        Kind::NonZeroU16 if take_u16(&mut rest)? != 0 => {}
        Kind::U32 => _ = take_u32(&mut rest)?,
        Kind::Varint if matches!(take_u8(&mut rest)?, 1..0x80) => {}
        Kind::Binary => _ = take_binary(&mut rest)?,
        Kind::Topic => match take_binary(&mut rest)? {
            [] => return None,
            name if !text::is_plain_name(name) => return None,
            _ => {}
        },
        Kind::Text => skip_string(&mut rest)?,
        Kind::Pair => {
            skip_string(&mut rest)?;
            skip_string(&mut rest)?;
        }
        _ => return None,
    }
    Some(rest)
}

#[cfg_attr(target_pointer_width = "64", inline(always))]
fn skip_string(rest: &mut &[u8]) -> Option<()> {
    let string = take_binary(rest)?;
    (text::is_whole(string, rest) && text::is_string(string)).then_some(())
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
pub(super) fn write<'o>(slice: &[Property<'_>], counted: usize, writer: Writer<'o>) -> Option<Writer<'o>> {
    let mut own = writer;
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
    Some(own)
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

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{check_each, is_good_text};
    use crate::property::Places;
    use crate::reader::Reader;
    use crate::text;
    use crate::types::{PacketType, Role};

    /// What is found good at a look is found good one by one. Never the other way round alone: what is usual stays quick.
    #[test]
    fn the_quick_check_takes_nothing_that_the_other_refuses() {
        // The first of them have but what is usual.
        const USUAL: usize = 5;
        let sets: [&[u8]; 7] = [
            b"\x01\x01\x02\0\0\x0E\x10\x03\0\x02a/\x08\0\x01t\x09\0\x02\0\x07\x0B\x05\x23\0\x01\x26\0\x01n\0\x02vv",
            b"\x11\0\0\0\x01\x15\0\x01m\x16\0\x01d\x17\x01\x19\x01\x21\0\x01\x22\0\x01",
            b"\x12\0\x01c\x13\0\x05\x1A\0\x01i\x1C\0\x01s\x1F\0\x01r\x24\x01\x25\x01\x28\x01\x29\x01\x2A\x01",
            b"\x18\0\0\0\x01\x26\0\x01n\0\x01v\x26\0\x01n\0\x01v",
            b"\x03\0\x04\xC3\xA9\xC3\xA9\x26\0\x02\xC2\xA2\0\x03\xE2\x82\xAC",
            b"\x27\0\0\0\x01\x11\0\0\0\x01",
            b"\x0B\x01\x0B\x02\x1F\0\0",
        ];
        let places =
            [Places::PUBLISH, Places::CONNECT, Places::CONNACK, Places::WILL, Places::SUBSCRIBE, Places::DISCONNECT];
        let (mut good, mut quick) = (0, 0);
        let mut judge = |set: &[u8]| {
            for place in places {
                for sender in [Role::Client, Role::Server] {
                    let each = check_each(Reader::new(set, set.len(), PacketType::Publish), place, sender);
                    let quickly = text::utf8(set).is_some() && is_good_text(set, place, sender);
                    assert!(!quickly || each.is_ok(), "{set:02x?} {place:?} {sender:?}: {each:?}");
                    good += u32::from(each.is_ok());
                    quick += u32::from(quickly);
                }
            }
            quick
        };
        for (at, set) in sets.into_iter().enumerate() {
            let before = judge(b"\xFF");
            assert_eq!(judge(set) > before, at < USUAL, "{set:02x?}");
            for at in 0..set.len() {
                let mut changed = Vec::from(set);
                for byte in (0..=255).step_by(if cfg!(miri) { 86 } else { 1 }) {
                    changed[at] = byte;
                    judge(&changed);
                }
                judge(&set[..at]);
                changed.remove(at);
                judge(&changed);
            }
        }
        assert!(cfg!(miri) || quick > 1000 && quick <= good, "{quick} of {good}");
    }
}
