//! The device: every command is answered, whatever its handler or a stop does, and nothing is changed on the way.

use core::future::pending;
use core::time::Duration;

use mqtt_device_tokio::{Command, CommandError, Device, DeviceEvent, Stopped};
use serde_json::{Value, json};

use super::collect;
use super::support::{Got, Net, Peer};

const COMMAND: &str = "lua/devices/a/d/command";

async fn online(net: &mut Net) -> Peer {
    let mut peer = net.accept().await;
    peer.open(false).await;
    peer.grant(6).await;
    peer
}

fn responses(all: &[Got]) -> Vec<String> {
    let response = |got: &Got| match got {
        Got::Publish { topic, payload, .. } if topic.ends_with("/response") => {
            Some(String::from_utf8_lossy(payload).into_owned())
        }
        _ => None,
    };
    all.iter().filter_map(response).collect()
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "in drop");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_when_it_is_dropped_is_answered() {
    let (connector, mut net) = Net::local();
    let _device = Device::over(connector)
        .identity("a", "d")
        .api_key("key")
        .command(Command::new("late").timeout(Duration::from_secs(1)))
        .on_command("late", |_| async {
            let _bomb = Bomb;
            pending::<Result<Value, CommandError>>().await
        })
        .start()
        .unwrap();
    let mut peer = online(&mut net).await;
    peer.message(COMMAND, br#"{"commandId":"c","command":"late"}"#, 1).await;
    let all = collect(&mut peer, Duration::from_secs(20)).await;
    let said = responses(&all);
    assert!(said.len() == 1 && said[0].contains("took too long"), "{said:?}");
    assert!(all.contains(&Got::PubAck(1)));
}

/// Neither lost (acknowledged early, never answered) nor to be run twice (killed, not acknowledged).
#[tokio::test(start_paused = true)]
async fn a_stop_answers_the_commands_that_do_not_end() {
    for before in [1, 7] {
        let (connector, mut net) = Net::local();
        let device = Device::over(connector)
            .identity("a", "d")
            .api_key("key")
            .command(Command::new("long").timeout(Duration::from_secs(100)))
            .on_command("long", |_| async {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Ok(1)
            })
            .start()
            .unwrap();
        let mut events = device.events();
        let mut peer = online(&mut net).await;
        peer.message(COMMAND, br#"{"commandId":"c","command":"long"}"#, 1).await;
        let mut all = collect(&mut peer, Duration::from_secs(before)).await;
        assert_eq!(all.contains(&Got::PubAck(1)), before > 5, "acknowledged early");
        let stop = tokio::spawn(async move { device.stop(Duration::from_secs(10)).await });
        all.extend(collect(&mut peer, Duration::from_secs(30)).await);
        assert_eq!(stop.await.unwrap(), Stopped { clean: true });
        let said = responses(&all);
        assert!(said.len() == 1 && said[0].contains("interrupted"), "{said:?}");
        assert_eq!(all.iter().filter(|got| **got == Got::PubAck(1)).count(), 1);
        let mut told = 0;
        while let Some(event) = events.next().await {
            told += u32::from(matches!(event, DeviceEvent::CommandsInterrupted { count: 1 }));
        }
        assert_eq!(told, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn json_comes_and_goes_as_it_is() {
    let (connector, mut net) = Net::local();
    let _device = Device::over(connector)
        .identity("a", "d")
        .api_key("key")
        .command(Command::new("echo"))
        .on_command("echo", |call| async move {
            Ok(serde_json::from_slice::<Box<serde_json::value::RawValue>>(call.json())?)
        })
        .command(Command::new("own"))
        .on_command("own", |call| async move { Ok((call.parse::<(u8, u8)>()?, call.id)) })
        .command(Command::new("none"))
        .on_command("none", |call| async move { call.payload().map(|payload| assert_eq!(payload, json!(null))) })
        .start()
        .unwrap();
    let mut peer = online(&mut net).await;
    let payload = r#"{"b": 12345678901234567890123,"a":0.1000}"#;
    for (n, (name, payload)) in (1..).zip([("echo", payload), ("own", "[1,2]"), ("own", "3"), ("none", "null")]) {
        let command = format!(r#"{{"commandId":"c{n}","command":"{name}","payload":{payload}}}"#);
        peer.message(COMMAND, command.as_bytes(), n).await;
    }
    let mut said = responses(&collect(&mut peer, Duration::from_secs(5)).await);
    said.sort();
    assert_eq!(said[0], format!(r#"{{"commandId":"c1","success":true,"data":{payload}}}"#));
    assert_eq!(said[1], r#"{"commandId":"c2","success":true,"data":[[1,2],"c2"]}"#);
    assert!(said[2].contains(r#""success":false"#) && said[2].contains("Invalid payload"), "{}", said[2]);
    assert_eq!(said[3], r#"{"commandId":"c4","success":true}"#);
}

/// A hostile gateway's payloads stay text: what waits is what came, and no more commands run than answers have room.
#[tokio::test(start_paused = true)]
async fn what_waits_of_a_hostile_gateway_is_bounded_in_bytes() {
    let (connector, mut net) = Net::local();
    let device = Device::over(connector)
        .identity("a", "d")
        .api_key("key")
        .command(Command::new("hang").timeout(Duration::from_secs(1000)))
        .on_command("hang", |_| pending::<Result<Value, CommandError>>())
        .start()
        .unwrap();
    let mut events = device.events();
    let mut peer = online(&mut net).await;
    let zeros = vec!["0"; 100_000].join(",");
    for n in 0..100_u16 {
        let command = format!(r#"{{"commandId":"c{n}","command":"hang","payload":[{zeros}]}}"#);
        peer.message(COMMAND, command.as_bytes(), n + 1).await;
        let result = format!(r#"{{"triggerName":"t{n}","result":[{zeros}]}}"#);
        peer.message("lua/devices/a/d/trigger_result", result.as_bytes(), 0).await;
    }
    let _ = collect(&mut peer, Duration::from_secs(1)).await;
    let (mut waiting, mut lost, mut received) = (0, 0, 0);
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(1), events.next()).await {
        match event {
            DeviceEvent::TriggerResult { json, .. } => waiting += json.len(),
            DeviceEvent::Lagged(n) => lost += n,
            DeviceEvent::CommandReceived { .. } => received += 1,
            _ => {}
        }
    }
    assert!(waiting <= 4 << 20 && waiting > 3 << 20, "{waiting} bytes wait for the consumer");
    assert!(lost > 0 && received <= 64, "{lost} events lost, {received} commands taken up");
}

/// What stands for a missing result lies in no packet.
#[tokio::test(start_paused = true)]
async fn a_large_trigger_result_without_a_result_is_null() {
    let (connector, mut net) = Net::local();
    let device = Device::over(connector).identity("a", "d").api_key("key").start().unwrap();
    let mut events = device.events();
    let mut peer = online(&mut net).await;
    let result = format!(r#"{{"triggerName":"x","pad":"{}"}}"#, "x".repeat(4000));
    peer.message("lua/devices/a/d/trigger_result", result.as_bytes(), 0).await;
    loop {
        if let DeviceEvent::TriggerResult { name, json } = events.next().await.unwrap() {
            assert_eq!((name.as_str(), &json[..]), ("x", &b"null"[..]));
            break;
        }
    }
}
