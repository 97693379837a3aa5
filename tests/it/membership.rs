//! A worker's place in its group: a name that another worker has, a topic that changes under it, and what `/readyz` says.

use std::time::{Duration, Instant};

use crate::support::checkpoint;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{add_partitions, end_offsets, random_name};

const WAIT: Duration = Duration::from_secs(90);

/// With the new group protocol a name is its worker's until its session ends, so a second worker of that name waits: the
/// first one may have been killed. When it still is there after a minute, the second one ends with 3 and says why; it was
/// never ready, and the first one never noticed.
#[test]
#[ignore = "a session is waited for, 60 s: make prove"]
fn a_name_that_is_never_released_ends_the_second_worker() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(150);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let name = random_name("worker");
    let config = ConfigYaml::new(kafka.bootstrap())
        .kafka("consumer: {group.protocol: consumer}")
        .group_instance_id(&name)
        .connector(acme);
    let first = Connector::spawn(&config, &[]);
    first.await_caught_up(&org, "acme", WAIT);
    let second = Connector::spawn(&config.second_worker(), &[]);
    let began = Instant::now();
    let _ = second.await_http("/readyz", 503, WAIT);
    while began.elapsed() < Duration::from_secs(50) {
        let answer = second.http("/readyz").unwrap_or_else(|| panic!("it gave up:\n{}", second.process().tail(40)));
        assert_eq!(answer.status, 503, "{answer:?}");
        org.generate(10);
        first.await_caught_up(&org, "acme", WAIT);
    }
    assert_eq!(second.wait(WAIT).code(), Some(3), "{}", second.process().tail(40));
    let waited = began.elapsed();
    assert!(
        second.log().contains("group_instance_id") && second.log().contains(&name),
        "{}",
        second.process().tail(10)
    );
    assert_eq!(first.http("/readyz").unwrap().status, 200);
    let _ = Difference::must_be_none(kafka.bootstrap(), &topic, &org, &first.process().tail(40));
    first.stop();
    prove::row(
        "name-in-use",
        "A second worker under a `group_instance_id` that is in use waits for a session, and then ends with exit code 3",
        "two workers of one name with `group.protocol: consumer`, while the first one goes on",
        &format!(
            "exit code 3 after {} s, never ready until then; the first one committed all the while",
            waited.as_secs()
        ),
    );
}

/// Partitions that somebody adds to the offsets topic move checkpoints to where nobody looks for them: the shards stop, and
/// the message says what to set.
#[test]
fn partitions_added_to_the_offsets_topic_stop_the_shards() {
    let Some(kafka) = shared_broker() else { return };
    for protocol in ["classic", "consumer"] {
        let org = Org::with_events(150);
        let acme = org.connector("acme").interval("200ms");
        let topic = acme.topic.clone();
        let config = ConfigYaml::new(kafka.bootstrap())
            .kafka(&format!("consumer: {{group.protocol: {protocol}}}"))
            // librdkafka looks every five minutes by default; we look once a minute whatever it does.
            .kafka("topic.metadata.refresh.interval.ms: 1000")
            .connector(acme);
        let worker = Connector::spawn(&config, &[]);
        worker.await_caught_up(&org, "acme", WAIT);
        add_partitions(kafka.bootstrap(), &config.offsets_topic, 5);
        let recipe = |line: &str| line.contains("5 partitions") && line.contains("set it to 5");
        let line = worker.await_log("the recipe", recipe, WAIT);
        assert!(line.contains("ERROR"), "{line}");
        let _ = worker.await_metric("okta_kafka_source_shards_owned", &[], |owned| owned == 0.0, WAIT);
        let answer = worker.await_http("/readyz", 503, WAIT);
        assert!(recipe(&answer.body), "{answer:?}");
        // Nothing is asked any more, and nothing committed.
        let ends = end_offsets(kafka.bootstrap(), &topic);
        let requests = org.request_count();
        org.generate(50);
        let again = worker.process().line_count();
        let told = worker.process().wait_for_line_after(again, recipe, WAIT);
        assert!(told.is_some(), "it is said again at the next look:\n{}", worker.process().tail(20));
        assert_eq!((end_offsets(kafka.bootstrap(), &topic), org.request_count()), (ends, requests));
        assert!(worker.process().is_running());
        worker.stop();
    }
}

/// The group waits for a member that died until its session ends, and everybody is in a rebalance for all of that. With the
/// cooperative protocol their shards run meanwhile: no `/readyz` of theirs says otherwise.
#[test]
fn a_rebalance_that_waits_for_a_dead_peer_leaves_the_others_ready() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(50);
    let names: Vec<String> = (0..4).map(|shard| checkpoint::name_in(shard, &org)).collect();
    let mut config =
        ConfigYaml::new(kafka.bootstrap()).kafka("consumer: {session.timeout.ms: 30000, heartbeat.interval.ms: 500}");
    for name in &names {
        config = config.connector(org.connector(name).interval("200ms"));
    }
    let survivor = Connector::spawn(&config, &[]);
    let _ = survivor.await_http("/readyz", 200, WAIT);
    let dies = Connector::spawn(&config.second_worker().group_instance_id(&random_name("worker")), &[]);
    for worker in [&survivor, &dies] {
        let _ = worker.await_metric("okta_kafka_source_shards_owned", &[], |owned| owned == 2.0, WAIT);
    }
    dies.kill9();
    // Its coming begins the rebalance, of which the others hear with their next heartbeat.
    let joins = Connector::spawn(&config.second_worker(), &[]);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(14) {
        let answer = survivor.http("/readyz").unwrap();
        assert_eq!(answer.status, 200, "{} after {:?}:\n{}", answer.body, began.elapsed(), survivor.process().tail(20));
        org.generate(10);
        let mine = names.iter().filter(|name| survivor.of(name, "poll_interval_seconds", &[]).is_some());
        let mut count = 0;
        for name in mine {
            survivor.await_caught_up(&org, name, Duration::from_secs(10));
            count += 1;
        }
        assert_eq!(count, 2, "{}", survivor.process().tail(20));
    }
    // Otherwise there was no rebalance that took so long, and this proves nothing.
    assert_eq!(joins.http("/readyz").unwrap().status, 503);
}
