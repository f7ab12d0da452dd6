//! What may be asked of a command: by the file of a device, by whoever sends it, and by a device's manifest.

use core::ops::RangeInclusive;

/// How long an answer may take, in milliseconds.
pub(crate) const TIMEOUT_MS: RangeInclusive<u64> = 1..=3_600_000;

/// How often a command may be sent in all.
pub(crate) const ATTEMPTS: RangeInclusive<u32> = 1..=1000;

/// The first pause before a command is sent again, in milliseconds.
pub(crate) const BACKOFF_MS: RangeInclusive<u64> = 0..=3_600_000;

/// The shortest times that a gateway takes from a stranger's manifest: its own work is bounded by them.
pub(crate) const PATIENCE_MS: (u64, u64) = (100, 10);

/// The value, or the bound that it is beyond.
pub(crate) fn within<T: Ord + Copy>(value: T, range: &RangeInclusive<T>) -> T {
    value.clamp(*range.start(), *range.end())
}
