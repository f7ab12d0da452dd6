//! The file that describes a device: what is read and what is refused.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::config::{CommandConfig, Config, KeySource};

const HEAD: &str = "url = \"mqtt://localhost\"\nagent = \"acme\"\ndevice = \"sensor\"\napi_key_env = \"KEY\"\n";

/// A folder of the test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mqtt-device-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Line (0: none) and text of the complaint about `text`.
fn complaint(text: &str) -> (usize, String) {
    let folder =
        Folder::new(&format!("complaint-{:x}", text.len() * 31 + text.bytes().map(usize::from).sum::<usize>()));
    let file = folder.write("device.toml", text);
    let complaint = Config::load(&file).map(|_| ()).unwrap_err().to_string();
    let rest = complaint.strip_prefix(&format!("{}:", file.display())).unwrap();
    match rest.split_once(':').map(|(line, text)| (line.parse(), text)) {
        Some((Ok(line), text)) => (line, text.trim().to_owned()),
        _ => (0, rest.trim().to_owned()),
    }
}

#[test]
fn the_shipped_example_is_sound() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/device.toml");
    let config = Config::load(&file).unwrap();
    assert_eq!((config.agent.as_str(), config.device.as_str()), ("your-agent-id", "greenhouse-sensor"));
    assert_eq!(config.server.to_string(), "mqtt://localhost:1883");
    assert_eq!(config.key, KeySource::Variable("LUA_API_KEY".to_owned()));
    let names: Vec<_> = config.commands.iter().map(|command| command.name.as_str()).collect();
    assert_eq!(names, ["read_environment", "toggle_irrigation"]);
    let schema = json!({"type":"object","properties":{"enabled":{"type":"boolean"}},"required":["enabled"]});
    assert_eq!(config.commands[1].input_schema, Some(schema));
    assert!(config.triggers.stdin && config.triggers.program.is_none());
}

#[test]
fn everything_has_its_place() {
    let folder = Folder::new("everything");
    folder.write("schema.json", r#"{"type":"object"}"#);
    let file = folder.write(
        "device.toml",
        "agent = \"acme\"\nurl = \"tcp://127.0.0.1:7\"\ndevice = \"sensor 1\"\ngroup = \"g\"\napi_key_file = \"k\"
         allow_insecure = true\nreconnect = { first_ms = 1, longest_ms = 2 }\nparallel = 3\n[[command]]\nname = \"a\"\ndescription = \"d\"\nprogram = [\"sh\", \"-c\", \"true\"]
         timeout_ms = 250\nmax_output = 10\nretry = { max_attempts = 4, backoff_ms = 5 }
         input_schema_file = \"schema.json\"\n[triggers]\nstdin = false\nprogram = [\"sh\"]\n",
    );
    let config = Config::load(&file).unwrap();
    assert_eq!(config.key, KeySource::File(folder.0.join("k")));
    assert_eq!(config.reconnect, Some((Duration::from_millis(1), Duration::from_millis(2))));
    assert_eq!(config.parallel, 3);
    assert!(config.allow_insecure && !config.triggers.stdin);
    assert_eq!(config.triggers.program, Some(vec!["sh".to_owned()]));
    let command = CommandConfig {
        name: "a".to_owned(),
        description: "d".to_owned(),
        input_schema: Some(json!({"type":"object"})),
        timeout: Duration::from_millis(250),
        retry: Some((4, Duration::from_millis(5))),
        program: ["sh", "-c", "true"].map(str::to_owned).to_vec(),
        max_output: 10,
    };
    assert_eq!(config.commands, [command]);
}

#[test]
fn a_fault_is_named_with_its_line_and_what_to_do() {
    let command = |rest: &str| format!("{HEAD}[[command]]\nname = \"a\"\nprogram = [\"sh\"]\n{rest}");
    let cases: &[(String, usize, &str)] = &[
        (HEAD.replace("acme", "ac/me"), 2, "agent id"),
        (HEAD.replace("sensor", "+"), 3, "device name"),
        (HEAD.replace("mqtt://localhost", "http://localhost"), 1, "use mqtt://"),
        (HEAD.replace("mqtt://localhost", "lua"), 1, "not built yet"),
        (HEAD.replace("url = \"mqtt://localhost\"\n", ""), 0, "lua-mqtts"),
        (HEAD.replace("api_key_env = \"KEY\"", "api_key = \"sekrit\""), 4, "api_key_file"),
        (HEAD.replace("api_key_env = \"KEY\"\n", ""), 0, "where is the API key?"),
        (format!("{HEAD}api_key_file = \"k\"\n"), 4, "leave one out"),
        (format!("{HEAD}colour = \"red\"\n"), 5, "unknown field `colour`"),
        (format!("{HEAD}group = \"\"\n"), 5, "group"),
        (format!("{HEAD}x = [\n"), 5, "unclosed array"),
        (format!("{HEAD}reconnect = {{ first_ms = 9, longest_ms = 8 }}\n"), 5, "first_ms from 1 to"),
        (format!("{HEAD}parallel = 0\n"), 5, "1 to 1000 programs"),
        (command("timeout_ms = 0\n"), 8, "1 to 3600000"),
        (command("timeout_ms = \"5s\"\n"), 8, "invalid type"),
        (command("max_output = 9999999\n"), 8, "max_output"),
        (command("retry = { max_attempts = 0, backoff_ms = 1 }\n"), 8, "max_attempts"),
        (command("input_schema = { since = 2025-01-15 }\n"), 8, "as a string"),
        (command("input_schema_file = \"none.json\"\n"), 8, "none.json"),
        (command("[[command]]\nname = \"a\"\nprogram = [\"sh\"]\n"), 9, "two commands named \"a\""),
        (command("[triggers]\nprogram = []\n"), 9, "as an array"),
        (format!("{HEAD}[[command]]\nname = \"\"\nprogram = [\"sh\"]\n"), 6, "1 to 64 bytes"),
        (format!("{HEAD}[[command]]\nname = \"a\"\nprogram = [\"./none.sh\"]\n"), 7, "is not there"),
        (format!("{HEAD}[[command]]\nname = \"a\"\nprogram = [\"no-such-program\"]\n"), 7, "search path"),
        (format!("{HEAD}[[command]]\nname = \"a\"\nprogram = [\"./device.toml\"]\n"), 7, "chmod +x"),
        (format!("{HEAD}[[command]]\nname = \"a\"\n"), 5, "program"),
    ];
    for (text, line, says) in cases {
        let (at, complaint) = complaint(text);
        assert!(complaint.contains(says), "{text}\n-> {at}: {complaint}");
        assert_eq!(at, *line, "{text}\n-> {complaint}");
        assert!(!complaint.contains("sekrit"), "{complaint}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("no/such/device.toml")).map(|_| ()).unwrap_err().to_string();
    assert!(error.starts_with("no/such/device.toml: cannot be read"), "{error}");
}
