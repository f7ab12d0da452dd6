//! What the server does with each packet that comes, and what it checks about it.

use mqtt_device_core::{Duration, Instant};
use mqtt_device_proto::{
    ConnAck, Packet, PacketId, PubAck, QoS, ReasonCode, ReasonCodes, Role, Status, SubAck, TopicName, UnsubAck,
    frame_len,
};

use super::connection::{ConnectionId, Request, Stage};
use super::session::{Live, Session, matches};
use super::{Published, Received, Rule, Server, VERSION};
use crate::packet::{ApplicationMessage, Hello, Seen};
use crate::trace::Way;

impl Server {
    /// Takes what came on a connection, in pieces of any length.
    pub fn receive(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        let heard = !self.faults.loses_input;
        if let Some(c) = self.connections.get_mut(&connection).filter(|c| heard && c.stage != Stage::Closing) {
            c.input.extend_from_slice(bytes);
            while let Some(frame) = self.next_frame(now, connection) {
                self.handle_frame(now, connection, &frame);
            }
        }
    }

    fn next_frame(&mut self, now: Instant, connection: ConnectionId) -> Option<Vec<u8>> {
        let limit = self.config.maximum_packet_size;
        let c = self.connections.get_mut(&connection).filter(|c| c.stage != Stage::Closing)?;
        let detail = match frame_len(&c.input, limit) {
            Ok(Status::Complete(len)) => return Some(c.input.drain(..len).collect()),
            Ok(Status::Partial { .. }) => return None,
            Ok(Status::Oversize { total }) => format!("a packet of {total} bytes is over the limit of {limit}"),
            Err(error) => format!("{error}"),
        };
        self.breach(now, connection, Rule::Undecodable, detail);
        self.close(now, connection);
        None
    }

    fn handle_frame(&mut self, now: Instant, connection: ConnectionId, frame: &[u8]) {
        let packet = match Packet::decode(frame, VERSION, Role::Client) {
            Ok(packet) => packet,
            Err(error) => {
                self.breach(now, connection, Rule::Undecodable, format!("{error}: {frame:02X?}"));
                return self.close(now, connection);
            }
        };
        let seen = Seen::of(&packet);
        self.trace.line(now, Way::Up, format!("{connection} {seen}"));
        self.note_sign_of_life(now, connection);
        let Some(c) = self.connections.get(&connection) else { return };
        let (stage, client_id) = (c.stage, c.client_id.clone());
        self.received.push(Received { at: now, connection, client_id, packet: seen.clone() });
        match (stage, seen) {
            (Stage::New, Seen::Connect(hello)) => {
                let password = if let Packet::Connect(c) = packet { c.password } else { None };
                self.connect(now, connection, hello, password);
            }
            (Stage::New, other) => {
                self.breach(now, connection, Rule::ConnectFirst, other.to_string());
                self.close(now, connection);
            }
            (Stage::Goodbye, other) => {
                self.breach(now, connection, Rule::NothingAfterDisconnect, other.to_string());
                self.close(now, connection);
            }
            (_, Seen::Connect(_)) => {
                self.breach(now, connection, Rule::ConnectOnce, "a second CONNECT");
                self.close(now, connection);
            }
            (_, Seen::Publish { id, dup, message }) => self.incoming(now, connection, id, dup, message),
            (_, Seen::PubAck(id)) => self.puback(now, connection, id),
            (_, Seen::Subscribe { id, filters }) => self.subscribe(now, connection, id, &filters),
            (_, Seen::Unsubscribe { id, filters }) => self.unsubscribe(now, connection, id, &filters),
            (_, Seen::PingReq) => self.ping(now, connection),
            (_, Seen::Disconnect) => {
                if let Some(c) = self.connections.get_mut(&connection) {
                    (c.will, c.stage) = (None, Stage::Goodbye);
                }
            }
            (_, Seen::Other(packet)) => {
                self.breach(now, connection, Rule::Unexpected, format!("{packet} answers nothing"));
            }
        }
    }

    fn note_sign_of_life(&mut self, now: Instant, connection: ConnectionId) {
        let slack = self.config.keep_alive_slack;
        let Some(c) = self.connections.get_mut(&connection) else { return };
        let silence = now.since(core::mem::replace(&mut c.last_packet, now));
        let excused = core::mem::take(&mut c.excused);
        let allowed = Duration::from_secs(c.keep_alive.into()) + slack;
        if c.stage == Stage::Accepted && c.keep_alive > 0 && !excused && silence > allowed {
            let detail = format!("{silence} without a packet, Keep Alive is {} s", c.keep_alive);
            self.breach(now, connection, Rule::KeepAlive, detail);
        }
    }

    fn connect(&mut self, now: Instant, connection: ConnectionId, hello: Hello, password: Option<&[u8]>) {
        let id = hello.client_id.clone();
        for public in [Some(id.as_bytes()), hello.username.as_ref().map(String::as_bytes)].into_iter().flatten() {
            self.check_secret(now, connection, public, "CONNECT");
        }
        if let Some(will) = &hello.will {
            self.check_secret(now, connection, &will.payload, "the will");
            self.check_secret(now, connection, will.topic.as_bytes(), "the will's topic");
        }
        if self.faults.ignore_connects {
            return;
        }
        let refusal = self.faults.refuse_connects.pop_front().or_else(|| {
            let users = self.config.users.as_ref()?;
            let known = hello.username.as_ref().and_then(|name| users.get(name));
            (known.map(Vec::as_slice) != password || known.is_none()).then_some(self.config.refusal)
        });
        if let Some(reason) = refusal {
            self.send(now, connection, &Packet::ConnAck(ConnAck { reason, ..ACCEPTED }));
            return self.close(now, connection);
        }
        if let Some(other) = self.sessions.get(&id).and_then(|s| s.connection) {
            self.trace.line(now, Way::Note, format!("{connection} takes {id} over from {other}"));
            self.end(now, other, self.config.will_delay);
        }
        if hello.clean_start {
            self.sessions.remove(&id);
        }
        let session_present = self.sessions.contains_key(&id);
        let session = self.sessions.entry(id.clone()).or_default();
        session.ends_with_connection = hello.clean_start;
        let expected = session.begin(connection);
        if let Some(c) = self.connections.get_mut(&connection) {
            c.client_id = id;
            c.stage = Stage::Accepted;
            c.keep_alive = hello.keep_alive;
            c.will = hello.will;
            c.resumed = session_present;
            c.expected = expected;
        }
        self.send(now, connection, &Packet::ConnAck(ConnAck { session_present, ..ACCEPTED }));
        self.resume(now, connection);
    }

    fn incoming(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        id: Option<u16>,
        dup: bool,
        message: ApplicationMessage,
    ) {
        self.check_secret(now, connection, message.topic.as_bytes(), "a topic");
        if message.retain {
            self.check_secret(now, connection, &message.payload, "a retained message");
        }
        if message.qos == QoS::ExactlyOnce {
            self.breach(now, connection, Rule::QosNotOffered, format!("{message:?}"));
            return self.close(now, connection);
        }
        if let Some(id) = id {
            self.check_repetition(now, connection, id, dup, &message);
        }
        let Some(client_id) = self.connections.get(&connection).map(|c| c.client_id.clone()) else { return };
        self.route(now, Some(client_id), false, message);
        let Some(id) = id else { return };
        match self.connections.get_mut(&connection) {
            Some(c) if self.faults.withhold_acks => c.withheld.push(id),
            _ => self.acknowledge(now, connection, id),
        }
    }

    /// Packet identifier, DUP and order of a message at QoS 1, against what the server knows of the session.
    fn check_repetition(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        id: u16,
        dup: bool,
        message: &ApplicationMessage,
    ) {
        let mut wrong = Vec::new();
        let Some(c) = self.connections.get_mut(&connection) else { return };
        let Some(session) = self.sessions.get_mut(&c.client_id) else { return };
        if c.requests.iter().any(|r| r.id == id) {
            wrong.push((Rule::PacketIdInUse, format!("#{id} is that of a SUBSCRIBE or UNSUBSCRIBE")));
        }
        match session.live_index(id) {
            Some(i) if session.live[i].connection == connection => {
                let rule = if dup { Rule::ResentWhileConnected } else { Rule::PacketIdInUse };
                wrong.push((rule, format!("#{id} is in use on this connection")));
            }
            Some(i) => {
                let live = &mut session.live[i];
                if !dup {
                    wrong.push((Rule::Dup, format!("#{id} came before, and has no DUP now")));
                }
                if live.message != *message {
                    wrong.push((Rule::ResendChanged, format!("#{id} was {:?}, is {message:?}", live.message)));
                }
                if c.new_seen || c.expected.front() != Some(&id) {
                    wrong.push((Rule::ResendOrder, format!("#{id} instead of {:?}", c.expected.front())));
                }
                c.expected.retain(|&other| other != id);
                live.connection = connection;
            }
            None => {
                if dup && !c.resumed {
                    wrong.push((Rule::Dup, format!("#{id} has DUP in a session that is new")));
                }
                if dup && c.new_seen {
                    wrong.push((Rule::ResendOrder, format!("#{id} with DUP comes after new messages")));
                }
                if !c.expected.is_empty() {
                    wrong.push((Rule::ResendOrder, format!("#{id} comes before the repetition of {:?}", c.expected)));
                }
                c.new_seen |= !dup;
                session.live.push(Live { id, message: message.clone(), connection, acked_by: None });
            }
        }
        for (rule, detail) in wrong {
            self.breach(now, connection, rule, format!("{detail}: {message:?}"));
        }
    }

    fn puback(&mut self, now: Instant, connection: ConnectionId, id: u16) {
        let Some(c) = self.connections.get_mut(&connection) else { return };
        let delivered = c.delivered;
        let Some(place) = c.sent.iter().position(|s| s.id == id) else {
            return self.breach(
                now,
                connection,
                Rule::UnknownAck,
                format!("PUBACK #{id}: nothing of that id was sent"),
            );
        };
        let first = c.sent.front().map(|s| s.id);
        let sent = c.sent.remove(place);
        if let Some(session) = self.sessions.get_mut(&c.client_id) {
            session.in_flight.retain(|m| m.id != id);
        }
        if sent.is_some_and(|s| s.end > delivered) {
            self.breach(now, connection, Rule::UnknownAck, format!("PUBACK #{id} before the message was received"));
        }
        if place > 0 {
            self.breach(now, connection, Rule::AckOrder, format!("PUBACK #{id} before that of {first:?}"));
        }
        self.pump(now, connection);
    }

    fn subscribe(&mut self, now: Instant, connection: ConnectionId, id: u16, filters: &[(String, QoS)]) {
        self.begin_request(now, connection, id);
        let mut codes = Vec::new();
        let mut kept = Vec::new();
        let mut wrong = Vec::new();
        let Some(c) = self.connections.get(&connection) else { return };
        let own = c.will.as_ref().and_then(|will| TopicName::new(&will.topic).ok());
        let Some(session) = self.sessions.get_mut(&c.client_id) else { return };
        for (filter, qos) in filters {
            if own.as_ref().is_some_and(|own| matches(filter, own)) {
                wrong.push((Rule::OwnStatus, filter.clone()));
            }
            if *qos == QoS::ExactlyOnce {
                wrong.push((Rule::QosNotOffered, filter.clone()));
            }
            if self.faults.refuse_filters.contains(filter) {
                codes.push(ReasonCode::UNSPECIFIED_ERROR);
                continue;
            }
            let granted = (*qos).min(QoS::AtLeastOnce);
            if session.subscriptions.insert(filter.clone(), granted) == Some(granted)
                && self.config.checks_resubscription
            {
                wrong.push((Rule::SubscribedAgain, filter.clone()));
            }
            codes.push(ReasonCode::new(granted.as_u8()));
            kept.extend(
                self.retained.values().filter(|m| TopicName::new(&m.topic).is_ok_and(|t| matches(filter, &t))).cloned(),
            );
        }
        for (rule, detail) in wrong {
            self.breach(now, connection, rule, detail);
        }
        if !self.faults.ignore_subscribes
            && let Some(packet_id) = PacketId::new(id)
        {
            let ack = SubAck { packet_id, properties: Default::default(), codes: ReasonCodes::from_slice(&codes) };
            self.answer_request(now, connection, id, &Packet::SubAck(ack));
        }
        for message in kept {
            self.deliver(now, connection, message);
        }
    }

    fn unsubscribe(&mut self, now: Instant, connection: ConnectionId, id: u16, filters: &[String]) {
        self.begin_request(now, connection, id);
        let Some(c) = self.connections.get(&connection) else { return };
        if let Some(session) = self.sessions.get_mut(&c.client_id) {
            session.subscriptions.retain(|filter, _| !filters.contains(filter));
        }
        if let Some(packet_id) = PacketId::new(id) {
            let ack = UnsubAck { packet_id, properties: Default::default(), codes: ReasonCodes::from_slice(&[]) };
            self.answer_request(now, connection, id, &Packet::UnsubAck(ack));
        }
    }

    fn begin_request(&mut self, now: Instant, connection: ConnectionId, id: u16) {
        let Some(c) = self.connections.get_mut(&connection) else { return };
        let live = self.sessions.get(&c.client_id).is_some_and(|s| s.live_index(id).is_some());
        let used = live || c.requests.iter().any(|r| r.id == id);
        c.requests.push(Request { id, answered_by: None });
        if used {
            self.breach(now, connection, Rule::PacketIdInUse, format!("#{id} of a SUBSCRIBE or UNSUBSCRIBE"));
        }
    }

    fn answer_request(&mut self, now: Instant, connection: ConnectionId, id: u16, packet: &Packet<'_>) {
        let end = self.send(now, connection, packet);
        let Some(c) = self.connections.get_mut(&connection) else { return };
        if let Some(request) = c.requests.iter_mut().rev().find(|r| r.id == id) {
            request.answered_by = Some(end);
        }
    }

    fn ping(&mut self, now: Instant, connection: ConnectionId) {
        let Some(c) = self.connections.get_mut(&connection) else { return };
        let apart = c.last_ping.replace(now).map(|last| now.since(last));
        let least = Duration::from_millis(u64::from(c.keep_alive) * 250);
        if let Some(apart) = apart.filter(|&apart| apart < least) {
            self.breach(now, connection, Rule::PingTooOften, format!("{apart} after the one before"));
        }
        if !self.faults.ignore_pings {
            self.send(now, connection, &Packet::PingResp);
        }
    }

    fn check_secret(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8], place: &str) {
        let secrets = &self.config.secrets;
        let found = secrets.iter().any(|s| !s.is_empty() && bytes.windows(s.len()).any(|w| w == s.as_slice()));
        if found {
            self.breach(now, connection, Rule::Secret, format!("the secret stands in {place}"));
        }
    }

    /// Acknowledges a message of the client.
    pub(super) fn acknowledge(&mut self, now: Instant, connection: ConnectionId, id: u16) {
        let Some(packet_id) = PacketId::new(id) else { return };
        let end = self.send(now, connection, &Packet::PubAck(PubAck::new(packet_id)));
        let Some(c) = self.connections.get(&connection) else { return };
        if let Some(session) = self.sessions.get_mut(&c.client_id)
            && let Some(i) = session.live_index(id)
        {
            session.live[i].acked_by = Some(end);
        }
    }

    /// Notes a message and passes it to everybody who wants it; whether anybody does.
    pub(super) fn route(
        &mut self,
        now: Instant,
        client_id: Option<String>,
        is_will: bool,
        message: ApplicationMessage,
    ) -> bool {
        self.published.push(Published { at: now, client_id, is_will, message: message.clone() });
        if message.retain {
            match message.payload.is_empty() {
                true => self.retained.remove(&message.topic),
                false => self.retained.insert(message.topic.clone(), message.clone()),
            };
        }
        let wanted: Vec<(String, QoS)> =
            self.sessions.iter().filter_map(|(id, s)| Some((id.clone(), s.wants(&message.topic)?))).collect();
        for (id, granted) in &wanted {
            let copy = ApplicationMessage { qos: message.qos.min(*granted), retain: false, ..message.clone() };
            match self.sessions.get(id).and_then(|s: &Session| s.connection) {
                Some(connection) => self.deliver(now, connection, copy),
                None => self.enqueue(id, copy),
            }
        }
        !wanted.is_empty()
    }
}

const ACCEPTED: ConnAck<'static> = ConnAck::new(ReasonCode::SUCCESS);
