//! What is on its way out: taken from the machine, not yet flushed and reported.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};

use mqtt_device_core::{Instant, Machine, Storage};

use crate::link::Transport;

/// Heads and small packets share a write of up to so many bytes.
const TX: usize = 4096;

/// Emptied only when all of it is flushed, or the connection is over.
pub(crate) struct Output<P> {
    buffer: Vec<u8>,
    len: usize,
    body: Option<P>,
    written: usize,
}

impl<P: AsRef<[u8]> + Clone> Output<P> {
    pub(crate) const fn new() -> Self {
        Self { buffer: Vec::new(), len: 0, body: None, written: 0 }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0 && self.body.is_none()
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }

    /// Nothing will happen for a while: an idle connection holds no buffer.
    pub(crate) fn rest(&mut self) {
        if self.is_empty() {
            self.buffer = Vec::new();
        }
    }

    /// Takes as many packets as fit. Only when nothing is on its way: the buffer must not change under a write.
    pub(crate) fn take<M>(&mut self, machine: &mut M, now: Instant, source: &M::Source)
    where
        M: Machine,
        M::Storage: Storage<Payload = P>,
    {
        debug_assert!(self.is_empty(), "what is on its way must leave first");
        let room = machine.tx_min(source).max(machine.tx_wanted()).max(TX);
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        let taken = machine.take_transmit(now, source, &mut self.buffer);
        (self.len, self.body, self.written) = (taken.len, taken.body, 0);
    }

    /// Writes and flushes; then says how many bytes that were, and is empty.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, stream: &mut dyn Transport) -> Poll<io::Result<usize>> {
        let body = self.body.as_ref().map_or(&[][..], AsRef::as_ref);
        let heads = self.buffer.get(..self.len).unwrap_or_default();
        let total = heads.len() + body.len();
        let mut stream = Pin::new(stream);
        while self.written < total {
            let head = heads.get(self.written..).unwrap_or_default();
            let rest = body.get(self.written.saturating_sub(heads.len())..).unwrap_or_default();
            let n = match (head.is_empty(), rest.is_empty()) {
                (false, false) if stream.is_write_vectored() => {
                    ready!(stream.as_mut().poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(rest)]))?
                }
                (false, _) => ready!(stream.as_mut().poll_write(cx, head))?,
                (true, _) => ready!(stream.as_mut().poll_write(cx, rest))?,
            };
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += n;
        }
        ready!(stream.as_mut().poll_flush(cx))?;
        (self.len, self.body, self.written) = (0, None, 0);
        Poll::Ready(Ok(total))
    }
}
