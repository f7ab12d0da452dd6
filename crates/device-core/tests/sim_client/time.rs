//! Clocks that jump and clocks that show large numbers.

use mqtt_device_core::{Instant, Outcome, Publication, QoS, Storage};
use mqtt_device_sim::clock::Clock;
use mqtt_device_sim::packet::Seen;

use crate::rig::*;

on_both_storages!(
    times_beyond_32_bits_are_as_good_as_any,
    the_longest_keep_alive_is_kept,
    after_hours_of_sleep_it_comes_back,
    a_sleep_while_waiting_to_retry_does_not_stop_retrying,
    a_message_expires_over_the_32_bit_boundary,
);

/// The points at which counters of milliseconds or seconds in 32 bits wrap, a little before each.
const EDGES: [u64; 5] = [0, (1 << 31) - 30_000, (1 << 32) - 30_000, (1 << 32) * 1000 - 30_000, 1 << 53];

/// Trap 13: milliseconds in 32 bits wrap after 49.7 days.
fn times_beyond_32_bits_are_as_good_as_any<S: Storage>(storage: fn() -> S) {
    let mut counts = Vec::new();
    for edge in EDGES {
        let mut setup = Setup::new();
        setup.clock = Clock::starting_at(Instant::from_millis(edge));
        let mut world = setup.ready(storage());
        world.run_for(secs(600));
        world.net.server.faults.ignore_pings = true;
        world.run_until("noticed", secs(70), |w| !ends(w, 0).is_empty());
        world.net.server.faults.ignore_pings = false;
        until_ready(&mut world, 5);
        let key = publish(&mut world, "out", "x");
        world.run_for(secs(600));
        assert_eq!(outcome(&world, key), Some(Outcome::Acked));
        counts.push((count(&world, |p| *p == Seen::PingReq), world.net.clock.elapsed()));
        world.assert_clean();
    }
    assert!(counts.iter().all(|c| *c == counts[0]), "the same at any time: {counts:?}");
}

/// Trap 13: Keep Alive times 1000 in 16 bits.
fn the_longest_keep_alive_is_kept<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.config.keep_alive = u16::MAX;
    let mut world = setup.ready(storage());
    world.run_for(secs(58_000));
    assert_eq!(count(&world, |p| *p == Seen::PingReq), 0);
    world.run_for(secs(7_500));
    assert_eq!(count(&world, |p| *p == Seen::PingReq), 1);
    world.assert_clean();
}

/// Trap 13: a multi-hour jump (a laptop is closed): the server has given us up meanwhile.
fn after_hours_of_sleep_it_comes_back<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    for hours in [1, 24, 24 * 60] {
        world.sleep(secs(hours * 3600));
        world.net.server.take_violations();
        world.run_for(secs(30));
        until_ready(&mut world, 60);
        let key = publish(&mut world, "out", "back");
        world.run_for(SECOND);
        assert_eq!(outcome(&world, key), Some(Outcome::Acked), "after {hours} h");
        world.run_for(secs(120));
    }
    world.net.server.take_violations();
    world.assert_clean();
}

fn a_sleep_while_waiting_to_retry_does_not_stop_retrying<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    let now = world.now();
    world.net.server.kill(now);
    world.run_for(secs(300));
    let before = world.host().attempts().len();
    world.sleep(secs(10 * 24 * 3600));
    world.run_for(secs(300));
    let after = world.host().attempts().len() - before;
    assert!((3..60).contains(&after), "{after} attempts in five minutes after the sleep");
    let now = world.now();
    world.net.server.start(now, mqtt_device_sim::server::Memory::Kept);
    until_ready(&mut world, 61);
    world.assert_clean();
}

/// Traps 13 and 24: a time to live on MQTT 3.1.1, at a time that no 32 bits hold.
fn a_message_expires_over_the_32_bit_boundary<S: Storage>(storage: fn() -> S) {
    for edge in EDGES {
        let mut setup = Setup::new();
        setup.clock = Clock::starting_at(Instant::from_millis(edge));
        let mut world = setup.build(storage());
        world.net.server.kill(Instant::from_millis(edge));
        let mut publication = Publication::new("out", QoS::AtLeastOnce);
        publication.ttl = Some(secs(60));
        let key = world.call(|now, client, app| app.publish(now, client, &publication, b"x")).expect("there is room");
        world.run_for(ms(59_999));
        assert_eq!(outcome(&world, key), None);
        world.run_for(ms(1));
        assert_eq!(outcome(&world, key), Some(Outcome::Expired));
        world.assert_clean();
    }
}
