//! One direction of a link: bytes that wait to leave, that are on their way, and that arrived.

use std::collections::VecDeque;

use mqtt_device_core::Instant;

use super::LinkConfig;
use crate::rng::Rng;

#[derive(Clone, Debug)]
struct Piece {
    leaves: Instant,
    arrives: Instant,
    bytes: VecDeque<u8>,
}

/// Bytes in order, cut into pieces with a time of arrival each.
#[derive(Clone, Debug, Default)]
pub(super) struct Pipe {
    pieces: VecDeque<Piece>,
    /// So many pieces have left; they leave in order.
    left: usize,
    /// Bytes in the others.
    waiting: usize,
    /// Bytes in all of them.
    queued: usize,
    /// Bytes that came out at the far end.
    carried: u64,
    /// The far end comes to its end after this many bytes.
    limit: Option<u64>,
    /// No more is written: the far end comes to its end after what is on its way.
    ended: bool,
    /// Nobody reads at the far end: what is written is lost.
    deaf: bool,
    last_arrival: Instant,
}

/// What the far end of a pipe gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// These bytes, at least one.
    Bytes(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// Nothing, ever: the other side closed, or the link was cut.
    Closed,
}

impl Pipe {
    /// Takes as many of `bytes` as have room before they leave.
    pub(super) fn write(&mut self, now: Instant, bytes: &[u8], config: &LinkConfig, rng: &mut Rng) -> usize {
        let room = config.capacity.saturating_sub(self.waiting());
        let taken = &bytes[..bytes.len().min(room)];
        if self.deaf {
            return taken.len();
        }
        let mut rest = taken;
        while !rest.is_empty() {
            let most = usize::try_from(rng.within(&config.piece)).unwrap_or(usize::MAX).max(1);
            let (piece, tail) = rest.split_at(rest.len().min(most));
            let leaves = now.max(self.last_leaving()) + ms(rng.within(&config.flush));
            let held_up = if rng.percent(config.stall_percent) { rng.within(&config.stall) } else { 0 };
            let arrives = (leaves + ms(rng.within(&config.delay) + held_up)).max(self.last_arrival);
            self.last_arrival = arrives;
            self.pieces.push_back(Piece { leaves, arrives, bytes: piece.iter().copied().collect() });
            self.waiting += piece.len();
            self.queued += piece.len();
            rest = tail;
        }
        taken.len()
    }

    /// What arrived by `now`, at most `most` bytes and no more than one piece.
    pub(super) fn read(&mut self, now: Instant, most: usize) -> Read {
        if self.at_limit() {
            return Read::Closed;
        }
        let allowed =
            self.limit.map_or(usize::MAX, |limit| usize::try_from(limit - self.carried).unwrap_or(usize::MAX));
        let Some(piece) = self.pieces.front_mut().filter(|p| self.left > 0 && p.arrives <= now) else {
            return if self.ended && self.pieces.is_empty() { Read::Closed } else { Read::Nothing };
        };
        let count = piece.bytes.len().min(most).min(allowed);
        if count == 0 {
            return Read::Nothing;
        }
        let bytes: Vec<u8> = piece.bytes.drain(..count).collect();
        if piece.bytes.is_empty() {
            self.pieces.pop_front();
            self.left -= 1;
        }
        self.queued -= count;
        self.carried += count as u64;
        Read::Bytes(bytes)
    }

    /// Lets those leave whose time has come.
    pub(super) fn settle(&mut self, now: Instant) {
        while let Some(piece) = self.pieces.get(self.left).filter(|p| p.leaves <= now) {
            self.waiting -= piece.bytes.len();
            self.left += 1;
        }
    }

    /// Bytes that did not leave yet.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Bytes that did not come out at the far end.
    pub(super) const fn queued(&self) -> usize {
        self.queued
    }

    /// When something leaves or arrives next.
    pub(super) fn next(&self) -> Option<Instant> {
        let leaving = self.pieces.get(self.left).map(|p| p.leaves);
        let arriving = self.pieces.front().map(|p| p.arrives.max(p.leaves));
        leaving.into_iter().chain(arriving).min()
    }

    pub(super) const fn carried(&self) -> u64 {
        self.carried
    }

    pub(super) const fn limit_to(&mut self, bytes: Option<u64>) {
        self.limit = bytes;
    }

    pub(super) fn at_limit(&self) -> bool {
        self.limit.is_some_and(|limit| self.carried >= limit)
    }

    pub(super) const fn end(&mut self) {
        self.ended = true;
    }

    /// Loses what is on its way and all that follows.
    pub(super) fn lose(&mut self) {
        self.pieces.clear();
        (self.left, self.waiting, self.queued) = (0, 0, 0);
        self.deaf = true;
    }

    fn last_leaving(&self) -> Instant {
        self.pieces.back().map_or(Instant::ZERO, |p| p.leaves)
    }
}

const fn ms(ms: u64) -> mqtt_device_core::Duration {
    mqtt_device_core::Duration::from_millis(ms)
}
