//! CONNECT as nearly every client sends it.

use crate::connect::{CLEAN_START, Connect, PASSWORD, USERNAME, WILL, WILL_QOS, WILL_RETAIN, Will, is_usual};
use crate::packet::{Packet, packet_len};
use crate::properties::Properties;
use crate::text;
use crate::topic::TopicName;
use crate::types::{QoS, Version};
use crate::writer::{Writer, shift};

/// What nearly every client sends, which is text as a whole, without a word on what would be wrong with another.
#[inline(always)]
pub(crate) fn read(body: &[u8], version: Version) -> Option<Packet<'_>> {
    let (name, [level, flags, high, low, rest @ ..]) = body.split_first_chunk()? else { return None };
    let flags = *flags;
    let is_usual = USUAL_FLAGS.get(usize::from(flags)).is_some_and(|is_usual| *is_usual);
    if *name != [0, 4, b'M', b'Q', b'T', b'T'] || version == Version::V31 || *level != version.level() || !is_usual {
        return None;
    }
    let has_properties = version.has_properties();
    let rest = if has_properties { rest.strip_prefix(&[0])? } else { rest };
    let text = &mut text::utf8(rest)?;
    let client_id = take_string(text)?;
    let mut will = Will {
        qos: QoS::from_u8((flags & WILL_QOS) >> 3)?,
        retain: flags & WILL_RETAIN != 0,
        topic: TopicName::EMPTY,
        payload: &[],
        properties: Properties::EMPTY,
    };
    let mut topic = "";
    if flags & WILL != 0 {
        if has_properties {
            *text = text.strip_prefix('\0')?;
        }
        topic = take_string(text)?;
        if topic.is_empty() {
            return None;
        }
        will.payload = take_string(text)?.as_bytes();
    }
    let username = if flags & USERNAME == 0 { None } else { Some(take_string(text)?) };
    let password = if flags & PASSWORD == 0 { None } else { Some(take_string(text)?.as_bytes()) };
    if !text.is_empty() || client_id.is_empty() {
        return None;
    }
    // All at once, and behind the rest, so that little has to outlast the calls.
    let are_good = text::is_string(client_id.as_bytes())
        & text::is_plain_name(topic.as_bytes())
        & text::is_string(username.unwrap_or_default().as_bytes());
    if !are_good {
        return None;
    }
    will.topic = TopicName::checked(topic);
    let will = if flags & WILL != 0 { Some(will) } else { None };
    let (clean_start, keep_alive) = (flags & CLEAN_START != 0, u16::from_be_bytes([*high, *low]));
    let properties = Properties::EMPTY;
    Some(Packet::Connect(Connect { clean_start, keep_alive, client_id, will, username, password, properties }))
}

/// Writes what nearly every client sends: a good packet without properties, which is counted by writing it. `None` for any
/// other, or without the space.
#[inline(always)]
pub(crate) fn encode(packet: &Connect<'_>, version: Version, out: &mut [u8]) -> Option<usize> {
    if version == Version::V31 || !packet.properties.is_empty() || packet.client_id.is_empty() {
        return None;
    }
    let username = packet.username.unwrap_or_default();
    if !(text::is_string(packet.client_id.as_bytes()) & text::is_string(username.as_bytes())) {
        return None;
    }
    let has_properties = version.has_properties();
    let space = out.len();
    let (header, rest) = out.split_first_chunk_mut::<2>()?;
    let mut writer = Writer::new(rest);
    let [high, low] = packet.keep_alive.to_be_bytes();
    let (level, flags) = (version.level(), packet.flags());
    if has_properties {
        writer.chunk([0, 4, b'M', b'Q', b'T', b'T', level, flags, high, low, 0])?;
    } else {
        writer.chunk([0, 4, b'M', b'Q', b'T', b'T', level, flags, high, low])?;
    }
    writer.binary(packet.client_id.as_bytes())?;
    if let Some(will) = &packet.will {
        if will.topic.is_empty() || !will.properties.is_empty() {
            return None;
        }
        if has_properties {
            writer.u8(0)?;
        }
        writer.binary(will.topic.as_str().as_bytes())?;
        writer.binary(will.payload)?;
    }
    match (packet.username, packet.password) {
        (None, None) => {}
        (None, Some(_)) => return None,
        (Some(username), None) => writer.binary(username.as_bytes())?,
        (Some(username), Some(password)) => {
            writer.binary(username.as_bytes())?;
            writer.binary(password)?;
        }
    }
    let len = space.wrapping_sub(writer.space());
    let body = len.wrapping_sub(2);
    if body >= 0x80 {
        // In a longer one there may be a field of more than 65,535 bytes.
        return if body <= 0xFFFF { widen_header(packet.first_byte(), body, out) } else { None };
    }
    let [body, ..] = body.to_le_bytes();
    *header = [packet.first_byte(), body];
    Some(len)
}

/// Writes the fixed header in front of a body that stands behind too short a place for it, of two bytes. Answers the packet's
/// length.
#[cold]
#[inline(never)]
fn widen_header(first_byte: u8, body: usize, out: &mut [u8]) -> Option<usize> {
    let len = packet_len(body).ok()?;
    shift(out, 2, body, len.wrapping_sub(body))?;
    Writer::new(out).fixed_header(first_byte, u32::try_from(body).ok()?)?;
    Some(len)
}

#[inline(always)]
fn take_string<'b>(text: &mut &'b str) -> Option<&'b str> {
    let len = text.as_bytes().first_chunk()?;
    let (_, tail) = text.split_at_checked(2)?;
    let (string, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    *text = tail;
    Some(string)
}

/// The flags that are usual.
static USUAL_FLAGS: [bool; 256] = {
    let mut usual = [false; 256];
    let mut flags = 0;
    let mut rest: &mut [bool] = &mut usual;
    while let [is, tail @ ..] = rest {
        *is = is_usual(flags);
        flags = flags.wrapping_add(1);
        rest = tail;
    }
    usual
};

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::{Connect, Will, encode, read};
    use crate::error::EncodeError;
    use crate::packet::Packet;
    use crate::properties::Properties;
    use crate::reader::Reader;
    use crate::topic::TopicName;
    use crate::types::{PacketType, QoS, Role, Version};

    #[cfg(feature = "v5")]
    const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];
    #[cfg(not(feature = "v5"))]
    const VERSIONS: [Version; 2] = [Version::V31, Version::V311];

    /// What is read at a look is what is read one by one, and is refused there if it is wrong.
    #[test]
    fn the_quick_look_takes_nothing_that_the_other_refuses() {
        let bodies: [&[u8]; 8] = [
            b"\0\x04MQTT\x04\xEE\0\x3C\0\x02id\0\x03w/t\0\x02wp\0\x04user\0\x04pass",
            b"\0\x04MQTT\x04\x82\x01\0\0\x04i\xC3\xA9d\0\x03u\xC3\xA9",
            b"\0\x04MQTT\x05\xCE\0\x3C\0\0\x02id\0\0\x01t\0\0\0\x01u\0\x02\xC3\xA9",
            b"\0\x04MQTT\x05\x40\0\x3C\0\0\0\0\x02pw",
            b"\0\x04MQTT\x04\x02\0\0\0\0",
            b"\0\x04MQTT\x04\x06\0\0\0\x01i\0\x01t\0\x01\xFF",
            b"\0\x06MQIsdp\x03\x02\0\0\0\x01i",
            b"\0\x04MQTT\x05\x02\0\0\x02\x17\x01\0\x01i",
        ];
        let (mut good, mut quick) = (0, 0);
        let mut judge = |body: &[u8]| {
            for version in VERSIONS {
                let each = Connect::read_any(Reader::new(body, body.len(), PacketType::Connect), version);
                let quickly = read(body, version);
                assert!(quickly.is_none() || quickly == each.ok(), "{body:02x?} {version:?}: {quickly:?}, {each:?}");
                good += u32::from(each.is_ok());
                quick += u32::from(quickly.is_some());
            }
        };
        for body in bodies {
            judge(body);
            for at in 0..body.len() {
                let mut changed = Vec::from(body);
                for byte in (0..=255).step_by(if cfg!(miri) { 43 } else { 1 }) {
                    changed[at] = byte;
                    judge(&changed);
                }
                judge(&body[..at]);
                changed.remove(at);
                judge(&changed);
            }
        }
        assert!(cfg!(miri) || quick > 1000 && quick <= good, "{quick} of {good}");
    }

    /// What is written at once is as long as was counted one by one, means what was given, and is nothing that must not be sent.
    #[test]
    fn what_is_written_at_once_is_the_packet() {
        let long = "i".repeat(if cfg!(miri) { 300 } else { 70_000 });
        let mut quick = 0;
        let mut judge = |packet: &Connect<'_>| {
            for version in VERSIONS {
                let expected = packet.encoded_len(version);
                let mut out = vec![0xAA; expected.unwrap_or(200_000)];
                let written = encode(packet, version, &mut out);
                assert!(written.is_none() || written == expected.ok(), "{packet:?} {version:?}: {written:?}");
                quick += u32::from(written.is_some());
                let whole = packet.encode(version, &mut out);
                assert_eq!(whole, expected, "{packet:?} {version:?}");
                if let Ok(len) = whole {
                    assert_eq!(
                        Packet::decode(&out, version, Role::Client),
                        Ok(Packet::Connect(*packet)),
                        "{version:?}"
                    );
                    let short = packet.encode(version, &mut out[..len - 1]);
                    assert_eq!(short, Err(EncodeError::BufferTooSmall { needed: len }));
                }
            }
        };
        let will = |topic, payload| {
            let topic = TopicName::new(topic).unwrap_or(TopicName::EMPTY);
            Will { qos: QoS::AtLeastOnce, retain: true, topic, payload, properties: Properties::EMPTY }
        };
        // Around each length at which the header grows, and with what must not stand there.
        let steps = if cfg!(miri) { 98..130 } else { 0..140 };
        for len in steps.chain((!cfg!(miri)).then_some(16_340..16_390).into_iter().flatten()) {
            judge(&Connect::new(&long[..len]));
            let payload = &long.as_bytes()[..len];
            judge(&Connect { will: Some(will("t", payload)), ..Connect::new("id") });
            judge(&Connect { username: Some(&long[..len]), password: Some(b"\0"), ..Connect::new("id") });
        }
        for (client_id, username, password) in [
            ("id", None, Some(&b"p"[..])),
            ("", Some("user"), None),
            ("i\0d", None, None),
            ("id", Some("us\0er"), None),
            ("id", Some(&long), None),
            (&long, None, None),
            ("id", Some("user"), Some(long.as_bytes())),
        ] {
            for clean_start in [false, true] {
                judge(&Connect { clean_start, username, password, ..Connect::new(client_id) });
            }
        }
        judge(&Connect { will: Some(will("", b"p")), ..Connect::new("id") });
        #[cfg(feature = "v5")]
        {
            let set = [crate::property::Property::WillDelayInterval(7)];
            let properties = Properties::from_slice(&set);
            judge(&Connect { will: Some(Will { properties, ..will("t", b"p") }), ..Connect::new("id") });
        }
        judge(&Connect { will: Some(will("t", long.as_bytes())), ..Connect::new("id") });
        let least = if cfg!(miri) { 50 } else { 400 };
        assert!(quick > least, "{quick}");
    }
}
