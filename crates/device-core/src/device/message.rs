//! What the server sends, read into structs that borrow from the payload.
//!
//! What decides something is strict: a command without a proper id is refused. What only informs is not: a trigger's
//! ack counts even if its `triggerId` is of a type we did not expect, and the odd value is left out.

use core::fmt;

use super::short::Short;
use crate::json::{JsonError, JsonStr, Object, Value};

/// The id of a command, unescaped: 1 to 64 bytes without control characters. It is kept in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(Short);

impl CommandId {
    /// Checks `text`.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let usable = !text.is_empty() && !text.chars().any(char::is_control);
        Short::new(text).filter(|_| usable).map(Self)
    }

    /// Unescapes and checks `text`.
    #[must_use]
    pub fn from_json(text: JsonStr<'_>) -> Option<Self> {
        let mut unescaped = [0; super::short::SHORT_MAX];
        Self::new(text.unescape_into(&mut unescaped)?)
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(super) const fn short(&self) -> Short {
        self.0
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `{"commandId":I,"command":N,"payload"?:P,"timeout"?:ms}`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandMessage<'b> {
    /// Which command this is: the same id is the same command, however often it arrives.
    pub id: CommandId,
    /// What is to be run.
    pub name: JsonStr<'b>,
    /// Its argument as JSON; an explicit `null` is `Some(b"null")`.
    pub payload: Option<&'b [u8]>,
    /// How long the server waits for the answer, in milliseconds.
    pub timeout: Option<u64>,
}

impl<'b> CommandMessage<'b> {
    /// Reads the payload of a message on `…/command`.
    ///
    /// # Errors
    /// What is missing or wrong, and where.
    pub fn parse(payload: &'b [u8]) -> Result<Self, MessageError> {
        let object = Object::parse(payload).map_err(MessageError::Json)?;
        let id = required(object, "commandId")?;
        let wrong_id = MessageError::Wrong { field: "commandId", at: id.at(), expected: Expected::Id };
        let timeout = match object.get("timeout").filter(|value| !value.is_null()) {
            None => None,
            Some(value) => Some(value.as_u64().ok_or(MessageError::Wrong {
                field: "timeout",
                at: value.at(),
                expected: Expected::Milliseconds,
            })?),
        };
        Ok(Self {
            id: id.as_str().and_then(CommandId::from_json).ok_or(wrong_id)?,
            name: name(object, "command")?,
            payload: object.get("payload").map(Value::raw),
            timeout,
        })
    }
}

/// `{"triggerId":I,"received":bool,"error"?:E}`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TriggerAck<'b> {
    /// The server's id for the trigger.
    pub trigger_id: Option<JsonStr<'b>>,
    /// Whether the server took it.
    pub received: bool,
    /// Why not.
    pub error: Option<JsonStr<'b>>,
}

impl<'b> TriggerAck<'b> {
    /// Reads the payload of a message on `…/trigger_ack`.
    ///
    /// # Errors
    /// What is missing or wrong, and where.
    pub fn parse(payload: &'b [u8]) -> Result<Self, MessageError> {
        let object = Object::parse(payload).map_err(MessageError::Json)?;
        let received = required(object, "received")?;
        let wrong = MessageError::Wrong { field: "received", at: received.at(), expected: Expected::Bool };
        Ok(Self {
            trigger_id: text(object, "triggerId"),
            received: received.as_bool().ok_or(wrong)?,
            error: text(object, "error"),
        })
    }
}

/// `{"triggerName":N,"result":R}`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TriggerResult<'b> {
    /// Which trigger.
    pub name: JsonStr<'b>,
    /// What came of it, as JSON; `null` if nothing was sent.
    pub result: &'b [u8],
}

impl<'b> TriggerResult<'b> {
    /// Reads the payload of a message on `…/trigger_result`.
    ///
    /// # Errors
    /// What is missing or wrong, and where.
    pub fn parse(payload: &'b [u8]) -> Result<Self, MessageError> {
        let object = Object::parse(payload).map_err(MessageError::Json)?;
        Ok(Self { name: name(object, "triggerName")?, result: object.get("result").map_or(b"null", Value::raw) })
    }
}

/// `{"code":C,"message":M}`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerError<'b> {
    /// A string or a number, as the server likes.
    pub code: Option<Value<'b>>,
    /// For people.
    pub message: Option<JsonStr<'b>>,
}

impl<'b> ServerError<'b> {
    /// Reads the payload of a message on `…/error`.
    ///
    /// # Errors
    /// When it is not a JSON object.
    pub fn parse(payload: &'b [u8]) -> Result<Self, MessageError> {
        let object = Object::parse(payload).map_err(MessageError::Json)?;
        Ok(Self { code: object.get("code").filter(|code| !code.is_null()), message: text(object, "message") })
    }
}

/// `{"message":M}`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connected<'b> {
    /// For people.
    pub message: Option<JsonStr<'b>>,
}

impl<'b> Connected<'b> {
    /// Reads the payload of a message on `…/connected`.
    ///
    /// # Errors
    /// When it is not a JSON object.
    pub fn parse(payload: &'b [u8]) -> Result<Self, MessageError> {
        let object = Object::parse(payload).map_err(MessageError::Json)?;
        Ok(Self { message: text(object, "message") })
    }
}

fn required<'b>(object: Object<'b>, field: &'static str) -> Result<Value<'b>, MessageError> {
    object.get(field).ok_or(MessageError::Missing { field })
}

fn name<'b>(object: Object<'b>, field: &'static str) -> Result<JsonStr<'b>, MessageError> {
    let value = required(object, field)?;
    let found = value.as_str().filter(|name| !name.raw().is_empty());
    found.ok_or(MessageError::Wrong { field, at: value.at(), expected: Expected::Name })
}

fn text<'b>(object: Object<'b>, field: &str) -> Option<JsonStr<'b>> {
    object.get(field).and_then(Value::as_str)
}

/// A message of the server that cannot be used, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageError {
    /// It is not a JSON object.
    Json(JsonError),
    /// A field is not there.
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// A field is there and is not what it must be.
    Wrong {
        /// Its name.
        field: &'static str,
        /// The offset of its value in the payload.
        at: usize,
        /// What it must be.
        expected: Expected,
    },
}

/// What a field must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Expected {
    /// A string usable as a [`CommandId`].
    Id,
    /// A string that is not empty.
    Name,
    /// `true` or `false`.
    Bool,
    /// A whole number of milliseconds.
    Milliseconds,
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::Missing { field } => write!(f, "\"{field}\" is missing"),
            Self::Wrong { field, at, expected } => {
                let expected = match expected {
                    Expected::Id => "a string of 1 to 64 bytes without control characters",
                    Expected::Name => "a string that is not empty",
                    Expected::Bool => "true or false",
                    Expected::Milliseconds => "a whole number of milliseconds",
                };
                write!(f, "\"{field}\" at byte {at} must be {expected}")
            }
        }
    }
}

impl core::error::Error for MessageError {}
