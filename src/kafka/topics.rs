//! The topics: looked at before they are used, created when absent and allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigEntry, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;

use super::authorized_operations::{self, Allowed, Operation};
use super::client_config;
use super::connection::{Connection, Side};
use super::error::code_of;
use super::event_thread::{EventThread, SLICE};
use super::native;
use super::retire::retire;
use crate::clock::Clock;
use crate::config::KafkaProperties;

/// How long a broker may take for one answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// A client that nobody answers is made anew when it is that old.
const RENEW: Duration = Duration::from_secs(30);

/// How many replicas a topic wants, so that one may be lost and one be late.
const SAFE_REPLICAS: i32 = 3;
pub(super) const MIN_INSYNC: &str = "min.insync.replicas";
/// With [`SAFE_REPLICAS`], what is committed is on two brokers at least.
const SAFE_MIN_INSYNC: &str = "2";

/// Why a topic cannot be used; each message ends in the next thing to do.
#[derive(Debug, Clone, Error)]
pub enum TopicError {
    /// A property that librdkafka does not take.
    #[error("librdkafka refuses the client's configuration: {0}; mend the `kafka` section")]
    Config(String),
    /// No thread for the client's events.
    #[error("no thread for the client that looks at topics: {0}; raise the limit of threads")]
    Thread(String),
    /// No answer.
    #[error("Kafka at `{bootstrap}` can't be reached: {why}")]
    Unreachable {
        /// `bootstrap.servers`.
        bootstrap: String,
        /// librdkafka's word for it.
        code: RDKafkaErrorCode,
        /// The reason, ending in the next thing to do.
        why: String,
    },
    /// Not there, and not to be created.
    #[error("topic `{topic}` is not there: create it, or set `create: true`")]
    Missing {
        /// The topic.
        topic: String,
    },
    /// Not there, and the broker does not create it.
    #[error(
        "topic `{topic}` can't be created ({code}): create it by hand or grant CREATE on it; if it is there, grant DESCRIBE"
    )]
    NotCreated {
        /// The topic.
        topic: String,
        /// The broker's answer.
        code: RDKafkaErrorCode,
    },
    /// Not there, and not created with these settings.
    #[error(
        "topic `{topic}` can't be created: the broker refuses one of its settings ({settings}): mend its `topic.config`"
    )]
    SettingsRefused {
        /// The topic.
        topic: String,
        /// The names of its settings, comma-separated; a value may be from the environment.
        settings: String,
    },
    /// The offsets topic has another number of partitions than configured: shards would not be where they are looked for.
    #[error(
        "offsets topic `{topic}` has {found} partitions, `offsets.partitions` says {configured}: set it to {found}"
    )]
    PartitionCount {
        /// The topic.
        topic: String,
        /// In Kafka.
        found: usize,
        /// In the configuration.
        configured: i32,
    },
    /// The offsets topic would lose offsets.
    #[error(
        "offsets topic `{topic}` has cleanup.policy `{found}`, under which offsets are lost: set it to exactly `compact`"
    )]
    NotCompacted {
        /// The topic.
        topic: String,
        /// In Kafka.
        found: String,
    },
}

impl TopicError {
    /// Whether somebody has to grant something.
    pub fn is_refused(&self) -> bool {
        use RDKafkaErrorCode::{ClusterAuthorizationFailed, TopicAuthorizationFailed};
        matches!(self, Self::NotCreated { code: TopicAuthorizationFailed | ClusterAuthorizationFailed, .. })
    }
}

/// A topic as we want it.
#[derive(Debug, Clone)]
pub struct WantedTopic<'a> {
    /// Name.
    pub name: &'a str,
    /// Partitions, where it is created.
    pub partitions: i32,
    /// Replicas, where it is created; -1 is the broker's default.
    pub replication_factor: i32,
    /// Whether to create it.
    pub create: bool,
    /// Settings, where it is created.
    pub config: BTreeMap<String, String>,
}

/// What a topic is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Number of partitions.
    pub partitions: usize,
    /// Whether we just made it.
    pub created: bool,
}

/// The client of a time, and the thread that hears of its trouble.
struct TopicsClient {
    admin: Arc<AdminClient<Connection>>,
    _events: EventThread,
    age: Clock,
}

impl TopicsClient {
    fn new(kafka: &KafkaProperties) -> Result<Self, TopicError> {
        let admin: AdminClient<Connection> = client_config::admin(kafka)
            .create_with_context(Connection::new(kafka, Side::Consumer))
            .map_err(|error| TopicError::Config(client_config::refused(&error)))?;
        let admin = Arc::new(admin);
        let served = Arc::clone(&admin);
        let serve = move || {
            served.inner().context().feed(served.inner());
            native::serve_event(served.inner(), SLICE);
        };
        let woken = Arc::clone(&admin);
        let wake = move || native::wake(woken.inner());
        let events = EventThread::start("topics", serve, wake).map_err(TopicError::Thread)?;
        Ok(Self { admin, _events: events, age: Clock::new() })
    }
}

/// Asks and makes.
pub struct Topics {
    kafka: KafkaProperties,
    client: Mutex<TopicsClient>,
    bootstrap: String,
    /// Topics that a warning was given for: one a process, not one for each connector and each life of its shard.
    warned: Mutex<BTreeSet<String>>,
}

impl Topics {
    /// A client for topics; connects when first asked.
    pub fn new(kafka: &KafkaProperties) -> Result<Self, TopicError> {
        let client = Mutex::new(TopicsClient::new(kafka)?);
        let bootstrap = kafka.bootstrap_servers().to_owned();
        Ok(Self { kafka: kafka.clone(), client, bootstrap, warned: Mutex::default() })
    }

    pub(super) fn admin(&self) -> Arc<AdminClient<Connection>> {
        Arc::clone(&self.client().admin)
    }

    /// Makes the client anew when nobody answers it for long: librdkafka can lose all that it knew of the brokers with the
    /// only one that it reached, and go on asking nobody.
    fn renew(&self) {
        let mut client = self.client();
        if client.age.elapsed() >= RENEW
            // The properties were good enough the first time.
            && let Ok(fresh) = TopicsClient::new(&self.kafka)
        {
            let old = std::mem::replace(&mut *client, fresh);
            drop(client);
            // Others may be asking it, and so may our caller.
            retire(Arc::clone(&old.admin));
        }
    }

    fn client(&self) -> MutexGuard<'_, TopicsClient> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of partitions of each topic that is there. Blocks for up to 5 s.
    ///
    /// All topics are asked for, since asking for one by name would create it on a broker that does so by itself.
    pub fn partitions(&self) -> Result<BTreeMap<String, usize>, TopicError> {
        let metadata = self.admin().inner().fetch_metadata(None, TIMEOUT).map_err(|error| self.unreachable(&error))?;
        // A broker that has just come back knows neither itself nor any topic for a moment: that is no answer.
        if metadata.brokers().is_empty() {
            return Err(self.unreachable_by(RDKafkaErrorCode::BrokerNotAvailable));
        }
        self.admin().inner().context().answered();
        let known = metadata.topics().iter().filter(|topic| topic.error().is_none());
        Ok(known.map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect())
    }

    /// `host:port` of each broker, as clients are told to reach it. Blocks for up to 5 s.
    pub fn brokers(&self) -> Result<Vec<String>, TopicError> {
        let metadata = self.admin().inner().fetch_metadata(None, TIMEOUT).map_err(|error| self.unreachable(&error))?;
        let brokers = metadata.brokers().iter();
        Ok(brokers.map(|broker| format!("{}:{}", broker.host(), broker.port())).collect())
    }

    /// What the cluster calls itself; `None` where it says nothing. Blocks for up to 5 s.
    pub fn cluster_id(&self) -> Option<String> {
        self.admin().inner().fetch_cluster_id(TIMEOUT).filter(|id| !id.is_empty())
    }

    /// Makes sure that `wanted` is there. Blocks.
    pub fn ensure(&self, wanted: &WantedTopic<'_>) -> Result<TopicState, TopicError> {
        if let Some(&partitions) = self.partitions()?.get(wanted.name) {
            return Ok(TopicState { partitions, created: false });
        }
        if !wanted.create {
            return Err(TopicError::Missing { topic: wanted.name.to_owned() });
        }
        self.create(wanted, false)?;
        // The other brokers hear of it a little later; a metadata answer without it is no failure yet.
        for _ in 0..50 {
            if let Some(&partitions) = self.partitions()?.get(wanted.name) {
                return Ok(TopicState { partitions, created: true });
            }
            // No event tells of a topic, and this thread may block.
            #[allow(clippy::disallowed_methods)]
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(self.unreachable_by(RDKafkaErrorCode::UnknownTopicOrPartition))
    }

    /// Whether `wanted`, which is not there, could be made: the broker is asked, and makes nothing. Blocks.
    pub fn may_be_created(&self, wanted: &WantedTopic<'_>) -> Result<(), TopicError> {
        if !wanted.create {
            return Err(TopicError::Missing { topic: wanted.name.to_owned() });
        }
        self.create(wanted, true)
    }

    /// Makes `wanted`, or only asks whether it could be made. That it is there already is no error.
    fn create(&self, wanted: &WantedTopic<'_>, validate_only: bool) -> Result<(), TopicError> {
        let mut topic =
            NewTopic::new(wanted.name, wanted.partitions, TopicReplication::Fixed(wanted.replication_factor));
        let replicas = match wanted.replication_factor {
            -1 => self.default_replication_factor(),
            given => Some(given),
        };
        if replicas.is_some_and(|replicas| replicas >= SAFE_REPLICAS) && !wanted.config.contains_key(MIN_INSYNC) {
            topic = topic.set(MIN_INSYNC, SAFE_MIN_INSYNC);
        }
        for (key, value) in &wanted.config {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new()
            .request_timeout(Some(TIMEOUT))
            .operation_timeout(Some(TIMEOUT))
            .validate_only(validate_only);
        let answer = futures_executor::block_on(self.admin().create_topics([&topic], &options));
        match answer.map_err(|error| self.unreachable(&error))?.pop() {
            Some(Err((_, code))) if is_passing(code) => Err(self.unreachable_by(code)),
            Some(Err((_, RDKafkaErrorCode::InvalidConfig))) if !wanted.config.is_empty() => {
                let settings: Vec<String> = wanted.config.keys().map(|name| format!("`{name}`")).collect();
                let settings = settings.join(", ");
                Err(TopicError::SettingsRefused { topic: wanted.name.to_owned(), settings })
            }
            Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => {
                Err(TopicError::NotCreated { topic: wanted.name.to_owned(), code })
            }
            _ => Ok(()),
        }
    }

    /// What a lost broker could cost, as a warning that ends in the fix; `None` where the topic is safe, or where the
    /// broker does not say. Given once a topic. Blocks.
    pub fn durability_warning(&self, topic: &str) -> Option<String> {
        let metadata = self.admin().inner().fetch_metadata(None, TIMEOUT).ok()?;
        let found = metadata.topics().iter().find(|found| found.name() == topic)?;
        let replicas = found.partitions().iter().map(|partition| partition.replicas().len()).min()?;
        let min_insync: usize = self.settings(topic)?.get(MIN_INSYNC)?.parse().ok()?;
        let is_safe = replicas >= SAFE_REPLICAS as usize && min_insync >= 2;
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if is_safe || !warned.insert(topic.to_owned()) {
            return None;
        }
        let counted = if replicas == 1 { "1 replica".to_owned() } else { format!("{replicas} replicas") };
        Some(format!(
            "topic `{topic}` has {counted} and min.insync.replicas {min_insync}: a lost broker can lose what was committed; use {SAFE_REPLICAS} and {SAFE_MIN_INSYNC} where that matters"
        ))
    }

    /// What `-1` means to this cluster; `None` where the broker does not answer such questions, or not to us. Blocks.
    pub fn default_replication_factor(&self) -> Option<i32> {
        let broker = self.any_broker().ok()?;
        let settings = self.describe(&ResourceSpecifier::Broker(broker), broker).ok()??;
        settings.get("default.replication.factor")?.parse().ok()
    }

    /// Settings of a topic; `None` where nobody answers, where the broker does not answer such questions, or not to us.
    /// Blocks.
    pub fn settings(&self, topic: &str) -> Option<BTreeMap<String, String>> {
        self.shown_settings(topic).ok().flatten()
    }

    /// Settings of several topics, with one question; those that nobody tells of are left out. Blocks for up to 10 s.
    pub fn all_settings(&self, topics: &[&str]) -> BTreeMap<String, BTreeMap<String, String>> {
        let Ok(broker) = self.any_broker() else { return BTreeMap::new() };
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT)).broker_id(broker);
        let which: Vec<ResourceSpecifier<'_>> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        let admin = self.admin();
        let answer = futures_executor::block_on(admin.describe_configs(&which, &options));
        let shown = answer.unwrap_or_default().into_iter().flatten().filter_map(|resource| match resource.specifier {
            OwnedResourceSpecifier::Topic(topic) => Some((topic, given(resource.entries))),
            _ => None,
        });
        shown.collect()
    }

    /// Settings of a topic; `None` where the broker does not answer such questions, or not to us. Blocks.
    pub fn shown_settings(&self, topic: &str) -> Result<Option<BTreeMap<String, String>>, TopicError> {
        self.describe(&ResourceSpecifier::Topic(topic), self.any_broker()?)
    }

    /// What we may do with this topic, as the broker says (KIP-430): nothing where it may not even be seen. `None` where
    /// the topic is not there, or where the broker does not say. Blocks for up to 10 s.
    pub fn allowed(&self, topic: &str) -> Option<BTreeSet<Operation>> {
        self.all_allowed(&[topic]).remove(topic)
    }

    /// [`Topics::allowed`] of several topics, with one question; those that it says nothing of are left out. Blocks for up
    /// to 10 s.
    pub fn all_allowed(&self, topics: &[&str]) -> Allowed {
        let Ok(broker) = self.any_broker() else { return Allowed::new() };
        authorized_operations::of_topics(self.admin().inner(), broker, topics, TIMEOUT)
    }

    /// What we may do with this consumer group; `None` where the broker does not say. Blocks for up to 11 s.
    pub fn allowed_on_group(&self, group_id: &str) -> Option<BTreeSet<Operation>> {
        authorized_operations::of_group(self.admin().inner(), group_id, TIMEOUT)
    }

    /// Who to ask what every broker knows. The one that answers metadata is no such number: before the first answer its
    /// own is -1.
    fn any_broker(&self) -> Result<i32, TopicError> {
        let metadata = self.admin().inner().fetch_metadata(None, TIMEOUT).map_err(|error| self.unreachable(&error))?;
        let first = metadata.brokers().first().map(|broker| broker.id());
        first.ok_or_else(|| self.unreachable_by(RDKafkaErrorCode::BrokerNotAvailable))
    }

    /// Asks this broker: asked without one, librdkafka waits for the cluster's controller, which the embedded broker
    /// names and does not have. This way it sees at once that the broker answers no such question.
    fn describe(
        &self,
        which: &ResourceSpecifier<'_>,
        broker: i32,
    ) -> Result<Option<BTreeMap<String, String>>, TopicError> {
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT)).broker_id(broker);
        let admin = self.admin();
        let asked = admin.describe_configs([which], &options);
        let answer = futures_executor::block_on(asked).map_err(|error| code_of(&error));
        let resource = match answer.map(|mut resources| resources.pop()) {
            Ok(Some(Ok(resource))) => resource,
            // That nobody answers is not that somebody does not show it.
            Err(code) | Ok(Some(Err(code))) if is_passing(code) => return Err(self.unreachable_by(code)),
            _ => return Ok(None),
        };
        // What a broker may not show it shows as a topic without a single setting.
        if resource.entries.is_empty() {
            return Ok(None);
        }
        Ok(Some(given(resource.entries)))
    }

    pub(super) fn unreachable(&self, error: &KafkaError) -> TopicError {
        self.unreachable_by(code_of(error))
    }

    fn unreachable_by(&self, code: RDKafkaErrorCode) -> TopicError {
        let why = self.admin().inner().context().trouble().unwrap_or_else(|| {
            format!("no answer in time ({code}); check `bootstrap.servers`, the network and the brokers' logs")
        });
        self.renew();
        TopicError::Unreachable { bootstrap: self.bootstrap.clone(), code, why }
    }
}

/// Deletes topics and a group: what the demo made, it takes away. Blocks.
///
/// An answer about a single topic is not judged: who cares looks at [`Topics::partitions`] afterwards. A group that is
/// not deleted goes by itself, since nothing is in it any more.
pub fn delete(kafka: &KafkaProperties, names: &[&str], group_id: &str) -> Result<(), TopicError> {
    let topics = Topics::new(kafka)?;
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT));
    let answer = futures_executor::block_on(topics.admin().delete_topics(names, &options));
    let _ = answer.map_err(|error| topics.unreachable(&error))?;
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
    let _ = futures_executor::block_on(topics.admin().delete_groups(&[group_id], &options));
    Ok(())
}

/// The settings that have a value.
fn given(entries: Vec<ConfigEntry>) -> BTreeMap<String, String> {
    entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect()
}

/// A cluster that is busy with itself: asked again soon, it creates the topic.
fn is_passing(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::NotController
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::BrokerNotAvailable
    )
}
