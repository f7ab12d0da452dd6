//! The program as the tests run it.

#![allow(dead_code)] // each test binary uses a part

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mqtt_device_testkit::{Endpoint, PATIENCE, Process};
use serde_json::Value;

/// The key of every device here.
pub(crate) const KEY: &str = "key-that-nobody-may-see";

/// The program with these arguments, with nothing from the tester's own environment.
pub(crate) fn program<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-device"));
    command.args(arguments).stdin(Stdio::null());
    for name in ["MQTT_DEVICE_URL", "MQTT_DEVICE_USERNAME", "MQTT_DEVICE_PASSWORD", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
}

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard output, which is one JSON value a line.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

/// Runs a command to its end.
pub(crate) fn to_end(command: &mut Command) -> Ended {
    let mut process = Process::start(command).unwrap();
    ended(&mut process)
}

/// Waits for the end of a process, and for the end of its outputs.
pub(crate) fn ended(process: &mut Process) -> Ended {
    let status = process.wait(PATIENCE).unwrap();
    let [stdout, stderr] = [process.stdout(), process.stderr()].map(|lines| {
        let _ = lines.wait_until(PATIENCE, |_| None::<()>);
        lines.all().join("\n")
    });
    Ended { code: status.code().unwrap_or(-1), stdout, stderr }
}

/// Asks for a graceful stop and waits for it.
pub(crate) fn stop(process: &mut Process) -> Ended {
    process.interrupt().unwrap();
    ended(process)
}

/// A folder with what a test needs, removed at its end.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        self.write(name, text, 0o600)
    }

    /// Writes a program.
    pub(crate) fn script(&self, name: &str, text: &str) -> String {
        self.write(name, &format!("#!/bin/sh\n{text}\n"), 0o700)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path: PathBuf = self.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A device `acme:pump` on that broker with a few commands, and what `rest` adds.
    pub(crate) fn device(&self, broker: &Endpoint, rest: &str) -> String {
        self.script("echo.sh", "cat");
        self.script("fail.sh", "echo 'no water' >&2\nexit 3");
        self.file("key.txt", &format!("{KEY}\n"));
        let url = broker.url();
        self.file(
            "device.toml",
            &format!(
                r#"url = "{url}"
agent = "acme"
device = "pump"
group = "pumps"
api_key_file = "key.txt"
reconnect = {{ first_ms = 20, longest_ms = 200 }}

[[command]]
name = "echo"
description = "Gives the payload back"
program = ["./echo.sh"]
retry = {{ max_attempts = 4, backoff_ms = 20 }}

[[command]]
name = "fail"
description = "Fails"
program = ["./fail.sh"]
{rest}"#
            ),
        )
    }
}

/// Starts `run` on a file and waits until the device is ready.
pub(crate) fn start_device(config: &str) -> Process {
    start_device_with(program(["run", "--config", config, "-v"]).env_remove("KEY"))
}

/// The same with a command of one's own.
pub(crate) fn start_device_with(command: &mut Command) -> Process {
    let device = Process::start(command).unwrap();
    device.stdout().wait(|line| line.contains("ready for commands")).unwrap();
    device
}

/// A gateway that prints JSON.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    from: usize,
}

impl Gateway {
    /// Starts one with these further arguments and waits until it is connected.
    pub(crate) fn start(url: &str, arguments: &[&str]) -> Self {
        let mut command = program(["gateway", "--url", url, "--json"]);
        Self::start_with(command.args(arguments))
    }

    /// The same with a command of one's own.
    pub(crate) fn start_with(command: &mut Command) -> Self {
        let process = Process::start(command).unwrap();
        let mut gateway = Self { process, from: 0 };
        gateway.event("gateway", |event| event["message"] == "connected");
        gateway
    }

    /// The next event of this kind that fits; those before it are passed over, later calls go on behind it.
    pub(crate) fn event(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        let fits = |line: &str| {
            let event: Value = serde_json::from_str(line).expect(line);
            let fits = event["event"] == kind && wanted(&event);
            found = fits.then_some(event);
            fits
        };
        let (index, _) = self
            .process
            .stdout()
            .wait_from(self.from, PATIENCE, fits)
            .unwrap_or_else(|error| panic!("no event {kind}: {error}\n{:?}", self.process.stderr().all()));
        self.from = index + 1;
        found.unwrap()
    }

    /// All events so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.process.stdout().all().iter().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Ctrl-C, and the end.
    pub(crate) fn stop(mut self) -> Ended {
        stop(&mut self.process)
    }
}

/// `gateway … send` and `list`.
pub(crate) fn gateway<'a>(url: &'a str, arguments: &[&'a str]) -> Ended {
    to_end(&mut program(["gateway", "--url", url].into_iter().chain(arguments.iter().copied())))
}

/// Waits until a file is there.
pub(crate) fn wait_for(path: &Path) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(std::time::Instant::now() < deadline, "{} does not appear", path.display());
        std::thread::yield_now();
    }
}

/// The program with both outputs on pipes that nobody reads yet.
pub(crate) struct Unread {
    pub(crate) process: Process,
    pub(crate) stdout: fs::File,
    pub(crate) stderr: fs::File,
}

impl Unread {
    pub(crate) fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
            // Opened for both, so that opening waits for nobody.
            fs::File::options().read(true).write(true).open(&path).unwrap()
        };
        let [stdout, stderr] = ["stdout.pipe", "stderr.pipe"].map(pipe);
        let mut command = Command::new("sh");
        command.args(["-c", "folder=$0; exec \"$@\" >\"$folder/stdout.pipe\" 2>\"$folder/stderr.pipe\""]);
        command.arg(folder.path()).arg(env!("CARGO_BIN_EXE_mqtt-device")).args(arguments).stdin(Stdio::piped());
        Self { process: Process::start(&mut command).unwrap(), stdout, stderr }
    }
}
