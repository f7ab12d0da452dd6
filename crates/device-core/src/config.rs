//! What is set once: protocol, limits, times, policies.

use crate::time::Duration;
use mqtt_device_proto::Version;

/// The settings of a [`Session`](crate::Session) and a [`Client`](crate::Client).
///
/// ```
/// use mqtt_device_core::{Config, Duration};
/// let mut config = Config::new(0x5EED);
/// config.keep_alive = 30;
/// config.backoff.cap = Duration::from_secs(10);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Config {
    /// The protocol version to speak.
    pub version: Version,
    /// Whether the server is to forget any earlier session [MQTT-3.1.2-6]. Off: commands wait while we are away.
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 turns it off. PINGREQ goes out after nine tenths of it without another packet.
    pub keep_alive: u16,
    /// How long after a flushed PINGREQ the PINGRESP may take.
    pub pong_timeout: Duration,
    /// The largest packet that is taken whole; larger messages are skipped and reported. At most the length of the
    /// buffer from which `handle_input` is fed.
    pub maximum_packet_size: u32,
    /// How many QoS 1 messages may wait for their PUBACK at once.
    pub send_window: u16,
    /// What becomes of unacknowledged messages when the server has lost the session.
    pub on_session_loss: OnSessionLoss,
    /// Whether QoS 1 messages are acknowledged as soon as they are handed over. Off: with `acknowledge`.
    pub auto_ack: bool,
    /// What happens when more QoS 1 messages come than there are places for messages that the application still holds.
    pub when_held: WhenHeld,
    /// Makes the delays of this machine differ from its neighbours'. To differ per device and per boot.
    pub seed: u64,
    /// One deadline over all of connecting: name, TCP, TLS, CONNACK.
    pub connect_timeout: Duration,
    /// The delays between attempts.
    pub backoff: Backoff,
    /// A connection that lasts this long resets the delays.
    pub stable_after: Duration,
    /// How many servers the driver's list has; they are tried in turn.
    pub servers: u8,
    /// Whether credentials may go over a transport that is in clear text or not verified. Loopback always may.
    pub allow_insecure_credentials: bool,
    /// Bounds and policy per class of message; a publication names its class by index.
    pub classes: [ClassLimits; CLASSES],
}

/// How many classes of messages there are.
pub const CLASSES: usize = 4;

impl Config {
    /// The defaults: MQTT 3.1.1, Clean Start off, Keep Alive 60 s, packets up to 4 KiB, full-jitter backoff from 1 s
    /// to 60 s.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            version: Version::V311,
            clean_start: false,
            keep_alive: 60,
            pong_timeout: Duration::from_secs(10),
            maximum_packet_size: 4096,
            send_window: 20,
            on_session_loss: OnSessionLoss::Republish,
            auto_ack: true,
            when_held: WhenHeld::Withhold,
            seed,
            connect_timeout: Duration::from_secs(30),
            backoff: Backoff {
                base: Duration::from_secs(1),
                cap: Duration::from_secs(60),
                slow_base: Duration::from_secs(30),
                slow_cap: Duration::from_secs(300),
            },
            stable_after: Duration::from_secs(30),
            servers: 1,
            allow_insecure_credentials: false,
            classes: [ClassLimits::UNBOUNDED; CLASSES],
        }
    }
}

impl Config {
    /// Whether the server keeps the session when the connection is lost. (With MQTT 5 it does not yet: no Session Expiry
    /// Interval is sent.)
    #[must_use]
    pub const fn keeps_session(&self) -> bool {
        !self.clean_start && !self.version.has_properties()
    }
}

/// Delays between attempts to connect. The delay before attempt n is drawn evenly from 0 to `base` × 2ⁿ, at most
/// `cap` (full jitter: a fleet that lost its server does not come back in step).
///
/// The slow lane is for what a quick retry cannot mend: refused credentials, an untrusted certificate, a second client
/// of the same name. There the delay is drawn from the upper half, so that it is never short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Bound of the first delay.
    pub base: Duration,
    /// Bound of every delay.
    pub cap: Duration,
    /// Bound of the first delay in the slow lane.
    pub slow_base: Duration,
    /// Bound of every delay in the slow lane.
    pub slow_cap: Duration,
}

/// What becomes of messages that were sent and not acknowledged when the server has lost the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSessionLoss {
    /// They are sent again as new messages, with a new packet identifier and DUP 0.
    Republish,
    /// They end as [`Outcome::SessionLost`](crate::Outcome::SessionLost).
    Fail,
}

/// What happens to a QoS 1 message when every place for unacknowledged ones is held by the application. Reading stops in
/// neither case: what is waited for may stand behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenHeld {
    /// It is handed over with a token that is void from the start, and not acknowledged on this connection. Once all that
    /// is held was acknowledged, the connection is ended, and the next has it delivered again, with DUP. Counted in
    /// [`Notice::Unacknowledged`](crate::Notice::Unacknowledged). With [`Config::clean_start`], which ends the session with
    /// the connection, as the other.
    Withhold,
    /// The oldest that is held is acknowledged before it is dealt with, and counted in
    /// [`Notice::AcknowledgedEarly`](crate::Notice::AcknowledgedEarly): a crash may lose it.
    AcknowledgeEarly,
}

/// The bounds of one class of outbound messages, and what happens at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassLimits {
    /// How many may wait.
    pub count: u16,
    /// How many bytes of topic and payload may wait.
    pub bytes: u32,
    /// What happens when one more comes.
    pub when_full: WhenFull,
    /// How long one may wait unsent, if the publication does not say; also on MQTT 3.1.1, which has no expiry.
    pub ttl: Option<Duration>,
}

impl ClassLimits {
    /// Bounded by the storage alone.
    pub const UNBOUNDED: Self = Self { count: u16::MAX, bytes: u32::MAX, when_full: WhenFull::Reject, ttl: None };
}

/// What happens to a message that comes when its class is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is not accepted.
    Reject,
    /// The oldest one that was not sent yet makes room.
    DropOldest,
    /// Not only when full: each new message takes the place of those on its topic (and, of triggers, of its name) that
    /// were not sent yet.
    Latest,
}
