//! The configuration file: one row for each rule, secrets that stay secret, defaults, and the contract's example.

mod bad;
mod kafka;
mod okta_http;
mod planted;
mod rules;
mod schema_registry;
mod secrets;

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use okta_kafka_source::config::{Config, ConfigError, OnLostCursor, OnQueryChange, Problem, Since};
use openssl::rsa::Rsa;
use secrecy::ExposeSecret;

use crate::support::service_key::{Form, Kind, ServiceKey};

/// Stands in every place where a secret may stand; no output may hold any of it.
const SECRET: &str = "hunter2";

/// The smallest file that is right, with places to add to.
const MINIMAL: &str = "\
kafka:
  bootstrap.servers: localhost:9092
connectors:
  - name: acme
    org: https://acme.okta.com
    auth: {ssws: \"${env:TOKEN}\"}
    topic: okta.system-log
";

/// Keys of a service app: a good one, and two that Okta or we refuse.
static KEY: LazyLock<ServiceKey> = LazyLock::new(|| ServiceKey::new("kid-1", Kind::P256));
static P521_KEY: LazyLock<ServiceKey> = LazyLock::new(|| ServiceKey::new("kid-1", Kind::P521));
static SHORT_KEY: LazyLock<String> =
    LazyLock::new(|| String::from_utf8(Rsa::generate(1024).unwrap().private_key_to_pem().unwrap()).unwrap());

fn env(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some("00abcDEF".to_owned()),
        "SECRET" => Some(SECRET.to_owned()),
        "SPACED" => Some(format!("{SECRET} {SECRET}")),
        "EMPTY" => Some(String::new()),
        "TWO_LINES" => Some(format!("{SECRET}\n{SECRET}")),
        "LIMIT" => Some("50".to_owned()),
        "PASSWORD" => Some(SECRET.to_owned()),
        // Of a service app; made anew for each run.
        "KEY" => Some(KEY.file(Form::Pkcs8)),
        "JWK" => Some(KEY.file(Form::Jwk)),
        "PUBLIC_KEY" => Some(KEY.public_pem()),
        "P521_KEY" => Some(P521_KEY.file(Form::Pkcs8)),
        "SHORT_KEY" => Some(SHORT_KEY.clone()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse_at(text, &env, "2026-11-01T00:00:00Z".parse().expect("a time"))
}

fn valid(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("should be valid:\n{text}\n{error}"))
}

fn problems(text: &str) -> Vec<Problem> {
    match parse(text) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems().to_vec(),
    }
}

/// Exactly one problem, at this key and line, whose message has all these parts.
fn assert_one(text: &str, path: &str, line: usize, parts: &[&str]) {
    let found = problems(text);
    let matches = matches!(found.as_slice(), [one]
        if one.path == path && one.line == line && parts.iter().all(|part| one.message.contains(part)));
    assert!(matches, "expected one problem at {path}, line {line}, with {parts:?}:\n{text}\nfound {found:#?}");
}

/// The minimal file with more keys on the first connector, from line 8.
fn with_connector_keys(keys: &str) -> String {
    keys.lines().fold(MINIMAL.to_owned(), |text, key| format!("{text}    {key}\n"))
}

/// The minimal file with more lines at the top level, from line 1 on, `MINIMAL` after them.
fn with_top(lines: &str) -> String {
    format!("{lines}\n{MINIMAL}")
}

/// The minimal file with a property under `kafka`, on line 2.
fn with_kafka(property: &str) -> String {
    MINIMAL.replacen("kafka:\n", &format!("kafka:\n  {property}\n"), 1)
}

#[test]
fn the_smallest_file_has_the_contracts_defaults() {
    let config = valid(MINIMAL);
    assert_eq!(config.group_id, "okta-kafka-source-offsets");
    assert_eq!(config.group_instance_id, None);
    assert_eq!(config.offsets.topic, "okta-kafka-source-offsets");
    assert_eq!((config.offsets.partitions, config.offsets.replication_factor), (25, -1));
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8083");
    assert_eq!(config.warnings, []);
    assert_eq!(config.kafka.bootstrap_servers(), "localhost:9092");
    assert_eq!(
        config.kafka.producer().collect::<Vec<_>>(),
        [("bootstrap.servers", "localhost:9092"), ("compression.type", "lz4")]
    );
    assert_eq!(config.kafka.consumer().collect::<Vec<_>>(), [("bootstrap.servers", "localhost:9092")]);

    let [connector] = config.connectors.as_slice() else { panic!("one connector: {config:?}") };
    assert_eq!(connector.name, "acme");
    assert_eq!(connector.org.to_string(), "https://acme.okta.com");
    assert_eq!(connector.auth.ssws().expect("an API token").token().expose_secret(), "00abcDEF");
    assert_eq!(connector.topic.name, "okta.system-log");
    assert_eq!((connector.topic.partitions, connector.topic.replication_factor), (6, -1));
    assert!(connector.topic.create && connector.topic.config.is_empty());
    assert_eq!(connector.interval, Duration::from_secs(60));
    assert_eq!(connector.limit, 100);
    assert_eq!(connector.since, Since::Ago(Duration::from_secs(7 * 86_400)));
    assert_eq!((&connector.filter, &connector.q), (&None, &None));
    assert_eq!(connector.dead_letter_topic, "okta.system-log.dlq");
    assert!(!connector.allow_overlap);
    assert_eq!(connector.recovery_overlap, Duration::from_secs(600));
    assert_eq!(connector.on_lost_cursor, OnLostCursor::Recover);
    assert_eq!(connector.on_query_change, OnQueryChange::RestartFromPublished);
}

/// The example of the contract, less what later versions bring.
const CONTRACT: &str = r#"
kafka:
  bootstrap.servers: localhost:9092
  producer: {linger.ms: 5}
group_id: okta-kafka-source-offsets
group_instance_id: worker-0
offsets:
  topic: okta-kafka-source-offsets
  partitions: 25
  replication_factor: -1
http:
  listen: 127.0.0.1:8083
connector_defaults: {interval: 60s}
connectors:
  - name: acme
    org: https://acme.okta.com
    auth: {ssws: "${env:TOKEN}"}
    topic: {name: okta.system-log, partitions: 6, replication_factor: -1, create: true, config: {retention.ms: 7776000000}}
    format: json
    interval: 60s
    limit: 100
    since: 7d
    filter: 'eventType sw "user."'
    q: "keyword"
    dead_letter_topic: okta.system-log.dlq
"#;

#[test]
fn the_contracts_example_parses() {
    let config = valid(CONTRACT);
    assert_eq!(config.group_instance_id.as_deref(), Some("worker-0"));
    assert_eq!(config.kafka.get_producer("queue.buffering.max.ms"), Some("5"));
    assert_eq!(config.kafka.get_consumer("linger.ms"), None);
    let connector = &config.connectors[0];
    assert_eq!(connector.topic.config.get("retention.ms").map(String::as_str), Some("7776000000"));
    assert_eq!(connector.filter.as_deref(), Some("eventType sw \"user.\""));
    assert_eq!(connector.q.as_deref(), Some("keyword"));
    assert_eq!(config.warnings, []);
}

#[test]
fn defaults_are_merged_and_their_problems_reported_once_at_their_own_line() {
    let two = "  - {name: b, org: https://b.okta.com, interval: 2m, topic: {name: b, config: {retention.ms: 5}}}\n";
    let one = "  - {name: a, org: https://a.okta.com, topic: a}\n";
    let file = |defaults: &str| {
        format!("kafka: {{bootstrap.servers: x}}\nconnector_defaults:\n{defaults}connectors:\n{one}{two}")
    };
    let good =
        "  auth: {ssws: '${env:TOKEN}'}\n  interval: 5m\n  topic: {partitions: 12, config: {cleanup.policy: delete}}\n";
    let config = valid(&file(good));
    let intervals: Vec<u64> = config.connectors.iter().map(|c| c.interval.as_secs()).collect();
    assert_eq!(intervals, [300, 120]);
    assert!(config.connectors.iter().all(|c| c.topic.partitions == 12));
    assert_eq!(config.connectors[0].topic.config.len(), 1);
    assert_eq!(config.connectors[1].topic.config.get("retention.ms").map(String::as_str), Some("5"));

    let auth = "  auth: {ssws: '${env:TOKEN}'}\n";
    assert_one(&file(&format!("{auth}  limit: 5\n")), "connector_defaults.limit", 4, &["`5`"]);
    assert_one(
        &file(&format!("{auth}  topic: {{partitons: 5}}\n")),
        "connector_defaults.topic.partitons",
        4,
        &["did you mean `partitions`"],
    );
    assert_one(&file("  auth: {ssws: '${env:NOPE}'}\n"), "connector_defaults.auth.ssws", 3, &["`NOPE`"]);
    let warned = valid(&file(&format!("{auth}  interval: 10s\n"))).warnings;
    assert!(matches!(warned.as_slice(), [w] if w.path == "connector_defaults.interval" && w.line == 4), "{warned:?}");
    // A default that every connector overrides is read all the same.
    let unused = format!("connector_defaults:\n  limit: 5\n{}", with_connector_keys("limit: 10"));
    assert_one(&unused, "connector_defaults.limit", 2, &["`5`"]);
    // What only a connector completes is no mistake of the defaults.
    let completed = format!("connector_defaults:\n  limit: 500\n{}", with_connector_keys("large_pages: true"));
    assert_eq!(valid(&completed).connectors[0].limit, 500);
}

#[test]
fn values_are_read_as_the_contract_says() {
    let connector = |keys: &str| valid(&with_connector_keys(keys)).connectors.remove(0);
    assert_eq!(connector("interval: 1d").interval, Duration::from_secs(86_400));
    assert_eq!(connector("interval: 1500ms").interval, Duration::from_millis(1500));
    assert_eq!(connector("limit: 10").limit, 10);
    assert_eq!(connector("limit: \"${env:LIMIT}\"").limit, 50);
    assert_eq!(connector("limit: 1000\nlarge_pages: true").limit, 1000);
    assert_eq!(connector("since: now").since, Since::Now);
    assert_eq!(connector("since: 180d").since, Since::Ago(Duration::from_secs(180 * 86_400)));
    let at = "2026-10-31T22:00:00Z".parse().expect("a time");
    assert_eq!(connector("since: 2026-11-01T00:00:00+02:00").since, Since::At(at));
    assert_eq!(connector("filter: ''").filter, None);
    assert_eq!(connector("q: 'a $${env:TOKEN} $5'").q.as_deref(), Some("a ${env:TOKEN} $5"));
    assert_eq!(connector("q: 'x${env:LIMIT}y${env:LIMIT}'").q.as_deref(), Some("x50y50"));
    assert_eq!(connector("q: !!str 5").q.as_deref(), Some("5"));
    let config = valid(&with_top("offsets: {topic: mine}\nhttp: {listen: '[::1]:0'}"));
    assert_eq!((config.group_id.as_str(), config.http.listen.port()), ("mine", 0));
    valid(&format!("\u{feff}{MINIMAL}"));
    valid(&format!("%YAML 1.2\n---\n{MINIMAL}...\n"));
    valid(&MINIMAL.replace('\n', "\r\n"));
}

#[test]
fn all_problems_are_there_at_once_by_line_and_in_the_files_name() {
    let text = "\
kafka:
  acks: 1
  linger.ms: soon
offset: {partitions: 5}
connectors:
  - name: acme
    org: acme.okta.com
    auth: {ssws: '${env:NOPE}'}
    topic: okta.system-log
    interval: 0s
    retries: 5
";
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, text).expect("written");
    let error = Config::load(&path).expect_err("wrong");
    let expected = [
        (2, "kafka.acks"),
        (2, "kafka.bootstrap.servers"),
        (3, "kafka.linger.ms"),
        (4, "offset"),
        (7, "connectors[0].org"),
        (8, "connectors[0].auth.ssws"),
        (10, "connectors[0].interval"),
        (11, "connectors[0].retries"),
    ];
    let found: Vec<_> = error.problems().iter().map(|p| (p.line, p.path.as_str())).collect();
    assert_eq!(found, expected, "{error}");
    let shown = error.to_string();
    assert_eq!(shown.lines().count(), expected.len());
    for (line, (number, key)) in shown.lines().zip(expected) {
        assert!(line.starts_with(&format!("{}:{number}: {key}: ", path.display())), "{line}");
        assert!(!line.ends_with('.'), "{line}");
    }
}

#[test]
fn a_file_that_cannot_be_read_says_which() {
    let dir = tempfile::tempdir().expect("a directory");
    let not_utf8 = dir.path().join("latin1.yaml");
    std::fs::write(&not_utf8, b"# caf\xe9\n").expect("written");
    let too_large = dir.path().join("events.json");
    std::fs::write(&too_large, "x".repeat(10_000_000)).expect("written");
    for path in [Path::new("/no/such/config.yaml"), dir.path(), &not_utf8, &too_large, Path::new("/dev/zero")] {
        let error = Config::load(path).expect_err("unreadable");
        assert!(matches!(error, ConfigError::Unreadable { .. }), "{error:?}");
        let shown = error.to_string();
        assert!(shown.contains(&path.display().to_string()) && shown.ends_with("-c FILE`"), "{shown}");
        // What the operating system says is told once, with all causes printed.
        assert_eq!(format!("{:#}", anyhow::Error::from(error)), shown);
    }
}
