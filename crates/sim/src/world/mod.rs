//! A world of hosts, links, a server and gateways in virtual time: nothing waits, and the same seed gives the same run.

mod host;
mod net;

use core::fmt::Write as _;

use mqtt_device_core::{Duration, Instant, Machine};

pub use self::host::{Host, HostConfig, Opening};
pub use self::net::Net;
use crate::app::App;
use crate::clock::Clock;
use crate::rng::{Rng, SEED_VARIABLE};
use crate::server::{Rule, Server, ServerConfig};

/// Hosts with machines of one type, and the net they are on.
pub struct World<M: Machine, A> {
    /// The clock, the server, the gateways, and links that the hosts have given up.
    pub net: Net,
    /// Rules that this test breaks on purpose.
    pub tolerates: Vec<Rule>,
    /// Whether the run ends where a rule is broken, and not at its end: the trace then ends there, too.
    pub fails_at_once: bool,
    hosts: Vec<Host<M, A>>,
    seed: u64,
    rng: Rng,
}

/// So many turns without the clock moving are a machine that spins.
const MOST_TURNS: u32 = 100_000;

impl<M: Machine, A: App<M>> World<M, A> {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64, config: ServerConfig) -> Self {
        Self::starting_at(seed, config, Clock::default())
    }

    /// An empty world whose clock shows something else at first.
    #[must_use]
    pub fn starting_at(seed: u64, config: ServerConfig, clock: Clock) -> Self {
        let config = ServerConfig { confirms_delivery: true, ..config };
        Self {
            net: Net::new(clock, Server::new(config)),
            tolerates: Vec::new(),
            fails_at_once: false,
            hosts: Vec::new(),
            seed,
            rng: Rng::new(seed),
        }
    }

    /// Adds a host; its index.
    pub fn add(&mut self, config: HostConfig, machine: M, source: Box<M::Source>, app: A) -> usize {
        let rng = self.rng.fork();
        self.hosts.push(Host::new(config, machine, source, app, rng));
        self.hosts.len() - 1
    }

    /// The only host, or the first.
    #[must_use]
    pub fn host(&self) -> &Host<M, A> {
        self.host_at(0)
    }

    /// The only host, or the first.
    pub fn host_mut(&mut self) -> &mut Host<M, A> {
        self.host_mut_at(0)
    }

    /// A host by its index.
    #[must_use]
    pub fn host_at(&self, index: usize) -> &Host<M, A> {
        &self.hosts[index]
    }

    /// A host by its index.
    pub fn host_mut_at(&mut self, index: usize) -> &mut Host<M, A> {
        &mut self.hosts[index]
    }

    /// The application of the only host, or the first.
    #[must_use]
    pub fn app(&self) -> &A {
        &self.host().app
    }

    /// What the clock shows.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.net.clock.now()
    }

    /// The application calls its machine from outside, as a handle does: the host must be woken by the machine itself.
    pub fn call<R>(&mut self, f: impl FnOnce(Instant, &mut M, &mut A) -> R) -> R {
        self.call_at(0, f)
    }

    /// The same on the host with this index.
    pub fn call_at<R>(&mut self, index: usize, f: impl FnOnce(Instant, &mut M, &mut A) -> R) -> R {
        let now = self.now();
        let (result, missed) = self.hosts[index].call(now, f);
        if let Some(missed) = missed {
            self.fail(&missed);
        }
        result
    }

    /// Cuts the link of the first host.
    pub fn cut(&mut self) {
        let now = self.now();
        self.hosts[0].cut(now);
    }

    /// Lets everything happen that can happen without time passing.
    pub fn settle(&mut self) {
        let mut turns = 0;
        while self.turn() {
            turns += 1;
            if turns > MOST_TURNS {
                self.fail("livelock: there is always something to do, and time does not pass");
            }
        }
        if self.fails_at_once {
            self.check_rules();
        }
    }

    fn turn(&mut self) -> bool {
        let now = self.now();
        let mut progress = self.net.run(now);
        let mut fault = None;
        for (index, host) in self.hosts.iter_mut().enumerate() {
            match host.turn(now, &mut self.net) {
                Ok(moved) => progress |= moved,
                Err(what) => fault = Some(format!("host {index}: {what}")),
            }
        }
        if let Some(what) = fault {
            self.fail(&what);
        }
        progress
    }

    /// Lets everything happen that can happen now, then moves the clock to what comes next; false when nothing does.
    pub fn step(&mut self) -> bool {
        self.settle();
        match self.next() {
            Some(next) => self.net.clock.advance_to(next),
            None => return false,
        }
        true
    }

    /// When something happens next, after [`World::settle`].
    fn next(&mut self) -> Option<Instant> {
        let now = self.now();
        let overdue = self.hosts.iter().position(|h| h.machine_deadline().is_some_and(|at| at <= now));
        if let Some(index) = overdue {
            let at = self.hosts[index].machine_deadline();
            self.fail(&format!("host {index} wants to be polled at {at:?}, which is not in the future"));
        }
        let hosts = self.hosts.iter().filter_map(|host| host.next(now));
        hosts.chain(self.net.next(now)).filter(|&at| at > now).min()
    }

    /// Runs until `done`, at most for `limit`.
    ///
    /// # Panics
    /// When the limit is over, with the trace and the seed.
    pub fn run_until(&mut self, what: &str, limit: Duration, mut done: impl FnMut(&Self) -> bool) {
        let end = self.now() + limit;
        loop {
            self.settle();
            if done(self) {
                return;
            }
            match self.next() {
                Some(next) if next <= end => self.net.clock.advance_to(next),
                Some(_) => self.fail(&format!("not within {limit}: {what}")),
                None => self.fail(&format!("nothing happens any more, and not yet: {what}")),
            }
        }
    }

    /// Runs for `span`.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now() + span;
        loop {
            self.settle();
            match self.next().filter(|&next| next <= end) {
                Some(next) => self.net.clock.advance_to(next),
                None => break,
            }
        }
        self.net.clock.advance_to(end);
        self.settle();
    }

    /// The machine sleeps (a laptop is closed): time passes at once, and nobody is polled meanwhile.
    pub fn sleep(&mut self, span: Duration) {
        self.net.clock.advance(span);
    }

    /// Everything so far, for a failure.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = format!("{}", self.net.server.trace);
        for violation in self.net.server.violations() {
            let _ = writeln!(text, "!! {violation}");
        }
        for fault in self.net.gateways.iter().flat_map(|g| g.faults()) {
            let _ = writeln!(text, "!! {fault}");
        }
        let _ = write!(text, "seed {}: run it alone with {SEED_VARIABLE}={}", self.seed, self.seed);
        text
    }

    /// Ends the test with the trace and the seed.
    ///
    /// # Panics
    /// Always.
    pub fn fail(&self, what: &str) -> ! {
        panic!("{}\n\nat {} ms: {what}", self.report(), self.now().as_millis());
    }

    /// Fails unless `condition`.
    ///
    /// # Panics
    /// With the trace and the seed.
    pub fn check(&self, condition: bool, what: &str) {
        if !condition {
            self.fail(what);
        }
    }

    fn check_rules(&self) {
        let broken = self.net.server.violations().iter().any(|v| !self.tolerates.contains(&v.rule));
        self.check(!broken, "the client broke rules of MQTT");
    }

    /// Ends a test: nobody broke a rule, no gateway saw nonsense.
    ///
    /// # Panics
    /// With the trace and the seed, when somebody did.
    pub fn assert_clean(&mut self) {
        self.settle();
        self.check_rules();
        self.check(self.net.gateways.iter().all(|g| g.faults().is_empty()), "the device broke its protocol");
    }
}

impl<M: Machine, A> core::fmt::Debug for World<M, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("World").field("hosts", &self.hosts).field("seed", &self.seed).finish_non_exhaustive()
    }
}
