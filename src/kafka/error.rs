//! What an error of Kafka's means for us: the one place that judges error codes.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaErrorCode as Code;

/// What follows from an error code (docs/ARCHITECTURE.md, "Failure table", and I6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// May pass by itself: again, with backoff.
    Transient,
    /// This record will never be taken as it is.
    Record,
    /// This topic does not take records from us: its connector fails, others go on.
    Topic,
    /// Another producer has our transactional id, or the broker has forgotten ours: never commit again (I6).
    Fenced,
}

/// The coordinator's word for a topic that may not be written.
pub const TOPIC_REFUSED: RDKafkaErrorCode = Code::TopicAuthorizationFailed;

/// Judges the error of one record's delivery, or of a transaction.
pub fn judge(code: RDKafkaErrorCode) -> Verdict {
    match code {
        Code::MessageSizeTooLarge
        | Code::InvalidTimestamp
        | Code::InvalidRecord
        | Code::PolicyViolation
        | Code::InvalidMessageSize => Verdict::Record,
        Code::UnknownTopicOrPartition
        | Code::UnknownTopic
        | Code::UnknownPartition
        | Code::InvalidTopic
        | Code::TopicAuthorizationFailed => Verdict::Topic,
        // The last two are abortable to librdkafka, but abort-and-continue lets a zombie commit.
        Code::Fenced
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::Fatal
        | Code::InvalidProducerIdMapping
        | Code::UnknownProducerId
        // librdkafka purges a transaction's records when the coordinator refuses the transaction itself, as with the two
        // above, and no report says why: so whatever it was, nothing is continued.
        | Code::PurgeQueue
        | Code::PurgeInflight => Verdict::Fenced,
        _ => Verdict::Transient,
    }
}

/// Whether a group may not be used.
pub fn is_group_refused(code: RDKafkaErrorCode) -> bool {
    code == Code::GroupAuthorizationFailed
}

/// What to do about that.
pub fn group_advice(group_id: &str) -> String {
    format!(
        "Kafka refuses to commit offsets of group `{group_id}` ({}): grant READ on it",
        Code::GroupAuthorizationFailed
    )
}

/// Whether no broker took a record within `message.timeout.ms`.
pub fn is_timeout(code: RDKafkaErrorCode) -> bool {
    code == Code::MessageTimedOut
}

/// What fenced a producer, in the words of a log: a purge is librdkafka's, and says nothing.
pub fn fenced_by(code: RDKafkaErrorCode) -> String {
    match code {
        Code::PurgeQueue | Code::PurgeInflight => "Kafka refused its transaction".to_owned(),
        code => code.to_string(),
    }
}

/// Whether librdkafka threw the record away because of something else: the first record of a transaction that fails takes
/// with it all that are not sent yet, and a record that a broker refuses takes its batch with it.
pub fn is_swept_along(code: RDKafkaErrorCode) -> bool {
    matches!(code, Code::PurgeQueue | Code::PurgeInflight | Code::InvalidDifferentRecord)
}

/// Whether the record, or the batch that it was in, is larger than the topic takes.
pub fn is_too_large(code: RDKafkaErrorCode) -> bool {
    matches!(code, Code::MessageSizeTooLarge | Code::InvalidMessageSize)
}

/// Whether the topic does not take the record's time.
pub fn is_time(code: RDKafkaErrorCode) -> bool {
    code == Code::InvalidTimestamp
}

/// A stable name for why a record is refused for good; the others are an `InvalidRecord`, too.
pub fn record_class(code: RDKafkaErrorCode) -> &'static str {
    match code {
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => "RecordTooLarge",
        Code::InvalidTimestamp => "InvalidTimestamp",
        Code::PolicyViolation => "PolicyViolation",
        _ => "InvalidRecord",
    }
}

/// What to do about a code that stops a connector: ends in the next action.
pub fn advice(code: RDKafkaErrorCode, topic: &str) -> String {
    let name = code.to_string();
    match code {
        Code::TopicAuthorizationFailed => {
            format!("Kafka refuses to write to topic `{topic}` ({name}): grant WRITE and DESCRIBE on it")
        }
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            format!("topic `{topic}` is not there ({name}): create it, or set `topic.create: true`")
        }
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => {
            format!("a record is larger than topic `{topic}` takes ({name}): raise its `max.message.bytes`")
        }
        Code::InvalidTimestamp => format!(
            "topic `{topic}` refuses a record's time ({name}): check this machine's clock, or raise its `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms`"
        ),
        _ => format!("topic `{topic}` refuses a record ({name}): look at the topic's settings and at the broker's log"),
    }
}

/// The code inside any of rdkafka's errors; `Unknown` where it carries none.
pub fn code_of(error: &KafkaError) -> RDKafkaErrorCode {
    match error {
        KafkaError::Transaction(error) => error.code(),
        other => other.rdkafka_error_code().unwrap_or(Code::Unknown),
    }
}
