//! Every event of a backlog arrives once, byte for byte, as the contract writes records and checkpoints.

use std::collections::HashMap;
use std::time::Duration;

use okta_kafka_source::simulator::StoredEvent;
use serde_json::{Value, json};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, utf8};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, OwnedRecord, read_all};
use crate::support::{checkpoint, java_partitioner, prove};

const EVENTS: usize = 10_000;
const WAIT: Duration = Duration::from_secs(60);

#[test]
fn ten_thousand_events_arrive_once_with_their_checkpoint() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(EVENTS);
    let acme = org.connector("acme").extra("limit: 100");
    let (topic, partitions) = (acme.topic.clone(), i32::try_from(acme.topic_partitions).unwrap());
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);

    let events = org.events();
    assert_eq!(events.len(), EVENTS);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let uuids = org.uuids();
    let difference = Difference::between(uuids.iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
    compare_records(&org, &events, &records, partitions);
    assert_eq!(worker.of("acme", "events_committed_total", &[]), Some(EVENTS as f64));
    assert_eq!(worker.of("acme", "pages_total", &[("kind", "full")]), Some((EVENTS / 100) as f64));

    let stored = compare_checkpoint(&org, &config, events.last().unwrap());
    compare_commands(&config, &org, &stored);

    worker.terminate();
    assert_eq!(worker.wait(Duration::from_secs(10)).code(), Some(0));
    prove::row(
        "events-once",
        "Every event that the org returned is in the topic once, with the bytes that the org sent",
        &format!("{EVENTS} simulated events in pages of 100, read back by a read_committed consumer"),
        &format!(
            "{difference}; {} values, keys, timestamps, headers and partitions as the contract says; the checkpoint is the \
             org's last `next` link, byte for byte",
            records.len()
        ),
    );
}

/// Bytes, key, time, headers and place of every record, and the org's order within each partition.
fn compare_records(org: &Org, events: &[StoredEvent], records: &[OwnedRecord], partitions: i32) {
    let by_uuid: HashMap<&str, (usize, &StoredEvent)> =
        events.iter().enumerate().map(|(place, event)| (event.uuid.as_deref().unwrap(), (place, event))).collect();
    let mut last_place: HashMap<i32, usize> = HashMap::new();
    for record in records {
        let uuid = record.key_text();
        let (place, event) = by_uuid[uuid];
        assert_eq!(record.value.as_deref(), Some(&event.raw[..]), "value of {uuid}");
        let member = |name: &str| -> String {
            let event: Value = serde_json::from_slice(&event.raw).unwrap();
            event[name].as_str().unwrap().to_owned()
        };
        let published: jiff::Timestamp = member("published").parse().unwrap();
        assert_eq!(record.timestamp, Some(published.as_millisecond()), "timestamp of {uuid}");
        let headers = [
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", uuid.to_owned()),
            ("ce_source", org.url().to_owned()),
            ("ce_type", member("eventType")),
            ("ce_time", member("published")),
            ("content-type", "application/json".to_owned()),
            ("okta_connector", "acme".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), Some(value.into_bytes())));
        assert_eq!(record.headers, headers, "headers of {uuid}");
        assert_eq!(record.partition, java_partitioner::partition(uuid.as_bytes(), partitions), "partition of {uuid}");
        if let Some(before) = last_place.insert(record.partition, place) {
            assert!(before < place, "{uuid} is before an event that the org gave earlier");
        }
    }
}

/// The last record of the offsets topic, byte for byte and in its place.
fn compare_checkpoint(org: &Org, config: &ConfigYaml, last_event: &StoredEvent) -> OwnedRecord {
    let key = checkpoint::key("acme", &org.authority());
    let all = read_all(&config.bootstrap, &config.offsets_topic, Isolation::ReadCommitted);
    assert!(
        all.iter().all(|record| record.key.as_deref() == Some(key.as_bytes())),
        "one key has one spelling: {all:?}"
    );
    let last = all.last().expect("a checkpoint").clone();
    let asked = org.requests().pop().unwrap().target;
    let next = org.next_link_of(&org.last_page_with_events().target);
    let of_last = (last_event.published.as_deref().unwrap(), last_event.uuid.as_deref().unwrap());
    assert_eq!(last.value_text(), checkpoint::value(&next, Some(of_last)));
    assert!(last.headers.is_empty());
    let shards = i32::try_from(config.offsets_partitions).unwrap();
    assert_eq!(last.partition, java_partitioner::partition(key.as_bytes(), shards));
    // The next interval asks exactly what is stored.
    assert_eq!(format!("{}{asked}", org.url()), next);
    let first: Value = serde_json::from_str(all[0].value_text()).unwrap();
    assert_eq!((&first["published"], &first["uuid"]), (&Value::Null, &Value::Null), "the cold start comes first");
    last
}

/// `offsets list` and `offsets get` show the same.
fn compare_commands(config: &ConfigYaml, org: &Org, stored: &OwnedRecord) {
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    let run = |arguments: &[&str]| {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["-c", utf8(&path)]).collect();
        connector::run(&arguments, &[], WAIT)
    };
    let partition = json!({"org": org.authority()});
    let offset: Value = serde_json::from_str(stored.value_text()).unwrap();

    let listed = run(&["offsets", "list"]);
    assert_eq!(listed.code(), 0, "{listed:?}");
    let lines: Vec<Value> = listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = json!({
        "connector": "acme", "partition": partition, "offset": offset,
        "topic_partition": stored.partition, "topic_offset": stored.offset, "timestamp": stored.timestamp,
    });
    assert_eq!(lines, [line]);
    assert!(listed.stdout.contains(stored.value_text()), "the offset is printed as it is stored: {}", listed.stdout);

    let got = run(&["offsets", "get", "acme"]);
    assert_eq!(got.code(), 0, "{got:?}");
    let key = stored.key_text();
    let partition_text = &key[r#"["acme","#.len()..key.len() - 1];
    let wanted = format!(r#"{{"offsets":[{{"partition":{partition_text},"offset":{}}}]}}"#, stored.value_text());
    assert_eq!(got.stdout.trim_end(), wanted);

    let unknown = run(&["offsets", "get", "nobody"]);
    assert_eq!((unknown.code(), unknown.stdout.as_str()), (1, ""));
    assert!(unknown.stderr.contains("`nobody`") && unknown.stderr.contains("`acme`"), "{}", unknown.stderr);
}
