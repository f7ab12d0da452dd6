//! One connection under `Driver::run`: how it ends, and what goes on meanwhile.

use crate::support::log::{Entry, Log};
use crate::support::net::{Net, NetReader, NetWriter};
use crate::support::{Me, RX, Small, TX, client, client_with};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use mqtt_device_core::{
    DisconnectReason, Duration, Event, Machine, Notice, Outcome, ProtocolError, Publication, QoS, Security,
};
use mqtt_device_embedded::{Busy, CallError, Driver, Error, Fact, SetupError, Shared};
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::packet::{ApplicationMessage, Seen};
use mqtt_device_sim::server::{Order, ServerConfig};
use std::cell::Cell;
use std::future::Future;

fn net() -> Net {
    Net::new(LinkConfig::good(), ServerConfig::default(), 3)
}

/// Opens a link and drives it to its end.
async fn one_connection(net: &Net, shared: &Shared<Small, &Net>, log: &Log) -> Result<(), Error<ErrorKind>> {
    let (reader, writer) = net.halves();
    drive(net, shared, log, reader, writer).await
}

async fn drive(
    net: &Net,
    shared: &Shared<Small, &Net>,
    log: &Log,
    reader: impl Read<Error = ErrorKind>,
    writer: impl Write<Error = ErrorKind>,
) -> Result<(), Error<ErrorKind>> {
    let (mut rx, mut tx) = ([0; RX], [0; TX]);
    let mut driver = Driver::new(&mut rx, &mut tx);
    shared.with(Machine::poll).unwrap();
    net.open().unwrap();
    driver.connected(shared, &Me, Security::Local).unwrap();
    driver.run(shared, &Me, reader, writer, |fact| log.add(fact)).await
}

/// A connection on which the script is let loose when the client is ready.
fn ready_then<F: Future>(
    net: &Net,
    shared: &Shared<Small, &Net>,
    log: &Log,
    script: impl FnOnce() -> F,
) -> Result<(), Error<ErrorKind>> {
    let script = async {
        net.until(|| log.ready() == 1).await;
        script().await;
    };
    net.run(one_connection(net, shared, log), script).0
}

fn message(text: &str) -> ApplicationMessage {
    ApplicationMessage::new("to/me", text.as_bytes(), QoS::AtLeastOnce)
}

#[test]
fn the_server_closes() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    let end = ready_then(&net, &shared, &log, || async { net.server(|server, now| server.kick(now, "me")) });
    assert_eq!(end, Err(Error::Eof));
    assert_eq!(log.ends(), [DisconnectReason::Transport]);
}

#[test]
fn the_link_is_cut() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    let key = Cell::new(None);
    let end = ready_then(&net, &shared, &log, || async {
        let accepted = shared.publish(&Publication::new("from/me", QoS::AtMostOnce), b"gone").unwrap();
        key.set(Some(accepted));
        net.cut();
    });
    assert!(matches!(end, Err(Error::Eof | Error::Transport(ErrorKind::BrokenPipe))), "{end:?}");
    assert_eq!(log.ends(), [DisconnectReason::Transport]);
    assert_eq!(log.count(|entry| matches!(entry, Entry::Outcome(k, _) if Some(*k) == key.get())), 0, "it waits");
}

/// A writer that takes nothing.
struct Full;

impl ErrorType for Full {
    type Error = ErrorKind;
}

impl Write for Full {
    async fn write(&mut self, _: &[u8]) -> Result<usize, ErrorKind> {
        Ok(0)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[test]
fn a_writer_that_takes_nothing_is_an_error_and_no_panic() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    let end = net.block_on(drive(&net, &shared, &log, net.halves().0, Full));
    assert_eq!(end, Err(Error::WriteZero));
    assert_eq!(log.ends(), [DisconnectReason::Transport]);
}

/// A writer with a buffer: nothing leaves before it is flushed, and nothing is flushed while the gate is shut.
struct Buffered<'n> {
    link: NetWriter<'n>,
    net: &'n Net,
    gate: &'n Cell<bool>,
    bytes: Vec<u8>,
}

impl<'n> Buffered<'n> {
    fn new(net: &'n Net, gate: &'n Cell<bool>) -> Self {
        Self { link: net.halves().1, net, gate, bytes: Vec::new() }
    }
}

impl ErrorType for Buffered<'_> {
    type Error = ErrorKind;
}

impl Write for Buffered<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.bytes.extend(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.net.until(|| self.gate.get()).await;
        self.link.write_all(&core::mem::take(&mut self.bytes)).await?;
        self.link.flush().await
    }
}

#[test]
fn a_message_is_sent_when_it_is_flushed_and_not_before() {
    let (net, log, gate) = (net(), Log::default(), Cell::new(true));
    let shared = Shared::new(client(), &net);
    let script = async {
        net.until(|| log.ready() == 1).await;
        gate.set(false);
        shared.publish(&Publication::new("from/me", QoS::AtMostOnce), b"at the gate").unwrap();
        net.sleep(Duration::from_secs(5)).await;
        assert_eq!(log.outcomes(), [], "it was written and not flushed");
        gate.set(true);
        net.until(|| log.outcomes().len() == 1).await;
        shared.stop(Duration::from_secs(10)).unwrap();
    };
    let end = net.run(drive(&net, &shared, &log, net.halves().0, Buffered::new(&net, &gate)), script).0;
    assert_eq!((end, log.outcomes()[0].1), (Ok(()), Outcome::Sent));
}

#[test]
fn reading_waits_for_a_writer_that_lags_and_goes_on_after_it() {
    let (net, log, gate) = (net(), Log::default(), Cell::new(true));
    let shared = Shared::new(client(), &net);
    let script = async {
        net.until(|| log.ready() == 1).await;
        gate.set(false);
        let texts: Vec<_> = (0..40).map(|i| format!("message {i}")).collect();
        net.server(|server, now| texts.iter().all(|text| server.publish(now, message(text))));
        net.sleep(Duration::from_secs(5)).await;
        // One batch of acknowledgements is in the writer; behind it the ring of eight is full.
        assert!((8..20).contains(&log.messages().len()), "{} messages", log.messages().len());
        gate.set(true);
        net.until(|| log.messages().len() == 40).await;
        assert_eq!(log.messages(), texts);
        shared.stop(Duration::from_secs(10)).unwrap();
    };
    let end = net.run(drive(&net, &shared, &log, net.halves().0, Buffered::new(&net, &gate)), script).0;
    assert_eq!(end, Ok(()));
    net.block_on(net.sleep(Duration::from_secs(1))); // what was flushed arrives
    net.server(|server, _| assert_eq!((server.violations(), server.unfinished_to("me")), (&[][..], (0, 0))));
}

/// A writer that, once the hole is open, swallows everything at once.
struct BlackHole<'n> {
    link: NetWriter<'n>,
    open: &'n Cell<bool>,
}

impl ErrorType for BlackHole<'_> {
    type Error = ErrorKind;
}

impl Write for BlackHole<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if self.open.get() { Ok(bytes.len()) } else { self.link.write(bytes).await }
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        if self.open.get() { Ok(()) } else { self.link.flush().await }
    }
}

#[test]
fn the_deadline_of_a_pong_counts_from_the_ping_though_nothing_moves_on_the_link() {
    let (net, log, open) = (net(), Log::default(), Cell::new(false));
    let shared = Shared::new(client_with(|config| config.keep_alive = 100), &net);
    let mut begun = shared.now();
    let script = async {
        net.until(|| log.ready() == 1).await;
        begun = shared.now();
        open.set(true);
    };
    let writer = BlackHole { link: net.halves().1, open: &open };
    let end = net.run(drive(&net, &shared, &log, net.halves().0, writer), script).0;
    assert_eq!((end, log.ends()), (Ok(()), vec![DisconnectReason::KeepAliveTimeout]));
    let took = shared.now().since(begun).as_millis();
    assert!((95_000..=101_000).contains(&took), "ping after 90 s, 10 s for the pong: {took}");
}

#[test]
fn facts_come_in_the_order_of_their_packets() {
    let (net, log) = (Net::new(LinkConfig::perfect(), ServerConfig::default(), 3), Log::default());
    let shared = Shared::new(client(), &net);
    let end = ready_then(&net, &shared, &log, || async {
        net.server(|server, _| server.faults.withhold_acks = true);
        shared.publish(&Publication::new("from/me", QoS::AtLeastOnce), b"first").unwrap();
        net.until(|| net.server(|server, _| server.published().len() == 1)).await;
        net.server(|server, now| {
            server.release_acks(now, "me", Order::Received);
            server.publish(now, message("second"))
        });
        net.until(|| log.messages().len() == 1).await;
        shared.stop(Duration::from_secs(10)).unwrap();
    });
    assert_eq!(end, Ok(()));
    let all = log.all();
    let outcome = all.iter().position(|entry| matches!(entry, Entry::Outcome(_, Outcome::Acked)));
    let message = all.iter().position(|entry| matches!(entry, Entry::Message(_)));
    assert!(outcome.is_some() && outcome < message, "{all:?}");
}

/// A transport whose answers break its contract: lengths beyond what was asked for.
struct Liar;

impl ErrorType for Liar {
    type Error = ErrorKind;
}

impl Read for Liar {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, ErrorKind> {
        Ok(usize::MAX)
    }
}

impl Write for Liar {
    async fn write(&mut self, _: &[u8]) -> Result<usize, ErrorKind> {
        Ok(usize::MAX)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[test]
fn a_transport_that_claims_too_much_is_survived() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    let end = net.block_on(drive(&net, &shared, &log, Liar, Liar));
    assert_eq!(end, Ok(()), "zeros are no MQTT, so the machine closes");
    assert!(matches!(log.ends()[..], [DisconnectReason::Protocol(_)]), "{:?}", log.ends());
}

#[test]
fn run_without_a_connection_is_an_error() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    let (mut rx, mut tx) = ([0; RX], [0; TX]);
    let mut driver = Driver::new(&mut rx, &mut tx);
    let (reader, writer) = net.halves();
    let end = net.block_on(driver.run(&shared, &Me, reader, writer, |fact| log.add(fact)));
    assert_eq!(end, Err(Error::NotConnected));
    assert_eq!(log.all(), []);
}

#[test]
fn buffers_that_are_too_small_say_what_they_need() {
    let net = net();
    let shared = Shared::new(client(), &net);
    let needed = shared.with(|client, _| client.tx_min(&Me)).unwrap();

    let (mut rx, mut tx) = ([0; RX - 1], [0; TX]);
    let mut driver = Driver::new(&mut rx, &mut tx);
    let error = SetupError::ReceiveBuffer { len: RX - 1, needed: RX };
    assert_eq!(driver.check(&shared, &Me), Err(error));
    assert_eq!(driver.connected(&shared, &Me, Security::Local), Err(error));
    assert_eq!(error.to_string(), "the receive buffer has 95 bytes and needs 96");

    let (mut rx, mut tx) = ([0; RX], vec![0; needed - 1]);
    let error = SetupError::TransmitBuffer { len: needed - 1, needed };
    assert_eq!(Driver::new(&mut rx, &mut tx).check(&shared, &Me), Err(error));
    assert_eq!(net.attempts(), [], "nothing was opened for it");
}

#[test]
fn a_server_that_breaks_the_protocol_is_left() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    let end = ready_then(&net, &shared, &log, || async {
        net.server(|server, now| server.inject(now, "me", &[0xF0, 0x00, 0x30, 0x00]));
    });
    assert_eq!(end, Ok(()), "the machine asks for the end");
    assert!(matches!(log.ends()[..], [DisconnectReason::Protocol(ProtocolError::Malformed(_))]), "{:?}", log.ends());
}

#[test]
fn a_message_larger_than_the_buffer_is_skipped_and_the_connection_goes_on() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    let end = ready_then(&net, &shared, &log, || async {
        net.server(|server, now| {
            server.publish(now, message(&"x".repeat(70_000)));
            server.publish(now, message("the next one"));
        });
        net.until(|| log.messages().len() == 1).await;
        shared.stop(Duration::from_secs(10)).unwrap();
    });
    assert_eq!(end, Ok(()));
    assert_eq!(log.messages(), ["the next one"]);
    assert_eq!(log.count(|entry| matches!(entry, Entry::Oversize(total) if *total > 70_000)), 1);
    net.block_on(net.sleep(Duration::from_secs(1))); // what was flushed arrives
    net.server(|server, _| assert_eq!((server.violations(), server.unfinished_to("me")), (&[][..], (0, 0))));
}

#[test]
fn the_sink_may_call_back() {
    let net = net();
    let shared = Shared::new(client(), &net);
    let log = Log::default();
    let (mut rx, mut tx) = ([0; RX], [0; TX]);
    let mut driver = Driver::new(&mut rx, &mut tx);
    let run = async {
        shared.with(Machine::poll).unwrap();
        net.open().unwrap();
        driver.connected(&shared, &Me, Security::Local).unwrap();
        let (reader, writer) = net.halves();
        let echo = |fact: Fact<Event<'_>>| {
            log.add(fact);
            if let Fact::Event(Event::Message(m)) = fact {
                shared.publish(&Publication::new("from/me", QoS::AtLeastOnce), m.payload).unwrap();
            }
            if let Some((_, Outcome::Acked)) = log.outcomes().get(2) {
                shared.stop(Duration::from_secs(10)).unwrap();
            }
        };
        driver.run(&shared, &Me, reader, writer, echo).await
    };
    let script = async {
        net.until(|| log.ready() == 1).await;
        net.server(|server, now| ["a", "b", "c"].map(|text| server.publish(now, message(text))));
    };
    assert_eq!(net.run(run, script).0, Ok(()));
    net.server(|server, _| {
        let echoes = server.published().iter().filter(|p| p.client_id.is_some());
        assert_eq!(echoes.map(|p| p.message.text()).collect::<Vec<_>>(), ["a", "b", "c"]);
    });
}

#[test]
fn calls_inside_of_calls_are_refused_and_change_nothing() {
    let net = net();
    let shared = Shared::new(client(), &net);
    shared
        .with(|_, _| {
            let publication = Publication::new("from/me", QoS::AtLeastOnce);
            assert_eq!(shared.publish(&publication, b"inside"), Err(CallError::Busy));
            assert_eq!(shared.stop(Duration::ZERO), Err(Busy));
            assert!(!shared.is_stopped());
        })
        .unwrap();
    let refused = shared.publish(&Publication::new("no/#/topic", QoS::AtLeastOnce), b"").unwrap_err();
    assert!(matches!(refused, CallError::Refused(_)), "{refused:?}");
    assert_eq!(shared.with(|client, _| client.pending()), Ok(0));
}

#[test]
fn another_task_wakes_the_driver() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    let end = ready_then(&net, &shared, &log, || async {
        // The link is silent: without a wake the message would wait for the next PINGREQ, a minute later.
        net.sleep(Duration::from_secs(10)).await;
        let before = shared.now();
        shared.publish(&Publication::new("from/me", QoS::AtLeastOnce), b"now").unwrap();
        net.until(|| log.outcomes().len() == 1).await;
        assert!(shared.now().since(before) < Duration::from_secs(1));
        shared.stop(Duration::from_secs(10)).unwrap();
    });
    assert_eq!(end, Ok(()));
}

#[test]
fn keep_alive_goes_on_for_an_hour_of_silence() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    let end = ready_then(&net, &shared, &log, || async {
        net.sleep(Duration::from_secs(3600)).await;
        shared.stop(Duration::from_secs(10)).unwrap();
    });
    assert_eq!(end, Ok(()));
    net.server(|server, _| {
        assert_eq!(server.violations(), []);
        let pings = server.received().iter().filter(|r| r.packet == Seen::PingReq).count();
        assert!((60..=80).contains(&pings), "{pings} pings");
    });
}

#[test]
fn a_silent_server_is_left_after_the_keep_alive() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client_with(|config| config.keep_alive = 20), &net);
    let end = ready_then(&net, &shared, &log, || async { net.server(|server, _| server.faults.ignore_pings = true) });
    assert_eq!(end, Ok(()), "the machine asks for the end");
    assert_eq!(log.ends(), [DisconnectReason::KeepAliveTimeout]);
    assert!(shared.now().as_millis() < 40_000);
}

/// A reader that always has another message at once, as a flood on a fast link.
struct Flood<'n> {
    link: NetReader<'n>,
    log: &'n Log,
    messages: u32,
}

impl ErrorType for Flood<'_> {
    type Error = ErrorKind;
}

impl Read for Flood<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        const PUBLISH: &[u8] = b"\x30\x08\x00\x05to/me!";
        if self.log.ready() == 0 || self.messages > 100_000 {
            return self.link.read(buffer).await;
        }
        self.messages += 1;
        buffer[..PUBLISH.len()].copy_from_slice(PUBLISH);
        Ok(PUBLISH.len())
    }
}

#[test]
fn a_flood_starves_neither_the_writer_nor_other_tasks() {
    let (net, log) = (net(), Log::default());
    let shared = Shared::new(client(), &net);
    let (link, writer) = net.halves();
    let flood = Flood { link, log: &log, messages: 0 };
    let script = async {
        net.until(|| log.ready() == 1).await;
        shared.publish(&Publication::new("from/me", QoS::AtMostOnce), b"through the flood").unwrap();
        net.until(|| log.outcomes().len() == 1).await;
        assert!(log.messages().len() < 1000, "after {} messages", log.messages().len());
        net.server(|server, now| server.kick(now, "me"));
        shared.stop(Duration::from_secs(1)).unwrap();
    };
    // The flood is outside of the link, so that only the writer decides how long it takes.
    let end = net.run(drive(&net, &shared, &log, flood, writer), script).0;
    assert!(end.is_err() || log.count(|entry| matches!(entry, Entry::Notice(Notice::Stopped { .. }))) == 1, "{end:?}");
}
