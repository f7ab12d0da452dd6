//! The file that describes a device: how it is read and what is refused, with the line.

use core::fmt;
use core::time::Duration;
use std::path::{Path, PathBuf};

use mqtt_device_core::Identity;
use mqtt_device_tokio::Server;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use toml::Spanned;

use super::find::find_program;
use crate::limits::{ATTEMPTS, BACKOFF_MS, TIMEOUT_MS};

/// The platform's server as the protocol's description has it.
const DEFAULT_URL: &str = "lua-mqtts";

/// How many commands a device can have.
const COMMANDS_MAX: usize = 1024;

/// The largest answer that a program may write.
pub(super) const MAX_OUTPUT: usize = 128 * 1024;

/// A device, checked.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) server: Server,
    pub(super) agent: String,
    pub(super) device: String,
    pub(super) group: Option<String>,
    pub(super) key: KeySource,
    pub(super) allow_insecure: bool,
    /// Bounds of the first and of every delay before an attempt to connect.
    pub(super) reconnect: Option<(Duration, Duration)>,
    /// How many programs may run at once; further commands wait.
    pub(super) parallel: usize,
    pub(super) commands: Vec<CommandConfig>,
    pub(super) triggers: Triggers,
    /// Programs are looked up, and run, here: the folder of the file.
    pub(super) folder: PathBuf,
}

/// Where the API key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeySource {
    File(PathBuf),
    Variable(String),
}

/// A command and the program behind it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CommandConfig {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) input_schema: Option<Value>,
    pub(super) timeout: Duration,
    pub(super) retry: Option<(u32, Duration)>,
    pub(super) program: Vec<String>,
    pub(super) max_output: usize,
}

/// Where triggers come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Triggers {
    pub(super) stdin: bool,
    pub(super) program: Option<Vec<String>>,
}

/// A file that cannot be used: where, what, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConfigError {
    file: PathBuf,
    line: Option<usize>,
    message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, "{line}:"))?;
        write!(f, " {}", self.message)
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    url: Option<Spanned<String>>,
    agent: Spanned<String>,
    device: Spanned<String>,
    group: Option<Spanned<String>>,
    api_key: Option<Spanned<IgnoredAny>>,
    api_key_file: Option<Spanned<PathBuf>>,
    api_key_env: Option<Spanned<String>>,
    #[serde(default)]
    allow_insecure: bool,
    reconnect: Option<Spanned<FileReconnect>>,
    parallel: Option<Spanned<usize>>,
    #[serde(default, rename = "command")]
    commands: Vec<Spanned<FileCommand>>,
    triggers: Option<FileTriggers>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCommand {
    name: Spanned<String>,
    #[serde(default)]
    description: String,
    input_schema: Option<Spanned<toml::Table>>,
    input_schema_file: Option<Spanned<PathBuf>>,
    timeout_ms: Option<Spanned<u64>>,
    retry: Option<Spanned<FileRetry>>,
    program: Spanned<Vec<String>>,
    max_output: Option<Spanned<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRetry {
    max_attempts: u32,
    backoff_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileReconnect {
    first_ms: u64,
    longest_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTriggers {
    stdin: Option<bool>,
    program: Option<Spanned<Vec<String>>>,
}

/// What is wrong, and at which byte.
type Fault = (Option<core::ops::Range<usize>>, String);

fn at<T>(place: &Spanned<T>, message: impl fmt::Display) -> Fault {
    (Some(place.span()), message.to_string())
}

impl Config {
    /// Reads and checks a file. Programs must exist; the key itself is read later.
    ///
    /// # Errors
    /// The first thing that cannot be used.
    pub(super) fn load(path: &Path) -> Result<Self, ConfigError> {
        let file = || path.to_owned();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            file: file(),
            line: None,
            message: format!("cannot be read: {error}"),
        })?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = std::path::absolute(folder).map_err(|error| ConfigError {
            file: file(),
            line: None,
            message: format!("has no folder: {error}"),
        })?;
        Self::parse(&text, &folder).map_err(|(span, message)| {
            let line = span.map(|span| 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count());
            ConfigError { file: file(), line, message }
        })
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, Fault> {
        let file: File = toml::from_str(text).map_err(|error| (error.span(), error.message().to_owned()))?;
        let server = match &file.url {
            None => Server::parse(DEFAULT_URL)
                .map_err(|error| (None, format!("no url is given, and the default is {DEFAULT_URL}: {error}")))?,
            Some(url) => Server::parse(url.as_ref()).map_err(|error| at(url, format_args!("url: {error}")))?,
        };
        let identity = |agent: &str, device: &str| Identity::new(agent, device);
        identity(file.agent.as_ref(), "d").map_err(|error| at(&file.agent, error))?;
        let identity = identity("a", file.device.as_ref()).map_err(|error| at(&file.device, error))?;
        if let Some(group) = &file.group {
            identity.with_group(group.as_ref()).map_err(|error| at(group, error))?;
        }
        let key = key_source(&file, folder)?;
        let mut commands = Vec::new();
        for command in file.commands {
            commands.push(command.into_inner().check(folder, &commands)?);
        }
        if commands.len() > COMMANDS_MAX {
            return Err((None, format!("{} commands are more than a device can have, {COMMANDS_MAX}", commands.len())));
        }
        let reconnect = match file.reconnect {
            Some(given) if !(1..=given.as_ref().longest_ms).contains(&given.as_ref().first_ms) => {
                return Err(at(&given, "reconnect: write first_ms from 1 to longest_ms"));
            }
            given => given.map(Spanned::into_inner),
        };
        let parallel = file.parallel.as_ref().map_or(16, |given| *given.as_ref());
        if let Some(given) = file.parallel.filter(|given| !(1..=1000).contains(given.as_ref())) {
            return Err(at(&given, "parallel: write 1 to 1000 programs"));
        }
        let ms = Duration::from_millis;
        let reconnect = reconnect.map(|given| (ms(given.first_ms), ms(given.longest_ms)));
        let mut triggers = Triggers { stdin: true, program: None };
        if let Some(given) = file.triggers {
            triggers.stdin = given.stdin.unwrap_or(true);
            triggers.program = given.program.map(|program| check_program(program, folder)).transpose()?;
        }
        Ok(Self {
            server,
            agent: file.agent.into_inner(),
            device: file.device.into_inner(),
            group: file.group.map(Spanned::into_inner),
            key,
            allow_insecure: file.allow_insecure,
            reconnect,
            parallel,
            commands,
            triggers,
            folder: folder.to_owned(),
        })
    }
}

fn key_source(file: &File, folder: &Path) -> Result<KeySource, Fault> {
    if let Some(key) = &file.api_key {
        let advice =
            "the key itself does not belong here: name a file with api_key_file, or a variable with api_key_env";
        return Err(at(key, advice));
    }
    match (&file.api_key_file, &file.api_key_env) {
        (Some(path), None) => Ok(KeySource::File(folder.join(path.as_ref()))),
        (None, Some(name)) if name.as_ref().is_empty() || name.as_ref().contains(['=', '\0']) => {
            Err(at(name, "api_key_env: that cannot be the name of an environment variable"))
        }
        (None, Some(name)) => Ok(KeySource::Variable(name.as_ref().clone())),
        (Some(_), Some(name)) => Err(at(name, "api_key_file and api_key_env are both given: leave one out")),
        (None, None) => {
            Err((None, "where is the API key? add api_key_file = \"FILE\" or api_key_env = \"NAME\"".to_owned()))
        }
    }
}

impl FileCommand {
    fn check(self, folder: &Path, before: &[CommandConfig]) -> Result<CommandConfig, Fault> {
        let name = self.name.as_ref();
        if name.is_empty() || name.len() > 64 || name.contains(char::is_control) {
            return Err(at(&self.name, "a command's name has 1 to 64 bytes and no control characters"));
        }
        if before.iter().any(|other| other.name == *name) {
            return Err(at(&self.name, format_args!("there are two commands named {name:?}: rename one")));
        }
        let input_schema = match (self.input_schema, self.input_schema_file) {
            (None, None) => None,
            (Some(table), None) => {
                let json = serde_json::to_value(table.as_ref());
                let json = json.map_err(|error| at(&table, format_args!("input_schema is no JSON: {error}")))?;
                if has_datetime(table.as_ref()) {
                    return Err(at(&table, "input_schema: JSON has no dates: write the date as a string"));
                }
                Some(json)
            }
            (None, Some(path)) => Some(read_schema(&path, folder)?),
            (Some(_), Some(path)) => {
                return Err(at(&path, "input_schema and input_schema_file are both given: leave one out"));
            }
        };
        let timeout_ms = self.timeout_ms.as_ref().map_or(30_000, |given| *given.as_ref());
        if let Some(given) = self.timeout_ms.filter(|given| !TIMEOUT_MS.contains(given.as_ref())) {
            return Err(at(&given, "timeout_ms: write 1 to 3600000 milliseconds"));
        }
        let max_output = self.max_output.as_ref().map_or(32 * 1024, |given| *given.as_ref());
        if let Some(given) = self.max_output.filter(|given| !(1..=MAX_OUTPUT).contains(given.as_ref())) {
            return Err(at(&given, format_args!("max_output: write 1 to {MAX_OUTPUT} bytes")));
        }
        let retry = match self.retry {
            Some(given) if !ATTEMPTS.contains(&given.as_ref().max_attempts) => {
                return Err(at(&given, "retry: write 1 to 1000 max_attempts"));
            }
            Some(given) if !BACKOFF_MS.contains(&given.as_ref().backoff_ms) => {
                return Err(at(&given, "retry: write 0 to 3600000 milliseconds as backoff_ms"));
            }
            given => given.map(|given| (given.as_ref().max_attempts, Duration::from_millis(given.as_ref().backoff_ms))),
        };
        Ok(CommandConfig {
            name: self.name.into_inner(),
            description: self.description,
            input_schema,
            timeout: Duration::from_millis(timeout_ms),
            retry,
            program: check_program(self.program, folder)?,
            max_output,
        })
    }
}

fn check_program(program: Spanned<Vec<String>>, folder: &Path) -> Result<Vec<String>, Fault> {
    let Some(first) = program.as_ref().first().filter(|first| !first.is_empty()) else {
        return Err(at(&program, "program: write the program and its arguments as an array: [\"./read.sh\", \"now\"]"));
    };
    if program.as_ref().iter().any(|word| word.contains('\0')) {
        return Err(at(&program, "program: a NUL character cannot be passed on: leave it out"));
    }
    find_program(first, folder).map_err(|why| at(&program, format_args!("program: {why}")))?;
    Ok(program.into_inner())
}

fn read_schema(path: &Spanned<PathBuf>, folder: &Path) -> Result<Value, Fault> {
    let file = folder.join(path.as_ref());
    let fault = |why: &dyn fmt::Display| at(path, format_args!("input_schema_file: {}: {why}", file.display()));
    let text = std::fs::read_to_string(&file).map_err(|error| fault(&error))?;
    let schema: Value = serde_json::from_str(&text).map_err(|error| fault(&error))?;
    if schema.is_object() { Ok(schema) } else { Err(fault(&"a JSON Schema of a payload is an object")) }
}

fn has_datetime(table: &toml::Table) -> bool {
    fn any(value: &toml::Value) -> bool {
        match value {
            toml::Value::Datetime(_) => true,
            toml::Value::Array(values) => values.iter().any(any),
            toml::Value::Table(table) => has_datetime(table),
            _ => false,
        }
    }
    table.values().any(any)
}
