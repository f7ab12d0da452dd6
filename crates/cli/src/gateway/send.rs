//! `gateway send`: one command, sent until it is answered.

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::event::Event;
use super::link::{Link, News};
use super::names::DeviceId;
use super::serve::describe;
use super::state::{Action, Gateway, Order, Settings};
use super::{KeyRing, random};
use crate::broker::Broker;
use crate::exit::{Failure, Outcome};
use crate::limits::{ATTEMPTS, TIMEOUT_MS};
use crate::output::{Output, Verbosity};
use crate::signals::Signals;
use crate::text::Plain;

const ABOUT: &str = "\
Sends one command to a device and prints the answer's data.

Without an answer in time it is sent again under the same commandId, so that the device runs it once at most; how \
often and with which pause says the device's manifest, if a gateway has kept it, else 3 times with 1 s. A command for \
a device that is offline waits at the broker.";

const AFTER: &str = "\
Examples:
  mqtt-device gateway --url mqtt://localhost send acme:greenhouse read_environment
  mqtt-device gateway --url mqtt://localhost send acme:lamp toggle '{\"on\":true}'
  mqtt-device gateway --url mqtt://localhost send acme:pump start --timeout 2000 --attempts 10";

/// Send one command and print the answer
#[derive(Args, Debug)]
#[command(long_about = ABOUT, after_help = AFTER, after_long_help = format!("{AFTER}\n\n{}", crate::cli::exit_status()))]
pub(super) struct Options {
    /// The device, as agentId:deviceName
    #[arg(value_name = "DEVICE")]
    device: DeviceId,
    /// The command's name
    #[arg(value_name = "COMMAND")]
    command: String,
    /// The command's payload; none at all if it is left out
    #[arg(value_name = "JSON", value_parser = parse_raw)]
    payload: Option<Raw>,
    /// How often it is sent at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(i64::from(*ATTEMPTS.start())..=i64::from(*ATTEMPTS.end())))]
    attempts: Option<u32>,
    /// How long each attempt waits for the answer, in milliseconds; the device is told
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(TIMEOUT_MS))]
    timeout: Option<u64>,
}

/// JSON as it was written. (`clap` wants its values to be `Clone` and `Send`.)
#[derive(Clone, Debug)]
struct Raw(Box<RawValue>);

fn parse_raw(text: &str) -> Result<Raw, String> {
    RawValue::from_string(text.to_owned()).map(Raw).map_err(|error| format!("not JSON: {error}"))
}

/// Sends it and waits for the answer.
///
/// # Errors
/// The device said no (1), or nobody answered (3).
pub(super) async fn send(options: &Options, broker: &Broker, json: bool, verbosity: Verbosity) -> Outcome {
    let Options { device, command, payload, attempts, timeout } = options;
    let mut signals = Signals::catch(|| {})?;
    let filters = [device.topic("response"), device.record_topic()];
    let mut link = Link::open(broker, None, &filters).await?;
    link.mark();
    let settings = Settings { keys: KeyRing::Open, run: random(), trigger_result: None, keep_records: false };
    let mut gateway = Gateway::new(settings);
    let order = Order {
        device: device.clone(),
        command: command.clone(),
        payload: payload.clone().map(|Raw(raw)| raw),
        attempts: *attempts,
        timeout_ms: *timeout,
    };
    let mut exchange = Exchange { order: Some(order), id: None, answer: None, verbosity };
    // The broker may hand the marker back late, or not at all if its rules forbid us the topic.
    let marker_due = link.at(2000);
    let outcome = loop {
        let due = gateway.due().map(|ms| link.at(ms));
        let actions = tokio::select! {
            biased;
            () = signals.next() => break Err(Failure::no_answer("interrupted before an answer came")),
            news = link.next() => match news {
                News::End => break Err(Failure::failed("the connection ended")),
                News::Message(message) if link.is_marker(&message) => exchange.begin(&link, &mut gateway)?,
                News::Message(message) => gateway.handle(&message.topic, &message.payload, message.retain),
                News::Event(event) => {
                    describe(event).into_iter().for_each(|text| tracing::info!("{text}"));
                    Vec::new()
                }
            },
            () = super::serve::sleep_until(due) => gateway.run_due(link.now()),
            () = tokio::time::sleep_until(marker_due), if exchange.order.is_some() => exchange.begin(&link, &mut gateway)?,
        };
        exchange.carry_out(&link, actions)?;
        if let Some(answer) = exchange.answer.take() {
            break answer.print(json);
        }
    };
    link.close().await;
    outcome
}

struct Exchange {
    order: Option<Order>,
    id: Option<String>,
    answer: Option<Answer>,
    verbosity: Verbosity,
}

impl Exchange {
    /// What gateways kept of the device is read: the command can leave.
    fn begin(&mut self, link: &Link, gateway: &mut Gateway) -> Outcome<Vec<Action>> {
        let Some(order) = self.order.take() else { return Ok(Vec::new()) };
        if let Some(manifest) = gateway.registry().manifest(&order.device)
            && manifest.command(&order.command).is_none()
        {
            tracing::warn!("{} has not announced the command {}", order.device, Plain(&order.command));
        }
        let (id, actions) = gateway.send(link.now(), order).map_err(Failure::usage)?;
        self.id = Some(id);
        Ok(actions)
    }

    fn carry_out(&mut self, link: &Link, actions: Vec<Action>) -> Outcome {
        for action in actions {
            match action {
                Action::Publish(outgoing) => link.publish(outgoing),
                Action::Report(Event::Answer { command_id, success, data, error, .. })
                    if self.id.as_ref() == Some(&command_id) =>
                {
                    self.answer = Some(Answer { command_id, success, data, error });
                }
                Action::Report(Event::NoAnswer { device, command, attempts, .. }) => {
                    return Err(Failure::no_answer(format_args!(
                        "{device} did not answer {}, sent {attempts} times: is it online? `list` shows it",
                        Plain(&command),
                    )));
                }
                Action::Report(event @ Event::Command { .. }) if self.verbosity >= 0 => {
                    tracing::info!("{}", event.what());
                }
                Action::Report(event @ Event::Invalid { .. }) => tracing::warn!("{}", event.what()),
                Action::Report(_) => {}
            }
        }
        Ok(())
    }
}

/// What the device said.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    command_id: String,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Answer {
    fn print(self, json: bool) -> Outcome {
        let mut output = Output::new();
        if json {
            output.json(&self)?;
            return if self.success { Ok(()) } else { Err(Failure::quiet(1)) };
        }
        if !self.success {
            let error = self.error.unwrap_or_else(|| "no reason given".to_owned());
            return Err(Failure::failed(format_args!("the device failed: {}", Plain(&error))));
        }
        if let Some(data) = self.data {
            // JSON escapes C0 controls itself; the others are escaped here.
            let text = serde_json::to_string_pretty(&data).unwrap_or_default();
            text.lines().try_for_each(|line| output.line(&Plain(line).to_string()))?;
        }
        Ok(())
    }
}
