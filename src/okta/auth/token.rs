//! An access token, and for how long it is used.

use std::fmt;
use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::exchange::Proved;
use super::token_error::TokenError;

/// What is taken for the lifetime where an answer does not say it: one hour, which Okta fixes for its org server.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);
/// The longest lifetime that is believed: a token that dies earlier is renewed by its 401.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// A token is renewed so long before its end, or at 80 % of its life, whichever comes later.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// Never later than that before its end, but for one whose half is less: Okta counts a token's time in whole seconds, so
/// it may end a second earlier than `expires_in` says, and a renewal takes its time.
const RENEW_AT_LEAST_BEFORE: Duration = Duration::from_secs(3);

/// How a token is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `Authorization: Bearer` (RFC 6750).
    Bearer,
    /// `Authorization: DPoP`, with a proof (RFC 9449).
    Dpop,
}

impl Scheme {
    /// As the header has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }

    /// What the scheme says of a token, for a log.
    pub(super) fn bound(self) -> &'static str {
        match self {
            Self::Bearer => "whoever has it may use it, as it is bound to no key (Bearer)",
            Self::Dpop => "bound to this process's key (DPoP)",
        }
    }
}

/// An access token. Debug does not show it.
#[derive(Clone)]
pub struct AccessToken {
    /// The token itself.
    pub secret: SecretString,
    /// How it is presented.
    pub scheme: Scheme,
    /// Counts the tokens of a session: says which one was refused.
    pub number: u64,
    /// Monotonic time from which on a new one is asked for.
    pub renew_at: Duration,
    /// Monotonic time of its end.
    pub expires_at: Duration,
}

/// The token endpoint's 200 (RFC 6749, section 5.1).
#[derive(Deserialize)]
struct Body {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<f64>,
}

impl AccessToken {
    /// Reads the body of a 200. `asked_at` is the monotonic time before the request was sent: the token may be as old.
    ///
    /// # Errors
    /// Why it is no token; nothing of the body is in it.
    pub fn read(body: &[u8], asked_at: Duration, number: u64, proved: Proved) -> Result<Self, TokenError> {
        let body: Body = serde_json::from_slice(body)
            .map_err(|_| TokenError::NotAToken("the body is not the JSON object of RFC 6749"))?;
        let token = body.access_token.filter(|token| !token.is_empty());
        let token = token.ok_or(TokenError::NotAToken("it has no `access_token`"))?;
        let scheme = match (body.token_type.unwrap_or_default().to_ascii_lowercase().as_str(), proved) {
            ("bearer", Proved::Must) => return Err(TokenError::NotBound),
            ("bearer", Proved::No | Proved::Maybe) => Scheme::Bearer,
            ("dpop", Proved::No) => {
                return Err(TokenError::NotAToken("its `token_type` is `DPoP`, though no proof was sent"));
            }
            ("dpop", Proved::Maybe | Proved::Must) => Scheme::Dpop,
            _ => return Err(TokenError::NotAToken("its `token_type` is neither `Bearer` nor `DPoP`")),
        };
        if HeaderValue::from_str(&token).is_err() || token.contains(char::is_whitespace) {
            return Err(TokenError::NotAToken("its `access_token` has characters that no header can carry"));
        }
        let lifetime = match body.expires_in {
            None => DEFAULT_LIFETIME,
            Some(seconds) => {
                let lifetime = Duration::try_from_secs_f64(seconds);
                lifetime.map_err(|_| TokenError::NotAToken("its `expires_in` is no number of seconds"))?
            }
        };
        let lifetime = lifetime.min(MAX_LIFETIME);
        let renew_after = renew_after(lifetime);
        let (renew_at, expires_at) = (asked_at + renew_after, asked_at + lifetime);
        Ok(Self { secret: SecretString::from(token), scheme, number, renew_at, expires_at })
    }

    /// `Bearer …` or `DPoP …`, marked sensitive: no library below writes it into a log.
    pub fn authorization(&self) -> Option<HeaderValue> {
        let text = SecretString::from(format!("{} {}", self.scheme.as_str(), self.secret.expose_secret()));
        let mut value = HeaderValue::from_str(text.expose_secret()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessToken({:?}, {}, ***)", self.scheme, self.number)
    }
}

/// From when on a token of that lifetime is renewed.
fn renew_after(lifetime: Duration) -> Duration {
    let early = lifetime.mul_f64(0.8).max(lifetime.saturating_sub(RENEW_BEFORE));
    early.min(lifetime.saturating_sub(RENEW_AT_LEAST_BEFORE).max(lifetime / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tokens_are_renewed_with_seconds_to_spare() {
        for (lifetime, after) in [(3600, 3300.0), (600, 480.0), (20, 16.0), (15, 12.0), (10, 7.0), (5, 2.5), (1, 0.5)] {
            assert_eq!(renew_after(Duration::from_secs(lifetime)).as_secs_f64(), after, "{lifetime}");
        }
    }
}
