//! What comes in: one packet a call, dispatched by its type.

use super::declared;
use super::skip::Skip;
use super::slot::{Kind, OutSlot, State};
use super::state::{Core, Phase, Ping};
use crate::ProtocolError;
use crate::config::WhenHeld;
use crate::event::{AckToken, Blocked, DisconnectReason, Event, Message, Notice, Outcome, Oversize, Progress};
use crate::storage::Parts;
use crate::time::Instant;
use mqtt_device_proto::{
    ConnAck, DecodeError, DecodeErrorKind, Frame, Packet, PacketId, PacketType, Publish, QoS, ReasonCode, ReasonCodes,
    Role, Status, TopicName,
};

impl Core {
    /// See [`Machine::handle_input`](crate::Machine::handle_input).
    pub(crate) fn handle_input<'b, P>(
        &mut self,
        p: &mut Parts<'_, P>,
        now: Instant,
        rx: &'b [u8],
    ) -> Result<Progress<Event<'b>>, ProtocolError> {
        let Some(c) = &mut self.connection else { return Ok(Progress::consumed(rx.len())) };
        if c.closing.is_some_and(|closing| closing.reason != DisconnectReason::Requested) {
            return Ok(Progress::consumed(rx.len()));
        }
        if rx.is_empty() {
            return Ok(Progress::NOTHING);
        }
        let progress = if c.skip.is_some() { self.go_on_skipping(p, rx) } else { self.handle_packet(p, rx) };
        match progress {
            Ok(progress) => {
                self.note_progress(now, progress.consumed, rx.len(), progress.blocked.is_some());
                Ok(progress)
            }
            Err(error) => {
                // MQTT 3.1.1 has no DISCONNECT with a reason, and a plain one would take back the will.
                self.close(DisconnectReason::Protocol(error), false);
                Err(error)
            }
        }
    }

    /// The answer to a PINGREQ may stand in the bytes that are not read while writing lags: its deadline waits, too.
    fn note_progress(&mut self, now: Instant, consumed: usize, len: usize, blocked: bool) {
        let Some(c) = &mut self.connection else { return };
        let left = len.saturating_sub(consumed);
        if consumed > 0 || left > c.partial {
            c.last_received = now;
        }
        if consumed == 0
            && left > c.partial
            && let Ping::Awaited { deadline, .. } = &mut c.ping
        {
            // The answer stands behind a packet that is still coming.
            *deadline = (*deadline).max(now + self.config.pong_timeout);
        }
        c.partial = if consumed > 0 { 0 } else { left };
        if blocked {
            c.blocked_since.get_or_insert(now);
        } else if let Some(since) = c.blocked_since.take()
            && let Ping::Awaited { deadline, .. } = &mut c.ping
        {
            *deadline = *deadline + now.since(since);
        }
    }

    fn handle_packet<'b, P>(
        &mut self,
        p: &mut Parts<'_, P>,
        rx: &'b [u8],
    ) -> Result<Progress<Event<'b>>, ProtocolError> {
        let version = self.config.version;
        let mut rest = rx;
        let frame = match Frame::take(&mut rest, self.config.maximum_packet_size).map_err(ProtocolError::Malformed)? {
            Status::Complete(frame) => frame,
            Status::Partial { .. } => return Ok(Progress::NOTHING),
            Status::Oversize { total } => return self.skip_packet(rx, total),
        };
        let packet = frame.decode(version, Role::Server).map_err(ProtocolError::Malformed)?;
        let phase = self.connection.as_ref().map_or(Phase::ConnectDue, |c| c.phase);
        let event = match packet {
            Packet::ConnAck(ack) if phase == Phase::AwaitConnAck => self.connack(p, ack)?,
            other if phase != Phase::Open => return Err(ProtocolError::Unexpected(other.packet_type())),
            Packet::Publish(publish) => match self.publish(p, publish)? {
                Ok(message) => Some(Event::Message(message)),
                Err(blocked) => return Ok(Progress::blocked(blocked)),
            },
            Packet::PubAck(ack) => {
                self.puback(p, ack.packet_id, ack.reason);
                None
            }
            Packet::SubAck(ack) => {
                self.suback(p, ack.packet_id, ack.codes)?;
                None
            }
            Packet::UnsubAck(ack) => {
                self.unsuback(p, ack.packet_id, ack.codes);
                None
            }
            Packet::PubRel(rel) => {
                let Some(c) = &mut self.connection else { return Err(ProtocolError::Internal) };
                if c.owed_comp.is_some() {
                    return Ok(Progress::blocked(Blocked::Tx));
                }
                // We hold no QoS 2 message; an earlier life of this session did. The answer ends it [MQTT-4.3.3-2].
                c.owed_comp = Some(rel.packet_id);
                None
            }
            Packet::PubRec(_) | Packet::PubComp(_) => {
                self.stray_ack();
                None
            }
            Packet::PingResp => {
                self.pingresp();
                None
            }
            other => return Err(ProtocolError::Unexpected(other.packet_type())),
        };
        Ok(Progress { consumed: frame.bytes().len(), event, blocked: None })
    }

    fn connack<'b, P>(&mut self, p: &mut Parts<'_, P>, ack: ConnAck<'b>) -> Result<Option<Event<'b>>, ProtocolError> {
        if ack.reason.is_error() {
            self.close(DisconnectReason::Refused(ack.reason), false);
            return if ack.session_present { Err(ProtocolError::SessionPresent) } else { Ok(None) };
        }
        if ack.session_present && self.config.clean_start {
            return Err(ProtocolError::SessionPresent);
        }
        let Some(c) = &mut self.connection else { return Err(ProtocolError::Internal) };
        c.phase = Phase::Open;
        if !ack.session_present {
            self.session_lost(p);
            if let Some(c) = &mut self.connection {
                c.cursor = self.order.first;
            }
        }
        Ok(Some(Event::Connected { session_present: ack.session_present }))
    }

    fn publish<'b, P>(
        &mut self,
        p: &mut Parts<'_, P>,
        publish: Publish<'b>,
    ) -> Result<Result<Message<'b>, Blocked>, ProtocolError> {
        let Publish { topic, payload, qos, retain, dup, packet_id, .. } = publish;
        let ack = match (qos, packet_id) {
            (QoS::AtMostOnce, _) => None,
            (QoS::AtLeastOnce, Some(id)) => {
                let auto = self.config.auto_ack;
                match self.hold(p, id, auto)? {
                    Ok(token) => (!auto).then_some(token),
                    Err(blocked) => return Ok(Err(blocked)),
                }
            }
            (QoS::ExactlyOnce, _) | (_, None) => return Err(ProtocolError::QosNotSupported),
        };
        Ok(Ok(Message { topic, payload, qos, retain, dup, ack }))
    }

    /// A place in the ring for a message that must be acknowledged.
    fn hold<P>(
        &mut self,
        p: &mut Parts<'_, P>,
        id: PacketId,
        ready: bool,
    ) -> Result<Result<AckToken, Blocked>, ProtocolError> {
        let connection = self.connections;
        let Some(c) = &mut self.connection else { return Err(ProtocolError::Internal) };
        if let Some(sequence) = c.ring.position(p.inbound, id) {
            // The server repeats itself on one connection: one acknowledgement answers both.
            return Ok(Ok(AckToken::new(connection, sequence)));
        }
        if c.withheld {
            // Acknowledgements leave in order of receipt: not before that of one which is withheld.
            return Ok(Ok(self.withhold()));
        }
        if c.ring.is_full(p.inbound) {
            let is_held = c.ring.due(p.inbound).is_none();
            // Nothing that is withheld on a session which ends with its connection would come again.
            if is_held && self.config.when_held == WhenHeld::Withhold && self.config.keeps_session() {
                return Ok(Ok(self.withhold()));
            }
            if is_held && c.ring.first().is_some_and(|first| c.ring.ready(p.inbound, first)) {
                self.early_ack();
            }
            return Ok(Err(Blocked::Tx));
        }
        let sequence = c.ring.push(p.inbound, id, ready).ok_or(ProtocolError::Internal)?;
        Ok(Ok(AckToken::new(connection, sequence)))
    }

    /// A message will not be acknowledged on this connection: a token for it, of an earlier connection and so void.
    pub(crate) fn withhold(&mut self) -> AckToken {
        self.withheld_acks = self.withheld_acks.saturating_add(1);
        self.notices.push(Notice::Unacknowledged { count: self.withheld_acks });
        if let Some(c) = &mut self.connection {
            c.withheld = true;
        }
        self.wake = true;
        AckToken::new(self.connections.wrapping_sub(1), 0)
    }

    /// What is not acknowledged stays in the server's window, and one that is full stops: once all else is dealt with, a
    /// new connection has it delivered again.
    pub(crate) fn fetch_withheld(&mut self) {
        let due = self.open().is_some_and(|c| c.withheld && c.ring.is_empty() && c.skip.is_none());
        if due && !self.stopping {
            self.close(DisconnectReason::Redelivery, true);
        }
    }

    pub(crate) fn early_ack(&mut self) {
        self.early_acks = self.early_acks.saturating_add(1);
        self.notices.push(Notice::AcknowledgedEarly { count: self.early_acks });
        self.wake = true;
    }

    fn stray_ack(&mut self) {
        self.stray_acks = self.stray_acks.saturating_add(1);
        self.notices.push(Notice::StrayAck { count: self.stray_acks });
    }

    fn puback<P>(&mut self, p: &mut Parts<'_, P>, id: PacketId, reason: ReasonCode) {
        match self.sent(p, id, |kind| matches!(kind, Kind::Publish { .. })) {
            Some(i) => self.finish(p.out, i, outcome(reason)),
            None => self.stray_ack(),
        }
    }

    fn suback<P>(&mut self, p: &mut Parts<'_, P>, id: PacketId, codes: ReasonCodes<'_>) -> Result<(), ProtocolError> {
        let mut codes = codes.iter();
        let (Some(reason), None) = (codes.next(), codes.next()) else { return Err(ProtocolError::WrongCodeCount) };
        if let Some(index) = declared::index(self.modulus, id) {
            let Some(c) = &mut self.connection else { return Err(ProtocolError::Internal) };
            if !c.declared.answer(index, reason.is_error()) {
                self.stray_ack();
            } else if reason.is_error() {
                self.notices.push(Notice::SubscriptionRefused { index, reason });
            }
            return Ok(());
        }
        match self.sent(p, id, |kind| matches!(kind, Kind::Subscribe(_))) {
            Some(i) => self.finish(p.out, i, outcome(reason)),
            None => self.stray_ack(),
        }
        Ok(())
    }

    fn unsuback<P>(&mut self, p: &mut Parts<'_, P>, id: PacketId, codes: ReasonCodes<'_>) {
        let reason = codes.iter().next().unwrap_or(ReasonCode::SUCCESS);
        match self.sent(p, id, |kind| matches!(kind, Kind::Unsubscribe)) {
            Some(i) => self.finish(p.out, i, outcome(reason)),
            None => self.stray_ack(),
        }
    }

    /// The slot that waits for an answer of this kind under this identifier; an answer must match identifier, kind
    /// and written state. What it answers, and all before, the server has received.
    fn sent<P>(&mut self, p: &Parts<'_, P>, id: PacketId, fits: impl Fn(&Kind) -> bool) -> Option<u16> {
        let i = u16::try_from(self.index_of(id)).ok()?;
        let slot: &OutSlot<P> = p.out.get(usize::from(i))?;
        let State::Sent(start) = slot.state else { return None };
        (slot.packet_id == Some(id) && fits(&slot.kind)).then_some(())?;
        self.connection.as_mut()?.confirm(start);
        Some(i)
    }

    fn pingresp(&mut self) {
        let Some(c) = &mut self.connection else { return };
        match c.ping {
            Ping::Awaited { start, .. } | Ping::Taken { start, .. } => {
                c.confirm(start);
                c.ping = Ping::Idle;
            }
            Ping::Idle | Ping::Due => self.stray_ack(),
        }
    }

    /// The beginning of a packet over the limit: reported as soon as its topic is there, if that fits at all.
    fn skip_packet<'b>(&mut self, rx: &'b [u8], total: u32) -> Result<Progress<Event<'b>>, ProtocolError> {
        let open = self.connection.as_ref().is_some_and(|c| c.phase == Phase::Open);
        let first = rx.first().copied().unwrap_or(0);
        if !open || first >> 4 != 3 {
            return Err(ProtocolError::TooLarge { total });
        }
        if first & 0x04 != 0 {
            return Err(ProtocolError::QosNotSupported);
        }
        let acknowledged = first & 0x02 != 0;
        // Fixed header, length of the topic, topic, packet identifier.
        let header = rx.iter().skip(1).position(|b| b & 0x80 == 0).map_or(0, |n| n.saturating_add(2));
        let Some(&[high, low]) = rx.get(header..header.saturating_add(2)) else { return Ok(Progress::NOTHING) };
        let start = header.saturating_add(2);
        let end = start.saturating_add(usize::from(u16::from_be_bytes([high, low])));
        if end.saturating_add(if acknowledged { 2 } else { 0 }) > total as usize {
            let at = u32::try_from(header).unwrap_or(u32::MAX);
            let kind = DecodeErrorKind::FieldTruncated;
            return Err(ProtocolError::Malformed(DecodeError { packet: Some(PacketType::Publish), at, kind }));
        }
        let (consumed, topic) = match rx.get(start..end) {
            // The identifier stays in front of what is skipped, so that one piece of code reads it.
            Some(topic) => {
                let topic = core::str::from_utf8(topic).ok().and_then(|t| TopicName::new(t).ok());
                (end, topic)
            }
            None if rx.len() < self.config.maximum_packet_size as usize => return Ok(Progress::NOTHING),
            None => (rx.len(), None),
        };
        let before_id = u32::try_from(end.saturating_sub(consumed)).unwrap_or(u32::MAX);
        let left = total.saturating_sub(u32::try_from(consumed).unwrap_or(u32::MAX));
        if let Some(c) = self.connection.as_mut().filter(|_| left > 0) {
            c.skip = Some(Skip::new(left, before_id, acknowledged));
        }
        Ok(Progress { consumed, event: Some(Event::Oversize(Oversize { topic, total })), blocked: None })
    }

    fn go_on_skipping<'b, P>(&mut self, p: &mut Parts<'_, P>, rx: &[u8]) -> Result<Progress<Event<'b>>, ProtocolError> {
        let Some(c) = &mut self.connection else { return Err(ProtocolError::Internal) };
        let Some(mut skip) = c.skip else { return Err(ProtocolError::Internal) };
        let consumed = skip.feed(rx);
        if !skip.is_done() {
            c.skip = Some(skip);
            return Ok(Progress::consumed(consumed));
        }
        if let Some(id) = skip.acknowledges() {
            let id = id.ok_or(ProtocolError::Unexpected(PacketType::Publish))?;
            if let Err(blocked) = self.hold(p, id, true)? {
                // The last bytes come again once there is a place for the acknowledgement.
                return Ok(Progress::blocked(blocked));
            }
        }
        if let Some(c) = &mut self.connection {
            c.skip = None;
        }
        Ok(Progress::consumed(consumed))
    }
}

const fn outcome(reason: ReasonCode) -> Outcome {
    if reason.is_error() { Outcome::Refused(reason) } else { Outcome::Acked }
}
