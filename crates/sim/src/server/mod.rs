//! A model MQTT 3.1.1 server, sans I/O: bytes and times in, bytes out. It keeps what a server keeps, records all it
//! receives, and lists what a client does wrong.
//!
//! Drive it so: [`Server::accept`] when a transport opens, [`Server::receive`] what comes, write what [`Server::take`]
//! gives, close when [`Server::wants_close`], say [`Server::lost`] when the transport is gone, and call
//! [`Server::tick`] at [`Server::deadline`].

mod config;
mod connection;
mod inbound;
mod outbound;
mod rules;
mod session;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use mqtt_device_core::{Duration, Instant};
use mqtt_device_proto::{Packet, Version};

pub use self::config::{Faults, Memory, Order, ServerConfig};
pub use self::connection::ConnectionId;
use self::connection::{Connection, Stage};
pub use self::rules::{Rule, Violation};
use self::session::Session;
use crate::packet::{ApplicationMessage, Seen};
use crate::trace::{Trace, Way};

/// One packet that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// When.
    pub at: Instant,
    /// On which connection.
    pub connection: ConnectionId,
    /// From whom; empty before CONNECT.
    pub client_id: String,
    /// What.
    pub packet: Seen,
}

/// One message that the server took, to be passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// When.
    pub at: Instant,
    /// Whose it is; `None` when the test published it.
    pub client_id: Option<String>,
    /// Whether it is the will of a client that was lost.
    pub is_will: bool,
    /// What.
    pub message: ApplicationMessage,
}

/// The server.
#[derive(Clone, Debug)]
pub struct Server {
    config: ServerConfig,
    /// What goes wrong from now on.
    pub faults: Faults,
    /// One line for each packet.
    pub trace: Trace,
    running: bool,
    connections: BTreeMap<ConnectionId, Connection>,
    connected: u32,
    sessions: BTreeMap<String, Session>,
    retained: BTreeMap<String, ApplicationMessage>,
    late_wills: Vec<(Instant, String, ApplicationMessage)>,
    received: Vec<Received>,
    published: Vec<Published>,
    violations: Vec<Violation>,
}

const VERSION: Version = Version::V311;

impl Server {
    /// A server that is running and remembers nobody.
    #[must_use]
    pub fn new(config: ServerConfig) -> Self {
        Self {
            config,
            faults: Faults::default(),
            trace: Trace::default(),
            running: true,
            connections: BTreeMap::new(),
            connected: 0,
            sessions: BTreeMap::new(),
            retained: BTreeMap::new(),
            late_wills: Vec::new(),
            received: Vec::new(),
            published: Vec::new(),
            violations: Vec::new(),
        }
    }

    // ---------------------------------------------------------------- transports

    /// A transport was opened; `None` when nobody listens.
    pub fn accept(&mut self, now: Instant) -> Option<ConnectionId> {
        if self.faults.refuse_transports > 0 {
            self.faults.refuse_transports -= 1;
            return None;
        }
        if !self.running {
            return None;
        }
        self.connected += 1;
        let id = ConnectionId(self.connected);
        self.connections.insert(id, Connection::new(id, now));
        Some(id)
    }

    /// At most `most` bytes to be written.
    pub fn take(&mut self, connection: ConnectionId, most: usize) -> Vec<u8> {
        let Some(c) = self.connections.get_mut(&connection) else { return Vec::new() };
        let count = c.output.len().min(most);
        let bytes = c.output.drain(..count).collect();
        if !self.config.confirms_delivery {
            let upto = c.written - c.output.len() as u64;
            self.delivered(connection, upto);
        }
        bytes
    }

    /// Bytes that wait to be taken.
    #[must_use]
    pub fn waiting(&self, connection: ConnectionId) -> usize {
        self.connections.get(&connection).map_or(0, |c| c.output.len())
    }

    /// The client has received `upto` bytes in all on this connection. From here on it may use identifiers again that
    /// were answered, and acknowledge what it received.
    pub fn delivered(&mut self, connection: ConnectionId, upto: u64) {
        if let Some(c) = self.connections.get_mut(&connection) {
            c.delivered(upto);
        }
        // Also of a connection that the server has ended: what it wrote before may still arrive.
        for session in self.sessions.values_mut() {
            session.delivered(connection, upto);
        }
    }

    /// Whether the transport is to be closed: the server is done with it, and everything is taken.
    #[must_use]
    pub fn wants_close(&self, connection: ConnectionId) -> bool {
        match self.connections.get(&connection) {
            Some(c) => c.stage == Stage::Closing && c.output.is_empty(),
            None => true,
        }
    }

    /// Whether the server knows nothing of this connection, or nothing any more.
    #[must_use]
    pub fn is_gone(&self, connection: ConnectionId) -> bool {
        !self.connections.contains_key(&connection)
    }

    /// The link is to blame for what does not come on this connection, until something comes.
    pub fn excuse(&mut self, connection: ConnectionId) {
        if let Some(c) = self.connections.get_mut(&connection) {
            c.excused = true;
        }
    }

    /// The transport is gone. Without DISCONNECT before, the will is published.
    pub fn lost(&mut self, now: Instant, connection: ConnectionId) {
        self.end(now, connection, Duration::ZERO);
    }

    /// Ends a connection; its will, if it is due, is published after `delay`.
    fn end(&mut self, now: Instant, connection: ConnectionId, delay: Duration) {
        let Some(c) = self.connections.remove(&connection) else { return };
        if let Some(session) = self.sessions.get_mut(&c.client_id).filter(|s| s.connection == Some(connection)) {
            session.connection = None;
            if session.ends_with_connection {
                self.sessions.remove(&c.client_id);
            }
        }
        if let Some(will) = c.will {
            self.late_wills.push((now + delay, c.client_id, will));
            self.publish_wills(now);
        }
    }

    fn publish_wills(&mut self, now: Instant) {
        while let Some(i) = self.late_wills.iter().position(|(at, ..)| *at <= now) {
            let (_, client_id, message) = self.late_wills.remove(i);
            self.trace.line(now, Way::Note, format!("will of {client_id}: {message:?}"));
            self.route(now, Some(client_id), true, message);
        }
    }

    /// Runs what is due: wills that come late, clients that are silent for too long.
    pub fn tick(&mut self, now: Instant) {
        self.publish_wills(now);
        let silent: Vec<ConnectionId> =
            self.connections.values().filter(|c| silence_ends(c).is_some_and(|at| at <= now)).map(|c| c.id).collect();
        for id in silent {
            let Some(c) = self.connections.get(&id) else { continue };
            if !c.excused {
                self.breach(now, id, Rule::KeepAlive, "nothing came for 1.5 times the Keep Alive time");
            }
            self.trace.line(now, Way::Note, format!("{id} is silent: closed"));
            self.close(now, id);
        }
    }

    /// When [`Server::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let silence = self.connections.values().filter_map(silence_ends);
        silence.chain(self.late_wills.iter().map(|(at, ..)| *at)).min()
    }

    /// Closes a connection from the server's side.
    fn close(&mut self, now: Instant, connection: ConnectionId) {
        self.end_keeping_transport(now, connection);
    }

    /// The session ends its connection and the will goes out, but what is to be written still is.
    fn end_keeping_transport(&mut self, now: Instant, connection: ConnectionId) {
        let Some(c) = self.connections.get(&connection) else { return };
        let (id, output, written) = (c.id, c.output.clone(), c.written);
        self.end(now, connection, Duration::ZERO);
        let mut rest = Connection::new(id, now);
        (rest.output, rest.written, rest.stage) = (output, written, Stage::Closing);
        self.connections.insert(id, rest);
    }

    // ---------------------------------------------------------------- what a test makes happen

    /// Publishes a message as another client would; returns whether anybody wants it.
    pub fn publish(&mut self, now: Instant, message: ApplicationMessage) -> bool {
        self.route(now, None, false, message)
    }

    /// Writes these bytes to the client of that name, whatever they are; false when it is not connected.
    pub fn inject(&mut self, now: Instant, client_id: &str, bytes: &[u8]) -> bool {
        let Some(c) = self.connection_of(client_id).and_then(|id| self.connections.get_mut(&id)) else { return false };
        c.put(bytes);
        self.trace.line(now, Way::Down, format!("{} {} bytes by hand", c.id, bytes.len()));
        true
    }

    /// Closes the connection of the client of that name without a word.
    pub fn kick(&mut self, now: Instant, client_id: &str) {
        if let Some(id) = self.connection_of(client_id) {
            self.close(now, id);
        }
    }

    /// Forgets a session; its client, if connected, is closed first.
    pub fn forget_session(&mut self, now: Instant, client_id: &str) {
        self.kick(now, client_id);
        self.sessions.remove(client_id);
    }

    /// Dies without a word to anybody: no will is published, connections are gone.
    pub fn kill(&mut self, now: Instant) {
        self.trace.line(now, Way::Note, "the server is killed");
        self.running = false;
        self.late_wills.clear();
        self.connections.clear();
        for session in self.sessions.values_mut() {
            session.connection = None;
        }
        self.sessions.retain(|_, session| !session.ends_with_connection);
    }

    /// Runs again after [`Server::kill`]; nothing happens when it runs.
    pub fn start(&mut self, now: Instant, memory: Memory) {
        if self.running {
            return;
        }
        self.trace.line(now, Way::Note, format!("the server runs again, memory {memory:?}"));
        self.running = true;
        if memory == Memory::Lost {
            self.sessions.clear();
            self.retained.clear();
        }
    }

    // ---------------------------------------------------------------- what a test looks at

    /// All packets that came.
    #[must_use]
    pub fn received(&self) -> &[Received] {
        &self.received
    }

    /// All messages that were taken, wills and the test's own among them.
    #[must_use]
    pub fn published(&self) -> &[Published] {
        &self.published
    }

    /// The retained messages by topic.
    #[must_use]
    pub const fn retained(&self) -> &BTreeMap<String, ApplicationMessage> {
        &self.retained
    }

    /// What clients did wrong. A test ends by asserting that there is nothing.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Takes the violations out: for a test of a client that is wrong on purpose.
    pub fn take_violations(&mut self) -> Vec<Violation> {
        core::mem::take(&mut self.violations)
    }

    /// Whether it runs: false between [`Server::kill`] and [`Server::start`].
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.running
    }

    /// Whether the client of that name is connected and was accepted.
    #[must_use]
    pub fn is_connected(&self, client_id: &str) -> bool {
        self.connection_of(client_id).is_some()
    }

    /// How many transports were accepted so far.
    #[must_use]
    pub const fn transports(&self) -> u32 {
        self.connected
    }

    /// The filters of a session.
    #[must_use]
    pub fn subscriptions(&self, client_id: &str) -> Vec<String> {
        self.sessions.get(client_id).map(|s| s.subscriptions.keys().cloned().collect()).unwrap_or_default()
    }

    /// Whether there is a session of that name.
    #[must_use]
    pub fn has_session(&self, client_id: &str) -> bool {
        self.sessions.contains_key(client_id)
    }

    /// Messages to a client that are sent and not acknowledged, and those that wait behind them.
    #[must_use]
    pub fn unfinished_to(&self, client_id: &str) -> (usize, usize) {
        self.sessions.get(client_id).map_or((0, 0), |s| (s.in_flight.len(), s.queue.len()))
    }

    /// Packet identifiers of a client that are in use, as far as the server can know.
    #[must_use]
    pub fn live_ids(&self, client_id: &str) -> Vec<u16> {
        let Some(session) = self.sessions.get(client_id) else { return Vec::new() };
        let requests = session.connection.and_then(|id| self.connections.get(&id)).into_iter();
        let requests = requests.flat_map(|c| c.requests.iter().map(|r| r.id));
        session.live.iter().map(|m| m.id).chain(requests).collect()
    }

    /// Messages for a client that were lost because too many waited.
    #[must_use]
    pub fn lost_to(&self, client_id: &str) -> u64 {
        self.sessions.get(client_id).map_or(0, |s| s.lost)
    }

    fn connection_of(&self, client_id: &str) -> Option<ConnectionId> {
        self.sessions.get(client_id).and_then(|s| s.connection)
    }

    fn breach(&mut self, now: Instant, connection: ConnectionId, rule: Rule, detail: impl Into<String>) {
        let client_id = self.connections.get(&connection).map(|c| c.client_id.clone()).unwrap_or_default();
        let violation = Violation { at: now, client_id, rule, detail: detail.into() };
        self.trace.line(now, Way::Note, format!("!! {violation}"));
        self.violations.push(violation);
    }
}

/// When a client that says nothing is given up [MQTT-3.1.2-24].
fn silence_ends(c: &Connection) -> Option<Instant> {
    let counts = c.stage == Stage::Accepted && c.keep_alive > 0;
    counts.then(|| c.last_packet + Duration::from_millis(u64::from(c.keep_alive) * 1500))
}

/// The bytes of a packet that the server sends.
fn encoded(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = vec![0; packet.encoded_len(VERSION).expect("the server's packets are valid")];
    let written = packet.encode(VERSION, &mut bytes).expect("the length was asked for");
    bytes.truncate(written);
    bytes
}
