//! The service app as the org knows it: who it is, its keys, and what it may do.

use super::config::{DpopMode, OauthConfig, RegisteredKey};
use super::jwk::PublicKey;
use super::refusal::{self, Refusal};

/// The registration, as an admin changes it while the org runs.
pub(super) struct App {
    pub(super) client_id: String,
    pub(super) active: bool,
    keys: Vec<RegisteredKey>,
    /// The scopes that are granted.
    pub(super) scopes: Vec<String>,
    /// Whether it has an admin role that may read the System Log.
    pub(super) has_role: bool,
    pub(super) dpop: DpopMode,
}

impl App {
    pub(super) fn new(config: &OauthConfig) -> Self {
        let mut app = Self {
            client_id: config.client_id.clone(),
            active: true,
            keys: Vec::new(),
            scopes: config.scopes.clone(),
            has_role: true,
            dpop: config.dpop,
        };
        config.keys.iter().for_each(|key| app.register(key.clone()));
        app
    }

    /// Adds a key, or puts it in the place of the one with the same id.
    pub(super) fn register(&mut self, key: RegisteredKey) {
        self.remove(&key.key_id);
        self.keys.push(key);
    }

    /// Removes a key; false where there is none with that id.
    pub(super) fn remove(&mut self, key_id: &str) -> bool {
        let before = self.keys.len();
        self.keys.retain(|key| key.key_id != key_id);
        self.keys.len() < before
    }

    /// The key that an assertion names. Without a `kid` (the recorded one had none) there must be no choice.
    pub(super) fn key(&self, key_id: Option<&str>) -> Result<&PublicKey, Refusal> {
        let found = match (self.keys.as_slice(), key_id) {
            ([], _) => return Err(refusal::NO_KEYS),
            ([only], None) => Some(only),
            (_, None) => None,
            (keys, Some(key_id)) => keys.iter().find(|key| key.key_id == key_id),
        };
        found.map(|key| &key.public).ok_or(refusal::ASSERTION_KEY_ID)
    }

    /// The scopes that a token gets of those that are asked for: the granted ones, if there is one.
    pub(super) fn grant(&self, asked: &str) -> Result<Vec<String>, Refusal> {
        let asked: Vec<&str> = asked.split(' ').filter(|scope| !scope.is_empty()).collect();
        if asked.is_empty() {
            return Err(refusal::NO_SCOPE);
        }
        if asked.iter().any(|scope| ["openid", "profile", "email", "offline_access"].contains(scope)) {
            return Err(refusal::OPENID_SCOPE);
        }
        if asked.iter().any(|scope| scope.starts_with("okta.") && scope.ends_with(".self")) {
            return Err(refusal::SELF_SCOPE);
        }
        // Which scopes an org has at all is a list of a hundred; their form tells them from a mistyped one well enough.
        let known = |scope: &&str| {
            let name = scope.strip_prefix("okta.").and_then(|rest| rest.rsplit_once('.'));
            name.is_some_and(|(of, right)| {
                !of.is_empty()
                    && of.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
                    && ["read", "manage"].contains(&right)
            })
        };
        if !asked.iter().all(known) {
            return Err(refusal::UNKNOWN_SCOPE);
        }
        let granted: Vec<String> =
            asked.into_iter().filter(|scope| self.scopes.iter().any(|has| has == scope)).map(str::to_owned).collect();
        if granted.is_empty() { Err(refusal::SCOPE_NOT_GRANTED) } else { Ok(granted) }
    }
}
