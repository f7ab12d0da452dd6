//! What goes wrong between a device and its server before a command is ever sent.

use mqtt_device_core::{Device, DeviceConfig, DisconnectReason, Failure, Instant, Notice, ReasonCode, Security};
use mqtt_device_sim::app::{DeviceApp, TestProfile, Told};
use mqtt_device_sim::server::Memory;

use crate::rig::*;

on_both_storages!(
    a_wrong_password_is_one_clear_error_and_no_storm,
    a_broker_that_appears_later_is_found,
    two_devices_of_one_name_slow_down_and_say_why,
    a_key_is_not_sent_in_clear_text_over_a_network,
    a_refused_subscription_is_told_and_the_device_is_not_ready,
    a_gateway_that_refuses_the_key_is_heard,
);

fn ends<K: Kit>(world: &DeviceWorld<K>) -> Vec<(DisconnectReason, Option<mqtt_device_core::Duration>)> {
    let notices = world.app().notices.iter();
    notices
        .filter_map(|(_, n)| match n {
            Notice::Disconnected { reason, retry_in } => Some((*reason, *retry_in)),
            _ => None,
        })
        .collect()
}

/// Must hold: one clear error for each attempt, slow retries, no storm.
fn a_wrong_password_is_one_clear_error_and_no_storm<K: Kit>() {
    let mut setup = Setup::new();
    setup.key = "wr0ng".into();
    let mut world = setup.build::<K>();
    world.run_for(secs(3600));
    let refused = DisconnectReason::Refused(ReasonCode::BAD_USER_NAME_OR_PASSWORD);
    let all = ends::<K>(&world);
    assert!((10..=40).contains(&all.len()), "{} attempts in an hour", all.len());
    assert!(all.iter().all(|(reason, retry)| *reason == refused && retry.is_some_and(|d| d >= secs(15))), "{all:?}");
    assert_eq!((world.app().notices.len(), told(&world).len()), (all.len(), 0), "and nothing else is said");
    world.assert_clean();
}

/// Must hold: the broker is absent at start.
fn a_broker_that_appears_later_is_found<K: Kit>() {
    let mut world = Setup::new().build::<K>();
    world.net.server.kill(Instant::ZERO);
    let key = trigger(&mut world, "from_the_beginning", "");
    world.run_for(secs(1800));
    let all = ends::<K>(&world);
    assert!(all.len() > 30, "{} attempts in half an hour", all.len());
    assert!(all.iter().all(|(reason, _)| *reason == DisconnectReason::ConnectFailed(Failure::Refused)));
    world.net.server.start(Instant::ZERO, Memory::Kept);
    until_ready(&mut world, 61);
    world.run_for(SECOND);
    assert!(told(&world).contains(&Told::TriggerAck(Some(key), true)));
    world.assert_clean();
}

/// Must hold: two devices of one name: `PossibleDuplicateClient`, slow lane.
fn two_devices_of_one_name_slow_down_and_say_why<K: Kit>() {
    let mut setup = Setup::new();
    setup.server.checks_resubscription = false;
    let (mut config, identity, host) = (setup.config.clone(), setup.identity, setup.host.clone());
    config.seed = 0xBAD;
    let mut world = setup.build::<K>();
    let twin = Device::new(config, DeviceConfig::new(), identity, K::storage(), K::tables());
    world.add(host, twin, Box::new(TestProfile::new(KEY, &["echo"])), DeviceApp::echo());
    world.run_for(secs(3600));
    let told = [0, 1].map(|host| world.host_at(host).app.count(|n| *n == Notice::PossibleDuplicateClient));
    assert!(told.iter().any(|&n| n >= 1) && told.iter().all(|&n| n <= 20), "told {told:?} times");
    let attempts = [0, 1].map(|host| world.host_at(host).attempts().len());
    assert!(attempts.iter().sum::<usize>() <= 120, "{attempts:?} attempts in an hour");
    world.assert_clean();
}

fn a_key_is_not_sent_in_clear_text_over_a_network<K: Kit>() {
    let mut setup = Setup::new();
    setup.host.security = Security::Plain;
    let mut world = setup.build::<K>();
    world.run_for(secs(600));
    assert_eq!(world.host().sent(), 0);
    let all = ends::<K>(&world);
    assert!(!all.is_empty() && all.len() <= 20);
    assert!(all.iter().all(|(reason, _)| *reason == DisconnectReason::CredentialsWithheld(Security::Plain)));
    let mut setup = Setup::new();
    setup.host.security = Security::Plain;
    setup.config.allow_insecure_credentials = true;
    setup.ready::<K>().assert_clean();
}

/// Trap 21.
fn a_refused_subscription_is_told_and_the_device_is_not_ready<K: Kit>() {
    let setup = Setup::new();
    let mut world = setup.build::<K>();
    let filter = gateway(&world).topic("command");
    world.net.server.faults.refuse_filters.insert(filter);
    world.run_for(secs(10));
    assert!(world.host().machine.is_connected() && !world.host().machine.is_ready());
    let refused = Notice::SubscriptionRefused { index: 0, reason: ReasonCode::UNSPECIFIED_ERROR };
    assert_eq!(world.app().count(|n| *n == refused), 1);
    assert_eq!(world.app().count(|n| matches!(n, Notice::Ready { .. })), 0);
    world.assert_clean();
}

/// The broker takes the password and the gateway does not: its `error` is told, and nothing is closed.
fn a_gateway_that_refuses_the_key_is_heard<K: Kit>() {
    let mut setup = Setup::new();
    setup.server.users = None;
    setup.key = "0ther".into();
    let mut world = setup.ready::<K>();
    world.run_for(SECOND);
    assert!(told(&world).contains(&Told::ServerError(Some("\"AUTH\"".into()), Some("wrong key".into()))));
    assert!(world.host().machine.is_ready());
    world.assert_clean();
}
