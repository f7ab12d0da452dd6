//! What the scenarios of the device share: a world with one device and its gateway, on either storage.

use mqtt_device_core::{
    Config, Device, DeviceConfig, Duration, Fixed, FixedTables, Heap, HeapLimits, HeapTables, Identity, MessageKey,
    Notice, Storage, Tables,
};
use mqtt_device_sim::app::{Call, DeviceApp, Reply, TestProfile, Told};
use mqtt_device_sim::clock::Clock;
use mqtt_device_sim::gateway::{Gateway, Habits};
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::packet::Seen;
use mqtt_device_sim::server::ServerConfig;
use mqtt_device_sim::world::{HostConfig, World};

/// One kind of storage for both halves of a device.
pub(crate) trait Kit: 'static {
    type S: Storage + core::fmt::Debug + 'static;
    type D: Tables + core::fmt::Debug + 'static;

    fn storage() -> Self::S;
    fn tables() -> Self::D;
}

/// No heap: as on a microcontroller, and small.
pub(crate) struct OnFixed;

impl Kit for OnFixed {
    type S = Fixed<2048, 48, 12>;
    type D = FixedTables<40, 256>;

    fn storage() -> Self::S {
        Fixed::new()
    }

    fn tables() -> Self::D {
        FixedTables::new()
    }
}

/// On the heap, with bounds.
pub(crate) struct OnHeap;

impl Kit for OnHeap {
    type S = Heap<Vec<u8>>;
    type D = HeapTables;

    fn storage() -> Self::S {
        Heap::new(HeapLimits { arena: 4096, out: 64, inbound: 32 })
    }

    fn tables() -> Self::D {
        HeapTables::new(40, 1024, 64 * 1024)
    }
}

pub(crate) type Dev<K> = Device<<K as Kit>::S, <K as Kit>::D>;
pub(crate) type DeviceWorld<K> = World<Dev<K>, DeviceApp>;

/// Makes a test on each storage of a scenario that takes a [`Kit`].
macro_rules! on_both_storages {
    ($($name:ident),+ $(,)?) => {
        mod fixed {
            $(#[test] fn $name() { super::$name::<crate::rig::OnFixed>() })+
        }
        mod heap {
            $(#[test] fn $name() { super::$name::<crate::rig::OnHeap>() })+
        }
    };
}
pub(crate) use on_both_storages;

pub(crate) const AGENT: &str = "agent-7";
pub(crate) const NAME: &str = "greenhouse";
pub(crate) const ID: &str = "lua-agent-7-greenhouse";
pub(crate) const KEY: &str = "k3y-0f-the-d3vice";
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
    pub(crate) device: DeviceConfig,
    pub(crate) identity: Identity,
    pub(crate) key: String,
    pub(crate) server: ServerConfig,
    pub(crate) host: HostConfig,
    pub(crate) habits: Habits,
    pub(crate) app: DeviceApp,
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
}

impl Setup {
    /// A perfect link, a server that knows the key and looks for it everywhere, commands that echo.
    pub(crate) fn new() -> Self {
        let mut config = Config::new(0x5EED);
        config.maximum_packet_size = 1024;
        let server = ServerConfig {
            users: Some([(format!("{AGENT}:{NAME}"), KEY.as_bytes().to_vec())].into()),
            secrets: vec![KEY.as_bytes().to_vec()],
            checks_resubscription: true,
            ..ServerConfig::default()
        };
        Self {
            config,
            device: DeviceConfig::new(),
            identity: Identity::new(AGENT, NAME).expect("the names are valid"),
            key: KEY.into(),
            server,
            host: HostConfig::new(LinkConfig::perfect()),
            habits: Habits::default(),
            app: DeviceApp::echo(),
            clock: Clock::default(),
            seed: 0,
        }
    }

    /// Runs commands with this.
    pub(crate) fn on_command(mut self, handler: impl FnMut(&Call) -> Reply + 'static) -> Self {
        self.app = DeviceApp::new(handler);
        self
    }

    /// The world with one device and its gateway.
    pub(crate) fn build<K: Kit>(self) -> DeviceWorld<K> {
        self.build_on(K::storage(), K::tables())
    }

    pub(crate) fn build_on<S: Storage, D: Tables>(self, storage: S, tables: D) -> World<Device<S, D>, DeviceApp> {
        let mut world = World::starting_at(self.seed, self.server, self.clock);
        let device = Device::new(self.config, self.device, self.identity, storage, tables);
        let profile = TestProfile::new(&self.key, &["echo", "slow"]);
        world.add(self.host, device, Box::new(profile), self.app);
        let mut gateway = Gateway::new(AGENT, NAME).with_key(KEY);
        gateway.habits = self.habits;
        world.net.gateways.push(gateway);
        world
    }

    /// The world, run until the device is ready and the gateway knows it.
    pub(crate) fn ready<K: Kit>(self) -> DeviceWorld<K> {
        let mut world = self.build::<K>();
        until_ready(&mut world, 5);
        world
    }
}

pub(crate) fn until_ready<S: Storage, D: Tables>(world: &mut World<Device<S, D>, DeviceApp>, limit: u64) {
    world.run_until("ready", secs(limit), |w| w.host().machine.is_ready() && w.net.gateways[0].is_online());
}

pub(crate) fn gateway<S: Storage, D: Tables>(world: &World<Device<S, D>, DeviceApp>) -> &Gateway {
    &world.net.gateways[0]
}

/// The gateway sends a command; its id.
pub(crate) fn command<S: Storage, D: Tables>(
    world: &mut World<Device<S, D>, DeviceApp>,
    name: &str,
    payload: &str,
) -> String {
    let now = world.now();
    let net = &mut world.net;
    net.gateways[0].send(now, &mut net.server, name, payload)
}

pub(crate) fn resend<S: Storage, D: Tables>(world: &mut World<Device<S, D>, DeviceApp>, id: &str) {
    let now = world.now();
    let net = &mut world.net;
    net.gateways[0].resend(now, &mut net.server, id);
}

/// The gateway publishes anything under a suffix of the device.
pub(crate) fn raw<S: Storage, D: Tables>(world: &mut World<Device<S, D>, DeviceApp>, suffix: &str, body: &[u8]) {
    let now = world.now();
    let net = &mut world.net;
    net.gateways[0].send_raw(now, &mut net.server, suffix, body);
}

pub(crate) fn trigger<S: Storage, D: Tables>(
    world: &mut World<Device<S, D>, DeviceApp>,
    name: &str,
    payload: &str,
) -> MessageKey {
    world.call(|now, device, app| app.trigger(now, device, name, payload)).expect("there is room")
}

pub(crate) fn told<S: Storage, D: Tables>(world: &World<Device<S, D>, DeviceApp>) -> Vec<Told> {
    world.app().told.iter().map(|(_, told)| told.clone()).collect()
}

/// The highest count in the notices of one kind.
pub(crate) fn highest<S: Storage, D: Tables>(
    world: &World<Device<S, D>, DeviceApp>,
    count: impl Fn(&Notice) -> Option<u32>,
) -> u32 {
    world.app().notices.iter().filter_map(|(_, notice)| count(notice)).max().unwrap_or(0)
}

pub(crate) fn early_acks<S: Storage, D: Tables>(world: &World<Device<S, D>, DeviceApp>) -> u32 {
    highest(world, |notice| match notice {
        Notice::AcknowledgedEarly { count } => Some(*count),
        _ => None,
    })
}

/// Packets as the server received them, on any connection, in short: what kind, and of a PUBLISH the suffix.
pub(crate) fn packets<S: Storage, D: Tables>(world: &World<Device<S, D>, DeviceApp>) -> Vec<String> {
    let prefix = gateway(world).topic("");
    let short = |packet: &Seen| match packet {
        Seen::Connect(_) => "CONNECT".to_owned(),
        Seen::Publish { message, .. } => {
            let suffix = message.topic.strip_prefix(&prefix).unwrap_or(&message.topic);
            if message.retain { format!("{suffix} retained") } else { suffix.to_owned() }
        }
        Seen::Subscribe { .. } => "SUBSCRIBE".into(),
        Seen::PubAck(_) => "PUBACK".into(),
        Seen::PingReq => "PINGREQ".into(),
        Seen::Disconnect => "DISCONNECT".into(),
        other => other.to_string(),
    };
    world.net.server.received().iter().map(|r| short(&r.packet)).collect()
}

/// The bodies of all messages that the device published under a suffix.
pub(crate) fn bodies<S: Storage, D: Tables>(world: &World<Device<S, D>, DeviceApp>, suffix: &str) -> Vec<String> {
    let topic = gateway(world).topic(suffix);
    let own = world.net.server.published().iter().filter(|p| p.client_id.as_deref() == Some(ID) && !p.is_will);
    own.filter(|p| p.message.topic == topic).map(|p| p.message.text().to_owned()).collect()
}
