//! The org's OAuth 2.0 side: `POST /oauth2/v1/token`, DPoP, and access tokens at the System Log.
//!
//! The sources are Okta's guides ("Implement OAuth for Okta with a service app", "Demonstrating Proof-of-Possession"),
//! its catalogue of OAuth error codes, recorded exchanges, RFC 7515 to 7519 (JOSE), 7523 (client assertions), 6750 and
//! 9449 (DPoP).
//!
//! Nothing here is shared with the program's own client, down to the reading of a JWT: base64url, JWS and JWK are written
//! here a second time, on the primitives of OpenSSL (docs/adr/0035). What is not known of Okta is decided for the stricter
//! reading, so that a client which passes here passes under both.

mod algorithm;
mod app;
mod assertion;
mod base64url;
mod config;
mod control;
mod counters;
mod jwk;
mod jwt;
mod key_pair;
mod nonce;
mod one_time;
mod proof;
mod refusal;
mod resource;
mod server;
mod token;
mod token_endpoint;

pub use config::{DpopMode, OauthConfig, PublicKeyError, RegisteredKey};
pub use control::OauthControl;
pub use counters::{OauthCounters, TokenRequestRecord};
pub use key_pair::{KeyKind, KeyPair};

pub(in crate::simulator) use resource::ResourceRefusal;
pub(in crate::simulator) use server::{OauthServer, OrgTime};
pub(in crate::simulator) use token_endpoint::TOKEN_PATH;
