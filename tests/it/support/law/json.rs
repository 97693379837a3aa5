//! JSON as a tree that loses nothing: numbers stay as they are written, and texts are UTF-16 code units, since JSON allows half a surrogate pair.

use std::collections::BTreeSet;

use super::decimal;

/// The deepest nesting that is read: the reader calls itself.
pub const MAX_LEVELS: usize = 500;

/// A JSON value.
#[derive(Debug, Clone)]
pub enum Json {
    Null,
    Boolean(bool),
    /// As it is written.
    Number(String),
    /// UTF-16 code units.
    Text(Vec<u16>),
    Array(Vec<Json>),
    /// Members in their order; a name may be there twice.
    Object(Vec<(Vec<u16>, Json)>),
}

impl Json {
    pub fn text(text: &str) -> Self {
        Self::Text(text.encode_utf16().collect())
    }

    pub fn object(members: Vec<(String, Json)>) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.encode_utf16().collect(), value)).collect())
    }

    /// The member `name` of an object.
    pub fn get(&self, name: &[u16]) -> Option<&Json> {
        match self {
            Self::Object(members) => members.iter().find(|(other, _)| other == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// How many levels of arrays and objects it has.
    pub fn levels(&self) -> usize {
        match self {
            Self::Array(elements) => 1 + elements.iter().map(Self::levels).max().unwrap_or_default(),
            Self::Object(members) => 1 + members.iter().map(|(_, value)| value.levels()).max().unwrap_or_default(),
            _ => 0,
        }
    }

    /// Whether an object in it has a name twice.
    pub fn has_duplicates(&self) -> bool {
        match self {
            Self::Array(elements) => elements.iter().any(Self::has_duplicates),
            Self::Object(members) => {
                let names: BTreeSet<_> = members.iter().map(|(name, _)| name).collect();
                names.len() < members.len() || members.iter().any(|(_, value)| value.has_duplicates())
            }
            _ => false,
        }
    }
}

/// The place of a value that differs between two events by the law; `None` where they are the same. Neither has a name twice.
pub fn difference(a: &Json, b: &Json) -> Option<String> {
    match (a, b) {
        (Json::Null, Json::Null) => None,
        (Json::Boolean(a), Json::Boolean(b)) if a == b => None,
        (Json::Number(a), Json::Number(b)) if decimal::same(a, b) => None,
        (Json::Text(a), Json::Text(b)) if a == b => None,
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(index, (a, b))| Some(format!("/{index}{}", difference(a, b)?)))
        }
        (Json::Object(of_a), Json::Object(of_b)) => {
            // Each name once: to compare twice at every level would be to compare for ever.
            let more = of_b.iter().filter(|(name, _)| a.get(name).is_none());
            let names = of_a.iter().chain(more).map(|(name, _)| name);
            let of = |object: &Json, name: &[u16]| object.get(name).cloned().unwrap_or(Json::Null);
            names
                .map(|name| (name, of(a, name), of(b, name)))
                .find_map(|(name, a, b)| Some(format!("/{}{}", String::from_utf16_lossy(name), difference(&a, &b)?)))
        }
        _ => Some(String::new()),
    }
}

/// Reads `text`; fails where it is not JSON, and beyond [`MAX_LEVELS`].
pub fn parse(text: &[u8]) -> Result<Json, String> {
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let mut parser = Parser { rest: text };
    let value = parser.value(MAX_LEVELS)?;
    parser.space();
    if parser.rest.is_empty() { Ok(value) } else { Err(parser.problem("the end")) }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn problem(&self, expected: &str) -> String {
        format!("expected {expected}, {} bytes before the end", self.rest.len())
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    /// Steps over `token` and the white space before it, if that is what comes next.
    fn takes(&mut self, token: &str) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.takes(token) { Ok(()) } else { Err(self.problem(token)) }
    }

    fn value(&mut self, levels: usize) -> Result<Json, String> {
        let levels = levels.checked_sub(1).ok_or_else(|| self.problem("less nesting"))?;
        for (token, value) in [("null", Json::Null), ("true", Json::Boolean(true)), ("false", Json::Boolean(false))] {
            if self.takes(token) {
                return Ok(value);
            }
        }
        if self.takes("\"") {
            return self.text().map(Json::Text);
        }
        if self.takes("[") {
            let mut elements = Vec::new();
            if self.takes("]") {
                return Ok(Json::Array(elements));
            }
            loop {
                elements.push(self.value(levels)?);
                if self.takes("]") {
                    return Ok(Json::Array(elements));
                }
                self.expect(",")?;
            }
        }
        if self.takes("{") {
            let mut members = Vec::new();
            if self.takes("}") {
                return Ok(Json::Object(members));
            }
            loop {
                self.expect("\"")?;
                let name = self.text()?;
                self.expect(":")?;
                members.push((name, self.value(levels)?));
                if self.takes("}") {
                    return Ok(Json::Object(members));
                }
                self.expect(",")?;
            }
        }
        self.number()
    }

    fn number(&mut self) -> Result<Json, String> {
        let end =
            self.rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        if !decimal::is_number(number) {
            return Err(self.problem("a value"));
        }
        self.rest = rest;
        Ok(Json::Number(number.to_owned()))
    }

    /// The text whose opening quote was taken.
    fn text(&mut self) -> Result<Vec<u16>, String> {
        let mut text = Vec::new();
        let mut characters = self.rest.char_indices();
        loop {
            let (at, character) = characters.next().ok_or_else(|| self.problem("a quote"))?;
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => match characters.next().map_or('?', |(_, escape)| escape) {
                    'u' => {
                        let digits: String = characters.by_ref().take(4).map(|(_, digit)| digit).collect();
                        let hexadecimal = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                        let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| hexadecimal);
                        text.push(unit.ok_or_else(|| self.problem("four digits"))?);
                    }
                    escape @ ('"' | '\\' | '/') => text.push(escape as u16),
                    'b' => text.push(8),
                    't' => text.push(9),
                    'n' => text.push(10),
                    'f' => text.push(12),
                    'r' => text.push(13),
                    _ => return Err(self.problem("an escape")),
                },
                '\0'..'\u{20}' => return Err(self.problem("no control character")),
                other => text.extend_from_slice(other.encode_utf16(&mut [0; 2])),
            }
        }
    }
}
