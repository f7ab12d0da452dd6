//! `gateway`: the server's side of the protocol, over any broker.
//!
//! [`state`] is the whole of it without I/O; [`serve`], [`send`] and [`list`] put it on a connection.

mod commands;
mod event;
mod keys;
mod link;
mod list;
mod manifest;
mod names;
mod overload;
mod proof;
mod registry;
mod send;
mod serve;
mod state;
#[cfg(test)]
mod state_tests;
mod wire;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::broker::{BrokerOptions, warn_if_readable};
use crate::exit::{Failure, Outcome};
use crate::output::Verbosity;

pub(crate) use event::Event;
pub(crate) use keys::KeyRing;
pub(crate) use link::{Link, News, random, served_filters_of, why};
pub(crate) use names::DeviceId;
pub(crate) use serve::{describe, sleep_until};
pub(crate) use state::{Action, Gateway, Order, Outgoing, Settings};

const ABOUT: &str = "\
Serves devices of the Lua device protocol over any broker, for people without an account: checks their API keys, keeps \
which are online and what they can do, answers `connected`, `pong`, `trigger_ack`, `trigger_result` and `error`, and \
prints what happens.

Without a subcommand it serves until Ctrl-C. `send` sends one command and prints the answer; `list` shows the devices. \
Both also work beside a serving gateway.

The file of keys has one device per line, `agentId:deviceName key`. Either name may be `*`; the most exact line \
decides. Empty lines and lines that begin with `#` are skipped.

What a device announced is kept, retained, on lua/gateway/devices/…, without its key, so that `send` and `list` know \
it and a restarted gateway too. A device shows its key when it connects, and only then: of one that stayed connected \
while the gateway restarted, the gateway believes the record, if its salted fingerprint is that of a key which is still \
valid. Of any other, heartbeats are not answered and triggers are refused until it connects again; one line says so. \
It still can be sent commands. Let nobody else read or write below lua/gateway/.";

const AFTER: &str = "\
Examples:
  mqtt-device gateway --url mqtt://localhost --keys keys.txt
  mqtt-device gateway --url mqtt://localhost --keys keys.txt --json | jq .
  mqtt-device gateway --url mqtt://localhost list
  mqtt-device gateway --url mqtt://localhost send acme:lamp toggle '{\"on\":true}'
  echo '{\"device\":\"acme:lamp\",\"command\":\"toggle\",\"payload\":{\"on\":true}}' |
      mqtt-device gateway --url mqtt://localhost --keys keys.txt --commands";

/// Serve devices over any broker: keys, commands, triggers
#[derive(Args, Debug)]
#[command(long_about = ABOUT, after_help = AFTER, after_long_help = format!("{AFTER}\n\n{}", crate::cli::exit_status()))]
pub(crate) struct Options {
    /// Print one JSON object per line, for programs
    #[arg(long, global = true)]
    json: bool,
    /// The file of API keys
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Accept every device with any key
    #[arg(long, conflicts_with = "keys")]
    accept_any_key: bool,
    /// After each accepted trigger, send this as its `trigger_result`
    #[arg(long, value_name = "JSON", value_parser = parse_json)]
    trigger_result: Option<serde_json::Value>,
    /// Send the commands that come as lines of JSON on standard input, and end when the last one is done:
    /// {"device":"AGENT:DEVICE","command":"NAME","payload":…,"attempts":N,"timeout":MS}. The exit status is that of the
    /// worst of them: 3 without an answer, 2 for a line that cannot be used, 1 when a device answered that it failed
    #[arg(long)]
    commands: bool,
    /// The MQTT Client Identifier. Its session stays at the broker, so that nothing is missed between two runs. Two
    /// gateways on one broker need two
    #[arg(long, value_name = "ID", default_value = "lua-gateway")]
    client_id: String,
    #[command(flatten)]
    broker: BrokerOptions,
    #[command(subcommand)]
    action: Option<Subcommands>,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    Send(send::Options),
    List(list::Options),
}

/// Runs the subcommand.
///
/// # Errors
/// See the exit codes.
pub(crate) async fn gateway(options: Options, verbosity: Verbosity) -> Outcome {
    let broker = options.broker.resolve()?;
    match &options.action {
        Some(Subcommands::Send(send)) => send::send(send, &broker, options.json, verbosity).await,
        Some(Subcommands::List(list)) => list::list(list, &broker, options.json).await,
        None => {
            let settings = Settings {
                keys: options.keys()?,
                run: random(),
                trigger_result: options.trigger_result.clone(),
                keep_records: true,
            };
            serve::serve(settings, &options, &broker, verbosity).await
        }
    }
}

impl Options {
    /// Whether it will serve.
    pub(crate) const fn serves(&self) -> bool {
        self.action.is_none()
    }

    fn keys(&self) -> Outcome<KeyRing> {
        let Some(file) = &self.keys else {
            return if self.accept_any_key {
                Ok(KeyRing::Open)
            } else {
                Err(Failure::usage("which keys are valid? add --keys FILE (see --help), or --accept-any-key"))
            };
        };
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format_args!("--keys: cannot read {}: {error}", file.display())))?;
        warn_if_readable(file);
        KeyRing::parse(&text).map_err(|error| Failure::usage(format_args!("{}: {error}", file.display())))
    }
}

fn parse_json(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}
