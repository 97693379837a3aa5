//! The flags of `simulate` for a service app, and the key pair that they make.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::duration;
use crate::simulator::{DpopMode, KeyKind, KeyPair, OauthConfig, RegisteredKey};

/// What a key is registered with that has no id of its own.
const KEY_ID: &str = "simulated-1";

/// What the org asks of a service app.
#[derive(Args, Clone)]
#[command(next_help_heading = "OAuth")]
pub struct OauthArgs {
    /// Let a service app in too (OAuth 2.0, private_key_jwt): makes an RSA key pair for it, whose private half is printed
    /// with the configuration, or in the line of JSON.
    #[arg(long)]
    pub oauth: bool,
    /// Write the private key to this new file, readable by you alone, instead of printing it.
    #[arg(long, value_name = "FILE", requires = "oauth", conflicts_with = "oauth_public_key")]
    pub oauth_private_key: Option<PathBuf>,
    /// Make no key pair: register this public key, a PEM or a JWK.
    #[arg(long, value_name = "FILE", requires = "oauth")]
    pub oauth_public_key: Option<PathBuf>,
    /// The app's client ID.
    #[arg(long, value_name = "ID", requires = "oauth", default_value = "0oa1simulated2app3x7")]
    pub client_id: String,
    /// The id (KID) that the key is registered with [default: the `kid` of the JWK given, else simulated-1]
    #[arg(long, value_name = "KID", requires = "oauth")]
    pub key_id: Option<String>,
    /// Whether tokens are bound to a key of the client (DPoP): as Okta presets it, never, or for clients that send proofs.
    #[arg(long, value_enum, requires = "oauth", default_value = "auto")]
    pub dpop: Dpop,
    /// How long access tokens live, in whole seconds.
    #[arg(long, value_name = "DURATION", requires = "oauth", default_value = "1h", value_parser = duration)]
    pub token_life: Duration,
    /// After how long the nonce for proofs is replaced, in whole seconds.
    #[arg(long, value_name = "DURATION", requires = "oauth", default_value = "24h", value_parser = duration)]
    pub nonce_life: Duration,
    /// How long a replaced nonce is still taken, in whole seconds.
    #[arg(long, value_name = "DURATION", requires = "oauth", default_value = "72h", value_parser = duration)]
    pub nonce_grace: Duration,
}

/// `--dpop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dpop {
    /// No token without a proof.
    Required,
    /// Bearer tokens only.
    Off,
    /// A bound token for a request with a proof, a Bearer token for one without.
    Auto,
}

/// A service app, registered, with what its owner has of it.
pub struct ServiceApp {
    /// The org's side.
    pub config: OauthConfig,
    key_id: String,
    /// What `private_key` is in a configuration: the PEM itself, or where it is.
    private_key: String,
    /// Whether that is the key itself.
    is_key: bool,
}

impl OauthArgs {
    /// Makes or reads the key.
    ///
    /// # Errors
    /// When a file cannot be read or written, or holds no public key.
    pub fn service_app(&self) -> anyhow::Result<Option<ServiceApp>> {
        if !self.oauth {
            return Ok(None);
        }
        let mut key_id = self.key_id.clone().unwrap_or_else(|| KEY_ID.to_owned());
        let (key, private_key, is_key) = match (&self.oauth_public_key, &self.oauth_private_key) {
            (Some(path), _) => {
                let shown = path.display();
                let text = fs::read_to_string(path)
                    .with_context(|| format!("cannot read `{shown}`: give the file of a public key"))?;
                key_id = self.key_id.clone().or_else(|| own_key_id(&text)).unwrap_or(key_id);
                let key = RegisteredKey::read(&key_id, &text).with_context(|| format!("`{shown}` is not taken"))?;
                // Nobody but its owner knows where the other half is.
                (key, "${file:PRIVATE_KEY.pem}".to_owned(), false)
            }
            (None, path) => {
                let pair = KeyPair::generate(KeyKind::Rsa2048).context("cannot make an RSA key")?;
                let pem = pair.private_key_pem();
                let written = path.as_ref().map(|path| write(path, &pem)).transpose()?;
                let is_key = written.is_none();
                (pair.registered(&key_id), written.unwrap_or(pem), is_key)
            }
        };
        let config = OauthConfig {
            client_id: self.client_id.clone(),
            keys: vec![key],
            dpop: match self.dpop {
                Dpop::Required => DpopMode::Required,
                Dpop::Off => DpopMode::Off,
                Dpop::Auto => DpopMode::Optional,
            },
            token_life: self.token_life,
            nonce_life: self.nonce_life,
            nonce_grace: self.nonce_grace,
            ..OauthConfig::default()
        };
        Ok(Some(ServiceApp { config, key_id, private_key, is_key }))
    }
}

impl ServiceApp {
    /// The members of the line of JSON, each with a comma before it. `with_key`: also a key that is nowhere else.
    pub fn members(&self, with_key: bool) -> String {
        let key = (with_key && self.is_key).then(|| format!(r#","private_key":{}"#, json!(self.private_key)));
        let (client_id, key_id) = (json!(self.config.client_id), json!(self.key_id));
        format!(r#","client_id":{client_id},"key_id":{key_id}{}"#, key.unwrap_or_default())
    }

    /// `auth` of a connector in a configuration, six spaces in.
    pub fn auth(&self, text: impl Fn(&str) -> String) -> String {
        let private_key = if self.is_key { text(&self.private_key) } else { json!(self.private_key).to_string() };
        format!(
            "    auth:\n      oauth:\n        client_id: {}\n        key_id: {}\n        private_key: {private_key}\n",
            text(&self.config.client_id),
            text(&self.key_id),
        )
    }
}

/// The `kid` of a JWK.
fn own_key_id(text: &str) -> Option<String> {
    let jwk: serde_json::Value = serde_json::from_str(text).ok()?;
    jwk.get("kid")?.as_str().map(str::to_owned)
}

/// Writes a key for its owner's eyes. Returns the placeholder that a configuration reads it with.
fn write(path: &Path, pem: &str) -> anyhow::Result<String> {
    let shown = path.display();
    let written = || -> std::io::Result<String> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(pem.as_bytes())?;
        Ok(format!("${{file:{}}}", fs::canonicalize(path)?.display()))
    };
    written().with_context(|| format!("cannot write the private key to `{shown}`: give a file that is not there yet"))
}
