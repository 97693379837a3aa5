//! Access tokens: issued, signed by the org's own key, and checked when they come back.

use std::collections::HashMap;

use openssl::error::ErrorStack;
use serde_json::json;

use super::super::error_body::token_text;
use super::jwt::{Jwt, sign_rs256};
use super::key_pair::{KeyKind, KeyPair};
use super::refusal::{self, Refusal};
use super::server::OrgTime;

/// How many tokens are remembered before those that ended long ago are forgotten.
const SWEEP_AT: usize = 10_000;
/// For so long a token that has ended is remembered as one that was revoked.
const REMEMBERED_SECONDS: i64 = 24 * 60 * 60;

/// What a token is for.
pub(super) struct Grant<'a> {
    pub(super) origin: &'a str,
    pub(super) client_id: &'a str,
    pub(super) scopes: Vec<String>,
    /// The thumbprint of the client's key, for a token that is bound to it.
    pub(super) thumbprint: Option<String>,
    pub(super) life_seconds: i64,
}

/// A token that was issued.
#[derive(Clone, Debug)]
pub(super) struct Issued {
    pub(super) scopes: Vec<String>,
    pub(super) thumbprint: Option<String>,
    /// On this machine's clock, so that a token lives as long as was said, however the org's clock is set meanwhile.
    expires: i64,
    revoked: bool,
}

/// The org's signing key and the tokens that it signed.
pub(super) struct Tokens {
    key: KeyPair,
    key_id: String,
    issued: HashMap<String, Issued>,
}

impl Tokens {
    pub(super) fn new(rng: &mut fastrand::Rng) -> Result<Self, ErrorStack> {
        Ok(Self { key: KeyPair::generate(KeyKind::Rsa2048)?, key_id: token_text(rng, 43), issued: HashMap::new() })
    }

    /// Signs a token with the header and claims of recorded ones, in their order.
    pub(super) fn issue(
        &mut self,
        grant: Grant<'_>,
        time: OrgTime,
        rng: &mut fastrand::Rng,
    ) -> Result<String, ErrorStack> {
        let id = format!("AT.{}", token_text(rng, 43));
        let header = format!(r#"{{"kid":"{}","typ":"application/okta-internal-at+jwt","alg":"RS256"}}"#, self.key_id);
        let origin = json!(grant.origin);
        let client_id = json!(grant.client_id);
        let bound = grant.thumbprint.as_ref().map(|jkt| format!(r#","cnf":{{"jkt":"{jkt}"}}"#)).unwrap_or_default();
        let claims = format!(
            r#"{{"ver":1,"jti":"{id}","iss":{origin},"aud":{origin},"sub":{client_id},"iat":{},"exp":{},"cid":{client_id},"scp":{}{bound}}}"#,
            time.org,
            time.org + grant.life_seconds,
            json!(grant.scopes),
        );
        let token = sign_rs256(&header, &claims, self.key.private())?;
        if self.issued.len() >= SWEEP_AT {
            self.issued.retain(|_, issued| issued.expires + REMEMBERED_SECONDS > time.machine);
        }
        let expires = time.machine + grant.life_seconds;
        self.issued.insert(id, Issued { scopes: grant.scopes, thumbprint: grant.thumbprint, expires, revoked: false });
        Ok(token)
    }

    /// Checks a token that came with a request.
    pub(super) fn check(&self, token: &str, time: OrgTime) -> Result<Issued, Refusal> {
        let jwt = Jwt::parse(token).filter(|jwt| jwt.is_signed_by(self.key.public())).ok_or(refusal::TOKEN_INVALID)?;
        // What this key signed and is no longer known ended long ago.
        let issued = jwt.text("jti").and_then(|id| self.issued.get(id)).ok_or(refusal::TOKEN_EXPIRED)?;
        if issued.revoked {
            return Err(refusal::TOKEN_REVOKED);
        }
        if time.machine >= issued.expires {
            return Err(refusal::TOKEN_EXPIRED);
        }
        Ok(issued.clone())
    }

    /// Revokes every token that was issued so far.
    pub(super) fn revoke_all(&mut self) {
        self.issued.values_mut().for_each(|issued| issued.revoked = true);
    }
}
