//! The metrics of the contract (README, "Metrics and health"), under their names.
//!
//! Label values are bounded: `connector` is a name of the configuration, `code` an HTTP status or `error`, the others are
//! written in this program.

use std::collections::HashMap;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{Counter, CounterVec, IntCounter};
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::dead_letter::Stage;
use crate::okta::error::RetryReason;
use crate::registry::RequestResult;
use crate::source::action::{ConnectorState, PageKind};

/// Seconds of a request to Okta: from a page out of a cache to Okta's own time-out of 30 s.
const REQUEST_BUCKETS: &[f64] = &[0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0];
/// Seconds of a transaction: 5-15 ms on a near broker, tens of seconds through a failover.
const TRANSACTION_BUCKETS: &[f64] = &[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
/// Seconds from published to committed: from one interval to the days of a cold start.
const AGE_BUCKETS: &[f64] =
    &[1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 21600.0, 86400.0, 604_800.0];

/// All metrics of a process.
pub struct Metrics {
    registry: Registry,
    families: Families,
    /// Shards that this worker owns, whether they have a connector or not.
    pub shards_owned: IntGauge,
    /// Shards that there are: `offsets.partitions`.
    pub shards: IntGauge,
}

#[derive(Clone)]
struct Families {
    events_committed: IntCounterVec,
    dead_letters: IntCounterVec,
    unmapped_fields: IntCounterVec,
    okta_requests: IntCounterVec,
    okta_request_duration: HistogramVec,
    pages: IntCounterVec,
    transactions: IntCounterVec,
    transaction_duration: HistogramVec,
    caught_up: GaugeVec,
    event_age: HistogramVec,
    checkpoint_published: GaugeVec,
    poll_interval: GaugeVec,
    access_token_expires: GaugeVec,
    rate_limit_requests: IntGaugeVec,
    rate_limit_remaining: IntGaugeVec,
    rate_limit_reset: IntGaugeVec,
    rate_limit_wait: CounterVec,
    retries: IntCounterVec,
    schema_registry_requests: IntCounterVec,
    connector_state: IntGaugeVec,
}

/// How a transaction ended, as `transactions_total` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionResult {
    /// Confirmed.
    Committed,
    /// Aborted; tried again.
    Aborted,
    /// Somebody else has the shard.
    Fenced,
}

impl TransactionResult {
    const ALL: [Self; 3] = [Self::Committed, Self::Aborted, Self::Fenced];

    fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Fenced => "fenced",
        }
    }
}

/// The value of `retries_total{reason}` for a transaction that is tried again.
pub const RETRY_KAFKA: &str = "kafka";

impl Metrics {
    /// Registers every family; the process's own come along.
    ///
    /// Fails only if two families had the same name, which a test of this function would show.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("okta_kafka_source".to_owned()), None)?;
        let families = Families::new(&registry)?;
        let shards_owned = register(&registry, IntGauge::new("shards_owned", "Shards that this worker owns")?)?;
        let shards = register(&registry, IntGauge::new("shards", "Shards that there are: offsets.partitions")?)?;
        let build = int_gauges(&registry, "build_info", "Version of the program", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self { registry, families, shards_owned, shards })
    }

    /// The text that Prometheus scrapes (exposition format 0.0.4), `process_*` under their own names included.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut families = self.registry.gather();
        families.extend(ProcessCollector::for_self().collect());
        TextEncoder::new().encode_to_string(&families)
    }

    /// The series of one connector, all there from the start; gone when the last handle is dropped.
    pub fn connector(&self, name: &str, interval_seconds: f64) -> ConnectorMetrics {
        ConnectorMetrics::new(self.families.clone(), name, interval_seconds)
    }
}

impl Families {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let c = ["connector"];
        Ok(Self {
            events_committed: counters(registry, "events_committed_total", "Events in committed transactions", &c)?,
            dead_letters: counters(
                registry,
                "dead_letters_total",
                "Elements in the dead letter topic, by the step that refused them",
                &["connector", "stage"],
            )?,
            unmapped_fields: counters(
                registry,
                "unmapped_fields_total",
                "Values of committed events that the schema has no place for, kept in `unmapped`",
                &c,
            )?,
            okta_requests: counters(
                registry,
                "okta_requests_total",
                "Requests for pages, by their last status, or `error` where there was no answer; none where there was no access token for it",
                &["connector", "code"],
            )?,
            okta_request_duration: histograms(
                registry,
                "okta_request_duration_seconds",
                "Time from a request for a page to its whole answer, with that for an access token where it had to be asked for",
                REQUEST_BUCKETS,
            )?,
            pages: counters(registry, "pages_total", "Pages, by how full they were", &["connector", "kind"])?,
            transactions: counters(
                registry,
                "transactions_total",
                "Transactions that held pages of the connector, by result",
                &["connector", "result"],
            )?,
            transaction_duration: histograms(
                registry,
                "transaction_duration_seconds",
                "Time from begin to confirmed commit",
                TRANSACTION_BUCKETS,
            )?,
            caught_up: gauges(
                registry,
                "caught_up_timestamp_seconds",
                "When the topic was last known to hold all that Okta had",
            )?,
            event_age: histograms(registry, "event_age_seconds", "Time from published to committed", AGE_BUCKETS)?,
            checkpoint_published: gauges(
                registry,
                "checkpoint_published_timestamp_seconds",
                "published of the last event before the checkpoint",
            )?,
            poll_interval: gauges(registry, "poll_interval_seconds", "Rest between two intervals")?,
            access_token_expires: gauges(
                registry,
                "access_token_expires_timestamp_seconds",
                "End of the service app's access token, as of the last request; 0 where there is none",
            )?,
            rate_limit_requests: int_gauges(
                registry,
                "rate_limit_requests",
                "Requests allowed in a window, as the org's headers say",
                &c,
            )?,
            rate_limit_remaining: int_gauges(
                registry,
                "rate_limit_requests_remaining",
                "Requests left in this window, as the org's headers say",
                &c,
            )?,
            rate_limit_reset: int_gauges(
                registry,
                "rate_limit_reset_timestamp_seconds",
                "End of this window on the org's clock",
                &c,
            )?,
            rate_limit_wait: register(
                registry,
                CounterVec::new(Opts::new("rate_limit_wait_seconds_total", "Time waited for the rate limit"), &c)?,
            )?,
            retries: counters(
                registry,
                "retries_total",
                "Second tries, by what the first one met; where it was at the access token, its like for that",
                &["connector", "reason"],
            )?,
            schema_registry_requests: counters(
                registry,
                "schema_registry_requests_total",
                "Requests to the schema registry, by how they came out",
                &["connector", "result"],
            )?,
            connector_state: int_gauges(
                registry,
                "connector_state",
                "1 for the state that the connector is in",
                &["connector", "state"],
            )?,
        })
    }
}

fn register<M: Collector + Clone + 'static>(registry: &Registry, metric: M) -> Result<M, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn gauges(registry: &Registry, name: &str, help: &str) -> Result<GaugeVec, prometheus::Error> {
    register(registry, GaugeVec::new(Opts::new(name, help), &["connector"])?)
}

fn int_gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    register(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

fn histograms(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> Result<HistogramVec, prometheus::Error> {
    register(registry, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), &["connector"])?)
}

/// One connector's series.
pub struct ConnectorMetrics {
    families: Families,
    name: String,
    /// Events in committed transactions.
    pub events_committed: IntCounter,
    /// Values in `unmapped` of committed records.
    pub unmapped_fields: IntCounter,
    /// Time of requests.
    pub okta_request_duration: Histogram,
    /// Time of transactions.
    pub transaction_duration: Histogram,
    /// Unix seconds.
    pub caught_up: Gauge,
    /// Published to committed.
    pub event_age: Histogram,
    /// Unix seconds.
    pub checkpoint_published: Gauge,
    /// As the headers say.
    pub rate_limit_requests: IntGauge,
    /// As the headers say.
    pub rate_limit_remaining: IntGauge,
    /// As the headers say.
    pub rate_limit_reset: IntGauge,
    /// Seconds.
    pub rate_limit_wait: Counter,
}

impl ConnectorMetrics {
    fn new(families: Families, name: &str, interval_seconds: f64) -> Self {
        let l = [name];
        for stage in Stage::ALL {
            let _ = families.dead_letters.with_label_values(&[name, stage.as_str()]);
        }
        for kind in PageKind::ALL {
            let _ = families.pages.with_label_values(&[name, kind.as_str()]);
        }
        for result in TransactionResult::ALL {
            let _ = families.transactions.with_label_values(&[name, result.as_str()]);
        }
        for reason in RetryReason::ALL.map(RetryReason::as_str).into_iter().chain([RETRY_KAFKA]) {
            let _ = families.retries.with_label_values(&[name, reason]);
        }
        for result in RequestResult::ALL {
            let _ = families.schema_registry_requests.with_label_values(&[name, result.as_str()]);
        }
        for code in ["200", "error"] {
            let _ = families.okta_requests.with_label_values(&[name, code]);
        }
        families.poll_interval.with_label_values(&l).set(interval_seconds);
        let metrics = Self {
            events_committed: families.events_committed.with_label_values(&l),
            unmapped_fields: families.unmapped_fields.with_label_values(&l),
            okta_request_duration: families.okta_request_duration.with_label_values(&l),
            transaction_duration: families.transaction_duration.with_label_values(&l),
            caught_up: families.caught_up.with_label_values(&l),
            event_age: families.event_age.with_label_values(&l),
            checkpoint_published: families.checkpoint_published.with_label_values(&l),
            rate_limit_requests: families.rate_limit_requests.with_label_values(&l),
            rate_limit_remaining: families.rate_limit_remaining.with_label_values(&l),
            rate_limit_reset: families.rate_limit_reset.with_label_values(&l),
            rate_limit_wait: families.rate_limit_wait.with_label_values(&l),
            families,
            name: name.to_owned(),
        };
        metrics.state(ConnectorState::Starting);
        metrics
    }

    /// Counts a request by its status, or `error`.
    pub fn request(&self, code: &str) {
        self.families.okta_requests.with_label_values(&[self.name.as_str(), code]).inc();
    }

    /// Counts a page.
    pub fn page(&self, kind: PageKind) {
        self.families.pages.with_label_values(&[self.name.as_str(), kind.as_str()]).inc();
    }

    /// The end of a service app's access token in Unix seconds, or 0: a series that a connector with an API token has not.
    pub fn access_token(&self, expires: f64) {
        self.families.access_token_expires.with_label_values(&[self.name.as_str()]).set(expires);
    }

    /// Counts a dead letter.
    pub fn dead_letter(&self, stage: Stage) {
        self.families.dead_letters.with_label_values(&[self.name.as_str(), stage.as_str()]).inc();
    }

    /// Counts a transaction.
    pub fn transaction(&self, result: TransactionResult) {
        self.families.transactions.with_label_values(&[self.name.as_str(), result.as_str()]).inc();
    }

    /// Counts a second try.
    pub fn retry(&self, reason: &str) {
        self.families.retries.with_label_values(&[self.name.as_str(), reason]).inc();
    }

    /// Counts a request to the schema registry. A connector whose format is `json` has the series too, at 0.
    pub fn schema_registry_request(&self, result: RequestResult) {
        self.families.schema_registry_requests.with_label_values(&[self.name.as_str(), result.as_str()]).inc();
    }

    /// Sets the state's series to 1 and all others to 0.
    pub fn state(&self, state: ConnectorState) {
        for each in ConnectorState::ALL {
            let series = self.families.connector_state.with_label_values(&[self.name.as_str(), each.as_str()]);
            series.set(i64::from(each == state));
        }
    }
}

impl Drop for ConnectorMetrics {
    /// A connector's series go when its shard does, so that two workers never both show it.
    fn drop(&mut self) {
        let name = self.name.as_str();
        let f = &self.families;
        for vec in [
            &f.events_committed,
            &f.unmapped_fields,
            &f.okta_requests,
            &f.dead_letters,
            &f.pages,
            &f.transactions,
            &f.retries,
            &f.schema_registry_requests,
        ] {
            remove_counters(vec, name);
        }
        for vec in [&f.okta_request_duration, &f.transaction_duration, &f.event_age] {
            let _ = vec.remove_label_values(&[name]);
        }
        for vec in [&f.caught_up, &f.checkpoint_published, &f.poll_interval, &f.access_token_expires] {
            let _ = vec.remove_label_values(&[name]);
        }
        for vec in [&f.rate_limit_requests, &f.rate_limit_remaining, &f.rate_limit_reset] {
            let _ = vec.remove_label_values(&[name]);
        }
        let _ = f.rate_limit_wait.remove_label_values(&[name]);
        for state in ConnectorState::ALL {
            let _ = f.connector_state.remove_label_values(&[name, state.as_str()]);
        }
    }
}

/// Removes every series of a connector, whatever its other label says.
fn remove_counters(vec: &IntCounterVec, name: &str) {
    for family in vec.collect() {
        for metric in family.get_metric() {
            let labels: HashMap<&str, &str> =
                metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
            if labels.get("connector") == Some(&name) {
                let _ = vec.remove(&labels);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_series_of_a_connector_are_there_from_its_start_and_go_with_it() {
        let metrics = Metrics::new().expect("the families have different names");
        let acme = metrics.connector("acme", 60.0);
        acme.request("429");
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
