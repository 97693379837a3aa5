//! A topic as its consumers see it: committed records only, from the beginning (Connect's KafkaBasedLog, KAFKA-7610's rule
//! on end offsets).

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use thiserror::Error;

use super::client_config::{self, Isolation};
use super::connection::{self, Connection};
use super::error::code_of;
use super::topic_reading::{Begin, TopicReading};
use crate::clock::Clock;
use crate::config::KafkaProperties;

/// One wait inside librdkafka.
pub(super) const SLICE: Duration = Duration::from_millis(100);

/// Why a topic can't be read.
#[derive(Debug, Error)]
pub enum RecordReaderError {
    /// A property that librdkafka does not take.
    #[error("librdkafka refuses the consumer's configuration: {0}; mend the `kafka` section")]
    Config(String),
    /// No broker's answer.
    #[error("can't read topic `{topic}`: {why}")]
    Unreachable {
        /// The topic.
        topic: String,
        /// The reason, ending in the next thing to do.
        why: String,
    },
    /// A broker's answer.
    #[error(
        "can't read topic `{topic}` ({code}): check that the topic is there, READ and DESCRIBE on it, and READ on `group_id`"
    )]
    Refused {
        /// The topic.
        topic: String,
        /// The answer.
        code: RDKafkaErrorCode,
    },
    /// Did not come to the end in time.
    #[error(
        "did not reach the end of topic `{topic}` within {seconds} s: check the brokers and open transactions on it"
    )]
    TimedOut {
        /// The topic.
        topic: String,
        /// The bound.
        seconds: u64,
    },
    /// Told to stop meanwhile.
    #[error("stopped before the topic was read")]
    Stopped,
}

impl RecordReaderError {
    /// Whether somebody has to grant something on the topic.
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::Refused { code: RDKafkaErrorCode::TopicAuthorizationFailed, .. })
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Partition of the topic.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
    /// Milliseconds since the Unix epoch.
    pub timestamp: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    pub(super) fn from_message(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            let header = |header: rdkafka::message::Header<'_, &[u8]>| {
                (header.key.to_owned(), header.value.unwrap_or_default().to_vec())
            };
            headers.iter().map(header).collect()
        });
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers,
        }
    }
}

/// Follows a topic.
pub struct RecordReader {
    consumer: BaseConsumer<Connection>,
    topic: String,
}

impl RecordReader {
    /// Reads all partitions from their beginning on. `group_id` is only looked for, never joined. Blocks.
    pub fn new(
        kafka: &KafkaProperties,
        group_id: &str,
        topic: &str,
        partitions: i32,
    ) -> Result<Self, RecordReaderError> {
        let reader = Self { consumer: consumer(kafka, group_id, Isolation::ReadCommitted)?, topic: topic.to_owned() };
        reader.assign(0..partitions)?;
        Ok(reader)
    }

    /// The next record, or nothing for now: the end was reached, or 100 ms passed. Blocks.
    pub fn poll(&self) -> Result<Option<Record>, RecordReaderError> {
        self.consumer.context().feed(self.consumer.client());
        match self.consumer.poll(SLICE) {
            Some(Ok(message)) => Ok(Some(Record::from_message(&message))),
            Some(Err(error)) if !is_passing(&error) => Err(refused(&self.topic, &error)),
            Some(Err(_)) | None => Ok(None),
        }
    }

    fn assign(&self, partitions: impl Iterator<Item = i32>) -> Result<(), RecordReaderError> {
        let mut assignment = TopicPartitionList::new();
        for partition in partitions {
            // Fails only for an offset that is not one.
            let _ = assignment.add_partition_offset(&self.topic, partition, Offset::Beginning);
        }
        self.consumer.assign(&assignment).map_err(|error| refused(&self.topic, &error))
    }
}

/// Gives `each` every committed record that these partitions hold at the moment of the call, by partition in order, and
/// returns where each partition ended then. An open transaction is waited for, at most `timeout` for everything, and never
/// taken for the end. Blocks.
pub fn read_to_end(
    kafka: &KafkaProperties,
    group_id: &str,
    topic: &str,
    partitions: &[i32],
    timeout: Duration,
    give_up: &dyn Fn() -> bool,
    mut each: impl FnMut(Record),
) -> Result<BTreeMap<i32, i64>, RecordReaderError> {
    let clock = Clock::new();
    let go_on = || match clock.elapsed() {
        _ if give_up() => Err(RecordReaderError::Stopped),
        now if now < timeout => Ok(()),
        _ => Err(RecordReaderError::TimedOut { topic: topic.to_owned(), seconds: timeout.as_secs() }),
    };
    let mut reading = TopicReading::look(kafka, group_id, topic, partitions, &go_on)?;
    reading.begin(Begin::At(&BTreeMap::new()))?;
    while !reading.is_at_end() {
        go_on()?;
        if let Some(record) = reading.poll()? {
            each(record);
        }
    }
    Ok(reading.ends())
}

fn consumer(
    kafka: &KafkaProperties,
    group_id: &str,
    isolation: Isolation,
) -> Result<BaseConsumer<Connection>, RecordReaderError> {
    let config = client_config::reader(kafka, group_id, isolation);
    connection::consumer(kafka, &config).map_err(|error| RecordReaderError::Config(client_config::refused(&error)))
}

/// Why a client got no answer about a topic.
pub(super) fn unanswered(consumer: &BaseConsumer<Connection>, topic: &str, error: &KafkaError) -> RecordReaderError {
    // What librdkafka said meanwhile is heard when it is polled.
    while consumer.poll(Duration::ZERO).is_some() {}
    match consumer.context().trouble() {
        Some(why) if is_passing(error) => RecordReaderError::Unreachable { topic: topic.to_owned(), why },
        _ => refused(topic, error),
    }
}

pub(super) fn refused(topic: &str, error: &KafkaError) -> RecordReaderError {
    RecordReaderError::Refused { topic: topic.to_owned(), code: code_of(error) }
}

/// The end of a partition, and errors that librdkafka mends by itself.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    let code = code_of(error);
    matches!(error, KafkaError::PartitionEOF(_))
        || matches!(
            code,
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::RequestTimedOut
        )
}
