//! Group commit: while a transaction commits, the next pages come in; the next transaction takes them all.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tracing::debug;

use super::context::WorkerContext;
use super::publish::{self, Destination, OwnedPage};
use super::report::Reporter;
use super::runner::FromShard;
use super::shard::{GRACE, ShardConnector, ShardInput};
use super::shutdown::Stop;
use crate::clock;
use crate::dead_letter::Stage;
use crate::kafka::deliveries::{RecordKind, Undelivered};
use crate::kafka::error::{self, Verdict, judge};
use crate::kafka::offset_log::{self, OffsetLog};
use crate::kafka::record_reader::RecordReaderError;
use crate::kafka::transaction::{TransactionEnd, TransactionalProducer};
use crate::metrics::{RETRY_KAFKA, TransactionResult};
use crate::source::record::Sequence;

/// How long an idle shard waits at most before it looks at its partition of the offsets topic.
const IDLE_LOOK: Duration = Duration::from_secs(10);

/// Why a life of a shard ended.
#[derive(Debug)]
pub enum LifeEnd {
    /// Told to.
    Stopped,
    /// Somebody else wrote our partition of the offsets topic.
    Changed,
    /// The producer can't go on; a new one starts at I4.
    Failed {
        /// Why.
        message: String,
        /// Whether this life has committed anything, so that it was no mere attempt.
        committed: bool,
        /// Connectors whose records Kafka refuses, by index, and what to do about it.
        refused: BTreeMap<usize, String>,
    },
}

/// The commit loop of one life of a shard.
pub struct Committer<'a> {
    /// The shard.
    pub number: i32,
    /// The worker.
    pub context: &'a WorkerContext,
    /// This life's producer.
    pub producer: &'a TransactionalProducer,
    /// The shard's connectors.
    pub connectors: &'a [ShardConnector],
    /// The same connectors, as records see them.
    pub destinations: &'a [Destination],
    /// Ends the loop.
    pub stop: &'a Stop,
    /// Pages, from all runners.
    pub inbox: &'a mpsc::Receiver<ShardInput>,
    /// Tells the group how the connectors are.
    pub reporter: &'a Reporter,
    /// This life's number.
    pub life: u64,
    /// Where the offsets partition ends, as far as we know.
    pub end: Option<i64>,
    /// Where it ended when we last knew: all that is committed from there on is another writer's.
    pub floor: i64,
}

/// What is between two transactions.
#[derive(Default)]
struct Collected {
    /// Whole pages, in the order in which they came.
    pages: Vec<OwnedPage>,
    /// Per connector, the generation whose pages were given up; a page of it that comes late is dropped.
    given_up: BTreeMap<usize, u32>,
    /// Whether this life has committed.
    committed: bool,
}

impl Committer<'_> {
    /// Publishes what comes in until the shard stops or its producer can't go on.
    pub fn run(&mut self) -> LifeEnd {
        let mut collected = Collected::default();
        loop {
            self.reporter.tick();
            self.floor = self.end.unwrap_or(self.floor);
            if self.stop.is_stopped() {
                return LifeEnd::Stopped;
            }
            if collected.pages.is_empty() {
                match self.inbox.recv_timeout(self.idle_look().min(self.reporter.until_next())) {
                    Ok(input) => self.take(input, &mut collected),
                    Err(RecvTimeoutError::Timeout) if self.was_changed() => return LifeEnd::Changed,
                    Err(_) => {}
                }
            }
            while let Ok(input) = self.inbox.try_recv() {
                self.take(input, &mut collected);
            }
            if collected.pages.is_empty() || self.stop.is_stopped() {
                continue;
            }
            if let Some(end) = self.publish(&mut collected) {
                return end;
            }
        }
    }

    fn take(&self, input: ShardInput, collected: &mut Collected) {
        let ShardInput::Page { life, page } = input else { return };
        let generation = page.records.sequence.generation;
        let given_up = collected.given_up.get(&page.owner).is_some_and(|given_up| generation <= *given_up);
        if life == self.life && !given_up {
            collected.pages.push(page);
        }
    }

    /// One transaction. Gives the end of this life, or nothing to go on.
    fn publish(&mut self, collected: &mut Collected) -> Option<LifeEnd> {
        let began = self.now();
        let stop = self.stop;
        let pages = &collected.pages;
        let ended = self.producer.publish(
            publish::record_count(pages),
            |send| publish::each_record(pages, self.destinations, &self.context.offsets.topic, self.number, send),
            &|| {
                self.reporter.tick();
                stop.is_stopped_since(GRACE)
            },
        );
        let committed = collected.committed;
        let failed = |message| Some(LifeEnd::Failed { message, committed, refused: BTreeMap::new() });
        if !matches!(
            ended,
            TransactionEnd::Committed { .. } | TransactionEnd::Aborted { .. } | TransactionEnd::Fenced { .. }
        ) {
            self.count_retry(pages);
        }
        match ended {
            TransactionEnd::Committed { end, .. } => {
                self.end = end;
                self.reporter.ends_at(end);
                self.confirm(collected, self.now().saturating_sub(began));
                None
            }
            TransactionEnd::Aborted { undelivered, code } => {
                self.count(pages, TransactionResult::Aborted);
                // The abort marker moved the end of our partition.
                self.end = None;
                let refused = self.refused(&undelivered);
                // docs/adr/0032: librdkafka may have been given another producer id by this abort, although the checkpoint
                // was altered or the shard taken over meanwhile. Only what Kafka itself refused proves the id.
                if refused.is_empty() {
                    self.count_retry(pages);
                    return failed(format!(
                        "transaction aborted ({code}): nothing of it is committed, and its pages are asked for again with a new producer; check that the brokers are up"
                    ));
                }
                self.give_up(collected, &refused);
                None
            }
            _ if stop.is_stopped() => Some(LifeEnd::Stopped),
            // A partition that is refused ends the transaction in a way that looks like fencing.
            TransactionEnd::Fenced { code, undelivered } | TransactionEnd::Unknown { code, undelivered }
                if !self.refused(&undelivered).is_empty() =>
            {
                self.count(pages, TransactionResult::Aborted);
                let message =
                    format!("a refused record ended the transaction ({code}): a new one begins without its connector");
                Some(LifeEnd::Failed { message, committed, refused: self.refused(&undelivered) })
            }
            TransactionEnd::Fenced { code, .. } => {
                self.count(pages, TransactionResult::Fenced);
                failed(format!(
                    "the shard's producer is fenced ({}): `offsets alter` or `reset` took its place, another worker has the shard, or the transaction timed out; it never commits again",
                    error::fenced_by(code)
                ))
            }
            TransactionEnd::Late { code } => {
                self.count(pages, TransactionResult::Aborted);
                let why = self.producer.trouble();
                let why = why
                    .as_deref()
                    .unwrap_or("check that the brokers are up, and enough of them for `min.insync.replicas`");
                failed(format!(
                    "no broker took a record in time ({code}): nothing of the transaction is committed, and its pages are asked for again with a new producer; {why}"
                ))
            }
            TransactionEnd::Unknown { code, .. } => failed(format!(
                "nobody knows whether the last transaction was committed ({code}): the offsets are read again before anything is asked"
            )),
            TransactionEnd::Miscounted { expected, delivered } => failed(format!(
                "{delivered} records were delivered instead of {expected}, so the transaction is not committed (I10); this is a bug: please report it"
            )),
        }
    }

    /// I2: only now do the cursors move.
    fn confirm(&self, collected: &mut Collected, duration: Duration) {
        self.count(&collected.pages, TransactionResult::Committed);
        let now = clock::unix_seconds();
        let mut through: BTreeMap<usize, Sequence> = BTreeMap::new();
        for page in collected.pages.drain(..) {
            let connector = &self.connectors[page.owner];
            connector.metrics.events_committed.inc_by(page.records.events.len() as u64);
            for event in &page.records.events {
                if let Some(published) = &event.published {
                    connector.metrics.event_age.observe((now - published.millis as f64 / 1000.0).max(0.0));
                }
            }
            for refused in &page.records.refused {
                connector.metrics.dead_letter(Stage::of(&refused.reason));
            }
            let published = page.records.offset.published.as_deref();
            if let Some(published) = published.and_then(|text| text.parse::<jiff::Timestamp>().ok()) {
                connector.metrics.checkpoint_published.set(published.as_duration().as_secs_f64());
            }
            let _ = through.insert(page.owner, page.records.sequence);
        }
        for (owner, through) in through {
            self.connectors[owner].metrics.transaction_duration.observe(duration.as_secs_f64());
            self.tell(owner, FromShard::Committed(through));
        }
        collected.committed = true;
    }

    /// Connectors whose records Kafka will not take as they are, and what to do about it.
    fn refused(&self, undelivered: &[Undelivered]) -> BTreeMap<usize, String> {
        let refused_topics = self.producer.refused_topics();
        let mut refused = BTreeMap::new();
        for Undelivered { tag, code } in undelivered {
            let to = &self.destinations[tag.owner];
            let topic = match tag.kind {
                RecordKind::Event => &to.topic,
                RecordKind::DeadLetter => &to.dead_letter_topic,
                RecordKind::Offset => &self.context.offsets.topic,
            };
            let code = if refused_topics.contains(topic) { error::TOPIC_REFUSED } else { *code };
            if matches!(judge(code), Verdict::Record | Verdict::Topic) {
                let _ = refused.entry(tag.owner).or_insert_with(|| error::advice(code, topic));
            }
        }
        refused
    }

    /// Drops the pages of these connectors and tells them; others go on.
    fn give_up(&self, collected: &mut Collected, refused: &BTreeMap<usize, String>) {
        for (owner, message) in refused {
            let of_owner = collected.pages.iter().filter(|page| page.owner == *owner);
            let generation = of_owner.map(|page| page.records.sequence.generation).max().unwrap_or_default();
            let _ = collected.given_up.insert(*owner, generation);
            collected.pages.retain(|page| page.owner != *owner);
            self.tell(*owner, FromShard::PublishRefused { generation, message: message.clone() });
        }
    }

    fn tell(&self, owner: usize, said: FromShard) {
        if let Some(runner) = &self.connectors[owner].runner {
            // A runner that is gone was stopped, and starts again from the topic.
            let _ = runner.send(said);
        }
    }

    fn count(&self, pages: &[OwnedPage], result: TransactionResult) {
        for owner in owners(pages) {
            self.connectors[owner].metrics.transaction(result);
        }
    }

    fn count_retry(&self, pages: &[OwnedPage]) {
        for owner in owners(pages) {
            self.connectors[owner].metrics.retry(RETRY_KAFKA);
        }
    }

    /// How long to wait for a page before looking at our partition: at most the shortest interval, at most 10 s.
    fn idle_look(&self) -> Duration {
        let intervals = self.connectors.iter().map(|connector| connector.config.interval);
        intervals.min().unwrap_or(IDLE_LOOK).clamp(Duration::from_secs(1), IDLE_LOOK)
    }

    /// Whether our partition of the offsets topic has grown without us (`offsets alter`, or another tool).
    fn was_changed(&mut self) -> bool {
        let found = self.producer.end_of(&self.context.offsets.topic, self.number);
        match (self.end, found) {
            (Some(left), Some(found)) => found > left,
            // Our abort's marker is behind the end that we knew. Whether a record is as well, only reading it tells.
            (None, Some(_)) => match self.read() {
                Ok(log) => {
                    self.end = log.ends.get(&self.number).copied();
                    log.last.get(&self.number).is_some_and(|last| *last >= self.floor)
                }
                Err(problem) => {
                    debug!(shard = self.number, "{problem}");
                    false
                }
            },
            (_, None) => false,
        }
    }

    fn read(&self) -> Result<OffsetLog, RecordReaderError> {
        let WorkerContext { kafka, group_id, offsets, .. } = self.context;
        let stopped = || self.stop.is_stopped();
        offset_log::read_to_end(kafka, group_id, &offsets.topic, &[self.number], &stopped)
    }

    fn now(&self) -> Duration {
        self.context.clock.elapsed()
    }
}

/// Connectors that have a page among these, each once.
fn owners(pages: &[OwnedPage]) -> std::collections::BTreeSet<usize> {
    pages.iter().map(|page| page.owner).collect()
}
