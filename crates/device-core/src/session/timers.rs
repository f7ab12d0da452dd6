//! The session's deadlines. Each is a fact of the state, so that none can be left set by mistake.

use super::state::{Core, Phase, Ping};
use crate::event::DisconnectReason;
use crate::storage::Parts;
use crate::time::{Duration, Instant};

/// A deadline that is found passed by this much was not watched: it is given once more, this long.
const GRACE: Duration = Duration::from_millis(1000);

/// Which deadline comes next: for debugging, "why did I wake?".
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// PINGREQ is due: nothing was sent, or nothing came, for the keep alive time.
    KeepAlive,
    /// PINGRESP must be here.
    Pong,
    /// What was taken must be flushed.
    Write,
    /// A message that waits unsent comes to the end of its time.
    Expiry,
    /// The connection must stand.
    Connect,
    /// The next attempt to connect.
    Retry,
    /// The connection counts as stable.
    Stable,
    /// Device: the next heartbeat.
    Heartbeat,
    /// Device: the acknowledgement of a trigger.
    Trigger,
    /// Device: the oldest held command is acknowledged early.
    Hold,
    /// Device: `online` is said once more.
    Presence,
    /// `stop` must be done.
    Stop,
}

impl Core {
    /// PINGREQ goes out after nine tenths of the keep alive time, so that a late timer still meets it.
    fn ping_interval(&self) -> Option<Duration> {
        let keep_alive = u64::from(self.config.keep_alive);
        (keep_alive > 0).then(|| Duration::from_millis(keep_alive.saturating_mul(900)))
    }

    /// A write that does not end is a dead link like a missing PINGRESP.
    fn write_timeout(&self) -> Option<Duration> {
        self.ping_interval().map(|interval| interval + self.config.pong_timeout)
    }

    /// Each deadline with its name.
    pub(crate) fn deadlines(&self) -> [Option<(Instant, Timer)>; 4] {
        let expiry = self.next_expiry.map(|at| (at, Timer::Expiry));
        let Some(c) = self.connection.as_ref().filter(|c| !c.is_over()) else { return [expiry, None, None, None] };
        let open = c.phase == Phase::Open;
        let idle = self.ping_interval().filter(|_| open && c.ping == Ping::Idle && c.closing.is_none());
        // Two things make a PINGREQ due: nothing sent (the server would take us for dead), and nothing received (we
        // could not tell that it is dead). Neither is put off by the other.
        let ping = idle.map(|interval| (c.last_flushed.min(c.last_received) + interval, Timer::KeepAlive));
        let pong = match c.ping {
            Ping::Awaited { deadline, .. } if c.blocked_since.is_none() => Some((deadline, Timer::Pong)),
            _ => None,
        };
        let write = c.writing_since.zip(self.write_timeout()).map(|(since, span)| (since + span, Timer::Write));
        [expiry, ping, pong, write]
    }

    /// Does what is due.
    pub(crate) fn run_timers<P>(&mut self, p: &mut Parts<'_, P>, now: Instant) {
        self.expire(p, now);
        for (at, timer) in self.deadlines().into_iter().flatten() {
            if at > now {
                continue;
            }
            match timer {
                Timer::KeepAlive => {
                    if let Some(c) = &mut self.connection {
                        c.ping = Ping::Due;
                    }
                }
                Timer::Pong if now.since(at) >= GRACE && self.may_grace() => {
                    // Nobody looked at the clock in time, so nobody may have looked at the transport either: the
                    // answer may stand in its buffer. A suspended process gets the time to read it.
                    if let Some(Ping::Awaited { deadline, graced, .. }) = self.connection.as_mut().map(|c| &mut c.ping)
                    {
                        (*deadline, *graced) = (now + GRACE, true);
                    }
                }
                Timer::Pong | Timer::Write => self.close(DisconnectReason::KeepAliveTimeout, false),
                _ => {}
            }
        }
    }

    fn may_grace(&self) -> bool {
        self.connection.as_ref().is_some_and(|c| matches!(c.ping, Ping::Awaited { graced: false, .. }))
    }

    /// Sends a PINGREQ now, unless one is on its way: its answer confirms what was sent before.
    pub(crate) fn request_ping(&mut self) {
        if self.open().is_some_and(|c| c.ping == Ping::Idle)
            && let Some(c) = &mut self.connection
        {
            c.ping = Ping::Due;
            self.wake = true;
        }
    }
}
