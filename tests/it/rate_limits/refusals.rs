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
    let mut refused = None;
    for request in org.requests() {
        if request.in_rate_limit_window {
            // On its way when the other one was refused.
            let after = request.at.duration_since(refused.unwrap());
            assert!(after.as_millis() < 1_500, "asked {after:?} after a 429");
        } else if request.status == Some(429) {
            refused = Some(request.at);
        }
    }
    assert!(refused.is_some());
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

#[test]
fn a_long_wait_is_told_once_and_holds_up_no_stop() {
    let Some(kafka) = shared_broker() else { return };
    let rate_limit_window = Duration::from_secs(30);
    let org =
        Org::start(SimulatorConfig { events: 0, rate_limit: 10, rate_limit_window, ..SimulatorConfig::default() });
    let connectors = ["one", "two"].map(|name| org.connector(name).interval("500ms"));
    let config = connectors.into_iter().fold(ConfigYaml::new(kafka.bootstrap()), ConfigYaml::connector);
    let worker = Connector::spawn(&config, &[]);
    worker.await_log("that both have caught up", |line| line.contains("caught up") && line.contains("\"one\""), WAIT);
    worker.await_log("that both have caught up", |line| line.contains("caught up") && line.contains("\"two\""), WAIT);
    // Somebody else takes the rest but one.
    let used = org.request_count();
    for _ in used..9 {
        let _ = org.next_link_of("/api/v1/logs?limit=10");
    }
    let line = worker.await_log("what it waits for", |line| line.contains("waits for the rate limit"), WAIT);
    for part in ["INFO", "limit=10", "share=0.8", "remaining=", "resets_in="] {
        assert!(line.contains(part), "{part} in {line}");
    }
    // While it lasts: a wait that never ended would count nothing.
    let waiting = ["one", "two"].into_iter().find(|name| line.contains(&format!("\"{name}\""))).unwrap();
    let _ =
        worker.await_of(waiting, "rate_limit_wait_seconds_total", &[], |waited| waited >= 12.0, Duration::from_secs(1));
    worker.stop();
    let log = worker.log();
    for name in ["one", "two"] {
        let told = |line: &&str| line.contains("waits for the rate limit") && line.contains(&format!("\"{name}\""));
        assert!(log.lines().filter(told).count() <= 1, "{log}");
    }
    let refused = org.requests().iter().filter(|request| request.status == Some(429)).count();
    assert_eq!(refused, 0, "{:?}", org.requests());
}
