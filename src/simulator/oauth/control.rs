//! What a test, or an admin, does to the org's OAuth side while it runs.

use std::sync::Arc;
use std::time::Duration;

use super::super::clock;
use super::super::faults::FaultKind;
use super::super::server::Shared;
use super::config::{DpopMode, RegisteredKey};
use super::counters::{OauthCounters, TokenRequestRecord};
use super::server::{OauthServer, whole_seconds};

/// The controls; every change holds from the next request on. Cheap to clone.
#[derive(Clone)]
pub struct OauthControl {
    shared: Arc<Shared>,
}

impl OauthControl {
    /// `None` where the org has no OAuth side.
    pub(in crate::simulator) fn new(shared: &Arc<Shared>) -> Option<Self> {
        shared.org().oauth.is_some().then(|| Self { shared: Arc::clone(shared) })
    }

    fn with<T>(&self, act: impl FnOnce(&mut OauthServer) -> T) -> T {
        act(self.shared.org().oauth.as_mut().expect("`new` saw it, and nobody takes it away"))
    }

    /// What happened so far.
    pub fn counters(&self) -> OauthCounters {
        self.with(|oauth| oauth.counters.clone())
    }

    /// Counts from nothing again.
    pub fn reset_counters(&self) {
        self.with(|oauth| oauth.counters = OauthCounters::default());
    }

    /// Every request to the token endpoint so far, oldest first (the last 20,000). They are in no other list.
    pub fn token_requests(&self) -> Vec<TokenRequestRecord> {
        self.with(|oauth| oauth.log())
    }

    /// How long tokens live that are issued from now on; in whole seconds, at least one.
    pub fn set_token_life(&self, life: Duration) {
        self.with(|oauth| oauth.token_life_seconds = whole_seconds(life).max(1));
    }

    /// Makes new nonces now, at both endpoints. The replaced ones are taken for the grace of the settings, or no longer
    /// at all.
    pub fn rotate_nonce(&self, old_ones_taken: bool) {
        let now = clock::now().as_second();
        self.with(|oauth| {
            let OauthServer { token_nonces, resource_nonces, rng, .. } = oauth;
            for nonces in [token_nonces, resource_nonces] {
                let grace = if old_ones_taken { nonces.grace_seconds } else { 0 };
                nonces.rotate(now, grace, rng);
            }
        });
    }

    /// Has the System Log ask for nonces too.
    pub fn set_resource_nonce(&self, asks: bool) {
        self.with(|oauth| oauth.resource_nonce = asks);
    }

    /// Registers a key, or puts it in the place of the one with the same id.
    pub fn register_key(&self, key: RegisteredKey) {
        self.with(|oauth| oauth.app.register(key));
    }

    /// Removes a key; false where there is none with that id.
    pub fn remove_key(&self, key_id: &str) -> bool {
        self.with(|oauth| oauth.app.remove(key_id))
    }

    /// Revokes every token that was issued so far.
    pub fn revoke_tokens(&self) {
        self.with(|oauth| oauth.tokens.revoke_all());
    }

    /// Activates or deactivates the app.
    pub fn set_active(&self, active: bool) {
        self.with(|oauth| oauth.app.active = active);
    }

    /// Replaces the scopes that are granted to the app.
    pub fn set_scopes<S: Into<String>>(&self, scopes: impl IntoIterator<Item = S>) {
        let scopes = scopes.into_iter().map(Into::into).collect();
        self.with(|oauth| oauth.app.scopes = scopes);
    }

    /// Gives or takes the admin role. Without it the app gets tokens, and 403 E0000006 for them.
    pub fn set_admin_role(&self, has_role: bool) {
        self.with(|oauth| oauth.app.has_role = has_role);
    }

    /// What the org does with proofs.
    pub fn set_dpop(&self, mode: DpopMode) {
        self.with(|oauth| oauth.app.dpop = mode);
    }

    /// Makes exactly one of the next requests to the token endpoint meet this fault. Called several times, one request
    /// each, in that order. Kinds that make sense for the System Log alone do nothing.
    pub fn inject(&self, kind: FaultKind) {
        self.shared.org().injected_at_token_endpoint.push_back(kind);
    }
}

impl std::fmt::Debug for OauthControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OauthControl").finish_non_exhaustive()
    }
}
