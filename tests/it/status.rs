//! `status`: what it says of workers that run, that are gone, and that have more to tell than a broker takes.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, unix_seconds, utf8};
use crate::support::java_partitioner;
use crate::support::leak::Secret;
use crate::support::org::Org;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::create_topic;
use crate::support::{checkpoint, producers, prove};

const WAIT: Duration = Duration::from_secs(60);
const WRONG_TOKEN: &str = "00Wc3xZpLq8TnVb6RjKf2YhDs7MgAu4EiOoPzB5t91";

/// What `status` prints, a line for each connector.
fn status(config: &ConfigYaml) -> Vec<Value> {
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    let output = connector::run(&["status", "-c", utf8(&path)], &[], WAIT);
    assert_eq!(output.code(), 0, "{output:?}");
    Secret::new(WRONG_TOKEN).must_not_be_in("status", &output.stdout);
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Asks until it says so: a worker reports within 10 s.
fn await_status(config: &ConfigYaml, worker: &Connector, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + WAIT;
    loop {
        let lines = status(config);
        if wanted(&lines) {
            return lines;
        }
        assert!(Instant::now() < deadline, "status stays at {lines:#?}\n{}", worker.process().tail(20));
    }
}

/// Leaves `report` with the group, as a worker does, once the group has no member.
fn leave_report(config: &ConfigYaml, shard: i32, report: &str) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &config.bootstrap)
        .set("group.id", &config.group_id)
        .create()
        .unwrap();
    let mut offsets = TopicPartitionList::new();
    let mut element = offsets.add_partition(&config.offsets_topic, shard);
    element.set_offset(Offset::Offset(0)).unwrap();
    element.set_metadata(report);
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
}

#[test]
fn owner_state_checkpoint_and_freshness_of_each_connector() {
    let Some(kafka) = shared_broker() else { return };
    let (org, other) = (Org::with_events(250), Org::with_events(10));
    let mut refused = other.connector("refused").interval("1s");
    refused.token = WRONG_TOKEN.to_owned();
    let acme = org.connector("acme").interval("1s");
    let config = ConfigYaml::new(kafka.bootstrap()).group_instance_id("worker-7").connector(acme).connector(refused);
    let mut before = config.clone();
    before.connectors[0].name = "renamed".to_owned();
    let worker = Connector::spawn(&before, &[]);
    worker.await_caught_up(&org, "renamed", WAIT);
    worker.terminate();
    let _ = worker.wait(WAIT);

    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let told = |line: &Value, state: &str| line["owner"] == "worker-7" && line["state"] == state;
    let is_fresh = |line: &Value| line["freshness_seconds"].as_i64().is_some_and(|seconds| (0..30).contains(&seconds));
    let lines = await_status(&config, &worker, |lines| {
        (told(&lines[0], "waiting") || told(&lines[0], "running")) && is_fresh(&lines[0]) && told(&lines[1], "failed")
    });
    let names: Vec<&str> = lines.iter().map(|line| line["connector"].as_str().unwrap()).collect();
    assert_eq!(names, ["acme", "refused", "renamed"]);
    let [acme, refused, renamed] = &lines[..] else { panic!("{lines:#?}") };
    assert_eq!((&acme["org"], &acme["trouble"]), (&org.authority().into(), &Value::Null));
    assert_eq!(acme["checkpoint"]["uuid"], org.uuids()[249].as_str());
    let key = checkpoint::key("acme", &org.authority());
    let shard = java_partitioner::partition(key.as_bytes(), 4);
    assert_eq!((&acme["topic_partition"], &acme["configured"]), (&shard.into(), &true.into()));
    let stored = checkpoint::all(kafka.bootstrap(), &config.offsets_topic, &key);
    assert_eq!(acme["topic_offset"], stored.last().unwrap().offset);
    let fresh = acme["freshness_seconds"].as_i64().unwrap();
    let trouble = refused["trouble"].as_str().unwrap();
    assert!(trouble.contains("okta refused the credential"), "{trouble}");
    assert_eq!(renamed["configured"], false);
    assert!(renamed["checkpoint"]["uuid"].is_string());

    // Killed: after 30 s nobody is its owner, and how fresh the topic is goes on being known.
    worker.kill9();
    let left = if prove::full() {
        let deadline = Instant::now() + WAIT;
        while status(&config)[0]["owner"] != Value::Null {
            assert!(Instant::now() < deadline, "{:#?}", status(&config));
        }
        status(&config)
    } else {
        // A static member keeps its place; so its report is written into a group that has none.
        let mut gone = config.clone();
        gone.group_id = format!("{}-gone", config.group_id);
        let time = unix_seconds() as u64 - 31;
        let acme = format!(r#"{{"state":"waiting","caught_up":{}}}"#, time - 9);
        leave_report(&gone, shard, &format!(r#"{{"worker":"worker-7","time":{time},"connectors":{{"acme":{acme}}}}}"#));
        status(&gone)
    };
    assert_eq!((&left[0]["owner"], &left[0]["state"]), (&Value::Null, &Value::Null));
    assert!(left[0]["freshness_seconds"].as_i64().unwrap() >= 31, "{}", left[0]);
    assert_eq!(left[0]["checkpoint"], acme["checkpoint"]);
    prove::row(
        "status",
        "`status` tells owner, state, checkpoint and freshness of each connector",
        "one that is caught up, one with a refused token, one that was renamed; then a worker that is gone for 30 s",
        &format!("caught up and {fresh} s behind; failed, with why and without the token; not in the file; no owner"),
    );
}

/// A report that a broker does not take would keep the shard from starting.
#[test]
fn a_hundred_connectors_of_one_shard_fit_into_a_report() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(3);
    let mut config = ConfigYaml::new(kafka.bootstrap()).offsets_partitions(1);
    let topic = org.connector("x").topic;
    for index in 0..100 {
        let name = format!("{index:0>90}-connector");
        config = config.connector(org.connector(&name).topic(&topic).interval("1h").extra("allow_overlap: true"));
    }
    let worker = Connector::spawn(&config, &[]);
    let _ = worker.await_http("/readyz", 200, WAIT);
    let lines = await_status(&config, &worker, |lines| lines.iter().all(|line| line["state"] == "waiting"));
    assert_eq!(lines.len(), 100);
    assert!(lines.iter().all(|line| line["freshness_seconds"].as_i64().unwrap() < 60), "{lines:#?}");
    assert!(!worker.log().contains("confirm"), "{}", worker.process().tail(20));
}

/// Where the broker takes less than it does by default, the shard runs all the same, and its owner is told.
#[test]
fn a_broker_that_takes_short_reports_only() {
    let Some(broker) = Broker::start(BrokerOptions::default().set("offset.metadata.max.bytes", 120)) else { return };
    let org = Org::with_events(150);
    let name = "a-name-that-makes-the-report-longer-than-the-broker-of-this-test-takes";
    let acme = org.connector(name).interval("1s");
    let config = ConfigYaml::new(&broker.bootstrap()).group_instance_id("worker-7").connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, name, WAIT);
    let lines = status(&config);
    assert_eq!((&lines[0]["owner"], &lines[0]["state"]), (&"worker-7".into(), &Value::Null), "{lines:#?}");
    assert_eq!(lines[0]["checkpoint"]["uuid"], org.uuids()[149].as_str());
}

/// What a recovery leaves in the record: told as it stands, until somebody has dealt with it.
#[test]
fn old_ground_and_a_hole_are_told_until_the_note_is_taken_away() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(10);
    let config = ConfigYaml::new(kafka.bootstrap()).connector(org.connector("acme"));
    create_topic(kafka.bootstrap(), &config.offsets_topic, 4, &[("cleanup.policy", "compact")]);
    let key = checkpoint::key("acme", &org.authority());
    let shard = java_partitioner::partition(key.as_bytes(), 4);
    let plain = checkpoint::value(&org.checkpoint_behind(5), Some(("2026-11-20T00:00:00.000Z", "u-1")));
    let marks = r#","suppressUntil":"2026-11-22T00:00:00.000Z","missingFrom":"2026-08-20T00:00:00.000Z","missingUntil":"2026-08-22T00:00:00.000Z"}"#;
    let marked = plain.replace("\"}", &format!("\"{marks}"));
    producers::write(kafka.bootstrap(), &config.offsets_topic, shard, &key, &marked);
    let told = |line: &Value| ["old_ground", "missing_from", "missing_until"].map(|member| line[member].clone());
    let line = &status(&config)[0];
    assert_eq!(told(line), [json!(true), json!("2026-08-20T00:00:00.000Z"), json!("2026-08-22T00:00:00.000Z")]);
    assert_eq!(line["checkpoint"], serde_json::from_str::<Value>(&marked).unwrap());

    // To the link that is stored: nothing is lost, so nobody is asked, and of the position nothing changes.
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    let url = org.checkpoint_behind(5);
    let stored: Value = serde_json::from_str(&marked).unwrap();
    let arguments = |url| ["offsets", "alter", "acme", "--checkpoint-url", url, "-c", utf8(&path)];
    let output = connector::run(&arguments(stored["checkpointUrl"].as_str().unwrap()), &[], WAIT);
    assert_eq!(output.code(), 0, "{output:?}");
    let last = checkpoint::all(kafka.bootstrap(), &config.offsets_topic, &key).pop().unwrap();
    let without_hole = plain.replace("\"}", r#"","suppressUntil":"2026-11-22T00:00:00.000Z"}"#);
    assert_eq!(last.value_text(), without_hole);
    assert_eq!(told(&status(&config)[0]), [json!(true), Value::Null, Value::Null]);
    assert_eq!(connector::run(&arguments(&url.replace("limit=100", "limit=50")), &[], WAIT).code(), 2);
}
