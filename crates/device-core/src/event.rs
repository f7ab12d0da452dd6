//! What the machines say: events that a packet carries, notices that none does, outcomes of what was asked.

use crate::time::{Duration, Instant};
use crate::{Failure, ProtocolError, Security};
use mqtt_device_proto::{QoS, ReasonCode, TopicName};

/// One operation that was accepted (a publication, a subscription, a removal): it ends in exactly one [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey(pub(crate) u32);

impl MessageKey {
    /// A number that tells this operation from every other of the same machine.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

/// How an accepted operation ended.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// QoS 0: the last byte was flushed to the transport.
    Sent,
    /// The server acknowledged it.
    Acked,
    /// The server said no; a refusal is never success.
    Refused(ReasonCode),
    /// It was not sent within its time to live.
    Expired,
    /// It was given up here.
    Dropped(DropReason),
    /// The server had no session any more and the configuration forbids to send it again.
    SessionLost,
}

/// Why an operation was given up on this side.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// A newer message took its place, as the policy of its class says.
    Policy,
    /// The application cancelled it.
    Cancelled,
    /// QoS 0, and the connection was lost before its last byte was flushed.
    ConnectionLost,
    /// The machine was stopped before it could be sent.
    Stopped,
}

/// Permission to acknowledge one inbound message; it dies with the connection on which the message came.
#[must_use = "an inbound message whose token is dropped is acknowledged only when the policy gives up on it"]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AckToken {
    pub(crate) connection: u32,
    pub(crate) sequence: u32,
}

/// What one packet from the server means; borrows from the bytes given to `handle_input` alone.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// The server accepted the connection (CONNACK).
    Connected {
        /// Whether the server still had the session.
        session_present: bool,
    },
    /// An application message (PUBLISH).
    Message(Message<'b>),
    /// A PUBLISH larger than [`Config::maximum_packet_size`](crate::Config::maximum_packet_size). Its payload is
    /// skipped in constant memory and it is acknowledged, so that it does not come back for ever.
    Oversize(Oversize<'b>),
}

/// An application message from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'b> {
    /// Where it was published.
    pub topic: TopicName<'b>,
    /// The body.
    pub payload: &'b [u8],
    /// The quality of service of this delivery.
    pub qos: QoS,
    /// Whether it is the retained message of its topic.
    pub retain: bool,
    /// Whether the server says that it may have been delivered before.
    pub dup: bool,
    /// Give it to `acknowledge` when the message is dealt with; `None` at QoS 0 and with automatic acknowledgement.
    pub ack: Option<AckToken>,
}

/// A PUBLISH that was too large to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oversize<'b> {
    /// Its topic; `None` when not even that fitted.
    pub topic: Option<TopicName<'b>>,
    /// The size of the whole packet.
    pub total: u32,
}

/// What no packet carries. Drained by `poll_notice`; at most [`Notice::BOUND`] wait, older ones make room.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Every declared subscription is granted: messages can flow.
    Ready {
        /// Whether the machine was ready before.
        again: bool,
    },
    /// The server refused the declared subscription with this index; or it is the first that is over
    /// [`MAX_DECLARED`](crate::MAX_DECLARED), with [`ReasonCode::QUOTA_EXCEEDED`], and was not asked for.
    SubscriptionRefused {
        /// Its index in [`Source::subscription`](crate::Source::subscription).
        index: u16,
        /// The server's reason.
        reason: ReasonCode,
    },
    /// The connection, or the attempt at one, is over.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// When the next attempt starts; `None` when there will be none.
        retry_in: Option<Duration>,
    },
    /// Connections end soon after they begin: perhaps another client uses the same Client Identifier.
    PossibleDuplicateClient,
    /// A message held by the application was acknowledged before it was dealt with, to let the server go on.
    AcknowledgedEarly {
        /// How many so far.
        count: u32,
    },
    /// A message will not be acknowledged on this connection, since the application holds too many (see
    /// [`WhenHeld::Withhold`](crate::WhenHeld::Withhold)) or gave it up ([`Session::forgo`](crate::Session::forgo)).
    Unacknowledged {
        /// How many so far.
        count: u32,
    },
    /// The server acknowledged something that was not waiting for it; ignored.
    StrayAck {
        /// How many so far.
        count: u32,
    },
    /// Device: the server answered a heartbeat.
    Pong {
        /// The round trip.
        latency: Duration,
    },
    /// Device: no acknowledgement of this trigger came in time.
    TriggerTimeout {
        /// The trigger.
        key: MessageKey,
    },
    /// Device: a command could neither be run nor be answered, since every entry of the command table is in use.
    CommandDropped {
        /// How many so far.
        count: u32,
    },
    /// Device: a command came without an answer room; it was answered `busy`.
    CommandBusy {
        /// How many so far.
        count: u32,
    },
    /// Device: commands had not ended when the time of a stop was over, and were answered with an error that says so.
    CommandsInterrupted {
        /// How many.
        count: u32,
    },
    /// The machine has come to its end after `stop`.
    Stopped {
        /// Whether everything that was accepted left, and the server got an orderly goodbye.
        clean: bool,
    },
}

impl Notice {
    /// How many notices wait at most.
    pub const BOUND: usize = 16;
}

/// Why a connection, or an attempt at one, ended.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectReason {
    /// This side asked for it.
    Requested,
    /// The server refused the connection (CONNACK).
    Refused(ReasonCode),
    /// The server ended it with a DISCONNECT (MQTT 5).
    Server(ReasonCode),
    /// No PINGRESP came, or nothing could be written, for too long.
    KeepAliveTimeout,
    /// Connecting took too long, all of it together: name, TCP, TLS, CONNACK.
    ConnectTimeout,
    /// The server broke the protocol.
    Protocol(ProtocolError),
    /// The transport was closed or failed.
    Transport,
    /// The transport could not be opened.
    ConnectFailed(Failure),
    /// Messages were left unacknowledged and all others are dealt with: the next connection has them delivered again.
    Redelivery,
    /// Credentials were not sent over a transport of this kind.
    CredentialsWithheld(Security),
}

/// All that the machine wants, at once, so that one busy half hides neither the other nor the deadline.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// Open a transport to this server, then call `connected` or `connect_failed`. Stays while it is wanted.
    pub connect: Option<Attempt>,
    /// Commit what changed up to here (durability).
    pub store: Option<Ticket>,
    /// The next `take_transmit` yields bytes; or, where credentials must not go over this transport, `close`.
    pub transmit: bool,
    /// Close the transport (or give up opening it), then call `disconnected`.
    pub close: bool,
    /// `poll_notice` or `poll_outcome` has something.
    pub notify: bool,
    /// Call `poll` again at this time at the latest.
    pub deadline: Option<Instant>,
}

/// One attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Index in the list of servers.
    pub server: u8,
    /// Attempts since the last stable connection, from 0.
    pub number: u32,
}

/// A point in the sequence of changes to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u32);

/// Why `handle_input` took nothing: call it again with the same bytes once that is over.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// Something must be written first.
    Tx,
    /// Something must be stored first.
    Store(Ticket),
}

/// What `handle_input` did with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<E> {
    /// Bytes that are dealt with. Zero with nothing in `blocked` means: more bytes are needed.
    pub consumed: usize,
    /// What they mean; borrows from those bytes alone.
    pub event: Option<E>,
    /// Why nothing was taken, if it was not for want of bytes.
    pub blocked: Option<Blocked>,
}

impl<E> Progress<E> {
    pub(crate) const NOTHING: Self = Self { consumed: 0, event: None, blocked: None };

    pub(crate) const fn consumed(n: usize) -> Self {
        Self { consumed: n, event: None, blocked: None }
    }

    pub(crate) const fn blocked(by: Blocked) -> Self {
        Self { consumed: 0, event: None, blocked: Some(by) }
    }

    /// The same progress with the event translated.
    pub fn map<F>(self, f: impl FnOnce(E) -> F) -> Progress<F> {
        Progress { consumed: self.consumed, event: self.event.map(f), blocked: self.blocked }
    }
}

/// `len` bytes are in the buffer given; write them, then `body` if there is one, then flush and say `transmitted`.
#[derive(Clone, Debug)]
pub struct Taken<P> {
    /// Bytes in the buffer.
    pub len: usize,
    /// A body that follows them, by handle: it was not copied.
    pub body: Option<P>,
}
