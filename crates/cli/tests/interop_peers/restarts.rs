//! A broker that is stopped, killed and started again while commands are sent.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;

use mqtt_device_testkit::{Mosquitto, PATIENCE};
use serde_json::Value;

use crate::support::{Folder, Gateway, KEY, program, start_device_with, stop};

const COMMANDS: usize = 500;

/// The commands come in so many waves; into each the broker goes away, by turns in an orderly way and by SIGKILL.
const WAVES: usize = 6;

#[test]
fn a_broker_stopped_and_killed_three_times_each_loses_and_doubles_none_of_500_commands() {
    let mut broker = Mosquitto::builder().persistent().start().unwrap();
    let folder = Folder::new();
    let config = folder.device(&broker.endpoint(), "");
    // Each run leaves a line with its id; appending a short line is atomic.
    folder.script("echo.sh", "echo \"$MQTT_DEVICE_COMMAND_ID\" >>runs; cat");
    let mut device = start_device_with(program(["run", "--config", &config]).env("DEVICE_KEY", KEY));

    let url = broker.url();
    let mut command = program(["gateway", "--url", &url, "--json", "--accept-any-key", "--commands"]);
    let mut gateway = Gateway::start_with(command.stdin(Stdio::piped()));
    let mut stdin = gateway.process.take_stdin().unwrap();
    let answered = |lines: &[String]| {
        let first = |line: &&String| line.contains("\"event\":\"response\"") && line.contains("\"repeat\":false");
        lines.iter().filter(first).count()
    };
    let mut sent = 0;
    for wave in 1..=WAVES {
        let before = answered(&gateway.process.stdout().all());
        let until = COMMANDS * wave / WAVES;
        for n in sent..until {
            let order = serde_json::json!({"device": "acme:pump", "command": "echo", "payload": n,
                "attempts": 20, "timeout": 5000});
            writeln!(stdin, "{order}").unwrap();
        }
        sent = until;
        let enough = |lines: &[String]| (answered(lines) >= before + 10).then_some(());
        gateway.process.stdout().wait_until(PATIENCE, enough).unwrap();
        let marks = [gateway.process.stdout().len(), device.stdout().len()];
        if wave % 2 == 1 { broker.stop() } else { broker.kill() }.unwrap();
        // Both have seen that it is away: connections that end at once would look like a second client of one name.
        for (process, mark) in [&gateway.process, &device].into_iter().zip(marks) {
            process.stdout().wait_from(mark, PATIENCE, |line| line.contains("nobody listens")).unwrap();
        }
        broker.restart().unwrap();
    }
    drop(stdin);
    // It ends by itself when all is answered or given up, and its exit code is that of the worst command.
    let status = gateway.process.wait(PATIENCE * 6).unwrap();
    assert_eq!(status.code(), Some(0), "a command failed or was given up");
    let events = gateway.events();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).cloned().collect::<Vec<Value>>();
    assert_eq!(of("no_answer"), Vec::<Value>::new());
    let mut answers = BTreeMap::<u64, usize>::new();
    for answer in of("response") {
        assert_eq!(answer["success"], true, "{answer}");
        if answer["repeat"] == false {
            *answers.entry(answer["data"].as_u64().unwrap()).or_default() += 1;
        }
    }
    assert_eq!(answers.len(), COMMANDS);
    assert!(answers.values().all(|n| *n == 1));

    assert_eq!(stop(&mut device).code, 0);
    let runs = std::fs::read_to_string(folder.path().join("runs")).unwrap();
    let mut ids: Vec<&str> = runs.lines().collect();
    let total = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((total, ids.len()), (COMMANDS, COMMANDS), "runs, and different commands among them");
    let again = of("command").iter().filter(|event| event["attempt"] != 1).count();
    println!("{COMMANDS} commands, {again} sent again, {WAVES} restarts: each ran once");
}
