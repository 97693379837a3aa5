//! When a token is used, when a new one is asked for, and when nobody is asked for a while. Times are monotonic.

use std::time::Duration;

use super::token::AccessToken;
use super::token_error::TokenError;
use crate::okta::error::Severity;

/// How long nobody asks after the first refusal, whose cause is not mended in a moment; doubled by each further failure.
const AFTER_REFUSAL: Duration = Duration::from_secs(5);
/// The same after a failure that may pass.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// The longest that nobody asks, unless the server says more.
const LONGEST: Duration = Duration::from_secs(60);

/// The token of a session, and how the last attempt to get one went.
#[derive(Debug, Default)]
pub struct Renewal {
    token: Option<AccessToken>,
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    error: TokenError,
    /// Nobody asks before.
    until: Duration,
    /// In a row.
    count: u32,
}

/// What a request does for its token.
#[derive(Debug)]
pub enum Plan {
    /// Uses this one.
    Use(AccessToken),
    /// Uses this one, while somebody asks for the next.
    UseAndRenew(AccessToken),
    /// Asks for one, or waits for who does.
    Ask,
    /// There is none, and the last attempt is not long ago.
    Fail(TokenError),
}

impl Renewal {
    /// What a request at `now` does.
    pub fn plan(&self, now: Duration) -> Plan {
        let rests = self.failure.as_ref().filter(|failure| now < failure.until);
        match (&self.token, rests) {
            (Some(token), _) if now < token.renew_at => Plan::Use(token.clone()),
            (Some(token), Some(_)) if now < token.expires_at => Plan::Use(token.clone()),
            (Some(token), None) if now < token.expires_at => Plan::UseAndRenew(token.clone()),
            (_, Some(failure)) => Plan::Fail(failure.error.clone().after(failure.until - now)),
            (_, None) => Plan::Ask,
        }
    }

    /// A token was given. Returns whether that ends a row of failures.
    pub fn succeed(&mut self, token: AccessToken) -> bool {
        self.token = Some(token);
        self.failure.take().is_some()
    }

    /// An attempt failed at `now`. Returns whether a token still lives, and how long nobody asks.
    pub fn fail(&mut self, now: Duration, error: TokenError) -> (bool, Duration) {
        let count = self.failure.take().map_or(0, |failure| failure.count).saturating_add(1);
        let (first, wait) = match error.severity() {
            Severity::Fatal => (AFTER_REFUSAL, None),
            Severity::Retriable { wait, .. } => (AFTER_FAILURE, wait),
        };
        let left = self.left(now);
        // Not beyond the end of a token: then there is somebody who needs the next one.
        let longest = left.unwrap_or(LONGEST).min(LONGEST);
        let backoff = first.saturating_mul(1 << (count - 1).min(10)).min(longest);
        let rest = backoff.max(wait.unwrap_or_default());
        self.failure = Some(Failure { error, until: now + rest, count });
        (left.is_some(), rest)
    }

    /// How long the token that there is lives from `now` on.
    pub fn left(&self, now: Duration) -> Option<Duration> {
        let left = self.token.as_ref()?.expires_at.saturating_sub(now);
        Some(left).filter(|left| !left.is_zero())
    }

    /// The last attempt failed, and the old token lives so long.
    pub fn failing(&self, now: Duration) -> Option<(Duration, &TokenError)> {
        Some((self.left(now)?, &self.failure.as_ref()?.error))
    }

    /// The private key changed: what was refused before says nothing of it, so whoever needs a token asks.
    pub fn key_changed(&mut self) {
        if let Some(failure) = &mut self.failure {
            (failure.until, failure.count) = (Duration::ZERO, 0);
        }
    }

    /// The org refused the token of this number: it is used no more.
    pub fn refused(&mut self, number: u64) {
        let _ = self.token.take_if(|token| token.number == number);
    }
}

#[cfg(test)]
mod tests {
    use super::super::exchange::Proved;
    use super::*;
    use crate::okta::error::{OktaError, RequestError, RetryReason};

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn token(number: u64, asked: u64, lifetime: u64) -> AccessToken {
        let body = format!(r#"{{"access_token":"t","token_type":"Bearer","expires_in":{lifetime}}}"#);
        AccessToken::read(body.as_bytes(), at(asked), number, Proved::No).expect("a token")
    }

    fn shown(plan: &Plan) -> String {
        match plan {
            Plan::Use(token) => format!("use {}", token.number),
            Plan::UseAndRenew(token) => format!("renew {}", token.number),
            Plan::Ask => "ask".to_owned(),
            Plan::Fail(_) => "fail".to_owned(),
        }
    }

    fn server_error() -> TokenError {
        RequestError::Server { okta: OktaError::read(503, b"", None, &[]) }.into()
    }

    #[test]
    fn a_token_is_renewed_before_its_end_and_used_to_its_end() {
        for (lifetime, renewed_from) in [(3600, 3300), (30, 24), (600, 480), (1500, 1200), (1800, 1500)] {
            let mut renewal = Renewal::default();
            assert_eq!(shown(&renewal.plan(at(0))), "ask");
            renewal.succeed(token(1, 100, lifetime));
            for (now, expected) in [
                (0, "use 1"),
                (renewed_from - 1, "use 1"),
                (renewed_from, "renew 1"),
                (lifetime - 1, "renew 1"),
                (lifetime, "ask"),
            ] {
                assert_eq!(shown(&renewal.plan(at(100 + now))), expected, "{lifetime} {now}");
            }
        }
    }

    #[test]
    fn a_renewal_that_fails_is_tried_again_while_the_old_token_is_used() {
        let mut renewal = Renewal::default();
        renewal.succeed(token(1, 0, 3600));
        assert_eq!(renewal.fail(at(3300), server_error()), (true, at(1)));
        assert_eq!(shown(&renewal.plan(at(3300))), "use 1");
        assert_eq!(shown(&renewal.plan(at(3301))), "renew 1");
        for (now, rest) in [(3301, 2), (3303, 4), (3307, 8), (3315, 16), (3331, 32), (3363, 60), (3423, 60)] {
            assert_eq!(renewal.fail(at(now), server_error()), (true, at(rest)));
            assert_eq!(shown(&renewal.plan(at(now + rest - 1))), "use 1");
            assert_eq!(shown(&renewal.plan(at(now + rest))), "renew 1");
        }
        // Its end comes within a rest: then who needs a token asks.
        assert_eq!(renewal.fail(at(3599), server_error()), (true, at(1)));
        assert_eq!(shown(&renewal.plan(at(3600))), "ask");
        assert_eq!(renewal.fail(at(3600), server_error()), (false, at(60)));
        assert_eq!(shown(&renewal.plan(at(3659))), "fail");
        assert_eq!(shown(&renewal.plan(at(3660))), "ask");
        assert!(renewal.succeed(token(2, 3800, 3600)));
        assert!(!renewal.succeed(token(3, 3800, 3600)));
        assert_eq!(renewal.fail(at(7000), server_error()), (true, at(1)), "the row is over");
    }

    #[test]
    fn who_asks_within_a_rest_is_told_how_long_it_still_is() {
        let mut renewal = Renewal::default();
        let limited = RequestError::RateLimited { wait: Some(at(40)), okta: OktaError::read(429, b"", None, &[]) };
        assert_eq!(renewal.fail(at(10), limited.into()), (false, at(40)));
        let Plan::Fail(error) = renewal.plan(at(20)) else { panic!("within the rest") };
        assert!(
            matches!(error.severity(), Severity::Retriable { wait: Some(wait), .. } if wait == at(30)),
            "{error:?}"
        );
        let refused =
            TokenError::Refused { okta: Box::new(OktaError::read(401, b"", None, &[])), advice: String::new() };
        assert_eq!(renewal.fail(at(50), refused.clone()), (false, at(10)), "the second in a row");
        let Plan::Fail(error) = renewal.plan(at(51)) else { panic!("within the rest") };
        let wait = Some(at(9));
        assert_eq!(
            error.severity(),
            Severity::Retriable { reason: RetryReason::Connection, wait },
            "it was not refused itself"
        );
        for rest in [20, 40, 60, 60] {
            assert_eq!(renewal.fail(at(100), refused.clone()), (false, at(rest)));
        }
        assert_eq!(Renewal::default().fail(at(0), refused), (false, at(5)));
    }

    #[test]
    fn a_failure_is_told_while_the_old_token_lives_and_until_the_next() {
        let mut renewal = Renewal::default();
        let _ = renewal.fail(at(0), server_error());
        assert_eq!((renewal.left(at(0)), renewal.failing(at(0))), (None, None), "the connector itself says that");
        renewal.succeed(token(1, 0, 3600));
        assert_eq!((renewal.left(at(3000)), renewal.failing(at(3000))), (Some(at(600)), None));
        let _ = renewal.fail(at(3300), server_error());
        assert_eq!(renewal.failing(at(3310)), Some((at(290), &server_error())));
        assert_eq!((renewal.left(at(3600)), renewal.failing(at(3600))), (None, None));
        renewal.succeed(token(2, 3601, 3600));
        assert_eq!(renewal.failing(at(3602)), None);
    }

    #[test]
    fn only_the_token_that_was_refused_is_dropped() {
        let mut renewal = Renewal::default();
        renewal.succeed(token(2, 0, 3600));
        renewal.refused(1);
        assert_eq!(shown(&renewal.plan(at(1))), "use 2");
        renewal.refused(2);
        assert_eq!(shown(&renewal.plan(at(1))), "ask");
    }
}
