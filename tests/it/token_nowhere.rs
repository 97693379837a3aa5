//! The token is in no log, metric, error or record, however much is logged.

use std::time::Duration;

use okta_kafka_source::simulator::{FaultKind, SimulatorConfig};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, utf8};
use crate::support::leak::Secret;
use crate::support::org::Org;
use crate::support::process::Stream;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, read_all};

const WAIT: Duration = Duration::from_secs(90);
/// As long and as shaped as Okta's, and nothing that could stand anywhere by chance.
const TOKEN: &str = "00Qz7hWkV9pXr2LmNbT4sYcJd6GfAe8UvHiKoZxw31";
const WRONG_TOKEN: &str = "00Rj5nEtB8yMu3DqPgF7aSvLk1XcWz9HoTiVxYbn42";

#[test]
fn the_token_is_in_no_log_metric_or_record() {
    let Some(kafka) = shared_broker() else { return };
    let secrets = [Secret::new(TOKEN), Secret::new(WRONG_TOKEN)];
    let mut looked_at = Vec::new();
    for format in ["text", "json"] {
        let org = Org::start(SimulatorConfig { events: 300, token: Some(TOKEN.to_owned()), ..Default::default() });
        for kind in [FaultKind::Http500, FaultKind::Concurrency, FaultKind::Cut, FaultKind::Truncate] {
            org.inject(kind);
        }
        let mut refused = org.connector("refused");
        refused.token = "${env:WRONG_TOKEN}".to_owned();
        let mut acme = org.connector("acme");
        acme.token = "${env:TOKEN}".to_owned();
        let config =
            ConfigYaml::new(kafka.bootstrap()).kafka("debug: all").connector(acme.clone()).connector(refused.clone());
        let environment = [
            ("RUST_LOG", "trace"),
            ("OKTA_KAFKA_SOURCE_LOG_FORMAT", format),
            ("TOKEN", TOKEN),
            ("WRONG_TOKEN", WRONG_TOKEN),
        ];
        let worker = Connector::spawn(&config, &environment);
        worker.await_state("refused", "failed", WAIT);
        let _ = worker.await_of("acme", "events_committed_total", &[], |value| value == 300.0, WAIT);
        org.append([&b"{\"eventType\":\"no.uuid\"}"[..], b"[\"\xff\"]"]);
        let _ =
            worker.await_of("acme", "dead_letters_total", &[("stage", "KEY_CONVERTER")], |value| value == 1.0, WAIT);
        let _ =
            worker.await_of("acme", "dead_letters_total", &[("stage", "VALUE_CONVERTER")], |value| value == 1.0, WAIT);
        let metrics = worker.http("/metrics").unwrap().body;
        worker.terminate();
        assert_eq!(worker.wait(Duration::from_secs(10)).code(), Some(0));

        let log = worker.log();
        assert!(
            log.contains("librdkafka") && log.lines().count() > 1_000,
            "this is not TRACE:\n{}",
            worker.process().tail(20)
        );
        assert_eq!(log.lines().all(|line| line.starts_with('{')), format == "json", "a log in {format}");
        let topics = [&config.offsets_topic, &acme.topic, &format!("{}.dlq", acme.topic), "__consumer_offsets"];
        for secret in &secrets {
            secret.must_not_be_in("the log", &log);
            secret.must_not_be_in("stdout", &worker.process().text(Stream::Stdout));
            secret.must_not_be_in("/metrics", &metrics);
        }
        let mut count = 0;
        for topic in topics {
            let records = read_all(kafka.bootstrap(), topic, Isolation::ReadUncommitted);
            assert!(!records.is_empty(), "nothing to look at in {topic}");
            count += records.len();
            secrets.iter().for_each(|secret| secret.must_not_be_in_records(topic, &records));
        }
        looked_at.push(format!("{} lines of {format} and {count} records", log.lines().count()));
    }
    let broken = broken_configurations();
    prove::row(
        "token-nowhere",
        "A credential is in no log, error, metric or record",
        &format!(
            "RUST_LOG=trace and debug=all of librdkafka, with a good token, a refused one, faults and dead letters; {broken} \
             broken configurations; looked for the tokens as they are, halved, backwards, in base64, hex and as bytes"
        ),
        &format!("nowhere in {}", looked_at.join(", ")),
    );
}

/// A token in the file itself, and a mistake right beside it. Gives how many there were.
fn broken_configurations() -> usize {
    let secrets = [Secret::new(TOKEN), Secret::new(WRONG_TOKEN)];
    let config = |auth: &str, kafka: &str| {
        format!(
            "kafka:\n  bootstrap.servers: 127.0.0.1:9\n{kafka}connectors:\n  - name: acme\n    \
             org: https://acme.okta.com\n    {auth}\n    topic: t\n"
        )
    };
    let auth = [
        format!("auth: {{swss: {TOKEN}}}"),
        format!("auth: {{ssws: [{TOKEN}]}}"),
        format!("auth: {{ssws: {{{TOKEN}: x}}}}"),
        format!("auth: {TOKEN}"),
        format!("auth: {{ssws: {TOKEN}, ssws: {WRONG_TOKEN}}}"),
        format!("auth: {{ssws: \"{TOKEN}}}"),
        format!("auth: {{ssws: \"{TOKEN}\\q\"}}"),
        format!("auth: {{ssws: \"{TOKEN}\\n{WRONG_TOKEN}\"}}"),
        format!("auth: {{ssws: \"${{env:{TOKEN}\"}}"),
        format!("auth:\n\t ssws: {TOKEN}"),
        format!("auth: {{ssws: &{TOKEN} *x}}"),
        format!("auth: {{ssws: !{TOKEN} x}}"),
        format!("auth: {{ssws: '{TOKEN} '}}"),
    ];
    let kafka = [
        format!("  sasl.password: [{TOKEN}]\n"),
        format!("  sasl.jaas.config: 'password=\"{TOKEN}\"'\n"),
        format!("  ssl.key.pem: {{a: {TOKEN}}}\n"),
        format!("  ssl.keystore.password: \"${{x{TOKEN}}}\"\n"),
    ];
    let good = "auth: {ssws: x}";
    let broken = auth.iter().map(|auth| config(auth, "")).chain(kafka.iter().map(|kafka| config(good, kafka)));
    let mut count = 0;
    for text in broken {
        let file = ConfigFile::new(&text);
        let path = file.path();
        let output = connector::run(&["run", "-c", utf8(&path)], &[("RUST_LOG", "trace")], WAIT);
        assert_eq!(output.code(), 2, "{text}\n{output:?}");
        for secret in &secrets {
            secret.must_not_be_in("the errors of a broken configuration", &output.stderr);
            secret.must_not_be_in("the output of a broken configuration", &output.stdout);
        }
        count += 1;
    }
    count
}
