//! The device as a [`Machine`]: the client's calls, and what they mean for the device.

use super::event::DeviceEvent;
use super::profile::Profile;
use super::source::DeviceSource;
use super::tables::Tables;
use super::{Device, Stopping};
use crate::event::{Actions, MessageKey, Notice, Outcome, Progress, Taken};
use crate::machine::Machine;
use crate::storage::Storage;
use crate::time::{Duration, Instant};
use crate::{Failure, ProtocolError, Security};

impl<S: Storage, D: Tables> Machine for Device<S, D> {
    type Storage = S;
    type Source = dyn Profile + Send + Sync;
    type Event<'b> = DeviceEvent<'b>;

    fn handle_input<'b>(&mut self, now: Instant, rx: &'b [u8]) -> Result<Progress<DeviceEvent<'b>>, ProtocolError> {
        let progress = self.client.handle_input(now, rx)?;
        self.collect(now);
        let (_, confirmed) = self.client.session().positions();
        self.commands.confirm_upto(confirmed);
        let event = progress.event.and_then(|event| self.translate(now, event));
        self.count_time(now);
        Ok(Progress { consumed: progress.consumed, event, blocked: progress.blocked })
    }

    fn poll(&mut self, now: Instant) -> Actions {
        self.count_time(now);
        self.client.poll(now);
        self.collect(now);
        self.release_held(now);
        self.run_presence(now);
        self.run_triggers(now);
        self.reserve();
        self.go_on_stopping(now);
        // The steps above may have asked for more.
        let actions = self.client.poll(now);
        Actions { deadline: self.next_timer().map(|(at, _)| at), ..actions }
    }

    fn take_transmit(&mut self, now: Instant, source: &Self::Source, out: &mut [u8]) -> Taken<S::Payload> {
        let source =
            DeviceSource { identity: &self.identity, commands: &self.commands, busy: &self.busy, profile: source };
        let taken = self.client.session_mut().take_transmit(now, &source, out);
        self.collect(now);
        self.note_beat(now);
        taken
    }

    fn transmitted(&mut self, now: Instant, n: usize) {
        self.client.transmitted(now, n);
        self.collect(now);
    }

    fn connected(&mut self, now: Instant, security: Security) {
        self.client.connected(now, security);
    }

    fn connect_failed(&mut self, now: Instant, why: Failure) {
        self.client.connect_failed(now, why);
    }

    fn disconnected(&mut self, now: Instant) {
        self.count_time(now);
        self.counted = None;
        self.client.disconnected(now);
        self.collect(now);
        self.commands.connection_lost();
        self.lane.disconnected();
        self.presence_lost();
    }

    fn poll_outcome(&mut self) -> Option<(MessageKey, Outcome)> {
        let (key, outcome) = self.client.poll_outcome()?;
        if self.lane.ended(key, outcome) {
            // The deadline of the gateway's answer, or the next trigger, is a matter of the next poll.
            self.client.session_mut().wake();
        }
        Some((key, outcome))
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.client.poll_notice()
    }

    fn take_wake(&mut self) -> bool {
        self.client.take_wake()
    }

    fn stop(&mut self, now: Instant, within: Duration) {
        // Half of the time is for what executes; the other half for saying goodbye.
        let until = now + Duration::from_millis(within.as_millis() / 2);
        if let Stopping::Draining { until: earlier } = &mut self.stopping {
            *earlier = (*earlier).min(until);
        }
        if self.stopping == Stopping::No {
            self.stopping = Stopping::Draining { until };
            self.client.session_mut().never_acknowledge_early();
        }
        self.client.begin_stop(now, within, false);
    }

    fn is_stopped(&self) -> bool {
        self.client.is_stopped()
    }

    fn set_wall_clock(&mut self, now: Instant, unix_ms: u64) {
        self.client.set_wall_clock(now, unix_ms);
    }

    fn rx_min(&self) -> usize {
        self.client.rx_min()
    }

    fn tx_min(&self, source: &Self::Source) -> usize {
        let source =
            DeviceSource { identity: &self.identity, commands: &self.commands, busy: &self.busy, profile: source };
        self.client.connect_room(&source)
    }

    fn tx_wanted(&self) -> usize {
        self.client.tx_wanted()
    }
}
