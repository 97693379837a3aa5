//! One record written into a shard's partition of the offsets topic, by somebody who is not its worker.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use thiserror::Error;
use tracing::debug;

use super::deliveries::{RecordKind, Tag, Undelivered};
use super::error::{TOPIC_REFUSED, Verdict, advice, judge};
use super::offset_log;
use super::transaction::{AskedToCommit, InitError, ProducerRecord, TransactionalProducer};
use super::transaction_end::TransactionEnd;
use crate::clock::Clock;
use crate::config::KafkaProperties;

/// How often a write begins anew that lost its transactional id before its commit.
const TRIES: u32 = 5;
/// How long it is looked, after a commit that was not answered, whether it was made.
const LOOK: Duration = Duration::from_secs(15);

/// Why the record is not known to be there; each message ends in the next thing to do.
#[derive(Debug, Error)]
pub enum OffsetWriteError {
    /// No transactional id.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The worker, or another writer, was faster each time.
    #[error(
        "another writer took transactional id `{id}` back {TRIES} times in a row, so nothing was written: look for a second `offsets alter`, or a second deployment with the same offsets topic, and try again"
    )]
    Fenced {
        /// The transactional id.
        id: String,
    },
    /// Kafka does not take the record.
    #[error("{0}")]
    Refused(String),
    /// No broker took it in time.
    #[error(
        "Kafka did not take the record ({0}), so nothing was written: check that the brokers are up, and try again"
    )]
    NotTaken(RDKafkaErrorCode),
    /// No answer to the commit.
    #[error("nobody knows whether the record was written ({0}): look at it with `offsets get`, and try again")]
    Unknown(RDKafkaErrorCode),
}

/// Where a record goes.
#[derive(Debug, Clone, Copy)]
pub struct OffsetRecord<'a> {
    /// The offsets topic.
    pub topic: &'a str,
    /// Its partition: the shard.
    pub shard: i32,
    /// Connect's key.
    pub key: &'a [u8],
    /// Connect's value; none is a tombstone.
    pub value: Option<&'a [u8]>,
}

/// Writes the record with the shard's transactional id (I5), which fences the worker that has it, and gives its offset
/// where the broker told it. Blocks, for `within` and a quarter of a minute at most.
///
/// The worker may take its id back between our first and last step: then all of it is done again, a few times. A commit
/// whose answer was lost is looked for first: the worker may have gone on from it, and would do so a second time.
pub fn write(
    kafka: &KafkaProperties,
    group_id: &str,
    record: &OffsetRecord<'_>,
    within: Duration,
) -> Result<Option<i64>, OffsetWriteError> {
    let OffsetRecord { topic, shard, key, value } = *record;
    let id = format!("{topic}-{shard}");
    let clock = Clock::new();
    let give_up = || clock.elapsed() >= within;
    let tag = Tag { owner: 0, kind: RecordKind::Offset, index: 0 };
    let mut failed: Option<OffsetWriteError> = None;
    for attempt in 1..=TRIES {
        let producer = match TransactionalProducer::init(kafka, &id, None, &give_up) {
            Ok(producer) => producer,
            // No time was left for it.
            Err(error @ InitError::Stopped) => return Err(failed.unwrap_or(error.into())),
            Err(error) => return Err(error.into()),
        };
        let send = |send: &mut dyn FnMut(ProducerRecord<'_>) -> bool| {
            let record =
                ProducerRecord { topic, partition: Some(shard), key, value, timestamp: None, headers: &[], tag };
            let _ = send(record);
        };
        let ended = producer.publish(1, send, None, &give_up);
        debug!(transactional_id = id, attempt, ?ended, "offset record");
        if let TransactionEnd::Committed { end, .. } = ended {
            // The commit's marker is behind the record.
            return Ok(end.map(|end| end - 2));
        }
        let (undelivered, code) = ended.reasons();
        let code = code.unwrap_or(RDKafkaErrorCode::Unknown);
        if producer.refused_topics().contains(topic) {
            return Err(OffsetWriteError::Refused(advice(TOPIC_REFUSED, topic)));
        }
        let is_final = |one: &&Undelivered| matches!(judge(one.code), Verdict::Record | Verdict::Topic);
        if let Some(refused) = undelivered.iter().find(is_final) {
            return Err(OffsetWriteError::Refused(advice(refused.code, topic)));
        }
        let is_fenced = matches!(ended, TransactionEnd::Fenced { .. });
        let asked = producer.asked_to_commit().filter(|_| is_fenced || matches!(ended, TransactionEnd::Unknown { .. }));
        // It is asked no more.
        drop(producer);
        if let Some(AskedToCommit { offset_record }) = asked {
            // A broker that is frozen commits when it goes on, so only an answer counts (docs/adr/0004).
            let Some(offset) = offset_record else { return Err(OffsetWriteError::Unknown(code)) };
            let give_up = || clock.elapsed() >= within + LOOK;
            match offset_log::is_committed(kafka, group_id, topic, (shard, offset), &give_up) {
                Ok(true) => return Ok(Some(offset)),
                Ok(false) => {}
                Err(problem) => {
                    debug!(transactional_id = id, "{problem}");
                    return Err(OffsetWriteError::Unknown(code));
                }
            }
        }
        failed = Some(if is_fenced { fenced(&id) } else { OffsetWriteError::NotTaken(code) });
        if give_up() {
            break;
        }
    }
    Err(failed.unwrap_or_else(|| fenced(&id)))
}

fn fenced(id: &str) -> OffsetWriteError {
    OffsetWriteError::Fenced { id: id.to_owned() }
}
