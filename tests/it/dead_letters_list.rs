//! `dead-letters list`: what lies in the dead letter topic, as the shipped program shows it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, Output, utf8};
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, OwnedRecord, create_topic, read_all, topic_exists};
use crate::support::{java_partitioner, producers};

const WAIT: Duration = Duration::from_secs(60);

/// An event with that uuid that no data topic of this test takes.
fn too_large(uuid: &str) -> Vec<u8> {
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(20_000).collect();
    format!(r#"{{"uuid":"{uuid}","published":"2026-11-01T00:00:00.000Z","eventType":"large","x":"{noise}"}}"#).into()
}

/// Elements that cannot be published, with the reason of each: 14, the last ten larger than a pipe.
fn refused(name: &str) -> Vec<(Vec<u8>, &'static str)> {
    let mut refused = vec![
        ([format!("{{\"uuid\":\"{name}-latin\",\"x\":\"").as_bytes(), b"\xff\xfe\x00\"}"].concat(), "NotUtf8"),
        (format!("{{\"no uuid\":\"{name}\",\t\"x\" : \"\u{1f980} \u{9b}31m \u{7f}\"}}").into(), "MissingUuid"),
        (format!("\"{name}\"").into(), "NotAnObject"),
        (format!("{{\"uuid\":\"{name}\", oops: [\r\n]}}").into(), "NotJson"),
    ];
    refused.extend((0..10).map(|n| (too_large(&format!("{name}-large-{n}")), "RecordTooLarge")));
    refused
}

/// The bytes that a line shows, whichever way.
fn bytes_of(line: &Value) -> Vec<u8> {
    match (&line["value"], &line["value_hex"]) {
        (Value::String(text), Value::Null) => text.clone().into_bytes(),
        (Value::Null, Value::String(hex)) => {
            let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
            pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
        }
        _ => panic!("not one value in {line}"),
    }
}

/// Everything that the line says, against the record that it is of.
fn compare(line: &Value, record: &OwnedRecord, topic: &str, org: &Org, config: &ConfigYaml, at: usize) {
    let connector = &config.connectors[at];
    let header = |name: &str| record.header(&format!("__connect.errors.{name}")).unwrap();
    let checkpoint_key = crate::support::checkpoint::key(&connector.name, &org.authority());
    let shards = i32::try_from(config.offsets_partitions).unwrap();
    let timestamp: jiff::Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
    assert_eq!(timestamp.as_millisecond(), record.timestamp.unwrap());
    for (name, wanted) in [
        ("topic", Value::from(topic)),
        ("key", record.key_text().into()),
        ("connector", connector.name.as_str().into()),
        ("intended_topic", connector.topic.as_str().into()),
        ("task", java_partitioner::partition(checkpoint_key.as_bytes(), shards).into()),
        ("stage", header("stage").into()),
        ("reason", header("exception.class.name").into()),
        ("message", header("exception.message").into()),
        ("source_partition", serde_json::json!({ "org": org.authority() })),
        ("source_offset", serde_json::from_str(header("source.offset")).unwrap()),
        ("bytes", record.value.as_ref().unwrap().len().into()),
    ] {
        assert_eq!(line[name], wanted, "{name} of {line}");
    }
    assert_eq!(Some(bytes_of(line)), record.value, "{line}");
}

#[test]
fn each_dead_letter_of_the_connector_is_a_line() {
    let Some(kafka) = shared_broker() else { return };
    let orgs = [Org::with_events(30), Org::with_events(0)];
    let mut config = ConfigYaml::new(kafka.bootstrap());
    let shared = format!("{}-shared-dlq", config.offsets_topic);
    for (org, name) in orgs.iter().zip(["acme", "other"]) {
        let one = org.connector(name).interval("200ms").extra(&format!("dead_letter_topic: {shared}"));
        create_topic(kafka.bootstrap(), &one.topic, 2, &[("max.message.bytes", "10000")]);
        config = config.connector(one);
    }
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    let list = |more: &[&str]| -> Output {
        connector::run(&[&["dead-letters", "list", "-c", utf8(&path)], more].concat(), &[], WAIT)
    };

    let before = list(&["acme"]);
    assert_eq!((before.code(), before.stdout.as_str()), (0, ""), "{before:?}");
    assert!(before.stderr.contains("no dead letter topic yet") && before.stderr.contains(&shared), "{before:?}");
    assert!(!topic_exists(kafka.bootstrap(), &shared), "looking makes it");

    let worker = Connector::spawn(&config, &[]);
    let served = ["acme", "other"].map(refused);
    for (org, refused) in orgs.iter().zip(&served) {
        org.append(refused.iter().map(|(bytes, _)| bytes));
        org.generate(20);
    }
    for (org, name) in orgs.iter().zip(["acme", "other"]) {
        worker.await_caught_up(org, name, WAIT);
    }
    worker.stop();
    producers::write(kafka.bootstrap(), &shared, 0, "a stranger", "without headers");

    let records = read_all(kafka.bootstrap(), &shared, Isolation::ReadCommitted);
    let records: BTreeMap<_, _> = records.iter().map(|record| ((record.partition, record.offset), record)).collect();
    assert_eq!(records.len(), 2 * 14 + 1);
    for (at, (org, served)) in orgs.iter().zip(&served).enumerate() {
        let output = list(&[&config.connectors[at].name]);
        assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
        let control = output.stdout.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(control, None, "what a terminal would obey");
        let lines: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &lines {
            let place = (i32::try_from(line["partition"].as_i64().unwrap()).unwrap(), line["offset"].as_i64().unwrap());
            compare(line, records[&place], &shared, org, &config, at);
        }
        let mut shown: Vec<_> =
            lines.iter().map(|line| (bytes_of(line), line["reason"].as_str().unwrap().to_owned())).collect();
        let mut wanted: Vec<_> = served.iter().map(|(bytes, reason)| (bytes.clone(), (*reason).to_owned())).collect();
        shown.sort_unstable();
        wanted.sort_unstable();
        assert!(shown == wanted, "what was served is what is shown: {:#?}", lines);
    }

    for limit in [1, 3, 14] {
        let output = list(&["acme", "--limit", &limit.to_string()]);
        assert_eq!((output.code(), output.stdout.lines().count()), (0, limit), "{output:?}");
    }
    assert_eq!(list(&["acme", "--limit", "0"]).code(), 2);

    let unknown = list(&["nobody"]);
    assert_eq!((unknown.code(), unknown.stdout.as_str()), (1, ""));
    assert!(unknown.stderr.contains("`nobody`") && unknown.stderr.contains("`acme`, `other`"), "{unknown:?}");

    read_one_line_and_close(utf8(&path));
    prove::row(
        "dead-letters-list",
        "`dead-letters list` shows each dead letter of the connector, and nothing else, as it was served",
        "two connectors with one dead letter topic, each with 14 refused elements: not UTF-8, no uuid, no object, no JSON, ten \
         too large; a stranger's record between them",
        "28 lines, each equal to its record and byte for byte what was served; `--limit` 1, 3 and 14; a pipe closed after the \
         first line: exit code 0 and silence",
    );
}

/// As `| head -n 1` does.
fn read_one_line_and_close(path: &str) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_okta-kafka-source"))
        .env_remove("RUST_LOG")
        .args(["dead-letters", "list", "acme", "-c", path])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    // All of it is more than the pipe holds.
    let _ = BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let status = child.wait().unwrap();
    let mut said = String::new();
    let _ = child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
    let line: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(line["connector"], "acme");
}
