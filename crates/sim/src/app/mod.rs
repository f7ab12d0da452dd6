//! The application's side of a machine: what it does with events, notices and outcomes.

mod client;
mod device;
mod ledger;

use mqtt_device_core::{Instant, Machine, MessageKey, Notice, Outcome};

pub use self::client::{ClientApp, ClientSource, Delivery};
pub use self::device::{Call, DeviceApp, Rejection, Reply, TestProfile, Told};
pub use self::ledger::Ledger;

/// An application on top of a machine, called by its [`Host`](crate::world::Host).
pub trait App<M: Machine> {
    /// A packet brought this. The machine is free: the application may use it at once.
    fn event(&mut self, now: Instant, machine: &mut M, event: M::Event<'_>);

    /// An operation ended.
    fn outcome(&mut self, now: Instant, machine: &mut M, key: MessageKey, outcome: Outcome);

    /// The machine says something that no packet carries.
    fn notice(&mut self, now: Instant, machine: &mut M, notice: Notice);

    /// When the application wants to do something by itself.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// That time has come.
    fn wake(&mut self, now: Instant, machine: &mut M) {
        let _ = (now, machine);
    }

    /// Looked at in every turn, when all outcomes are drained; an error ends the test.
    ///
    /// # Errors
    /// What must not be.
    fn check(&self, machine: &M) -> Result<(), String> {
        let _ = machine;
        Ok(())
    }
}
