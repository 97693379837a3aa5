//! Reading partitions of the offsets topic to the end (I4; Connect's KafkaBasedLog, KAFKA-7610's rule on end offsets).

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use thiserror::Error;

use super::client_config::{self, Isolation};
use super::context::LogContext;
use super::error::code_of;
use crate::clock::Clock;
use crate::config::KafkaProperties;
use crate::offsets::fold::{LogPosition, OffsetFold};

/// Longest time for the whole read: a compacted partition is small.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// One wait inside librdkafka.
const SLICE: Duration = Duration::from_millis(500);
/// Between two looks at how far a partition is stable.
const STABLE_LOOK: Duration = Duration::from_millis(50);
/// How long a broker may take to say where a partition ends.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the offsets could not be read; nothing is assumed then.
#[derive(Debug, Error)]
pub enum OffsetLogError {
    /// A property that librdkafka does not take.
    #[error("librdkafka refuses the consumer's configuration: {0}; mend the `kafka` section")]
    Config(String),
    /// A broker's answer.
    #[error(
        "can't read topic `{topic}`, partition `{partition}` ({code}): check that the topic is there, and READ and DESCRIBE on it"
    )]
    Refused {
        /// The offsets topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The answer.
        code: RDKafkaErrorCode,
    },
    /// Did not come to the end in time: never taken for the end.
    #[error(
        "did not reach the end of topic `{topic}` within {seconds} s: check the brokers and open transactions on it"
    )]
    TimedOut {
        /// The offsets topic.
        topic: String,
        /// The bound.
        seconds: u64,
    },
    /// Told to stop meanwhile.
    #[error("stopped before the offsets were read")]
    Stopped,
}

/// What some partitions hold, and where they end.
#[derive(Debug)]
pub struct OffsetLog {
    /// The last value of each key.
    pub fold: OffsetFold,
    /// Read-uncommitted end of each partition at the start of the read.
    pub ends: BTreeMap<i32, i64>,
}

/// Reads the given partitions from the beginning to their read-uncommitted end. Blocks.
///
/// The end is asked for with a read-uncommitted client: the end that a read-committed one is told is the last stable
/// offset, which an open transaction holds back, and reading to that could give a stale offset.
pub fn read_to_end(
    kafka: &KafkaProperties,
    group_id: &str,
    topic: &str,
    partitions: &[i32],
    give_up: &dyn Fn() -> bool,
) -> Result<OffsetLog, OffsetLogError> {
    let clock = Clock::new();
    let timed_out = || OffsetLogError::TimedOut { topic: topic.to_owned(), seconds: READ_TIMEOUT.as_secs() };
    let uncommitted = consumer(kafka, group_id, Isolation::ReadUncommitted)?;
    let mut begins = BTreeMap::new();
    let mut ends = BTreeMap::new();
    for &partition in partitions {
        let (begin, end) = watermarks(&uncommitted, topic, partition)?;
        begins.insert(partition, begin);
        ends.insert(partition, end);
    }
    let mut fold = OffsetFold::default();
    let mut unread: BTreeMap<i32, i64> =
        ends.iter().filter(|(partition, end)| begins[*partition] < **end).map(|(p, end)| (*p, *end)).collect();
    if unread.is_empty() {
        return Ok(OffsetLog { fold, ends });
    }
    let committed = consumer(kafka, group_id, Isolation::ReadCommitted)?;
    // From here on every fetch sees at least these ends as stable, so that an end-of-partition is the end.
    for (&partition, &end) in &unread {
        while watermarks(&committed, topic, partition)?.1 < end {
            if give_up() {
                return Err(OffsetLogError::Stopped);
            }
            if clock.elapsed() >= READ_TIMEOUT {
                return Err(timed_out());
            }
            // Nothing is assigned yet: this is a rest between two questions, in which errors are served.
            let _ = committed.poll(STABLE_LOOK);
        }
    }
    let mut assignment = TopicPartitionList::new();
    for &partition in unread.keys() {
        // Fails only for an offset that is not one.
        let _ = assignment.add_partition_offset(topic, partition, Offset::Beginning);
    }
    committed.assign(&assignment).map_err(|error| refused(topic, -1, &error))?;
    while !unread.is_empty() {
        if give_up() {
            return Err(OffsetLogError::Stopped);
        }
        if clock.elapsed() >= READ_TIMEOUT {
            return Err(timed_out());
        }
        match committed.poll(SLICE) {
            None => {}
            Some(Ok(message)) => {
                let position = LogPosition {
                    partition: message.partition(),
                    offset: message.offset(),
                    timestamp: message.timestamp().to_millis(),
                };
                fold.apply(message.key(), message.payload(), position);
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                unread.remove(&partition);
            }
            Some(Err(error)) if is_passing(&error) => {}
            Some(Err(error)) => return Err(refused(topic, -1, &error)),
        }
    }
    Ok(OffsetLog { fold, ends })
}

fn consumer(
    kafka: &KafkaProperties,
    group_id: &str,
    isolation: Isolation,
) -> Result<BaseConsumer<LogContext>, OffsetLogError> {
    client_config::reader(kafka, group_id, isolation)
        .create_with_context(LogContext)
        .map_err(|error| OffsetLogError::Config(error.to_string()))
}

fn watermarks(consumer: &BaseConsumer<LogContext>, topic: &str, partition: i32) -> Result<(i64, i64), OffsetLogError> {
    consumer.fetch_watermarks(topic, partition, END_TIMEOUT).map_err(|error| refused(topic, partition, &error))
}

fn refused(topic: &str, partition: i32, error: &KafkaError) -> OffsetLogError {
    OffsetLogError::Refused { topic: topic.to_owned(), partition, code: code_of(error) }
}

/// Errors that librdkafka mends by itself; the deadline bounds how often.
fn is_passing(error: &KafkaError) -> bool {
    matches!(
        code_of(error),
        RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::RequestTimedOut
    )
}
