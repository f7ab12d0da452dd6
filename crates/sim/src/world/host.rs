//! A machine with its driver and its application: the driver contract of `mqtt_device_core::Machine`, kept to the letter.

use mqtt_device_core::{Actions, Attempt, Blocked, Failure, Instant, Machine, ProtocolError, Security, Storage};

use super::Net;
use crate::app::App;
use crate::link::{FOREVER, Link, LinkConfig, Read};
use crate::rng::Rng;
use crate::server::ConnectionId;
use crate::trace::Way;

/// How a host and its links are made.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// How links behave.
    pub link: LinkConfig,
    /// What the driver says about the transport.
    pub security: Security,
    /// Bytes of the receive buffer; at least what the machine asks for is used.
    pub rx: usize,
    /// Bytes of the transmit buffer; at least what the machine asks for is used.
    pub tx: usize,
    /// Whether flushes are reported in parts and reads and writes take turns by the seed.
    pub shuffles: bool,
}

impl HostConfig {
    /// A perfect link and a local transport; buffers as small as the machine allows.
    #[must_use]
    pub const fn new(link: LinkConfig) -> Self {
        Self { link, security: Security::Local, rx: 0, tx: 0, shuffles: false }
    }
}

/// What becomes of attempts to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// As the server says.
    Normal,
    /// They fail.
    Fails(Failure),
    /// They never end.
    Hangs,
}

#[derive(Debug)]
enum Transport {
    Down,
    Opening { until: Instant },
    Up { link: Box<Link>, connection: ConnectionId, consumed: u64 },
}

type Payload<M> = <<M as Machine>::Storage as Storage>::Payload;

/// One machine on the net.
pub struct Host<M: Machine, A> {
    /// The machine; call it through [`World::call`](super::World::call).
    pub machine: M,
    /// Its application.
    pub app: A,
    /// How the next links behave.
    pub config: HostConfig,
    /// What becomes of the next attempts.
    pub opening: Opening,
    source: Box<M::Source>,
    transport: Transport,
    rx: Vec<u8>,
    filled: usize,
    blocked: Option<Blocked>,
    deaf: bool,
    tx: Vec<u8>,
    body: Option<Payload<M>>,
    head: usize,
    taken: usize,
    written: usize,
    reported: usize,
    rng: Rng,
    cut_after_sent: Option<u64>,
    cut_after_received: Option<u64>,
    sent: u64,
    received: u64,
    attempts: Vec<(Instant, Attempt)>,
    errors: Vec<ProtocolError>,
    deadline: Option<Instant>,
}

impl<M: Machine, A: App<M>> Host<M, A> {
    pub(super) fn new(config: HostConfig, machine: M, source: Box<M::Source>, app: A, rng: Rng) -> Self {
        let rx = vec![0; config.rx.max(machine.rx_min())];
        let tx = vec![0; config.tx.max(machine.tx_min(&source))];
        Self {
            machine,
            app,
            config,
            opening: Opening::Normal,
            source,
            transport: Transport::Down,
            rx,
            filled: 0,
            blocked: None,
            deaf: false,
            tx,
            body: None,
            head: 0,
            taken: 0,
            written: 0,
            reported: 0,
            rng,
            cut_after_sent: None,
            cut_after_received: None,
            sent: 0,
            received: 0,
            attempts: Vec::new(),
            errors: Vec::new(),
            deadline: None,
        }
    }

    // ---------------------------------------------------------------- for tests

    /// All attempts to connect, with their times.
    #[must_use]
    pub fn attempts(&self) -> &[(Instant, Attempt)] {
        &self.attempts
    }

    /// What the machine said the server did wrong.
    #[must_use]
    pub fn errors(&self) -> &[ProtocolError] {
        &self.errors
    }

    /// Whether the transport is open.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self.transport, Transport::Up { .. })
    }

    /// Bytes that reached the server so far, on all connections.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent + self.link().map_or(0, Link::sent)
    }

    /// Bytes that reached the machine so far, on all connections.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received + self.link().map_or(0, Link::received)
    }

    /// Lends the machine something else from now on: other credentials, other filters.
    pub fn set_source(&mut self, source: Box<M::Source>) {
        self.source = source;
    }

    /// Cuts the link that is up when `bytes` bytes in all have reached the server, counted over all connections.
    pub fn cut_after_sent(&mut self, bytes: u64) {
        self.cut_after_sent = Some(bytes);
        self.plan_cuts();
    }

    /// Cuts the link that is up when `bytes` bytes in all have reached the machine, counted over all connections.
    pub fn cut_after_received(&mut self, bytes: u64) {
        self.cut_after_received = Some(bytes);
        self.plan_cuts();
    }

    /// Cuts the link now.
    pub fn cut(&mut self, now: Instant) {
        if let Transport::Up { link, .. } = &mut self.transport {
            link.cut(now);
        }
    }

    /// Lets nothing pass until then.
    pub fn stall(&mut self, until: Instant) {
        if let Transport::Up { link, .. } = &mut self.transport {
            link.stall(until);
        }
    }

    /// The link, while it is up.
    #[must_use]
    pub fn link(&self) -> Option<&Link> {
        match &self.transport {
            Transport::Up { link, .. } => Some(link),
            _ => None,
        }
    }

    // ---------------------------------------------------------------- the driver

    /// One turn of the driver; whether anything moved. The machine is polled once: what changes afterwards is progress,
    /// and makes another turn.
    pub(super) fn turn(&mut self, now: Instant, net: &mut Net) -> Result<bool, String> {
        let mut progress = self.wake_application(now)?;
        let actions = self.machine.poll(now);
        self.deadline = actions.deadline;
        progress |= self.drain(now, actions.notify)?;
        self.app.check(&self.machine)?;
        progress |= self.obey(now, actions, net)?;
        let writes_first = !self.config.shuffles || self.rng.percent(50);
        if writes_first {
            progress |= self.write(now, actions.transmit)?;
        }
        progress |= self.read(now, net)?;
        if !writes_first {
            progress |= self.write(now, actions.transmit)?;
        }
        Ok(progress)
    }

    fn wake_application(&mut self, now: Instant) -> Result<bool, String> {
        if self.app.due().is_none_or(|at| at > now) {
            return Ok(false);
        }
        let ((), missed) = self.call(now, |now, machine, app| app.wake(now, machine));
        match (missed, self.app.due().is_some_and(|at| at <= now)) {
            (Some(missed), _) => Err(missed),
            (None, true) => Err("the application is due again at once".into()),
            (None, false) => Ok(true),
        }
    }

    /// A call from outside: `take_wake` must tell when the answer of `poll` changed.
    pub(super) fn call<R>(
        &mut self,
        now: Instant,
        f: impl FnOnce(Instant, &mut M, &mut A) -> R,
    ) -> (R, Option<String>) {
        let before = self.machine.poll(now);
        self.machine.take_wake();
        let result = f(now, &mut self.machine, &mut self.app);
        let woken = self.machine.take_wake();
        let after = self.machine.poll(now);
        let more = after.transmit && !before.transmit
            || after.close && !before.close
            || after.notify && !before.notify
            || after.connect != before.connect
            || after.deadline.is_some_and(|at| before.deadline.is_none_or(|was| at < was));
        let missed = !woken && more;
        (result, missed.then(|| format!("nobody was woken: {before:?} became {after:?} by a call from outside")))
    }

    /// Connects and closes as the machine says.
    fn obey(&mut self, now: Instant, actions: Actions, net: &mut Net) -> Result<bool, String> {
        if actions.close {
            match &mut self.transport {
                Transport::Down => return Err("the machine wants to close what is not open".into()),
                Transport::Opening { .. } => {
                    self.transport = Transport::Down;
                    self.machine.disconnected(now);
                }
                Transport::Up { link, .. } => {
                    link.close();
                    self.give_up_link(now, net, "closed by the machine");
                }
            }
            return Ok(true);
        }
        match (actions.connect, &self.transport) {
            (Some(attempt), Transport::Down) => {
                self.attempts.push((now, attempt));
                let span = mqtt_device_core::Duration::from_millis(self.rng.within(&self.config.link.connect));
                let until = if self.opening == Opening::Hangs { FOREVER } else { now + span };
                self.transport = Transport::Opening { until };
                Ok(true)
            }
            (Some(_), Transport::Up { .. }) => Err("the machine wants to connect while it is connected".into()),
            (_, Transport::Opening { until }) if *until <= now => {
                self.opened(now, net);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn opened(&mut self, now: Instant, net: &mut Net) {
        self.transport = Transport::Down;
        let failure = match self.opening {
            Opening::Fails(failure) => Some(failure),
            _ => None,
        };
        let accepted = if failure.is_none() { net.server.accept(now) } else { None };
        match accepted {
            Some(connection) => {
                net.server.trace.line(now, Way::Note, format!("{connection} opened"));
                let link = Box::new(Link::new(self.config.link.clone(), self.rng.fork()));
                self.transport = Transport::Up { link, connection, consumed: 0 };
                self.plan_cuts();
                self.machine.connected(now, self.config.security);
            }
            None => {
                let why = failure.unwrap_or(Failure::Refused);
                net.server.trace.line(now, Way::Note, format!("opening failed: {why:?}"));
                self.machine.connect_failed(now, why);
            }
        }
    }

    fn write(&mut self, now: Instant, wanted: bool) -> Result<bool, String> {
        let Transport::Up { link, .. } = &mut self.transport else { return Ok(false) };
        let mut progress = false;
        if self.taken == 0 && wanted {
            let taken = self.machine.take_transmit(now, &self.source, &mut self.tx);
            let body = taken.body.as_ref().map_or(0, |body| body.as_ref().len());
            (self.head, self.taken) = (taken.len, taken.len + body);
            (self.written, self.reported, self.body) = (0, 0, taken.body);
            if self.taken == 0 && self.machine.poll(now).transmit {
                return Err("the machine has something to transmit and gives no bytes".into());
            }
            progress = true;
        }
        while self.written < self.taken {
            let rest = match self.written < self.head {
                true => &self.tx[self.written..self.head],
                false => &self.body.as_ref().map_or(&[][..], |b| b.as_ref())[self.written - self.head..],
            };
            match link.write(now, rest) {
                Some(0) | None => break,
                Some(n) => self.written += n,
            }
            progress = true;
        }
        if self.taken > 0 && link.is_open() {
            let flushed = self.written.saturating_sub(link.unflushed(now));
            let whole = flushed == self.taken;
            let fresh = flushed.saturating_sub(self.reported);
            if fresh > 0 && (whole || self.config.shuffles && self.rng.percent(30)) {
                self.machine.transmitted(now, fresh);
                self.reported = flushed;
                progress = true;
            }
            if whole {
                (self.taken, self.written, self.reported, self.head) = (0, 0, 0, 0);
                self.body = None;
            }
        }
        Ok(progress)
    }

    fn read(&mut self, now: Instant, net: &mut Net) -> Result<bool, String> {
        let Transport::Up { link, connection, .. } = &mut self.transport else { return Ok(false) };
        let connection = *connection;
        let mut progress = net.exchange(now, link, connection);
        loop {
            let room = self.rx.len() - self.filled;
            let most = if self.config.shuffles && room > 1 { 1 + self.rng.below(room) } else { room };
            let Transport::Up { link, .. } = &mut self.transport else { return Ok(true) };
            let read = if most > 0 { link.read(now, most) } else { Read::Nothing };
            if let Read::Bytes(bytes) = &read {
                self.rx[self.filled..self.filled + bytes.len()].copy_from_slice(bytes);
                self.filled += bytes.len();
            }
            let moved = self.feed(now, net)?;
            progress |= moved;
            match read {
                // What had come was handed over first.
                Read::Closed => {
                    self.give_up_link(now, net, "closed by the server, or cut");
                    return Ok(true);
                }
                Read::Bytes(_) => progress = true,
                Read::Nothing if !moved => return Ok(progress),
                Read::Nothing => {}
            }
        }
    }

    /// Hands over what is in the buffer, a packet at a time.
    fn feed(&mut self, now: Instant, net: &mut Net) -> Result<bool, String> {
        let Transport::Up { connection, consumed, .. } = &mut self.transport else { return Ok(false) };
        let mut used = 0;
        while used < self.filled {
            if self.deaf {
                used = self.filled;
                break;
            }
            let progress = match self.machine.handle_input(now, &self.rx[used..self.filled]) {
                Ok(progress) => progress,
                Err(error) => {
                    net.server.trace.line(now, Way::Note, format!("protocol error: {error}"));
                    self.errors.push(error);
                    self.deaf = true;
                    continue;
                }
            };
            if progress.consumed > self.filled - used {
                return Err("the machine consumed more than there was".into());
            }
            if progress.consumed == 0 && progress.event.is_some() {
                return Err("an event came of no bytes".into());
            }
            used += progress.consumed;
            *consumed += progress.consumed as u64;
            self.blocked = progress.blocked;
            net.server.delivered(*connection, *consumed);
            if let Some(event) = progress.event {
                self.app.event(now, &mut self.machine, event);
            }
            if progress.consumed == 0 {
                break;
            }
        }
        self.rx.copy_within(used..self.filled, 0);
        self.filled -= used;
        if self.filled == self.rx.len() && self.blocked.is_none() {
            return Err(format!("the buffer of {} bytes is full and the machine waits for more", self.filled));
        }
        Ok(used > 0)
    }

    fn drain(&mut self, now: Instant, promised: bool) -> Result<bool, String> {
        let mut any = false;
        while let Some((key, outcome)) = self.machine.poll_outcome() {
            self.app.outcome(now, &mut self.machine, key, outcome);
            any = true;
        }
        while let Some(notice) = self.machine.poll_notice() {
            self.app.notice(now, &mut self.machine, notice);
            any = true;
        }
        match promised && !any {
            true => Err("the machine has something to tell and tells nothing".into()),
            false => Ok(any),
        }
    }

    fn give_up_link(&mut self, now: Instant, net: &mut Net, why: &str) {
        if let Transport::Up { link, connection, .. } = core::mem::replace(&mut self.transport, Transport::Down) {
            net.server.trace.line(now, Way::Note, format!("{connection} {why}"));
            self.sent += link.sent();
            self.received += link.received();
            // A planned cut happens once.
            self.cut_after_sent = self.cut_after_sent.filter(|&bytes| bytes > self.sent);
            self.cut_after_received = self.cut_after_received.filter(|&bytes| bytes > self.received);
            net.leave(*link, connection);
        }
        (self.filled, self.deaf, self.blocked) = (0, false, None);
        (self.taken, self.written, self.reported, self.head) = (0, 0, 0, 0);
        self.body = None;
        self.machine.disconnected(now);
    }

    /// Tells the link of planned cuts, in bytes of this connection.
    fn plan_cuts(&mut self) {
        let ahead = |plan: Option<u64>, before: u64| plan.and_then(|bytes| bytes.checked_sub(before));
        let sent = ahead(self.cut_after_sent, self.sent);
        let received = ahead(self.cut_after_received, self.received);
        if let Transport::Up { link, .. } = &mut self.transport {
            link.cut_after_sent(sent);
            link.cut_after_received(received);
        }
    }

    pub(super) const fn machine_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// When this host has something to do next.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let transport = match &self.transport {
            Transport::Down => None,
            Transport::Opening { until } => Some(*until).filter(|&at| at < FOREVER),
            Transport::Up { link, .. } => link.next(),
        };
        [transport, self.deadline, self.app.due()].into_iter().flatten().filter(|&at| at > now).min()
    }
}

impl<M: Machine, A> core::fmt::Debug for Host<M, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Host")
            .field("transport", &self.transport)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
