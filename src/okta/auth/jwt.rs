//! JSON Web Tokens in their compact form (RFC 7515, section 7.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::crypto::{self, CryptoError};

/// So many seconds before the org's time, `iat` says a JWT was issued: the servers of an org do not agree on the second, and
/// what comes from their future is refused. Of the five minutes that a proof may be old, it leaves nearly all.
pub(super) const ISSUED_BEFORE: i64 = 5;

/// `header.claims.signature`, each in base64url.
pub(super) fn encode(
    header: &impl Serialize,
    claims: &impl Serialize,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, CryptoError>,
) -> Result<String, CryptoError> {
    let part = |bytes: serde_json::Result<Vec<u8>>| bytes.map(base64url).map_err(|_| CryptoError);
    let signed = format!("{}.{}", part(serde_json::to_vec(header))?, part(serde_json::to_vec(claims))?);
    let signature = sign(signed.as_bytes())?;
    Ok(format!("{signed}.{}", base64url(signature)))
}

/// Base64url without padding (RFC 7515, section 2).
pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A `jti` that no other token has: 128 random bits.
pub(super) fn fresh_id() -> Result<String, CryptoError> {
    crypto::random().map(base64url)
}
