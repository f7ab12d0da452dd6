//! How the program ends: its exit codes, and the one error type that carries them.

use core::fmt;
use std::process::ExitCode;

/// Why a command of the program ended without success. Its text says what went wrong, where, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Something went wrong, or the device said no: exit code 1.
    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self { code: 1, message: message.to_string() }
    }

    /// The arguments or a file cannot be used: exit code 2.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { code: 2, message: message.to_string() }
    }

    /// Nobody answered in time: exit code 3.
    pub(crate) fn no_answer(message: impl fmt::Display) -> Self {
        Self { code: 3, message: message.to_string() }
    }

    /// Whoever read our output has gone: nothing is left to say.
    pub(crate) const fn output_closed() -> Self {
        Self { code: 1, message: String::new() }
    }

    /// The code alone, with nothing to be said: it was said already.
    pub(crate) const fn quiet(code: u8) -> Self {
        Self { code, message: String::new() }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// From writing to standard output.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::output_closed(),
            _ => Self::failed(format_args!("cannot write the output: {error}")),
        }
    }
}

/// What every part of the program returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;
