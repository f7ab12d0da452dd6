//! Answers that answer nothing: counted and ignored, never a reason to close.

use mqtt_device_core::QoS;
use mqtt_device_core::{Notice, Outcome, Storage, SubscribeOptions};
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::packet::Seen;
use mqtt_device_sim::server::{Order, Rule};

use crate::rig::*;

on_both_storages!(
    an_answer_of_another_kind_ends_nothing,
    a_puback_for_a_subscription_ends_nothing,
    acknowledgements_nobody_waits_for_are_counted_and_ignored,
    a_pubrel_nobody_waits_for_is_answered_so_that_it_ends,
    a_message_that_is_not_written_to_the_end_cannot_be_acknowledged,
    an_acknowledgement_that_comes_twice_counts_once,
);

fn strays<S: Storage>(world: &ClientWorld<S>) -> u32 {
    let notices = world.app().notices.iter().rev();
    notices.filter_map(|(_, n)| if let Notice::StrayAck { count } = n { Some(*count) } else { None }).max().unwrap_or(0)
}

fn with_id(first: u8, id: u16, rest: &[u8]) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    let mut bytes = vec![first, 2 + rest.len() as u8, high, low];
    bytes.extend(rest);
    bytes
}

/// Trap 3: an unknown SUBACK is accepted. An answer must match identifier and kind.
fn an_answer_of_another_kind_ends_nothing<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.net.server.faults.withhold_acks = true;
    let key = publish(&mut world, "out", "x");
    world.settle();
    let id = publishes(&world)[0].1;
    inject(&mut world, &with_id(0x90, id, &[1]));
    inject(&mut world, &with_id(0xB0, id, &[]));
    inject(&mut world, &with_id(0x50, id, &[]));
    inject(&mut world, &with_id(0x70, id, &[]));
    assert_eq!((outcome(&world, key), strays(&world)), (None, 4));
    let now = world.now();
    world.net.server.release_acks(now, ID, Order::Received);
    world.run_for(SECOND);
    assert_eq!(outcome(&world, key), Some(Outcome::Acked));
    assert_eq!(ends(&world, 0), []);
    world.assert_clean();
}

/// Trap 3, the other way round.
fn a_puback_for_a_subscription_ends_nothing<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    world.net.server.faults.ignore_subscribes = true;
    let options = SubscribeOptions::new(QoS::AtLeastOnce);
    let key = world.call(|now, client, app| {
        let key = client.subscribe(now, "more/#", options).expect("there is room");
        app.ledger.accepted(key);
        key
    });
    world.settle();
    let id = world.net.server.received().iter().rev().find_map(|r| match &r.packet {
        Seen::Subscribe { id, .. } => Some(*id),
        _ => None,
    });
    let id = id.expect("SUBSCRIBE was sent");
    inject(&mut world, &with_id(0x40, id, &[]));
    inject(&mut world, &with_id(0xB0, id, &[]));
    assert_eq!((outcome(&world, key), strays(&world)), (None, 2));
    inject(&mut world, &with_id(0x90, id, &[1]));
    assert_eq!((outcome(&world, key), strays(&world)), (Some(Outcome::Acked), 2));
    world.assert_clean();
}

/// Trap 4: a stale acknowledgement closes the connection, the server replays it, a reconnect storm begins.
fn acknowledgements_nobody_waits_for_are_counted_and_ignored<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    for (first, rest) in [(0x40, &[][..]), (0x50, &[]), (0x70, &[]), (0xB0, &[]), (0x90, &[0])] {
        for id in [1, 2, 32, 33, 64, 65, 0x1234, 0xFFFF] {
            inject(&mut world, &with_id(first, id, rest));
        }
    }
    inject(&mut world, &[0xD0, 0]);
    assert_eq!(strays(&world), 41);
    let key = publish(&mut world, "out", "still here");
    world.run_for(SECOND);
    assert_eq!((outcome(&world, key), ends(&world, 0)), (Some(Outcome::Acked), vec![]));
    world.assert_clean();
}

/// Trap 4: an earlier life of this session spoke QoS 2. PUBCOMP makes the server forget it.
fn a_pubrel_nobody_waits_for_is_answered_so_that_it_ends<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    let three: Vec<u8> = [7, 8, 9].iter().flat_map(|&id| with_id(0x62, id, &[])).collect();
    inject(&mut world, &three);
    let broken = world.net.server.take_violations();
    assert_eq!(broken.iter().map(|v| v.rule).collect::<Vec<_>>(), [Rule::Unexpected; 3], "three PUBCOMP");
    assert!(broken.iter().all(|v| v.detail.contains("PUBCOMP")), "{broken:?}");
    assert!(world.host().machine.is_ready());
    world.assert_clean();
}

/// Traps 2 and 3: the identifier is given out and the packet is half written: nothing can have been acknowledged.
fn a_message_that_is_not_written_to_the_end_cannot_be_acknowledged<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.host.link = LinkConfig { capacity: 64, flush: 50..=50, ..LinkConfig::perfect() };
    let mut world = setup.ready(storage());
    let key = publish(&mut world, "out", &"long ".repeat(700));
    world.run_for(ms(120));
    assert_eq!(publishes(&world).len(), 0, "it is on its way");
    // Whatever the identifier is: it is one of the first.
    let everything: Vec<u8> = (1..=300).flat_map(|id| with_id(0x40, id, &[])).collect();
    let now = world.now();
    world.net.server.inject(now, ID, &everything);
    world.run_for(ms(1500));
    assert_eq!(outcome(&world, key), None);
    world.run_until("acknowledged", secs(600), |w| outcome(w, key) == Some(Outcome::Acked));
    assert_eq!(publishes(&world).len(), 1, "the server had all of it by then");
    world.assert_clean();
}

fn an_acknowledgement_that_comes_twice_counts_once<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    let key = publish(&mut world, "out", "x");
    world.settle();
    let id = publishes(&world)[0].1;
    inject(&mut world, &with_id(0x40, id, &[]));
    assert_eq!((outcome(&world, key), strays(&world)), (Some(Outcome::Acked), 1));
    // The slot may carry a new message by now; its identifier is another.
    world.net.server.faults.withhold_acks = true;
    let next = publish(&mut world, "out", "y");
    world.settle();
    inject(&mut world, &with_id(0x40, id, &[]));
    assert_eq!(outcome(&world, next), None, "the late acknowledgement is of the message before");
    world.assert_clean();
}
