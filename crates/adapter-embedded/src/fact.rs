//! What the driver tells the application.

use crate::error::Error;
use embedded_io_async::ErrorKind;
use mqtt_device_core::{MessageKey, Notice, Outcome};

/// One thing that happened, handed to the application's sink as soon as it is known and in the order of the facts.
///
/// The sink is a plain function: it copies what it needs and returns. It may call the [`Shared`](crate::Shared) handle.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<E> {
    /// A packet from the server. It borrows from the receive buffer.
    Event(E),
    /// An operation that was accepted has ended.
    Outcome(MessageKey, Outcome),
    /// Something that no packet carries.
    Notice(Notice),
    /// The transport ended by itself. What the machine makes of it follows as a notice.
    Ended(Error<ErrorKind>),
}
