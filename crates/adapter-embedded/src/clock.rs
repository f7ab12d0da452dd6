//! The clock that the driver reads and waits for.

use crate::wait::pause;
use core::cell::RefCell;
use core::future::pending;
use embedded_hal_async::delay::DelayNs;
use mqtt_device_core::Instant;

/// A monotonic clock that can be waited for.
///
/// Its epoch is of no interest, but it must be the same for as long as the machine lives, and `now` must never go
/// back.
#[expect(async_fn_in_trait, reason = "the futures stay on the executor that runs the driver")]
pub trait Clock {
    /// The time.
    fn now(&self) -> Instant;

    /// Returns at `at` or soon after, at once when that is over, never when it is `None`. Dropping it is how a wait is
    /// given up.
    async fn until(&self, at: Option<Instant>);
}

impl<C: Clock> Clock for &C {
    fn now(&self) -> Instant {
        C::now(self)
    }

    async fn until(&self, at: Option<Instant>) {
        C::until(self, at).await;
    }
}

/// A [`Clock`] made of any [`DelayNs`] and a function that tells the time.
///
/// With `embassy-time`:
/// `DelayClock::new(embassy_time::Delay, || Instant::from_millis(embassy_time::Instant::now().as_millis()))`.
///
/// Give each driver a clock of its own: while one wait holds the delay, a second wait on the same clock is correct but
/// polls all the time.
#[derive(Debug)]
pub struct DelayClock<D, F> {
    delay: RefCell<D>,
    now: F,
}

impl<D: DelayNs, F: Fn() -> Instant> DelayClock<D, F> {
    /// A clock that reads `now` and waits with `delay`.
    pub const fn new(delay: D, now: F) -> Self {
        Self { delay: RefCell::new(delay), now }
    }
}

/// The longest single wait: any delay can hold it, and a clock that drifts against the delay is read again after it.
const LONGEST_DELAY_MS: u64 = 60_000;

impl<D: DelayNs, F: Fn() -> Instant> Clock for DelayClock<D, F> {
    fn now(&self) -> Instant {
        (self.now)()
    }

    // The delay stays borrowed while it is waited for: that is what keeps a second wait out.
    #[allow(clippy::await_holding_refcell_ref, reason = "taken with `try_borrow_mut`, and a second wait yields")]
    async fn until(&self, at: Option<Instant>) {
        let Some(at) = at else { return pending().await };
        loop {
            let left = at.since((self.now)()).as_millis();
            if left == 0 {
                return;
            }
            match self.delay.try_borrow_mut() {
                Ok(mut delay) => {
                    // At most a minute, so the conversion cannot fail.
                    let ms = u32::try_from(left.min(LONGEST_DELAY_MS)).unwrap_or(u32::MAX);
                    delay.delay_ms(ms).await;
                }
                Err(_) => pause().await,
            }
        }
    }
}
