//! A session that keeps itself connected: attempts, delays, servers, declared subscriptions, an orderly end.

mod backoff;
mod machine;

use crate::config::Config;
use crate::event::{AckToken, DisconnectReason, DropReason, MessageKey, Notice};
use crate::session::{Publication, Session, Timer};
use crate::source::BodyToken;
use crate::storage::Storage;
use crate::time::{Duration, Instant};
use crate::{PublishError, SubscribeError};
use backoff::{Lane, Random, lane};
use mqtt_device_proto::SubscribeOptions;

/// So many short connections in a row look like two clients with one Client Identifier.
const SHORT_CONNECTIONS: u8 = 3;

/// Where the client is between two connections, or on one.
///
/// | from | event | to |
/// |---|---|---|
/// | `Waiting` | its time has come | `Opening` |
/// | `Opening` | `connected` | `Handshake` |
/// | `Opening` | `connect_failed`, deadline | `Waiting` |
/// | `Handshake` | CONNACK, accepted | `Online` |
/// | `Handshake`, `Online` | `disconnected` | `Waiting` |
/// | any | `stop`, and all is done | `Stopped` |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// The next attempt starts at this time.
    Waiting { until: Instant },
    /// The driver opens the transport.
    Opening { deadline: Instant },
    /// The transport is to be given up: too late.
    GivingUp,
    /// CONNECT is on its way.
    Handshake { deadline: Instant },
    /// The server has accepted; stable from this time on.
    Online { since: Instant },
    /// The end.
    Stopped,
}

/// A [`Session`] that connects by itself and comes back after any failure.
///
/// Drive it through [`Machine`](crate::Machine). What it always wants to hear is declared in the
/// [`Source`](crate::Source): it is subscribed to again whenever the server has lost the session.
#[derive(Clone, Debug)]
pub struct Client<S> {
    session: Session<S>,
    state: State,
    random: Random,
    /// Attempts since the last stable connection.
    attempt: u32,
    server: u8,
    /// Connections in a row that were accepted and ended before they were stable.
    short: u8,
    /// The declared subscriptions are granted on the server, as far as we know.
    subscribed: bool,
    ready: bool,
    was_ready: bool,
    stop: Option<Stop>,
}

/// An orderly end in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stop {
    deadline: Instant,
    /// DISCONNECT goes out now whatever is still unacknowledged.
    goodbye_at: Instant,
    /// DISCONNECT follows by itself once nothing is left; else the layer above asks for it.
    by_itself: bool,
    /// DISCONNECT was asked for: everything left in order.
    goodbye: bool,
    clean: bool,
}

impl<S: Storage> Client<S> {
    /// A client that connects at the first `poll`.
    #[must_use]
    pub const fn new(config: Config, storage: S) -> Self {
        let random = Random::new(config.seed);
        Self {
            session: Session::new(config, storage),
            state: State::Waiting { until: Instant::ZERO },
            random,
            attempt: 0,
            server: 0,
            short: 0,
            subscribed: false,
            ready: false,
            was_ready: false,
            stop: None,
        }
    }

    /// See [`Session::publish`].
    ///
    /// # Errors
    /// See [`PublishError`]; nothing has changed then.
    pub fn publish(
        &mut self,
        now: Instant,
        publication: &Publication<'_>,
        payload: &[u8],
    ) -> Result<MessageKey, PublishError> {
        self.accepts().ok_or(PublishError::Stopped)?.publish(now, publication, payload)
    }

    /// See [`Session::publish_owned`].
    ///
    /// # Errors
    /// See [`PublishError`]; nothing has changed then.
    pub fn publish_owned(
        &mut self,
        now: Instant,
        publication: &Publication<'_>,
        payload: S::Payload,
    ) -> Result<MessageKey, PublishError> {
        self.accepts().ok_or(PublishError::Stopped)?.publish_owned(now, publication, payload)
    }

    /// See [`Session::publish_from_source`].
    ///
    /// # Errors
    /// See [`PublishError`]; nothing has changed then.
    pub fn publish_from_source(
        &mut self,
        now: Instant,
        publication: &Publication<'_>,
        body: BodyToken,
    ) -> Result<MessageKey, PublishError> {
        self.accepts().ok_or(PublishError::Stopped)?.publish_from_source(now, publication, body)
    }

    /// See [`Session::subscribe`].
    ///
    /// # Errors
    /// See [`SubscribeError`]; nothing has changed then.
    pub fn subscribe(
        &mut self,
        now: Instant,
        filter: &str,
        options: SubscribeOptions,
    ) -> Result<MessageKey, SubscribeError> {
        self.accepts().ok_or(SubscribeError::Stopped)?.subscribe(now, filter, options)
    }

    /// See [`Session::unsubscribe`].
    ///
    /// # Errors
    /// See [`SubscribeError`]; nothing has changed then.
    pub fn unsubscribe(&mut self, now: Instant, filter: &str) -> Result<MessageKey, SubscribeError> {
        self.accepts().ok_or(SubscribeError::Stopped)?.unsubscribe(now, filter)
    }

    /// See [`Session::acknowledge`].
    pub fn acknowledge(&mut self, token: AckToken) -> bool {
        self.session.acknowledge(token)
    }

    /// See [`Session::forgo`].
    pub fn forgo(&mut self, token: AckToken) -> bool {
        self.session.forgo(token)
    }

    /// See [`Session::cancel`].
    pub fn cancel(&mut self, key: MessageKey) -> bool {
        self.session.cancel(key)
    }

    /// The source declares other subscriptions than before: they are asked for again.
    pub fn subscriptions_changed(&mut self) {
        self.subscribed = false;
        self.ready = false;
        if self.session.is_connected() {
            self.session.subscribe_declared();
        }
    }

    /// Whether the server has accepted the connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.session.is_connected()
    }

    /// Whether all declared subscriptions are granted on this connection.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.ready
    }

    /// Operations that have not ended.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.session.pending()
    }

    /// The next deadline and its name: for debugging, "why did I wake?".
    #[must_use]
    pub fn next_timer(&self) -> Option<(Instant, Timer)> {
        let own = match self.state {
            State::Waiting { until } => Some((until, Timer::Retry)),
            State::Opening { deadline } | State::Handshake { deadline } => Some((deadline, Timer::Connect)),
            State::Online { since } if self.attempt > 0 || self.short > 0 => {
                Some((since + self.session.config().stable_after, Timer::Stable))
            }
            State::Online { .. } | State::GivingUp | State::Stopped => None,
        };
        let stop = self.stop.filter(|_| self.state != State::Stopped).map(|stop| {
            let waits = stop.by_itself && !stop.goodbye && matches!(self.state, State::Online { .. });
            (if waits { stop.goodbye_at } else { stop.deadline }, Timer::Stop)
        });
        [self.session.next_timer(), own, stop].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// The session, for questions.
    #[must_use]
    pub const fn session(&self) -> &Session<S> {
        &self.session
    }

    pub(crate) fn session_mut(&mut self) -> &mut Session<S> {
        &mut self.session
    }

    fn accepts(&mut self) -> Option<&mut Session<S>> {
        self.stop.is_none().then_some(&mut self.session)
    }

    /// The attempt is over before a connection stood.
    fn attempt_failed(&mut self, now: Instant, reason: DisconnectReason) {
        self.next_server();
        self.retry(now, reason, lane(reason));
    }

    /// No connection came about: the next server is tried.
    fn next_server(&mut self) {
        let servers = self.session.config().servers.max(1);
        self.server = self.server.wrapping_add(1).checked_rem(servers).unwrap_or(0);
        // A server that is away explains short connections before it: this is no twin that pushes us out.
        self.short = 0;
    }

    /// The transport of a connection is gone.
    fn connection_over(&mut self, now: Instant, reason: DisconnectReason) {
        let accepted_at = if let State::Online { since } = self.state { Some(since) } else { None };
        let stable_after = self.session.config().stable_after;
        let mut lane = lane(reason);
        match accepted_at {
            Some(since) if now.since(since) >= stable_after => self.settle(),
            // Its own doing.
            Some(_) if reason == DisconnectReason::Redelivery => {}
            Some(_) => {
                self.short = self.short.saturating_add(1);
                if self.short >= SHORT_CONNECTIONS {
                    if self.short == SHORT_CONNECTIONS {
                        self.session.notify(Notice::PossibleDuplicateClient);
                    }
                    lane = Lane::Slow;
                }
            }
            None => self.next_server(),
        }
        self.retry(now, reason, lane);
    }

    fn retry(&mut self, now: Instant, reason: DisconnectReason, lane: Lane) {
        self.ready = false;
        let delay = self.session.config().backoff.delay(lane, self.attempt, &mut self.random);
        self.attempt = self.attempt.saturating_add(1);
        let again = self.stop.is_none();
        self.state = if again { State::Waiting { until: now + delay } } else { self.state };
        self.session.notify(Notice::Disconnected { reason, retry_in: again.then_some(delay) });
        if !again {
            self.end();
        }
    }

    /// The connection is stable: delays begin from the start.
    fn settle(&mut self) {
        self.attempt = 0;
        self.short = 0;
    }

    /// Everything is over; what was not sent has its outcome.
    fn end(&mut self) {
        if self.state == State::Stopped {
            return;
        }
        self.state = State::Stopped;
        let clean = self.stop.is_some_and(|stop| stop.clean) && self.session.pending() == 0;
        self.session.drop_all(DropReason::Stopped);
        self.session.notify(Notice::Stopped { clean });
    }

    /// DISCONNECT, once nothing is left to send.
    pub(crate) fn say_goodbye(&mut self) {
        if let Some(stop) = self.stop.as_mut().filter(|stop| !stop.goodbye) {
            stop.goodbye = true;
            self.session.disconnect();
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    pub(crate) fn begin_stop(&mut self, now: Instant, within: Duration, by_itself: bool) {
        let deadline = now + within;
        let goodbye_at = now + Duration::from_millis(within.as_millis().saturating_mul(3) / 4);
        match &mut self.stop {
            Some(stop) => {
                stop.deadline = stop.deadline.min(deadline);
                stop.goodbye_at = stop.goodbye_at.min(goodbye_at);
            }
            None => self.stop = Some(Stop { deadline, goodbye_at, by_itself, goodbye: false, clean: false }),
        }
        self.session.begin_stop();
        self.session.wake();
    }
}
