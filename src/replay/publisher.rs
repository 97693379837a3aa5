//! The transactions of a replay: records of letters, the receipts for them, and how far the dead letter topic was looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::letter::{Left, Letter};
use super::receipts::{Home, Receipts};
use super::{Fate, Listener, Replay, ReplayError, transactional_id};
use crate::clock::Clock;
use crate::dead_letter::ranges::OffsetRanges;
use crate::dead_letter::receipt::{self, Receipt};
use crate::dead_letter::{RECORD_TOO_LARGE, Reason};
use crate::kafka::consumed_offsets::{ConsumedOffsets, ConsumerGroup};
use crate::kafka::deliveries::{RecordKind, Tag, Undelivered};
use crate::kafka::error::{self, Verdict, judge};
use crate::kafka::topic_reading::Begin;
use crate::kafka::transaction::{InitError, ProducerRecord, TransactionalProducer};
use crate::kafka::transaction_end::TransactionEnd;
use crate::source::record::SourceRecord;
use crate::worker::bisection::Bisection;
use crate::worker::publish;

/// How long the transactional id may take: what a killed replay left open is ended first.
const OWN_WITHIN: Duration = Duration::from_secs(60);
/// How long a transaction may go on after Ctrl-C.
const GRACE: Duration = Duration::from_secs(3);

/// A letter on its way into the topic.
pub(super) struct Pending {
    /// Which.
    pub letter: Letter,
    /// The record that is made of it.
    pub record: SourceRecord,
}

/// How a transaction ended that is not an error.
enum Ended {
    /// Confirmed.
    Committed,
    /// Kafka refused one of its records for good, by this answer.
    Refused(Undelivered),
}

/// Owns the transactional id, and knows what was published.
pub(super) struct Publisher<'a> {
    replay: &'a Replay<'a>,
    clock: Clock,
    /// None before the first, and after a refusal: librdkafka can't go on after one.
    producer: Option<TransactionalProducer>,
    group: Option<ConsumerGroup>,
    pub(super) receipts: Receipts,
    /// Up to where receipts are read, by partition; empty before the first time.
    read: BTreeMap<i32, i64>,
    /// The next offset to look at, by partition.
    next: BTreeMap<i32, i64>,
    /// Whether a transaction of ours wrote any receipt.
    wrote: bool,
    /// The smallest record that Kafka refused as too large.
    too_large: Option<u64>,
}

impl<'a> Publisher<'a> {
    /// Owns nothing yet.
    pub(super) fn new(replay: &'a Replay<'a>) -> Self {
        Self {
            replay,
            clock: Clock::new(),
            producer: None,
            group: None,
            receipts: Receipts::new(Home {
                cluster: replay.cluster.clone(),
                topic: replay.to.dead_letter_topic.clone(),
                skipped: replay.skipped.clone(),
                is_lenient: replay.dry_run,
            }),
            read: BTreeMap::new(),
            next: BTreeMap::new(),
            wrote: false,
            too_large: None,
        }
    }

    /// Takes the transactional id: whoever had it is fenced. What others published in between is read before anything is
    /// published (I4).
    pub(super) fn own(&mut self) -> Result<(), ReplayError> {
        self.producer = None;
        let Replay { kafka, to, stop, .. } = self.replay;
        let id = transactional_id(&to.dead_letter_topic);
        let limits = [to.limits.event_bytes(), to.limits.dead_letter_bytes()];
        let batch_bytes = limits.into_iter().flatten().min().and_then(|bytes| u32::try_from(bytes).ok());
        let until = self.clock.elapsed() + OWN_WITHIN;
        let give_up = || stop.is_stopped() || self.clock.elapsed() >= until;
        let producer = TransactionalProducer::init(kafka, &id, batch_bytes, &give_up).map_err(|error| match error {
            _ if stop.is_stopped() => InitError::Stopped,
            error => error,
        })?;
        if !self.read.is_empty() {
            let mut reading = self.replay.look()?;
            reading.begin(Begin::At(&self.read))?;
            while let Some(record) = self.replay.next(&mut reading)? {
                self.receipts.take(&record)?;
            }
            self.read = reading.ends();
        }
        self.producer = Some(producer);
        Ok(())
    }

    /// The group to commit for.
    pub(super) fn reads_with(&mut self, group: Option<ConsumerGroup>) {
        self.group = group;
    }

    /// All receipts below these offsets are known.
    pub(super) fn has_read(&mut self, ends: &BTreeMap<i32, i64>) {
        self.read = ends.clone();
    }

    /// Everything below `next` was looked at.
    pub(super) fn looked_at(&mut self, partition: i32, next: i64) {
        let _ = self.next.insert(partition, next);
    }

    /// Whether this letter was published again, to our topic or to that which it was meant for.
    pub(super) fn has_published(&self, letter: &Letter) -> bool {
        let to = &self.replay.to.topic;
        let topics = [to, letter.intended_topic.as_ref().unwrap_or(to)].map(String::as_str);
        self.receipts.contains(topics, letter.partition, letter.offset)
    }

    /// Publishes these, and says of each what became of it. Where Kafka refuses some, they are found by halves: each set that
    /// is taken is published, and a letter that is refused alone is left.
    pub(super) fn publish(&mut self, batch: &[Pending], listener: &mut dyn Listener) -> Result<(), ReplayError> {
        let to = &self.replay.to;
        let mut order: Vec<u32> = (0..u32::try_from(batch.len()).unwrap_or(u32::MAX)).collect();
        if to.limits.event_bytes().is_none() {
            // Then halving them looks for the bound between those that are taken and those that are not.
            order.sort_by_cached_key(|index| batch.get(*index as usize).map(|one| to.event_bytes(&one.record)));
        }
        let mut bisection = Bisection::new(order);
        // Those whose fate is known.
        let mut heard: BTreeSet<u32> = BTreeSet::new();
        let mut is_told = false;
        while let Some(trial) = bisection.trial() {
            if self.replay.stop.is_stopped() {
                return Err(ReplayError::Stopped);
            }
            if self.producer.is_none() {
                self.own()?;
            }
            let mut set: Vec<(u32, &Pending)> = Vec::new();
            for &index in trial {
                let Some(one) = batch.get(index as usize).filter(|_| !heard.contains(&index)) else { continue };
                // Another replay may have been faster while we had no producer.
                if self.has_published(&one.letter) {
                    continue;
                }
                match self.surely_too_large(one) {
                    Some(left) => {
                        let _ = heard.insert(index);
                        listener.hear(&one.letter, &Fate::Left(left))?;
                    }
                    None => set.push((index, one)),
                }
            }
            if set.is_empty() {
                bisection.answer(false);
                continue;
            }
            let refused = match self.transact(&set.iter().map(|(_, one)| *one).collect::<Vec<_>>())? {
                Ended::Committed => {
                    for (_, one) in &set {
                        listener.hear(&one.letter, &Fate::Published)?;
                    }
                    bisection.answer(false);
                    continue;
                }
                Ended::Refused(refused) => refused,
            };
            self.producer = None;
            let [(index, one)] = set[..] else {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::info!(
                        "Kafka refuses one of {} letters at least ({}): trying them by halves",
                        set.len(),
                        error::record_class(refused.code)
                    );
                }
                bisection.answer(true);
                continue;
            };
            if !self.gives_way(one, refused) {
                // The trial's other letters, where there are any, are known as well.
                let _ = heard.insert(index);
                listener.hear(&one.letter, &Fate::Left(self.left(one, refused)))?;
                bisection.answer(false);
            }
        }
        Ok(())
    }

    /// Commits for the group how far the dead letter topic was looked at. Our own receipts lie behind that, with the markers
    /// of their transactions: they are no letters that nobody has seen.
    pub(super) fn finish(&mut self) -> Result<(), ReplayError> {
        if !self.wrote {
            if self.producer.is_none() {
                self.own()?;
            }
            return self.transact(&[]).map(drop);
        }
        // Everything is published and has its receipts: what fails now is of no account.
        if let Err(error) = self.pass_over_receipts() {
            let group = &self.replay.group_id;
            tracing::warn!("all is done, but group `{group}` may show a lag without an unseen letter: {error}");
        }
        Ok(())
    }

    fn pass_over_receipts(&mut self) -> Result<(), ReplayError> {
        if self.producer.is_none() {
            self.own()?;
        }
        let mut reading = self.replay.look()?;
        reading.begin(Begin::At(&self.next))?;
        let mut letters = BTreeMap::new();
        while let Some(record) = self.replay.next(&mut reading)? {
            if record.header(receipt::HEADER).is_none() {
                let _ = letters.entry(record.partition).or_insert(record.offset);
            }
        }
        self.next = reading.ends();
        self.next.extend(letters);
        self.transact(&[]).map(drop)
    }

    /// Where a smaller record was refused for its size: what asking again would only say once more.
    fn surely_too_large(&self, one: &Pending) -> Option<Left> {
        let to = &self.replay.to;
        let bytes = to.event_bytes(&one.record);
        let refused = self.too_large.filter(|refused| bytes >= *refused)?;
        let message =
            format!("the record has {bytes} bytes, and topic `{}` refused one of {refused}, which was alone", to.topic);
        Some(Left { reason: RECORD_TOO_LARGE.to_owned(), message })
    }

    /// Whether a record whose time was refused gets the time of sending instead, as in `run`.
    fn gives_way(&self, one: &Pending, refused: Undelivered) -> bool {
        let limits = &self.replay.to.limits;
        let now = limits.sending_time.now(self.clock.elapsed());
        let own = one.record.event.published.as_ref();
        let own = own.and_then(|published| limits.record_time.of(published.millis, now));
        let Some(own) = own.filter(|_| error::is_time(refused.code)) else { return false };
        limits.record_time.learn_refused(own, now);
        true
    }

    fn left(&mut self, one: &Pending, refused: Undelivered) -> Left {
        let to = &self.replay.to;
        let (class, bytes) = (error::record_class(refused.code), to.event_bytes(&one.record));
        if class == RECORD_TOO_LARGE {
            // Only what is smaller is ever tried after that.
            self.too_large = Some(bytes);
        }
        Left::of(&Reason::RefusedByKafka { class, topic: to.topic.clone(), bytes })
    }

    /// One transaction: these records, a receipt in each partition that their letters are in, and the group's offsets.
    fn transact(&mut self, set: &[&Pending]) -> Result<Ended, ReplayError> {
        let Replay { to, stop, .. } = self.replay;
        let Some(producer) = &self.producer else { return Err(ReplayError::Stopped) };
        let mut offsets: BTreeMap<i32, OffsetRanges> = BTreeMap::new();
        for one in set {
            offsets.entry(one.letter.partition).or_default().insert(one.letter.offset);
        }
        let now = self.clock.elapsed();
        let records = |send: &mut dyn FnMut(ProducerRecord<'_>) -> bool| {
            for (one, index) in set.iter().zip(0..) {
                let tag = Tag { owner: 0, kind: RecordKind::Event, index };
                if !publish::send_event(&one.record, to, tag, now, send) {
                    return;
                }
            }
            for (&partition, offsets) in &offsets {
                let offsets = offsets.clone();
                let receipt = Receipt {
                    cluster: self.replay.cluster.clone(),
                    dead_letter_topic: to.dead_letter_topic.clone(),
                    connector: to.connector.clone(),
                    topic: to.topic.clone(),
                    offsets,
                };
                let sent = send(ProducerRecord {
                    topic: &to.dead_letter_topic,
                    partition: Some(partition),
                    key: receipt.key(partition).as_bytes(),
                    value: Some(&receipt.value()),
                    timestamp: Some(to.limits.sending_time.stamp(now)),
                    headers: &[(receipt::HEADER, to.connector.as_bytes()), ("content-type", b"application/json")],
                    tag: Tag { owner: 0, kind: RecordKind::DeadLetter, index: 0 },
                });
                if !sent {
                    return;
                }
            }
        };
        let consumed = self.group.as_ref();
        let consumed = consumed.map(|group| ConsumedOffsets { group, topic: &to.dead_letter_topic, next: &self.next });
        let give_up = || stop.is_stopped_since(GRACE);
        let expected = set.len() + offsets.len();
        let end = producer.publish_consumed(expected, records, consumed.as_ref(), None, &give_up);
        if let TransactionEnd::Committed { .. } = end {
            self.wrote |= !set.is_empty();
            for (partition, offsets) in &offsets {
                self.receipts.add(&to.topic, *partition, offsets);
            }
            return Ok(Ended::Committed);
        }
        self.judge(producer, end)
    }

    /// What an end means that is no commit.
    fn judge(&self, producer: &TransactionalProducer, end: TransactionEnd) -> Result<Ended, ReplayError> {
        let topic = self.replay.to.dead_letter_topic.clone();
        if let Some(refused) = producer.refused_topics().first() {
            return Err(ReplayError::Refused(error::advice(error::TOPIC_REFUSED, refused)));
        }
        let (undelivered, code) = end.reasons();
        let of = |verdict| undelivered.iter().find(|one| judge(one.code) == verdict);
        if let Some(refused) = of(Verdict::Topic) {
            let which = if refused.tag.kind == RecordKind::Event { &self.replay.to.topic } else { &topic };
            return Err(ReplayError::Refused(error::advice(refused.code, which)));
        }
        if let Some(refused) = of(Verdict::Record) {
            if refused.tag.kind == RecordKind::DeadLetter && !undelivered.iter().any(is_event) {
                return Err(ReplayError::Refused(error::advice(refused.code, &topic)));
            }
            return Ok(Ended::Refused(*refused));
        }
        if code.is_some_and(error::is_group_refused) {
            return Err(ReplayError::Refused(error::group_advice(&self.replay.group_id)));
        }
        let why = code.map_or_else(|| "no answer in time".to_owned(), error::fenced_by);
        Err(match end {
            TransactionEnd::Fenced { .. } => ReplayError::Fenced { topic },
            TransactionEnd::Unknown { .. } if producer.asked_to_commit().is_some() => {
                ReplayError::Unknown { why, topic }
            }
            _ => ReplayError::NotTaken(producer.trouble().unwrap_or(why)),
        })
    }
}

fn is_event(one: &Undelivered) -> bool {
    one.tag.kind == RecordKind::Event && judge(one.code) == Verdict::Record
}
