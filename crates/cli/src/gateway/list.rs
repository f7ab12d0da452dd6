//! `gateway list`: the devices that the broker knows of.

use clap::Args;
use serde::Serialize;

use super::link::{BROKER_PATIENCE, Link, News};
use super::manifest::Command;
use super::names::{DEVICES, DeviceId, GATEWAY};
use super::registry::{Known, Presence};
use super::state::{Action, Gateway, Settings};
use super::{KeyRing, random};
use crate::broker::Broker;
use crate::exit::{Failure, Outcome};
use crate::output::{Output, Tone};
use crate::text::excerpt;

const ABOUT: &str = "\
Shows the devices that the broker knows of: which are online, and the commands that they announced to a serving \
gateway.

A device is known by its retained status; it stays until somebody clears that. It ends when the broker has sent \
everything it keeps, which a message to itself that comes back tells.";

const AFTER: &str = "\
Examples:
  mqtt-device gateway --url mqtt://localhost list
  mqtt-device gateway --url mqtt://localhost --json list | jq -r 'select(.online).device'";

/// Show the devices that the broker knows of
#[derive(Args, Debug)]
#[command(long_about = ABOUT, after_help = AFTER, after_long_help = format!("{AFTER}\n\n{}", crate::cli::exit_status()))]
pub(super) struct Options {
    /// Only devices that are online
    #[arg(long)]
    online: bool,
}

/// Collects and prints.
///
/// # Errors
/// The broker refuses or does not answer.
pub(super) async fn list(options: &Options, broker: &Broker, json: bool) -> Outcome {
    let filters = [format!("{DEVICES}+/+/status"), format!("{GATEWAY}devices/+/+")];
    let mut link = Link::open(broker, None, &filters).await?;
    let settings = Settings { keys: KeyRing::Open, run: random(), trigger_result: None, keep_records: false };
    let mut gateway = Gateway::new(settings);
    link.mark();
    let collected = tokio::time::timeout(BROKER_PATIENCE, collect(&mut link, &mut gateway)).await;
    link.close().await;
    let complete = collected.map_err(|_: tokio::time::error::Elapsed| {
        Failure::no_answer(format_args!("{} did not say when it had sent all it keeps", broker.server))
    })?;
    complete?;
    print(&gateway, options, json)
}

async fn collect(link: &mut Link, gateway: &mut Gateway) -> Outcome {
    loop {
        match link.next().await {
            News::End => return Err(Failure::failed("the connection ended")),
            News::Event(_) => {}
            News::Message(message) if link.is_marker(&message) => return Ok(()),
            News::Message(message) => {
                // Only looked at: nothing is answered.
                for action in gateway.handle(&message.topic, &message.payload, message.retain) {
                    if let Action::Report(event) = action
                        && event.is_trouble()
                    {
                        tracing::warn!("{}: {}", event.who(), event.what());
                    }
                }
            }
        }
    }
}

/// A device as `--json` shows it.
#[derive(Serialize)]
struct Row<'a> {
    device: &'a DeviceId,
    online: bool,
    group: Option<&'a str>,
    /// `null` when no gateway has seen its manifest.
    commands: Option<&'a [Command]>,
}

fn print(gateway: &Gateway, options: &Options, json: bool) -> Outcome {
    let mut output = Output::new();
    let online = |known: &Known| known.presence == Presence::Online;
    let wanted: Vec<_> = gateway
        .registry()
        .iter()
        .filter(|(_, known)| known.presence != Presence::Unknown && (!options.online || online(known)))
        .collect();
    if json {
        for (device, known) in wanted {
            let commands = known.manifest.as_ref().map(|manifest| manifest.commands.as_slice());
            output.json(&Row { device, online: online(known), group: known.group.as_deref(), commands })?;
        }
        return Ok(());
    }
    if wanted.is_empty() {
        return Ok(output.line("no devices")?);
    }
    let width = wanted.iter().map(|(device, _)| device.to_string().chars().count()).max().unwrap_or(0).max(6);
    let heading = format!("{:<width$}  {:<8} {:<20} {}", "DEVICE", "STATE", "GROUP", "COMMANDS");
    output.line(&Tone::Heading.paint(&heading, 0))?;
    for (device, known) in wanted {
        let state = if online(known) { Tone::Good.paint("online", 8) } else { Tone::Dim.paint("offline", 8) };
        let group = known.group.as_deref().map_or_else(|| "-".to_owned(), |group| excerpt(group.as_bytes()));
        let commands = known.manifest.as_ref().map_or_else(
            || "? (no gateway has seen its manifest)".to_owned(),
            |manifest| {
                let names: Vec<_> = manifest.commands.iter().map(|command| excerpt(command.name.as_bytes())).collect();
                names.join(", ")
            },
        );
        output.line(&format!("{:<width$}  {state} {group:<20} {commands}", device.to_string()))?;
    }
    Ok(())
}
