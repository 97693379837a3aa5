//! /livez, /readyz and /metrics.

use std::time::Duration;

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::metrics;
use crate::support::org::Org;
use crate::support::shared_broker::shared_broker;

const WAIT: Duration = Duration::from_secs(60);

/// Ready when Kafka is reached and the group is joined, live always; the state of an org plays no part.
#[test]
fn readiness_follows_kafka_and_nothing_else() {
    let Some(broker) = Broker::start(BrokerOptions::default()) else { return };
    broker.kill9();
    let org = Org::with_events(100);
    let mut refused = org.connector("refused");
    refused.token = "no-such-token".to_owned();
    let config =
        ConfigYaml::new(&broker.bootstrap()).connector(org.connector("acme").interval("200ms")).connector(refused);
    let worker = Connector::spawn(&config, &[]);
    let not_ready = worker.await_http("/readyz", 503, WAIT);
    assert_eq!(not_ready.body.trim_end().lines().count(), 1, "one line why: {not_ready:?}");
    let reason = |answer: &metrics::Answer| answer.body.contains(&broker.bootstrap());
    while !reason(&worker.await_http("/readyz", 503, WAIT)) {}
    assert_eq!(worker.http("/livez").unwrap().status, 200);
    assert_eq!(worker.metric("okta_kafka_source_shards_owned", &[]), Some(0.0));
    assert_eq!(org.request_count(), 0, "no org is asked before its shard is owned");

    broker.restart();
    let _ = worker.await_http("/readyz", 200, WAIT);
    worker.await_caught_up(&org, "acme", WAIT);
    worker.await_state("refused", "failed", WAIT);
    assert_eq!(worker.http("/readyz").unwrap().status, 200, "a failed connector is no reason to be not ready");
    assert_eq!(worker.http("/livez").unwrap().status, 200);
    assert_eq!(worker.metric("okta_kafka_source_shards_owned", &[]), Some(4.0));
    assert_eq!(worker.metric("okta_kafka_source_shards", &[]), Some(4.0));
    for path in ["/", "/metricsx", "/livez/x", "/stop"] {
        assert_eq!(worker.http(path).unwrap().status, 404, "{path}");
    }

    broker.kill9();
    let _ = worker.await_http("/readyz", 503, WAIT);
    assert_eq!(worker.http("/livez").unwrap().status, 200);
    broker.restart();
    let _ = worker.await_http("/readyz", 200, WAIT);
}

/// Every series of a connector that the contract names and that exists so far is there from its start, with 0.
#[test]
fn the_metrics_have_the_contracts_names() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(10);
    // The first answer never comes, so all that is counted stays 0.
    org.set_latency(Duration::from_secs(600));
    let config = ConfigYaml::new(kafka.bootstrap()).connector(org.connector("acme").interval("90s"));
    let worker = Connector::spawn(&config, &[]);
    org.await_requests(1, WAIT);
    let text = worker.http("/metrics").unwrap().body;
    let value = |name: &str, labels: &[(&str, &str)]| {
        let labels: Vec<_> = labels.iter().copied().chain([("connector", "acme")]).collect();
        metrics::metric(&text, &format!("okta_kafka_source_{name}"), &labels)
    };
    let mut zeros: Vec<(&str, &str, &str)> = vec![
        ("events_committed_total", "", ""),
        ("duplicates_suppressed_total", "", ""),
        ("rate_limit_wait_seconds_total", "", ""),
        ("rate_limit_requests", "", ""),
        ("rate_limit_requests_remaining", "", ""),
        ("rate_limit_reset_timestamp_seconds", "", ""),
        ("okta_request_duration_seconds_count", "", ""),
        ("event_age_seconds_count", "", ""),
        ("checkpoint_published_timestamp_seconds", "", ""),
    ];
    for (name, label, values) in [
        ("dead_letters_total", "stage", &["KEY_CONVERTER", "VALUE_CONVERTER"][..]),
        ("okta_requests_total", "code", &["200", "error"]),
        ("pages_total", "kind", &["full", "short", "empty"]),
        ("transactions_total", "result", &["aborted", "fenced"]),
        ("cursor_recoveries_total", "reason", &["cursor_refused", "since_too_old", "query_changed"]),
        ("schema_registry_requests_total", "result", &["ok", "refused", "unavailable"]),
        ("retries_total", "reason", &["http_5xx", "timeout", "connection", "rate_limit", "concurrency", "kafka"]),
        ("connector_state", "state", &["starting", "waiting", "recovering", "failed"]),
    ] {
        zeros.extend(values.iter().map(|value| (name, label, *value)));
    }
    for (name, label, label_value) in zeros {
        let labels: &[(&str, &str)] = if label.is_empty() { &[] } else { &[(label, label_value)] };
        assert_eq!(value(name, labels), Some(0.0), "{name}{{{label}={label_value}}}\n{text}");
    }
    // The cold start's own transaction, the state it is in, and what is configured.
    assert_eq!(value("transactions_total", &[("result", "committed")]), Some(1.0));
    assert_eq!(value("transaction_duration_seconds_count", &[]), Some(1.0));
    assert_eq!(value("connector_state", &[("state", "running")]), Some(1.0));
    assert_eq!(value("poll_interval_seconds", &[]), Some(90.0));
    let since = crate::support::connector::unix_seconds() - 30.0 * 86_400.0;
    let caught_up = value("caught_up_timestamp_seconds", &[]).unwrap();
    assert!((caught_up - since).abs() < 60.0, "a cold start is caught up to its `since`: {caught_up}, not {since}");
    for name in ["okta_kafka_source_shards_owned", "okta_kafka_source_shards", "process_start_time_seconds"] {
        assert!(metrics::metric(&text, name, &[]).is_some(), "{name}\n{text}");
    }
    let build = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(metrics::metric(&text, "okta_kafka_source_build_info", &build), Some(1.0));
}

/// What the rate limit's headers say is shown, and a page is counted by its kind.
#[test]
fn answers_are_counted() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(250);
    let config = ConfigYaml::new(kafka.bootstrap()).connector(org.connector("acme").interval("1s"));
    let worker = Connector::spawn(&config, &[]);
    let _ = worker.await_of("acme", "pages_total", &[("kind", "empty")], |value| value >= 1.0, WAIT);
    let text = worker.http("/metrics").unwrap().body;
    let of = |name: &str, labels: &[(&str, &str)]| {
        let labels: Vec<_> = labels.iter().copied().chain([("connector", "acme")]).collect();
        metrics::metric(&text, &format!("okta_kafka_source_{name}"), &labels).unwrap()
    };
    assert_eq!((of("pages_total", &[("kind", "full")]), of("pages_total", &[("kind", "short")])), (2.0, 1.0));
    let requests = of("okta_requests_total", &[("code", "200")]);
    assert_eq!(
        (requests, of("okta_requests_total", &[("code", "error")])),
        (of("okta_request_duration_seconds_count", &[]), 0.0)
    );
    assert_eq!(of("rate_limit_requests", &[]), 60_000.0);
    assert!((59_000.0..60_000.0).contains(&of("rate_limit_requests_remaining", &[])));
    assert!(of("rate_limit_reset_timestamp_seconds", &[]) > 1e9);
    assert_eq!(of("event_age_seconds_count", &[]), 250.0);
    let last: jiff::Timestamp = org.events().last().unwrap().published.as_deref().unwrap().parse().unwrap();
    let checkpoint = of("checkpoint_published_timestamp_seconds", &[]);
    assert!((checkpoint - last.as_millisecond() as f64 / 1000.0).abs() < 0.002, "{checkpoint} {last}");
}
