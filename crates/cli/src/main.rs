//! The program `mqtt-device`.
#![forbid(unsafe_code)]

mod broker;
mod cli;
mod decode;
mod demo;
mod exit;
mod gateway;
mod limits;
mod lines;
mod output;
mod run;
mod seldom;
mod signals;
mod spool;
mod text;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let outcome = cli::Cli::parse().run();
    output::close_log(&outcome.as_ref().err().map(ToString::to_string).unwrap_or_default());
    outcome.map_or_else(|failure| failure.exit_code(), |()| ExitCode::SUCCESS)
}
