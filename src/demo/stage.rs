//! The parts of the demo: put up in order, and taken down without a trace.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::json;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::{Config, KafkaProperties};
use crate::kafka::embedded::{EmbeddedBroker, PARTITION_BYTES};
use crate::kafka::topics::{self, TopicError, Topics, WantedTopic};
use crate::simulator::{Simulator, SimulatorConfig};
use crate::worker;
use crate::worker::shutdown::Stop;

/// Partitions of the data topic, as a configuration has by default.
const PARTITIONS: i32 = 6;
/// Shards: one would do, several look like a real one.
const OFFSETS_PARTITIONS: i32 = 3;
/// An event with its key and headers, before compression; real ones are 1.5 KB at the median.
const RECORD_BYTES: usize = 2048;
/// How long a deleted topic may still be listed.
const DELETION_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks at the list.
const DELETION_LOOK: Duration = Duration::from_millis(100);

/// The broker of the demo.
pub enum DemoBroker {
    /// Inside this process.
    Embedded(EmbeddedBroker),
    /// The user's, under this address.
    Own(String),
}

impl DemoBroker {
    /// The user's broker, when it answers, or an embedded one. Nothing is made on the user's.
    pub async fn reach(bootstrap: Option<&str>) -> anyhow::Result<Self> {
        let Some(bootstrap) = bootstrap else { return Ok(Self::Embedded(EmbeddedBroker::start()?)) };
        let kafka = KafkaProperties::for_brokers(bootstrap);
        let answered = blocking(move || Topics::new(&kafka)?.partitions()).await?;
        answered.map_err(|error| match error {
            TopicError::Unreachable { why, .. } => anyhow!(
                "Kafka at `{bootstrap}` can't be reached without TLS and password: {why}; or leave out `--bootstrap` for the embedded broker"
            ),
            other => other.into(),
        })?;
        Ok(Self::Own(bootstrap.to_owned()))
    }

    /// `bootstrap.servers`.
    pub fn address(&self) -> String {
        match self {
            Self::Embedded(broker) => broker.address(),
            Self::Own(bootstrap) => bootstrap.clone(),
        }
    }

    /// Whether it is inside this process.
    pub fn is_embedded(&self) -> bool {
        matches!(self, Self::Embedded(_))
    }
}

/// A topic and its number of partitions.
#[derive(Debug, Clone)]
pub struct DemoTopic {
    /// Name.
    pub name: String,
    /// Partitions.
    pub partitions: i32,
}

/// The topics, all under one random name; the group has the offsets topic's.
#[derive(Debug, Clone)]
pub struct DemoTopics {
    /// The events.
    pub data: DemoTopic,
    /// What can't be published.
    pub dead_letters: DemoTopic,
    /// The checkpoints.
    pub offsets: DemoTopic,
}

impl DemoTopics {
    fn new(events: usize, embedded: bool) -> Self {
        let random: String = std::iter::repeat_with(|| fastrand::char('a'..='z')).take(6).collect();
        let prefix = format!("okta-kafka-source-demo-{random}");
        // Half of what a partition of the embedded broker holds, since keys do not spread evenly.
        let needed = (events * RECORD_BYTES).div_ceil(PARTITION_BYTES / 2);
        let partitions = if embedded { i32::try_from(needed).unwrap_or(i32::MAX).max(PARTITIONS) } else { PARTITIONS };
        let topic = |suffix: &str, partitions| DemoTopic { name: format!("{prefix}{suffix}"), partitions };
        Self {
            data: topic("", partitions),
            dead_letters: topic(".dlq", partitions),
            offsets: topic("-offsets", OFFSETS_PARTITIONS),
        }
    }

    /// All names.
    pub fn names(&self) -> [&str; 3] {
        [&self.data.name, &self.dead_letters.name, &self.offsets.name]
    }

    fn all(&self) -> [&DemoTopic; 3] {
        [&self.data, &self.dead_letters, &self.offsets]
    }
}

/// Everything, running.
pub struct Stage {
    /// The simulated org.
    pub org: Simulator,
    /// The broker.
    pub broker: DemoBroker,
    /// How to reach it.
    pub kafka: KafkaProperties,
    /// The topics.
    pub topics: DemoTopics,
    /// Where the worker serves metrics and health; port 0 when nobody is to look.
    pub http: SocketAddr,
    stop: Stop,
    ended: watch::Receiver<Option<Result<(), String>>>,
}

impl Stage {
    /// Makes the org with a backlog of `events`, the topics, and starts the worker, its metrics on a port that is known
    /// if somebody `looks`.
    ///
    /// # Errors
    /// A part does not start; then no topic is left behind.
    pub async fn put_up(broker: DemoBroker, events: usize, looks: bool) -> anyhow::Result<Self> {
        let kafka = KafkaProperties::for_brokers(&broker.address());
        let topics = DemoTopics::new(events, broker.is_embedded());
        let org = Simulator::start(SimulatorConfig { events, ..SimulatorConfig::default() }).await?;
        let http = if looks { free_address()? } else { SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        let config = Config::parse(&configuration(&broker, &topics, &org, http), &|_| None)?;
        if let Err(error) = create(&broker, &kafka, &topics).await {
            let _ = remove(&broker, &kafka, &topics).await;
            return Err(error);
        }
        let stop = Stop::new();
        let stopped = stop.clone();
        let (sender, ended) = watch::channel(None);
        drop(tokio::spawn(async move {
            let result = worker::run(config, stopped).await;
            let _ = sender.send_replace(Some(result.map_err(|error| error.to_string())));
        }));
        Ok(Self { org, broker, kafka, topics, http, stop, ended })
    }

    /// Waits for the worker to end by itself, which it does only when it can't go on; gives why.
    pub async fn worker_failed(&self) -> anyhow::Error {
        let ended = self.worker_ended().await;
        if self.stop.is_stopped() {
            return std::future::pending().await;
        }
        ended.err().unwrap_or_else(|| anyhow!("the worker ended early; run with RUST_LOG=info to see more"))
    }

    /// Stops the worker as SIGTERM would; a second call changes nothing.
    pub async fn stop_worker(&self) -> anyhow::Result<()> {
        self.stop.stop();
        self.worker_ended().await
    }

    async fn worker_ended(&self) -> anyhow::Result<()> {
        let mut ended = self.ended.clone();
        // The sender goes without a word only when the worker's task panics.
        let result = ended.wait_for(Option::is_some).await.map_err(|_| anyhow!("the worker panicked"))?.clone();
        result.unwrap_or(Ok(())).map_err(anyhow::Error::msg)
    }

    /// Stops everything and deletes the topics, unless they are to be kept.
    ///
    /// # Errors
    /// Topics are left; their names are in the message.
    pub async fn take_down(self, keep_topics: bool) -> anyhow::Result<()> {
        // Whatever it ended with was told, and nothing is to be done about it now.
        let _ = self.stop_worker().await;
        self.org.shutdown().await;
        if keep_topics { Ok(()) } else { remove(&self.broker, &self.kafka, &self.topics).await }
    }
}

/// What a person would write for this org and broker. JSON strings are YAML strings.
fn configuration(broker: &DemoBroker, topics: &DemoTopics, org: &Simulator, http: SocketAddr) -> String {
    let text = |value: &str| json!(value.replace("${", "$${")).to_string();
    format!(
        "kafka: {{bootstrap.servers: {}}}\n\
         offsets: {{topic: {}, partitions: {}}}\n\
         http: {{listen: {}}}\n\
         connectors:\n\
         \x20 - name: demo\n\
         \x20   org: {}\n\
         \x20   auth: {{ssws: {}}}\n\
         \x20   topic: {}\n\
         \x20   interval: 1s\n",
        text(&broker.address()),
        topics.offsets.name,
        topics.offsets.partitions,
        text(&http.to_string()),
        text(org.url()),
        text(org.token()),
        topics.data.name,
    )
}

/// A port that nobody listens on at this moment: the worker says its own only in its log.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1 for the metrics")?;
    Ok(listener.local_addr()?)
}

/// Makes the topics. The events are older than a broker's default retention allows, so none is set.
async fn create(broker: &DemoBroker, kafka: &KafkaProperties, topics: &DemoTopics) -> anyhow::Result<()> {
    if let DemoBroker::Embedded(broker) = broker {
        for topic in topics.all() {
            broker.create_topic(&topic.name, topic.partitions)?;
        }
        return Ok(());
    }
    let (kafka, topics) = (kafka.clone(), topics.clone());
    blocking(move || {
        let admin = Topics::new(&kafka)?;
        // The offsets topic is the worker's to make.
        for topic in [&topics.data, &topics.dead_letters] {
            let _ = admin.ensure(&WantedTopic {
                name: &topic.name,
                partitions: topic.partitions,
                replication_factor: -1,
                create: true,
                config: [("retention.ms".to_owned(), "-1".to_owned())].into(),
            })?;
        }
        Ok(())
    })
    .await?
}

/// Deletes the topics; the embedded broker takes them with it.
async fn remove(broker: &DemoBroker, kafka: &KafkaProperties, topics: &DemoTopics) -> anyhow::Result<()> {
    if broker.is_embedded() {
        return Ok(());
    }
    let (brokers, names) = (kafka.clone(), topics.clone());
    blocking(move || topics::delete(&brokers, &names.names(), &names.offsets.name)).await??;
    // What became of each topic is in what the broker lists from now on.
    let admin = Arc::new(Topics::new(kafka)?);
    let clock = Clock::new();
    loop {
        let asked = Arc::clone(&admin);
        let listed = blocking(move || asked.partitions()).await??;
        let left: Vec<&str> = topics.names().into_iter().filter(|name| listed.contains_key(*name)).collect();
        if left.is_empty() {
            return Ok(());
        }
        if clock.now().monotonic > DELETION_TIMEOUT {
            bail!("these topics are still there, delete them by hand: {}", left.join(", "));
        }
        tokio::time::sleep(DELETION_LOOK).await;
    }
}

/// Calls of librdkafka block.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(call).await.context("a thread of the demo ended early")
}
