//! `demo`: what it shows, what it counts, and that it ends.

use std::process::Command;

use mqtt_device_testkit::{Mosquitto, PATIENCE, Process};

use crate::support::{Ended, program, stop, to_end};

const COUNTS: [(&str, u64); 17] = [
    ("status", 7),
    ("heartbeat", 2),
    ("response", 4),
    ("trigger", 1),
    ("command", 4),
    ("connected", 2),
    ("trigger_ack", 1),
    ("trigger_result", 1),
    ("pong", 2),
    ("connections", 2),
    ("manifests", 2),
    ("runs", 3),
    ("answers", 3),
    ("repeats", 1),
    ("triggers", 1),
    ("wills", 1),
    ("goodbyes", 1),
];

fn assert_counts(ended: &Ended) {
    assert_eq!(ended.code, 0, "{ended:?}");
    let counts = &ended.json()[0];
    for side in ["expected", "seen"] {
        for (what, n) in COUNTS {
            assert_eq!(counts[side][what], n, "{side} {what}: {counts}");
        }
        assert_eq!(counts[side].as_object().unwrap().len(), COUNTS.len(), "{counts}");
    }
}

#[test]
fn the_demo_shows_every_act_in_order_and_ends_with_a_table() {
    let ended = to_end(&mut program(["demo"]));
    assert_eq!(ended.code, 0, "{ended:?}");
    let mut rest = ended.stdout.as_str();
    for part in [
        "broker    listens on 127.0.0.1:",
        "1  The device connects",
        "key accepted; commands: read_environment, toggle_irrigation",
        "2  A command and its answer",
        "answered read_environment",
        "3  The same command delivered twice",
        "not run again",
        "answered toggle_irrigation again",
        "4  The connection is cut",
        "publishes the device's will",
        "keeps the command for the device",
        "mended",
        "answered toggle_irrigation",
        "5  A trigger",
        "trigger acknowledged",
        "6  The device stops",
        "expected     seen",
        "status                  7        7   ok",
        "runs                    3        3   ok",
        "Every count is as expected.",
    ] {
        let Some((_, after)) = rest.split_once(part) else { panic!("no {part:?} in the rest:\n{rest}") };
        rest = after;
    }
    assert_eq!(ended.stderr, "");
    assert!(!ended.stdout.contains("OFF"));
}

#[test]
fn the_counts_come_as_json_for_programs() {
    assert_counts(&to_end(&mut program(["demo", "--json"])));
}

#[test]
fn quiet_leaves_the_table() {
    let ended = to_end(&mut program(["demo", "--quiet"]));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.trim_start().starts_with("expected"), "{}", ended.stdout);
}

#[test]
fn a_demo_that_stays_prints_commands_that_work() {
    let mut demo = Process::start(&mut program(["demo", "--keep-running"])).unwrap();
    let advice = demo.stdout().wait(|line| line.contains("send") && line.contains("read_environment")).unwrap();
    let listing = demo.stdout().wait(|line| line.trim_end().ends_with(" list")).unwrap();
    let answer = to_end(Command::new("sh").arg("-c").arg(&advice));
    assert_eq!(answer.code, 0, "{advice}: {answer:?}");
    assert!(answer.stdout.contains("\"soilMoisture\": 42"), "{answer:?}");
    let list = to_end(Command::new("sh").arg("-c").arg(&listing));
    assert!(list.code == 0 && list.stdout.contains(":greenhouse-sensor  online"), "{list:?}");
    let ended = stop(&mut demo);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("The device stops"), "{ended:?}");
}

#[test]
fn the_demo_does_the_same_on_a_broker_of_yours_and_leaves_nothing_there() {
    let broker = Mosquitto::anonymous().unwrap();
    let url = broker.url();
    assert_counts(&to_end(&mut program(["demo", "--json", "--agent", "acme", "--url", &url])));
    // The session's end, as the broker logs it: a clean connection of the device's name, and its goodbye.
    broker.log().wait(|line| line.contains("as lua-acme-greenhouse-sensor (p2, c1,")).unwrap();
    // A message that is kept would come before the mark.
    let mut recorder = broker.record(&["#"]).unwrap();
    broker.publish("mark", "").unwrap();
    let first = recorder.next_within(PATIENCE, |_| true).unwrap();
    assert_eq!(first.topic, "mark", "left behind: {first:?}");
}
