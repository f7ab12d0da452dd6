//! The plain MQTT client: a handle that publishes and subscribes, and a stream of messages.

mod builder;
mod event;
mod messages;
mod sink;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use mqtt_device_core::{Heap, MessageKey, Publication, SubscribeOptions};
use mqtt_device_proto::QoS;

pub use builder::{ClientBuilder, Will};
pub use event::ClientEvent;
pub use messages::{AckHandle, Message, Messages};

use crate::completions::{Operation, Until};
use crate::queue::{Events, Fanout};
use crate::running::Running;
use crate::shared::Stopped;
use crate::{ConnectError, Error, Link};

pub(crate) type Machine = mqtt_device_core::Client<Heap<Bytes>>;

/// A plain MQTT client. Cheap to clone; when the last clone and the [`Messages`] are gone, the connection is cut
/// without a DISCONNECT, and the server publishes the will. [`Client::stop`] says goodbye instead.
///
/// ```no_run
/// use mqtt_device_tokio::{Client, QoS};
///
/// # async fn example() -> Result<(), mqtt_device_tokio::Error> {
/// let (client, mut messages) = Client::builder("mqtt://127.0.0.1:1883")
///     .client_id("watcher")
///     .subscribe("lua/devices/+/+/status", QoS::AtLeastOnce)
///     .start()?;
/// client.publish("hello", "world", QoS::AtLeastOnce, false).await?;
/// while let Some(message) = messages.next().await {
///     println!("{}: {} bytes", message.topic, message.payload.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    running: Arc<Running<Machine>>,
    events: Arc<Fanout<ClientEvent>>,
    queue: usize,
}

impl Client {
    /// Begins a client of the server at `url`: see [`Server::parse`](crate::Server::parse).
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::url(url)
    }

    /// Begins a client over transports of your own: `connect` opens one to the server with the given index.
    ///
    /// ```no_run
    /// # #[cfg(unix)] {
    /// use mqtt_device_tokio::{Client, Link, Security};
    ///
    /// let builder = Client::over(|_server| async {
    ///     Ok(Link::new(tokio::net::UnixStream::connect("/run/broker.sock").await?, Security::Local))
    /// });
    /// # }
    /// ```
    pub fn over<F, Fut>(connect: F) -> ClientBuilder
    where
        F: FnMut(usize) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Link, ConnectError>> + Send + 'static,
    {
        ClientBuilder::over(connect)
    }

    /// Queues a message. The future that comes back tells how it ended; dropping it cancels nothing.
    ///
    /// Messages wait while there is no connection, within the bounds of
    /// [`ClientBuilder::limits`].
    pub fn publish(&self, topic: &str, payload: impl Into<Bytes>, qos: QoS, retain: bool) -> Operation {
        let mut publication = Publication::new(topic, qos);
        publication.retain = retain;
        self.publish_with(&publication, payload)
    }

    /// Queues a message with all its settings, such as a time to live and a class.
    pub fn publish_with(&self, publication: &Publication<'_>, payload: impl Into<Bytes>) -> Operation {
        let payload = payload.into();
        self.operate(|m, now| m.publish_owned(now, publication, payload).map_err(Error::Publish))
    }

    /// Subscribes on the present session. For what is wanted for good, declare it to the builder: declared
    /// subscriptions come back when the server has lost the session.
    pub fn subscribe(&self, filter: &str, qos: QoS) -> Operation {
        let options = SubscribeOptions::new(qos);
        self.operate(|m, now| m.subscribe(now, filter, options).map_err(Error::Subscribe))
    }

    /// Removes a subscription.
    pub fn unsubscribe(&self, filter: &str) -> Operation {
        self.operate(|m, now| m.unsubscribe(now, filter).map_err(Error::Subscribe))
    }

    /// Gives an operation up; it ends as `Dropped(Cancelled)`. False when it cannot be taken back: it has ended, or
    /// its bytes may have reached the server.
    pub fn cancel(&self, key: MessageKey) -> bool {
        self.running.handle.with(|m, _| m.cancel(key)).unwrap_or(false)
    }

    /// Whether the server has accepted the connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.running.handle.with(|m, _| m.is_connected()).unwrap_or(false)
    }

    /// Whether every declared subscription is granted on the present connection.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.running.handle.with(|m, _| m.is_ready()).unwrap_or(false)
    }

    /// What happens from now on; the builder's method of the same name gives what happens from the start.
    #[must_use]
    pub fn events(&self) -> Events<ClientEvent> {
        self.events.subscribe(self.queue)
    }

    /// Lets what was accepted leave, says DISCONNECT, closes; within `within`, and half a second for the transport.
    /// The end comes also when this future is dropped.
    pub async fn stop(&self, within: Duration) -> Stopped {
        self.running.stop(within).await
    }

    fn operate(
        &self,
        call: impl FnOnce(&mut Machine, mqtt_device_core::Instant) -> Result<MessageKey, Error>,
    ) -> Operation {
        let completions = &self.running.completions;
        let accepted = self.running.handle.with(|m, now| {
            let key = call(m, now)?;
            completions.expect(key, Until::Outcome);
            Ok(key)
        });
        Operation::new(accepted.and_then(|accepted| accepted), completions)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
