//! `demo`: a device, a gateway and a broker in one process, as a timeline that a person can follow.

mod broker;
mod counts;
mod greenhouse;
mod proxy;
mod script;
mod stage;
mod timeline;
mod wire;

use core::time::Duration;
use std::path::PathBuf;

use clap::Args;
use mqtt_device_tokio::{Client, QoS, Security, Server};
use serde_json::json;

use crate::broker::{Broker, BrokerOptions, Hidden, read_secret};
use crate::exit::{Failure, Outcome};
use crate::gateway::{DeviceId, Gateway, KeyRing, Link, Settings, random, served_filters_of};
use crate::output::{Output, Verbosity};
use crate::signals::Signals;
use broker::Embedded;
use counts::{Comparison, Counts};
use proxy::Proxy;
use stage::{Facts, Stage};
use timeline::{Actor, Timeline};

/// The demo ends within this time, whatever happens.
const CURFEW: Duration = Duration::from_secs(18);

const ABOUT: &str = "\
Shows a device at work, in a few seconds: it connects and announces its commands, answers one, is sent the same one \
twice and runs it once, is cut off and comes back to the command that waited, fires a trigger, and stops. At the end \
every message is counted and compared with what was sent; the exit code tells whether one is off.

The broker is one of its own, in memory, on a free loopback port. With --url it is yours: the gateway connects with \
--username and --password-file, the device as it always does, with `agentId:deviceName` and its API key, so name one \
that your broker lets in with --agent, --device and --api-key-file. No other gateway may answer that device. What the \
demo leaves at the broker it clears.";

const AFTER: &str = "\
Examples:
  mqtt-device demo
  mqtt-device demo --keep-running
  mqtt-device demo --url mqtt://localhost
  mqtt-device demo --json | jq .seen.response";

/// Watch a device, a gateway and a broker at work
#[derive(Args, Debug)]
#[command(long_about = ABOUT, after_help = AFTER, after_long_help = format!("{AFTER}\n\n{}", crate::cli::exit_status()))]
pub(crate) struct Options {
    /// Stay when all is shown, and print how to talk to the device; Ctrl-C ends
    #[arg(long)]
    keep_running: bool,
    /// Print the counts as one JSON object, and no timeline
    #[arg(long)]
    json: bool,
    /// The device's agent; without it one is made up
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// The device's name
    #[arg(long, value_name = "NAME", default_value = "greenhouse-sensor")]
    device: String,
    /// A file with the device's API key; without it one is made up
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    #[command(flatten)]
    broker: BrokerOptions,
}

/// Plays the demo.
///
/// # Errors
/// A count is off (1), or something did not happen in time (3).
pub(crate) async fn demo(options: &Options, verbosity: Verbosity) -> Outcome {
    let agent = options.agent.clone().unwrap_or_else(|| format!("demo-{:08x}", random() >> 32));
    let id = DeviceId::new(&agent, &options.device).map_err(Failure::usage)?;
    let key = match &options.api_key_file {
        Some(file) => read_secret(file, "--api-key-file")?,
        None => Hidden(format!("{:016x}", random())),
    };
    let mut signals = Signals::catch(|| {})?;
    let mut timeline = Timeline::new(options.json || verbosity < 0);
    let (broker, embedded) = if options.broker.url.is_some() {
        (options.broker.resolve()?, None)
    } else {
        let embedded = Embedded::start(id.to_string(), key.clone()).await?;
        timeline.say(Actor::Broker, &format!("listens on {}", embedded.address))?;
        (Broker::own(embedded.address)?, Some(embedded))
    };
    let played = tokio::select! {
        played = play(options, &broker, &id, &key, timeline) => played,
        () = signals.next() => Err(Failure::failed("interrupted")),
    };
    let outcome = match played {
        Ok((stage, comparison)) => finish(options, &broker, stage, comparison, &mut signals).await,
        Err(failure) => Err(failure),
    };
    if embedded.is_none() {
        forget(&broker, &id, &key, outcome.is_err()).await;
    }
    if let Some(embedded) = embedded {
        embedded.stop().await;
    }
    outcome
}

async fn play(
    options: &Options,
    broker: &Broker,
    id: &DeviceId,
    key: &Hidden,
    timeline: Timeline,
) -> Outcome<(Stage, Comparison)> {
    let acts = async {
        let mut stage = set_stage(broker, id, key, timeline).await?;
        let mut expected = Counts::default();
        script::arrive(&mut stage, &mut expected).await?;
        script::command(&mut stage, &mut expected).await?;
        script::twice(&mut stage, &mut expected).await?;
        script::cut(&mut stage, &mut expected).await?;
        script::trigger(&mut stage, &mut expected).await?;
        if options.keep_running {
            stage.settle().await?;
            stage.catch_up().await?;
        } else {
            script::stop(&mut stage, &mut expected).await?;
        }
        script::tally(&mut stage);
        let seen = stage.facts.seen.clone();
        Ok((stage, Comparison { expected, seen }))
    };
    let late = || Failure::no_answer(format_args!("not over after {} s: -vv says more", CURFEW.as_secs()));
    tokio::time::timeout(CURFEW, acts).await.map_err(|_: tokio::time::error::Elapsed| late())?
}

async fn set_stage(broker: &Broker, id: &DeviceId, key: &Hidden, mut timeline: Timeline) -> Outcome<Stage> {
    let keys = KeyRing::parse(&format!("{id} {}", key.0)).map_err(Failure::failed)?;
    let trigger_result = Some(json!({"action": "open the windows"}));
    let settings = Settings { keys, run: random(), trigger_result, keep_records: false };
    let observer = Link::open(broker, None, &[id.topic("#")]).await?;
    let link = Link::open(broker, None, &served_filters_of(id)).await?;
    timeline.say(Actor::Gateway, &format!("connected to {}; serves {id}", broker.server))?;
    let security = security(&broker.server, broker.allow_insecure).await?;
    let proxy = Proxy::new(broker.server.clone());
    let (device, runs) = greenhouse::start(id, key.clone(), proxy.door(), security, broker.allow_insecure)?;
    let events = Some(device.events());
    let (wire, gateway, facts) = (proxy.wire(), Gateway::new(settings), Facts::default());
    let id = id.clone();
    Ok(Stage { id, timeline, proxy, wire, gateway, link, observer, device, events, runs, facts })
}

/// The proxy is on this machine; what counts is what lies behind it.
async fn security(server: &Server, allow_insecure: bool) -> Outcome<Security> {
    let security = proxy::security_of(server).await;
    if security == Security::Plain && !allow_insecure {
        return Err(Failure::usage(format_args!(
            "{server} is not this machine, and the API key would go there in clear text: add --allow-insecure if it may"
        )));
    }
    Ok(security)
}

async fn finish(
    options: &Options,
    broker: &Broker,
    mut stage: Stage,
    comparison: Comparison,
    signals: &mut Signals,
) -> Outcome {
    let off = comparison.off();
    if options.json {
        Output::new().json(&comparison)?;
    } else {
        let verdict = match off.as_slice() {
            [] => "Every count is as expected.".to_owned(),
            off => format!("Off: {}.", off.join(", ")),
        };
        let blank = String::new();
        let lines = [vec![blank.clone()], comparison.table(), vec![blank, verdict]].concat();
        stage.timeline.result(&lines)?;
    }
    if options.keep_running {
        stage.timeline.result(&advice(options, broker, &stage.id))?;
        let outcome = tokio::select! {
            outcome = stage.play() => outcome,
            () = signals.next() => Ok(()),
        };
        let mut ignored = Counts::default();
        script::stop(&mut stage, &mut ignored).await?;
        outcome?;
    }
    let off: Vec<String> = off.into_iter().map(str::to_owned).collect();
    let Stage { link, observer, .. } = stage;
    tokio::join!(link.close(), observer.close());
    if off.is_empty() { Ok(()) } else { Err(Failure::quiet(1)) }
}

/// How to talk to a demo that stays.
fn advice(options: &Options, broker: &Broker, id: &DeviceId) -> Vec<String> {
    let mut login = String::new();
    if let Some((name, _)) = &broker.credentials {
        login.push_str(&format!(" --username {}", quoted(name)));
    }
    if let Some(file) = options.broker.password_file.as_ref().filter(|_| broker.credentials.is_some()) {
        login.push_str(&format!(" --password-file {}", quoted(&file.display().to_string())));
    }
    if broker.allow_insecure {
        login.push_str(" --allow-insecure");
    }
    let program = std::env::args().next().unwrap_or_else(|| "mqtt-device".to_owned());
    let gateway = format!("  {} gateway --url {}{login}", quoted(&program), quoted(&broker.url));
    let device = quoted(&id.to_string());
    vec![
        String::new(),
        "The device goes on. Talk to it from another terminal; Ctrl-C ends.".to_owned(),
        format!("{gateway} send {device} read_environment"),
        format!("{gateway} send {device} toggle_irrigation '{{\"enabled\":true}}'"),
        format!("{gateway} list"),
        String::new(),
    ]
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@=+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A broker of the user's would keep the device's session: a connection that asks for a clean one removes it. After a
/// demo that broke off, the retained status is there too.
async fn forget(broker: &Broker, id: &DeviceId, Hidden(key): &Hidden, broke_off: bool) {
    let mut builder = Client::builder(broker.server.to_string())
        .client_id(format!("lua-{}-{}", id.agent(), id.device()))
        .credentials(id.to_string(), key.clone())
        .connect_within(Duration::from_secs(2))
        .configure(|config| config.clean_start = true);
    if broker.allow_insecure {
        builder = builder.allow_insecure_credentials();
    }
    match builder.connect().await {
        Ok((client, _messages)) => {
            if broke_off {
                // It leaves before the goodbye.
                drop(client.publish(&id.topic("status"), "", QoS::AtLeastOnce, true));
            }
            client.stop(Duration::from_secs(2)).await;
        }
        Err(error) => tracing::info!("the device's session may stay at the broker: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("mqtt://127.0.0.1:1883"), "mqtt://127.0.0.1:1883");
        assert_eq!(quoted("it's me"), r"'it'\''s me'");
        assert_eq!(quoted(""), "''");
    }
}
