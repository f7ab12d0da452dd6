//! A fired trigger, and the server's answer to it.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use mqtt_device_core::{MessageKey, Outcome};

use crate::Error;
use crate::completions::{Completions, Ending, Wait};

/// The server's answer to a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerAck {
    /// Whether the server took it.
    pub received: bool,
    /// What the server calls it.
    pub trigger_id: Option<String>,
    /// Why it was not taken.
    pub error: Option<String>,
}

/// A trigger, queued by the call that returned it.
///
/// Awaiting it gives the server's acknowledgement. Errors: it was not accepted here ([`Error::Publish`],
/// [`Error::Json`]), it never left ([`Error::NotDelivered`]), the server said no ([`Error::TriggerRefused`]), or
/// nothing ([`Error::TriggerTimeout`]). Dropping it cancels nothing.
#[must_use = "whether it was accepted, and what the server says, is in the future"]
#[derive(Debug)]
pub struct Trigger(Wait);

impl Trigger {
    pub(super) fn new(accepted: Result<MessageKey, Error>, completions: &Arc<Completions>) -> Self {
        Self(Wait::new(accepted, completions))
    }

    /// Names the trigger in events; `None` when it was not accepted.
    #[must_use]
    pub fn key(&self) -> Option<MessageKey> {
        self.0.key()
    }
}

impl Future for Trigger {
    type Output = Result<TriggerAck, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx).map(|ending| match ending? {
            Ending::Acknowledged(ack) if ack.received => Ok(ack),
            Ending::Acknowledged(ack) => Err(Error::TriggerRefused(ack)),
            Ending::Silence | Ending::Outcome(Outcome::Acked | Outcome::Sent) => Err(Error::TriggerTimeout),
            Ending::Outcome(outcome) => Err(Error::NotDelivered(outcome)),
        })
    }
}
