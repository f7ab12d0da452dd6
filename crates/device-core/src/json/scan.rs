//! The scanner: strict RFC 8259 over a byte slice, without recursion and without a heap.

use super::{JsonError, JsonErrorKind, JsonStr};

/// How many arrays and objects may be open at once; a document nested deeper is refused.
pub const MAX_DEPTH: u32 = 32;

/// Checks that `bytes` is one JSON value with nothing but white space around it.
///
/// # Errors
/// The first defect; a byte order mark is one, as are `NaN`, comments and trailing commas.
pub fn validate(bytes: &[u8]) -> Result<(), JsonError> {
    document(bytes).map(|_| ())
}

/// The value that `bytes` consists of, and its offset.
pub(super) fn document(bytes: &[u8]) -> Result<(usize, &[u8]), JsonError> {
    let mut scanner = Scanner::new(bytes);
    let found = scanner.value()?;
    scanner.space();
    match scanner.peek() {
        Some(_) => Err(scanner.error(JsonErrorKind::TrailingBytes)),
        None => Ok(found),
    }
}

/// Which of the open brackets are braces: one bit each, so that nesting costs neither stack nor heap.
#[derive(Default)]
struct Open {
    braces: u32,
    depth: u32,
}

impl Open {
    const fn push(&mut self, brace: bool) -> bool {
        if self.depth >= MAX_DEPTH {
            return false;
        }
        self.braces = self.braces << 1 | brace as u32;
        self.depth = self.depth.saturating_add(1);
        true
    }

    const fn pop(&mut self) {
        self.braces >>= 1;
        self.depth = self.depth.saturating_sub(1);
    }

    const fn innermost_is_brace(&self) -> Option<bool> {
        if self.depth == 0 { None } else { Some(self.braces & 1 == 1) }
    }
}

/// A place in a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Scanner<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    const fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    /// Steps over `byte` if it is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.step();
        }
        found
    }

    pub(super) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.step();
        }
    }

    const fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError { at: self.at, kind }
    }

    /// What is next is not what must be: a wrong byte, or the end.
    fn unexpected(&self, kind: JsonErrorKind) -> JsonError {
        self.error(if self.peek().is_some() { kind } else { JsonErrorKind::UnexpectedEnd })
    }

    fn since(&self, start: usize) -> &'b [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// One value of any kind after optional white space: its offset and its bytes.
    pub(super) fn value(&mut self) -> Result<(usize, &'b [u8]), JsonError> {
        self.space();
        let start = self.at;
        let mut open = Open::default();
        loop {
            if self.opens(&mut open)? {
                continue;
            }
            // A value has ended here; so may have what it is in.
            loop {
                let Some(brace) = open.innermost_is_brace() else { return Ok((start, self.since(start))) };
                self.space();
                if self.eat(b',') {
                    if brace {
                        self.key()?;
                    }
                    break;
                }
                if !self.eat(if brace { b'}' } else { b']' }) {
                    return Err(self.unexpected(JsonErrorKind::UnexpectedByte));
                }
                open.pop();
            }
        }
    }

    /// Reads a whole scalar or an empty bracket (false), or the beginning of a bracket up to its first value (true).
    fn opens(&mut self, open: &mut Open) -> Result<bool, JsonError> {
        self.space();
        let brace = match self.peek() {
            Some(b'{') => true,
            Some(b'[') => false,
            Some(b'"') => return self.string().map(|_| false),
            Some(b'-' | b'0'..=b'9') => return self.number().map(|()| false),
            Some(b't') => return self.word(b"true").map(|()| false),
            Some(b'f') => return self.word(b"false").map(|()| false),
            Some(b'n') => return self.word(b"null").map(|()| false),
            _ => return Err(self.unexpected(JsonErrorKind::UnexpectedByte)),
        };
        if !open.push(brace) {
            return Err(self.error(JsonErrorKind::TooDeep));
        }
        self.step();
        self.space();
        if self.eat(if brace { b'}' } else { b']' }) {
            open.pop();
            return Ok(false);
        }
        if brace {
            self.key()?;
        }
        Ok(true)
    }

    /// A member's name and the colon after it.
    pub(super) fn key(&mut self) -> Result<JsonStr<'b>, JsonError> {
        self.space();
        let key = self.string()?;
        self.space();
        if self.eat(b':') { Ok(key) } else { Err(self.unexpected(JsonErrorKind::UnexpectedByte)) }
    }

    pub(super) fn string(&mut self) -> Result<JsonStr<'b>, JsonError> {
        if !self.eat(b'"') {
            return Err(self.unexpected(JsonErrorKind::UnexpectedByte));
        }
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0..=0x1F) => return Err(self.error(JsonErrorKind::ControlCharacter)),
                Some(_) => self.step(),
                None => return Err(self.error(JsonErrorKind::UnexpectedEnd)),
            }
        }
        let text = core::str::from_utf8(self.since(start)).map_err(|error| JsonError {
            at: start.saturating_add(error.valid_up_to()),
            kind: JsonErrorKind::NotUtf8,
        })?;
        self.step();
        Ok(JsonStr::of_valid(text))
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.step();
        let digits = match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 0,
            Some(b'u') => 4,
            _ => return Err(self.unexpected(JsonErrorKind::BadEscape)),
        };
        self.step();
        for _ in 0..digits {
            if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                return Err(self.unexpected(JsonErrorKind::BadEscape));
            }
            self.step();
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        } else if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.error(JsonErrorKind::BadNumber));
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.unexpected(JsonErrorKind::BadNumber));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.step();
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Result<(), JsonError> {
        for &byte in word {
            if !self.eat(byte) {
                return Err(self.unexpected(JsonErrorKind::UnexpectedByte));
            }
        }
        Ok(())
    }
}
