//! The life of one command: received, run, answered, acknowledged.

use mqtt_device_core::{Notice, PublishError, QoS};
use mqtt_device_sim::app::{Reply, Told};
use mqtt_device_sim::packet::ApplicationMessage;
use mqtt_device_sim::server::Rule;

use crate::rig::*;

on_both_storages!(
    a_command_runs_once_and_is_answered,
    an_error_is_answered_as_an_error,
    the_response_is_out_before_the_acknowledgement,
    commands_run_side_by_side_and_are_answered_as_they_finish,
    a_command_at_qos_0_runs_and_is_answered,
    ids_are_compared_unescaped,
    a_response_that_is_too_large_becomes_an_error_answer,
    a_response_that_is_no_json_is_refused_and_may_be_given_again,
    a_command_can_be_answered_once,
    more_commands_than_can_be_remembered_are_told_that_the_device_is_busy,
    a_gateway_that_is_slow_to_acknowledge_gets_every_response,
);

fn a_command_runs_once_and_is_answered<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    let with = command(&mut world, "echo", r#"{"n": 1, "text": "ä \"quoted\""}"#);
    let without = command(&mut world, "echo", "");
    world.run_for(SECOND);
    assert_eq!(world.app().runs(), [(with.as_str(), 1), (without.as_str(), 1)].into());
    let expected =
        format!(r#"{{"commandId":"{with}","success":true,"data":{{"echo":{{"n": 1, "text": "ä \"quoted\""}}}}}}"#);
    assert_eq!(gateway(&world).responses_to(&with), [expected]);
    let expected = format!(r#"{{"commandId":"{without}","success":true,"data":{{"echo":null}}}}"#);
    assert_eq!(gateway(&world).responses_to(&without), [expected]);
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0), "both are acknowledged");
    assert_eq!(world.app().calls[1].1.payload, None);
    world.assert_clean();
}

fn an_error_is_answered_as_an_error<K: Kit>() {
    let setup = Setup::new().on_command(|call| match call.name.as_str() {
        "echo" => Reply::ok(""),
        name => Reply::error(&format!("Unknown command: {name}")),
    });
    let mut world = setup.ready::<K>();
    let known = command(&mut world, "echo", "");
    let unknown = command(&mut world, "fly \"high\"", "");
    world.run_for(SECOND);
    assert_eq!(gateway(&world).responses_to(&known), [format!(r#"{{"commandId":"{known}","success":true}}"#)]);
    let error = format!(r#"{{"commandId":"{unknown}","success":false,"error":"Unknown command: fly \"high\""}}"#);
    assert_eq!(gateway(&world).responses_to(&unknown), [error]);
    world.assert_clean();
}

/// Without a store, the acknowledgement says: the response is on its way.
fn the_response_is_out_before_the_acknowledgement<K: Kit>() {
    let mut world = Setup::new().on_command(|_| Reply::ok("1").after(secs(3))).ready::<K>();
    world.run_for(SECOND);
    let before = packets(&world).len();
    command(&mut world, "slow", "");
    world.run_for(ms(2_900));
    assert_eq!((packets(&world).len(), world.net.server.unfinished_to(ID).0), (before, 1), "it is held");
    world.run_for(SECOND);
    assert_eq!(world.net.server.unfinished_to(ID).0, 0);
    let mut after = packets(&world).split_off(before);
    after.sort();
    assert_eq!(after, ["PUBACK", "response"]);
    assert_eq!(early_acks(&world), 0);
    world.assert_clean();
}

fn commands_run_side_by_side_and_are_answered_as_they_finish<K: Kit>() {
    let setup = Setup::new().on_command(|call| {
        let seconds = call.payload.as_ref().and_then(|p| p.parse().ok()).unwrap_or(0);
        Reply::ok(&seconds.to_string()).after(secs(seconds))
    });
    let mut world = setup.ready::<K>();
    let began = world.now();
    let ids: Vec<_> = ["4", "1", "3"].map(|s| command(&mut world, "slow", s)).into();
    world.run_for(secs(5));
    for (id, seconds) in ids.iter().zip([4, 1, 3]) {
        let (at, _) = gateway(&world).responses()[id][0];
        assert_eq!(at.since(began), secs(seconds));
    }
    world.assert_clean();
}

fn a_command_at_qos_0_runs_and_is_answered<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    raw(&mut world, "error", b"{}");
    let now = world.now();
    let topic = gateway(&world).topic("command");
    let body = br#"{"commandId":"zero","command":"echo"}"#;
    world.net.server.publish(now, ApplicationMessage::new(&topic, body, QoS::AtMostOnce));
    world.run_for(SECOND);
    assert_eq!(world.app().runs(), [("zero", 1)].into());
    assert_eq!(gateway(&world).responses_to("zero").len(), 1);
    world.assert_clean();
}

fn ids_are_compared_unescaped<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    raw(&mut world, "command", br#"{"commandId":"A/1","command":"echo"}"#);
    world.run_for(SECOND);
    raw(&mut world, "command", br#"{"command":"echo","commandId":"\u0041\/1"}"#);
    world.run_for(SECOND);
    assert_eq!(world.app().runs(), [("A/1", 1)].into());
    assert_eq!(gateway(&world).responses_to("A/1").len(), 2, "the same command, answered twice");
    world.assert_clean();
}

fn a_response_that_is_too_large_becomes_an_error_answer<K: Kit>() {
    let long = format!("\"{}\"", "x".repeat(3000));
    let mut world = Setup::new().on_command(move |_| Reply::ok(&long)).ready::<K>();
    let id = command(&mut world, "echo", "");
    world.run_for(SECOND);
    resend(&mut world, &id);
    world.run_for(SECOND);
    let answers = gateway(&world).responses_to(&id);
    assert_eq!(answers.len(), 2);
    assert!(answers[0].contains("\"success\":false") && answers[0].contains("3"), "{}", answers[0]);
    assert!(matches!(world.app().errors[..], [PublishError::TooLarge { .. }]), "{:?}", world.app().errors);
    world.assert_clean();
}

fn a_response_that_is_no_json_is_refused_and_may_be_given_again<K: Kit>() {
    let mut world = Setup::new().on_command(|_| Reply { after: SECOND, result: None }).ready::<K>();
    let id = command(&mut world, "echo", "");
    world.run_for(SECOND);
    let token = world.host().app.tokens[0];
    let bad = world.call(|now, device, _| device.respond(now, token, Ok(b"{not json")));
    assert!(matches!(bad, Err(PublishError::NotJson { at: 1 })), "{bad:?}");
    world.run_for(SECOND);
    assert!(gateway(&world).responses_to(&id).is_empty());
    world.call(|now, device, _| device.respond(now, token, Ok(b"[]"))).expect("it is still waiting");
    world.run_for(SECOND);
    assert_eq!(gateway(&world).responses_to(&id), [format!(r#"{{"commandId":"{id}","success":true,"data":[]}}"#)]);
    world.assert_clean();
}

fn a_command_can_be_answered_once<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    let id = command(&mut world, "echo", "");
    world.run_for(SECOND);
    let token = world.host().app.tokens[0];
    let again = world.call(|now, device, _| device.respond(now, token, Ok(b"2")));
    assert_eq!(again, Err(PublishError::UnknownCommand));
    world.run_for(SECOND);
    assert_eq!(gateway(&world).responses_to(&id).len(), 1);
    world.assert_clean();
}

/// Forty are remembered; all of them run for ever. The forty-first is told so, and none is forgotten for it.
fn more_commands_than_can_be_remembered_are_told_that_the_device_is_busy<K: Kit>() {
    let mut world = Setup::new().on_command(|_| Reply::ok("1").after(secs(600))).ready::<K>();
    let ids: Vec<_> = (0..50)
        .map(|_| {
            let id = command(&mut world, "slow", "");
            world.run_for(SECOND);
            id
        })
        .collect();
    let ran = world.app().runs().len();
    let busy: Vec<_> = ids.iter().filter(|id| !gateway(&world).responses_to(id).is_empty()).collect();
    assert!(ran >= 30 && busy.len() == 50 - ran, "{ran} ran, {} are busy", busy.len());
    for id in busy {
        assert!(gateway(&world).responses_to(id)[0].contains("busy"), "{:?}", gateway(&world).responses_to(id));
    }
    assert!(world.app().count(|n| matches!(n, Notice::CommandBusy { .. })) > 0);
    assert!(world.app().runs().values().all(|&n| n == 1));
    // The executing ones come again: still not run twice.
    ids.iter().take(5).for_each(|id| resend(&mut world, id));
    world.run_for(secs(620));
    assert!(world.app().runs().values().all(|&n| n == 1));
    assert!(ids.iter().all(|id| !gateway(&world).responses_to(id).is_empty()), "all are answered in the end");
    // A PINGREQ before its time confirms acknowledgements, so that entries become free.
    world.tolerates = vec![Rule::PingTooOften];
    world.assert_clean();
}

fn a_gateway_that_is_slow_to_acknowledge_gets_every_response<K: Kit>() {
    let mut world = Setup::new().ready::<K>();
    world.net.server.faults.withhold_acks = true;
    let ids: Vec<_> = (0..60)
        .map(|n| {
            let id = command(&mut world, "echo", &n.to_string());
            world.run_for(ms(300));
            if n % 10 == 9 {
                let now = world.now();
                world.net.server.release_acks(now, ID, mqtt_device_sim::server::Order::Received);
            }
            id
        })
        .collect();
    world.net.server.faults.withhold_acks = false;
    world.run_for(secs(5));
    assert!(ids.iter().all(|id| gateway(&world).responses_to(id).len() == 1));
    assert_eq!(told(&world).iter().filter(|t| matches!(t, Told::Rejected(_))).count(), 0);
    world.assert_clean();
}
