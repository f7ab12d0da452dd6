//! Where messages wait: one type parameter that lends slices. Nothing else knows a capacity.

use crate::session::{InSlot, OutSlot};

/// The slices that a storage lends for the length of one call.
#[derive(Debug)]
pub struct Parts<'s, P> {
    /// Topics and payloads of outbound messages.
    pub arena: &'s mut [u8],
    /// Outbound messages, subscriptions and removals.
    pub out: &'s mut [OutSlot<P>],
    /// Inbound messages that await their acknowledgement.
    pub inbound: &'s mut [InSlot],
}

/// Memory for a [`Session`](crate::Session).
pub trait Storage {
    /// An owned body that is kept by handle instead of being copied.
    type Payload: AsRef<[u8]> + Clone;

    /// Lends all of it.
    fn parts(&mut self) -> Parts<'_, Self::Payload>;

    /// Makes room for `arena` bytes and `out` slots at least, if it can: new room stands behind the old, which stays
    /// as it is. False leaves everything as it was.
    fn grow(&mut self, arena: usize, out: usize) -> bool {
        let _ = (arena, out);
        false
    }

    /// Makes more room for inbound messages, if it can. The oldest stands at `head`; what is there moves so that it stands
    /// at 0, in the same order, and new room follows. False leaves everything as it was.
    fn grow_inbound(&mut self, head: usize) -> bool {
        let _ = head;
        false
    }

    /// Called when nothing waits: may give memory back.
    fn shrink(&mut self) {}

    /// The most slots that `out` will ever have. It must not change.
    fn out_limit(&self) -> usize;

    /// The most bytes that `arena` will ever have: what is larger is refused for good.
    fn arena_limit(&self) -> usize;
}

/// The payload type of storages that own none: it has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPayload {}

impl AsRef<[u8]> for NoPayload {
    fn as_ref(&self) -> &[u8] {
        match *self {}
    }
}

/// Fixed arrays: `ARENA` bytes for topics and payloads, `OUT` outbound messages, `IN` inbound ones that await their
/// acknowledgement. Can live in a `static`.
#[derive(Clone, Debug)]
pub struct Fixed<const ARENA: usize, const OUT: usize, const IN: usize> {
    arena: [u8; ARENA],
    out: [OutSlot<NoPayload>; OUT],
    inbound: [InSlot; IN],
}

impl<const ARENA: usize, const OUT: usize, const IN: usize> Fixed<ARENA, OUT, IN> {
    /// Empty storage.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(OUT >= 1 && OUT <= 32_000, "OUT must be 1 to 32000") };
        const { assert!(IN >= 1, "IN must be at least 1: a QoS 1 message needs a place until it is acknowledged") };
        Self { arena: [0; ARENA], out: [const { OutSlot::EMPTY }; OUT], inbound: [InSlot::EMPTY; IN] }
    }
}

impl<const ARENA: usize, const OUT: usize, const IN: usize> Default for Fixed<ARENA, OUT, IN> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const ARENA: usize, const OUT: usize, const IN: usize> Storage for Fixed<ARENA, OUT, IN> {
    type Payload = NoPayload;

    fn parts(&mut self) -> Parts<'_, NoPayload> {
        Parts { arena: &mut self.arena, out: &mut self.out, inbound: &mut self.inbound }
    }

    fn out_limit(&self) -> usize {
        OUT
    }

    fn arena_limit(&self) -> usize {
        ARENA
    }
}

/// Memory that somebody else owns, for sizes that are known only at run time, without a heap.
#[derive(Debug)]
pub struct Lent<'m, P = NoPayload> {
    parts: Parts<'m, P>,
}

impl<'m, P> Lent<'m, P> {
    /// Uses these slices, of `out` the first 32,000; what was in them is ignored. `inbound` must not be empty, or no
    /// QoS 1 message can be taken.
    #[must_use]
    pub fn new(arena: &'m mut [u8], out: &'m mut [OutSlot<P>], inbound: &'m mut [InSlot]) -> Self {
        let most = out.len().min(32_000);
        let (out, _) = out.split_at_mut(most);
        out.fill_with(|| OutSlot::EMPTY);
        inbound.fill(InSlot::EMPTY);
        Self { parts: Parts { arena, out, inbound } }
    }
}

impl<P: AsRef<[u8]> + Clone> Storage for Lent<'_, P> {
    type Payload = P;

    fn parts(&mut self) -> Parts<'_, P> {
        Parts { arena: self.parts.arena, out: self.parts.out, inbound: self.parts.inbound }
    }

    fn out_limit(&self) -> usize {
        self.parts.out.len()
    }

    fn arena_limit(&self) -> usize {
        self.parts.arena.len()
    }
}

#[cfg(feature = "alloc")]
pub use heap::{Heap, HeapLimits};

#[cfg(feature = "alloc")]
mod heap {
    use super::{Parts, Storage};
    use crate::session::{InSlot, OutSlot};
    use alloc::vec::Vec;

    /// How far a [`Heap`] may grow.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct HeapLimits {
        /// Bytes for topics and payloads that are copied in.
        pub arena: usize,
        /// Outbound messages, subscriptions and removals; at most 32,000.
        pub out: usize,
        /// Inbound messages that await their acknowledgement; at most 65,535, as many as there are identifiers.
        pub inbound: usize,
    }

    impl Default for HeapLimits {
        /// 1 MiB, 4,096 messages out, and as many in as a server can have under way.
        fn default() -> Self {
            Self { arena: 1 << 20, out: 4096, inbound: 65_535 }
        }
    }

    /// Storage on the heap: starts empty, grows within its limits, gives memory back when idle.
    #[derive(Clone, Debug)]
    pub struct Heap<P> {
        arena: Vec<u8>,
        out: Vec<OutSlot<P>>,
        inbound: Vec<InSlot>,
        limits: HeapLimits,
    }

    impl<P> Heap<P> {
        /// Empty storage that grows up to `limits`.
        #[must_use]
        pub fn new(mut limits: HeapLimits) -> Self {
            limits.out = limits.out.min(32_000);
            limits.inbound = limits.inbound.clamp(1, 65_535);
            Self { arena: Vec::new(), out: Vec::new(), inbound: Vec::new(), limits }
        }
    }

    impl<P: AsRef<[u8]> + Clone> Storage for Heap<P> {
        type Payload = P;

        fn parts(&mut self) -> Parts<'_, P> {
            Parts { arena: &mut self.arena, out: &mut self.out, inbound: &mut self.inbound }
        }

        fn grow(&mut self, arena: usize, out: usize) -> bool {
            if arena > self.limits.arena || out > self.limits.out {
                return false;
            }
            // Doubling keeps the number of moves logarithmic; the limit keeps it bounded.
            if arena > self.arena.len() {
                self.arena.resize(arena.max(self.arena.len().saturating_mul(2).min(self.limits.arena)), 0);
            }
            if out > self.out.len() {
                let out = out.max(self.out.len().saturating_mul(2).min(self.limits.out));
                self.out.resize_with(out, || OutSlot::EMPTY);
            }
            true
        }

        fn grow_inbound(&mut self, head: usize) -> bool {
            let len = self.inbound.len();
            if len >= self.limits.inbound {
                return false;
            }
            self.inbound.rotate_left(head.min(len));
            let more = len.saturating_mul(2).max(8).min(self.limits.inbound);
            self.inbound.resize(more, InSlot::EMPTY);
            true
        }

        fn shrink(&mut self) {
            self.arena = Vec::new();
            self.inbound = Vec::new();
            self.out = Vec::new();
        }

        fn out_limit(&self) -> usize {
            self.limits.out
        }

        fn arena_limit(&self) -> usize {
            self.limits.arena
        }
    }
}
