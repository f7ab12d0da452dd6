//! The examples do what they say.

use mqtt_device_core::{DropReason, Outcome, QoS};
use mqtt_device_sim::gateway::Gateway;
use mqtt_device_sim::packet::{ApplicationMessage, Seen};
use std::thread;

#[path = "../../examples/blocking.rs"]
mod blocking;
#[path = "../../examples/loopback.rs"]
#[allow(dead_code, reason = "it has a main of its own")]
pub(crate) mod loopback;

use loopback::support::broker::Broker;

#[tokio::test(flavor = "current_thread")]
async fn the_loopback_device_answers_every_command() {
    assert_eq!(loopback::demo().await.unwrap(), 3);
}

#[test]
fn the_blocking_loop_echoes_over_tcp_and_comes_back_after_a_cut() {
    let broker = Broker::start(Gateway::new("no", "device")).unwrap();
    let address = broker.address();
    let client = thread::spawn(move || blocking::echo(address));
    let send = |text: &str| {
        let message = ApplicationMessage::new("blocking/in", text.as_bytes(), QoS::AtLeastOnce);
        broker.with(|server, _, now| server.publish(now, message));
    };
    let echoed = |text: &str| {
        broker.until(|server, _| {
            server.published().iter().any(|p| p.message.topic == "blocking/out" && p.message.text() == text)
        })
    };
    assert!(broker.until(|server, _| server.subscriptions("blocking") == ["blocking/in"]));
    let long = "x".repeat(4000);
    for text in ["one", "two", &long] {
        send(text);
    }
    assert!(echoed("one") && echoed("two") && echoed(&long));
    broker.with(|server, _, now| server.kick(now, "blocking"));
    send("while away");
    assert!(echoed("while away"));
    send("stop");
    assert_eq!(client.join().unwrap().unwrap(), 5);
    assert!(broker.until(|server, _| server.received().last().is_some_and(|r| r.packet == Seen::Disconnect)));
    broker.with(|server, _, _| {
        assert_eq!(server.violations(), []);
        assert_eq!(server.unfinished_to("blocking"), (0, 0));
        assert_eq!(server.transports(), 2);
    });
}

#[test]
fn the_blocking_loop_tells_what_became_of_everything() {
    use mqtt_device_core::{Client, Config, Duration, Fixed, Machine, Publication};
    // Nobody listens there: what was accepted is given up at the end of the stop.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).unwrap();
    let mut client = Client::new(Config::new(3), Fixed::<256, 4, 4>::new());
    let start = mqtt_device_core::Instant::ZERO;
    let key = client.publish(start, &Publication::new("a", QoS::AtLeastOnce), b"b").unwrap();
    let mut ended = Vec::new();
    blocking::run(&mut client, &blocking::Me, &[nobody], |client, now, told| match told {
        blocking::Told::Notice(mqtt_device_core::Notice::Disconnected { .. }) => client.stop(now, Duration::ZERO),
        blocking::Told::Outcome(key, outcome) => ended.push((key, outcome)),
        _ => {}
    })
    .unwrap();
    assert_eq!(ended, [(key, Outcome::Dropped(DropReason::Stopped))]);
}
