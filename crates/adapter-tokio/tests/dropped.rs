//! The driver's future, dropped at every await point and asked for again: nothing lost, nothing doubled.

#[path = "support/choppy.rs"]
mod choppy;
mod support;

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use choppy::{Choppy, Server};
use mqtt_device_core::{
    Client, CommandSpec, Config, Credentials, Device, DeviceConfig, DeviceEvent, Duration, Event, Heap, HeapLimits,
    HeapTables, Identity, Machine, MessageKey, NoRoom, Notice, Outcome, Profile, Publication, Source, Subscription,
};
use mqtt_device_proto::{QoS, ReasonCode, TopicFilter};
use mqtt_device_tokio::driver::{Driver, Frame, Sink};
use mqtt_device_tokio::{Handle, Link, Security};
use support::{Got, connack, message, puback, suback};

/// Shows a line even when the test passes: what libtest captures it shows only of those that fail.
fn show(line: core::fmt::Arguments<'_>) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn is_send<F: Future + Send>(f: F) -> F {
    f
}

/// How often the future of a run is polled before it is dropped.
#[derive(Clone, Copy)]
enum Drops {
    Never,
    Once { after: usize },
    EveryTime,
}

/// Polls `next()` to its end, dropping the future as `drops` says; returns how often it was polled.
async fn run_with_drops<M, S, K, C>(driver: &mut Driver<M, S, K, C>, drops: Drops) -> usize
where
    M: Machine + Send,
    M::Storage: mqtt_device_core::Storage<Payload = Bytes>,
    S: AsRef<M::Source> + Send,
    K: Sink<M>,
    C: mqtt_device_tokio::Connector,
{
    let (mut polls, start) = (0, tokio::time::Instant::now());
    loop {
        let most = match drops {
            Drops::Once { after } if polls == 0 => after,
            Drops::EveryTime => 1,
            _ => usize::MAX,
        };
        let mut future = pin!(is_send(driver.run()));
        let mut here = 0;
        let done = poll_fn(|cx| {
            // In virtual time: whatever was lost shows as a life that does not end.
            assert!(start.elapsed() < core::time::Duration::from_secs(60), "stuck after {polls} polls");
            if here == most {
                return Poll::Ready(false);
            }
            (here, polls) = (here + 1, polls + 1);
            Pin::new(&mut future).poll(cx).map(|()| true)
        })
        .await;
        if done {
            return polls;
        }
    }
}

/// A connector that takes three polls.
fn slowly(server: &Arc<Mutex<Server>>, vectored: bool) -> impl mqtt_device_tokio::Connector {
    let server = Arc::clone(server);
    move |_| {
        let stream = Choppy::new(&server, vectored);
        async move {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            Ok(Link::new(stream, Security::Local))
        }
    }
}

/// The order of acknowledgements and the order of messages are each fixed; how they interleave is not.
fn sorted(got: &[Got]) -> Vec<Got> {
    let rank = |got: &Got| match got {
        Got::Connect { .. } => 0,
        Got::Subscribe { .. } => 1,
        Got::Publish { .. } => 2,
        Got::PubAck(_) => 3,
        _ => 4,
    };
    let mut got = got.to_vec();
    got.sort_by_key(rank);
    got
}

// ------------------------------------------------------------------------------------------------ a client

struct Me;

impl Source for Me {
    fn credentials<'s>(&'s self, _: Option<u64>, _: &'s mut [u8]) -> Result<Credentials<'s>, NoRoom> {
        Ok(Credentials { client_id: "me", username: None, password: None, will: None })
    }

    fn subscription<'s>(&'s self, index: u16, _: &'s mut [u8]) -> Option<Subscription<'s>> {
        (index == 0).then(|| Subscription::new(TopicFilter::new("in").unwrap(), QoS::AtLeastOnce))
    }
}

impl AsRef<dyn Source + Send + Sync> for Me {
    fn as_ref(&self) -> &(dyn Source + Send + Sync + 'static) {
        self
    }
}

type ClientMachine = Client<Heap<Bytes>>;

/// Echoes every message; stops when all is done.
struct Echo {
    handle: Handle<ClientMachine>,
    log: Arc<Mutex<Vec<String>>>,
    ended: usize,
}

const IN: usize = 3;
const OUT: usize = 4;

impl Echo {
    fn publish(&self, topic: &str, payload: Bytes, qos: QoS) {
        let done = self.handle.with(|m, now| m.publish_owned(now, &Publication::new(topic, qos), payload));
        done.unwrap().unwrap();
    }
}

impl Sink<ClientMachine> for Echo {
    fn event(&mut self, event: Event<'_>, frame: Frame<'_>) {
        if let Event::Message(m) = event {
            self.log.lock().unwrap().push(format!("message of {} bytes", m.payload.len()));
            self.publish("echo", frame.own(m.payload), QoS::AtLeastOnce);
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.log.lock().unwrap().push(format!("{notice:?}"));
    }

    fn outcome(&mut self, _: MessageKey, outcome: Outcome) {
        self.ended += 1;
        self.log.lock().unwrap().push(format!("{outcome:?}"));
        if self.ended == IN + OUT {
            self.handle.with(|m, now| m.stop(now, Duration::from_secs(5))).unwrap();
        }
    }
}

/// A whole life of a client; returns the polls, what the server got and what the application learnt.
async fn client_life(drops: Drops, vectored: bool) -> (usize, Vec<Got>, Vec<String>) {
    let react = |got: &Got| match got {
        Got::Connect { .. } => connack(false),
        Got::Subscribe { id, .. } => {
            let bodies = [b"one".to_vec(), vec![2; 3000], b"three".to_vec()];
            let messages = (1..).zip(&bodies).map(|(id, body)| message("in", body, id));
            [suback(*id, ReasonCode::GRANTED_QOS_1)].into_iter().chain(messages).flatten().collect()
        }
        Got::Publish { id: id @ 1.., .. } => puback(*id),
        _ => Vec::new(),
    };
    let server = Server::new(Box::new(react));
    let mut config = Config::new(1);
    config.maximum_packet_size = 4096;
    let handle = Handle::new(ClientMachine::new(config, Heap::new(HeapLimits::default())));
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = Echo { handle: handle.clone(), log: Arc::clone(&log), ended: 0 };
    sink.publish("out", Bytes::from_static(b"small"), QoS::AtLeastOnce);
    sink.publish("out", Bytes::from(vec![7; 10_000]), QoS::AtLeastOnce);
    sink.publish("out", Bytes::from_static(b"at most once"), QoS::AtMostOnce);
    sink.publish("out", Bytes::from_static(b"last"), QoS::AtLeastOnce);
    let mut driver = Driver::new(handle, Me, sink, slowly(&server, vectored));
    let polls = run_with_drops(&mut driver, drops).await;
    let got = sorted(&server.lock().unwrap().got);
    let mut log = log.lock().unwrap().clone();
    log.sort();
    (polls, got, log)
}

/// Trap 9: a cancelled future loses a packet.
#[tokio::test(start_paused = true)]
async fn a_client_survives_the_drop_of_its_future_at_every_poll() {
    for vectored in [false, true] {
        let (n, got, log) = client_life(Drops::Never, vectored).await;
        let publishes: Vec<_> = got
            .iter()
            .filter_map(|got| match got {
                Got::Publish { payload, dup: false, .. } => Some(payload.len()),
                _ => None,
            })
            .collect();
        assert_eq!(publishes, [5, 10_000, 12, 4, 3, 3000, 5]);
        assert_eq!(got.iter().filter(|g| matches!(g, Got::PubAck(_))).count(), IN);
        assert_eq!(got.last(), Some(&Got::Disconnect));
        assert_eq!(log.iter().filter(|line| line.as_str() == "Acked").count(), IN + OUT - 1);
        assert!(log.contains(&"Stopped { clean: true }".to_owned()), "{log:?}");
        for k in 1..=n {
            let (_, got_k, log_k) = client_life(Drops::Once { after: k }, vectored).await;
            assert_eq!((&got_k, &log_k), (&got, &log), "k = {k}");
        }
        let (polls, got_all, log_all) = client_life(Drops::EveryTime, vectored).await;
        assert_eq!((&got_all, &log_all), (&got, &log), "dropped at each of {polls} polls");
        show(format_args!(
            "tokio: a client's run dropped after k polls, for k = 1 … N (vectored writes: {vectored}): N = {n}"
        ));
    }
}

// ------------------------------------------------------------------------------------------------ a device

struct Greenhouse;

impl Profile for Greenhouse {
    fn api_key(&self) -> &str {
        "key"
    }

    fn command(&self, index: usize) -> Option<CommandSpec<'_>> {
        // A manifest larger than the buffer that it is written through.
        (index < 100).then(|| CommandSpec::new(NAMES[index % 2], "a description that makes the manifest long enough"))
    }
}

const NAMES: [&str; 2] = ["read_environment", "toggle_irrigation"];

impl AsRef<dyn Profile + Send + Sync> for Greenhouse {
    fn as_ref(&self) -> &(dyn Profile + Send + Sync + 'static) {
        self
    }
}

type DeviceMachine = Device<Heap<Bytes>, HeapTables>;
const COMMANDS: u16 = 3;

/// Answers every command at once; stops when the trigger's outcome is there, too.
struct Answering {
    handle: Handle<DeviceMachine>,
    log: Arc<Mutex<Vec<String>>>,
    ended: u16,
}

impl Answering {
    fn note(&mut self, line: String, is_end: bool) {
        self.log.lock().unwrap().push(line);
        self.ended += u16::from(is_end);
        if is_end && self.ended == COMMANDS + 1 {
            self.handle.with(|m, now| m.stop(now, Duration::from_secs(5))).unwrap();
        }
    }
}

impl Sink<DeviceMachine> for Answering {
    fn event(&mut self, event: DeviceEvent<'_>, _: Frame<'_>) {
        match event {
            DeviceEvent::Command(c) => {
                let answered = self.handle.with(|m, now| m.respond(now, c.token, Ok(b"\"done\"")));
                answered.unwrap().unwrap();
                self.note(format!("ran {}", c.id.as_str()), true);
            }
            other => self.note(format!("{other:?}"), false),
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.note(format!("{notice:?}"), false);
    }

    fn outcome(&mut self, _: MessageKey, outcome: Outcome) {
        self.note(format!("{outcome:?}"), true);
    }
}

async fn device_life(drops: Drops) -> (usize, Vec<Got>, Vec<String>) {
    let command = |n: u16| {
        let body = format!(r#"{{"commandId":"c{n}","command":"read_environment","payload":{{}}}}"#);
        message("lua/devices/agent/d/command", body.as_bytes(), n)
    };
    let react = move |got: &Got| match got {
        Got::Connect { .. } => connack(false),
        Got::Subscribe { id, filters } => {
            let last = if filters[0].ends_with("/command") { COMMANDS } else { 0 };
            [suback(*id, ReasonCode::GRANTED_QOS_1)].into_iter().chain((1..=last).map(command)).flatten().collect()
        }
        Got::Publish { topic, id: id @ 1.., .. } if topic.ends_with("/trigger") => {
            let ack = message("lua/devices/agent/d/trigger_ack", br#"{"triggerId":"t","received":true}"#, 9);
            [puback(*id), ack].concat()
        }
        Got::Publish { id: id @ 1.., .. } => puback(*id),
        _ => Vec::new(),
    };
    let server = Server::new(Box::new(react));
    let mut config = Config::new(1);
    config.maximum_packet_size = 1024;
    let identity = Identity::new("agent", "d").unwrap();
    let storage = Heap::new(HeapLimits::default());
    let tables = HeapTables::new(16, 1024, 16_384);
    let machine = DeviceMachine::new(config, DeviceConfig::new(), identity, storage, tables);
    let handle = Handle::new(machine);
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = Answering { handle: handle.clone(), log: Arc::clone(&log), ended: 0 };
    handle.with(|m, now| m.trigger(now, "humidity_alert", b"{}")).unwrap().unwrap();
    let mut driver = Driver::new(handle, Greenhouse, sink, slowly(&server, true));
    let polls = run_with_drops(&mut driver, drops).await;
    let got = sorted(&server.lock().unwrap().got);
    let mut log = log.lock().unwrap().clone();
    log.sort();
    (polls, without_timestamps(got), log)
}

/// The one thing that differs from run to run.
fn without_timestamps(mut got: Vec<Got>) -> Vec<Got> {
    for got in &mut got {
        if let Got::Publish { topic, payload, retain: true, .. } = got
            && topic.ends_with("/status")
        {
            payload.truncate(18);
        }
    }
    got.sort_by_key(|got| format!("{got:?}"));
    got
}

/// Trap 9, with commands and triggers on top.
#[tokio::test(start_paused = true)]
async fn a_device_survives_the_drop_of_its_future_at_every_poll() {
    let (n, got, log) = device_life(Drops::Never).await;
    assert_eq!(log.iter().filter(|line| line.starts_with("ran c")).count(), usize::from(COMMANDS), "{log:?}");
    assert!(log.contains(&"Stopped { clean: true }".to_owned()), "{log:?}");
    let responses = |got: &&Got| matches!(got, Got::Publish { topic, .. } if topic.ends_with("/response"));
    assert_eq!(got.iter().filter(responses).count(), usize::from(COMMANDS));
    for k in 1..=n {
        let (_, got_k, log_k) = device_life(Drops::Once { after: k }).await;
        assert_eq!((&got_k, &log_k), (&got, &log), "k = {k}");
    }
    let (polls, got_all, log_all) = device_life(Drops::EveryTime).await;
    assert_eq!((&got_all, &log_all), (&got, &log), "dropped at each of {polls} polls");
    show(format_args!("tokio: a device's run dropped after k polls, for k = 1 … N: N = {n}"));
}
