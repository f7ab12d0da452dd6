//! `run`: a device described by a file, its commands done by programs.

mod config;
#[cfg(test)]
mod config_tests;
mod find;
mod program;
#[cfg(all(test, unix))]
mod program_tests;
mod report;
mod triggers;
mod watch;

use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use mqtt_device_tokio::{Command, CommandError, Device, HeapLimits};
use tokio::io::BufReader;

pub(crate) use report::describe_event;

use crate::broker::{Hidden, read_secret};
use crate::exit::{Failure, Outcome};
use crate::output::{Output, Verbosity};
use crate::signals::Signals;
use config::{CommandConfig, Config, KeySource};
use program::Launcher;
use watch::Watched;

/// How long a graceful stop may take; commands under way get half of it.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// How many commands are remembered, and how many may be under way at once.
const COMMANDS: usize = 1000;

/// What both sources of triggers may have open, in number and in bytes: none of them makes room for another.
const TRIGGERS: (u16, u32) = (2 * triggers::OPEN, 3 << 20);

/// Bytes of what waits to leave: the triggers, and what the device itself says.
const ARENA: usize = 4 << 20;

const ABOUT: &str = "\
Runs a device without writing code. A file names the broker, the device and its commands; each command is a program of \
yours: the payload comes as it was sent, as JSON with a line end, on its standard input (null when there is none); what \
it writes as JSON to standard output is the result, and leaves as it was written. A \
non-zero exit, too long a time, or anything but JSON is an answer with success:false, which says why and shows the end \
of standard error.

Triggers fire from lines of JSON, {\"trigger\":\"NAME\",\"payload\":{…}}, on standard input or from a program that is \
watched. At most 16 of each source are on their way at once, waiting for the broker or for the gateway's answer; then \
standard input is not read on, and who writes there waits. The device runs on when it ends. A watched program is never \
held up: its lines wait here, at most 256, and how many older ones were dropped is told. When it ends, it is started \
again. A trigger on its way that could not leave for an hour is given up.

Ctrl-C or SIGTERM stops: commands under way get 5 s, then each is answered with an error and its program is ended; the \
device says that it is offline and goes, within 10 s in all. A second signal ends it and its programs at once.";

const FILE: &str = "\
The file (TOML):
  url = \"mqtt://localhost:1883\"      the broker; or a preset, lua or lua-mqtts (the default):
                                     they want TLS, which is not built yet
  agent = \"acme\"                     the agent's id
  device = \"greenhouse\"              the device's name
  group = \"sensors\"                  optional
  api_key_file = \"key.txt\"           or api_key_env = \"NAME\": never the key itself
  allow_insecure = true              optional: lets the key go over a network in clear text
  reconnect = { first_ms = 1000, longest_ms = 60000 }   optional: bounds of the random delays
  parallel = 16                      optional: programs that may run at once; more commands wait

  [[command]]                        as many as you like
  name = \"read_environment\"
  description = \"…\"
  program = [\"./read.sh\", \"now\"]     program and arguments, started in the file's folder
  timeout_ms = 5000                  optional (30000)
  max_output = 32768                 optional: bytes that the program may write
  input_schema = { type = \"object\" } optional, or input_schema_file = \"schema.json\"
  retry = { max_attempts = 3, backoff_ms = 1000 }   optional: for the gateway

  [triggers]                         optional
  stdin = true                       read lines from standard input (true)
  program = [\"./watch.sh\"]           read lines from this program

A program finds MQTT_DEVICE_COMMAND and MQTT_DEVICE_COMMAND_ID in its environment.";

const AFTER: &str = "\
Examples:
  mqtt-device run --config device.toml
  mqtt-device run --config device.toml --check
  echo '{\"trigger\":\"humidity_alert\",\"payload\":{\"humidity\":91}}' |
      mqtt-device run --config device.toml";

/// Run a device that a file describes; its commands are programs
#[derive(Args, Debug)]
#[command(long_about = ABOUT, after_help = AFTER)]
#[command(after_long_help = format!("{FILE}\n\n{AFTER}\n\n{}", crate::cli::exit_status()))]
pub(crate) struct Options {
    /// The file that describes the device
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only check the file and what it names
    #[arg(long)]
    check: bool,
}

impl Options {
    /// Whether a device will run.
    pub(crate) const fn serves(&self) -> bool {
        !self.check
    }
}

/// Runs the device until a signal.
///
/// # Errors
/// The file cannot be used, or the device could not say goodbye.
pub(crate) async fn run(options: &Options, verbosity: Verbosity) -> Outcome {
    let config = Config::load(&options.config).map_err(Failure::usage)?;
    let key = api_key(&config.key)?;
    if options.check {
        let what = format!("{}: sound: {}:{}", options.config.display(), config.agent, config.device);
        return Ok(Output::new().line(&format!("{what}, {} commands, {}", config.commands.len(), config.server))?);
    }
    let mut signals = Signals::catch(program::end_all)?;
    let launcher = Arc::new(Launcher::new(config.folder.clone(), &config.key, config.parallel));
    let device = build(&config, key, &launcher)?;
    let events = device.events();
    let reporting = tokio::spawn(report::report(events, verbosity));
    let stdin = async {
        if config.triggers.stdin {
            triggers::fire_each(&device, "standard input", BufReader::new(tokio::io::stdin())).await;
        }
        core::future::pending::<()>().await;
    };
    let watched = config.triggers.program.as_ref().map(|program| Watched::new(&device, &launcher, program));
    let watching = async {
        match &watched {
            Some(watched) => watched.run().await,
            None => core::future::pending().await,
        }
    };
    tokio::select! {
        () = signals.next() => {}
        () = stdin => {}
        () = watching => {}
        _ = device.stopped() => {}
    }
    tracing::info!("stopping");
    watched.iter().for_each(Watched::last_words);
    let connected = device.is_connected();
    let stopped = device.stop(STOP_WITHIN).await;
    // The stream ends with the device.
    reporting.await.map_err(Failure::failed)??;
    if stopped.clean {
        Ok(())
    } else if !connected {
        // Nobody to say goodbye to: the broker has told of it already, by the will.
        tracing::warn!("stopped without a connection: what waited for one, if anything, is lost");
        Ok(())
    } else {
        Err(Failure::failed("stopped, but not everything could be said: the broker did not confirm in time"))
    }
}

fn api_key(source: &KeySource) -> Outcome<Hidden> {
    match source {
        KeySource::File(file) => read_secret(file, "api_key_file"),
        KeySource::Variable(name) => match std::env::var(name) {
            Ok(key) if !key.is_empty() => Ok(Hidden(key)),
            _ => {
                Err(Failure::usage(format_args!("api_key_env: the variable {name} is not set: put the API key there")))
            }
        },
    }
}

fn build(config: &Config, Hidden(key): Hidden, launcher: &Arc<Launcher>) -> Outcome<Device> {
    let largest = config.commands.iter().map(|command| command.max_output).max().unwrap_or(0);
    // The answer is the result as it was printed, with a frame around it.
    let response = largest.max(4096) + 1024;
    let mut builder = Device::builder(config.server.to_string())
        .identity(config.agent.clone(), config.device.clone())
        .api_key(key)
        .tables(COMMANDS, response, COMMANDS * response)
        .limits(HeapLimits { arena: ARENA, ..HeapLimits::default() })
        .configure_device(|settings| {
            (settings.triggers.count, settings.triggers.bytes) = TRIGGERS;
        });
    if let Some(group) = &config.group {
        builder = builder.group(group.clone());
    }
    if config.allow_insecure {
        builder = builder.allow_insecure_credentials();
    }
    if let Some((first, longest)) = config.reconnect {
        builder = builder.configure(|settings| {
            settings.backoff.base = first.into();
            settings.backoff.cap = longest.into();
        });
    }
    for command in &config.commands {
        builder = builder.command(declare(command));
        let (launcher, program) = (Arc::clone(launcher), Arc::new(command.clone()));
        builder = builder.on_command(command.name.clone(), move |call| {
            let (launcher, program) = (Arc::clone(&launcher), Arc::clone(&program));
            async move {
                let ran = program::run(&launcher, &program, &call.id, call.json(), call.deadline).await;
                ran.map_err(CommandError::new)
            }
        });
    }
    builder.start().map_err(Failure::usage)
}

fn declare(config: &CommandConfig) -> Command {
    let mut command = Command::new(config.name.clone()).description(config.description.clone()).timeout(config.timeout);
    if let Some(schema) = &config.input_schema {
        command = command.input_schema(schema.clone());
    }
    if let Some((attempts, backoff)) = config.retry {
        command = command.retry(attempts, backoff);
    }
    command
}
