//! The gateway's machine, by behaviour.

use serde_json::{Value, json};

use super::keys::KeyRing;
use super::names::DeviceId;
use super::registry::Presence;
use super::state::{Action, Gateway, Order, Outgoing, Settings};

const AUTH: &str = r#"{"status":"online","apiKey":"k1","group":"g","commands":[{"name":"read","description":"",
    "timeoutMs":200,"retry":{"maxAttempts":2,"backoffMs":10}}]}"#;

fn gateway(keys: &str) -> Gateway {
    let keys = if keys.is_empty() { KeyRing::Open } else { KeyRing::parse(keys).unwrap() };
    Gateway::new(Settings { keys, run: 0xabc, trigger_result: None, keep_records: true })
}

fn id() -> DeviceId {
    "a:d".parse().unwrap()
}

/// What is published, as topic suffix and body; what is reported, as its JSON.
fn split(actions: Vec<Action>) -> (Vec<(String, String)>, Vec<Value>) {
    let (mut published, mut reported) = (Vec::new(), Vec::new());
    for action in actions {
        match action {
            Action::Publish(Outgoing { topic, payload, .. }) => {
                let topic = topic.strip_prefix("lua/devices/a/d/").map(str::to_owned).unwrap_or(topic);
                published.push((topic, String::from_utf8(payload).unwrap()));
            }
            Action::Report(event) => reported.push(serde_json::to_value(event).unwrap()),
        }
    }
    (published, reported)
}

fn handle(gateway: &mut Gateway, suffix: &str, payload: &str) -> (Vec<(String, String)>, Vec<Value>) {
    split(gateway.handle(&format!("lua/devices/a/d/{suffix}"), payload.as_bytes(), false))
}

fn order(payload: Option<&str>) -> Order {
    let payload = payload.map(|text| serde_json::value::RawValue::from_string(text.to_owned()).unwrap());
    Order { device: id(), command: "read".to_owned(), payload, attempts: None, timeout_ms: None }
}

#[test]
fn a_valid_key_is_greeted_and_the_manifest_is_kept_without_it() {
    let mut gateway = gateway("a:d k1");
    let (published, reported) = handle(&mut gateway, "status", AUTH);
    assert_eq!(published[0], ("connected".to_owned(), r#"{"message":"authenticated"}"#.to_owned()));
    assert_eq!(published[1].0, "lua/gateway/devices/a/d");
    assert!(!published[1].1.contains("k1") && published[1].1.contains("maxAttempts"), "{}", published[1].1);
    assert_eq!(reported, [json!({"event":"authenticated","device":"a:d","group":"g","commands":["read"]})]);
    assert!(gateway.registry().manifest(&id()).is_some());
}

#[test]
fn a_wrong_key_is_refused_and_shown_nowhere() {
    for (keys, reason) in [("a:d other", "wrong"), ("a:x k1", "not known")] {
        let mut gateway = gateway(keys);
        let actions = gateway.handle("lua/devices/a/d/status", AUTH.as_bytes(), false);
        assert!(!format!("{actions:?}").contains("k1"));
        let (published, reported) = split(actions);
        assert_eq!(published.len(), 1);
        assert_eq!(published[0].0, "error");
        assert!(published[0].1.contains("unauthorized") && published[0].1.contains(reason), "{published:?}");
        assert_eq!(reported[0]["event"], "refused");
        assert!(gateway.registry().manifest(&id()).is_none());
    }
}

#[test]
fn presence_follows_the_status() {
    let mut gateway = gateway("a:d k1");
    let presence = |gateway: &Gateway| gateway.registry().known(&id()).map(|known| known.presence);
    handle(&mut gateway, "status", r#"{"status":"online","timestamp":"2025-01-15T10:30:00.000Z","group":"g"}"#);
    assert_eq!(presence(&gateway), Some(Presence::Online));
    let (published, reported) = handle(&mut gateway, "status", r#"{"status":"offline","timestamp":"T"}"#);
    assert!(published.is_empty());
    assert_eq!(reported, [json!({"event":"offline","device":"a:d","retained":false})]);
    assert_eq!(presence(&gateway), Some(Presence::Offline));
    handle(&mut gateway, "status", ""); // the retained message was cleared
    assert_eq!(presence(&gateway), None);
}

#[test]
fn a_stranger_takes_no_room() {
    let mut gateway = gateway("a:x k1");
    let (_, reported) = handle(&mut gateway, "status", r#"{"status":"online"}"#);
    assert_eq!(reported[0]["event"], "online");
    assert_eq!(gateway.registry().iter().count(), 0);
}

#[test]
fn a_heartbeat_is_answered_at_qos_0() {
    let actions = gateway("").handle("lua/devices/a/d/heartbeat", b"", false);
    let topic = "lua/devices/a/d/pong".to_owned();
    let pong = Outgoing { topic, payload: Vec::new(), at_least_once: false, retain: false };
    assert_eq!(actions[0], Action::Publish(pong));
}

#[test]
fn each_trigger_gets_an_id_of_its_own_and_the_result_if_one_is_set() {
    let keys = KeyRing::parse("a:d k1").unwrap();
    let settings = Settings { keys, run: 0xabc, trigger_result: Some(json!({"ok":1})), keep_records: false };
    let mut gateway = Gateway::new(settings);
    let trigger = r#"{"triggerName":"hot","payload":{"t":40}}"#;
    let (published, reported) = handle(&mut gateway, "trigger", trigger);
    assert_eq!(published.len(), 1, "no result for a trigger that was not accepted");
    assert!(published[0].1.contains(r#""received":false,"error":"#), "{published:?}");
    assert_eq!((&reported[0]["event"], &reported[1]["accepted"]), (&json!("unproven"), &json!(false)));
    handle(&mut gateway, "status", AUTH);
    let (first, _) = handle(&mut gateway, "trigger", trigger);
    let (second, reported) = handle(&mut gateway, "trigger", r#"{"triggerName":"hot"}"#);
    let id = |body: &str| serde_json::from_str::<Value>(body).unwrap()["triggerId"].clone();
    assert_ne!(id(&first[0].1), id(&second[0].1));
    assert_eq!(first[1], ("trigger_result".to_owned(), r#"{"triggerName":"hot","result":{"ok":1}}"#.to_owned()));
    assert_eq!(reported[0]["payload"], json!({}));
}

#[test]
fn a_command_is_sent_again_under_the_same_id_as_the_manifest_says() {
    let mut gateway = gateway("a:d k1");
    handle(&mut gateway, "status", AUTH);
    let (id, actions) = gateway.send(0, order(Some("{\"n\":1}"))).unwrap();
    let (first, _) = split(actions);
    assert_eq!(first[0].1, format!(r#"{{"commandId":"{id}","command":"read","payload":{{"n":1}},"timeout":200}}"#));
    assert_eq!(gateway.due(), Some(200));
    assert!(gateway.run_due(200).is_empty());
    let (second, reported) = split(gateway.run_due(210));
    assert_eq!(second, first);
    assert_eq!(reported[0]["attempt"], 2);
    let (none, reported) = split(gateway.run_due(410));
    assert!(none.is_empty());
    assert_eq!((&reported[0]["event"], &reported[0]["attempts"]), (&json!("no_answer"), &json!(2)));
    assert_eq!(gateway.waiting(), 0);
}

/// Sends a command to a device whose manifest says this of it, and runs what is due by then: the number of steps.
fn steps_of(manifest: &str, until: u64) -> (usize, Gateway) {
    let mut gateway = gateway("");
    handle(
        &mut gateway,
        "status",
        &format!(r#"{{"status":"online","apiKey":"k","commands":[{{"name":"read",{manifest}}}]}}"#),
    );
    gateway.send(0, order(None)).unwrap();
    let mut steps = 0;
    while let Some(due) = gateway.due().filter(|due| *due <= until && steps < 10_000) {
        gateway.run_due(due);
        steps += 1;
    }
    (steps, gateway)
}

#[test]
fn a_manifest_can_ask_for_no_storm_and_for_no_endless_wait() {
    let storm = r#""timeoutMs":0,"retry":{"maxAttempts":4294967295,"backoffMs":0}"#;
    let (steps, _) = steps_of(storm, 4000);
    assert!(steps < 50, "{steps} steps in 4 s");
    let endless = r#""timeoutMs":18446744073709551615,"retry":{"maxAttempts":2,"backoffMs":18446744073709551615}"#;
    let (_, gateway) = steps_of(endless, 3 * 3_600_000);
    assert_eq!((gateway.waiting(), gateway.due()), (0, None), "given up within two attempts of an hour and a pause");
}

#[test]
fn an_answer_is_reported_once_as_the_first() {
    let mut gateway = gateway("");
    let (id, _) = gateway.send(0, order(None)).unwrap();
    let answer = json!({"commandId": id, "success": true, "data": {"t": 1}}).to_string();
    let (_, first) = handle(&mut gateway, "response", &answer);
    let (_, again) = handle(&mut gateway, "response", &answer);
    assert_eq!((&first[0]["repeat"], &again[0]["repeat"]), (&json!(false), &json!(true)));
    assert_eq!(first[0]["command"], "read");
    let (_, strange) = handle(&mut gateway, "response", r#"{"commandId":"x","success":false,"error":"no"}"#);
    assert_eq!((strange[0].get("command"), &strange[0]["error"]), (None, &json!("no")));
    assert_eq!(gateway.due(), None);
}

#[test]
fn another_runs_record_is_known_after_a_restart() {
    let mut first = gateway("a:d k1");
    let (published, _) = handle(&mut first, "status", AUTH);
    let (topic, record) = published.into_iter().nth(1).unwrap();
    let mut second = gateway("a:d k1");
    assert!(second.handle(&topic, record.as_bytes(), true).is_empty());
    assert_eq!(second.registry().manifest(&id()), first.registry().manifest(&id()));
    let (published, _) = handle(&mut second, "trigger", r#"{"triggerName":"hot"}"#);
    assert!(published[0].1.contains(r#""received":true"#), "{published:?}");
    // Of a device that the keys do not name, nothing is believed.
    let mut third = gateway("a:x k1");
    third.handle(&topic, record.as_bytes(), true);
    assert!(third.registry().manifest(&id()).is_none());
}

/// Brokers keep the order of messages of one QoS only.
#[test]
fn a_heartbeat_that_overtakes_the_key_is_answered_after_it() {
    let mut gateway = gateway("a:d k1");
    assert_eq!(handle(&mut gateway, "heartbeat", ""), (Vec::new(), Vec::new()));
    let (published, reported) = handle(&mut gateway, "status", AUTH);
    assert_eq!(published.iter().filter(|(suffix, _)| suffix == "pong").count(), 1, "{published:?}");
    let events: Vec<_> = reported.iter().map(|event| event["event"].clone()).collect();
    assert_eq!(events, ["heartbeat", "authenticated"]);
}

/// Whether its trigger is accepted, and its heartbeat answered.
fn believed(gateway: &mut Gateway) -> (bool, bool) {
    let (published, _) = handle(gateway, "trigger", r#"{"triggerName":"hot"}"#);
    let accepted = published[0].1.contains(r#""received":true"#);
    let (published, _) = handle(gateway, "heartbeat", "");
    (accepted, published.iter().any(|(suffix, _)| suffix == "pong"))
}

#[test]
fn a_record_of_a_key_that_is_not_valid_any_more_opens_nothing() {
    let (published, _) = handle(&mut gateway("a:d k1"), "status", AUTH);
    let (topic, record) = published.into_iter().nth(1).unwrap();
    let mut second = gateway("a:d k2");
    second.handle(&topic, record.as_bytes(), true);
    // It can be sent commands, and is not believed; that is said once, when its key is not just being overtaken.
    let (_, reported) = handle(&mut second, "heartbeat", "");
    assert_eq!(reported, Vec::<Value>::new());
    let (_, reported) = handle(&mut second, "heartbeat", "");
    assert_eq!(reported, [json!({"event":"unproven","device":"a:d"})]);
    assert_eq!(believed(&mut second), (false, false));
    let (_, reported) = handle(&mut second, "heartbeat", "");
    assert_eq!(reported, Vec::<Value>::new());
    assert!(second.registry().manifest(&id()).is_some());
    // The old key is wrong now, and the new one opens.
    handle(&mut second, "status", AUTH);
    assert_eq!(believed(&mut second), (false, false));
    handle(&mut second, "status", &AUTH.replace("k1", "k2"));
    assert_eq!(believed(&mut second), (true, true));
}

#[test]
fn a_wrong_key_takes_back_what_a_right_one_gave_and_no_record_gives_it_again() {
    let mut gateway = gateway("a:d k1");
    let (published, _) = handle(&mut gateway, "status", AUTH);
    let (topic, record) = published.into_iter().nth(1).unwrap();
    assert_eq!(believed(&mut gateway), (true, true));
    handle(&mut gateway, "status", &AUTH.replace("k1", "wrong"));
    assert_eq!(believed(&mut gateway), (false, false));
    gateway.handle(&topic, record.as_bytes(), true);
    assert_eq!(believed(&mut gateway), (false, false));
    handle(&mut gateway, "status", AUTH);
    assert_eq!(believed(&mut gateway), (true, true));
}

#[test]
fn a_record_without_a_proof_or_with_one_made_up_opens_nothing() {
    for proof in ["", r#","proof":{"salt":"0","tag":""}"#, r#","proof":{"salt":"0","tag":"00"}"#] {
        let mut gateway = gateway("a:d k1");
        let record = format!(r#"{{"group":"g","commands":[]{proof}}}"#);
        let (_, reported) = split(gateway.handle("lua/gateway/devices/a/d", record.as_bytes(), true));
        assert_eq!(reported, Vec::<Value>::new());
        assert_eq!(believed(&mut gateway), (false, false));
    }
}

#[test]
fn what_is_not_the_protocol_is_reported_and_answered_with_an_error() {
    let mut gateway = gateway("");
    let deep = "[".repeat(100_000);
    for (suffix, payload) in [
        ("status", "{"),
        ("status", r#"{"status":"asleep"}"#),
        ("status", r#"{"status":"online","apiKey":"k","commands":[{"name":"a"},{"name":"a"}]}"#),
        ("response", r#"{"commandId":"x"}"#),
        ("response", "\u{1b}[2J"),
        ("trigger", r#"{"payload":{}}"#),
        ("trigger", deep.as_str()),
    ] {
        let (published, reported) = handle(&mut gateway, suffix, payload);
        assert_eq!(published.len(), 1, "{suffix} {payload:.40}");
        assert!(published[0].0 == "error" && published[0].1.contains("invalid_message"), "{published:?}");
        assert_eq!(reported[0]["event"], "invalid");
        assert!(reported[0].to_string().len() < 1000);
    }
}

#[test]
fn a_broken_status_is_never_quoted_since_it_may_hold_a_key() {
    let mut gateway = gateway("a:d k1");
    for text in [r#"{"status":"online","apiKey":"sekrit""#, r#"{"status":1,"apiKey":"sekrit"}"#, "\"sekrit\""] {
        let actions = gateway.handle("lua/devices/a/d/status", text.as_bytes(), false);
        assert!(!format!("{actions:?}").contains("sekrit"), "{actions:?}");
    }
}

#[test]
fn topics_that_are_not_the_protocols_are_reported_and_not_answered() {
    let mut gateway = gateway("");
    for topic in
        ["lua/devices/a/d", "lua/devices/a/d/command", "lua/devices/a:b/d/status", "x", "lua/gateway/devices/a"]
    {
        let (published, reported) = split(gateway.handle(topic, b"{}", false));
        assert!(published.is_empty(), "{topic}: {published:?}");
        assert_eq!(reported[0]["event"], "invalid", "{topic}");
    }
}

#[test]
fn retained_messages_on_other_topics_are_no_news() {
    let mut gateway = gateway("");
    for suffix in ["heartbeat", "response", "trigger"] {
        assert!(gateway.handle(&format!("lua/devices/a/d/{suffix}"), b"{}", true).is_empty());
    }
}

#[test]
fn a_retained_key_is_reported_and_not_accepted() {
    let mut gateway = gateway("a:d k1");
    let (published, reported) = split(gateway.handle("lua/devices/a/d/status", AUTH.as_bytes(), true));
    assert!(published.is_empty());
    assert_eq!(reported[0]["event"], "invalid");
}
