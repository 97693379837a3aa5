//! A cluster of three: brokers die and come back under load, the leader of the offsets partition and the coordinator of its
//! transactions among them; and for a while there is no majority.

use std::time::{Duration, Instant};

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::checkpoint;
use crate::support::cluster::Cluster;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::java_partitioner;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::tail::Tail;
use crate::support::topics::{Isolation, topic_config};

const WAIT: Duration = Duration::from_secs(120);
/// Events that come later than a kill by that many are no leftovers of before it.
const FURTHER: f64 = 600.0;

fn committed(worker: &Connector) -> f64 {
    worker.of("acme", "events_committed_total", &[]).unwrap_or_default()
}

#[test]
fn brokers_of_three_die_in_turn_and_two_at_once() {
    let kills = prove::scale(12, 1);
    let Some(cluster) = Cluster::start() else { return };
    let org = Org::start(SimulatorConfig {
        events: prove::scale(150_000, 20_000),
        latency: Duration::from_millis(100),
        ..Default::default()
    });
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(&cluster.bootstrap())
        .kafka("producer: {linger.ms: 200, batch.num.messages: 10}")
        .connector(acme);
    let worker = Connector::spawn(&config, &[]);
    let _ = worker.await_of("acme", "events_committed_total", &[], |value| value > 0.0, WAIT);
    // What we create survives the loss of one broker, and needs two.
    for created in [&topic, &format!("{topic}.dlq"), &config.offsets_topic] {
        let insync = topic_config(&cluster.bootstrap(), created, "min.insync.replicas");
        assert_eq!(insync.as_deref(), Some("2"), "{created}");
        assert!(cluster.replicas(created).iter().all(|replicas| *replicas == 3), "{created}");
    }
    assert!(!worker.log().contains("a lost broker can lose"), "{}", worker.log());
    let shard = java_partitioner::partition(checkpoint::key("acme", &org.authority()).as_bytes(), 4);
    let id = format!("{}-{shard}", config.offsets_topic);
    let mut longest = Duration::ZERO;
    for kill in 0..kills {
        cluster.await_in_sync();
        let node = match kill % 3 {
            0 => cluster.leader(&config.offsets_topic, shard),
            1 => cluster.transaction_coordinator(&id),
            _ => cluster.leader(&topic, kill % 3),
        };
        let mut tail = Tail::from_end(&cluster.bootstrap(), &topic, Isolation::ReadUncommitted);
        assert!(tail.next_transaction(WAIT).is_some(), "the backlog does not go on:\n{}", worker.process().tail(40));
        cluster.broker(node).kill9();
        let killed = Instant::now();
        assert!(org.asked() < org.event_count(), "the backlog was asked for before the last kill");
        let before = committed(&worker);
        let _ = worker.await_of("acme", "events_committed_total", &[], |value| value > before, WAIT);
        longest = longest.max(killed.elapsed());
        // Goes on with two, not only with what was under way.
        let _ = worker.await_of("acme", "events_committed_total", &[], |value| value >= before + FURTHER, WAIT);
        drop(tail);
        cluster.restart(&[node]);
    }
    // Two of three: nobody can be sure of anything, so nothing is committed.
    cluster.await_in_sync();
    let stays = cluster.leader(&config.offsets_topic, shard);
    let gone: Vec<i32> = (1..=3).filter(|node| *node != stays).collect();
    let mark = worker.process().line_count();
    for node in &gone {
        cluster.broker(*node).kill9();
    }
    let down = Instant::now();
    // A commit that was decided before may still be told, also by the coordinator's answer to a second question.
    let still = prove::scale(Duration::from_secs(10), Duration::from_secs(4));
    let mut before = committed(&worker);
    let mut since = Instant::now();
    while since.elapsed() < still {
        worker.process().runs_on(Duration::from_millis(200));
        let now = committed(&worker);
        // A shard that was lost takes its series with it.
        if now > before {
            (before, since) = (now, Instant::now());
        }
        assert!(down.elapsed() < WAIT, "{now} events, and more all the time, with one of three brokers");
    }
    // The word comes when the records have timed out, or the group's session has: not waited for in the shortened run.
    if prove::full() {
        let problem = |line: &str| line.contains("no broker took a record in time") || line.contains("does not answer");
        let said = worker.process().wait_for_line_after(mark, problem, WAIT);
        println!("{:?} after two died: {said:?}", down.elapsed());
        assert!(said.is_some(), "no word about it:\n{}", worker.process().tail(40));
        // Not asked of /readyz: where the broker that is left keeps the group, the worker is still a member of it.
    }
    let long = prove::scale(Duration::from_secs(60), Duration::from_secs(6));
    worker.process().runs_on(long.saturating_sub(down.elapsed()));
    // A shard that was lost takes its series with it.
    let now = worker.of("acme", "events_committed_total", &[]);
    assert!(
        now.is_none_or(|now| now == before || now == 0.0),
        "{before} events, then {now:?} with one of three brokers"
    );
    let down = down.elapsed();
    cluster.restart(&gone);
    let back = Instant::now();
    let goes_on = |value: f64| value > 0.0 && value != before;
    let _ = worker.await_of("acme", "events_committed_total", &[], goes_on, WAIT);
    let back = back.elapsed();
    let _ = worker.await_http("/readyz", 200, WAIT);
    org.set_latency(Duration::ZERO);
    worker.await_caught_up(&org, "acme", WAIT);
    let difference = Difference::must_be_none(&cluster.bootstrap(), &topic, &org, &worker.process().tail(40));
    worker.stop();
    prove::row(
        "three-brokers",
        "A cluster of three brokers loses one at any moment without anything being lost or doubled, and two without a commit",
        &format!(
            "replication 3, min.insync.replicas 2; within a backlog of {} events kill -9 of {kills} brokers in an open transaction \
             and with pages still to be asked for: in turn the leader of the offsets partition, the coordinator of its transactions \
             and a leader of the topic; then of two at once, for {} s",
            org.event_count(),
            down.as_secs()
        ),
        &format!(
            "{difference}; longest time without a commit {:.1} s with one down; none committed with two down, and again {:.1} s after \
             they were back",
            longest.as_secs_f64(),
            back.as_secs_f64()
        ),
    );
}
