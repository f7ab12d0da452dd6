//! The official Python client and ours, on the same script, against our gateway over mosquitto.

use std::io::Write as _;
use std::process::{Command, Stdio};

use mqtt_device_testkit::{Mosquitto, PATIENCE, Process, Recorder, python};
use serde_json::{Value, json};

use crate::support::{Folder, Gateway, KEY, gateway, program, start_device_with, stop};

/// What the official client runs: the same commands as the file for ours has. It prints what happens to it.
const SCRIPT: &str = r#"
import asyncio, json, os, sys
from lua_device import DeviceClient
from lua_device.types import DeviceCommandDefinition as Definition

commands = [
    Definition("echo", "Gives the payload back", input_schema={"type": "object"}, timeout_ms=5000,
               retry={"max_attempts": 4, "backoff_ms": 20}),
    Definition("nothing", "Has no result"),
    Definition("fail", "Fails"),
]

async def main():
    url, agent, name = sys.argv[1:4]
    client = DeviceClient(agent_id=agent, device_name=name, api_key=os.environ["DEVICE_KEY"], mqtt_url=url,
                          group="pumps", commands=commands)
    async def echo(payload):
        return payload
    async def nothing(payload):
        return None
    async def fail(payload):
        raise RuntimeError("no water")
    for handler in (echo, nothing, fail):
        client.on_command(handler.__name__, handler)
    client.on_trigger_result("leak", lambda result: print("result", json.dumps(result), flush=True))
    await client.connect()
    print("connected", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        ack = await client.trigger(order["trigger"], order.get("payload"))
        print("ack", json.dumps({"received": ack.received, "id": ack.trigger_id, "error": ack.error}), flush=True)
    await client.disconnect()

asyncio.run(main())
"#;

/// The same device for ours.
const CONFIG: &str = r#"
agent = "acme"
device = "ours"
group = "pumps"
api_key_env = "DEVICE_KEY"

[[command]]
name = "echo"
description = "Gives the payload back"
input_schema = { type = "object" }
timeout_ms = 5000
retry = { max_attempts = 4, backoff_ms = 20 }
program = ["./echo.sh"]

[[command]]
name = "nothing"
description = "Has no result"
program = ["./nothing.sh"]

[[command]]
name = "fail"
description = "Fails"
program = ["./fail.sh"]
"#;

/// A mosquitto that lets in both devices and the gateway, and nobody else.
fn broker() -> Mosquitto {
    let builder = Mosquitto::builder().user("acme:theirs", KEY).user("acme:ours", KEY).user("gateway", "password");
    builder.persistent().start().unwrap()
}

struct Stand {
    broker: Mosquitto,
    folder: Folder,
    login: [String; 4],
}

impl Stand {
    fn new() -> Self {
        let folder = Folder::new();
        let password = folder.file("password", "password");
        let login = ["--username", "gateway", "--password-file", password.as_str()].map(str::to_owned);
        Self { broker: broker(), folder, login }
    }

    fn serve(&self) -> Gateway {
        let keys = self.folder.file("keys", &format!("acme:theirs {KEY}\nacme:ours {KEY}\n"));
        let url = self.broker.url();
        let mut command = program(["gateway", "--url", &url, "--json", "--keys", &keys]);
        Gateway::start_with(command.args(&self.login).args(["--trigger-result", r#"{"valve":"closed"}"#]))
    }

    fn theirs(&self) -> Process {
        let script = self.folder.file("device.py", SCRIPT);
        let mut command = Command::new(python::interpreter().unwrap());
        command.args([&script, &self.broker.url(), "acme", "theirs"]).env("DEVICE_KEY", KEY).stdin(Stdio::piped());
        let process = Process::start(&mut command).unwrap();
        process.stdout().wait(|line| line == "connected").unwrap();
        process
    }

    fn ours(&self) -> Process {
        self.folder.script("echo.sh", "cat");
        self.folder.script("nothing.sh", "true");
        self.folder.script("fail.sh", "echo 'no water' >&2; exit 1");
        let config = self.folder.file("ours.toml", &format!("url = \"{}\"\n{CONFIG}", self.broker.url()));
        let mut command = program(["run", "--config", &config]);
        start_device_with(command.env("DEVICE_KEY", KEY).stdin(Stdio::piped()))
    }

    fn send(&self, arguments: &[&str]) -> crate::support::Ended {
        let login = self.login.iter().map(String::as_str);
        gateway(&self.broker.url(), &login.chain(arguments.iter().copied()).collect::<Vec<_>>())
    }
}

/// The next message on a topic of that device.
fn next(recorder: &mut Recorder, device: &str, suffix: &str) -> Value {
    let topic = format!("lua/devices/acme/{device}/{suffix}");
    let message = recorder.next_within(PATIENCE, |message| message.topic == topic && !message.retain).unwrap();
    serde_json::from_slice(&message.payload).unwrap()
}

#[test]
fn the_official_client_is_served_by_our_gateway() {
    let stand = Stand::new();
    let mut serving = stand.serve();
    let mut theirs = stand.theirs();
    let known = serving.event("authenticated", |_| true);
    assert_eq!(known["device"], "acme:theirs");
    assert_eq!((&known["group"], &known["commands"]), (&json!("pumps"), &json!(["echo", "nothing", "fail"])));

    let list = stand.send(&["--json", "list"]);
    let row = &list.json()[0];
    assert_eq!(row["commands"][0]["inputSchema"], json!({"type": "object"}));
    assert_eq!(row["commands"][0]["retry"], json!({"maxAttempts": 4, "backoffMs": 20}));

    let answer = stand.send(&["--json", "send", "acme:theirs", "echo", r#"{"n":[1,2.5,"ü"]}"#]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.json()[0]["data"], json!({"n": [1, 2.5, "ü"]}));
    let failed = stand.send(&["send", "acme:theirs", "fail"]);
    assert!(failed.code == 1 && failed.stderr.contains("no water"), "{failed:?}");

    let mut stdin = theirs.take_stdin().unwrap();
    stdin.write_all(b"{\"trigger\":\"leak\",\"payload\":{\"litres\":3}}\n").unwrap();
    let trigger = serving.event("trigger", |_| true);
    assert_eq!((&trigger["trigger"], &trigger["payload"]), (&json!("leak"), &json!({"litres": 3})));
    let ack = theirs.stdout().wait(|line| line.starts_with("ack ")).unwrap();
    let ack: Value = serde_json::from_str(&ack[4..]).unwrap();
    assert_eq!(ack, json!({"received": true, "id": trigger["trigger_id"], "error": null}));
    theirs.stdout().wait(|line| line == r#"result {"valve": "closed"}"#).unwrap();

    drop(stdin);
    assert!(theirs.wait(PATIENCE).unwrap().success(), "{:?}", theirs.stderr().all());
    // Its `offline` may never have left (a fault of theirs); then the broker says it by the will.
    serving.event("offline", |event| event["device"] == "acme:theirs");
    assert!(!format!("{:?}", serving.stop()).contains(KEY));
}

#[test]
fn our_device_answers_the_same_script_as_the_official_client_field_by_field() {
    let stand = Stand::new();
    let mut serving = stand.serve();
    let mut recorder = stand.broker.record(&["lua/devices/acme/#"]).unwrap();
    let (mut theirs, mut ours) = (stand.theirs(), stand.ours());
    for device in ["acme:theirs", "acme:ours"] {
        let known =
            serving.events().into_iter().any(|event| event["event"] == "authenticated" && event["device"] == device);
        if !known {
            serving.event("authenticated", |event| event["device"] == device);
        }
    }
    let script = [
        json!({"commandId": "1", "command": "echo", "payload": {"a": [1, 2.5, "ü", null, true]}}),
        json!({"commandId": "2", "command": "echo", "payload": "text", "timeout": 5000}),
        json!({"commandId": "3", "command": "nothing", "payload": {}}),
        json!({"commandId": "4", "command": "nothing"}),
        json!({"commandId": "5", "command": "dance", "payload": {}}),
        // Again: answered again, and the same.
        json!({"commandId": "1", "command": "echo", "payload": {"a": "not run again"}}),
        json!({"commandId": "5", "command": "dance"}),
    ];
    for order in &script {
        let answers = ["theirs", "ours"].map(|device| {
            stand.broker.publish(&format!("lua/devices/acme/{device}/command"), order.to_string()).unwrap();
            next(&mut recorder, device, "response")
        });
        assert_eq!(answers[0], answers[1], "to {order}");
        assert_eq!(answers[0]["commandId"], order["commandId"]);
    }
    // A failure has the same fields; the words are the handler's own.
    let fields = ["theirs", "ours"].map(|device| {
        let order = json!({"commandId": "6", "command": "fail"}).to_string();
        stand.broker.publish(&format!("lua/devices/acme/{device}/command"), order).unwrap();
        let answer = next(&mut recorder, device, "response");
        assert!(answer["error"].as_str().unwrap().contains("no water"), "{answer}");
        (answer["success"].clone(), answer.as_object().unwrap().keys().cloned().collect::<Vec<_>>())
    });
    assert_eq!(fields[0], fields[1]);

    // Triggers, fields and defaults.
    let mut inputs = [("theirs", theirs.take_stdin().unwrap()), ("ours", ours.take_stdin().unwrap())];
    for line in ["{\"trigger\":\"leak\",\"payload\":{\"litres\":3}}\n", "{\"trigger\":\"leak\"}\n"] {
        let fired = inputs.each_mut().map(|(device, stdin)| {
            stdin.write_all(line.as_bytes()).unwrap();
            next(&mut recorder, device, "trigger")
        });
        assert_eq!(fired[0], fired[1], "from {line}");
    }
    stop(&mut ours);
    assert_manifests_equal(&recorder);
}

/// What the devices said of themselves is the same, but for names, keys and times.
fn assert_manifests_equal(recorder: &Recorder) {
    let said = ["theirs", "ours"].map(|device| {
        let topic = format!("lua/devices/acme/{device}/status");
        let said = recorder.messages().into_iter().filter(|message| message.topic == topic).take(2);
        said.map(|message| {
            let mut body: Value = serde_json::from_slice(&message.payload).unwrap();
            if let Some(time) = body.as_object_mut().unwrap().get_mut("timestamp") {
                *time = json!("a time");
            }
            body
        })
        .collect::<Vec<_>>()
    });
    assert_eq!(said[0], said[1]);
    assert_eq!(said[0][0], json!({"status": "online", "timestamp": "a time", "group": "pumps"}));
    assert_eq!(said[0][1]["apiKey"], KEY);
}
