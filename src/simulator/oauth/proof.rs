//! The DPoP proof (RFC 9449, section 4.3): that who asks has the key which the token is bound to.

use openssl::sha::sha256;
use serde_json::Value;
use url::Url;

use super::base64url;
use super::jwk::PublicKey;
use super::jwt::Jwt;
use super::one_time::OneTime;
use super::refusal::{self, Refusal};
use super::server::OrgTime;

/// A proof may be so old.
const MAX_AGE_SECONDS: i64 = 5 * 60;

/// What the proof must fit.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// The request's URL without query.
    pub(super) url: &'a str,
    /// The access token that comes with it, and the thumbprint of the key that it is bound to.
    pub(super) token: Option<(&'a str, &'a str)>,
}

/// Checks the request's `DPoP` headers for everything but the nonce. Returns the key's thumbprint and the proof's nonce.
///
/// The nonce comes last, and is the caller's: a proof that is sent again with a nonce needs a new `jti`, because this
/// one is spent.
pub(super) fn check(
    proofs: &[Vec<u8>],
    request: &Request<'_>,
    used: &mut OneTime,
    time: OrgTime,
) -> Result<(String, Option<String>), Refusal> {
    let proof = match proofs {
        [] => return Err(refusal::NO_PROOF),
        [proof] => std::str::from_utf8(proof).map_err(|_| refusal::PROOF_PARSING)?,
        _ => return Err(refusal::MANY_PROOFS),
    };
    let jwt = Jwt::parse(proof).ok_or(refusal::PROOF_PARSING)?;
    if jwt.header.get("typ").and_then(Value::as_str) != Some("dpop+jwt") {
        return Err(refusal::PROOF_TYPE);
    }
    jwt.algorithm().ok_or(refusal::PROOF_ALGORITHM)?;
    let jwk = jwt.header.get("jwk").and_then(Value::as_object);
    let key = jwk.and_then(PublicKey::from_jwk).ok_or(refusal::PROOF_INVALID)?;
    if !jwt.is_signed_by(&key) {
        return Err(refusal::PROOF_SIGNATURE);
    }
    if jwt.text("htm") != Some(request.method) {
        return Err(refusal::PROOF_METHOD);
    }
    if !jwt.text("htu").is_some_and(|claim| is_url_of(claim, request.url)) {
        return Err(refusal::PROOF_URL);
    }
    let issued = jwt.seconds("iat").ok_or(refusal::PROOF_ISSUED_AT)?;
    if issued > time.org {
        return Err(refusal::PROOF_FROM_THE_FUTURE);
    }
    if issued < time.org - MAX_AGE_SECONDS {
        return Err(refusal::PROOF_OLD);
    }
    if jwt.seconds("exp").is_some_and(|expires| expires <= time.org) {
        return Err(refusal::PROOF_EXPIRED);
    }
    let id = jwt.text("jti").filter(|id| !id.is_empty()).ok_or(refusal::PROOF_ID)?;
    let thumbprint = key.thumbprint();
    if let Some((token, bound_to)) = request.token {
        if jwt.text("ath") != Some(base64url::encode(&sha256(token.as_bytes())).as_str()) {
            return Err(refusal::PROOF_TOKEN_HASH);
        }
        if thumbprint != bound_to {
            return Err(refusal::PROOF_BINDING);
        }
    }
    if !used.first_use(id, time.machine, 2 * MAX_AGE_SECONDS) {
        return Err(refusal::PROOF_USED);
    }
    Ok((thumbprint, jwt.text("nonce").map(str::to_owned)))
}

/// Whether the claim is the request's URL. It may differ in what a URL's form leaves open (case of the host, default
/// port). A query or fragment in the claim is refused: the RFC's claim has none, though a server may ignore it.
fn is_url_of(claim: &str, url: &str) -> bool {
    !claim.contains(['?', '#']) && matches!((Url::parse(claim), Url::parse(url)), (Ok(claim), Ok(url)) if claim == url)
}
