//! Messages that wait: bounded, by the policy of their class, with a time to live on MQTT 3.1.1 too.

use mqtt_device_core::{
    ClassLimits, DropReason, Instant, MessageKey, Outcome, Publication, PublishError, QoS, Storage, WhenFull,
};
use mqtt_device_sim::server::Memory;

use crate::rig::*;

on_both_storages!(
    a_full_class_rejects,
    a_full_class_drops_its_oldest,
    the_latest_on_a_topic_takes_the_place_of_those_before,
    bytes_are_bounded_too,
    classes_do_not_take_each_others_place,
    what_waited_too_long_is_not_sent,
    what_was_sent_does_not_expire,
    a_cancelled_message_does_not_leave,
    storage_that_is_full_says_so_and_recovers,
    what_can_never_be_sent_is_refused_at_once,
);

fn away<S: Storage>(storage: fn() -> S, limits: ClassLimits) -> ClientWorld<S> {
    let mut setup = Setup::new();
    setup.config.classes[1] = limits;
    let mut world = setup.build(storage());
    world.net.server.kill(Instant::ZERO);
    world.settle();
    world
}

fn back<S: Storage>(world: &mut ClientWorld<S>) -> Vec<String> {
    let now = world.now();
    world.net.server.start(now, Memory::Kept);
    until_ready(world, 70);
    world.run_for(SECOND);
    publishes(world).into_iter().map(|p| p.3).collect()
}

fn offer<S: Storage>(world: &mut ClientWorld<S>, topic: &str, text: &str) -> Result<MessageKey, PublishError> {
    let mut publication = Publication::new(topic, QoS::AtLeastOnce);
    publication.class = 1;
    let result = world.call(|now, client, app| app.publish(now, client, &publication, text.as_bytes()));
    world.settle();
    result
}

fn bounded(count: u16, when_full: WhenFull) -> ClassLimits {
    ClassLimits { count, when_full, ..ClassLimits::UNBOUNDED }
}

const POLICY: Option<Outcome> = Some(Outcome::Dropped(DropReason::Policy));

/// Trap 24: unbounded memory while offline.
fn a_full_class_rejects<S: Storage>(storage: fn() -> S) {
    let mut world = away(storage, bounded(3, WhenFull::Reject));
    let taken: Vec<bool> = (0..6).map(|n| offer(&mut world, "out", &n.to_string()).is_ok()).collect();
    assert_eq!(taken, [true, true, true, false, false, false]);
    assert_eq!(offer(&mut world, "out", "x"), Err(PublishError::Full));
    assert_eq!(back(&mut world), ["0", "1", "2"]);
    assert!(offer(&mut world, "out", "again").is_ok(), "there is room again");
    world.run_for(SECOND);
    world.assert_clean();
}

fn a_full_class_drops_its_oldest<S: Storage>(storage: fn() -> S) {
    let mut world = away(storage, bounded(3, WhenFull::DropOldest));
    let keys: Vec<_> = (0..6).map(|n| offer(&mut world, "out", &n.to_string()).expect("the oldest goes")).collect();
    assert!(keys[..3].iter().all(|&key| outcome(&world, key) == POLICY));
    assert_eq!(back(&mut world), ["3", "4", "5"]);
    assert!(keys[3..].iter().all(|&key| outcome(&world, key) == Some(Outcome::Acked)));
    world.assert_clean();
}

/// Also when the class is not full, and only on the same topic.
fn the_latest_on_a_topic_takes_the_place_of_those_before<S: Storage>(storage: fn() -> S) {
    let mut world = away(storage, bounded(8, WhenFull::Latest));
    let keys: Vec<_> = [("a", "1"), ("b", "2"), ("a", "3"), ("a", "4")]
        .map(|(topic, text)| offer(&mut world, topic, text).expect("there is room"))
        .into();
    let outcomes: Vec<_> = keys.iter().map(|&key| outcome(&world, key)).collect();
    assert_eq!(outcomes, [POLICY, None, POLICY, None]);
    assert_eq!(back(&mut world), ["2", "4"]);
    world.assert_clean();
}

fn bytes_are_bounded_too<S: Storage>(storage: fn() -> S) {
    let limits = ClassLimits { bytes: 100, ..bounded(8, WhenFull::DropOldest) };
    let mut world = away(storage, limits);
    let text = "x".repeat(40);
    let keys: Vec<_> = (0..4).map(|_| offer(&mut world, "t", &text).expect("the oldest goes")).collect();
    assert_eq!(keys.iter().filter(|&&key| outcome(&world, key) == POLICY).count(), 2);
    let alone = offer(&mut world, "t", &"x".repeat(200));
    assert_eq!(alone, Err(PublishError::TooLarge { total: 210 }), "it alone is over the bound");
    assert_eq!(back(&mut world).len(), 2);
    world.assert_clean();
}

fn classes_do_not_take_each_others_place<S: Storage>(storage: fn() -> S) {
    let mut world = away(storage, bounded(1, WhenFull::DropOldest));
    let other = publish(&mut world, "out", "of class 0");
    for n in 0..4 {
        offer(&mut world, "out", &n.to_string()).expect("the oldest goes");
    }
    assert_eq!(outcome(&world, other), None);
    assert_eq!(back(&mut world), ["of class 0", "3"]);
    world.assert_clean();
}

/// Trap 24: stale messages are replayed. MQTT 3.1.1 has no expiry; the outbox has.
fn what_waited_too_long_is_not_sent<S: Storage>(storage: fn() -> S) {
    let mut world = away(storage, ClassLimits { ttl: Some(secs(60)), ..ClassLimits::UNBOUNDED });
    let old = offer(&mut world, "out", "old").expect("there is room");
    world.run_for(secs(40));
    let young = offer(&mut world, "out", "young").expect("there is room");
    world.run_for(secs(20));
    assert_eq!((outcome(&world, old), outcome(&world, young)), (Some(Outcome::Expired), None));
    world.net.server.start(Instant::ZERO, Memory::Kept);
    world.run_for(secs(70));
    assert!(publishes(&world).iter().all(|p| p.3 != "old"));
    world.assert_clean();
}

fn what_was_sent_does_not_expire<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.config.classes[1].ttl = Some(secs(10));
    let mut world = setup.ready(storage());
    world.net.server.faults.withhold_acks = true;
    let key = offer(&mut world, "out", "on its way").expect("there is room");
    world.run_for(secs(3600));
    assert_eq!(outcome(&world, key), None, "the server has it: only the server can end it");
    world.cut();
    world.net.server.faults.withhold_acks = false;
    until_ready(&mut world, 5);
    world.run_for(SECOND);
    assert_eq!(outcome(&world, key), Some(Outcome::Acked));
    world.assert_clean();
}

fn a_cancelled_message_does_not_leave<S: Storage>(storage: fn() -> S) {
    let mut world = away(storage, ClassLimits::UNBOUNDED);
    let keys: Vec<_> = ["a", "b", "c"].map(|text| offer(&mut world, "out", text).expect("there is room")).into();
    assert!(world.call(|_, client, _| client.cancel(keys[1])));
    assert!(!world.call(|_, client, _| client.cancel(keys[1])), "once");
    assert_eq!(back(&mut world), ["a", "c"]);
    assert_eq!(outcome(&world, keys[1]), Some(Outcome::Dropped(DropReason::Cancelled)));
    assert!(!world.call(|_, client, _| client.cancel(keys[0])), "too late");
    world.assert_clean();
}

fn storage_that_is_full_says_so_and_recovers<S: Storage>(storage: fn() -> S) {
    let mut world = away(storage, ClassLimits::UNBOUNDED);
    let text = "x".repeat(300);
    let mut taken = 0;
    let error = loop {
        match offer(&mut world, "out", &text) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 1000, "it is bounded");
    };
    assert!(matches!(error, PublishError::Full | PublishError::NoRoom { .. }), "{error:?}");
    assert!(taken >= 8, "{taken} of some 4 KiB");
    assert_eq!(back(&mut world).len(), taken);
    for round in 0..40 {
        for _ in 0..taken {
            offer(&mut world, "out", &text).unwrap_or_else(|e| panic!("round {round}: {e}"));
        }
        world.run_for(SECOND);
    }
    assert_eq!(world.app().ledger.count(Outcome::Acked), 41 * taken);
    world.assert_clean();
}

fn what_can_never_be_sent_is_refused_at_once<S: Storage>(storage: fn() -> S) {
    let mut world = away(storage, ClassLimits::UNBOUNDED);
    for topic in ["", "a/+", "a/#", "nul\0"] {
        assert!(matches!(offer(&mut world, topic, "x"), Err(PublishError::Topic(_))), "{topic:?}");
    }
    let huge = "x".repeat(5000);
    assert!(matches!(offer(&mut world, "out", &huge), Err(PublishError::TooLarge { .. })));
    let two = Publication::new("out", QoS::ExactlyOnce);
    let result = world.call(|now, client, app| app.publish(now, client, &two, b"x"));
    assert_eq!(result, Err(PublishError::QosNotSupported));
    world.assert_clean();
}
