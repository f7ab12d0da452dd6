//! The model server, with the gateway of one device, on a free loopback port: so that an example needs no broker.

use mqtt_device_core::Instant;
use mqtt_device_sim::gateway::Gateway;
use mqtt_device_sim::server::{Server, ServerConfig};
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// How long a message may wait for the thread of its connection.
const TURN: Duration = Duration::from_millis(5);

/// A running server; it runs until the process ends.
#[derive(Clone)]
pub(crate) struct Broker {
    address: SocketAddr,
    state: Arc<(Mutex<(Server, Gateway)>, Condvar)>,
    began: std::time::Instant,
}

impl Broker {
    /// Listens.
    pub(crate) fn start(gateway: Gateway) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let broker = Self {
            address: listener.local_addr()?,
            state: Arc::new((Mutex::new((Server::new(ServerConfig::default()), gateway)), Condvar::new())),
            began: std::time::Instant::now(),
        };
        let it = broker.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let it = it.clone();
                thread::spawn(move || it.serve(stream));
            }
        });
        Ok(broker)
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does something with the server and the gateway, or asks them something.
    pub(crate) fn with<T>(&self, what: impl FnOnce(&mut Server, &mut Gateway, Instant) -> T) -> T {
        let (server, gateway) = &mut *self.state.0.lock().expect("nobody panicked with the server in hand");
        what(server, gateway, self.now())
    }

    /// Waits until this holds; false when it does not within 20 seconds.
    #[allow(dead_code, reason = "for tests")]
    pub(crate) fn until(&self, mut holds: impl FnMut(&Server, &Gateway) -> bool) -> bool {
        let state = self.state.0.lock().expect("nobody panicked with the server in hand");
        let patience = Duration::from_secs(20);
        let waited = self.state.1.wait_timeout_while(state, patience, |(server, gateway)| !holds(server, gateway));
        waited.is_ok_and(|(_, timeout)| !timeout.timed_out())
    }

    fn now(&self) -> Instant {
        Instant::from_millis(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn serve(&self, mut stream: TcpStream) {
        let Some(id) = self.with(|server, _, now| server.accept(now)) else { return };
        // A timeout that cannot be set would make a thread that hangs, and nothing worse.
        let _ = stream.set_read_timeout(Some(TURN)).and_then(|()| stream.set_nodelay(true));
        let mut turn = |buffer: &mut [u8]| -> Result<bool> {
            match stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(n) => self.with(|server, _, now| server.receive(now, id, &buffer[..n])),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) => return Err(e),
            }
            let (bytes, over) = self.with(|server, gateway, now| {
                gateway.run(now, server);
                server.tick(now);
                (server.take(id, usize::MAX), server.wants_close(id))
            });
            self.state.1.notify_all();
            stream.write_all(&bytes)?;
            Ok(!over)
        };
        let mut buffer = [0; 4096];
        while turn(&mut buffer).unwrap_or(false) {}
        self.with(|server, gateway, now| {
            server.lost(now, id);
            gateway.run(now, server);
        });
        self.state.1.notify_all();
    }
}
