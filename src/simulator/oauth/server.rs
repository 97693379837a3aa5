//! The state of the org's OAuth side. The org's own lock guards it.

use std::collections::VecDeque;
use std::time::Duration;

use openssl::error::ErrorStack;

use super::super::rate_limit::RateLimiter;
use super::app::App;
use super::config::OauthConfig;
use super::counters::{OauthCounters, TokenRequestRecord};
use super::nonce::Nonces;
use super::one_time::OneTime;
use super::token::Tokens;

/// The log keeps this many requests.
const KEPT: usize = 20_000;

/// One moment on two clocks, in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulator) struct OrgTime {
    /// This machine's clock, for what the org counts by itself: windows, lives, graces.
    pub(in crate::simulator) machine: i64,
    /// The org's own clock, which may be off, for what it says and for what others say to it.
    pub(in crate::simulator) org: i64,
}

/// App, keys, tokens and nonces.
pub(in crate::simulator) struct OauthServer {
    pub(super) app: App,
    pub(super) tokens: Tokens,
    pub(super) token_life_seconds: i64,
    pub(super) token_nonces: Nonces,
    pub(super) resource_nonces: Nonces,
    pub(super) resource_nonce: bool,
    pub(super) used_assertions: OneTime,
    pub(super) used_proofs: OneTime,
    pub(super) limiter: RateLimiter,
    pub(super) counters: OauthCounters,
    log: VecDeque<TokenRequestRecord>,
    pub(super) rng: fastrand::Rng,
}

impl OauthServer {
    /// Makes the org's signing key, which takes a moment: not for an async thread.
    ///
    /// # Errors
    /// When OpenSSL cannot make a key.
    pub(in crate::simulator) fn new(config: &OauthConfig, seed: u64, now: i64) -> Result<Self, ErrorStack> {
        // Ids and nonces come from a stream of their own, so that they change neither events nor faults.
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x6f61_7574_6832);
        let nonce_life = whole_seconds(config.nonce_life).max(1);
        let nonce_grace = whole_seconds(config.nonce_grace);
        Ok(Self {
            app: App::new(config),
            tokens: Tokens::new(&mut rng)?,
            token_life_seconds: whole_seconds(config.token_life).max(1),
            token_nonces: Nonces::new(nonce_life, nonce_grace, now, &mut rng),
            resource_nonces: Nonces::new(nonce_life, nonce_grace, now, &mut rng),
            resource_nonce: config.resource_nonce,
            used_assertions: OneTime::default(),
            used_proofs: OneTime::default(),
            limiter: RateLimiter::new(config.token_rate_limit, 60),
            counters: OauthCounters::default(),
            log: VecDeque::new(),
            rng,
        })
    }

    /// Logs a request to the token endpoint.
    pub(in crate::simulator) fn push(&mut self, record: TokenRequestRecord) {
        if self.log.len() == KEPT {
            self.log.pop_front();
        }
        self.log.push_back(record);
    }

    pub(super) fn log(&self) -> Vec<TokenRequestRecord> {
        self.log.iter().cloned().collect()
    }
}

/// Whole seconds of a setting.
pub(super) fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4)
}
