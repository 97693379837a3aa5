//! The last records of a topic.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::client_config::{self, Isolation};
use super::connection;
use super::record_reader::{Record, RecordReaderError, SLICE, is_passing, refused};
use crate::clock::Clock;
use crate::config::KafkaProperties;

/// Gives `each` the committed records among the last `depth` offsets of every partition, until it has seen enough. What an open
/// transaction holds back is not waited for. `group_id` is only looked for, never joined. Blocks for `timeout` at most.
pub fn read(
    kafka: &KafkaProperties,
    group_id: &str,
    topic: &str,
    partitions: usize,
    depth: u16,
    timeout: Duration,
    mut each: impl FnMut(&Record) -> ControlFlow<()>,
) -> Result<(), RecordReaderError> {
    let mut config = client_config::reader(kafka, group_id, Isolation::ReadCommitted);
    let _ = config
        // An end is an answer, and need not wait for more.
        .set("fetch.wait.max.ms", "10")
        // Most of what a broker would send by default is never looked at.
        .set("fetch.message.max.bytes", "65536")
        .set("queued.max.messages.kbytes", "1024");
    let consumer = connection::consumer(kafka, &config)
        .map_err(|error| RecordReaderError::Config(client_config::refused(&error)))?;
    let mut unread: BTreeSet<i32> = (0..i32::try_from(partitions).unwrap_or(i32::MAX)).collect();
    let mut assignment = TopicPartitionList::new();
    for partition in &unread {
        // Fails only for an offset that is not one.
        let _ = assignment.add_partition_offset(topic, *partition, Offset::OffsetTail(i64::from(depth)));
    }
    consumer.assign(&assignment).map_err(|error| refused(topic, &error))?;
    let clock = Clock::new();
    while !unread.is_empty() {
        if clock.elapsed() >= timeout {
            return Err(RecordReaderError::TimedOut { topic: topic.to_owned(), seconds: timeout.as_secs() });
        }
        consumer.context().feed(consumer.client());
        match consumer.poll(SLICE) {
            Some(Ok(message)) => {
                if each(&Record::from_message(&message)).is_break() {
                    return Ok(());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                let _ = unread.remove(&partition);
            }
            Some(Err(error)) if !is_passing(&error) => return Err(refused(topic, &error)),
            Some(Err(_)) | None => {}
        }
    }
    Ok(())
}
