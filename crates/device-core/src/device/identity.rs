//! Who the device is: agent, name and group, and the client identifier, user name and topics made of them.

use core::fmt;

use super::short::{SHORT_MAX, Short};

/// What every topic of the protocol begins with.
const PREFIX: &str = "lua/devices/";

/// The names of a device, validated once, so that no topic made of them can be another device's.
///
/// The client identifier of agent `a-b`, device `c` is that of agent `a`, device `b-c`: so the protocol has it. Topics
/// and user names differ, so such a pair disturbs, and does not impersonate, each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    agent: Short,
    device: Short,
    group: Option<Short>,
}

impl Identity {
    /// Checks the names: 1 to 64 bytes, no control characters, no white space at the ends, and none of `/ + # :` in
    /// `agent` and `device`.
    ///
    /// # Errors
    /// Which name, what is wrong with it, and where.
    pub fn new(agent: &str, device: &str) -> Result<Self, NameError> {
        let agent = checked(NameOf::Agent, agent)?;
        let device = checked(NameOf::Device, device)?;
        Ok(Self { agent, device, group: None })
    }

    /// The same device in a group; a group's name has 1 to 64 bytes and no control characters.
    ///
    /// # Errors
    /// What is wrong with the group's name, and where.
    pub fn with_group(self, group: &str) -> Result<Self, NameError> {
        Ok(Self { group: Some(checked(NameOf::Group, group)?), ..self })
    }

    /// The agent's identifier.
    #[must_use]
    pub fn agent(&self) -> &str {
        self.agent.as_str()
    }

    /// The device's name.
    #[must_use]
    pub fn device(&self) -> &str {
        self.device.as_str()
    }

    /// The group, if there is one.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        self.group.as_ref().map(Short::as_str)
    }

    /// The length of the client identifier.
    #[must_use]
    pub fn client_id_len(&self) -> usize {
        len(&self.client_id())
    }

    /// Writes the client identifier `lua-{agent}-{device}`; `None` when it does not fit.
    pub fn write_client_id<'o>(&self, out: &'o mut [u8]) -> Option<&'o str> {
        join(&self.client_id(), out)
    }

    /// The length of the user name.
    #[must_use]
    pub fn username_len(&self) -> usize {
        len(&self.username())
    }

    /// Writes the user name `{agent}:{device}`; `None` when it does not fit.
    pub fn write_username<'o>(&self, out: &'o mut [u8]) -> Option<&'o str> {
        join(&self.username(), out)
    }

    /// The length of the topic with that suffix.
    #[must_use]
    pub fn topic_len(&self, suffix: &str) -> usize {
        len(&self.topic(suffix))
    }

    /// Writes the topic `lua/devices/{agent}/{device}/{suffix}`; `None` when it does not fit.
    pub fn write_topic<'o>(&self, suffix: &str, out: &'o mut [u8]) -> Option<&'o str> {
        join(&self.topic(suffix), out)
    }

    /// What follows this device's prefix in `topic`; `None` when the topic does not begin with exactly that prefix.
    #[must_use]
    pub fn suffix_of<'t>(&self, topic: &'t str) -> Option<&'t str> {
        let rest = topic.strip_prefix(PREFIX)?;
        let rest = rest.strip_prefix(self.agent())?.strip_prefix('/')?;
        rest.strip_prefix(self.device())?.strip_prefix('/')
    }

    fn client_id(&self) -> [&str; 4] {
        ["lua-", self.agent(), "-", self.device()]
    }

    fn username(&self) -> [&str; 3] {
        [self.agent(), ":", self.device()]
    }

    fn topic<'a>(&'a self, suffix: &'a str) -> [&'a str; 6] {
        [PREFIX, self.agent(), "/", self.device(), "/", suffix]
    }
}

fn len(parts: &[&str]) -> usize {
    parts.iter().map(|part| part.len()).fold(0, usize::saturating_add)
}

fn join<'o>(parts: &[&str], out: &'o mut [u8]) -> Option<&'o str> {
    let mut at = 0_usize;
    for part in parts {
        let end = at.checked_add(part.len())?;
        out.get_mut(at..end)?.copy_from_slice(part.as_bytes());
        at = end;
    }
    core::str::from_utf8(out.get(..at)?).ok()
}

fn checked(which: NameOf, text: &str) -> Result<Short, NameError> {
    let error = |kind, at| NameError { which, kind, at };
    if text.is_empty() {
        return Err(error(NameErrorKind::Empty, 0));
    }
    if text.len() > SHORT_MAX {
        return Err(error(NameErrorKind::TooLong(text.len()), SHORT_MAX));
    }
    if let Some((at, c)) = text.char_indices().find(|(_, c)| c.is_control()) {
        return Err(error(NameErrorKind::Control(c), at));
    }
    if !matches!(which, NameOf::Group) {
        if let Some((at, c)) = text.char_indices().find(|(_, c)| matches!(c, '/' | '+' | '#' | ':')) {
            return Err(error(NameErrorKind::Forbidden(c), at));
        }
        if text.starts_with(char::is_whitespace) {
            return Err(error(NameErrorKind::OuterSpace, 0));
        }
        if text.ends_with(char::is_whitespace) {
            return Err(error(NameErrorKind::OuterSpace, text.trim_end().len()));
        }
    }
    Short::new(text).ok_or(error(NameErrorKind::TooLong(text.len()), SHORT_MAX))
}

/// A name that cannot be used, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NameError {
    /// Which name.
    pub which: NameOf,
    /// What is wrong with it.
    pub kind: NameErrorKind,
    /// The offset in bytes where it goes wrong.
    pub at: usize,
}

/// The names that are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameOf {
    /// The agent's identifier.
    Agent,
    /// The device's name.
    Device,
    /// The group's name.
    Group,
}

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameErrorKind {
    /// There is none.
    Empty,
    /// It has that many bytes, more than 64.
    TooLong(usize),
    /// A character with a meaning in topics or user names: `/`, `+`, `#` or `:`.
    Forbidden(char),
    /// A control character, NUL among them.
    Control(char),
    /// It begins or ends with white space.
    OuterSpace,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.which {
            NameOf::Agent => "agent id",
            NameOf::Device => "device name",
            NameOf::Group => "group",
        };
        match self.kind {
            NameErrorKind::Empty => write!(f, "the {name} is empty: give it 1 to {SHORT_MAX} bytes"),
            NameErrorKind::TooLong(len) => {
                write!(f, "the {name} has {len} bytes: shorten it to at most {SHORT_MAX}")
            }
            NameErrorKind::Forbidden(c) => write!(
                f,
                "the {name} has a {c:?} at byte {}, which has a meaning in topics or user names: leave out / + # and :",
                self.at
            ),
            NameErrorKind::Control(c) => {
                write!(f, "the {name} has the control character {c:?} at byte {}: leave it out", self.at)
            }
            NameErrorKind::OuterSpace => {
                write!(f, "the {name} has white space at byte {}, at its end or beginning: trim it", self.at)
            }
        }
    }
}

impl core::error::Error for NameError {}
