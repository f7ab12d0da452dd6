//! `run` and `gateway` whose readers stall or go: nothing else stops.

use std::io::Write as _;

use mqtt_device_testkit::{Lines, Mosquitto, PATIENCE, Recorder};

use crate::support::{Folder, Unread, gateway, wait_for};

/// So many messages are more than a pipe and the queue before it hold.
const FLOOD: usize = 1600;

/// A message that makes a long line, in its JSON.
fn long() -> String {
    "🦀".repeat(160)
}

/// Publishes a line often, in portions that the broker keeps for a client which is slow.
fn flood(broker: &Mosquitto, topic: &str, line: &str, mut after_each: impl FnMut()) {
    for _ in 0..4 {
        broker.endpoint().publish_lines(topic, &format!("{line}\n").repeat(FLOOD / 4)).unwrap();
        after_each();
    }
}

fn wait_for_online(recorder: &mut Recorder) {
    recorder.next(|message| message.topic.ends_with("/status") && message.text().contains("apiKey")).unwrap();
}

#[test]
fn a_device_whose_output_nobody_reads_answers_and_tells_later_what_was_lost() {
    let broker = Mosquitto::anonymous().unwrap();
    let (url, folder) = (broker.url(), Folder::new());
    let config = folder.device(&broker.endpoint(), "");
    let mut recorder = broker.record(&["lua/devices/acme/pump/status"]).unwrap();
    let Unread { mut process, stdout, stderr } = Unread::start(&folder, &["run", "--config", &config]);
    wait_for_online(&mut recorder);
    // Each makes a line in the log.
    let mut stdin = process.take_stdin().unwrap();
    // By a thread, since a device that stalls does not read them.
    let written = std::thread::spawn(move || stdin.write_all(format!("{}\n", long()).repeat(FLOOD).as_bytes()));
    let error = format!(r#"{{"code":"{0}","message":"{0}"}}"#, long());
    flood(&broker, "lua/devices/acme/pump/error", &error, || {
        let answer = gateway(&url, &["send", "acme:pump", "echo", "1"]);
        assert_eq!((answer.code, answer.stdout.as_str()), (0, "1"), "{answer:?}");
    });
    written.join().unwrap().unwrap();
    // Now somebody reads.
    let (stdout, stderr) = (Lines::read("standard output", stdout), Lines::read("standard error", stderr));
    let (gap, _) =
        stdout.wait_from(0, PATIENCE, |line| line.ends_with("lines lost here: their reader was too slow")).unwrap();
    let (lost, shown) = (stdout.all()[gap].split_once(' ').unwrap().0.parse::<usize>().unwrap(), gap);
    assert!(lost > 0 && shown > 0 && lost + shown > FLOOD, "{lost} lost, {shown} shown");
    stderr.wait(|line| line.contains("standard input: 🦀")).unwrap();
    assert_eq!(gateway(&url, &["send", "acme:pump", "fail"]).code, 1);
    stdout.wait_from(gap, PATIENCE, |line| line.contains("no water")).unwrap();
    process.interrupt().unwrap();
    assert_eq!(process.wait(PATIENCE).unwrap().code(), Some(0));
    stdout.wait_from(gap, PATIENCE, |line| line == "stopped").unwrap();
}

#[test]
fn a_second_signal_ends_a_device_whose_output_nobody_reads_and_its_programs() {
    let broker = Mosquitto::anonymous().unwrap();
    let folder = Folder::new();
    let pipe = folder.path().join("running");
    // It is open as long as one of them lives.
    folder.script("wait.sh", "mkfifo running; exec >running; echo here; sleep 600 & wait");
    let more = "[[command]]\nname = \"wait\"\ndescription = \"\"\nprogram = [\"./wait.sh\"]\n";
    let config = folder.device(&broker.endpoint(), more);
    let mut recorder = broker.record(&["lua/devices/acme/pump/#"]).unwrap();
    let mut unread = Unread::start(&folder, &["run", "--config", &config, "-v"]);
    wait_for_online(&mut recorder);
    flood(&broker, "lua/devices/acme/pump/error", &format!(r#"{{"code":"{0}","message":"{0}"}}"#, long()), || {});
    broker.publish("lua/devices/acme/pump/command", r#"{"commandId":"c1","command":"wait"}"#).unwrap();
    wait_for(&pipe);
    let running = Lines::read("the command", std::fs::File::open(&pipe).unwrap());
    running.wait(|line| line == "here").unwrap();
    unread.process.interrupt().unwrap();
    // The two are one for the system, unless the first has been taken.
    let stderr = Lines::read("standard error", unread.stderr.try_clone().unwrap());
    stderr.wait(|line| line.contains("stopping")).unwrap();
    unread.process.interrupt().unwrap();
    assert_eq!(unread.process.wait(PATIENCE).unwrap().code(), Some(130));
    let end = running.wait_until(PATIENCE, |_| None::<()>).unwrap_err();
    assert_eq!(end.kind(), std::io::ErrorKind::UnexpectedEof, "{end}");
}

#[test]
fn a_gateway_whose_output_nobody_reads_answers_and_ends_at_a_signal() {
    let broker = Mosquitto::anonymous().unwrap();
    let folder = Folder::new();
    let mut recorder = broker.record(&["lua/devices/acme/pump/trigger_ack"]).unwrap();
    let url = broker.url();
    let arguments = ["gateway", "--url", &url, "--json", "--accept-any-key", "-v"];
    let mut unread = Unread::start(&folder, &arguments);
    // Its first line: it is connected. From then on nobody reads.
    let mut connected = std::io::BufReader::new(&unread.stdout);
    let mut line = String::new();
    while !line.contains("\"connected\"") {
        line.clear();
        std::io::BufRead::read_line(&mut connected, &mut line).unwrap();
    }
    let trigger = format!(r#"{{"triggerName":"x","payload":"{0}{0}"}}"#, long());
    flood(&broker, "lua/devices/acme/pump/trigger", &trigger, || {
        for _ in 0..FLOOD / 4 {
            recorder.next_on("lua/devices/acme/pump/trigger_ack").unwrap();
        }
    });
    unread.process.interrupt().unwrap();
    assert_eq!(unread.process.wait(PATIENCE).unwrap().code(), Some(0));
}

#[test]
fn a_gateway_whose_reader_has_gone_ends() {
    let broker = Mosquitto::anonymous().unwrap();
    let folder = Folder::new();
    let url = broker.url();
    let Unread { mut process, stdout, stderr } =
        Unread::start(&folder, &["gateway", "--url", &url, "--json", "--accept-any-key"]);
    let mut connected = [0];
    std::io::Read::read_exact(&mut &stdout, &mut connected).unwrap();
    drop(stdout);
    // Whatever it says next, nobody reads.
    let said = broker.publish("lua/devices/acme/pump/status", r#"{"status":"online"}"#);
    said.unwrap();
    let stderr = Lines::read("standard error", stderr);
    assert_eq!(process.wait(PATIENCE).unwrap().code(), Some(1));
    assert!(stderr.is_empty(), "{:?}", stderr.all());
}
