//! `dead-letters replay`: what can be published by now is published once, and the rest stays.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, TopicPartitionList};
use serde_json::Value;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, Output, utf8};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, OwnedRecord, alter_topic, create_topic, delete_group, end_offsets, read_all};

const WAIT: Duration = Duration::from_secs(60);
/// The header of a receipt.
const RECEIPT: &str = "okta_dead_letters_replayed";

/// An event with that uuid, and so many bytes more that do not compress.
fn large(uuid: &str, bytes: usize) -> Vec<u8> {
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(bytes).collect();
    format!(r#"{{"uuid":"{uuid}","published":"2026-11-01T00:00:00.000Z","eventType":"large","x":"{noise}"}}"#).into()
}

/// Runs `dead-letters replay` of that connector to its end.
fn replay(config: &ConfigYaml, name: &str, more: &[&str]) -> Output {
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    connector::run(&[&["dead-letters", "replay", name, "-c", utf8(&path)], more].concat(), &[], WAIT)
}

fn lines(output: &Output) -> Vec<Value> {
    assert_eq!(output.code(), 0, "{output:?}");
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How many lines there are of each result and reason.
fn counts(lines: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        let what = [&line["result"], &line["reason"]].map(|value| value.as_str().unwrap_or_default());
        *counts.entry(what.join(" ").trim().to_owned()).or_default() += 1;
    }
    counts
}

fn of(counts: &[(&str, usize)]) -> BTreeMap<String, usize> {
    counts.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect()
}

/// Runs a worker until all is in its topics.
fn run(config: &ConfigYaml, orgs: &[(&Org, &str)]) {
    let worker = Connector::spawn(config, &[]);
    for (org, name) in orgs {
        worker.await_caught_up(org, name, WAIT);
    }
    worker.stop();
}

/// What a reader can tell of a record but its place, by key.
fn contents(records: &[OwnedRecord]) -> BTreeMap<&str, OwnedRecord> {
    let without_place = |one: &OwnedRecord| OwnedRecord { partition: 0, offset: 0, ..one.clone() };
    records.iter().map(|one| (one.key_text(), without_place(one))).collect()
}

/// What the group of replays has committed, by partition.
fn committed(bootstrap: &str, config: &ConfigYaml, topic: &str, partitions: i32) -> BTreeMap<i32, Option<i64>> {
    let group = format!("{}-dlq-replay", config.group_id);
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("group.id", group).create().unwrap();
    let mut asked = TopicPartitionList::new();
    for partition in 0..partitions {
        let _ = asked.add_partition(topic, partition);
    }
    let answer = consumer.committed_offsets(asked, WAIT).unwrap();
    answer.elements().iter().map(|one| (one.partition(), one.offset().to_raw().filter(|raw| *raw >= 0))).collect()
}

#[test]
fn what_fits_by_now_is_published_once_as_run_would_have() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    let org = Org::with_events(40);
    org.append((0..30).map(|n| large(&format!("large-{n}"), 20_000)));
    org.append([&b"{}"[..], b"17", b"{\"uuid\":\"latin\",\"x\":\"\xff\"}"]);
    org.generate(10);
    let acme = org.connector("acme").interval("200ms");
    let (topic, dead_letters) = (acme.topic.clone(), format!("{}.dlq", acme.topic));
    create_topic(bootstrap, &topic, 2, &[("max.message.bytes", "10000")]);
    let config = ConfigYaml::new(bootstrap).connector(acme);
    run(&config, &[(&org, "acme")]);
    let before = read_all(bootstrap, &topic, Isolation::ReadCommitted);
    assert_eq!((before.len(), read_all(bootstrap, &dead_letters, Isolation::ReadCommitted).len()), (50, 33));

    // Nothing has changed: all of it stays.
    let refused = [("left MissingUuid", 1), ("left NotAnObject", 1), ("left NotUtf8", 1)];
    let nothing = replay(&config, "acme", &[]);
    let with_large: Vec<_> = refused.into_iter().chain([("left RecordTooLarge", 30)]).collect();
    assert_eq!(counts(&lines(&nothing)), of(&with_large));
    assert!(
        nothing.stderr.contains("published 0, left 33 (1 MissingUuid, 1 NotAnObject, 1 NotUtf8, 30 RecordTooLarge)")
    );
    assert_eq!(read_all(bootstrap, &topic, Isolation::ReadCommitted), before);

    alter_topic(bootstrap, &topic, &[("max.message.bytes", "1000000")]);
    let dry = lines(&replay(&config, "acme", &["--dry-run"]));
    let publishable: Vec<_> = refused.into_iter().chain([("publishable", 30)]).collect();
    assert_eq!(counts(&dry), of(&publishable));
    assert_eq!(read_all(bootstrap, &topic, Isolation::ReadCommitted), before);

    let first = lines(&replay(&config, "acme", &[]));
    let published: Vec<_> = refused.into_iter().chain([("published", 30)]).collect();
    assert_eq!(counts(&first), of(&published));
    let letters = read_all(bootstrap, &dead_letters, Isolation::ReadCommitted);
    for line in &first {
        let at = |name: &str| line[name].as_i64().unwrap();
        let letter =
            letters.iter().find(|one| i64::from(one.partition) == at("partition") && one.offset == at("offset"));
        assert_eq!(line["key"], letter.unwrap().key_text(), "{line}");
        let is_published = line["result"] == "published";
        assert_eq!(line["published_to"].as_str(), is_published.then_some(topic.as_str()), "{line}");
        assert_eq!((&line["topic"], &line["connector"]), (&dead_letters.as_str().into(), &"acme".into()));
        assert_eq!(line["message"].is_null(), is_published, "{line}");
    }

    // Again, and again without what the group remembers, which Kafka forgets after a week.
    let ends = end_offsets(bootstrap, &dead_letters);
    let of_group = committed(bootstrap, &config, &dead_letters, 3);
    assert!(
        of_group.iter().all(|(partition, next)| next.is_some() && *next <= Some(ends[partition].1)),
        "{of_group:?}"
    );
    let again = lines(&replay(&config, "acme", &[]));
    delete_group(bootstrap, &format!("{}-dlq-replay", config.group_id));
    assert!(committed(bootstrap, &config, &dead_letters, 3).values().all(Option::is_none));
    let forgotten = lines(&replay(&config, "acme", &[]));
    assert_eq!((counts(&again), counts(&forgotten)), (of(&refused), of(&refused)));

    let records = read_all(bootstrap, &topic, Isolation::ReadCommitted);
    let uuids = org.uuids();
    let expected: Vec<&str> = uuids.iter().map(String::as_str).filter(|uuid| *uuid != "latin").collect();
    let difference = Difference::between(expected, &records);
    assert!(difference.is_none(), "{difference}");

    // The same org into a topic that took all of it at once.
    let mut at_once = ConfigYaml::new(bootstrap).connector(org.connector("acme").interval("200ms"));
    at_once.connectors[0].topic = format!("{topic}-at-once");
    run(&at_once, &[(&org, "acme")]);
    let wanted = read_all(bootstrap, &at_once.connectors[0].topic, Isolation::ReadCommitted);
    assert!(contents(&records) == contents(&wanted), "key, value, time and headers are not what `run` publishes");
    let receipts = letters.iter().filter(|one| one.header(RECEIPT) == Some("acme")).count();
    prove::row(
        "replay",
        "`dead-letters replay` publishes once what fits by now, as `run` would have, and the rest stays",
        "30 events of 20 KB into a topic that takes 10,000 B, and three that no topic takes; replayed before and after `max.message.bytes` \
         is raised, again, and again with the group's offsets deleted",
        &format!(
            "{difference}; 30 published and 3 left, each with its line; none published by the later replays; records equal to those of a \
             `run` into a large topic; {receipts} receipts"
        ),
    );
}
