//! The arena: topics and payloads of outbound messages, one range a message, in one slice of bytes.
//!
//! Next fit: room is taken behind the last range until it hits one that lives, then the next gap is looked for. In the
//! usual order (first in, first out) that is a ring; a message that stays for long is stepped over instead of
//! blocking all behind it. When only scattered gaps are left, the ranges are pushed together. Nothing outside holds a
//! position in the arena: a packet that is half sent counts from the beginning of its own range.

use super::slot::{OutSlot, Range};

/// Where room was last taken.
#[derive(Clone, Debug)]
pub(crate) struct Arena {
    /// The next range begins here,
    tail: u32,
    /// and may go up to here.
    limit: u32,
}

impl Arena {
    pub(crate) const NEW: Self = Self { tail: 0, limit: 0 };

    /// Takes `len` bytes, or says that no gap is long enough.
    pub(crate) fn take<P>(&mut self, len: usize, room: usize, out: &[OutSlot<P>]) -> Option<Range> {
        let len = u32::try_from(len).ok()?;
        if len == 0 {
            return Some(Range::default());
        }
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        if self.tail.checked_add(len)? > self.limit {
            let gap = gap_after(self.tail, len, room, out).or_else(|| gap_after(0, len, room, out))?;
            self.tail = gap.at;
            self.limit = gap.end();
        }
        let range = Range { at: self.tail, len };
        self.tail = range.end();
        Some(range)
    }

    /// Bytes in use.
    pub(crate) fn used<P>(out: &[OutSlot<P>]) -> usize {
        out.iter().filter(|s| s.lives_in_arena()).fold(0, |sum, s| sum.saturating_add(s.range.len as usize))
    }

    /// Pushes all ranges together at the beginning; true when that makes a gap of `len` bytes.
    pub(crate) fn compact<P>(&mut self, len: usize, arena: &mut [u8], out: &mut [OutSlot<P>]) -> bool {
        let used = Self::used(out);
        if arena.len().saturating_sub(used) < len {
            return false;
        }
        let (mut from, mut to) = (0, 0);
        while let Some(slot) =
            out.iter_mut().filter(|s| s.lives_in_arena() && s.range.at >= from).min_by_key(|s| s.range.at)
        {
            from = slot.range.end();
            let (start, end) = (slot.range.at as usize, from as usize);
            // Ranges move down only, so none is written over before it has moved.
            if start >= to && end <= arena.len() {
                arena.copy_within(start..end, to);
                slot.range.at = u32::try_from(to).unwrap_or(u32::MAX);
                to = to.saturating_add(end.saturating_sub(start));
            }
        }
        self.tail = u32::try_from(to).unwrap_or(u32::MAX);
        self.limit = u32::try_from(arena.len()).unwrap_or(u32::MAX);
        true
    }

    /// All ranges are gone, or the slice has another length now: look for gaps afresh.
    pub(crate) fn forget(&mut self) {
        *self = Self::NEW;
    }
}

/// The first gap of at least `len` bytes that begins at `from` or later, as long as it goes.
fn gap_after<P>(from: u32, len: u32, room: u32, out: &[OutSlot<P>]) -> Option<Range> {
    let mut at = from;
    loop {
        // A range over `at` pushes the gap behind it; the nearest one after `at` ends it.
        let mut end = room;
        let mut moved = false;
        for slot in out.iter().filter(|s| s.lives_in_arena()) {
            let live = slot.range;
            if live.at <= at && live.end() > at {
                at = live.end();
                moved = true;
            } else if live.at > at {
                end = end.min(live.at);
            }
        }
        if moved {
            continue;
        }
        if end.saturating_sub(at) >= len {
            return Some(Range { at, len: end.saturating_sub(at) });
        }
        if end >= room {
            return None;
        }
        at = end;
    }
}
