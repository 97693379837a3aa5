//! What follows when the token endpoint refuses: asking again at once, changed in what it wants, or giving up.

use std::time::Duration;

use crate::config::Dpop;
use crate::okta::error::OktaError;

/// A clock that is further off than this is a reason for any refusal, whatever its words: Okta's differ.
const CLOCK_OFF: Duration = Duration::from_secs(60);
/// How often a nonce is taken over: it may be rotated between two requests, and again.
const NONCES: u8 = 3;

/// What the request for a token proved, and so which kind is taken (RFC 9449, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proved {
    /// It had no proof: a token that is bound to a key is bound to none of ours.
    No,
    /// It had a proof, and a token that is bound to nothing is good too, of an org that binds none.
    Maybe,
    /// It had a proof, and only a token that is bound to its key is good.
    Must,
}

/// One attempt to get a token, with all its requests. Each is signed anew: a `jti` is good for one.
#[derive(Debug, Clone)]
pub struct Exchange {
    mode: Dpop,
    proves: bool,
    nonces: u8,
    clock_learned: bool,
    by_wall: bool,
    wall_tried: bool,
    signed_anew: bool,
    looked: bool,
}

/// A refusal of the token endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// What it says.
    pub okta: &'a OktaError,
    /// Whether it gives a nonce (`dpop-nonce`).
    pub has_nonce: bool,
    /// How far the time that the request was signed with was from the answer's `Date`.
    pub clock_off: Duration,
}

impl Exchange {
    /// Begins; `proves`: the session knows already that the org wants proofs.
    pub fn new(mode: Dpop, proves: bool) -> Self {
        Self {
            mode,
            proves: proves || mode == Dpop::Always,
            nonces: 0,
            clock_learned: false,
            by_wall: false,
            wall_tried: true,
            signed_anew: false,
            looked: false,
        }
    }

    /// Begins with a clock that was learnt before; `by_wall`: which was found wrong, so that the wall clock counts.
    pub fn with_known_clock(self, by_wall: bool) -> Self {
        Self { by_wall, wall_tried: by_wall, ..self }
    }

    /// Whether the next request is signed by the wall clock, though the org's is known.
    pub fn by_wall(&self) -> bool {
        self.by_wall
    }

    /// Whether to look at the files of the key once more, and to ask again where that changed: a key and its id may be two
    /// files, of which one was read before it was written.
    pub fn looks_again(&mut self, okta: &OktaError) -> bool {
        let is_about_the_key = okta.code.as_deref() == Some("invalid_client")
            && mentions(okta, &["kid is invalid", "JWKSet", "signature is invalid"]);
        is_about_the_key && !std::mem::replace(&mut self.looked, true)
    }

    /// Whether the next request has a proof.
    pub fn proves(&self) -> bool {
        self.proves
    }

    /// What kind of token is taken for the last request.
    pub fn proved(&self) -> Proved {
        match (self.proves, self.mode) {
            (false, _) => Proved::No,
            (true, Dpop::Always) => Proved::Must,
            (true, Dpop::Auto | Dpop::Never) => Proved::Maybe,
        }
    }

    /// Whether to ask again at once; the clock and the nonce of the answer are to be taken over first.
    ///
    /// | refusal | again |
    /// |---|---|
    /// | `invalid_dpop_proof`, `use_dpop_nonce` to a request without a proof | with proofs from now on, unless `dpop: false` |
    /// | `use_dpop_nonce` with a nonce | with it, three times at most |
    /// | about times, or our clock was more than a minute off | once, by the server's clock |
    /// | about times once more, where the org's clock was known before | once, by the wall clock: every `Date` may be a proxy's |
    /// | `already been used`, `invalid_dpop_proof` to a proof | once, signed anew |
    pub fn again(&mut self, refusal: Refusal<'_>) -> bool {
        let Refusal { okta, has_nonce, clock_off } = refusal;
        if !matches!(okta.status, 400 | 401) {
            return false;
        }
        let code = okta.code.as_deref().unwrap_or_default();
        let wants_proof = matches!(code, "invalid_dpop_proof" | "use_dpop_nonce");
        if wants_proof && !self.proves {
            self.proves = self.mode != Dpop::Never;
            return self.proves;
        }
        if code == "use_dpop_nonce" {
            self.nonces += 1;
            return has_nonce && self.nonces <= NONCES;
        }
        if !self.clock_learned && (is_about_time(okta) || clock_off > CLOCK_OFF) {
            self.clock_learned = true;
            self.by_wall = false;
            return true;
        }
        if !self.wall_tried && is_about_time(okta) {
            (self.wall_tried, self.by_wall) = (true, true);
            return true;
        }
        let is_of_one_request = code == "invalid_dpop_proof" || mentions(okta, &["already been used"]);
        if is_of_one_request && !self.signed_anew {
            self.signed_anew = true;
            return true;
        }
        false
    }
}

/// Okta's words about `iat` and `exp` of assertions and proofs (oauth2-error-codes.json).
pub(super) fn is_about_time(okta: &OktaError) -> bool {
    mentions(okta, &["expired", "expiration", "before the current time", "in the future", "in the past"])
}

fn mentions(okta: &OktaError, words: &[&str]) -> bool {
    okta.summary.as_deref().is_some_and(|summary| words.iter().any(|word| summary.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn okta(status: u16, code: &str, summary: &str) -> OktaError {
        let body = serde_json::json!({"error": code, "error_description": summary}).to_string();
        OktaError::read(status, body.as_bytes(), None, &[])
    }

    #[test]
    fn the_last_try_is_by_the_wall_clock_where_the_other_was_known() {
        let (expired, used) = ("The client_assertion token is expired.", "It has already been used.");
        for (by_wall, course) in [
            (false, &[(expired, true, false), (expired, true, true), (expired, false, true)][..]),
            (false, &[(expired, true, false), (used, true, false), (expired, true, true)]),
            (true, &[(expired, true, false), (expired, false, false)]),
        ] {
            let mut exchange = Exchange::new(Dpop::Auto, false).with_known_clock(by_wall);
            assert_eq!(exchange.by_wall(), by_wall);
            for (summary, again, wall) in course {
                let okta = okta(401, "invalid_client", summary);
                let refusal = Refusal { okta: &okta, has_nonce: false, clock_off: Duration::ZERO };
                assert_eq!((exchange.again(refusal), exchange.by_wall()), (*again, *wall), "{course:?}");
            }
        }
    }

    #[test]
    fn a_key_is_looked_at_once_more_and_only_where_it_is_the_reason() {
        let mut exchange = Exchange::new(Dpop::Auto, false);
        for (code, summary, looks) in [
            ("invalid_client", "The client_assertion token is expired.", false),
            ("invalid_scope", "kid is invalid", false),
            ("invalid_client", "The client_assertion JWT kid is invalid.", true),
            ("invalid_client", "The client_assertion signature is invalid.", false),
        ] {
            assert_eq!(exchange.looks_again(&okta(401, code, summary)), looks, "{summary}");
        }
    }

    /// `code: summary`, `+nonce` where it gives one, `+skew` where our clock was off; then whether to ask again, and
    /// whether with a proof.
    #[test]
    fn every_course_of_an_attempt() {
        let missing = "invalid_dpop_proof: The DPoP proof JWT header is missing.";
        let nonce = "use_dpop_nonce: Authorization server requires nonce in DPoP proof. +nonce";
        let expired = "invalid_client: The client_assertion token is expired.";
        let future = "invalid_dpop_proof: The DPoP proof JWT is issued in the future.";
        let used = "invalid_client: The client_assertion token has already been used.";
        let kid = "invalid_client: The client_assertion JWT kid is invalid.";
        for (mode, knows, course) in [
            (
                Dpop::Auto,
                false,
                &[
                    (missing, true, true),
                    (nonce, true, true),
                    (nonce, true, true),
                    (nonce, true, true),
                    (nonce, false, true),
                ][..],
            ),
            (Dpop::Auto, false, &[(nonce, true, true), (nonce, true, true)]),
            (Dpop::Auto, true, &[(nonce, true, true), (expired, true, true), (expired, false, true)]),
            (
                Dpop::Always,
                false,
                &[(nonce, true, true), (future, true, true), (future, true, true), (future, false, true)],
            ),
            (Dpop::Never, false, &[(missing, false, false)]),
            (Dpop::Never, false, &[(nonce, false, false)]),
            (Dpop::Auto, false, &[("use_dpop_nonce: x", true, true), ("use_dpop_nonce: x", false, true)]),
            (
                Dpop::Auto,
                false,
                &[
                    ("invalid_client: The client_assertion token must be issued before the current time.", true, false),
                    (missing, true, true),
                    (nonce, true, true),
                ],
            ),
            (
                Dpop::Auto,
                false,
                &[(
                    "invalid_client: The client_assertion token has an expiration too far into the future.",
                    true,
                    false,
                )],
            ),
            (Dpop::Auto, false, &[(used, true, false), (used, false, false)]),
            (Dpop::Auto, false, &[(kid, false, false)]),
            (
                Dpop::Auto,
                false,
                &[
                    ("invalid_client: something about it +skew", true, false),
                    ("invalid_client: something about it +skew", false, false),
                ],
            ),
            (
                Dpop::Auto,
                false,
                &[(
                    "invalid_scope: One or more scopes are not configured for the authorization server resource.",
                    false,
                    false,
                )],
            ),
            (Dpop::Auto, false, &[("503 server_error: expired", false, false)]),
        ] {
            let mut exchange = Exchange::new(mode, knows);
            for (step, (said, again, proves)) in course.iter().enumerate() {
                let (has_nonce, is_off) = (said.ends_with("+nonce"), said.ends_with("+skew"));
                let (code, summary) = said.split_once(": ").expect("two parts");
                let (status, code) = code.split_once(' ').map_or((400, code), |(_, code)| (503, code));
                let okta = okta(status, code, summary);
                let clock_off = Duration::from_secs(if is_off { 61 } else { 1 });
                assert_eq!(
                    exchange.again(Refusal { okta: &okta, has_nonce, clock_off }),
                    *again,
                    "{mode:?} {step}: {said}"
                );
                assert_eq!(exchange.proves(), *proves, "{mode:?} {step}: {said}");
            }
        }
    }
}
