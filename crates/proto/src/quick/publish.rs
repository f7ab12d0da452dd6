//! A PUBLISH with properties.

use crate::packet::packet_len;
use crate::properties::Properties;
use crate::property::{Places, Property};
use crate::publish::Publish;
use crate::quick::properties;
use crate::types::Version;
use crate::writer::{Writer, shift};

/// Writes a good packet in one walk over its properties, which are counted by writing them. How long the lengths in front
/// of them are is a guess by their number. `None` for a bad packet, or without the space.
#[inline(always)]
pub(crate) fn encode<const LATER: bool>(
    message: &Publish<'_>,
    set: &[Property<'_>],
    len: usize,
    out: &mut [u8],
) -> Option<usize> {
    /// Bytes of a property: of most, and the least.
    const USUAL: usize = 16;
    const LEAST: usize = 2;
    let topic = message.topic.as_str().as_bytes();
    let id_len = message.id_len().ok()?;
    if topic.is_empty() {
        return None;
    }
    // Where nothing is written behind the head, nothing may be touched there: a payload may be in place already. So the guess
    // is never too long then; otherwise it is by one byte at most, which the payload takes.
    let property = if LATER || len == 0 { LEAST } else { USUAL };
    let guess = len.wrapping_add(topic.len()).wrapping_add(set.len().wrapping_mul(property));
    let header = if guess < 0x80 { 2 } else { 3 };
    let at = topic.len().wrapping_add(id_len).wrapping_add(header).wrapping_add(2);
    let space = out.len();
    let mut writer = Writer::new(out);
    writer.skip(header)?;
    match message.packet_id {
        Some(id) => {
            let [high, low] = id.get().to_be_bytes();
            writer.framed([], topic, [high, low, 0])?;
        }
        None => writer.framed([], topic, [0])?,
    }
    writer.hand_to(|writer| properties::write(set, Places::PUBLISH, writer))?;
    let mut end = space.wrapping_sub(writer.space());
    let counted = end.wrapping_sub(at).wrapping_sub(1);
    let body = end.wrapping_sub(header).wrapping_add(len);
    let is_as_guessed = counted < 0x80 && body < 0x4000 && (body < 0x80) == (header == 2);
    if is_as_guessed {
        let [counted, ..] = counted.to_le_bytes();
        *out.get_mut(at)? = counted;
        Writer::new(out).fixed_header(message.first_byte(), u32::try_from(body).ok()?)?;
    } else {
        end = make_room(message.first_byte(), header, at, counted, len, out)?;
    }
    if LATER {
        return Some(end);
    }
    Writer::new(out.get_mut(end..)?).bytes(message.payload)?;
    Some(end.wrapping_add(len))
}

/// Moves what stands behind `header` bytes, with a set of `counted` bytes behind its length at `at`, to where it belongs, and
/// writes both lengths. Answers where the payload begins.
#[cold]
#[inline(never)]
fn make_room(first_byte: u8, header: usize, at: usize, counted: usize, len: usize, out: &mut [u8]) -> Option<usize> {
    if counted > 0xFFFF {
        // There may be a string of more than 65,535 bytes in it.
        return None;
    }
    let front = at.wrapping_sub(header);
    let set = Properties::with_length(counted, Version::V5);
    let head = front.wrapping_add(set);
    let body = head.checked_add(len)?;
    let start = packet_len(body).ok()?.wrapping_sub(body);
    shift(out, at.wrapping_add(1), counted, at.wrapping_add(set).wrapping_sub(counted))?;
    shift(out, header, head, start)?;
    Writer::new(out).fixed_header(first_byte, u32::try_from(body).ok()?)?;
    Writer::new(out.get_mut(start.wrapping_add(front)..)?).varint(u32::try_from(counted).ok()?)?;
    Some(start.wrapping_add(head))
}

#[cfg(test)]
mod tests {
    use std::num::{NonZeroU16, NonZeroU32};
    use std::vec::Vec;

    use super::encode;
    use crate::error::EncodeError;
    use crate::packet::Packet;
    use crate::properties::Properties;
    use crate::property::Property;
    use crate::publish::Publish;
    use crate::topic::TopicName;
    use crate::types::{PacketId, QoS, Role, Version};

    /// What is written at once is as long as was counted one by one, means what was given, and is nothing that must not be sent.
    #[track_caller]
    fn judge(message: &Publish<'_>) -> u32 {
        let set = message.properties.slice().expect("a slice");
        let (expected, payload) = (message.encoded_len(Version::V5), message.payload.len());
        // Once with more space than it takes, since the guess may be too long.
        let mut quick = 0;
        for more in [0, 9] {
            let len = expected.unwrap_or(if cfg!(miri) { 400 } else { 200_000 }) + more;
            let before: Vec<u8> = (0..=255).cycle().take(len).collect();
            let mut out = before.clone();
            let written = encode::<false>(message, set, payload, &mut out);
            assert!(written.is_none() || written == expected.ok(), "{message:?}: {written:?}");
            assert!(more == 0 || written == expected.ok() || message.topic.is_empty(), "{message:?}: {written:?}");
            quick += u32::from(written.is_some());
            assert_eq!(message.encode(Version::V5, &mut out), expected, "{message:?}");
            if let Ok(len) = expected {
                assert_eq!(out[len..], before[len..], "behind {message:?}");
                // Only a server may send a subscription identifier.
                let read = Packet::decode(&out[..len], Version::V5, Role::Server);
                assert_eq!(read, Ok(Packet::Publish(*message)));
                // The payload may be in place.
                let (head, mut place) = (len - payload, before.clone());
                let payload = u32::try_from(payload).unwrap();
                assert_eq!(message.encode_head(Version::V5, payload, &mut place), Ok(head), "{message:?}");
                assert_eq!((&place[..head], &place[head..]), (&out[..head], &before[head..]), "{message:?}");
                let short = message.encode(Version::V5, &mut out[..len - 1]);
                assert_eq!(short, Err(EncodeError::BufferTooSmall { needed: len }));
            }
        }
        quick
    }

    fn message<'b>(topic: &'b str, set: &'b [Property<'b>], payload: &'b [u8]) -> Publish<'b> {
        let topic = TopicName::new(topic).unwrap_or(TopicName::EMPTY);
        Publish {
            qos: QoS::AtLeastOnce,
            packet_id: PacketId::new(0x1234),
            properties: Properties::from_slice(set),
            ..Publish::new(topic, payload)
        }
    }

    #[test]
    fn lengths_are_guessed_and_amended() {
        let long = "v".repeat(if cfg!(miri) { 400 } else { 17_000 });
        let mut quick = 0;
        let short = if cfg!(miri) { (0..150).step_by(9) } else { (0..150).step_by(1) };
        // Around each length at which one of the two lengths grows, alone and with the other.
        for len in short.chain((!cfg!(miri)).then_some((16_360..16_390).step_by(1)).into_iter().flatten()) {
            for rest in [0, 20, 100, 127, 128] {
                let set = [Property::UserProperty("n", &long[..len]), Property::PayloadFormatIndicator(true)];
                quick += judge(&message("t", &set, &long.as_bytes()[..rest]));
                quick += judge(&message("t", &set[1..], &long.as_bytes()[..len]));
                quick += judge(&message("t", &[Property::ContentType("")], &long.as_bytes()[..len]));
                quick += judge(&message(&long[..=len], &[Property::UserProperty("", ""); 3], &long.as_bytes()[..rest]));
                let many = [Property::UserProperty("", ""); 20];
                quick += judge(&message(&long[..=len], &many, &long.as_bytes()[..rest]));
                quick += judge(&Publish { qos: QoS::AtMostOnce, packet_id: None, ..message("t", &set, b"") });
            }
        }
        assert!(cfg!(miri) || quick > 5000, "{quick}");
    }

    #[test]
    fn what_must_not_be_sent_is_not_written_at_once() {
        let long = "v".repeat(70_000);
        let topic = TopicName::new("r").unwrap();
        let good = [
            Property::PayloadFormatIndicator(false),
            Property::MessageExpiryInterval(1),
            Property::ContentType("c"),
            Property::ResponseTopic(topic),
            Property::CorrelationData(b"\0\xFF"),
            Property::SubscriptionIdentifier(NonZeroU32::new(268_435_455).unwrap()),
            Property::SubscriptionIdentifier(NonZeroU32::MIN),
            Property::TopicAlias(NonZeroU16::MAX),
            Property::UserProperty("n", "v"),
            Property::UserProperty("n", "v"),
        ];
        assert_eq!(judge(&message("t", &good, b"p")), 2);
        for repeated in &good[..5] {
            assert_eq!(judge(&message("t", &[*repeated, *repeated], b"p")), 0, "{repeated:?}");
        }
        let bad = [
            Property::ContentType("c\0"),
            Property::UserProperty("n\0", "v"),
            Property::UserProperty("n", "v\0"),
            Property::ResponseTopic(TopicName::EMPTY),
            Property::SubscriptionIdentifier(NonZeroU32::MAX),
            Property::MaximumQoS(QoS::ExactlyOnce),
            Property::MaximumQoS(QoS::AtMostOnce),
            Property::SessionExpiryInterval(1),
            Property::AssignedClientIdentifier("i"),
            Property::ServerKeepAlive(1),
            Property::AuthenticationMethod("m"),
            Property::AuthenticationData(b"d"),
            Property::RequestProblemInformation(true),
            Property::WillDelayInterval(1),
            Property::RequestResponseInformation(true),
            Property::ResponseInformation("r"),
            Property::ServerReference("s"),
            Property::ReasonString("r"),
            Property::ReceiveMaximum(NonZeroU16::MIN),
            Property::TopicAliasMaximum(1),
            Property::RetainAvailable(true),
            Property::MaximumPacketSize(NonZeroU32::MIN),
            Property::WildcardSubscriptionAvailable(true),
            Property::SubscriptionIdentifiersAvailable(true),
            Property::SharedSubscriptionAvailable(true),
        ];
        let too_long = [
            Property::UserProperty("n", &long),
            Property::UserProperty(&long, "v"),
            Property::ContentType(&long),
            Property::CorrelationData(long.as_bytes()),
        ];
        // Miri would look at each byte of them for minutes.
        for bad in bad.into_iter().chain(too_long.into_iter().filter(|_| !cfg!(miri))) {
            let set = [good[8], bad];
            let message = message("t", &set, b"p");
            assert!(message.encoded_len(Version::V5).is_err(), "{bad:?}");
            assert_eq!(judge(&message), 0, "{bad:?}");
        }
        let good = message("t", &good[..1], b"p");
        assert_eq!(judge(&Publish { packet_id: None, ..good }), 0);
        assert_eq!(judge(&Publish { qos: QoS::AtMostOnce, ..good }), 0);
        assert_eq!(judge(&Publish { qos: QoS::AtMostOnce, packet_id: None, dup: true, ..good }), 0);
        // A topic that an alias says is for the precise way.
        assert_eq!(judge(&message("", &[Property::TopicAlias(NonZeroU16::MIN)], b"p")), 0);
    }
}
