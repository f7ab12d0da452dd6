//! The one trait that drivers know.

use crate::event::{Actions, MessageKey, Notice, Outcome, Progress, Taken};
use crate::storage::Storage;
use crate::time::{Duration, Instant};
use crate::{Failure, ProtocolError, Security};

/// A state machine that a driver can run: [`Client`](crate::Client) or [`Device`](crate::Device).
///
/// A driver does five things, in any order and as often as it likes:
/// 1. `poll(now)`, and do what the [`Actions`] say;
/// 2. bytes that came: `handle_input(now, bytes)` until it consumes nothing;
/// 3. `take_transmit` into its own buffer, write, flush, `transmitted(now, n)`;
/// 4. drain `poll_outcome` and `poll_notice`;
/// 5. tell what happened to the transport: `connected`, `connect_failed`, `disconnected`.
///
/// After any call that came from the application, `take_wake` says whether the answer of `poll` changed.
pub trait Machine {
    /// Where messages wait.
    type Storage: Storage;
    /// What the application lends while something is written.
    type Source: ?Sized;
    /// What a packet from the server means here.
    type Event<'b>: Send;

    /// Handles at most one packet at the beginning of `rx`, any prefix of what came from the transport.
    ///
    /// # Errors
    /// The server broke the protocol. Drop all input from then on, go on writing, and end at [`Actions::close`].
    fn handle_input<'b>(&mut self, now: Instant, rx: &'b [u8]) -> Result<Progress<Self::Event<'b>>, ProtocolError>;

    /// Runs what is due and says all that is wanted.
    fn poll(&mut self, now: Instant) -> Actions;

    /// Fills `out` with as many packets as fit, in wire order. `out` has at least [`Machine::tx_min`] bytes.
    fn take_transmit(
        &mut self,
        now: Instant,
        source: &Self::Source,
        out: &mut [u8],
    ) -> Taken<<Self::Storage as Storage>::Payload>;

    /// `n` bytes more are *flushed*: they left the transport's own buffers.
    fn transmitted(&mut self, now: Instant, n: usize);

    /// The transport is open.
    fn connected(&mut self, now: Instant, security: Security);

    /// The transport could not be opened.
    fn connect_failed(&mut self, now: Instant, why: Failure);

    /// The transport is gone. Bytes that were taken and not flushed are lost with it.
    fn disconnected(&mut self, now: Instant);

    /// The next operation that ended.
    fn poll_outcome(&mut self) -> Option<(MessageKey, Outcome)>;

    /// The next notice.
    fn poll_notice(&mut self) -> Option<Notice>;

    /// Whether what `poll` last said has changed since: the driver is to be woken.
    fn take_wake(&mut self) -> bool;

    /// Ends in an orderly way within `within`: what was accepted leaves, the server gets DISCONNECT, the transport is
    /// closed. Done when [`Machine::is_stopped`].
    fn stop(&mut self, now: Instant, within: Duration);

    /// Whether `stop` has come to its end and the transport is closed.
    fn is_stopped(&self) -> bool;

    /// Tells the wall clock, for timestamps: `unix_ms` milliseconds since 1970 at `now`.
    fn set_wall_clock(&mut self, now: Instant, unix_ms: u64);

    /// The least length of the buffer from which `handle_input` is fed.
    fn rx_min(&self) -> usize;

    /// The least length of the buffer that `take_transmit` fills.
    fn tx_min(&self, source: &Self::Source) -> usize;

    /// What waits now needs a buffer of this length: a message whose topic does not fit into what `take_transmit` is
    /// given ends as refused, [`ReasonCode::PACKET_TOO_LARGE`](crate::ReasonCode::PACKET_TOO_LARGE).
    fn tx_wanted(&self) -> usize;
}
