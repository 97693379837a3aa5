//! What an error of a transactional call leaves to do.

use rdkafka::error::KafkaError;

use super::error::{Verdict, code_of, judge};

/// The split that librdkafka makes of a transaction's errors, to be looked at in this order.
pub(super) enum Outcome {
    Fenced,
    RequiresAbort,
    Retriable,
    Other,
}

pub(super) fn outcome(error: &KafkaError) -> Outcome {
    if judge(code_of(error)) == Verdict::Fenced {
        return Outcome::Fenced;
    }
    match error {
        KafkaError::Transaction(error) if error.is_fatal() => Outcome::Fenced,
        KafkaError::Transaction(error) if error.txn_requires_abort() => Outcome::RequiresAbort,
        KafkaError::Transaction(error) if error.is_retriable() => Outcome::Retriable,
        _ => Outcome::Other,
    }
}

pub(super) fn is_fatal(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.is_fatal())
}

pub(super) fn is_retriable(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.is_retriable() && !error.is_fatal())
}
