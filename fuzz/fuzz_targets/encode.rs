//! Any packet that a caller can put together, legal or not: it is refused, or its bytes are the packet.
#![no_main]

use core::num::{NonZeroU16, NonZeroU32};

use libfuzzer_sys::fuzz_target;
use mqtt_device_fuzz::meaning;
use mqtt_device_proto::{
    Auth, ConnAck, Connect, DecodeErrorKind, Disconnect, EncodeError, Filters, Packet, PacketId, Properties, Property,
    PubAck, PubComp, PubRec, PubRel, Publish, QoS, ReasonCode, ReasonCodes, RetainHandling, Role, Status, SubAck,
    Subscribe, SubscribeOptions, Subscription, TopicFilter, TopicFilters, TopicName, UnsubAck, Unsubscribe, Version,
    Will, frame_len,
};

/// The input as a source of values; zeros when it is used up.
struct Source<'d>(&'d [u8]);

impl<'d> Source<'d> {
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    fn flip(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    fn bytes(&mut self) -> &'d [u8] {
        let len = usize::from(self.byte() & 0x3F).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        bytes
    }

    /// As much of the next bytes as is UTF-8; U+0000 may be in it.
    fn text(&mut self) -> &'d str {
        let bytes = self.bytes();
        core::str::from_utf8(bytes).unwrap_or_else(|error| core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap())
    }

    fn topic(&mut self) -> TopicName<'d> {
        TopicName::new(self.text()).unwrap_or(TopicName::EMPTY)
    }

    fn filter(&mut self) -> TopicFilter<'d> {
        TopicFilter::new(self.text()).unwrap_or(TopicFilter::new("a/#").unwrap())
    }

    fn qos(&mut self) -> QoS {
        QoS::from_u8(self.byte() % 3).unwrap()
    }

    fn id(&mut self) -> PacketId {
        PacketId::new(self.u16().max(1)).unwrap()
    }

    fn property(&mut self) -> Property<'d> {
        match self.byte() % 27 {
            0 => Property::PayloadFormatIndicator(self.flip()),
            1 => Property::MessageExpiryInterval(self.u32()),
            2 => Property::ContentType(self.text()),
            3 => Property::ResponseTopic(self.topic()),
            4 => Property::CorrelationData(self.bytes()),
            5 => Property::SubscriptionIdentifier(NonZeroU32::new(self.u32().max(1)).unwrap()),
            6 => Property::SessionExpiryInterval(self.u32()),
            7 => Property::AssignedClientIdentifier(self.text()),
            8 => Property::ServerKeepAlive(self.u16()),
            9 => Property::AuthenticationMethod(self.text()),
            10 => Property::AuthenticationData(self.bytes()),
            11 => Property::RequestProblemInformation(self.flip()),
            12 => Property::WillDelayInterval(self.u32()),
            13 => Property::RequestResponseInformation(self.flip()),
            14 => Property::ResponseInformation(self.text()),
            15 => Property::ServerReference(self.text()),
            16 => Property::ReasonString(self.text()),
            17 => Property::ReceiveMaximum(NonZeroU16::new(self.u16().max(1)).unwrap()),
            18 => Property::TopicAliasMaximum(self.u16()),
            19 => Property::TopicAlias(NonZeroU16::new(self.u16().max(1)).unwrap()),
            20 => Property::MaximumQoS(self.qos()),
            21 => Property::RetainAvailable(self.flip()),
            22 => Property::UserProperty(self.text(), self.text()),
            23 => Property::MaximumPacketSize(NonZeroU32::new(self.u32().max(1)).unwrap()),
            24 => Property::WildcardSubscriptionAvailable(self.flip()),
            25 => Property::SubscriptionIdentifiersAvailable(self.flip()),
            _ => Property::SharedSubscriptionAvailable(self.flip()),
        }
    }

    fn properties(&mut self) -> Vec<Property<'d>> {
        (0..self.byte() % 5).map(|_| self.property()).collect()
    }

    fn subscription(&mut self) -> Subscription<'d> {
        let filter = self.filter();
        let (qos, flags) = (self.qos(), self.byte());
        let retain_handling = match flags >> 2 & 3 {
            0 | 3 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            _ => RetainHandling::DoNotSend,
        };
        let (no_local, retain_as_published) = (flags & 1 != 0, flags & 2 != 0);
        let options = SubscribeOptions::new(qos)
            .with_no_local(no_local)
            .with_retain_as_published(retain_as_published)
            .with_retain_handling(retain_handling);
        Subscription { filter, options }
    }
}

/// Refused by both counters alike, or sent: then it is what was meant, unless this side may not send it.
fn check(packet: Packet<'_>, version: Version, role: Role) {
    let mut out = [0xAA; 4096];
    let len = match (packet.encoded_len(version), packet.encode(version, &mut out)) {
        (Ok(len), Ok(written)) => {
            assert_eq!(len, written);
            len
        }
        (Ok(len), Err(EncodeError::BufferTooSmall { needed })) => {
            assert_eq!(len, needed);
            return;
        }
        (counted, written) => {
            assert_eq!(counted, written);
            return;
        }
    };
    assert!(out[len..].iter().all(|byte| *byte == 0xAA));
    assert_eq!(frame_len(&out, u32::MAX), Ok(Status::Complete(len)));
    match Packet::decode(&out[..len], version, role) {
        Ok(decoded) => assert_eq!(decoded, packet),
        // `encode` does not know who sends.
        Err(error) => assert!(
            matches!(
                error.kind,
                DecodeErrorKind::WrongDirection
                    | DecodeErrorKind::PropertyWrongDirection(_)
                    | DecodeErrorKind::BadReasonCode(_)
            ),
            "{packet:?}: {error}"
        ),
    }
}

fuzz_target!(|data: &[u8]| {
    let mut source = Source(data);
    let s = &mut source;
    let (version, role) = meaning(s.byte());
    let kind = s.byte();
    let (own, of_will) = (s.properties(), s.properties());
    let properties = Properties::from_slice(&own);
    let (packet_id, reason) = (s.id(), ReasonCode::new(s.byte()));
    let codes: Vec<_> = (0..s.byte() % 4).map(|_| ReasonCode::new(s.byte())).collect();
    let codes = ReasonCodes::from_slice(&codes);
    let packet: Packet<'_> = match kind % 15 {
        0 => {
            let will = s.flip().then(|| Will {
                qos: s.qos(),
                retain: s.flip(),
                topic: s.topic(),
                payload: s.bytes(),
                properties: Properties::from_slice(&of_will),
            });
            let (clean_start, keep_alive, client_id) = (s.flip(), s.u16(), s.text());
            let username = s.flip().then(|| s.text());
            let password = s.flip().then(|| s.bytes());
            Connect { clean_start, keep_alive, client_id, will, username, password, properties }.into()
        }
        1 => ConnAck { session_present: s.flip(), reason, properties }.into(),
        2 => Publish {
            dup: s.flip(),
            qos: s.qos(),
            retain: s.flip(),
            topic: s.topic(),
            packet_id: s.flip().then_some(packet_id),
            properties,
            payload: s.bytes(),
        }
        .into(),
        3 => PubAck { packet_id, reason, properties }.into(),
        4 => PubRec { packet_id, reason, properties }.into(),
        5 => PubRel { packet_id, reason, properties }.into(),
        6 => PubComp { packet_id, reason, properties }.into(),
        7 => {
            let filters: Vec<_> = (0..s.byte() % 4).map(|_| s.subscription()).collect();
            return check(
                Subscribe { packet_id, properties, filters: Filters::from_slice(&filters) }.into(),
                version,
                role,
            );
        }
        8 => SubAck { packet_id, properties, codes }.into(),
        9 => {
            let filters: Vec<_> = (0..s.byte() % 4).map(|_| s.filter()).collect();
            let filters = TopicFilters::from_slice(&filters);
            return check(Unsubscribe { packet_id, properties, filters }.into(), version, role);
        }
        10 => UnsubAck { packet_id, properties, codes }.into(),
        11 => Packet::PingReq,
        12 => Packet::PingResp,
        13 => Disconnect { reason, properties }.into(),
        _ => Auth { reason, properties }.into(),
    };
    check(packet, version, role);
});
