//! One connection as the server sees it: bytes in and out, and what is checked about it.

use std::collections::VecDeque;

use mqtt_device_core::Instant;

use crate::packet::ApplicationMessage;

/// Names one connection to a [`Server`](super::Server); never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(super) u32);

impl core::fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "c{}", self.0)
    }
}

/// Something the server wrote, and the position of the stream at which it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) id: u16,
    pub(super) end: u64,
}

/// A SUBSCRIBE or UNSUBSCRIBE whose identifier is in use until the client received the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) id: u16,
    pub(super) answered_by: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    /// Known after CONNECT.
    pub(super) client_id: String,
    pub(super) input: Vec<u8>,
    pub(super) output: VecDeque<u8>,
    /// Bytes ever put into `output`.
    pub(super) written: u64,
    /// Bytes that the client received.
    pub(super) delivered: u64,
    pub(super) stage: Stage,
    pub(super) keep_alive: u16,
    pub(super) will: Option<ApplicationMessage>,
    pub(super) last_packet: Instant,
    /// The link is at fault, not the client.
    pub(super) excused: bool,
    pub(super) last_ping: Option<Instant>,
    /// Messages at QoS 1 sent on this connection, to be acknowledged in this order.
    pub(super) sent: VecDeque<Sent>,
    pub(super) requests: Vec<Request>,
    /// Identifiers that the client must repeat first, in this order.
    pub(super) expected: VecDeque<u16>,
    /// Whether the session was there when the client came.
    pub(super) resumed: bool,
    /// A new message at QoS 1 came: repetitions are over.
    pub(super) new_seen: bool,
    /// PUBACKs that are held back.
    pub(super) withheld: Vec<u16>,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// CONNECT must come.
    New,
    /// CONNECT came and was accepted.
    Accepted,
    /// The client said DISCONNECT.
    Goodbye,
    /// The server closes as soon as its output is taken.
    Closing,
}

impl Connection {
    pub(super) const fn new(id: ConnectionId, now: Instant) -> Self {
        Self {
            id,
            client_id: String::new(),
            input: Vec::new(),
            output: VecDeque::new(),
            written: 0,
            delivered: 0,
            stage: Stage::New,
            keep_alive: 0,
            will: None,
            last_packet: now,
            excused: false,
            last_ping: None,
            sent: VecDeque::new(),
            requests: Vec::new(),
            expected: VecDeque::new(),
            resumed: false,
            new_seen: false,
            withheld: Vec::new(),
        }
    }

    /// Puts bytes into the output; the position at which they end.
    pub(super) fn put(&mut self, bytes: &[u8]) -> u64 {
        self.output.extend(bytes);
        self.written += bytes.len() as u64;
        self.written
    }

    pub(super) fn delivered(&mut self, upto: u64) {
        self.delivered = upto;
        self.requests.retain(|r| r.answered_by.is_none_or(|end| end > upto));
    }
}
