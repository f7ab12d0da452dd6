//! Where remembered commands and their responses are kept: in place, or on the heap.

use core::fmt;

use super::entry::Entry;

/// The least room for one response: enough for the error that says a response was too large, whatever the id.
pub const RESPONSE_MIN: usize = 256;

/// The device's own storage, apart from the session's: it lends what [`Commands`](super::commands::Commands) works on.
pub trait Tables {
    /// The entries there are, up to 65 536.
    fn entries(&self) -> &[Entry];

    /// The same, to change.
    fn entries_mut(&mut self) -> &mut [Entry];

    /// Adds one free entry; false at the bound.
    fn grow(&mut self) -> bool {
        false
    }

    /// The most bytes that one response may have, at least [`RESPONSE_MIN`].
    fn response_max(&self) -> usize;

    /// The most bytes that all responses may have together; an executing command counts as a whole
    /// [`response_max`](Self::response_max).
    fn budget(&self) -> usize {
        usize::MAX
    }

    /// The room of the entry at `index`.
    fn response(&self, index: usize) -> &[u8];

    /// The room of the entry at `index`, made at least `len` bytes long; `len` is at most
    /// [`response_max`](Self::response_max). 0 gives the room back.
    fn response_mut(&mut self, index: usize, len: usize) -> &mut [u8];
}

/// Tables in place: `ENTRIES` commands, with `RESPONSE` bytes for the response of each.
///
/// It is about `ENTRIES × (RESPONSE + 140)` bytes, and all zeros at first.
#[derive(Clone)]
pub struct FixedTables<const ENTRIES: usize, const RESPONSE: usize> {
    entries: [Entry; ENTRIES],
    responses: [[u8; RESPONSE]; ENTRIES],
}

impl<const ENTRIES: usize, const RESPONSE: usize> FixedTables<ENTRIES, RESPONSE> {
    /// Empty tables. Fewer than 1 or more than 65 536 entries, or less room than [`RESPONSE_MIN`], does not compile.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(ENTRIES >= 1 && ENTRIES <= 65_536, "ENTRIES must be 1 to 65536") };
        const { assert!(RESPONSE >= RESPONSE_MIN, "RESPONSE must be at least RESPONSE_MIN (256) bytes") };
        Self { entries: [Entry::FREE; ENTRIES], responses: [[0; RESPONSE]; ENTRIES] }
    }
}

impl<const ENTRIES: usize, const RESPONSE: usize> Default for FixedTables<ENTRIES, RESPONSE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const ENTRIES: usize, const RESPONSE: usize> fmt::Debug for FixedTables<ENTRIES, RESPONSE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedTables").field("entries", &self.entries).finish_non_exhaustive()
    }
}

impl<const ENTRIES: usize, const RESPONSE: usize> Tables for FixedTables<ENTRIES, RESPONSE> {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn entries_mut(&mut self) -> &mut [Entry] {
        &mut self.entries
    }

    fn response_max(&self) -> usize {
        RESPONSE
    }

    fn response(&self, index: usize) -> &[u8] {
        self.responses.get(index).map_or(&[], |room| room)
    }

    fn response_mut(&mut self, index: usize, _len: usize) -> &mut [u8] {
        self.responses.get_mut(index).map_or(&mut [], |room| room)
    }
}

#[cfg(feature = "alloc")]
pub use heap::HeapTables;

#[cfg(feature = "alloc")]
mod heap {
    //! Tables on the heap.

    use alloc::vec::Vec;
    use core::fmt;

    use super::{Entry, RESPONSE_MIN, Tables};

    /// Tables that begin empty, grow as commands come, and keep each response in as many bytes as it has.
    #[derive(Clone)]
    pub struct HeapTables {
        entries: Vec<Entry>,
        responses: Vec<Vec<u8>>,
        most: usize,
        response_max: usize,
        budget: usize,
    }

    impl HeapTables {
        /// At most `entries` commands (1 to 65 536), `response_max` bytes for one response, and `budget` bytes for all
        /// responses together; each is raised to the least that works.
        #[must_use]
        pub fn new(entries: usize, response_max: usize, budget: usize) -> Self {
            let response_max = response_max.max(RESPONSE_MIN);
            Self {
                entries: Vec::new(),
                responses: Vec::new(),
                most: entries.clamp(1, 65_536),
                response_max,
                budget: budget.max(response_max),
            }
        }
    }

    impl Default for HeapTables {
        /// 1000 commands, as the official clients remember; 64 KiB for one response and 1 MiB for all.
        fn default() -> Self {
            Self::new(1000, 64 * 1024, 1024 * 1024)
        }
    }

    impl fmt::Debug for HeapTables {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("HeapTables").field("entries", &self.entries).finish_non_exhaustive()
        }
    }

    impl Tables for HeapTables {
        fn entries(&self) -> &[Entry] {
            &self.entries
        }

        fn entries_mut(&mut self) -> &mut [Entry] {
            &mut self.entries
        }

        fn grow(&mut self) -> bool {
            let grows = self.entries.len() < self.most;
            if grows {
                self.entries.push(Entry::FREE);
                self.responses.push(Vec::new());
            }
            grows
        }

        fn response_max(&self) -> usize {
            self.response_max
        }

        fn budget(&self) -> usize {
            self.budget
        }

        fn response(&self, index: usize) -> &[u8] {
            self.responses.get(index).map_or(&[], |room| room)
        }

        fn response_mut(&mut self, index: usize, len: usize) -> &mut [u8] {
            let Some(room) = self.responses.get_mut(index) else { return &mut [] };
            *room = Vec::new();
            room.reserve_exact(len);
            room.resize(len, 0);
            room
        }
    }
}
