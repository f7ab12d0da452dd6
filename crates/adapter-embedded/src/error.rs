//! Why a connection ended, and what can be wrong before there is one.

use core::fmt;
use embedded_io_async::ErrorKind;

/// Why a connection ended other than by the machine's own wish.
///
/// The machine decides what follows; it says its own view of it as a `Disconnected` notice.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// The transport failed.
    Transport(E),
    /// The server closed the connection.
    Eof,
    /// The transport took none of the bytes that were offered: it will never take any.
    WriteZero,
    /// [`Driver::run`](crate::Driver::run) was called without [`Driver::connected`](crate::Driver::connected) before.
    NotConnected,
    /// The machine asks for more bytes though the receive buffer is full: it is shorter than when it was checked.
    ReceiveBufferFull,
    /// The machine was in use: the driver was polled from inside [`Shared::with`](crate::Shared::with).
    Busy,
}

impl<E: embedded_io_async::Error> Error<E> {
    /// The same, with the transport's error reduced to its kind.
    pub fn kind(&self) -> Error<ErrorKind> {
        match self {
            Self::Transport(e) => Error::Transport(e.kind()),
            Self::Eof => Error::Eof,
            Self::WriteZero => Error::WriteZero,
            Self::NotConnected => Error::NotConnected,
            Self::ReceiveBufferFull => Error::ReceiveBufferFull,
            Self::Busy => Error::Busy,
        }
    }
}

impl<E> From<Busy> for Error<E> {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(e) => write!(f, "the transport failed: {e}"),
            Self::Eof => f.write_str("the server closed the connection"),
            Self::WriteZero => f.write_str("the transport takes no more bytes"),
            Self::NotConnected => f.write_str("there is no connection to run: call `connected` first"),
            Self::ReceiveBufferFull => f.write_str("the receive buffer is too small for the machine"),
            Self::Busy => Busy.fmt(f),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Transport(e) => Some(e),
            _ => None,
        }
    }
}

/// The machine is in use further up the call stack: the call came from inside [`Shared::with`](crate::Shared::with)
/// or from the application's `Source`. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the machine is in use further up the call stack")
    }
}

impl core::error::Error for Busy {}

/// A call of the application was not accepted; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError<E> {
    /// See [`Busy`].
    Busy,
    /// The machine did not accept it, and says why.
    Refused(E),
}

impl<E> CallError<E> {
    pub(crate) fn flatten<T>(result: Result<Result<T, E>, Busy>) -> Result<T, Self> {
        match result {
            Ok(answer) => answer.map_err(Self::Refused),
            Err(Busy) => Err(Self::Busy),
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => Busy.fmt(f),
            Self::Refused(e) => e.fmt(f),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Busy => None,
            Self::Refused(e) => Some(e),
        }
    }
}

/// What keeps a driver from starting.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupError {
    /// The buffer for what comes in is too small for `Config::maximum_packet_size`.
    ReceiveBuffer {
        /// Its length.
        len: usize,
        /// The least length that this machine works with.
        needed: usize,
    },
    /// The buffer for what goes out is too small for the largest packet that must go out whole.
    TransmitBuffer {
        /// Its length.
        len: usize,
        /// The least length that this machine works with.
        needed: usize,
    },
    /// See [`Busy`].
    Busy,
}

impl From<Busy> for SetupError {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReceiveBuffer { len, needed } => {
                write!(f, "the receive buffer has {len} bytes and needs {needed}")
            }
            Self::TransmitBuffer { len, needed } => {
                write!(f, "the transmit buffer has {len} bytes and needs {needed}")
            }
            Self::Busy => Busy.fmt(f),
        }
    }
}

impl core::error::Error for SetupError {}
