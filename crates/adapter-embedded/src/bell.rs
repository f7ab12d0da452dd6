//! The bell that wakes the driver: one flag for each of its loops, one waker for the task that polls them all.

use core::cell::Cell;
use core::future::poll_fn;
use core::task::{Poll, Waker};

/// One of the driver's loops.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loop {
    Reader,
    Writer,
    Timer,
}

/// Remembers that something changed until the loop concerned looks, so that no ring is lost between two polls.
#[derive(Default)]
pub(crate) struct Bell {
    reader: Cell<bool>,
    writer: Cell<bool>,
    timer: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Bell {
    pub(crate) const fn new() -> Self {
        Self { reader: Cell::new(false), writer: Cell::new(false), timer: Cell::new(false), waker: Cell::new(None) }
    }

    const fn flag(&self, of: Loop) -> &Cell<bool> {
        match of {
            Loop::Reader => &self.reader,
            Loop::Writer => &self.writer,
            Loop::Timer => &self.timer,
        }
    }

    /// Rings for every loop, from outside of the driver.
    pub(crate) fn ring(&self) {
        self.reader.set(true);
        self.writer.set(true);
        self.timer.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Rings from one loop for another, which is polled after it in the same turn: the task need not be woken.
    pub(crate) fn ring_for(&self, of: Loop) {
        self.flag(of).set(true);
    }

    /// Forgets a ring for `of`: what it was about is just being looked at. Whether there was one.
    pub(crate) fn hush(&self, of: Loop) -> bool {
        self.flag(of).replace(false)
    }

    /// Waits for a ring; one that came before counts. May be dropped at any time.
    pub(crate) async fn wait(&self, of: Loop) {
        poll_fn(|cx| {
            if self.flag(of).replace(false) {
                return Poll::Ready(());
            }
            let waker = match self.waker.take() {
                Some(waker) if waker.will_wake(cx.waker()) => waker,
                _ => cx.waker().clone(),
            };
            self.waker.set(Some(waker));
            Poll::Pending
        })
        .await;
    }
}

impl core::fmt::Debug for Bell {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Bell")
            .field("reader", &self.reader)
            .field("writer", &self.writer)
            .field("timer", &self.timer)
            .finish_non_exhaustive()
    }
}
