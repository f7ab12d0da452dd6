//! JSON as the gateway reads it: a reader of its own, so that a fault of the device's writer shows.

use std::collections::BTreeMap;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object.
    Map(BTreeMap<String, Self>),
}

const DEPTH: usize = 100;

impl Json {
    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text = core::str::from_utf8(text).map_err(|e| e.to_string())?;
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(DEPTH)?;
        reader.space();
        if reader.at == text.len() { Ok(value) } else { reader.error("the end") }
    }

    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members.get(name),
            _ => None,
        }
    }

    /// The string of that name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Self::Text(text)) => Some(text),
            _ => None,
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn error<T>(&self, expected: &str) -> Result<T, String> {
        Err(format!("expected {expected} at byte {} of {:?}", self.at, self.text))
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.text[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        self.space();
        let Some(depth) = depth.checked_sub(1) else { return self.error("less nesting") };
        match self.peek() {
            Some('{') => self.map(depth),
            Some('[') => self.list(depth),
            Some('"') => Ok(Json::Text(self.string()?)),
            Some('-' | '0'..='9') => self.number(),
            _ if self.take("null") => Ok(Json::Null),
            _ if self.take("true") => Ok(Json::Bool(true)),
            _ if self.take("false") => Ok(Json::Bool(false)),
            _ => self.error("a value"),
        }
    }

    fn number(&mut self) -> Result<Json, String> {
        let rest = &self.text[self.at..];
        let len = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let digits = rest[..len].trim_start_matches('-');
        if digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit() {
            return self.error("no leading zero");
        }
        match rest[..len].parse() {
            Ok(number) => {
                self.at += len;
                Ok(Json::Number(number))
            }
            Err(_) => self.error("a number"),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, String> {
        self.take("[");
        let mut list = Vec::new();
        self.space();
        if self.take("]") {
            return Ok(Json::List(list));
        }
        loop {
            list.push(self.value(depth)?);
            self.space();
            if self.take("]") {
                return Ok(Json::List(list));
            }
            if !self.take(",") {
                return self.error(", or ]");
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Json, String> {
        self.take("{");
        let mut members = BTreeMap::new();
        self.space();
        if self.take("}") {
            return Ok(Json::Map(members));
        }
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            if !self.take(":") {
                return self.error(":");
            }
            let value = self.value(depth)?;
            if members.insert(name, value).is_some() {
                return self.error("no name twice");
            }
            self.space();
            if self.take("}") {
                return Ok(Json::Map(members));
            }
            if !self.take(",") {
                return self.error(", or }");
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        if !self.take("\"") {
            return self.error("a string");
        }
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else { return self.error("the end of the string") };
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(text),
                '\\' => text.push(self.escape()?),
                c if c < ' ' => return self.error("no control character"),
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let Some(c) = self.peek() else { return self.error("an escape") };
        self.at += c.len_utf8();
        Ok(match c {
            '"' | '\\' | '/' => c,
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{C}',
            'u' => {
                let unit = self.unit()?;
                let mut units = vec![unit];
                if (0xD800..0xDC00).contains(&unit) && self.take("\\u") {
                    units.push(self.unit()?);
                }
                String::from_utf16_lossy(&units).chars().next().unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return self.error("an escape"),
        })
    }

    fn unit(&mut self) -> Result<u16, String> {
        let hex = self.text.get(self.at..self.at + 4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
        match hex {
            Some(unit) => {
                self.at += 4;
                Ok(unit)
            }
            None => self.error("four hexadecimal digits"),
        }
    }
}

/// `text` as a JSON string, quotes and all.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read() {
        let json = Json::parse(br#" {"a": [1, -2.5e1, true, null], "b\n": "\u00e9\"\ud83d\ude00", "c": {}} "#).unwrap();
        assert_eq!(json.text("b\n"), Some("é\"😀"));
        assert_eq!(
            json.get("a"),
            Some(&Json::List(vec![Json::Number(1.0), Json::Number(-25.0), Json::Bool(true), Json::Null]))
        );
        assert_eq!(json.get("c"), Some(&Json::Map(BTreeMap::new())));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "{\"a\":1,}", "[1 2]", "01", "\"\u{1}\"", "{\"a\":1,\"a\":2}", "nul", "{} x", "\"\\x\""] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Json::parse("[".repeat(10_000).as_bytes()).is_err());
    }

    #[test]
    fn a_quoted_text_reads_back() {
        let text = "a \"b\" \\ \n \u{1} é";
        assert_eq!(Json::parse(quoted(text).as_bytes()), Ok(Json::Text(text.into())));
    }
}
