//! The client assertion (private_key_jwt; RFC 7523 and Okta's guide): who asks for a token.

use serde_json::Value;

use super::app::App;
use super::jwt::Jwt;
use super::one_time::OneTime;
use super::refusal::{self, Refusal};
use super::server::OrgTime;

/// An assertion may be valid for so long from now on.
const MAX_LIFE_SECONDS: i64 = 60 * 60;

/// Checks an assertion that came to `endpoint`, the full URL of the token endpoint. The clocks have to agree to the
/// second: whether Okta forgives more is not known.
pub(super) fn check(
    assertion: &str,
    client_id: Option<&str>,
    endpoint: &str,
    app: &App,
    used: &mut OneTime,
    time: OrgTime,
) -> Result<(), Refusal> {
    let jwt = Jwt::parse(assertion).ok_or(refusal::ASSERTION_PARSING)?;
    jwt.algorithm().ok_or(refusal::ASSERTION_ALGORITHM)?;
    if jwt.text("iss") != Some(app.client_id.as_str()) {
        return Err(refusal::ASSERTION_ISSUER);
    }
    if jwt.text("sub") != Some(app.client_id.as_str()) {
        return Err(refusal::ASSERTION_SUBJECT);
    }
    if client_id.is_some_and(|client_id| client_id != app.client_id) {
        return Err(refusal::CLIENT_ID);
    }
    if !app.active {
        return Err(refusal::CLIENT_INACTIVE);
    }
    let key = match jwt.header.get("kid") {
        None => app.key(None)?,
        Some(Value::String(key_id)) => app.key(Some(key_id))?,
        Some(_) => return Err(refusal::ASSERTION_KEY_ID),
    };
    if !jwt.is_signed_by(key) {
        return Err(refusal::ASSERTION_SIGNATURE);
    }
    let audience = match jwt.claims.get("aud") {
        Some(Value::String(audience)) => audience == endpoint,
        Some(Value::Array(audiences)) => audiences.iter().any(|audience| audience == endpoint),
        _ => false,
    };
    if !audience {
        return Err(refusal::ASSERTION_AUDIENCE);
    }
    let now = time.org;
    let expires = jwt.seconds("exp").ok_or(refusal::ASSERTION_NO_EXPIRY)?;
    if expires <= now {
        return Err(refusal::ASSERTION_EXPIRED);
    }
    if expires > now + MAX_LIFE_SECONDS {
        return Err(refusal::ASSERTION_EXPIRES_LATE);
    }
    match jwt.claims.get("iat").map(Value::as_i64) {
        None => {}
        Some(Some(issued)) if issued <= now => {}
        Some(_) => return Err(refusal::ASSERTION_FROM_THE_FUTURE),
    }
    match jwt.claims.get("jti") {
        None => Ok(()),
        // Only what passed every other check is spent, so that nobody but the app can spend it.
        Some(Value::String(id)) if !id.is_empty() => {
            let first = used.first_use(id, time.machine, MAX_LIFE_SECONDS);
            if first { Ok(()) } else { Err(refusal::ASSERTION_USED) }
        }
        Some(_) => Err(refusal::ASSERTION_PARSING),
    }
}
