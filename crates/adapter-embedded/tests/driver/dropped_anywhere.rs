//! The driver's future is dropped after k polls and made anew, for every k: nothing is lost, nothing is doubled.

use crate::support::executor::{dropped_after, turn_over};
use crate::support::log::Log;
use crate::support::net::Net;
use crate::support::{Me, RX, TX, client, show};
use mqtt_device_core::{Duration, Machine, MessageKey, Outcome, Publication, QoS, Security, SubscribeOptions};
use mqtt_device_embedded::{Driver, Shared};
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::packet::ApplicationMessage;
use mqtt_device_sim::server::ServerConfig;

/// A few bytes at a time, writes that are taken in part, flushes that take their time.
fn narrow() -> LinkConfig {
    LinkConfig { delay: 0..=1, flush: 1..=2, piece: 1..=10, capacity: 8, ..LinkConfig::perfect() }
}

/// Both directions at once: 4 messages out and 4 in, of each one at QoS 0, and a subscription. The driver's future is
/// dropped after `k` polls, `times` times at most. How many futures it took.
fn exchange(k: usize, times: usize) -> usize {
    let net = Net::new(narrow(), ServerConfig::default(), 7);
    let shared = Shared::new(client(), &net);
    let (mut rx, mut tx) = ([0; RX], [0; TX]);
    let mut driver = Driver::new(&mut rx, &mut tx);
    let log = Log::default();
    let mut futures = 0;
    let drive = async {
        shared.with(Machine::poll).unwrap();
        net.open().unwrap();
        driver.connected(&shared, &Me, Security::Local).unwrap();
        let (mut reader, mut writer) = net.halves();
        loop {
            futures += 1;
            let future = driver.run(&shared, &Me, &mut reader, &mut writer, |fact| log.add(fact));
            let polls = if futures > times { usize::MAX } else { k };
            if let Some(end) = dropped_after(polls, future).await {
                return end;
            }
            turn_over().await;
        }
    };
    let mut accepted: Vec<MessageKey> = Vec::new();
    let script = async {
        net.until(|| log.ready() == 1).await;
        for i in 0..4 {
            let qos = if i == 3 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
            let topic = if i % 2 == 0 { "to/me" } else { "also/for/me" };
            net.server(|server, now| server.publish(now, ApplicationMessage::new(topic, sent_to(i).as_bytes(), qos)));
        }
        for i in 0..4 {
            let qos = if i == 2 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
            accepted.push(shared.publish(&Publication::new("from/me", qos), sent_from(i).as_bytes()).unwrap());
        }
        accepted.push(shared.subscribe("one/more", SubscribeOptions::new(QoS::AtLeastOnce)).unwrap());
        net.until(|| log.messages().len() == 4 && log.outcomes().len() == 5).await;
        shared.stop(Duration::from_secs(60)).unwrap();
    };
    let (end, ()) = net.run(drive, script);
    assert_eq!(end, Ok(()), "k = {k}");

    assert_eq!(log.messages(), (0..4).map(sent_to).collect::<Vec<_>>(), "k = {k}");
    net.server(|server, _| {
        let published = server.published().iter().filter(|p| p.client_id.is_some());
        let published: Vec<_> = published.map(|p| p.message.text().to_owned()).collect();
        assert_eq!(published, (0..4).map(sent_from).collect::<Vec<_>>(), "k = {k}");
        assert_eq!(server.violations(), [], "k = {k}");
        assert_eq!(server.unfinished_to("me"), (0, 0), "k = {k}");
        assert_eq!(server.transports(), 1, "k = {k}");
    });
    let mut ended = log.outcomes();
    ended.sort_unstable_by_key(|(key, _)| *key);
    let expected = |i| if i == 2 { Outcome::Sent } else { Outcome::Acked };
    let expected: Vec<_> = accepted.iter().enumerate().map(|(i, key)| (*key, expected(i))).collect();
    assert_eq!(ended, expected, "k = {k}");
    futures
}

fn sent_to(i: usize) -> String {
    format!("message {i} to me, {}", "x".repeat(9 * i))
}

fn sent_from(i: usize) -> String {
    format!("message {i} from me, {}", "y".repeat(5 * i * i))
}

/// Trap 9: a cancelled future loses a packet.
#[test]
fn run_dropped_once_after_each_number_of_polls() {
    let mut k = 1;
    while exchange(k, 1) == 2 {
        k += 1;
    }
    show(format_args!("embedded: Driver::run dropped once after k polls, for k = 1 … N: N = {}", k - 1));
    assert!(k > 100, "the exchange is too short to show anything: {k} polls");
}

#[test]
fn run_dropped_after_every_poll() {
    for k in 1..=20 {
        let futures = exchange(k, usize::MAX);
        assert!(futures > 5, "k = {k}: {futures} futures");
    }
}
