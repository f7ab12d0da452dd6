//! What a device says about itself: `online`, its key and manifest, heartbeats, `offline`.

use super::source::Kind;
use super::tables::Tables;
use super::{Device, Stopping};
use crate::event::{Notice, Outcome};
use crate::session::{Publication, Timer};
use crate::storage::Storage;
use crate::time::{Duration, Instant};

/// Slots that are always kept: `online`, the manifest, a heartbeat, `offline`.
pub(crate) const SLOTS: u16 = 4;

/// What is said on each connection, the last one first: each goes to the front.
const ANNOUNCED: [Kind; 3] = [Kind::Heartbeat, Kind::Auth, Kind::Online];

/// When the device next says something about itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presence {
    heartbeat_at: Option<Instant>,
    /// The will of a connection that we had before may be published after our `online`, up to one and a half keep
    /// alive times later: then it is said once more.
    again_at: Option<Instant>,
    /// A heartbeat is on its way, and was taken, then flushed, at this time: for the round trip.
    beat: Option<Option<Instant>>,
    /// What is to be said on this connection and found no slot yet.
    wanted: [bool; ANNOUNCED.len()],
}

impl Presence {
    pub(crate) fn next_timer(&self) -> Option<(Instant, Timer)> {
        let heartbeat = self.heartbeat_at.map(|at| (at, Timer::Heartbeat));
        let again = self.again_at.map(|at| (at, Timer::Presence));
        [heartbeat, again].into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}

impl<S: Storage, D: Tables> Device<S, D> {
    /// The server accepted the connection: `online` (retained), key and manifest (not retained), the first heartbeat,
    /// before everything that waits.
    pub(super) fn announce(&mut self, now: Instant) {
        let keep_alive = u64::from(self.client.session().config().keep_alive);
        self.presence = Presence {
            heartbeat_at: (self.config.heartbeat > Duration::ZERO).then(|| now + self.config.heartbeat),
            again_at: (keep_alive > 0).then(|| now + Duration::from_millis(keep_alive.saturating_mul(1500))),
            beat: None,
            wanted: [true; ANNOUNCED.len()],
        };
        self.say_wanted(now);
    }

    fn say_wanted(&mut self, now: Instant) {
        for (n, kind) in ANNOUNCED.into_iter().enumerate() {
            if self.presence.wanted.get(n) == Some(&true) {
                let said = self.say(now, kind, true);
                if let Some(wanted) = self.presence.wanted.get_mut(n) {
                    *wanted = !said;
                }
            }
        }
    }

    /// Publishes one of the device's own messages, unless it waits already; false when there is no slot.
    fn say(&mut self, now: Instant, kind: Kind, first: bool) -> bool {
        let body = kind.token(0);
        let session = self.client.session_mut();
        // The key must follow an `online` of this connection: one that is only sent again may stand before it.
        let online = Kind::Online.token(0);
        let fresh = kind == Kind::Auth && (session.has_body(online, true) || !session.has_body(online, false));
        if session.has_body(body, fresh) {
            return true;
        }
        let suffix = kind.suffix();
        let mut publication = Publication::with_token(super::source::topic(suffix), suffix.qos());
        publication.retain = suffix.retain();
        let Ok(key) = session.publish_inner(now, &publication, body, true) else { return false };
        if first {
            session.move_to_front(key);
        }
        if kind == Kind::Heartbeat {
            self.presence.beat = Some(None);
        }
        true
    }

    pub(super) fn presence_ended(&mut self, now: Instant, kind: Kind, outcome: Outcome) {
        match (kind, outcome) {
            (Kind::Offline, Outcome::Acked | Outcome::Refused(_)) => self.stopping = Stopping::Goodbye,
            (Kind::Heartbeat, Outcome::Sent) => {
                // Unless it was answered before its flush was reported.
                if let Some(flushed) = &mut self.presence.beat {
                    *flushed = Some(now);
                }
            }
            (Kind::Heartbeat, _) => self.presence.beat = None,
            _ => {}
        }
    }

    /// A heartbeat that waited may be taken now: its answer may come before its flush is reported.
    pub(super) fn note_beat(&mut self, now: Instant) {
        if self.presence.beat == Some(None) {
            let waits = self.client.session_mut().has_body(Kind::Heartbeat.token(0), false);
            if !waits {
                self.presence.beat = Some(Some(now));
            }
        }
    }

    /// The gateway answered a heartbeat.
    pub(super) fn pong(&mut self, now: Instant) {
        if let Some(Some(sent)) = self.presence.beat.take() {
            self.client.session_mut().notify(Notice::Pong { latency: now.since(sent) });
        }
    }

    pub(super) fn presence_lost(&mut self) {
        self.presence = Presence::default();
    }

    pub(super) fn run_presence(&mut self, now: Instant) {
        if !self.client.is_connected() || self.stopping != Stopping::No {
            return;
        }
        self.say_wanted(now);
        if self.presence.heartbeat_at.is_some_and(|at| at <= now) {
            self.presence.heartbeat_at = Some(now + self.config.heartbeat);
            let _ = self.say(now, Kind::Heartbeat, true);
        }
        if self.presence.again_at.is_some_and(|at| at <= now) {
            self.presence.again_at = None;
            let _ = self.say(now, Kind::Online, true);
        }
    }

    /// An orderly end: what executes is answered and what waits leaves, then `offline`, then DISCONNECT.
    pub(super) fn go_on_stopping(&mut self, now: Instant) {
        if let Stopping::Draining { until } = self.stopping
            && self.client.is_connected()
        {
            if until <= now {
                self.interrupt(now);
            }
            let busy = self.commands.executing_len() > 0 || self.client.pending() > 0;
            if (!busy || until <= now) && self.say(now, Kind::Offline, false) {
                self.stopping = Stopping::Offline;
            }
        }
        if self.stopping == Stopping::Goodbye {
            self.client.say_goodbye();
        }
    }
}
