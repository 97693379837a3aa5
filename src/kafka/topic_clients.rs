//! The clients that topics are read with, one topic after the other, to ends that are known beforehand.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::client_config::{self, Isolation};
use super::connection::{self, Connection};
use super::record_reader::{RecordReaderError, unanswered};
use crate::config::KafkaProperties;

/// How long the brokers may take to say where partitions begin and end.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Two clients at most, each made when it is needed first: a broker tells a read-committed one another end.
pub struct TopicClients {
    kafka: KafkaProperties,
    group_id: String,
    uncommitted: Option<BaseConsumer<Connection>>,
    committed: Option<BaseConsumer<Connection>>,
}

impl TopicClients {
    /// None so far. `group_id` is only looked for, never joined.
    pub fn new(kafka: &KafkaProperties, group_id: &str) -> Self {
        Self { kafka: kafka.clone(), group_id: group_id.to_owned(), uncommitted: None, committed: None }
    }

    /// The client with that isolation. Blocks for some seconds at most, where it is to be made and needs a token.
    pub(super) fn client(&mut self, isolation: Isolation) -> Result<&BaseConsumer<Connection>, RecordReaderError> {
        let place = match isolation {
            Isolation::ReadUncommitted => &mut self.uncommitted,
            Isolation::ReadCommitted => &mut self.committed,
        };
        match place {
            Some(client) => Ok(client),
            None => Ok(place.insert(consumer(&self.kafka, &self.group_id, isolation)?)),
        }
    }
}

fn consumer(
    kafka: &KafkaProperties,
    group_id: &str,
    isolation: Isolation,
) -> Result<BaseConsumer<Connection>, RecordReaderError> {
    let mut config = client_config::reader(kafka, group_id, isolation);
    for (name, value) in [
        // An end is an answer, and need not wait for more: half a second, by default.
        ("fetch.wait.max.ms", "10"),
        // What waits in memory to be looked at; 64 MiB by default.
        ("queued.max.messages.kbytes", "16384"),
        // What one answer of a broker holds, whatever the number of partitions; 50 MiB by default.
        ("fetch.max.bytes", "4194304"),
        // How long a partition rests when so many wait: a second by default, in which all of them are looked at.
        ("fetch.queue.backoff.ms", "10"),
    ] {
        if kafka.get_consumer(name).is_none() {
            let _ = config.set(name, value);
        }
    }
    connection::consumer(kafka, &config).map_err(|error| RecordReaderError::Config(client_config::refused(&error)))
}

/// What a client is told of these partitions, with one question for all: where they begin ([`Offset::Beginning`]), where they
/// end, as far as it may see ([`Offset::End`]), or the first record with a timestamp or a later one ([`Offset::Offset`] of
/// milliseconds since 1970; nothing where there is none).
pub(super) fn offsets(
    client: &BaseConsumer<Connection>,
    topic: &str,
    partitions: &[i32],
    which: Offset,
) -> Result<BTreeMap<i32, i64>, RecordReaderError> {
    let mut asked = TopicPartitionList::new();
    for &partition in partitions {
        // Fails only for an offset that is not one.
        let _ = asked.add_partition_offset(topic, partition, which);
    }
    if asked.count() == 0 {
        return Ok(BTreeMap::new());
    }
    client.context().feed(client.client());
    let answer = client.offsets_for_times(asked, END_TIMEOUT).map_err(|error| unanswered(client, topic, &error))?;
    let mut found = BTreeMap::new();
    for element in answer.elements() {
        element.error().map_err(|error| unanswered(client, topic, &error))?;
        if let Offset::Offset(offset) = element.offset() {
            let _ = found.insert(element.partition(), offset);
        }
    }
    Ok(found)
}
