//! What commands were received, and what was answered: the memory that makes each command run once.
//!
//! The rule is *never twice*: as long as the server may deliver a command again, its entry stays, and a table full of
//! such entries refuses new commands rather than forget an old one. When an entry may go is told by the transition
//! table in `entry.rs`; here are the operations on all of them.
//!
//! Each is linear in the number of entries (a token finds its entry at once), and none is called per byte.

use mqtt_device_proto::QoS;

use super::bodies::response_error;
use super::entry::{Ack, Entry, Run};
use super::message::CommandId;
use super::received::TooLarge;
pub use super::received::{CommandToken, Counters, Executing, FinishError, Full, Received};
use super::tables::Tables;
use crate::json::Window;

/// How long a command that is done is remembered, in milliseconds of connected time: as the official clients do.
pub const TTL_MS: u64 = 5 * 60 * 1000;

/// The memory of commands on storage `D`.
#[derive(Clone, Debug)]
pub struct Commands<D> {
    tables: D,
    ttl: u64,
    /// Connected time so far.
    clock: u64,
    /// Counts receipts.
    stamp: u64,
    /// No unconfirmed PUBACK stands before this position: most confirmations end at one comparison.
    unconfirmed_from: u64,
    /// How many entries execute: mostly none, and then nothing is searched for.
    executing: usize,
    counters: Counters,
}

impl<D: Tables> Commands<D> {
    /// Remembers nothing yet.
    pub const fn new(tables: D) -> Self {
        Self::with_ttl(tables, TTL_MS)
    }

    /// The same, with `ttl` milliseconds of connected time instead of [`TTL_MS`].
    pub const fn with_ttl(tables: D, ttl: u64) -> Self {
        Self { tables, ttl, clock: 0, stamp: 0, unconfirmed_from: u64::MAX, executing: 0, counters: Counters::new() }
    }

    /// What is known of a command, without noting a delivery; never [`Received::New`].
    pub fn lookup(&self, id: &CommandId) -> Option<Received> {
        self.find(id).map(|(index, entry)| known(index, entry))
    }

    /// Notes a delivery of a command at `now` (milliseconds of a monotonic clock) and says what is to be done.
    ///
    /// At QoS 1 its PUBACK is owed from here on, for a repeat too: each is to be told by
    /// [`ack_written`](Self::ack_written), or voided by [`connection_lost`](Self::connection_lost).
    ///
    /// # Errors
    /// [`Full`] when it is new and no entry may be forgotten, or no room for its response be reserved.
    pub fn receive(&mut self, id: &CommandId, now: u64, qos: QoS) -> Result<Received, Full> {
        self.stamp = self.stamp.saturating_add(1);
        if let Some((index, _)) = self.find(id)
            && let Some(entry) = self.tables.entries_mut().get_mut(usize::from(index))
        {
            entry.delivered_again(self.stamp, now, qos);
            let counter = match entry.run {
                Run::Done => &mut self.counters.repeated_done,
                _ => &mut self.counters.repeated_executing,
            };
            count(counter);
            return Ok(known(index, entry));
        }
        let begun = Entry::begun(id, self.stamp, now, qos);
        let Some((index, entry)) = self.vacant().and_then(|index| self.slot(index)) else {
            count(&mut self.counters.busy);
            return Err(Full);
        };
        let token = CommandToken::new(index, begun.born);
        *entry = begun;
        self.executing = self.executing.saturating_add(1);
        count(&mut self.counters.new);
        Ok(Received::New(token))
    }

    /// Keeps the response that `body` writes, to be sent now and whenever the command comes again.
    ///
    /// `body` runs twice, once to count; the room was reserved when the command was received.
    ///
    /// # Errors
    /// [`FinishError::TooLarge`] when an error took the response's place; otherwise nothing changed.
    pub fn finish(&mut self, token: CommandToken, body: &dyn Fn(&mut Window<'_>)) -> Result<(), FinishError> {
        let entry = self.entry(token).ok_or(FinishError::Stale)?;
        if entry.run == Run::Done {
            return Err(FinishError::Answered);
        }
        let id = entry.id;
        self.keep(token, body).map_err(|len| {
            let too_large = TooLarge { len, room: u32::try_from(self.tables.response_max()).unwrap_or(u32::MAX) };
            let error = |out: &mut Window<'_>| response_error(id.as_str(), &too_large, out);
            count(&mut self.counters.too_large);
            // RESPONSE_MIN has room for it.
            let _ = self.keep(token, &error);
            FinishError::TooLarge { len, room: too_large.room }
        })
    }

    /// Forgets a command that was received and neither run nor acknowledged, as if it had never come; false, and nothing
    /// changed, when that is not so.
    pub fn abort(&mut self, token: CommandToken) -> bool {
        let Some(entry) = self.entry_mut(token) else { return false };
        let untouched = matches!(entry.ack, Ack::Pending { owed: 1, written: None } | Ack::Confirmed { until: 0 });
        let once = entry.used == entry.born && !entry.early;
        let forgotten = entry.run == Run::Executing && untouched && once;
        if forgotten {
            *entry = Entry::FREE;
            self.executing = self.executing.saturating_sub(1);
        }
        forgotten
    }

    /// The response of a command that is done.
    pub fn response(&self, token: CommandToken) -> Option<&[u8]> {
        let entry = self.entry(token).filter(|entry| entry.run == Run::Done)?;
        self.tables.response(usize::from(token.index())).get(..entry.response_len)
    }

    /// Keeps a response where it is until [`returned`](Self::returned), so that it may be sent from here without a copy;
    /// false when there is none.
    pub fn lend(&mut self, token: CommandToken) -> bool {
        let Some(entry) = self.entry_mut(token).filter(|entry| entry.run == Run::Done) else { return false };
        let lent = entry.lent.checked_add(1);
        entry.lent = lent.unwrap_or(entry.lent);
        lent.is_some()
    }

    /// Ends one [`lend`](Self::lend).
    pub fn returned(&mut self, token: CommandToken) {
        if let Some(entry) = self.entry_mut(token) {
            entry.lent = entry.lent.saturating_sub(1);
        }
    }

    /// Lets the PUBACK of an executing command go before its response; false when none is held back.
    pub fn ack_early(&mut self, token: CommandToken) -> bool {
        let Some(entry) = self.entry_mut(token).filter(|entry| entry.is_held()) else { return false };
        entry.early = true;
        count(&mut self.counters.acked_early);
        true
    }

    /// One PUBACK of the command was written, and ends at `position` of what this connection transmits; false when the
    /// token is stale or none was owed.
    pub fn ack_written(&mut self, token: CommandToken, position: u64) -> bool {
        let written = self.entry_mut(token).is_some_and(|entry| entry.ack_written(position));
        if written {
            self.unconfirmed_from = self.unconfirmed_from.min(position);
        }
        written
    }

    /// The server has read what this connection transmitted up to `position`: it answered something sent after that.
    pub fn confirm_upto(&mut self, position: u64) {
        if position < self.unconfirmed_from {
            return;
        }
        let until = self.clock.saturating_add(self.ttl);
        let mut first = u64::MAX;
        for entry in self.tables.entries_mut() {
            entry.confirm(position, until);
            first = entry.unconfirmed().map_or(first, |position| position.min(first));
        }
        self.unconfirmed_from = first;
    }

    /// The connection is gone, and with it every PUBACK that was owed or not confirmed.
    pub fn connection_lost(&mut self) {
        self.unconfirmed_from = u64::MAX;
        self.tables.entries_mut().iter_mut().for_each(Entry::connection_lost);
    }

    /// The server accepted a connection, with the session of the last one or with a new one.
    pub fn resumed(&mut self, session_present: bool) {
        let until = if session_present { self.redeliverable_until() } else { self.clock.saturating_add(self.ttl) };
        self.tables.entries_mut().iter_mut().for_each(|entry| entry.resumed(session_present, until));
    }

    /// How long an entry stays pinned after a resume does not depend on how long others are remembered.
    fn redeliverable_until(&self) -> u64 {
        self.clock.saturating_add(self.ttl.max(TTL_MS))
    }

    /// `elapsed` more milliseconds were spent connected.
    pub const fn tick(&mut self, elapsed: u64) {
        self.clock = self.clock.saturating_add(elapsed);
    }

    /// Forgets what is over, and gives its room back; receiving does it as well.
    pub fn sweep(&mut self) {
        for index in 0..self.tables.entries().len() {
            if self.tables.entries().get(index).is_some_and(|entry| entry.is_expired(self.clock)) {
                self.forget(index);
                count(&mut self.counters.expired);
            }
        }
    }

    /// The commands that execute, in order of receipt.
    pub fn executing(&self) -> impl Iterator<Item = Executing<'_>> {
        let mut after = 0;
        core::iter::from_fn(move || {
            let later = self.occupied().filter(|(_, entry)| entry.run == Run::Executing && entry.born > after);
            let (index, entry) = later.min_by_key(|(_, entry)| entry.born)?;
            after = entry.born;
            let held_since = entry.is_held().then_some(entry.held_since);
            Some(Executing { token: CommandToken::new(index, entry.born), id: entry.id.as_str(), held_since })
        })
        .take(self.executing)
    }

    /// How many commands execute; known without a search.
    pub const fn executing_len(&self) -> usize {
        self.executing
    }

    /// How many executing commands hold their PUBACK back.
    pub fn held(&self) -> usize {
        if self.executing == 0 {
            return 0;
        }
        self.tables.entries().iter().filter(|entry| entry.is_held()).count()
    }

    /// The command whose PUBACK is held back for the longest time, and since when.
    pub fn oldest_held(&self) -> Option<(CommandToken, u64)> {
        if self.executing == 0 {
            return None;
        }
        let held = self.occupied().filter(|(_, entry)| entry.is_held());
        let (index, entry) = held.min_by_key(|(_, entry)| (entry.held_since, entry.born))?;
        Some((CommandToken::new(index, entry.born), entry.held_since))
    }

    /// The token of the command at that place, if there is one.
    pub fn token_at(&self, index: u16) -> Option<CommandToken> {
        let entry = self.tables.entries().get(usize::from(index)).filter(|entry| entry.run != Run::Free)?;
        Some(CommandToken::new(index, entry.born))
    }

    /// The id of a command.
    pub fn id(&self, token: CommandToken) -> Option<&str> {
        self.entry(token).map(|entry| entry.id.as_str())
    }

    /// Whether the command executes: its token is good for an answer.
    pub fn is_executing(&self, token: CommandToken) -> bool {
        self.entry(token).is_some_and(|entry| entry.run == Run::Executing)
    }

    /// How many commands are remembered.
    pub fn len(&self) -> usize {
        self.occupied().count()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What happened so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The entries that remember something; an index that no token can name is not used.
    fn occupied(&self) -> impl Iterator<Item = (u16, &Entry)> {
        (0..=u16::MAX)
            .zip(self.tables.entries())
            .filter(|(_, entry)| entry.run != Run::Free && !entry.is_expired(self.clock))
    }

    fn find(&self, id: &CommandId) -> Option<(u16, &Entry)> {
        self.occupied().find(|(_, entry)| entry.is(id))
    }

    fn entry(&self, token: CommandToken) -> Option<&Entry> {
        self.tables.entries().get(usize::from(token.index())).filter(|entry| names(token, entry))
    }

    fn entry_mut(&mut self, token: CommandToken) -> Option<&mut Entry> {
        self.tables.entries_mut().get_mut(usize::from(token.index())).filter(|entry| names(token, entry))
    }

    fn slot(&mut self, index: usize) -> Option<(u16, &mut Entry)> {
        Some((u16::try_from(index).ok()?, self.tables.entries_mut().get_mut(index)?))
    }

    /// The index of a free entry with room for a response, after forgetting what must be.
    fn vacant(&mut self) -> Option<usize> {
        self.sweep();
        let room = self.tables.response_max();
        let used = self.tables.entries().iter().fold(0, |sum: usize, entry| match entry.run {
            Run::Free => sum,
            Run::Executing => sum.saturating_add(room),
            Run::Done => sum.saturating_add(entry.response_len),
        });
        let mut used = used.saturating_add(room);
        while used > self.tables.budget() {
            used = used.saturating_sub(self.evict()?.1);
        }
        if let Some(free) = self.tables.entries().iter().position(|entry| entry.run == Run::Free) {
            return Some(free);
        }
        if self.tables.grow() {
            return self.tables.entries().len().checked_sub(1);
        }
        self.evict().map(|(index, _)| index)
    }

    /// Forgets the entry that was not used for the longest time, of those that may be: its index and its response's length.
    fn evict(&mut self) -> Option<(usize, usize)> {
        let candidates = self.tables.entries().iter().enumerate().filter(|(_, entry)| entry.is_evictable());
        let (index, len) = candidates.min_by_key(|(_, entry)| entry.used).map(|(i, entry)| (i, entry.response_len))?;
        self.forget(index);
        count(&mut self.counters.evicted);
        Some((index, len))
    }

    fn forget(&mut self, index: usize) {
        self.tables.response_mut(index, 0);
        if let Some(entry) = self.tables.entries_mut().get_mut(index) {
            *entry = Entry::FREE;
        }
    }

    /// Stores what `body` writes; its length when it does not fit, or when the second run wrote something else.
    fn keep(&mut self, token: CommandToken, body: &dyn Fn(&mut Window<'_>)) -> Result<(), u32> {
        let mut counted = Window::count();
        body(&mut counted);
        let len = usize::try_from(counted.total()).unwrap_or(usize::MAX);
        if len > self.tables.response_max() {
            return Err(counted.total());
        }
        let mut out = Window::new(0, self.tables.response_mut(usize::from(token.index()), len));
        body(&mut out);
        if out.total() != counted.total() || out.filled() != len {
            return Err(out.total());
        }
        let until = self.clock.saturating_add(self.ttl);
        let redeliverable = self.redeliverable_until();
        if let Some(entry) = self.entry_mut(token) {
            entry.finished(len, until, redeliverable);
            self.executing = self.executing.saturating_sub(1);
        }
        Ok(())
    }
}

fn names(token: CommandToken, entry: &Entry) -> bool {
    entry.run != Run::Free && CommandToken::new(token.index(), entry.born) == token
}

const fn known(index: u16, entry: &Entry) -> Received {
    let token = CommandToken::new(index, entry.born);
    match entry.run {
        Run::Done => Received::Done(token),
        _ => Received::Executing(token),
    }
}

const fn count(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}
