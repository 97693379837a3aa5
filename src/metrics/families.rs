//! Every family of the contract, by name: what is counted, and under which labels.

use prometheus::core::Collector;
use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Seconds of a request to Okta: from a page out of a cache to Okta's own time-out of 30 s.
const REQUEST_BUCKETS: &[f64] = &[0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0];
/// Seconds of a transaction: 5-15 ms on a near broker, tens of seconds through a failover.
const TRANSACTION_BUCKETS: &[f64] = &[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
/// Seconds from published to committed: from one interval to the days of a cold start.
const AGE_BUCKETS: &[f64] =
    &[1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 21600.0, 86400.0, 604_800.0];

#[derive(Clone)]
pub(super) struct Families {
    pub(super) events_committed: IntCounterVec,
    pub(super) dead_letters: IntCounterVec,
    pub(super) unmapped_fields: IntCounterVec,
    pub(super) drifted_members: IntGaugeVec,
    pub(super) okta_requests: IntCounterVec,
    pub(super) okta_request_duration: HistogramVec,
    pub(super) pages: IntCounterVec,
    pub(super) page_bytes: IntCounterVec,
    pub(super) transactions: IntCounterVec,
    pub(super) transaction_duration: HistogramVec,
    pub(super) caught_up: GaugeVec,
    pub(super) event_age: HistogramVec,
    pub(super) checkpoint_published: GaugeVec,
    pub(super) poll_interval: GaugeVec,
    pub(super) access_token_expires: GaugeVec,
    pub(super) rate_limit_requests: IntGaugeVec,
    pub(super) rate_limit_remaining: IntGaugeVec,
    pub(super) rate_limit_reset: IntGaugeVec,
    pub(super) rate_limit_wait: CounterVec,
    pub(super) retries: IntCounterVec,
    pub(super) schema_registry_requests: IntCounterVec,
    pub(super) cursor_recoveries: IntCounterVec,
    pub(super) duplicates_suppressed: IntCounterVec,
    pub(super) missing_from: GaugeVec,
    pub(super) missing_until: GaugeVec,
    pub(super) connector_state: IntGaugeVec,
}

impl Families {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let c = ["connector"];
        Ok(Self {
            events_committed: counters(
                registry,
                "events_committed_total",
                "Events of committed transactions: in the topic, and seen by readers of committed records",
                &c,
            )?,
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
            drifted_members: int_gauges(
                registry,
                "drifted_members",
                "Kinds of members of events that the schema has no place for, since this worker has the connector",
                &["connector", "kind"],
            )?,
            okta_requests: counters(
                registry,
                "okta_requests_total",
                "Requests for pages, by status, or `error` where there was no answer; one that lacked an access token is none",
                &["connector", "code"],
            )?,
            okta_request_duration: histograms(
                registry,
                "okta_request_duration_seconds",
                "Time from a request for a page to its whole answer, with that for an access token where it had to be asked for",
                REQUEST_BUCKETS,
            )?,
            pages: counters(
                registry,
                "pages_total",
                "Pages that Okta answered with, by how full they were",
                &["connector", "kind"],
            )?,
            page_bytes: counters(
                registry,
                "page_bytes_total",
                "Bytes of the pages that Okta answered with, decompressed",
                &c,
            )?,
            transactions: counters(
                registry,
                "transactions_total",
                "Transactions that held pages of the connector, by result",
                &["connector", "result"],
            )?,
            transaction_duration: histograms(
                registry,
                "transaction_duration_seconds",
                "Time of committed transactions that held pages of the connector, from their begin to the confirmed commit",
                TRANSACTION_BUCKETS,
            )?,
            caught_up: gauges(
                registry,
                "caught_up_timestamp_seconds",
                "When the topic was last known to hold all that Okta had, as Unix time; freshness is time() less this",
            )?,
            event_age: histograms(
                registry,
                "event_age_seconds",
                "Age of events at their commit: from `published` to then",
                AGE_BUCKETS,
            )?,
            checkpoint_published: gauges(
                registry,
                "checkpoint_published_timestamp_seconds",
                "`published` of the last event before the checkpoint, as Unix time; 0 before the first",
            )?,
            poll_interval: gauges(
                registry,
                "poll_interval_seconds",
                "The connector's `interval`: rest between its last page and its next request when it is caught up",
            )?,
            access_token_expires: gauges(
                registry,
                "access_token_expires_timestamp_seconds",
                "End of the service app's access token as Unix time, as known at the last request; 0 where there is none",
            )?,
            rate_limit_requests: int_gauges(
                registry,
                "rate_limit_requests",
                "Requests that the org allows in a window, by the headers of its last answer",
                &c,
            )?,
            rate_limit_remaining: int_gauges(
                registry,
                "rate_limit_requests_remaining",
                "Requests left in the window, by the headers of the org's last answer",
                &c,
            )?,
            rate_limit_reset: int_gauges(
                registry,
                "rate_limit_reset_timestamp_seconds",
                "End of the window as Unix time on the org's clock, by the headers of its last answer",
                &c,
            )?,
            rate_limit_wait: register(
                registry,
                CounterVec::new(
                    Opts::new(
                        "rate_limit_wait_seconds_total",
                        "Time for which the connector waited for the rate limit: for its turn, and because of 429",
                    ),
                    &c,
                )?,
            )?,
            retries: counters(
                registry,
                "retries_total",
                "Tries after the first, by what that one met, be it at a page, at an access token or at a transaction",
                &["connector", "reason"],
            )?,
            schema_registry_requests: counters(
                registry,
                "schema_registry_requests_total",
                "Requests of the connector to the schema registry, by how they came out",
                &["connector", "result"],
            )?,
            cursor_recoveries: counters(
                registry,
                "cursor_recoveries_total",
                "Times that the connector began again at the time of its last event, as its position was lost or another query's",
                &["connector", "reason"],
            )?,
            duplicates_suppressed: counters(
                registry,
                "duplicates_suppressed_total",
                "Events of committed pages that were left out, since the topic or the dead letter topic held them already",
                &c,
            )?,
            missing_from: gauges(
                registry,
                "missing_from_timestamp_seconds",
                "Begin of the time of which events may be missing for good, as Unix time; 0 where there is none",
            )?,
            missing_until: gauges(
                registry,
                "missing_until_timestamp_seconds",
                "End of the time of which events may be missing for good, as Unix time; 0 where there is none",
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

/// What librdkafka says of each shard's producers, by its statistics.
#[derive(Clone)]
pub(super) struct KafkaFamilies {
    pub(super) round_trip: CounterVec,
    pub(super) round_trips: IntCounterVec,
    pub(super) throttle: CounterVec,
    pub(super) queued: IntGaugeVec,
    pub(super) transaction_state: IntGaugeVec,
    pub(super) transaction_began: GaugeVec,
    pub(super) request_failures: IntCounterVec,
    pub(super) retries: IntCounterVec,
    pub(super) disconnects: IntCounterVec,
}

impl KafkaFamilies {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let s = ["shard"];
        let seconds = |name: &str, help: &str| register(registry, CounterVec::new(Opts::new(name, help), &s)?);
        Ok(Self {
            round_trip: seconds(
                "kafka_round_trip_seconds_total",
                "Time from requests of the shard's producer to the brokers' answers, of all answers together",
            )?,
            round_trips: counters(
                registry,
                "kafka_round_trips_total",
                "Answers of brokers that kafka_round_trip_seconds_total is the time of",
                &s,
            )?,
            throttle: seconds(
                "kafka_throttle_seconds_total",
                "Time for which brokers said that they hold the shard's producer back (quotas)",
            )?,
            queued: int_gauges(
                registry,
                "kafka_producer_queue_records",
                "Records that the shard's producer holds and no broker has confirmed",
                &s,
            )?,
            transaction_state: int_gauges(
                registry,
                "kafka_transaction_state",
                "1 for the state that the shard's producer is in between two transactions",
                &["shard", "state"],
            )?,
            transaction_began: register(
                registry,
                GaugeVec::new(
                    Opts::new(
                        "transaction_began_timestamp_seconds",
                        "When the shard's transaction began that is open, as Unix time; 0 while none is",
                    ),
                    &s,
                )?,
            )?,
            request_failures: counters(
                registry,
                "kafka_request_failures_total",
                "Requests of the shard's producer that failed on the way, by how",
                &["shard", "reason"],
            )?,
            retries: counters(
                registry,
                "kafka_request_retries_total",
                "Requests of the shard's producer that were sent again",
                &s,
            )?,
            disconnects: counters(
                registry,
                "kafka_disconnects_total",
                "Connections of the shard's producer to brokers that ended, idle ones too",
                &s,
            )?,
        })
    }
}

pub(super) fn register<M: Collector + Clone + 'static>(registry: &Registry, metric: M) -> Result<M, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

pub(super) fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn gauges(registry: &Registry, name: &str, help: &str) -> Result<GaugeVec, prometheus::Error> {
    register(registry, GaugeVec::new(Opts::new(name, help), &["connector"])?)
}

pub(super) fn int_gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, prometheus::Error> {
    register(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

fn histograms(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> Result<HistogramVec, prometheus::Error> {
    register(registry, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), &["connector"])?)
}
