//! What no field can hold, and what the schema has in its place.

use super::log_event::LogEvent;
use super::typed::{Kind, Typed};

/// A value that stands in `unmapped`.
#[derive(Debug, Clone, Copy)]
pub struct Misfit<'a> {
    /// Its place, as a JSON Pointer.
    pub pointer: &'a str,
    /// Its JSON text.
    pub json: &'a str,
}

/// What the schema has in a misfit's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// No field: a member that the schema does not know.
    Unknown,
    /// A field, of this type in JSON's words.
    Field(&'static str),
    /// An entry of an object with free members, which takes strings alone.
    OpenMap,
}

impl Misfit<'_> {
    /// What the schema has here; and the place with `*` for the indexes of arrays and the keys of open maps, which are data.
    /// Of places other than [`Place::Unknown`] the schema has a few hundred at most.
    pub fn place(&self) -> (Place, String) {
        let mut shown = String::with_capacity(self.pointer.len());
        let mut at = Some(LogEvent::KIND);
        let mut place = Place::Unknown;
        // The names of fields hold nothing that a pointer escapes.
        for segment in self.pointer.split('/').skip(1) {
            shown.push('/');
            let named = match at {
                Some(Kind::Array(_) | Kind::MapOfText) => "*",
                _ => segment,
            };
            shown.push_str(named);
            let here = match at {
                Some(Kind::Record(_, fields)) => {
                    fields.iter().find(|(name, _)| *name == segment).map(|(_, kind)| *kind)
                }
                Some(Kind::Array(kind)) => Some(*kind),
                _ => None,
            };
            place = match (at, here) {
                (Some(Kind::MapOfText), _) => Place::OpenMap,
                (_, Some(kind)) => Place::Field(in_words(kind)),
                (_, None) => Place::Unknown,
            };
            at = here;
        }
        // The fields of ours that Okta's events do not have.
        if matches!(self.pointer, "/unmapped" | "/publishedAt") {
            place = Place::Unknown;
        }
        (place, shown)
    }

    /// The type of the value, in words.
    pub fn found(&self) -> &'static str {
        match self.json.as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "a boolean",
            _ => "a number",
        }
    }
}

fn in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a string of Unicode text",
        Kind::Boolean => "a boolean",
        Kind::Long | Kind::TimestampMillis => "a whole number within 2^53",
        Kind::Double => "a number that a double holds exactly",
        Kind::MapOfText | Kind::Record(..) => "an object",
        Kind::Array(Kind::Record(..)) => "an array of objects",
        Kind::Array(_) => "an array of strings",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_the_member_and_no_index_or_key() {
        let text = Place::Field("a string of Unicode text");
        for (pointer, place, shown) in [
            ("/riskScore", Place::Unknown, "/riskScore"),
            ("/unmapped", Place::Unknown, "/unmapped"),
            ("/publishedAt", Place::Unknown, "/publishedAt"),
            ("/version", text, "/version"),
            ("/target", Place::Field("an array of objects"), "/target"),
            ("/target/17/id", text, "/target/*/id"),
            ("/target/17/name", Place::Unknown, "/target/*/name"),
            ("/client/0", Place::Unknown, "/client/0"),
            ("/client/userAgent", Place::Field("an object"), "/client/userAgent"),
            ("/securityContext/asNumber", Place::Field("a whole number within 2^53"), "/securityContext/asNumber"),
            ("/debugContext/debugData", Place::Field("an object"), "/debugContext/debugData"),
            ("/debugContext/debugData/jane@example.com", Place::OpenMap, "/debugContext/debugData/*"),
            ("/target/0/changeDetails/to/mobile~1phone", Place::OpenMap, "/target/*/changeDetails/to/*"),
            ("/", Place::Unknown, "/"),
        ] {
            let misfit = Misfit { pointer, json: "1" };
            assert_eq!(misfit.place(), (place, shown.to_owned()), "{pointer}");
        }
        for (json, found) in
            [("{}", "an object"), ("[1]", "an array"), ("\"\"", "a string"), ("true", "a boolean"), ("-1", "a number")]
        {
            assert_eq!(Misfit { pointer: "/x", json }.found(), found);
        }
    }
}
