//! An executor for two futures that polls only who was woken, so that a wake that is missing shows as a standstill.

use super::net::Net;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Task<'f, T> {
    future: Pin<&'f mut dyn Future<Output = T>>,
    flag: Arc<Flag>,
    output: Option<T>,
}

impl<'f, T> Task<'f, T> {
    fn new(future: Pin<&'f mut dyn Future<Output = T>>) -> Self {
        Self { future, flag: Arc::new(Flag(AtomicBool::new(true))), output: None }
    }

    /// Polls it if it was woken.
    fn turn(&mut self) -> bool {
        if self.output.is_some() || !self.flag.0.swap(false, Ordering::Relaxed) {
            return false;
        }
        let waker = Waker::from(self.flag.clone());
        if let Poll::Ready(output) = self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.output = Some(output);
        }
        true
    }
}

impl Net {
    /// Runs both to their ends. The driver is polled when it was woken, the script whenever anything happened.
    pub(crate) fn run<A, B>(&self, driver: impl Future<Output = A>, script: impl Future<Output = B>) -> (A, B) {
        let (driver, script) = (pin!(driver), pin!(script));
        let (mut driver, mut script) = (Task::new(driver), Task::new(script));
        for round in 0..200_000_u32 {
            let turned = driver.turn();
            let moved = self.step();
            if moved {
                self.wake();
            }
            if turned || moved {
                script.flag.0.store(true, Ordering::Relaxed);
                // A driver that never rests must not starve the script.
                if round % 64 != 0 {
                    continue;
                }
            }
            if script.turn() || turned || moved {
                continue;
            }
            match (driver.output.take(), script.output.take()) {
                (Some(a), Some(b)) => return (a, b),
                (a, b) => (driver.output, script.output) = (a, b),
            }
            assert!(self.advance(), "standstill: nobody was woken and nothing will happen");
            self.wake();
            script.flag.0.store(true, Ordering::Relaxed);
        }
        panic!("no end in sight at {:?}", mqtt_device_embedded::Clock::now(self));
    }

    /// Runs one future to its end.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.run(future, async {}).0
    }
}

/// Polls `future` at most `polls` times and drops it then; `None` when it was not ready by then.
pub(crate) async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut done = 0;
    poll_fn(|cx| {
        if done == polls {
            return Poll::Ready(None);
        }
        done += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if done == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Gives the turn back, until somebody wakes the task: those who wait for what a future that is dropped waited for.
pub(crate) async fn turn_over() {
    let mut over = false;
    poll_fn(|_| if core::mem::replace(&mut over, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}
