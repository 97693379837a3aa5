//! What a connector's topics hold already, for tasks that go over old ground (docs/adr/0063).
//!
//! Who asks waits without a thread. A reading is a thread's of its own, since librdkafka blocks, and answers all who ask of
//! its topic by then: fifty connectors that start on one topic at the same moment read it twice.

pub mod budget;
mod lane;
mod learning;
mod topic_end;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tokio::sync::oneshot;
use tracing::debug;

use self::budget::Budget;
use self::lane::Lane;
use self::learning::LearnAsk;
use self::topic_end::EndAsk;
use crate::config::{ConnectorConfig, KafkaProperties};
use crate::kafka::record_reader::RecordReaderError;
use crate::kafka::topic_clients::TopicClients;
use crate::kafka::topics::{TopicError, Topics};
use crate::source::input::Tail;
use crate::source::known::{Known, TooMany};
use crate::source::offset::SourcePartition;

/// Topics that are learnt at the same moment: each has its threads, and its queue in memory.
const LEARNING_THREADS: usize = 4;
/// The ends of topics are read one after the other, by the same clients.
const END_THREADS: usize = 1;

/// Why it can't be said what a topic holds; each message ends in the next thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct LearnError {
    /// What to do about it.
    pub message: String,
    /// Whether it may pass by itself.
    pub retriable: bool,
}

impl LearnError {
    fn passing(message: String) -> Self {
        Self { message, retriable: true }
    }

    /// A topic that is needed was there at the connector's start, and is not shown.
    fn not_shown(topic: &str) -> Self {
        Self::passing(format!(
            "the broker does not show topic `{topic}`, so that what it holds is not known: make it again, or restart this worker, if it was deleted"
        ))
    }

    /// The process is about to end.
    fn stopped() -> Self {
        Self::passing(RecordReaderError::Stopped.to_string())
    }
}

impl From<RecordReaderError> for LearnError {
    fn from(error: RecordReaderError) -> Self {
        let retriable = match &error {
            RecordReaderError::Config(_) => false,
            RecordReaderError::Refused { topic, .. } if error.is_permission() => {
                return Self {
                    message: format!(
                        "what topic `{topic}` holds can't be seen, so that events could be there twice: grant READ on it"
                    ),
                    retriable: false,
                };
            }
            _ => true,
        };
        Self { message: error.to_string(), retriable }
    }
}

impl From<TopicError> for LearnError {
    fn from(error: TopicError) -> Self {
        Self::passing(error.to_string())
    }
}

/// Whose records are looked for, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    connector: String,
    topic: String,
    dead_letter_topic: String,
    /// `ce_source` of its records.
    source: String,
    /// `__connect.errors.source.partition` of its dead letters.
    partition: String,
    /// Events a page.
    limit: u16,
}

impl Subject {
    fn of(connector: &ConnectorConfig) -> Self {
        let partition = serde_json::to_string(&SourcePartition::of(&connector.org));
        Self {
            connector: connector.name.clone(),
            topic: connector.topic.name.clone(),
            dead_letter_topic: connector.dead_letter_topic.clone(),
            source: connector.org.to_string(),
            partition: partition.expect("one map of strings is always JSON"),
            limit: connector.limit,
        }
    }
}

/// Reads topics for a worker's connectors.
#[derive(Clone)]
pub struct TopicKnowledge {
    shared: Arc<Shared>,
}

struct Shared {
    kafka: KafkaProperties,
    group_id: String,
    topics: Arc<Topics>,
    budget: Budget,
    learning: Mutex<Lane<LearnAsk>>,
    ends: Mutex<Lane<EndAsk>>,
}

impl TopicKnowledge {
    /// For a worker of so many connectors.
    pub fn new(kafka: &KafkaProperties, group_id: &str, topics: Arc<Topics>, connectors: usize) -> Self {
        Self::within(kafka, group_id, topics, Budget::new(budget::ENTRIES, connectors))
    }

    /// With another budget.
    pub fn within(kafka: &KafkaProperties, group_id: &str, topics: Arc<Topics>, budget: Budget) -> Self {
        let shared = Shared {
            kafka: kafka.clone(),
            group_id: group_id.to_owned(),
            topics,
            budget,
            learning: Mutex::new(Lane::new(LEARNING_THREADS)),
            ends: Mutex::new(Lane::new(END_THREADS)),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What the connector's topics hold of its org: all with `published` at `from` (milliseconds since 1970) or later, as
    /// far as it fits into memory, and what has none. Waits until open transactions have ended, a minute at most.
    pub async fn learn(&self, connector: &ConnectorConfig, from: i64) -> Result<Arc<Known>, LearnError> {
        let (answer, answered) = oneshot::channel();
        let subject = Subject::of(connector);
        let topic = subject.topic.clone();
        let begins = lock(&self.shared.learning).push(topic, LearnAsk { subject, from, answer });
        if begins {
            let shared = Arc::clone(&self.shared);
            start("learn", move || {
                let mut clients = None;
                let mut done = None;
                while let Some((topic, asks)) = take(&shared.learning, done.as_deref()) {
                    learning::answer(&shared, &mut clients, &topic, asks);
                    done = Some(topic);
                }
            });
        }
        answered.await.unwrap_or_else(|_| Err(LearnError::stopped()))
    }

    /// The newest elements of the connector's org, as far as no open transaction hides them.
    pub async fn tail(&self, connector: &ConnectorConfig) -> Result<Tail, LearnError> {
        let (answer, answered) = oneshot::channel();
        let subject = Subject::of(connector);
        let topic = subject.topic.clone();
        let begins = lock(&self.shared.ends).push(topic, EndAsk { subject, answer });
        if begins {
            let shared = Arc::clone(&self.shared);
            start("topic-ends", move || {
                let mut clients = None;
                let mut done = None;
                while let Some((topic, asks)) = take(&shared.ends, done.as_deref()) {
                    topic_end::answer(&shared, &mut clients, &topic, asks);
                    done = Some(topic);
                }
            });
        }
        answered.await.unwrap_or_else(|_| Err(LearnError::stopped()))
    }
}

impl Shared {
    /// The clients of the reading before, else new ones.
    fn clients(&self, before: &mut Option<TopicClients>) -> TopicClients {
        before.take().unwrap_or_else(|| TopicClients::new(&self.kafka, &self.group_id))
    }

    /// The partitions of those of the topics that are there.
    fn partitions(&self, topics: &[&str]) -> Result<Vec<Option<Vec<i32>>>, LearnError> {
        let there = self.topics.partitions()?;
        let numbers =
            |topic: &&str| there.get(*topic).map(|count| (0..i32::try_from(*count).unwrap_or(i32::MAX)).collect());
        Ok(topics.iter().map(numbers).collect())
    }
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) {
    if let Err(problem) = std::thread::Builder::new().name(name.to_owned()).spawn(run) {
        // As for a shard's thread: who waits would wait for ever.
        panic!("no thread to read topics with: {problem}; raise the limit of threads");
    }
}

fn take<A>(lane: &Mutex<Lane<A>>, done: Option<&str>) -> Option<(String, Vec<A>)> {
    let next = lock(lane).next(done);
    debug!(topic = next.as_ref().map(|(topic, _)| topic), "reads next");
    next
}

fn lock<A>(lane: &Mutex<Lane<A>>) -> MutexGuard<'_, Lane<A>> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<TooMany> for LearnError {
    fn from(error: TooMany) -> Self {
        let message = format!(
            "{error}: where they are dead letters, set another `dead_letter_topic`, which has them once more; else go on with \
             `offsets alter NAME --since TIME --allow-duplicates`"
        );
        Self { message, retriable: false }
    }
}
