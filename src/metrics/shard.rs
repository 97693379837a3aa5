//! What librdkafka says of one shard's producers, and since when their transaction is open: series that come with the shard and go with it, and outlive each producer.

use prometheus::{Counter, Gauge, IntCounter, IntGauge};

use super::families::KafkaFamilies;
use super::labels::RequestFailure;
use crate::kafka::statistics::{ProducerStatistics, TransactionState};

/// One shard's series, all there from its start; gone when this is dropped.
pub struct ShardMetrics {
    families: KafkaFamilies,
    shard: String,
    round_trip: Counter,
    round_trips: IntCounter,
    throttle: Counter,
    queued: IntGauge,
    transaction_began: Gauge,
    retries: IntCounter,
    disconnects: IntCounter,
}

impl ShardMetrics {
    pub(super) fn new(families: KafkaFamilies, shard: i32) -> Self {
        let shard = shard.to_string();
        let l = [shard.as_str()];
        for failure in RequestFailure::ALL {
            let _ = families.request_failures.with_label_values(&[shard.as_str(), failure.as_str()]);
        }
        let metrics = Self {
            round_trip: families.round_trip.with_label_values(&l),
            round_trips: families.round_trips.with_label_values(&l),
            throttle: families.throttle.with_label_values(&l),
            queued: families.queued.with_label_values(&l),
            transaction_began: families.transaction_began.with_label_values(&l),
            retries: families.retries.with_label_values(&l),
            disconnects: families.disconnects.with_label_values(&l),
            families,
            shard,
        };
        metrics.producer_begins();
        metrics
    }

    /// A producer is about to be made: what the one before it said of now is over.
    pub fn producer_begins(&self) {
        self.queued.set(0);
        self.state(TransactionState::Starting);
    }

    /// Takes what came since the statistics before.
    pub fn observe(&self, statistics: &ProducerStatistics) {
        self.round_trip.inc_by(statistics.round_trip.as_secs_f64());
        self.round_trips.inc_by(statistics.round_trips);
        self.throttle.inc_by(statistics.throttle.as_secs_f64());
        self.queued.set(i64::try_from(statistics.queued).unwrap_or(i64::MAX));
        if let Some(state) = statistics.transaction {
            self.state(state);
        }
        for (failure, count) in [
            (RequestFailure::Send, statistics.send_errors),
            (RequestFailure::Receive, statistics.receive_errors),
            (RequestFailure::Timeout, statistics.timeouts),
        ] {
            let labels = [self.shard.as_str(), failure.as_str()];
            self.families.request_failures.with_label_values(&labels).inc_by(count);
        }
        self.retries.inc_by(statistics.retries);
        self.disconnects.inc_by(statistics.disconnects);
    }

    /// A transaction is about to begin, at this Unix time.
    pub fn transaction_begins(&self, now: f64) {
        self.transaction_began.set(now);
    }

    /// It ended, however that was.
    pub fn transaction_ended(&self) {
        self.transaction_began.set(0.0);
    }

    fn state(&self, state: TransactionState) {
        for each in TransactionState::ALL {
            let series = self.families.transaction_state.with_label_values(&[self.shard.as_str(), each.as_str()]);
            series.set(i64::from(each == state));
        }
    }
}

impl Drop for ShardMetrics {
    fn drop(&mut self) {
        let (f, shard) = (&self.families, self.shard.as_str());
        for vec in [&f.round_trip, &f.throttle] {
            let _ = vec.remove_label_values(&[shard]);
        }
        for vec in [&f.round_trips, &f.retries, &f.disconnects] {
            let _ = vec.remove_label_values(&[shard]);
        }
        let _ = f.queued.remove_label_values(&[shard]);
        let _ = f.transaction_began.remove_label_values(&[shard]);
        for state in TransactionState::ALL {
            let _ = f.transaction_state.remove_label_values(&[shard, state.as_str()]);
        }
        for failure in RequestFailure::ALL {
            let _ = f.request_failures.remove_label_values(&[shard, failure.as_str()]);
        }
    }
}
