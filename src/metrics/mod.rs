//! The metrics of the contract (README, "Metrics and health"), under their names.
//!
//! Label values are bounded: `connector` is a name of the configuration, `code` an HTTP status or `error`, the others are
//! written in this program.

mod connector;
mod families;
mod labels;
mod shard;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{IntCounterVec, IntGauge, Registry, TextEncoder};

use self::families::{Families, KafkaFamilies, counters, int_gauges, register};

pub use self::connector::ConnectorMetrics;
pub use self::labels::{DriftKind, RETRY_KAFKA, ShardChange, TransactionResult};
pub use self::shard::ShardMetrics;

/// All metrics of a process.
pub struct Metrics {
    registry: Registry,
    families: Families,
    kafka: KafkaFamilies,
    shard_changes: IntCounterVec,
    token_requests: IntCounterVec,
    /// What `/readyz` answers: 1 or 0.
    pub ready: IntGauge,
    /// Shards that this worker owns, whether they have a connector or not.
    pub shards_owned: IntGauge,
    /// Shards that there are: `offsets.partitions`.
    pub shards: IntGauge,
}

impl Metrics {
    /// Registers every family; the process's own come along.
    ///
    /// Fails only if two families had the same name, which a test of this function would show.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("okta_kafka_source".to_owned()), None)?;
        let families = Families::new(&registry)?;
        let kafka = KafkaFamilies::new(&registry)?;
        let gauge = |name: &str, help: &str| register(&registry, IntGauge::new(name, help)?);
        let shards_owned = gauge("shards_owned", "Shards that this worker owns")?;
        let shards = gauge("shards", "Shards that there are: offsets.partitions")?;
        let ready = gauge("ready", "Whether /readyz answers 200: Kafka is reached and the group joined")?;
        let shard_changes =
            counters(&registry, "shard_changes_total", "Shards that came to this worker or went, by how", &["change"])?;
        for change in ShardChange::ALL {
            let _ = shard_changes.with_label_values(&[change.as_str()]);
        }
        let token_requests = counters(
            &registry,
            "token_requests_total",
            "Requests of a service app for access tokens, by their status, or `error` where there was no answer",
            &["org", "client_id", "code"],
        )?;
        let build = int_gauges(&registry, "build_info", "Version of the program", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self { registry, families, kafka, shard_changes, token_requests, ready, shards_owned, shards })
    }

    /// Counts a shard that came or went.
    pub fn shard_changed(&self, change: ShardChange) {
        self.shard_changes.with_label_values(&[change.as_str()]).inc();
    }

    /// Counts a service app's requests for access tokens: takes the status of each, none where there was no answer. The
    /// series are there from now on, as long as the process: connectors of several shards may share an app.
    pub fn token_requests(&self, org: &str, client_id: &str) -> impl Fn(Option<u16>) + Send + Sync + use<> {
        let (org, client_id) = (org.to_owned(), client_id.to_owned());
        let requests = self.token_requests.clone();
        let series =
            move |status| requests.with_label_values(&[org.as_str(), client_id.as_str(), labels::code(status)]);
        for status in [Some(200), None] {
            let _ = series(status);
        }
        move |status| series(status).inc()
    }

    /// The text that Prometheus scrapes (exposition format 0.0.4), `process_*` under their own names included.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut families = self.registry.gather();
        families.extend(ProcessCollector::for_self().collect());
        TextEncoder::new().encode_to_string(&families)
    }

    /// The series of one shard's producers, all there from the start; gone when the last handle is dropped.
    pub fn shard(&self, number: i32) -> ShardMetrics {
        ShardMetrics::new(self.kafka.clone(), number)
    }

    /// The series of one connector, all there from the start; gone when the last handle is dropped.
    pub fn connector(&self, name: &str, interval_seconds: f64) -> ConnectorMetrics {
        ConnectorMetrics::new(self.families.clone(), name, interval_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_series_of_a_connector_are_there_from_its_start_and_go_with_it() {
        let metrics = Metrics::new().expect("the families have different names");
        let acme = metrics.connector("acme", 60.0);
        acme.request(Some(429));
        let text = metrics.render().expect("text");
        assert!(!text.contains("access_token"), "{text}");
        acme.access_token(0.0);
        let text = metrics.render().expect("text");
        for line in [
            r#"okta_kafka_source_access_token_expires_timestamp_seconds{connector="acme"} 0"#,
            r#"okta_kafka_source_events_committed_total{connector="acme"} 0"#,
            r#"okta_kafka_source_unmapped_fields_total{connector="acme"} 0"#,
            r#"okta_kafka_source_dead_letters_total{connector="acme",stage="KEY_CONVERTER"} 0"#,
            r#"okta_kafka_source_transactions_total{connector="acme",result="fenced"} 0"#,
            r#"okta_kafka_source_schema_registry_requests_total{connector="acme",result="unavailable"} 0"#,
            r#"okta_kafka_source_connector_state{connector="acme",state="starting"} 1"#,
            r#"okta_kafka_source_okta_requests_total{code="429",connector="acme"} 1"#,
            r#"okta_kafka_source_poll_interval_seconds{connector="acme"} 60"#,
            "process_resident_memory_bytes",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        drop(acme);
        let text = metrics.render().expect("text");
        assert!(!text.contains("acme"), "{text}");
    }
}
