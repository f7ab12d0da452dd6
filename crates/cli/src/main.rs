//! The program `mqtt-device`.

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
mod text;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let text = failure.to_string();
            if !text.is_empty() {
                let bad = anstyle::AnsiColor::Red.on_default().bold();
                anstream::eprintln!("{bad}error:{bad:#} {text}");
            }
            failure.exit_code()
        }
    }
}
