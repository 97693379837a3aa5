//! One reading of a topic and of its dead letters, for all that ask.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tracing::{debug, info};

use super::{LearnError, Shared, Subject};
use crate::clock::{self, Clock};
use crate::dead_letter::{header, receipt};
use crate::kafka::client_config::TRANSACTION_TIMEOUT_MS;
use crate::kafka::record_reader::RecordReaderError;
use crate::kafka::topic_clients::TopicClients;
use crate::kafka::topic_reading::{Begin, BorrowedRecord, TopicReading};
use crate::source::known::{Fingerprint, Identity, Known, KnownBuilder, TooMany, credible};

/// How long open transactions are waited for: the time of ours, after which a broker ends them, and what it takes to do so.
const TRANSACTIONS_END: Duration = Duration::from_millis(TRANSACTION_TIMEOUT_MS as u64 + 10_000);
/// A broker that gives no record for so long gives none for now.
const STALLED: Duration = Duration::from_secs(30);
/// A clock that is further behind than this counts for none (`sending_time`).
const BEHIND_MS: i64 = 86_400_000;
/// Before the first word about a wait or a long reading, and between two words.
const SILENCE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// One question.
#[derive(Debug)]
pub struct LearnAsk {
    pub subject: Subject,
    /// `published` in milliseconds since 1970.
    pub from: i64,
    pub answer: oneshot::Sender<Result<Arc<Known>, LearnError>>,
}

/// Reads `topic` and gives everybody the answer. Blocks.
pub fn answer(shared: &Shared, clients: &mut Option<TopicClients>, topic: &str, asks: Vec<LearnAsk>) {
    // Until what was learnt is held.
    let grant = shared.budget.share(asks.iter().map(|ask| ask.subject.connector.as_str()));
    let learnt = Learning::of(topic, &asks, grant.each).read(shared, clients);
    for ask in asks {
        let answer = match &learnt {
            Ok(known) => Ok(known.get(&ask.subject.source).cloned().unwrap_or_else(|| Arc::new(Known::nothing()))),
            Err(error) => Err(error.clone()),
        };
        if let Ok(known) = &answer {
            shared.budget.hold(&ask.subject.connector, known);
        }
        // Nobody there any more: its shard was stopped.
        let _ = ask.answer.send(answer);
    }
}

struct Learning<'a> {
    topic: &'a str,
    asks: &'a [LearnAsk],
    /// One for each org, by `ce_source`.
    orgs: BTreeMap<&'a str, Org<'a>>,
    clock: Clock,
    /// Wall clock of its begin, in milliseconds since 1970.
    now: i64,
    /// When the wait for transactions on the topic began that is being read.
    waits: Duration,
    said: Cell<Duration>,
    records: u64,
    /// When the last record came.
    heard: Duration,
}

struct Org<'a> {
    partition: &'a str,
    builder: KnownBuilder,
}

impl<'a> Learning<'a> {
    /// `capacity` is how many elements each org may have.
    fn of(topic: &'a str, asks: &'a [LearnAsk], capacity: usize) -> Self {
        // Two connectors of one org and topic learn the same.
        let mut begins: BTreeMap<&str, (&str, i64)> = BTreeMap::new();
        for LearnAsk { subject, from, .. } in asks {
            let begin = begins.entry(&subject.source).or_insert((&subject.partition, *from));
            begin.1 = begin.1.min(*from);
        }
        let org = |(source, (partition, from))| (source, Org { partition, builder: KnownBuilder::new(from, capacity) });
        let orgs = begins.into_iter().map(org).collect();
        Self {
            topic,
            asks,
            orgs,
            clock: Clock::new(),
            now: clock::wall().as_millisecond(),
            waits: Duration::ZERO,
            said: Cell::new(Duration::ZERO),
            records: 0,
            heard: Duration::ZERO,
        }
    }

    /// What there is, by `ce_source`.
    fn read(
        mut self,
        shared: &Shared,
        clients: &mut Option<TopicClients>,
    ) -> Result<BTreeMap<String, Arc<Known>>, LearnError> {
        let from = self.asks.iter().map(|ask| ask.from).min().unwrap_or_default();
        let mut letters: Vec<&str> = self.asks.iter().map(|ask| ask.subject.dead_letter_topic.as_str()).collect();
        letters.sort_unstable();
        letters.dedup();
        let topics: Vec<&str> = [self.topic].into_iter().chain(letters).collect();
        for (place, partitions) in shared.partitions(&topics)?.into_iter().enumerate() {
            let (topic, is_data) = (topics[place], place == 0);
            // It was there before this was asked: a broker that does not know it says nothing of what it holds.
            let Some(partitions) = partitions else { return Err(LearnError::not_shown(topic)) };
            // Each topic has its own: the one before may have taken minutes.
            self.waits = self.clock.elapsed();
            let mut reading = TopicReading::with(shared.clients(clients), topic, &partitions, &|| self.wait(topic))?;
            // A letter has the time of its sending, which a clock that is behind makes earlier than its element's.
            let begin = if is_data { from } else { from.saturating_sub(BEHIND_MS) };
            reading.begin(Begin::Since(begin))?;
            self.heard = self.clock.elapsed();
            while !reading.is_at_end() {
                let took =
                    reading.poll_borrowed(|record| if is_data { self.take(record) } else { self.take_letter(record) });
                match took? {
                    Some(taken) => {
                        taken?;
                        self.heard = self.clock.elapsed();
                        // Not with each of millions of records.
                        if self.records.is_multiple_of(1024) {
                            self.go_on(topic)?;
                        }
                    }
                    None => self.go_on(topic)?,
                }
            }
            *clients = Some(reading.into_clients());
        }
        debug!(topic = self.topic, from, records = self.records, took = ?self.clock.elapsed(), "learnt what a topic holds");
        let finished = self.orgs.into_iter().map(|(source, org)| {
            let known = org.builder.finish();
            (source.to_owned(), Arc::new(known))
        });
        Ok(finished.collect())
    }

    fn take(&mut self, record: &BorrowedRecord<'_>) -> Result<(), TooMany> {
        self.records += 1;
        let [source, time] = record.headers(["ce_source", "ce_time"]);
        let source = source.and_then(|source| str::from_utf8(source).ok());
        let Some(org) = source.and_then(|source| self.orgs.get_mut(source)) else { return Ok(()) };
        let published = credible(time.and_then(millis), self.now);
        if !org.builder.wants(published) {
            return Ok(());
        }
        let Some(key) = record.key() else { return Ok(()) };
        org.builder.push(Identity::of(key), Fingerprint::of(record.value().unwrap_or_default()), published)
    }

    /// Dead letters count as there, and have no time for this purpose: their records' is that of their sending.
    fn take_letter(&mut self, record: &BorrowedRecord<'_>) -> Result<(), TooMany> {
        self.records += 1;
        let names = [header::TOPIC, header::SOURCE_PARTITION, receipt::HEADER];
        let [Some(topic), Some(partition), None] = record.headers(names) else { return Ok(()) };
        if topic != self.topic.as_bytes() {
            return Ok(());
        }
        let Some(org) = self.orgs.values_mut().find(|org| org.partition.as_bytes() == partition) else { return Ok(()) };
        let Some(key) = record.key() else { return Ok(()) };
        org.builder.push(Identity::of(key), Fingerprint::of(record.value().unwrap_or_default()), None)
    }

    /// For the next word, where nobody has heard of us for long.
    fn is_time_to_speak(&self) -> bool {
        let now = self.clock.elapsed();
        let said = self.said.get();
        let is_time = now >= SILENCE.0 && (said.is_zero() || now >= said + SILENCE.1);
        if is_time {
            self.said.set(now);
        }
        is_time
    }

    /// While a transaction is open.
    fn wait(&self, topic: &str) -> Result<(), RecordReaderError> {
        if self.is_time_to_speak() {
            info!(
                topic,
                "waiting until transactions on this topic end, to see what it holds: a worker that was killed leaves one open for up to {TRANSACTIONS_END:?}"
            );
        }
        if !self.is_wanted() {
            return Err(RecordReaderError::Stopped);
        }
        if self.clock.elapsed() >= self.waits + TRANSACTIONS_END {
            return Err(RecordReaderError::TimedOut { topic: topic.to_owned(), seconds: TRANSACTIONS_END.as_secs() });
        }
        Ok(())
    }

    /// While it reads.
    fn go_on(&self, topic: &str) -> Result<(), RecordReaderError> {
        if !self.is_wanted() {
            return Err(RecordReaderError::Stopped);
        }
        if self.clock.elapsed() >= self.heard + STALLED {
            return Err(RecordReaderError::TimedOut { topic: topic.to_owned(), seconds: STALLED.as_secs() });
        }
        if self.is_time_to_speak() {
            info!(topic, records = self.records, "reading what this topic holds, so that nothing is published twice");
        }
        Ok(())
    }

    /// Shards that are stopped, and a worker, wait for no answer.
    fn is_wanted(&self) -> bool {
        self.asks.iter().any(|ask| !ask.answer.is_closed())
    }
}

/// RFC 3339, as Okta wrote it.
fn millis(time: &[u8]) -> Option<i64> {
    str::from_utf8(time).ok()?.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}
