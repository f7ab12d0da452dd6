//! How a device is put together.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use mqtt_device_core::{Config, DeviceConfig, Heap, HeapLimits, HeapTables, Identity, validate_profile};
use serde::Serialize;
use serde_json::Value;
use tokio::runtime;
use tokio::task::JoinSet;

use super::command::Handlers;
use super::sink::{DeviceProfile, DeviceSink};
use super::{Command, CommandCall, CommandError, Device, DeviceEvent, Machine};
use crate::Error;
use crate::completions::Completions;
use crate::driver::Driver;
use crate::endpoint::{Endpoint, seed};
use crate::link::Connector;
use crate::queue::{EVENTS, Events, Fanout};
use crate::running::{Reporter, Running};
use crate::shared::Handle;

/// Collects what a [`Device`] needs. What is wrong with it is said by [`DeviceBuilder::start`].
#[must_use]
pub struct DeviceBuilder {
    endpoint: Endpoint,
    names: Option<(String, String)>,
    group: Option<String>,
    profile: DeviceProfile,
    handlers: Handlers,
    config: Config,
    device: DeviceConfig,
    limits: HeapLimits,
    tables: (usize, usize, usize),
    queue: usize,
    events: Arc<Fanout<DeviceEvent>>,
    connect_within: Duration,
}

impl DeviceBuilder {
    pub(super) fn url(url: impl Into<String>) -> Self {
        Self::new(Endpoint::url(url))
    }

    pub(super) fn over(connector: impl Connector + 'static) -> Self {
        Self::new(Endpoint::over(connector))
    }

    fn new(endpoint: Endpoint) -> Self {
        let mut config = Config::new(seed());
        config.maximum_packet_size = 256 * 1024;
        Self {
            endpoint,
            names: None,
            group: None,
            profile: DeviceProfile::default(),
            handlers: Handlers::default(),
            config,
            device: DeviceConfig::default(),
            limits: HeapLimits::default(),
            tables: (1000, 64 * 1024, 4 << 20),
            queue: EVENTS,
            events: Arc::new(Fanout::new()),
            connect_within: Duration::from_secs(60),
        }
    }

    /// One more server, tried in turn.
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.endpoint.add(url.into());
        self
    }

    /// The agent's identifier and the device's name; both are parts of topics, and are checked for it.
    pub fn identity(mut self, agent: impl Into<String>, device: impl Into<String>) -> Self {
        self.names = Some((agent.into(), device.into()));
        self
    }

    /// The group that the device belongs to.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// The API key. It does not leave over a network in clear text unless
    /// [`DeviceBuilder::allow_insecure_credentials`] says so; loopback is no network.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.profile.api_key = key.into();
        self
    }

    /// Lets the API key go over a network in clear text.
    pub fn allow_insecure_credentials(mut self) -> Self {
        self.config.allow_insecure_credentials = true;
        self
    }

    /// Declares a command; its handler is given to [`DeviceBuilder::on_command`].
    pub fn command(mut self, command: Command) -> Self {
        self.profile.commands.push(command);
        self
    }

    /// Handles a declared command. The handler runs as a task of its own; its error, its panic and its taking too long
    /// are answers with `success: false`. What it returns is written as JSON: a `Value`, a type of your own, or a
    /// `serde_json::value::RawValue`, which leaves as it is. Nothing (`()`, `null`) is an answer without data.
    pub fn on_command<F, Fut, R>(mut self, name: impl Into<String>, handler: F) -> Self
    where
        F: Fn(CommandCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, CommandError>> + Send + 'static,
        R: Serialize,
    {
        self.handlers.on_command(name.into(), handler);
        self
    }

    /// Handles the results of the trigger of this name.
    pub fn on_trigger_result<F, Fut>(mut self, name: impl Into<String>, handler: F) -> Self
    where
        F: Fn(Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.handlers.results.insert(name.into(), Box::new(move |result| Box::pin(handler(result))));
        self
    }

    /// What happens from the start; with the length that [`DeviceBuilder::queue`] has set before.
    #[must_use]
    pub fn events(&self) -> Events<DeviceEvent> {
        self.events.subscribe(self.queue)
    }

    /// How much may wait in the machine.
    pub fn limits(mut self, limits: HeapLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How many commands are remembered (1000), so that none is run twice, how many bytes the answer to one may have
    /// (64 KiB), and how many all remembered answers together (4 MiB).
    pub fn tables(mut self, commands: usize, response: usize, responses: usize) -> Self {
        self.tables = (commands, response, responses);
        self
    }

    /// How many events may wait for the consumer of each stream (1024).
    pub fn queue(mut self, length: usize) -> Self {
        self.queue = length;
        self
    }

    /// How long [`DeviceBuilder::connect`] tries before it gives up (60 s).
    pub fn connect_within(mut self, within: Duration) -> Self {
        self.connect_within = within;
        self
    }

    /// Any setting of the session: Keep Alive, delays, limits. `servers` is this builder's own and set at the start.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Any setting of the device layer: heartbeat, trigger deadline, hold policy.
    pub fn configure_device(mut self, change: impl FnOnce(&mut DeviceConfig)) -> Self {
        change(&mut self.device);
        self
    }

    /// Starts and returns at once; connecting goes on until the end.
    ///
    /// # Errors
    /// What is wrong with the configuration; nothing was started.
    pub fn start(mut self) -> Result<Device, Error> {
        let runtime = runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let identity = self.check()?;
        let (connector, servers) = self.endpoint.resolve()?;
        self.config.servers = servers;
        for command in &self.profile.commands {
            self.handlers.timeouts.extend(command.time_limit());
        }
        let span = tracing::info_span!("device", agent = identity.agent(), device = identity.device());
        let tables = HeapTables::new(self.tables.0, self.tables.1, self.tables.2);
        let machine = Machine::new(self.config, self.device, identity, Heap::new(self.limits), tables);
        let handle = Handle::new(machine);
        let (events, queue) = (self.events, self.queue);
        let completions = Arc::new(Completions::default());
        let (reporter, progress) = Reporter::new(servers);
        let sink = DeviceSink {
            handle: handle.clone(),
            handlers: Arc::new(self.handlers),
            tasks: JoinSet::new(),
            events: Arc::clone(&events),
            completions: Arc::clone(&completions),
            reporter,
            runtime: runtime.clone(),
            session_present: false,
            detail: None,
        };
        let mut driver = Driver::new(handle.clone(), self.profile, sink, connector);
        let run = async move { driver.run().await };
        let task = runtime.spawn(tracing::Instrument::instrument(run, span)).abort_handle();
        let running = Arc::new(Running::new(handle, completions, progress, task));
        Ok(Device { running, events, queue, identity })
    }

    /// Starts, and waits until the device is ready for commands.
    ///
    /// # Errors
    /// The same as [`DeviceBuilder::start`], and [`Error::Connect`] when the server says no, or it takes longer than
    /// [`DeviceBuilder::connect_within`].
    pub async fn connect(self) -> Result<Device, Error> {
        let within = self.connect_within;
        let device = self.start()?;
        device.running.connected(within).await?;
        Ok(device)
    }

    fn check(&self) -> Result<Identity, Error> {
        let (agent, name) = self.names.as_ref().ok_or(Error::Missing("identity"))?;
        let mut identity = Identity::new(agent, name)?;
        if let Some(group) = &self.group {
            identity = identity.with_group(group)?;
        }
        validate_profile(&self.profile)?;
        let declared = |name: &str| self.profile.commands.iter().any(|c| c.name == name);
        if let Some(command) = self.profile.commands.iter().find(|c| !self.handlers.commands.contains_key(&c.name)) {
            return Err(Error::Handler { name: command.name.clone(), undeclared: false });
        }
        if let Some(name) = self.handlers.commands.keys().find(|name| !declared(name)) {
            return Err(Error::Handler { name: name.clone(), undeclared: true });
        }
        Ok(identity)
    }
}

impl fmt::Debug for DeviceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceBuilder").field("identity", &self.names).finish_non_exhaustive()
    }
}
