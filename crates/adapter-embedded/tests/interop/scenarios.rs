//! What every adapter must do against a real broker: the same functions for the embedded one and for tokio's.

use crate::subjects::{Embedded, Subject, Tokio};
use core::time::Duration;
use mqtt_device_testkit::{Mosquitto, Recorder};
use serde_json::{Value, json};

pub(crate) const AGENT: &str = "agent";
pub(crate) const DEVICE: &str = "interop";
pub(crate) const KEY: &str = "the-interop-key";
const CLIENT_ID: &str = "lua-agent-interop";

type Outcome = Result<(), Box<dyn core::error::Error>>;

fn topic(suffix: &str) -> String {
    format!("lua/devices/{AGENT}/{DEVICE}/{suffix}")
}

fn broker() -> std::io::Result<Mosquitto> {
    Mosquitto::builder().persistent().user(&format!("{AGENT}:{DEVICE}"), KEY).start()
}

fn send(broker: &Mosquitto, id: &str, payload: &Value) -> std::io::Result<()> {
    let command = json!({ "commandId": id, "command": "echo", "payload": payload });
    broker.publish(&topic("command"), command.to_string())
}

fn answer(recorder: &mut Recorder, id: &str) -> Result<Value, Box<dyn core::error::Error>> {
    let response = topic("response");
    let message = recorder.next(|m| m.topic == response && m.text().contains(&format!("\"{id}\"")))?;
    Ok(serde_json::from_str(&message.text())?)
}

fn commands_are_run_once_and_answered<S: Subject>() -> Outcome {
    let broker = broker()?;
    let mut recorder = broker.record(&["lua/#"])?;
    let device = S::start(broker.addr());
    device.log().wait("ready", 1);
    for (id, payload) in [("one", json!({ "a": [1, 2, "ü"] })), ("two", json!(false)), ("three", json!("text"))] {
        send(&broker, id, &payload)?;
        let expected = json!({ "commandId": id, "success": true, "data": payload });
        assert_eq!(answer(&mut recorder, id)?, expected);
    }
    send(&broker, "one", &json!({ "a": [1, 2, "ü"] }))?;
    assert_eq!(answer(&mut recorder, "one")?["success"], true);
    let unknown = json!({ "commandId": "four", "command": "fails" });
    broker.publish(&topic("command"), unknown.to_string())?;
    let failed = answer(&mut recorder, "four")?;
    assert_eq!((&failed["success"], failed["error"].as_str()), (&json!(false), Some("it always fails")));
    assert_eq!(device.log().all("run"), ["run one", "run two", "run three", "run four"]);
    assert!(device.stop());
    Ok(())
}

fn presence_is_retained_and_the_goodbye_is_in_order<S: Subject>() -> Outcome {
    let broker = broker()?;
    let mut recorder = broker.record(&["lua/#"])?;
    let status = topic("status");
    let says = |text: &str, word: &str| text.contains(&format!("\"status\":\"{word}\""));
    let device = S::start(broker.addr());
    device.log().wait("ready", 1);
    let auth = recorder.next(|m| m.topic == status && m.text().contains("apiKey"))?;
    let auth: Value = serde_json::from_str(&auth.text())?;
    assert_eq!((auth["apiKey"].as_str(), auth["commands"][0]["name"].as_str()), (Some(KEY), Some("echo")));
    let retained = broker.record(&[&status])?.next_on(&status)?;
    assert!(retained.retain && says(&retained.text(), "online") && !retained.text().contains(KEY));
    assert!(device.stop());
    recorder.next(|m| m.topic == status && says(&m.text(), "offline"))?;
    broker.log().wait(|line| line.contains("Received DISCONNECT from") && line.contains(CLIENT_ID))?;
    let retained = broker.record(&[&status])?.next_on(&status)?;
    assert!(retained.retain && says(&retained.text(), "offline"));
    let count = recorder.messages().iter().filter(|m| m.topic == status && says(&m.text(), "offline")).count();
    assert_eq!(count, 1, "no will beside the goodbye");
    Ok(())
}

fn triggers_are_acknowledged<S: Subject>() -> Outcome {
    let broker = broker()?;
    let mut recorder = broker.record(&["lua/#"])?;
    let device = S::start(broker.addr());
    device.log().wait("ready", 1);
    for n in 1..=3 {
        device.trigger("humidity_alert", &format!("{{\"humidity\":{n}}}"));
    }
    for n in 1..=3 {
        let trigger = recorder.next_on(&topic("trigger"))?;
        let expected = json!({ "triggerName": "humidity_alert", "payload": { "humidity": n } });
        assert_eq!(serde_json::from_str::<Value>(&trigger.text())?, expected);
        let ack = json!({ "triggerId": format!("t-{n}"), "received": n < 3 });
        broker.publish(&topic("trigger_ack"), ack.to_string())?;
        device.log().wait("ack", n);
    }
    assert_eq!(device.log().all("ack"), ["ack true", "ack true", "ack false"]);
    assert!(device.stop());
    Ok(())
}

fn a_broker_that_is_stopped_and_killed_is_found_again<S: Subject>() -> Outcome {
    let mut broker = broker()?;
    let mut recorder = broker.record(&["lua/#"])?;
    let device = S::start(broker.addr());
    device.log().wait("ready", 1);
    for round in 1..=4 {
        if round % 2 == 1 {
            broker.stop()?
        } else {
            broker.kill()?
        }
        device.log().wait("disconnected", round);
        device.trigger("while_away", &round.to_string());
        broker.restart()?;
        device.log().wait("ready", round + 1);
        broker.log().wait(|line| line.contains("Sending SUBACK to recorder-"))?;
        assert!(recorder.next_on(&topic("trigger"))?.text().ends_with(&format!("\"payload\":{round}}}")));
        broker.publish(&topic("trigger_ack"), r#"{"received":true}"#)?;
        device.log().wait("ack true", round);
        let id = format!("round-{round}");
        send(&broker, &id, &json!(round))?;
        assert_eq!(answer(&mut recorder, &id)?["data"], round);
    }
    let runs = device.log().all("run");
    assert_eq!(runs, ["run round-1", "run round-2", "run round-3", "run round-4"]);
    assert!(device.stop());
    Ok(())
}

fn a_device_that_starts_before_its_broker_finds_it<S: Subject>() -> Outcome {
    let mut broker = broker()?;
    broker.stop()?;
    let device = S::start(broker.addr());
    device.log().wait("disconnected", 3);
    broker.restart()?;
    device.log().wait("ready", 1);
    assert!(device.stop());
    Ok(())
}

fn a_wrong_key_is_told_and_not_tried_again_at_once<S: Subject>() -> Outcome {
    let broker = Mosquitto::builder().user(&format!("{AGENT}:{DEVICE}"), "another key").start()?;
    let device = S::start(broker.addr());
    device.log().wait("disconnected", 1);
    assert!(device.log().all("disconnected")[0].contains("Refused"), "{:?}", device.log().all("disconnected"));
    let again = broker.log().wait_from(0, Duration::from_secs(2), {
        let mut connections = 0;
        move |line| {
            connections += usize::from(line.contains("not authorised") && line.contains(CLIENT_ID));
            connections > 1
        }
    });
    assert!(again.is_err(), "a second attempt within two seconds: {again:?}");
    device.stop();
    Ok(())
}

macro_rules! for_each_adapter {
    ($($scenario:ident)*) => {
        mod embedded {
            $(#[test] fn $scenario() -> super::Outcome { super::$scenario::<super::Embedded>() })*
        }
        mod tokio {
            $(#[test] fn $scenario() -> super::Outcome { super::$scenario::<super::Tokio>() })*
        }
    };
}

for_each_adapter! {
    commands_are_run_once_and_answered
    presence_is_retained_and_the_goodbye_is_in_order
    triggers_are_acknowledged
    a_broker_that_is_stopped_and_killed_is_found_again
    a_device_that_starts_before_its_broker_finds_it
    a_wrong_key_is_told_and_not_tried_again_at_once
}
