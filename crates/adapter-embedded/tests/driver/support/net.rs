//! A link, a model server and a clock in memory behind the embedded traits: time passes only when nothing can move.

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use mqtt_device_core::{Duration, Failure, Instant, Security};
use mqtt_device_embedded::{Clock, Connector, Link as Halves};
use mqtt_device_sim::gateway::Gateway;
use mqtt_device_sim::link::{Link, LinkConfig, Read as Came};
use mqtt_device_sim::rng::Rng;
use mqtt_device_sim::server::{ConnectionId, Server, ServerConfig};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// The world outside of the driver. Everything borrows it.
pub(crate) struct Net {
    now: Cell<Instant>,
    alarm: Cell<Option<Instant>>,
    sleeper: RefCell<Option<Waker>>,
    waiting: RefCell<Vec<Waker>>,
    state: RefCell<State>,
}

struct State {
    server: Server,
    gateway: Option<Gateway>,
    rng: Rng,
    config: LinkConfig,
    link: Option<Link>,
    connection: Option<ConnectionId>,
    /// What the server said and the link did not take yet.
    rest: Vec<u8>,
    /// What the next attempts to connect come to, in this order; then they succeed.
    answers: Vec<Answer>,
    security: Security,
    /// Attempts to connect so far, and transports that were closed in order.
    attempts: Vec<(Instant, u8)>,
    closes: u32,
}

/// What becomes of an attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Fails(Failure),
    Hangs,
}

impl Net {
    pub(crate) fn new(config: LinkConfig, server: ServerConfig, seed: u64) -> Self {
        Self {
            now: Cell::new(Instant::from_millis(1000)),
            alarm: Cell::new(None),
            sleeper: RefCell::new(None),
            waiting: RefCell::new(Vec::new()),
            state: RefCell::new(State {
                server: Server::new(server),
                gateway: None,
                rng: Rng::new(seed),
                config,
                link: None,
                connection: None,
                rest: Vec::new(),
                answers: Vec::new(),
                security: Security::Local,
                attempts: Vec::new(),
                closes: 0,
            }),
        }
    }

    /// Does something to the server, or asks it something.
    pub(crate) fn server<T>(&self, what: impl FnOnce(&mut Server, Instant) -> T) -> T {
        what(&mut self.state.borrow_mut().server, self.now.get())
    }

    /// The gateway of this device from now on.
    pub(crate) fn with_gateway(self, gateway: Gateway) -> Self {
        self.state.borrow_mut().gateway = Some(gateway);
        self
    }

    /// Has the gateway do something on the server, or asks it something.
    pub(crate) fn gateway<T>(&self, what: impl FnOnce(&mut Gateway, &mut Server, Instant) -> T) -> T {
        let State { server, gateway, .. } = &mut *self.state.borrow_mut();
        what(gateway.as_mut().expect("a gateway was given"), server, self.now.get())
    }

    pub(crate) fn answer(&self, with: Answer) {
        self.state.borrow_mut().answers.push(with);
    }

    pub(crate) fn secured(&self, security: Security) {
        self.state.borrow_mut().security = security;
    }

    /// Cuts the link: both ends see it at once.
    pub(crate) fn cut(&self) {
        let now = self.now.get();
        if let Some(link) = &mut self.state.borrow_mut().link {
            link.cut(now);
        }
    }

    pub(crate) fn attempts(&self) -> Vec<(Instant, u8)> {
        self.state.borrow().attempts.clone()
    }

    pub(crate) fn closes(&self) -> u32 {
        self.state.borrow().closes
    }

    /// Opens a link; what was on an earlier one is lost.
    pub(crate) fn open(&self) -> Result<(), Failure> {
        let now = self.now.get();
        let state = &mut *self.state.borrow_mut();
        if let Some(old) = state.connection.take() {
            state.server.lost(now, old);
        }
        state.connection = state.server.accept(now);
        state.link = Some(Link::new(state.config.clone(), state.rng.fork()));
        state.rest.clear();
        state.connection.map(|_| ()).ok_or(Failure::Refused)
    }

    /// Closes the driver's end.
    pub(crate) fn close(&self) {
        if let Some(link) = &mut self.state.borrow_mut().link {
            link.close();
        }
    }

    pub(crate) fn halves(&self) -> (NetReader<'_>, NetWriter<'_>) {
        (NetReader(self), NetWriter(self))
    }

    /// Waits for the moment when `holds`; looks whenever anything moved.
    pub(crate) async fn until(&self, mut holds: impl FnMut() -> bool) {
        poll_fn(|cx| if holds() { Poll::Ready(()) } else { self.later(cx) }).await;
    }

    /// Lets time pass.
    pub(crate) async fn sleep(&self, span: Duration) {
        let end = self.now.get() + span;
        let alarm = self.alarm.get().map_or(end, |a| a.min(end));
        self.alarm.set(Some(alarm));
        self.until(|| {
            // The driver may have set its own alarm meanwhile.
            self.alarm.set(Some(self.alarm.get().map_or(end, |a| a.min(end))));
            self.now.get() >= end
        })
        .await;
    }

    fn later<T>(&self, cx: &Context<'_>) -> Poll<T> {
        self.waiting.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    }

    /// Moves what can move without time passing; whether anything did.
    pub(crate) fn step(&self) -> bool {
        let now = self.now.get();
        let state = &mut *self.state.borrow_mut();
        state.server.tick(now);
        let mut moved = state.gateway.as_mut().is_some_and(|gateway| gateway.run(now, &mut state.server));
        let (Some(link), Some(id)) = (&mut state.link, state.connection) else { return moved };
        loop {
            match link.server_read(now) {
                Came::Bytes(bytes) => state.server.receive(now, id, &bytes),
                Came::Nothing => break,
                Came::Closed => {
                    state.server.lost(now, id);
                    state.connection = None;
                    moved = true;
                    break;
                }
            }
            moved = true;
        }
        state.rest.extend(state.server.take(id, usize::MAX));
        let written = link.server_write(now, &state.rest);
        state.rest.drain(..written);
        moved |= written > 0;
        if state.connection.is_some() && state.rest.is_empty() && state.server.wants_close(id) {
            link.server_close();
            state.server.lost(now, id);
            state.connection = None;
            moved = true;
        }
        moved
    }

    /// Lets time pass until something can happen; whether there is such a time.
    pub(crate) fn advance(&self) -> bool {
        let state = self.state.borrow();
        // What has arrived and is not read waits for the driver, not for time.
        let link = state.link.as_ref().and_then(Link::next).filter(|at| *at > self.now.get());
        let gateway = state.gateway.as_ref().and_then(Gateway::deadline);
        let times = [self.alarm.get(), link, state.server.deadline(), gateway];
        let Some(next) = times.into_iter().flatten().min() else { return false };
        drop(state);
        self.now.set(self.now.get().max(next));
        if self.alarm.get().is_some_and(|at| at <= self.now.get()) {
            self.alarm.set(None);
            if let Some(waker) = self.sleeper.borrow_mut().take() {
                waker.wake();
            }
        }
        true
    }

    /// Wakes those who wait for bytes or for a condition.
    pub(crate) fn wake(&self) {
        for waker in self.waiting.borrow_mut().drain(..) {
            waker.wake();
        }
    }
}

impl Clock for Net {
    fn now(&self) -> Instant {
        self.now.get()
    }

    async fn until(&self, at: Option<Instant>) {
        poll_fn(|cx| {
            let Some(at) = at else { return Poll::Pending };
            if at <= self.now.get() {
                return Poll::Ready(());
            }
            self.alarm.set(Some(self.alarm.get().map_or(at, |alarm| alarm.min(at))));
            *self.sleeper.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// The half from the server.
pub(crate) struct NetReader<'n>(&'n Net);
/// The half to the server.
pub(crate) struct NetWriter<'n>(&'n Net);

impl ErrorType for NetReader<'_> {
    type Error = ErrorKind;
}

impl ErrorType for NetWriter<'_> {
    type Error = ErrorKind;
}

impl Read for NetReader<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|cx| {
            let state = &mut *self.0.state.borrow_mut();
            let Some(link) = &mut state.link else { return Poll::Ready(Err(ErrorKind::NotConnected)) };
            match link.read(self.0.now.get(), buffer.len()) {
                Came::Bytes(bytes) => {
                    buffer[..bytes.len()].copy_from_slice(&bytes);
                    Poll::Ready(Ok(bytes.len()))
                }
                Came::Closed => Poll::Ready(Ok(0)),
                Came::Nothing => self.0.later(cx),
            }
        })
        .await
    }
}

impl Write for NetWriter<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        poll_fn(|cx| {
            let state = &mut *self.0.state.borrow_mut();
            match state.link.as_mut().and_then(|link| link.write(self.0.now.get(), bytes)) {
                None => Poll::Ready(Err(ErrorKind::BrokenPipe)),
                Some(0) => self.0.later(cx),
                Some(n) => Poll::Ready(Ok(n)),
            }
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        poll_fn(|cx| {
            let state = &mut *self.0.state.borrow_mut();
            match state.link.as_mut().map(|link| (link.is_open(), link.unflushed(self.0.now.get()))) {
                Some((true, 0)) => Poll::Ready(Ok(())),
                Some((true, _)) => self.0.later(cx),
                _ => Poll::Ready(Err(ErrorKind::BrokenPipe)),
            }
        })
        .await
    }
}

/// Connects through the net, as its answers say.
pub(crate) struct NetConnector<'n>(pub(crate) &'n Net);

impl<'n> Connector for NetConnector<'n> {
    type Error = ErrorKind;
    type Reader<'c>
        = NetReader<'n>
    where
        Self: 'c;
    type Writer<'c>
        = NetWriter<'n>
    where
        Self: 'c;

    async fn connect(&mut self, server: u8) -> Result<Halves<NetReader<'n>, NetWriter<'n>>, Failure> {
        let now = self.0.now.get();
        let answer = {
            let state = &mut *self.0.state.borrow_mut();
            state.attempts.push((now, server));
            if state.answers.is_empty() { None } else { Some(state.answers.remove(0)) }
        };
        match answer {
            Some(Answer::Hangs) => std::future::pending().await,
            Some(Answer::Fails(why)) => Err(why),
            None => {
                self.0.open()?;
                let security = self.0.state.borrow().security;
                let (reader, writer) = self.0.halves();
                Ok(Halves { reader, writer, security })
            }
        }
    }

    async fn close(&mut self) {
        self.0.state.borrow_mut().closes += 1;
        self.0.close();
    }
}
