//! The serving gateway: the machine on a connection, until it is told to stop.

use mqtt_device_core::device::Timestamp;
use mqtt_device_tokio::ClientEvent;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::io::{AsyncBufRead, BufReader};
use tokio::time::Instant;

use super::commands::MAX_PENDING;
use super::event::Event;
use super::link::{Link, News, is_refusal, served_filters, why};
use super::overload::Overload;
use super::state::{Action, Gateway, Order, Settings};
use super::{DeviceId, Options};
use crate::broker::Broker;
use crate::exit::{Failure, Outcome};
use crate::limits::{ATTEMPTS, TIMEOUT_MS};
use crate::lines::{Line, Lines};
use crate::output::{Spooled, Tone, Verbosity, gap};
use crate::signals::Signals;

/// How long a line of standard input may be.
const MAX_LINE: usize = 256 * 1024;

/// Serves until a signal.
///
/// # Errors
/// The broker refuses, or the output is gone.
pub(super) async fn serve(settings: Settings, options: &Options, broker: &Broker, verbosity: Verbosity) -> Outcome {
    let mut signals = Signals::catch(|| {})?;
    let keys = match settings.keys.len() {
        0 => "any key".to_owned(),
        n => format!("{n} lines of keys"),
    };
    let link = Link::start(broker, Some(&options.client_id), &served_filters())?;
    let output = Spooled::new(if options.json { json_gap } else { gap })?;
    let printer = Printer { output, json: options.json, verbosity };
    let mut server = Server {
        link,
        gateway: Gateway::new(settings),
        printer,
        connected_once: false,
        records_read: false,
        overload: Overload::default(),
        worst: 0,
    };
    server.printer.event(&Event::Gateway { message: format!("serving {} with {keys}; Ctrl-C ends", broker.server) })?;
    let outcome = if options.commands {
        server.run(&mut signals, Some(Lines::new(BufReader::new(tokio::io::stdin()), MAX_LINE))).await
    } else {
        server.run(&mut signals, None::<Lines<BufReader<tokio::io::Stdin>>>).await
    };
    let outcome = outcome.and_then(|()| server.last_words());
    let Server { link, printer, .. } = server;
    link.close().await;
    printer.output.close()?;
    outcome
}

struct Server {
    link: Link,
    gateway: Gateway,
    printer: Printer,
    connected_once: bool,
    /// What other runs kept has been read: commands that come now find their manifests.
    records_read: bool,
    overload: Overload,
    /// The exit code of the worst command that came on standard input.
    worst: u8,
}

impl Server {
    async fn run(&mut self, signals: &mut Signals, mut orders: Option<Lines<impl AsyncBufRead + Unpin>>) -> Outcome {
        let batch = orders.is_some();
        loop {
            if batch && orders.is_none() && self.gateway.waiting() == 0 {
                return Ok(()); // all that was asked for is answered or given up
            }
            let due = self.gateway.due().map(|ms| self.link.at(ms));
            let overload = self.overload.due(Instant::now());
            // Of more commands than can wait, the rest stays in the pipe.
            let room = self.records_read && self.gateway.waiting() < MAX_PENDING;
            let actions = tokio::select! {
                biased;
                () = signals.next() => return Ok(()),
                gone = self.printer.output.failed() => return Err(gone.into()),
                news = self.link.next() => match self.news(news)? {
                    Some(actions) => actions,
                    None => return Ok(()),
                },
                () = sleep_until(due) => self.gateway.run_due(self.link.now()),
                () = sleep_until(overload) => said(self.overload.take(Instant::now())),
                line = next_line(&mut orders), if room => match line {
                    Ok(Some(line)) => self.order(line)?,
                    Ok(None) => {
                        orders = None;
                        Vec::new()
                    }
                    Err(error) => return Err(Failure::failed(format_args!("standard input: {error}"))),
                },
            };
            self.carry_out(actions)?;
        }
    }

    /// `None` at the end of the link.
    fn news(&mut self, news: News) -> Outcome<Option<Vec<Action>>> {
        let actions = match news {
            News::End => return Ok(None),
            News::Message(message) if self.link.is_marker(&message) => {
                self.records_read = true;
                Vec::new()
            }
            News::Message(message) => self.gateway.handle(&message.topic, &message.payload, message.retain),
            News::Event(ClientEvent::Oversize { topic, total }) => {
                let total = usize::try_from(total).unwrap_or(usize::MAX);
                self.gateway.handle_oversize(topic.as_deref().unwrap_or("an unreadable topic"), total)
            }
            News::Event(event) if self.overload.takes(&event) => Vec::new(),
            News::Event(event) => {
                if let ClientEvent::Disconnected { reason, detail, .. } = &event
                    && !self.connected_once
                    && is_refusal(*reason)
                {
                    return Err(Failure::failed(format_args!("cannot connect: {}", why(*reason, detail.as_ref()))));
                }
                if matches!(event, ClientEvent::Ready { .. }) {
                    self.connected_once = true;
                    self.link.mark();
                }
                describe(event).map(|message| Action::Report(Event::Gateway { message })).into_iter().collect()
            }
        };
        Ok(Some(actions))
    }

    /// A command from standard input.
    fn order(&mut self, line: Line) -> Outcome<Vec<Action>> {
        let order = match line {
            Line::Text(text) if text.trim().is_empty() => return Ok(Vec::new()),
            Line::Text(text) => OrderLine::read(&text),
            Line::TooLong => Err(format!("the line is longer than {MAX_LINE} bytes")),
        };
        let sent = order.and_then(|order| self.gateway.send(self.link.now(), order).map_err(str::to_owned));
        match sent {
            Ok((_, actions)) => Ok(actions),
            Err(reason) => {
                self.worst = self.worst.max(2);
                let invalid = Event::Invalid { topic: "standard input".to_owned(), reason, excerpt: None };
                Ok(vec![Action::Report(invalid)])
            }
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) -> Outcome {
        for action in actions {
            match action {
                Action::Publish(outgoing) => self.link.publish(outgoing),
                Action::Report(event) => {
                    self.worst = self.worst.max(exit_code(&event));
                    self.printer.event(&event)?;
                }
            }
        }
        Ok(())
    }

    /// What is left to be said, and how the commands of standard input came out.
    fn last_words(&mut self) -> Outcome {
        let words = said(self.overload.rest());
        self.carry_out(words)?;
        match self.worst.max(if self.gateway.waiting() > 0 { 3 } else { 0 }) {
            0 => Ok(()),
            worst => Err(Failure::quiet(worst)), // each was reported
        }
    }
}

fn said(messages: Vec<String>) -> Vec<Action> {
    messages.into_iter().map(|message| Action::Report(Event::Gateway { message })).collect()
}

/// What `send` would have ended with.
const fn exit_code(event: &Event) -> u8 {
    match event {
        Event::NoAnswer { .. } => 3,
        Event::Answer { success: false, command: Some(_), .. } => 1,
        _ => 0,
    }
}

/// A line of standard input.
#[derive(Deserialize)]
struct OrderLine {
    device: String,
    command: String,
    payload: Option<Box<RawValue>>,
    attempts: Option<u32>,
    timeout: Option<u64>,
}

impl OrderLine {
    fn read(text: &str) -> Result<Order, String> {
        let line: Self = serde_json::from_str(text)
            .map_err(|error| format!("write {{\"device\":…,\"command\":…,\"payload\":…}}: {error}"))?;
        let device: DeviceId = line.device.parse()?;
        if line.attempts.is_some_and(|n| !ATTEMPTS.contains(&n)) {
            return Err(format!("attempts: write {} to {}", ATTEMPTS.start(), ATTEMPTS.end()));
        }
        if line.timeout.is_some_and(|ms| !TIMEOUT_MS.contains(&ms)) {
            return Err(format!("timeout: write {} to {} milliseconds", TIMEOUT_MS.start(), TIMEOUT_MS.end()));
        }
        let Self { command, payload, attempts, timeout: timeout_ms, .. } = line;
        Ok(Order { device, command, payload, attempts, timeout_ms })
    }
}

/// Until then; without a time, for ever.
pub(crate) async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => core::future::pending().await,
    }
}

async fn next_line(lines: &mut Option<Lines<impl AsyncBufRead + Unpin>>) -> std::io::Result<Option<Line>> {
    match lines {
        Some(lines) => lines.next().await,
        None => core::future::pending().await,
    }
}

/// What happened to the connection, in words; `None` for what nobody needs to know.
pub(crate) fn describe(event: ClientEvent) -> Option<String> {
    Some(match event {
        ClientEvent::Ready { again: false } => "connected".to_owned(),
        ClientEvent::Ready { again: true } => "connected again".to_owned(),
        ClientEvent::Disconnected { reason, detail, retry_in } => {
            let next = retry_in.map(|delay| format!("; trying again in {} ms", delay.as_millis()));
            format!("not connected: {}{}", why(reason, detail.as_ref()), next.unwrap_or_default())
        }
        ClientEvent::SubscriptionRefused { filter, reason } => {
            format!("the broker refuses to let this user read {filter} ({reason})")
        }
        ClientEvent::MessagesDropped { count } => format!("too busy: {count} messages dropped so far"),
        ClientEvent::PossibleDuplicateClient => {
            "connections end at once: is another gateway running with the same --client-id?".to_owned()
        }
        ClientEvent::Lagged(n) => format!("too busy: {n} events skipped"),
        _ => return None,
    })
}

/// Prints events.
struct Printer {
    output: Spooled,
    json: bool,
    verbosity: Verbosity,
}

#[derive(Serialize)]
struct Stamped<'a> {
    time: String,
    #[serde(flatten)]
    event: &'a Event,
}

/// The line where lines are missing, as an event.
fn json_gap(lines: u64) -> String {
    let event = Event::Gateway { message: gap(lines) };
    serde_json::to_string(&Stamped { time: now(), event: &event }).unwrap_or_default()
}

impl Printer {
    fn event(&self, event: &Event) -> Outcome {
        if self.verbosity < 0 && !event.is_trouble() {
            return Ok(());
        }
        let time = now();
        if self.json {
            return Ok(self.output.json(&Stamped { time, event })?);
        }
        if self.verbosity < 1 && matches!(event, Event::Heartbeat { .. }) {
            return Ok(());
        }
        let clock = Tone::Dim.paint(time.get(11..23).unwrap_or(&time), 12);
        let who = Tone::Heading.paint(&event.who(), 24);
        let what = if event.is_trouble() { Tone::Bad } else { Tone::Plain }.paint(&event.what(), 0);
        Ok(self.output.line(&format!("{clock}  {who}  {what}"))?)
    }
}

/// The wall clock as ISO 8601.
fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp { unix_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX) }.to_string()
}
