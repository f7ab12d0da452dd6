//! Triggers: bounded while away, one at a time, each matched with its acknowledgement or its timeout.

use mqtt_device_core::{DropReason, MessageKey, Notice, Outcome, PublishError, WhenFull};
use mqtt_device_sim::app::Told;
use mqtt_device_sim::json::Json;
use mqtt_device_sim::world::Opening;

use crate::rig::*;

on_both_storages!(
    a_trigger_is_matched_with_its_acknowledgement,
    triggers_go_one_after_the_other_in_order,
    a_trigger_without_an_acknowledgement_times_out,
    a_late_acknowledgement_belongs_to_the_late_trigger,
    triggers_wait_while_the_device_is_away,
    of_too_many_triggers_the_oldest_go,
    the_latest_trigger_takes_the_place_of_those_of_its_name,
    old_triggers_expire,
    an_acknowledgement_that_waits_at_the_server_is_in_time,
    an_acknowledgement_cannot_be_of_a_trigger_that_never_left,
    a_trigger_that_cannot_be_sent_is_refused_at_once,
    results_and_refusals_are_told,
    commands_do_not_wait_for_triggers,
    repeated_messages_come_before_announcements_even_when_triggers_wait,
);

fn acks<K: Kit>(world: &DeviceWorld<K>) -> Vec<(Option<MessageKey>, bool)> {
    told(world)
        .iter()
        .filter_map(|t| if let Told::TriggerAck(key, ok) = t { Some((*key, *ok)) } else { None })
        .collect()
}

fn timeouts<K: Kit>(world: &DeviceWorld<K>) -> Vec<MessageKey> {
    let notices = world.app().notices.iter();
    notices.filter_map(|(_, n)| if let Notice::TriggerTimeout { key } = n { Some(*key) } else { None }).collect()
}

fn names<K: Kit>(world: &DeviceWorld<K>) -> Vec<String> {
    gateway(world).triggers().iter().map(|(_, name, _)| name.clone()).collect()
}

fn a_trigger_is_matched_with_its_acknowledgement<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    let with = trigger(&mut world, "humidity_alert", r#"{"humidity": 91}"#);
    world.run_for(SECOND);
    let without = trigger(&mut world, "door", "");
    world.run_for(SECOND);
    assert_eq!(acks::<K>(&world), [(Some(with), true), (Some(without), true)]);
    assert_eq!(world.app().ledger.count(Outcome::Acked), 2);
    let all = gateway(&world).triggers();
    assert_eq!(all[0].2, Json::parse(br#"{"humidity":91}"#).unwrap());
    assert_eq!((all[1].1.as_str(), &all[1].2), ("door", &Json::parse(b"{}").unwrap()));
    world.assert_clean();
}

fn triggers_go_one_after_the_other_in_order<K: Kit>() {
    let mut setup = Setup::new();
    setup.host.link.delay = 20..=20;
    let mut world = setup.ready::<K>();
    let keys: Vec<_> = (0..6).map(|n| trigger(&mut world, &format!("t{n}"), "")).collect();
    world.run_for(secs(2));
    assert_eq!(names::<K>(&world), ["t0", "t1", "t2", "t3", "t4", "t5"]);
    assert_eq!(acks::<K>(&world), keys.iter().map(|&key| (Some(key), true)).collect::<Vec<_>>());
    let times: Vec<_> = gateway(&world).triggers().iter().map(|t| t.0).collect();
    assert!(times.windows(2).all(|pair| pair[1].since(pair[0]) >= ms(40)), "each waits for the one before: {times:?}");
    world.assert_clean();
}

fn a_trigger_without_an_acknowledgement_times_out<K: Kit>() {
    let mut setup = Setup::new();
    setup.habits.trigger_acks = false;
    let mut world = setup.ready::<K>();
    let began = world.now();
    let key = trigger(&mut world, "door", "");
    world.run_for(ms(9_990));
    assert!(timeouts::<K>(&world).is_empty());
    world.run_until("the timeout", SECOND, |w| !timeouts::<K>(w).is_empty());
    assert_eq!(timeouts::<K>(&world), [key]);
    assert!(world.now().since(began) <= ms(10_010));
    assert_eq!(world.app().ledger.outcome(key), Some(Outcome::Acked), "the broker had it");
    world.run_for(secs(60));
    assert_eq!(timeouts::<K>(&world).len(), 1, "told once");
    world.assert_clean();
}

/// The protocol's acknowledgement does not say to which trigger it belongs.
fn a_late_acknowledgement_belongs_to_the_late_trigger<K: Kit>() {
    let mut setup = Setup::new();
    setup.habits.trigger_acks = false;
    let mut world = setup.ready::<K>();
    let first = trigger(&mut world, "first", "");
    world.run_for(secs(12));
    assert_eq!(timeouts::<K>(&world), [first]);
    let second = trigger(&mut world, "second", "");
    world.run_for(secs(3));
    raw(&mut world, "trigger_ack", br#"{"triggerId":"t-1","received":true}"#);
    world.run_for(SECOND);
    raw(&mut world, "trigger_ack", br#"{"triggerId":"t-2","received":true}"#);
    world.run_for(SECOND);
    assert_eq!(acks::<K>(&world), [(Some(first), true), (Some(second), true)]);
    raw(&mut world, "trigger_ack", br#"{"triggerId":"t-3","received":true}"#);
    world.run_for(SECOND);
    assert_eq!(acks::<K>(&world).last(), Some(&(None, true)), "nobody waits for this one");
    world.assert_clean();
}

fn away<K: Kit>(setup: Setup) -> DeviceWorld<K> {
    let mut world = setup.ready::<K>();
    world.run_for(secs(40));
    world.host_mut().opening = Opening::Fails(mqtt_device_core::Failure::Refused);
    world.cut();
    world.settle();
    world
}

fn back<K: Kit>(world: &mut DeviceWorld<K>) {
    world.host_mut().opening = Opening::Normal;
    world.run_until("back", secs(61), |w| w.host().machine.is_ready());
    world.run_for(secs(10));
}

fn triggers_wait_while_the_device_is_away<K: Kit>() {
    let mut world = away::<K>(Setup::new());
    let keys: Vec<_> = (0..5).map(|n| trigger(&mut world, &format!("t{n}"), "")).collect();
    world.run_for(secs(600));
    assert_eq!((world.app().ledger.open(), timeouts::<K>(&world).len()), (5, 0));
    back::<K>(&mut world);
    assert_eq!(names::<K>(&world), ["t0", "t1", "t2", "t3", "t4"]);
    assert_eq!(acks::<K>(&world), keys.iter().map(|&key| (Some(key), true)).collect::<Vec<_>>());
    world.assert_clean();
}

/// Trap 24: bounded, by a stated policy, and each with its outcome.
fn of_too_many_triggers_the_oldest_go<K: Kit>() {
    let mut setup = Setup::new();
    setup.device.triggers.count = 10;
    let mut world = away::<K>(setup);
    let keys: Vec<_> = (0..25).map(|n| trigger(&mut world, &format!("t{n}"), "")).collect();
    world.settle();
    let dropped = Some(Outcome::Dropped(DropReason::Policy));
    assert_eq!(keys.iter().filter(|&&key| world.app().ledger.outcome(key) == dropped).count(), 15);
    back::<K>(&mut world);
    assert_eq!(names::<K>(&world), (15..25).map(|n| format!("t{n}")).collect::<Vec<_>>());
    assert_eq!(world.app().ledger.open(), 0);
    world.assert_clean();
}

fn the_latest_trigger_takes_the_place_of_those_of_its_name<K: Kit>() {
    let mut setup = Setup::new();
    setup.device.triggers.when_full = WhenFull::Latest;
    let mut world = away::<K>(setup);
    let keys: Vec<_> = [("door", "1"), ("doo", "2"), ("door", "3"), ("doors", "4")]
        .map(|(name, n)| trigger(&mut world, name, n))
        .into();
    world.settle();
    let dropped: Vec<_> = keys.iter().map(|&key| world.app().ledger.outcome(key).is_some()).collect();
    assert_eq!(dropped, [true, false, false, false]);
    back::<K>(&mut world);
    assert_eq!(names::<K>(&world), ["doo", "door", "doors"]);
    assert_eq!(acks::<K>(&world), keys[1..].iter().map(|&key| (Some(key), true)).collect::<Vec<_>>());
    world.assert_clean();
}

fn old_triggers_expire<K: Kit>() {
    let mut world = away::<K>(Setup::new());
    let old = trigger(&mut world, "old", "");
    world.run_for(secs(3000));
    let young = trigger(&mut world, "young", "");
    world.run_for(secs(1000));
    assert_eq!(world.app().ledger.outcome(old), Some(Outcome::Expired), "an hour is the bound");
    back::<K>(&mut world);
    assert_eq!((names::<K>(&world), acks::<K>(&world)), (vec!["young".to_owned()], vec![(Some(young), true)]));
    world.assert_clean();
}

/// The ten seconds are connected time: the acknowledgement may wait at the server while the device is away.
fn an_acknowledgement_that_waits_at_the_server_is_in_time<K: Kit>() {
    let mut setup = Setup::new();
    setup.habits.trigger_acks = false;
    let mut world = setup.ready::<K>();
    world.run_for(secs(40));
    let key = trigger(&mut world, "door", "");
    world.run_for(secs(3));
    world.host_mut().opening = Opening::Fails(mqtt_device_core::Failure::Refused);
    world.cut();
    world.settle();
    raw(&mut world, "trigger_ack", br#"{"triggerId":"t-1","received":true}"#);
    world.run_for(secs(3600));
    back::<K>(&mut world);
    assert_eq!((acks::<K>(&world), timeouts::<K>(&world)), (vec![(Some(key), true)], vec![]));
    world.assert_clean();
}

/// An old acknowledgement waits at the server, and a new trigger on this side: they have nothing to do with each other.
fn an_acknowledgement_cannot_be_of_a_trigger_that_never_left<K: Kit>() {
    let mut world = away::<K>(Setup::new());
    raw(&mut world, "trigger_ack", br#"{"triggerId":"old","received":true}"#);
    let key = trigger(&mut world, "door", "");
    back::<K>(&mut world);
    assert_eq!(acks::<K>(&world), [(None, true), (Some(key), true)]);
    assert!(timeouts::<K>(&world).is_empty());
    world.assert_clean();
}

fn a_trigger_that_cannot_be_sent_is_refused_at_once<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    for name in ["", "line\nbreak", &"x".repeat(65)] {
        let refused = world.call(|now, device, app| app.trigger(now, device, name, ""));
        assert_eq!(refused, Err(PublishError::BadName), "{name:?}");
    }
    let refused = world.call(|now, device, app| app.trigger(now, device, "door", "{\"open\":tru}"));
    assert!(matches!(refused, Err(PublishError::NotJson { .. })), "{refused:?}");
    world.run_for(SECOND);
    assert!(gateway(&world).triggers().is_empty());
    world.assert_clean();
}

fn results_and_refusals_are_told<K: Kit>() {
    let mut setup = Setup::new();
    setup.habits.trigger_acks = false;
    let mut world = setup.ready::<K>();
    let key = trigger(&mut world, "door", "");
    world.run_for(SECOND);
    raw(&mut world, "trigger_ack", br#"{"triggerId":7,"received":false,"error":"too often"}"#);
    raw(&mut world, "trigger_result", br#"{"triggerName":"door","result":{"seen":[1,2]}}"#);
    raw(&mut world, "error", br#"{"code":"E1","message":"no \"door\""}"#);
    world.run_for(SECOND);
    let expected = [
        Told::TriggerAck(Some(key), false),
        Told::TriggerResult("door".into(), r#"{"seen":[1,2]}"#.into()),
        Told::ServerError(Some("\"E1\"".into()), Some("no \"door\"".into())),
    ];
    assert_eq!(told(&world)[2..], expected);
    world.assert_clean();
}

fn commands_do_not_wait_for_triggers<K: Kit>() {
    let mut setup = Setup::new();
    setup.habits.trigger_acks = false;
    let mut world = setup.ready::<K>();
    for n in 0..5 {
        trigger(&mut world, &format!("t{n}"), "");
    }
    world.run_for(SECOND);
    let id = command(&mut world, "echo", "1");
    world.run_for(ms(100));
    assert_eq!(gateway(&world).responses_to(&id).len(), 1);
    world.run_for(secs(120));
    assert_eq!((names::<K>(&world).len(), timeouts::<K>(&world).len()), (5, 5), "each had its time");
    world.assert_clean();
}

/// Trap 8: a trigger that waits for its turn is older than a response that was sent; what the device says about itself
/// on its return overtakes the trigger and not the repetition of the response.
fn repeated_messages_come_before_announcements_even_when_triggers_wait<K: Kit>() {
    let mut setup = Setup::new();
    setup.habits.trigger_acks = false;
    let mut world = setup.ready::<K>();
    trigger(&mut world, "on_its_way", "");
    trigger(&mut world, "waits_for_its_turn", "");
    world.run_for(SECOND);
    world.net.server.faults.withhold_acks = true;
    let id = command(&mut world, "echo", "1");
    world.run_for(SECOND);
    world.net.server.faults.withhold_acks = false;
    world.cut();
    world.run_for(secs(3));
    let all = packets(&world);
    let last = all.iter().rposition(|p| p == "CONNECT").expect("it returned");
    assert_eq!(all[last + 1..last + 3], ["response", "status retained"]);
    assert_eq!(gateway(&world).responses_to(&id).len(), 2);
    world.assert_clean();
}
