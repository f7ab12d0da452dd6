//! The demo's own counts, against a recording that shares no code with it.

use std::collections::BTreeMap;

use mqtt_device_testkit::{Mosquitto, PATIENCE};

use crate::support::{Folder, program, to_end};

const DEVICE: &str = "acme:greenhouse-sensor";

fn recorded_like_the_demo_counted(broker: &Mosquitto, arguments: &[&str]) {
    // Other traffic on the broker is not the demo's.
    let recorder = broker.record(&["lua/devices/acme/greenhouse-sensor/#"]).unwrap();
    let url = broker.url();
    let mut demo = program(["demo", "--json", "--agent", "acme", "--url", &url]);
    let ended = to_end(demo.args(arguments));
    assert_eq!(ended.code, 0, "{ended:?}");
    let counts = ended.json().remove(0);
    // What the broker passed on before it passes on this.
    broker.publish("lua/devices/acme/greenhouse-sensor/mark", "").unwrap();
    recorder.wait_count(1, PATIENCE, |message| message.topic.ends_with("/mark")).unwrap();
    let mut recorded = BTreeMap::<String, u64>::new();
    for message in recorder.messages() {
        let suffix = message.topic.rsplit('/').next().unwrap().to_owned();
        *recorded.entry(suffix).or_default() += 1;
    }
    assert_eq!(recorded.remove("mark"), Some(1));
    assert_eq!(recorded.len(), 9, "{recorded:?}");
    for (suffix, n) in &recorded {
        assert_eq!(counts["seen"][suffix], *n, "{suffix}: recorded {recorded:?}, counted {counts}");
        assert_eq!(counts["expected"][suffix], *n, "{suffix}: recorded {recorded:?}, expected {counts}");
    }
    let wills = recorder.messages().iter().filter(|message| message.text().contains("\"offline\"")).count();
    assert_eq!(wills, 2, "the will and the goodbye");
}

#[test]
fn the_demo_counts_what_mosquitto_sub_records() {
    recorded_like_the_demo_counted(&Mosquitto::anonymous().unwrap(), &[]);
}

#[test]
fn the_demo_counts_what_mosquitto_sub_records_with_passwords_and_persistence() {
    let folder = Folder::new();
    let (key, password) = (folder.file("key", "device-key"), folder.file("password", "gateway-password"));
    let users = Mosquitto::builder().user(DEVICE, "device-key").user("gateway", "gateway-password");
    let broker = users.persistent().start().unwrap();
    let login = ["--username", "gateway", "--password-file", &password, "--api-key-file", &key];
    recorded_like_the_demo_counted(&broker, &login);
}
