//! Group commit: while a transaction commits, the next pages come in; the next transaction takes them all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tracing::debug;

use super::collected::Collected;
use super::context::WorkerContext;
use super::inquiry::Inquiry;
use super::judgement;
use super::publish::{self, Destination, OwnedPage};
use super::report::Reporter;
use super::runner::FromShard;
use super::shard::{GRACE, ShardConnector, ShardInput};
use super::shutdown::Stop;
use crate::clock;
use crate::kafka::deliveries::{RecordKind, Tag, Undelivered};
use crate::kafka::error::{self, Verdict, judge};
use crate::kafka::offset_log::{self, OffsetLog};
use crate::kafka::record_reader::RecordReaderError;
use crate::kafka::transaction::TransactionalProducer;
use crate::kafka::transaction_end::TransactionEnd;
use crate::metrics::{RETRY_KAFKA, ShardMetrics, TransactionResult};
use crate::source::action::ConnectorState;
use crate::source::record::Sequence;
use crate::source::task::FAILED_RETRY;

/// How long an idle shard waits at most before it looks at its partition of the offsets topic.
const IDLE_LOOK: Duration = Duration::from_secs(10);

/// How long a connector rests whose topic takes no record while the brokers take those of others.
const REST_OF_STUCK: Duration = Duration::from_secs(30);

/// Why a life of a shard ended.
#[derive(Debug)]
pub enum LifeEnd {
    /// Told to.
    Stopped,
    /// Somebody else wrote our partition of the offsets topic.
    Changed,
    /// The producer can't go on; a new one starts at I4.
    Failed(Failure),
}

/// The end of a life that a new one follows after a rest.
#[derive(Debug, Default)]
pub struct Failure {
    /// Why.
    pub message: String,
    /// Whether this life has committed anything, so that it was no mere attempt.
    pub committed: bool,
    /// Connectors that rest through the beginning of the next life, so that it does not end by them, too.
    pub held: BTreeMap<usize, Hold>,
    /// Batches may have so many bytes from now on.
    pub batch_bytes: Option<u32>,
    /// Some topic took no record in time: the next life has more patience.
    pub stuck: bool,
    /// The next life need not wait: it knows what this one failed by.
    pub at_once: bool,
}

/// Why a connector rests.
#[derive(Debug, Clone)]
pub struct Hold {
    /// What to do about it.
    pub message: String,
    /// How long.
    pub rest: Duration,
    /// `failed`, or `recovering` where it may pass by itself.
    pub state: ConnectorState,
}

/// The commit loop of one life of a shard.
pub struct Committer<'a> {
    /// The shard.
    pub number: i32,
    /// The worker.
    pub context: &'a WorkerContext,
    /// This life's producer.
    pub producer: &'a TransactionalProducer,
    /// The shard's series.
    pub metrics: &'a ShardMetrics,
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
    /// Whether this life has committed.
    pub committed: bool,
    /// What came in and is not committed.
    pub collected: Collected,
    /// How long no record may be taken before others are let by; none where there are no others.
    pub patience: Option<Duration>,
}

impl Committer<'_> {
    /// Publishes what comes in until the shard stops or its producer can't go on.
    pub fn run(&mut self) -> LifeEnd {
        loop {
            self.reporter.tick();
            self.floor = self.end.unwrap_or(self.floor);
            if self.stop.is_stopped() {
                return LifeEnd::Stopped;
            }
            if self.collected.is_empty() {
                match self.inbox.recv_timeout(self.idle_look().min(self.reporter.until_look())) {
                    Ok(input) => self.take(input),
                    Err(RecvTimeoutError::Timeout) if self.was_changed() => return LifeEnd::Changed,
                    Err(_) => {}
                }
            }
            while let Ok(input) = self.inbox.try_recv() {
                self.take(input);
            }
            if self.stop.is_stopped() {
                continue;
            }
            // By turns, so that one connector's refused records delay no other's pages by more than one trial.
            if let Some(end) = self.publish().or_else(|| self.inquire()) {
                return end;
            }
        }
    }

    fn take(&mut self, input: ShardInput) {
        if let ShardInput::Page { life, page } = input
            && life == self.life
        {
            self.collected.take(*page);
        }
    }

    /// One transaction. Gives the end of this life, or nothing to go on.
    fn publish(&mut self) -> Option<LifeEnd> {
        let (destinations, number) = (self.destinations, self.number);
        let judge = |page: &mut OwnedPage| judgement::judge(&mut page.records, &destinations[page.owner], number);
        let (pages, unpublishable) = self.collected.draw(judge);
        self.give_up(&unpublishable);
        if pages.is_empty() {
            return None;
        }
        let began = self.now();
        let stop = self.stop;
        self.metrics.transaction_begins(clock::unix_seconds());
        let ended = self.producer.publish(
            publish::record_count(&pages),
            |send| publish::each_record(&pages, destinations, &self.context.offsets.topic, number, began, send),
            self.patience,
            &|| {
                self.reporter.tick();
                stop.is_stopped_since(GRACE)
            },
        );
        self.metrics.transaction_ended();
        let refused = match &ended {
            TransactionEnd::Aborted { undelivered, .. } => {
                self.count(&pages, TransactionResult::Aborted);
                self.refused(undelivered)
            }
            _ => BTreeMap::new(),
        };
        // docs/adr/0032: librdkafka may have been given another producer id by an abort, although the checkpoint was altered
        // or the shard taken over meanwhile. Only what Kafka itself refused proves the id.
        if !ended.may_go_on(!refused.is_empty()) {
            return Some(self.ended(ended, &owners(&pages)));
        }
        if let TransactionEnd::Committed { end, .. } = ended {
            self.end = end;
            self.reporter.ends_at(end);
            self.confirm(pages, self.now().saturating_sub(began));
            return None;
        }
        // The abort marker moved the end of our partition.
        self.end = None;
        self.collected.put_back(pages);
        for (owner, refusal) in refused {
            match refusal {
                Refusal::Stop(message) => self.give_up(&BTreeMap::from([(owner, message)])),
                Refusal::Records(suspects) => self.collected.inquire(owner, Inquiry::new(suspects)),
            }
        }
        None
    }

    /// The end of the life by the end of a transaction that held pages of `owners`.
    pub fn ended(&self, ended: TransactionEnd, owners: &[usize]) -> LifeEnd {
        if self.stop.is_stopped() {
            return LifeEnd::Stopped;
        }
        let result = match ended {
            TransactionEnd::Fenced { .. } => Some(TransactionResult::Fenced),
            TransactionEnd::Stuck { .. } | TransactionEnd::Late { .. } => Some(TransactionResult::Aborted),
            _ => None,
        };
        let failed = |message| Failure { message, committed: self.committed, ..Failure::default() };
        let failure = match ended {
            // A partition that is refused ends the transaction in a way that looks like fencing.
            TransactionEnd::Fenced { code, undelivered } | TransactionEnd::Unknown { code, undelivered }
                if !self.held(&undelivered).is_empty() =>
            {
                let held = self.held(&undelivered);
                self.count_owners(owners, TransactionResult::Aborted);
                let message =
                    format!("a refused record ended the transaction ({code}): a new one begins without its connector");
                return LifeEnd::Failed(Failure { held, ..failed(message) });
            }
            TransactionEnd::Fenced { code, .. } => failed(format!(
                "the shard's producer is fenced ({}): `offsets alter` or `reset` took its place, another worker has the shard, or the transaction timed out; it never commits again",
                error::fenced_by(code)
            )),
            TransactionEnd::Late { code } => {
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
            TransactionEnd::Aborted { code, .. } => failed(format!(
                "transaction aborted ({code}): nothing of it is committed, and its pages are asked for again with a new producer; check that the brokers are up"
            )),
            TransactionEnd::Miscounted { expected, delivered } => failed(format!(
                "{delivered} records were delivered instead of {expected}, so the transaction is not committed (I10); this is a bug: please report it"
            )),
            TransactionEnd::Stuck { waiting, delivered } => {
                let (message, held) = self.stuck(&waiting, delivered);
                Failure { held, stuck: true, ..failed(message) }
            }
            // Never asked for.
            TransactionEnd::Committed { .. } => {
                failed("a commit ended the life; this is a bug: please report it".to_owned())
            }
        };
        if let Some(result) = result {
            self.count_owners(owners, result);
        }
        if result != Some(TransactionResult::Fenced) {
            self.count_retry(owners);
        }
        LifeEnd::Failed(failure)
    }

    /// The end of the life, with nothing to be known but why.
    pub fn failed(&self, message: String) -> LifeEnd {
        LifeEnd::Failed(Failure { message, committed: self.committed, ..Failure::default() })
    }

    /// The end of the life because of records that Kafka refused, now that it is known what to do about them: librdkafka
    /// has a gap in the sequence numbers of their partitions, which only a new producer is without.
    pub fn renewed(&self, message: String, batch_bytes: Option<u32>) -> LifeEnd {
        let failure = Failure { message, committed: self.committed, batch_bytes, at_once: true, ..Failure::default() };
        LifeEnd::Failed(failure)
    }

    /// What to say of topics that took no record in time, and whose connectors are to rest: those of which nothing else
    /// is known, where brokers took the records of others. What can be known of a topic its runner finds out itself.
    fn stuck(&self, waiting: &[Tag], delivered: bool) -> (String, BTreeMap<usize, Hold>) {
        let mut held = BTreeMap::new();
        let mut said = BTreeSet::new();
        for tag in waiting {
            let topic = self.topic_of(*tag);
            match self.context.topics.trouble(topic) {
                Ok(Some(trouble)) => drop(said.insert(trouble)),
                Ok(None) if delivered && tag.kind != RecordKind::Offset => {
                    let message = format!(
                        "no broker took a record for topic `{topic}` in time, though they took others: check its leaders, and its in-sync replicas against `min.insync.replicas`"
                    );
                    let _ = said.insert(message.clone());
                    let hold = Hold { message, rest: REST_OF_STUCK, state: ConnectorState::Recovering };
                    let _ = held.insert(tag.owner, hold);
                }
                _ => drop(
                    said.insert(format!("no broker took a record for topic `{topic}` in time: check that they are up")),
                ),
            }
        }
        let said: Vec<String> = said.into_iter().collect();
        (
            format!(
                "{}; nothing of the transaction was committed, and the shard's other connectors go on",
                said.join("; ")
            ),
            held,
        )
    }

    /// I2: only now do the cursors move.
    fn confirm(&mut self, pages: Vec<OwnedPage>, duration: Duration) {
        self.count(&pages, TransactionResult::Committed);
        let now = clock::unix_seconds();
        let mut through: BTreeMap<usize, Sequence> = BTreeMap::new();
        for page in pages {
            let connector = &self.connectors[page.owner];
            connector.metrics.events_committed.inc_by(page.records.events.len() as u64);
            connector.metrics.duplicates_suppressed.inc_by(page.records.duplicates as u64);
            let unmapped: usize = page.records.events.iter().map(|event| event.unmapped).sum();
            connector.metrics.unmapped_fields.inc_by(unmapped as u64);
            for event in &page.records.events {
                if let Some(published) = &event.event.published {
                    connector.metrics.event_age.observe((now - published.millis as f64 / 1000.0).max(0.0));
                }
            }
            for letter in &page.records.dead_letters {
                connector.metrics.dead_letter(letter.reason.stage());
                if let Some(uuid) = &letter.uuid {
                    connector.limits.forget_refused(uuid);
                }
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
        self.committed = true;
    }

    /// What Kafka will not take as it is, by connector.
    fn refused(&self, undelivered: &[Undelivered]) -> BTreeMap<usize, Refusal> {
        let refused_topics = self.producer.refused_topics();
        let mut refused = BTreeMap::new();
        for one in undelivered {
            let (tag, to) = (one.tag, &self.destinations[one.tag.owner]);
            let topic = self.topic_of(tag);
            let code = if refused_topics.contains(topic) { error::TOPIC_REFUSED } else { one.code };
            let refusal = match judge(code) {
                Verdict::Record if tag.kind == RecordKind::Event => {
                    let suspects = refused.entry(tag.owner).or_insert_with(|| Refusal::Records(Vec::new()));
                    if let Refusal::Records(suspects) = suspects {
                        suspects.push(*one);
                    }
                    continue;
                }
                Verdict::Record if tag.kind == RecordKind::DeadLetter && error::is_too_large(code) => {
                    judgement::nowhere_to_go(
                        to,
                        &format!("a dead letter is larger than topic `{topic}` takes ({code})"),
                    )
                }
                Verdict::Record | Verdict::Topic => error::advice(code, topic),
                Verdict::Transient | Verdict::Fenced => continue,
            };
            let _ = refused.insert(tag.owner, Refusal::Stop(refusal));
        }
        refused
    }

    /// Those of [`Committer::refused`] that stop their connectors, for a life that ended by them.
    fn held(&self, undelivered: &[Undelivered]) -> BTreeMap<usize, Hold> {
        let refused = self.refused(undelivered).into_iter();
        let hold = |message| Hold { message, rest: FAILED_RETRY, state: ConnectorState::Failed };
        let stopped = refused.filter_map(|(owner, refusal)| match refusal {
            Refusal::Stop(message) => Some((owner, hold(message))),
            Refusal::Records(_) => None,
        });
        stopped.collect()
    }

    fn topic_of(&self, tag: Tag) -> &str {
        let to = &self.destinations[tag.owner];
        match tag.kind {
            RecordKind::Event => &to.topic,
            RecordKind::DeadLetter => &to.dead_letter_topic,
            RecordKind::Offset => &self.context.offsets.topic,
        }
    }

    /// Drops the pages of these connectors and tells them; others go on.
    pub fn give_up(&mut self, refused: &BTreeMap<usize, String>) {
        for (owner, message) in refused {
            let generation = self.collected.give_up(*owner);
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
        self.count_owners(&owners(pages), result);
    }

    fn count_owners(&self, owners: &[usize], result: TransactionResult) {
        for owner in owners {
            self.connectors[*owner].metrics.transaction(result);
        }
    }

    fn count_retry(&self, owners: &[usize]) {
        for owner in owners {
            self.connectors[*owner].metrics.retry(RETRY_KAFKA);
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
        let stopped = || {
            self.reporter.tick();
            self.stop.is_stopped()
        };
        offset_log::read_to_end(kafka, group_id, &offsets.topic, &[self.number], &stopped)
    }

    pub(super) fn now(&self) -> Duration {
        self.context.clock.elapsed()
    }
}

/// What becomes of a connector whose records Kafka refuses.
enum Refusal {
    /// It stops, and says this.
    Stop(String),
    /// It is to be found out which of them.
    Records(Vec<Undelivered>),
}

/// Connectors that have a page among these, each once.
fn owners(pages: &[OwnedPage]) -> Vec<usize> {
    let owners: BTreeSet<usize> = pages.iter().map(|page| page.owner).collect();
    owners.into_iter().collect()
}
