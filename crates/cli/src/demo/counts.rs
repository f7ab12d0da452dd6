//! What was expected, what was seen, and the table that compares the two.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::output::Tone;

/// The rows of the table, in its order: first the messages by the suffix of their topic, then what they led to.
const ROWS: [(&str, &str); 18] = [
    ("status", "presence, manifest, goodbye"),
    ("heartbeat", ""),
    ("response", ""),
    ("trigger", ""),
    ("command", ""),
    ("connected", ""),
    ("trigger_ack", ""),
    ("trigger_result", ""),
    ("error", ""),
    ("pong", ""),
    ("connections", "of the device"),
    ("manifests", "accepted by the gateway"),
    ("runs", "of commands"),
    ("answers", "first answers at the gateway"),
    ("repeats", "the same answer again"),
    ("triggers", "acknowledged, at the device"),
    ("wills", "published by the broker"),
    ("goodbyes", "DISCONNECT on the wire"),
];

/// How many of each; what is not there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// `n` more.
    pub(super) fn add(&mut self, what: &str, n: u64) {
        *self.0.entry(what.to_owned()).or_default() += n;
    }

    /// How many there are.
    pub(super) fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }
}

/// Expected and seen.
#[derive(Debug, Default, Serialize)]
pub(super) struct Comparison {
    pub(super) expected: Counts,
    pub(super) seen: Counts,
}

impl Comparison {
    /// What is not as expected, in the table's order; what has no row stands behind it.
    pub(super) fn off(&self) -> Vec<&str> {
        self.names().into_iter().filter(|name| self.expected.of(name) != self.seen.of(name)).collect()
    }

    fn names(&self) -> Vec<&str> {
        let rows = ROWS.iter().map(|(name, _)| *name);
        let others = self.expected.0.keys().chain(self.seen.0.keys()).map(String::as_str);
        let mut names: Vec<&str> = rows.collect();
        for name in others {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The table, line by line.
    pub(super) fn table(&self) -> Vec<String> {
        let heading = format!("  {:<16} {:>8} {:>8}", "", "expected", "seen");
        let mut lines = vec![Tone::Heading.paint(&heading, 0)];
        for name in self.names() {
            let (expected, seen) = (self.expected.of(name), self.seen.of(name));
            let note = ROWS.iter().find(|(row, _)| *row == name).map_or("", |(_, note)| note);
            let (tone, mark) = if expected == seen { (Tone::Good, "ok") } else { (Tone::Bad, "OFF") };
            let row = format!("  {name:<16} {expected:>8} {seen:>8}");
            let note = if note.is_empty() { String::new() } else { format!("  {}", Tone::Dim.paint(note, 0)) };
            lines.push(format!("{row}   {}{note}", tone.paint(mark, 0)));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_counts_are_not_off_and_every_row_is_shown() {
        let mut comparison = Comparison::default();
        comparison.expected.add("status", 6);
        (0..6).for_each(|_| comparison.seen.add("status", 1));
        assert_eq!(comparison.off(), Vec::<&str>::new());
        assert_eq!(comparison.table().len(), 1 + ROWS.len());
    }

    #[test]
    fn one_too_many_one_too_few_and_something_unheard_of_are_off() {
        let mut comparison = Comparison::default();
        comparison.expected.add("runs", 3);
        comparison.seen.add("runs", 4);
        comparison.expected.add("response", 1);
        comparison.seen.add("gossip", 1);
        assert_eq!(comparison.off(), ["response", "runs", "gossip"]);
        let table = comparison.table().join("\n");
        assert_eq!(table.matches("OFF").count(), 3, "{table}");
    }

    #[test]
    fn the_counts_are_an_object_for_programs() {
        let mut comparison = Comparison::default();
        comparison.expected.add("runs", 3);
        let text = serde_json::to_string(&comparison).unwrap();
        assert_eq!(text, r#"{"expected":{"runs":3},"seen":{}}"#);
    }
}
