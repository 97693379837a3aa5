//! The worker: keeps its membership, runs the shards that the group gives it, serves metrics and health.
//!
//! Threads: one for the group, one for each shard that has a connector (both call librdkafka, which blocks), and the
//! async runtime for the runners and the HTTP server.

mod await_knowledge;
mod await_topics;
mod belonging;
pub mod bisection;
pub mod changed_org;
pub mod cold_start;
pub mod collected;
pub mod committer;
pub mod connector_topics;
pub mod context;
pub mod inquiry;
pub mod judgement;
pub mod membership;
pub mod offsets_topic;
mod orphans;
pub mod ownership;
mod progress;
pub mod publish;
pub mod record_time;
pub mod recovered;
mod refusal;
pub mod report;
pub mod runner;
mod schema_ids;
pub mod sending_time;
pub mod set_back;
pub mod shard;
pub mod shutdown;
pub mod stagger;
pub mod topic_format;
pub mod topic_knowledge;
pub mod topic_limits;
pub mod turn_wait;
pub mod turns;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::{info, warn};

use self::changed_org::AllOffsets;
use self::context::{GroupHandle, OrgAccess, WorkerContext};
use self::membership::GroupThread;
use self::ownership::Ownership;
use self::shutdown::Stop;
use self::stagger::Stagger;
use self::topic_format::FormatLook;
use self::topic_knowledge::TopicKnowledge;
use crate::clock::Clock;
use crate::config::{Config, ConnectorConfig, Format, SchemaRegistryConfig};
use crate::http::{self, HttpError, Readiness};
use crate::kafka::group::{GroupError, Membership};
use crate::kafka::topics::{TopicError, Topics};
use crate::metrics::Metrics;
use crate::offsets::{codec, partitioner};
use crate::okta::auth::credential::{Credential, Credentials};
use crate::okta::client::gate::Gate;
use crate::okta::client::{Client, ClientError, ClientOptions};
use crate::okta::proxy::Network;
use crate::registry::{Registry, RegistryError};
use crate::source::offset::SourcePartition;

/// The longest that a stop may take: then the process ends all the same, and the next one starts at I4.
const STOP_TIMEOUT: Duration = Duration::from_secs(9);

/// Why a worker ends, or does not start. Never because of one connector or one shard.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// No metrics and health.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Another process has our place in the group.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// No client for topics.
    #[error(transparent)]
    Topics(#[from] TopicError),
    /// No client for an org.
    #[error("connector `{connector}`: {error}")]
    Client {
        /// Whose.
        connector: String,
        /// Why.
        error: ClientError,
    },
    /// No client for the schema registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Two metrics of one name; a bug.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A bug of ours.
    #[error("the group's thread ended without a word; this is a bug: please report it, with the log")]
    Panicked,
    /// The operating system gives no thread.
    #[error("no thread for the group: {0}; raise the limit of threads")]
    Thread(std::io::Error),
}

/// The shard of a connector: where Java's partitioner would put its offset.
pub fn shard_of(connector: &ConnectorConfig, partitions: i32) -> i32 {
    let key = codec::encode_key(&connector.name, &SourcePartition::of(&connector.org));
    partitioner::partition_of(&key, partitions)
}

/// Runs all connectors that this worker owns until `stop`. Must be called within a tokio runtime.
pub async fn run(config: Config, stop: Stop) -> Result<(), WorkerError> {
    let metrics = Arc::new(Metrics::new()?);
    metrics.shards.set(i64::from(config.offsets.partitions));
    let readiness = Arc::new(Readiness::new(metrics.ready.clone()));
    let server = http::Server::start(config.http.listen, Arc::clone(&metrics), Arc::clone(&readiness)).await?;
    let format_look = FormatLook::of(&config);
    let connectors: Vec<Arc<ConnectorConfig>> = config.connectors.into_iter().map(Arc::new).collect();
    info!(
        version = env!("CARGO_PKG_VERSION"),
        connectors = connectors.len(),
        group = config.group_id,
        http = %server.address(),
        "started"
    );
    let topics = Arc::new(Topics::new(&config.kafka)?);
    let context = Arc::new(WorkerContext {
        knowledge: TopicKnowledge::new(&config.kafka, &config.group_id, Arc::clone(&topics), connectors.len()),
        topics,
        clients: clients(&connectors, &config.okta_http, &metrics)?,
        registry: registry(&connectors, config.schema_registry.as_ref(), &config.okta_http)?,
        format_look,
        all_offsets: Arc::new(AllOffsets::new(&config.kafka, &config.group_id, &config.offsets)),
        kafka: config.kafka,
        group_id: config.group_id.clone(),
        group: GroupHandle::default(),
        metrics,
        runtime: Handle::current(),
        clock: Clock::new(),
        stagger: Arc::new(Stagger::new(connectors.len())),
        worker: config.group_instance_id.clone().unwrap_or_else(worker_name),
        offsets: config.offsets,
    });
    let mut by_shard: BTreeMap<i32, Vec<Arc<ConnectorConfig>>> = BTreeMap::new();
    for connector in &connectors {
        let shard = shard_of(connector, context.offsets.partitions);
        by_shard.entry(shard).or_default().push(Arc::clone(connector));
    }
    let membership = Membership {
        group_id: config.group_id,
        group_instance_id: config.group_instance_id,
        topic: context.offsets.topic.clone(),
    };
    let ownership = Arc::new(Ownership::new(Arc::clone(&context), by_shard));
    let watch = tokio::spawn(set_back::watch(Arc::clone(&context)));
    let asking =
        context.registry.clone().map(|registry| tokio::spawn(schema_ids::ask(registry, avro_topics(&connectors))));
    let thread = GroupThread { context, ownership, readiness, membership, stop: stop.clone() };
    let (sender, mut ended) = oneshot::channel();
    let run = move || {
        // Nobody there any more: then the process is ending already.
        let _ = sender.send(thread.run());
    };
    let _ = std::thread::Builder::new().name("group".to_owned()).spawn(run).map_err(WorkerError::Thread)?;
    let result = tokio::select! {
        result = &mut ended => result,
        () = stop.stopped() => match tokio::time::timeout(STOP_TIMEOUT, ended).await {
            Ok(result) => result,
            Err(_) => {
                warn!("did not stop within {STOP_TIMEOUT:?}; what was not committed is asked for again at the next start");
                Ok(Ok(()))
            }
        },
    };
    watch.abort();
    if let Some(asking) = asking {
        asking.abort();
    }
    server.stop().await;
    info!("stopped");
    Ok(result.map_err(|_| WorkerError::Panicked)??)
}

fn clients(
    connectors: &[Arc<ConnectorConfig>],
    network: &Network,
    metrics: &Metrics,
) -> Result<BTreeMap<String, OrgAccess>, WorkerError> {
    let mut credentials = Credentials::new();
    let mut gates: Vec<(Credential, Arc<Gate>)> = Vec::new();
    let client = |connector: &Arc<ConnectorConfig>| {
        let options = ClientOptions { network: network.clone(), ..ClientOptions::default() };
        let made = Client::new(connector.org.clone(), options);
        let name = connector.name.clone();
        let client = made.map_err(|error| WorkerError::Client { connector: name.clone(), error })?;
        if let Some(proxy) = client.proxy() {
            info!(connector = name, org = %connector.org, %proxy, named_by = proxy.named_by(), "asking through a proxy");
        }
        let credential = credentials.of(&connector.org, &connector.auth);
        if let Some(client_id) = credential.client_id() {
            let org = connector.org.authority();
            credential.count_token_requests(metrics.token_requests(&org, client_id));
        }
        let gate = match gates.iter().find(|(known, _)| known.is_same(&credential)) {
            Some((_, gate)) => Arc::clone(gate),
            None => {
                let gate = Gate::new();
                gates.push((credential.clone(), Arc::clone(&gate)));
                gate
            }
        };
        Ok((name, OrgAccess { client, credential, gate }))
    };
    connectors.iter().map(client).collect()
}

fn avro_topics(connectors: &[Arc<ConnectorConfig>]) -> BTreeSet<String> {
    let avro = connectors.iter().filter(|connector| connector.format == Format::Avro);
    avro.map(|connector| connector.topic.name.clone()).collect()
}

fn registry(
    connectors: &[Arc<ConnectorConfig>],
    config: Option<&SchemaRegistryConfig>,
    network: &Network,
) -> Result<Option<Registry>, RegistryError> {
    let is_needed = connectors.iter().any(|connector| connector.format == Format::Avro);
    config.filter(|_| is_needed).map(|config| Registry::new(config, network)).transpose()
}

/// Host and process: enough to find a worker that has no name of its own.
fn worker_name() -> String {
    let host = std::env::var("HOSTNAME").ok().or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    format!("{}-{}", host.as_deref().map_or("worker", str::trim), std::process::id())
}
