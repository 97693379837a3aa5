//! Which of a connector's records Kafka refuses, and what becomes of them.
//!
//! | refused because of | then, in a new life |
//! |---|---|
//! | a setting that has changed since we looked | the pages again, by the new setting |
//! | a batch larger than the topic takes, though no record is | smaller batches |
//! | its time | the time of sending |
//! | anything else: found by [`Bisection`] | a dead letter |
//!
//! The connector's pages wait meanwhile (I1), and those of the shard's other connectors are published between two trials.
//! Trials have a producer and a transactional id of their own (docs/adr/0024). The new life is because of librdkafka: a
//! refused batch leaves a gap in the partition's sequence numbers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tracing::{info, warn};

use super::bisection::Bisection;
use super::committer::{Committer, LifeEnd};
use super::connector_topics;
use super::publish::{self, OwnedPage};
use crate::dead_letter::Reason;
use crate::kafka::deliveries::Undelivered;
use crate::kafka::error::{self, Verdict, judge};
use crate::kafka::transaction::{ProducerRecord, TransactionalProducer};
use crate::metrics::TransactionResult;
use crate::source::record::SourceRecord;

/// How long one trial may go without a record taken, and how long its producer may take to be ready.
const PATIENCE: Duration = Duration::from_secs(15);
/// Trials in a row that say nothing, before the life is ended.
const MOST_UNANSWERED: u32 = 5;

/// What is known of a refusal.
pub struct Inquiry {
    /// Events that were refused, or stood in a refused batch; `index` counts through the connector's pages.
    suspects: Vec<Undelivered>,
    trials: Option<Trials>,
}

struct Trials {
    /// None before the first trial, and after one that was refused.
    producer: Option<TransactionalProducer>,
    bisection: Bisection,
    /// The answer to each event that was refused alone.
    alone: BTreeMap<u32, Undelivered>,
    /// Size of the smallest set of several that was refused.
    smallest: Option<u64>,
    /// Trials in a row that said nothing.
    unanswered: u32,
}

/// What follows from a step.
enum Step {
    /// Not done.
    GoOn(Inquiry),
    /// The connector stops, and says this.
    GiveUp(String),
    /// The life ends.
    End(LifeEnd),
}

impl Inquiry {
    /// Begins with what Kafka refused.
    pub fn new(suspects: Vec<Undelivered>) -> Self {
        Self { suspects, trials: None }
    }
}

impl Committer<'_> {
    /// One step of one inquiry: a look at the settings, or a trial. Gives the end of this life, or nothing to go on.
    pub fn inquire(&mut self) -> Option<LifeEnd> {
        let (owner, inquiry, pages) = self.collected.next_inquiry()?;
        // The pages stay in their queue; they are lent for this step.
        let pages = std::mem::take(pages);
        let step = match inquiry.trials {
            None => self.look(owner, inquiry, &pages),
            Some(trials) => self.try_out(owner, inquiry.suspects, trials, &pages),
        };
        self.collected.put_back(pages.into());
        match step {
            Step::GoOn(inquiry) => self.collected.inquire(owner, inquiry),
            Step::GiveUp(message) => self.give_up(&BTreeMap::from([(owner, message)])),
            Step::End(end) => return Some(end),
        }
        None
    }

    /// Looks at the topics' settings, which may have changed since.
    fn look(&mut self, owner: usize, inquiry: Inquiry, pages: &VecDeque<OwnedPage>) -> Step {
        let to = &self.destinations[owner];
        let config = &self.connectors[owner].config;
        let now = to.limits.sending_time.now(self.now());
        let events: Vec<&SourceRecord> = events(pages).collect();
        let suspects = || inquiry.suspects.iter().filter_map(|one| Some((one, *events.get(one.tag.index as usize)?)));
        let sent_with_its_time = |record: &SourceRecord| {
            let published = record.event.published.as_ref()?.millis;
            to.limits.record_time.of(published, now)
        };
        let times: Vec<(bool, i64)> = suspects()
            .filter_map(|(one, event)| Some((error::is_time(one.code), sent_with_its_time(event)?)))
            .collect();
        to.limits.set(&connector_topics::settings(&self.context.topics, config));
        let limit = to.limits.event_bytes();
        let takes_less = inquiry.suspects.iter().any(|one| error::is_too_large(one.code))
            && limit.is_some_and(|limit| u64::from(self.producer.batch_bytes()) > limit);
        let is_new_size = limit.is_some_and(|limit| events.iter().any(|event| to.event_bytes(event) > limit));
        let is_new_time = times.iter().any(|(_, published)| to.limits.record_time.of(*published, now).is_none());
        if takes_less || is_new_size || is_new_time {
            let message = format!(
                "the settings of topic `{}` have changed: a new producer goes on by them, and what the topic does not take any more goes to dead letter topic `{}`",
                to.topic, to.dead_letter_topic
            );
            return Step::End(self.renewed(message, None));
        }
        let refused_times: Vec<i64> = times.iter().filter(|(refused, _)| *refused).map(|(_, time)| *time).collect();
        if !refused_times.is_empty() {
            return self.learn_times(owner, &refused_times, now);
        }
        let mut indexes: Vec<u32> = inquiry.suspects.iter().map(|one| one.tag.index).collect();
        indexes.sort_by_key(|index| events.get(*index as usize).map(|event| to.event_bytes(event)));
        info!(
            connector = to.connector,
            topic = to.topic,
            suspects = indexes.len(),
            "Kafka refused records: trying which, in transactions that are aborted"
        );
        let bisection = Bisection::new(indexes);
        let trials = Trials { producer: None, bisection, alone: BTreeMap::new(), smallest: None, unanswered: 0 };
        Step::GoOn(Inquiry { trials: Some(trials), ..inquiry })
    }

    /// The topic's settings do not explain the refusal, or may not be seen: these times are not sent again.
    fn learn_times(&self, owner: usize, times: &[i64], now: i64) -> Step {
        let to = &self.destinations[owner];
        for time in times {
            to.limits.record_time.learn_refused(*time, now);
        }
        let message = format!(
            "topic `{}` refused the time of {} events: a new producer sends them with the time of sending, and `ce_time` keeps theirs; raise its `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms` if that is not wanted",
            to.topic,
            times.len()
        );
        Step::End(self.renewed(message, None))
    }

    /// One trial, or what follows from all of them.
    fn try_out(
        &self,
        owner: usize,
        suspects: Vec<Undelivered>,
        mut trials: Trials,
        pages: &VecDeque<OwnedPage>,
    ) -> Step {
        let Some(set) = trials.bisection.trial() else {
            return self.conclude(owner, &suspects, &trials, pages);
        };
        let to = &self.destinations[owner];
        let chosen: BTreeSet<u32> = set.iter().copied().collect();
        let (began, stop) = (self.now(), self.stop);
        let producer = match trials.producer.take() {
            Some(producer) => producer,
            None => {
                let give_up = || stop.is_stopped() || self.now() > began + PATIENCE;
                let id = format!("{}-{}-trial", self.context.offsets.topic, self.number);
                let batch = Some(self.producer.batch_bytes());
                match TransactionalProducer::init(&self.context.kafka, &id, batch, &give_up) {
                    Ok(producer) => producer,
                    Err(error) => return Step::End(self.unanswered(owner, &error.to_string())),
                }
            }
        };
        let sent = |send: &mut dyn FnMut(ProducerRecord<'_>) -> bool| {
            publish::each_chosen_event(pages, to, &chosen, began, send);
        };
        let undelivered = producer.rehearse(sent, PATIENCE, &|| stop.is_stopped());
        self.connectors[owner].metrics.transaction(TransactionResult::Aborted);
        let Some(undelivered) = undelivered else {
            return Step::End(self.unanswered(owner, "a trial did not end"));
        };
        if let Some(topic) = undelivered.iter().find(|one| judge(one.code) == Verdict::Topic) {
            return Step::GiveUp(error::advice(topic.code, &to.topic));
        }
        let refused = undelivered.iter().find(|one| judge(one.code) == Verdict::Record).copied();
        match refused {
            Some(refused) if chosen.len() == 1 => drop(trials.alone.insert(refused.tag.index, refused)),
            Some(_) => {
                let sizes = events(pages).zip(0..).filter(|(_, index)| chosen.contains(index));
                let bytes: u64 = sizes.map(|(event, _)| to.event_bytes(event)).sum();
                trials.smallest = Some(trials.smallest.map_or(bytes, |smallest| smallest.min(bytes)));
            }
            None if undelivered.is_empty() => trials.producer = Some(producer),
            None => {
                trials.unanswered += 1;
                if trials.unanswered > MOST_UNANSWERED {
                    return Step::End(self.unanswered(owner, &undelivered[0].code.to_string()));
                }
                return Step::GoOn(Inquiry { suspects, trials: Some(trials) });
            }
        }
        trials.unanswered = 0;
        trials.bisection.answer(refused.is_some());
        Step::GoOn(Inquiry { suspects, trials: Some(trials) })
    }

    /// All is tried: what was refused alone is a dead letter, or gets another time; else the batch was too large.
    fn conclude(&self, owner: usize, suspects: &[Undelivered], trials: &Trials, pages: &VecDeque<OwnedPage>) -> Step {
        let to = &self.destinations[owner];
        let Trials { alone, smallest, .. } = trials;
        if alone.is_empty() {
            // Also below half of what was in force: a set may be spread over several partitions, and batches.
            let bytes = smallest.unwrap_or(u64::MAX).min(u64::from(self.producer.batch_bytes())) / 2;
            let message = format!(
                "topic `{}` refuses batches of records that it takes one by one: a new producer makes batches of {bytes} bytes; grant DESCRIBE_CONFIGS on it, and it is known beforehand",
                to.topic
            );
            return Step::End(self.renewed(message, Some(u32::try_from(bytes).unwrap_or(u32::MAX).max(1))));
        }
        let now = to.limits.sending_time.now(self.now());
        let events: Vec<&SourceRecord> = events(pages).collect();
        let sent_time = |one: &Undelivered| {
            let published = events.get(one.tag.index as usize)?.event.published.as_ref()?.millis;
            to.limits.record_time.of(published, now)
        };
        // A batch with several refused times names them only as invalid; one alone shows what they are.
        if alone.values().any(|one| error::is_time(one.code) && sent_time(one).is_some()) {
            let times: Vec<i64> = suspects.iter().filter_map(sent_time).collect();
            return self.learn_times(owner, &times, now);
        }
        for (index, refused) in alone {
            if let Some(event) = events.get(*index as usize) {
                let class = error::record_class(refused.code);
                let reason = Reason::RefusedByKafka { class, topic: to.topic.clone(), bytes: to.event_bytes(event) };
                to.limits.add_refused(&event.event, reason);
            }
        }
        let message = format!(
            "topic `{}` refuses {} records for good: a new producer goes on, and they go to dead letter topic `{}`",
            to.topic,
            alone.len(),
            to.dead_letter_topic
        );
        Step::End(self.renewed(message, None))
    }

    /// The end of the life because a refusal could not be looked into.
    fn unanswered(&self, owner: usize, why: &str) -> LifeEnd {
        let topic = &self.destinations[owner].topic;
        warn!(topic, "which records Kafka refuses was not found out: {why}");
        self.failed(format!(
            "topic `{topic}` refuses records, and trying which was interrupted ({why}): it begins again; check that the brokers are up"
        ))
    }
}

/// The events of these pages, in the order in which they are numbered.
fn events(pages: &VecDeque<OwnedPage>) -> impl Iterator<Item = &SourceRecord> {
    pages.iter().flat_map(|page| &page.records.events)
}
