//! Facts in words for people.

use crate::Security;
use crate::event::{DisconnectReason, DropReason, Outcome};
use core::fmt;

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused(code) => return write!(f, "the server refused the connection: {code}"),
            Self::Server(code) => return write!(f, "the server ended the connection: {code}"),
            Self::Protocol(error) => return error.fmt(f),
            Self::ConnectFailed(failure) => return failure.fmt(f),
            Self::Requested => "it was asked for",
            Self::KeepAliveTimeout => "the server did not answer in time",
            Self::ConnectTimeout => "connecting took too long",
            Self::Redelivery => "messages are to be delivered again",
            Self::Transport => "the transport was closed or failed",
            Self::CredentialsWithheld(security) => {
                let how = match security {
                    Security::Plain => "in clear text",
                    Security::Unverified => "to a server that was not verified",
                    Security::Verified | Security::Local => "over this transport",
                };
                return write!(f, "the credentials were not sent {how}; `allow_insecure_credentials` would send them");
            }
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sent => "it was sent",
            Self::Acked => "the server acknowledged it",
            Self::Refused(code) => return write!(f, "the server refused it: {code}"),
            Self::Expired => "it was not sent within its time to live",
            Self::Dropped(why) => return why.fmt(f),
            Self::SessionLost => "the server lost the session before it acknowledged it",
        })
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Policy => "a newer message took its place",
            Self::Cancelled => "it was cancelled",
            Self::ConnectionLost => "the connection was lost before it was sent",
            Self::Stopped => "the end came before it was sent",
        })
    }
}
