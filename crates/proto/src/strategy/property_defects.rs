//! The defects that a set of properties can have.

use alloc::vec::Vec;

use super::defects::{Context, ILL_FORMED, inserted};
use super::layout::{Layout, Length, Set, framed, push_varint};
use super::properties::{Place, all};
use super::text::{pick, pick_of};
use crate::error::DecodeErrorKind as Kind;
use crate::property::{Kind as Form, PropertyId};
use crate::types::{PacketType, Role};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PropertyDefect {
    LengthTooLong,
    LengthNotMinimal,
    NumberTooLong,
    NumberNotMinimal,
    IdentifierNotMinimal,
    PropertiesTruncated,
    FieldTruncated,
    BadUtf8,
    NulCharacter,
    EmptyTopicName,
    WildcardInTopicName,
    UnknownProperty,
    PropertyNotAllowed,
    PropertyWrongDirection,
    DuplicateProperty,
    BadPropertyValue,
    NoAuthenticationMethod,
}

impl PropertyDefect {
    /// Those that a packet of this type can have.
    pub(super) fn all(Context { role, packet, .. }: Context) -> Vec<Self> {
        if matches!(packet, PacketType::PingReq | PacketType::PingResp) {
            return Vec::new();
        }
        let mut all = alloc::vec![
            Self::LengthTooLong,
            Self::LengthNotMinimal,
            Self::IdentifierNotMinimal,
            Self::PropertiesTruncated,
            Self::FieldTruncated,
            Self::BadUtf8,
            Self::NulCharacter,
            Self::UnknownProperty,
            Self::PropertyNotAllowed,
        ];
        let place = Place::Packet(packet);
        if place.allowed(role).any(|id| may_be_doubled(place, id)) {
            all.push(Self::DuplicateProperty);
        }
        if place.allowed(role).any(has_range) {
            all.push(Self::BadPropertyValue);
        }
        if place.allowed(role).any(|id| id == PropertyId::SubscriptionIdentifier) {
            all.extend([Self::NumberTooLong, Self::NumberNotMinimal]);
        }
        if matches!(packet, PacketType::Publish | PacketType::Connect) {
            all.extend([Self::EmptyTopicName, Self::WildcardInTopicName]);
        }
        if matches!((packet, role), (PacketType::Publish, Role::Client) | (PacketType::Disconnect, Role::Server)) {
            all.push(Self::PropertyWrongDirection);
        }
        if place.has(PropertyId::AuthenticationData) {
            all.push(Self::NoAuthenticationMethod);
        }
        all
    }

    /// The property that a set must be able to have.
    const fn needs(self) -> Option<PropertyId> {
        match self {
            Self::EmptyTopicName | Self::WildcardInTopicName => Some(PropertyId::ResponseTopic),
            Self::NoAuthenticationMethod => Some(PropertyId::AuthenticationData),
            _ => None,
        }
    }

    /// Makes the defect, and says what it is.
    pub(super) fn spoil(self, layout: &mut Layout, context: Context, choices: (u16, u16)) -> Option<Kind> {
        let (choice, other) = choices;
        // Where a CONNECT has a will it has two sets.
        let fits = |set: &Set| self.needs().is_none_or(|id| set.place.has(id));
        let at = pick(&layout.all(|field| field.set.as_ref().is_some_and(fits)), other)?;
        let behind = layout.fields.iter().skip(at.saturating_add(1)).map(|field| field.bytes().len());
        let behind = behind.fold(0, usize::saturating_add);
        let set = layout.fields.get_mut(at)?.set.as_mut()?;
        let allowed = || set.place.allowed(context.role);
        let place = set.place;
        Some(match self {
            Self::LengthTooLong => {
                set.length = Length::TooLong;
                Kind::VarintTooLong
            }
            Self::LengthNotMinimal => {
                let len = set.items.iter().map(|(_, bytes)| bytes.len()).fold(0, usize::saturating_add);
                set.length = if len < 0x20_0000 { Length::Padded } else { return None };
                Kind::VarintNotMinimal
            }
            Self::NumberTooLong => {
                set.replace(PropertyId::SubscriptionIdentifier, &[0x81, 0x80, 0x80, 0x80, 0x01], other)?;
                Kind::VarintTooLong
            }
            Self::NumberNotMinimal => {
                let forms: [&[u8]; 3] = [&[0x81, 0x00], &[0xFF, 0x80, 0x00], &[0x80, 0x80, 0x80, 0x00]];
                set.replace(PropertyId::SubscriptionIdentifier, pick(&forms, choice)?, other)?;
                Kind::VarintNotMinimal
            }
            Self::IdentifierNotMinimal => {
                let id = PropertyId::UserProperty;
                let bytes = [&[id.as_u8() | 0x80, 0], &sample(id, choice)?[..]].concat();
                set.insert(id, bytes, other)?;
                Kind::VarintNotMinimal
            }
            Self::PropertiesTruncated => {
                set.length = Length::More(behind.saturating_add(usize::from(choice)).saturating_add(1));
                Kind::PropertiesTruncated
            }
            Self::FieldTruncated => {
                let id = pick_of(allowed(), |id| *id != PropertyId::AuthenticationData, choice)?;
                set.remove(id);
                set.rest = [&[id.as_u8()][..], &sample(id, other)?].concat();
                let len = usize::from(other).checked_rem(set.rest.len().saturating_sub(1))?.saturating_add(1);
                set.rest.truncate(len);
                Kind::FieldTruncated
            }
            Self::BadUtf8 => {
                set.spoil_text(context, pick(ILL_FORMED, choice)?, other)?;
                Kind::BadUtf8
            }
            Self::NulCharacter => {
                set.spoil_text(context, &[0], other)?;
                Kind::NulCharacter
            }
            Self::EmptyTopicName => {
                set.replace(PropertyId::ResponseTopic, &framed(b"")?, other)?;
                Kind::EmptyTopicName
            }
            Self::WildcardInTopicName => {
                let name = pick(&["+", "#", "a/+", "a/#", "a+/b", "é#"], choice)?;
                set.replace(PropertyId::ResponseTopic, &framed(name.as_bytes())?, other)?;
                Kind::WildcardInResponseTopic
            }
            Self::UnknownProperty => {
                // One byte long, or two.
                let ids = (0..0x80u32).chain([0x80, 0x81, 0xFF, 0x100, 0x126, 0x3FFF]);
                let known = |id: u32| u8::try_from(id).ok().and_then(PropertyId::from_u8).is_some();
                let id = pick_of(ids, |id| !known(*id), choice)?;
                let mut bytes = Vec::new();
                push_varint(&mut bytes, usize::try_from(id).ok()?, Length::Shortest);
                bytes.push(0);
                set.insert(PropertyId::UserProperty, bytes, other)?;
                Kind::UnknownProperty(id)
            }
            Self::PropertyNotAllowed => {
                let id = pick_of(all(), |id| !place.has(*id), choice)?;
                set.replace(id, &sample(id, other)?, other)?;
                Kind::PropertyNotAllowed(id)
            }
            Self::PropertyWrongDirection => {
                let id = pick_of(all(), |id| place.misdirects(*id, context.role), choice)?;
                set.replace(id, &sample(id, other)?, other)?;
                Kind::PropertyWrongDirection(id)
            }
            Self::DuplicateProperty => {
                let id = pick_of(allowed(), |id| may_be_doubled(place, *id), choice)?;
                set.replace(id, &sample(id, other)?, other)?;
                let again = [&[id.as_u8()][..], &sample(id, choice)?].concat();
                set.insert(id, again, choice)?;
                Kind::DuplicateProperty(id)
            }
            Self::BadPropertyValue => {
                let id = pick_of(allowed(), |id| has_range(*id), choice)?;
                let [_, low] = other.to_be_bytes();
                let value: &[u8] = match id.rules().1 {
                    Form::Flag => &[low.max(2)],
                    Form::NonZeroU16 => &[0; 2],
                    Form::NonZeroU32 => &[0; 4],
                    _ => &[0],
                };
                set.replace(id, value, other)?;
                Kind::BadPropertyValue(id)
            }
            Self::NoAuthenticationMethod => {
                set.remove(PropertyId::AuthenticationMethod);
                // An AUTH cannot do without a method anyway.
                if place != Place::Packet(PacketType::Auth) || choice & 1 == 0 {
                    let data = sample(PropertyId::AuthenticationData, choice)?;
                    set.replace(PropertyId::AuthenticationData, &data, other)?;
                }
                Kind::NoAuthenticationMethod
            }
        })
    }
}

impl Set {
    fn remove(&mut self, id: PropertyId) {
        self.items.retain(|(other, _)| *other != id);
    }

    fn insert(&mut self, id: PropertyId, bytes: Vec<u8>, choice: u16) -> Option<()> {
        let at = usize::from(choice).checked_rem(self.items.len().saturating_add(1))?;
        self.items.insert(at, (id, bytes));
        Some(())
    }

    /// One property with this identifier and this value, in place of those that may be there.
    fn replace(&mut self, id: PropertyId, value: &[u8], choice: u16) -> Option<()> {
        self.remove(id);
        self.insert(id, [&[id.as_u8()][..], value].concat(), choice)
    }

    /// A string with `part` in it, where one may be.
    fn spoil_text(&mut self, context: Context, part: &[u8], choice: u16) -> Option<()> {
        let form = |id: PropertyId| id.rules().1;
        let text = |id: &PropertyId| matches!(form(*id), Form::Text | Form::Topic | Form::Pair);
        let id = pick_of(self.place.allowed(context.role), text, choice)?;
        let bad = framed(&inserted("text é".as_bytes(), part, choice)?)?;
        let value = match form(id) {
            Form::Pair if choice & 1 == 0 => [bad, framed(b"value")?].concat(),
            Form::Pair => [framed(b"name")?, bad].concat(),
            _ => bad,
        };
        self.replace(id, &value, choice)
    }
}

/// Whether the property is forbidden to stand twice, and can do so without another defect.
fn may_be_doubled(place: Place, id: PropertyId) -> bool {
    !place.repeats(id) && id != PropertyId::AuthenticationData
}

/// Whether there are values that the property may not have.
fn has_range(id: PropertyId) -> bool {
    matches!(id.rules().1, Form::Flag | Form::NonZeroU16 | Form::NonZeroU32 | Form::Varint)
}

/// A value that the property may have, as the wire has it.
fn sample(id: PropertyId, choice: u16) -> Option<Vec<u8>> {
    let [high, low] = choice.to_be_bytes();
    let text = pick(&["", "a", "é/€", "some text"], choice)?;
    Some(match id.rules().1 {
        Form::Flag => alloc::vec![low & 1],
        Form::U16 => alloc::vec![high, low],
        Form::NonZeroU16 => alloc::vec![high, low.max(1)],
        Form::U32 => alloc::vec![0, high, low, 0],
        Form::NonZeroU32 => alloc::vec![0, high, low, 1],
        Form::Varint => alloc::vec![low | 0x80, 1],
        Form::Text | Form::Binary => framed(text.as_bytes())?,
        Form::Topic => framed(b"a/b")?,
        Form::Pair => [framed(text.as_bytes())?, framed(b"value")?].concat(),
    })
}
