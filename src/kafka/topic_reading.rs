//! What lay in a topic at one moment, read record by record, from any place and more than once.

use std::collections::BTreeMap;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{Message, Offset, TopicPartitionList};

use super::client_config::Isolation;
use super::connection::Connection;
use super::consumed_offsets::ConsumerGroup;
use super::record_reader::{Record, RecordReaderError, SLICE, is_passing, refused};
use super::topic_clients::{TopicClients, offsets};
use crate::config::KafkaProperties;

/// Where a reading begins.
#[derive(Debug, Clone, Copy)]
pub enum Begin<'a> {
    /// At these offsets, by partition; at the beginning of those that are not named.
    At(&'a BTreeMap<i32, i64>),
    /// At the first record with that timestamp, in milliseconds since 1970, or a later one: all that lies before it is older,
    /// but what comes after it may be, too. Kafka takes the markers of transactions for records with the time of their
    /// commit: where older events were written since, that is safe, and may be far too early (measured).
    Since(i64),
    /// So many offsets before the end of each partition; the markers of transactions are among them.
    Last(i64),
}

/// A record that is still librdkafka's: what is wanted of it is taken while it is there, and no value is copied.
pub struct BorrowedRecord<'a>(&'a BorrowedMessage<'a>);

impl<'a> BorrowedRecord<'a> {
    /// Its key.
    pub fn key(&self) -> Option<&'a [u8]> {
        self.0.key()
    }

    /// Milliseconds since 1970.
    pub fn timestamp(&self) -> Option<i64> {
        self.0.timestamp().to_millis()
    }

    /// Its value.
    pub fn value(&self) -> Option<&'a [u8]> {
        self.0.payload()
    }

    /// The first value of each of these headers: one pass, for millions of records.
    pub fn headers<const N: usize>(&self, names: [&str; N]) -> [Option<&'a [u8]>; N] {
        let mut found = [None; N];
        let headers = self.0.headers();
        for header in headers.into_iter().flat_map(Headers::iter) {
            if let Some(place) = names.iter().position(|name| *name == header.key) {
                found[place] = found[place].or(header.value);
            }
        }
        found
    }

    /// A copy of it.
    pub fn to_record(&self) -> Record {
        Record::from_message(self.0)
    }
}

/// Committed records up to the ends that the topic had when it was looked at.
pub struct TopicReading {
    clients: TopicClients,
    isolation: Isolation,
    topic: String,
    /// Whether the spans end at the last stable offset.
    is_stable: bool,
    /// Begin and end of every partition.
    spans: BTreeMap<i32, (i64, i64)>,
    /// Those that are being read, with their ends.
    unread: BTreeMap<i32, i64>,
}

impl TopicReading {
    /// [`TopicReading::with`] clients of its own.
    pub fn look(
        kafka: &KafkaProperties,
        group_id: &str,
        topic: &str,
        partitions: &[i32],
        go_on: &dyn Fn() -> Result<(), RecordReaderError>,
    ) -> Result<Self, RecordReaderError> {
        Self::with(TopicClients::new(kafka, group_id), topic, partitions, go_on)
    }

    /// Asks where these partitions end, and waits until no open transaction lies before that. `go_on` is asked again and
    /// again meanwhile. Blocks.
    ///
    /// The end is asked for with a read-uncommitted client: the end that a read-committed one is told is the last stable
    /// offset, which an open transaction holds back, and reading to that could miss what is committed behind it.
    pub fn with(
        mut clients: TopicClients,
        topic: &str,
        partitions: &[i32],
        go_on: &dyn Fn() -> Result<(), RecordReaderError>,
    ) -> Result<Self, RecordReaderError> {
        let spans = spans(clients.client(Isolation::ReadUncommitted)?, topic, partitions)?;
        let mut waiting: Vec<i32> = full(&spans).map(|(partition, _)| partition).collect();
        // Nothing to read needs no second client, and no permission to read.
        if waiting.is_empty() {
            return Ok(Self::of(clients, Isolation::ReadUncommitted, topic, spans));
        }
        let client = clients.client(Isolation::ReadCommitted)?;
        // From here on every fetch sees at least these ends as stable, so that an end of a partition is its end.
        loop {
            let stable = offsets(client, topic, &waiting, Offset::End)?;
            waiting.retain(|partition| stable.get(partition).is_none_or(|stable| *stable < spans[partition].1));
            if waiting.is_empty() {
                return Ok(Self::of(clients, Isolation::ReadCommitted, topic, spans));
            }
            go_on()?;
            // Nothing is assigned yet: this only waits.
            let _ = client.poll(SLICE);
        }
    }

    /// As [`TopicReading::with`], but to the last stable offsets: what an open transaction holds back is not waited for, and
    /// not read. Any end that is announced is taken for the end: just below a last stable offset there may be aborted records,
    /// which are passed over without a position. So it may be short of a few where a leader is behind.
    pub fn stable(mut clients: TopicClients, topic: &str, partitions: &[i32]) -> Result<Self, RecordReaderError> {
        let spans = spans(clients.client(Isolation::ReadCommitted)?, topic, partitions)?;
        Ok(Self { is_stable: true, ..Self::of(clients, Isolation::ReadCommitted, topic, spans) })
    }

    fn of(clients: TopicClients, isolation: Isolation, topic: &str, spans: BTreeMap<i32, (i64, i64)>) -> Self {
        Self { clients, isolation, topic: topic.to_owned(), is_stable: false, spans, unread: BTreeMap::new() }
    }

    /// Begins there. May be called again.
    pub fn begin(&mut self, begin: Begin<'_>) -> Result<(), RecordReaderError> {
        let full: Vec<(i32, (i64, i64))> = full(&self.spans).collect();
        let client = self.clients.client(self.isolation)?;
        let found = match begin {
            Begin::At(offsets) => offsets.clone(),
            Begin::Since(millis) => {
                let partitions: Vec<i32> = full.iter().map(|(partition, _)| *partition).collect();
                // Negative numbers have meanings of their own there, and nothing is older.
                let first = offsets(client, &self.topic, &partitions, Offset::Offset(millis.max(0)))?;
                full.iter().map(|(partition, (_, end))| (*partition, *first.get(partition).unwrap_or(end))).collect()
            }
            Begin::Last(depth) => full.iter().map(|(partition, (_, end))| (*partition, end - depth)).collect(),
        };
        self.unread.clear();
        let mut assignment = TopicPartitionList::new();
        for (partition, (begin, end)) in full {
            let from = found.get(&partition).copied().unwrap_or(begin).max(begin);
            if from < end {
                let _ = self.unread.insert(partition, end);
                // Fails only for an offset that is not one.
                let _ = assignment.add_partition_offset(&self.topic, partition, Offset::Offset(from));
            }
        }
        client.assign(&assignment).map_err(|error| refused(&self.topic, &error))
    }

    /// How many offsets there are from the first record with that timestamp (milliseconds since 1970), or a later one, on: at
    /// least as many as records. Blocks.
    pub fn extent(&mut self, from: i64) -> Result<u64, RecordReaderError> {
        let full: Vec<(i32, (i64, i64))> = full(&self.spans).collect();
        let partitions: Vec<i32> = full.iter().map(|(partition, _)| *partition).collect();
        let client = self.clients.client(self.isolation)?;
        let first = offsets(client, &self.topic, &partitions, Offset::Offset(from.max(0)))?;
        let extent = |(partition, (_, end)): &(i32, (i64, i64))| (end - first.get(partition).unwrap_or(end)).max(0);
        Ok(full.iter().map(extent).sum::<i64>().unsigned_abs())
    }

    /// Whether everything was given.
    pub fn is_at_end(&self) -> bool {
        self.unread.is_empty()
    }

    /// Whether there is nothing to read at all.
    pub fn is_empty(&self) -> bool {
        full(&self.spans).next().is_none()
    }

    /// The next record, or nothing for now: see [`TopicReading::is_at_end`]. Waits for 100 ms at most.
    pub fn poll(&mut self) -> Result<Option<Record>, RecordReaderError> {
        self.poll_borrowed(|record| record.to_record())
    }

    /// [`TopicReading::poll`] without a copy: what `take` makes of it.
    pub fn poll_borrowed<T>(
        &mut self,
        take: impl FnOnce(&BorrowedRecord<'_>) -> T,
    ) -> Result<Option<T>, RecordReaderError> {
        let client = self.clients.client(self.isolation)?;
        client.context().feed(client.client());
        match client.poll(SLICE) {
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                let end = self.spans.get(&partition).map_or(0, |(_, end)| *end);
                // Where somebody goes on writing, the end of the partition may be announced long after this end was reached.
                if offset + 1 >= end {
                    let _ = self.unread.remove(&partition);
                }
                Ok((offset < end).then(|| take(&BorrowedRecord(&message))))
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.see_end(partition)?;
                Ok(None)
            }
            Some(Err(error)) if !is_passing(&error) => Err(refused(&self.topic, &error)),
            Some(Err(_)) | None => Ok(None),
        }
    }

    /// A broker said that this partition has nothing more. A new leader says so, and a follower that is read from, where it is
    /// behind the end that was told before: then the reading goes on, and the end is said again where it is reached.
    ///
    /// The position counts what was given and the markers of transactions. It falls short of the end only where something was
    /// deleted meanwhile, up to the end or beyond.
    fn see_end(&mut self, partition: i32) -> Result<(), RecordReaderError> {
        let Some(&end) = self.unread.get(&partition) else { return Ok(()) };
        let client = self.clients.client(self.isolation)?;
        let positions = client.position().map_err(|error| refused(&self.topic, &error))?;
        let position = positions.find_partition(&self.topic, partition).and_then(|found| match found.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        });
        let is_at_end = match position {
            _ if self.is_stable => true,
            Some(position) if position >= end => true,
            _ => {
                let begins = offsets(client, &self.topic, &[partition], Offset::Beginning)?;
                begins.get(&partition).is_some_and(|begin| *begin >= end)
            }
        };
        if is_at_end {
            let _ = self.unread.remove(&partition);
        }
        Ok(())
    }

    /// Where each partition ended.
    pub fn ends(&self) -> BTreeMap<i32, i64> {
        self.spans.iter().map(|(partition, (_, end))| (*partition, *end)).collect()
    }

    /// The group that it reads for.
    pub fn group(&mut self) -> Option<ConsumerGroup> {
        self.clients.client(self.isolation).ok()?.group_metadata().map(ConsumerGroup)
    }

    /// Its clients, for another topic.
    pub fn into_clients(self) -> TopicClients {
        self.clients
    }
}

/// The partitions that hold anything, open transactions and markers included, and where they end. Blocks.
pub fn filled(
    clients: &mut TopicClients,
    topic: &str,
    partitions: &[i32],
) -> Result<BTreeMap<i32, i64>, RecordReaderError> {
    let spans = spans(clients.client(Isolation::ReadUncommitted)?, topic, partitions)?;
    Ok(full(&spans).map(|(partition, (_, end))| (partition, end)).collect())
}

fn spans(
    client: &BaseConsumer<Connection>,
    topic: &str,
    partitions: &[i32],
) -> Result<BTreeMap<i32, (i64, i64)>, RecordReaderError> {
    // In this order: what is deleted in between leaves no begin behind its end.
    let begins = offsets(client, topic, partitions, Offset::Beginning)?;
    let ends = offsets(client, topic, partitions, Offset::End)?;
    Ok(ends.into_iter().map(|(partition, end)| (partition, (*begins.get(&partition).unwrap_or(&0), end))).collect())
}

/// Partitions that hold anything.
fn full(spans: &BTreeMap<i32, (i64, i64)>) -> impl Iterator<Item = (i32, (i64, i64))> {
    spans.iter().filter(|(_, (begin, end))| begin < end).map(|(partition, span)| (*partition, *span))
}
