//! What came in and was not dealt with yet.

use core::future::Future;
use core::mem::MaybeUninit;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mqtt_device_core::{Machine, Progress};
use mqtt_device_proto::{Status, frame_len};
use tokio::io::{AsyncReadExt, ReadBuf};

use super::{Sink, tell_notices};
use crate::link::Transport;
use crate::shared::Handle;

/// The least room for a read.
const CHUNK: usize = 4096;
/// A packet of at least this size is given out by reference count; below, a copy costs less and pins less.
const SHARE: usize = 2048;

/// The bytes of the packet that an event came from.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'f>(Option<&'f Bytes>);

impl Frame<'_> {
    /// Owns `part` of the packet: without copying when the packet is large.
    #[must_use]
    pub fn own(&self, part: &[u8]) -> Bytes {
        match self.0 {
            Some(frame) if is_within(part, frame) => frame.slice_ref(part),
            _ => Bytes::copy_from_slice(part),
        }
    }
}

/// A part need not be one: what stands for something that was left out lies elsewhere.
fn is_within(part: &[u8], frame: &Bytes) -> bool {
    let (inner, outer) = (part.as_ptr_range(), frame.as_ptr_range());
    !part.is_empty() && outer.start <= inner.start && inner.end <= outer.end
}

/// What a read brought.
pub(crate) enum Received {
    Bytes,
    End,
}

pub(crate) struct Input {
    buffer: BytesMut,
    /// A large packet, cut off the buffer, that the machine has not taken yet.
    frame: Option<Bytes>,
    /// Bytes to come of a packet over the limit, which the machine skips: no packet begins among them.
    skipping: usize,
    /// The largest packet that is held whole.
    limit: usize,
    /// The machine cannot go on before something is written.
    blocked: bool,
    /// After a protocol error nothing more is heard.
    deaf: bool,
}

impl Input {
    pub(crate) fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), frame: None, skipping: 0, limit, blocked: false, deaf: false }
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.limit);
    }

    pub(crate) const fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Gives the machine packet after packet. True when it took something.
    pub(crate) fn digest<M: Machine>(&mut self, handle: &Handle<M>, sink: &mut impl Sink<M>) -> bool {
        let mut progress = false;
        self.blocked = false;
        loop {
            self.cut();
            let bytes = self.frame.as_deref().unwrap_or(&self.buffer);
            if bytes.is_empty() {
                return progress;
            }
            let step = {
                // The guard ends before the sink runs.
                let (result, notice) = {
                    let machine = &mut handle.0.lock().machine;
                    let result = machine.handle_input(handle.0.now(), bytes);
                    (result, machine.poll_notice())
                };
                let step = result.map(|Progress { consumed, event, blocked }| {
                    if let Some(event) = event {
                        sink.event(event, Frame(self.frame.as_ref()));
                    }
                    (consumed, blocked.is_some())
                });
                // After each packet: only so many notices wait, and their place among the events is here.
                if notice.is_some() {
                    tell_notices(handle, sink, notice);
                }
                step
            };
            let Ok((consumed, blocked)) = step else {
                tracing::debug!("protocol error: the rest of the input is dropped");
                *self = Self { deaf: true, ..Self::new(self.limit) };
                return true;
            };
            self.blocked = blocked;
            if consumed == 0 {
                return progress;
            }
            progress = true;
            if self.frame.take().is_none() {
                self.advance(consumed);
            }
        }
    }

    /// Cuts a whole large packet off, so that its parts can be shared.
    fn cut(&mut self) {
        if self.frame.is_none()
            && self.skipping == 0
            && let Ok(Status::Complete(n @ SHARE..)) = frame_len(&self.buffer, self.limit())
        {
            self.frame = Some(self.buffer.split_to(n).freeze());
        }
    }

    fn advance(&mut self, consumed: usize) {
        if self.skipping > 0 {
            self.skipping = self.skipping.saturating_sub(consumed);
        } else if let Ok(Status::Oversize { total }) = frame_len(&self.buffer, self.limit()) {
            self.skipping = usize::try_from(total).unwrap_or(usize::MAX).saturating_sub(consumed);
        }
        self.buffer.advance(consumed);
    }

    /// Nothing will happen for a while: an idle connection holds no buffer.
    pub(crate) fn rest(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    fn limit(&self) -> u32 {
        u32::try_from(self.limit).unwrap_or(u32::MAX)
    }

    /// How much the buffer should hold for the packet that has begun. Twice of what came is the most: a length alone, which
    /// costs the peer five bytes, is worth no memory.
    fn wanted(&self) -> usize {
        match frame_len(&self.buffer, self.limit()) {
            Ok(Status::Partial { need }) if self.skipping == 0 => need.min(2 * self.buffer.len()).max(CHUNK),
            // Its topic may be of any length up to the limit.
            Ok(Status::Oversize { .. }) if self.skipping == 0 => self.buffer.len() + CHUNK,
            _ => CHUNK,
        }
        .min(self.limit.max(CHUNK))
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, stream: &mut dyn Transport) -> Poll<io::Result<Received>> {
        if self.deaf {
            self.buffer.clear();
        }
        if self.buffer.is_empty() {
            // By way of the stack: a connection that has nothing to say needs no memory to be asked.
            let mut chunk = [const { MaybeUninit::uninit() }; CHUNK];
            let mut chunk = ReadBuf::uninit(&mut chunk);
            ready!(Pin::new(stream).poll_read(cx, &mut chunk))?;
            self.buffer.extend_from_slice(chunk.filled());
            return Poll::Ready(Ok(if chunk.filled().is_empty() { Received::End } else { Received::Bytes }));
        }
        let room = self.wanted().saturating_sub(self.buffer.len());
        self.buffer.reserve(room);
        let mut buffer = (&mut self.buffer).limit(room.max(1));
        let n = ready!(pin!(stream.read_buf(&mut buffer)).poll(cx))?;
        Poll::Ready(Ok(if n == 0 { Received::End } else { Received::Bytes }))
    }
}
