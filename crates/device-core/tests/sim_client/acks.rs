//! Acknowledgements that the client gives: their order, their connection, and messages too large to take.

use mqtt_device_core::{Notice, QoS, Storage, WhenHeld};
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::packet::Seen;

use crate::rig::*;

on_both_storages!(
    acknowledgements_leave_in_the_order_of_receipt,
    an_acknowledgement_never_leaves_on_a_later_connection,
    messages_over_the_places_come_and_stay_unacknowledged,
    messages_over_the_places_are_fetched_portion_by_portion,
    messages_that_are_held_for_ever_do_not_stop_the_others,
    acknowledgements_that_cannot_be_written_hold_reading_back_and_lose_nothing,
    an_oversized_message_is_skipped_acknowledged_and_reported,
    a_message_of_exactly_the_limit_is_taken,
);

fn acked<S: Storage>(world: &ClientWorld<S>) -> Vec<u16> {
    let received = world.net.server.received().iter();
    received.filter_map(|r| if let Seen::PubAck(id) = r.packet { Some(id) } else { None }).collect()
}

fn holding() -> Setup {
    let mut setup = Setup::new();
    setup.config.auto_ack = false;
    setup
}

fn hold<S: Storage>(world: &mut ClientWorld<S>, texts: &[&str]) {
    world.host_mut().app.holds = true;
    for text in texts {
        send(world, QoS::AtLeastOnce, "in/x", text);
    }
    world.settle();
    assert_eq!(world.app().held.len(), texts.len());
}

/// Trap 22: manual acknowledgement out of order [MQTT-4.6.0-2].
fn acknowledgements_leave_in_the_order_of_receipt<S: Storage>(storage: fn() -> S) {
    let mut world = holding().ready(storage());
    hold(&mut world, &["a", "b", "c", "d"]);
    let mut left: Vec<usize> = Vec::new();
    for place in [3, 1, 0, 2] {
        let token = world.app().held[place];
        assert!(world.call(|_, client, _| client.acknowledge(token)));
        world.settle();
        left.push(acked(&world).len());
    }
    assert_eq!(left, [0, 0, 2, 4], "each waits for those before it");
    assert_eq!(acked(&world), [1, 2, 3, 4]);
    let again = world.app().held[0];
    assert!(!world.call(|_, client, _| client.acknowledge(again)), "a token is good once");
    world.assert_clean();
}

/// Trap 22: a stale PUBACK after a reconnect. The server gives the identifier to another message by then.
fn an_acknowledgement_never_leaves_on_a_later_connection<S: Storage>(storage: fn() -> S) {
    let mut world = holding().ready(storage());
    hold(&mut world, &["a", "b", "c"]);
    let stale: Vec<_> = world.app().held.iter().copied().collect();
    assert!(world.call(|_, client, _| client.acknowledge(stale[0])));
    world.cut();
    until_ready(&mut world, 5);
    for token in stale {
        assert!(!world.call(|_, client, _| client.acknowledge(token)), "it died with its connection");
    }
    world.run_for(SECOND);
    let given = acked(&world).len();
    assert!(given <= 1, "only what left before the cut");
    let tokens: Vec<_> = world.app().held.iter().skip(3).copied().collect();
    assert_eq!(tokens.len() + given, 3, "what was not acknowledged came again");
    assert!(world.app().deliveries.iter().skip(3).all(|d| d.dup));
    for token in tokens {
        assert!(world.call(|_, client, _| client.acknowledge(token)));
    }
    world.run_for(SECOND);
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0));
    world.assert_clean();
}

/// Trap 10: what is held stops neither other messages nor pings, and nothing is acknowledged that was not dealt with.
fn messages_over_the_places_come_and_stay_unacknowledged<S: Storage>(storage: fn() -> S) {
    let mut world = holding().ready(storage());
    world.host_mut().app.holds = true;
    let texts: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    for text in &texts {
        send(&mut world, QoS::AtLeastOnce, "in/x", text);
    }
    world.run_for(secs(100));
    // The server's window is 20.
    assert_eq!(world.app().texts(), texts[..20]);
    assert_eq!(acked(&world), []);
    assert_eq!(world.app().count(|n| *n == Notice::Unacknowledged { count: 12 }), 1);
    world.host_mut().app.holds = false;
    world.cut();
    until_ready(&mut world, 10);
    world.run_until("all acknowledged", secs(10), |w| w.net.server.unfinished_to(ID) == (0, 0));
    assert_eq!(world.app().texts()[20..], texts, "in order, once more those that were not acknowledged");
    world.assert_clean();
}

/// The server's window of 20 and the eight places here: it takes many connections, none of which waits long for the next.
fn messages_over_the_places_are_fetched_portion_by_portion<S: Storage>(storage: fn() -> S) {
    let mut world = holding().ready(storage());
    let texts: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    world.host_mut().app.holds = true;
    for text in &texts {
        send(&mut world, QoS::AtLeastOnce, "in/x", text);
    }
    world.run_for(SECOND);
    world.host_mut().app.holds = false;
    world.call(|_, client, app| {
        for token in app.held.drain(..) {
            client.acknowledge(token);
        }
    });
    world.run_until("all acknowledged", secs(60), |w| w.net.server.unfinished_to(ID) == (0, 0));
    let seen: std::collections::BTreeSet<_> = world.app().texts().into_iter().map(str::to_owned).collect();
    assert_eq!(seen, texts.into_iter().collect());
    assert!(world.app().connected.len() > 1, "{:?}", world.app().connected);
    world.assert_clean();
}

/// Trap 10 and the other policy for a full ring: the oldest is acknowledged early, and counted.
fn messages_that_are_held_for_ever_do_not_stop_the_others<S: Storage>(storage: fn() -> S) {
    let mut setup = holding();
    setup.config.when_held = WhenHeld::AcknowledgeEarly;
    let mut world = setup.ready(storage());
    world.host_mut().app.holds = true;
    let texts: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    for text in &texts {
        send(&mut world, QoS::AtLeastOnce, "in/x", text);
    }
    world.run_for(SECOND);
    assert_eq!(world.app().texts(), texts, "all came");
    let early = world.app().notices.iter().filter_map(|(_, n)| match n {
        Notice::AcknowledgedEarly { count } => Some(*count),
        _ => None,
    });
    assert_eq!(early.max(), Some(30 - 8), "eight are held, the others were given up");
    assert_eq!(acked(&world).len(), 22);
    world.assert_clean();
}

/// Traps 10 and 11: nothing can be written for a while, more comes than there is room to note.
fn acknowledgements_that_cannot_be_written_hold_reading_back_and_lose_nothing<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.host.link = LinkConfig { capacity: 4, flush: 500..=500, ..LinkConfig::perfect() };
    setup.server.keep_alive_slack = secs(20);
    let mut world = setup.build(storage());
    until_ready(&mut world, 60);
    for n in 0..40 {
        send(&mut world, QoS::AtLeastOnce, "in/x", &n.to_string());
    }
    world.run_until("all acknowledged", secs(600), |w| w.net.server.unfinished_to(ID) == (0, 0));
    assert_eq!(world.app().texts(), (0..40).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(acked(&world), (1..=40).collect::<Vec<_>>());
    assert_eq!(ends(&world, 0), []);
    world.assert_clean();
}

/// Trap 16: the poison message. Packets up to 512 bytes are taken; here come 600 bytes and a megabyte, in any pieces.
fn an_oversized_message_is_skipped_acknowledged_and_reported<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.host.link = LinkConfig { delay: 0..=2, piece: 1..=900, ..LinkConfig::perfect() };
    setup.host.shuffles = true;
    let mut world = setup.ready(storage());
    let text = "x".repeat(1 << 20);
    for qos in [QoS::AtLeastOnce, QoS::AtMostOnce] {
        for len in [600, 1 << 20] {
            send(&mut world, qos, "in/huge", &text[..len]);
            send(&mut world, qos, "in/small", "between");
        }
    }
    world.run_for(secs(60));
    assert_eq!(world.app().texts(), ["between"; 4]);
    let sizes: Vec<_> = world.app().oversize.iter().map(|(topic, size)| (topic.as_deref(), *size)).collect();
    let huge = Some("in/huge");
    assert_eq!(sizes, [(huge, 614), (huge, 1_048_591), (huge, 612), (huge, 1_048_589)]);
    assert_eq!(acked(&world), [1, 2, 3, 4], "acknowledged: it does not come back");
    assert_eq!(ends(&world, 0), [], "the connection stays");
    world.assert_clean();
}

fn a_message_of_exactly_the_limit_is_taken<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    // Fixed header 3, topic 2 + 4, identifier 2.
    send(&mut world, QoS::AtLeastOnce, "in/x", &"y".repeat(512 - 11));
    send(&mut world, QoS::AtLeastOnce, "in/x", &"z".repeat(512 - 10));
    world.run_for(SECOND);
    assert_eq!((world.app().deliveries.len(), world.app().oversize.len()), (1, 1));
    assert_eq!(world.app().oversize[0].1, 513);
    world.assert_clean();
}
