//! A connector that knows nothing of what its topics hold: what is there is left out, whoever wrote it, and nothing else is.

use std::time::Duration;

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::avro;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::registry::shared_registry;
use crate::support::shared_broker::shared_broker;
use crate::support::topic_records::{OpenTransaction, TopicRecord, event, write};
use crate::support::topics::{Isolation, OwnedRecord, create_topic, random_name, read_all};

const WAIT: Duration = Duration::from_secs(60);
/// Between a wait for a transaction and the first word about it.
const SILENCE: Duration = Duration::from_secs(5);

/// The same file, but for the connector's name, its offsets topic and its group.
fn stranger(config: &ConfigYaml, name: &str) -> ConfigYaml {
    let mut config = config.second_worker();
    config.offsets_topic = random_name("offsets");
    config.group_id.clone_from(&config.offsets_topic);
    config.connectors[0].name = name.to_owned();
    config
}

/// Runs until it has caught up; gives how many were suppressed, and its log.
fn run(config: &ConfigYaml, org: &Org) -> (usize, String) {
    let worker = Connector::spawn(config, &[]);
    let name = &config.connectors[0].name;
    worker.await_caught_up(org, name, WAIT);
    let suppressed = worker.of(name, "duplicates_suppressed_total", &[]).unwrap();
    worker.stop();
    (suppressed as usize, worker.log())
}

/// As JSON and as Avro, and into a topic that takes no time of so long ago, so that all records have that of their sending.
#[test]
fn what_a_topic_holds_is_published_by_nobody_again() {
    let (Some(kafka), Some(registry)) = (shared_broker(), shared_registry()) else { return };
    let mut counted = 0;
    for (format, settings) in
        [("json", &[][..]), ("avro", &[]), ("json", &[("message.timestamp.before.max.ms", "3600000")])]
    {
        let config = SimulatorConfig { events: 900, unpublishable: 0.05, ..Default::default() };
        let org = Org::start(config);
        let acme = org.connector("acme").interval("200ms").extra(&format!("format: {format}"));
        let (topic, dead_letter_topic) = (acme.topic.clone(), format!("{}.dlq", acme.topic));
        create_topic(kafka.bootstrap(), &topic, 3, settings);
        let mut config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
        if format == "avro" {
            config = config.schema_registry(&registry.url());
        }
        let (suppressed, log) = run(&config, &org);
        assert_eq!(suppressed, 0, "the topic was empty:\n{log}");
        let read = |topic: &str| read_all(kafka.bootstrap(), topic, Isolation::ReadCommitted);
        let (records, letters) = (read(&topic), read(&dead_letter_topic));
        assert!(!letters.is_empty());
        // Whoever comes next, and whatever was published meanwhile.
        let (suppressed, log) = run(&stranger(&config, "acme"), &org);
        assert_eq!(suppressed, org.event_count(), "{format} {settings:?}\n{log}");
        let served = org.event_count();
        org.generate(130);
        let (suppressed, log) = run(&stranger(&config, "renamed"), &org);
        assert_eq!(suppressed, served, "{format} {settings:?}\n{log}");
        let (now, letters_now) = (read(&topic), read(&dead_letter_topic));
        let difference = avro::difference(&org, &now, &letters_now);
        assert!(difference.is_none(), "{difference}\n{log}");
        assert_eq!(now.len() + letters_now.len(), org.event_count());
        let places =
            |records: &[OwnedRecord]| -> Vec<_> { records.iter().map(|one| (one.partition, one.offset)).collect() };
        assert_eq!(
            now.iter().filter(|one| places(&records).contains(&(one.partition, one.offset))).count(),
            records.len()
        );
        assert!(letters_now.len() >= letters.len());
        counted += served + served;
    }
    prove::row(
        "held-already",
        "A connector that knows nothing of what its topic holds publishes nothing of it again",
        "three times the events of an org with 5 % that can't be published: as JSON, as Avro, and where all records have the \
         time of their sending; each followed by a connector with another offsets topic and group, and by one with another name, too",
        &format!("0 lost, 0 twice in topics and dead letter topics; {counted} suppressed, as many as were there"),
    );
}

/// Records of another org do not count, whatever their uuids; and where the bytes are others, the first ones stay.
#[test]
fn another_orgs_records_do_not_count_and_other_bytes_are_told() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(300);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    create_topic(kafka.bootstrap(), &topic, 3, &[]);
    let events = org.events();
    let there = |place: usize, source: &str, value: &[u8]| {
        let one = &events[place];
        let uuid = one.uuid.as_deref().unwrap();
        TopicRecord { value: value.to_vec(), ..event(&topic, source, "before", uuid, one.published_millis) }
    };
    let elsewhere = (0..100).map(|place| there(place, "https://other.okta.com", &events[place].raw));
    let same = (100..110).map(|place| there(place, org.url(), &events[place].raw));
    let others = [110, 111].map(|place| there(place, org.url(), b"{\"other\":\"bytes\"}"));
    write(kafka.bootstrap(), elsewhere.chain(same).chain(others));
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let (suppressed, log) = run(&config, &org);
    assert_eq!(suppressed, 12, "{log}");
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("with other bytes")).collect();
    assert_eq!(warnings.len(), 2, "{log}");
    for place in [110, 111] {
        let uuid = events[place].uuid.as_deref().unwrap();
        assert!(warnings.iter().any(|line| line.contains("WARN") && line.contains(uuid)), "{uuid}: {warnings:?}");
    }
    let mut records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    records.retain(|record| record.header("ce_source") == Some(org.url()));
    let difference = Difference::between(org.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}\n{log}");
    let first = records.iter().filter(|record| record.value_text().contains("other")).count();
    assert_eq!(first, 2, "the first ones stay");
}

/// Somebody else's transaction hides what is behind it: it is waited for, and that is said.
#[test]
fn another_connectors_open_transaction_is_waited_out() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(250);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    create_topic(kafka.bootstrap(), &topic, 3, &[]);
    let events = org.events();
    let there = |place: usize| {
        let one = &events[place];
        event(&topic, org.url(), "before", one.uuid.as_deref().unwrap(), one.published_millis)
    };
    // One in each partition.
    let open = OpenTransaction::with(
        kafka.bootstrap(),
        (0..3).map(|place| TopicRecord { partition: Some(place as i32), ..there(place) }),
    );
    write(kafka.bootstrap(), (3..200).map(there));
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    let waits = |line: &str| line.contains("waiting until transactions on this topic end") && line.contains(&topic);
    let _ = worker.await_log("that it waits", waits, SILENCE * 4);
    assert_eq!(worker.of("acme", "events_committed_total", &[]), Some(0.0));
    open.end(false);
    worker.await_caught_up(&org, "acme", WAIT);
    assert_eq!(worker.of("acme", "duplicates_suppressed_total", &[]), Some(197.0), "{}", worker.log());
    let _ = Difference::must_be_none(kafka.bootstrap(), &topic, &org, &worker.log());
    worker.stop();
}
