//! How a transaction ended, and what that means to its producer.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;

use super::client_config;
use super::deliveries::{Tag, Undelivered};

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionEnd {
    /// Confirmed: the broker has all of it.
    Committed {
        /// Records delivered, offset records included.
        delivered: usize,
        /// Where the offsets partition ends now: after the last offset record and the commit marker.
        end: Option<i64>,
    },
    /// `abort_transaction` returned Ok: nothing of it will ever be seen by a `read_committed` reader. The producer may go on
    /// only where a record was refused for good (docs/adr/0032).
    Aborted {
        /// Records that were not taken, with the reason.
        undelivered: Vec<Undelivered>,
        /// The first reason.
        code: RDKafkaErrorCode,
    },
    /// No broker took some of its records in time. It is not committed, and never will be: the producer must be dropped.
    Late {
        /// librdkafka's word for it.
        code: RDKafkaErrorCode,
    },
    /// Not everything was taken within the given patience. Nothing was committed; the producer must be dropped.
    Stuck {
        /// Whose records no broker has taken, and where they should have gone.
        waiting: Vec<Tag>,
        /// Whether a broker had taken others.
        delivered: bool,
    },
    /// Never commit again (I6).
    Fenced {
        /// What the broker or librdkafka said.
        code: RDKafkaErrorCode,
        /// Records that were refused before it came to that: a refused partition ends a transaction for good.
        undelivered: Vec<Undelivered>,
    },
    /// Nobody knows: the producer must be dropped, and the cursor read from the topic (I4).
    Unknown {
        /// The last error.
        code: RDKafkaErrorCode,
        /// Records that were refused before it came to that.
        undelivered: Vec<Undelivered>,
    },
    /// I10 does not hold: not as many records were delivered as the pages have. Aborted by dropping the producer.
    Miscounted {
        /// As the pages say.
        expected: usize,
        /// As the broker says.
        delivered: usize,
    },
}

impl TransactionEnd {
    /// Whether the producer, and what is in memory, may go on after it. `is_refused`: Kafka itself refused a record or a
    /// topic for good, which proves that the id was ours within this transaction (docs/adr/0032).
    pub fn may_go_on(&self, is_refused: bool) -> bool {
        match self {
            Self::Committed { .. } => true,
            Self::Aborted { .. } => is_refused,
            Self::Late { .. }
            | Self::Stuck { .. }
            | Self::Fenced { .. }
            | Self::Unknown { .. }
            | Self::Miscounted { .. } => false,
        }
    }

    /// Why it was not committed: the records that were not taken, and the first reason, as far as somebody said one.
    pub fn reasons(&self) -> (&[Undelivered], Option<RDKafkaErrorCode>) {
        match self {
            Self::Aborted { undelivered, code }
            | Self::Fenced { undelivered, code }
            | Self::Unknown { undelivered, code } => (undelivered, Some(*code)),
            Self::Late { code } => (&[], Some(*code)),
            Self::Committed { .. } | Self::Stuck { .. } | Self::Miscounted { .. } => (&[], None),
        }
    }

    /// What an abort says that was confirmed after so long, by the monotonic clock and by the other one (in seconds).
    pub(super) fn of_abort(self, monotonic: Duration, wall_seconds: f64) -> Self {
        match self {
            // A process that stood still: the coordinator may have forgotten the id, and given it away since.
            Self::Aborted { undelivered, code } if took_too_long(monotonic, wall_seconds) => {
                Self::Unknown { code, undelivered }
            }
            other => other,
        }
    }
}

/// Whether a transaction took longer than the coordinator lets one be open, so that our id may be another's by now
/// (docs/adr/0032). By either clock: a suspended machine stops its monotonic one, and the other one is set.
fn took_too_long(monotonic: Duration, wall_seconds: f64) -> bool {
    let longest = Duration::from_millis(u64::from(client_config::TRANSACTION_TIMEOUT_MS));
    monotonic > longest || wall_seconds > longest.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::error::RDKafkaErrorCode;

    use super::TransactionEnd;

    const CODE: RDKafkaErrorCode = RDKafkaErrorCode::MessageTimedOut;

    fn aborted() -> TransactionEnd {
        TransactionEnd::Aborted { undelivered: Vec::new(), code: CODE }
    }

    #[test]
    fn an_abort_that_took_longer_than_a_transaction_may_is_an_unknown_end() {
        for (monotonic, wall, is_known) in [
            (1, 1.0, true),
            (60, 60.0, true),
            (61, 61.0, false),
            // Suspended: only one clock went on.
            (2, 3_600.0, false),
            // The other one was set, forward and back.
            (61, -3_600.0, false),
            (2, -3_600.0, true),
        ] {
            let end = aborted().of_abort(Duration::from_secs(monotonic), wall);
            let expected =
                if is_known { aborted() } else { TransactionEnd::Unknown { code: CODE, undelivered: Vec::new() } };
            assert_eq!(end, expected, "{monotonic} s, {wall} s");
            assert_eq!(end.may_go_on(true), is_known, "{monotonic} s, {wall} s");
        }
        let committed = TransactionEnd::Committed { delivered: 1, end: None };
        assert_eq!(committed.clone().of_abort(Duration::from_secs(61), 61.0), committed);
    }

    /// docs/adr/0032: a time-out says nothing of whose the id is.
    #[test]
    fn what_is_in_memory_goes_on_only_after_a_commit_or_a_refusal() {
        for (end, unrefused, refused) in [
            (TransactionEnd::Committed { delivered: 1, end: None }, true, true),
            (aborted(), false, true),
            (TransactionEnd::Late { code: CODE }, false, false),
            (TransactionEnd::Stuck { waiting: Vec::new(), delivered: true }, false, false),
            (TransactionEnd::Fenced { code: CODE, undelivered: Vec::new() }, false, false),
            (TransactionEnd::Unknown { code: CODE, undelivered: Vec::new() }, false, false),
            (TransactionEnd::Miscounted { expected: 2, delivered: 1 }, false, false),
        ] {
            assert_eq!((end.may_go_on(false), end.may_go_on(true)), (unrefused, refused), "{end:?}");
        }
    }
}
