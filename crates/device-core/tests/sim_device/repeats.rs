//! Never twice: a command that comes again is not run again, however long ago it was, and is answered again.

use mqtt_device_core::{DisconnectReason, Instant, Notice};
use mqtt_device_sim::app::{Reply, Told};
use mqtt_device_sim::server::Memory;
use mqtt_device_sim::world::Opening;

use crate::rig::*;

on_both_storages!(
    a_repeat_while_it_runs_is_not_run,
    a_repeat_afterwards_is_answered_with_the_same_bytes,
    a_command_whose_acknowledgement_was_lost_a_day_ago_is_not_run_again,
    the_acknowledgement_may_be_lost_many_times,
    a_response_that_was_lost_comes_after_the_return,
    a_gateway_that_repeats_itself_gets_one_run,
    commands_wait_at_the_server_while_the_device_is_away,
    a_server_that_was_killed_delivers_again_and_nothing_runs_twice,
    what_is_confirmed_makes_room_for_new_commands,
    a_server_that_repeats_itself_on_one_connection_changes_nothing,
    answers_to_repeats_do_not_push_out_first_answers,
    a_full_table_forgets_nothing_that_may_come_again,
);

fn a_repeat_while_it_runs_is_not_run<K: Kit>() {
    let mut world = Setup::new().on_command(|_| Reply::ok("\"done\"").after(secs(4))).ready::<K>();
    let id = command(&mut world, "slow", "");
    for _ in 0..3 {
        world.run_for(SECOND);
        resend(&mut world, &id);
    }
    world.run_for(secs(10));
    assert_eq!(world.app().runs(), [(id.as_str(), 1)].into());
    assert_eq!(told(&world).iter().filter(|t| **t == Told::Repeated(id.clone(), true)).count(), 3);
    assert_eq!(gateway(&world).responses_to(&id).len(), 1, "one answer to all four");
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0));
    world.assert_clean();
}

fn a_repeat_afterwards_is_answered_with_the_same_bytes<K: Kit>() {
    let mut number = 0;
    let setup = Setup::new().on_command(move |_| {
        number += 1;
        Reply::ok(&number.to_string())
    });
    let mut world = setup.ready::<K>();
    let id = command(&mut world, "echo", "");
    for _ in 0..5 {
        world.run_for(secs(20));
        resend(&mut world, &id);
    }
    world.run_for(SECOND);
    assert_eq!(world.app().runs(), [(id.as_str(), 1)].into());
    let expected = format!(r#"{{"commandId":"{id}","success":true,"data":1}}"#);
    assert_eq!(gateway(&world).responses_to(&id), [expected.as_str(); 6]);
    world.assert_clean();
}

/// Must hold: a command executed whose PUBACK is lost, then 24 h offline, then redelivered: not run again, answered again.
fn a_command_whose_acknowledgement_was_lost_a_day_ago_is_not_run_again<K: Kit>() {
    let mut setup = Setup::new();
    setup.host.link.delay = 100..=100;
    let mut world = setup.ready::<K>();
    world.run_for(secs(40));
    let id = command(&mut world, "echo", "7");
    // The command takes 100 ms to arrive; response and PUBACK leave at once and are cut off on their way.
    world.run_for(ms(150));
    assert_eq!(world.app().runs(), [(id.as_str(), 1)].into());
    world.host_mut().opening = Opening::Hangs;
    world.cut();
    world.run_for(secs(24 * 3600));
    assert_eq!((gateway(&world).responses_to(&id).len(), world.net.server.unfinished_to(ID).0), (0, 1));
    world.host_mut().opening = Opening::Normal;
    world.run_until("back", secs(120), |w| w.host().machine.is_ready());
    world.run_for(SECOND);
    assert_eq!(world.app().runs(), [(id.as_str(), 1)].into());
    assert!(told(&world).contains(&Told::Repeated(id.clone(), false)));
    let answers = gateway(&world).responses_to(&id);
    assert!(!answers.is_empty() && answers.iter().all(|a| *a == answers[0]), "{answers:?}");
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0));
    world.assert_clean();
}

/// Twenty connections in a row are cut before the PUBACK arrives, an hour apart.
fn the_acknowledgement_may_be_lost_many_times<K: Kit>() {
    let mut setup = Setup::new();
    setup.host.link.delay = 100..=100;
    let mut world = setup.ready::<K>();
    let id = command(&mut world, "echo", "7");
    for _ in 0..20 {
        world.run_until("connected and received", secs(600), |w| {
            w.host().machine.is_connected() && (w.app().calls.len() + repeats(w)) > 0
        });
        let before = world.app().calls.len() + repeats(&world);
        world.cut();
        world.settle();
        world.run_until("received again", secs(600), |w| w.app().calls.len() + repeats(w) > before);
    }
    world.run_for(secs(5));
    assert_eq!(world.app().runs(), [(id.as_str(), 1)].into());
    assert_eq!(repeats(&world), 20);
    let answers = gateway(&world).responses_to(&id);
    assert!(!answers.is_empty() && answers.iter().all(|a| *a == answers[0]));
    world.assert_clean();
}

fn repeats<S: mqtt_device_core::Storage, D: mqtt_device_core::Tables>(
    world: &mqtt_device_sim::world::World<mqtt_device_core::Device<S, D>, mqtt_device_sim::app::DeviceApp>,
) -> usize {
    world.app().told.iter().filter(|(_, t)| matches!(t, Told::Repeated(..))).count()
}

fn a_response_that_was_lost_comes_after_the_return<K: Kit>() {
    let mut world = Setup::new().on_command(|_| Reply::ok("1").after(secs(2))).ready::<K>();
    world.run_for(secs(40));
    let id = command(&mut world, "slow", "");
    world.run_for(SECOND);
    world.host_mut().opening = Opening::Hangs;
    world.cut();
    world.run_for(secs(100));
    assert_eq!(world.app().running(), 0, "it finished while the device was away");
    world.host_mut().opening = Opening::Normal;
    world.run_until("answered", secs(120), |w| !gateway(w).responses_to(&id).is_empty());
    world.run_for(SECOND);
    assert_eq!(world.app().runs(), [(id.as_str(), 1)].into());
    world.assert_clean();
}

fn a_gateway_that_repeats_itself_gets_one_run<K: Kit>() {
    let mut setup = Setup::new().on_command(|_| Reply::ok("1").after(secs(9)));
    setup.habits.retry_after = Some(secs(2));
    setup.habits.attempts = 10;
    let mut world = setup.ready::<K>();
    let ids: Vec<_> = (0..5).map(|_| command(&mut world, "slow", "")).collect();
    world.run_for(secs(30));
    for id in &ids {
        assert_eq!((world.app().runs()[id.as_str()], gateway(&world).responses_to(id).len()), (1, 1));
        assert_eq!(gateway(&world).commands()[id].at.len(), 5);
    }
    world.assert_clean();
}

fn commands_wait_at_the_server_while_the_device_is_away<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    world.run_for(secs(40));
    world.host_mut().opening = Opening::Fails(mqtt_device_core::Failure::Dns);
    world.cut();
    world.settle();
    let ids: Vec<_> = (0..25).map(|n| command(&mut world, "echo", &n.to_string())).collect();
    world.run_for(secs(3600));
    world.host_mut().opening = Opening::Normal;
    world.run_until("all answered", secs(120), |w| gateway(w).is_answered());
    let order: Vec<_> = world.app().calls.iter().map(|(_, call)| call.id.clone()).collect();
    assert_eq!(order, ids, "in the order in which they were sent");
    world.assert_clean();
}

/// A killed broker that kept its memory delivers again what it had no PUBACK for; one that lost it makes the gateway
/// send again. Either way: one run.
fn a_server_that_was_killed_delivers_again_and_nothing_runs_twice<K: Kit>() {
    for memory in [Memory::Kept, Memory::Lost] {
        let mut setup = Setup::new().on_command(|_| Reply::ok("1").after(secs(2)));
        setup.habits.retry_after = Some(secs(5));
        setup.habits.attempts = 100;
        setup.server.checks_resubscription = false;
        let mut world = setup.ready::<K>();
        for _ in 0..5 {
            for _ in 0..4 {
                command(&mut world, "slow", "");
            }
            world.run_for(SECOND);
            let now = world.now();
            world.net.server.kill(now);
            world.run_for(secs(3));
            world.net.server.start(Instant::ZERO, memory);
            world.run_until("answered", secs(700), |w| gateway(w).is_answered());
            world.run_for(secs(40));
        }
        assert_eq!(world.app().runs().len(), 20);
        assert!(world.app().runs().values().all(|&n| n == 1), "{:?}", world.app().runs());
        let transport = |n: &Notice| matches!(n, Notice::Disconnected { reason: DisconnectReason::Transport, .. });
        assert_eq!(world.app().count(transport), 5);
        world.assert_clean();
    }
}

/// Forty entries, a thousand commands: what the server can no longer deliver again is forgotten for new ones.
fn what_is_confirmed_makes_room_for_new_commands<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    for n in 0..1000 {
        command(&mut world, "echo", &n.to_string());
        world.run_for(ms(50));
    }
    world.run_for(secs(5));
    assert_eq!((world.app().runs().len(), gateway(&world).responses().len()), (1000, 1000));
    assert!(gateway(&world).responses().values().all(|r| r.len() == 1 && r[0].1.contains("\"success\":true")));
    assert_eq!(world.app().count(|n| matches!(n, Notice::CommandBusy { .. } | Notice::CommandDropped { .. })), 0);
    world.assert_clean();
}

/// Some servers send again by a timer what is not acknowledged, though MQTT 3.1.1 allows it after a reconnect alone.
fn a_server_that_repeats_itself_on_one_connection_changes_nothing<K: Kit>() {
    let mut world = Setup::new().on_command(|_| Reply::ok("1").after(secs(3))).ready::<K>();
    for n in 0..100 {
        let id = command(&mut world, "slow", "");
        for _ in 0..2 {
            world.run_for(SECOND);
            let now = world.now();
            world.net.server.repeat_in_flight(now, ID);
        }
        world.run_for(secs(5));
        assert_eq!((world.app().runs().len(), gateway(&world).responses_to(&id).is_empty()), (n + 1, false));
    }
    assert!(world.app().runs().values().all(|&n| n == 1));
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0));
    assert_eq!(world.app().count(|n| matches!(n, Notice::CommandBusy { .. } | Notice::CommandDropped { .. })), 0);
    world.assert_clean();
}

/// The server is slow to take responses, the gateway impatient: repeats of what is done must not use up the room for
/// what runs.
fn answers_to_repeats_do_not_push_out_first_answers<K: Kit>() {
    let after = |name: &str| if name == "slow" { secs(20) } else { ms(0) };
    let mut world = Setup::new().on_command(move |call| Reply::ok("1").after(after(&call.name))).ready::<K>();
    let done = command(&mut world, "echo", "");
    world.run_for(SECOND);
    let slow: Vec<_> = (0..8).map(|_| command(&mut world, "slow", "")).collect();
    world.run_for(secs(6));
    world.net.server.faults.withhold_acks = true;
    for _ in 0..60 {
        resend(&mut world, &done);
        world.run_for(ms(100));
    }
    world.run_for(secs(20));
    world.net.server.faults.withhold_acks = false;
    let now = world.now();
    world.net.server.release_acks(now, ID, mqtt_device_sim::server::Order::Received);
    world.run_for(secs(5));
    assert!(slow.iter().all(|id| gateway(&world).responses_to(id).len() == 1), "every first answer came");
    assert!(world.app().runs().values().all(|&n| n == 1));
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0));
    world.assert_clean();
}

/// Twenty commands are answered, and the answers acknowledged; their own acknowledgements, which waited behind a slow
/// command, are written and lost. Sixty new commands want their places before the connection ends.
fn a_full_table_forgets_nothing_that_may_come_again<K: Kit>() {
    let after = |name: &str| if name == "slow" { secs(20) } else { ms(0) };
    let mut setup = Setup::new().on_command(move |call| Reply::ok("1").after(after(&call.name)));
    setup.server.window = 100;
    let mut world = setup.ready::<K>();
    world.run_for(secs(40));
    command(&mut world, "slow", "");
    let pinned: Vec<_> = (0..10).map(|_| command(&mut world, "echo", "")).collect();
    world.run_for(ms(4_900));
    assert!(pinned.iter().all(|id| gateway(&world).responses_to(id).len() == 1));
    assert_eq!(world.net.server.unfinished_to(ID).0, 11, "none is acknowledged");
    world.net.server.faults.loses_input = true;
    world.run_for(ms(200));
    for _ in 0..60 {
        command(&mut world, "echo", "");
    }
    world.run_for(SECOND);
    world.net.server.faults.loses_input = false;
    world.cut();
    world.run_until("back", secs(5), |w| w.host().machine.is_ready());
    world.run_for(secs(60));
    assert!(world.app().runs().values().all(|&n| n == 1), "{:?}", world.app().runs());
    assert!(pinned.iter().all(|id| told(&world).contains(&Told::Repeated(id.clone(), false))));
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0));
    world.tolerates = vec![mqtt_device_sim::server::Rule::PingTooOften];
    world.assert_clean();
}
