//! Topics that take no record for now, and topics that would not keep what they are given.

use std::time::{Duration, Instant};

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::cluster::Cluster;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{
    Isolation, alter_topic, create_topic, delete_topics, end_offsets, read_all, topic_exists,
};

const WAIT: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// New events of `org`, one after another for `time`; gives the longest wait for one.
fn slowest(worker: &Connector, org: &Org, connector: &str, time: Duration) -> Duration {
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    while began.elapsed() < time {
        org.generate(1);
        let one = Instant::now();
        worker.await_caught_up(org, connector, WAIT);
        slowest = slowest.max(one.elapsed());
    }
    slowest
}

/// Kafka asks for no more in-sync replicas than the partition has replicas, whatever `min.insync.replicas` says.
#[test]
fn a_topic_with_fewer_replicas_than_its_min_insync_is_written() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(100);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    create_topic(kafka.bootstrap(), &topic, 1, &[("min.insync.replicas", "2")]);
    let worker = Connector::spawn(&ConfigYaml::new(kafka.bootstrap()).connector(acme), &[]);
    worker.await_caught_up(&org, "acme", Duration::from_secs(15));
    let _ = Difference::must_be_none(kafka.bootstrap(), &topic, &org, "one replica, and min.insync.replicas 2");
}

/// One of three brokers is gone, and a topic wants three. Its connector waits, and the other one of the shard goes on; unless the
/// topic is already part of a transaction: Kafka writes the end of it, also of an aborted one, into every topic that it has, so
/// the shard waits for the setting as well, and says so.
#[test]
fn a_topic_without_enough_replicas_loses_nothing() {
    let Some(cluster) = Cluster::start() else { return };
    let bootstrap = cluster.bootstrap();
    let (org, good) = (Org::with_events(100), Org::with_events(100));
    let (bad, acme) = (org.connector("bad").interval("200ms"), good.connector("good").interval("200ms"));
    let (topic, other) = (bad.topic.clone(), acme.topic.clone());
    let config = ConfigYaml::new(&bootstrap).offsets_partitions(1).connector(bad).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "bad", WAIT);
    worker.await_caught_up(&good, "good", WAIT);
    worker.stop();
    cluster.broker(3).kill9();
    cluster.await_in_sync_replicas(&topic, 2);
    alter_topic(&bootstrap, &topic, &[("min.insync.replicas", "3")]);
    org.generate(10);
    good.generate(10);

    // It is so before the worker starts.
    let asked = org.request_count();
    let worker = Connector::spawn(&config, &[]);
    let names =
        |line: &str| line.contains("2 in-sync replicas and its `min.insync.replicas` is 3") && line.contains(&topic);
    let _ = worker.await_log("why it waits", |line| names(line) && line.contains("connector=\"bad\""), WAIT);
    worker.await_state("bad", "recovering", WAIT);
    worker.await_caught_up(&good, "good", WAIT);
    let lines = worker.log().lines().count();
    let time = prove::scale(Duration::from_secs(60), Duration::from_secs(4));
    let worst = slowest(&worker, &good, "good", time);
    assert!(worst < Duration::from_secs(5), "the other connector waited {worst:?}");
    assert_eq!(org.request_count(), asked, "a connector that can't write asks nothing");
    let lines = worker.log().lines().count() - lines;
    assert!(lines < 5, "{lines} more lines of log:\n{}", worker.log());
    alter_topic(&bootstrap, &topic, &[("min.insync.replicas", "2")]);
    worker.await_caught_up(&org, "bad", Duration::from_secs(25));

    // It becomes so while it runs.
    alter_topic(&bootstrap, &topic, &[("min.insync.replicas", "3")]);
    let (mark, lines) = (worker.process().line_count(), worker.log().lines().count());
    org.generate(10);
    good.generate(10);
    assert!(worker.process().wait_for_line_after(mark, names, WAIT).is_some(), "{}", worker.process().tail(40));
    let waits = |line: &str| line.contains("can't be had yet") && line.contains("`min.insync.replicas`");
    assert!(worker.process().wait_for_line_after(mark, waits, WAIT).is_some(), "{}", worker.process().tail(40));
    let during = org.request_count();
    worker.process().runs_on(prove::scale(Duration::from_secs(60), Duration::from_secs(2)));
    assert!(org.request_count() <= during + 2, "{} requests", org.request_count() - during);
    let lines_during = worker.log().lines().count() - lines;
    assert!(lines_during < 25, "{lines_during} more lines of log:\n{}", worker.log());
    alter_topic(&bootstrap, &topic, &[("min.insync.replicas", "2")]);
    let back = Instant::now();
    worker.await_caught_up(&good, "good", Duration::from_secs(40));
    let good_back = back.elapsed();
    worker.await_caught_up(&org, "bad", Duration::from_secs(40));
    let bad_back = back.elapsed();
    let difference = Difference::must_be_none(&bootstrap, &topic, &org, "the topic that took nothing");
    let _ = Difference::must_be_none(&bootstrap, &other, &good, "the other topic of the shard");
    prove::row(
        "refused-topic-settings",
        "A topic whose `min.insync.replicas` is not met loses nothing and holds its own connector; the shard, where a transaction has begun",
        "three brokers, one killed; `min.insync.replicas` of one of two topics in a shard is 3: before the start and put back, then \
         while it runs and put back",
        &format!(
            "{difference} in both topics; at the start: no request for the held one, an event of the other took {:.1} s at most; while \
             it runs: the shard waits and says so in {lines_during} lines, its connectors caught up {:.1} s and {:.1} s after the \
             setting was put back",
            worst.as_secs_f64(),
            good_back.as_secs_f64(),
            bad_back.as_secs_f64()
        ),
    );
}

/// A topic that is deleted while it runs: made again where that is allowed, else when somebody does. What it held is gone with it.
#[test]
fn a_topic_that_is_deleted_holds_its_connector_only() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    let (made, missed, good) = (Org::with_events(100), Org::with_events(100), Org::with_events(100));
    let again = made.connector("again").interval("200ms");
    let mut missing = missed.connector("missing").interval("200ms");
    missing.create = false;
    let acme = good.connector("good").interval("200ms");
    let [again_topic, missing_topic, topic] = [&again, &missing, &acme].map(|one| one.topic.clone());
    create_topic(bootstrap, &missing_topic, 1, &[]);
    create_topic(bootstrap, &format!("{missing_topic}.dlq"), 1, &[]);
    let config = ConfigYaml::new(bootstrap).offsets_partitions(1).connector(again).connector(missing).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    for (name, org) in [("again", &made), ("missing", &missed), ("good", &good)] {
        worker.await_caught_up(org, name, WAIT);
    }
    delete_topics(bootstrap, &[&again_topic, &missing_topic]);
    // Nothing looks at them before there is something to write.
    let deleted = Instant::now();
    while [&again_topic, &missing_topic].iter().any(|topic| topic_exists(bootstrap, topic)) {
        assert!(deleted.elapsed() < WAIT, "the topics stay");
    }
    made.generate(10);
    missed.generate(10);
    let mut worst = Duration::ZERO;
    while worker.of("missing", "connector_state", &[("state", "failed")]) != Some(1.0) {
        assert!(deleted.elapsed() < WAIT, "{}", worker.process().tail(40));
        worst = worst.max(slowest(&worker, &good, "good", Duration::from_millis(1)));
    }
    let line =
        worker.await_log("what is missing", |line| line.contains("ERROR") && line.contains(&missing_topic), WAIT);
    assert!(line.contains("create it"), "{line}");
    assert!(worst < Duration::from_secs(15), "the other connector waited {worst:?}");
    worker.await_caught_up(&made, "again", WAIT);
    create_topic(bootstrap, &missing_topic, 1, &[]);
    let back = Instant::now();
    worker.await_caught_up(&missed, "missing", WAIT);
    let back = back.elapsed();
    worker.await_caught_up(&good, "good", WAIT);
    for (topic, org) in [(&again_topic, &made), (&missing_topic, &missed)] {
        let uuids = org.uuids();
        let records = read_all(bootstrap, topic, Isolation::ReadCommitted);
        let difference = Difference::between(uuids[100..].iter().map(String::as_str), &records);
        assert!(difference.is_none(), "{topic}: {difference}");
    }
    let difference = Difference::must_be_none(bootstrap, &topic, &good, "the topic that stayed");
    prove::row(
        "refused-topic-deleted",
        "A topic that is deleted holds its own connector only, which goes on when it is there again",
        "three connectors in a shard; two topics deleted while it runs, one of which may be made again by the worker",
        &format!(
            "{difference} in all three of what came after the deletion; an event of the good one took {:.1} s at most; a topic made \
             by hand was written {:.1} s later",
            worst.as_secs_f64(),
            back.as_secs_f64()
        ),
    );
}

/// 90 days into a topic that keeps 7: refused, and kept when the topic is altered as the message says.
#[test]
fn a_cold_start_keeps_everything_once_the_topic_is_altered_as_told() {
    let options = BrokerOptions::default().set("log.retention.check.interval.ms", 1000);
    let Some(broker) = Broker::start(options) else { return };
    let bootstrap = broker.bootstrap();
    let org = Org::start(SimulatorConfig { events: 2_000, backlog_span: DAY * 85, ..SimulatorConfig::default() });
    // A time, not an age: the age that is asked for grows while somebody reads the message.
    let since = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * 90 - 1);
    let acme = org.connector("acme").interval("200ms").since(&since.to_string());
    let topic = acme.topic.clone();
    let week = (DAY * 7).as_millis().to_string();
    create_topic(&bootstrap, &topic, 1, &[("retention.ms", &week)]);
    let worker = Connector::spawn(&ConfigYaml::new(&bootstrap).connector(acme), &[]);
    let says = |line: &str| line.contains("raise its `retention.ms` to at least ");
    let said = worker.await_log("why not", says, WAIT);
    worker.await_state("acme", "failed", WAIT);
    let (_, told) = said.split_once("to at least ").unwrap();
    let told: String = told.chars().take_while(char::is_ascii_digit).collect();
    assert_eq!(org.request_count(), 0, "nothing is asked for a topic that would not keep it");
    assert!(said.contains("keeps 7.0 days"), "{said}");

    alter_topic(&bootstrap, &topic, &[("retention.ms", &told)]);
    let altered = Instant::now();
    worker.await_caught_up(&org, "acme", Duration::from_secs(25));
    let altered = altered.elapsed();
    let (first, _) = end_offsets(&bootstrap, &topic)[&0];
    // Four retention checks: what would be deleted is deleted within one.
    worker.process().runs_on(Duration::from_secs(4));
    assert_eq!((first, end_offsets(&bootstrap, &topic)[&0].0), (0, 0), "Kafka deleted a part of the backlog");
    let difference = Difference::must_be_none(&bootstrap, &topic, &org, "a cold start of 90 days");
    worker.stop();

    // The other way round, so that the checks are known to come: under the old setting the backlog goes.
    alter_topic(&bootstrap, &topic, &[("retention.ms", &week)]);
    let began = Instant::now();
    while end_offsets(&bootstrap, &topic)[&0].0 == 0 {
        assert!(began.elapsed() < WAIT, "Kafka deletes nothing, so this proves nothing");
        std::thread::sleep(Duration::from_millis(100));
    }
    prove::row(
        "cold-start-retention",
        "A cold start into a topic that keeps less is refused with the fix, and loses nothing once it is made",
        "2000 events of 85 days, `since` 90 days back, a topic of 7 days, `log.retention.check.interval.ms=1000`; then \
         `retention.ms` set to the number in the message",
        &format!(
            "refused without a request to the org; altered, caught up {:.1} s later: {difference}, first offset 0 after 4 retention checks \
             (under the old 7 days the same backlog was cut {:.1} s later)",
            altered.as_secs_f64(),
            began.elapsed().as_secs_f64()
        ),
    );
}
