//! Several workers of one group: each shard has one owner, a dead one's shards are taken over, a zombie changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::tail::Tail;
use crate::support::topics::{Isolation, create_topic, random_name, read_aborted, read_all};

const WAIT: Duration = Duration::from_secs(90);
/// Six seconds are the least that a broker allows by default.
const CLASSIC: &str = "session.timeout.ms: 6000";
/// KIP-848; the tests' own broker has lowered the session to six seconds.
const NEW: &str = "group.protocol: consumer";
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Six connectors, an org for each, in one group.
struct Fleet {
    orgs: Vec<Org>,
    config: ConfigYaml,
}

impl Fleet {
    fn new(bootstrap: &str, consumer: &str, events: usize, latency: Duration) -> Self {
        let config = SimulatorConfig { events, latency, ..SimulatorConfig::default() };
        let orgs: Vec<Org> = NAMES.iter().map(|_| Org::start(config.clone())).collect();
        let mut config = ConfigYaml::new(bootstrap).kafka(&format!("consumer: {{{consumer}}}"));
        for (org, name) in orgs.iter().zip(NAMES) {
            config = config.connector(org.connector(name).interval("200ms"));
        }
        Self { orgs, config }
    }

    /// The connectors that this worker shows.
    fn shown_by(worker: &Connector) -> BTreeSet<&'static str> {
        let text = worker.http("/metrics").map(|answer| answer.body).unwrap_or_default();
        NAMES.into_iter().filter(|name| text.contains(&format!("connector=\"{name}\""))).collect()
    }

    /// Waits until `workers` own all shards between them, and show each connector once.
    fn await_shared(&self, workers: &[&Connector]) {
        for worker in workers {
            let share = f64::from(self.config.offsets_partitions) / workers.len() as f64;
            let _ = worker.await_metric("okta_kafka_source_shards_owned", &[], |owned| owned == share, WAIT);
        }
        let deadline = std::time::Instant::now() + WAIT;
        loop {
            let shown: Vec<_> = workers.iter().map(|worker| Self::shown_by(worker)).collect();
            if shown.iter().map(BTreeSet::len).sum::<usize>() == NAMES.len()
                && shown.iter().flatten().collect::<BTreeSet<_>>().len() == NAMES.len()
            {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "each connector once, on one worker: {shown:?}");
        }
    }

    fn await_caught_up(&self, worker: &Connector) {
        for (org, name) in self.orgs.iter().zip(NAMES) {
            worker.await_caught_up(org, name, WAIT);
        }
    }

    fn event_count(&self) -> usize {
        self.orgs.iter().map(|org| org.event_count()).sum()
    }

    fn difference(&self) -> Difference {
        let mut sum = Difference::default();
        for (org, connector) in self.orgs.iter().zip(&self.config.connectors) {
            let records = read_all(&self.config.bootstrap, &connector.topic, Isolation::ReadCommitted);
            let one = Difference::between(org.uuids().iter().map(String::as_str), &records);
            sum.lost.extend(one.lost);
            sum.twice.extend(one.twice);
            sum.strange.extend(one.strange);
        }
        sum
    }
}

/// Shards are shared, handed over when a worker comes or goes in peace, and taken over when one is killed.
#[test]
fn two_workers_share_the_shards_and_take_over() {
    share_and_take_over(CLASSIC, "two-workers");
}

#[test]
fn two_workers_share_the_shards_with_the_new_group_protocol() {
    share_and_take_over(NEW, "two-workers-new-protocol");
}

fn share_and_take_over(consumer: &str, row: &str) {
    let Some(kafka) = shared_broker() else { return };
    let fleet = Fleet::new(kafka.bootstrap(), consumer, 4_000, Duration::from_millis(60));
    let first = Connector::spawn(&fleet.config, &[]);
    fleet.await_shared(&[&first]);
    // In the middle of the backlogs a second one comes, and the first one is killed.
    let second = Connector::spawn(&fleet.config.second_worker(), &[]);
    fleet.await_shared(&[&first, &second]);
    first.kill9();
    fleet.await_shared(&[&second]);
    // A third comes, and the second one goes in peace.
    let third = Connector::spawn(&fleet.config.second_worker(), &[]);
    fleet.await_shared(&[&second, &third]);
    second.terminate();
    assert_eq!(second.wait(Duration::from_secs(10)).code(), Some(0));
    fleet.await_shared(&[&third]);
    fleet.await_caught_up(&third);
    let difference = fleet.difference();
    assert!(difference.is_none(), "{difference}");
    prove::row(
        row,
        "Workers of one group share the connectors, and a dead one's are taken over",
        &format!(
            "six connectors with 4000 events each and `{consumer}`: a second worker comes, the first is killed -9, a third \
             comes, the second is stopped"
        ),
        &format!("each connector on one worker at a time; {difference} of {} events", fleet.event_count()),
    );
}

/// A worker that stood still for longer than its session, with transactions open, while another took its shards over:
/// when it goes on, it commits nothing, and finds its way back into the group.
#[test]
fn a_zombie_commits_nothing() {
    let Some(kafka) = shared_broker() else { return };
    let fleet = Fleet::new(kafka.bootstrap(), CLASSIC, 3_000, Duration::from_millis(60));
    for connector in &fleet.config.connectors {
        create_topic(kafka.bootstrap(), &connector.topic, 3, &[]);
    }
    let config = fleet.config.clone().kafka("producer: {linger.ms: 400, batch.num.messages: 10}");
    let topic = &config.connectors[0].topic;
    let mut tail = Tail::from_end(kafka.bootstrap(), topic, Isolation::ReadUncommitted);
    let zombie = Connector::spawn(&config, &[]);
    let seen = tail.next_transaction(WAIT);
    assert!(seen.is_some(), "{}", zombie.process().tail(40));
    zombie.freeze();
    let successor = Connector::spawn(&config.second_worker(), &[]);
    fleet.await_shared(&[&successor]);
    let _ = successor.await_of("a", "events_committed_total", &[], |value| value > 0.0, WAIT);
    zombie.thaw();
    fleet.await_shared(&[&successor, &zombie]);
    // Both go on to the end; whoever has a connector says when it is done.
    for (org, name) in fleet.orgs.iter().zip(NAMES) {
        let owner = if Fleet::shown_by(&zombie).contains(name) { &zombie } else { &successor };
        owner.await_caught_up(org, name, WAIT);
    }
    assert!(zombie.process().is_running());
    let difference = fleet.difference();
    assert!(difference.is_none(), "{difference}");
    let aborted = read_aborted(kafka.bootstrap(), topic).len();
    assert!(aborted > 0, "the zombie's open transaction was aborted");
    prove::row(
        "zombie",
        "A worker that stood still while another took over commits nothing when it goes on",
        "SIGSTOP when a read_uncommitted consumer saw a transaction's first record; SIGCONT when another worker had taken over \
         all shards and committed",
        &format!("{difference} of {} events; {aborted} records of its transaction were aborted", fleet.event_count()),
    );
}

/// A second process with the same `group_instance_id` makes the first one go, with the code of the contract.
#[test]
fn a_second_process_of_the_same_name_ends_the_first() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(500);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let name = random_name("worker");
    let config = ConfigYaml::new(kafka.bootstrap()).group_instance_id(&name).connector(acme);
    let first = Connector::spawn(&config, &[]);
    first.await_caught_up(&org, "acme", WAIT);
    let second = Connector::spawn(&config.second_worker(), &[]);
    assert_eq!(first.wait(WAIT).code(), Some(3), "{}", first.process().tail(40));
    assert!(first.log().contains("group_instance_id") && first.log().contains(&name), "{}", first.process().tail(10));
    org.generate(130);
    second.await_caught_up(&org, "acme", WAIT);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let difference = Difference::between(org.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
}

/// With the new protocol a name is not released by a kill, but by the session's end: until then the next process of that
/// name tries again, and does not give up.
#[test]
fn a_killed_worker_comes_back_under_its_name_with_the_new_group_protocol() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(500);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap())
        .kafka(&format!("consumer: {{{NEW}}}"))
        .group_instance_id(&random_name("worker"))
        .connector(acme);
    for _ in 0..2 {
        let worker = Connector::spawn(&config, &[]);
        worker.await_caught_up(&org, "acme", WAIT);
        org.generate(130);
        worker.kill9();
    }
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let difference = Difference::between(org.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
}
