//! Kafka over TLS: everything that works on a plain broker works on one that asks who comes.

use std::time::Duration;

use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::{self, ConfigFile, Connector, Output, utf8};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::secure_broker::{SCRAM, SecureBroker};
use crate::support::topics::{Isolation, read_all};

const WAIT: Duration = Duration::from_secs(60);

/// Runs a worker over a backlog and what comes later, kills it in between, and asks for the checkpoints. Gives what was done.
pub fn works(broker: &SecureBroker, config: &ConfigYaml, environment: &[(&str, &str)]) -> String {
    let events = prove::scale(20_000, 700);
    let org = Org::with_events(events);
    let config = config.clone().connector(org.connector("acme").interval("200ms"));
    let topic = &config.connectors[0].topic;
    let worker = Connector::spawn(&config, environment);
    worker.await_caught_up(&org, "acme", WAIT);
    worker.kill9();
    org.generate(120);
    let worker = Connector::spawn(&config, environment);
    worker.await_caught_up(&org, "acme", WAIT);
    let _ = worker.await_http("/readyz", 200, WAIT);

    // Read through the broker's plain listener: what is there is there for everybody.
    let records = read_all(&broker.broker.bootstrap(), topic, Isolation::ReadCommitted);
    let difference = Difference::between(org.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
    let listed = command(&config, &["offsets", "list"], environment);
    assert_eq!((listed.code(), listed.stdout.lines().count()), (0, 1), "{listed:?}");
    let got = command(&config, &["offsets", "get", "acme"], environment);
    assert!(got.code() == 0 && got.stdout.contains("checkpointUrl"), "{got:?}");
    let status = command(&config, &["status"], environment);
    assert!(status.code() == 0 && status.stdout.contains(r#""state":""#), "{status:?}");
    let altered = command(&config, &["offsets", "alter", "acme", "--since", "1d", "--yes"], environment);
    assert!(altered.code() == 0 && altered.stdout.starts_with(r#"{"before":{"#), "{altered:?}");
    let checked = command(&config, &["check"], environment);
    assert!(checked.code() == 0 && checked.stdout.contains("TLS"), "{checked:?}");
    worker.terminate();
    assert_eq!(worker.wait(WAIT).code(), Some(0));
    let reset = command(&config, &["offsets", "reset", "acme", "--yes"], environment);
    assert_eq!(reset.code(), 0, "{reset:?}");
    let listed = command(&config, &["offsets", "list"], environment);
    assert_eq!((listed.code(), listed.stdout.as_str()), (0, ""), "{listed:?}");
    format!("{} events, one kill -9; `offsets list`, `get`, `alter` and `reset`, `status` and `check`", records.len())
}

pub fn command(config: &ConfigYaml, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut config = config.clone();
    if config.connectors.is_empty() {
        config = config.connector(ConnectorYaml::new("acme", "https://acme.okta.com", "x"));
    }
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    connector::run(&[arguments, &["-c", utf8(&path)]].concat(), environment, WAIT)
}

#[test]
fn scram_over_tls() {
    let Some(broker) = SecureBroker::shared() else { return };
    let done = works(&broker, &broker.scram(SCRAM), &[]);
    prove::row("tls-scram", "SASL/SCRAM over TLS", &done, "each event once for a read_committed reader");
}

#[test]
fn certificates_on_both_sides() {
    let Some(broker) = SecureBroker::shared() else { return };
    let done = works(&broker, &broker.mutual(), &[]);
    prove::row("tls-mutual", "TLS with a client certificate", &done, "each event once for a read_committed reader");
}

/// Without a CA of its own it takes the machine's, where OpenSSL's variables name one: that.
#[test]
fn the_authority_that_the_environment_names() {
    let Some(broker) = SecureBroker::shared() else { return };
    let mut config = broker.scram(SCRAM);
    config.kafka.retain(|line| !line.starts_with("ssl.ca.location"));
    let authority = broker.authority.path();
    // There is no offsets topic: so it came as far as to look for it.
    let output = command(&config, &["offsets", "list"], &[("SSL_CERT_FILE", utf8(&authority))]);
    assert!(output.code() == 1 && output.stderr.contains("is not there"), "{output:?}");
}
