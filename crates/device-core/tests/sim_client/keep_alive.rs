//! Two deadlines that nothing but their own event puts off: nothing flushed → PINGREQ; PINGREQ flushed → PINGRESP.

use mqtt_device_core::{DisconnectReason, QoS, Storage};
use mqtt_device_sim::link::{FOREVER, LinkConfig};
use mqtt_device_sim::packet::Seen;

use crate::rig::*;

on_both_storages!(
    an_idle_client_stays_connected_and_pings_no_more_than_needed,
    inbound_traffic_does_not_postpone_the_ping,
    outbound_traffic_does_not_postpone_the_pong_deadline,
    inbound_traffic_does_not_postpone_the_pong_deadline,
    a_late_pong_in_time_is_enough,
    a_pong_that_arrived_is_read_before_the_link_is_given_up,
    a_link_that_takes_no_bytes_is_dead,
    a_driver_that_is_always_late_notices_a_dead_link,
    a_slow_link_is_not_dead,
    nothing_of_the_ping_survives_the_connection,
    without_keep_alive_nobody_pings,
);

fn pings<S: Storage>(world: &ClientWorld<S>) -> usize {
    count(world, |packet| *packet == Seen::PingReq)
}

fn an_idle_client_stays_connected_and_pings_no_more_than_needed<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.run_for(secs(3600));
    assert!((60..=67).contains(&pings(&world)), "{} in an hour", pings(&world));
    assert_eq!(ends(&world, 0), []);
    world.assert_clean();
}

/// Trap 11: inbound data resets the ping timer, and the server throws a silent subscriber out.
fn inbound_traffic_does_not_postpone_the_ping<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    for n in 0..600 {
        send(&mut world, QoS::AtMostOnce, "in/x", &n.to_string());
        world.run_for(SECOND);
    }
    assert!(pings(&world) >= 10, "{} in ten minutes", pings(&world));
    assert_eq!((world.app().deliveries.len(), ends(&world, 0)), (600, vec![]));
    world.assert_clean();
}

/// Trap 11: outbound data resets the dead-link check: a link that swallows everything is never noticed.
fn outbound_traffic_does_not_postpone_the_pong_deadline<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.net.server.faults.ignore_pings = true;
    let began = world.now();
    for n in 0..120 {
        publish_at(&mut world, QoS::AtMostOnce, "out", &n.to_string());
        world.run_for(SECOND);
    }
    let (at, reason, _) = ends(&world, 0)[0];
    assert_eq!(reason, DisconnectReason::KeepAliveTimeout);
    assert!(at.since(began) <= secs(70), "after {}", at.since(began));
    world.assert_clean();
}

/// Trap 11: the pong deadline is cleared by PINGRESP alone.
fn inbound_traffic_does_not_postpone_the_pong_deadline<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.net.server.faults.ignore_pings = true;
    let began = world.now();
    while ends(&world, 0).is_empty() {
        send(&mut world, QoS::AtMostOnce, "in/x", "chatter");
        world.run_for(SECOND);
        assert!(world.now().since(began) < secs(120), "not noticed");
    }
    let (at, reason, _) = ends(&world, 0)[0];
    assert_eq!(reason, DisconnectReason::KeepAliveTimeout);
    assert!(at.since(began) <= secs(66), "after {}", at.since(began));
    world.assert_clean();
}

fn a_late_pong_in_time_is_enough<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.net.server.faults.ignore_pings = true;
    world.run_until("a ping", secs(60), |w| pings(w) == 1);
    world.run_for(ms(9_900));
    inject(&mut world, &[0xD0, 0]);
    world.run_for(secs(30));
    assert_eq!(ends(&world, 0), []);
    world.net.server.faults.ignore_pings = false;
    world.run_for(secs(300));
    assert_eq!(ends(&world, 0), []);
    world.assert_clean();
}

/// Trap 11: what was received is read before the link is declared dead: here after a sleep over the deadline.
fn a_pong_that_arrived_is_read_before_the_link_is_given_up<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.host.link.delay = 50..=50;
    let mut world = setup.ready(storage());
    world.run_until("a ping", secs(60), |w| pings(w) == 1);
    world.sleep(secs(11));
    world.run_for(SECOND);
    let reasons: Vec<_> = ends(&world, 0).iter().map(|(_, reason, _)| *reason).collect();
    assert_eq!(reasons, [], "the answer was there, only nobody had looked");
    world.assert_clean();
}

/// Trap 11: PINGREQ that cannot be written needs a deadline, too.
fn a_link_that_takes_no_bytes_is_dead<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.host.link = LinkConfig { capacity: 100, ..LinkConfig::perfect() };
    let mut world = setup.ready(storage());
    let began = world.now();
    world.host_mut().stall(FOREVER);
    for _ in 0..9 {
        publish(&mut world, "out", &"z".repeat(100));
    }
    world.run_until("noticed", secs(150), |w| !ends(w, 0).is_empty());
    let (at, reason, _) = ends(&world, 0)[0];
    assert_eq!(reason, DisconnectReason::KeepAliveTimeout);
    assert!(at.since(began) <= secs(65), "after {}", at.since(began));
    world.run_until("all acknowledged on the next link", secs(60), |w| w.app().ledger.open() == 0);
    world.assert_clean();
}

/// A timer that comes three seconds late each time, as on a coarse clock, does not put the end off for ever.
fn a_driver_that_is_always_late_notices_a_dead_link<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.net.server.faults.ignore_pings = true;
    let began = world.now();
    while ends(&world, 0).is_empty() {
        world.sleep(secs(3));
        world.settle();
        assert!(world.now().since(began) < secs(120), "not noticed");
    }
    assert_eq!(ends(&world, 0)[0].1, DisconnectReason::KeepAliveTimeout);
    world.assert_clean();
}

/// Two bytes a second: a large message takes longer than the Keep Alive time, and the link is alive all the time.
fn a_slow_link_is_not_dead<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.server.keep_alive_slack = secs(3600);
    let mut world = setup.ready(storage());
    world.cut();
    world.host_mut().config.link =
        LinkConfig { capacity: 20, flush: 1000..=1000, piece: 20..=20, ..LinkConfig::perfect() };
    until_ready(&mut world, 120);
    let key = publish(&mut world, "out", &"z".repeat(1000));
    world.run_until("acknowledged", secs(120), |w| outcome(w, key).is_some());
    assert_eq!(ends(&world, 0).len(), 1, "the cut, and no more");
    world.assert_clean();
}

/// Trap 12: `waiting for PINGRESP` survives the reconnect and turns keep alive off for ever.
fn nothing_of_the_ping_survives_the_connection<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.net.server.faults.ignore_pings = true;
    world.run_until("a ping", secs(60), |w| pings(w) == 1);
    world.cut();
    world.net.server.faults.ignore_pings = false;
    until_ready(&mut world, 10);
    let before = pings(&world);
    world.run_for(secs(600));
    assert!(pings(&world) - before >= 10, "the next connection pings as well");
    assert_eq!(ends(&world, 0).len(), 1);
    world.net.server.faults.ignore_pings = true;
    world.run_for(secs(70));
    assert_eq!(ends(&world, 0)[1].1, DisconnectReason::KeepAliveTimeout, "and notices a dead link");
    world.assert_clean();
}

fn without_keep_alive_nobody_pings<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.config.keep_alive = 0;
    let mut world = setup.ready(storage());
    world.run_for(secs(24 * 3600));
    assert_eq!((pings(&world), ends(&world, 0)), (0, vec![]));
    world.assert_clean();
}
