//! The machine's facts in words for people.

use core::fmt;

use mqtt_device_core::{DisconnectReason, DropReason, Outcome, Security};

/// Prints why a connection, or the attempt at one, ended.
pub(crate) fn disconnect(reason: &DisconnectReason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match reason {
        DisconnectReason::Requested => f.write_str("it was asked for"),
        DisconnectReason::Refused(code) => write!(f, "the server refused the connection: {code}"),
        DisconnectReason::Server(code) => write!(f, "the server ended the connection: {code}"),
        DisconnectReason::KeepAliveTimeout => f.write_str("the server did not answer in time"),
        DisconnectReason::ConnectTimeout => f.write_str("connecting took too long"),
        DisconnectReason::Protocol(error) => write!(f, "{error}"),
        DisconnectReason::Transport => f.write_str("the transport was closed or failed"),
        DisconnectReason::ConnectFailed(failure) => write!(f, "{failure}"),
        DisconnectReason::CredentialsWithheld(security) => {
            let how = match security {
                Security::Plain => "in clear text",
                Security::Unverified => "to a server that was not verified",
                _ => "over this transport",
            };
            write!(f, "the credentials were not sent {how}: allow_insecure_credentials() would do so")
        }
        other => write!(f, "{other:?}"),
    }
}

/// Prints how an operation that did not succeed ended.
pub(crate) fn outcome(outcome: Outcome, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match outcome {
        Outcome::Refused(code) => return write!(f, "the server refused it: {code}"),
        Outcome::Expired => "it was not sent within its time to live",
        Outcome::Dropped(DropReason::Policy) => "a newer message took its place",
        Outcome::Dropped(DropReason::Cancelled) => "it was cancelled",
        Outcome::Dropped(DropReason::ConnectionLost) => "the connection was lost before it was sent",
        Outcome::Dropped(DropReason::Stopped) => "the end came before it was sent",
        Outcome::SessionLost => "the server lost the session before it acknowledged it",
        Outcome::Acked | Outcome::Sent => "it was delivered",
        other => return write!(f, "{other:?}"),
    })
}
