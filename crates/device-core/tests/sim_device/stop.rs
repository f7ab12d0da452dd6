//! The orderly end of a device: answers leave, `offline`, its PUBACK, DISCONNECT, flush, close; and a deadline.

use mqtt_device_core::{Instant, Machine, Notice, Outcome, PublishError};
use mqtt_device_sim::app::{Reply, Told};
use mqtt_device_sim::link::LinkConfig;

use crate::rig::*;

on_both_storages!(
    offline_is_acknowledged_before_the_goodbye,
    on_a_narrow_link_the_goodbye_is_flushed,
    what_runs_is_answered_before_offline,
    a_command_that_does_not_end_is_answered_as_interrupted,
    a_command_that_comes_too_late_waits_for_the_next_life,
    triggers_that_wait_leave_first,
    a_silent_server_does_not_hold_the_end_up,
    a_backlog_at_the_server_does_not_hold_the_end_up,
    what_is_due_while_it_stops_does_not_make_it_spin,
    a_peer_that_stops_reading_does_not_hold_the_end_up,
    a_device_that_is_away_stops,
    a_stopping_device_takes_no_triggers,
);

fn stop<K: Kit>(world: &mut DeviceWorld<K>, within: u64) {
    world.call(|now, device, _| device.stop(now, secs(within)));
}

fn stopped<K: Kit>(world: &mut DeviceWorld<K>, limit: u64) -> bool {
    world.run_until("stopped", secs(limit), |w| w.host().machine.is_stopped());
    world.settle();
    assert!(!world.host().is_up());
    let said = world.app().notices.iter().filter_map(|(_, n)| match n {
        Notice::Stopped { clean } => Some(*clean),
        _ => None,
    });
    let said: Vec<_> = said.collect();
    assert_eq!((said.len(), world.app().ledger.open()), (1, 0));
    said[0]
}

fn has_will<K: Kit>(world: &DeviceWorld<K>) -> bool {
    world.net.server.published().iter().any(|p| p.is_will)
}

/// Trap 25: the graceful path sends `offline` *and* the will fires, or neither leaves.
fn offline_is_acknowledged_before_the_goodbye<K: Kit>() {
    let mut setup = Setup::new();
    setup.host.link.delay = 50..=50;
    let mut world = setup.ready::<K>();
    world.run_for(SECOND);
    world.net.server.faults.withhold_acks = true;
    stop::<K>(&mut world, 10);
    world.run_for(SECOND);
    assert_eq!(packets(&world).last().map(String::as_str), Some("status retained"), "DISCONNECT waits for the PUBACK");
    assert!(!gateway(&world).is_online());
    let now = world.now();
    world.net.server.release_acks(now, ID, mqtt_device_sim::server::Order::Received);
    assert!(stopped::<K>(&mut world, 5), "clean");
    world.run_for(SECOND);
    assert_eq!(packets(&world).last().map(String::as_str), Some("DISCONNECT"));
    assert!(!has_will::<K>(&world) && !gateway(&world).is_online());
    world.assert_clean();
}

fn on_a_narrow_link_the_goodbye_is_flushed<K: Kit>() {
    let mut setup = Setup::new();
    setup.host.link = LinkConfig { capacity: 2, flush: 5..=10, piece: 1..=2, ..LinkConfig::perfect() };
    setup.host.shuffles = true;
    let mut world = setup.build::<K>();
    until_ready(&mut world, 60);
    world.run_for(secs(5));
    stop::<K>(&mut world, 30);
    assert!(stopped::<K>(&mut world, 31));
    world.run_for(SECOND);
    assert_eq!(packets(&world).last().map(String::as_str), Some("DISCONNECT"));
    assert!(!has_will::<K>(&world));
    world.assert_clean();
}

fn what_runs_is_answered_before_offline<K: Kit>() {
    let mut world = Setup::new().on_command(|_| Reply::ok("1").after(secs(3))).ready::<K>();
    let id = command(&mut world, "slow", "");
    world.run_for(SECOND);
    stop::<K>(&mut world, 10);
    world.run_for(SECOND);
    assert!(gateway(&world).is_online(), "not yet");
    assert!(stopped::<K>(&mut world, 10));
    assert_eq!(gateway(&world).responses_to(&id).len(), 1);
    world.run_for(SECOND);
    let all = packets(&world);
    let tail = &all[all.len() - 2..];
    assert_eq!(tail, ["status retained", "DISCONNECT"]);
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0), "and it was acknowledged");
    world.assert_clean();
}

/// Neither one that still holds its PUBACK, which would come again and run twice, nor one that was acknowledged early,
/// which would be lost.
fn a_command_that_does_not_end_is_answered_as_interrupted<K: Kit>() {
    let mut world = Setup::new().on_command(|_| Reply::ok("1").after(secs(3600))).ready::<K>();
    let early = command(&mut world, "slow", "");
    world.run_for(secs(6));
    let held = command(&mut world, "slow", "");
    world.run_for(SECOND);
    assert_eq!((early_acks(&world), world.net.server.unfinished_to(ID).0), (1, 1));
    stop::<K>(&mut world, 10);
    let began = world.now();
    assert!(stopped::<K>(&mut world, 11));
    assert!(world.now().since(began) <= secs(10));
    assert!(!has_will::<K>(&world) && !gateway(&world).is_online(), "offline was said all the same");
    for id in [early, held] {
        let responses = gateway(&world).responses_to(&id);
        assert_eq!(responses.len(), 1, "{id:?}");
        assert!(format!("{:?}", responses[0]).contains("interrupted"), "{:?}", responses[0]);
    }
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0), "both are acknowledged: none comes again");
    let told = world.app().notices.iter().filter(|(_, n)| *n == Notice::CommandsInterrupted { count: 2 });
    assert_eq!(told.count(), 1);
    world.assert_clean();
}

fn a_command_that_comes_too_late_waits_for_the_next_life<K: Kit>() {
    let mut world = Setup::new().on_command(|_| Reply::ok("1").after(secs(2))).ready::<K>();
    command(&mut world, "slow", "");
    world.run_for(SECOND);
    stop::<K>(&mut world, 10);
    let late = command(&mut world, "slow", "");
    stopped::<K>(&mut world, 11);
    assert!(!world.app().runs().contains_key(late.as_str()));
    assert_eq!(world.net.server.unfinished_to(ID).0, 1);
    world.assert_clean();
}

fn triggers_that_wait_leave_first<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    let keys: Vec<_> = (0..5).map(|n| trigger(&mut world, &format!("t{n}"), "")).collect();
    stop::<K>(&mut world, 10);
    assert!(stopped::<K>(&mut world, 10));
    assert!(keys.iter().all(|&key| world.app().ledger.outcome(key) == Some(Outcome::Acked)));
    assert_eq!(gateway(&world).triggers().len(), 5);
    assert!(!has_will::<K>(&world));
    world.assert_clean();
}

fn a_silent_server_does_not_hold_the_end_up<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    world.run_for(SECOND);
    world.net.server.faults.withhold_acks = true;
    world.net.server.faults.ignore_pings = true;
    stop::<K>(&mut world, 4);
    let began = world.now();
    assert!(!stopped::<K>(&mut world, 5), "not clean");
    assert_eq!(world.now().since(began), secs(4));
    world.assert_clean();
}

/// Commands that are neither run nor acknowledged fill every place there is; the PUBACK of `offline` comes behind them.
fn a_backlog_at_the_server_does_not_hold_the_end_up<K: Kit>() {
    let mut world = Setup::new().on_command(|_| Reply::ok("1").after(secs(2))).ready::<K>();
    for _ in 0..10 {
        command(&mut world, "slow", "");
    }
    world.run_for(SECOND);
    stop::<K>(&mut world, 20);
    for _ in 0..40 {
        command(&mut world, "slow", "");
    }
    let running = world.app().runs().len();
    assert!(stopped::<K>(&mut world, 21), "clean");
    assert_eq!(world.app().runs().len(), running, "nothing new was begun");
    world.run_for(SECOND);
    assert!(!has_will::<K>(&world) && !gateway(&world).is_online());
    assert_eq!(gateway(&world).responses().len(), running, "what ran is answered");
    let (in_flight, queued) = world.net.server.unfinished_to(ID);
    assert_eq!(in_flight + queued, 50 - running, "the others wait for the next life");
    world.assert_clean();
}

/// Heartbeats, the second `online` and timeouts of triggers come due while the last command runs.
fn what_is_due_while_it_stops_does_not_make_it_spin<K: Kit>() {
    let mut setup = Setup::new().on_command(|_| Reply::ok("1").after(secs(150)));
    setup.habits.trigger_acks = false;
    let mut world = setup.ready::<K>();
    world.run_for(secs(20));
    trigger(&mut world, "door", "");
    let id = command(&mut world, "slow", "");
    world.run_for(SECOND);
    stop::<K>(&mut world, 400);
    assert!(stopped::<K>(&mut world, 401), "clean");
    assert_eq!(gateway(&world).responses_to(&id).len(), 1);
    world.assert_clean();
}

fn a_peer_that_stops_reading_does_not_hold_the_end_up<K: Kit>() {
    let mut setup = Setup::new();
    setup.host.link = LinkConfig { capacity: 50, ..LinkConfig::perfect() };
    let mut world = setup.ready::<K>();
    world.run_for(SECOND);
    world.host_mut().stall(mqtt_device_sim::link::FOREVER);
    trigger(&mut world, "door", &format!("\"{}\"", "x".repeat(100)));
    world.run_for(SECOND);
    stop::<K>(&mut world, 6);
    let began = world.now();
    assert!(!stopped::<K>(&mut world, 7), "not clean");
    assert!(world.now().since(began) <= secs(6));
    world.assert_clean();
}

fn a_device_that_is_away_stops<K: Kit>() {
    let mut world = Setup::new().build::<K>();
    world.net.server.kill(Instant::ZERO);
    world.run_for(secs(5));
    let key = trigger(&mut world, "never", "");
    stop::<K>(&mut world, 10);
    assert!(!stopped::<K>(&mut world, 11));
    assert!(matches!(world.app().ledger.outcome(key), Some(Outcome::Dropped(_))));
    let attempts = world.host().attempts().len();
    world.run_for(secs(3600));
    assert_eq!(world.host().attempts().len(), attempts);
    world.assert_clean();
}

fn a_stopping_device_takes_no_triggers<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    stop::<K>(&mut world, 10);
    let refused = world.call(|now, device, app| app.trigger(now, device, "late", ""));
    assert_eq!(refused, Err(PublishError::Stopped));
    assert!(stopped::<K>(&mut world, 10));
    assert!(!told(&world).iter().any(|t| matches!(t, Told::TriggerAck(..))));
    world.assert_clean();
}
