//! The stream of inbound messages, and their acknowledgement.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use mqtt_device_core::AckToken;
use mqtt_device_proto::QoS;

use super::Machine;
use crate::queue::{Popped, Queue, Weight};
use crate::running::Running;

/// An inbound message.
#[non_exhaustive]
#[derive(Debug)]
pub struct Message {
    /// Where it was published.
    pub topic: String,
    /// The body; a large one shares the memory of its packet.
    pub payload: Bytes,
    /// The quality of service of this delivery.
    pub qos: QoS,
    /// Whether it is the retained message of its topic.
    pub retain: bool,
    /// Whether the server says that it may have been delivered before.
    pub dup: bool,
    /// Only with [`ClientBuilder::manual_ack`](crate::ClientBuilder::manual_ack), for QoS 1.
    pub ack: Option<AckHandle>,
}

/// Acknowledges one message. Acknowledgements leave in order of receipt, so one that is kept back keeps back those
/// after it, and in the end the server waits.
#[must_use = "the server waits for the acknowledgement of this message"]
///
/// One that is dropped leaves its message unacknowledged, and is told as
/// [`ClientEvent::Unacknowledged`](crate::ClientEvent::Unacknowledged): once those before it are dealt with, the client
/// connects anew, and the server delivers it again with those behind it, which must not be acknowledged before it.
pub struct AckHandle {
    /// `None` once it was used.
    token: Option<AckToken>,
    running: Arc<Running<Machine>>,
}

impl AckHandle {
    /// Says that the message is dealt with. False when that is too late: its connection is over, and the server will
    /// deliver it again.
    pub fn ack(mut self) -> bool {
        self.token.take().is_some_and(|token| self.running.handle.with(|m, _| m.acknowledge(token)).unwrap_or(false))
    }
}

impl Drop for AckHandle {
    fn drop(&mut self) {
        if let Some(token) = self.token {
            let _ = self.running.handle.with(|m, _| m.forgo(token));
        }
    }
}

impl fmt::Debug for AckHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AckHandle").field(&self.token).finish()
    }
}

/// What waits in the queue.
pub(super) struct Waiting {
    pub(super) message: Message,
    pub(super) token: Option<AckToken>,
    /// The server has lost the session since: no other copy will come.
    pub(super) orphan: bool,
}

impl Weight for Waiting {
    fn weight(&self) -> usize {
        self.message.topic.len().saturating_add(self.message.payload.len())
    }
}

/// The inbound messages of a [`Client`](crate::Client), in order.
///
/// A QoS 1 message is acknowledged when it is taken from here (or by hand), and never before: a consumer that lags makes
/// the server wait, and what was not taken when the connection was lost is delivered again, with DUP. QoS 0 messages that
/// find the queue full are dropped and counted; of QoS 1 ones only a session that is not kept (`clean_start`, or no Client
/// Identifier) loses any. Dropping the stream drops what comes and leaves it unacknowledged. The
/// stream keeps the client alive, as a clone of it would.
pub struct Messages {
    pub(super) queue: Arc<Queue<Waiting>>,
    pub(super) running: Arc<Running<Machine>>,
    pub(super) manual: bool,
}

impl Messages {
    /// The next message; `None` after the end of the client. Cancel-safe.
    pub async fn next(&mut self) -> Option<Message> {
        core::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<Message>> {
        self.queue.poll_pop(cx).map(|popped| match popped? {
            Popped::Item(waiting) => Some(self.acknowledged(waiting)),
            // This queue refuses what is too much, and never pushes over.
            Popped::Lost(_) => None,
        })
    }

    fn acknowledged(&self, Waiting { mut message, token, .. }: Waiting) -> Message {
        if let Some(token) = token {
            if self.manual {
                message.ack = Some(AckHandle { token: Some(token), running: Arc::clone(&self.running) });
            } else {
                // Too late is no harm: then the server delivers it again, with DUP.
                let _ = self.running.handle.with(|m, _| m.acknowledge(token));
            }
        }
        message
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

impl Stream for Messages {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.poll(cx)
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
    }
}
