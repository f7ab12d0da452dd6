//! What a machine does not own: names, credentials, filters and bodies, lent at the moment of writing.

use crate::json::Window;
use mqtt_device_proto::{Subscription, TopicName, Will};

/// Names a body that a [`Source`] can write; its meaning is the source's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BodyToken(pub u32);

/// Names a topic that a [`Source`] can write; its meaning is the source's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicToken(pub u16);

/// The buffer was too small for what a source had to assemble in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// What goes into CONNECT and is not the machine's: who we are, and the will.
///
/// `Debug` does not print the password.
#[derive(Clone, Copy)]
pub struct Credentials<'s> {
    /// The Client Identifier.
    pub client_id: &'s str,
    /// The user name.
    pub username: Option<&'s str>,
    /// The password, which never leaves over a transport that the configuration does not trust.
    pub password: Option<&'s [u8]>,
    /// The message that the server publishes when this client is lost.
    pub will: Option<Will<'s>>,
}

impl core::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("password", &self.password.map(|_| "<redacted>"))
            .field("will", &self.will)
            .finish()
    }
}

/// The application's strings and bodies, asked for when they are written and never kept.
///
/// So a password may change between two attempts, a server list costs no memory here, and no secret is in any record.
/// `unix_ms` is the wall clock, where one was set. What takes assembling is assembled in `scratch`.
pub trait Source {
    /// The identity for CONNECT.
    ///
    /// # Errors
    /// [`NoRoom`] when `scratch` is too small to assemble it.
    fn credentials<'s>(&'s self, unix_ms: Option<u64>, scratch: &'s mut [u8]) -> Result<Credentials<'s>, NoRoom>;

    /// The declared subscription with this index, from 0 without gaps; at most
    /// [`MAX_DECLARED`](crate::MAX_DECLARED). `None` ends the list.
    fn subscription<'s>(&'s self, index: u16, scratch: &'s mut [u8]) -> Option<Subscription<'s>> {
        let _ = (index, scratch);
        None
    }

    /// The topic that a publication named by token instead of text.
    fn topic<'s>(&'s self, token: TopicToken, scratch: &'s mut [u8]) -> Option<TopicName<'s>> {
        let _ = (token, scratch);
        None
    }

    /// Writes the body named by `token`. Called once to count its bytes and once for each chunk, so it must write the
    /// same bytes each time; a body that changes its length while it is being sent ends the connection.
    fn body(&self, token: BodyToken, unix_ms: Option<u64>, window: &mut Window<'_>) {
        let _ = (token, unix_ms, window);
    }
}
