//! A 429 for one connector is one for all that use its credential.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

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
    // Long enough for a wait of more than `LONG` (12 s) where its turn was taken away in the first half.
    let rate_limit_window = Duration::from_secs(24);
    // More than a window lets through, so that both are behind all the while.
    let org =
        Org::start(SimulatorConfig { events: 5_000, rate_limit: 10, rate_limit_window, ..SimulatorConfig::default() });
    let names = ["one", "two"];
    let connectors = names.map(|name| org.connector(name).interval("500ms"));
    let config = connectors.into_iter().fold(ConfigYaml::new(kafka.bootstrap()), ConfigYaml::connector);
    let worker = Connector::spawn(&config, &[]);
    let told = |name: &str| {
        let of = format!("connector=\"{name}\"");
        let log = worker.log();
        let lines = log.lines().filter(|line| line.contains("waits for the rate limit") && line.contains(&of));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    // Somebody else takes what there is in each window, until both have told it and waited through one more.
    let waited = |name: &str| worker.of(name, "rate_limit_wait_seconds_total", &[]).unwrap_or_default();
    let deadline = Instant::now() + 2 * WAIT;
    let mut told_at = [None; 2];
    while (0..2)
        .any(|of| told_at[of].is_none_or(|then: f64| waited(names[of]) < then + rate_limit_window.as_secs_f64()))
    {
        assert!(Instant::now() < deadline, "{:?}", names.map(|name| (waited(name), told(name))));
        for (at, name) in told_at.iter_mut().zip(names) {
            if at.is_none() && !told(name).is_empty() {
                *at = Some(waited(name));
            }
        }
        eat(&org);
        worker.process().runs_on(Duration::from_millis(100));
    }
    for name in names {
        let lines = told(name);
        assert_eq!(lines.len(), 1, "{name} has waited {} s: {lines:?}", waited(name));
        for part in ["INFO", "limit=10", "share=0.8", "remaining=", "resets_in="] {
            assert!(lines[0].contains(part), "{part} in {}", lines[0]);
        }
    }
    worker.stop();
}

/// A request of another client with the same token, whatever it is answered.
fn eat(org: &Org) {
    let mut stream = TcpStream::connect(org.address()).unwrap();
    let (host, token) = (org.authority(), org.token());
    let request = format!("GET /api/v1/logs?limit=10 HTTP/1.0\r\nHost: {host}\r\nAuthorization: SSWS {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).unwrap();
}
