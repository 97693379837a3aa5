//! Access tokens at the System Log: `Authorization: Bearer` and `Authorization: DPoP` with its proof.

use super::super::org::Request;
use super::algorithm;
use super::proof;
use super::refusal::{self, Refusal};
use super::server::{OauthServer, OrgTime};

/// What a token must be for.
const SCOPE: &str = "okta.logs.read";

/// How a token is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
}

/// A refusal at the resource: no body, and the reason in `WWW-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::simulator) struct ResourceRefusal {
    pub(in crate::simulator) status: u16,
    pub(in crate::simulator) www_authenticate: String,
}

/// What a request with an access token may do.
pub(in crate::simulator) struct Authorized {
    /// Without an admin role the token is right, and still nothing may be read.
    pub(in crate::simulator) has_role: bool,
}

/// Scheme and token of an `Authorization` header; `None` where it is another scheme.
fn credentials(authorization: &[u8]) -> Option<(Scheme, &str)> {
    let authorization = std::str::from_utf8(authorization).ok()?;
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    let scheme = match scheme {
        _ if scheme.eq_ignore_ascii_case("Bearer") => Scheme::Bearer,
        _ if scheme.eq_ignore_ascii_case("DPoP") => Scheme::Dpop,
        _ => return None,
    };
    Some((scheme, token.trim_start_matches(' ')))
}

impl OauthServer {
    /// Checks a request with an access token; `None` where its `Authorization` is of another kind.
    pub(in crate::simulator) fn authorize(
        &mut self,
        request: &Request,
        origin: &str,
        time: OrgTime,
    ) -> Option<Result<Authorized, ResourceRefusal>> {
        let (scheme, token) = credentials(request.authorization.as_deref()?)?;
        let checked = self.check(scheme, token, request, origin, time);
        Some(checked.map(|()| Authorized { has_role: self.app.has_role }).map_err(|refused| {
            self.count(refused);
            challenge(scheme, refused, origin, &request.path)
        }))
    }

    /// Refuses a request although its token is right.
    pub(in crate::simulator) fn refuse(&mut self, request: &Request, origin: &str) -> Option<ResourceRefusal> {
        let (scheme, _) = credentials(request.authorization.as_deref()?)?;
        Some(challenge(scheme, refusal::TOKEN_INVALID, origin, &request.path))
    }

    /// The `dpop-nonce` header of an answer to a request with a proof, where the resource asks for nonces.
    pub(in crate::simulator) fn resource_nonce(&mut self, request: &Request, time: OrgTime) -> Option<String> {
        let asks = self.resource_nonce && !request.proofs.is_empty();
        asks.then(|| self.resource_nonces.current(time.machine, &mut self.rng))
    }

    fn check(
        &mut self,
        scheme: Scheme,
        token: &str,
        request: &Request,
        origin: &str,
        time: OrgTime,
    ) -> Result<(), Refusal> {
        let issued = self.tokens.check(token, time)?;
        if !self.app.active {
            return Err(refusal::TOKEN_INVALID);
        }
        match (scheme, &issued.thumbprint) {
            (Scheme::Bearer, None) => {}
            (Scheme::Bearer, Some(_)) if request.proofs.is_empty() => return Err(refusal::TOKEN_NEEDS_PROOF),
            (Scheme::Bearer, Some(_)) => return Err(refusal::TOKEN_NEEDS_SCHEME),
            (Scheme::Dpop, None) => return Err(refusal::TOKEN_NOT_BOUND),
            (Scheme::Dpop, Some(thumbprint)) => {
                let url = format!("{origin}{}", request.path);
                let expected = proof::Request { method: &request.method, url: &url, token: Some((token, thumbprint)) };
                let (_, nonce) = proof::check(&request.proofs, &expected, &mut self.used_proofs, time)?;
                if self.resource_nonce {
                    let current =
                        nonce.is_some_and(|nonce| self.resource_nonces.accepts(&nonce, time.machine, &mut self.rng));
                    if !current {
                        return Err(refusal::PROOF_NONCE_AT_RESOURCE);
                    }
                }
            }
        }
        // A scope that was withdrawn since then ends with it: whether Okta looks again is not known.
        let in_scope =
            issued.scopes.iter().any(|scope| scope == SCOPE) && self.app.scopes.iter().any(|has| has == SCOPE);
        if in_scope { Ok(()) } else { Err(refusal::TOKEN_SCOPE) }
    }
}

/// The answer as captured live, with `http` in its URLs although the org has only `https`.
fn challenge(scheme: Scheme, refused: Refusal, origin: &str, path: &str) -> ResourceRefusal {
    let Refusal { status, error, description } = refused;
    let scheme = match scheme {
        Scheme::Bearer => "Bearer".to_owned(),
        Scheme::Dpop => format!("DPoP algs=\"{}\",", algorithm::NAMES),
    };
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    let www_authenticate = format!(
        "{scheme} authorization_uri=\"http://{host}/oauth2/v1/authorize\", realm=\"http://{host}\", scope=\"{SCOPE}\", \
         error=\"{error}\", error_description=\"{description}\", resource=\"{path}\""
    );
    ResourceRefusal { status, www_authenticate }
}
