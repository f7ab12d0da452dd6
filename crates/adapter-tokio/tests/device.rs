//! The device over a scripted server, in virtual time: commands, answers, triggers, presence.

mod support;

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::Arc;

use mqtt_device_proto::Packet;
use mqtt_device_tokio::{
    Command, CommandError, Device, DeviceBuilder, DeviceEvent, DisconnectReason, Error, Events, PublishError,
    ReasonCode, Security, TriggerAck,
};
use serde_json::{Value, json};
use support::{Got, Net, Peer};

const SOON: Duration = Duration::from_secs(5);
const TOPIC: &str = "lua/devices/agent/greenhouse-1";

fn device(
    connector: impl FnMut(usize) -> core::future::Ready<Result<mqtt_device_tokio::Link, mqtt_device_tokio::ConnectError>>
    + Send
    + 'static,
) -> DeviceBuilder {
    Device::over(connector).identity("agent", "greenhouse-1").group("greenhouses").api_key("the-key")
}

fn never(why: &str) -> Result<(), CommandError> {
    panic!("{why}")
}

/// The server's side of coming online; returns what the device published: `online` and the manifest.
async fn online(peer: &mut Peer, session_present: bool) -> Vec<(bool, Value)> {
    peer.open(session_present).await;
    announced(peer, 6).await
}

async fn announced(peer: &mut Peer, subscriptions: usize) -> Vec<(bool, Value)> {
    let mut published = Vec::new();
    let mut granted = 0;
    while granted < subscriptions || published.len() < 2 {
        match peer.expect().await {
            Got::Subscribe { id, .. } => {
                peer.suback(id, ReasonCode::GRANTED_QOS_1).await;
                granted += 1;
            }
            Got::Publish { topic, payload, retain, id, .. } => {
                assert_eq!(topic, format!("{TOPIC}/status"));
                published.push((retain, serde_json::from_slice(&payload).unwrap()));
                peer.puback(id).await;
            }
            other => panic!("{other:?}"),
        }
    }
    published
}

async fn call(peer: &mut Peer, id: u16, command: &Value) {
    peer.message(&format!("{TOPIC}/command"), command.to_string().as_bytes(), id).await;
}

/// The next response, acknowledged; acknowledgements and pings are passed over, heartbeats too.
async fn response(peer: &mut Peer) -> Value {
    loop {
        match peer.expect().await {
            Got::Publish { topic, payload, id, .. } if topic == format!("{TOPIC}/response") => {
                peer.puback(id).await;
                return serde_json::from_slice(&payload).unwrap();
            }
            Got::Publish { id, .. } if id > 0 => peer.puback(id).await,
            Got::PingReq => peer.send(&Packet::PingResp).await,
            _ => {}
        }
    }
}

async fn event(events: &mut Events<DeviceEvent>, wanted: impl Fn(&DeviceEvent) -> bool) -> DeviceEvent {
    loop {
        let event = events.next().await.expect("the event should come before the end");
        if wanted(&event) {
            return event;
        }
    }
}

fn failing(id: &str, error: &str) -> Value {
    json!({ "commandId": id, "success": false, "error": error })
}

#[tokio::test(start_paused = true)]
async fn announces_itself_and_is_ready() {
    let (connector, mut net) = Net::local();
    let schema = json!({ "type": "object" });
    let command = Command::new("read").description("Reads").input_schema(schema.clone()).timeout(SOON);
    let builder = device(connector)
        .command(command.retry(3, Duration::from_millis(500)))
        .on_command("read", |_| async { Ok(json!(null)) });
    let server = tokio::spawn(async move {
        let mut peer = net.accept().await;
        (online(&mut peer, false).await, peer)
    });
    let device = builder.connect().await.unwrap();
    assert!(device.is_ready());
    let (published, _peer) = server.await.unwrap();
    let (retained, mut status) = published[0].clone();
    assert!(retained && status["timestamp"].take().is_string());
    assert_eq!(status, json!({ "status": "online", "timestamp": null, "group": "greenhouses" }));
    let commands = json!([{ "name": "read", "description": "Reads", "inputSchema": schema, "timeoutMs": 5000,
        "retry": { "maxAttempts": 3, "backoffMs": 500 } }]);
    let manifest = json!({ "status": "online", "apiKey": "the-key", "group": "greenhouses", "commands": commands });
    assert_eq!(published[1], (false, manifest));
}

#[tokio::test(start_paused = true)]
async fn runs_a_command_once_and_answers_every_repeat_alike() {
    let (connector, mut net) = Net::local();
    let runs = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&runs);
    let device = device(connector)
        .command(Command::new("read"))
        .on_command("read", move |call| {
            let run = counter.fetch_add(1, Ordering::Relaxed);
            async move { Ok(json!({ "run": run, "got": call.payload()? })) }
        })
        .start()
        .unwrap();
    let mut events = device.events();
    let mut peer = net.accept().await;
    online(&mut peer, false).await;
    event(&mut events, |e| matches!(e, DeviceEvent::Connected { session_present: false })).await;
    let command = json!({ "commandId": "c-1", "command": "read", "payload": { "sensor": 3 } });
    call(&mut peer, 1, &command).await;
    let expected = json!({ "commandId": "c-1", "success": true, "data": { "run": 0, "got": { "sensor": 3 } } });
    assert_eq!(response(&mut peer).await, expected);
    call(&mut peer, 2, &command).await;
    assert_eq!(response(&mut peer).await, expected);
    drop(peer);
    let mut peer = net.accept().await;
    online(&mut peer, false).await;
    call(&mut peer, 1, &command).await;
    assert_eq!(response(&mut peer).await, expected);
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    event(&mut events, |e| matches!(e, DeviceEvent::CommandReceived { id, .. } if id == "c-1")).await;
    event(&mut events, |e| matches!(e, DeviceEvent::CommandAnswered { error: None, .. })).await;
    event(&mut events, |e| matches!(e, DeviceEvent::CommandRepeated { executing: false, .. })).await;
    event(&mut events, |e| matches!(e, DeviceEvent::Reconnected { .. })).await;
}

#[tokio::test(start_paused = true)]
async fn every_way_to_fail_is_an_answer() {
    let (connector, mut net) = Net::local();
    let _device = device(connector)
        .command(Command::new("fail"))
        .on_command("fail", |_| async { Err::<(), _>(CommandError::new("the valve is stuck")) })
        .command(Command::new("read"))
        .on_command("read", |call| async move { call.payload() })
        .command(Command::new("panic"))
        .on_command("panic", |_| async { never("a handler panics on purpose") })
        .command(Command::new("panic_early"))
        .on_command("panic_early", |call| {
            assert!(call.payload().unwrap().is_string(), "another one panics on purpose");
            async { Ok(Value::Null) }
        })
        .command(Command::new("sleep").timeout(Duration::from_secs(2)))
        .on_command("sleep", |_| async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(Value::Null)
        })
        .command(Command::new("parse"))
        .on_command("parse", |call| async move {
            let n: u8 = call.parse()?;
            Ok(json!(n))
        })
        .start()
        .unwrap();
    let mut peer = net.accept().await;
    online(&mut peer, false).await;
    let calls = [
        ("fail", Value::Null, "the valve is stuck"),
        ("panic", Value::Null, "The handler of panic panicked"),
        ("panic_early", Value::Null, "The handler of panic_early panicked"),
        ("sleep", Value::Null, "The command sleep took too long"),
        ("parse", json!(300), "Invalid payload: invalid value: integer `300`, expected u8 at line 1 column 3"),
        ("read", json!("HUGE"), "Invalid payload: number out of range at line 1 column 5"),
        ("dance", Value::Null, "Unknown command: dance"),
    ];
    for (n, (name, payload, error)) in calls.into_iter().enumerate() {
        let id = format!("c-{n}");
        let command = json!({ "commandId": id, "command": name, "payload": payload }).to_string();
        let command = command.replace("\"HUGE\"", "1e999");
        peer.message(&format!("{TOPIC}/command"), command.as_bytes(), 1).await;
        assert_eq!(response(&mut peer).await, failing(&id, error));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_may_say_how_long_it_waits() {
    let (connector, mut net) = Net::local();
    let _device = device(connector)
        .command(Command::new("sleep"))
        .on_command("sleep", |call| async move {
            tokio::time::sleep_until(call.deadline - Duration::from_millis(1)).await;
            Ok(json!("in time"))
        })
        .start()
        .unwrap();
    let mut peer = net.accept().await;
    online(&mut peer, false).await;
    let start = tokio::time::Instant::now();
    call(&mut peer, 1, &json!({ "commandId": "c", "command": "sleep", "timeout": 700 })).await;
    assert_eq!(response(&mut peer).await["data"], json!("in time"));
    assert_eq!(start.elapsed(), Duration::from_millis(699));
    // A time beyond any clock is no way to bring a device down.
    call(&mut peer, 2, &json!({ "commandId": "d", "command": "none", "timeout": 9_007_199_254_740_991_u64 })).await;
    assert_eq!(response(&mut peer).await, failing("d", "Unknown command: none"));
}

#[tokio::test(start_paused = true)]
async fn handlers_run_side_by_side() {
    let (connector, mut net) = Net::local();
    let _device = device(connector)
        .command(Command::new("wait"))
        .on_command("wait", |call| async move {
            let ms: u64 = call.parse()?;
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(json!(ms))
        })
        .start()
        .unwrap();
    let mut peer = net.accept().await;
    online(&mut peer, false).await;
    for (n, ms) in [3000, 1000, 2000].into_iter().enumerate() {
        call(&mut peer, 1 + n as u16, &json!({ "commandId": ms.to_string(), "command": "wait", "payload": ms })).await;
    }
    for ms in [1000, 2000, 3000] {
        assert_eq!(response(&mut peer).await["data"], json!(ms));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_becomes_an_error() {
    let (connector, mut net) = Net::local();
    let device = device(connector)
        .tables(10, 1024, 10_240)
        .command(Command::new("dump"))
        .on_command("dump", |_| async { Ok(json!("x".repeat(5000))) })
        .start()
        .unwrap();
    let mut events = device.events();
    let mut peer = net.accept().await;
    online(&mut peer, false).await;
    call(&mut peer, 1, &json!({ "commandId": "c", "command": "dump" })).await;
    let answer = response(&mut peer).await;
    assert_eq!((&answer["commandId"], &answer["success"]), (&json!("c"), &json!(false)));
    event(&mut events, |e| matches!(e, DeviceEvent::CommandAnswered { error: Some(_), .. })).await;
}

#[tokio::test(start_paused = true)]
async fn a_trigger_ends_with_the_gateways_word() {
    let (connector, mut net) = Net::local();
    let device = device(connector).start().unwrap();
    let taken = device.trigger("humidity_alert", &json!({ "humidity": 91 }));
    let refused = device.trigger("unwanted", &json!({}));
    let unheard = device.trigger_json("unheard", b"");
    let mut peer = net.accept().await;
    online(&mut peer, false).await;

    let (topic, payload, id) = peer.publish().await;
    assert_eq!(topic, format!("{TOPIC}/trigger"));
    let expected = json!({ "triggerName": "humidity_alert", "payload": { "humidity": 91 } });
    assert_eq!(serde_json::from_slice::<Value>(&payload).unwrap(), expected);
    peer.puback(id).await;
    peer.message(&format!("{TOPIC}/trigger_ack"), br#"{"triggerId":"t-1","received":true}"#, 5).await;
    assert_eq!(peer.expect().await, Got::PubAck(5));
    let ack = TriggerAck { received: true, trigger_id: Some("t-1".into()), error: None };
    assert_eq!(taken.await.unwrap(), ack);

    let (_, _, id) = peer.publish().await;
    peer.puback(id).await;
    peer.message(&format!("{TOPIC}/trigger_ack"), br#"{"triggerId":"t-2","received":false,"error":"no"}"#, 6).await;
    let Err(Error::TriggerRefused(ack)) = refused.await else { panic!("a refusal is never success") };
    assert_eq!(ack.error.as_deref(), Some("no"));
    assert_eq!(peer.expect().await, Got::PubAck(6));

    let (_, payload, id) = peer.publish().await;
    assert_eq!(payload, br#"{"triggerName":"unheard","payload":{}}"#);
    peer.puback(id).await;
    assert!(matches!(unheard.await, Err(Error::TriggerTimeout)));
    assert!(matches!(device.trigger("", &json!({})).await, Err(Error::Publish(PublishError::BadName))));
}

#[tokio::test(start_paused = true)]
async fn results_of_triggers_reach_their_handler() {
    let (connector, mut net) = Net::local();
    let (sender, mut results) = tokio::sync::mpsc::unbounded_channel();
    let device = device(connector)
        .on_trigger_result("humidity_alert", move |result| {
            let sender = sender.clone();
            async move { sender.send(result).unwrap() }
        })
        .start()
        .unwrap();
    let mut events = device.events();
    let mut peer = net.accept().await;
    online(&mut peer, false).await;
    peer.message(&format!("{TOPIC}/trigger_result"), br#"{"triggerName":"humidity_alert","result":[1,2]}"#, 1).await;
    assert_eq!(results.recv().await.unwrap(), json!([1, 2]));
    event(&mut events, |e| matches!(e, DeviceEvent::TriggerResult { name, .. } if name == "humidity_alert")).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_gateway_says_becomes_events() {
    let (connector, mut net) = Net::local();
    let device = device(connector).start().unwrap();
    let mut events = device.events();
    let mut peer = net.accept().await;
    online(&mut peer, false).await;
    peer.message(&format!("{TOPIC}/connected"), br#"{"message":"hello"}"#, 1).await;
    peer.message(&format!("{TOPIC}/error"), br#"{"code":"E1","message":"broken"}"#, 2).await;
    peer.message(&format!("{TOPIC}/command"), b"{ not json", 3).await;
    event(&mut events, |e| matches!(e, DeviceEvent::Welcome { message: Some(m) } if m == "hello")).await;
    let is_error = |e: &DeviceEvent| match e {
        DeviceEvent::ServerError { code, message } => {
            (code.as_deref(), message.as_deref()) == (Some("E1"), Some("broken"))
        }
        _ => false,
    };
    event(&mut events, is_error).await;
    event(&mut events, |e| matches!(e, DeviceEvent::Rejected { topic, .. } if topic.ends_with("/command"))).await;
    let mut acks = Vec::new();
    while acks.len() < 3 {
        match peer.expect().await {
            Got::PubAck(id) => acks.push(id),
            Got::Publish { topic, .. } if topic.ends_with("/heartbeat") => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(acks, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn stops_with_offline_and_goodbye() {
    let (connector, mut net) = Net::local();
    let device = device(connector).start().unwrap();
    let mut events = device.events();
    let mut peer = net.accept().await;
    online(&mut peer, false).await;
    let server = tokio::spawn(async move {
        let Got::Publish { topic, payload, retain, id, .. } = peer.expect().await else { panic!() };
        let status: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!((topic, retain, &status["status"]), (format!("{TOPIC}/status"), true, &json!("offline")));
        peer.puback(id).await;
        assert_eq!(peer.recv().await, Some(Got::Disconnect));
        assert_eq!(peer.recv().await, None);
    });
    assert!(device.stop(SOON).await.clean);
    server.await.unwrap();
    event(&mut events, |e| matches!(e, DeviceEvent::Stopped { clean: true })).await;
    assert!(events.next().await.is_none());
    assert!(matches!(device.trigger("late", &json!({})).await, Err(Error::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_runs_when_the_stop_comes_is_answered() {
    let (connector, mut net) = Net::local();
    let device = device(connector)
        .command(Command::new("wait"))
        .on_command("wait", |_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(json!("done"))
        })
        .start()
        .unwrap();
    let mut events = device.events();
    let mut peer = net.accept().await;
    online(&mut peer, false).await;
    call(&mut peer, 1, &json!({ "commandId": "c", "command": "wait" })).await;
    event(&mut events, |e| matches!(e, DeviceEvent::CommandReceived { .. })).await;
    let server = tokio::spawn(async move {
        assert_eq!(response(&mut peer).await["data"], json!("done"));
        let Got::Publish { payload, id, .. } = (loop {
            let got = peer.expect().await;
            if matches!(got, Got::Publish { .. }) {
                break got;
            }
        }) else {
            panic!()
        };
        assert!(String::from_utf8(payload).unwrap().contains("offline"));
        peer.puback(id).await;
        assert_eq!(peer.recv().await, Some(Got::Disconnect));
    });
    assert!(device.stop(SOON).await.clean);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_leaves_the_word_to_the_will() {
    let (connector, mut net) = Net::local();
    let (started, mut running) = tokio::sync::mpsc::unbounded_channel();
    let device = device(connector)
        .command(Command::new("hang"))
        .on_command("hang", move |_| {
            let started = started.clone();
            async move {
                started.send(()).unwrap();
                core::future::pending::<Result<Value, CommandError>>().await
            }
        })
        .start()
        .unwrap();
    let mut peer = net.accept().await;
    online(&mut peer, false).await;
    call(&mut peer, 1, &json!({ "commandId": "c", "command": "hang" })).await;
    running.recv().await.unwrap();
    drop(device);
    assert_eq!(peer.recv().await, None, "no DISCONNECT");
    assert!(running.recv().await.is_none(), "the handler is gone with its device");
}

#[tokio::test(start_paused = true)]
async fn the_key_stays_here_on_a_plain_transport() {
    let (connector, mut net) = Net::new(Security::Plain);
    let error = device(connector).connect().await.unwrap_err();
    let withheld = DisconnectReason::CredentialsWithheld(Security::Plain);
    assert!(matches!(error, Error::Connect { reason: Some(reason), .. } if reason == withheld), "{error}");
    assert_eq!(net.accept().await.recv().await, None, "not one byte");
}

#[tokio::test(start_paused = true)]
async fn the_key_is_in_no_debug_output() {
    let (connector, _net) = Net::local();
    let builder = device(connector);
    assert!(!format!("{builder:?}").contains("the-key"));
    let device = builder.start().unwrap();
    assert!(!format!("{device:?}").contains("the-key"));
}

#[tokio::test(start_paused = true)]
async fn two_devices_of_one_name_are_suspected() {
    let (connector, mut net) = Net::local();
    let device = device(connector).start().unwrap();
    let mut events = device.events();
    online(&mut net.accept().await, false).await;
    for _ in 0..2 {
        let mut peer = net.accept().await;
        peer.open(true).await;
        announced(&mut peer, 0).await;
    }
    event(&mut events, |e| matches!(e, DeviceEvent::PossibleDuplicateClient)).await;
    let slow = event(&mut events, |e| matches!(e, DeviceEvent::Disconnected { .. })).await;
    let DeviceEvent::Disconnected { retry_in: Some(delay), .. } = slow else { panic!("{slow:?}") };
    assert!(delay >= Duration::from_secs(15), "{delay:?}");
}

#[tokio::test]
async fn mistakes_in_the_configuration_are_found_at_the_start() {
    let url = "mqtt://localhost";
    let ok = || Device::builder(url).identity("a", "d").api_key("k");
    let handler = |_| async { Ok(Value::Null) };
    assert!(matches!(Device::builder(url).start(), Err(Error::Missing("identity"))));
    assert!(matches!(Device::builder(url).identity("a/b", "d").start(), Err(Error::Name(_))));
    assert!(matches!(ok().group("").start(), Err(Error::Name(_))));
    let twice = ok().command(Command::new("x")).command(Command::new("x")).on_command("x", handler);
    assert!(matches!(twice.start(), Err(Error::Command(_))));
    let schema = ok().command(Command::new("x").input_schema(json!(1))).on_command("x", handler);
    assert!(matches!(schema.start(), Err(Error::Command(_))));
    assert!(matches!(ok().command(Command::new("x")).start(), Err(Error::Handler { undeclared: false, .. })));
    assert!(matches!(ok().on_command("x", handler).start(), Err(Error::Handler { undeclared: true, .. })));
    for url in ["lua", "lua-mqtts", "mqtts://x", "ftp://x", "mqtt://user:secret@x", "mqtt://x/path"] {
        let error = Device::builder(url).identity("a", "d").start().unwrap_err();
        assert!(matches!(error, Error::Url(_)) && !error.to_string().contains("secret"), "{url}: {error}");
    }
}
