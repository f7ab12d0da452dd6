//! Subscriptions: declared ones come back with the session, refusals are told, answers are matched.

use mqtt_device_core::{Notice, Outcome, QoS, ReasonCode, Storage, SubscribeOptions};
use mqtt_device_sim::packet::{ApplicationMessage, Seen};

use crate::rig::*;

on_both_storages!(
    subscriptions_are_made_again_when_the_session_was_lost,
    subscriptions_are_not_made_again_when_the_session_was_kept,
    a_connection_lost_before_the_answer_is_no_subscription,
    a_refused_declaration_is_told_and_the_client_is_not_ready,
    more_declarations_than_can_be_asked_for_are_told,
    a_refused_subscription_is_refused,
    a_subscription_waits_for_the_connection_and_survives_its_loss,
    an_unsubscription_ends_it,
    messages_that_come_before_the_subscription_is_confirmed_are_handed_over,
    readiness_needs_every_answer,
    declarations_that_change_are_asked_for_again,
    a_lost_session_is_noticed_though_the_answer_that_says_so_is_lost,
);

fn subscribes<S: Storage>(world: &ClientWorld<S>) -> usize {
    count(world, |packet| matches!(packet, Seen::Subscribe { .. }))
}

/// Trap 20: subscriptions silently gone.
fn subscriptions_are_made_again_when_the_session_was_lost<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.source.filters = vec!["in/a".into(), "in/b".into()];
    let mut world = setup.ready(storage());
    let now = world.now();
    world.net.server.forget_session(now, ID);
    world.settle();
    assert!(!world.host().machine.is_ready(), "no longer");
    until_ready(&mut world, 5);
    assert_eq!((subscribes(&world), world.net.server.subscriptions(ID).len()), (4, 2));
    assert_eq!(world.app().count(|n| *n == Notice::Ready { again: true }), 1);
    world.assert_clean();
}

/// Trap 20, the other half: no SUBSCRIBE for nothing, which would send every retained message again.
fn subscriptions_are_not_made_again_when_the_session_was_kept<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    for _ in 0..3 {
        world.run_for(secs(40));
        world.cut();
        world.settle();
        send(&mut world, QoS::AtLeastOnce, "in/x", "meanwhile");
        until_ready(&mut world, 10);
        world.run_for(ms(1));
    }
    assert_eq!(subscribes(&world), 1);
    assert_eq!(world.app().texts(), ["meanwhile"; 3]);
    assert_eq!(world.app().connected, [false, true, true, true]);
    world.assert_clean();
}

fn a_connection_lost_before_the_answer_is_no_subscription<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.server.checks_resubscription = false;
    let mut world = setup.build(storage());
    world.net.server.faults.ignore_subscribes = true;
    world.run_for(SECOND);
    assert!(world.host().machine.is_connected() && !world.host().machine.is_ready());
    world.cut();
    world.net.server.faults.ignore_subscribes = false;
    until_ready(&mut world, 5);
    assert_eq!((subscribes(&world), world.app().connected.as_slice()), (2, &[false, true][..]));
    world.assert_clean();
}

/// Trap 21: refusals reported as success.
fn a_refused_declaration_is_told_and_the_client_is_not_ready<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.source.filters = vec!["in/a".into(), "in/secret".into(), "in/c".into()];
    let mut world = setup.build(storage());
    world.net.server.faults.refuse_filters.insert("in/secret".into());
    world.run_for(secs(10));
    assert!(world.host().machine.is_connected() && !world.host().machine.is_ready());
    let refused = Notice::SubscriptionRefused { index: 1, reason: ReasonCode::UNSPECIFIED_ERROR };
    assert_eq!(world.app().count(|n| *n == refused), 1);
    assert_eq!(world.app().count(|n| matches!(n, Notice::Ready { .. })), 0);
    assert_eq!(world.net.server.subscriptions(ID), ["in/a", "in/c"]);
    world.assert_clean();
}

fn subscribe<S: Storage>(world: &mut ClientWorld<S>, filter: &str) -> mqtt_device_core::MessageKey {
    world.call(|now, client, app| {
        let options = SubscribeOptions::new(QoS::AtLeastOnce);
        let key = client.subscribe(now, filter, options).expect("there is room");
        app.ledger.accepted(key);
        key
    })
}

/// Trap 21, for one that is asked for on the way.
fn more_declarations_than_can_be_asked_for_are_told<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.source.filters = (0..34).map(|n| format!("in/{n}")).collect();
    let mut world = setup.build(storage());
    world.run_for(secs(10));
    assert!(world.host().machine.is_connected() && !world.host().machine.is_ready());
    assert_eq!(world.net.server.subscriptions(ID).len(), 32);
    let told = Notice::SubscriptionRefused { index: 32, reason: ReasonCode::QUOTA_EXCEEDED };
    assert_eq!(world.app().count(|n| *n == told), 1);
    world.assert_clean();
}

fn a_refused_subscription_is_refused<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.net.server.faults.refuse_filters.insert("no".into());
    let (no, yes) = (subscribe(&mut world, "no"), subscribe(&mut world, "yes"));
    world.run_for(SECOND);
    assert_eq!(outcome(&world, no), Some(Outcome::Refused(ReasonCode::UNSPECIFIED_ERROR)));
    assert_eq!(outcome(&world, yes), Some(Outcome::Acked));
    assert!(world.net.server.live_ids(ID).is_empty());
    world.assert_clean();
}

/// Trap 3: the identifier of a SUBSCRIBE is released when the connection is lost, the wish is not.
fn a_subscription_waits_for_the_connection_and_survives_its_loss<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.server.checks_resubscription = false;
    let mut world = setup.ready(storage());
    world.net.server.faults.ignore_subscribes = true;
    let key = subscribe(&mut world, "more");
    world.run_for(SECOND);
    world.cut();
    world.settle();
    world.net.server.faults.ignore_subscribes = false;
    let offline = subscribe(&mut world, "even/more");
    until_ready(&mut world, 5);
    world.run_for(SECOND);
    assert_eq!((outcome(&world, key), outcome(&world, offline)), (Some(Outcome::Acked), Some(Outcome::Acked)));
    assert_eq!(world.net.server.subscriptions(ID), ["even/more", "in/#", "more"]);
    world.assert_clean();
}

fn an_unsubscription_ends_it<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    let key = world.call(|now, client, app| {
        let key = client.unsubscribe(now, "in/#").expect("there is room");
        app.ledger.accepted(key);
        key
    });
    world.run_for(SECOND);
    assert_eq!((outcome(&world, key), world.net.server.subscriptions(ID).len()), (Some(Outcome::Acked), 0));
    world.assert_clean();
}

/// Trap 20: queued messages arrive right after CONNACK, before there are handlers.
fn messages_that_come_before_the_subscription_is_confirmed_are_handed_over<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.server.checks_resubscription = false;
    let mut world = setup.build(storage());
    let mut kept = ApplicationMessage::new("in/kept", b"retained", QoS::AtLeastOnce);
    kept.retain = true;
    let now = world.now();
    world.net.server.publish(now, kept);
    world.net.server.faults.ignore_subscribes = true;
    world.run_for(SECOND);
    send(&mut world, QoS::AtLeastOnce, "in/x", "live");
    world.run_for(SECOND);
    assert!(!world.host().machine.is_ready());
    assert_eq!(world.app().texts(), ["retained", "live"]);
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0));
    world.assert_clean();
}

fn readiness_needs_every_answer<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.source.filters = (0..5).map(|n| format!("in/{n}")).collect();
    let mut world = setup.build(storage());
    world.net.server.faults.ignore_subscribes = true;
    world.run_for(SECOND);
    let ids: Vec<u16> = world.net.server.live_ids(ID);
    assert_eq!(ids.len(), 5);
    for (n, id) in ids.iter().enumerate() {
        assert!(!world.host().machine.is_ready(), "{n} of 5 are answered");
        let [high, low] = id.to_be_bytes();
        inject(&mut world, &[0x90, 3, high, low, 1]);
    }
    assert!(world.host().machine.is_ready());
    world.assert_clean();
}

/// While the answers to the first round are on their way: none of them counts for the second.
fn declarations_that_change_are_asked_for_again<S: Storage>(storage: fn() -> S) {
    for answered in [true, false] {
        let mut setup = Setup::new();
        setup.server.checks_resubscription = false;
        setup.host.link.delay = 10..=10;
        let mut world = setup.build(storage());
        world.run_until("CONNACK", SECOND, |w| w.host().machine.is_connected());
        if answered {
            until_ready(&mut world, 1);
        }
        world.net.server.faults.refuse_filters.insert("in/no".into());
        let source = mqtt_device_sim::app::ClientSource::new(ID, &["in/no", "in/yes"]);
        world.host_mut().set_source(Box::new(source));
        world.call(|_, client, _| client.subscriptions_changed());
        world.run_for(SECOND);
        let refused = Notice::SubscriptionRefused { index: 0, reason: ReasonCode::UNSPECIFIED_ERROR };
        assert_eq!(world.app().count(|n| *n == refused), 1, "the first round answered: {answered}");
        assert!(!world.host().machine.is_ready());
        assert!(world.net.server.subscriptions(ID).contains(&"in/yes".into()));
        world.assert_clean();
    }
}

/// Trap 20: the server lost the session and says so, and that CONNACK is lost on its way; the next one tells of a session
/// that is new and empty.
fn a_lost_session_is_noticed_though_the_answer_that_says_so_is_lost<S: Storage>(storage: fn() -> S) {
    for bytes in 0..=4 {
        let mut setup = Setup::new();
        setup.server.checks_resubscription = false;
        let mut world = setup.ready(storage());
        world.run_for(secs(40));
        let now = world.now();
        world.net.server.kill(now);
        world.net.server.start(now, mqtt_device_sim::server::Memory::Lost);
        let received = world.host().received();
        world.host_mut().cut_after_received(received + bytes);
        world.run_for(secs(30));
        world.check(world.host().machine.is_ready(), "it is back");
        send(&mut world, QoS::AtLeastOnce, "in/x", "anybody there?");
        world.run_for(SECOND);
        world.check(world.app().texts() == ["anybody there?"], "it hears");
        world.assert_clean();
    }
}
