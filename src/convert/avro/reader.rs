//! Reads an event's JSON (RFC 8259) piece by piece, and knows where each piece stands in its text.
//!
//! Everything that it steps over is checked: that it is JSON, that it is not nested too deep, and that no object has a
//! name twice (docs/adr/0043).

use super::path::Path;
use super::text::Text;
use super::unencodable::Unencodable;

/// Levels of nesting that an event may have; the event itself is the first.
///
/// What readers of JSON refuse by default differs: .NET's System.Text.Json and Newtonsoft.Json more than 64, Ruby more than 100, serde_json more than
/// 127, Jackson and Python around 1,000. So what lies within 64 is read by all of them. Okta's own events have six.
pub const MAX_DEPTH: usize = 64;

pub(super) type Result<T> = std::result::Result<T, Unencodable>;

/// A reader of one event.
pub(super) struct Reader<'a> {
    json: &'a str,
    at: usize,
    /// Arrays and objects that are open.
    depth: usize,
    /// Whether nothing of the innermost open array or object was read yet.
    fresh: bool,
    /// The names of the open objects' members, outermost first: those that no field of a record has.
    names: Vec<Text<'a>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(json: &'a str) -> Self {
        Self { json, at: 0, depth: 0, fresh: false, names: Vec::new() }
    }

    /// The first byte of what comes next, which is not white space.
    pub(super) fn peek(&mut self) -> Result<u8> {
        let bytes = self.json.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(&byte) => return Ok(byte),
                None => return Err(self.not_json()),
            }
        }
    }

    /// Where in the text the reader stands.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The text from `start`, a position, to where the reader stands.
    pub(super) fn since(&self, start: usize) -> &'a str {
        &self.json[start..self.at]
    }

    /// Makes sure that nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<()> {
        match self.peek() {
            Ok(_) => Err(self.not_json()),
            Err(_) => Ok(()),
        }
    }

    /// Enters the array or object that comes next. `path` is its own.
    pub(super) fn enter(&mut self, path: &Path<'_>) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Unencodable::TooDeep { value: path.shown() });
        }
        self.at += 1;
        self.fresh = true;
        Ok(())
    }

    /// The name of the next member of the object that was entered, with the reader before its value; `None` after the
    /// last one, with the reader behind the object.
    pub(super) fn name(&mut self) -> Result<Option<Text<'a>>> {
        if !self.next_item(b'}')? {
            return Ok(None);
        }
        if self.peek()? != b'"' {
            return Err(self.not_json());
        }
        let name = self.string()?;
        if self.peek()? != b':' {
            return Err(self.not_json());
        }
        self.at += 1;
        Ok(Some(name))
    }

    /// Whether the array that was entered has one more element, with the reader before it; if not, the reader is behind
    /// the array.
    pub(super) fn element(&mut self) -> Result<bool> {
        self.next_item(b']')
    }

    fn next_item(&mut self, closer: u8) -> Result<bool> {
        let fresh = std::mem::take(&mut self.fresh);
        match self.peek()? {
            byte if byte == closer => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            _ if fresh => Ok(true),
            b',' => {
                self.at += 1;
                // What follows has to be a value or a name, and `]` or `}` is neither.
                Ok(true)
            }
            _ => Err(self.not_json()),
        }
    }

    /// The string that comes next, where [`Self::peek`] saw its quote.
    pub(super) fn string(&mut self) -> Result<Text<'a>> {
        let bytes = self.json.as_bytes();
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            at += plain_length(&bytes[at..]);
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += match bytes.get(at + 1..) {
                        Some([b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..]) => 2,
                        Some([b'u', a, b, c, d, ..]) if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) => 6,
                        _ => return Err(Unencodable::NotJson { at }),
                    };
                }
                _ => return Err(Unencodable::NotJson { at }),
            }
        }
        self.at = at + 1;
        let written = &self.json[start..at];
        Ok(if escaped { Text::escaped(written) } else { Text::plain(written) })
    }

    /// The number that comes next, where [`Self::peek`] saw its sign or first digit.
    pub(super) fn number(&mut self) -> Result<&'a str> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(self.since(start))
    }

    fn byte(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    fn digits(&mut self) -> Result<()> {
        let digits = self.json.as_bytes()[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        if digits == 0 { Err(self.not_json()) } else { Ok(()) }
    }

    /// Steps over `literal`, which has to come next.
    pub(super) fn literal(&mut self, literal: &str) -> Result<()> {
        if !self.json.as_bytes()[self.at..].starts_with(literal.as_bytes()) {
            return Err(self.not_json());
        }
        self.at += literal.len();
        Ok(())
    }

    /// Steps over the value that comes next. `path` is its own.
    ///
    /// It calls itself for what is inside, [`MAX_DEPTH`] times at most.
    pub(super) fn skip(&mut self, path: &Path<'_>) -> Result<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' => {
                let names = self.enter_object(path)?;
                while let Some(name) = self.name()? {
                    self.names.push(name);
                    self.skip(&path.member(name))?;
                }
                self.leave_object(names, path)
            }
            b'[' => {
                self.enter(path)?;
                let mut index = 0;
                while self.element()? {
                    self.skip(&path.element(index))?;
                    index += 1;
                }
                Ok(())
            }
            b'n' => self.literal("null"),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            _ => self.number().map(drop),
        }
    }

    /// Enters the object that comes next. What it gives back belongs to [`Self::leave_object`].
    pub(super) fn enter_object(&mut self, path: &Path<'_>) -> Result<usize> {
        self.enter(path)?;
        Ok(self.names.len())
    }

    /// Notes the name of a member of the innermost open object.
    pub(super) fn note_name(&mut self, name: Text<'a>) {
        self.names.push(name);
    }

    /// Makes sure that no two of the names that were noted since `names` are the same.
    pub(super) fn leave_object(&mut self, names: usize, path: &Path<'_>) -> Result<()> {
        let duplicate = duplicate(&mut self.names[names..]);
        self.names.truncate(names);
        match duplicate {
            Some(name) => Err(Unencodable::DuplicateMember { member: path.member(name).shown() }),
            None => Ok(()),
        }
    }

    fn not_json(&self) -> Unencodable {
        Unencodable::NotJson { at: self.at }
    }
}

/// A name that is among `names` twice.
fn duplicate<'a>(names: &mut [Text<'a>]) -> Option<Text<'a>> {
    /// Up to here comparing each with each is faster than sorting.
    const FEW: usize = 16;
    if names.len() <= FEW {
        let twice =
            |(index, name): &(usize, &Text<'a>)| names[..*index].iter().any(|other| other.means_the_same(**name));
        return names.iter().enumerate().find(twice).map(|(_, name)| *name);
    }
    // Without escapes a name is its own key, and needs no memory.
    if !names.iter().any(|name| name.is_escaped()) {
        names.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
        return names.windows(2).find(|pair| pair[0].means_the_same(pair[1])).map(|pair| pair[1]);
    }
    let mut keys: Vec<_> = names.iter().map(|name| (name.key(), *name)).collect();
    keys.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    keys.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1)
}

/// How many bytes come before the first quote, backslash or control character.
///
/// Eight at a time: a byte's highest bit gets set by what looks for it (the "has less" and "has zero" of bit tricks, whose false
/// hits stand only behind a true one), and the lowest set bit is the first hit.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let mut length = 0;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let zero_where = |byte: u8| {
            let different = word ^ (ONES * u64::from(byte));
            different.wrapping_sub(ONES) & !different
        };
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let hits = (control | zero_where(b'"') | zero_where(b'\\')) & HIGH;
        if hits != 0 {
            return length + (hits.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length + rest.iter().take_while(|&&byte| byte >= 0x20 && byte != b'"' && byte != b'\\').count()
}

#[cfg(test)]
mod tests;
