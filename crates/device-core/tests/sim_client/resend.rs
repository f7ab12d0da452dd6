//! What happens to messages that were sent and not acknowledged when the connection, or the session, is lost.

use mqtt_device_core::{OnSessionLoss, Outcome, QoS, Storage};
use mqtt_device_sim::server::{Memory, Order};

use crate::rig::*;

on_both_storages!(
    what_is_unacknowledged_comes_again_with_its_identifier_its_order_and_dup,
    new_messages_never_overtake_repeated_ones,
    nothing_is_repeated_on_a_connection_that_stands,
    a_message_that_was_never_sent_has_no_dup_on_the_next_connection,
    after_a_lost_session_messages_are_sent_again_as_new_ones,
    after_a_lost_session_messages_may_end_as_session_lost,
    unsent_messages_survive_the_loss_of_the_session,
    acknowledgements_may_come_in_any_order,
    the_window_bounds_what_is_in_flight_and_never_wedges,
    qos_0_is_not_repeated,
);

fn texts(world: &[(String, u16, bool, String)], connection: &str) -> Vec<(u16, bool, String)> {
    world.iter().filter(|p| p.0 == connection).map(|(_, id, dup, text)| (*id, *dup, text.clone())).collect()
}

/// Trap 7: the wrong thing is resent. DUP stands on PUBLISH alone, identifiers and order are those of the first time.
fn what_is_unacknowledged_comes_again_with_its_identifier_its_order_and_dup<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.net.server.faults.withhold_acks = true;
    let keys: Vec<_> = ["a", "b", "c", "d"].map(|text| publish(&mut world, "out", text)).into();
    world.settle();
    let now = world.now();
    world.net.server.faults.withhold_acks = false;
    world.cut();
    until_ready(&mut world, 5);
    world.run_for(ms(1));
    let all = publishes(&world);
    let first = texts(&all, "c1");
    let again = texts(&all, "c2");
    assert_eq!(first.len(), 4);
    assert!(first.iter().all(|(_, dup, _)| !dup) && again.iter().all(|(_, dup, _)| *dup));
    let strip = |all: Vec<(u16, bool, String)>| all.into_iter().map(|(id, _, text)| (id, text)).collect::<Vec<_>>();
    assert_eq!(strip(first), strip(again), "since {now:?}");
    assert!(keys.iter().all(|&key| outcome(&world, key) == Some(Outcome::Acked)));
    world.assert_clean();
}

/// Trap 8: order lost on resume.
fn new_messages_never_overtake_repeated_ones<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.net.server.faults.withhold_acks = true;
    for text in ["1", "2", "3"] {
        publish(&mut world, "out", text);
    }
    world.settle();
    world.net.server.faults.withhold_acks = false;
    world.cut();
    world.settle();
    for text in ["4", "5"] {
        publish(&mut world, "out", text);
    }
    world.run_until("connected", secs(5), |w| w.host().machine.is_connected());
    publish(&mut world, "out", "6");
    world.run_for(SECOND);
    let again: Vec<_> = texts(&publishes(&world), "c2").into_iter().map(|(_, dup, text)| (text, dup)).collect();
    let expected = [("1", true), ("2", true), ("3", true), ("4", false), ("5", false), ("6", false)];
    assert_eq!(again, expected.map(|(text, dup)| (text.to_owned(), dup)));
    world.assert_clean();
}

/// Trap 7: retried on a timer. MQTT allows a repetition only on a new connection.
fn nothing_is_repeated_on_a_connection_that_stands<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.net.server.faults.withhold_acks = true;
    let key = publish(&mut world, "out", "patience");
    world.run_for(secs(3600));
    assert_eq!((publishes(&world).len(), outcome(&world, key)), (1, None));
    let now = world.now();
    world.net.server.release_acks(now, ID, Order::Received);
    world.run_for(SECOND);
    assert_eq!(outcome(&world, key), Some(Outcome::Acked));
    world.assert_clean();
}

/// [MQTT-3.3.1-1]: DUP is 0 on the first attempt, even if that is on the second connection.
fn a_message_that_was_never_sent_has_no_dup_on_the_next_connection<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.cut();
    world.settle();
    publish(&mut world, "out", "first attempt");
    until_ready(&mut world, 5);
    world.run_for(ms(1));
    let all = publishes(&world);
    assert_eq!(all.len(), 1);
    assert!(!all[0].2);
    world.assert_clean();
}

/// Trap 1: what was in flight is sent again as a new message: its own outcome, DUP 0.
fn after_a_lost_session_messages_are_sent_again_as_new_ones<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.net.server.faults.withhold_acks = true;
    let keys = ["a", "b"].map(|text| publish(&mut world, "out", text));
    world.settle();
    world.net.server.faults.withhold_acks = false;
    let now = world.now();
    world.net.server.forget_session(now, ID);
    until_ready(&mut world, 10);
    world.run_for(SECOND);
    let again = texts(&publishes(&world), "c2");
    assert_eq!(
        again.iter().map(|(_, dup, text)| (*dup, text.as_str())).collect::<Vec<_>>(),
        [(false, "a"), (false, "b")]
    );
    assert!(keys.iter().all(|&key| outcome(&world, key) == Some(Outcome::Acked)));
    assert_eq!(world.app().connected, [false, false]);
    world.assert_clean();
}

/// Trap 1: with `OnSessionLoss::Fail` the application is told, and what was not sent yet still is.
fn after_a_lost_session_messages_may_end_as_session_lost<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.config.on_session_loss = OnSessionLoss::Fail;
    let mut world = setup.ready(storage());
    world.net.server.faults.withhold_acks = true;
    let sent = publish(&mut world, "out", "sent");
    world.settle();
    let now = world.now();
    world.net.server.faults.withhold_acks = false;
    world.net.server.forget_session(now, ID);
    world.settle();
    let waiting = publish(&mut world, "out", "waiting");
    until_ready(&mut world, 10);
    world.run_for(SECOND);
    assert_eq!(outcome(&world, sent), Some(Outcome::SessionLost));
    assert_eq!(outcome(&world, waiting), Some(Outcome::Acked));
    assert_eq!(texts(&publishes(&world), "c2").iter().map(|p| p.2.as_str()).collect::<Vec<_>>(), ["waiting"]);
    world.assert_clean();
}

/// Trap 1: reconnecting throws away publishes that were never sent.
fn unsent_messages_survive_the_loss_of_the_session<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    let now = world.now();
    world.net.server.kill(now);
    world.settle();
    let keys: Vec<_> = (0..10).map(|n| publish(&mut world, "out", &n.to_string())).collect();
    world.run_for(secs(100));
    let now = world.now();
    world.net.server.start(now, Memory::Lost);
    until_ready(&mut world, 70);
    world.run_for(SECOND);
    assert!(keys.iter().all(|&key| outcome(&world, key) == Some(Outcome::Acked)));
    assert_eq!(publishes(&world).iter().map(|p| p.3.clone()).collect::<String>(), "0123456789");
    world.assert_clean();
}

/// Trap 2: acknowledgements out of order wedge the client.
fn acknowledgements_may_come_in_any_order<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.net.server.faults.withhold_acks = true;
    for round in 0..50 {
        let keys: Vec<_> = (0..12).map(|n| publish(&mut world, "out", &n.to_string())).collect();
        world.settle();
        let now = world.now();
        let order = if round % 2 == 0 { Order::Reversed } else { Order::Received };
        world.net.server.release_acks(now, ID, order);
        world.run_for(ms(10));
        assert!(keys.iter().all(|&key| outcome(&world, key) == Some(Outcome::Acked)), "round {round}");
    }
    assert_eq!(world.app().count(|n| matches!(n, mqtt_device_core::Notice::StrayAck { .. })), 0);
    world.assert_clean();
}

/// Trap 2: identifier and window are two things: a full window opens again, whatever the identifiers are.
fn the_window_bounds_what_is_in_flight_and_never_wedges<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.config.send_window = 3;
    let mut world = setup.ready(storage());
    world.net.server.faults.withhold_acks = true;
    let keys: Vec<_> = (0..20).map(|n| publish(&mut world, "out", &n.to_string())).collect();
    world.settle();
    let mut rounds = 0;
    while keys.iter().any(|&key| outcome(&world, key).is_none()) {
        let now = world.now();
        assert!(world.net.server.live_ids(ID).len() <= 3);
        world.net.server.release_acks(now, ID, if rounds % 2 == 0 { Order::Reversed } else { Order::Received });
        world.run_for(ms(10));
        rounds += 1;
        assert!(rounds <= 20, "wedged");
    }
    assert_eq!(rounds, 7, "three at a time");
    world.assert_clean();
}

fn qos_0_is_not_repeated<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.host.link.capacity = 4;
    setup.host.link.flush = 100..=100;
    let mut world = setup.ready(storage());
    let lost = publish_at(&mut world, QoS::AtMostOnce, "out", "half of it is out");
    world.run_for(ms(150));
    world.cut();
    world.run_for(ms(1));
    let waiting = publish_at(&mut world, QoS::AtMostOnce, "out", "in time");
    until_ready(&mut world, 10);
    world.run_for(secs(5));
    assert_eq!(outcome(&world, waiting), Some(Outcome::Sent));
    let sent: Vec<_> = world.net.server.published().iter().map(|p| p.message.text().to_owned()).collect();
    match outcome(&world, lost) {
        Some(Outcome::Dropped(mqtt_device_core::DropReason::ConnectionLost)) => assert_eq!(sent, ["in time"]),
        Some(Outcome::Sent) => assert_eq!(sent, ["half of it is out", "in time"], "it was not flushed: sent whole"),
        other => panic!("{other:?}"),
    }
    world.assert_clean();
}
