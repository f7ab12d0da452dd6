//! One MQTT session: bytes and times in, bytes and facts out. It outlives its connections and opens none itself.

mod accept;
mod arena;
mod declared;
mod inbound;
mod notices;
mod outbound;
mod ring;
mod skip;
mod slot;
mod state;
mod timers;
mod transmit;

pub use declared::MAX_DECLARED;
pub use outbound::{Publication, PublicationTopic};
pub use ring::InSlot;
pub use slot::OutSlot;
pub use timers::Timer;

use crate::config::{Config, WhenHeld};
use crate::event::{AckToken, Actions, DisconnectReason, Event, MessageKey, Notice, Outcome, Progress, Taken};
use crate::source::{BodyToken, Source};
use crate::storage::Storage;
use crate::time::Instant;
use crate::{ProtocolError, Security};
use slot::Body;
use state::{Closing, Connection, Core, Stage};

/// One MQTT session on a storage.
///
/// It is passive: [`Client`](crate::Client) adds connecting, and drivers know neither. All its logic is in a `Core`
/// that works on the slices of the storage and does not know their lengths.
#[derive(Clone, Debug)]
pub struct Session<S> {
    core: Core,
    storage: S,
}

impl<S: Storage> Session<S> {
    /// A session that is not connected.
    #[must_use]
    pub const fn new(config: Config, storage: S) -> Self {
        Self { core: Core::new(config), storage }
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.core.config
    }

    /// The transport is open: CONNECT is due.
    pub fn connected(&mut self, now: Instant, security: Security) {
        self.core.fit(self.storage.out_limit());
        self.core.rewind(&mut self.storage.parts());
        self.core.connections = self.core.connections.wrapping_add(1);
        self.core.connection = Some(Connection::new(now, security, self.core.order.first));
    }

    /// The transport is gone. Says why, as far as this side decided it.
    pub fn disconnected(&mut self) -> Option<DisconnectReason> {
        let connection = self.core.connection.take()?;
        self.core.rewind(&mut self.storage.parts());
        if self.core.is_idle() {
            self.storage.shrink();
            self.core.forget_storage();
        }
        connection.closing.map(|closing| closing.reason)
    }

    /// See [`Machine::handle_input`](crate::Machine::handle_input).
    ///
    /// # Errors
    /// The server broke the protocol.
    pub fn handle_input<'b>(&mut self, now: Instant, rx: &'b [u8]) -> Result<Progress<Event<'b>>, ProtocolError> {
        let full_at = self.core.connection.as_ref().and_then(|c| c.ring.full_at(self.storage.parts().inbound));
        if let (Some(head), Some(c)) = (full_at, &mut self.core.connection)
            && self.storage.grow_inbound(head)
        {
            c.ring.moved();
        }
        self.core.handle_input(&mut self.storage.parts(), now, rx)
    }

    /// See [`Machine::take_transmit`](crate::Machine::take_transmit).
    pub fn take_transmit(&mut self, now: Instant, source: &dyn Source, out: &mut [u8]) -> Taken<S::Payload> {
        self.core.take(&mut self.storage.parts(), now, source, out)
    }

    /// See [`Machine::transmitted`](crate::Machine::transmitted).
    pub fn transmitted(&mut self, now: Instant, n: usize) {
        self.core.transmitted(&mut self.storage.parts(), now, n);
    }

    /// Runs what is due, and says what is wanted; `connect` is never part of it.
    pub fn poll(&mut self, now: Instant) -> Actions {
        let parts = &mut self.storage.parts();
        self.core.run_timers(parts, now);
        self.core.fetch_withheld();
        self.core.wake = false;
        Actions {
            transmit: self.core.wants_transmit(parts),
            close: self.core.connection.as_ref().is_some_and(Connection::is_over),
            notify: self.core.ended.len > 0 || !self.core.notices.is_empty(),
            deadline: self.next_timer().map(|(at, _)| at),
            ..Actions::default()
        }
    }

    /// The deadline that comes first, and its name.
    #[must_use]
    pub fn next_timer(&self) -> Option<(Instant, Timer)> {
        self.core.deadlines().into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// The declared subscriptions are to be asked for on this connection.
    pub fn subscribe_declared(&mut self) {
        if let Some(c) = &mut self.core.connection {
            c.declared.want();
            self.core.wake = true;
        }
    }

    /// Whether all declared subscriptions are answered; `Some(false)` when one was refused.
    #[must_use]
    pub fn declared_result(&self) -> Option<bool> {
        self.core.connection.as_ref()?.declared.result()
    }

    /// The message of this token is dealt with: its acknowledgement leaves after those before it. False when the token
    /// is void, since the connection is another or it was acknowledged early.
    pub fn acknowledge(&mut self, token: AckToken) -> bool {
        if token.connection != self.core.connections {
            return false;
        }
        let Some(c) = &mut self.core.connection else { return false };
        let done = c.ring.ready(self.storage.parts().inbound, token.sequence);
        self.core.wake |= done;
        done
    }

    /// The message of this token cannot be dealt with: it is not acknowledged, and neither are those behind it, since
    /// acknowledgements must leave in order. The server delivers them again on the next connection, which this machine
    /// begins itself once those before it are dealt with. False when the token is void. With [`Config::clean_start`] nothing would bring it again: then it is acknowledged, and lost.
    pub fn forgo(&mut self, token: AckToken) -> bool {
        if !self.core.config.keeps_session() {
            return self.acknowledge(token);
        }
        let given_up = match &mut self.core.connection {
            Some(c) if token.connection == self.core.connections => {
                c.ring.forgo(self.storage.parts().inbound, token.sequence)
            }
            _ => false,
        };
        if given_up {
            let _ = self.core.withhold();
        }
        given_up
    }

    /// The end has begun: no connection is ended for another reason than that.
    pub(crate) fn begin_stop(&mut self) {
        self.core.stopping = true;
        let undone = Closing { reason: DisconnectReason::Redelivery, stage: Stage::Owed };
        if let Some(c) = self.core.connection.as_mut().filter(|c| c.closing == Some(undone)) {
            c.closing = None;
        }
    }

    /// Whether a message was acknowledged on this connection.
    pub(crate) fn has_acknowledged(&self) -> bool {
        self.core.connection.as_ref().is_some_and(|c| c.acknowledged)
    }

    /// Names a held message, so that several can be acknowledged as one.
    pub(crate) fn tag(&mut self, token: AckToken, tag: u32) {
        if token.connection == self.core.connections
            && let Some(c) = &mut self.core.connection
        {
            c.ring.tag(self.storage.parts().inbound, token.sequence, tag);
        }
    }

    /// The name that a held message was given.
    pub(crate) fn tag_of(&mut self, token: AckToken) -> Option<u32> {
        let c = self.core.connection.as_ref().filter(|_| token.connection == self.core.connections)?;
        c.ring.tag_of(self.storage.parts().inbound, token.sequence)
    }

    /// Acknowledges all held messages of a name; whether there was one.
    pub(crate) fn acknowledge_tagged(&mut self, tag: u32) -> bool {
        let Some(c) = &mut self.core.connection else { return false };
        let any = c.ring.ready_tagged(self.storage.parts().inbound, tag);
        self.core.wake |= any;
        any
    }

    /// The same, counted as early.
    pub(crate) fn acknowledge_tagged_early(&mut self, tag: u32) {
        if self.acknowledge_tagged(tag) {
            self.core.early_ack();
        }
    }

    /// The name of an acknowledgement that was taken, and where in the stream it ends. To be drained after each take.
    pub(crate) fn take_written(&mut self) -> Option<(u32, u64)> {
        self.core.connection.as_mut()?.written.pop()
    }

    /// From now on nothing is acknowledged early.
    pub(crate) fn never_acknowledge_early(&mut self) {
        self.core.config.when_held = WhenHeld::Withhold;
    }

    /// The room that the longest head among what waits needs in a transmit buffer.
    pub(crate) fn longest_head(&self) -> usize {
        self.core.longest_name.saturating_add(HEAD)
    }

    /// Bytes taken on this connection, and the position before which the server has received all.
    pub(crate) fn positions(&self) -> (u64, u64) {
        self.core.connection.as_ref().map_or((0, 0), |c| (c.taken, c.confirmed))
    }

    /// Gives up an operation of which no byte has left; its outcome is `Dropped(Cancelled)`. False when it is too late.
    pub fn cancel(&mut self, key: MessageKey) -> bool {
        self.core.cancel(&mut self.storage.parts(), key)
    }

    pub(crate) fn park(&mut self, key: MessageKey, parked: bool) {
        self.core.park(&mut self.storage.parts(), key, parked);
    }

    pub(crate) fn move_to_front(&mut self, key: MessageKey) {
        self.core.move_to_front(&mut self.storage.parts(), key);
    }

    /// So many slots are kept for `publish_inner`.
    pub(crate) fn reserve(&mut self, slots: u16) {
        self.core.reserved = slots;
    }

    /// Whether one more slot could be reserved, counting those that the storage could still add.
    pub(crate) fn has_spare_slot(&self) -> bool {
        self.core.free_slots(self.storage.out_limit()) > usize::from(self.core.reserved)
    }

    /// Ends the connection after what is half written and the acknowledgements, with DISCONNECT.
    pub fn disconnect(&mut self) {
        self.core.close(DisconnectReason::Requested, true);
        self.core.wake = true;
    }

    /// Ends the connection for this reason; with DISCONNECT only where `goodbye` says so.
    pub(crate) fn close(&mut self, reason: DisconnectReason) {
        self.core.close(reason, false);
        self.core.wake = true;
    }

    /// Gives up all that is not sent; each has its outcome.
    pub(crate) fn drop_all(&mut self, why: crate::DropReason) {
        let parts = &mut self.storage.parts();
        while self.core.order.first != slot::NONE {
            let first = self.core.order.first;
            self.core.finish(parts.out, first, Outcome::Dropped(why));
        }
    }

    /// The next outcome. Every accepted operation has exactly one.
    pub fn poll_outcome(&mut self) -> Option<(MessageKey, Outcome)> {
        self.core.take_outcome(self.storage.parts().out)
    }

    /// The outcome of a `publish_inner` that asked to be told.
    pub(crate) fn take_inner_outcome(&mut self) -> Option<(BodyToken, Outcome)> {
        self.core.take_inner_outcome(self.storage.parts().out)
    }

    /// Whether a publication of this body waits: unsent, or at all.
    pub(crate) fn has_body(&mut self, body: BodyToken, unsent: bool) -> bool {
        let parts = self.storage.parts();
        let waits = |slot: &OutSlot<S::Payload>| {
            matches!(slot.body, Body::Source(b) if b == body) && (!unsent || outbound::is_unsent(slot))
        };
        self.core.find(&parts, |slot, _| waits(slot)).is_some()
    }

    /// Whether no byte of an operation has left.
    pub(crate) fn is_unsent(&mut self, key: MessageKey) -> bool {
        let parts = self.storage.parts();
        self.core.find(&parts, |slot, _| slot.key == key && outbound::is_unsent(slot)).is_some()
    }

    /// Whether DISCONNECT has left on this connection.
    pub(crate) fn said_goodbye(&self) -> bool {
        self.core.connection.as_ref().is_some_and(Connection::said_goodbye)
    }

    /// The oldest operation of a class that is held back.
    pub(crate) fn first_parked(&mut self, class: u8) -> Option<MessageKey> {
        let parts = self.storage.parts();
        let i = self.core.find(&parts, |slot, _| slot.class == class && slot.parked)?;
        parts.out.get(usize::from(i)).map(|slot| slot.key)
    }

    /// The next notice.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.core.notices.pop()
    }

    pub(crate) fn notify(&mut self, notice: Notice) {
        self.core.notices.push(notice);
        self.core.wake = true;
    }

    /// See [`Machine::take_wake`](crate::Machine::take_wake).
    pub fn take_wake(&mut self) -> bool {
        core::mem::take(&mut self.core.wake)
    }

    pub(crate) fn wake(&mut self) {
        self.core.wake = true;
    }

    /// Whether the server has accepted the connection and it is not being closed.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.core.open().is_some()
    }

    /// Whether a transport is open.
    pub(crate) fn has_transport(&self) -> bool {
        self.core.connection.is_some()
    }

    /// Operations that have not ended.
    #[must_use]
    pub fn pending(&self) -> usize {
        usize::from(self.core.order.len).saturating_add(usize::from(self.core.flushing.len))
    }

    /// A PINGREQ is sent now, unless one is on its way.
    pub fn request_ping(&mut self) {
        self.core.request_ping();
    }

    /// See [`Machine::set_wall_clock`](crate::Machine::set_wall_clock).
    pub fn set_wall_clock(&mut self, now: Instant, unix_ms: u64) {
        self.core.wall_clock = Some((now, unix_ms));
    }
}

/// Around a topic or filter: fixed header, two lengths, packet identifier, options.
const HEAD: usize = 16;
/// The largest packet there is: four bytes of length and the fixed header's first.
const MAX_PACKET: u64 = 268_435_455 + 5;
/// Subscriptions count in no class.
const NO_CLASS: u8 = u8::MAX;
