//! An orderly end: what was accepted leaves, DISCONNECT, flush, close; and a deadline when the server does not help.

use mqtt_device_core::{DisconnectReason, DropReason, Instant, Machine, Notice, Outcome, PublishError, QoS, Storage};
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::packet::{ApplicationMessage, Seen};

use crate::rig::*;

on_both_storages!(
    what_was_accepted_leaves_before_the_goodbye,
    the_goodbye_is_flushed_before_the_transport_is_closed,
    a_silent_server_does_not_hold_the_end_up,
    a_peer_that_stops_reading_does_not_hold_the_end_up,
    a_client_that_is_away_stops_at_once,
    a_client_that_is_connecting_stops,
    a_stopped_client_accepts_nothing_and_does_not_return,
);

fn with_will() -> Setup {
    let mut setup = Setup::new();
    setup.source.will = Some(ApplicationMessage::new("status", b"gone", QoS::AtLeastOnce));
    setup
}

fn stop<S: Storage>(world: &mut ClientWorld<S>, within: u64) {
    world.call(|now, client, _| client.stop(now, secs(within)));
}

fn stopped<S: Storage>(world: &mut ClientWorld<S>, limit: u64) -> bool {
    world.run_until("stopped", secs(limit), |w| w.host().machine.is_stopped());
    world.settle();
    assert!(!world.host().is_up());
    let ends = world.app().notices.iter().filter_map(|(_, n)| match n {
        Notice::Stopped { clean } => Some(*clean),
        _ => None,
    });
    let ends: Vec<_> = ends.collect();
    assert_eq!(ends.len(), 1, "said once");
    assert_eq!(world.app().ledger.open(), 0, "everything has its outcome");
    ends[0]
}

fn has_will<S: Storage>(world: &ClientWorld<S>) -> bool {
    world.net.server.published().iter().any(|p| p.is_will)
}

/// Trap 25: a shutdown that loses what was queued.
fn what_was_accepted_leaves_before_the_goodbye<S: Storage>(storage: fn() -> S) {
    let mut setup = with_will();
    setup.config.send_window = 2;
    setup.host.link = LinkConfig { delay: 5..=20, ..LinkConfig::perfect() };
    let mut world = setup.ready(storage());
    for n in 0..10 {
        publish(&mut world, "out", &n.to_string());
    }
    stop(&mut world, 10);
    assert!(stopped(&mut world, 10), "clean");
    assert_eq!(world.app().ledger.count(Outcome::Acked), 10);
    world.run_for(SECOND);
    assert_eq!(world.net.server.received().last().map(|r| &r.packet), Some(&Seen::Disconnect));
    assert!(!has_will(&world));
    assert_eq!(ends(&world, 0).last().map(|e| (e.1, e.2)), Some((DisconnectReason::Requested, None)));
    world.assert_clean();
}

/// Trap 25: DISCONNECT is not flushed, so the will fires after all.
fn the_goodbye_is_flushed_before_the_transport_is_closed<S: Storage>(storage: fn() -> S) {
    let mut setup = with_will();
    setup.host.link = LinkConfig { capacity: 1, flush: 40..=40, ..LinkConfig::perfect() };
    let mut world = setup.ready(storage());
    publish(&mut world, "out", "last words");
    stop(&mut world, 10);
    assert!(stopped(&mut world, 10));
    world.run_for(SECOND);
    assert!(!has_will(&world) && count(&world, |p| *p == Seen::Disconnect) == 1);
    world.assert_clean();
}

fn a_silent_server_does_not_hold_the_end_up<S: Storage>(storage: fn() -> S) {
    let mut world = with_will().ready(storage());
    world.net.server.faults.withhold_acks = true;
    let key = publish(&mut world, "out", "nobody answers");
    world.run_for(SECOND);
    stop(&mut world, 3);
    let began = world.now();
    assert!(!stopped(&mut world, 4), "not clean");
    assert!(world.now().since(began) <= secs(3));
    assert_eq!(outcome(&world, key), Some(Outcome::Dropped(DropReason::Stopped)));
    world.assert_clean();
}

/// The goodbye is half written, or waits behind what is.
fn a_peer_that_stops_reading_does_not_hold_the_end_up<S: Storage>(storage: fn() -> S) {
    for (len, delay) in [(0, 0), (500, 0), (0, 1000), (500, 1000)] {
        let mut setup = with_will();
        setup.host.link = LinkConfig { capacity: 50, ..LinkConfig::perfect() };
        let mut world = setup.ready(storage());
        world.host_mut().stall(mqtt_device_sim::link::FOREVER);
        if len > 0 {
            publish(&mut world, "out", &"x".repeat(len));
        }
        world.run_for(ms(delay));
        stop(&mut world, 3);
        let began = world.now();
        assert!(!stopped(&mut world, 4), "not clean");
        assert!(world.now().since(began) <= secs(3));
        world.assert_clean();
    }
}

fn a_client_that_is_away_stops_at_once<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().build(storage());
    world.net.server.kill(Instant::ZERO);
    world.run_for(secs(5));
    let key = publish(&mut world, "out", "too late");
    stop(&mut world, 10);
    assert!(!stopped(&mut world, 11));
    assert_eq!(outcome(&world, key), Some(Outcome::Dropped(DropReason::Stopped)));
    world.assert_clean();
}

fn a_client_that_is_connecting_stops<S: Storage>(storage: fn() -> S) {
    for (hangs, silent) in [(true, false), (false, true)] {
        let mut world = Setup::new().build(storage());
        world.net.server.faults.ignore_connects = silent;
        if hangs {
            world.host_mut().opening = mqtt_device_sim::world::Opening::Hangs;
        }
        world.run_for(SECOND);
        stop(&mut world, 3);
        stopped(&mut world, 4);
        world.assert_clean();
    }
}

fn a_stopped_client_accepts_nothing_and_does_not_return<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    stop(&mut world, 3);
    let late = mqtt_device_core::Publication::new("out", QoS::AtLeastOnce);
    let result = world.call(|now, client, app| app.publish(now, client, &late, b"x"));
    assert_eq!(result, Err(PublishError::Stopped));
    assert!(stopped(&mut world, 4));
    let attempts = world.host().attempts().len();
    world.run_for(secs(3600));
    assert_eq!(world.host().attempts().len(), attempts);
    world.assert_clean();
}
