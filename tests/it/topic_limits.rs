//! What a topic takes: sizes of batches, times of records, how long it keeps them.

use std::time::Duration;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, create_topic, read_all};

const WAIT: Duration = Duration::from_secs(30);

/// Many small events into a topic that takes small batches only: librdkafka does not split a batch that is too large.
#[test]
fn a_batch_is_never_larger_than_the_topic_takes() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(3_000);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    create_topic(kafka.bootstrap(), &topic, 1, &[("max.message.bytes", "20000"), ("compression.type", "producer")]);
    // Without compression a batch is as large as it was made.
    let config = ConfigYaml::new(kafka.bootstrap()).kafka("compression.type: none").connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let difference = Difference::between(org.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
    let aborted = [("connector", "acme"), ("result", "aborted")];
    assert_eq!(worker.metric("okta_kafka_source_transactions_total", &aborted), Some(0.0));
}

/// An event from the future, beyond what the topic takes, gets the time of sending; `ce_time` keeps Okta's.
#[test]
fn a_time_that_the_topic_refuses_gives_way_to_the_time_of_sending() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(5);
    let future = r#"{"uuid":"from-the-future","published":"2099-01-01T00:00:00.000Z","eventType":"a.b"}"#;
    org.append([future]);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    assert_eq!(records.len(), 6);
    let record = records.iter().find(|record| record.key_text() == "from-the-future").expect("published");
    assert_eq!(record.header("ce_time"), Some("2099-01-01T00:00:00.000Z"));
    let in_an_hour = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap() + 3_600_000;
    assert!(record.timestamp.unwrap() < in_an_hour, "{record:?}");
}

/// Kafka would delete a backlog that is older than the topic keeps, in a topic that we make as in one that is there.
#[test]
fn a_cold_start_into_a_topic_that_keeps_less_is_refused() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(200);
    for is_there in [true, false] {
        let mut acme = org.connector("acme").interval("200ms").since("7d");
        acme.retention_ms = 3_600_000;
        let topic = acme.topic.clone();
        if is_there {
            create_topic(kafka.bootstrap(), &topic, 1, &[("retention.ms", "3600000")]);
        }
        let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
        let requests = org.request_count();
        let worker = Connector::spawn(&config, &[]);
        let said = worker.await_log(
            if is_there { "why not (there)" } else { "why not (made)" },
            |line| line.contains("raise its `retention.ms`"),
            WAIT,
        );
        assert!(said.contains(&topic), "{said}");
        worker.await_state("acme", "failed", WAIT);
        assert_eq!(org.request_count(), requests, "nothing is asked for a topic that would not keep it");
    }
}
