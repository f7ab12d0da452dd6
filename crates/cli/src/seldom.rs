//! Losses, told seldom: a flood of them must not become a flood of lines.

use core::time::Duration;

use tokio::time::Instant;

/// How long after one line on losses the next may follow.
pub(crate) const PAUSE: Duration = Duration::from_secs(10);

/// Counts losses, and says when the next line on them is due: the first at once, then one for all of the last
/// [`PAUSE`].
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    untold: u64,
    quiet_until: Option<Instant>,
}

impl Seldom {
    /// So many more were lost.
    pub(crate) const fn add(&mut self, n: u64) {
        self.untold = self.untold.saturating_add(n);
    }

    /// When [`Self::take`] will give something; `None` while nothing is lost.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        (self.untold > 0).then(|| self.quiet_until.unwrap_or(now))
    }

    /// How many losses are to be told now.
    pub(crate) fn take(&mut self, now: Instant) -> Option<u64> {
        if self.due(now)? > now {
            return None;
        }
        self.quiet_until = Some(now + PAUSE);
        self.rest()
    }

    /// How many have not been told, due or not: for the end.
    pub(crate) fn rest(&mut self) -> Option<u64> {
        Some(core::mem::take(&mut self.untold)).filter(|n| *n > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_loss_is_told_at_once_and_then_all_of_a_pause_together() {
        let (mut losses, start) = (Seldom::default(), Instant::now());
        assert_eq!((losses.due(start), losses.take(start)), (None, None));
        losses.add(1);
        assert_eq!((losses.due(start), losses.take(start)), (Some(start), Some(1)));
        for _ in 0..1000 {
            losses.add(2);
            assert_eq!(losses.take(start + PAUSE / 2), None);
        }
        assert_eq!(losses.due(start), Some(start + PAUSE));
        assert_eq!(losses.take(start + PAUSE), Some(2000));
        assert_eq!(losses.due(start), None);
        losses.add(3);
        assert_eq!((losses.take(start + PAUSE), losses.rest(), losses.rest()), (None, Some(3), None));
    }
}
