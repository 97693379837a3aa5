//! A dead letter: an element that cannot be published, kept byte for byte with the reason, in Connect's words.

use sha2::{Digest, Sha256};

use crate::offsets::codec;
use crate::okta::page::{RefusalReason, RefusedElement};
use crate::source::offset::{SourceOffset, SourcePartition};

/// Connect's name of the step that an element failed at (`org.apache.kafka.connect.runtime.errors.Stage`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The uuid, which is the record's key, is missing or unusable.
    KeyConverter,
    /// The element is no event.
    ValueConverter,
}

impl Stage {
    /// All stages in use.
    pub const ALL: [Self; 2] = [Self::KeyConverter, Self::ValueConverter];

    /// The stage at which an element is refused for `reason`.
    pub fn of(reason: &RefusalReason) -> Self {
        match reason {
            RefusalReason::MissingUuid { .. } => Self::KeyConverter,
            _ => Self::ValueConverter,
        }
    }

    /// Connect's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyConverter => "KEY_CONVERTER",
            Self::ValueConverter => "VALUE_CONVERTER",
        }
    }
}

/// Key of a dead letter: the uuid, else the lower-case hex SHA-256 of the value.
pub fn key(element: &RefusedElement) -> String {
    match &element.uuid {
        Some(uuid) => uuid.clone(),
        None => hex(&Sha256::digest(&element.bytes)),
    }
}

/// Headers of a dead letter: name and value, in Connect's order, then where it came from.
///
/// `topic` is the topic that it was meant for, `shard` the task that met it, `offset` the source offset after its page.
pub fn headers(
    element: &RefusedElement,
    topic: &str,
    connector: &str,
    shard: i32,
    partition: &SourcePartition,
    offset: &SourceOffset,
) -> [(&'static str, String); 8] {
    let json = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let partition = serde_json::to_string(partition).expect("one map of strings is always JSON");
    [
        ("__connect.errors.topic", topic.to_owned()),
        ("__connect.errors.connector.name", connector.to_owned()),
        ("__connect.errors.task.id", shard.to_string()),
        ("__connect.errors.stage", Stage::of(&element.reason).as_str().to_owned()),
        ("__connect.errors.exception.class.name", element.reason.as_str().to_owned()),
        ("__connect.errors.exception.message", element.reason.to_string()),
        ("__connect.errors.source.partition", partition),
        ("__connect.errors.source.offset", json(codec::encode_value(offset))),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
