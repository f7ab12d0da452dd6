//! Topic names and topic filters: their rules, shared subscriptions, and matching.

use core::fmt;

use crate::text;

/// Why a string is no topic name or no topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TopicError {
    /// A topic name of no characters `[MQTT-4.7.3-1]`.
    EmptyName,
    /// A topic filter of no characters `[MQTT-4.7.3-1]`.
    EmptyFilter,
    /// More than 65,535 bytes `[MQTT-4.7.3-3]`.
    TooLong,
    /// U+0000 `[MQTT-4.7.3-2]`.
    NulCharacter,
    /// `+` or `#` in a topic name `[MQTT-4.7.1-1]`.
    WildcardInName,
    /// A `#` that does not fill its level, or before the last level `[MQTT-4.7.1-2]`.
    MisplacedMultiLevelWildcard,
    /// A `+` that does not fill its level `[MQTT-4.7.1-3]`.
    MisplacedSingleLevelWildcard,
    /// `$share/` without a share name `[MQTT-4.8.2-1 v5]`.
    EmptyShareName,
    /// `$share/` with a wildcard in the share name, or without a filter behind it `[MQTT-4.8.2-2 v5]`.
    BadShare,
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyName => "empty topic name",
            Self::EmptyFilter => "empty topic filter",
            Self::TooLong => "topic longer than 65535 bytes",
            Self::NulCharacter => "U+0000 in a topic",
            Self::WildcardInName => "wildcard in a topic name",
            Self::MisplacedMultiLevelWildcard => "misplaced # in a topic filter",
            Self::MisplacedSingleLevelWildcard => "misplaced + in a topic filter",
            Self::EmptyShareName => "shared subscription without a share name",
            Self::BadShare => "shared subscription with a wildcard in its share name, or without a filter",
        })
    }
}

impl core::error::Error for TopicError {}

const MAX_LEN: usize = 0xFFFF;

/// The topic of one message: at least one character, no wildcards, no U+0000, at most 65,535 bytes.
///
/// ```
/// use mqtt_device_proto::{TopicError, TopicName};
/// const STATE: TopicName<'static> = match TopicName::new("house/door") {
///     Ok(name) => name,
///     Err(_) => panic!("not a topic name"),
/// };
/// assert_eq!(STATE.as_str(), "house/door");
/// assert_eq!(TopicName::new("house/+"), Err(TopicError::WildcardInName));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TopicName<'b>(&'b str);

impl<'b> TopicName<'b> {
    /// The empty name: an MQTT 5 PUBLISH carries it when a topic alias stands for the name.
    pub const EMPTY: Self = Self("");

    /// Checks the rules of a topic name.
    ///
    /// # Errors
    /// [`TopicError`] names the rule that is broken.
    pub const fn new(name: &'b str) -> Result<Self, TopicError> {
        if name.is_empty() {
            return Err(TopicError::EmptyName);
        }
        Self::new_or_empty(name)
    }

    /// The same, but the empty name passes.
    #[inline]
    pub(crate) const fn new_or_empty(name: &'b str) -> Result<Self, TopicError> {
        if name.len() > MAX_LEN {
            return Err(TopicError::TooLong);
        }
        let marks = text::scan(name.as_bytes());
        if marks.nul() {
            return Err(TopicError::NulCharacter);
        }
        if marks.wildcard() {
            return Err(TopicError::WildcardInName);
        }
        Ok(Self(name))
    }

    /// For strings that were checked.
    pub(crate) const fn checked(name: &'b str) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub const fn as_str(&self) -> &'b str {
        self.0
    }

    /// Whether a topic alias must say what the name is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl AsRef<str> for TopicName<'_> {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl fmt::Display for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a subscription asks for: a topic name in which `+` stands for one level and a final `#` for any number.
///
/// `$share/{ShareName}/{filter}` is a shared subscription: [`share_name`](Self::share_name) and
/// [`matches`](Self::matches) take it apart. MQTT 3.1.1 has no shared subscriptions, so decoding that version does not
/// demand the form of them; [`new`](Self::new) always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TopicFilter<'b>(&'b str);

impl<'b> TopicFilter<'b> {
    /// Checks the rules of a topic filter, and of a shared subscription where it is one.
    ///
    /// # Errors
    /// [`TopicError`] names the rule that is broken.
    pub const fn new(filter: &'b str) -> Result<Self, TopicError> {
        let filter = match Self::new_unshared(filter) {
            Ok(filter) => filter,
            Err(error) => return Err(error),
        };
        match filter.check_share() {
            Ok(_) => Ok(filter),
            Err(error) => Err(error),
        }
    }

    /// The same without the rules of shared subscriptions, which MQTT 3.1.1 does not know.
    pub(crate) const fn new_unshared(filter: &'b str) -> Result<Self, TopicError> {
        if filter.is_empty() {
            return Err(TopicError::EmptyFilter);
        }
        if filter.len() > MAX_LEN {
            return Err(TopicError::TooLong);
        }
        if let Err(error) = check_wildcards(filter.as_bytes()) {
            return Err(error);
        }
        Ok(Self(filter))
    }

    /// For strings that were checked.
    pub(crate) const fn checked(filter: &'b str) -> Self {
        Self(filter)
    }

    /// Whether this is a well-formed shared subscription.
    pub(crate) const fn check_share(&self) -> Result<bool, TopicError> {
        check_share(self.0.as_bytes())
    }

    /// The filter as it was given, `$share/` and all.
    #[must_use]
    pub const fn as_str(&self) -> &'b str {
        self.0
    }

    /// The share name and the filter behind it, if this is a shared subscription.
    ///
    /// ```
    /// use mqtt_device_proto::TopicFilter;
    /// let filter = TopicFilter::new("$share/crew/house/+")?;
    /// assert_eq!(filter.share(), Some(("crew", "house/+")));
    /// # Ok::<(), mqtt_device_proto::TopicError>(())
    /// ```
    #[must_use]
    pub fn share(&self) -> Option<(&'b str, &'b str)> {
        // MQTT 3.1.1 takes filters that begin like one and are none.
        if !self.check_share().is_ok_and(|shared| shared) {
            return None;
        }
        self.0.strip_prefix("$share/")?.split_once('/')
    }

    /// The share name, if this is a shared subscription.
    #[must_use]
    pub fn share_name(&self) -> Option<&'b str> {
        self.share().map(|(name, _)| name)
    }

    /// Whether a message on `topic` is asked for. A wildcard in the first level does not match a topic that begins with
    /// `$` `[MQTT-4.7.2-1]`; nothing is normalised `[MQTT-4.7.3-4]`; the filter of a shared subscription is what counts.
    ///
    /// ```
    /// use mqtt_device_proto::{TopicFilter, TopicName};
    /// let filter = TopicFilter::new("house/+/state")?;
    /// assert!(filter.matches(&TopicName::new("house/door/state")?));
    /// assert!(!filter.matches(&TopicName::new("house/door")?));
    /// # Ok::<(), mqtt_device_proto::TopicError>(())
    /// ```
    #[must_use]
    pub fn matches(&self, topic: &TopicName<'_>) -> bool {
        let filter = self.share().map_or(self.0, |(_, filter)| filter);
        matches(filter.as_bytes(), topic.0.as_bytes())
    }
}

impl AsRef<str> for TopicFilter<'_> {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl fmt::Display for TopicFilter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Checks each wildcard of a text with its neighbours, and that there is no U+0000.
pub(crate) const fn check_wildcards(filter: &[u8]) -> Result<(), TopicError> {
    let mut rest = filter;
    let mut before = b'/';
    while !rest.is_empty() {
        let (word, tail): (_, &[u8]) = match rest.split_first_chunk::<8>() {
            Some((word, tail)) => (u64::from_le_bytes(*word), tail),
            None => (text::short_word(rest, END), &[]),
        };
        if text::has_nul(word) {
            return Err(TopicError::NulCharacter);
        }
        let mut wildcards = text::wildcards(word);
        while wildcards != 0 {
            // The bit is the highest of its byte: below it stand the bytes before, above it those behind.
            let behind = wildcards.trailing_zeros().wrapping_add(1);
            let previous = if behind > 8 { byte(word, behind.wrapping_sub(16)) } else { before };
            let next = if behind == 64 { first(tail) } else { byte(word, behind) };
            if let Err(error) = check_wildcard(previous, byte(word, behind.wrapping_sub(8)), next) {
                return Err(error);
            }
            wildcards &= wildcards.wrapping_sub(1);
        }
        before = byte(word, 56);
        rest = tail;
    }
    Ok(())
}

/// No byte of a text.
const END: u8 = 0xFF;

const fn byte(word: u64, shift: u32) -> u8 {
    let [byte, ..] = word.wrapping_shr(shift).to_le_bytes();
    byte
}

const fn first(bytes: &[u8]) -> u8 {
    match bytes {
        [first, ..] => *first,
        [] => END,
    }
}

/// `[MQTT-4.7.1-2]` `[MQTT-4.7.1-3]`
const fn check_wildcard(previous: u8, wildcard: u8, next: u8) -> Result<(), TopicError> {
    match (wildcard, next) {
        (b'#', END) | (b'+', END | b'/') if previous == b'/' => Ok(()),
        (b'#', _) => Err(TopicError::MisplacedMultiLevelWildcard),
        _ => Err(TopicError::MisplacedSingleLevelWildcard),
    }
}

/// Whether `filter`, of which the wildcards are known to be in place, is a shared subscription, and a well-formed one.
pub(crate) const fn check_share(filter: &[u8]) -> Result<bool, TopicError> {
    let [b'$', b's', b'h', b'a', b'r', b'e', b'/', rest @ ..] = filter else {
        return Ok(false);
    };
    let mut rest = rest;
    let mut named = false;
    loop {
        match rest {
            [] | [b'/', ..] if !named => return Err(TopicError::EmptyShareName),
            [] | [b'/'] | [b'+' | b'#', ..] => return Err(TopicError::BadShare),
            [b'/', ..] => return Ok(true),
            [_, tail @ ..] => {
                named = true;
                rest = tail;
            }
        }
    }
}

fn matches(filter: &[u8], topic: &[u8]) -> bool {
    if let ([b'+' | b'#', ..], [b'$', ..]) = (filter, topic) {
        return false;
    }
    let (mut filter, mut topic) = (filter, topic);
    loop {
        match (filter, topic) {
            ([b'#'], _) | ([b'/', b'#'], []) | ([], []) => return true,
            ([b'+', rest @ ..], _) => {
                filter = rest;
                while let [byte, rest @ ..] = topic {
                    if *byte == b'/' {
                        break;
                    }
                    topic = rest;
                }
            }
            ([f, filter_rest @ ..], [t, topic_rest @ ..]) if f == t => {
                filter = filter_rest;
                topic = topic_rest;
            }
            _ => return false,
        }
    }
}
