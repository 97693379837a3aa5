//! Records that are larger than their topic takes, by the settings that the broker shows.

use std::time::{Duration, Instant};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, OwnedRecord, alter_topic, create_topic, read_all, topic_config};

const WAIT: Duration = Duration::from_secs(60);

/// An event with that uuid, and so many bytes more that do not compress.
fn large(uuid: &str, bytes: usize) -> String {
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(bytes).collect();
    format!(r#"{{"uuid":"{uuid}","published":"2026-11-01T00:00:00.000Z","eventType":"large","x":"{noise}"}}"#)
}

fn keys(records: &[OwnedRecord]) -> Vec<&str> {
    let mut keys: Vec<&str> = records.iter().map(OwnedRecord::key_text).collect();
    keys.sort_unstable();
    keys
}

/// Up to 5 MB, between others: to the dead letter topic that we made, in the transactions of their pages.
#[test]
fn a_record_that_its_topic_does_not_take_is_a_dead_letter() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(150);
    org.append([large("20-kb", 20_000), large("just-under", 8_000), large("5-mb", 5_000_000)]);
    org.generate(150);
    org.append([large("again-20-kb", 20_000)]);
    let acme = org.connector("acme").interval("200ms");
    let (topic, dead_letter_topic) = (acme.topic.clone(), format!("{}.dlq", acme.topic));
    create_topic(kafka.bootstrap(), &topic, 2, &[("max.message.bytes", "10000")]);
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    assert_eq!(topic_config(kafka.bootstrap(), &dead_letter_topic, "max.message.bytes").as_deref(), Some("8388608"));

    let too_large = ["20-kb", "5-mb", "again-20-kb"];
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let uuids = org.uuids();
    let expected = uuids.iter().map(String::as_str).filter(|uuid| !too_large.contains(uuid));
    let difference = Difference::between(expected, &records);
    assert!(difference.is_none(), "{difference}");
    let dead_letters = read_all(kafka.bootstrap(), &dead_letter_topic, Isolation::ReadCommitted);
    assert_eq!(keys(&dead_letters), too_large);
    for record in &dead_letters {
        let header = |name: &str| record.header(&format!("__connect.errors.{name}")).unwrap_or_default();
        assert_eq!((header("stage"), header("exception.class.name")), ("KAFKA_PRODUCE", "RecordTooLarge"));
        assert_eq!(header("topic"), topic);
        let message = header("exception.message");
        assert!(message.contains(&format!("`{topic}`")) && message.contains("10000"), "{message}");
        let served = org.events().into_iter().find(|event| event.uuid.as_deref() == Some(record.key_text())).unwrap();
        assert_eq!(record.value.as_deref(), Some(&served.raw[..]), "byte for byte");
    }
    let of = |name: &str, labels: &[(&str, &str)]| worker.of("acme", name, labels).unwrap();
    assert_eq!(of("dead_letters_total", &[("stage", "KAFKA_PRODUCE")]), 3.0);
    assert_eq!(of("events_committed_total", &[]) + 3.0, org.event_count() as f64, "I10");
    assert_eq!(of("transactions_total", &[("result", "aborted")]), 0.0, "it is judged before anything is sent");
    prove::row(
        "refused-size",
        "A record that is larger than its topic takes is a dead letter, and the page goes on",
        "304 events into a topic with `max.message.bytes` 10,000, three of them of 20 KB to 5 MB",
        &format!("{difference}; 3 dead letters, byte for byte, no transaction aborted"),
    );
}

/// A record for which the dead letter topic is too small, too, stops its connector, and nothing is lost: not the pages
/// before it, not the other connector's, and not the record, once the topic takes it.
#[test]
fn what_neither_topic_takes_stops_its_connector_until_one_does() {
    let Some(kafka) = shared_broker() else { return };
    let (org, good) = (Org::with_events(200), Org::with_events(100));
    let acme = org.connector("acme").interval("200ms");
    let (topic, dead_letter_topic) = (acme.topic.clone(), format!("{}.dlq", acme.topic));
    create_topic(kafka.bootstrap(), &topic, 2, &[("max.message.bytes", "10000")]);
    create_topic(kafka.bootstrap(), &dead_letter_topic, 1, &[("max.message.bytes", "20000")]);
    let other = good.connector("good").interval("200ms");
    let other_topic = other.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).offsets_partitions(1).connector(acme).connector(other);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    org.generate(120);
    org.append([large("50-kb", 50_000)]);
    org.generate(50);
    let line = worker.await_log("that it failed", |line| line.contains("connector failed"), WAIT);
    for part in [&topic, &dead_letter_topic, "`50-kb`", "max.message.bytes", "(10000)", "(20000)"] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    worker.await_state("acme", "failed", WAIT);
    // 200 and a whole page before the one that it is in.
    let before = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted).len();
    assert!((300..370).contains(&before), "{before} are there");
    good.generate(70);
    worker.await_caught_up(&good, "good", WAIT);

    alter_topic(kafka.bootstrap(), &dead_letter_topic, &[("max.message.bytes", "100000")]);
    let began = Instant::now();
    worker.await_caught_up(&org, "acme", WAIT);
    let after = began.elapsed();
    let uuids = org.uuids();
    let expected = uuids.iter().map(String::as_str).filter(|uuid| *uuid != "50-kb");
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let difference = Difference::between(expected, &records);
    assert!(difference.is_none(), "{difference}");
    assert_eq!(keys(&read_all(kafka.bootstrap(), &dead_letter_topic, Isolation::ReadCommitted)), ["50-kb"]);
    let records = read_all(kafka.bootstrap(), &other_topic, Isolation::ReadCommitted);
    let difference = Difference::between(good.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
    assert!(after < Duration::from_secs(30), "went on by itself after {after:?}");
}

/// `errors_tolerance: none`: nothing of the page moves, and the message names the element.
#[test]
fn without_tolerance_the_connector_stops_at_the_first_dead_letter() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(100);
    let mut acme = org.connector("acme").interval("200ms").extra("errors_tolerance: none");
    let (topic, dead_letter_topic) = (acme.topic.clone(), format!("{}.dlq", acme.topic));
    create_topic(kafka.bootstrap(), &topic, 2, &[("max.message.bytes", "10000")]);
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme.clone());
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    org.generate(10);
    org.append([large("20-kb", 20_000)]);
    let line = worker.await_log("that it failed", |line| line.contains("connector failed"), WAIT);
    for part in ["`20-kb`", "RecordTooLarge", "errors_tolerance: all", &dead_letter_topic] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    worker.await_state("acme", "failed", WAIT);
    let read = || read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    assert_eq!(read().len(), 100, "nothing of the page is there");
    assert_eq!(read_all(kafka.bootstrap(), &dead_letter_topic, Isolation::ReadCommitted), []);
    worker.terminate();
    let _ = worker.wait(WAIT);

    acme.extra.clear();
    let config = ConfigYaml { connectors: vec![acme], ..config };
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let uuids = org.uuids();
    let expected = uuids.iter().map(String::as_str).filter(|uuid| *uuid != "20-kb");
    let difference = Difference::between(expected, &read());
    assert!(difference.is_none(), "{difference}");
    assert_eq!(keys(&read_all(kafka.bootstrap(), &dead_letter_topic, Isolation::ReadCommitted)), ["20-kb"]);
    prove::row(
        "errors-tolerance",
        "`errors_tolerance: none` stops the connector at what it would set aside, and nothing is passed",
        "110 events and one that its topic does not take; then the same file without it",
        &format!("100 events of the pages before, no dead letter; afterwards {difference}, and the one dead letter"),
    );
}
