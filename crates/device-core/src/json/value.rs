//! Values and objects of a validated document, as slices of it.

use super::scan::{Scanner, document};
use super::{JsonError, JsonErrorKind, JsonStr};

/// One JSON value: a slice that is known to be valid, and where it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'b> {
    raw: &'b [u8],
    at: usize,
}

impl<'b> Value<'b> {
    /// The value that the whole of `bytes` is.
    ///
    /// # Errors
    /// When `bytes` is not exactly one JSON value: see [`validate`](super::validate).
    pub fn parse(bytes: &'b [u8]) -> Result<Self, JsonError> {
        document(bytes).map(|(at, raw)| Self { raw, at })
    }

    /// The bytes of the value, without white space around it.
    #[must_use]
    pub const fn raw(self) -> &'b [u8] {
        self.raw
    }

    /// The offset in the document.
    #[must_use]
    pub const fn at(self) -> usize {
        self.at
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.raw == b"null"
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_str(self) -> Option<JsonStr<'b>> {
        Scanner::new(self.raw).string().ok()
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.raw {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// The number, if it is one written in digits alone that fits: neither `-1` nor `1.0` nor `1e3`.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        self.raw.iter().try_fold(0_u64, |sum, &byte| {
            let digit = char::from(byte).to_digit(10)?;
            sum.checked_mul(10)?.checked_add(u64::from(digit))
        })
    }

    /// The object, if it is one.
    #[must_use]
    pub fn as_object(self) -> Option<Object<'b>> {
        if self.raw.first() == Some(&b'{') { Some(Object { value: self }) } else { None }
    }
}

/// One JSON object of a validated document.
///
/// A look-up reads it from its beginning: nothing is indexed, since there is nowhere to keep an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<'b> {
    value: Value<'b>,
}

impl<'b> Object<'b> {
    /// Validates the whole of `bytes`, which must be one object.
    ///
    /// # Errors
    /// Where and how `bytes` is not JSON, or [`JsonErrorKind::NotAnObject`].
    pub fn parse(bytes: &'b [u8]) -> Result<Self, JsonError> {
        let value = Value::parse(bytes)?;
        value.as_object().ok_or(JsonError { at: value.at, kind: JsonErrorKind::NotAnObject })
    }

    /// The object as a value.
    #[must_use]
    pub const fn value(self) -> Value<'b> {
        self.value
    }

    /// The bytes of the object, without white space around it.
    #[must_use]
    pub const fn raw(self) -> &'b [u8] {
        self.value.raw
    }

    /// The members as they stand, duplicates included.
    #[must_use]
    pub fn members(self) -> Members<'b> {
        let mut scanner = Scanner::new(self.value.raw);
        scanner.eat(b'{');
        Members { scanner, base: self.value.at }
    }

    /// The member of that name, compared unescaped. Of several the last wins, as in Python and JavaScript: two readers
    /// that disagree on that would run different commands.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Value<'b>> {
        self.members().filter(|(name, _)| name == key).last().map(|(_, value)| value)
    }
}

impl<'b> IntoIterator for Object<'b> {
    type Item = (JsonStr<'b>, Value<'b>);
    type IntoIter = Members<'b>;

    fn into_iter(self) -> Members<'b> {
        self.members()
    }
}

/// The members of an [`Object`].
#[derive(Clone, Debug)]
pub struct Members<'b> {
    scanner: Scanner<'b>,
    base: usize,
}

impl<'b> Iterator for Members<'b> {
    type Item = (JsonStr<'b>, Value<'b>);

    /// The closing brace is no key, and so ends it; other errors cannot be, since the object was validated.
    fn next(&mut self) -> Option<Self::Item> {
        self.scanner.space();
        self.scanner.eat(b',');
        let key = self.scanner.key().ok()?;
        let (at, raw) = self.scanner.value().ok()?;
        Some((key, Value { raw, at: self.base.saturating_add(at) }))
    }
}

impl core::iter::FusedIterator for Members<'_> {}
