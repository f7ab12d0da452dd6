//! The device: a handle that fires triggers, and the builder that gives it its commands.

mod builder;
mod command;
mod event;
mod sink;
mod trigger;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use mqtt_device_core::{Heap, HeapTables, Identity};
use serde::Serialize;

pub use builder::DeviceBuilder;
pub use command::{Command, CommandCall, CommandError};
pub use event::DeviceEvent;
pub use trigger::{Trigger, TriggerAck};

use crate::completions::Until;
use crate::queue::{Events, Fanout};
use crate::running::Running;
use crate::shared::Stopped;
use crate::{ConnectError, Error, Link};

pub(crate) type Machine = mqtt_device_core::Device<Heap<Bytes>, HeapTables>;

/// A device of the Lua protocol. Cheap to clone; when the last clone is gone, the connection is cut without a
/// DISCONNECT, and the will tells the world. [`Device::stop`] says goodbye instead.
///
/// A handler that keeps a clone keeps the device alive.
#[derive(Clone)]
pub struct Device {
    running: Arc<Running<Machine>>,
    events: Arc<Fanout<DeviceEvent>>,
    queue: usize,
    identity: Identity,
}

impl Device {
    /// Begins a device at the server at `url`: see [`Server::parse`](crate::Server::parse).
    pub fn builder(url: impl Into<String>) -> DeviceBuilder {
        DeviceBuilder::url(url)
    }

    /// Begins a device over transports of your own: `connect` opens one to the server with the given index.
    pub fn over<F, Fut>(connect: F) -> DeviceBuilder
    where
        F: FnMut(usize) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Link, ConnectError>> + Send + 'static,
    {
        DeviceBuilder::over(connect)
    }

    /// Queues a trigger. The future that comes back ends with the server's acknowledgement; dropping it cancels
    /// nothing. A trigger that is fired while there is no connection waits for one, within its bounds.
    ///
    /// ```no_run
    /// # async fn example(device: mqtt_device_tokio::Device) -> Result<(), mqtt_device_tokio::Error> {
    /// let ack = device.trigger("humidity_alert", &serde_json::json!({ "humidity": 91 })).await?;
    /// println!("the server calls it {:?}", ack.trigger_id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn trigger(&self, name: &str, payload: &impl Serialize) -> Trigger {
        match serde_json::to_vec(payload) {
            Ok(json) => self.trigger_json(name, &json),
            Err(e) => Trigger::new(Err(Error::Json(e)), &self.running.completions),
        }
    }

    /// The same with JSON text; an empty payload is `{}`.
    pub fn trigger_json(&self, name: &str, payload: &[u8]) -> Trigger {
        let completions = &self.running.completions;
        let accepted = self.running.handle.with(|m, now| {
            let key = m.trigger(now, name, payload)?;
            completions.expect(key, Until::TriggerAck);
            Ok(key)
        });
        Trigger::new(accepted.and_then(|accepted| accepted), completions)
    }

    /// What happens from now on; the builder's method of the same name gives what happens from the start.
    #[must_use]
    pub fn events(&self) -> Events<DeviceEvent> {
        self.events.subscribe(self.queue)
    }

    /// Whether the server has accepted the connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.running.handle.with(|m, _| m.is_connected()).unwrap_or(false)
    }

    /// Whether commands can come in.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.running.handle.with(|m, _| m.is_ready()).unwrap_or(false)
    }

    /// Who the device is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Lets what was accepted leave, publishes `offline`, says DISCONNECT, closes; within `within`, and half a second
    /// for the transport. Handlers have half of the time to finish; then they are dropped. The end comes also when
    /// this future is dropped.
    pub async fn stop(&self, within: Duration) -> Stopped {
        self.running.stop(within).await
    }

    /// Waits for the end, whoever brings it about.
    pub async fn stopped(&self) -> Stopped {
        self.running.ended().await
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("identity", &self.identity).finish_non_exhaustive()
    }
}
