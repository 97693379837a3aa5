//! Links that lead out of the org: the credential does not follow them, and only the connector that met one fails.

use std::time::Duration;

use okta_kafka_source::simulator::{FaultKind, Faults, SimulatorConfig};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::foreign_listener::ForeignListener;
use crate::support::org::Org;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, create_topic, read_all};
use crate::support::{checkpoint, java_partitioner, producers, prove};

const WAIT: Duration = Duration::from_secs(60);
const EVENTS: usize = 1_000;

#[test]
fn a_link_to_another_origin_gets_no_token_and_fails_its_connector_only() {
    let Some(kafka) = shared_broker() else { return };
    let foreign = ForeignListener::listen();
    let faulty = |kind| {
        let faults = Faults::one(kind, 1.0).unwrap();
        Org::start(SimulatorConfig { events: EVENTS, faults, other_origin: foreign.origin(), ..Default::default() })
    };
    let (linking, redirecting) = (faulty(FaultKind::WrongOrigin), faulty(FaultKind::Redirect));
    let (stored, good) = (Org::with_events(EVENTS), Org::with_events(EVENTS));
    let config = ConfigYaml::new(kafka.bootstrap())
        .connector(linking.connector("linking"))
        .connector(redirecting.connector("redirecting"))
        .connector(stored.connector("stored"))
        .connector(good.connector("good"));
    let topic = |name: &str| config.connectors.iter().find(|one| one.name == name).unwrap().topic.clone();

    // A checkpoint that some tool wrote, in Connect's bytes and where Java's producer puts it.
    create_topic(kafka.bootstrap(), &config.offsets_topic, 4, &[("cleanup.policy", "compact")]);
    let key = checkpoint::key("stored", &stored.authority());
    let url = format!("{}/api/v1/logs?since=2026-01-01T00%3A00%3A00Z&limit=100", foreign.origin());
    let value = checkpoint::value(&url, None);
    let partition = java_partitioner::partition(key.as_bytes(), 4);
    producers::write(kafka.bootstrap(), &config.offsets_topic, partition, &key, &value);

    let worker = Connector::spawn(&config, &[]);
    for name in ["linking", "redirecting", "stored"] {
        worker.await_state(name, "failed", WAIT);
        let says = |line: &str| line.contains("ERROR") && line.contains(&format!("\"{name}\""));
        let line = worker.await_log(&format!("that `{name}` failed"), says, WAIT);
        assert!(line.contains(&foreign.origin()), "the error names the other origin: {line}");
    }
    worker.await_caught_up(&good, "good", WAIT);
    good.generate(50);
    worker.await_caught_up(&good, "good", WAIT);
    let records = read_all(kafka.bootstrap(), &topic("good"), Isolation::ReadCommitted);
    let difference = Difference::between(good.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "the other connector: {difference}");

    for name in ["linking", "redirecting", "stored"] {
        assert_eq!(
            read_all(kafka.bootstrap(), &topic(name), Isolation::ReadUncommitted),
            [],
            "{name} published nothing"
        );
    }
    assert_eq!(stored.request_count(), 0, "a refused checkpoint is no reason to ask something else");
    let kept = checkpoint::all(kafka.bootstrap(), &config.offsets_topic, &key);
    assert_eq!(kept.iter().map(|record| record.value_text()).collect::<Vec<_>>(), [value], "the checkpoint stays");
    assert!(worker.process().is_running());
    worker.terminate();
    assert_eq!(worker.wait(Duration::from_secs(10)).code(), Some(0));
    assert_eq!(foreign.heard(), Vec::<String>::new(), "the other origin was talked to");
    prove::row(
        "foreign-origin",
        "The token goes to the configured org's origin only",
        "a `next` link, a stored checkpoint and a redirect to another origin, where a listener waited, in one worker with a \
         good connector",
        &format!(
            "0 connections to the other origin; the three connectors failed with its name in the error; the good one: \
             {difference}"
        ),
    );
}
