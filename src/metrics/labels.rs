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

/// How events differ from the schema, as `drifted_members` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriftKind {
    /// A member that the schema does not know.
    New,
    /// One that has another type than the schema knows.
    Retyped,
}

impl DriftKind {
    pub(super) const ALL: [Self; 2] = [Self::New, Self::Retyped];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Retyped => "retyped",
        }
    }
}

/// The value of `retries_total{reason}` for a transaction that is tried again.
pub const RETRY_KAFKA: &str = "kafka";

/// What went wrong with a request to a broker, as `kafka_request_failures_total` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFailure {
    /// It could not be sent.
    Send,
    /// Its answer could not be read, or its connection ended before there was one.
    Receive,
    /// There was no answer in time.
    Timeout,
}

impl RequestFailure {
    pub(super) const ALL: [Self; 3] = [Self::Send, Self::Receive, Self::Timeout];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Timeout => "timeout",
        }
    }
}

/// How shards came or went, as `shard_changes_total` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardChange {
    /// The group gave them to us.
    Assigned,
    /// The group asked for them back.
    Revoked,
    /// We were no member any more.
    Lost,
}

impl ShardChange {
    pub(super) const ALL: [Self; 3] = [Self::Assigned, Self::Revoked, Self::Lost];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Revoked => "revoked",
            Self::Lost => "lost",
        }
    }
}

/// Where there was no answer at all.
const NO_ANSWER: &str = "error";

/// The value of a label `code`: the status, where Okta or what stands before it is known to answer so; else its hundred, or
/// `other`. So a strange server can't make a series for each number that it thinks of.
pub fn code(status: Option<u16>) -> &'static str {
    let Some(status) = status else { return NO_ANSWER };
    match status {
        200 => "200",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        407 => "407",
        408 => "408",
        410 => "410",
        413 => "413",
        414 => "414",
        429 => "429",
        431 => "431",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        status => match status / 100 {
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5 => "5xx",
            _ => "other",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_server_answers_there_are_few_codes() {
        let codes: std::collections::BTreeSet<&str> = (0..=u16::MAX).map(|status| code(Some(status))).collect();
        assert_eq!(codes.len(), 22, "{codes:?}");
        for (status, expected) in [
            (None, "error"),
            (Some(200), "200"),
            (Some(429), "429"),
            (Some(204), "2xx"),
            (Some(302), "3xx"),
            (Some(418), "4xx"),
            (Some(520), "5xx"),
            (Some(100), "other"),
            (Some(999), "other"),
        ] {
            assert_eq!(code(status), expected, "{status:?}");
        }
    }
}
