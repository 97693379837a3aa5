//! One run of either side, in a process of its own, on topics of its own.

use std::fmt;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;

use crate::bare_loop;
use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::{ConfigFile, Connector};
use crate::support::org::Org;
use crate::support::process::Process;
use crate::support::registry::Registry;
use crate::support::tail::Tail;
use crate::support::topics::{Isolation, create_topic, delete_topics};
use crate::usage;

/// No run takes longer, on a machine that does ten other things as well.
const TIMEOUT: Duration = Duration::from_secs(600);

const CONNECTOR: &str = "bench";

/// What a run took.
#[derive(Clone, Debug)]
pub struct Cost {
    /// From the first request that the org saw to the last event committed, or to the last delivery.
    pub wall: Duration,
    /// User and system time of the process, from its start to its end.
    pub cpu: Duration,
    /// The most memory that the process held.
    pub peak_kib: u64,
    /// Transactions and their mean duration; the bare loop has none.
    pub transactions: Option<(f64, Duration)>,
}

impl Cost {
    /// The peak of the memory in MiB.
    pub fn peak_mib(&self) -> f64 {
        self.peak_kib as f64 / 1024.0
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wall, cpu) = (self.wall.as_secs_f64(), self.cpu.as_secs_f64());
        write!(f, "{wall:6.2} s wall {cpu:5.2} s CPU {:5.1} MiB", self.peak_mib())?;
        if let Some((count, mean)) = self.transactions {
            write!(f, " ({count} transactions of {:.1} ms)", mean.as_secs_f64() * 1000.0)?;
        }
        Ok(())
    }
}

/// A configuration with topics of its own, which exist from before the measurement until this is dropped.
pub struct Setting<'a> {
    /// The file of both sides.
    pub config: ConfigYaml,
    org: &'a Org,
    events: usize,
}

impl<'a> Setting<'a> {
    /// All of the org's events into topics on this broker.
    pub fn new(bootstrap: &str, org: &'a Org) -> Self {
        Self::of(ConfigYaml::new(bootstrap), org.connector(CONNECTOR), org)
    }

    /// The same as Avro.
    pub fn avro(bootstrap: &str, org: &'a Org, registry: &Registry) -> Self {
        Self::of(
            ConfigYaml::new(bootstrap).schema_registry(&registry.url()),
            org.connector(CONNECTOR).extra("format: avro"),
            org,
        )
    }

    fn of(config: ConfigYaml, connector: ConnectorYaml, org: &'a Org) -> Self {
        let connector = connector.extra("limit: 100");
        let bootstrap = config.bootstrap.clone();
        let partitions = i32::try_from(connector.topic_partitions).unwrap();
        create_topic(&bootstrap, &connector.topic, partitions, &[]);
        let config = config.connector(connector);
        let shards = i32::try_from(config.offsets_partitions).unwrap();
        create_topic(&bootstrap, &config.offsets_topic, shards, &[("cleanup.policy", "compact")]);
        Self { config, org, events: org.event_count() }
    }

    /// The topic of the events.
    pub fn topic(&self) -> &str {
        &self.config.connectors[0].topic
    }

    /// The shipped connector, until its offset says that the last event is committed.
    pub fn connector(&self) -> Cost {
        let last = self.org.uuids().pop().expect("the org has an event with a uuid");
        let mut offsets = Tail::from_end(&self.config.bootstrap, &self.config.offsets_topic, Isolation::ReadCommitted);
        let first_request = self.org.request_count();
        let cpu_before = usage::cpu_of_ended_children();
        let connector = Connector::spawn(&self.config, &[]);
        loop {
            let record = offsets.next(TIMEOUT);
            let record = record.unwrap_or_else(|| panic!("no offset for {TIMEOUT:?}:\n{}", connector.log()));
            if record.value_text().contains(&last) {
                break;
            }
        }
        let wall = self.since_request(first_request);
        let peak_kib = usage::peak_memory_kib(connector.process().pid());
        // A reader sees a commit before the connector's own call returns.
        let all = |events| events == self.events as f64;
        let _ = connector.await_of(CONNECTOR, "events_committed_total", &[], all, Duration::from_secs(30));
        let transactions = transactions(&connector);
        connector.terminate();
        let status = connector.wait(Duration::from_secs(30));
        assert_eq!(status.code(), Some(0), "{}", connector.log());
        let cpu = usage::cpu_of_ended_children() - cpu_before;
        Cost { wall, cpu, peak_kib, transactions }
    }

    /// The bare loop.
    pub fn bare_loop(&self) -> Cost {
        let file = ConfigFile::new(&self.config.render());
        let first_request = self.org.request_count();
        let cpu_before = usage::cpu_of_ended_children();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let _ = command.arg(bare_loop::COMMAND).arg(file.path()).arg(self.events.to_string());
        let process = Process::spawn("bare loop", command);
        let line = process.await_line("that all was delivered", |line| line.starts_with(bare_loop::DONE), TIMEOUT);
        let wall = self.since_request(first_request);
        let peak_kib = line[bare_loop::DONE.len()..].parse().unwrap();
        let status = process.wait(Duration::from_secs(30));
        assert_eq!(status.code(), Some(0), "{}", process.tail(40));
        let cpu = usage::cpu_of_ended_children() - cpu_before;
        Cost { wall, cpu, peak_kib, transactions: None }
    }

    fn since_request(&self, number: usize) -> Duration {
        let now = Timestamp::now();
        Duration::try_from(now.duration_since(self.org.requests()[number].at)).unwrap()
    }
}

impl Drop for Setting<'_> {
    fn drop(&mut self) {
        let dead_letters = format!("{}.dlq", self.topic());
        delete_topics(&self.config.bootstrap, &[self.topic(), &dead_letters, &self.config.offsets_topic]);
    }
}

fn transactions(connector: &Connector) -> Option<(f64, Duration)> {
    let count = connector.of(CONNECTOR, "transaction_duration_seconds_count", &[])?;
    let sum = connector.of(CONNECTOR, "transaction_duration_seconds_sum", &[])?;
    Some((count, Duration::from_secs_f64(sum / count)))
}
