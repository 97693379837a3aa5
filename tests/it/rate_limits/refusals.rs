//! A 429 for one connector is one for all that use its credential.

use std::time::Duration;

use okta_kafka_source::simulator::{FaultKind, SimulatorConfig};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::shared_broker::shared_broker;

const WAIT: Duration = Duration::from_secs(60);

#[test]
fn a_429_of_the_window_holds_every_connector_of_its_credential() {
    let Some(kafka) = shared_broker() else { return };
    let rate_limit_wait = Duration::from_secs(3);
    let org = Org::start(SimulatorConfig { events: 100, rate_limit_wait, ..SimulatorConfig::default() });
    let names = ["one", "two", "three"];
    let connectors = names.map(|name| org.connector(name).interval("200ms"));
    let config = connectors.into_iter().fold(ConfigYaml::new(kafka.bootstrap()), ConfigYaml::connector);
    let worker = Connector::spawn(&config, &[]);
    for name in names {
        let _ = worker.await_of(name, "events_committed_total", &[], |events| events >= 100.0, WAIT);
    }
    for _ in 0..2 {
        let before = org.request_count();
        org.inject(FaultKind::RateLimit);
        // All ask again afterwards.
        org.await_requests(before + 6, WAIT);
    }
    let refused = org.requests().iter().filter(|request| request.status == Some(429)).count();
    // One may have been on its way when the other was refused.
    assert!(org.requests_in_rate_limit_window() <= 1, "{} of {refused}", org.requests_in_rate_limit_window());
    let waited = names.map(|name| worker.of(name, "rate_limit_wait_seconds_total", &[]).unwrap());
    assert!(waited.iter().all(|waited| *waited >= 4.0), "{waited:?}");
    // Who waits holds up no stop.
    let before = org.request_count();
    org.inject(FaultKind::RateLimit);
    org.await_requests(before + 2, WAIT);
    worker.stop();
}

#[test]
fn fewer_are_open_at_once_after_a_429_about_concurrency() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::start(SimulatorConfig {
        events: 2_000,
        latency: Duration::from_millis(100),
        concurrency_limit: 2,
        rate_limit_wait: Duration::from_secs(1),
        ..SimulatorConfig::default()
    });
    let names = ["one", "two", "three", "four", "five", "six"];
    let connectors = names.map(|name| org.connector(name).interval("200ms"));
    let topics = connectors.each_ref().map(|connector| connector.topic.clone());
    let config = connectors.into_iter().fold(ConfigYaml::new(kafka.bootstrap()), ConfigYaml::connector);
    let worker = Connector::spawn(&config, &[]);
    for name in names {
        let _ = worker.await_of(name, "events_committed_total", &[], |events| events >= 2_000.0, WAIT);
    }
    for topic in topics {
        let _ = Difference::must_be_none(kafka.bootstrap(), &topic, &org, "few at once");
    }
    let requests = org.requests();
    let refused = requests.iter().filter(|request| request.status == Some(429)).count();
    println!("{refused} of {} refused", requests.len());
    assert!(refused > 0, "nothing was tried");
    assert!(refused * 10 <= requests.len(), "{refused} of {} requests were too many at once", requests.len());
    worker.stop();
}
