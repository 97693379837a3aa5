//! A dead letter: an element that cannot be published, kept byte for byte with the reason, in Connect's words.

pub mod ranges;
pub mod receipt;

use std::fmt;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::offsets::codec;
use crate::okta::page::{RawEvent, RefusalReason, RefusedElement};
use crate::source::offset::{SourceOffset, SourcePartition};

/// Connect's name of the step that an element failed at (`org.apache.kafka.connect.runtime.errors.Stage`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The uuid, which is the record's key, is missing or unusable.
    KeyConverter,
    /// The element is no event, or none that the schema's rules can hold.
    ValueConverter,
    /// Kafka does not take the record.
    KafkaProduce,
}

impl Stage {
    /// All stages in use.
    pub const ALL: [Self; 3] = [Self::KeyConverter, Self::ValueConverter, Self::KafkaProduce];

    /// Connect's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyConverter => "KEY_CONVERTER",
            Self::ValueConverter => "VALUE_CONVERTER",
            Self::KafkaProduce => "KAFKA_PRODUCE",
        }
    }
}

/// Why an element is a dead letter. Display is one sentence for the operator, and never shows the element's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is no event, or has no key.
    Element(RefusalReason),
    /// No Avro record can hold it.
    Unencodable {
        /// A stable name, such as `DuplicateMember`.
        class: &'static str,
        /// Why, without anything of the event but names of members.
        problem: String,
    },
    /// Its record is larger than the topic takes, by our own count.
    RecordTooLarge {
        /// Bytes of key, value and headers, and what Kafka adds to them at most.
        bytes: u64,
        /// The topic.
        topic: String,
        /// Its `max.message.bytes`.
        limit: u64,
    },
    /// Kafka refused its record, alone in a transaction.
    RefusedByKafka {
        /// A stable name: `RecordTooLarge`, `InvalidTimestamp`, `InvalidRecord` or `PolicyViolation`.
        class: &'static str,
        /// The topic.
        topic: String,
        /// Bytes as above.
        bytes: u64,
    },
}

/// The class of a record that is too large, whoever found out.
pub const RECORD_TOO_LARGE: &str = "RecordTooLarge";

impl Reason {
    /// The stable name that stands in `__connect.errors.exception.class.name`.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Element(reason) => reason.as_str(),
            Self::RecordTooLarge { .. } => RECORD_TOO_LARGE,
            Self::RefusedByKafka { class, .. } | Self::Unencodable { class, .. } => class,
        }
    }

    /// The step that it failed at.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Element(RefusalReason::MissingUuid { .. }) => Stage::KeyConverter,
            Self::Element(_) | Self::Unencodable { .. } => Stage::ValueConverter,
            Self::RecordTooLarge { .. } | Self::RefusedByKafka { .. } => Stage::KafkaProduce,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Element(reason) => reason.fmt(f),
            Self::Unencodable { problem, .. } => f.write_str(problem),
            Self::RecordTooLarge { bytes, topic, limit } => {
                write!(f, "the record has {bytes} bytes, and topic `{topic}` takes {limit} (`max.message.bytes`)")
            }
            Self::RefusedByKafka { class, topic, bytes } => {
                write!(f, "topic `{topic}` refused the record of {bytes} bytes, which was alone ({class})")
            }
        }
    }
}

/// An element on its way to the dead letter topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The element as Okta sent it.
    pub bytes: Bytes,
    /// Its `uuid` where that is usable.
    pub uuid: Option<String>,
    /// Why it is not an event of the topic.
    pub reason: Reason,
}

impl From<RefusedElement> for DeadLetter {
    fn from(element: RefusedElement) -> Self {
        Self { bytes: element.bytes, uuid: element.uuid, reason: Reason::Element(element.reason) }
    }
}

impl DeadLetter {
    /// Of an event whose record can't be made, or that Kafka does not take.
    pub fn of_event(event: RawEvent, reason: Reason) -> Self {
        Self { bytes: event.bytes, uuid: Some(event.uuid), reason }
    }

    /// Its key: the uuid, else the lower-case hex SHA-256 of the value.
    pub fn key(&self) -> String {
        match &self.uuid {
            Some(uuid) => uuid.clone(),
            None => hex(&Sha256::digest(&self.bytes)),
        }
    }

    /// Its headers: name and value, in Connect's order, then where it came from.
    ///
    /// `topic` is the topic that it was meant for, `shard` the task that met it, `offset` the source offset after its page.
    pub fn headers(
        &self,
        topic: &str,
        connector: &str,
        shard: i32,
        partition: &SourcePartition,
        offset: &SourceOffset,
    ) -> [(&'static str, String); 8] {
        let json = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let partition = serde_json::to_string(partition).expect("one map of strings is always JSON");
        [
            (header::TOPIC, topic.to_owned()),
            (header::CONNECTOR, connector.to_owned()),
            (header::TASK, shard.to_string()),
            (header::STAGE, self.reason.stage().as_str().to_owned()),
            (header::CLASS, self.reason.class().to_owned()),
            (header::MESSAGE, self.reason.to_string()),
            (header::SOURCE_PARTITION, partition),
            (header::SOURCE_OFFSET, json(codec::encode_value(offset))),
        ]
    }
}

/// Names of the headers.
pub mod header {
    /// The topic that it was meant for.
    pub const TOPIC: &str = "__connect.errors.topic";
    /// `name` of the connector.
    pub const CONNECTOR: &str = "__connect.errors.connector.name";
    /// The shard.
    pub const TASK: &str = "__connect.errors.task.id";
    /// [`Stage`](super::Stage).
    pub const STAGE: &str = "__connect.errors.stage";
    /// The stable name of the reason.
    pub const CLASS: &str = "__connect.errors.exception.class.name";
    /// The reason as a sentence.
    pub const MESSAGE: &str = "__connect.errors.exception.message";
    /// The key's map of the source offset.
    pub const SOURCE_PARTITION: &str = "__connect.errors.source.partition";
    /// The source offset after its page.
    pub const SOURCE_OFFSET: &str = "__connect.errors.source.offset";
}

/// Two lower-case digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
