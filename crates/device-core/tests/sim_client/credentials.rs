//! Who we are is told once the transport is to be trusted, and a refusal is told to the application.

use mqtt_device_core::{DisconnectReason, ReasonCode, Security, Storage};

use crate::rig::*;

on_both_storages!(
    a_wrong_password_is_one_clear_notice_for_each_slow_attempt,
    a_password_that_is_changed_between_attempts_is_used,
    a_password_is_not_sent_over_a_transport_in_clear_text,
    a_password_is_sent_in_clear_text_when_the_user_said_so,
    a_refused_identity_is_retried_slowly_whatever_the_reason,
);

fn with_login(password: &str) -> Setup {
    let mut setup = Setup::new();
    setup.source.login = Some(("user".into(), password.into()));
    setup.server.users = Some([("user".to_owned(), b"right".to_vec())].into());
    setup
}

/// Trap 15: bad credentials make a storm that locks the account.
fn a_wrong_password_is_one_clear_notice_for_each_slow_attempt<S: Storage>(storage: fn() -> S) {
    let mut world = with_login("wrong").build(storage());
    world.run_for(secs(3600));
    let ends = ends(&world, 0);
    assert!((10..=40).contains(&ends.len()), "{} attempts in an hour", ends.len());
    for (_, reason, retry) in &ends {
        assert_eq!(*reason, DisconnectReason::Refused(ReasonCode::BAD_USER_NAME_OR_PASSWORD));
        assert!(retry.is_some_and(|d| d >= secs(15)), "{retry:?}");
    }
    assert_eq!(world.app().notices.len(), ends.len(), "and nothing else is said");
    world.assert_clean();
}

/// The machine keeps no password: it asks each time.
fn a_password_that_is_changed_between_attempts_is_used<S: Storage>(storage: fn() -> S) {
    let mut world = with_login("wrong").build(storage());
    world.run_for(SECOND);
    let mut source = with_login("right").source;
    source.filters = vec!["in/#".into()];
    world.host_mut().set_source(Box::new(source));
    until_ready(&mut world, 61);
    world.assert_clean();
}

fn a_password_is_not_sent_over_a_transport_in_clear_text<S: Storage>(storage: fn() -> S) {
    for security in [Security::Plain, Security::Unverified] {
        let mut setup = with_login("right");
        setup.host.security = security;
        let mut world = setup.build(storage());
        world.run_for(secs(600));
        assert_eq!(world.host().sent(), 0, "not a byte left");
        let ends = ends(&world, 0);
        assert!(
            ends.iter().all(|(_, reason, _)| *reason == DisconnectReason::CredentialsWithheld(security)),
            "{ends:?}"
        );
        assert!((1..=20).contains(&ends.len()), "{} attempts in ten minutes", ends.len());
        world.assert_clean();
    }
}

fn a_password_is_sent_in_clear_text_when_the_user_said_so<S: Storage>(storage: fn() -> S) {
    for security in [Security::Plain, Security::Unverified] {
        let mut setup = with_login("right");
        setup.host.security = security;
        setup.config.allow_insecure_credentials = true;
        setup.ready(storage()).assert_clean();
    }
}

fn a_refused_identity_is_retried_slowly_whatever_the_reason<S: Storage>(storage: fn() -> S) {
    for reason in
        [ReasonCode::NOT_AUTHORIZED, ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, ReasonCode::UNSUPPORTED_PROTOCOL_VERSION]
    {
        let mut world = Setup::new().build(storage());
        world.net.server.faults.refuse_connects.push_back(reason);
        until_ready(&mut world, 61);
        let (_, told, retry) = ends(&world, 0)[0];
        assert_eq!(told, DisconnectReason::Refused(reason));
        assert!(retry.is_some_and(|d| d >= secs(15)), "{retry:?}");
        world.assert_clean();
    }
}
