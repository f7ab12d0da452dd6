//! The driver: moves bytes, tells the time and hands over facts, for any machine over any transport.
//!
//! **Nothing lives in the future.** Transport, attempt under way, buffers and positions are fields of [`Driver`], and
//! [`Driver::poll_run`] is a loop of turns that each record what they did before anything can suspend. So the future
//! of [`Driver::run`] may be dropped at any await point and asked for again: nothing is lost, nothing is doubled.
//!
//! **A write in progress hides nothing.** One turn reads, asks the machine, writes as far as the transport takes it and
//! looks at the clock; a write that stalls stays where it is while the next turns read and answer deadlines. The output
//! buffer is refilled only after all of it is flushed and reported.
//!
//! **No lock lives across a suspension**, nor across a call of the [`Sink`], which may therefore use the [`Handle`].

mod input;
mod output;
mod timer;

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;

use mqtt_device_core::{Actions, Machine, MessageKey, Notice, Outcome, Storage};
use tokio::io::ReadBuf;

pub use input::Frame;
use input::{Input, Received};
use output::Output;
use timer::Timer;

use crate::link::{Connecting, Connector, Transport};
use crate::shared::{Handle, unix_ms};

/// Turns of one poll before other tasks get theirs.
const TURNS: usize = 64;
/// How long a closed transport may take to say goodbye. Closing with unread bytes would reset the connection, and the
/// reset could overtake our DISCONNECT.
const LINGER: Duration = Duration::from_millis(500);

type Body<M> = <<M as Machine>::Storage as Storage>::Payload;

/// Takes facts. Every call is synchronous and short: it copies, counts, or spawns a task.
pub trait Sink<M: Machine>: Send {
    /// What a packet from the server means; `frame` shares the packet's bytes without copying, where that pays.
    fn event(&mut self, event: M::Event<'_>, frame: Frame<'_>);

    /// What no packet carries.
    fn notice(&mut self, notice: Notice);

    /// How an accepted operation ended.
    fn outcome(&mut self, key: MessageKey, outcome: Outcome);

    /// What the transport said, just before the machine learns that it failed; the notice of it follows.
    fn link_failed(&mut self, error: &dyn fmt::Display) {
        let _ = error;
    }
}

enum State {
    Down,
    Opening(Connecting),
    Up { stream: Box<dyn Transport>, dying: bool },
    Closing { stream: Box<dyn Transport>, shut: bool, timer: Timer },
}

/// Runs one machine: `S` lends what the machine does not own, `K` takes facts, `C` opens transports.
pub struct Driver<M: Machine, S, K, C> {
    handle: Handle<M>,
    source: S,
    sink: K,
    connector: C,
    state: State,
    input: Input,
    output: Output<Body<M>>,
    timer: Timer,
}

impl<M, S, K, C> Driver<M, S, K, C>
where
    M: Machine,
    S: AsRef<M::Source>,
    K: Sink<M>,
    C: Connector,
{
    /// Prepares to run the machine of `handle`; nothing happens before [`Driver::run`].
    pub fn new(handle: Handle<M>, source: S, sink: K, connector: C) -> Self {
        let limit = {
            let mut state = handle.0.lock();
            let now = handle.0.now();
            if let Some(ms) = unix_ms() {
                state.machine.set_wall_clock(now, ms);
            }
            state.machine.rx_min()
        };
        Self {
            handle,
            source,
            sink,
            connector,
            state: State::Down,
            input: Input::new(limit),
            output: Output::new(),
            timer: Timer::default(),
        }
    }

    /// Runs until the machine is stopped. Dropping the future and calling this again continues where it was.
    pub async fn run(&mut self) {
        poll_fn(|cx| self.poll_run(cx)).await;
    }

    /// The same by hand: as far as it goes without waiting.
    pub fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS {
            let mut again = self.receive(cx);
            let (actions, stopped, empty_handed) = self.consult(cx);
            if stopped {
                return Poll::Ready(());
            }
            // What was told may change what the machine wants: an outcome can set a deadline. So may a take that yields
            // nothing: it has ended an operation, or the connection.
            again |= actions.notify || empty_handed;
            again |= self.follow(cx, &actions);
            // A transport that is being closed has a deadline of its own; the machine waits for it.
            let deadline = actions.deadline.filter(|_| !matches!(self.state, State::Closing { .. }));
            again |= self.timer.poll(cx, deadline.map(|at| self.handle.0.at(at))).is_ready();
            if !again {
                self.input.rest();
                self.output.rest();
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads before anything is decided, so that bytes which came in time are not judged to be late. True when
    /// something happened.
    fn receive(&mut self, cx: &mut Context<'_>) -> bool {
        let State::Up { stream, dying } = &mut self.state else { return false };
        // What was read is digested as far as it goes; it goes further only once a block is over.
        let digested = self.input.is_blocked() && self.input.digest(&self.handle, &mut self.sink);
        if self.input.is_blocked() {
            if *dying {
                self.lost(None);
                return true;
            }
            return digested;
        }
        match self.input.poll_read(cx, &mut **stream) {
            Poll::Ready(Ok(Received::Bytes)) => {
                self.input.digest(&self.handle, &mut self.sink);
                true
            }
            Poll::Ready(Ok(Received::End)) => {
                self.lost(Some(&"closed by the server"));
                true
            }
            Poll::Ready(Err(e)) => {
                self.lost(Some(&e));
                true
            }
            // A transport that takes no more bytes may still have had some for us; these were the last.
            Poll::Pending if *dying => {
                self.lost(None);
                true
            }
            Poll::Pending => digested,
        }
    }

    /// Asks the machine what is wanted, and takes what is to be written while the lock is held. With whether the machine is
    /// stopped, and whether it had nothing to give although it had said so.
    fn consult(&mut self, cx: &Context<'_>) -> (Actions, bool, bool) {
        let (actions, stopped, empty_handed) = {
            let mut guard = self.handle.0.lock();
            let state = &mut *guard;
            if !state.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                state.waker = Some(cx.waker().clone());
            }
            let now = self.handle.0.now();
            let actions = state.machine.poll(now);
            let up = matches!(self.state, State::Up { dying: false, .. });
            let takes = actions.transmit && up && self.output.is_empty();
            if takes {
                self.output.take(&mut state.machine, now, self.source.as_ref());
            }
            (actions, state.machine.is_stopped(), takes && self.output.is_empty())
        };
        if actions.notify {
            self.tell();
        }
        (actions, stopped, empty_handed)
    }

    /// Drains outcomes and notices. A guard ends with its statement: the sink may call the machine.
    fn tell(&mut self) {
        loop {
            let outcome = self.handle.0.lock().machine.poll_outcome();
            let Some((key, outcome)) = outcome else { break };
            self.sink.outcome(key, outcome);
        }
        tell_notices(&self.handle, &mut self.sink, None);
    }

    /// Opens, writes, closes. True when something happened.
    fn follow(&mut self, cx: &mut Context<'_>, actions: &Actions) -> bool {
        match &mut self.state {
            State::Down => {
                let Some(attempt) = actions.connect.filter(|_| !actions.close) else { return false };
                tracing::debug!(server = attempt.server, attempt = attempt.number, "connecting");
                self.state = State::Opening(self.connector.connect(usize::from(attempt.server)));
                true
            }
            State::Opening(_) if actions.close || actions.connect.is_none() => {
                self.down();
                true
            }
            State::Opening(attempt) => match attempt.as_mut().poll(cx) {
                Poll::Pending => false,
                Poll::Ready(Ok(link)) => {
                    self.input.reset();
                    self.output.reset();
                    self.state = State::Up { stream: link.stream, dying: false };
                    let now = self.handle.0.now();
                    let mut state = self.handle.0.lock();
                    if let Some(ms) = unix_ms() {
                        state.machine.set_wall_clock(now, ms);
                    }
                    state.machine.connected(now, link.security);
                    true
                }
                Poll::Ready(Err(e)) => {
                    tracing::debug!(error = %e, "connecting failed");
                    self.sink.link_failed(&e.source);
                    self.state = State::Down;
                    let now = self.handle.0.now();
                    self.handle.0.lock().machine.connect_failed(now, e.failure);
                    true
                }
            },
            State::Up { .. } if actions.close => {
                if let State::Up { stream, dying } = core::mem::replace(&mut self.state, State::Down) {
                    self.state = State::Closing { stream, shut: dying, timer: Timer::default() };
                }
                true
            }
            State::Up { stream, dying } if !*dying && !self.output.is_empty() => {
                match self.output.poll_write(cx, &mut **stream) {
                    Poll::Pending => false,
                    Poll::Ready(Ok(n)) => {
                        let now = self.handle.0.now();
                        self.handle.0.lock().machine.transmitted(now, n);
                        true
                    }
                    Poll::Ready(Err(e)) => {
                        *dying = true;
                        self.sink.link_failed(&e);
                        true
                    }
                }
            }
            State::Up { .. } => false,
            State::Closing { stream, shut, timer } => {
                let done = poll_goodbye(cx, &mut **stream, shut).is_ready();
                if done || timer.poll_span(cx, LINGER).is_ready() {
                    self.down();
                }
                done || matches!(self.state, State::Down)
            }
        }
    }

    fn lost(&mut self, why: Option<&dyn fmt::Display>) {
        if let Some(why) = why {
            tracing::debug!(reason = %why, "connection lost");
            self.sink.link_failed(why);
        }
        self.down();
    }

    /// The transport is gone, and all that was this connection's with it.
    fn down(&mut self) {
        self.state = State::Down;
        self.input.reset();
        self.output.reset();
        let now = self.handle.0.now();
        self.handle.0.lock().machine.disconnected(now);
    }
}

/// Hands over `first` and all notices behind it. A guard ends with its statement: the sink may call the machine.
fn tell_notices<M: Machine>(handle: &Handle<M>, sink: &mut impl Sink<M>, first: Option<Notice>) {
    let mut next = first.or_else(|| handle.0.lock().machine.poll_notice());
    while let Some(notice) = next {
        sink.notice(notice);
        next = handle.0.lock().machine.poll_notice();
    }
}

/// Shuts the sending side down, then reads until the peer has closed, too.
fn poll_goodbye(cx: &mut Context<'_>, stream: &mut dyn Transport, shut: &mut bool) -> Poll<io::Result<()>> {
    if !*shut {
        ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
        *shut = true;
    }
    let mut waste = [0; 1024];
    for _ in 0..TURNS {
        let mut waste = ReadBuf::new(&mut waste);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut waste))?;
        if waste.filled().is_empty() {
            return Poll::Ready(Ok(()));
        }
    }
    // A peer that goes on talking is heard until the time is over.
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl<M: Machine, S, K, C> Drop for Driver<M, S, K, C> {
    fn drop(&mut self) {
        self.handle.0.lock().closed = true;
    }
}

impl<M: Machine, S, K, C> fmt::Debug for Driver<M, S, K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Down => "down",
            State::Opening(_) => "opening",
            State::Up { .. } => "up",
            State::Closing { .. } => "closing",
        };
        f.debug_struct("Driver").field("state", &state).finish_non_exhaustive()
    }
}
