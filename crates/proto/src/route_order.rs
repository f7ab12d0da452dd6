//! The order of a router's filters, and what one filter tells of those behind it.
//!
//! Filters are sorted as texts in which `#` comes first, then `+`, the end, `/`, and all other bytes. So all filters with
//! the same first levels are neighbours, and what may stand in the next level for a topic's level is met in a fixed order:
//! `#`, `+`, the level itself, even when it is empty.

use core::cmp::Ordering;

use super::Slot;
use crate::topic::TopicFilter;

/// What is to be compared: of a shared subscription the filter behind the share name.
pub(super) fn key_of(filter: &str) -> &[u8] {
    if !filter.starts_with('$') {
        return filter.as_bytes();
    }
    TopicFilter::checked(filter).share().map_or(filter, |(_, filter)| filter).as_bytes()
}

pub(super) fn key<F: AsRef<str>, V>(slot: &Slot<F, V>) -> &[u8] {
    slot.as_ref().map_or(&[], |route| key_of(route.filter.as_ref()))
}

/// How many slots at the front are `before` something, which is true of no slot behind one for which it is not.
///
/// Steps grow from the front on: this looks at no more than about twice the logarithm of the answer.
pub(super) fn count_before<F: AsRef<str>, V>(slots: &[Slot<F, V>], before: impl Fn(&[u8]) -> bool) -> usize {
    let (mut low, mut step) = (0usize, 1usize);
    let mut high = loop {
        let at = low.saturating_add(step).saturating_sub(1);
        match slots.get(at) {
            Some(slot) if before(key(slot)) => low = at.saturating_add(1),
            Some(_) => break at,
            None => break slots.len(),
        }
        step = step.saturating_mul(2);
    };
    while low < high {
        let middle = low.midpoint(high);
        if slots.get(middle).is_some_and(|slot| before(key(slot))) {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    low
}

pub(super) fn is_before(filter: &[u8], other: &[u8]) -> bool {
    compare(filter, other) == Ordering::Less
}

/// Whether `filter` comes before `prefix` and `level` put together.
pub(super) fn is_before_joined(filter: &[u8], prefix: &[u8], level: &[u8]) -> bool {
    match filter.strip_prefix(prefix) {
        Some(rest) => is_before(rest, level),
        None => is_before(filter, prefix),
    }
}

fn compare(filter: &[u8], other: &[u8]) -> Ordering {
    match filter.iter().zip(other).find(|(a, b)| a != b) {
        Some((a, b)) => rank(Some(a)).cmp(&rank(Some(b))),
        None => rank(filter.get(other.len())).cmp(&rank(other.get(filter.len()))),
    }
}

fn rank(byte: Option<&u8>) -> u16 {
    match byte {
        Some(b'#') => 0,
        Some(b'+') => 1,
        None => 2,
        Some(b'/') => 3,
        Some(byte) => u16::from(*byte).wrapping_add(4),
    }
}

/// What a filter tells a search for `topic`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look<'a> {
    Matches,
    /// Of the filters behind it none matches that comes before these two put together.
    Leap {
        prefix: &'a [u8],
        level: &'a [u8],
    },
    /// Of the filters behind it none matches.
    End,
}

pub(super) fn look<'a>(filter: &'a [u8], topic: &'a [u8]) -> Look<'a> {
    let (mut filter_rest, mut topic_rest) = (Some(filter), Some(topic));
    // Where the level itself is still to be tried: behind the last `+`.
    let mut next = Look::End;
    loop {
        let Some(rest) = filter_rest else {
            return match topic_rest {
                None => Look::Matches,
                // What goes on like this filter comes right behind it, and its `#` first.
                Some(_) => Look::Leap { prefix: filter, level: b"/#" },
            };
        };
        let prefix = filter.get(..filter.len().saturating_sub(rest.len())).unwrap_or_default();
        let (level, behind) = split_level(rest);
        if level == b"#" {
            return Look::Matches;
        }
        let Some(topic_level) = topic_rest else { return next };
        let (topic_level, topic_behind) = split_level(topic_level);
        if level == b"+" {
            next = Look::Leap { prefix, level: topic_level };
        } else if level != topic_level {
            // Wildcards were met before any other level.
            return if is_before(level, topic_level) { Look::Leap { prefix, level: topic_level } } else { next };
        }
        (filter_rest, topic_rest) = (behind, topic_behind);
    }
}

/// The first level and, if there is one, what is behind its `/`.
fn split_level(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut rest = text;
    while let [byte, behind @ ..] = rest {
        if *byte == b'/' {
            let level = text.get(..text.len().saturating_sub(rest.len())).unwrap_or_default();
            return (level, Some(behind));
        }
        rest = behind;
    }
    (text, None)
}
