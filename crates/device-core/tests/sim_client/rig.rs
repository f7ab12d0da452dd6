//! What the scenarios of the client share: a world with one client, on either storage.

use mqtt_device_core::{
    Client, Config, DisconnectReason, Duration, Fixed, Heap, HeapLimits, Instant, MessageKey, Notice, Outcome,
    Publication, QoS, Storage,
};
use mqtt_device_sim::app::{ClientApp, ClientSource};
use mqtt_device_sim::clock::Clock;
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::packet::{ApplicationMessage, Seen};
use mqtt_device_sim::server::ServerConfig;
use mqtt_device_sim::world::{HostConfig, World};

pub(crate) type ClientWorld<S> = World<Client<S>, ClientApp>;

/// Makes a test on each storage of a scenario that takes the function that makes a storage.
macro_rules! on_both_storages {
    ($($name:ident),+ $(,)?) => {
        mod fixed {
            $(#[test] fn $name() { super::$name(crate::rig::fixed) })+
        }
        mod heap {
            $(#[test] fn $name() { super::$name(crate::rig::heap) })+
        }
    };
}
pub(crate) use on_both_storages;

pub(crate) fn fixed() -> Fixed<4096, 32, 8> {
    Fixed::new()
}

pub(crate) fn heap() -> Heap<Vec<u8>> {
    Heap::new(HeapLimits { arena: 4096, out: 32, inbound: 8 })
}

/// The Client Identifier of all scenarios.
pub(crate) const ID: &str = "client";

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What a scenario sets before its world begins.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) server: ServerConfig,
    pub(crate) host: HostConfig,
    pub(crate) source: ClientSource,
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
}

impl Setup {
    /// A perfect link, one declared subscription `in/#`, packets up to 512 bytes.
    pub(crate) fn new() -> Self {
        let mut config = Config::new(0x5EED);
        config.maximum_packet_size = 512;
        Self {
            config,
            server: ServerConfig { checks_resubscription: true, ..ServerConfig::default() },
            host: HostConfig::new(LinkConfig::perfect()),
            source: ClientSource::new(ID, &["in/#"]),
            clock: Clock::default(),
            seed: 0,
        }
    }

    /// The world with one client.
    pub(crate) fn build<S: Storage>(self, storage: S) -> ClientWorld<S> {
        let mut world = World::starting_at(self.seed, self.server, self.clock);
        let client = Client::new(self.config, storage);
        world.add(self.host, client, Box::new(self.source), ClientApp::default());
        world
    }

    /// The world, run until the client is ready.
    pub(crate) fn ready<S: Storage>(self, storage: S) -> ClientWorld<S> {
        let mut world = self.build(storage);
        until_ready(&mut world, 5);
        world
    }
}

pub(crate) fn until_ready<S: Storage>(world: &mut ClientWorld<S>, limit: u64) {
    world.run_until("ready", secs(limit), |w| w.host().machine.is_ready());
}

/// A publication at QoS 1 that must be accepted.
pub(crate) fn publish<S: Storage>(world: &mut ClientWorld<S>, topic: &str, text: &str) -> MessageKey {
    publish_at(world, QoS::AtLeastOnce, topic, text)
}

pub(crate) fn publish_at<S: Storage>(world: &mut ClientWorld<S>, qos: QoS, topic: &str, text: &str) -> MessageKey {
    world
        .call(|now, client, app| app.publish(now, client, &Publication::new(topic, qos), text.as_bytes()))
        .expect("the outbox has room")
}

/// The server publishes to the client.
pub(crate) fn send<S: Storage>(world: &mut ClientWorld<S>, qos: QoS, topic: &str, text: &str) {
    let now = world.now();
    world.net.server.publish(now, ApplicationMessage::new(topic, text.as_bytes(), qos));
}

/// Bytes that the server writes by hand.
pub(crate) fn inject<S: Storage>(world: &mut ClientWorld<S>, bytes: &[u8]) {
    let now = world.now();
    assert!(world.net.server.inject(now, ID, bytes), "the client is connected");
    world.settle();
}

/// PUBLISH packets at QoS 1 as the server received them: connection number, identifier, DUP, text.
pub(crate) fn publishes<S: Storage>(world: &ClientWorld<S>) -> Vec<(String, u16, bool, String)> {
    let received = world.net.server.received().iter();
    received
        .filter_map(|r| match &r.packet {
            Seen::Publish { id: Some(id), dup, message } => {
                Some((r.connection.to_string(), *id, *dup, message.text().to_owned()))
            }
            _ => None,
        })
        .collect()
}

/// How many packets of a kind the server received.
pub(crate) fn count<S: Storage>(world: &ClientWorld<S>, is: impl Fn(&Seen) -> bool) -> usize {
    world.net.server.received().iter().filter(|r| is(&r.packet)).count()
}

pub(crate) fn outcome<S: Storage>(world: &ClientWorld<S>, key: MessageKey) -> Option<Outcome> {
    world.app().ledger.outcome(key)
}

/// Why connections, and attempts at one, ended, with the time and the delay before the next attempt.
pub(crate) fn ends<S: Storage>(
    world: &ClientWorld<S>,
    host: usize,
) -> Vec<(Instant, DisconnectReason, Option<Duration>)> {
    let notices = world.host_at(host).app.notices.iter();
    notices
        .filter_map(|(at, notice)| match notice {
            Notice::Disconnected { reason, retry_in } => Some((*at, *reason, *retry_in)),
            _ => None,
        })
        .collect()
}
