//! Where to connect to, as a builder collects it: URLs, or a connector of the user's.

use core::hash::{BuildHasher, Hasher};
use std::hash::RandomState;
use std::sync::Arc;

use crate::link::{Connector, Tcp};
use crate::{Error, Server};

/// What both builders know about servers.
pub(crate) enum Endpoint {
    Urls(Vec<String>),
    Custom { connector: Box<dyn Connector>, servers: u8 },
}

impl Endpoint {
    pub(crate) fn url(url: impl Into<String>) -> Self {
        Self::Urls(vec![url.into()])
    }

    pub(crate) fn over(connector: impl Connector + 'static) -> Self {
        Self::Custom { connector: Box::new(connector), servers: 1 }
    }

    /// One more server; over a connector of the user's, one more index.
    pub(crate) fn add(&mut self, url: String) {
        match self {
            Self::Urls(urls) => urls.push(url),
            Self::Custom { servers, .. } => *servers = servers.saturating_add(1),
        }
    }

    /// The connector, and how many servers it knows.
    pub(crate) fn resolve(self) -> Result<(Box<dyn Connector>, u8), Error> {
        match self {
            Self::Custom { connector, servers } => Ok((connector, servers)),
            Self::Urls(urls) => {
                let servers: Vec<Server> = urls.iter().map(|url| Server::parse(url)).collect::<Result<_, _>>()?;
                let count = u8::try_from(servers.len()).map_err(|_| Error::Limit("at most 255 servers"))?;
                let servers: Arc<[Server]> = servers.into();
                Ok((Box::new(Tcp(servers)), count))
            }
        }
    }
}

/// Differs in every process and at every call: from the keys with which the standard library guards its hash maps.
pub(crate) fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
