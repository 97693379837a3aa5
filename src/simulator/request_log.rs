//! What the org saw: a log of requests, for tests to read and to wait for.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::faults::FaultKind;

/// The log keeps this many requests, so that a simulated org that runs for days does not grow without end.
const KEPT: usize = 200_000;

/// What a request's `Authorization` header was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// There was none.
    Missing,
    /// It was refused: neither `SSWS` with the org's token nor an access token that is good for this request.
    Wrong,
    /// It was `SSWS` and the org's token, or an access token with all that goes with it.
    Right,
}

/// A request that the org saw, to anything but the token endpoint of its OAuth side.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// When it came.
    pub at: Timestamp,
    /// The method, as sent.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// The scheme of its `Authorization` header, as sent: `SSWS`, `Bearer` or `DPoP`.
    pub scheme: Option<String>,
    /// What its `Authorization` header was; the value itself is not kept.
    pub authorization: Authorization,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// The status of the answer; `None` when the connection was cut before there was one.
    pub status: Option<u16>,
    /// How many events the answer holds.
    pub events: usize,
    /// The faults that the answer met.
    pub faults: Vec<FaultKind>,
    /// It came although a 429 of the rate limit had told to wait longer.
    pub in_rate_limit_window: bool,
    /// It came although a 429 of the concurrency limit had told to wait longer.
    pub in_concurrency_wait: bool,
}

/// The requests, oldest first.
#[derive(Debug, Default)]
pub(super) struct RequestLog {
    records: VecDeque<RequestRecord>,
    in_rate_limit_window: usize,
    in_concurrency_wait: usize,
}

impl RequestLog {
    pub(super) fn push(&mut self, record: RequestRecord) {
        self.in_rate_limit_window += usize::from(record.in_rate_limit_window);
        self.in_concurrency_wait += usize::from(record.in_concurrency_wait);
        if self.records.len() == KEPT {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    pub(super) fn records(&self) -> Vec<RequestRecord> {
        self.records.iter().cloned().collect()
    }

    pub(super) fn in_rate_limit_window(&self) -> usize {
        self.in_rate_limit_window
    }

    pub(super) fn in_concurrency_wait(&self) -> usize {
        self.in_concurrency_wait
    }
}
