//! What lay in a topic at one moment, read record by record, from any place and more than once.

use std::collections::BTreeMap;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::client_config::Isolation;
use super::connection::Connection;
use super::consumed_offsets::ConsumerGroup;
use super::record_reader::{Record, RecordReaderError, SLICE, consumer, is_passing, refused, watermarks};
use crate::config::KafkaProperties;

/// Committed records up to the ends that the topic had when it was looked at.
pub struct TopicReading {
    consumer: BaseConsumer<Connection>,
    topic: String,
    /// Partitions that hold anything, with their ends.
    full: BTreeMap<i32, i64>,
    /// All of them.
    ends: BTreeMap<i32, i64>,
    /// Those of `full` whose end is not reached.
    unread: BTreeMap<i32, i64>,
}

impl TopicReading {
    /// Asks where these partitions end, and waits until no open transaction lies before that. `go_on` is asked again and
    /// again meanwhile. `group_id` is only looked for, never joined. Blocks.
    ///
    /// The end is asked for with a read-uncommitted client: the end that a read-committed one is told is the last stable
    /// offset, which an open transaction holds back, and reading to that could miss what is committed behind it.
    pub fn look(
        kafka: &KafkaProperties,
        group_id: &str,
        topic: &str,
        partitions: &[i32],
        go_on: &dyn Fn() -> Result<(), RecordReaderError>,
    ) -> Result<Self, RecordReaderError> {
        let uncommitted = consumer(kafka, group_id, Isolation::ReadUncommitted)?;
        let mut ends = BTreeMap::new();
        let mut full = BTreeMap::new();
        for &partition in partitions {
            let (begin, end) = watermarks(&uncommitted, topic, partition)?;
            let _ = ends.insert(partition, end);
            if begin < end {
                let _ = full.insert(partition, end);
            }
        }
        // Nothing to read needs no second client.
        let consumer = if full.is_empty() { uncommitted } else { consumer(kafka, group_id, Isolation::ReadCommitted)? };
        // From here on every fetch sees at least these ends as stable, so that an end of a partition is its end.
        for (&partition, &end) in &full {
            while watermarks(&consumer, topic, partition)?.1 < end {
                go_on()?;
                // Nothing is assigned yet: this only waits.
                let _ = consumer.poll(SLICE);
            }
        }
        Ok(Self { consumer, topic: topic.to_owned(), unread: full.clone(), full, ends })
    }

    /// Begins at these offsets, by partition; at the beginning of those that are not named. May be called again.
    pub fn begin(&mut self, from: &BTreeMap<i32, i64>) -> Result<(), RecordReaderError> {
        self.unread = self.full.clone();
        self.unread.retain(|partition, end| from.get(partition).is_none_or(|from| from < end));
        let mut assignment = TopicPartitionList::new();
        for partition in self.unread.keys() {
            let offset = from.get(partition).map_or(Offset::Beginning, |from| Offset::Offset(*from));
            // Fails only for an offset that is not one.
            let _ = assignment.add_partition_offset(&self.topic, *partition, offset);
        }
        self.consumer.assign(&assignment).map_err(|error| refused(&self.topic, &error))
    }

    /// Whether everything was given.
    pub fn is_at_end(&self) -> bool {
        self.unread.is_empty()
    }

    /// The next record, or nothing for now: see [`TopicReading::is_at_end`]. Waits for 100 ms at most.
    pub fn poll(&mut self) -> Result<Option<Record>, RecordReaderError> {
        self.consumer.context().feed(self.consumer.client());
        match self.consumer.poll(SLICE) {
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                let end = self.ends.get(&partition).copied().unwrap_or_default();
                // Where somebody goes on writing, the end of the partition may be announced long after this end was reached.
                if offset + 1 >= end {
                    let _ = self.unread.remove(&partition);
                }
                Ok((offset < end).then(|| Record::from_message(&message)))
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                let _ = self.unread.remove(&partition);
                Ok(None)
            }
            Some(Err(error)) if !is_passing(&error) => Err(refused(&self.topic, &error)),
            Some(Err(_)) | None => Ok(None),
        }
    }

    /// Where each partition ended.
    pub fn ends(&self) -> &BTreeMap<i32, i64> {
        &self.ends
    }

    /// The same, when it is done.
    pub fn into_ends(self) -> BTreeMap<i32, i64> {
        self.ends
    }

    /// The group that it reads for.
    pub fn group(&self) -> Option<ConsumerGroup> {
        self.consumer.group_metadata().map(ConsumerGroup)
    }
}
