//! What became of each record of the open transaction: awaited before the commit, so that the commit has nothing left
//! to wait for (it then takes 5-15 ms instead of 100).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;

use super::connection::{Connection, Side};
use super::error::{self, Verdict};
use super::statistics::{StatisticsListener, StatisticsSink};
use crate::clock::Clock;
use crate::config::KafkaProperties;

/// Which of a connector's topics a record goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordKind {
    /// An event.
    Event,
    /// A dead letter.
    DeadLetter,
    /// A source offset: the shard remembers where its partition ends.
    Offset,
}

impl RecordKind {
    const ALL: [Self; 3] = [Self::Event, Self::DeadLetter, Self::Offset];
}

/// Says whose record it is, and travels through librdkafka as one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// Index of the connector within the shard.
    pub owner: usize,
    /// Where it goes.
    pub kind: RecordKind,
    /// Number of an event among those of its connector in the transaction; 0 for other records.
    pub index: u32,
}

/// Where a tag's `index` begins within its word; below it there is room for a thousand million connectors.
const INDEX_SHIFT: u32 = 32;
const _: () = assert!(usize::BITS == 64, "a tag travels as one word of 64 bits");

impl Tag {
    pub(super) fn pack(self) -> usize {
        (self.index as usize) << INDEX_SHIFT | (self.owner * RecordKind::ALL.len() + self.kind as usize)
    }

    fn unpack(word: usize) -> Self {
        let low = word & ((1 << INDEX_SHIFT) - 1);
        Self {
            owner: low / RecordKind::ALL.len(),
            kind: RecordKind::ALL[low % RecordKind::ALL.len()],
            index: u32::try_from(word >> INDEX_SHIFT).unwrap_or(u32::MAX),
        }
    }
}

/// A record that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undelivered {
    /// Whose, and where it should have gone.
    pub tag: Tag,
    /// Why.
    pub code: RDKafkaErrorCode,
}

/// The reports of one transaction.
#[derive(Debug, Default)]
pub struct Reports {
    /// Records handed to librdkafka and not reported yet.
    pub outstanding: usize,
    /// Records that the broker has.
    pub delivered: usize,
    /// Records that it has not.
    pub failed: Vec<Undelivered>,
    /// Highest offset of an offset record.
    pub last_offset_record: Option<i64>,
    /// Outstanding ones by owner and kind.
    pub waiting: BTreeMap<(usize, RecordKind), usize>,
}

impl Reports {
    fn reported(&mut self, tag: Tag) {
        // A report of a transaction that was given up finds nothing; its producer is being dropped.
        self.outstanding = self.outstanding.saturating_sub(1);
        if let Some(waiting) = self.waiting.get_mut(&(tag.owner, tag.kind)) {
            *waiting = waiting.saturating_sub(1);
        }
    }
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// Everything is reported.
    Done,
    /// A record is refused for good, and nothing more was reported.
    Refused,
    /// Told to give up.
    GivenUp,
    /// No report came for as long as was patience.
    Stuck,
}

/// Context of a shard's producer: collects the delivery reports.
#[derive(Debug)]
pub struct Deliveries {
    connection: Connection,
    reports: Mutex<Reports>,
    changed: Condvar,
    refused_topics: Mutex<BTreeSet<String>>,
    statistics: Option<StatisticsListener>,
}

/// How often a waiter looks whether to give up: that is a flag, and the reports wake it by themselves.
const LOOK: Duration = Duration::from_millis(100);

impl Deliveries {
    /// Of a producer with these properties, whose statistics go to `sink`.
    pub(super) fn new(kafka: &KafkaProperties, sink: Option<StatisticsSink>) -> Self {
        Self {
            connection: Connection::new(kafka, Side::Producer),
            reports: Mutex::default(),
            changed: Condvar::new(),
            refused_topics: Mutex::default(),
            statistics: sink.map(StatisticsListener::new),
        }
    }

    /// What is known of the producer's connections.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Starts a new transaction's count. Called only when nothing is outstanding.
    pub(super) fn reset(&self) {
        *self.lock() = Reports::default();
        self.refused().clear();
    }

    pub(super) fn sent(&self, tag: Tag) {
        let mut reports = self.lock();
        reports.outstanding += 1;
        *reports.waiting.entry((tag.owner, tag.kind)).or_default() += 1;
    }

    pub(super) fn not_sent(&self, tag: Tag) {
        self.lock().reported(tag);
        self.changed.notify_all();
    }

    /// Waits until everything is reported, `give_up` says so, or no report has come for as long as `patience`.
    pub(super) fn wait(&self, give_up: &dyn Fn() -> bool, patience: Option<Duration>) -> Waited {
        /// What was in flight behind a refused batch is out of sequence, and librdkafka keeps it until the abort.
        const AFTER_A_REFUSAL: Duration = Duration::from_millis(100);
        let clock = Clock::new();
        let mut last = (self.outstanding(), Duration::ZERO);
        loop {
            let until = clock.elapsed() + LOOK;
            if self.wait_until(0, &|| give_up() || clock.elapsed() >= until) {
                return Waited::Done;
            }
            if give_up() {
                return Waited::GivenUp;
            }
            let (outstanding, now) = (self.outstanding(), clock.elapsed());
            if outstanding != last.0 {
                last = (outstanding, now);
            } else if now >= last.1 + AFTER_A_REFUSAL && self.is_refused() {
                return Waited::Refused;
            } else if patience.is_some_and(|patience| now >= last.1 + patience) {
                return Waited::Stuck;
            }
        }
    }

    fn is_refused(&self) -> bool {
        let is_final = |failed: &Undelivered| matches!(error::judge(failed.code), Verdict::Record | Verdict::Topic);
        self.lock().failed.iter().any(is_final)
    }

    /// Whose records are not reported yet, and where they go.
    pub(super) fn waiting(&self) -> Vec<Tag> {
        let reports = self.lock();
        let waiting = reports.waiting.iter().filter(|(_, count)| **count > 0);
        waiting.map(|(&(owner, kind), _)| Tag { owner, kind, index: 0 }).collect()
    }

    /// Waits until at most `left` records are outstanding, or `give_up` says so; answers whether it came to that.
    pub(super) fn wait_until(&self, left: usize, give_up: &dyn Fn() -> bool) -> bool {
        let mut reports = self.lock();
        while reports.outstanding > left {
            if give_up() {
                return false;
            }
            reports = match self.changed.wait_timeout(reports, LOOK) {
                Ok((reports, _)) => reports,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        true
    }

    /// What is reported by now; outstanding records stay so.
    pub(super) fn so_far(&self) -> Reports {
        let mut reports = self.lock();
        Reports { failed: std::mem::take(&mut reports.failed), waiting: BTreeMap::new(), ..*reports }
    }

    /// Topics that the transaction's coordinator did not let us write, since the last reset.
    pub(super) fn refused_topics(&self) -> BTreeSet<String> {
        self.refused().clone()
    }

    fn refused(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.refused_topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn outstanding(&self) -> usize {
        self.lock().outstanding
    }

    /// A panic while the lock was held can't leave a count half made: each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The topic that a line of librdkafka's log says may not be written.
///
/// Nothing else tells: librdkafka then reports *every* record of the transaction as purged, whatever its topic.
fn refused_topic<'a>(facility: &str, message: &'a str) -> Option<&'a str> {
    let message = message.strip_suffix("Broker: Topic authorization failed").filter(|_| facility == "ADDPARTS")?;
    let (_, topic) = message.split_once("Failed to add partition \"")?;
    topic.split_once('"').map(|(topic, _)| topic)
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if let Some(topic) = refused_topic(facility, message) {
            let _ = self.refused().insert(topic.to_owned());
        }
        self.connection.hear_log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.connection.hear_error(&error, reason);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        if let Some(listener) = &self.statistics {
            listener.hear(statistics);
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, word: usize) {
        let tag = Tag::unpack(word);
        let mut reports = self.lock();
        match result {
            Ok(message) => {
                reports.delivered += 1;
                // A duplicate that the broker had already is reported without its offset.
                let offset = Some(message.offset()).filter(|offset| *offset >= 0);
                if tag.kind == RecordKind::Offset {
                    reports.last_offset_record = reports.last_offset_record.max(offset);
                }
            }
            Err((error, _)) => reports.failed.push(Undelivered { tag, code: error::code_of(error) }),
        }
        reports.reported(tag);
        // A waiter waits for the last one, or for room when the queue is full: every report would wake it for nothing.
        if reports.outstanding.is_multiple_of(256) {
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In librdkafka's words (`rd_kafka_txn_handle_AddPartitionsToTxn`); against a broker: `tests/it/least_privilege.rs`.
    #[test]
    fn a_refused_topic_is_told_from_one_that_was_not_tried() {
        let line =
            |why: &str| format!("[thrd:main]: TxnCoordinator/1: Failed to add partition \"a.b-c_d\" [2] to {why}");
        let (refused, not_tried) =
            ("transaction: Broker: Topic authorization failed", "transaction: Broker: Operation not attempted");
        assert_eq!(refused_topic("ADDPARTS", &line(refused)), Some("a.b-c_d"));
        assert_eq!(refused_topic("ADDPARTS", &line(not_tried)), None);
        assert_eq!(refused_topic("TXNERR", &line(refused)), None);
    }

    #[test]
    fn a_tag_comes_back_as_it_went() {
        for owner in [0, 1, 49] {
            for kind in RecordKind::ALL {
                for index in [0, 1, u32::MAX] {
                    let tag = Tag { owner, kind, index };
                    assert_eq!(Tag::unpack(tag.pack()), tag);
                }
            }
        }
    }
}
