//! A shard's transactional producer: one transaction, and the three outcomes of its commit (docs/adr/0004).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use thiserror::Error;
use tracing::{trace, warn};

use super::client_config;
use super::consumed_offsets::ConsumedOffsets;
use super::deliveries::{Deliveries, Reports, Tag, Undelivered, Waited};
use super::error::{self, Verdict, code_of, is_swept_along, judge};
use super::event_thread::{self, EventThread};
use super::native;
use super::statistics::StatisticsSink;
use super::transaction_end::TransactionEnd;
use super::transaction_error::{Outcome, is_fatal, is_retriable, outcome};
use crate::clock::{self, Clock};
use crate::config::KafkaProperties;

/// Longest single wait inside librdkafka: between two of them we look whether we are to stop.
const SLICE: Duration = Duration::from_secs(1);
/// How long a transactional id is waited for without a word, and between two words.
const SILENCE: Duration = Duration::from_secs(10);
/// After this long without an answer a commit is given up: the cursor then comes from the topic (I4).
const GIVE_UP: Duration = Duration::from_secs(120);

/// One record on its way into a transaction.
#[derive(Debug)]
pub struct ProducerRecord<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Given for offset records only; else the partitioner's.
    pub partition: Option<i32>,
    /// Key.
    pub key: &'a [u8],
    /// Value; a tombstone has none.
    pub value: Option<&'a [u8]>,
    /// Milliseconds since the epoch; the time of sending where there is none.
    pub timestamp: Option<i64>,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Whose it is.
    pub tag: Tag,
}

/// Why a producer could not be made ready.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InitError {
    /// A property that librdkafka does not take.
    #[error("librdkafka refuses the producer's configuration: {0}; mend the `kafka` section")]
    Config(String),
    /// No thread for the producer's events.
    #[error("no thread for the producer: {0}; raise the limit of threads")]
    Thread(String),
    /// Told to stop meanwhile.
    #[error("stopped before the transactional id was ours")]
    Stopped,
    /// The coordinator's answer.
    #[error("transactional id `{id}` can't be had ({code}): {advice}")]
    Refused {
        /// The transactional id.
        id: String,
        /// The answer.
        code: RDKafkaErrorCode,
        /// The reason, where it is known, and the next thing to do.
        advice: String,
    },
}

impl InitError {
    /// Whether somebody has to grant something.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { code: RDKafkaErrorCode::TransactionalIdAuthorizationFailed, .. })
    }
}

/// That a transaction's end was decided on, whether or not anybody heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedToCommit {
    /// Where its last offset record is, where the broker told.
    pub offset_record: Option<i64>,
}

/// How long one poll for events takes. rdkafka gives librdkafka whole milliseconds, and asks again and again without a wait
/// through what is left of the last one: of 100 ms up to one (measured: half a percent of a core for each idle producer).
/// With a little more than whole milliseconds nothing is left.
const EVENTS: Duration = event_thread::SLICE.saturating_add(Duration::from_micros(100));

/// The producer of one shard, with its transactional id acquired.
pub struct TransactionalProducer {
    // Ends before the producer that it serves.
    _events: EventThread,
    producer: Arc<BaseProducer<Deliveries>>,
    deliveries: Arc<Deliveries>,
    batch_bytes: u32,
    asked: Mutex<Option<AskedToCommit>>,
}

impl TransactionalProducer {
    /// Makes the producer and acquires its transactional id: whoever had it is fenced, and what it left open is ended.
    ///
    /// `batch_bytes`: see [`client_config::transactional_producer`]. Blocks until the coordinator answers, or until `give_up` says so.
    pub fn init(
        kafka: &KafkaProperties,
        id: &str,
        batch_bytes: Option<u32>,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Self, InitError> {
        Self::init_shown(kafka, id, batch_bytes, None, give_up)
    }

    /// [`TransactionalProducer::init`] of a producer that makes statistics where there is a `sink` for them.
    pub fn init_shown(
        kafka: &KafkaProperties,
        id: &str,
        batch_bytes: Option<u32>,
        sink: Option<StatisticsSink>,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Self, InitError> {
        let mut config = client_config::transactional_producer(kafka, id, batch_bytes);
        client_config::set_statistics(&mut config, sink.is_some());
        let producer: BaseProducer<Deliveries> = config
            .create_with_context(Deliveries::new(kafka, sink))
            .map_err(|error| InitError::Config(client_config::refused(&error)))?;
        let producer = Arc::new(producer);
        let served = Arc::clone(&producer);
        let serve = move || {
            served.context().connection().feed(served.client());
            served.poll(EVENTS);
        };
        let woken = Arc::clone(&producer);
        let wake = move || native::wake(woken.client());
        let events = EventThread::start("producer", serve, wake).map_err(InitError::Thread)?;
        let clock = Clock::new();
        let mut said = Duration::ZERO;
        let mut last = None;
        loop {
            if give_up() {
                let Some(code) = last else { return Err(InitError::Stopped) };
                let trouble = producer.context().connection().trouble();
                let advice = trouble.unwrap_or_else(|| init_advice(code).to_owned());
                return Err(InitError::Refused { id: id.to_owned(), code, advice });
            }
            let Err(error) = producer.init_transactions(SLICE) else { break };
            last = Some(code_of(&error));
            if clock.elapsed() >= said + SILENCE {
                said = clock.elapsed();
                let code = code_of(&error);
                // The coordinator answered: another broker that is away is not why.
                let is_answer = code == RDKafkaErrorCode::ConcurrentTransactions;
                let advice = producer.context().connection().trouble().filter(|_| !is_answer);
                let advice = advice.as_deref().unwrap_or(init_advice(code));
                warn!(transactional_id = id, "the transactional id can't be had yet ({code}): {advice}; trying on");
            }
            if !is_retriable(&error) {
                let code = code_of(&error);
                return Err(InitError::Refused { id: id.to_owned(), code, advice: init_advice(code).to_owned() });
            }
        }
        let deliveries = Arc::clone(producer.context());
        deliveries.connection().answered();
        let batch_bytes = client_config::batch_size(kafka, batch_bytes);
        Ok(Self { _events: events, producer, deliveries, batch_bytes, asked: Mutex::default() })
    }

    /// `batch.size`: batches are not larger, but for a single record.
    pub fn batch_bytes(&self) -> u32 {
        self.batch_bytes
    }

    /// Publishes `records`, `expected` of them (I10), as one transaction and says how it ended. Blocks.
    ///
    /// `give_up` ends every wait: what is then not confirmed is [`TransactionEnd::Unknown`]. After `patience` without any
    /// report it is [`TransactionEnd::Stuck`]; without it, a record has `message.timeout.ms`.
    pub fn publish(
        &self,
        expected: usize,
        records: impl FnOnce(&mut dyn FnMut(ProducerRecord<'_>) -> bool),
        patience: Option<Duration>,
        give_up: &dyn Fn() -> bool,
    ) -> TransactionEnd {
        self.publish_consumed(expected, records, None, patience, give_up)
    }

    /// [`TransactionalProducer::publish`], with how far a group has read as a part of the transaction.
    pub fn publish_consumed(
        &self,
        expected: usize,
        records: impl FnOnce(&mut dyn FnMut(ProducerRecord<'_>) -> bool),
        consumed: Option<&ConsumedOffsets<'_>>,
        patience: Option<Duration>,
        give_up: &dyn Fn() -> bool,
    ) -> TransactionEnd {
        match self.send_all(records, patience, give_up) {
            // Before anything can be seen: what is not confirmed by count is not committed.
            Ok(reports) if reports.delivered != expected => {
                TransactionEnd::Miscounted { expected, delivered: reports.delivered }
            }
            Ok(reports) => {
                if let Some(end) = consumed.and_then(|consumed| self.send_offsets(consumed, give_up)) {
                    return end;
                }
                let offset_record = reports.last_offset_record;
                *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(AskedToCommit { offset_record });
                // The marker that the commit writes takes one offset more.
                self.commit(reports.delivered, offset_record.map(|offset| offset + 2), give_up)
            }
            Err(end) => end,
        }
    }

    /// Sends `records` in a transaction that is aborted, whatever comes of them: gives those that were not taken, or `None`
    /// where that can't be said. Blocks.
    ///
    /// Only for a producer whose transactional id is for nothing else, and writes nothing that anybody sees. It is good for
    /// another transaction only where every record was taken: a refused one leaves a gap in librdkafka's sequence numbers
    /// of its partition, and the next transaction there never ends by itself (measured).
    pub fn rehearse(
        &self,
        records: impl FnOnce(&mut dyn FnMut(ProducerRecord<'_>) -> bool),
        patience: Duration,
        give_up: &dyn Fn() -> bool,
    ) -> Option<Vec<Undelivered>> {
        let ended = match self.send_all(records, Some(patience), give_up) {
            Ok(_) => self.abort(Vec::new(), RDKafkaErrorCode::NoError, give_up),
            Err(ended) => ended,
        };
        match ended {
            TransactionEnd::Aborted { undelivered, .. } => Some(undelivered),
            _ => None,
        }
    }

    /// Begins a transaction and sends all records; gives the reports where every one was taken, else how it ended.
    fn send_all(
        &self,
        records: impl FnOnce(&mut dyn FnMut(ProducerRecord<'_>) -> bool),
        patience: Option<Duration>,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Reports, TransactionEnd> {
        let clock = Clock::new();
        let began = clock::unix_seconds();
        self.deliveries.reset();
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Err(error) = self.producer.begin_transaction() {
            let code = code_of(&error);
            return Err(if judge(code) == Verdict::Fenced || is_fatal(&error) {
                TransactionEnd::Fenced { code, undelivered: Vec::new() }
            } else {
                TransactionEnd::Unknown { code, undelivered: Vec::new() }
            });
        }
        let mut refused_at_once = None;
        records(&mut |record| match self.send(record, give_up) {
            Ok(()) => true,
            Err(refused) => {
                refused_at_once = Some(refused);
                false
            }
        });
        let sent = clock.elapsed();
        let waited = self.deliveries.wait(give_up, patience);
        trace!(?sent, delivered = ?clock.elapsed(), "transaction");
        if waited == Waited::GivenUp {
            let code = RDKafkaErrorCode::OperationTimedOut;
            return Err(TransactionEnd::Unknown { code, undelivered: Vec::new() });
        }
        if waited == Waited::Stuck {
            let waiting = self.deliveries.waiting();
            return Err(TransactionEnd::Stuck { waiting, delivered: self.deliveries.so_far().delivered > 0 });
        }
        let mut reports = self.deliveries.so_far();
        reports.failed.extend(refused_at_once);
        if let Some((code, _)) = self.producer.client().fatal_error() {
            return Err(TransactionEnd::Fenced { code, undelivered: reports.failed });
        }
        // librdkafka purges a transaction's other records when some time out, which then says nothing of fencing.
        if let Some(late) = reports.failed.iter().find(|failed| error::is_timeout(failed.code)) {
            return Err(TransactionEnd::Late { code: late.code });
        }
        if let Some(code) = fence(&reports.failed) {
            return Err(TransactionEnd::Fenced { code, undelivered: reports.failed });
        }
        match reports.failed.iter().find(|failed| !is_swept_along(failed.code)).or(reports.failed.first()) {
            Some(first) => {
                let code = first.code;
                let end = self.abort(reports.failed, code, give_up);
                Err(end.of_abort(clock.elapsed(), clock::unix_seconds() - began))
            }
            None => Ok(reports),
        }
    }

    /// Whether the last transaction came as far as its commit; else none of it can ever be seen.
    pub fn asked_to_commit(&self) -> Option<AskedToCommit> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a transaction and aborts it with nothing in it, for `check`: no broker stores anything of it.
    pub fn abort_nothing(&self) -> Result<(), RDKafkaErrorCode> {
        self.producer.begin_transaction().map_err(|error| code_of(&error))?;
        #[allow(clippy::disallowed_methods)] // here is where it is allowed
        self.producer.abort_transaction(SLICE).map_err(|error| code_of(&error))
    }

    /// Why no broker is reached, ending in the next thing to do, where anybody said so since the last commit.
    pub fn trouble(&self) -> Option<String> {
        self.deliveries.connection().trouble()
    }

    /// Topics that may not be written, by the coordinator's answer in the last transaction. All of its records are
    /// undelivered then, also those for other topics.
    pub fn refused_topics(&self) -> BTreeSet<String> {
        self.deliveries.refused_topics()
    }

    /// Where the partition of the offsets topic ends now, aside from transactions that are still open.
    pub fn end_of(&self, topic: &str, partition: i32) -> Option<i64> {
        self.producer.client().fetch_watermarks(topic, partition, SLICE).ok().map(|(_, high)| high)
    }

    fn send(&self, record: ProducerRecord<'_>, give_up: &dyn Fn() -> bool) -> Result<(), Undelivered> {
        let tag = record.tag;
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in record.headers {
            headers = headers.insert(Header { key, value: Some(*value) });
        }
        let mut next = BaseRecord::with_opaque_to(record.topic, record.tag.pack()).key(record.key);
        next.payload = record.value;
        if !record.headers.is_empty() {
            next = next.headers(headers);
        }
        next.partition = record.partition;
        next.timestamp = record.timestamp;
        loop {
            self.deliveries.sent(tag);
            match self.producer.send(next) {
                Ok(()) => return Ok(()),
                Err((error, returned)) => {
                    self.deliveries.not_sent(tag);
                    let code = code_of(&error);
                    let outstanding = self.deliveries.outstanding();
                    if code != RDKafkaErrorCode::QueueFull || outstanding == 0 {
                        return Err(Undelivered { tag, code });
                    }
                    if !self.deliveries.wait_until(outstanding / 2, give_up) {
                        return Err(Undelivered { tag, code });
                    }
                    next = returned;
                }
            }
        }
    }

    /// Makes these offsets a part of the transaction; gives how it ended where that can't be done.
    fn send_offsets(&self, consumed: &ConsumedOffsets<'_>, give_up: &dyn Fn() -> bool) -> Option<TransactionEnd> {
        let clock = Clock::new();
        let mut said = Duration::ZERO;
        let offsets = consumed.list();
        loop {
            let error = self.producer.send_offsets_to_transaction(&offsets, &consumed.group.0, SLICE).err()?;
            let code = code_of(&error);
            match outcome(&error) {
                Outcome::Fenced => return Some(TransactionEnd::Fenced { code, undelivered: Vec::new() }),
                Outcome::Retriable if !give_up() && clock.elapsed() < GIVE_UP => say_waiting(&clock, &mut said, code),
                Outcome::RequiresAbort => return Some(self.abort(Vec::new(), code, give_up)),
                Outcome::Retriable | Outcome::Other => {
                    return Some(TransactionEnd::Unknown { code, undelivered: Vec::new() });
                }
            }
        }
    }

    /// Calls `commit_transaction` until it is confirmed: while the outcome is unknown it is asked again, never aborted.
    fn commit(&self, delivered: usize, end: Option<i64>, give_up: &dyn Fn() -> bool) -> TransactionEnd {
        let clock = Clock::new();
        let mut said = Duration::ZERO;
        self.settle();
        loop {
            #[allow(clippy::disallowed_methods)] // here is where it is allowed
            let Err(error) = self.producer.commit_transaction(SLICE) else {
                trace!(commit = ?clock.elapsed(), "transaction");
                self.deliveries.connection().answered();
                return TransactionEnd::Committed { delivered, end };
            };
            let code = code_of(&error);
            match outcome(&error) {
                Outcome::Fenced => return TransactionEnd::Fenced { code, undelivered: Vec::new() },
                Outcome::RequiresAbort => return self.abort(Vec::new(), code, give_up),
                Outcome::Retriable if !give_up() && clock.elapsed() < GIVE_UP => say_waiting(&clock, &mut said, code),
                Outcome::Retriable | Outcome::Other => {
                    return TransactionEnd::Unknown { code, undelivered: Vec::new() };
                }
            }
        }
    }

    /// Waits until librdkafka has forgotten the delivered records, which takes microseconds.
    ///
    /// The last report wakes us from within its callback, while librdkafka still counts the batch that it is part of.
    /// rdkafka's `commit_transaction` would take that for records that are under way and wait for 100 ms, whatever
    /// happens meanwhile (measured).
    fn settle(&self) {
        /// What is left after this is something else, and the commit itself waits for it.
        const LONGEST: Duration = Duration::from_millis(50);
        let clock = Clock::new();
        while self.producer.in_flight_count() > 0 && clock.elapsed() < LONGEST {
            std::thread::yield_now();
        }
    }

    fn abort(
        &self,
        undelivered: Vec<Undelivered>,
        code: RDKafkaErrorCode,
        give_up: &dyn Fn() -> bool,
    ) -> TransactionEnd {
        let clock = Clock::new();
        let mut said = Duration::ZERO;
        loop {
            #[allow(clippy::disallowed_methods)] // here is where it is allowed
            let Err(error) = self.producer.abort_transaction(SLICE) else {
                // The abort purged what was outstanding, and waits until it is reported, but for the last callback.
                return if self.deliveries.wait_until(0, give_up) {
                    TransactionEnd::Aborted { undelivered, code }
                } else {
                    TransactionEnd::Unknown { code, undelivered }
                };
            };
            let code = code_of(&error);
            match outcome(&error) {
                Outcome::Fenced => return TransactionEnd::Fenced { code, undelivered },
                Outcome::Retriable if !give_up() && clock.elapsed() < GIVE_UP => say_waiting(&clock, &mut said, code),
                _ => return TransactionEnd::Unknown { code, undelivered },
            }
        }
    }
}

/// Why the transaction is one of a fenced producer, where it is.
///
/// Records that were purged tell nothing themselves. Where a leader has refused another record for good, they were swept
/// along with it, and the id was ours (docs/adr/0032); where it has not, the coordinator has refused the transaction.
fn fence(failed: &[Undelivered]) -> Option<RDKafkaErrorCode> {
    let explained = failed.iter().any(|failed| matches!(judge(failed.code), Verdict::Record | Verdict::Topic));
    let fenced =
        |failed: &&Undelivered| judge(failed.code) == Verdict::Fenced && !(explained && is_swept_along(failed.code));
    failed.iter().find(fenced).map(|failed| failed.code)
}

fn init_advice(code: RDKafkaErrorCode) -> &'static str {
    match code {
        RDKafkaErrorCode::TransactionalIdAuthorizationFailed => {
            "grant WRITE and DESCRIBE on this transactional id (on those of `run` by a prefix, the offsets topic's name)"
        }
        RDKafkaErrorCode::InvalidTransactionTimeout => {
            "the broker's `transaction.max.timeout.ms` is below 60 s: raise it"
        }
        // Kafka writes the end of a transaction, also of an aborted one, into each of its partitions.
        RDKafkaErrorCode::ConcurrentTransactions => {
            "Kafka has not ended the transaction before it: bring back the brokers that one of its topics lacks for a leader or for `min.insync.replicas`, or lower that setting"
        }
        _ => {
            "look at the broker's log; a cluster of fewer brokers than `transaction.state.log.replication.factor` never answers"
        }
    }
}

/// A word every [`SILENCE`] while a transaction can't be ended: nothing else is said for up to [`GIVE_UP`].
fn say_waiting(clock: &Clock, said: &mut Duration, code: RDKafkaErrorCode) {
    if clock.elapsed() >= *said + SILENCE {
        *said = clock.elapsed();
        warn!(
            "the coordinator of the transaction does not answer ({code}), so nothing is committed: check that the brokers are up, and enough of them for `min.insync.replicas`; trying on"
        );
    }
}
