//! Elements that cannot be published: kept byte for byte in the dead letter topic, in the transaction of their page.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{Connector, unix_seconds};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, OwnedRecord, read_all};
use crate::support::{checkpoint, java_partitioner, prove};

const WAIT: Duration = Duration::from_secs(60);

/// What is wrong with an element, its reason and stage, and its key where that is its uuid.
struct Bad {
    bytes: &'static [u8],
    reason: &'static str,
    stage: &'static str,
    uuid: Option<&'static str>,
}

const fn bad(bytes: &'static [u8], reason: &'static str, stage: &'static str) -> Bad {
    Bad { bytes, reason, stage, uuid: None }
}

const KEY: &str = "KEY_CONVERTER";
const VALUE: &str = "VALUE_CONVERTER";

const BAD: [Bad; 14] = [
    bad(b"17", "NotAnObject", VALUE),
    bad(b"null", "NotAnObject", VALUE),
    bad(b"\"an event, \\\"they\\\" said [{\"", "NotAnObject", VALUE),
    bad(b"[{\"uuid\": \"inside an array\"}]", "NotAnObject", VALUE),
    bad(b"{}", "MissingUuid", KEY),
    bad(b"{\"eventType\": \"no.uuid\",  \"published\":\"2026-01-01T00:00:00.000Z\"}", "MissingUuid", KEY),
    bad(b"{\"uuid\":\"\"}", "MissingUuid", KEY),
    bad(b"{\"uuid\":null}", "MissingUuid", KEY),
    bad(b"{\"uuid\":17}", "MissingUuid", KEY),
    bad(b"{\"uuid\":\"a control \\u0000 character\"}", "MissingUuid", KEY),
    Bad {
        bytes: b"{\"uuid\":\"bad-utf8\",\"x\":\"\xff\xfe\"}",
        reason: "NotUtf8",
        stage: VALUE,
        uuid: Some("bad-utf8"),
    },
    bad(b"{\"uuid\":\"\xc3\x28\"}", "NotUtf8", VALUE),
    bad(b"{\"uuid\":\"balanced, but no JSON\", oops: [1,,2]}", "NotJson", VALUE),
    bad(b"{\"uuid\":\"a\" \"b\"}", "NotJson", VALUE),
];

#[test]
fn what_cannot_be_published_is_kept_with_its_reason() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(40);
    let acme = org.connector("acme").interval("200ms");
    let (topic, dead_letter_topic) = (acme.topic.clone(), format!("{}.dlq", acme.topic));
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let transactions = || worker.of("acme", "transactions_total", &[("result", "committed")]).unwrap();
    let before = transactions();

    // One page: bad elements between good ones.
    let neighbour = |n: usize| format!("{{\"uuid\":\"neighbour-{n}\",\"published\":\"2026-11-01T00:00:{n:02}.000Z\"}}");
    let page: Vec<Vec<u8>> = BAD
        .iter()
        .enumerate()
        .flat_map(|(n, bad)| [neighbour(n).into_bytes(), bad.bytes.to_vec()])
        .chain([
            b"{\"uuid\":\"the last good one\",\"published\":\"2026-11-02T00:00:00.000Z\"}".to_vec(),
            b"{}".to_vec(),
        ])
        .collect();
    org.append(&page);
    worker.await_caught_up(&org, "acme", WAIT);
    assert_eq!(transactions() - before, 1.0, "events and dead letters of a page are one transaction");

    let committed = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let neighbours = (0..BAD.len()).map(|n| format!("neighbour-{n}")).chain(["the last good one".to_owned()]);
    let uuids: Vec<String> = org.uuids().into_iter().take(40).chain(neighbours).collect();
    let difference = Difference::between(uuids.iter().map(String::as_str), &committed);
    assert!(difference.is_none(), "{difference}");

    let records = read_all(kafka.bootstrap(), &dead_letter_topic, Isolation::ReadCommitted);
    assert_eq!(records.len(), BAD.len() + 1, "{records:?}");
    let shard = shard(&org, &config);
    for bad in &BAD {
        let mut found = records.iter().filter(|record| record.value.as_deref() == Some(bad.bytes));
        let shown = String::from_utf8_lossy(bad.bytes);
        let record = found.next().unwrap_or_else(|| panic!("{shown} is not there"));
        // `{}` is in the page twice.
        assert_eq!(found.count(), usize::from(bad.bytes == b"{}"), "{shown}");
        compare_dead_letter(bad, record, &org, &topic, shard);
    }

    // I10: the counts add up, by the program's own word and by what was served.
    let dead = |stage| worker.of("acme", "dead_letters_total", &[("stage", stage)]).unwrap();
    let keys = BAD.iter().filter(|bad| bad.stage == KEY).count() + 1;
    assert_eq!((dead(KEY), dead(VALUE)), (keys as f64, (BAD.len() + 1 - keys) as f64));
    let events = worker.of("acme", "events_committed_total", &[]).unwrap();
    assert_eq!(events + dead(KEY) + dead(VALUE), org.event_count() as f64);

    // `published` and `uuid` of the last element in page order that has them.
    let last = checkpoint::all(kafka.bootstrap(), &config.offsets_topic, &checkpoint::key("acme", &org.authority()));
    let last: Value = serde_json::from_str(last.last().unwrap().value_text()).unwrap();
    assert_eq!((&last["uuid"], &last["published"]), (&"the last good one".into(), &"2026-11-02T00:00:00.000Z".into()));
    prove::row(
        "dead-letters",
        "What cannot be published is kept, byte for byte, in the transaction of its page",
        &format!("a page with {} elements that are no usable event between {} good ones", BAD.len() + 1, BAD.len() + 1),
        &format!(
            "{difference}; {} dead letters with the contract's keys and headers, in one transaction with their neighbours; \
             {events} events and {} dead letters are all that was served",
            records.len(),
            dead(KEY) + dead(VALUE)
        ),
    );
}

/// A page of nothing but dead letters moves the checkpoint all the same, and nothing is asked again.
#[test]
fn a_page_of_dead_letters_alone_is_passed() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(0);
    let acme = org.connector("acme").interval("200ms").extra("limit: 10").extra("dead_letter_topic: \"NAME\"");
    let name = format!("{}-elsewhere", acme.topic);
    let acme = crate::support::config_yaml::ConnectorYaml {
        extra: acme.extra.iter().map(|line| line.replace("NAME", &name)).collect(),
        ..acme
    };
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    org.append((0..25).map(|n| format!("[{n}]")));
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(kafka.bootstrap(), &name, Isolation::ReadCommitted);
    let mut values: Vec<&str> = records.iter().map(OwnedRecord::value_text).collect();
    values.sort_by_key(|value| value.len());
    let mut wanted: Vec<String> = (0..25).map(|n| format!("[{n}]")).collect();
    wanted.sort_by_key(String::len);
    let count = |values: &mut dyn Iterator<Item = String>| {
        values.fold(BTreeMap::<String, usize>::new(), |mut counts, value| {
            *counts.entry(value).or_default() += 1;
            counts
        })
    };
    assert_eq!(count(&mut values.iter().map(|value| (*value).to_owned())), count(&mut wanted.iter().cloned()));
    let served: usize = org.requests().iter().map(|request| request.events).sum();
    assert_eq!(served, 25, "no page was asked for twice");
    assert!(!crate::support::topics::topic_exists(kafka.bootstrap(), &format!("{}.dlq", config.connectors[0].topic)));
}

fn shard(org: &Org, config: &ConfigYaml) -> i32 {
    let key = checkpoint::key("acme", &org.authority());
    java_partitioner::partition(key.as_bytes(), i32::try_from(config.offsets_partitions).unwrap())
}

/// Key, time and headers, as the contract names them.
fn compare_dead_letter(bad: &Bad, record: &OwnedRecord, org: &Org, topic: &str, shard: i32) {
    let shown = String::from_utf8_lossy(bad.bytes);
    let hash: String = Sha256::digest(bad.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(record.key_text(), bad.uuid.unwrap_or(&hash), "key of {shown}");
    let age = unix_seconds() - record.timestamp.unwrap() as f64 / 1000.0;
    assert!((-5.0..120.0).contains(&age), "the wall clock is the timestamp of {shown}: {age} s ago");
    let names: Vec<&str> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "__connect.errors.topic",
            "__connect.errors.connector.name",
            "__connect.errors.task.id",
            "__connect.errors.stage",
            "__connect.errors.exception.class.name",
            "__connect.errors.exception.message",
            "__connect.errors.source.partition",
            "__connect.errors.source.offset",
        ]
    );
    for (name, wanted) in [
        ("__connect.errors.topic", topic),
        ("__connect.errors.connector.name", "acme"),
        ("__connect.errors.task.id", &shard.to_string()),
        ("__connect.errors.stage", bad.stage),
        ("__connect.errors.exception.class.name", bad.reason),
        ("__connect.errors.source.partition", &format!(r#"{{"org":"{}"}}"#, org.authority())),
    ] {
        assert_eq!(record.header(name), Some(wanted), "{name} of {shown}");
    }
    let message = record.header("__connect.errors.exception.message").unwrap();
    assert!(!message.is_empty() && !message.contains("they"), "a message, and nothing of the element: {message}");
    let offset: Value = serde_json::from_str(record.header("__connect.errors.source.offset").unwrap()).unwrap();
    assert!(offset["checkpointUrl"].as_str().unwrap().starts_with(org.url()), "{offset}");
}
