//! What a gateway could not take in time: counted, and told seldom.

use mqtt_device_tokio::ClientEvent;
use tokio::time::Instant;

use crate::seldom::Seldom;

/// Losses of a connection whose messages come faster than they are handled.
#[derive(Debug, Default)]
pub(super) struct Overload {
    messages: Seldom,
    /// The connection counts from its beginning.
    counted: u64,
    unacknowledged: Seldom,
    counted_unacknowledged: u64,
    events: Seldom,
}

impl Overload {
    /// Whether the event tells of a loss: it is counted here, then.
    pub(super) fn takes(&mut self, event: &ClientEvent) -> bool {
        match event {
            ClientEvent::MessagesDropped { count } => {
                self.messages.add(count.saturating_sub(self.counted));
                self.counted = *count;
            }
            ClientEvent::Unacknowledged { count } => {
                let count = u64::from(*count);
                self.unacknowledged.add(count.saturating_sub(self.counted_unacknowledged));
                self.counted_unacknowledged = count;
            }
            ClientEvent::Lagged(n) => self.events.add(*n),
            _ => return false,
        }
        true
    }

    /// When [`Self::take`] will give something.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        [&self.messages, &self.unacknowledged, &self.events].into_iter().filter_map(|losses| losses.due(now)).min()
    }

    /// What is to be told now.
    pub(super) fn take(&mut self, now: Instant) -> Vec<String> {
        words([self.messages.take(now), self.unacknowledged.take(now), self.events.take(now)])
    }

    /// What has not been told, at the end.
    pub(super) fn rest(&mut self) -> Vec<String> {
        words([self.messages.rest(), self.unacknowledged.rest(), self.events.rest()])
    }
}

fn words(losses: [Option<u64>; 3]) -> Vec<String> {
    let what = ["messages dropped", "messages put off to the next connection", "events of the connection skipped"];
    let told = what.into_iter().zip(losses).filter_map(|(what, n)| Some((what, n?)));
    told.map(|(what, n)| format!("too busy: {what}: {n}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seldom::PAUSE;

    #[test]
    fn a_flood_of_losses_is_two_lines() {
        let (mut overload, start) = (Overload::default(), Instant::now());
        let mut said = Vec::new();
        for count in 1..=34_560 {
            assert!(overload.takes(&ClientEvent::MessagesDropped { count }));
            said.extend(overload.take(start));
        }
        assert_eq!(overload.due(start), Some(start + PAUSE));
        said.extend(overload.take(start + PAUSE));
        assert_eq!(said, ["too busy: messages dropped: 1", "too busy: messages dropped: 34559"]);
        assert!(overload.takes(&ClientEvent::Unacknowledged { count: 2 }));
        assert!(overload.takes(&ClientEvent::Lagged(7)) && !overload.takes(&ClientEvent::Ready { again: true }));
        let rest =
            ["too busy: messages put off to the next connection: 2", "too busy: events of the connection skipped: 7"];
        assert_eq!(overload.rest(), rest);
    }
}
