//! The machine, shared by the driver and the application's tasks of one executor.

use crate::bell::{Bell, Loop};
use crate::clock::Clock;
use crate::error::{Busy, CallError};
use crate::fact::Fact;
use crate::wait::{first, pause};
use core::cell::{RefCell, RefMut};
use mqtt_device_core::{
    AckToken, Actions, BodyToken, Client, CommandToken, Device, Duration, Instant, Machine, MessageKey, Publication,
    PublishError, Storage, SubscribeError, SubscribeOptions, Tables,
};

/// A [`Machine`] that a [`Driver`](crate::Driver) runs while the application's tasks call it.
///
/// A `&Shared` is the handle: copy it to every task of the executor that runs the driver. Each call borrows the
/// machine, calls it, and wakes the driver when there is something new for it; nothing waits and nothing is queued
/// between the two. Interrupts and other cores talk to a task, and the task calls the handle.
#[derive(Debug)]
pub struct Shared<M, C> {
    machine: RefCell<M>,
    bell: Bell,
    clock: C,
}

impl<M: Machine, C: Clock> Shared<M, C> {
    /// Puts a machine and its clock in a place where driver and application find them.
    pub const fn new(machine: M, clock: C) -> Self {
        Self { machine: RefCell::new(machine), bell: Bell::new(), clock }
    }

    /// Calls the machine with the time that it is, and wakes the driver if there is something new for it.
    ///
    /// # Errors
    /// [`Busy`] inside another call of `with`.
    pub fn with<T>(&self, call: impl FnOnce(&mut M, Instant) -> T) -> Result<T, Busy> {
        let mut machine = self.machine()?;
        let answer = call(&mut machine, self.clock.now());
        let wake = machine.take_wake();
        drop(machine);
        if wake {
            self.bell.ring();
        }
        Ok(answer)
    }

    /// The time on the machine's clock.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Ends in an orderly way: what was accepted leaves, the server gets its goodbye, the driver returns; all within
    /// `within`.
    ///
    /// # Errors
    /// [`Busy`] inside a call of [`Shared::with`].
    pub fn stop(&self, within: Duration) -> Result<(), Busy> {
        self.with(|machine, now| machine.stop(now, within))
    }

    /// Whether `stop` has come to its end. False while the machine is in use further up the call stack.
    pub fn is_stopped(&self) -> bool {
        self.machine().is_ok_and(|machine| machine.is_stopped())
    }

    /// Tells the machine the wall clock, for timestamps: milliseconds since 1970.
    ///
    /// # Errors
    /// [`Busy`] inside a call of [`Shared::with`].
    pub fn set_wall_clock(&self, unix_ms: u64) -> Result<(), Busy> {
        self.with(|machine, now| machine.set_wall_clock(now, unix_ms))
    }

    /// `borrow_mut` would link a panic.
    pub(crate) fn machine(&self) -> Result<RefMut<'_, M>, Busy> {
        self.machine.try_borrow_mut().map_err(|_| Busy)
    }

    pub(crate) const fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(crate) const fn clock(&self) -> &C {
        &self.clock
    }

    /// Runs what is due and hands over what the machine has to say, until it has no more to say.
    pub(crate) fn act<F>(&self, sink: &RefCell<F>) -> Result<Actions, Busy>
    where
        F: FnMut(Fact<M::Event<'_>>),
    {
        loop {
            self.bell.hush(Loop::Timer);
            let actions = self.machine()?.poll(self.clock.now());
            if !actions.notify {
                return Ok(actions);
            }
            // An outcome that is fetched may make something due, and the application may ask for something.
            self.tell(sink)?;
        }
    }

    /// Hands over the outcomes and notices that wait.
    pub(crate) fn tell<F>(&self, sink: &RefCell<F>) -> Result<(), Busy>
    where
        F: FnMut(Fact<M::Event<'_>>),
    {
        loop {
            // The borrow ends before the application hears of it, so that it may call back.
            let mut machine = self.machine()?;
            let fact = match machine.poll_outcome() {
                Some((key, outcome)) => Fact::Outcome(key, outcome),
                None => match machine.poll_notice() {
                    Some(notice) => Fact::Notice(notice),
                    None => return Ok(()),
                },
            };
            drop(machine);
            hand_over(sink, fact)?;
        }
    }

    /// Waits until there is something new, or until `deadline`.
    pub(crate) async fn changed(&self, deadline: Option<Instant>) {
        if deadline.is_some_and(|at| at <= self.clock.now()) {
            return pause().await; // due already: look again, but let the others go first
        }
        first(self.bell.wait(Loop::Timer), self.clock.until(deadline)).await;
    }
}

/// Calls the sink; it is never called from within itself.
pub(crate) fn hand_over<E, F: FnMut(Fact<E>)>(sink: &RefCell<F>, fact: Fact<E>) -> Result<(), Busy> {
    let mut sink = sink.try_borrow_mut().map_err(|_| Busy)?;
    (*sink)(fact);
    Ok(())
}

impl<S: Storage, C: Clock> Shared<Client<S>, C> {
    /// Accepts a message for the server; its [`Outcome`](mqtt_device_core::Outcome) comes as a [`Fact`].
    ///
    /// # Errors
    /// The client's reason not to accept it, or [`CallError::Busy`].
    pub fn publish(
        &self,
        publication: &Publication<'_>,
        payload: &[u8],
    ) -> Result<MessageKey, CallError<PublishError>> {
        CallError::flatten(self.with(|client, now| client.publish(now, publication, payload)))
    }

    /// Accepts a message whose body the application's `Source` writes when it is sent, by this token.
    ///
    /// # Errors
    /// The client's reason not to accept it, or [`CallError::Busy`].
    pub fn publish_from_source(
        &self,
        publication: &Publication<'_>,
        body: BodyToken,
    ) -> Result<MessageKey, CallError<PublishError>> {
        CallError::flatten(self.with(|client, now| client.publish_from_source(now, publication, body)))
    }

    /// Asks the server for the messages that match `filter`.
    ///
    /// # Errors
    /// The client's reason not to accept it, or [`CallError::Busy`].
    pub fn subscribe(&self, filter: &str, options: SubscribeOptions) -> Result<MessageKey, CallError<SubscribeError>> {
        CallError::flatten(self.with(|client, now| client.subscribe(now, filter, options)))
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// The client's reason not to accept it, or [`CallError::Busy`].
    pub fn unsubscribe(&self, filter: &str) -> Result<MessageKey, CallError<SubscribeError>> {
        CallError::flatten(self.with(|client, now| client.unsubscribe(now, filter)))
    }

    /// Acknowledges a message that was held. False when its connection is gone: then it comes again.
    ///
    /// # Errors
    /// [`Busy`] inside a call of [`Shared::with`].
    pub fn acknowledge(&self, token: AckToken) -> Result<bool, Busy> {
        self.with(|client, _| client.acknowledge(token))
    }

    /// Takes back what was not sent yet. False when it is too late.
    ///
    /// # Errors
    /// [`Busy`] inside a call of [`Shared::with`].
    pub fn cancel(&self, key: MessageKey) -> Result<bool, Busy> {
        self.with(|client, _| client.cancel(key))
    }
}

impl<S: Storage, D: Tables, C: Clock> Shared<Device<S, D>, C> {
    /// Fires a trigger; `payload` is JSON, or empty for `{}`.
    ///
    /// # Errors
    /// The device's reason not to accept it, or [`CallError::Busy`].
    pub fn trigger(&self, name: &str, payload: &[u8]) -> Result<MessageKey, CallError<PublishError>> {
        CallError::flatten(self.with(|device, now| device.trigger(now, name, payload)))
    }

    /// Answers a command, with JSON (or nothing) when it went well and with a text when it did not.
    ///
    /// # Errors
    /// The device's reason not to accept it, or [`CallError::Busy`].
    pub fn respond(&self, token: CommandToken, result: Result<&[u8], &str>) -> Result<(), CallError<PublishError>> {
        CallError::flatten(self.with(|device, now| device.respond(now, token, result)))
    }
}
