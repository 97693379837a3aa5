//! Why an event can't be an Avro record.

use thiserror::Error;

/// Why an event can't be encoded, so that it becomes a dead letter.
///
/// Display is one sentence for the operator. It names fields of the schema, and shows neither a value nor another name: in
/// an object with free members also a name is content.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unencodable {
    /// Not UTF-8, or not JSON.
    #[error("the event is not JSON, at byte {at}")]
    NotJson {
        /// The first byte that can't be there.
        at: usize,
    },
    /// JSON, but not an object.
    #[error("the event is not a JSON object")]
    NotAnObject,
    /// No `uuid` that is a text.
    #[error("the event has no `uuid` that is a text")]
    MissingUuid,
    /// Two members of one object have the same name, so that JSON readers disagree on what the event says.
    #[error("the member `{member}` is there twice, so that it is not clear which one counts")]
    DuplicateMember {
        /// Its JSON Pointer with `*` for names that no field has, shortened for a message.
        member: String,
    },
    /// Nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    #[error("`{value}` is nested deeper than {} levels, which many JSON readers refuse", super::MAX_DEPTH)]
    TooDeep {
        /// The JSON Pointer of the first array or object that is one level too deep, with `*` for names that no field has,
        /// shortened for a message.
        value: String,
    },
    /// A member of the event itself has a name with half a surrogate pair, which no JSON Pointer can hold.
    #[error("the event has a member whose name is no Unicode text")]
    NameNotUnicode,
    /// The library that writes Avro refused the record: a mistake of this program, and never of the event.
    #[error("the event was not taken by the Avro encoder, which is a mistake of this program: please report it")]
    Refused,
}

impl Unencodable {
    /// The stable name that stands in `__connect.errors.exception.class.name`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "NotJson",
            Self::NotAnObject => "NotAnObject",
            Self::MissingUuid => "MissingUuid",
            Self::DuplicateMember { .. } => "DuplicateMember",
            Self::TooDeep { .. } => "TooDeep",
            Self::NameNotUnicode => "NameNotUnicode",
            Self::Refused => "RefusedByEncoder",
        }
    }
}
