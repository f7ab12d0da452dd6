//! A TCP proxy between device and broker that can be cut and mended.

use core::net::{Ipv4Addr, SocketAddr};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use mqtt_device_tokio::{ConnectError, Failure, Link, Security, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::wire::{Packets, Wire};
use crate::exit::Outcome;

/// The proxy. Dropping it cuts it.
pub(super) struct Proxy {
    target: Server,
    door: Door,
    wire: watch::Sender<Wire>,
    running: Option<AbortHandle>,
}

/// Where the proxy listens now; while it is cut, nowhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Door(Arc<Mutex<Option<SocketAddr>>>);

impl Door {
    /// Opens a connection through the proxy. How far it is to be trusted depends on what lies behind the proxy.
    ///
    /// # Errors
    /// It is cut.
    pub(super) async fn connect(self, security: Security) -> Result<Link, ConnectError> {
        let address = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(address) = address else {
            return Err(ConnectError::new(Failure::Refused, io::Error::from(io::ErrorKind::ConnectionRefused)));
        };
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Link::new(stream, security))
    }

    fn set(&self, address: Option<SocketAddr>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

impl Proxy {
    /// A proxy to that server, cut as yet.
    pub(super) fn new(target: Server) -> Self {
        Self { target, door: Door::default(), wire: watch::Sender::new(Wire::default()), running: None }
    }

    /// Where devices connect.
    pub(super) fn door(&self) -> Door {
        self.door.clone()
    }

    /// What passes.
    pub(super) fn wire(&self) -> watch::Receiver<Wire> {
        self.wire.subscribe()
    }

    /// Lets connections through.
    ///
    /// # Errors
    /// No loopback port can be had.
    pub(super) async fn mend(&mut self) -> Outcome {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        self.door.set(Some(listener.local_addr()?));
        let accepting = accept(listener, self.target.clone(), self.wire.clone());
        self.running = Some(tokio::spawn(accepting).abort_handle());
        Ok(())
    }

    /// Closes every connection on both sides at once, and refuses new ones.
    pub(super) fn cut(&mut self) {
        self.door.set(None);
        if let Some(running) = self.running.take() {
            running.abort(); // with it go the tasks of all connections
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}

async fn accept(listener: TcpListener, target: Server, wire: watch::Sender<Wire>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((device, _)) => {
                    connections.spawn(forward(device, target.clone(), wire.clone()));
                }
                Err(error) => {
                    tracing::error!("the proxy cannot accept: {error}");
                    return;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Marks the connection as closed, also when its task is aborted.
struct Open(watch::Sender<Wire>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|wire| wire.open = false);
    }
}

async fn forward(device: TcpStream, target: Server, wire: watch::Sender<Wire>) {
    let broker = match TcpStream::connect((target.host(), target.port())).await {
        Ok(broker) => broker,
        Err(error) => {
            tracing::error!("the proxy cannot reach {target}: {error}");
            return;
        }
    };
    wire.send_modify(|wire| {
        *wire = Wire { connections: wire.connections + 1, open: true, unacknowledged: 0, ..*wire };
    });
    let _open = Open(wire.clone());
    // Without effect it would only be slower.
    let _ = (device.set_nodelay(true), broker.set_nodelay(true));
    let (from_device, to_device) = device.into_split();
    let (from_broker, to_broker) = broker.into_split();
    // When one side closes, the other still gets what is under way, and closes in its turn; an error ends both.
    let _ = tokio::try_join!(copy(from_device, to_broker, &wire), copy(from_broker, to_device, &wire));
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, wire: &watch::Sender<Wire>) -> io::Result<()> {
    let (mut packets, mut firsts) = (Packets::default(), Vec::new());
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let n = from.read(&mut chunk).await?;
        let bytes = chunk.get(..n).unwrap_or_default();
        if bytes.is_empty() {
            return to.shutdown().await;
        }
        packets.feed(bytes, |first| firsts.push(first));
        wire.send_modify(|wire| firsts.iter().for_each(|first| wire.coming(*first)));
        to.write_all(bytes).await?;
        wire.send_modify(|wire| firsts.drain(..).for_each(|first| wire.passed(first)));
    }
}

/// How far credentials may be trusted to a server that is reached in clear text: as far as to this machine, if it is
/// one.
pub(super) async fn security_of(server: &Server) -> Security {
    let found = tokio::net::lookup_host((server.host(), server.port())).await;
    let local = found.is_ok_and(|mut addresses| addresses.all(|address| address.ip().is_loopback()));
    if local { Security::Local } else { Security::Plain }
}
