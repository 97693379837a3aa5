//! The client assertion: by it a service app proves who it is (`private_key_jwt`, RFC 7523).

use serde::Serialize;

use super::crypto::CryptoError;
use super::jwt;
use super::signing_key::SigningKey;

/// From the time of signing to `exp`, in seconds. Okta allows an hour; a few minutes bear a request that waits, and a clock that is off.
pub const LIFETIME: i64 = 300;

/// What `client_assertion_type` says of it (RFC 7523, section 2.2).
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

/// The members that Okta's own SDK sends, in its order (recorded).
#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iat: i64,
    exp: i64,
    iss: &'a str,
    aud: &'a str,
    jti: &'a str,
}

/// Signs one; it is good for one request only. `now` is the server's time in Unix seconds, `audience` the whole URL of the
/// token endpoint, and `id` one that no other assertion has.
pub fn sign(key: &SigningKey, client_id: &str, audience: &str, now: i64, id: &str) -> Result<String, CryptoError> {
    let header = Header { alg: key.algorithm.as_str(), typ: "JWT", kid: &key.key_id };
    let (iat, exp) = (now.saturating_sub(jwt::ISSUED_BEFORE), now.saturating_add(LIFETIME));
    let claims = Claims { sub: client_id, iat, exp, iss: client_id, aud: audience, jti: id };
    jwt::encode(&header, &claims, |message| key.sign(message))
}
