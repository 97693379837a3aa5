//! What goes wrong with one connector is no other's trouble, not even in the same shard.

use std::time::Duration;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, create_topic, read_all, topic_exists};

const WAIT: Duration = Duration::from_secs(60);

/// One org answers only 401, one not at all: a third one's events come as soon as they would alone.
#[test]
fn a_bad_org_delays_no_other() {
    let Some(kafka) = shared_broker() else { return };
    let (refusing, hanging, good) = (Org::with_events(300), Org::with_events(300), Org::with_events(300));
    hanging.set_latency(Duration::from_secs(600));
    let mut refused = refusing.connector("refused").interval("200ms");
    refused.token = "no-such-token".to_owned();
    let acme = good.connector("good").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap())
        .offsets_partitions(1)
        .connector(refused)
        .connector(hanging.connector("hanging"))
        .connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&good, "good", WAIT);
    for _ in 0..5 {
        good.generate(40);
        worker.await_caught_up(&good, "good", Duration::from_secs(5));
    }
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let difference = Difference::between(good.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
    worker.await_state("refused", "failed", WAIT);
    let line =
        worker.await_log("what to do about it", |line| line.contains("ERROR") && line.contains("\"refused\""), WAIT);
    assert!(line.contains("401"), "{line}");
    // Asked again only once, after the credential was read again; then on the slow schedule.
    assert_eq!(refusing.request_count(), 2, "{:?}", refusing.requests());
    assert_eq!(hanging.request_count(), 1);
    prove::row(
        "bad-org",
        "An org that refuses or never answers delays no other",
        "three connectors in one shard: one org answered only 401, one nothing, one well; 5 times 40 new events",
        &format!("{difference} of {} events, each batch in the topic within 5 s", good.event_count()),
    );
}

/// A missing topic that may not be created, and one that takes no record of that size (nor does its
/// dead letter topic), fail their connectors only: the
/// pages of another one in the same transactions still come, once.
#[test]
fn a_bad_topic_fails_its_connector_only() {
    let Some(kafka) = shared_broker() else { return };
    let (missing, small, good) = (Org::with_events(300), Org::with_events(300), Org::with_events(300));
    let mut no_topic = missing.connector("missing").interval("200ms");
    no_topic.create = false;
    let tiny = small.connector("small").interval("200ms");
    // Far below the size of any event, compressed.
    create_topic(kafka.bootstrap(), &tiny.topic, 3, &[("max.message.bytes", "300")]);
    create_topic(kafka.bootstrap(), &format!("{}.dlq", tiny.topic), 1, &[("max.message.bytes", "300")]);
    let acme = good.connector("good").interval("200ms");
    let (missing_topic, small_topic, topic) = (no_topic.topic.clone(), tiny.topic.clone(), acme.topic.clone());
    let config =
        ConfigYaml::new(kafka.bootstrap()).offsets_partitions(1).connector(no_topic).connector(tiny).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_state("missing", "failed", WAIT);
    worker.await_state("small", "failed", WAIT);
    for _ in 0..3 {
        good.generate(150);
        worker.await_caught_up(&good, "good", WAIT);
    }
    for (name, part) in [("missing", missing_topic.as_str()), ("small", "max.message.bytes")] {
        let says = |line: &str| line.contains("ERROR") && line.contains(&format!("\"{name}\""));
        let line = worker.await_log(&format!("that {name} failed"), says, WAIT);
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(missing.request_count(), 0);
    assert!(!topic_exists(kafka.bootstrap(), &missing_topic));
    assert_eq!(read_all(kafka.bootstrap(), &small_topic, Isolation::ReadCommitted), []);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let difference = Difference::between(good.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
}
