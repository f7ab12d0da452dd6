//! Many seeds: rough links that are cut at random, and the promises that hold over every run.

use mqtt_device_core::{Duration, Outcome, QoS, Storage};
use mqtt_device_sim::clock::Clock;
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::rng::{Rng, seeds};
use mqtt_device_sim::server::Memory;

use crate::rig::*;

on_both_storages!(random_cuts_lose_nothing_and_keep_the_order, random_faults_never_stop_it);

fn rough(seed: u64, rng: &mut Rng) -> Setup {
    let mut setup = Setup::new();
    setup.seed = seed;
    setup.config.seed = seed;
    setup.config.send_window = 1 + rng.below(8) as u16;
    setup.host.link = LinkConfig::rough();
    setup.host.shuffles = true;
    setup.server.checks_resubscription = false;
    setup.server.keep_alive_slack = secs(15);
    setup.clock = Clock::starting_at(mqtt_device_core::Instant::from_millis(rng.next_u64() >> 20));
    setup
}

/// Traps 1, 2, 7 and 8 over random runs: every message at QoS 1 arrives, first copies in order, one outcome each.
fn random_cuts_lose_nothing_and_keep_the_order<S: Storage>(storage: fn() -> S) {
    for seed in seeds(60) {
        let mut rng = Rng::new(seed);
        let mut world = rough(seed, &mut rng).build(storage());
        let mut texts = Vec::new();
        for n in 0..25 {
            let text = format!("{n}-{}", "x".repeat(rng.below(60)));
            // The outbox is small: when it is full, time must pass.
            world.run_until("room", secs(600), |w| w.app().ledger.open() < 20);
            publish(&mut world, "out", &text);
            texts.push(text);
            send(&mut world, QoS::AtLeastOnce, "in/x", &n.to_string());
            world.run_for(Duration::from_millis(rng.within(&(0..=400))));
            if rng.percent(25) {
                world.cut();
            }
        }
        world.run_until("all acknowledged", secs(3600), |w| w.app().ledger.open() == 0);
        world.run_until("all delivered", secs(3600), |w| w.net.server.unfinished_to(ID) == (0, 0));
        world.check(world.app().ledger.count(Outcome::Acked) == 25, "every message was acknowledged");
        let mut first = Vec::new();
        for (_, _, _, text) in publishes(&world) {
            if !first.contains(&text) {
                first.push(text);
            }
        }
        world.check(first == texts, "the first copies are in order");
        world.run_for(secs(60));
        world.check(world.net.server.live_ids(ID).is_empty(), "no identifier stays in use");
        world.assert_clean();
    }
}

/// Everything at once: restarts with and without memory, lost sessions, stalls, sleeps. It always comes back.
fn random_faults_never_stop_it<S: Storage>(storage: fn() -> S) {
    for seed in seeds(40) {
        let mut rng = Rng::new(seed);
        let mut world = rough(seed, &mut rng).build(storage());
        for _ in 0..30 {
            let now = world.now();
            match rng.below(9) {
                0 => world.cut(),
                1 => world.net.server.kill(now),
                2 => world.net.server.start(now, if rng.percent(50) { Memory::Kept } else { Memory::Lost }),
                3 => world.net.server.forget_session(now, ID),
                4 => world.host_mut().stall(now + secs(rng.within(&(1..=200)))),
                5 => world.sleep(secs(rng.within(&(1..=4000)))),
                6 => world.net.server.kick(now, ID),
                7 => world.net.server.faults.ignore_pings ^= true,
                _ => world.net.server.faults.withhold_acks ^= true,
            }
            let publication =
                mqtt_device_core::Publication::new("out", QoS::from_u8(rng.below(2) as u8).unwrap_or_default());
            // It may be full: that is an answer, too.
            let _ = world.call(|now, client, app| app.publish(now, client, &publication, b"text"));
            world.run_for(Duration::from_millis(rng.within(&(0..=90_000))));
        }
        let now = world.now();
        world.net.server.faults = Default::default();
        world.net.server.start(now, Memory::Kept);
        world.cut();
        // What the server was made to do is not the client's fault: it slept, and nobody answered.
        world.run_until("ready again", secs(700), |w| w.host().machine.is_ready());
        world.run_until("everything has its outcome", secs(600), |w| w.app().ledger.open() == 0);
        world.net.server.take_violations().iter().for_each(|v| {
            world.check(v.rule == mqtt_device_sim::server::Rule::KeepAlive, &v.to_string());
        });
        world.assert_clean();
    }
}
