//! The connection is cut at every byte of a scripted exchange, in either direction: the result is always the same.

use std::collections::{BTreeMap, BTreeSet};

use mqtt_device_core::Outcome;
use mqtt_device_sim::app::{Call, Reply};
use mqtt_device_sim::link::LinkConfig;

use crate::rig::*;

on_both_storages!(
    cut_at_every_byte_sent_the_result_is_the_same,
    cut_at_every_byte_received_the_result_is_the_same,
    cut_unnoticed_by_the_server_the_result_is_the_same,
    cut_twice_the_result_is_the_same,
);

fn script(call: &Call) -> Reply {
    match call.name.as_str() {
        "echo" => Reply::ok(call.payload.as_deref().unwrap_or("null")),
        "slow" => Reply::ok("\"slow\"").after(secs(2)),
        // Beyond the hold: it is acknowledged early.
        "slower" => Reply::ok("\"slower\"").after(secs(8)),
        _ => Reply::error("no such command"),
    }
}

/// What must be the same however often the connection was cut.
#[derive(Debug, PartialEq, Eq)]
struct Result {
    runs: BTreeMap<String, u32>,
    responses: BTreeMap<String, BTreeSet<String>>,
    triggers: BTreeSet<String>,
    outcomes: Vec<Option<Outcome>>,
    retained: BTreeMap<String, String>,
    subscriptions: Vec<String>,
}

struct Cut {
    sent: Option<u64>,
    received: Option<u64>,
    /// How long after the first cut the second comes.
    again: Option<u64>,
    unnoticed: bool,
}

const NONE: Cut = Cut { sent: None, received: None, again: None, unnoticed: false };

/// The scripted exchange: five commands of each kind, two triggers, some beats. Returns the result and the bytes that
/// went either way.
fn play<K: Kit>(cut: &Cut, name: &str) -> (Result, u64, u64) {
    let mut setup = Setup::new().on_command(script);
    setup.host.link = LinkConfig { delay: 10..=10, ..LinkConfig::perfect() };
    setup.server.checks_resubscription = false;
    setup.config.backoff.base = SECOND;
    if cut.unnoticed {
        setup.host.link.server_notices = None;
    }
    let mut world = setup.build::<K>();
    if let Some(bytes) = cut.sent {
        world.host_mut().cut_after_sent(bytes);
    }
    if let Some(bytes) = cut.received {
        world.host_mut().cut_after_received(bytes);
    }
    // The commands are sent by the clock, whatever the device does; the server keeps them once there is a session.
    world.run_until("a session", secs(60), |w| w.net.server.subscriptions(ID).len() == 6);
    let mut again = cut.again;
    for (command_name, payload) in [("slower", ""), ("echo", "1"), ("slow", ""), ("fly", "{}"), ("echo", "[\"end\"]")] {
        command(&mut world, command_name, payload);
        trigger(&mut world, command_name, payload);
        world.run_for(ms(300));
        if let Some(after) = again.filter(|_| world.net.server.transports() > 1) {
            let at = world.host().sent() + after;
            world.host_mut().cut_after_sent(at);
            again = None;
        }
    }
    let done = |w: &DeviceWorld<K>| {
        gateway(w).is_answered()
            && w.app().ledger.open() == 0
            && gateway(w).triggers().len() >= 5
            && w.net.server.unfinished_to(ID) == (0, 0)
            && w.net.server.live_ids(ID).is_empty()
            && gateway(w).is_online()
            && w.host().machine.is_ready()
            && w.host().machine.client().pending() == 0
    };
    world.run_until(name, secs(300), done);
    // After the old will of an unnoticed cut could have come, it is still so.
    world.run_for(secs(if cut.unnoticed { 100 } else { 2 }));
    world.check(done(&world), &format!("{name}: and it stays so"));
    world.check(world.host().machine.executing() == 0, "nothing executes");
    world.assert_clean();
    let gateway = gateway(&world);
    let responses = gateway.responses().iter();
    let result = Result {
        runs: world.app().runs().into_iter().map(|(id, n)| (id.to_owned(), n)).collect(),
        responses: responses
            .map(|(id, all)| (id.clone(), all.iter().map(|(_, text)| text.clone()).collect()))
            .collect(),
        triggers: gateway.triggers().iter().map(|(_, name, payload)| format!("{name} {payload:?}")).collect(),
        outcomes: world.app().ledger.outcomes(),
        retained: world.net.server.retained().iter().map(|(t, m)| (t.clone(), m.text().to_owned())).collect(),
        subscriptions: world.net.server.subscriptions(ID),
    };
    (result, world.host().sent(), world.host().received())
}

fn expect_same<K: Kit>(cuts: impl Iterator<Item = Cut>, expected: &Result) -> u32 {
    let mut count = 0;
    for cut in cuts {
        let name = format!("sent {:?}, received {:?}, again {:?}", cut.sent, cut.received, cut.again);
        let (result, ..) = play::<K>(&cut, &name);
        assert_eq!(result, *expected, "cut at {name}");
        count += 1;
    }
    count
}

fn uncut<K: Kit>() -> (Result, u64, u64) {
    let (result, sent, received) = play::<K>(&NONE, "without a cut");
    assert!(result.runs.len() == 5 && result.runs.values().all(|&n| n == 1));
    assert!(result.responses.values().all(|texts| texts.len() == 1));
    assert_eq!((result.retained.len(), result.subscriptions.len(), result.outcomes.len()), (1, 6, 5));
    (result, sent, received)
}

/// Must hold, first half.
fn cut_at_every_byte_sent_the_result_is_the_same<K: Kit>() {
    let (expected, sent, _) = uncut::<K>();
    let cuts = (0..=sent).map(|n| Cut { sent: Some(n), ..NONE });
    let count = expect_same::<K>(cuts, &expected);
    assert!(count > 1000, "{count} places were tried");
}

/// Must hold, second half.
fn cut_at_every_byte_received_the_result_is_the_same<K: Kit>() {
    let (expected, _, received) = uncut::<K>();
    let cuts = (0..=received).map(|n| Cut { received: Some(n), ..NONE });
    let count = expect_same::<K>(cuts, &expected);
    assert!(count > 500, "{count} places were tried");
}

/// The server sees nothing of the cut: it is taken over from, or gives up after one and a half keep alive times.
fn cut_unnoticed_by_the_server_the_result_is_the_same<K: Kit>() {
    let (expected, sent, received) = uncut::<K>();
    let up = (0..=sent).step_by(7).map(|n| Cut { sent: Some(n), unnoticed: true, ..NONE });
    let down = (0..=received).step_by(5).map(|n| Cut { received: Some(n), unnoticed: true, ..NONE });
    assert!(expect_same::<K>(up.chain(down), &expected) > 200);
}

/// The second cut hits the repetition of what the first one hit.
fn cut_twice_the_result_is_the_same<K: Kit>() {
    let (expected, sent, received) = uncut::<K>();
    let mut rng = mqtt_device_sim::rng::Rng::new(5);
    let cuts = (0..300).map(|_| Cut {
        sent: Some(rng.within(&(0..=sent))),
        received: Some(rng.within(&(0..=received))),
        again: Some(rng.within(&(0..=400))),
        unnoticed: rng.percent(30),
    });
    assert_eq!(expect_same::<K>(cuts, &expected), 300);
}
