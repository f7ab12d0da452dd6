//! A set of properties, checked or written with one jump a property.

use crate::fields::{Wire, take_binary, take_u8, take_u16, take_u32};
use crate::properties::Properties;
use crate::property::{Places, Property, PropertyId, Seen, table};
use crate::quick::filter;
use crate::text;
use crate::types::{QoS, Role};
use crate::writer::{VARINT_MAX, Writer};

/// A set of less than 128 bytes that is found good at a look, and what is behind it.
#[inline(always)]
pub(crate) fn read(bytes: &[u8], place: Places, sender: Role) -> Option<(Properties<'_>, &[u8])> {
    let (len @ 0..0x80, rest) = bytes.split_first()? else { return None };
    let (set, rest) = rest.split_at_checked(usize::from(*len))?;
    let text = text::utf8(set)?;
    is_good_text(set, place, sender).then_some((Properties::from_wire(Wire::Text(text), place), rest))
}

/// Whether a set, which is UTF-8 as a whole, has no defect and nothing rare in it.
#[inline(always)]
pub(crate) fn is_good_text(set: &[u8], place: Places, sender: Role) -> bool {
    let mut seen = Seen::default();
    let mut rest = set;
    while !rest.is_empty() {
        if skip_good(&mut rest, place, sender, &mut seen) != Some(true) {
            return false;
        }
    }
    !seen.lacks_method()
}

/// Checks, writes and thereby counts properties in one walk. `None` if there is a defect, or no space; strings of more than
/// 65,535 bytes are to be found by what was written.
#[inline(never)]
pub(crate) fn write<'o>(set: &[Property<'_>], place: Places, mut writer: Writer<'o>) -> Option<Writer<'o>> {
    let mut seen = Seen::default();
    for property in set {
        write_good(property, place, &mut seen, &mut writer)?;
    }
    if seen.lacks_method() { None } else { Some(writer) }
}

/// What a property is matched by, by its kind.
macro_rules! bound {
    ($id:ident Pair $value:ident $second:ident) => {
        Property::$id($value, $second)
    };
    ($id:ident $kind:ident $value:ident $second:ident) => {
        Property::$id($value)
    };
}

/// Checks and writes a property, by its kind.
macro_rules! put {
    (MaximumQoS Flag $code:literal $value:ident $second:ident $writer:ident) => {
        if $value == QoS::ExactlyOnce { None } else { $writer.chunk([$code, $value.as_u8()]) }
    };
    ($id:ident Flag $code:literal $value:ident $second:ident $writer:ident) => {
        $writer.chunk([$code, u8::from($value)])
    };
    ($id:ident U16 $code:literal $value:ident $second:ident $writer:ident) => {
        $writer.with_chunk($code, $value.to_be_bytes())
    };
    ($id:ident NonZeroU16 $code:literal $value:ident $second:ident $writer:ident) => {
        $writer.with_chunk($code, $value.get().to_be_bytes())
    };
    ($id:ident U32 $code:literal $value:ident $second:ident $writer:ident) => {
        $writer.with_chunk($code, $value.to_be_bytes())
    };
    ($id:ident NonZeroU32 $code:literal $value:ident $second:ident $writer:ident) => {
        $writer.with_chunk($code, $value.get().to_be_bytes())
    };
    ($id:ident Varint $code:literal $value:ident $second:ident $writer:ident) => {
        if $value.get() > VARINT_MAX {
            None
        } else {
            $writer.u8($code)?;
            $writer.varint($value.get())
        }
    };
    ($id:ident Text $code:literal $value:ident $second:ident $writer:ident) => {
        if text::is_string($value.as_bytes()) { $writer.framed([$code], $value.as_bytes(), []) } else { None }
    };
    ($id:ident Topic $code:literal $value:ident $second:ident $writer:ident) => {
        if $value.is_empty() { None } else { $writer.framed([$code], $value.as_str().as_bytes(), []) }
    };
    ($id:ident Binary $code:literal $value:ident $second:ident $writer:ident) => {
        $writer.framed([$code], $value, [])
    };
    ($id:ident Pair $code:literal $value:ident $second:ident $writer:ident) => {
        if text::is_string($value.as_bytes()) && text::is_string($second.as_bytes()) {
            $writer.framed([$code], $value.as_bytes(), [])?;
            $writer.binary($second.as_bytes())
        } else {
            None
        }
    };
}

/// Whether a property's value is good, and not of a rare form, by its kind.
macro_rules! skip {
    (Flag $set:ident) => {
        take_u8($set)? <= 1
    };
    (U16 $set:ident) => {
        take_u16($set).is_some()
    };
    (NonZeroU16 $set:ident) => {
        take_u16($set)? != 0
    };
    (U32 $set:ident) => {
        take_u32($set).is_some()
    };
    (NonZeroU32 $set:ident) => {
        take_u32($set)? != 0
    };
    (Varint $set:ident) => {
        matches!(take_u8($set)?, 1..0x80)
    };
    (Text $set:ident) => {
        skip_string($set)?
    };
    (Topic $set:ident) => {{
        let name = take_binary($set)?;
        !name.is_empty() && text::is_plain_name(name)
    }};
    (Binary $set:ident) => {
        take_binary($set).is_some()
    };
    (Pair $set:ident) => {
        skip_string($set)? && skip_string($set)?
    };
}

#[inline(always)]
fn skip_string(rest: &mut &[u8]) -> Option<bool> {
    let string = take_binary(rest)?;
    Some(filter::is_whole(string, rest) && text::is_string(string))
}

macro_rules! quick {
    ($($(#[$meta:meta])* $code:literal $id:ident $name:literal $kind:ident $places:expr;)*) => {
        /// Takes a property off the front of a set that is UTF-8 as a whole. Whether it may stand in `place` behind
        /// those `seen` and its value is good, and not of a rare form; `None` is the end.
        #[inline(always)]
        fn skip_good(set: &mut &[u8], place: Places, sender: Role, seen: &mut Seen) -> Option<bool> {
            Some(match take_u8(set)? {
                $($code => {
                    $places.contains(place)
                        && !seen.is_repeated(PropertyId::$id, place)
                        && !PropertyId::$id.is_misdirected(place, sender)
                        && skip!($kind set)
                })*
                _ => false,
            })
        }

        /// Writes the property, if it may stand in `place` behind those `seen` and its value is good; for the length of a
        /// string see to the length of the set.
        #[inline(always)]
        fn write_good(property: &Property<'_>, place: Places, seen: &mut Seen, writer: &mut Writer<'_>) -> Option<()> {
            match *property {
                $(bound!($id $kind value second) => {
                    if !$places.contains(place) || seen.is_repeated(PropertyId::$id, place) {
                        return None;
                    }
                    put!($id $kind $code value second writer)
                })*
            }
        }
    };
}

table!(quick);

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::is_good_text;
    use crate::properties::check_each;
    use crate::property::Places;
    use crate::reader::Reader;
    use crate::text;
    use crate::types::{PacketType, Role};

    /// What is found good at a look is found good one by one. Never the other way round alone: what is usual stays quick.
    #[test]
    fn the_quick_check_takes_nothing_that_the_other_refuses() {
        // The first of them have but what is usual.
        const USUAL: usize = 6;
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
