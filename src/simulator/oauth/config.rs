//! The settings of the org's OAuth side: the service app, its keys, and what the org asks of it.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};
use thiserror::Error;

use super::jwk::PublicKey;

/// What the org does with proofs of possession (RFC 9449).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DpopMode {
    /// Proofs are not looked at: every token is a Bearer token.
    Off,
    /// A request with a proof gets a DPoP token, one without a Bearer token.
    Optional,
    /// No token without a proof, which is what Okta presets for a service app.
    Required,
}

/// The service app that may ask this org for tokens, and how it is answered. [`Default`] has no key registered.
#[derive(Clone, Debug)]
pub struct OauthConfig {
    /// The app's client id.
    pub client_id: String,
    /// The public keys that its assertions may be signed with.
    pub keys: Vec<RegisteredKey>,
    /// The scopes that an admin granted to it.
    pub scopes: Vec<String>,
    /// Whether tokens are bound to a key of the client.
    pub dpop: DpopMode,
    /// How long an access token lives; counted in whole seconds, at least one. Okta's live an hour.
    pub token_life: Duration,
    /// How old a nonce gets before it is replaced; counted in whole seconds, at least one. Okta's get a day old.
    pub nonce_life: Duration,
    /// How long a replaced nonce is still taken; counted in whole seconds. Okta takes it for three days.
    pub nonce_grace: Duration,
    /// The System Log asks for a nonce in proofs too, with nonces of its own (RFC 9449, section 9). Okta's asks for none.
    pub resource_nonce: bool,
    /// Requests to the token endpoint in a minute; it has a bucket of its own.
    pub token_rate_limit: u32,
}

impl Default for OauthConfig {
    fn default() -> Self {
        Self {
            client_id: "0oa1simulated2app3x7".to_owned(),
            keys: Vec::new(),
            scopes: vec!["okta.logs.read".to_owned()],
            dpop: DpopMode::Optional,
            token_life: Duration::from_secs(60 * 60),
            nonce_life: Duration::from_secs(24 * 60 * 60),
            nonce_grace: Duration::from_secs(3 * 24 * 60 * 60),
            resource_nonce: false,
            token_rate_limit: 6_000,
        }
    }
}

/// A public key under the id that it is registered with.
#[derive(Clone)]
pub struct RegisteredKey {
    pub(super) key_id: String,
    pub(super) public: PublicKey,
}

/// Why a text is not taken as a public key.
#[derive(Debug, Error)]
#[error(
    "this is no public key of an RSA key of at least 2048 bits or of a key on P-256, P-384 or P-521: give a PEM (BEGIN PUBLIC KEY) or a JWK with no private member"
)]
pub struct PublicKeyError;

impl RegisteredKey {
    /// Reads a PEM or a JWK (JSON). The id of a JWK's own `kid` is not looked at.
    ///
    /// # Errors
    /// [`PublicKeyError`] for anything else, and for a private key.
    pub fn read(key_id: impl Into<String>, text: &str) -> Result<Self, PublicKeyError> {
        let public = match serde_json::from_str::<Map<String, Value>>(text) {
            Ok(jwk) => PublicKey::from_jwk(&jwk),
            Err(_) => PublicKey::from_pem(text.as_bytes()),
        };
        Ok(Self { key_id: key_id.into(), public: public.ok_or(PublicKeyError)? })
    }
}

impl fmt::Debug for RegisteredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}
