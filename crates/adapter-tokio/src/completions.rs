//! Who waits for what: a side table from message keys to the wakers of futures.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use mqtt_device_core::{MessageKey, Outcome};

use crate::Error;
use crate::device::TriggerAck;
use crate::shared::lock;

/// What can end a wait.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    Outcome(Outcome),
    Acknowledged(TriggerAck),
    /// The trigger's acknowledgement did not come in time.
    Silence,
}

/// What a future waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Outcome,
    /// The gateway's answer: that the broker took the message is not the end.
    TriggerAck,
}

#[derive(Debug)]
struct Slot {
    until: Until,
    ending: Option<Ending>,
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
struct Table {
    slots: HashMap<MessageKey, Slot>,
    closed: bool,
}

/// The table. Entries live from acceptance until the future is dropped, so there are never more than futures.
#[derive(Debug, Default)]
pub(crate) struct Completions(Mutex<Table>);

impl Completions {
    /// To be called under the machine's lock, so that no outcome can be drained before.
    pub(crate) fn expect(&self, key: MessageKey, until: Until) {
        lock(&self.0).slots.insert(key, Slot { until, ending: None, waker: None });
    }

    pub(crate) fn finish(&self, key: MessageKey, ending: Ending) {
        let waker = {
            let mut table = lock(&self.0);
            let Some(slot) = table.slots.get_mut(&key) else { return };
            let halfway = matches!(ending, Ending::Outcome(Outcome::Acked | Outcome::Sent));
            if slot.ending.is_some() || (halfway && slot.until == Until::TriggerAck) {
                return;
            }
            slot.ending = Some(ending);
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Nothing will end any more: every wait without an ending ends as [`Error::Closed`].
    pub(crate) fn close(&self) {
        let wakers: Vec<Waker> = {
            let mut table = lock(&self.0);
            table.closed = true;
            table.slots.values_mut().filter_map(|slot| slot.waker.take()).collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, key: MessageKey, cx: &Context<'_>) -> Poll<Result<Ending, Error>> {
        let mut table = lock(&self.0);
        let closed = table.closed;
        let Some(slot) = table.slots.get_mut(&key) else { return Poll::Ready(Err(Error::Closed)) };
        match slot.ending.take() {
            Some(ending) => Poll::Ready(Ok(ending)),
            None if closed => Poll::Ready(Err(Error::Closed)),
            None => {
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn forget(&self, key: MessageKey) {
        lock(&self.0).slots.remove(&key);
    }
}

/// One wait; removes its entry when dropped.
#[derive(Debug)]
pub(crate) struct Wait {
    accepted: Result<(MessageKey, Arc<Completions>), Option<Error>>,
}

impl Wait {
    pub(crate) fn new(accepted: Result<MessageKey, Error>, completions: &Arc<Completions>) -> Self {
        Self { accepted: accepted.map(|key| (key, Arc::clone(completions))).map_err(Some) }
    }

    pub(crate) fn key(&self) -> Option<MessageKey> {
        self.accepted.as_ref().ok().map(|(key, _)| *key)
    }

    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<Ending, Error>> {
        match &mut self.accepted {
            Ok((key, completions)) => completions.poll(*key, cx),
            Err(error) => Poll::Ready(Err(error.take().unwrap_or(Error::Closed))),
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Ok((key, completions)) = &self.accepted {
            completions.forget(*key);
        }
    }
}

/// How an operation succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// QoS 0: the last byte was flushed to the transport. Nobody knows more.
    Sent,
    /// The server acknowledged it.
    Acked,
}

/// A publication, a subscription or its removal, queued by the call that returned it.
///
/// Awaiting it tells how it ended: an error is either that it was not accepted (nothing was queued), or
/// [`Error::NotDelivered`]. Dropping it does not cancel anything; [`Client::cancel`](crate::Client::cancel) does.
#[must_use = "whether it was accepted, and how it ended, is in the future"]
#[derive(Debug)]
pub struct Operation(Wait);

impl Operation {
    pub(crate) fn new(accepted: Result<MessageKey, Error>, completions: &Arc<Completions>) -> Self {
        Self(Wait::new(accepted, completions))
    }

    /// Names the operation, for `cancel`; `None` when it was not accepted.
    #[must_use]
    pub fn key(&self) -> Option<MessageKey> {
        self.0.key()
    }
}

impl Future for Operation {
    type Output = Result<Delivery, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx).map(|ending| match ending? {
            Ending::Outcome(Outcome::Acked) => Ok(Delivery::Acked),
            Ending::Outcome(Outcome::Sent) => Ok(Delivery::Sent),
            Ending::Outcome(outcome) => Err(Error::NotDelivered(outcome)),
            Ending::Acknowledged(_) => Ok(Delivery::Acked),
            Ending::Silence => Err(Error::TriggerTimeout),
        })
    }
}
