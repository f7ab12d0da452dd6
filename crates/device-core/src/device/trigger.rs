//! Triggers, one at a time: the protocol's acknowledgement does not say to which trigger it belongs.

use super::Device;
use super::bodies;
use super::message::TriggerAck;
use super::source::topic;
use super::suffix::Suffix;
use super::tables::Tables;
use crate::PublishError;
use crate::event::{MessageKey, Notice, Outcome};
use crate::json::Window;
use crate::session::Publication;
use crate::storage::Storage;
use crate::time::{Duration, Instant};

/// The class of triggers in [`Config::classes`](crate::Config::classes).
pub(crate) const CLASS: u8 = 1;

/// The one trigger that is on its way.
///
/// | from | event | to |
/// |---|---|---|
/// | `Free` | a trigger waits | `Sending` |
/// | `Sending` | PUBACK | `Sent` |
/// | `Sending` | expired, refused, dropped | `Free` |
/// | `Sending`, `Sent`, `Late` | the gateway's acknowledgement | `Free` |
/// | `Sent` | the deadline | `Late`, with a notice |
/// | `Late` | the deadline once more | `Free` |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Free,
    Sending {
        key: MessageKey,
    },
    /// The broker has it; the gateway's answer is awaited. The deadline is set at the next poll, and counts connected
    /// time.
    Sent {
        key: MessageKey,
        deadline: Option<Instant>,
    },
    /// Too late; an answer that still comes belongs to it, and to no later trigger.
    Late {
        key: MessageKey,
        deadline: Option<Instant>,
    },
}

impl Lane {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Sent { deadline, .. } | Self::Late { deadline, .. } => *deadline,
            Self::Free | Self::Sending { .. } => None,
        }
    }

    /// The broker's word on a message; whether it was the one in the lane.
    pub(crate) fn ended(&mut self, key: MessageKey, outcome: Outcome) -> bool {
        let ours = *self == Self::Sending { key };
        if ours {
            *self = if outcome == Outcome::Acked { Self::Sent { key, deadline: None } } else { Self::Free };
        }
        ours
    }

    /// The connection is gone: the answer waits at the broker, and its time stands still.
    pub(crate) fn disconnected(&mut self) {
        if let Self::Sent { deadline, .. } | Self::Late { deadline, .. } = self {
            *deadline = None;
        }
    }

    /// Sets a deadline where one is missing; says which trigger is too late now.
    fn run(&mut self, now: Instant, span: Duration) -> Option<MessageKey> {
        match *self {
            Self::Sent { key, deadline: None } => *self = Self::Sent { key, deadline: Some(now + span) },
            Self::Late { key, deadline: None } => *self = Self::Late { key, deadline: Some(now + span) },
            Self::Sent { key, deadline: Some(at) } if at <= now => {
                *self = Self::Late { key, deadline: Some(now + span) };
                return Some(key);
            }
            Self::Late { deadline: Some(at), .. } if at <= now => *self = Self::Free,
            _ => {}
        }
        None
    }
}

impl<S: Storage, D: Tables> Device<S, D> {
    pub(super) fn queue_trigger(
        &mut self,
        now: Instant,
        name: &str,
        payload: &[u8],
    ) -> Result<MessageKey, PublishError> {
        if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            return Err(PublishError::BadName);
        }
        let payload = Some(payload).filter(|payload| !payload.is_empty());
        if let Some(payload) = payload {
            crate::json::validate(payload).map_err(|e| PublishError::NotJson { at: e.at })?;
        }
        let fill = |window: &mut Window<'_>| bodies::trigger(name, payload, window);
        let counted = |write: &dyn Fn(&mut Window<'_>)| {
            let mut count = Window::count();
            write(&mut count);
            usize::try_from(count.total()).unwrap_or(usize::MAX)
        };
        let named = counted(&|window| bodies::trigger_name(name, window));
        let mut publication = Publication::with_token(topic(Suffix::Trigger), Suffix::Trigger.qos());
        publication.class = CLASS;
        let key = self.client.session_mut().publish_named(now, &publication, (named, counted(&fill)), &fill)?;
        self.client.session_mut().park(key, true);
        self.next_trigger();
        Ok(key)
    }

    /// Lets the oldest trigger go, when none is on its way.
    pub(super) fn next_trigger(&mut self) {
        if self.lane == Lane::Free
            && let Some(key) = self.client.session_mut().first_parked(CLASS)
        {
            self.client.session_mut().park(key, false);
            self.lane = Lane::Sending { key };
        }
    }

    pub(super) fn run_triggers(&mut self, now: Instant) {
        if self.client.is_connected()
            && let Some(key) = self.lane.run(now, self.config.trigger_ack_timeout)
        {
            self.client.session_mut().notify(Notice::TriggerTimeout { key });
        }
        self.next_trigger();
    }

    /// The trigger that the gateway's acknowledgement belongs to.
    pub(super) fn trigger_acknowledged(&mut self, _ack: &TriggerAck<'_>) -> Option<MessageKey> {
        let key = match self.lane {
            Lane::Free => return None,
            // An answer to an earlier life of this device.
            Lane::Sending { key } if self.client.session_mut().is_unsent(key) => return None,
            Lane::Sending { key } | Lane::Sent { key, .. } | Lane::Late { key, .. } => key,
        };
        self.lane = Lane::Free;
        self.next_trigger();
        Some(key)
    }
}
