//! The programs that are scraped: deployments that something happens to, each in a namespace of its own, and the twin.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use okta_kafka_source::simulator::SimulatorConfig;
use tempfile::TempDir;

use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::{Connector, utf8};
use crate::support::org::Org;
use crate::support::prometheus::Scrapes;
use crate::support::registry::{Registry, shared_registry};
use crate::support::shared_broker::shared_broker;
use crate::support::topics::create_topic;
use crate::support::{checkpoint, java_partitioner, prove};

const WAIT: Duration = Duration::from_secs(90);
/// Of each deployment's offsets topic, as `ConfigYaml` has it.
const SHARDS: i32 = 4;

/// A worker that can be ended and started again, or be started later.
pub struct Worker {
    pub namespace: &'static str,
    pub config: ConfigYaml,
    process: Mutex<Option<Connector>>,
    /// Whether Prometheus knows of it.
    scraped: bool,
    /// Whether it runs before the faults are made.
    early: bool,
}

impl Worker {
    fn new(namespace: &'static str, config: ConfigYaml) -> Self {
        Self { namespace, config, process: Mutex::default(), scraped: true, early: true }
    }

    fn late(self) -> Self {
        Self { early: false, ..self }
    }

    fn hidden(self) -> Self {
        Self { scraped: false, early: false, ..self }
    }

    pub fn start(&self) {
        *self.process.lock().unwrap() = Some(Connector::spawn(&self.config, &[]));
    }

    pub fn kill9(&self) {
        self.process.lock().unwrap().take().expect("it runs").kill9();
    }

    pub fn stop(&self) {
        self.process.lock().unwrap().take().expect("it runs").stop();
    }

    /// A metric of one of its connectors.
    pub fn of(&self, connector: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.process.lock().unwrap().as_ref().and_then(|process| process.of(connector, name, labels))
    }

    fn await_ready(&self) {
        let process = self.process.lock().unwrap();
        let _ = process.as_ref().expect("it runs").await_http("/readyz", 200, WAIT);
    }
}

/// A connector that a fault is made for, in the deployment `faulty` or one of its own.
pub struct Victim {
    pub name: String,
    pub org: Org,
}

/// All of it.
pub struct Stage {
    pub bootstrap: String,
    pub workers: Vec<Worker>,
    pub victims: Vec<(&'static str, Victim)>,
    pub registry: Registry,
    /// The API token of `failed`, in a file.
    pub token_file: PathBuf,
    twins: usize,
    _orgs: Vec<Org>,
    _folder: TempDir,
}

/// A name for a connector that lives in this shard.
fn name_in(shard: i32, purpose: &str, org: &Org) -> String {
    let lives_there = |name: &String| {
        java_partitioner::partition(checkpoint::key(name, &org.authority()).as_bytes(), SHARDS) == shard
    };
    (0..).map(|number| format!("{purpose}-{number}")).find(lives_there).unwrap()
}

impl Stage {
    /// Everything but the processes. None where a part is missing.
    pub fn build(interval: Duration) -> Option<Self> {
        let kafka = shared_broker()?;
        let registry_url = shared_registry()?.url();
        let registry = Registry::not_started()?;
        let folder = TempDir::with_prefix("alerts-").unwrap();
        let token_file = folder.path().join("token");
        let interval = format!("{}ms", interval.as_millis());
        let base = |org: &Org, name: &str| org.connector(name).interval(&interval);
        let avro = |connector: ConnectorYaml| connector.extra("format: avro");
        let config = || ConfigYaml::new(kafka.bootstrap()).schema_registry(&registry_url);
        let quick = Duration::from_secs(1);
        let mut victims = Vec::new();
        let mut victim = |purpose: &'static str, shard: i32, config: SimulatorConfig| {
            let org = Org::start(config);
            let connector = base(&org, &name_in(shard, purpose, &org));
            victims.push((purpose, Victim { name: connector.name.clone(), org }));
            connector
        };
        let usual = || SimulatorConfig { events: 20, rate_limit_wait: quick, ..SimulatorConfig::default() };

        let mut faulty = config().connector(victim("odd", 0, usual()));
        let mut workers = Vec::new();
        if prove::full() {
            let mut failed = victim("failed", 0, usual());
            failed.token = format!("${{file:{}}}", utf8(&token_file));
            let quota = SimulatorConfig { rate_limit: 100, rate_limit_window: 5 * quick, ..usual() };
            faulty = faulty
                .connector(failed)
                .connector(victim("stale", 0, usual()))
                .connector(victim("limited", 1, usual()))
                .connector(victim("quota", 1, quota))
                .connector(victim("cursor", 1, usual()))
                .connector(avro(victim("drift", 2, usual())))
                // Alone in its shard: who is fenced takes the others of it along.
                .connector(victim("fenced", 3, usual()));
            let slow = SimulatorConfig { events: 0, latency: quick / 2, ..usual() };
            let slow = config().connector(victim("slow", 0, slow).extra("limit: 10"));
            let unread = config().connector(victim("unread", 0, usual()));
            create_topic(kafka.bootstrap(), &unread.offsets_topic, SHARDS, &[("cleanup.policy", "compact")]);
            let missing = config().connector(victim("missing", 0, usual()));
            create_topic(kafka.bootstrap(), &missing.offsets_topic, SHARDS, &[("cleanup.policy", "compact")]);
            let waiting = ConfigYaml::new(kafka.bootstrap()).schema_registry(&registry.url());
            let waiting = waiting.connector(avro(victim("registry", 0, usual())));
            let pair = config().connector(victim("pair", 0, usual()));
            let shards = config().connector(victim("shards", 0, usual()));
            let restarts = config().connector(victim("restarts", 0, usual()));
            workers.extend([
                Worker::new("restarts", restarts),
                Worker::new("slow", slow).late(),
                Worker::new("unread", unread).late(),
                Worker::new("missing", missing).late(),
                Worker::new("registry", waiting).late(),
                Worker::new("pair", pair.second_worker()),
                Worker::new("pair", pair),
                Worker::new("hidden", shards.second_worker()).hidden(),
                Worker::new("shards", shards),
            ]);
        }
        workers.push(Worker::new("faulty", faulty));
        workers.push(Worker::new("lone", config().connector(victim("lone", 0, usual()))));
        if let Some((_, failed)) = victims.iter().find(|(purpose, _)| *purpose == "failed") {
            fs::write(&token_file, failed.org.token()).unwrap();
        }

        let quiet = Org::with_events(5);
        let busy = Org::start(SimulatorConfig { events: 2_000, live_rate: 5.0, ..usual() });
        let typed = Org::start(SimulatorConfig { events: 200, live_rate: 1.0, ..usual() });
        let twin = config().connector(base(&quiet, "quiet")).connector(base(&busy, "busy"));
        let twin = twin.connector(avro(base(&typed, "typed")));
        let twins = twin.connectors.len();
        workers.extend([Worker::new("twin", twin.second_worker()), Worker::new("twin", twin)]);
        Some(Self {
            bootstrap: kafka.bootstrap().to_owned(),
            workers,
            victims,
            registry,
            token_file,
            twins,
            _orgs: vec![quiet, busy, typed],
            _folder: folder,
        })
    }

    /// All that is scraped, also what is started later.
    pub fn targets(&self, scrapes: Scrapes) -> Scrapes {
        self.workers.iter().filter(|worker| worker.scraped).fold(scrapes, |scrapes, worker| {
            scrapes.target(&worker.config.http_listen, &[("job", "okta-kafka-source"), ("namespace", worker.namespace)])
        })
    }

    /// Starts what runs before the faults, and waits until all of it carries events.
    pub fn start(&self) {
        for worker in self.early() {
            worker.start();
        }
        for worker in self.early() {
            worker.await_ready();
        }
        let late = ["slow", "unread", "missing", "registry"];
        for (_, victim) in self.victims.iter().filter(|(purpose, _)| !late.contains(purpose)) {
            victim.org.await_requests(3, WAIT);
        }
    }

    /// How many targets answer then.
    pub fn running(&self) -> usize {
        self.early().filter(|worker| worker.scraped).count()
    }

    fn early(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(|worker| worker.early)
    }

    /// The worker of a namespace.
    pub fn worker(&self, namespace: &str) -> &Worker {
        self.workers.iter().find(|worker| worker.namespace == namespace).unwrap()
    }

    /// The connector with that fault.
    pub fn victim(&self, purpose: &str) -> &Victim {
        let (_, victim) = self.victims.iter().find(|(is, _)| *is == purpose).unwrap();
        victim
    }

    /// A rolling restart.
    pub fn restart_the_twins_workers(&self) {
        for worker in self.workers.iter().filter(|worker| worker.namespace == "twin") {
            worker.stop();
            worker.start();
            worker.await_ready();
        }
    }

    /// How many connectors have no fault.
    pub fn silent_twins(&self) -> usize {
        self.twins
    }
}
