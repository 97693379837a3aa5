//! Why there is no access token, and what the org's administrator does about it.

use std::time::Duration;

use thiserror::Error;

use super::exchange;
use crate::okta::error::{OktaError, RequestError, RetryReason, Severity};

/// No access token. The message of a fatal one ends in what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The token endpoint was not reached, does not work, or its own rate limit is used up: as with a page.
    #[error("the token endpoint: {0}")]
    Request(Box<RequestError>),
    /// It says no.
    #[error("the token endpoint refused the service app ({okta}): {advice}")]
    Refused {
        /// What the answer says.
        okta: Box<OktaError>,
        /// What to do.
        advice: String,
    },
    /// 200 without a token that we could use.
    #[error("the token endpoint's answer can't be used: {0}")]
    NotAToken(&'static str),
    /// 200 with a token that is bound to no key, which `dpop: true` refuses (RFC 9449, section 5).
    #[error(
        "the org gave a Bearer token, though `dpop: true` wants one that is bound to a key: require proof of possession of the \
         app (Admin Console > Applications > the app > General > Proof of possession), or take `dpop: true` out of `auth.oauth`"
    )]
    NotBound,
    /// Another request met a fatal one, and nobody asks for a while.
    #[error("{error} (said to another request; this one asks in {} s)", rest.as_secs() + 1)]
    Earlier {
        /// What that one met.
        error: Box<TokenError>,
        /// What is left of the while.
        rest: Duration,
    },
    /// The crypto library refuses to sign.
    #[error("the private key does not sign; check that it is the file that was made, and look for a damaged one")]
    NotSigned,
    /// What a request needs besides the private key.
    #[error(
        "{0} can't be made here: look whether this machine's crypto library (OpenSSL) works, and restart the program"
    )]
    NotMade(&'static str),
}

impl TokenError {
    /// The status of the token endpoint's answer; `None` where there was none.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Request(error) => error.okta().map(|okta| okta.status),
            Self::Refused { okta, .. } => Some(okta.status),
            Self::NotAToken(_) | Self::NotBound => Some(200),
            Self::Earlier { error, .. } => error.status(),
            Self::NotSigned | Self::NotMade(_) => None,
        }
    }

    /// What the org said, where there was a refusing answer.
    pub fn okta(&self) -> Option<&OktaError> {
        match self {
            Self::Request(error) => error.okta(),
            Self::Refused { okta, .. } => Some(okta),
            Self::Earlier { error, .. } => error.okta(),
            Self::NotAToken(_) | Self::NotBound | Self::NotSigned | Self::NotMade(_) => None,
        }
    }

    /// Whether asking again can help.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Request(error) => error.severity(),
            Self::NotAToken(_) => Severity::Retriable { reason: RetryReason::Connection, wait: None },
            Self::Earlier { rest, .. } => Severity::Retriable { reason: RetryReason::Connection, wait: Some(*rest) },
            Self::Refused { .. } | Self::NotBound | Self::NotSigned | Self::NotMade(_) => Severity::Fatal,
        }
    }
}

impl TokenError {
    /// The same for who meets it later: where the server says how long to wait, `rest` is what is left of that. A fatal one
    /// fails only who met it: the cause may be mended when another asks.
    pub fn after(mut self, rest: Duration) -> Self {
        if let Self::Request(error) = &mut self
            && let RequestError::RateLimited { wait, .. } = error.as_mut()
        {
            *wait = Some(rest);
        }
        if self.severity() == Severity::Fatal { Self::Earlier { error: Box::new(self), rest } } else { self }
    }
}

impl From<RequestError> for TokenError {
    fn from(error: RequestError) -> Self {
        Self::Request(Box::new(error))
    }
}

/// The one thing that is left when an answer's own time did not help.
const CLOCKS: &str = "the clocks are apart, though the org's was taken from its answer: look for a proxy that changes `Date`, and \
                      synchronise this machine's clock (NTP)";

/// What there is to name in an advice.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `client_id`.
    pub client_id: &'a str,
    /// The `kid` that was sent.
    pub key_id: &'a str,
    /// The org's origin.
    pub org: &'a str,
    /// The scopes that were asked for.
    pub scope: &'a str,
    /// Whether the request had a proof.
    pub proves: bool,
}

/// What an administrator does about a refusal, by Okta's own words (oauth2-error-codes.json); its `error` alone stands for
/// a dozen mistakes.
pub fn advice(okta: &OktaError, asked: Asked<'_>) -> String {
    let Asked { client_id, key_id, org, scope, proves } = asked;
    let says = |text: &str| okta.summary.as_deref().is_some_and(|summary| summary.contains(text));
    let code = okta.code.as_deref().unwrap_or_default();
    match code {
        "invalid_client" if says("kid is invalid") || says("JWKSet") => format!(
            "register the public half of the key with the app `{client_id}` (Admin Console > Applications > the app > \
             General > Client Credentials), and set `key_id` to the KID that is shown there; `{key_id}` is not among its active keys"
        ),
        "invalid_client" if says("signature is invalid") => format!(
            "the key does not belong to the KID `{key_id}`: write the private key that was made with it, or the KID that the app's page shows beside the public half of this one"
        ),
        "invalid_client" if says("audience") => format!(
            "set `org` to the org's own address, as the Admin Console shows it; `{org}` is maybe another domain that leads to it"
        ),
        "invalid_client" if exchange::is_about_time(okta) => CLOCKS.to_owned(),
        "invalid_client" if says("already been used") => {
            format!("look for a proxy between here and `{org}` that sends requests twice")
        }
        "invalid_client" if says("signature algorithm") => {
            "set `algorithm` to the one that is registered with the key, or register the key anew".to_owned()
        }
        "invalid_client" if says("application_type") || says("private_key_jwt") => format!(
            "make `{client_id}` an API service app (Admin Console > Applications > Create App Integration > API Services), with \
             the client authentication Public key / Private key"
        ),
        "invalid_client" => format!(
            "check `client_id` (`{client_id}`), that the app is active in this org, and that the public half of the key is \
             registered with it"
        ),
        "invalid_dpop_proof" | "use_dpop_nonce" if !proves => format!(
            "the app `{client_id}` wants tokens that are bound to a key (DPoP): take `dpop: false` out of `auth.oauth`, or the \
             requirement off the app (Admin Console > Applications > the app > General > Proof of possession)"
        ),
        "invalid_dpop_proof" if exchange::is_about_time(okta) => CLOCKS.to_owned(),
        "invalid_dpop_proof" | "use_dpop_nonce" => format!(
            "look for a proxy between here and `{org}` that changes requests, repeats them, or answers in its place"
        ),
        "invalid_scope" | "consent_required" | "access_denied" if code != "access_denied" || says("scope") => format!(
            "grant `{scope}` to the app `{client_id}` (Admin Console > Applications > the app > Okta API Scopes > Grant), or take \
             out of `scopes` what is not granted"
        ),
        "unsupported_grant_type" | "unauthorized_client" => format!(
            "allow the app `{client_id}` the grant type Client Credentials (Admin Console > Applications > the app > General): it has to be an \
             API service app"
        ),
        "access_denied" => format!(
            "look at the app's restrictions: the network zones that `{client_id}` may ask from, and the org's policies"
        ),
        _ => format!("check `org` and the app `{client_id}`"),
    }
}
