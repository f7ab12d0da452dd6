//! What the device says about itself: in what order, how often, and what happens to its will.

use mqtt_device_core::{Duration, Instant, Notice};
use mqtt_device_sim::app::Told;
use mqtt_device_sim::json::Json;
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::packet::Seen;
use mqtt_device_sim::server::Memory;

use crate::rig::*;

on_both_storages!(
    it_announces_itself_in_the_order_of_the_protocol,
    the_key_goes_into_the_password_and_the_manifest_and_nowhere_else,
    it_beats_every_thirty_seconds_and_tells_the_round_trip,
    without_an_answer_to_its_heartbeats_it_stays,
    after_each_return_it_announces_itself_again,
    a_will_that_lands_after_the_return_is_put_right,
    a_device_that_is_lost_is_offline_until_it_returns,
    without_a_clock_it_gives_no_time_and_with_one_the_right_time,
    announcements_do_not_pile_up_while_it_is_thrown_out_again_and_again,
    a_group_is_told_in_both_announcements,
);

fn it_announces_itself_in_the_order_of_the_protocol<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    world.run_for(SECOND);
    let mut expected = vec!["CONNECT"];
    expected.extend(["SUBSCRIBE"; 6]);
    expected.extend(["status retained", "status", "heartbeat", "PUBACK"]);
    assert_eq!(packets(&world), expected, "PUBACK is for the greeting");
    let filters = ["command", "connected", "error", "pong", "trigger_ack", "trigger_result"];
    let filters = filters.map(|suffix| gateway(&world).topic(suffix));
    assert_eq!(world.net.server.subscriptions(ID), filters, "its own status is not among them");
    let Seen::Connect(hello) = &world.net.server.received()[0].packet else { panic!("CONNECT comes first") };
    assert_eq!((hello.client_id.as_str(), hello.keep_alive, hello.clean_start), (ID, 60, false));
    assert_eq!(hello.username.as_deref(), Some("agent-7:greenhouse"));
    let will = hello.will.as_ref().expect("a will");
    assert_eq!((will.topic.clone(), will.retain, will.qos.as_u8()), (gateway(&world).topic("status"), true, 1));
    assert_eq!(Json::parse(&will.payload).unwrap().text("status"), Some("offline"));
    assert_eq!(gateway(&world).manifests()[0].1, ["echo", "slow"]);
    assert_eq!(told(&world), [Told::Connected(false), Told::Welcome(Some("welcome".into()))]);
    world.assert_clean();
}

/// The server of every scenario looks for the key; this one makes sure that it would find it.
fn the_key_goes_into_the_password_and_the_manifest_and_nowhere_else<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    assert!(bodies(&world, "status").iter().any(|body| body.contains(KEY)));
    assert!(world.net.server.retained().values().all(|m| !m.text().contains(KEY)));
    let debug = format!("{:?}", world.host().machine);
    assert!(!debug.contains(KEY), "{debug}");
    world.assert_clean();
}

fn it_beats_every_thirty_seconds_and_tells_the_round_trip<K: Kit>() {
    let mut setup = Setup::new();
    setup.host.link.delay = 70..=70;
    let mut world = setup.ready::<K>();
    world.run_for(secs(301));
    let beats = gateway(&world).heartbeats();
    assert_eq!(beats.len(), 11, "one at once, ten in five minutes");
    assert!(beats.windows(2).all(|pair| pair[1].since(pair[0]) == secs(30)), "{beats:?}");
    assert_eq!(world.app().count(|n| *n == Notice::Pong { latency: ms(140) }), 11, "{:?}", world.app().notices);
    world.assert_clean();
}

fn without_an_answer_to_its_heartbeats_it_stays<K: Kit>() {
    let mut setup = Setup::new();
    setup.habits.pongs = false;
    let mut world = setup.ready::<K>();
    world.run_for(secs(600));
    assert_eq!(world.app().count(|n| matches!(n, Notice::Pong { .. } | Notice::Disconnected { .. })), 0);
    assert_eq!(gateway(&world).heartbeats().len(), 21);
    world.assert_clean();
}

/// Subscriptions stay with the session; presence and manifest are said on each connection.
fn after_each_return_it_announces_itself_again<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    for round in 2..=4 {
        world.run_for(secs(40));
        world.cut();
        world.settle();
        world.run_until("back", secs(5), |w| gateway(w).manifests().len() == round);
        world.run_for(SECOND);
    }
    let all = packets(&world);
    assert_eq!(all.iter().filter(|p| *p == "SUBSCRIBE").count(), 6);
    let last = all.iter().rposition(|p| p == "CONNECT").expect("it connected");
    assert_eq!(all[last + 1..last + 4], ["status retained", "status", "heartbeat"]);
    assert!(gateway(&world).is_online());
    world.assert_clean();
}

/// Trap 25: the will of the dead connection lands after the new `online`.
fn a_will_that_lands_after_the_return_is_put_right<K: Kit>() {
    for late in [1, 30, 88] {
        let mut setup = Setup::new();
        setup.server.will_delay = secs(late);
        setup.host.link.server_notices = None;
        let mut world = setup.ready::<K>();
        world.run_for(secs(40));
        world.cut();
        until_ready(&mut world, 5);
        let back = world.now();
        world.run_for(secs(late) + SECOND);
        world.check(!gateway(&world).is_online(), "the late will makes it look away");
        world.run_until("put right", secs(95), |w| gateway(w).is_online());
        assert!(world.now().since(back) <= secs(92));
        let topic = gateway(&world).topic("status");
        assert!(world.net.server.retained()[&topic].text().contains("online"));
        world.assert_clean();
    }
}

/// Trap 25: the will is retained, like `online`.
fn a_device_that_is_lost_is_offline_until_it_returns<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    world.run_for(secs(40));
    world.host_mut().opening = mqtt_device_sim::world::Opening::Hangs;
    world.cut();
    world.run_for(secs(10));
    assert!(!gateway(&world).is_online());
    let topic = gateway(&world).topic("status");
    assert!(world.net.server.retained()[&topic].text().contains("offline"));
    world.host_mut().opening = mqtt_device_sim::world::Opening::Normal;
    world.run_until("back", secs(60), |w| gateway(w).is_online());
    assert!(world.net.server.retained()[&topic].text().contains("online"));
    world.assert_clean();
}

fn without_a_clock_it_gives_no_time_and_with_one_the_right_time<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    assert_eq!(bodies(&world, "status")[0], r#"{"status":"online","timestamp":null}"#);
    // 2025-01-15 10:30:00 UTC.
    world.call(|now, device, _| mqtt_device_core::Machine::set_wall_clock(device, now, 1_736_937_000_000));
    world.run_for(ms(31_250));
    world.cut();
    world.settle();
    let before = world.now();
    world.run_until("back", secs(5), |w| gateway(w).manifests().len() == 2);
    let waited = world.now().since(before).as_millis() + 31_250;
    let expected =
        format!(r#"{{"status":"online","timestamp":"2025-01-15T10:30:{}.{:03}Z"}}"#, waited / 1000, waited % 1000);
    let last = bodies(&world, "status");
    assert_eq!(last[last.len() - 2], expected);
    world.assert_clean();
}

/// Each connection is cut right after CONNACK: memory must not fill with `online` and manifests.
fn announcements_do_not_pile_up_while_it_is_thrown_out_again_and_again<K: Kit>() {
    let mut setup = Setup::new();
    setup.server.checks_resubscription = false;
    let mut world = setup.ready::<K>();
    world.net.server.faults.withhold_acks = true;
    for _ in 0..100 {
        world.run_until("connected", secs(400), |w| w.host().machine.is_connected());
        world.run_for(ms(10));
        world.cut();
        world.settle();
        assert!(world.host().machine.client().pending() <= 8, "{} wait", world.host().machine.client().pending());
    }
    world.net.server.faults.withhold_acks = false;
    until_ready(&mut world, 400);
    world.run_for(SECOND);
    assert!(gateway(&world).is_online());
    assert_eq!(world.host().machine.client().pending(), 0);
    world.assert_clean();
}

fn a_group_is_told_in_both_announcements<K: Kit>() {
    let mut setup = Setup::new();
    setup.identity = setup.identity.with_group("east \"wing\"").expect("a group may have any characters");
    let mut world = setup.ready::<K>();
    world.run_for(SECOND);
    let all = bodies(&world, "status");
    assert_eq!(all.len(), 2);
    for body in all {
        assert_eq!(Json::parse(body.as_bytes()).unwrap().text("group"), Some("east \"wing\""));
    }
    world.assert_clean();
}

/// The manifest has no bound of its own: it streams through the smallest buffer over the narrowest link.
#[test]
fn a_manifest_of_a_hundred_commands_streams_through_a_small_buffer() {
    let mut setup = Setup::new();
    setup.host.link = LinkConfig { capacity: 32, flush: 1..=1, ..LinkConfig::perfect() };
    let mut world = setup.build::<OnFixed>();
    let names: Vec<String> = (0..100).map(|n| format!("command_number_{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.host_mut().set_source(Box::new(mqtt_device_sim::app::TestProfile::new(KEY, &names)));
    world.run_until("the manifest", secs(60), |w| !gateway(w).manifests().is_empty());
    assert_eq!(gateway(&world).manifests()[0].1, names);
    world.assert_clean();
}

/// A server that lost everything gets everything again.
#[test]
fn a_server_without_memory_learns_all_again() {
    let mut world = Setup::new().ready::<OnHeap>();
    world.net.server.kill(Instant::ZERO);
    world.run_for(secs(20));
    world.net.server.start(Instant::ZERO, Memory::Lost);
    world.run_until("back", secs(70), |w| gateway(w).manifests().len() == 2);
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.net.server.subscriptions(ID).len(), 6);
    world.assert_clean();
}
