//! What follows when the System Log refuses the token of a service app. Bodies are empty then; `WWW-Authenticate` says why.

use super::token::Scheme;
use crate::config::Dpop;
use crate::okta::error::OktaError;

/// How often one request takes a nonce over.
const NONCES: u8 = 2;

/// What a request tried already.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tried {
    nonces: u8,
    fresh_proof: bool,
    proofs: bool,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Asks again at once, with a fresh proof.
    Again,
    /// Asks again at once, with a new token and proofs from now on.
    Prove,
    /// The token is of no use any more; the caller decides who asks again.
    Renew,
    /// Nothing that another token or proof would change.
    Final,
}

/// Judges a refusal of a request with a token of `scheme`. The answer's `Date` and nonce are to be taken over first.
///
/// | status and error | verdict |
/// |---|---|
/// | `use_dpop_nonce` with a nonce (RFC 9449, section 9) | again, twice at most |
/// | `invalid_request` "requires a DPoP proof", or `invalid_dpop_proof`, to a Bearer token | proofs from now on, unless `dpop: false` |
/// | `invalid_dpop_proof` to a proof | again, once |
/// | any other 401, and `invalid_token` with 400 (RFC 6750, section 3.1, wants 401) | a new token |
/// | 403 | a new token for the next try: what was granted meanwhile is in that one only |
pub fn judge(okta: &OktaError, scheme: Scheme, has_nonce: bool, mode: Dpop, tried: &mut Tried) -> Verdict {
    let code = okta.code.as_deref().unwrap_or_default();
    match (okta.status, code) {
        (403, _) | (400, "invalid_token") => return Verdict::Renew,
        (400 | 401, _) => {}
        _ => return Verdict::Final,
    }
    let wants_proof = match code {
        "invalid_dpop_proof" | "use_dpop_nonce" => true,
        "invalid_request" => okta.summary.as_deref().is_some_and(|summary| summary.contains("DPoP")),
        _ => false,
    };
    let may_prove = mode != Dpop::Never && !tried.proofs;
    match (wants_proof, scheme) {
        (true, Scheme::Bearer) if may_prove => {
            tried.proofs = true;
            return Verdict::Prove;
        }
        (true, Scheme::Dpop) if code == "use_dpop_nonce" && has_nonce && tried.nonces < NONCES => {
            tried.nonces += 1;
            return Verdict::Again;
        }
        (true, Scheme::Dpop) if code == "invalid_dpop_proof" && !tried.fresh_proof => {
            tried.fresh_proof = true;
            return Verdict::Again;
        }
        _ => {}
    }
    if okta.status == 401 { Verdict::Renew } else { Verdict::Final }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn okta(status: u16, code: &str, description: &str) -> OktaError {
        let challenge = format!(
            r#"DPoP algs="RS256 RS384 RS512 ES256 ES384 ES512", authorization_uri="http://acme.okta.com/oauth2/v1/authorize", realm="http://acme.okta.com", scope="okta.logs.read", error="{code}", error_description="{description}", resource="/api/v1/logs""#
        );
        OktaError::read(status, b"", Some(&challenge), &[])
    }

    #[test]
    fn every_refusal_of_a_token_has_its_verdict() {
        use Scheme::{Bearer, Dpop as Bound};
        let requires = "The resource request requires a DPoP proof.";
        for (status, code, description, scheme, mode, verdicts) in [
            (400, "invalid_request", requires, Bearer, Dpop::Auto, [Verdict::Prove, Verdict::Final]),
            (
                400,
                "invalid_request",
                "The resource request must use the DPoP authentication scheme when using a DPoP bound token.",
                Bearer,
                Dpop::Auto,
                [Verdict::Prove, Verdict::Final],
            ),
            (400, "invalid_request", requires, Bearer, Dpop::Never, [Verdict::Final, Verdict::Final]),
            (400, "invalid_request", "anything else", Bearer, Dpop::Auto, [Verdict::Final, Verdict::Final]),
            (401, "invalid_dpop_proof", "x", Bearer, Dpop::Auto, [Verdict::Prove, Verdict::Renew]),
            (
                400,
                "invalid_dpop_proof",
                "The DPoP proof JWT has already been used.",
                Bound,
                Dpop::Auto,
                [Verdict::Again, Verdict::Final],
            ),
            (401, "invalid_dpop_proof", "x", Bound, Dpop::Always, [Verdict::Again, Verdict::Renew]),
            (401, "invalid_token", "The token has expired.", Bound, Dpop::Auto, [Verdict::Renew, Verdict::Renew]),
            (401, "invalid_token", "The token has expired.", Bearer, Dpop::Never, [Verdict::Renew, Verdict::Renew]),
            (401, "", "", Bearer, Dpop::Auto, [Verdict::Renew, Verdict::Renew]),
            (400, "invalid_token", "The token has expired.", Bearer, Dpop::Auto, [Verdict::Renew, Verdict::Renew]),
            (403, "insufficient_scope", "x", Bound, Dpop::Auto, [Verdict::Renew, Verdict::Renew]),
            (403, "", "", Bearer, Dpop::Auto, [Verdict::Renew, Verdict::Renew]),
            (503, "invalid_dpop_proof", "x", Bound, Dpop::Auto, [Verdict::Final, Verdict::Final]),
        ] {
            let (okta, mut tried) = (okta(status, code, description), Tried::default());
            for expected in verdicts {
                assert_eq!(judge(&okta, scheme, false, mode, &mut tried), expected, "{status} {code} {description}");
            }
        }
        for (status, last) in [(400, Verdict::Final), (401, Verdict::Renew)] {
            let (okta, mut tried) =
                (okta(status, "use_dpop_nonce", "Resource server requires nonce"), Tried::default());
            assert_eq!(judge(&okta, Bound, false, Dpop::Auto, &mut tried), last, "without a nonce");
            for expected in [Verdict::Again, Verdict::Again, last] {
                assert_eq!(judge(&okta, Bound, true, Dpop::Auto, &mut tried), expected);
            }
        }
    }
}
