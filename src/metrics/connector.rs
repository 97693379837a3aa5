//! One connector's series: there from its start, gone with its shard.

use std::collections::HashMap;

use prometheus::core::Collector;
use prometheus::{Counter, Gauge, Histogram, IntCounter, IntCounterVec, IntGauge};

use super::families::Families;
use super::labels::{DriftKind, RETRY_KAFKA, TransactionResult, code};
use crate::dead_letter::Stage;
use crate::okta::error::RetryReason;
use crate::registry::RequestResult;
use crate::source::action::{ConnectorState, PageKind, RecoveryReason};

/// One connector's series.
pub struct ConnectorMetrics {
    families: Families,
    name: String,
    /// Events in committed transactions.
    pub events_committed: IntCounter,
    /// Values in `unmapped` of committed records.
    pub unmapped_fields: IntCounter,
    /// Events of committed pages that the topic held already.
    pub duplicates_suppressed: IntCounter,
    /// Bytes of pages, decompressed.
    pub page_bytes: IntCounter,
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
    pub(super) fn new(families: Families, name: &str, interval_seconds: f64) -> Self {
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
        for reason in RecoveryReason::ALL {
            let _ = families.cursor_recoveries.with_label_values(&[name, reason.as_str()]);
        }
        for kind in DriftKind::ALL {
            let _ = families.drifted_members.with_label_values(&[name, kind.as_str()]);
        }
        for code in [Some(200), None].map(code) {
            let _ = families.okta_requests.with_label_values(&[name, code]);
        }
        families.poll_interval.with_label_values(&l).set(interval_seconds);
        let metrics = Self {
            events_committed: families.events_committed.with_label_values(&l),
            unmapped_fields: families.unmapped_fields.with_label_values(&l),
            duplicates_suppressed: families.duplicates_suppressed.with_label_values(&l),
            page_bytes: families.page_bytes.with_label_values(&l),
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
        metrics.hole(None);
        metrics
    }

    /// Counts a request by its status; none where there was no answer.
    pub fn request(&self, status: Option<u16>) {
        self.families.okta_requests.with_label_values(&[self.name.as_str(), code(status)]).inc();
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

    /// Counts a recovery.
    pub fn recovered(&self, reason: RecoveryReason) {
        self.families.cursor_recoveries.with_label_values(&[self.name.as_str(), reason.as_str()]).inc();
    }

    /// From and until when events may be missing for good, in Unix seconds.
    pub fn hole(&self, hole: Option<(f64, f64)>) {
        let from = self.families.missing_from.with_label_values(&[self.name.as_str()]);
        let until = self.families.missing_until.with_label_values(&[self.name.as_str()]);
        // In such an order that no scrape in between sees a hole that begins with 1970.
        match hole {
            Some((begin, end)) => {
                from.set(begin);
                until.set(end);
            }
            None => {
                until.set(0.0);
                from.set(0.0);
            }
        }
    }

    /// Counts a kind of member that the schema has no place for, and that was not met before.
    pub fn drifted(&self, kind: DriftKind) {
        self.families.drifted_members.with_label_values(&[self.name.as_str(), kind.as_str()]).inc();
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
            &f.page_bytes,
            &f.transactions,
            &f.retries,
            &f.schema_registry_requests,
            &f.cursor_recoveries,
            &f.duplicates_suppressed,
        ] {
            remove_counters(vec, name);
        }
        for vec in [&f.okta_request_duration, &f.transaction_duration, &f.event_age] {
            let _ = vec.remove_label_values(&[name]);
        }
        for vec in [&f.caught_up, &f.checkpoint_published, &f.poll_interval, &f.access_token_expires] {
            let _ = vec.remove_label_values(&[name]);
        }
        for vec in [&f.missing_from, &f.missing_until] {
            let _ = vec.remove_label_values(&[name]);
        }
        for vec in [&f.rate_limit_requests, &f.rate_limit_remaining, &f.rate_limit_reset] {
            let _ = vec.remove_label_values(&[name]);
        }
        let _ = f.rate_limit_wait.remove_label_values(&[name]);
        for kind in DriftKind::ALL {
            let _ = f.drifted_members.remove_label_values(&[name, kind.as_str()]);
        }
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
