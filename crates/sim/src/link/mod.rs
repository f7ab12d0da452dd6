//! A two-way byte stream between a machine and a server that delays, splits, stalls and is cut, as a seed says.

mod pipe;

use core::ops::RangeInclusive;

use mqtt_device_core::{Duration, Instant};

use self::pipe::Pipe;
pub use self::pipe::Read;
use crate::rng::Rng;

/// How a link behaves. Times are in milliseconds, each drawn evenly from its range.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// How long opening it takes.
    pub connect: RangeInclusive<u64>,
    /// How long bytes are on their way.
    pub delay: RangeInclusive<u64>,
    /// How long bytes that are written wait before they leave, which is when a flush is done.
    pub flush: RangeInclusive<u64>,
    /// The length of the pieces in which bytes arrive.
    pub piece: RangeInclusive<u64>,
    /// How many bytes may wait to leave: more are not taken, so that writes are partial.
    pub capacity: usize,
    /// How many of a hundred pieces are held up: this is what a lost segment is to TCP.
    pub stall_percent: u8,
    /// How long those are held up.
    pub stall: RangeInclusive<u64>,
    /// How long after a cut the server notices; `None` is never, so that its keep-alive must find out.
    pub server_notices: Option<Duration>,
}

impl LinkConfig {
    /// No delay at all, whole writes, nothing goes wrong by itself.
    #[must_use]
    pub const fn perfect() -> Self {
        Self {
            connect: 0..=0,
            delay: 0..=0,
            flush: 0..=0,
            piece: u64::MAX..=u64::MAX,
            capacity: usize::MAX,
            stall_percent: 0,
            stall: 0..=0,
            server_notices: Some(Duration::ZERO),
        }
    }

    /// A good network: a few milliseconds, pieces of any length.
    #[must_use]
    pub const fn good() -> Self {
        Self { connect: 1..=20, delay: 1..=5, piece: 1..=1400, ..Self::perfect() }
    }

    /// A bad one: one byte may come at a time, writes are partial, flushing takes time, pieces are held up.
    #[must_use]
    pub const fn rough() -> Self {
        Self {
            connect: 0..=400,
            delay: 0..=80,
            flush: 0..=15,
            piece: 1..=40,
            capacity: 48,
            stall_percent: 1,
            stall: 100..=1500,
            server_notices: Some(Duration::ZERO),
        }
    }
}

/// One connection. The machine's end reads and writes without a prefix; the server's methods begin with `server_`.
#[derive(Clone, Debug)]
pub struct Link {
    config: LinkConfig,
    rng: Rng,
    up: Pipe,
    down: Pipe,
    machine_open: bool,
    server: ServerEnd,
    stalled_until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerEnd {
    Open,
    /// The link is gone; the server notices then, or never.
    CutNoticedAt(Option<Instant>),
    Closed,
}

impl Link {
    /// A new connection, open at both ends.
    #[must_use]
    pub fn new(config: LinkConfig, rng: Rng) -> Self {
        Self {
            config,
            rng,
            up: Pipe::default(),
            down: Pipe::default(),
            machine_open: true,
            server: ServerEnd::Open,
            stalled_until: Instant::ZERO,
        }
    }

    // ---------------------------------------------------------------- the machine's end

    /// Takes some of `bytes`, perhaps none; `None` when the link is closed.
    pub fn write(&mut self, now: Instant, bytes: &[u8]) -> Option<usize> {
        self.settle(now);
        let taken = self.machine_open.then(|| self.up.write(now, bytes, &self.config, &mut self.rng));
        self.settle(now);
        taken
    }

    /// Bytes that were written and did not leave yet: none means flushed.
    pub fn unflushed(&mut self, now: Instant) -> usize {
        self.settle(now);
        self.up.waiting()
    }

    /// What arrived, at most `most` bytes.
    pub fn read(&mut self, now: Instant, most: usize) -> Read {
        self.settle(now);
        if !self.machine_open {
            return Read::Closed;
        }
        if self.is_stalled(now) {
            return Read::Nothing;
        }
        let read = self.down.read(now, most);
        if self.down.at_limit() {
            // The bytes are handed over; the end is seen at the next read.
            self.cut(now);
        } else if read == Read::Closed {
            self.machine_open = false;
        }
        read
    }

    /// Closes in an orderly way: what was written still arrives.
    pub fn close(&mut self) {
        self.machine_open = false;
        self.up.end();
        self.down.lose();
    }

    /// Whether the machine's end is open, as far as the machine can know.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.machine_open
    }

    // ---------------------------------------------------------------- the server's end

    /// Takes some of the server's bytes.
    pub fn server_write(&mut self, now: Instant, bytes: &[u8]) -> usize {
        self.settle(now);
        let taken = self.down.write(now, bytes, &self.config, &mut self.rng);
        self.settle(now);
        taken
    }

    /// How many bytes [`Link::server_write`] takes now: a peer that does not read holds the server up.
    pub fn server_room(&mut self, now: Instant) -> usize {
        self.settle(now);
        let unread = self.down.queued();
        self.config.capacity.saturating_sub(self.down.waiting()).min(WINDOW.saturating_sub(unread))
    }

    /// What arrived at the server.
    pub fn server_read(&mut self, now: Instant) -> Read {
        self.settle(now);
        match self.server {
            ServerEnd::Closed => return Read::Closed,
            ServerEnd::CutNoticedAt(at) if at.is_some_and(|at| at <= now) => {
                self.server = ServerEnd::Closed;
                return Read::Closed;
            }
            ServerEnd::CutNoticedAt(_) => return Read::Nothing,
            ServerEnd::Open if self.is_stalled(now) => return Read::Nothing,
            ServerEnd::Open => {}
        }
        let read = self.up.read(now, usize::MAX);
        if self.up.at_limit() {
            self.cut(now);
            // Nothing was read: the server notices when the configuration says so.
            return if read == Read::Closed { Read::Nothing } else { read };
        }
        if read == Read::Closed {
            self.server = ServerEnd::Closed;
        }
        read
    }

    /// The server closes; what it wrote still arrives.
    pub fn server_close(&mut self) {
        self.server = ServerEnd::Closed;
        self.down.end();
        self.up.lose();
    }

    /// Whether [`Link::server_close`] was called, or the server saw the end.
    #[must_use]
    pub fn is_closed_by_server(&self) -> bool {
        self.server == ServerEnd::Closed
    }

    /// Whether neither end will see anything more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.machine_open && matches!(self.server, ServerEnd::Closed | ServerEnd::CutNoticedAt(None))
    }

    // ---------------------------------------------------------------- faults

    /// Cuts it: what is on its way in either direction is lost.
    pub fn cut(&mut self, now: Instant) {
        self.up.lose();
        self.down.lose();
        self.machine_open = false;
        if self.server == ServerEnd::Open {
            self.server = ServerEnd::CutNoticedAt(self.config.server_notices.map(|after| now + after));
        }
    }

    /// Cuts it as soon as the server received `bytes` bytes in all on this connection.
    pub const fn cut_after_sent(&mut self, bytes: Option<u64>) {
        self.up.limit_to(bytes);
    }

    /// Cuts it as soon as the machine received `bytes` bytes in all on this connection.
    pub const fn cut_after_received(&mut self, bytes: Option<u64>) {
        self.down.limit_to(bytes);
    }

    /// Lets nothing pass in either direction until then; [`FOREVER`] is a peer that is gone without a word.
    pub fn stall(&mut self, until: Instant) {
        self.stalled_until = self.stalled_until.max(until);
    }

    /// Bytes of the machine that reached the server.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.up.carried()
    }

    /// Bytes of the server that reached the machine.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.down.carried()
    }

    /// Whether silence on this link is the link's fault.
    #[must_use]
    pub fn is_silent(&self, now: Instant) -> bool {
        self.is_stalled(now) || matches!(self.server, ServerEnd::CutNoticedAt(_))
    }

    /// When something happens by itself next; a time that is over means now.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        let noticed = match self.server {
            ServerEnd::CutNoticedAt(at) => at,
            _ => None,
        };
        let moving = self.up.next().into_iter().chain(self.down.next()).min();
        let moving = moving.map(|at| at.max(self.stalled_until)).filter(|&at| at < FOREVER);
        noticed.into_iter().chain(moving).min()
    }

    fn is_stalled(&self, now: Instant) -> bool {
        now < self.stalled_until
    }

    fn settle(&mut self, now: Instant) {
        if !self.is_stalled(now) {
            self.up.settle(now);
            self.down.settle(now);
        }
    }
}

/// Bytes that are on their way to a machine, or that it did not read.
const WINDOW: usize = 64 * 1024;

/// The end of time.
pub const FOREVER: Instant = Instant::from_millis(u64::MAX);

#[cfg(test)]
mod tests;
