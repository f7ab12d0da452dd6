//! A string of at most 64 bytes, kept in place.

use core::fmt;

/// How many bytes a [`Short`] holds: the bound on names and on command ids.
pub(crate) const SHORT_MAX: usize = 64;

/// Kept inline, so that what names a device or a command needs neither heap nor lifetime.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Short {
    /// Zero beyond `len`, so that the derived comparisons are right.
    bytes: [u8; SHORT_MAX],
    len: u8,
}

impl Short {
    pub(crate) const EMPTY: Self = Self { bytes: [0; SHORT_MAX], len: 0 };

    /// `None` when `text` is longer than [`SHORT_MAX`] bytes.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let mut short = Self { len: u8::try_from(text.len()).ok()?, ..Self::EMPTY };
        short.bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(short)
    }

    pub(crate) fn as_str(&self) -> &str {
        let text = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        // It was copied from a `str`; the check is what forbidding unsafe code costs.
        core::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Debug for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
