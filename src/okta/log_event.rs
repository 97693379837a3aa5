//! A LogEvent as it is carried: Okta's bytes, and the three members that a record needs.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

mod published;

pub use published::Published;

/// The longest `uuid` that is used as a record's key, in bytes; Okta's have 36.
pub const MAX_UUID_BYTES: usize = 1024;

/// One event of the System Log, verbatim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// The event's JSON as Okta sent it, without the white space around it: UTF-8 and valid JSON of any depth.
    pub bytes: Bytes,
    /// The event's `uuid`: 1 to [`MAX_UUID_BYTES`] bytes, not blank, no control characters. Okta does not promise that
    /// it is a UUID.
    pub uuid: String,
    /// When it happened; `None` where it is absent or no RFC 3339 time.
    pub published: Option<Published>,
    /// The event's `eventType`; `None` where it is absent, no string or empty.
    pub event_type: Option<String>,
}

/// Why an element is not published but goes to the dead letter topic.
///
/// Display is one sentence for the operator and never shows the element's text, which may be sensitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalReason {
    /// Some byte of it is not UTF-8.
    NotUtf8 {
        /// The first byte that isn't, counted from the element's first.
        at: usize,
    },
    /// Balanced brackets, but no JSON value.
    NotJson {
        /// What the parser found, with the position.
        problem: String,
    },
    /// A JSON value, but no object.
    NotAnObject,
    /// An object without a usable `uuid`.
    MissingUuid {
        /// What is there in its place.
        problem: UuidProblem,
    },
}

/// What is wrong with an element's `uuid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UuidProblem {
    /// No such member, or null.
    Absent,
    /// A number, a boolean, an array or an object.
    NotAString,
    /// Empty or only white space.
    Blank,
    /// Longer than [`MAX_UUID_BYTES`].
    TooLong,
    /// Holds control characters, or an escape that is no Unicode character.
    BadCharacters,
}

impl RefusalReason {
    /// The stable name that stands in `__connect.errors.exception.class.name` (contract 3.3).
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotUtf8 { .. } => "NotUtf8",
            Self::NotJson { .. } => "NotJson",
            Self::NotAnObject => "NotAnObject",
            Self::MissingUuid { .. } => "MissingUuid",
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 { at } => write!(f, "the element is not UTF-8, at byte {at}"),
            Self::NotJson { problem } => write!(f, "the element is not JSON: {problem}"),
            Self::NotAnObject => f.write_str("the element is not a JSON object"),
            Self::MissingUuid { problem } => write!(f, "the event has no usable `uuid`: {problem}"),
        }
    }
}

impl fmt::Display for UuidProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("it is absent or null"),
            Self::NotAString => f.write_str("it is not a string"),
            Self::Blank => f.write_str("it is blank"),
            Self::TooLong => write!(f, "it is longer than {MAX_UUID_BYTES} bytes"),
            Self::BadCharacters => f.write_str("it holds control characters or broken escapes"),
        }
    }
}

/// An element that cannot be published, with what could be read of it all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedElement {
    /// The element as Okta sent it, without the white space around it.
    pub bytes: Bytes,
    /// Why it is refused.
    pub reason: RefusalReason,
    /// Its `uuid` where that is usable: an element that is not UTF-8 elsewhere still has one.
    pub uuid: Option<String>,
    /// Its `published`, as written, where it is an RFC 3339 time.
    pub published: Option<String>,
}

/// Reads the envelope of one element: `uuid`, `published` and `eventType` of its top level.
///
/// The rest is checked to be JSON, at any depth (the check does not recurse), and kept as it is. Of a member that is
/// there twice the last one counts, as with most JSON parsers: a consumer who parses the value sees the same key.
pub fn read(bytes: &Bytes) -> Result<RawEvent, RefusedElement> {
    let not_utf8 = std::str::from_utf8(bytes).err().map(|error| RefusalReason::NotUtf8 { at: error.valid_up_to() });
    match (envelope(bytes), not_utf8) {
        (Ok(envelope), None) => envelope.into_event(bytes.clone()),
        (Ok(envelope), Some(reason)) => {
            let published = envelope.published().map(|published| published.text);
            let uuid = uuid(envelope.uuid).ok();
            Err(RefusedElement { bytes: bytes.clone(), reason, uuid, published })
        }
        (Err(reason), not_utf8) => {
            let reason = not_utf8.unwrap_or(reason);
            Err(RefusedElement { bytes: bytes.clone(), reason, uuid: None, published: None })
        }
    }
}

/// Reads the object that `rest` begins with, and says how long it is; `None` where it begins with none.
///
/// For [`super::page`], which reads a page without a fault in one pass: `rest` has to be UTF-8.
pub(super) fn read_first(rest: &Bytes) -> Option<(Result<RawEvent, RefusedElement>, usize)> {
    if rest.first() != Some(&b'{') {
        return None;
    }
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Envelope<'_>>();
    let envelope = values.next()?.ok()?;
    let length = values.byte_offset();
    Some((envelope.into_event(rest.slice(..length)), length))
}

/// The members that a record needs, as JSON text.
#[derive(Default)]
struct Envelope<'a> {
    uuid: Option<&'a RawValue>,
    published: Option<&'a RawValue>,
    event_type: Option<&'a RawValue>,
}

impl Envelope<'_> {
    fn published(&self) -> Option<Published> {
        self.published.and_then(text).and_then(|text| Published::parse(&text))
    }

    /// The event whose envelope this is, where its bytes are known to be UTF-8 and JSON.
    fn into_event(self, bytes: Bytes) -> Result<RawEvent, RefusedElement> {
        let published = self.published();
        match uuid(self.uuid) {
            Ok(uuid) => {
                let event_type = self.event_type.and_then(text).filter(|text| !text.is_empty()).map(Cow::into_owned);
                Ok(RawEvent { bytes, uuid, published, event_type })
            }
            Err(problem) => {
                let published = published.map(|published| published.text);
                Err(RefusedElement { bytes, reason: RefusalReason::MissingUuid { problem }, uuid: None, published })
            }
        }
    }
}

fn envelope(bytes: &[u8]) -> Result<Envelope<'_>, RefusalReason> {
    let not_json = |error: serde_json::Error| RefusalReason::NotJson { problem: error.to_string() };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    // Elements come without white space around them, so the first byte tells an object.
    if bytes.first() == Some(&b'{') {
        let envelope = Envelope::deserialize(&mut json).map_err(not_json)?;
        json.end().map_err(not_json)?;
        return Ok(envelope);
    }
    IgnoredAny::deserialize(&mut json).map_err(not_json)?;
    json.end().map_err(not_json)?;
    Err(RefusalReason::NotAnObject)
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Envelope<'de>, A::Error> {
        let mut envelope = Envelope::default();
        // Names are taken raw as well: one that holds a broken escape is another member's, and no error.
        while let Some(name) = members.next_key::<&RawValue>()? {
            match text(name).as_deref() {
                Some("uuid") => envelope.uuid = Some(members.next_value()?),
                Some("published") => envelope.published = Some(members.next_value()?),
                Some("eventType") => envelope.event_type = Some(members.next_value()?),
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(envelope)
    }
}

/// The text of a JSON string; `None` for any other value and for escapes that are no Unicode character.
fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    let inner = json.get().strip_prefix('"')?.strip_suffix('"')?;
    // A string without escapes is its own text, as is nearly every one.
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(json.get()).ok().map(Cow::Owned)
}

fn uuid(json: Option<&RawValue>) -> Result<String, UuidProblem> {
    let json = json.filter(|json| json.get() != "null").ok_or(UuidProblem::Absent)?;
    if !json.get().starts_with('"') {
        return Err(UuidProblem::NotAString);
    }
    let uuid = text(json).ok_or(UuidProblem::BadCharacters)?;
    if uuid.trim().is_empty() {
        return Err(UuidProblem::Blank);
    }
    if uuid.len() > MAX_UUID_BYTES {
        return Err(UuidProblem::TooLong);
    }
    if uuid.chars().any(char::is_control) {
        return Err(UuidProblem::BadCharacters);
    }
    Ok(uuid.into_owned())
}

#[cfg(test)]
mod tests;
