//! One remembered command: its states, and every transition between them.
//!
//! Two questions are kept apart. *Has it run?* `Free → Executing → Done`. *Can the server still send it again?* That is
//! the state of the PUBACK, since a server repeats exactly what it has no PUBACK for:
//!
//! | ack             | meaning                                                  | LRU may take it, once done | TTL runs |
//! |-----------------|----------------------------------------------------------|-----|-----|
//! | `Pending`       | a PUBACK is owed, or written and not known to have come  | no  | no  |
//! | `Lost`          | the connection went with the ack unconfirmed             | no  | no  |
//! | `Redeliverable` | reconnected to the same session: may come again          | no  | yes |
//! | `Confirmed`     | the server has the ack, or has forgotten the message     | yes | yes |
//!
//! | event                | `Pending`                          | `Lost`            | `Redeliverable`      | `Confirmed`  |
//! |----------------------|------------------------------------|-------------------|----------------------|--------------|
//! | delivered again      | one more owed                      | `Pending`, 1 owed | `Pending`, 1 owed    | `Pending`, 1 owed |
//! | the same at QoS 0    | –                                  | –                 | –                    | –            |
//! | PUBACK written at p  | one less owed, written at p        | refused           | refused              | refused      |
//! | confirmed up to q    | p ≤ q and none owed: `Confirmed`   | –                 | –                    | –            |
//! | connection lost      | `Lost`                             | –                 | `Lost`               | –            |
//! | session resumed      | –                                  | `Redeliverable`   | –                    | –            |
//! | session was new      | –                                  | `Confirmed`       | –                    | –            |
//! | finished             | –                                  | –                 | TTL anew             | TTL anew     |
//! | TTL over, and done   |                                    |                   | free                 | free         |
//!
//! `Pending` begins with one PUBACK owed; a delivery at QoS 0 begins `Confirmed`. The TTL is connected time: while the
//! device is away nothing can be delivered, and nothing grows old. `Redeliverable` goes back to `Lost` with its whole
//! TTL, since a server repeats after each connect. An entry that executes, or whose response is lent to the outbox, is
//! neither evicted nor expired in any state.

use mqtt_device_proto::QoS;

use super::message::CommandId;
use super::short::Short;

/// Storage for one remembered command: its content is the business of [`Commands`](super::commands::Commands).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) id: Short,
    pub(super) run: Run,
    pub(super) ack: Ack,
    /// Which command this is of all: the order of receipt, and what tells a token from one for an earlier command here.
    pub(super) born: u64,
    /// When it was last asked for, as a count.
    pub(super) used: u64,
    /// Since when its PUBACK is held back, by the caller's clock.
    pub(super) held_since: u64,
    /// The hold policy has let its PUBACK go before the response.
    pub(super) early: bool,
    /// How many readers of the response there are.
    pub(super) lent: u16,
    pub(super) response_len: usize,
}

/// Has it run?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Run {
    Free,
    Executing,
    Done,
}

/// Can it come again?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ack {
    Pending { owed: u16, written: Option<u64> },
    Lost,
    Redeliverable { until: u64 },
    Confirmed { until: u64 },
}

impl Entry {
    /// An entry that remembers nothing.
    pub const FREE: Self = Self {
        id: Short::EMPTY,
        run: Run::Free,
        ack: Ack::Lost,
        born: 0,
        used: 0,
        held_since: 0,
        early: false,
        lent: 0,
        response_len: 0,
    };

    pub(super) fn begun(id: &CommandId, stamp: u64, now: u64, qos: QoS) -> Self {
        let ack = match qos {
            // The TTL is set when it has finished.
            QoS::AtMostOnce => Ack::Confirmed { until: 0 },
            _ => Ack::Pending { owed: 1, written: None },
        };
        Self { id: id.short(), run: Run::Executing, ack, born: stamp, used: stamp, held_since: now, ..Self::FREE }
    }

    pub(super) fn delivered_again(&mut self, stamp: u64, now: u64, qos: QoS) {
        self.used = stamp;
        if qos == QoS::AtMostOnce {
            return;
        }
        if !self.is_held() {
            self.held_since = now;
        }
        self.early = false;
        self.ack = match self.ack {
            Ack::Pending { owed, written } => Ack::Pending { owed: owed.saturating_add(1), written },
            _ => Ack::Pending { owed: 1, written: None },
        };
    }

    pub(super) fn finished(&mut self, response_len: usize, until: u64, redeliverable: u64) {
        self.run = Run::Done;
        self.response_len = response_len;
        match &mut self.ack {
            Ack::Redeliverable { until: end } => *end = redeliverable,
            Ack::Confirmed { until: end } => *end = until,
            Ack::Pending { .. } | Ack::Lost => {}
        }
    }

    /// False when no PUBACK was owed.
    pub(super) fn ack_written(&mut self, position: u64) -> bool {
        match self.ack {
            Ack::Pending { owed, written } if owed > 0 => {
                let written = Some(written.map_or(position, |earlier| earlier.max(position)));
                self.ack = Ack::Pending { owed: owed.saturating_sub(1), written };
                true
            }
            _ => false,
        }
    }

    pub(super) fn confirm(&mut self, upto: u64, until: u64) {
        if let Ack::Pending { owed: 0, written: Some(position) } = self.ack
            && position <= upto
        {
            self.ack = Ack::Confirmed { until };
        }
    }

    pub(super) const fn connection_lost(&mut self) {
        if let Ack::Pending { .. } | Ack::Redeliverable { .. } = self.ack {
            self.ack = Ack::Lost;
        }
    }

    pub(super) const fn resumed(&mut self, session_present: bool, until: u64) {
        if let Ack::Lost = self.ack {
            self.ack = if session_present { Ack::Redeliverable { until } } else { Ack::Confirmed { until } };
        }
    }

    /// Where the last PUBACK is, if nothing but its confirmation is missing.
    pub(super) const fn unconfirmed(&self) -> Option<u64> {
        match self.ack {
            Ack::Pending { owed: 0, written } => written,
            _ => None,
        }
    }

    /// It executes, and the server waits for the PUBACK.
    pub(super) fn is_held(&self) -> bool {
        self.run == Run::Executing && !self.early && matches!(self.ack, Ack::Pending { owed: 1.., .. })
    }

    pub(super) fn is_expired(&self, clock: u64) -> bool {
        let over = matches!(self.ack, Ack::Redeliverable { until } | Ack::Confirmed { until } if until <= clock);
        over && self.run == Run::Done && self.lent == 0
    }

    pub(super) fn is_evictable(&self) -> bool {
        self.run == Run::Done && self.lent == 0 && matches!(self.ack, Ack::Confirmed { .. })
    }

    pub(super) fn is(&self, id: &CommandId) -> bool {
        self.run != Run::Free && self.id == id.short()
    }
}
