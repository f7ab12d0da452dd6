//! What all hosts share: the clock, the server, the gateways, and connections that only the server still knows.

use mqtt_device_core::Instant;

use crate::clock::Clock;
use crate::gateway::Gateway;
use crate::link::{Link, Read};
use crate::server::{ConnectionId, Server};

/// The world around the hosts.
#[derive(Debug)]
pub struct Net {
    /// Virtual time.
    pub clock: Clock,
    /// The broker.
    pub server: Server,
    /// Who talks to devices over it.
    pub gateways: Vec<Gateway>,
    /// Links that the machine's side is done with, and the server perhaps not.
    left: Vec<(Link, ConnectionId)>,
}

impl Net {
    pub(super) const fn new(clock: Clock, server: Server) -> Self {
        Self { clock, server, gateways: Vec::new(), left: Vec::new() }
    }

    /// One turn of the server, of links without a machine, and of the gateways.
    pub(super) fn run(&mut self, now: Instant) -> bool {
        self.server.tick(now);
        let mut progress = false;
        let mut left = core::mem::take(&mut self.left);
        left.retain_mut(|(link, connection)| {
            progress |= self.exchange(now, link, *connection);
            !(link.is_over() && self.server.is_gone(*connection))
        });
        self.left = left;
        for gateway in &mut self.gateways {
            progress |= gateway.run(now, &mut self.server);
        }
        progress
    }

    /// Carries bytes between a link and the server.
    pub(super) fn exchange(&mut self, now: Instant, link: &mut Link, connection: ConnectionId) -> bool {
        let mut progress = false;
        if link.is_silent(now) {
            self.server.excuse(connection);
        }
        loop {
            match link.server_read(now) {
                Read::Bytes(bytes) => self.server.receive(now, connection, &bytes),
                Read::Closed if !self.server.is_gone(connection) => self.server.lost(now, connection),
                Read::Closed | Read::Nothing => break,
            }
            progress = true;
        }
        let room = link.server_room(now);
        let bytes = self.server.take(connection, room);
        if !bytes.is_empty() {
            let taken = link.server_write(now, &bytes);
            debug_assert_eq!(taken, bytes.len(), "the room was asked for");
            progress = true;
        }
        if self.server.wants_close(connection) && !link.is_closed_by_server() {
            link.server_close();
            self.server.lost(now, connection);
            progress = true;
        }
        progress
    }

    /// A link is the server's matter from now on.
    pub(super) fn leave(&mut self, link: Link, connection: ConnectionId) {
        self.left.push((link, connection));
    }

    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let links = self.left.iter().filter_map(|(link, _)| link.next());
        let gateways = self.gateways.iter().filter_map(Gateway::deadline);
        links.chain(gateways).chain(self.server.deadline()).filter(|&at| at > now).min()
    }
}
