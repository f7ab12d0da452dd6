//! How a client is put together.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use mqtt_device_core::{Config, Heap, HeapLimits, MAX_DECLARED, WhenHeld};
use mqtt_device_proto::{QoS, TopicFilter, TopicName};
use tokio::runtime;

use super::sink::{ClientSink, ClientSource};
use super::{Client, ClientEvent, Machine, Messages};
use crate::completions::Completions;
use crate::driver::Driver;
use crate::endpoint::{Endpoint, seed};
use crate::link::Connector;
use crate::queue::{EVENTS, Events, Fanout, Queue};
use crate::running::{Reporter, Running};
use crate::shared::Handle;
use crate::{Error, SubscribeError};

/// The message that the server publishes when this client is lost.
#[derive(Clone, Debug)]
pub struct Will {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// With which quality of service.
    pub qos: QoS,
    /// Whether it stays there.
    pub retain: bool,
}

impl Will {
    /// A will that is not retained.
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>, qos: QoS) -> Self {
        Self { topic: topic.into(), payload: payload.into(), qos, retain: false }
    }

    pub(super) fn lend(&self) -> Option<mqtt_device_proto::Will<'_>> {
        let topic = TopicName::new(&self.topic).ok()?;
        let Self { qos, retain, .. } = *self;
        Some(mqtt_device_proto::Will { qos, retain, ..mqtt_device_proto::Will::new(topic, &self.payload) })
    }
}

/// Collects what a [`Client`] needs. What is wrong with it is said by [`ClientBuilder::start`].
#[must_use]
pub struct ClientBuilder {
    endpoint: Endpoint,
    source: ClientSource,
    config: Config,
    limits: HeapLimits,
    queue: usize,
    queue_bytes: usize,
    events: Arc<Fanout<ClientEvent>>,
    manual_ack: bool,
    connect_within: Duration,
}

impl ClientBuilder {
    pub(super) fn url(url: impl Into<String>) -> Self {
        Self::new(Endpoint::url(url))
    }

    pub(super) fn over(connector: impl Connector + 'static) -> Self {
        Self::new(Endpoint::over(connector))
    }

    fn new(endpoint: Endpoint) -> Self {
        let mut config = Config::new(seed());
        config.maximum_packet_size = 1 << 20;
        // An acknowledgement leaves when its message is taken from the stream.
        config.auto_ack = false;
        let source = ClientSource {
            client_id: String::new(),
            username: None,
            password: None,
            will: None,
            subscriptions: Vec::new(),
        };
        let connect_within = Duration::from_secs(60);
        Self {
            endpoint,
            source,
            config,
            limits: HeapLimits::default(),
            queue: EVENTS,
            queue_bytes: 16 << 20,
            events: Arc::new(Fanout::new()),
            manual_ack: false,
            connect_within,
        }
    }

    /// One more server, tried in turn.
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.endpoint.add(url.into());
        self
    }

    /// The Client Identifier. Without one, one is made up and no session is kept at the server.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.source.client_id = client_id.into();
        self
    }

    /// User name and password. They do not leave over a network in clear text unless
    /// [`ClientBuilder::allow_insecure_credentials`] says so; loopback is no network.
    pub fn credentials(mut self, username: impl Into<String>, password: impl Into<Vec<u8>>) -> Self {
        self.source.username = Some(username.into());
        self.source.password = Some(password.into());
        self
    }

    /// Lets the credentials go over a network in clear text.
    pub fn allow_insecure_credentials(mut self) -> Self {
        self.config.allow_insecure_credentials = true;
        self
    }

    /// The message that the server publishes when this client is lost.
    pub fn will(mut self, will: Will) -> Self {
        self.source.will = Some(will);
        self
    }

    /// Declares a subscription: it is made on the first connection and again whenever the server has lost the session.
    pub fn subscribe(mut self, filter: impl Into<String>, qos: QoS) -> Self {
        self.source.subscriptions.push((filter.into(), qos));
        self
    }

    /// QoS 1 messages are acknowledged by [`AckHandle::ack`](crate::AckHandle::ack), not when they are taken.
    pub fn manual_ack(mut self) -> Self {
        self.manual_ack = true;
        self
    }

    /// How many messages, and how many events for each stream, may wait for their consumer (1024).
    pub fn queue(mut self, length: usize) -> Self {
        self.queue = length;
        self
    }

    /// How many bytes of topics and payloads may wait for the consumer of [`Messages`] (16 MiB).
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// What happens from the start; with the length that [`ClientBuilder::queue`] has set before.
    #[must_use]
    pub fn events(&self) -> Events<ClientEvent> {
        self.events.subscribe(self.queue)
    }

    /// How much may wait in the machine.
    pub fn limits(mut self, limits: HeapLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How long [`ClientBuilder::connect`] tries before it gives up (60 s).
    pub fn connect_within(mut self, within: Duration) -> Self {
        self.connect_within = within;
        self
    }

    /// Any setting of the machine: Keep Alive, Clean Start, delays, limits.
    ///
    /// `auto_ack`, `when_held` and `servers` are this builder's own and are set again at the start.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Starts and returns at once; connecting goes on until the end.
    ///
    /// # Errors
    /// What is wrong with the configuration; nothing was started.
    pub fn start(self) -> Result<(Client, Messages), Error> {
        let runtime = runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let Self { endpoint, mut source, mut config, limits, queue, events, manual_ack, .. } = self;
        let (connector, servers) = endpoint.resolve()?;
        check(&source)?;
        config.servers = servers;
        config.auto_ack = false;
        config.when_held = WhenHeld::Withhold;
        if source.client_id.is_empty() {
            source.client_id = format!("mqtt-device-{:016x}", seed());
            config.clean_start = true;
        }
        let keeps_session = config.keeps_session();
        let span = tracing::info_span!("mqtt", client_id = %source.client_id);
        let handle = Handle::new(Machine::new(config, Heap::new(limits)));
        let messages = Arc::new(Queue::new(queue, self.queue_bytes));
        let completions = Arc::new(Completions::default());
        let (reporter, progress) = Reporter::new(servers);
        let sink = ClientSink {
            handle: handle.clone(),
            keeps_session,
            messages: Arc::clone(&messages),
            extra: limits.inbound,
            dropped: 0,
            filters: source.subscriptions.iter().map(|(filter, _)| filter.clone()).collect(),
            events: Arc::clone(&events),
            completions: Arc::clone(&completions),
            reporter,
            detail: None,
        };
        let mut driver = Driver::new(handle.clone(), source, sink, connector);
        let run = async move { driver.run().await };
        let task = runtime.spawn(tracing::Instrument::instrument(run, span)).abort_handle();
        let running = Arc::new(Running::new(handle, completions, progress, task));
        let messages = Messages { queue: messages, running: Arc::clone(&running), manual: manual_ack };
        Ok((Client { running, events, queue }, messages))
    }

    /// Starts, and waits until every declared subscription is granted.
    ///
    /// # Errors
    /// The same as [`ClientBuilder::start`], and [`Error::Connect`] when the server says no, or it takes longer than
    /// [`ClientBuilder::connect_within`].
    pub async fn connect(self) -> Result<(Client, Messages), Error> {
        let within = self.connect_within;
        let (client, messages) = self.start()?;
        client.running.connected(within).await?;
        Ok((client, messages))
    }
}

/// What only the standard's rules can refuse, said before anything starts.
fn check(source: &ClientSource) -> Result<(), Error> {
    if source.subscriptions.len() > usize::from(MAX_DECLARED) {
        return Err(Error::Limit("at most 32 subscriptions can be declared"));
    }
    for (filter, _) in &source.subscriptions {
        TopicFilter::new(filter).map_err(SubscribeError::Filter)?;
    }
    if let Some(will) = &source.will {
        TopicName::new(&will.topic).map_err(mqtt_device_core::PublishError::Topic)?;
    }
    Ok(())
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("client_id", &self.source.client_id).finish_non_exhaustive()
    }
}
