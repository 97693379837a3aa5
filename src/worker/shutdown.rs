//! Telling a shard to stop, and knowing for how long it was told.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// A stop that can't be taken back.
#[derive(Debug, Clone)]
pub struct Stop {
    token: CancellationToken,
    clock: Clock,
    since: Arc<OnceLock<Duration>>,
}

impl Stop {
    /// Not stopped.
    pub fn new() -> Self {
        Self { token: CancellationToken::new(), clock: Clock::new(), since: Arc::new(OnceLock::new()) }
    }

    /// Stops; a second call changes nothing.
    pub fn stop(&self) {
        let _ = self.since.get_or_init(|| self.clock.elapsed());
        self.token.cancel();
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Whether it was stopped at least `grace` ago.
    pub fn is_stopped_since(&self, grace: Duration) -> bool {
        self.since.get().is_some_and(|since| self.clock.elapsed() >= *since + grace)
    }

    /// Waits for the stop.
    pub async fn stopped(&self) {
        self.token.cancelled().await;
    }

    /// A stop of its own that this one stops as well.
    pub fn child_token(&self) -> CancellationToken {
        self.token.child_token()
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
