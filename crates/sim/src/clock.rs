//! The virtual clock: time passes when the test says so, and never by itself.

use mqtt_device_core::{Duration, Instant};

/// Milliseconds that move only by [`Clock::advance`] and [`Clock::advance_to`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    now: Instant,
    began: Instant,
}

impl Clock {
    /// A clock that shows `start`. A start near 2³² ms finds sums in too few bits.
    #[must_use]
    pub const fn starting_at(start: Instant) -> Self {
        Self { now: start, began: start }
    }

    /// What it shows.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// How long it has been running.
    #[must_use]
    pub const fn elapsed(&self) -> Duration {
        self.now.since(self.began)
    }

    /// Lets `span` pass.
    pub fn advance(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    /// Lets time pass until `to`; a moment that is over changes nothing.
    pub fn advance_to(&mut self, to: Instant) {
        self.now = self.now.max(to);
    }
}

impl Default for Clock {
    /// Starts at one second, since a clock that shows zero hides "never" among the times.
    fn default() -> Self {
        Self::starting_at(Instant::from_millis(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_only_forward() {
        let mut clock = Clock::starting_at(Instant::from_millis(50));
        clock.advance(Duration::from_millis(7));
        clock.advance_to(Instant::from_millis(20));
        assert_eq!(clock.now().as_millis(), 57);
        assert_eq!(clock.elapsed().as_millis(), 7);
    }
}
