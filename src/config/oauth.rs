//! `auth.oauth`: an OAuth 2.0 service app, which proves who it is with its private key.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::interpolation::{InterpolationError, Template};
use super::keys;
use super::look::Trouble;
use super::section::{Context, Field, Section};
use super::text;
use super::yaml::Value;
use crate::okta::auth::signing_key::{self, Algorithm, KeyError, SigningKey};

/// The scope that reads the System Log.
const LOGS: &str = "okta.logs.read";

/// Whether tokens are bound to a proof key (DPoP, RFC 9449).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dpop {
    /// As soon as the org asks for it.
    #[default]
    Auto,
    /// From the first request on.
    Always,
    /// Not even when the org asks for it.
    Never,
}

/// Why the key of a service app can't be used. No message shows any of it.
#[derive(Debug, Error)]
pub enum OauthError {
    /// A file that the key is in cannot be read any more.
    #[error(transparent)]
    Interpolation(#[from] InterpolationError),
    /// It is no key that Okta takes.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A service app of an org. Clones share the key: what one reads again, all have. Debug shows none of it (I9).
#[derive(Clone)]
pub struct OauthApp {
    /// `client_id`.
    pub client_id: String,
    /// What the token is to be good for, separated by spaces (RFC 6749, section 3.3).
    pub scope: String,
    /// Whether tokens are bound to a proof key.
    pub dpop: Dpop,
    source: Arc<KeySource>,
    last: Arc<RwLock<LastKey>>,
}

/// Where the key comes from, so that it can be read again.
struct KeySource {
    private_key: Template,
    key_id: Option<Template>,
    algorithm: Option<Algorithm>,
    trouble: Trouble,
    /// The key stands in the configuration file, of an org that is not on this machine.
    is_in_the_open: bool,
}

/// The key as last read, and the texts that it was read from.
struct LastKey {
    private_key: SecretString,
    key_id: Option<String>,
    key: Arc<SigningKey>,
}

impl OauthApp {
    /// The private key as last read.
    pub fn signing_key(&self) -> Arc<SigningKey> {
        Arc::clone(&self.last.read().unwrap_or_else(PoisonError::into_inner).key)
    }

    /// Reads the private key again, and its id where that is configured. Returns whether they changed.
    ///
    /// Blocks for the time of reading small files, which on a mount that hangs has no end; where somebody reads them already,
    /// it is left to him. What is from the environment or the configuration cannot change.
    ///
    /// # Errors
    /// A file cannot be read, or holds no key that Okta takes; the old key is kept.
    pub fn reload(&self) -> Result<bool, OauthError> {
        self.source.trouble.alone(|| self.read_again()).unwrap_or(Ok(false))
    }

    fn read_again(&self) -> Result<bool, OauthError> {
        let (private_key, key_id) = self.source.texts()?;
        // Requests are signed with the old key meanwhile.
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        if last.private_key.expose_secret() == private_key.expose_secret() && last.key_id == key_id {
            return Ok(false);
        }
        *last = self.source.read(private_key, key_id)?;
        Ok(true)
    }

    /// Whether any part of the key, or of its id, is in a file.
    pub fn has_file(&self) -> bool {
        self.source.private_key.has_file() || self.source.key_id.as_ref().is_some_and(Template::has_file)
    }

    pub(super) fn digest(&self, digest: &mut Sha256) {
        for text in [&self.client_id, &self.scope] {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        let algorithm = self.source.algorithm.map_or("", Algorithm::as_str);
        digest.update(format!("{:?} {algorithm}.", self.dpop));
        self.source.private_key.digest(digest);
        if let Some(key_id) = &self.source.key_id {
            digest.update("key_id");
            key_id.digest(digest);
        }
    }
}

impl KeySource {
    fn texts(&self) -> Result<(SecretString, Option<String>), OauthError> {
        let private_key = SecretString::from(self.private_key.render()?);
        let key_id = self.key_id.as_ref().map(Template::render).transpose()?;
        Ok((private_key, key_id.map(|key_id| key_id.trim().to_owned())))
    }

    fn read(&self, private_key: SecretString, key_id: Option<String>) -> Result<LastKey, OauthError> {
        let key = SigningKey::read(private_key.expose_secret(), key_id.as_deref(), self.algorithm)?;
        Ok(LastKey { private_key, key_id, key: Arc::new(key) })
    }
}

impl fmt::Debug for OauthApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OauthApp({}, {}, dpop {:?}, ***)", self.client_id, self.scope, self.dpop)
    }
}

/// Reads the section; `None` after a problem. `loopback`: the org is on this machine.
pub(super) fn read(context: &mut Context<'_>, field: &Field<'_>, loopback: bool) -> Option<OauthApp> {
    let mut section = context.section(field)?;
    if let Some(secret) = section.get("client_secret") {
        let message = "is nothing that Okta takes for this API: write `private_key`, whose public half is registered with the app";
        context.problem(&secret.path.clone(), secret.line, message);
        section = section.without("client_secret");
    }
    // A key of the map that is as long as a private key is maybe one.
    let long: Vec<_> = section.iter().filter(|(key, _)| !text::is_harmless_beside_a_key(key)).collect();
    let long: Vec<_> = long.into_iter().map(|(key, field)| (key, field.line)).collect();
    for (key, line) in long {
        context.problem(
            &section.path.clone(),
            line,
            "has a key that is not known: write `private_key: \"${file:PATH}\"` for the app's key",
        );
        section = section.without(key);
    }
    section.check_keys(context, keys::OAUTH);
    let client_id = require(context, &section, "client_id", "the app's client ID, as `client_id: 0oa…`")
        .and_then(|field| read_client_id(context, &field));
    let key_id = match section.get("key_id") {
        None => Some(None),
        Some(field) => read_id(context, field, "a key ID").map(|text| Some(text.template)),
    };
    let algorithm = section.get("algorithm").map_or(Some(None), |field| read_algorithm(context, field).map(Some));
    let scope = section.get("scopes").map_or_else(|| Some(LOGS.to_owned()), |field| read_scopes(context, field));
    let dpop = section.get("dpop").map_or(Some(Dpop::Auto), |field| read_dpop(context, field));
    let field = require(context, &section, "private_key", "`private_key: \"${file:PATH}\"`, a PEM file or a JWK");
    let text = field.as_ref().and_then(|field| match field.node.value {
        Value::Map(_) | Value::List(_) => {
            context.refuse(field, "is one text: write a JWK between single quotes, or better `${file:PATH}`");
            None
        }
        _ => context.text(field),
    });
    let source = KeySource {
        is_in_the_open: text.as_ref().is_some_and(|text| text.template.is_literal()) && !loopback,
        private_key: text?.template,
        key_id: key_id?,
        algorithm: algorithm?,
        trouble: Trouble::default(),
    };
    let key = read_key(context, &section, &field?, source);
    let (source, last) = key?;
    Some(OauthApp {
        client_id: client_id?.trim().to_owned(),
        scope: scope?,
        dpop: dpop?,
        source: Arc::new(source),
        last: Arc::new(RwLock::new(last)),
    })
}

fn require<'n>(context: &mut Context<'_>, section: &Section<'n>, key: &str, example: &str) -> Option<Field<'n>> {
    let field = section.get(key);
    if field.is_none() {
        context.problem(&section.child(key), section.line, format!("is missing: write {example}"));
    }
    field.cloned()
}

/// It goes to the token endpoint and into messages, so a secret must not stand in its place.
fn read_client_id(context: &mut Context<'_>, field: &Field<'_>) -> Option<String> {
    let text = read_id(context, field, "a client ID")?;
    if text::is_api_token(text.value.trim()) {
        let message = "this looks like an API token, which is `auth: {ssws: …}`: write the app's Client ID, `0oa…`";
        context.refuse(field, message);
        return None;
    }
    Some(text.value)
}

fn read_id(context: &mut Context<'_>, field: &Field<'_>, what: &str) -> Option<super::section::Text> {
    let text = context.text(field)?;
    if signing_key::is_id(text.value.trim()) {
        return Some(text);
    }
    context.refuse(
        field,
        format!(
            "{} is not {what}: write it as the app's page in the Admin Console shows it",
            text.shown_beside_a_key()
        ),
    );
    None
}

fn read_algorithm(context: &mut Context<'_>, field: &Field<'_>) -> Option<Algorithm> {
    let text = context.text(field)?;
    let algorithm = Algorithm::parse(&text.value);
    if algorithm.is_none() {
        let names = Algorithm::ALL.map(|algorithm| format!("`{}`", algorithm.as_str())).join(", ");
        context.refuse(
            field,
            format!(
                "{} is not an algorithm that this program signs with: write one of {names}",
                text.shown_beside_a_key()
            ),
        );
    }
    algorithm
}

/// A list, or one text with spaces, as OAuth has it.
fn read_scopes(context: &mut Context<'_>, field: &Field<'_>) -> Option<String> {
    let mut scopes = Vec::new();
    match &field.node.value {
        Value::List(items) => {
            for (index, node) in items.iter().enumerate() {
                let item = Field { path: format!("{}[{index}]", field.path), line: node.line, node };
                scopes.push(read_scope(context, &item)?);
            }
        }
        _ => scopes.extend(read_scope(context, field)),
    }
    let scope = scopes.join(" ");
    let scope = scope.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    if !scope.split(' ').any(|scope| scope == LOGS) {
        if !scopes.is_empty() || matches!(field.node.value, Value::List(_)) {
            context.refuse(field, format!("has no `{LOGS}`, without which the System Log can't be read: add it"));
        }
        return None;
    }
    Some(scope)
}

/// RFC 6749, section 3.3: visible ASCII without `"` and `\`.
fn read_scope(context: &mut Context<'_>, field: &Field<'_>) -> Option<String> {
    let text = context.text(field)?;
    let is_scope = |b: u8| (b.is_ascii_graphic() || b == b' ') && !b"\"\\,".contains(&b);
    if text.value.bytes().all(is_scope) {
        return Some(text.value);
    }
    context.refuse(field, format!("{} is not a scope: write a list, as `[{LOGS}]`", text.shown_beside_a_key()));
    None
}

fn read_dpop(context: &mut Context<'_>, field: &Field<'_>) -> Option<Dpop> {
    let text = context.text(field)?;
    match text.value.to_ascii_lowercase().as_str() {
        "auto" => Some(Dpop::Auto),
        "true" => Some(Dpop::Always),
        "false" => Some(Dpop::Never),
        _ => {
            context.refuse(
                field,
                format!("{} is none of the three: write `auto`, `true` or `false`", text.shown_beside_a_key()),
            );
            None
        }
    }
}

/// The key is read and looked at now, so that a wrong one is not found at the first request.
fn read_key(
    context: &mut Context<'_>,
    section: &Section<'_>,
    field: &Field<'_>,
    source: KeySource,
) -> Option<(KeySource, LastKey)> {
    let error = match source.texts().and_then(|(private_key, key_id)| source.read(private_key, key_id)) {
        Ok(last) => {
            if source.is_in_the_open {
                let message = "the key stands in the file itself: better write `${file:PATH}`, which is also read again \
                               when the key is renewed";
                context.warning(&field.path, field.node.line, message);
            }
            return Some((source, last));
        }
        Err(error) => error,
    };
    // The place of what has to be changed.
    let place = match &error {
        OauthError::Key(KeyError::NoKeyId) => None,
        OauthError::Key(KeyError::OtherKeyId) => section.get("key_id"),
        OauthError::Key(KeyError::BadKeyId) => section.get("key_id").or(Some(field)),
        OauthError::Key(KeyError::OtherAlgorithm { .. }) => section.get("algorithm").or(Some(field)),
        _ => Some(field),
    };
    match place {
        Some(place) => context.refuse(place, error.to_string()),
        None => context.problem(&section.child("key_id"), section.line, error.to_string()),
    }
    None
}
