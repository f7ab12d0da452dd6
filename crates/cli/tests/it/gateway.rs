//! `gateway`: serving, sending, listing, with their exit codes.

use mqtt_device_testkit::{Mosquitto, free_port};
use serde_json::json;

use crate::support::{Ended, Folder, Gateway, KEY, gateway, program, start_device, stop, to_end};

fn keys(folder: &Folder, key: &str) -> String {
    folder.file("keys.txt", &format!("# pumps\nacme:pump {key}\n"))
}

#[test]
fn a_device_is_authenticated_commanded_and_listed_with_every_exit_code() {
    let broker = Mosquitto::anonymous().unwrap();
    let (url, folder) = (broker.url(), Folder::new());
    let mut serving = Gateway::start(&url, &["--keys", &keys(&folder, KEY)]);
    let mut device = start_device(&folder.device(&broker.endpoint(), ""));
    let known = serving.event("authenticated", |_| true);
    assert_eq!(known["device"], "acme:pump");
    assert_eq!(known["commands"], json!(["echo", "fail"]));

    let answer = gateway(&url, &["--json", "send", "acme:pump", "echo", r#"{"n": 1}"#]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.json()[0]["data"], json!({"n": 1}));
    let plain = gateway(&url, &["send", "acme:pump", "echo", "[1]"]);
    assert_eq!((plain.code, plain.stdout.as_str()), (0, "[\n  1\n]"), "{plain:?}");
    let bare = gateway(&url, &["send", "acme:pump", "echo"]);
    assert_eq!(bare.code, 0, "{bare:?}");

    let failed = gateway(&url, &["send", "acme:pump", "fail"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.stderr.contains("exit code 3: no water"), "{failed:?}");
    let unknown = gateway(&url, &["--json", "send", "acme:pump", "dance"]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert_eq!(unknown.json()[0]["error"], "Unknown command: dance");
    assert!(unknown.stderr.contains("has not announced"), "the gateway keeps the manifest: {unknown:?}");

    let list = gateway(&url, &["--json", "list"]);
    assert_eq!(list.code, 0, "{list:?}");
    let row = &list.json()[0];
    assert_eq!((&row["device"], &row["online"], &row["group"]), (&json!("acme:pump"), &json!(true), &json!("pumps")));
    assert_eq!(row["commands"][0]["retry"], json!({"maxAttempts": 4, "backoffMs": 20}));

    let left = stop(&mut device);
    assert_eq!(left.code, 0, "{left:?}");
    serving.event("offline", |event| event["device"] == "acme:pump");
    let table = gateway(&url, &["list"]);
    assert!(table.stdout.contains("acme:pump  offline") && table.stdout.contains("echo, fail"), "{table:?}");
    assert_eq!(gateway(&url, &["list", "--online"]).stdout, "no devices");

    // Nobody is there; the manifest says four attempts.
    let nobody = gateway(&url, &["send", "acme:pump", "echo", "--timeout", "20", "-v"]);
    assert_eq!(nobody.code, 3, "{nobody:?}");
    assert!(nobody.stderr.contains("sent 4 times"), "{nobody:?}");

    let ended = serving.stop();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!format!("{ended:?}{left:?}{list:?}").contains(KEY), "the key was shown");
}

#[test]
fn a_wrong_key_is_refused_at_both_ends_and_shown_at_neither() {
    let broker = Mosquitto::anonymous().unwrap();
    let folder = Folder::new();
    let mut serving = Gateway::start(&broker.url(), &["--keys", &keys(&folder, "another-key")]);
    let mut device = start_device(&folder.device(&broker.endpoint(), ""));
    let refused = serving.event("refused", |_| true);
    assert_eq!((&refused["code"], &refused["device"]), (&json!("unauthorized"), &json!("acme:pump")));
    device.stdout().wait(|line| line.contains("the API key is wrong (unauthorized)")).unwrap();
    let (device, serving) = (stop(&mut device), serving.stop());
    assert!(!format!("{device:?}{serving:?}").contains(KEY), "the key was shown");
}

#[test]
fn a_restarted_gateway_knows_the_devices_that_are_still_connected() {
    let broker = Mosquitto::anonymous().unwrap();
    let (url, folder) = (broker.url(), Folder::new());
    let keys = keys(&folder, KEY);
    let mut first = Gateway::start(&url, &["--keys", &keys]);
    let config = folder.device(&broker.endpoint(), "");
    let mut command = program(["run", "--config", &config]);
    let mut device = crate::support::start_device_with(command.stdin(std::process::Stdio::piped()));
    first.event("authenticated", |_| true);
    first.stop();
    let mut second = Gateway::start(&url, &["--keys", &keys, "--trigger-result", r#"{"done":true}"#]);
    let mut stdin = device.take_stdin().unwrap();
    std::io::Write::write_all(&mut stdin, b"{\"trigger\":\"leak\",\"payload\":{\"litres\":3}}\n").unwrap();
    let trigger = second.event("trigger", |_| true);
    assert_eq!(trigger["accepted"], true, "{trigger}");
    assert_eq!((&trigger["trigger"], &trigger["payload"]), (&json!("leak"), &json!({"litres": 3})));
    device.stdout().wait(|line| line.contains("result of trigger leak: {\"done\":true}")).unwrap();
    second.stop();
    // With another key in the file the record proves nothing: the device is refused until it connects with that key.
    let mut third = Gateway::start(&url, &["--keys", &self::keys(&folder, "the-next-key")]);
    std::io::Write::write_all(&mut stdin, b"{\"trigger\":\"leak\"}\n").unwrap();
    assert_eq!(third.event("unproven", |_| true)["device"], "acme:pump");
    assert_eq!(third.event("trigger", |_| true)["accepted"], false);
    device.stderr().wait(|line| line.contains("has not shown its API key")).unwrap();
    let answer = gateway(&url, &["--json", "send", "acme:pump", "echo", "1"]);
    assert_eq!(answer.code, 0, "it can be sent commands: {answer:?}");
    stop(&mut device);
}

/// Runs these lines as commands to the end.
fn batch(broker: &Mosquitto, folder: &Folder, lines: &str) -> Ended {
    let input = std::fs::File::open(folder.file("batch.jsonl", lines)).unwrap();
    let url = broker.url();
    let mut command = program(["gateway", "--url", &url, "--json", "--accept-any-key", "--commands"]);
    to_end(command.stdin(input))
}

#[test]
fn a_batch_of_commands_is_sent_answered_and_over() {
    let broker = Mosquitto::anonymous().unwrap();
    let folder = Folder::new();
    let mut device = start_device(&folder.device(&broker.endpoint(), ""));
    let mut lines = String::new();
    for n in 0..50 {
        lines.push_str(&format!("{{\"device\":\"acme:pump\",\"command\":\"echo\",\"payload\":{n}}}\n"));
    }
    let ended = batch(&broker, &folder, &lines);
    assert_eq!(ended.code, 0, "{ended:?}");
    let events = ended.json();
    let mut answers: Vec<_> = events.iter().filter(|e| e["event"] == "response").map(|e| e["data"].as_u64()).collect();
    answers.sort();
    assert_eq!(answers, (0..50).map(Some).collect::<Vec<_>>());
    stop(&mut device);
}

#[test]
fn a_batch_ends_with_the_code_of_its_worst_command() {
    let broker = Mosquitto::anonymous().unwrap();
    let folder = Folder::new();
    let mut device = start_device(&folder.device(&broker.endpoint(), ""));
    let good = "{\"device\":\"acme:pump\",\"command\":\"echo\"}\n";
    let failing = "{\"device\":\"acme:pump\",\"command\":\"fail\"}\n";
    let silent = "{\"device\":\"acme:nobody\",\"command\":\"echo\",\"attempts\":2,\"timeout\":20}\n";
    let storm = "{\"device\":\"acme:pump\",\"command\":\"echo\",\"attempts\":0}\n";
    for (lines, code, kind) in [
        (format!("{failing}{good}"), 1, "response"),
        (format!("{failing}nonsense\n{good}"), 2, "invalid"),
        (format!("{storm}{good}"), 2, "invalid"),
        (format!("{silent}nonsense\n{good}"), 3, "no_answer"),
    ] {
        let ended = batch(&broker, &folder, &lines);
        assert_eq!((ended.code, ended.stderr.as_str()), (code, ""), "{lines}{ended:?}");
        assert!(ended.json().iter().any(|event| event["event"] == kind), "{ended:?}");
    }
    stop(&mut device);
}

#[test]
fn hostile_devices_are_reported_and_the_gateway_stays_up() {
    let broker = Mosquitto::anonymous().unwrap();
    let mut serving = Gateway::start(&broker.url(), &["--accept-any-key"]);
    let deep = "[".repeat(50_000);
    let huge = format!("{{\"triggerName\":\"x\",\"payload\":\"{}\"}}", "y".repeat(2 << 20));
    for (topic, payload) in [
        ("lua/devices/acme/pump/status", "{\"status\":\"online\",\"apiKey\":\"key-in-a-broken-message"),
        ("lua/devices/acme/pump/response", "\u{1b}[2Jnot json"),
        ("lua/devices/acme/pump/trigger", deep.as_str()),
        ("lua/devices/acme/pump/trigger", huge.as_str()),
        ("lua/devices/a:b/pump/status", "{}"),
        ("lua/gateway/devices/acme/pump", "broken"),
    ] {
        broker.publish(topic, payload).unwrap();
        let event = serving.event("invalid", |_| true);
        assert!(event["topic"].as_str().unwrap().starts_with("lua/"), "{event}");
        assert!(event.to_string().len() < 2000);
    }
    broker.publish("lua/devices/acme/pump/trigger", "{\"triggerName\":\"fine\"}").unwrap();
    // Not known to this gateway, but any key is accepted, so none has to be shown.
    serving.event("trigger", |event| event["accepted"] == true);
    let ended = serving.stop();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!ended.stdout.contains("key-in-a-broken-message"));
}

#[test]
fn a_broker_that_is_not_there_or_says_no_is_told_apart() {
    let url = format!("mqtt://127.0.0.1:{}", free_port().unwrap());
    let absent = gateway(&url, &["list"]);
    assert_eq!(absent.code, 3, "{absent:?}");
    assert!(absent.stderr.contains("nobody listens there"), "{absent:?}");
    let broker = Mosquitto::builder().user("boss", "right").start().unwrap();
    let folder = Folder::new();
    let (wrong, right) = (folder.file("wrong", "wrong"), folder.file("right", "right\n"));
    let (url, list) = (broker.url(), "list");
    let refused = gateway(&url, &["--username", "boss", "--password-file", &wrong, list]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let keys = folder.file("keys", "*:* k");
    let serving = gateway(&url, &["--username", "boss", "--password-file", &wrong, "--keys", &keys]);
    assert_eq!(serving.code, 1, "{serving:?}");
    let allowed = gateway(&url, &["--username", "boss", "--password-file", &right, list]);
    assert_eq!((allowed.code, allowed.stdout.as_str()), (0, "no devices"), "{allowed:?}");
    let from_environment = to_end(
        program(["gateway", list])
            .env("MQTT_DEVICE_URL", &url)
            .env("MQTT_DEVICE_USERNAME", "boss")
            .env("MQTT_DEVICE_PASSWORD", "right"),
    );
    assert_eq!(from_environment.code, 0, "{from_environment:?}");
}
