//! The driver's future is dropped after k polls and made anew, for every k: nothing is lost, nothing is doubled.

use crate::support::executor::{dropped_after, turn_over};
use crate::support::net::Net;
use mqtt_device_core::{
    Client, Config, Credentials, Duration, Event, Fixed, Machine, MessageKey, NoRoom, Notice, Outcome, Publication,
    QoS, Security, Source, SubscribeOptions, Subscription, TopicFilter,
};
use mqtt_device_embedded::{Driver, Fact, Shared};
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::packet::ApplicationMessage;
use mqtt_device_sim::server::ServerConfig;
use std::cell::{Cell, RefCell};

struct Me;

impl Source for Me {
    fn credentials<'s>(&'s self, _: Option<u64>, _: &'s mut [u8]) -> Result<Credentials<'s>, NoRoom> {
        Ok(Credentials { client_id: "me", username: None, password: None, will: None })
    }

    fn subscription<'s>(&'s self, index: u16, _: &'s mut [u8]) -> Option<Subscription<'s>> {
        let filter = ["to/me", "also/+/me"].get(usize::from(index))?;
        Some(Subscription::new(TopicFilter::new(filter).unwrap(), QoS::AtLeastOnce))
    }
}

/// A few bytes at a time, writes that are taken in part, flushes that take their time.
fn narrow() -> LinkConfig {
    LinkConfig { delay: 0..=1, flush: 1..=2, piece: 1..=10, capacity: 8, ..LinkConfig::perfect() }
}

/// Both directions at once: 4 messages out and 4 in, of each one at QoS 0, and a subscription. The driver's future is
/// dropped after `k` polls, `times` times at most. How many futures it took.
fn exchange(k: usize, times: usize) -> usize {
    let net = Net::new(narrow(), ServerConfig::default(), 7);
    let mut config = Config::new(1);
    config.maximum_packet_size = 96;
    let shared = Shared::new(Client::new(config, Fixed::<512, 12, 8>::new()), &net);
    let (mut rx, mut tx) = ([0; 96], [0; 80]);
    let mut driver = Driver::new(&mut rx, &mut tx);

    let (came, ended, ready) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()), Cell::new(false));
    let mut on_fact = |fact: Fact<Event<'_>>| match fact {
        Fact::Event(Event::Message(m)) => came.borrow_mut().push(String::from_utf8(m.payload.to_vec()).unwrap()),
        Fact::Outcome(key, outcome) => ended.borrow_mut().push((key, outcome)),
        Fact::Notice(Notice::Ready { .. }) => ready.set(true),
        _ => {}
    };
    let mut futures = 0;
    let drive = async {
        shared.with(Machine::poll).unwrap();
        net.open().unwrap();
        driver.connected(&shared, &Me, Security::Local).unwrap();
        let (mut reader, mut writer) = net.halves();
        loop {
            futures += 1;
            let future = driver.run(&shared, &Me, &mut reader, &mut writer, &mut on_fact);
            let polls = if futures > times { usize::MAX } else { k };
            if let Some(end) = dropped_after(polls, future).await {
                return end;
            }
            turn_over().await;
        }
    };
    let mut accepted: Vec<MessageKey> = Vec::new();
    let script = async {
        net.until(|| ready.get()).await;
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
        net.until(|| came.borrow().len() == 4 && ended.borrow().len() == 5).await;
        shared.stop(Duration::from_secs(60)).unwrap();
    };
    let (end, ()) = net.run(drive, script);
    assert_eq!(end, Ok(()), "k = {k}");

    assert_eq!(*came.borrow(), (0..4).map(sent_to).collect::<Vec<_>>(), "k = {k}");
    net.server(|server, _| {
        let published = server.published().iter().filter(|p| p.client_id.is_some());
        let published: Vec<_> = published.map(|p| p.message.text().to_owned()).collect();
        assert_eq!(published, (0..4).map(sent_from).collect::<Vec<_>>(), "k = {k}");
        assert_eq!(server.violations(), [], "k = {k}");
        assert_eq!(server.unfinished_to("me"), (0, 0), "k = {k}");
        assert_eq!(server.transports(), 1, "k = {k}");
    });
    let mut ended = ended.take();
    ended.sort_unstable_by_key(|(key, _)| *key);
    for (i, (key, outcome)) in ended.iter().enumerate() {
        let expected = if i == 2 { Outcome::Sent } else { Outcome::Acked };
        assert_eq!((*key, *outcome), (accepted[i], expected), "k = {k}");
    }
    futures
}

fn sent_to(i: usize) -> String {
    format!("message {i} to me, {}", "x".repeat(9 * i))
}

fn sent_from(i: usize) -> String {
    format!("message {i} from me, {}", "y".repeat(5 * i * i))
}

#[test]
fn dropped_once_after_each_number_of_polls() {
    let mut k = 1;
    while exchange(k, 1) == 2 {
        k += 1;
    }
    println!("embedded: Driver::run dropped once after k polls, for k = 1 … N: N = {}", k - 1);
    assert!(k > 100, "the exchange is too short to show anything: {k} polls");
}

#[test]
fn dropped_after_every_poll() {
    for k in 1..=20 {
        let futures = exchange(k, usize::MAX);
        println!("embedded: Driver::run dropped after every {k} polls: made {futures} times");
        assert!(futures > 5);
    }
}
