//! What the driver and the handles share: the machine under a short mutex, and the driver's waker beside it.

use core::task::Waker;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use mqtt_device_core::{Instant, Machine};

use crate::Error;

/// Locks, also after a panic elsewhere: what these mutexes guard is consistent between any two calls.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a client or device came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Whether everything that was accepted left, and the server got an orderly goodbye.
    pub clean: bool,
}

pub(crate) struct State<M> {
    pub(crate) machine: M,
    /// Of the task that runs the driver, while it sleeps.
    pub(crate) waker: Option<Waker>,
    /// The driver is gone: nothing that is accepted now would ever end.
    pub(crate) closed: bool,
}

pub(crate) struct Shared<M> {
    state: Mutex<State<M>>,
    epoch: tokio::time::Instant,
}

impl<M> Shared<M> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State<M>> {
        lock(&self.state)
    }

    pub(crate) fn now(&self) -> Instant {
        let ms = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        Instant::from_millis(ms)
    }

    /// When tokio's clock shows `at`.
    pub(crate) fn at(&self, at: Instant) -> tokio::time::Instant {
        /// Beyond this tokio's clock may end; the driver asks again then.
        const FAR: u64 = 365 * 24 * 3600 * 1000;
        let ms = at.as_millis().min(self.now().as_millis().saturating_add(FAR));
        self.epoch + core::time::Duration::from_millis(ms)
    }
}

/// Calls a machine that a [`Driver`](crate::driver::Driver) runs. Cheap to clone.
pub struct Handle<M>(pub(crate) Arc<Shared<M>>);

impl<M> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> core::fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl<M: Machine> Handle<M> {
    /// Gives a machine its first handle. Its clock starts here, at tokio's present.
    #[must_use]
    pub fn new(machine: M) -> Self {
        let state = State { machine, waker: None, closed: false };
        Self(Arc::new(Shared { state: Mutex::new(state), epoch: tokio::time::Instant::now() }))
    }

    /// Calls the machine under its lock, then wakes the driver if that changed what is to be done. `call` must be
    /// short, and must not use a handle of the same machine.
    ///
    /// # Errors
    /// [`Error::Closed`] when the driver is gone.
    pub fn with<T>(&self, call: impl FnOnce(&mut M, Instant) -> T) -> Result<T, Error> {
        let (result, waker) = {
            let mut state = self.0.lock();
            if state.closed {
                return Err(Error::Closed);
            }
            let result = call(&mut state.machine, self.0.now());
            let waker = if state.machine.take_wake() { state.waker.take() } else { None };
            (result, waker)
        };
        // After the unlock, so that the driver does not wake into a held lock.
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(result)
    }
}

/// Milliseconds since 1970; `None` when this machine's clock stands before that.
pub(crate) fn unix_ms() -> Option<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}
