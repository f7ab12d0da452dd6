//! One timer that is set again and again.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Made at its first use, so that a driver can be built outside a runtime.
#[derive(Default)]
pub(crate) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
}

impl Timer {
    /// Ready at `deadline`, once; never without one.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else {
            self.armed = None;
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if self.armed != Some(deadline) {
            sleep.as_mut().reset(deadline);
            self.armed = Some(deadline);
        }
        ready!(sleep.as_mut().poll(cx));
        self.armed = None;
        Poll::Ready(())
    }

    /// Ready `span` after the first call.
    pub(crate) fn poll_span(&mut self, cx: &mut Context<'_>, span: Duration) -> Poll<()> {
        let deadline = self.armed.unwrap_or_else(|| Instant::now() + span);
        self.poll(cx, Some(deadline))
    }
}
