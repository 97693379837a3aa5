//! `dead-letters replay`: publishes again what today's version and settings can publish, exactly once (docs/adr/0048).
//!
//! What was published stands in receipts ([`receipt`](crate::dead_letter::receipt)), each in the transaction of what it is
//! about. So the order is that of I4: take the transactional id, then read what receipts there are, then publish.

mod error;
pub mod letter;
mod publisher;
mod receipts;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::time::Duration;

pub use self::error::ReplayError;
use self::letter::{Left, Letter};
use self::publisher::{Pending, Publisher};
use crate::clock::Clock;
use crate::config::KafkaProperties;
use crate::convert::Converter;
use crate::dead_letter::ranges::OffsetRanges;
use crate::kafka::error as kafka_error;
use crate::kafka::record_reader::{Record, RecordReaderError};
use crate::kafka::topic_reading::{Begin, TopicReading};
use crate::source::record::SourceRecord;
use crate::worker::publish::Destination;
use crate::worker::shutdown::Stop;

/// How long nothing may come from the dead letter topic before its end: longer than a transaction that a dying worker leaves
/// open.
const SILENCE: Duration = Duration::from_secs(90);
/// Letters in a transaction, at most.
const BATCH_LETTERS: usize = 500;
/// Bytes of their values, at most, but for a single one.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is in the topic, for good.
    Published,
    /// It would be published; nothing was written.
    Publishable,
    /// It stays.
    Left(Left),
}

/// Hears what becomes of each letter.
pub trait Listener {
    /// So many letters of the connector were not published again before.
    fn begins(&mut self, letters: u64);
    /// A letter's fate is known. An error ends the replay.
    fn hear(&mut self, letter: &Letter, fate: &Fate) -> io::Result<()>;
}

/// One connector's replay.
pub struct Replay<'a> {
    /// librdkafka's properties.
    pub kafka: &'a KafkaProperties,
    /// [`group_id`].
    pub group_id: String,
    /// Where records go, and what that takes.
    pub to: Destination,
    /// Makes their values.
    pub converter: Converter,
    /// Partitions of the dead letter topic.
    pub partitions: i32,
    /// Topics whose letters are asked for, besides those that were meant for this one.
    pub from_topics: BTreeSet<String>,
    /// The cluster's id, where it is known.
    pub cluster: Option<String>,
    /// Partition and offset of records that are marked as receipts, and are none.
    pub skipped: BTreeSet<(i32, i64)>,
    /// Whether nothing is to be written.
    pub dry_run: bool,
    /// Ends it between two transactions.
    pub stop: Stop,
}

/// The group whose committed offsets show how far dead letter topics were looked at.
pub fn group_id(group_id: &str) -> String {
    format!("{group_id}-dlq-replay")
}

/// The transactional id: one for each dead letter topic, since its receipts are one log.
pub fn transactional_id(dead_letter_topic: &str) -> String {
    format!("{dead_letter_topic}-replay")
}

/// Letters that wait for their transaction.
#[derive(Default)]
struct Batch {
    letters: Vec<Pending>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, letter: Letter, record: SourceRecord) {
        self.bytes += record.value().len();
        self.letters.push(Pending { letter, record });
    }

    fn is_full(&self) -> bool {
        self.letters.len() >= BATCH_LETTERS || self.bytes >= BATCH_BYTES
    }
}

impl Replay<'_> {
    /// Publishes what can be published of what the dead letter topic holds now. Blocks.
    pub fn run(&self, listener: &mut dyn Listener) -> Result<(), ReplayError> {
        let mut publisher = Publisher::new(self);
        if !self.dry_run {
            publisher.own()?;
        }
        let mut reading = self.look()?;
        publisher.reads_with(reading.group());
        let (from, letters) = self.survey(&mut reading, &mut publisher)?;
        listener.begins(letters);
        reading.begin(Begin::At(&from))?;
        // Those that may be refused have transactions of their own: each refusal costs the others a trial.
        let (mut batch, mut suspects) = (Batch::default(), Batch::default());
        while let Some(mut record) = self.next(&mut reading)? {
            publisher.looked_at(record.partition, record.offset + 1);
            if !letter::is_of(&record, &self.to.connector) {
                continue;
            }
            let letter = Letter::of(&record);
            if publisher.has_published(&letter) {
                continue;
            }
            let made = match letter.elsewhere(&self.to, &self.from_topics) {
                Some(left) => Err(left),
                None => letter::convert(&mut record, &self.to, &self.converter),
            };
            let waiting = if letter.is_suspect(&self.to) { &mut suspects } else { &mut batch };
            match made {
                Ok(_) if self.dry_run => listener.hear(&letter, &Fate::Publishable)?,
                Ok(record) => waiting.push(letter, record),
                Err(left) => listener.hear(&letter, &Fate::Left(left))?,
            }
            if waiting.is_full() {
                publisher.publish(&mem::take(waiting).letters, listener)?;
            }
        }
        if self.dry_run {
            return Ok(());
        }
        for (partition, end) in reading.ends() {
            publisher.looked_at(partition, end);
        }
        publisher.publish(&batch.letters, listener)?;
        publisher.publish(&suspects.letters, listener)?;
        publisher.finish()
    }

    /// Reads all of it once: the receipts, and where the connector's letters are. Gives where the first open one of each
    /// partition is, and how many there are.
    fn survey(
        &self,
        reading: &mut TopicReading,
        publisher: &mut Publisher<'_>,
    ) -> Result<(BTreeMap<i32, i64>, u64), ReplayError> {
        // By the topic that they were meant for, and partition.
        let mut letters: BTreeMap<(String, i32), OffsetRanges> = BTreeMap::new();
        let to = &self.to.topic;
        reading.begin(Begin::At(&BTreeMap::new()))?;
        while let Some(record) = self.next(reading)? {
            publisher.receipts.take(&record)?;
            if letter::is_of(&record, &self.to.connector) {
                let meant_for = Letter::of(&record).intended_topic.unwrap_or_else(|| to.clone());
                letters.entry((meant_for, record.partition)).or_default().insert(record.offset);
            }
        }
        publisher.has_read(&reading.ends());
        // What holds no open letter is not read again.
        let mut from = reading.ends();
        let mut count = 0;
        for ((meant_for, partition), letters) in &letters {
            let open = publisher.receipts.open([to, meant_for], *partition, letters);
            count += open.count();
            if let Some(first) = open.first() {
                let _ = from.entry(*partition).and_modify(|from| *from = first.min(*from)).or_insert(first);
            }
        }
        Ok((from, count))
    }

    /// The dead letter topic as it is now.
    fn look(&self) -> Result<TopicReading, ReplayError> {
        let partitions: Vec<i32> = (0..self.partitions).collect();
        let clock = Clock::new();
        let topic = &self.to.dead_letter_topic;
        let looked = TopicReading::look(self.kafka, &self.group_id, topic, &partitions, &|| match clock.elapsed() {
            _ if self.stop.is_stopped() => Err(RecordReaderError::Stopped),
            waited if waited < SILENCE => Ok(()),
            _ => Err(RecordReaderError::TimedOut { topic: topic.clone(), seconds: SILENCE.as_secs() }),
        });
        looked.map_err(|error| self.unreadable(error))
    }

    /// A group that may not be read for is the replay's own.
    fn unreadable(&self, error: RecordReaderError) -> ReplayError {
        match error {
            RecordReaderError::Refused { code, .. } if kafka_error::is_group_refused(code) => {
                ReplayError::Refused(kafka_error::group_advice(&self.group_id))
            }
            other => other.into(),
        }
    }

    /// The next record, or none where all of it was read.
    fn next(&self, reading: &mut TopicReading) -> Result<Option<Record>, ReplayError> {
        let clock = Clock::new();
        while !reading.is_at_end() {
            if self.stop.is_stopped() {
                return Err(ReplayError::Stopped);
            }
            if let Some(record) = reading.poll().map_err(|error| self.unreadable(error))? {
                return Ok(Some(record));
            }
            if clock.elapsed() > SILENCE {
                return Err(ReplayError::Silent { topic: self.to.dead_letter_topic.clone() });
            }
        }
        Ok(None)
    }
}
