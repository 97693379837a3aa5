//! Three real brokers: replication, leaders that move, and a majority that can be lost.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use super::broker::Broker;
use super::ports::free_port;
use super::topics::{Isolation, consumer};

const CALL: Duration = Duration::from_secs(10);
const WAIT: Duration = Duration::from_secs(90);
/// Directory ids of the controllers, as `kafka-storage.sh random-uuid` makes them.
const DIRECTORY_IDS: [&str; 3] = ["J8bXcDqkT3mKq2RaAAAA0Q", "J8bXcDqkT3mKq2RaAAAA0g", "J8bXcDqkT3mKq2RaAAAA0w"];
/// Partitions of `__transaction_state`, as the script sets them.
const TRANSACTION_PARTITIONS: i32 = 4;

/// Brokers 1, 2 and 3, each of which is a controller as well. Everything is kept three times, and written at least twice.
pub struct Cluster {
    brokers: Vec<Broker>,
}

impl Cluster {
    /// Starts three brokers, or says which part is missing and gives `None`. They notice a dead one after 3 s.
    pub fn start() -> Option<Self> {
        if !Broker::can_start() {
            return None;
        }
        let ports: Vec<u16> = DIRECTORY_IDS.iter().map(|_| free_port()).collect();
        let nodes = || (1..).zip(&ports).zip(DIRECTORY_IDS);
        let quorum: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let initial: Vec<String> = nodes().map(|((node, port), id)| format!("{node}@127.0.0.1:{port}:{id}")).collect();
        let member = |node: i32, port: u16| {
            let mut properties = vec![
                ("node.id".to_owned(), node.to_string()),
                ("controller.quorum.bootstrap.servers".to_owned(), quorum.join(",")),
            ];
            for (key, value) in [
                ("default.replication.factor", "3"),
                ("offsets.topic.replication.factor", "3"),
                ("transaction.state.log.replication.factor", "3"),
                ("transaction.state.log.min.isr", "2"),
                ("broker.session.timeout.ms", "3000"),
                ("broker.heartbeat.interval.ms", "500"),
                ("replica.lag.time.max.ms", "5000"),
            ] {
                properties.push((key.to_owned(), value.to_owned()));
            }
            Broker::member(port, &initial.join(","), properties)
        };
        let cluster = Self { brokers: nodes().map(|((node, port), _)| member(node, *port)).collect() };
        cluster.restart(&[1, 2, 3]);
        Some(cluster)
    }

    /// All three, with commas.
    pub fn bootstrap(&self) -> String {
        let all: Vec<String> = self.brokers.iter().map(Broker::bootstrap).collect();
        all.join(",")
    }

    /// The broker of that number.
    pub fn broker(&self, node: i32) -> &Broker {
        &self.brokers[usize::try_from(node - 1).unwrap()]
    }

    /// Starts these at the same time, and waits until they are ready.
    pub fn restart(&self, nodes: &[i32]) {
        std::thread::scope(|scope| {
            for node in nodes {
                let _ = scope.spawn(|| self.broker(*node).restart());
            }
        });
    }

    /// Who leads that partition now.
    pub fn leader(&self, topic: &str, partition: i32) -> i32 {
        let consumer = consumer(&self.bootstrap(), Isolation::ReadUncommitted);
        let deadline = Instant::now() + WAIT;
        loop {
            let metadata = consumer.fetch_metadata(Some(topic), CALL).unwrap();
            let partitions = metadata.topics().first().unwrap().partitions();
            let leader = partitions.iter().find(|one| one.id() == partition).map(|one| one.leader());
            if let Some(leader) = leader.filter(|leader| *leader >= 1) {
                return leader;
            }
            assert!(Instant::now() < deadline, "{topic}-{partition} has no leader");
            let _ = consumer.poll(Duration::from_millis(100));
        }
    }

    /// Who coordinates the transactions of that id now: the leader of the partition that its Java hash names.
    pub fn transaction_coordinator(&self, transactional_id: &str) -> i32 {
        let hash =
            transactional_id.bytes().fold(0_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte)));
        self.leader("__transaction_state", (hash & i32::MAX) % TRANSACTION_PARTITIONS)
    }

    /// How many replicas each partition of a topic has.
    pub fn replicas(&self, topic: &str) -> Vec<usize> {
        let consumer = consumer(&self.bootstrap(), Isolation::ReadUncommitted);
        let metadata = consumer.fetch_metadata(Some(topic), CALL).unwrap();
        metadata.topics().first().unwrap().partitions().iter().map(|one| one.replicas().len()).collect()
    }

    /// Waits until every partition of this topic has so many in-sync replicas.
    pub fn await_in_sync_replicas(&self, topic: &str, count: usize) {
        let consumer = consumer(&self.bootstrap(), Isolation::ReadUncommitted);
        let deadline = Instant::now() + WAIT;
        loop {
            let metadata = consumer.fetch_metadata(Some(topic), CALL);
            let found = metadata.as_ref().ok().and_then(|metadata| metadata.topics().first());
            if found.is_some_and(|topic| topic.partitions().iter().all(|one| one.isr().len() == count)) {
                return;
            }
            assert!(Instant::now() < deadline, "{topic} has not {count} in-sync replicas");
            // Nothing is assigned: this only waits.
            let _ = consumer.poll(Duration::from_millis(100));
        }
    }

    /// Waits until every partition of every topic is on all three brokers again, so that the next one may be killed.
    pub fn await_in_sync(&self) {
        let consumer = consumer(&self.bootstrap(), Isolation::ReadUncommitted);
        let deadline = Instant::now() + WAIT;
        loop {
            let metadata = consumer.fetch_metadata(None, CALL);
            let all = metadata.as_ref().is_ok_and(|metadata| {
                let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
                metadata.brokers().len() == self.brokers.len()
                    && partitions.all(|one| one.isr().len() == self.brokers.len())
            });
            if all {
                return;
            }
            assert!(Instant::now() < deadline, "the replicas are not in sync");
            // Nothing is assigned: this only waits.
            let _ = consumer.poll(Duration::from_millis(200));
        }
    }
}
