//! The command line: what can be asked for, and the manual pages.

use clap::{ArgAction, Parser, Subcommand};

use crate::exit::{Failure, Outcome};
use crate::output::{self, Verbosity};
use crate::{decode, demo, gateway, run};

const EXIT_STATUS: &str = "\
Exit status:
  0  success
  1  something went wrong, or the device answered that it failed
  2  the arguments or a file cannot be used
  3  the broker or the device did not answer in time
  130  ended at once, at the second Ctrl-C or SIGTERM";

const AFTER: &str = "\
Examples:
  mqtt-device demo
      Shows a device on a broker of its own: commands, a cut, a trigger, counts. Takes a few seconds.
  mqtt-device run --config device.toml
      Runs the device that the file describes; each command is a program of yours.
  mqtt-device gateway --url mqtt://localhost --keys keys.txt
      Serves devices on a broker of yours, without an account.
  mqtt-device gateway --url mqtt://localhost send acme:greenhouse read_environment
      Sends a command and prints the answer.
  mqtt-device decode 30 07 00 04 64 6f 6f 72 31
      Shows what a packet is, or what is wrong with it.

Environment:
  MQTT_DEVICE_URL, MQTT_DEVICE_USERNAME, MQTT_DEVICE_PASSWORD
      The broker and the credentials, where the options of gateway do not say.
  NO_COLOR
      No colours, also on a terminal.";

/// Run, watch and drive devices of the Lua device protocol over MQTT.
///
/// A device connects to a broker, announces its commands, runs each command once, answers it, fires triggers, and
/// comes back after every cut. This program is such a device (run), the server's side of the protocol (gateway), and
/// both of them with a broker in one process, to look at (demo).
#[derive(Debug, Parser)]
#[command(name = "mqtt-device", version, after_help = AFTER, after_long_help = format!("{AFTER}\n\n{EXIT_STATUS}"))]
#[command(max_term_width = 100, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Say more: what happens; twice and thrice: how
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Say only what went wrong, and results
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(Box<demo::Options>),
    Run(run::Options),
    Gateway(Box<gateway::Options>),
    Decode(decode::Options),
}

impl Command {
    /// Whether others depend on it while it prints.
    const fn serves(&self) -> bool {
        match self {
            Self::Run(options) => options.serves(),
            Self::Gateway(options) => options.serves(),
            Self::Demo(_) | Self::Decode(_) => false,
        }
    }
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Why it could not be done, with the exit code.
    pub(crate) fn run(self) -> Outcome {
        let verbosity = match (self.quiet, self.verbose) {
            (true, _) => -1,
            (false, n) => Verbosity::try_from(n).unwrap_or(Verbosity::MAX),
        };
        output::start_log(verbosity, self.command.serves());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::failed(format_args!("cannot start: {error}")))?;
        let outcome = runtime.block_on(async {
            match self.command {
                Command::Demo(options) => demo::demo(&options, verbosity).await,
                Command::Run(options) => run::run(&options, verbosity).await,
                Command::Gateway(options) => gateway::gateway(*options, verbosity).await,
                Command::Decode(options) => decode::decode(&options),
            }
        });
        // A thread that still reads standard input would be waited for otherwise, until its next line.
        runtime.shutdown_background();
        outcome
    }
}

/// The lines on exit codes, for the subcommands' manual pages.
pub(crate) const fn exit_status() -> &'static str {
    EXIT_STATUS
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_manual_page_has_examples_and_exit_codes() {
        let mut cli = Cli::command();
        cli.build();
        let mut pages = vec![cli.clone()];
        pages.extend(cli.get_subcommands().filter(|page| page.get_name() != "help").cloned());
        assert_eq!(pages.len(), 5);
        for mut page in pages {
            let text = page.render_long_help().to_string();
            for part in ["Examples:", "Exit status:", "  0  success", "--quiet"] {
                assert!(text.contains(part), "{}: no {part:?} in\n{text}", page.get_name());
            }
        }
    }

    #[test]
    fn no_option_takes_a_secret() {
        let mut cli = Cli::command();
        cli.build();
        let mut pages = vec![cli];
        while let Some(page) = pages.pop() {
            for option in page.get_arguments().filter_map(|option| option.get_long()) {
                let secret = option.contains("password") || option.contains("key");
                let place = option.ends_with("-file") || matches!(option, "keys" | "accept-any-key");
                assert!(!secret || place, "--{option} of {} takes a secret", page.get_name());
            }
            pages.extend(page.get_subcommands().cloned());
        }
    }
}
