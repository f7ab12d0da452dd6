//! `run`: a device from a file and scripts, on mosquitto.

use mqtt_device_testkit::Mosquitto;
use serde_json::{Value, json};

use crate::support::{Folder, KEY, gateway, program, start_device, start_device_with, stop, to_end, wait_for};

#[test]
fn the_shipped_example_is_sound_and_runs() {
    let broker = Mosquitto::anonymous().unwrap();
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let file = examples.join("device.toml");
    let check = to_end(program(["run", "--check", "--config", file.to_str().unwrap()]).env("LUA_API_KEY", KEY));
    assert_eq!(check.code, 0, "{check:?}");
    assert!(check.stdout.ends_with("sound: your-agent-id:greenhouse-sensor, 2 commands, mqtt://localhost:1883"));

    let folder = Folder::new();
    for script in ["read_environment.sh", "toggle_irrigation.sh"] {
        let text = std::fs::read_to_string(examples.join(script)).unwrap();
        folder.script(script, text.strip_prefix("#!/bin/sh\n").unwrap());
    }
    let text = std::fs::read_to_string(&file).unwrap().replace("mqtt://localhost:1883", &broker.url());
    let config = folder.file("device.toml", &text);
    let mut command = program(["run", "--config", &config]);
    let mut device = start_device_with(command.env("LUA_API_KEY", KEY).env("TMPDIR", folder.path()));
    let url = broker.url();
    let send = |command: &str, payload: &str| {
        gateway(&url, &["--json", "send", "your-agent-id:greenhouse-sensor", command, payload]).json().remove(0)
    };
    assert_eq!(send("read_environment", "{}")["data"]["irrigationOn"], false);
    assert_eq!(send("toggle_irrigation", r#"{"enabled": true}"#)["data"], json!({"irrigationOn": true}));
    assert_eq!(send("read_environment", "{}")["data"]["irrigationOn"], true);
    let wrong = send("toggle_irrigation", r#"{"enabled":"perhaps"}"#);
    assert!(wrong["error"].as_str().unwrap().ends_with("exit code 1: enabled must be true or false"), "{wrong}");
    let ended = stop(&mut device);
    assert_eq!((ended.code, ended.stderr.contains(KEY)), (0, false), "{ended:?}");
}

#[test]
fn a_fault_in_the_file_is_code_2_with_its_line() {
    let folder = Folder::new();
    let config = folder.device(&mqtt_device_testkit::Endpoint::local(1883), "timeout_ms = 0\n");
    for check in [vec!["run", "--check", "--config", &config], vec!["run", "--config", &config]] {
        let ended = to_end(&mut program(check));
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stderr.contains("device.toml:18: timeout_ms: write 1 to 3600000"), "{ended:?}");
    }
    let config = folder.device(&mqtt_device_testkit::Endpoint::local(1883), "");
    folder.file("key.txt", "");
    let ended = to_end(&mut program(["run", "--check", "--config", &config]));
    assert!(ended.code == 2 && ended.stderr.contains("key.txt is empty"), "{ended:?}");
}

#[test]
fn every_way_to_fail_is_an_answer_that_says_why() {
    let broker = Mosquitto::anonymous().unwrap();
    let folder = Folder::new();
    let script = |name: &str, text: &str, more: &str| {
        folder.script(&format!("{name}.sh"), text);
        format!("[[command]]\nname = \"{name}\"\ndescription = \"\"\nprogram = [\"./{name}.sh\"]\n{more}\n")
    };
    let rest = [
        script("slow", "echo working >&2; sleep 600", "timeout_ms = 200"),
        script("wordy", "echo words", ""),
        script("large", "yes", "max_output = 100"),
        script("killed", "kill -9 $$", ""),
        script("nothing", "exit 0", ""),
        script("secret", "echo \"\\\"${DEVICE_KEY-none}\\\"\"", ""),
    ];
    let config = folder.device(&broker.endpoint(), &rest.concat());
    let text = std::fs::read_to_string(&config).unwrap();
    let config =
        folder.file("device.toml", &text.replace("api_key_file = \"key.txt\"", "api_key_env = \"DEVICE_KEY\""));
    let mut device = start_device_with(program(["run", "--config", &config]).env("DEVICE_KEY", KEY));
    let url = broker.url();
    let send = |command: &str| gateway(&url, &["--json", "send", "acme:pump", command]).json().remove(0);
    for (command, says) in [
        ("fail", "exit code 3: no water"),
        ("slow", "took longer than 200 ms and was stopped: working"),
        ("wordy", "something else than JSON"),
        ("large", "more than 100 bytes"),
        ("killed", "signal 9"),
    ] {
        let answer = send(command);
        assert_eq!(answer["success"], false, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(says), "{answer}");
    }
    let nothing = send("nothing");
    assert_eq!((&nothing["success"], nothing.get("data").unwrap_or(&Value::Null)), (&json!(true), &Value::Null));
    assert_eq!(send("secret")["data"], "none", "a program got the API key");
    stop(&mut device);
}

#[test]
fn a_signal_lets_the_running_command_finish_and_says_offline() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let broker = Mosquitto::anonymous().unwrap();
        let folder = Folder::new();
        // It says that it runs, and ends when the test says so.
        folder.script("wait.sh", "mkfifo go; echo running >&2; : >started; read -r line <go; echo '\"finished\"'");
        let more = "[[command]]\nname = \"wait\"\ndescription = \"\"\nprogram = [\"./wait.sh\"]\n";
        let config = folder.device(&broker.endpoint(), more);
        let mut device = start_device(&config);
        let mut recorder = broker.record(&["lua/devices/acme/pump/+"]).unwrap();
        broker.publish("lua/devices/acme/pump/command", r#"{"commandId":"c1","command":"wait"}"#).unwrap();
        device.stdout().wait(|line| line.contains("command wait")).unwrap();
        device.signal(signal).unwrap();
        device.stderr().wait(|line| line.contains("stopping")).unwrap();
        // Opening the pipe waits for the script.
        wait_for(&folder.path().join("started"));
        std::fs::write(folder.path().join("go"), "go\n").unwrap();
        let answer = recorder.next(|message| message.topic.ends_with("/response")).unwrap();
        assert_eq!(answer.text(), r#"{"commandId":"c1","success":true,"data":"finished"}"#);
        let offline = recorder.next(|message| message.topic.ends_with("/status")).unwrap();
        assert!(offline.text().starts_with(r#"{"status":"offline""#), "{}", offline.text());
        let ended = crate::support::ended(&mut device);
        assert_eq!(ended.code, 0, "{ended:?}");
    }
}

#[test]
fn payload_and_result_are_on_the_wire_as_they_were_written() {
    let broker = Mosquitto::anonymous().unwrap();
    let folder = Folder::new();
    let mut device = start_device(&folder.device(&broker.endpoint(), ""));
    let payload = r#"{"z": 12345678901234567890123, "a":1.50,"a":[ 1e400 ]}"#;
    let order = format!(r#"{{"commandId":"c1","command":"echo","payload":{payload}}}"#);
    let mut recorder = broker.record(&["lua/devices/acme/pump/response"]).unwrap();
    broker.publish("lua/devices/acme/pump/command", &order).unwrap();
    let answer = recorder.next(|_| true).unwrap();
    assert_eq!(answer.text(), format!(r#"{{"commandId":"c1","success":true,"data":{payload}}}"#));
    stop(&mut device);
}

#[test]
fn a_command_that_outlasts_the_stop_is_answered_and_never_run_again() {
    let broker = Mosquitto::anonymous().unwrap();
    let folder = Folder::new();
    folder.script("long.sh", "echo \"$MQTT_DEVICE_COMMAND_ID\" >>runs; echo running >&2; exec sleep 600");
    let more = "[[command]]\nname = \"long\"\ndescription = \"\"\nprogram = [\"./long.sh\"]\ntimeout_ms = 600000\n";
    let config = folder.device(&broker.endpoint(), more);
    let mut recorder = broker.record(&["lua/devices/acme/pump/response"]).unwrap();
    let mut device = start_device(&config);
    let order = r#"{"commandId":"c1","command":"long"}"#;
    broker.publish("lua/devices/acme/pump/command", order).unwrap();
    wait_for(&folder.path().join("runs"));
    let ended = stop(&mut device);
    let answer: Value = serde_json::from_str(&recorder.next(|_| true).unwrap().text()).unwrap();
    assert_eq!((&answer["commandId"], &answer["success"]), (&json!("c1"), &json!(false)));
    assert!(answer["error"].as_str().unwrap().starts_with("interrupted"), "{answer}");
    assert!(ended.stdout.contains("1 commands interrupted"), "{ended:?}");
    assert_eq!(ended.code, 0, "all was said: {ended:?}");
    // Acknowledged: the broker does not deliver it again. What comes now would come behind it.
    let mut again = start_device(&config);
    broker.publish("lua/devices/acme/pump/command", r#"{"commandId":"c2","command":"echo","payload":2}"#).unwrap();
    let next = recorder.next(|_| true).unwrap();
    assert_eq!(next.text(), r#"{"commandId":"c2","success":true,"data":2}"#);
    stop(&mut again);
    assert_eq!(std::fs::read_to_string(folder.path().join("runs")).unwrap(), "c1\n");
}

#[test]
fn a_broker_that_appears_late_is_found() {
    let mut broker = Mosquitto::anonymous().unwrap();
    broker.stop().unwrap();
    let folder = Folder::new();
    let config = folder.device(&broker.endpoint(), "");
    let mut device = mqtt_device_testkit::Process::start(&mut program(["run", "--config", &config])).unwrap();
    device.stdout().wait(|line| line.contains("nobody listens there")).unwrap();
    broker.restart().unwrap();
    device.stdout().wait(|line| line.contains("ready for commands")).unwrap();
    assert_eq!(stop(&mut device).code, 0);
}
