//! What a packet from the server means to a device.

use super::commands::CommandToken;
use super::message::{CommandId, MessageError};
use crate::event::{Message, MessageKey, Oversize};
use crate::json::{JsonStr, Value};
use crate::time::Duration;

/// What one packet means to a device; borrows from the bytes given to `handle_input` alone.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceEvent<'b> {
    /// The server accepted the connection; subscriptions, presence and manifest follow by themselves.
    Connected {
        /// Whether the server still had the session.
        session_present: bool,
    },
    /// The gateway greets: it has accepted the API key.
    Welcome {
        /// What it says.
        message: Option<JsonStr<'b>>,
    },
    /// Run this, once, and answer it with [`Device::respond`](crate::Device::respond).
    Command(Command<'b>),
    /// A command came again: it is not run again. Its answer is sent again when there is one.
    Repeated {
        /// Which.
        id: CommandId,
        /// Whether it is still being run.
        executing: bool,
    },
    /// The gateway acknowledged a trigger.
    TriggerAck {
        /// The trigger; `None` when none was waiting.
        key: Option<MessageKey>,
        /// Whether the gateway took it.
        received: bool,
        /// The gateway's name for it.
        trigger_id: Option<JsonStr<'b>>,
        /// Why it was not taken.
        error: Option<JsonStr<'b>>,
    },
    /// What came of a trigger.
    TriggerResult {
        /// Its name.
        name: JsonStr<'b>,
        /// JSON.
        result: &'b [u8],
    },
    /// The gateway reports an error.
    ServerError {
        /// Its code.
        code: Option<Value<'b>>,
        /// What it says.
        message: Option<JsonStr<'b>>,
    },
    /// A message that makes no sense: acknowledged, dropped, and reported here.
    Rejected {
        /// Its topic.
        topic: &'b str,
        /// What is wrong with it, and where.
        error: MessageError,
    },
    /// A message larger than the buffer: skipped, acknowledged, and reported here.
    Oversize(Oversize<'b>),
    /// A message that is not of the protocol; acknowledged.
    Unrelated(Message<'b>),
}

/// A command to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'b> {
    /// By which it is answered.
    pub token: CommandToken,
    /// By which the gateway knows it.
    pub id: CommandId,
    /// What is to be run.
    pub name: JsonStr<'b>,
    /// Its argument as JSON; an explicit `null` is `Some(b"null")`.
    pub payload: Option<&'b [u8]>,
    /// How long the gateway waits for the answer.
    pub timeout: Option<Duration>,
    /// Whether the server says that it may have been delivered before (to an earlier life of this device).
    pub dup: bool,
}
