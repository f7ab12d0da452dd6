//! `DelayClock`: a clock out of any delay and any function that tells the time.

use embedded_hal_async::delay::DelayNs;
use mqtt_device_core::Instant;
use mqtt_device_embedded::{Clock, DelayClock};
use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Time that passes in the delay, `slow` of a hundred parts slower than the delay believes.
#[derive(Clone, Default)]
struct Timer(Rc<State>);

#[derive(Default)]
struct State {
    now: Cell<u64>,
    slow: Cell<u64>,
    stuck: Cell<bool>,
    waits: RefCell<Vec<u32>>,
}

impl DelayNs for Timer {
    async fn delay_ns(&mut self, _: u32) {
        panic!("milliseconds are enough, and save wakes");
    }

    async fn delay_ms(&mut self, ms: u32) {
        if self.0.stuck.get() {
            pending::<()>().await;
        }
        self.0.waits.borrow_mut().push(ms);
        self.0.now.set(self.0.now.get() + (u64::from(ms) * (100 - self.0.slow.get())).div_ceil(100));
    }
}

fn clock(timer: &Timer) -> DelayClock<Timer, impl Fn() -> Instant> {
    let state = Rc::clone(&timer.0);
    DelayClock::new(timer.clone(), move || Instant::from_millis(state.now.get()))
}

fn poll(future: impl Future<Output = ()>) -> Poll<()> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn at(ms: u64) -> Option<Instant> {
    Some(Instant::from_millis(ms))
}

#[test]
fn waits_until_the_time_and_not_at_all_when_it_is_over() {
    let timer = Timer::default();
    let clock = clock(&timer);
    assert_eq!(poll(clock.until(at(250))), Poll::Ready(()));
    assert_eq!(clock.now(), Instant::from_millis(250));
    assert_eq!(poll(clock.until(at(250))), Poll::Ready(()));
    assert_eq!(poll(clock.until(at(7))), Poll::Ready(()));
    assert_eq!(*timer.0.waits.borrow(), [250]);
}

#[test]
fn never_comes_back_without_a_time() {
    assert_eq!(poll(clock(&Timer::default()).until(None)), Poll::Pending);
}

#[test]
fn a_delay_that_runs_fast_is_repeated() {
    let timer = Timer::default();
    timer.0.slow.set(50);
    let clock = clock(&timer);
    assert_eq!(poll(clock.until(at(100))), Poll::Ready(()));
    assert!(clock.now() >= Instant::from_millis(100));
    assert_eq!(*timer.0.waits.borrow(), [100, 50, 25, 12, 6, 3, 1], "no early return, no busy loop");
}

#[test]
fn a_wait_of_years_is_cut_into_pieces_that_any_delay_can_hold() {
    let timer = Timer::default();
    let clock = clock(&timer);
    let month = 31 * 24 * 3600 * 1000;
    assert_eq!(poll(clock.until(at(month))), Poll::Ready(()));
    assert_eq!(clock.now(), Instant::from_millis(month));
    assert!(timer.0.waits.borrow().iter().all(|ms| *ms <= 60_000));
}

#[test]
fn a_wait_that_is_dropped_gives_the_delay_back() {
    let timer = Timer::default();
    let clock = clock(&timer);
    timer.0.stuck.set(true);
    assert_eq!(poll(clock.until(at(9))), Poll::Pending);
    timer.0.stuck.set(false);
    assert_eq!(poll(clock.until(at(9))), Poll::Ready(()));
}

#[test]
fn a_second_wait_at_the_same_time_does_not_fail() {
    let timer = Timer::default();
    let clock = clock(&timer);
    let mut cx = Context::from_waker(Waker::noop());
    timer.0.stuck.set(true);
    let mut first = Box::pin(clock.until(at(9)));
    let mut second = Box::pin(clock.until(at(5)));
    assert_eq!(first.as_mut().poll(&mut cx), Poll::Pending);
    assert_eq!(second.as_mut().poll(&mut cx), Poll::Pending);
    timer.0.stuck.set(false);
    drop(first);
    assert_eq!(second.as_mut().poll(&mut cx), Poll::Ready(()));
}
