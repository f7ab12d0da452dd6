//! Attempts to connect: one deadline over all of it, delays with jitter, a slow lane by reason, and never an end.

use mqtt_device_core::{
    DisconnectReason, Duration, Failure, Instant, Notice, ProtocolError, ReasonCode, Security, Storage,
};
use mqtt_device_sim::app::{ClientApp, ClientSource};
use mqtt_device_sim::server::Memory;
use mqtt_device_sim::world::Opening;

use crate::rig::*;

on_both_storages!(
    silence_after_the_transport_is_open_ends_at_the_deadline,
    an_opening_that_never_ends_is_given_up,
    one_deadline_covers_opening_and_handshake,
    an_absent_server_is_tried_with_jitter_and_never_given_up,
    two_clients_do_not_return_in_step,
    a_short_connection_does_not_reset_the_delays,
    a_stable_connection_resets_the_delays,
    a_server_that_is_busy_is_tried_soon,
    a_server_that_breaks_the_protocol_is_tried_slowly,
    an_untrusted_certificate_is_tried_slowly,
    servers_are_tried_in_turn,
    two_clients_of_one_name_are_noticed_and_slow_down,
);

fn retries<S: Storage>(world: &ClientWorld<S>) -> Vec<Duration> {
    ends(world, 0).iter().map(|(_, _, retry)| retry.expect("it never stops")).collect()
}

/// Trap 14: connecting hangs for ever: TCP stands, and then nothing.
fn silence_after_the_transport_is_open_ends_at_the_deadline<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().build(storage());
    world.net.server.faults.ignore_connects = true;
    let began = world.now();
    world.run_for(secs(31));
    let (at, reason, _) = ends(&world, 0)[0];
    assert_eq!((at.since(began), reason), (secs(30), DisconnectReason::ConnectTimeout));
    world.net.server.faults.ignore_connects = false;
    until_ready(&mut world, 40);
    world.assert_clean();
}

/// Trap 14: DNS or TCP hangs.
fn an_opening_that_never_ends_is_given_up<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().build(storage());
    world.host_mut().opening = Opening::Hangs;
    let began = world.now();
    world.run_for(secs(31));
    let (at, reason, _) = ends(&world, 0)[0];
    assert_eq!((at.since(began), reason), (secs(30), DisconnectReason::ConnectTimeout));
    world.run_for(secs(120));
    assert!(world.host().attempts().len() >= 3, "and tried again");
    world.host_mut().opening = Opening::Normal;
    until_ready(&mut world, 120);
    world.assert_clean();
}

/// Trap 14: one deadline over name, TCP, TLS and CONNACK, not one for each.
fn one_deadline_covers_opening_and_handshake<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.host.link.connect = 20_000..=20_000;
    let mut world = setup.build(storage());
    world.net.server.faults.ignore_connects = true;
    let began = world.now();
    world.run_for(secs(31));
    let (at, reason, _) = ends(&world, 0)[0];
    assert_eq!((at.since(began), reason), (secs(30), DisconnectReason::ConnectTimeout));
    world.assert_clean();
}

/// Trap 15: a reconnect storm, or giving up after ten tries.
fn an_absent_server_is_tried_with_jitter_and_never_given_up<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().build(storage());
    world.net.server.kill(Instant::ZERO);
    world.run_for(secs(24 * 3600));
    let delays = retries(&world);
    assert!((1500..6000).contains(&delays.len()), "{} attempts in a day", delays.len());
    assert!(delays.iter().all(|&d| d <= secs(60)));
    for (n, delay) in delays.iter().take(6).enumerate() {
        assert!(*delay <= secs(1 << n), "attempt {n} after {delay}");
    }
    let late = &delays[10..];
    for quarter in 0..4 {
        let within = late.iter().filter(|d| d.as_millis() / 15_001 == quarter).count();
        assert!(within * 5 > late.len(), "full jitter fills the whole range: {within} of {} in a quarter", late.len());
    }
    assert!(ends(&world, 0).iter().all(|(_, reason, _)| *reason == DisconnectReason::ConnectFailed(Failure::Refused)));
    let now = world.now();
    world.net.server.start(now, Memory::Kept);
    until_ready(&mut world, 61);
    world.assert_clean();
}

fn two_clients_do_not_return_in_step<S: Storage>(storage: fn() -> S) {
    let attempts = |seed| {
        let mut setup = Setup::new();
        setup.config.seed = seed;
        let mut world = setup.build(storage());
        world.net.server.kill(Instant::ZERO);
        world.run_for(secs(600));
        world.host().attempts().iter().map(|(at, _)| *at).collect::<Vec<_>>()
    };
    assert_eq!(attempts(1), attempts(1), "the same seed gives the same run");
    let (one, two) = (attempts(1), attempts(2));
    let same = one.iter().skip(1).filter(|at| two.contains(at)).count();
    assert!(same <= 1, "{one:?} {two:?}");
}

/// Trap 15: the delay is reset by CONNACK, then the server kicks: a storm.
fn a_short_connection_does_not_reset_the_delays<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().build(storage());
    for _ in 0..8 {
        until_ready(&mut world, 400);
        world.run_for(SECOND);
        let now = world.now();
        world.net.server.kick(now, ID);
        world.settle();
    }
    let delays = retries(&world);
    assert!(delays[2..].iter().all(|d| *d >= secs(15)), "the slow lane after three: {delays:?}");
    let numbers: Vec<u32> = world.host().attempts().iter().map(|(_, attempt)| attempt.number).collect();
    assert_eq!(numbers, (0..8).collect::<Vec<_>>(), "attempts are counted on");
    world.assert_clean();
}

fn a_stable_connection_resets_the_delays<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().build(storage());
    world.net.server.kill(Instant::ZERO);
    world.run_for(secs(1000));
    let now = world.now();
    world.net.server.start(now, Memory::Kept);
    until_ready(&mut world, 61);
    world.run_for(secs(31));
    world.cut();
    world.settle();
    assert!(*retries(&world).last().expect("it was cut") <= SECOND);
    until_ready(&mut world, 2);
    assert_eq!(world.host().attempts().last().map(|(_, attempt)| attempt.number), Some(1));
    world.assert_clean();
}

fn a_server_that_is_busy_is_tried_soon<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().build(storage());
    world.net.server.faults.refuse_connects.push_back(ReasonCode::SERVER_UNAVAILABLE);
    world.run_for(ms(1));
    let (_, reason, retry) = ends(&world, 0)[0];
    assert_eq!(reason, DisconnectReason::Refused(ReasonCode::SERVER_UNAVAILABLE));
    assert!(retry.is_some_and(|d| d <= SECOND));
    until_ready(&mut world, 2);
    world.assert_clean();
}

fn a_server_that_breaks_the_protocol_is_tried_slowly<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().ready(storage());
    inject(&mut world, &[0x00, 0x00]);
    world.settle();
    let (_, reason, retry) = ends(&world, 0)[0];
    assert!(matches!(reason, DisconnectReason::Protocol(ProtocolError::Malformed(_))), "{reason:?}");
    assert!(retry.is_some_and(|d| d >= secs(15)), "{retry:?}");
    assert_eq!(world.host().errors().len(), 1);
    until_ready(&mut world, 61);
    world.assert_clean();
}

fn an_untrusted_certificate_is_tried_slowly<S: Storage>(storage: fn() -> S) {
    let mut world = Setup::new().build(storage());
    world.host_mut().opening = Opening::Fails(Failure::Untrusted);
    world.run_for(secs(3600));
    let delays = retries(&world);
    assert!(delays.len() <= 40, "{} attempts in an hour", delays.len());
    assert!(delays.iter().all(|d| *d >= secs(15) && *d <= secs(300)), "{delays:?}");
    assert_eq!(ends(&world, 0)[0].1, DisconnectReason::ConnectFailed(Failure::Untrusted));
    world.assert_clean();
}

fn servers_are_tried_in_turn<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.config.servers = 3;
    let mut world = setup.build(storage());
    world.net.server.faults.refuse_transports = 5;
    until_ready(&mut world, 300);
    let servers: Vec<u8> = world.host().attempts().iter().map(|(_, attempt)| attempt.server).collect();
    assert_eq!(servers, [0, 1, 2, 0, 1, 2]);
    world.run_for(secs(60));
    world.cut();
    until_ready(&mut world, 5);
    assert_eq!(
        world.host().attempts().last().map(|(_, attempt)| attempt.server),
        Some(2),
        "it stays where it was well"
    );
    world.assert_clean();
}

/// Trap 15: two devices with one Client Identifier push each other out for ever.
fn two_clients_of_one_name_are_noticed_and_slow_down<S: Storage>(storage: fn() -> S) {
    let mut setup = Setup::new();
    setup.server.checks_resubscription = false;
    let mut other = setup.config.clone();
    other.seed = 0xBAD;
    let host = setup.host.clone();
    let mut world = setup.build(storage());
    let second = mqtt_device_core::Client::new(other, storage());
    world.add(host, second, Box::new(ClientSource::new(ID, &["in/#"])), ClientApp::default());
    world.run_for(secs(3600));
    let told = [0, 1].map(|host| world.host_at(host).app.count(|n| *n == Notice::PossibleDuplicateClient));
    // Once one of them has slowed down, the other stays connected for so long that it has nothing to tell.
    assert!(told.iter().any(|&n| n >= 1) && told.iter().all(|&n| n <= 20), "told {told:?} times");
    let attempts = [0, 1].map(|host| world.host_at(host).attempts().len());
    assert!(attempts.iter().sum::<usize>() <= 120, "{attempts:?} attempts in an hour");
    world.assert_clean();
}

#[test]
fn a_transport_of_any_kind_is_told_to_the_machine() {
    let mut setup = Setup::new();
    setup.host.security = Security::Verified;
    setup.ready(fixed()).assert_clean();
}
