//! What can be wrong with a JSON document.

use core::fmt;

/// What is wrong with a document, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct JsonError {
    /// The offset of the first byte that cannot be.
    pub at: usize,
    /// What is wrong there.
    pub kind: JsonErrorKind,
}

/// The defects of a JSON document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The document ends within a value, or is empty.
    UnexpectedEnd,
    /// A byte that may not stand there.
    UnexpectedByte,
    /// A digit is missing, or a leading zero is followed by one.
    BadNumber,
    /// A backslash followed by what is no escape.
    BadEscape,
    /// A control character within a string; it must be written as an escape.
    ControlCharacter,
    /// A string that is not UTF-8.
    NotUtf8,
    /// More than [`MAX_DEPTH`](super::MAX_DEPTH) arrays and objects within each other.
    TooDeep,
    /// Something follows the document.
    TrailingBytes,
    /// A valid document, but not an object.
    NotAnObject,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            JsonErrorKind::UnexpectedEnd => "the JSON ends too early",
            JsonErrorKind::UnexpectedByte => "unexpected byte in the JSON",
            JsonErrorKind::BadNumber => "malformed number in the JSON",
            JsonErrorKind::BadEscape => "malformed escape in a JSON string",
            JsonErrorKind::ControlCharacter => "control character in a JSON string",
            JsonErrorKind::NotUtf8 => "a JSON string is not UTF-8",
            JsonErrorKind::TooDeep => "the JSON is nested too deeply",
            JsonErrorKind::TrailingBytes => "something follows the JSON value",
            JsonErrorKind::NotAnObject => "the JSON is not an object",
        })?;
        write!(f, " at byte {}", self.at)
    }
}

impl core::error::Error for JsonError {}
