//! Holding acknowledgements back without stopping the server: brokers stop sending at their window.

use mqtt_device_core::{Notice, Outcome};
use mqtt_device_sim::app::{Call, Reply, Told};

use crate::rig::*;

on_both_storages!(
    a_long_command_is_acknowledged_early_and_counted,
    no_more_than_four_are_held,
    one_long_command_and_thirty_behind_it_are_all_answered_in_time,
    held_acknowledgements_do_not_go_out_on_the_next_connection,
    a_command_acknowledged_early_is_not_run_again_when_it_comes_again,
);

/// Commands with a number as payload take so many seconds.
fn by_payload(call: &Call) -> Reply {
    let seconds = call.payload.as_ref().and_then(|p| p.parse().ok()).unwrap_or(0);
    Reply::ok(&format!("{seconds}")).after(secs(seconds))
}

fn a_long_command_is_acknowledged_early_and_counted<K: Kit>() {
    let mut world = Setup::new().on_command(by_payload).ready::<K>();
    let id = command(&mut world, "slow", "60");
    world.run_for(ms(4_999));
    assert_eq!((world.net.server.unfinished_to(ID).0, early_acks(&world)), (1, 0));
    world.run_for(ms(2));
    assert_eq!((world.net.server.unfinished_to(ID).0, early_acks(&world)), (0, 1));
    world.run_for(secs(60));
    assert_eq!(gateway(&world).responses_to(&id).len(), 1);
    world.assert_clean();
}

fn no_more_than_four_are_held<K: Kit>() {
    let mut world = Setup::new().on_command(by_payload).ready::<K>();
    for n in 1..=10 {
        command(&mut world, "slow", "60");
        world.run_for(ms(10));
        assert_eq!(world.net.server.unfinished_to(ID).0, n.min(4));
        assert_eq!(early_acks(&world) as usize, n.saturating_sub(4));
    }
    world.run_for(secs(70));
    assert_eq!((early_acks(&world), gateway(&world).responses().len()), (10, 10));
    world.assert_clean();
}

/// Must hold: one 60 s handler and 30 further commands, triggers and pings behind it, against a server that stops at
/// 20 unacknowledged messages: all run and answered in time, acknowledgements in order of receipt, the early one
/// counted. The order is the server's own rule.
fn one_long_command_and_thirty_behind_it_are_all_answered_in_time<K: Kit>() {
    let mut setup = Setup::new().on_command(by_payload);
    setup.server.window = 20;
    setup.host.link.delay = 5..=25;
    let mut world = setup.ready::<K>();
    let began = world.now();
    let slow = command(&mut world, "slow", "60");
    let quick: Vec<_> = (0..30).map(|_| command(&mut world, "slow", "0")).collect();
    let triggers: Vec<_> = (0..5).map(|n| trigger(&mut world, "alarm", &n.to_string())).collect();
    world.run_until("thirty are answered", secs(10), |w| gateway(w).responses().len() == 30);
    assert!(quick.iter().all(|id| gateway(&world).responses_to(id).len() == 1));
    assert!(world.now().since(began) <= secs(6), "the hold of five seconds and the way");
    world.run_until("the triggers are through", secs(5), |w| gateway(w).triggers().len() == 5);
    world.run_for(secs(40));
    assert!(gateway(&world).responses_to(&slow).is_empty() && world.app().running() == 1);
    assert_eq!(gateway(&world).heartbeats().len(), 2, "it beats meanwhile");
    world.run_until("the slow one is answered", secs(30), |w| gateway(w).responses_to(&slow).len() == 1);
    let (at, _) = gateway(&world).responses()[&slow][0];
    assert!(at.since(began) <= secs(61), "after {}", at.since(began));
    assert_eq!(early_acks(&world), 1);
    assert_eq!(world.app().runs().len(), 31);
    assert!(world.app().runs().values().all(|&n| n == 1));
    assert_eq!(world.app().ledger.count(Outcome::Acked), triggers.len());
    assert_eq!(told(&world).iter().filter(|t| matches!(t, Told::TriggerAck(Some(_), true))).count(), 5);
    assert_eq!(world.app().count(|n| matches!(n, Notice::Disconnected { .. })), 0);
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0));
    world.assert_clean();
}

/// Trap 22: the connection goes while a command executes; its PUBACK belongs to its redelivery, if there is one.
fn held_acknowledgements_do_not_go_out_on_the_next_connection<K: Kit>() {
    let mut world = Setup::new().on_command(by_payload).ready::<K>();
    let id = command(&mut world, "slow", "3");
    world.run_for(SECOND);
    world.cut();
    world.settle();
    world.run_until("back", secs(2), |w| w.host().machine.is_connected());
    world.run_for(secs(5));
    assert_eq!(world.app().runs(), [(id.as_str(), 1)].into());
    assert!(told(&world).contains(&Told::Repeated(id.clone(), true)), "it came again while it ran");
    assert_eq!(gateway(&world).responses_to(&id).len(), 1);
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0));
    world.assert_clean();
}

fn a_command_acknowledged_early_is_not_run_again_when_it_comes_again<K: Kit>() {
    let mut world = Setup::new().on_command(by_payload).ready::<K>();
    let id = command(&mut world, "slow", "60");
    world.run_for(secs(10));
    resend(&mut world, &id);
    world.run_for(secs(10));
    world.cut();
    world.run_for(secs(10));
    resend(&mut world, &id);
    world.run_for(secs(60));
    resend(&mut world, &id);
    world.run_for(secs(1));
    assert_eq!(world.app().runs(), [(id.as_str(), 1)].into());
    let answers = gateway(&world).responses_to(&id);
    assert!(answers.len() >= 2 && answers.iter().all(|a| *a == answers[0]), "{answers:?}");
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0));
    world.assert_clean();
}
