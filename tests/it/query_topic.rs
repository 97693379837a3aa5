//! `query --to-topic`: results in a real Kafka, as `run` would have written them.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use okta_kafka_source::simulator::FaultKind;

use crate::support::avro;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Output, utf8};
use crate::support::mail_server::MailServer;
use crate::support::org::Org;
use crate::support::process::Stream;
use crate::support::registry::shared_registry;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, OwnedRecord, create_topic, random_name, read_all};
use crate::support::{prove, python};

const WAIT: Duration = Duration::from_secs(60);

fn query(config: &ConfigYaml, arguments: &[&str]) -> Output {
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    connector::run(&[&["query", "acme", "-c", utf8(&path)], arguments].concat(), &[], WAIT)
}

fn contents(records: &[OwnedRecord]) -> BTreeMap<&str, OwnedRecord> {
    let without_place = |one: &OwnedRecord| OwnedRecord { partition: 0, offset: 0, ..one.clone() };
    records.iter().map(|one| (one.key_text(), without_place(one))).collect()
}

#[test]
fn results_are_the_records_that_run_would_write() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    let org = Org::with_events(120);
    org.append([&b"{}"[..], b"17"]);
    let acme = org.connector("acme").interval("200ms");
    let (run_topic, dead_letters) = (acme.topic.clone(), format!("{}.dlq", acme.topic));
    let config = ConfigYaml::new(bootstrap).connector(acme);
    let worker = connector::Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    worker.stop();
    let [by_run, letters] =
        [&run_topic, &dead_letters].map(|topic| read_all(bootstrap, topic, Isolation::ReadCommitted));
    assert_eq!((by_run.len(), letters.len()), (120, 2));

    let topic = random_name("query");
    let output = query(&config, &["--to-topic", &topic, "--limit", "50"]);
    assert_eq!((output.code(), output.stdout.as_str()), (0, ""), "{output:?}");
    assert!(
        output.stderr.contains(&format!("122 events in 3 pages, 120 of them published to `{topic}`")),
        "{output:?}"
    );
    assert!(output.stderr.contains("not in the topic: 2; `dead-letters list acme`"), "{output:?}");
    let by_query = read_all(bootstrap, &topic, Isolation::ReadCommitted);
    assert_eq!(by_query.len(), 120);
    assert_eq!(contents(&by_query), contents(&by_run), "key, value, time and headers");
    let letters = read_all(bootstrap, &dead_letters, Isolation::ReadCommitted);
    assert_eq!(letters.len(), 4);
    let meant: Vec<_> =
        letters.iter().filter(|one| one.header("__connect.errors.topic") == Some(topic.as_str())).collect();
    assert_eq!(meant.len(), 2);
    assert!(meant.iter().all(|one| one.header("__connect.errors.task.id") == Some("-1")), "{meant:?}");

    // Twice is twice, under the same keys; and beside it the same on stdout.
    let output = query(&config, &["--to-topic", &topic, "-o", "ndjson", "--max-events", "7"]);
    assert_eq!((output.code(), output.stdout.lines().count()), (0, 7), "{output:?}");
    let again = read_all(bootstrap, &topic, Isolation::ReadCommitted);
    assert_eq!((again.len(), contents(&again).len()), (127, 120));

    // A reader of stdout that goes away takes nothing from the topic.
    let file = ConfigFile::new(&config.render());
    let (path, read_along) = (file.path(), random_name("query-read-along"));
    let command = format!(
        "'{}' query acme -c '{}' --to-topic {read_along} --limit 10 -o ndjson | head -1; exit ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_okta-kafka-source"),
        utf8(&path)
    );
    let output = Command::new("bash").args(["-c", &command]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(read_all(bootstrap, &read_along, Isolation::ReadCommitted).len(), 120);

    // Who gets a mail about it is told of the dead letters; a query that ends early sends none, and says what comes again.
    if let Some(python) = python::there() {
        let server = MailServer::start(python, &[]);
        let email =
            format!("email: {{host: 127.0.0.1, security: none, port: {}, from: okta@example.com}}", server.port);
        let mut config = config.clone();
        config.extra.push(email);
        let mailed = random_name("query-mailed");
        let of_mail = ["--to-topic", mailed.as_str(), "--email", "soc@example.com", "--limit", "50"];
        assert_eq!(query(&config, &of_mail).code(), 0);
        let text = server.mail().parts[0].text();
        let note = format!("120 of 122 were also published to `{mailed}`; 2 are dead letters, which are not in it.");
        assert!(text.contains(&note), "{text}");
        org.inject(FaultKind::WrongOrigin);
        let failed = query(&config, &of_mail);
        assert!(failed.code() == 1 && failed.stderr.contains("comes into the topic again"), "{failed:?}");
    }

    // Topics that others have: dead letters' are refused, whosever; into a connector's own goes what is asked, with a word.
    let before = read_all(bootstrap, &dead_letters, Isolation::ReadCommitted).len();
    let other = org.connector("other");
    let two = config.clone().connector(other.clone());
    let refused = query(&two, &["--to-topic", &format!("{}.dlq", other.topic)]);
    assert!(refused.code() == 1 && refused.stderr.contains("is a dead letter topic of the file"), "{refused:?}");
    let warned = query(&two, &["--to-topic", &run_topic, "--max-events", "3"]);
    assert!(warned.code() == 0 && warned.stderr.contains("is the topic of connector `acme`"), "{warned:?}");
    assert_eq!(read_all(bootstrap, &dead_letters, Isolation::ReadCommitted).len(), before);

    // What Kafka does not take is a dead letter; a topic that loses the events is refused.
    let (small, short) = (random_name("small"), random_name("short"));
    create_topic(bootstrap, &small, 1, &[("max.message.bytes", "2500"), ("retention.ms", "-1")]);
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(5_000).collect();
    org.append([format!(r#"{{"uuid":"large","published":"{}","x":"{noise}"}}"#, jiff::Timestamp::now())]);
    let output = query(&config, &["--to-topic", &small, "--since", "1h"]);
    assert_eq!(output.code(), 0, "{output:?}");
    let letters = read_all(bootstrap, &dead_letters, Isolation::ReadCommitted);
    let large = letters.iter().find(|one| one.key_text() == "large").expect("a dead letter");
    assert_eq!(large.header("__connect.errors.exception.class.name"), Some("RecordTooLarge"));
    create_topic(bootstrap, &short, 1, &[("retention.ms", "3600000")]);
    let before = org.request_count();
    let refused = query(&config, &["--to-topic", &short]);
    assert!(refused.code() == 1 && refused.stderr.contains("--since asks for 7.0 days"), "{refused:?}");
    assert_eq!(org.request_count(), before, "nothing is asked that can't be published");
}

#[test]
fn avro_records_are_by_the_registry_s_schema() {
    let (Some(kafka), Some(registry)) = (shared_broker(), shared_registry()) else { return };
    let bootstrap = kafka.bootstrap();
    let org = Org::with_events(150);
    let config = ConfigYaml::new(bootstrap)
        .schema_registry(&registry.url())
        .connector(org.connector("acme").extra("format: avro"));
    let topic = random_name("query-avro");
    let output = query(&config, &["--to-topic", &topic]);
    assert_eq!(output.code(), 0, "{output:?}");
    let records = read_all(bootstrap, &topic, Isolation::ReadCommitted);
    assert_eq!(records.len(), 150);
    let _ = avro::assert_equal(&org, &records, registry);
}

#[test]
fn a_killed_query_has_published_whole_pages_only() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    let org = Org::with_events(2_000);
    let config = ConfigYaml::new(bootstrap).connector(org.connector("acme"));
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    let topic = random_name("query-killed");
    let arguments = ["query", "acme", "-c", utf8(&path), "--to-topic", &topic, "--limit", "10"];
    let kills = prove::scale(20, 4);
    let mut published = 0;
    for kill in 0..kills {
        let before = org.request_count();
        let process = connector::spawn(&arguments, &[]);
        org.await_requests(before + 3 + kill * 5, WAIT);
        // Somewhere within a page.
        process.runs_on(Duration::from_millis(fastrand::u64(0..25)));
        let _ = process.kill9();
        published = read_all_when_decided(&config, bootstrap, &topic).len();
        assert!(published.is_multiple_of(10), "{published} records are not whole pages of ten");
    }
    assert!(published > 0);
    prove::row(
        "query-killed",
        "An ad hoc query into a topic publishes whole pages",
        &format!("{kills} times kill -9 in the middle of `query --to-topic`, pages of 10"),
        &format!("{published} records, whole pages only"),
    );
}

/// The open transaction of a killed query is ended by the next one's start; one that asks for nothing is enough.
fn read_all_when_decided(config: &ConfigYaml, bootstrap: &str, topic: &str) -> Vec<OwnedRecord> {
    let ended = query(config, &["--to-topic", topic, "--since", "20d", "--until", "19d"]);
    assert_eq!(ended.code(), 0, "{ended:?}");
    read_all(bootstrap, topic, Isolation::ReadCommitted)
}

#[test]
fn of_two_queries_of_one_connector_the_later_goes_on() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(600);
    let config = ConfigYaml::new(kafka.bootstrap()).connector(org.connector("acme"));
    let file = ConfigFile::new(&config.render());
    let (path, topic) = (file.path(), random_name("query-fenced"));
    org.set_latency(Duration::from_millis(100));
    let first = connector::spawn(&["query", "acme", "-c", utf8(&path), "--to-topic", &topic, "--limit", "10"], &[]);
    org.await_requests(4, WAIT);
    let second = query(&config, &["--to-topic", &topic, "--limit", "1000"]);
    assert_eq!(second.code(), 0, "{second:?}");
    assert_eq!(first.wait(WAIT).code(), Some(3), "{}", first.tail(9));
    let said = first.text(Stream::Stderr);
    assert!(said.contains(&format!("{}-job-query-acme", config.group_id)) && said.contains("to go on"), "{said}");
    let published = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted).len() - 600;
    assert!(published > 0 && published < 600 && published.is_multiple_of(10), "{published}");
}
