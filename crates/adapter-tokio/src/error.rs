//! What can go wrong, by blame: the configuration, the call, the server, the transport.

use core::fmt;
use mqtt_device_core::{DisconnectReason, Failure, NameError, Outcome, PublishError, SpecError, SubscribeError};
use std::io;

use crate::UrlError;
use crate::device::TriggerAck;

/// Why a call on a [`Client`](crate::Client) or a [`Device`](crate::Device) failed.
#[non_exhaustive]
#[derive(Debug)]
pub enum Error {
    /// The URL of a server cannot be used.
    Url(UrlError),
    /// A name of the device cannot be used.
    Name(NameError),
    /// A command's definition cannot be used.
    Command(SpecError),
    /// A command is declared, but nothing handles it; or the other way round.
    Handler {
        /// The command's name.
        name: String,
        /// Whether the declaration is missing (else the handler is).
        undeclared: bool,
    },
    /// Something required was not given to the builder.
    Missing(&'static str),
    /// A limit in the configuration that the machine cannot work with.
    Limit(&'static str),
    /// There is no tokio runtime here.
    NoRuntime,
    /// The publication was not accepted; nothing changed.
    Publish(PublishError),
    /// The subscription was not accepted; nothing changed.
    Subscribe(SubscribeError),
    /// The value could not be written as JSON.
    Json(serde_json::Error),
    /// The operation was accepted and ended otherwise than in success.
    NotDelivered(Outcome),
    /// The server received the trigger and said no.
    TriggerRefused(TriggerAck),
    /// No acknowledgement of the trigger came in time.
    TriggerTimeout,
    /// Connecting failed in a way that trying again will not mend, or not in time.
    Connect {
        /// How the last attempt ended.
        reason: Option<DisconnectReason>,
        /// What the operating system said about it.
        detail: Option<String>,
    },
    /// The client or device has come to its end.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(e) => e.fmt(f),
            Self::Name(e) => e.fmt(f),
            Self::Command(e) => e.fmt(f),
            Self::Handler { name, undeclared: false } => write!(f, "the command {name:?} has no handler: on_command"),
            Self::Handler { name, undeclared: true } => write!(f, "the command {name:?} is not declared: command"),
            Self::Missing(what) => write!(f, "missing: {what}"),
            Self::Limit(what) => f.write_str(what),
            Self::NoRuntime => f.write_str("no tokio runtime is running here"),
            Self::Publish(e) => e.fmt(f),
            Self::Subscribe(e) => e.fmt(f),
            Self::Json(e) => write!(f, "not writable as JSON: {e}"),
            Self::NotDelivered(outcome) => outcome.fmt(f),
            Self::TriggerRefused(ack) => match &ack.error {
                Some(error) => write!(f, "the server refused the trigger: {error}"),
                None => f.write_str("the server refused the trigger"),
            },
            Self::TriggerTimeout => f.write_str("no acknowledgement of the trigger came in time"),
            Self::Connect { reason, detail } => {
                f.write_str("could not connect: ")?;
                match reason {
                    Some(reason) => reason.fmt(f)?,
                    None => f.write_str("no attempt has ended yet")?,
                }
                detail.as_ref().map_or(Ok(()), |detail| write!(f, " ({detail})"))
            }
            Self::Closed => f.write_str("the connection was stopped"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Url(e) => Some(e),
            Self::Name(e) => Some(e),
            Self::Command(e) => Some(e),
            Self::Publish(e) => Some(e),
            Self::Subscribe(e) => Some(e),
            Self::Json(e) => Some(e),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($source:ty => $variant:ident),*) => { $(
        impl From<$source> for Error {
            fn from(e: $source) -> Self {
                Self::$variant(e)
            }
        }
    )* };
}
from!(UrlError => Url, NameError => Name, SpecError => Command, PublishError => Publish, SubscribeError => Subscribe,
    serde_json::Error => Json);

/// Why a transport could not be opened: the kind that decides about the next attempt, and what lies behind it.
///
/// An [`io::Error`] becomes one by `?`, with the failure found from its kind.
#[derive(Debug)]
pub struct ConnectError {
    /// What the machine is told.
    pub failure: Failure,
    /// What the transport said.
    pub source: io::Error,
}

impl ConnectError {
    /// A failure of this kind.
    #[must_use]
    pub const fn new(failure: Failure, source: io::Error) -> Self {
        Self { failure, source }
    }
}

impl From<io::Error> for ConnectError {
    fn from(source: io::Error) -> Self {
        let failure = match source.kind() {
            io::ErrorKind::ConnectionRefused => Failure::Refused,
            io::ErrorKind::TimedOut => Failure::Timeout,
            _ => Failure::Other,
        };
        Self { failure, source }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.failure, self.source)
    }
}

impl core::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.source)
    }
}
