//! Where a server is: URLs, default ports and the presets.

use core::fmt;
use url::{Host, Url};

/// Names that stand for the Lua platform's servers, with their URLs.
///
/// `lua` is what today's official clients use, `lua-mqtts` what the protocol's first description says. Both need a
/// transport that is not built yet; the error says so.
pub const PRESETS: [(&str, &str); 2] =
    [("lua", "wss://mqtt.heylua.ai/mqtt"), ("lua-mqtts", "mqtts://mqtt.heylua.ai:8883")];

/// A server that can be connected to over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    host: String,
    port: u16,
}

impl Server {
    /// Reads `mqtt://host[:port]` or `tcp://host[:port]` (default port 1883), `host[:port]`, or the name of a preset.
    ///
    /// # Errors
    /// What is wrong with the URL; [`UrlError::SchemeNotBuilt`] for a transport that is known and not built.
    ///
    /// ```
    /// use mqtt_device_tokio::{Server, UrlError};
    /// assert_eq!(Server::parse("mqtt://broker.example").unwrap().to_string(), "mqtt://broker.example:1883");
    /// assert!(matches!(Server::parse("lua"), Err(UrlError::SchemeNotBuilt { .. })));
    /// ```
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = PRESETS.iter().find(|(name, _)| *name == text).map_or(text, |(_, url)| url);
        let malformed = |why: &dyn fmt::Display| UrlError::Malformed { why: why.to_string() };
        let url = match text.contains("://") {
            true => Url::parse(text),
            false => Url::parse(&format!("mqtt://{text}")),
        };
        let url = url.map_err(|e| malformed(&e))?;
        match url.scheme() {
            "mqtt" | "tcp" => {}
            scheme @ ("mqtts" | "ssl" | "ws" | "wss") => {
                return Err(UrlError::SchemeNotBuilt { scheme: scheme.into() });
            }
            scheme => return Err(UrlError::UnknownScheme { scheme: scheme.into() }),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(malformed(&"nothing may follow the port"));
        }
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err(malformed(&"it names no host")),
        };
        Ok(Self { host, port: url.port().unwrap_or(1883) })
    }

    /// The host's name or address; an IPv6 address has no brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "mqtt://[{}]:{}", self.host, self.port),
            false => write!(f, "mqtt://{}:{}", self.host, self.port),
        }
    }
}

/// A URL that cannot be used, and why. It never repeats the URL, which might hold a secret.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// It is no URL of a server.
    Malformed {
        /// What is wrong.
        why: String,
    },
    /// A scheme that is planned and not built yet.
    SchemeNotBuilt {
        /// The scheme.
        scheme: String,
    },
    /// A scheme that is none of MQTT's.
    UnknownScheme {
        /// The scheme.
        scheme: String,
    },
    /// User name or password in the URL, from where they reach logs and process lists.
    Credentials,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { why } => write!(f, "not the URL of a server: {why}"),
            Self::SchemeNotBuilt { scheme } => {
                write!(f, "{scheme}:// is not built yet; what works today: mqtt:// and tcp://")
            }
            Self::UnknownScheme { scheme } => {
                write!(f, "{scheme}:// is no scheme of MQTT; use mqtt://host:port")
            }
            Self::Credentials => f.write_str(
                "user name and password do not belong in a URL, which ends up in logs: give them separately",
            ),
        }
    }
}

impl core::error::Error for UrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_hosts_and_ports() {
        for (text, url) in [
            ("mqtt://broker.example", "mqtt://broker.example:1883"),
            ("tcp://broker.example:8080/", "mqtt://broker.example:8080"),
            ("localhost", "mqtt://localhost:1883"),
            ("127.0.0.1:7", "mqtt://127.0.0.1:7"),
            ("mqtt://[::1]", "mqtt://[::1]:1883"),
            ("[fe80::1]:1884", "mqtt://[fe80::1]:1884"),
        ] {
            assert_eq!(Server::parse(text).unwrap().to_string(), url, "{text}");
        }
        assert_eq!(Server::parse("mqtt://[::1]").unwrap().host(), "::1");
    }

    #[test]
    fn refuses_with_a_reason() {
        let not_built = |scheme: &str| UrlError::SchemeNotBuilt { scheme: scheme.into() };
        assert_eq!(Server::parse("lua"), Err(not_built("wss")));
        assert_eq!(Server::parse("lua-mqtts"), Err(not_built("mqtts")));
        assert_eq!(Server::parse("ws://x/mqtt"), Err(not_built("ws")));
        assert_eq!(Server::parse("http://x"), Err(UrlError::UnknownScheme { scheme: "http".into() }));
        assert_eq!(Server::parse("mqtt://user@x"), Err(UrlError::Credentials));
        assert_eq!(Server::parse("user:secret@x"), Err(UrlError::Credentials));
        for text in ["", "mqtt://", "mqtt://x:99999", "mqtt://x/path", "mqtt://x?q", "mqtt://x#f", "mqtt://a b"] {
            assert!(matches!(Server::parse(text), Err(UrlError::Malformed { .. })), "{text}");
        }
    }
}
