//! A device under `Driver::serve`, against a gateway on the model server.

use crate::support::executor::{dropped_after, turn_over};
use crate::support::net::{Net, NetConnector};
use crate::support::show;
use mqtt_device_core::{
    CommandSpec, CommandToken, Config, Device, DeviceConfig, DeviceEvent, Duration, Fixed, FixedTables, Identity,
    MessageKey, Notice, Outcome, Profile, PublishError,
};
use mqtt_device_embedded::{CallError, Driver, Fact, SetupError, Shared};
use mqtt_device_sim::gateway::Gateway;
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::server::ServerConfig;
use std::cell::{Cell, RefCell};
use std::future::Future;

type Greenhouse = Device<Fixed<2048, 48, 24>, FixedTables<40, 256>>;

struct Commands;

impl Profile for Commands {
    fn api_key(&self) -> &str {
        "the-key"
    }

    fn command(&self, index: usize) -> Option<CommandSpec<'_>> {
        [CommandSpec::new("read", "Reads a sensor"), CommandSpec::new("slow", "Takes a minute")].get(index).copied()
    }
}

/// The device's application: it answers `read` at once, and keeps the tokens of all others.
#[derive(Default)]
struct App {
    runs: RefCell<Vec<String>>,
    tokens: RefCell<Vec<CommandToken>>,
    acks: RefCell<Vec<(Option<MessageKey>, bool)>>,
    outcomes: RefCell<Vec<(MessageKey, Outcome)>>,
    early: Cell<u32>,
    ready: Cell<u32>,
    pongs: Cell<u32>,
}

impl App {
    fn handle(&self, shared: &Shared<Greenhouse, &Net>, fact: Fact<DeviceEvent<'_>>) {
        match fact {
            Fact::Event(DeviceEvent::Command(command)) => {
                self.runs.borrow_mut().push(command.id.as_str().into());
                match command.name == "read" {
                    true => shared.respond(command.token, Ok(br#"{"degrees":21}"#)).unwrap(),
                    false => self.tokens.borrow_mut().push(command.token),
                }
            }
            Fact::Event(DeviceEvent::TriggerAck { key, received, .. }) => {
                self.acks.borrow_mut().push((key, received));
            }
            Fact::Event(DeviceEvent::Rejected { topic, error }) => panic!("{topic}: {error}"),
            Fact::Outcome(key, outcome) => self.outcomes.borrow_mut().push((key, outcome)),
            Fact::Notice(Notice::Ready { .. }) => self.ready.set(self.ready.get() + 1),
            Fact::Notice(Notice::AcknowledgedEarly { count }) => self.early.set(count),
            Fact::Notice(Notice::Pong { .. }) => self.pongs.set(self.pongs.get() + 1),
            _ => {}
        }
    }
}

fn net(link: LinkConfig) -> Net {
    let net = Net::new(link, ServerConfig { secrets: vec![b"the-key".to_vec()], ..ServerConfig::default() }, 11);
    net.with_gateway(Gateway::new("agent", "greenhouse").with_key("the-key"))
}

fn device(net: &Net) -> Shared<Greenhouse, &Net> {
    let mut config = Config::new(2);
    config.maximum_packet_size = 256;
    let identity = Identity::new("agent", "greenhouse").unwrap();
    let mut settings = DeviceConfig::new();
    settings.triggers.ttl = None; // some of these tests take a virtual day
    Shared::new(Device::new(config, settings, identity, Fixed::new(), FixedTables::new()), net)
}

async fn serve(net: &Net, shared: &Shared<Greenhouse, &Net>, app: &App) -> Result<(), SetupError> {
    let (mut rx, mut tx) = ([0; 256], [0; 600]);
    let mut driver = Driver::new(&mut rx, &mut tx);
    driver.serve(shared, &Commands, &mut NetConnector(net), |fact| app.handle(shared, fact)).await
}

fn run(net: &Net, shared: &Shared<Greenhouse, &Net>, app: &App, script: impl Future<Output = ()>) {
    assert_eq!(net.run(serve(net, shared, app), script).0, Ok(()));
    net.block_on(net.sleep(Duration::from_secs(1))); // what was flushed arrives
    check(net);
}

fn check(net: &Net) {
    assert_eq!(net.server(|server, _| server.take_violations()), []);
    net.gateway(|gateway, server, _| {
        assert_eq!(gateway.faults(), [] as [&str; 0]);
        assert!(gateway.is_answered());
        assert!(!gateway.is_online(), "it said goodbye");
        assert_eq!(server.unfinished_to(gateway.client_id()), (0, 0));
    });
}

#[test]
fn announces_itself_runs_commands_and_fires_triggers() {
    let (net, app) = (net(LinkConfig::good()), App::default());
    let shared = device(&net);
    run(&net, &shared, &app, async {
        net.until(|| app.ready.get() == 1).await;
        let id = net.gateway(|gateway, server, now| gateway.send(now, server, "read", "{}"));
        net.until(|| net.gateway(|gateway, _, _| gateway.is_answered())).await;
        let answers = |n| net.gateway(|gateway, _, _| gateway.responses_to(&id).len() == n);
        net.gateway(|gateway, server, now| gateway.resend(now, server, &id));
        net.until(|| answers(2)).await;
        let key = shared.trigger("humidity_alert", br#"{"humidity":91}"#).unwrap();
        net.until(|| !app.acks.borrow().is_empty()).await;
        assert_eq!((app.acks.borrow()[0], app.outcomes.borrow()[0]), ((Some(key), true), (key, Outcome::Acked)));
        let refused = shared.trigger("not json", b"{").unwrap_err();
        assert!(matches!(refused, CallError::Refused(PublishError::NotJson { .. })), "{refused:?}");
        net.until(|| app.pongs.get() == 2).await;
        shared.stop(Duration::from_secs(10)).unwrap();
    });
    assert_eq!(app.runs.borrow().len(), 1, "once, and answered twice");
    net.gateway(|gateway, _, _| {
        assert_eq!(gateway.manifests()[0].1, ["read", "slow"]);
        assert_eq!(gateway.triggers().len(), 1);
    });
}

#[test]
fn a_long_handler_stops_nobody() {
    let (net, app) = (net(LinkConfig::good()), App::default());
    let shared = device(&net);
    run(&net, &shared, &app, async {
        net.until(|| app.ready.get() == 1).await;
        let slow = net.gateway(|gateway, server, now| gateway.send(now, server, "slow", ""));
        for _ in 0..30 {
            net.gateway(|gateway, server, now| gateway.send(now, server, "read", ""));
        }
        let begun = shared.now();
        shared.trigger("meanwhile", b"").unwrap();
        net.until(|| net.gateway(|gateway, _, _| gateway.responses().len() == 30)).await;
        net.until(|| !app.acks.borrow().is_empty()).await;
        assert!(shared.now().since(begun) < Duration::from_secs(7), "the others were answered in time");
        net.sleep(Duration::from_secs(60)).await;
        let token = app.tokens.borrow_mut().pop().unwrap();
        shared.respond(token, Err("the valve is stuck")).unwrap();
        assert!(matches!(shared.respond(token, Ok(b"")), Err(CallError::Refused(PublishError::UnknownCommand))));
        net.until(|| net.gateway(|gateway, _, _| gateway.is_answered())).await;
        net.gateway(|gateway, _, _| assert!(gateway.responses_to(&slow)[0].contains("the valve is stuck")));
        shared.stop(Duration::from_secs(10)).unwrap();
    });
    assert_eq!((app.runs.borrow().len(), app.early.get()), (31, 1));
    assert!(app.pongs.get() >= 1);
}

#[test]
fn commands_wait_at_the_server_while_the_device_is_away() {
    let (net, app) = (net(LinkConfig::rough()), App::default());
    let shared = device(&net);
    run(&net, &shared, &app, async {
        net.until(|| app.ready.get() == 1).await;
        for round in 2..=5 {
            net.gateway(|gateway, server, now| gateway.send(now, server, "read", ""));
            net.cut();
            for _ in 0..4 {
                net.gateway(|gateway, server, now| gateway.send(now, server, "read", ""));
            }
            shared.trigger("while_away", b"{}").unwrap();
            net.until(|| app.ready.get() >= round).await;
        }
        net.until(|| net.gateway(|gateway, _, _| gateway.is_answered()) && app.acks.borrow().len() >= 4).await;
        shared.stop(Duration::from_secs(10)).unwrap();
    });
    assert_eq!(app.runs.borrow().len(), 20, "each once");
}

/// A device that is served by futures that live `k` polls each, `times` times; then by one that is left alone.
fn dropped(k: usize, times: usize) -> bool {
    let link = LinkConfig { piece: 16..=48, delay: 0..=1, flush: 0..=1, capacity: 40, ..LinkConfig::perfect() };
    let (net, app) = (net(link), App::default());
    let shared = device(&net);
    let mut futures = 0;
    let drive = async {
        loop {
            // Another driver each time: what must last is in the machine.
            let (mut rx, mut tx) = ([0; 256], [0; 600]);
            let mut driver = Driver::new(&mut rx, &mut tx);
            futures += 1;
            let mut connector = NetConnector(&net);
            let future = driver.serve(&shared, &Commands, &mut connector, |fact| app.handle(&shared, fact));
            let polls = if futures > times { usize::MAX } else { k };
            if let Some(end) = dropped_after(polls, future).await {
                return end;
            }
            net.cut(); // the halves went with the future
            turn_over().await;
        }
    };
    let script = async {
        net.until(|| app.ready.get() > 0).await;
        for _ in 0..3 {
            net.gateway(|gateway, server, now| gateway.send(now, server, "read", "{}"));
            shared.trigger("alert", b"{}").unwrap();
        }
        net.until(|| net.gateway(|gateway, _, _| gateway.is_answered()) && app.outcomes.borrow().len() == 3).await;
        // Acknowledgements that were lost with a connection are asked for again on the next.
        net.until(|| net.gateway(|gateway, server, _| server.unfinished_to(gateway.client_id()) == (0, 0))).await;
        net.until(|| shared.with(|device, _| device.is_ready()).unwrap()).await;
        shared.stop(Duration::from_secs(60)).unwrap();
    };
    assert_eq!(net.run(drive, script).0, Ok(()), "k = {k}");
    net.block_on(net.sleep(Duration::from_secs(1)));
    net.server(|server, _| {
        if !server.violations().is_empty() {
            eprintln!("k = {k}\n{}", server.trace)
        }
    });
    check(&net);
    assert!(times > 1 || shared.now().as_millis() < 20_000, "k = {k}: the lost connection was not noticed at once");
    assert_eq!(*app.runs.borrow(), ["cmd-1", "cmd-2", "cmd-3"], "k = {k}: each once, in order");
    let outcomes = app.outcomes.borrow();
    assert!(outcomes.iter().all(|(_, outcome)| *outcome == Outcome::Acked), "k = {k}: {outcomes:?}");
    futures > times
}

#[test]
fn serve_dropped_once_after_each_number_of_polls() {
    let mut k = 1;
    while dropped(k, 1) {
        k += 1;
    }
    show(format_args!("embedded: Driver::serve dropped once after k polls, for k = 1 … N: N = {}", k - 1));
    assert!(k > 60, "the exchange is too short to show anything: {k} polls");
}

#[test]
fn serve_dropped_again_and_again() {
    for k in 1..=60 {
        dropped(k, 20);
    }
}
