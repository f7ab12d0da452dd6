//! Transports: what a link is, who opens one, and the TCP connector.

use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use mqtt_device_core::{Failure, Security};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};

use crate::{ConnectError, Server};

/// Any byte stream that the driver can own: implemented for every fitting type.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// An open transport and how far it is to be trusted.
pub struct Link {
    pub(crate) stream: Box<dyn Transport>,
    pub(crate) security: Security,
}

impl Link {
    /// Says how far `stream` is to be trusted: credentials go over [`Security::Verified`] and [`Security::Local`] only,
    /// unless the builder was told otherwise.
    pub fn new(stream: impl Transport + 'static, security: Security) -> Self {
        Self { stream: Box::new(stream), security }
    }
}

impl core::fmt::Debug for Link {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Link").field("security", &self.security).finish_non_exhaustive()
    }
}

/// An attempt under way. It is dropped when the machine gives up on it.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Link, ConnectError>> + Send>>;

/// Opens transports. Implemented for closures from the server's index to a future of a [`Link`].
pub trait Connector: Send {
    /// Begins an attempt to reach the server with this index.
    fn connect(&mut self, server: usize) -> Connecting;
}

impl<F, Fut> Connector for F
where
    F: FnMut(usize) -> Fut + Send,
    Fut: Future<Output = Result<Link, ConnectError>> + Send + 'static,
{
    fn connect(&mut self, server: usize) -> Connecting {
        Box::pin(self(server))
    }
}

impl Connector for Box<dyn Connector> {
    fn connect(&mut self, server: usize) -> Connecting {
        (**self).connect(server)
    }
}

/// TCP to a list of servers.
pub(crate) struct Tcp(pub(crate) Arc<[Server]>);

impl Connector for Tcp {
    fn connect(&mut self, server: usize) -> Connecting {
        let servers = Arc::clone(&self.0);
        Box::pin(async move {
            match servers.get(server) {
                Some(server) => tcp(server).await,
                None => Err(ConnectError::new(Failure::Other, io::Error::other("no server has this index"))),
            }
        })
    }
}

/// How long one of several addresses may take to answer, and how long all but the last together: the machine's deadline
/// is 30 s.
const ONE_OF_SEVERAL: Duration = Duration::from_secs(5);
const ALL_BUT_ONE: Duration = Duration::from_secs(20);

/// Each address of the name in turn, until one answers. The machine's deadline spans all of it, so an address that does
/// not answer at all must not use it up.
async fn tcp(server: &Server) -> Result<Link, ConnectError> {
    let dns = |e| ConnectError::new(Failure::Dns, e);
    let addresses: Vec<_> = lookup_host((server.host(), server.port())).await.map_err(dns)?.collect();
    let others = u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_sub(1).max(1);
    let mut last = None;
    for (n, &address) in addresses.iter().enumerate() {
        let is_last = n + 1 == addresses.len();
        let limit = if is_last { Duration::MAX } else { ONE_OF_SEVERAL.min(ALL_BUT_ONE / others) };
        let attempt = tokio::time::timeout(limit, TcpStream::connect(address)).await;
        match attempt.unwrap_or_else(|late| Err(late.into())) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                let security = if address.ip().is_loopback() { Security::Local } else { Security::Plain };
                return Ok(Link::new(stream, security));
            }
            Err(e) => last = Some(e),
        }
    }
    Err(last.map_or_else(|| dns(io::Error::other("the name has no address")), Into::into))
}
