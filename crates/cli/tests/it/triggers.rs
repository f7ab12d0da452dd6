//! `run`: triggers from standard input and from watched programs, on mosquitto.

use std::io::Write as _;
use std::process::Stdio;

use mqtt_device_testkit::{Mosquitto, PATIENCE, Process};
use serde_json::{Value, json};

use crate::support::{Folder, Gateway, program, start_device_with, stop};

#[test]
fn triggers_come_from_standard_input_and_from_a_watched_program() {
    let broker = Mosquitto::anonymous().unwrap();
    let folder = Folder::new();
    let mut serving = Gateway::start(&broker.url(), &["--accept-any-key"]);
    // It fires once, then waits for the end.
    folder.script("watch.sh", "echo '{\"trigger\":\"watched\",\"payload\":{\"n\":1}}'; echo oops >&2; exec sleep 600");
    let config = folder.device(&broker.endpoint(), "[triggers]\nstdin = true\nprogram = [\"./watch.sh\"]\n");
    let mut command = program(["run", "--config", &config]);
    let mut device = start_device_with(command.stdin(Stdio::piped()));
    let watched = serving.event("trigger", |_| true);
    assert_eq!((&watched["trigger"], &watched["payload"]), (&json!("watched"), &json!({"n": 1})));
    let mut stdin = device.take_stdin().unwrap();
    stdin.write_all(b"{\"trigger\":\"typed\"}\nrubbish\n{\"trigger\":\"last\",\"payload\":[2.50]}\n").unwrap();
    drop(stdin); // the device goes on without it
    assert_eq!(serving.event("trigger", |_| true)["trigger"], "typed");
    assert_eq!(serving.event("trigger", |_| true)["payload"], json!([2.5]));
    device.stderr().wait(|line| line.contains("standard input: rubbish")).unwrap();
    device.stderr().wait(|line| line.contains("oops")).unwrap();
    assert_eq!(stop(&mut device).code, 0);
}

/// The payloads of the next triggers that the gateway sees.
fn triggers_of(serving: &mut Gateway, count: usize) -> Vec<Value> {
    (0..count).map(|_| serving.event("trigger", |_| true)["payload"].clone()).collect()
}

#[test]
fn of_200_lines_on_standard_input_none_is_lost() {
    let broker = Mosquitto::anonymous().unwrap();
    let folder = Folder::new();
    let mut serving = Gateway::start(&broker.url(), &["--accept-any-key"]);
    let config = folder.device(&broker.endpoint(), "");
    let mut device = start_device_with(program(["run", "--config", &config]).stdin(Stdio::piped()));
    let mut stdin = device.take_stdin().unwrap();
    let lines: String = (0..200).map(|n| format!("{{\"trigger\":\"count\",\"payload\":{n}}}\n")).collect();
    stdin.write_all(lines.as_bytes()).unwrap();
    assert_eq!(triggers_of(&mut serving, 200), (0..200).map(Value::from).collect::<Vec<_>>());
    // In bytes it is the same: these are more than a device keeps waiting by default.
    let large = "x".repeat(60_000);
    let lines: String = (0..20).map(|n| format!("{{\"trigger\":\"large\",\"payload\":[{n},\"{large}\"]}}\n")).collect();
    stdin.write_all(lines.as_bytes()).unwrap();
    let got: Vec<_> = triggers_of(&mut serving, 20).into_iter().map(|payload| payload[0].clone()).collect();
    assert_eq!(got, (0..20).map(Value::from).collect::<Vec<_>>());
    // The gateway has it before the device knows.
    device.stdout().wait(|line| line.starts_with("trigger acknowledged") && line.ends_with("-220)")).unwrap();
    let ended = stop(&mut device);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
}

/// A broker that keeps the gateway's session while it is away, so that no trigger misses the gateway; it is away.
fn away() -> (Mosquitto, Gateway) {
    let mut broker = Mosquitto::builder().persistent().start().unwrap();
    let serving = Gateway::start(&broker.url(), &["--accept-any-key"]);
    broker.stop().unwrap();
    (broker, serving)
}

#[test]
fn lines_on_standard_input_wait_for_the_broker() {
    let (mut broker, mut serving) = away();
    let folder = Folder::new();
    let config = folder.device(&broker.endpoint(), "");
    let mut device = Process::start(program(["run", "--config", &config]).stdin(Stdio::piped())).unwrap();
    let lines: String = (0..100).map(|n| format!("{{\"trigger\":\"count\",\"payload\":{n}}}\n")).collect();
    let mut stdin = device.take_stdin().unwrap();
    stdin.write_all(lines.as_bytes()).unwrap();
    drop(stdin); // what was written before the end is not lost
    device.stdout().wait(|line| line.contains("nobody listens there")).unwrap();
    // Again: whatever is read while offline has been read now.
    device.stdout().wait_from(device.stdout().len(), PATIENCE, |line| line.contains("nobody listens there")).unwrap();
    broker.restart().unwrap();
    assert_eq!(triggers_of(&mut serving, 100), (0..100).map(Value::from).collect::<Vec<_>>());
    device.stdout().wait(|line| line.starts_with("trigger acknowledged") && line.ends_with("-100)")).unwrap();
    let ended = stop(&mut device);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
}

#[test]
fn a_watched_program_is_not_held_up_while_offline_and_its_latest_lines_arrive() {
    let (mut broker, mut serving) = away();
    let folder = Folder::new();
    // More than all pipes and queues hold; what it writes to standard error comes behind them.
    let script =
        "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo \"{\\\"trigger\\\":\\\"n\\\",\\\"payload\\\":$i}\"; done
echo printed all >&2; exec sleep 600";
    folder.script("watch.sh", script);
    let config = folder.device(&broker.endpoint(), "[triggers]\nprogram = [\"./watch.sh\"]\n");
    let mut device = Process::start(&mut program(["run", "--config", &config])).unwrap();
    device.stderr().wait(|line| line.contains("printed all")).unwrap();
    let told = device.stderr().wait(|line| line.contains("triggers dropped: ")).unwrap();
    assert!(told.contains("watch.sh: triggers dropped: "), "{told}");
    broker.restart().unwrap();
    let arrived = triggers_of(&mut serving, 16 + 256);
    // Those that were on their way, and the latest.
    let expected: Vec<_> = (1..=16).chain(5000 - 255..=5000).map(Value::from).collect();
    assert_eq!(arrived, expected);
    assert_eq!(stop(&mut device).code, 0);
    // Every one that did not arrive is counted.
    let said = device.stderr().all();
    let counts = said.iter().filter_map(|line| line.split("triggers dropped: ").nth(1)?.split(':').next());
    assert_eq!(counts.map(|n| n.parse::<u64>().unwrap()).sum::<u64>(), 5000 - 16 - 256, "{said:?}");
}

#[test]
fn a_watched_program_that_leaves_its_output_to_a_process_is_started_again() {
    let broker = Mosquitto::anonymous().unwrap();
    let folder = Folder::new();
    let mut serving = Gateway::start(&broker.url(), &["--accept-any-key"]);
    folder.script("watch.sh", "sleep 600 & echo '{\"trigger\":\"started\"}'");
    let config = folder.device(&broker.endpoint(), "[triggers]\nprogram = [\"./watch.sh\"]\n");
    let mut device = start_device_with(&mut program(["run", "--config", &config]));
    assert_eq!(triggers_of(&mut serving, 2).len(), 2);
    device.stderr().wait(|line| line.contains("watch.sh ended (exit status: 0): started again soon")).unwrap();
    stop(&mut device);
}
