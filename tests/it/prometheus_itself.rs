//! What the tests of rules and dashboards rely on in a real Prometheus: it scrapes the program, and answers.

use std::time::Duration;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::org::Org;
use crate::support::prometheus::{Prometheus, Scrapes};
use crate::support::shared_broker::shared_broker;

const WAIT: Duration = Duration::from_secs(60);

#[test]
fn prometheus_scrapes_the_program() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(30);
    let config = ConfigYaml::new(kafka.bootstrap()).connector(org.connector("acme"));
    let scrapes = Scrapes::new().target(&config.http_listen, &[("job", "okta-kafka-source"), ("namespace", "siem")]);
    let Some(prometheus) = Prometheus::start(&scrapes) else { return };
    let up = |value: f64| prometheus.await_query("up", |series| series.len() == 1 && series[0].value == value, WAIT);
    let series = up(0.0);
    assert_eq!(
        (series[0].labels["job"].as_str(), series[0].labels["namespace"].as_str()),
        ("okta-kafka-source", "siem")
    );
    let worker = Connector::spawn(&config, &[]);
    let _ = up(1.0);
    let committed = prometheus.await_query(
        "okta_kafka_source_events_committed_total",
        |series| series.iter().any(|one| one.labels["connector"] == "acme" && one.value == 30.0),
        WAIT,
    );
    assert_eq!(committed[0].labels["instance"], config.http_listen);
    assert_eq!(prometheus.query("scalar(up) + 1")[0].value, 2.0);
    assert!(prometheus.alerts().is_empty());
    worker.stop();
    let _ = up(0.0);
    prometheus.reload(&Scrapes::new());
    let _ = prometheus.await_query("up", <[_]>::is_empty, WAIT);
}
