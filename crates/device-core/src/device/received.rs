//! What the memory of commands answers: tokens, what a delivery means, errors and counters.

use core::fmt;

/// Names one command that was received; it outlives neither the entry nor its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommandToken {
    index: u16,
    /// The low half of the entry's `born`: 2³² commands pass before a forgotten token could name another.
    generation: u32,
}

impl CommandToken {
    #[allow(clippy::cast_possible_truncation)] // the low half is what is wanted
    pub(super) const fn new(index: u16, born: u64) -> Self {
        Self { index, generation: born as u32 }
    }

    /// The place in the table. While its command executes or its response is lent, no other command has it:
    /// [`Commands::token_at`](super::commands::Commands::token_at) leads back.
    #[must_use]
    pub const fn index(self) -> u16 {
        self.index
    }
}

/// What a delivery of a command means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Received {
    /// It was not known: run it, and [`finish`](super::commands::Commands::finish) it.
    New(CommandToken),
    /// It is being run: do nothing.
    Executing(CommandToken),
    /// It was run: send the [`response`](super::commands::Commands::response) again.
    Done(CommandToken),
}

impl Received {
    /// The command's token.
    #[must_use]
    pub const fn token(self) -> CommandToken {
        match self {
            Self::New(token) | Self::Executing(token) | Self::Done(token) => token,
        }
    }
}

/// No entry may be forgotten for another command: answer that the device is busy, and do not run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("busy: every command this device can remember may still be delivered again")
    }
}

impl core::error::Error for Full {}

/// Why a response was not kept as given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FinishError {
    /// The token is of a command that is forgotten; nothing changed.
    Stale,
    /// The command is answered already; nothing changed.
    Answered,
    /// The response has `len` bytes and the table keeps `room`. The command *is* finished, with an error that says so.
    TooLarge {
        /// The length of the response.
        len: u32,
        /// The most that is kept.
        room: u32,
    },
}

impl fmt::Display for FinishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale => f.write_str("the command is forgotten: its token was kept too long"),
            Self::Answered => f.write_str("the command is answered already"),
            Self::TooLarge { len, room } => TooLarge { len: *len, room: *room }.fmt(f),
        }
    }
}

impl core::error::Error for FinishError {}

/// The error that takes the place of a response.
pub(super) struct TooLarge {
    pub(super) len: u32,
    pub(super) room: u32,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "response of {} bytes is larger than the {} bytes this device keeps", self.len, self.room)
    }
}

/// What happened so far; each counter stays at its maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Commands to run.
    pub new: u32,
    /// Deliveries of a command that was executing.
    pub repeated_executing: u32,
    /// Deliveries of a command that was done.
    pub repeated_done: u32,
    /// Commands refused for want of an entry.
    pub busy: u32,
    /// Commands forgotten to make room.
    pub evicted: u32,
    /// Commands forgotten when their time was over.
    pub expired: u32,
    /// Commands acknowledged before they were answered.
    pub acked_early: u32,
    /// Responses replaced by an error for their size.
    pub too_large: u32,
}

impl Counters {
    pub(super) const fn new() -> Self {
        Self {
            new: 0,
            repeated_executing: 0,
            repeated_done: 0,
            busy: 0,
            evicted: 0,
            expired: 0,
            acked_early: 0,
            too_large: 0,
        }
    }
}

/// A command that executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executing<'t> {
    /// Its token.
    pub token: CommandToken,
    /// Its id.
    pub id: &'t str,
    /// Since when its PUBACK is held back, by the clock of [`receive`](super::commands::Commands::receive); `None` when it is not.
    pub held_since: Option<u64>,
}
