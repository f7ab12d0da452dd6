//! Bounded streams: a queue that counts what it loses, and a fan-out of events to any number of them.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_core::Stream;

use crate::shared::lock;

#[derive(Debug)]
struct Inner<T> {
    items: VecDeque<T>,
    bytes: usize,
    lost: u64,
    waker: Option<Waker>,
    closed: bool,
}

/// A bounded queue between the driver, which never waits, and one consumer.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    capacity: usize,
    bytes: usize,
}

/// What an item of a [`Queue`] costs.
pub trait Weight {
    /// Bytes on the heap whose number a peer decides.
    #[doc(hidden)]
    fn weight(&self) -> usize;
}

/// What a consumer finds.
pub(crate) enum Popped<T> {
    Item(T),
    /// So many items had to go, here.
    Lost(u64),
}

impl<T> Queue<T> {
    fn put(&self, change: impl FnOnce(&mut Inner<T>, usize)) {
        let waker = {
            let mut inner = lock(&self.inner);
            change(&mut inner, self.capacity);
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// No more items will come; those that are there still can be taken.
    pub(crate) fn close(&self) {
        self.put(|inner, _| inner.closed = true);
    }
}

impl<T: Weight> Queue<T> {
    /// At most `capacity` items with `bytes` bytes in all; one item always fits.
    pub(crate) fn new(capacity: usize, bytes: usize) -> Self {
        let inner = Inner { items: VecDeque::new(), bytes: 0, lost: 0, waker: None, closed: false };
        Self { inner: Mutex::new(inner), capacity: capacity.max(1), bytes }
    }

    /// The oldest makes room, and the consumer learns of it before the next item.
    pub(crate) fn push_over(&self, item: T) {
        self.put(|inner, capacity| {
            while !inner.fits(&item, capacity, self.bytes) {
                inner.pop();
                inner.lost = inner.lost.saturating_add(1);
            }
            inner.push(item);
        });
    }

    /// Keeps what is there: `item` comes back when the queue is over its capacity by `extra` already.
    pub(crate) fn push(&self, item: T, extra: usize) -> Result<(), T> {
        let mut item = Some(item);
        self.put(|inner, capacity| {
            if !inner.closed
                && let Some(item) = item.take_if(|item| inner.fits(item, capacity.saturating_add(extra), self.bytes))
            {
                inner.push(item);
            }
        });
        item.map_or(Ok(()), Err)
    }

    /// Closes, and gives what nobody will take.
    pub(crate) fn abandon(&self) -> VecDeque<T> {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        inner.bytes = 0;
        core::mem::take(&mut inner.items)
    }

    /// Nobody will take anything any more.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.inner).closed
    }

    /// Takes the oldest out for which `test` holds; false when there is none.
    pub(crate) fn evict(&self, test: impl FnMut(&T) -> bool) -> bool {
        let mut inner = lock(&self.inner);
        let Some(at) = inner.items.iter().position(test) else { return false };
        let weight = inner.items.remove(at).map_or(0, |item| item.weight());
        inner.bytes = inner.bytes.saturating_sub(weight);
        true
    }

    /// Changes what waits, but not what it weighs.
    pub(crate) fn update(&self, change: impl FnMut(&mut T)) {
        lock(&self.inner).items.iter_mut().for_each(change);
    }

    /// Takes out what is not to be handed over any more.
    pub(crate) fn retain(&self, keep: impl FnMut(&T) -> bool) {
        let mut inner = lock(&self.inner);
        inner.items.retain(keep);
        inner.bytes = inner.items.iter().map(T::weight).fold(0, usize::saturating_add);
    }

    pub(crate) fn poll_pop(&self, cx: &Context<'_>) -> Poll<Option<Popped<T>>> {
        let mut inner = lock(&self.inner);
        if inner.lost > 0 {
            return Poll::Ready(Some(Popped::Lost(core::mem::take(&mut inner.lost))));
        }
        if let Some(item) = inner.pop() {
            if inner.items.is_empty() && inner.items.capacity() > 64 {
                // An idle consumer holds little memory.
                inner.items = VecDeque::new();
            }
            return Poll::Ready(Some(Popped::Item(item)));
        }
        if inner.closed {
            return Poll::Ready(None);
        }
        inner.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<T: Weight> Inner<T> {
    /// Whether there is room for one more.
    fn fits(&self, item: &T, capacity: usize, bytes: usize) -> bool {
        let room = self.items.len() < capacity && self.bytes.saturating_add(item.weight()) <= bytes;
        room || self.items.is_empty()
    }

    fn push(&mut self, item: T) {
        self.bytes = self.bytes.saturating_add(item.weight());
        self.items.push_back(item);
    }

    fn pop(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        self.bytes = self.bytes.saturating_sub(item.weight());
        Some(item)
    }
}

/// An event type that can say "so many were lost".
pub trait Lagging: Clone + Weight {
    #[doc(hidden)]
    fn lagged(n: u64) -> Self;
}

/// Gives every event to every subscriber.
#[derive(Debug)]
pub(crate) struct Fanout<T> {
    subscribers: Mutex<(Vec<Weak<Queue<T>>>, bool)>,
}

/// How many events wait for a consumer, if the builder is told nothing else.
pub(crate) const EVENTS: usize = 1024;
/// How many bytes of them.
const EVENT_BYTES: usize = 4 << 20;

impl<T: Lagging> Fanout<T> {
    pub(crate) const fn new() -> Self {
        Self { subscribers: Mutex::new((Vec::new(), false)) }
    }

    pub(crate) fn subscribe(&self, capacity: usize) -> Events<T> {
        let queue = Arc::new(Queue::new(capacity, EVENT_BYTES));
        let mut subscribers = lock(&self.subscribers);
        if subscribers.1 {
            queue.close();
        } else {
            subscribers.0.retain(|q| q.strong_count() > 0);
            subscribers.0.push(Arc::downgrade(&queue));
        }
        Events(queue)
    }

    pub(crate) fn send(&self, event: &T) {
        for queue in self.queues() {
            queue.push_over(event.clone());
        }
    }

    pub(crate) fn close(&self) {
        lock(&self.subscribers).1 = true;
        for queue in self.queues() {
            queue.close();
        }
    }

    fn queues(&self) -> Vec<Arc<Queue<T>>> {
        lock(&self.subscribers).0.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Nobody is left who could send: a builder that failed, for instance.
impl<T> Drop for Fanout<T> {
    fn drop(&mut self) {
        let (queues, _) = self.subscribers.get_mut().unwrap_or_else(PoisonError::into_inner);
        for queue in queues.drain(..).filter_map(|queue| queue.upgrade()) {
            queue.close();
        }
    }
}

/// A stream of owned events, from the moment it was asked for until the end of the client or device.
///
/// It is bounded: when its consumer lags, the oldest events go, and a `Lagged(n)` stands where they were.
#[derive(Debug)]
pub struct Events<T>(Arc<Queue<T>>);

impl<T: Lagging> Events<T> {
    /// The next event; `None` at the end. Cancel-safe.
    pub async fn next(&mut self) -> Option<T> {
        core::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        self.0.poll_pop(cx).map(|popped| {
            Some(match popped? {
                Popped::Item(event) => event,
                Popped::Lost(n) => T::lagged(n),
            })
        })
    }
}

impl<T: Lagging> Stream for Events<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll(cx)
    }
}
