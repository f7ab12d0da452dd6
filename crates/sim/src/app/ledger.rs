//! The books of an application: every operation that was accepted ends once.

use std::collections::BTreeMap;

use mqtt_device_core::{MessageKey, Outcome};

/// Accepted operations and how they ended.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<MessageKey, Option<Outcome>>,
    faults: Vec<String>,
}

impl Ledger {
    /// The machine accepted an operation.
    pub fn accepted(&mut self, key: MessageKey) {
        if self.entries.insert(key, None).is_some() {
            self.faults.push(format!("{key:?} was given out twice"));
        }
    }

    /// The machine reported an outcome.
    pub fn ended(&mut self, key: MessageKey, outcome: Outcome) {
        match self.entries.get_mut(&key) {
            Some(entry @ None) => *entry = Some(outcome),
            Some(Some(first)) => self.faults.push(format!("{key:?} ended as {first:?} and as {outcome:?}")),
            None => self.faults.push(format!("{key:?} ended as {outcome:?} and was never accepted")),
        }
    }

    /// How an operation ended.
    #[must_use]
    pub fn outcome(&self, key: MessageKey) -> Option<Outcome> {
        self.entries.get(&key).copied().flatten()
    }

    /// Operations that did not end.
    #[must_use]
    pub fn open(&self) -> usize {
        self.entries.values().filter(|outcome| outcome.is_none()).count()
    }

    /// All outcomes, in the order of acceptance.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Option<Outcome>> {
        self.entries.values().copied().collect()
    }

    /// How many operations ended so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.entries.values().filter(|entry| **entry == Some(outcome)).count()
    }

    /// Whether the books are in order; with `pending`, what the machine says is open must be what is open here.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, pending: Option<usize>) -> Result<(), String> {
        if let Some(fault) = self.faults.first() {
            return Err(fault.clone());
        }
        match pending.filter(|&pending| pending != self.open()) {
            Some(pending) => Err(format!("{} operations are open and the machine says {pending}", self.open())),
            None => Ok(()),
        }
    }
}
