//! What a device says about itself when it authenticates: its key and the commands it offers.

use core::fmt;

use super::short::SHORT_MAX;
use crate::json::{JsonError, Object};

/// How many commands a [`Profile`] may have. A bound, since profiles are asked until they answer `None`.
pub const COMMANDS_MAX: usize = 1024;

/// The key and the commands, lent at the moment of writing; the core keeps neither.
///
/// The manifest may be longer than any buffer: it is asked for several times, and must answer the same each time.
pub trait Profile {
    /// The API key.
    fn api_key(&self) -> &str;

    /// The command at `index`, counted from 0; `None` after the last.
    fn command(&self, index: usize) -> Option<CommandSpec<'_>>;
}

/// All commands of a profile, at most [`COMMANDS_MAX`].
pub(crate) fn commands(profile: &dyn Profile) -> impl Iterator<Item = CommandSpec<'_>> {
    (0..COMMANDS_MAX).map_while(|index| profile.command(index))
}

/// The definition of one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandSpec<'a> {
    /// By which it is called.
    pub name: &'a str,
    /// For people.
    pub description: &'a str,
    /// A JSON Schema of the payload, as JSON text.
    pub input_schema: Option<&'a str>,
    /// How long the server waits for the answer; `None` is its default, 30 s.
    pub timeout_ms: Option<u32>,
    /// Whether and how the server tries again.
    pub retry: Option<Retry>,
}

impl<'a> CommandSpec<'a> {
    /// A command without schema, timeout and retries of its own.
    #[must_use]
    pub const fn new(name: &'a str, description: &'a str) -> Self {
        Self { name, description, input_schema: None, timeout_ms: None, retry: None }
    }
}

/// How the server tries again when no answer came. The device recognises a repeat and answers it without running it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often in all.
    pub max_attempts: u32,
    /// How long it waits before trying again.
    pub backoff_ms: u32,
}

/// Checks every command: a name of 1 to 64 bytes without control characters that no other command has, and a schema
/// that is a JSON object.
///
/// # Errors
/// The first command that is wrong, and why.
pub fn validate_profile(profile: &dyn Profile) -> Result<(), SpecError> {
    for (index, spec) in commands(profile).enumerate() {
        let error = |kind| SpecError { command: index, kind };
        validate_spec(&spec).map_err(error)?;
        let earlier = commands(profile).take(index);
        if let Some(first) = earlier.enumerate().find(|(_, other)| other.name == spec.name) {
            return Err(error(SpecErrorKind::Duplicate { first: first.0 }));
        }
    }
    if profile.command(COMMANDS_MAX).is_some() {
        return Err(SpecError { command: COMMANDS_MAX, kind: SpecErrorKind::TooMany });
    }
    Ok(())
}

/// Checks one command by itself.
///
/// # Errors
/// What is wrong with it.
pub fn validate_spec(spec: &CommandSpec<'_>) -> Result<(), SpecErrorKind> {
    if spec.name.is_empty() {
        return Err(SpecErrorKind::NameEmpty);
    }
    if spec.name.len() > SHORT_MAX {
        return Err(SpecErrorKind::NameTooLong(spec.name.len()));
    }
    if let Some((at, _)) = spec.name.char_indices().find(|(_, c)| c.is_control()) {
        return Err(SpecErrorKind::NameControl { at });
    }
    if let Some(schema) = spec.input_schema {
        Object::parse(schema.as_bytes()).map_err(SpecErrorKind::Schema)?;
    }
    Ok(())
}

/// A command that cannot be offered, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SpecError {
    /// The index of the command.
    pub command: usize,
    /// What is wrong with it.
    pub kind: SpecErrorKind,
}

/// What is wrong with a command's definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpecErrorKind {
    /// It has no name.
    NameEmpty,
    /// Its name has that many bytes, more than 64.
    NameTooLong(usize),
    /// Its name has a control character.
    NameControl {
        /// The offset in bytes.
        at: usize,
    },
    /// Its name is that of an earlier command.
    Duplicate {
        /// The index of that command.
        first: usize,
    },
    /// Its input schema is not a JSON object.
    Schema(JsonError),
    /// It is one more than [`COMMANDS_MAX`].
    TooMany,
}

impl fmt::Display for SpecErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameEmpty => write!(f, "the name is empty: give it 1 to {SHORT_MAX} bytes"),
            Self::NameTooLong(len) => write!(f, "the name has {len} bytes: shorten it to at most {SHORT_MAX}"),
            Self::NameControl { at } => write!(f, "the name has a control character at byte {at}: leave it out"),
            Self::Duplicate { first } => write!(f, "the name is already that of command {first}: rename one"),
            Self::Schema(error) => write!(f, "the input schema must be a JSON object: {error}"),
            Self::TooMany => write!(f, "there are more than {COMMANDS_MAX} commands, or the profile has no end"),
        }
    }
}

impl core::error::Error for SpecErrorKind {}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command {}: {}", self.command, self.kind)
    }
}

impl core::error::Error for SpecError {}
