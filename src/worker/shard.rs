//! One shard: its thread, its producer, and the order of its start (I4).
//!
//! The thread lives as long as the shard is ours. Within it the shard may have several lives: each begins with a fresh
//! answer of the group, a new producer and a read of the offsets to the end, and ends when its producer can't go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::collected::Collected;
use super::committer::{Committer, Failure, Hold, LifeEnd};
use super::context::WorkerContext;
use super::progress::Progress;
use super::publish::{Destination, OwnedPage};
use super::report::{ConnectorStatus, Reporter};
use super::runner::{FromShard, Held, Runner};
use super::shutdown::Stop;
use super::topic_limits::{MAX_MESSAGE_BYTES, TopicLimits};
use super::turns::Turns;
use super::values::Values;
use crate::config::ConnectorConfig;
use crate::kafka::group::GroupError;
use crate::kafka::offset_log::{self, OffsetLog};
use crate::kafka::statistics::StatisticsSink;
use crate::kafka::transaction::TransactionalProducer;
use crate::metrics::{ConnectorMetrics, ShardMetrics};
use crate::offsets::codec;
use crate::source::action::ConnectorState;
use crate::source::offset::SourceOffset;

/// How long a stopped shard goes on with the commit that it is in.
pub const GRACE: Duration = Duration::from_secs(2);
/// How long the group may take to confirm that the shard is ours.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);
/// First and longest rest between two lives (I6).
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long a transaction may go without a record taken, at first and at most, where other connectors wait behind it.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(20));

/// What reaches a shard's thread.
#[derive(Debug)]
pub enum ShardInput {
    /// A page of a runner's.
    Page {
        /// Of which life of the shard.
        life: u64,
        /// The page.
        page: Box<OwnedPage>,
    },
    /// Look at the stop.
    Wake,
}

/// One connector of the shard.
pub struct ShardConnector {
    /// Configuration.
    pub config: Arc<ConnectorConfig>,
    /// What its records need.
    pub metrics: Arc<ConnectorMetrics>,
    /// Its part of the report.
    pub status: Arc<ConnectorStatus>,
    /// Makes its records' values.
    pub values: Arc<Values>,
    /// What its topics take.
    pub limits: Arc<TopicLimits>,
    /// Its runner, in this life.
    pub runner: Option<UnboundedSender<FromShard>>,
    /// Kafka refused its records in a way that ended a life of the shard: it rests, so that it does not end the next.
    pub held: Option<Held>,
}

/// A shard with at least one connector.
pub struct Shard {
    number: i32,
    context: Arc<WorkerContext>,
    connectors: Vec<ShardConnector>,
    destinations: Vec<Destination>,
    stop: Stop,
    reporter: Arc<Reporter>,
    metrics: Arc<ShardMetrics>,
    inbox: mpsc::Receiver<ShardInput>,
    outbox: mpsc::Sender<ShardInput>,
    lives: u64,
    /// Batches of more bytes were refused, by a topic whose settings we may not see.
    batch_bytes: Option<u32>,
    /// How long a transaction may go without a record taken.
    patience: Duration,
    /// Where our partition of the offsets topic ended when we last knew.
    end: Option<i64>,
}

impl Shard {
    /// A shard that is about to run.
    pub fn new(
        number: i32,
        context: Arc<WorkerContext>,
        connectors: &[Arc<ConnectorConfig>],
        stop: Stop,
        channel: (mpsc::Sender<ShardInput>, mpsc::Receiver<ShardInput>),
    ) -> Self {
        let (outbox, inbox) = channel;
        let connectors = connectors.iter().map(|config| {
            let metrics = Arc::new(context.metrics.connector(&config.name, config.interval.as_secs_f64()));
            let status = Arc::default();
            let values = Values::new(config, &context, &metrics, &status);
            ShardConnector {
                values: Arc::new(values),
                config: Arc::clone(config),
                metrics,
                status,
                limits: Arc::default(),
                runner: None,
                held: None,
            }
        });
        let connectors: Vec<ShardConnector> = connectors.collect();
        let limits = connectors.iter().map(|connector| Arc::clone(&connector.limits));
        let destinations = connectors
            .iter()
            .zip(limits)
            .map(|(connector, limits)| Destination::of(&connector.config, limits))
            .collect();
        let told = connectors.iter().map(|connector| (connector.config.name.clone(), Arc::clone(&connector.status)));
        let reporter = Arc::new(Reporter::new(Arc::clone(&context), number, told.collect(), stop.clone()));
        Self {
            metrics: Arc::new(context.metrics.shard(number)),
            number,
            context,
            connectors,
            destinations,
            stop,
            reporter,
            inbox,
            outbox,
            lives: 0,
            batch_bytes: None,
            patience: PATIENCE.0,
            end: None,
        }
    }

    /// Runs until stopped. Blocks: for a thread of its own.
    pub fn run(mut self) {
        let mut rest = REST.0;
        while !self.stop.is_stopped() {
            let end = self.live();
            if self.stop.is_stopped() {
                break;
            }
            match end {
                LifeEnd::Stopped => break,
                LifeEnd::Changed => {
                    info!(
                        shard = self.number,
                        "the offsets were changed from outside, as by `offsets alter`: starting again from them"
                    );
                    // Said.
                    self.end = None;
                    continue;
                }
                LifeEnd::Failed(Failure { message, committed, held, batch_bytes, stuck, at_once }) => {
                    if committed {
                        rest = REST.0;
                    }
                    self.hold(held);
                    self.batch_bytes = self.batch_bytes.into_iter().chain(batch_bytes).min();
                    self.patience = if stuck { (self.patience * 2).min(PATIENCE.1) } else { PATIENCE.0 };
                    for connector in &self.connectors {
                        connector.metrics.state(ConnectorState::Recovering);
                        connector.status.set_state(ConnectorState::Recovering);
                        connector.status.set_trouble(&message);
                    }
                    if at_once && (committed || rest == REST.0) {
                        warn!(shard = self.number, "{message}");
                        // The next one does not go on at once by itself, unless it commits.
                        rest = (rest * 2).min(REST.1);
                        continue;
                    }
                    warn!(shard = self.number, retry_in = ?rest, "{message}");
                }
            }
            self.rest(rest);
            rest = (rest * 2).min(REST.1);
        }
        debug!(shard = self.number, "shard stopped");
    }

    /// One life: I4's order.
    fn live(&mut self) -> LifeEnd {
        let stop = self.stop.clone();
        let reporter = Arc::clone(&self.reporter);
        let stopped = move || {
            reporter.tick();
            stop.is_stopped()
        };
        let known = self.end;
        let failed = |message: String| LifeEnd::Failed(Failure { message, ..Failure::default() });
        // I6: no producer without a fresh answer that the shard is ours, or a zombie would fence its successor.
        if let Err(error) = self.confirm() {
            return failed(format!("no producer is made for the shard: {error}"));
        }
        let id = format!("{}-{}", self.context.offsets.topic, self.number);
        self.metrics.producer_begins();
        let metrics = Arc::clone(&self.metrics);
        let sink: StatisticsSink = Arc::new(move |statistics| metrics.observe(statistics));
        let (kafka, batch_bytes) = (&self.context.kafka, self.batch_bytes());
        let producer = match TransactionalProducer::init_shown(kafka, &id, batch_bytes, Some(sink), &stopped) {
            Ok(producer) => producer,
            Err(error) => return failed(error.to_string()),
        };
        let topic = &self.context.offsets.topic;
        let log =
            match offset_log::read_to_end(&self.context.kafka, &self.context.group_id, topic, &[self.number], &stopped)
            {
                Ok(log) => log,
                Err(error) => return failed(error.to_string()),
            };
        // Also what we committed without being told so.
        let is_newer = |last: &i64| known.is_some_and(|known| *last >= known);
        if log.last.get(&self.number).is_some_and(is_newer) {
            info!(
                shard = self.number,
                "the offsets topic has newer offsets than this worker knew, as `offsets alter` writes them: going on from them"
            );
        }
        self.end = log.ends.get(&self.number).copied();
        self.reporter.ends_at(self.end);
        self.lives += 1;
        let runners = Runners::start(self, &log);
        let mut committer = Committer {
            number: self.number,
            context: &self.context,
            producer: &producer,
            metrics: &self.metrics,
            connectors: &self.connectors,
            destinations: &self.destinations,
            stop: &self.stop,
            inbox: &self.inbox,
            reporter: &self.reporter,
            life: self.lives,
            end: self.end,
            floor: self.end.unwrap_or_default(),
            committed: false,
            collected: Collected::default(),
            patience: Some(self.patience).filter(|_| self.connectors.len() > 1),
        };
        let end = committer.run();
        self.end = committer.end;
        // Before the producer goes: nobody may ask a page that nobody can publish.
        runners.stop(&self.context.runtime);
        for connector in &mut self.connectors {
            connector.runner = None;
        }
        end
    }

    fn confirm(&self) -> Result<(), GroupError> {
        let confirm = || self.context.group.confirm(self.number, self.end, &self.reporter.report(), CONFIRM_TIMEOUT);
        let confirmed = confirm().or_else(|error| {
            if !error.is_report_too_long() {
                return Err(error);
            }
            self.reporter.be_brief();
            confirm()
        });
        self.reporter.told();
        confirmed
    }

    /// The smallest `max.message.bytes` of the topics that we write, of those that are there or will be made with one. Blocks
    /// for up to 10 s.
    fn batch_bytes(&self) -> Option<u32> {
        let configs = || self.connectors.iter().map(|connector| &connector.config);
        let topics: BTreeSet<&str> =
            configs().flat_map(|config| [config.topic.name.as_str(), config.dead_letter_topic.as_str()]).collect();
        // All at once: a broker that does not answer costs its time once, however many connectors there are.
        let there = self.context.topics.all_settings(&Vec::from_iter(topics));
        let there = there.values().filter_map(|settings| settings.get(MAX_MESSAGE_BYTES));
        let given = configs().filter_map(|config| config.topic.config.get(MAX_MESSAGE_BYTES));
        there.chain(given).filter_map(|size| size.parse().ok()).chain(self.batch_bytes).min()
    }

    fn hold(&mut self, held: BTreeMap<usize, Hold>) {
        let now = self.context.clock.elapsed();
        for (owner, Hold { message, rest, state }) in held {
            self.connectors[owner].held = Some(Held { until: now + rest, message, state });
        }
    }

    /// Rests, but not past a stop.
    fn rest(&self, duration: Duration) {
        let until = self.context.clock.elapsed() + duration;
        while !self.stop.is_stopped() {
            let left = until.saturating_sub(self.context.clock.elapsed());
            if left.is_zero() {
                return;
            }
            // A late page of the last life may wake us; it is dropped.
            let _ = self.inbox.recv_timeout(left.min(self.reporter.until_next()));
            self.reporter.tick();
        }
    }
}

/// The runners of one life.
struct Runners {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Runners {
    fn start(shard: &mut Shard, log: &OffsetLog) -> Self {
        let stop = shard.stop.child_token();
        let mut tasks = JoinSet::new();
        for (owner, connector) in shard.connectors.iter_mut().enumerate() {
            let Some(access) = shard.context.client(&connector.config) else { continue };
            let (sender, receiver) = unbounded_channel();
            connector.runner = Some(sender);
            let runner = Runner {
                connector: Arc::clone(&connector.config),
                owner,
                life: shard.lives,
                client: access.client,
                credential: access.credential,
                values: Arc::clone(&connector.values),
                turns: Turns::new(access.gate, shard.context.clock),
                topics: Arc::clone(&shard.context.topics),
                knowledge: shard.context.knowledge.clone(),
                all_offsets: Arc::clone(&shard.context.all_offsets),
                metrics: Arc::clone(&connector.metrics),
                status: Arc::clone(&connector.status),
                to_shard: shard.outbox.clone(),
                from_shard: receiver,
                stop: stop.clone(),
                refused: None,
                okta_request_id: None,
                reload: false,
                advised: None,
                limits: Arc::clone(&connector.limits),
                held: connector.held.clone(),
                clock: shard.context.clock,
                stagger: Some(Arc::clone(&shard.context.stagger)),
                cold: None,
                progress: Progress::default(),
            };
            let stored = stored(log, &shard.destinations[owner].offset_key);
            let _ = tasks.spawn_on(runner.run(stored), &shard.context.runtime);
        }
        Self { stop, tasks }
    }

    /// Runners end at their next await, so this is short.
    fn stop(mut self, runtime: &Handle) {
        self.stop.cancel();
        runtime.block_on(async { while self.tasks.join_next().await.is_some() {} });
    }
}

/// What the log holds under a connector's key, or why that can't be read, ending in the next thing to do.
pub fn stored(log: &OffsetLog, key: &[u8]) -> Result<Option<SourceOffset>, String> {
    log.fold.get(key).map(codec::decode_value).transpose().map_err(|error| {
        format!("the stored checkpoint can't be read: {error}; look at it with `offsets get`, and write a valid one in its place with `offsets alter`")
    })
}
