//! Many seeds: a rough link that is cut at random, a gateway that repeats itself, a broker that is killed.

use mqtt_device_core::{Duration, Instant, Machine};
use mqtt_device_sim::app::{Call, Reply};
use mqtt_device_sim::clock::Clock;
use mqtt_device_sim::link::LinkConfig;
use mqtt_device_sim::rng::{Rng, seeds};
use mqtt_device_sim::server::{Memory, Rule};

use crate::rig::*;

on_both_storages!(over_random_runs_each_command_runs_once_and_is_answered);

fn by_payload(call: &Call) -> Reply {
    let tenths = call.payload.as_ref().and_then(|p| p.parse().ok()).unwrap_or(0);
    Reply::ok(&tenths.to_string()).after(Duration::from_millis(tenths * 100))
}

fn rough(seed: u64, rng: &mut Rng) -> Setup {
    let mut setup = Setup::new().on_command(by_payload);
    setup.seed = seed;
    setup.config.seed = seed;
    setup.host.link = LinkConfig::rough();
    setup.host.link.server_notices = if rng.percent(70) { Some(Duration::ZERO) } else { None };
    setup.host.shuffles = true;
    setup.habits.retry_after = Some(secs(20));
    setup.habits.attempts = 1000;
    setup.server.checks_resubscription = false;
    setup.server.keep_alive_slack = secs(30);
    setup.server.window = 1 + rng.below(20);
    setup.clock = Clock::starting_at(Instant::from_millis(rng.next_u64() >> 20));
    setup
}

/// The promise of the whole library: each command runs once and is answered, with the same bytes each time, and
/// afterwards nothing is left over anywhere.
fn over_random_runs_each_command_runs_once_and_is_answered<K: Kit>() {
    for seed in seeds(60) {
        let mut rng = Rng::new(seed);
        let mut world = rough(seed, &mut rng).build::<K>();
        // When the table is full, a PINGREQ before its time confirms acknowledgements.
        world.tolerates = vec![Rule::PingTooOften];
        world.fails_at_once = true;
        for n in 0..25 {
            let now = world.now();
            let tenths = rng.within(&(0..=90));
            command(&mut world, "work", &tenths.to_string());
            if rng.percent(30) {
                trigger(&mut world, "alarm", &n.to_string());
            }
            match rng.below(12) {
                0..=3 => world.cut(),
                4 => world.net.server.kill(now),
                5 => world.net.server.kick(now, ID),
                6 => world.host_mut().stall(now + secs(rng.within(&(1..=100)))),
                _ => {}
            }
            world.run_for(Duration::from_millis(rng.within(&(0..=15_000))));
            let memory = if rng.percent(80) { Memory::Kept } else { Memory::Lost };
            let now = world.now();
            if !world.net.server.is_running() {
                world.net.server.start(now, memory);
            }
        }
        world.run_until("all answered", secs(7200), |w| gateway(w).is_answered());
        world.run_until("all is quiet", secs(3600), |w| {
            w.net.server.unfinished_to(ID) == (0, 0)
                && w.net.server.live_ids(ID).is_empty()
                && w.app().ledger.open() == 0
                && w.host().machine.client().pending() == 0
                && gateway(w).is_online()
        });
        world.check(world.app().runs().len() == 25, "every command ran");
        world.check(world.app().runs().values().all(|&n| n == 1), "each ran once");
        world.run_for(secs(100));
        world.check(gateway(&world).is_online(), "it is online");
        world.call(|now, device, _| device.stop(now, secs(60)));
        world.run_until("stopped", secs(61), |w| w.host().machine.is_stopped());
        world.run_for(secs(5));
        world.check(!gateway(&world).is_online(), "it said that it is offline");
        world.assert_clean();
    }
}
