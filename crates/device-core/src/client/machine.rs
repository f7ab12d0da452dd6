//! The client as a [`Machine`]: what drivers call.

use super::{Client, State};
use crate::event::{Actions, Attempt, DisconnectReason, Event, MessageKey, Notice, Outcome, Progress, Taken};
use crate::machine::Machine;
use crate::session::MAX_DECLARED;
use crate::source::Source;
use crate::storage::Storage;
use crate::time::{Duration, Instant};
use crate::{Failure, ProtocolError, Security};
use mqtt_device_proto::{Connect, Packet};

impl<S: Storage> Machine for Client<S> {
    type Storage = S;
    type Source = dyn Source + Send + Sync;
    type Event<'b> = Event<'b>;

    fn handle_input<'b>(&mut self, now: Instant, rx: &'b [u8]) -> Result<Progress<Event<'b>>, ProtocolError> {
        let progress = self.session.handle_input(now, rx)?;
        if let Some(Event::Connected { session_present }) = progress.event {
            self.accepted(now, session_present);
        }
        // At once, so that readiness is told before what stands behind the last SUBACK.
        self.check_ready();
        Ok(progress)
    }

    fn poll(&mut self, now: Instant) -> Actions {
        self.check_ready();
        self.run_timers(now);
        self.go_on_stopping(now);
        let session = self.session.poll(now);
        let connect = matches!(self.state, State::Opening { .. })
            .then_some(Attempt { server: self.server, number: self.attempt });
        let close = session.close || self.state == State::GivingUp;
        Actions { connect, close, deadline: self.next_timer().map(|(at, _)| at), ..session }
    }

    fn take_transmit(&mut self, now: Instant, source: &Self::Source, out: &mut [u8]) -> Taken<S::Payload> {
        self.session.take_transmit(now, source, out)
    }

    fn transmitted(&mut self, now: Instant, n: usize) {
        self.session.transmitted(now, n);
    }

    fn connected(&mut self, now: Instant, security: Security) {
        if let State::Opening { deadline } = self.state {
            // The same deadline goes on: it covers everything up to CONNACK.
            self.state = State::Handshake { deadline };
            self.session.connected(now, security);
        }
    }

    fn connect_failed(&mut self, now: Instant, why: Failure) {
        if matches!(self.state, State::Opening { .. } | State::GivingUp) {
            let late = self.state == State::GivingUp && self.stop.is_none();
            let reason = if late { DisconnectReason::ConnectTimeout } else { DisconnectReason::ConnectFailed(why) };
            self.attempt_failed(now, reason);
        }
    }

    fn disconnected(&mut self, now: Instant) {
        match self.state {
            State::Handshake { .. } | State::Online { .. } => {
                let said_goodbye = self.session.said_goodbye();
                if matches!(self.state, State::Handshake { .. }) {
                    // The server may have made a new session, and its CONNACK that says so is lost.
                    self.subscribed = false;
                }
                let progress = self.session.has_acknowledged();
                let reason = self.session.disconnected().unwrap_or(DisconnectReason::Transport);
                if reason == DisconnectReason::Redelivery && progress {
                    // The next portion need not wait; only messages that nobody can take are fetched ever more seldom.
                    self.attempt = 0;
                }
                if let Some(stop) = &mut self.stop {
                    stop.clean = said_goodbye;
                }
                self.connection_over(now, reason);
            }
            State::Opening { .. } | State::GivingUp => self.connect_failed(now, Failure::Other),
            State::Waiting { .. } | State::Stopped => {}
        }
    }

    fn poll_outcome(&mut self) -> Option<(MessageKey, Outcome)> {
        self.session.poll_outcome()
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.session.poll_notice()
    }

    fn take_wake(&mut self) -> bool {
        self.session.take_wake()
    }

    fn stop(&mut self, now: Instant, within: Duration) {
        self.begin_stop(now, within, true);
    }

    fn is_stopped(&self) -> bool {
        self.state == State::Stopped
    }

    fn set_wall_clock(&mut self, now: Instant, unix_ms: u64) {
        self.session.set_wall_clock(now, unix_ms);
    }

    fn rx_min(&self) -> usize {
        self.session.config().maximum_packet_size as usize
    }

    fn tx_min(&self, source: &Self::Source) -> usize {
        self.connect_room(source)
    }

    fn tx_wanted(&self) -> usize {
        self.session.longest_head()
    }
}

impl<S: Storage> Client<S> {
    /// The connection is accepted: subscriptions, unless the server still has them.
    fn accepted(&mut self, now: Instant, session_present: bool) {
        self.state = State::Online { since: now };
        if !(session_present && self.subscribed) {
            self.subscribed = false;
            self.session.subscribe_declared();
        }
    }

    fn check_ready(&mut self) {
        if self.ready || !self.session.is_connected() {
            return;
        }
        if !self.subscribed {
            self.subscribed = self.session.declared_result() == Some(true);
        }
        if self.subscribed {
            self.ready = true;
            self.session.notify(Notice::Ready { again: self.was_ready });
            self.was_ready = true;
        }
    }

    fn run_timers(&mut self, now: Instant) {
        let connect_timeout = self.session.config().connect_timeout;
        match self.state {
            State::Waiting { until } if until <= now && self.stop.is_none() => {
                self.state = State::Opening { deadline: now + connect_timeout };
            }
            State::Opening { deadline } if deadline <= now => self.state = State::GivingUp,
            State::Handshake { deadline } if deadline <= now => {
                self.session.close(DisconnectReason::ConnectTimeout);
            }
            State::Online { since } if now.since(since) >= self.session.config().stable_after => self.settle(),
            _ => {}
        }
    }

    /// A stop goes on by itself: once all is sent and acknowledged, DISCONNECT; at the deadline, close.
    fn go_on_stopping(&mut self, now: Instant) {
        let Some(stop) = self.stop else { return };
        match self.state {
            State::Waiting { .. } => self.end(),
            State::Opening { .. } => self.state = State::GivingUp,
            State::Online { .. } | State::Handshake { .. } if stop.deadline <= now => {
                self.session.close(DisconnectReason::Requested);
            }
            State::Online { .. } if stop.by_itself && (self.session.pending() == 0 || stop.goodbye_at <= now) => {
                self.say_goodbye();
            }
            _ => {}
        }
    }

    /// What CONNECT needs in a transmit buffer: room for the packet, and as much for assembling it.
    pub(crate) fn connect_room(&self, source: &dyn Source) -> usize {
        let mut scratch = [0; CONNECT_SCRATCH];
        let Ok(who) = source.credentials(Some(u64::MAX), &mut scratch) else { return CONNECT_SCRATCH * 2 };
        let packet = Packet::Connect(Connect {
            clean_start: false,
            will: who.will,
            username: who.username,
            password: who.password,
            ..Connect::new(who.client_id)
        });
        let version = self.session.config().version;
        let connect = packet.encoded_len(version).unwrap_or(usize::MAX);
        let subscribe = (0..MAX_DECLARED)
            .map_while(|index| source.subscription(index, &mut scratch).map(|s| s.filter.as_str().len()))
            .max()
            // Fixed header, packet identifier, properties, length and options around it.
            .map_or(0, |len| len.saturating_add(16));
        connect.max(subscribe).saturating_mul(2).max(64)
    }
}

/// Room on the stack for the strings of CONNECT while its length is counted.
const CONNECT_SCRATCH: usize = 1024;
