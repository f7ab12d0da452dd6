//! When to try again: full jitter, and a slow lane for what a quick retry cannot mend.

use crate::config::Backoff;
use crate::event::DisconnectReason;
use crate::time::Duration;
use crate::{Failure, Security};
use mqtt_device_proto::ReasonCode;

/// A small generator of random numbers (SplitMix64): enough to keep a fleet from returning in step.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Evenly from 0 to `most`, both included.
    fn upto(&mut self, most: u64) -> u64 {
        let span = u128::from(most).saturating_add(1);
        u64::try_from(u128::from(self.next()).saturating_mul(span) >> 64).unwrap_or(most)
    }
}

/// Which of the two rows of delays applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    Quick,
    Slow,
}

/// Where connections that end for this reason are retried.
pub(crate) fn lane(reason: DisconnectReason) -> Lane {
    let slow = match reason {
        // A busy server may be free soon; every other refusal is about who or what we are.
        DisconnectReason::Refused(code) | DisconnectReason::Server(code) => {
            !matches!(code, ReasonCode::SERVER_UNAVAILABLE | ReasonCode::SERVER_BUSY | ReasonCode::SERVER_SHUTTING_DOWN)
        }
        DisconnectReason::ConnectFailed(why) => {
            matches!(why, Failure::Untrusted | Failure::Expired | Failure::WrongHost)
        }
        // A server that breaks the protocol once will most likely do so again.
        DisconnectReason::CredentialsWithheld(Security::Plain | Security::Unverified)
        | DisconnectReason::Protocol(_) => true,
        _ => false,
    };
    if slow { Lane::Slow } else { Lane::Quick }
}

impl Backoff {
    /// The delay before attempt `number` (from 0) in a lane.
    pub(crate) fn delay(&self, lane: Lane, number: u32, random: &mut Random) -> Duration {
        let (base, cap) = match lane {
            Lane::Quick => (self.base, self.cap),
            Lane::Slow => (self.slow_base, self.slow_cap),
        };
        let factor = 1u64.checked_shl(number.min(40)).unwrap_or(u64::MAX);
        let most = base.saturating_mul(factor).min(cap).as_millis();
        Duration::from_millis(match lane {
            Lane::Quick => random.upto(most),
            Lane::Slow => (most / 2).saturating_add(random.upto(most / 2)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        base: Duration::from_millis(100),
        cap: Duration::from_millis(10_000),
        slow_base: Duration::from_millis(1000),
        slow_cap: Duration::from_millis(8000),
    };

    #[test]
    fn delays_fill_the_whole_range_and_never_pass_the_cap() {
        let mut random = Random::new(7);
        for number in 0..200 {
            let most = 100u64.saturating_mul(1 << number.min(20)).min(10_000);
            let drawn: [u64; 200] =
                core::array::from_fn(|_| BACKOFF.delay(Lane::Quick, number, &mut random).as_millis());
            assert!(drawn.iter().all(|&d| d <= most), "attempt {number}");
            assert!(drawn.iter().any(|&d| d < most / 4) && drawn.iter().any(|&d| d > most / 4 * 3), "attempt {number}");
        }
    }

    #[test]
    fn the_slow_lane_is_never_short() {
        let mut random = Random::new(7);
        for number in 0..100 {
            let most = 1000u64.saturating_mul(1 << number.min(20)).min(8000);
            let delay = BACKOFF.delay(Lane::Slow, number, &mut random).as_millis();
            assert!(delay >= most / 2 && delay <= most, "attempt {number}: {delay}");
        }
    }

    #[test]
    fn two_seeds_do_not_return_in_step() {
        let (mut a, mut b) = (Random::new(1), Random::new(2));
        let delays = |r: &mut Random| core::array::from_fn::<_, 8, _>(|n| BACKOFF.delay(Lane::Quick, n as u32, r));
        assert_ne!(delays(&mut a), delays(&mut b));
    }

    #[test]
    fn refused_credentials_are_slow_and_an_absent_server_is_quick() {
        assert_eq!(lane(DisconnectReason::Refused(ReasonCode::NOT_AUTHORIZED)), Lane::Slow);
        assert_eq!(lane(DisconnectReason::Refused(ReasonCode::SERVER_UNAVAILABLE)), Lane::Quick);
        assert_eq!(lane(DisconnectReason::ConnectFailed(Failure::Refused)), Lane::Quick);
        assert_eq!(lane(DisconnectReason::ConnectFailed(Failure::Untrusted)), Lane::Slow);
        assert_eq!(lane(DisconnectReason::Transport), Lane::Quick);
    }
}
