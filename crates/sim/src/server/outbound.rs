//! What the server sends: messages within its window, repetitions after a return, acknowledgements held back.

use mqtt_device_core::Instant;
use mqtt_device_proto::{Packet, PacketId, Publish, QoS, TopicName};

use super::config::Order;
use super::connection::{ConnectionId, Sent};
use super::session::InFlight;
use super::{Server, encoded};
use crate::packet::ApplicationMessage;
use crate::trace::Way;

impl Server {
    /// Acknowledges what was held back on the client's connection; does not end the holding back.
    pub fn release_acks(&mut self, now: Instant, client_id: &str, order: Order) {
        let Some(connection) = self.connection_of(client_id) else { return };
        let Some(c) = self.connections.get_mut(&connection) else { return };
        let mut ids = core::mem::take(&mut c.withheld);
        if order == Order::Reversed {
            ids.reverse();
        }
        for id in ids {
            self.acknowledge(now, connection, id);
        }
    }

    /// Sends what is not acknowledged once more on the same connection, as some servers do by a timer.
    pub fn repeat_in_flight(&mut self, now: Instant, client_id: &str) {
        let Some(connection) = self.connection_of(client_id) else { return };
        let Some(session) = self.sessions.get(client_id) else { return };
        for again in session.in_flight.clone() {
            let sent = self.connections.get(&connection).map_or(0, |c| c.sent.len());
            self.send_message(now, connection, Some(again.id), true, &again.message);
            if let Some(c) = self.connections.get_mut(&connection) {
                // One PUBACK answers both.
                c.sent.truncate(sent);
            }
        }
    }

    /// Writes a packet; the position of the stream at which it ends.
    pub(super) fn send(&mut self, now: Instant, connection: ConnectionId, packet: &Packet<'_>) -> u64 {
        let Some(c) = self.connections.get_mut(&connection) else { return 0 };
        let end = c.put(&encoded(packet));
        self.trace.line(now, Way::Down, format!("{connection} {}", describe(packet)));
        end
    }

    /// A message for a client that is connected.
    pub(super) fn deliver(&mut self, now: Instant, connection: ConnectionId, message: ApplicationMessage) {
        if message.qos == QoS::AtMostOnce {
            self.send_message(now, connection, None, false, &message);
            return;
        }
        if let Some(client_id) = self.connections.get(&connection).map(|c| c.client_id.clone()) {
            self.enqueue(&client_id, message);
            self.pump(now, connection);
        }
    }

    /// A message for a client that may be away.
    pub(super) fn enqueue(&mut self, client_id: &str, message: ApplicationMessage) {
        let Some(session) = self.sessions.get_mut(client_id) else { return };
        let keeps = message.qos != QoS::AtMostOnce && !session.ends_with_connection || session.connection.is_some();
        if keeps && session.queue.len() < self.config.queue {
            session.queue.push_back(message);
        } else if keeps {
            session.lost += 1;
        }
    }

    /// Sends what waits, as far as the window allows.
    pub(super) fn pump(&mut self, now: Instant, connection: ConnectionId) {
        loop {
            let Some(c) = self.connections.get(&connection) else { return };
            let Some(session) = self.sessions.get_mut(&c.client_id) else { return };
            if session.in_flight.len() >= self.config.window {
                return;
            }
            let Some(message) = session.queue.pop_front() else { return };
            let id = session.next_id();
            session.in_flight.push_back(InFlight { id, message: message.clone() });
            self.send_message(now, connection, Some(id), false, &message);
        }
    }

    /// After CONNACK: what was not acknowledged again, in its old order, then what waits [MQTT-4.4.0-1].
    pub(super) fn resume(&mut self, now: Instant, connection: ConnectionId) {
        let Some(c) = self.connections.get(&connection) else { return };
        let Some(session) = self.sessions.get(&c.client_id) else { return };
        for again in session.in_flight.clone() {
            self.send_message(now, connection, Some(again.id), true, &again.message);
        }
        self.pump(now, connection);
    }

    fn send_message(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        id: Option<u16>,
        dup: bool,
        message: &ApplicationMessage,
    ) {
        let topic = TopicName::new(&message.topic).expect("topics are checked when messages come");
        let (qos, retain) = (message.qos, message.retain);
        let packet_id = id.and_then(PacketId::new);
        let packet = Publish { dup, qos, retain, packet_id, ..Publish::new(topic, &message.payload) };
        let end = self.send(now, connection, &Packet::Publish(packet));
        if let (Some(id), Some(c)) = (id, self.connections.get_mut(&connection)) {
            c.sent.push_back(Sent { id, end });
        }
    }
}

fn describe(packet: &Packet<'_>) -> String {
    match packet {
        Packet::ConnAck(ack) if ack.reason.is_error() => format!("CONNACK {}", ack.reason),
        Packet::ConnAck(ack) => format!("CONNACK session present {}", ack.session_present),
        Packet::SubAck(ack) => {
            format!("SUBACK #{} {:?}", ack.packet_id, ack.codes.iter().map(|c| c.as_u8()).collect::<Vec<_>>())
        }
        Packet::UnsubAck(ack) => format!("UNSUBACK #{}", ack.packet_id),
        other => crate::packet::Seen::of(other).to_string(),
    }
}
