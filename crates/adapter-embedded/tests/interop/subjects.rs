//! The same device on either adapter, each on a thread of its own, as the scenarios see it.

use crate::scenarios::{AGENT, DEVICE, KEY};
use crate::tcp::{self, Tcp};
use core::net::SocketAddr;
use mqtt_device_core::{
    CommandSpec, Config, Device, DeviceConfig, DeviceEvent, Duration, Fixed, FixedTables, Identity, Notice, Profile,
};
use mqtt_device_embedded::{Driver, Fact, Shared};
use mqtt_device_tokio as on_tokio;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{self, UnboundedSender};

/// A device that runs `echo` (its payload is the answer) and `fails`, and logs `ready`, `run ID`, `ack BOOL`,
/// `disconnected REASON`.
pub(crate) trait Subject {
    fn start(broker: SocketAddr) -> Self;
    fn log(&self) -> &Log;
    fn trigger(&self, name: &str, json: &str);
    /// Stops; whether in order.
    fn stop(self) -> bool;
}

/// What a device did, for the thread of the test.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Log {
    fn add(&self, line: String) {
        self.0.0.lock().unwrap().push(line);
        self.0.1.notify_all();
    }

    /// Waits until there are so many lines that begin with this word.
    pub(crate) fn wait(&self, word: &str, count: usize) {
        let seen = |lines: &[String]| lines.iter().filter(|line| line.starts_with(word)).count();
        let lines = self.0.0.lock().unwrap();
        let patience = mqtt_device_testkit::PATIENCE;
        let (lines, timeout) = self.0.1.wait_timeout_while(lines, patience, |lines| seen(lines) < count).unwrap();
        assert!(!timeout.timed_out(), "no {count} × {word} in {lines:?}");
    }

    /// The lines that begin with this word.
    pub(crate) fn all(&self, word: &str) -> Vec<String> {
        self.0.0.lock().unwrap().iter().filter(|line| line.starts_with(word)).cloned().collect()
    }
}

enum Order {
    Trigger(String, String),
    Stop,
}

/// The thread that runs a device, and the way to it.
struct Thread {
    log: Log,
    orders: UnboundedSender<Order>,
    thread: JoinHandle<bool>,
}

impl Thread {
    fn stop(self) -> bool {
        self.orders.send(Order::Stop).unwrap();
        self.thread.join().unwrap()
    }

    fn trigger(&self, name: &str, json: &str) {
        self.orders.send(Order::Trigger(name.into(), json.into())).unwrap();
    }
}

/// Delays that a test can wait for.
fn quick(config: &mut Config) {
    config.backoff.base = Duration::from_millis(50);
    config.backoff.cap = Duration::from_millis(300);
    config.backoff.slow_base = Duration::from_secs(60);
    config.stable_after = Duration::from_millis(1);
}

/// On the embedded adapter.
pub(crate) struct Embedded(Thread);

impl Subject for Embedded {
    fn start(broker: SocketAddr) -> Self {
        let log = Log::default();
        let (orders, mut inbox) = mpsc::unbounded_channel();
        let told = log.clone();
        let thread = thread::spawn(move || {
            let mut config = Config::new(broker.port().into());
            config.maximum_packet_size = 1024;
            quick(&mut config);
            let identity = Identity::new(AGENT, DEVICE).unwrap();
            let (storage, tables) = (Fixed::<2048, 24, 8>::new(), FixedTables::<16, 256>::new());
            let device = Device::new(config, DeviceConfig::default(), identity, storage, tables);
            let clean = std::cell::Cell::new(false);
            Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let shared = Shared::new(device, tcp::clock());
                let (mut rx, mut tx) = ([0; 1024], [0; 512]);
                let mut driver = Driver::new(&mut rx, &mut tx);
                let on_fact = |fact: Fact<DeviceEvent<'_>>| match fact {
                    Fact::Event(DeviceEvent::Command(command)) => {
                        told.add(format!("run {}", command.id));
                        let payload = command.payload.unwrap_or(b"null");
                        let result = if command.name == "echo" { Ok(payload) } else { Err("it always fails") };
                        shared.respond(command.token, result).unwrap();
                    }
                    Fact::Event(DeviceEvent::TriggerAck { received, .. }) => told.add(format!("ack {received}")),
                    Fact::Notice(Notice::Ready { .. }) => told.add("ready".into()),
                    Fact::Notice(Notice::Disconnected { reason, .. }) => told.add(format!("disconnected {reason:?}")),
                    Fact::Notice(Notice::Stopped { clean: is }) => clean.set(is),
                    _ => {}
                };
                let mut tcp = Tcp(broker);
                let obey = async {
                    while let Some(order) = inbox.recv().await {
                        match order {
                            Order::Trigger(name, json) => drop(shared.trigger(&name, json.as_bytes()).unwrap()),
                            Order::Stop => shared.stop(Duration::from_secs(10)).unwrap(),
                        }
                    }
                };
                tokio::select! {
                    end = driver.serve(&shared, &Commands, &mut tcp, on_fact) => end.unwrap(),
                    () = obey => panic!("the test dropped the device without stopping it"),
                }
            });
            clean.get()
        });
        Self(Thread { log, orders, thread })
    }

    fn log(&self) -> &Log {
        &self.0.log
    }

    fn trigger(&self, name: &str, json: &str) {
        self.0.trigger(name, json);
    }

    fn stop(self) -> bool {
        self.0.stop()
    }
}

struct Commands;

impl Profile for Commands {
    fn api_key(&self) -> &str {
        KEY
    }

    fn command(&self, index: usize) -> Option<CommandSpec<'_>> {
        [CommandSpec::new("echo", "Answers its payload"), CommandSpec::new("fails", "Fails")].get(index).copied()
    }
}

/// On the tokio adapter.
pub(crate) struct Tokio(Thread);

impl Subject for Tokio {
    fn start(broker: SocketAddr) -> Self {
        let log = Log::default();
        let (orders, mut inbox) = mpsc::unbounded_channel();
        let told = log.clone();
        let thread = thread::spawn(move || {
            Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let (echoed, failed) = (told.clone(), told.clone());
                let device = on_tokio::Device::builder(format!("mqtt://{broker}"))
                    .identity(AGENT, DEVICE)
                    .api_key(KEY)
                    .configure(quick)
                    .command(on_tokio::Command::new("echo").description("Answers its payload"))
                    .command(on_tokio::Command::new("fails").description("Fails"))
                    .on_command("echo", move |call| {
                        echoed.add(format!("run {}", call.id));
                        async move { call.payload() }
                    })
                    .on_command("fails", move |call| {
                        failed.add(format!("run {}", call.id));
                        async { Err::<serde_json::Value, _>(on_tokio::CommandError::new("it always fails")) }
                    });
                let device = device.start().unwrap();
                let mut events = device.events();
                loop {
                    tokio::select! {
                        event = events.next() => match event.unwrap() {
                            on_tokio::DeviceEvent::Connected { .. } | on_tokio::DeviceEvent::Reconnected { .. } => told.add("ready".into()),
                            on_tokio::DeviceEvent::Disconnected { reason, .. } => told.add(format!("disconnected {reason:?}")),
                            on_tokio::DeviceEvent::TriggerAck { ack, .. } => told.add(format!("ack {}", ack.received)),
                            _ => {}
                        },
                        order = inbox.recv() => match order.unwrap() {
                            Order::Trigger(name, json) => drop(device.trigger_json(&name, json.as_bytes())),
                            Order::Stop => return device.stop(core::time::Duration::from_secs(10)).await.clean,
                        },
                    }
                }
            })
        });
        Self(Thread { log, orders, thread })
    }

    fn log(&self) -> &Log {
        &self.0.log
    }

    fn trigger(&self, name: &str, json: &str) {
        self.0.trigger(name, json);
    }

    fn stop(self) -> bool {
        self.0.stop()
    }
}
