//! What goes out: which packet is next, and how it gets into the driver's buffer.
//!
//! [`Core::due`] is the only place that decides what is next, so that `Actions::transmit` and the next take cannot
//! disagree. Rule one: a packet of which a part is out is finished before anything else.

use super::declared::{self, MAX_DECLARED};
use super::outbound::{body_of, text_of};
use super::slot::{Body, Kind, OutSlot, State, Text};
use super::state::{Connection, Core, Current, Phase, Ping, Stage};
use crate::event::{DisconnectReason, Notice, Outcome, Taken};
use crate::json::Window;
use crate::source::Source;
use crate::storage::Parts;
use crate::time::Instant;
use crate::{ProtocolError, Security};
use mqtt_device_proto::{
    Connect, Disconnect, EncodeError, Filters, Packet, PacketId, PubAck, PubComp, Publish, QoS, ReasonCode, Subscribe,
    Subscription, TopicFilter, TopicFilters, TopicName, Unsubscribe,
};

/// An owned body up to this size is copied, so that packets share a write; a larger one is handed over.
const COPY_BODY: usize = 1024;

/// What is to be written next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Body(Current),
    Connect,
    Ack(PacketId),
    Complete(PacketId),
    Disconnect,
    Ping,
    Declared(u16),
    Slot(u16),
}

/// What became of it.
enum Step<P> {
    /// So many bytes are in the buffer.
    Wrote(usize),
    /// The head is in the buffer, the body follows by handle.
    Handle(usize, P),
    /// The packet does not fit into what is left of the buffer; nothing changed.
    Full,
    /// Nothing to write after all; the state changed, ask again.
    Again,
}

impl Core {
    fn due<P>(&self, p: &Parts<'_, P>) -> Option<Due> {
        let c = self.connection.as_ref()?;
        let stage = c.closing.map(|closing| closing.stage);
        if matches!(stage, Some(Stage::Now | Stage::Taken(_))) {
            return None;
        }
        if let Some(current) = c.current {
            return Some(Due::Body(current));
        }
        match c.phase {
            Phase::ConnectDue => return Some(Due::Connect),
            Phase::AwaitConnAck => return None,
            Phase::Open => {}
        }
        if let Some(id) = c.ring.due(p.inbound) {
            // With its list full, the layer above must ask first; nothing overtakes the acknowledgements meanwhile.
            return (!c.written.is_full()).then_some(Due::Ack(id));
        }
        if let Some(id) = c.owed_comp {
            return Some(Due::Complete(id));
        }
        if stage == Some(Stage::Owed) {
            return Some(Due::Disconnect);
        }
        if c.ping == Ping::Due {
            return Some(Due::Ping);
        }
        if let Some(index) = c.declared.due() {
            return Some(Due::Declared(index));
        }
        self.next_slot(c, p.out).map(Due::Slot)
    }

    /// The first operation in the send order that may be written now.
    fn next_slot<P>(&self, c: &Connection, out: &[OutSlot<P>]) -> Option<u16> {
        let mut i = c.cursor;
        while let Some(slot) = out.get(usize::from(i)) {
            if slot.state == State::Waiting && !slot.parked {
                // Order is kept at a full window: what stands behind waits too.
                let fits = !slot.is_acknowledged_publish() || c.in_flight < self.config.send_window.max(1);
                return fits.then_some(i);
            }
            i = slot.next;
        }
        None
    }

    pub(crate) fn wants_transmit<P>(&self, p: &Parts<'_, P>) -> bool {
        self.due(p).is_some()
    }

    pub(crate) fn take<P: AsRef<[u8]> + Clone>(
        &mut self,
        p: &mut Parts<'_, P>,
        now: Instant,
        source: &dyn Source,
        out: &mut [u8],
    ) -> Taken<P> {
        let mut taken = Taken { len: 0, body: None };
        while let Some(due) = self.due(p) {
            let room = out.get_mut(taken.len..).unwrap_or_default();
            let (wrote, body) = match self.write(p, now, source, due, room) {
                Step::Wrote(n) => (n, None),
                Step::Handle(n, body) => (n, Some(body)),
                Step::Again => continue,
                Step::Full if taken.len > 0 => break,
                Step::Full => {
                    self.does_not_fit(p, due);
                    continue;
                }
            };
            taken.len = taken.len.saturating_add(wrote);
            if let Some(c) = &mut self.connection {
                let handed = body.as_ref().map_or(0, |b| b.as_ref().len());
                c.taken = c.taken.saturating_add(wrote as u64).saturating_add(handed as u64);
                c.writing_since.get_or_insert(now);
            }
            if let Due::Body(_) | Due::Slot(_) = due {
                self.finish_packet(p);
            }
            if body.is_some() {
                taken.body = body;
                break;
            }
        }
        taken
    }

    /// A packet that does not fit into an empty buffer never will: the buffer is below `tx_min`, or the topic is huge.
    fn does_not_fit<P>(&mut self, p: &mut Parts<'_, P>, due: Due) {
        match due {
            Due::Slot(i) => self.finish(p.out, i, Outcome::Refused(ReasonCode::PACKET_TOO_LARGE)),
            _ => self.close(DisconnectReason::Protocol(ProtocolError::Internal), false),
        }
    }

    fn write<P: AsRef<[u8]> + Clone>(
        &mut self,
        p: &mut Parts<'_, P>,
        now: Instant,
        source: &dyn Source,
        due: Due,
        out: &mut [u8],
    ) -> Step<P> {
        let version = self.config.version;
        let plain = |packet: Packet<'_>, out: &mut [u8]| step(packet.encode(version, out));
        match due {
            Due::Body(current) => self.write_body(p, source, current, out),
            Due::Connect => self.write_connect(now, source, out),
            Due::Slot(i) => self.write_slot(p, now, source, i, out),
            Due::Ack(packet_id) => {
                let step = plain(PubAck::new(packet_id).into(), out);
                self.after(step, |c, end| {
                    let tag = c.ring.pop(p.inbound);
                    c.written.push(tag, end);
                    c.acknowledged = true;
                })
            }
            Due::Complete(packet_id) => {
                let known = !version.has_properties();
                let reason = if known { ReasonCode::SUCCESS } else { ReasonCode::PACKET_IDENTIFIER_NOT_FOUND };
                let step = plain(PubComp { reason, ..PubComp::new(packet_id) }.into(), out);
                self.after(step, |c, _| c.owed_comp = None)
            }
            Due::Ping => {
                let step = plain(Packet::PingReq, out);
                self.after(step, |c, end| c.ping = Ping::Taken { start: c.taken, end })
            }
            Due::Disconnect => {
                let step = plain(Disconnect::NORMAL.into(), out);
                self.after(step, |c, end| {
                    if let Some(closing) = &mut c.closing {
                        closing.stage = Stage::Taken(end);
                    }
                })
            }
            Due::Declared(index) => {
                let (front, scratch) = halves(out);
                let Some(subscription) = source.subscription(index, scratch) else {
                    return self.after(Step::Again, |c, _| c.declared.complete(false));
                };
                if index >= MAX_DECLARED {
                    self.notices.push(Notice::SubscriptionRefused { index, reason: ReasonCode::QUOTA_EXCEEDED });
                    return self.after(Step::Again, |c, _| c.declared.complete(true));
                }
                let Some(packet_id) = declared::packet_id(self.modulus, index) else { return Step::Full };
                let one = [subscription];
                let step = plain(Subscribe::new(packet_id, Filters::from_slice(&one)).into(), front);
                self.after(step, |c, _| c.declared.asked())
            }
        }
    }

    /// Notes on the connection what was written, unless it did not fit; `note` gets the position at which it ends.
    fn after<P>(&mut self, step: Step<P>, note: impl FnOnce(&mut Connection, u64)) -> Step<P> {
        let n = match step {
            Step::Wrote(n) => n,
            Step::Handle(..) | Step::Again => 0,
            Step::Full => return step,
        };
        if let Some(c) = &mut self.connection {
            note(c, c.taken.saturating_add(n as u64));
        }
        step
    }

    fn write_connect<P>(&mut self, now: Instant, source: &dyn Source, out: &mut [u8]) -> Step<P> {
        let unix_ms = self.unix_ms(now);
        let (front, scratch) = halves(out);
        let Ok(who) = source.credentials(unix_ms, scratch) else { return Step::Full };
        let Some(security) = self.connection.as_ref().map(|c| c.security) else { return Step::Full };
        let trusted = matches!(security, Security::Verified | Security::Local);
        if who.password.is_some() && !trusted && !self.config.allow_insecure_credentials {
            self.close(DisconnectReason::CredentialsWithheld(security), false);
            return Step::Again;
        }
        let packet = Packet::Connect(Connect {
            clean_start: self.config.clean_start,
            keep_alive: self.config.keep_alive,
            will: who.will,
            username: who.username,
            password: who.password,
            ..Connect::new(who.client_id)
        });
        let step = step(packet.encode(self.config.version, front));
        self.after(step, |c, _| c.phase = Phase::AwaitConnAck)
    }

    /// The head of an operation; for a publication the body follows as `Current`.
    fn write_slot<P: AsRef<[u8]> + Clone>(
        &mut self,
        p: &mut Parts<'_, P>,
        now: Instant,
        source: &dyn Source,
        i: u16,
        out: &mut [u8],
    ) -> Step<P> {
        let unix_ms = self.unix_ms(now);
        let version = self.config.version;
        let Some(slot) = p.out.get(usize::from(i)) else { return Step::Again };
        let fresh = if slot.qos() == Some(QoS::AtMostOnce) { None } else { self.packet_id(i.into(), slot.turn) };
        let turn = if slot.packet_id.is_some() { slot.turn } else { fresh.map_or(slot.turn, |(_, turn)| turn) };
        let packet_id = slot.packet_id.or(fresh.map(|(id, _)| id));
        let (front, scratch) = match slot.text {
            Text::Arena(_) => (out, &mut [][..]),
            Text::Source(_) => halves(out),
        };
        let text = match slot.text {
            Text::Arena(len) => text_of(slot.range, len, p.arena).and_then(|t| core::str::from_utf8(t).ok()),
            Text::Source(token) => source.topic(token, scratch).map(|t| t.as_str()),
        };
        let text_len = if let Text::Arena(len) = slot.text { usize::from(len) } else { 0 };
        let Some(text) = text else { return Step::Full };
        let mut total = 0;
        let written = match slot.kind {
            Kind::Publish { qos, retain } => {
                total = match &slot.body {
                    Body::Arena => slot.range.len.saturating_sub(u32::try_from(text_len).unwrap_or(0)),
                    Body::Owned(body) => u32::try_from(body.as_ref().len()).unwrap_or(u32::MAX),
                    Body::Source(token) => {
                        let mut window = Window::count();
                        source.body(*token, unix_ms, &mut window);
                        window.total()
                    }
                };
                let Ok(topic) = TopicName::new(text) else { return Step::Full };
                let dup = slot.tried && qos != QoS::AtMostOnce;
                let head = Publish { dup, qos, retain, packet_id, ..Publish::new(topic, &[]) };
                head.encode_head(version, total, front)
            }
            Kind::Subscribe(options) => {
                let (Ok(filter), Some(packet_id)) = (TopicFilter::new(text), packet_id) else { return Step::Full };
                let one = [Subscription { filter, options }];
                Subscribe::new(packet_id, Filters::from_slice(&one)).encode(version, front)
            }
            Kind::Unsubscribe => {
                let (Ok(filter), Some(packet_id)) = (TopicFilter::new(text), packet_id) else { return Step::Full };
                let one = [filter];
                Unsubscribe::new(packet_id, TopicFilters::from_slice(&one)).encode(version, front)
            }
        };
        let Ok(n) = written else { return Step::Full };
        if let (Some(slot), Some(c)) = (p.out.get_mut(usize::from(i)), &mut self.connection) {
            slot.packet_id = packet_id;
            slot.turn = turn;
            slot.tried = true;
            c.current = Some(Current { slot: i, start: c.taken, done: 0, total, unix_ms });
        }
        Step::Wrote(n)
    }

    fn write_body<P: AsRef<[u8]> + Clone>(
        &mut self,
        p: &mut Parts<'_, P>,
        source: &dyn Source,
        current: Current,
        out: &mut [u8],
    ) -> Step<P> {
        let Some(slot) = p.out.get(usize::from(current.slot)) else { return Step::Again };
        let text = if let Text::Arena(len) = slot.text { usize::from(len) } else { 0 };
        let n = match &slot.body {
            Body::Arena => copy(body_of(slot.range, text, current.done, p.arena).unwrap_or_default(), out),
            Body::Owned(body) if body.as_ref().len() > COPY_BODY && current.done == 0 => {
                let body = body.clone();
                self.advance(current.total);
                return Step::Handle(0, body);
            }
            Body::Owned(body) => copy(body.as_ref().get(current.done as usize..).unwrap_or_default(), out),
            Body::Source(token) => {
                let left = current.total.saturating_sub(current.done) as usize;
                let end = out.len().min(left);
                let mut window = Window::new(current.done, out.get_mut(..end).unwrap_or_default());
                source.body(*token, current.unix_ms, &mut window);
                let (filled, total) = (window.filled(), window.total());
                if total != current.total || filled != end {
                    // The source broke its promise: what is out cannot be called back, so the connection ends.
                    self.close(DisconnectReason::Protocol(ProtocolError::Internal), false);
                    return Step::Again;
                }
                filled
            }
        };
        if n == 0 {
            return Step::Full;
        }
        self.advance(u32::try_from(n).unwrap_or(u32::MAX));
        Step::Wrote(n)
    }

    fn advance(&mut self, n: u32) {
        if let Some(current) = self.connection.as_mut().and_then(|c| c.current.as_mut()) {
            current.done = current.done.saturating_add(n);
        }
    }

    /// When the packet in progress is whole: its slot goes on to the next state.
    fn finish_packet<P>(&mut self, p: &mut Parts<'_, P>) {
        let Some(c) = &mut self.connection else { return };
        let Some(current) = c.current.filter(|current| current.done >= current.total) else { return };
        c.current = None;
        let i = current.slot;
        let Some(slot) = p.out.get_mut(usize::from(i)) else { return };
        if c.cursor == i {
            c.cursor = slot.next;
        }
        if slot.qos() == Some(QoS::AtMostOnce) {
            slot.state = State::Flushing(c.taken);
            self.order.remove(p.out, i);
            self.flushing.push_back(p.out, i);
        } else {
            slot.state = State::Sent(current.start);
            if slot.qos().is_some() {
                c.in_flight = c.in_flight.saturating_add(1);
            }
        }
    }

    pub(crate) fn transmitted<P>(&mut self, p: &mut Parts<'_, P>, now: Instant, n: usize) {
        let Some(c) = self.connection.as_mut().filter(|_| n > 0) else { return };
        c.flushed = c.flushed.saturating_add(n as u64).min(c.taken);
        c.last_flushed = now;
        c.writing_since = (c.flushed < c.taken).then_some(now);
        if let Ping::Taken { start, end } = c.ping
            && end <= c.flushed
        {
            c.ping = Ping::Awaited { start, deadline: now + self.config.pong_timeout, graced: false };
        }
        let flushed = c.flushed;
        while let Some(slot) = p.out.get(usize::from(self.flushing.first)) {
            if !matches!(slot.state, State::Flushing(end) if end <= flushed) {
                break;
            }
            self.finish(p.out, self.flushing.first, Outcome::Sent);
        }
    }
}

fn step<P>(written: Result<usize, EncodeError>) -> Step<P> {
    written.map_or(Step::Full, Step::Wrote)
}

/// Room for a packet, and as much to assemble strings in.
fn halves(out: &mut [u8]) -> (&mut [u8], &mut [u8]) {
    let middle = out.len() / 2;
    out.split_at_mut_checked(middle).unwrap_or_default()
}

fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let n = from.len().min(to.len());
    if let (Some(to), Some(from)) = (to.get_mut(..n), from.get(..n)) {
        to.copy_from_slice(from);
    }
    n
}
