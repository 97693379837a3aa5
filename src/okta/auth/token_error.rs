//! Why there is no access token, and what the org's administrator does about it.

use thiserror::Error;

use crate::config::OauthError;
use crate::okta::error::{OktaError, RequestError, Severity};

/// No access token. The message of a fatal one ends in what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The token endpoint was not reached, does not work, or its own rate limit is used up: as with a page.
    #[error("{0}")]
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
    /// The key can't be read any more, and there is none from before.
    #[error("the private key can't be used: {0}")]
    Key(String),
    /// The crypto library refuses to sign.
    #[error("the private key does not sign; check that it is the file that was made, and look for a damaged one")]
    NotSigned,
}

impl TokenError {
    /// The status of the token endpoint's answer; `None` where there was none.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Request(error) => error.okta().map(|okta| okta.status),
            Self::Refused { okta, .. } => Some(okta.status),
            Self::NotAToken(_) => Some(200),
            Self::Key(_) | Self::NotSigned => None,
        }
    }

    /// Whether asking again can help.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Request(error) => error.severity(),
            Self::NotAToken(_) => {
                Severity::Retriable { reason: crate::okta::error::RetryReason::Connection, wait: None }
            }
            Self::Refused { .. } | Self::Key(_) | Self::NotSigned => Severity::Fatal,
        }
    }
}

impl From<RequestError> for TokenError {
    fn from(error: RequestError) -> Self {
        Self::Request(Box::new(error))
    }
}

impl From<OauthError> for TokenError {
    fn from(error: OauthError) -> Self {
        Self::Key(error.to_string())
    }
}

/// What an administrator does about a refusal, by Okta's own words (oauth2-error-codes.json); its `error` alone stands for
/// a dozen mistakes.
pub fn advice(okta: &OktaError, client_id: &str, key_id: &str, org: &str, scope: &str) -> String {
    let says = |text: &str| okta.summary.as_deref().is_some_and(|summary| summary.contains(text));
    let code = okta.code.as_deref().unwrap_or_default();
    match code {
        "invalid_client" if says("kid is invalid") || says("JWKSet") => format!(
            "register the public half of the key with the app `{client_id}` (Admin Console, the app, General, Client \
             Credentials, Public Keys), and set `key_id` to the KID that is shown there; `{key_id}` is not among its active keys"
        ),
        "invalid_client" if says("signature is invalid") => format!(
            "the key does not belong to the KID `{key_id}`: set `private_key` and `key_id` to the two halves of one key of the app"
        ),
        "invalid_client" if says("audience") => format!(
            "set `org` to the org's own address, as the Admin Console shows it; `{org}` is maybe another domain that leads to it"
        ),
        "invalid_client" if says("expired") || says("too far into the future") || says("before the current time") => {
            "the clocks are apart, though the org's was taken from its answer: look for a proxy that changes `Date`, and \
             synchronise this machine's clock (NTP)"
                .to_owned()
        }
        "invalid_client" if says("signature algorithm") => {
            "set `algorithm` to the one that is registered with the key, or register the key anew".to_owned()
        }
        "invalid_client" if says("application_type") || says("private_key_jwt") => format!(
            "make `{client_id}` an API service app (Admin Console, Applications, Create App Integration, API Services), with \
             the client authentication Public key / Private key"
        ),
        "invalid_client" => format!(
            "check `client_id` (`{client_id}`), that the app is active in this org, and that the public half of the key is \
             registered with it"
        ),
        "invalid_scope" => format!(
            "grant the scopes to the app (Admin Console, the app, Okta API Scopes: `{scope}`), or take what is not granted \
             out of `scopes`"
        ),
        "unsupported_grant_type" | "unauthorized_client" => format!(
            "allow the app `{client_id}` the grant type Client Credentials (Admin Console, the app, General): it has to be an \
             API service app"
        ),
        "access_denied" => format!(
            "look at the app's restrictions: the network zones that `{client_id}` may ask from, and the org's policies"
        ),
        _ => format!("check `org` and the app `{client_id}`"),
    }
}
