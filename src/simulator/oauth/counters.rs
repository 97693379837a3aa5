//! What the org's OAuth side did so far, for tests to read.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// How often each thing happened since the start. Reasons are Okta's `error_description`s.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OauthCounters {
    /// Access tokens that were issued.
    pub tokens_issued: usize,
    /// Requests for a token that were refused for the client's credentials (401), by reason.
    pub refused_assertions: BTreeMap<String, usize>,
    /// Requests for a token that were refused for something else than credentials or proof, by reason.
    pub refused_requests: BTreeMap<String, usize>,
    /// Proofs that were refused, or missing, at either endpoint, by reason. Of these, one that asks for a first proof
    /// (`The DPoP proof JWT header is missing.`) is how a client learns that the org wants proofs.
    pub refused_proofs: BTreeMap<String, usize>,
    /// Requests that were answered `use_dpop_nonce`, at either endpoint: a proof without a nonce, or with an old one.
    pub nonce_challenges: usize,
    /// Requests to the System Log whose access token was refused, by reason.
    pub refused_tokens: BTreeMap<String, usize>,
}

impl OauthCounters {
    /// How many requests were refused for any reason but a nonce.
    pub fn refused(&self) -> usize {
        [&self.refused_assertions, &self.refused_requests, &self.refused_proofs, &self.refused_tokens]
            .into_iter()
            .flat_map(|reasons| reasons.values())
            .sum()
    }
}

/// A request to the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequestRecord {
    /// When it came, on this machine's clock.
    pub at: Timestamp,
    /// Whether it had a proof.
    pub dpop: bool,
    /// The status of the answer; `None` when the connection was cut before there was one.
    pub status: Option<u16>,
    /// The answer's `error` and `error_description`, or Okta's `errorCode` and `errorSummary`; `None` with a token.
    pub error: Option<(String, String)>,
    /// It came although a 429 had told to wait longer.
    pub in_rate_limit_window: bool,
}
