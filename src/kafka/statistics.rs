//! What a producer's statistics tell of its life with the brokers: few of librdkafka's figures, as sums that only grow.
//!
//! librdkafka counts from the start of each client, by broker, and forgets brokers that left the cluster; its times are
//! those of one window. Here they are made into what was added since the statistics before, over all brokers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

/// Where a transactional producer is between two transactions, in fewer words than librdkafka's thirteen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionState {
    /// Its transactional id is not acquired yet.
    Starting,
    /// No transaction is open.
    Ready,
    /// Records go into a transaction.
    Open,
    /// A transaction is being committed: readers of committed records wait for its end.
    Committing,
    /// A transaction is being aborted.
    Aborting,
    /// Nothing more is sent: to be aborted, or never to be used again.
    Failed,
}

impl TransactionState {
    /// All of them, for series that exist from the start.
    pub const ALL: [Self; 6] =
        [Self::Starting, Self::Ready, Self::Open, Self::Committing, Self::Aborting, Self::Failed];

    /// The value of the label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Open => "open",
            Self::Committing => "committing",
            Self::Aborting => "aborting",
            Self::Failed => "failed",
        }
    }

    /// From librdkafka's name (`rd_kafka_txn_state2str`).
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "Init" | "WaitPID" => Self::Starting,
            "ReadyNotAcked" | "Ready" => Self::Ready,
            "InTransaction" => Self::Open,
            "BeginCommit" | "CommittingTransaction" | "CommitNotAcked" => Self::Committing,
            "BeginAbort" | "AbortingTransaction" | "AbortedNotAcked" => Self::Aborting,
            "AbortableError" | "FatalError" => Self::Failed,
            _ => return None,
        })
    }
}

/// What one look at a producer's statistics adds to the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProducerStatistics {
    /// Time from a request's last byte to its answer, of all answers together.
    pub round_trip: Duration,
    /// Answers that had one.
    pub round_trips: u64,
    /// Time for which brokers said that they hold us back (quotas).
    pub throttle: Duration,
    /// Records that are not confirmed yet, as of now.
    pub queued: u64,
    /// State of the transaction; `None` where librdkafka has a name that we do not know. It also has `txn_stateage`, which
    /// 2.12 counts from the start of the machine: it never sets the time that it counts from.
    pub transaction: Option<TransactionState>,
    /// Requests that could not be sent.
    pub send_errors: u64,
    /// Answers that could not be read.
    pub receive_errors: u64,
    /// Requests without an answer in time.
    pub timeouts: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Connections that ended.
    pub disconnects: u64,
}

/// Takes a producer's statistics, from librdkafka's thread or ours: must return at once.
pub type StatisticsSink = Arc<dyn Fn(&ProducerStatistics) + Send + Sync>;

/// One producer's statistics on their way to whoever shows them.
pub(super) struct StatisticsListener {
    sink: StatisticsSink,
    /// Counts of each broker as last heard.
    known: Mutex<BTreeMap<String, Counts>>,
}

impl StatisticsListener {
    /// Of a producer that is made now.
    pub(super) fn new(sink: StatisticsSink) -> Self {
        Self { sink, known: Mutex::default() }
    }

    /// Takes librdkafka's statistics (STATISTICS.md); what can't be read is passed over.
    pub(super) fn hear(&self, statistics: &[u8]) {
        let Ok(statistics) = serde_json::from_slice::<Statistics>(statistics) else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        (self.sink)(&statistics.since(&mut known));
    }
}

impl fmt::Debug for StatisticsListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatisticsListener")
    }
}

/// As much of librdkafka's statistics as is shown.
#[derive(Deserialize)]
struct Statistics {
    msg_cnt: u64,
    brokers: BTreeMap<String, Broker>,
    eos: Option<Eos>,
}

#[derive(Deserialize)]
struct Broker {
    txerrs: u64,
    rxerrs: u64,
    req_timeouts: u64,
    txretries: u64,
    disconnects: u64,
    /// Microseconds.
    rtt: Window,
    /// Milliseconds.
    throttle: Window,
}

/// Of one broker since the client was made, in the order of its fields.
type Counts = [u64; 5];

/// Since the last statistics.
#[derive(Deserialize)]
struct Window {
    sum: i64,
    cnt: i64,
}

#[derive(Deserialize)]
struct Eos {
    txn_state: String,
}

impl Statistics {
    fn since(self, known: &mut BTreeMap<String, Counts>) -> ProducerStatistics {
        let mut added = ProducerStatistics { queued: self.msg_cnt, ..ProducerStatistics::default() };
        added.transaction = self.eos.and_then(|eos| TransactionState::of(&eos.txn_state));
        for (name, broker) in self.brokers {
            added.round_trip += Duration::from_micros(u64::try_from(broker.rtt.sum).unwrap_or_default());
            added.round_trips += u64::try_from(broker.rtt.cnt).unwrap_or_default();
            added.throttle += Duration::from_millis(u64::try_from(broker.throttle.sum).unwrap_or_default());
            let now = [broker.txerrs, broker.rxerrs, broker.req_timeouts, broker.txretries, broker.disconnects];
            let before = known.insert(name, now).unwrap_or_default();
            let to = [
                &mut added.send_errors,
                &mut added.receive_errors,
                &mut added.timeouts,
                &mut added.retries,
                &mut added.disconnects,
            ];
            for (to, (before, now)) in to.into_iter().zip(before.into_iter().zip(now)) {
                // A broker that left and came back is counted anew.
                *to += if now < before { now } else { now - before };
            }
        }
        added
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(txerrs: u64, disconnects: u64, rtt: (i64, i64)) -> serde_json::Value {
        serde_json::json!({
            "name": "x", "txerrs": txerrs, "rxerrs": 0, "req_timeouts": 2, "txretries": 1, "disconnects": disconnects,
            "rtt": {"min": 0, "max": 9, "avg": 1, "sum": rtt.0, "cnt": rtt.1}, "throttle": {"sum": 1_500, "cnt": 3}
        })
    }

    fn heard(all: &[serde_json::Value]) -> Vec<ProducerStatistics> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&heard);
        let sink: StatisticsSink = Arc::new(move |statistics| into.lock().unwrap().push(*statistics));
        let listener = StatisticsListener::new(sink);
        for statistics in all {
            listener.hear(statistics.to_string().as_bytes());
        }
        heard.lock().unwrap().clone()
    }

    #[test]
    fn counts_grow_by_what_came_since_also_where_a_broker_begins_anew() {
        let of = |brokers: serde_json::Value| serde_json::json!({"msg_cnt": 7, "brokers": brokers, "eos": null});
        let heard = heard(&[
            of(serde_json::json!({"a": broker(3, 1, (4_000, 2)), "b": broker(0, 0, (1_000, 1))})),
            of(serde_json::json!({"a": broker(5, 1, (0, 0))})),
            serde_json::json!({"not": "statistics"}),
            of(serde_json::json!({"a": broker(1, 0, (10, 1)), "b": broker(0, 4, (0, 0))})),
        ]);
        let figures = |one: &ProducerStatistics| {
            (one.send_errors, one.disconnects, one.timeouts, one.round_trip.as_micros(), one.round_trips, one.queued)
        };
        assert_eq!(
            heard.iter().map(figures).collect::<Vec<_>>(),
            [(3, 1, 4, 5_000, 3, 7), (2, 0, 0, 0, 0, 7), (1, 4, 0, 10, 1, 7)]
        );
        assert_eq!(heard[1].throttle, Duration::from_millis(1_500));
        assert_eq!(heard[0].transaction, None);
    }

    /// The names are librdkafka's (`rd_kafka_txn_state2str`, rdkafka_int.h).
    #[test]
    fn each_state_of_librdkafka_s_has_one_of_ours() {
        for (name, expected) in [
            ("Init", "starting"),
            ("WaitPID", "starting"),
            ("ReadyNotAcked", "ready"),
            ("Ready", "ready"),
            ("InTransaction", "open"),
            ("BeginCommit", "committing"),
            ("CommittingTransaction", "committing"),
            ("CommitNotAcked", "committing"),
            ("BeginAbort", "aborting"),
            ("AbortingTransaction", "aborting"),
            ("AbortedNotAcked", "aborting"),
            ("AbortableError", "failed"),
            ("FatalError", "failed"),
        ] {
            let statistics = serde_json::json!({
                "msg_cnt": 0, "brokers": {}, "eos": {"txn_state": name}
            });
            assert_eq!(heard(&[statistics])[0].transaction.unwrap().as_str(), expected, "{name}");
        }
        assert_eq!(TransactionState::of("Odd"), None);
    }
}
