//! What the server remembers of a client: subscriptions and messages for it, and which of the client's are unfinished.

use std::collections::{BTreeMap, VecDeque};

use mqtt_device_proto::{QoS, TopicFilter, TopicName};

use super::ConnectionId;
use crate::packet::ApplicationMessage;

/// A message that was sent to the client and is not acknowledged.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    pub(super) id: u16,
    pub(super) message: ApplicationMessage,
}

/// A message of the client that may still be repeated: the client did not receive the PUBACK yet.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) id: u16,
    pub(super) message: ApplicationMessage,
    /// The connection on which it came last.
    pub(super) connection: ConnectionId,
    /// The PUBACK ends at this position of what was written on that connection.
    pub(super) acked_by: Option<u64>,
}

/// The state of one session [MQTT-3.1.2-4].
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) subscriptions: BTreeMap<String, QoS>,
    pub(super) queue: VecDeque<ApplicationMessage>,
    pub(super) in_flight: VecDeque<InFlight>,
    pub(super) live: Vec<Live>,
    pub(super) connection: Option<ConnectionId>,
    pub(super) ends_with_connection: bool,
    /// Messages that were lost because too many waited.
    pub(super) lost: u64,
    last_id: u16,
}

impl Session {
    /// The QoS at which a message on `topic` is wanted: the highest of all filters that match.
    pub(super) fn wants(&self, topic: &str) -> Option<QoS> {
        let name = TopicName::new(topic).ok()?;
        let matching = self.subscriptions.iter().filter(|(filter, _)| matches(filter, &name));
        matching.map(|(_, qos)| *qos).max()
    }

    /// An identifier that is not in flight; ids go round, so that a mix-up with an earlier message shows.
    pub(super) fn next_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if self.in_flight.iter().all(|m| m.id != self.last_id) {
                return self.last_id;
            }
        }
    }

    pub(super) fn live_index(&self, id: u16) -> Option<usize> {
        self.live.iter().position(|m| m.id == id)
    }

    /// The client received so much on `connection`: what was acknowledged by then is finished.
    pub(super) fn delivered(&mut self, connection: ConnectionId, upto: u64) {
        self.live.retain(|m| m.connection != connection || m.acked_by.is_none_or(|end| end > upto));
    }

    /// The client is on `connection` now: PUBACKs that did not arrive on an earlier one never will. What the client must
    /// repeat first, in order.
    pub(super) fn begin(&mut self, connection: ConnectionId) -> VecDeque<u16> {
        self.connection = Some(connection);
        // A CONNECT may have been on its way for longer than a later one: that one's connection is the client's.
        for message in self.live.iter_mut().filter(|m| m.connection < connection) {
            message.acked_by = None;
        }
        self.live.iter().map(|m| m.id).collect()
    }
}

/// Whether a filter, which was checked when it came, matches.
pub(super) fn matches(filter: &str, topic: &TopicName<'_>) -> bool {
    TopicFilter::new(filter).is_ok_and(|filter| filter.matches(topic))
}
