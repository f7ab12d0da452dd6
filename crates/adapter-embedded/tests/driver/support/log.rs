//! What a client's application was told, in order.

use mqtt_device_core::{DisconnectReason, Event, MessageKey, Notice, Outcome};
use mqtt_device_embedded::{Error, Fact};
use std::cell::RefCell;

/// Keeps all facts, as values that own what they hold.
#[derive(Default)]
pub(crate) struct Log(RefCell<Vec<Entry>>);

/// A fact that owns what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Connected { session_present: bool },
    Message(String),
    Oversize(u32),
    Outcome(MessageKey, Outcome),
    Notice(Notice),
    Ended(Error<embedded_io_async::ErrorKind>),
}

impl Log {
    pub(crate) fn add(&self, fact: Fact<Event<'_>>) {
        let entry = match fact {
            Fact::Event(Event::Connected { session_present }) => Entry::Connected { session_present },
            Fact::Event(Event::Message(m)) => Entry::Message(String::from_utf8(m.payload.to_vec()).unwrap()),
            Fact::Event(Event::Oversize(o)) => Entry::Oversize(o.total),
            Fact::Outcome(key, outcome) => Entry::Outcome(key, outcome),
            Fact::Notice(notice) => Entry::Notice(notice),
            Fact::Ended(error) => Entry::Ended(error),
            other => panic!("a fact that is new: {other:?}"),
        };
        self.0.borrow_mut().push(entry);
    }

    pub(crate) fn all(&self) -> Vec<Entry> {
        self.0.borrow().clone()
    }

    pub(crate) fn count(&self, is: impl Fn(&Entry) -> bool) -> usize {
        self.0.borrow().iter().filter(|entry| is(entry)).count()
    }

    /// How often the client became ready.
    pub(crate) fn ready(&self) -> usize {
        self.count(|entry| matches!(entry, Entry::Notice(Notice::Ready { .. })))
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        let message = |entry: &Entry| if let Entry::Message(text) = entry { Some(text.clone()) } else { None };
        self.0.borrow().iter().filter_map(message).collect()
    }

    /// Why connections and attempts ended.
    pub(crate) fn ends(&self) -> Vec<DisconnectReason> {
        let reason = |entry: &Entry| match entry {
            Entry::Notice(Notice::Disconnected { reason, .. }) => Some(*reason),
            _ => None,
        };
        self.0.borrow().iter().filter_map(reason).collect()
    }

    pub(crate) fn outcomes(&self) -> Vec<(MessageKey, Outcome)> {
        let outcome = |entry: &Entry| if let Entry::Outcome(k, o) = entry { Some((*k, *o)) } else { None };
        self.0.borrow().iter().filter_map(outcome).collect()
    }
}
