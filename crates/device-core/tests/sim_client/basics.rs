//! The plain exchange: connect, subscribe, messages both ways, and what the driver contract promises meanwhile.

use mqtt_device_core::{Notice, Outcome, QoS, Storage};
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::packet::Seen;

use crate::rig::*;

on_both_storages!(
    it_connects_subscribes_and_is_ready,
    messages_of_both_qualities_arrive_and_leave,
    a_narrow_link_changes_nothing_but_the_time,
    a_large_body_goes_out_in_parts,
);

fn it_connects_subscribes_and_is_ready<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.source.filters = vec!["in/#".into(), "also/+".into()];
    let mut world = setup.build(storage());
    assert!(!world.host().machine.is_connected() && !world.host().machine.is_ready());
    until_ready(&mut world, 1);
    assert_eq!(world.net.server.subscriptions(ID), ["also/+", "in/#"]);
    assert_eq!(world.app().connected, [false]);
    assert_eq!(world.app().count(|n| *n == Notice::Ready { again: false }), 1);
    assert!(matches!(&world.net.server.received()[0].packet, Seen::Connect(c) if c.keep_alive == 60 && !c.clean_start));
    assert!(world.net.server.live_ids(ID).is_empty(), "no identifier of a SUBSCRIBE stays in use");
    world.assert_clean();
}

fn messages_of_both_qualities_arrive_and_leave<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    let zero = publish_at(&mut world, QoS::AtMostOnce, "out/a", "zero");
    let one = publish(&mut world, "out/b", "one");
    send(&mut world, QoS::AtMostOnce, "in/a", "null");
    send(&mut world, QoS::AtLeastOnce, "in/b", "eins");
    world.run_for(SECOND);
    assert_eq!((outcome(&world, zero), outcome(&world, one)), (Some(Outcome::Sent), Some(Outcome::Acked)));
    assert_eq!(world.app().texts(), ["null", "eins"]);
    let published: Vec<_> = world.net.server.published().iter().filter(|p| p.client_id.is_some()).collect();
    assert_eq!(published.iter().map(|p| p.message.text()).collect::<Vec<_>>(), ["zero", "one"]);
    assert_eq!(world.net.server.unfinished_to(ID), (0, 0), "what came is acknowledged");
    assert!(world.net.server.live_ids(ID).is_empty());
    world.assert_clean();
}

/// One byte at a time, partial writes, slow flushes: the same packets in the same order.
fn a_narrow_link_changes_nothing_but_the_time<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.host.link = LinkConfig { piece: 1..=1, capacity: 3, flush: 1..=2, delay: 0..=3, ..LinkConfig::perfect() };
    setup.host.shuffles = true;
    let mut world = setup.ready(storage());
    let keys: Vec<_> = (0..10).map(|n| publish(&mut world, "out", &n.to_string())).collect();
    for n in 0..10 {
        send(&mut world, QoS::AtLeastOnce, "in", &n.to_string());
    }
    world.run_for(secs(5));
    assert!(keys.iter().all(|&key| outcome(&world, key) == Some(Outcome::Acked)));
    let texts: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    assert_eq!(publishes(&world).into_iter().map(|p| p.3).collect::<Vec<_>>(), texts);
    assert_eq!(world.app().texts(), texts);
    world.assert_clean();
}

/// The transmit buffer is as small as `tx_min` allows, far below the message.
fn a_large_body_goes_out_in_parts<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    let text = "0123456789".repeat(300);
    let key = publish(&mut world, "out", &text);
    let after = publish(&mut world, "out", "after");
    world.run_for(SECOND);
    assert_eq!((outcome(&world, key), outcome(&world, after)), (Some(Outcome::Acked), Some(Outcome::Acked)));
    assert_eq!(publishes(&world).into_iter().map(|p| p.3).collect::<Vec<_>>(), [text.as_str(), "after"]);
    world.assert_clean();
}
