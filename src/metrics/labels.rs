//! The values that labels have, where nobody else owns them.

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
    pub(super) const ALL: [Self; 3] = [Self::Committed, Self::Aborted, Self::Fenced];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Fenced => "fenced",
        }
    }
}

/// The value of `retries_total{reason}` for a transaction that is tried again.
pub const RETRY_KAFKA: &str = "kafka";
