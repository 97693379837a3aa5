//! How many requests are open at once, after the org said that these were too many.

use std::time::Duration;

/// The first wait for everybody after such a refusal; doubles up to the second.
const WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// One more is let go at once after this long without a refusal.
const RECOVERY: Duration = Duration::from_secs(10);
/// With so many at once nobody counts any more.
const MANY: usize = 75;

/// Halved at each refusal, and one more again after each calm while.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// None where none was refused.
    pub(super) most: Option<usize>,
    refusals: u32,
    /// When the last one that counts was known.
    refused_at: Option<Duration>,
    calm_since: Duration,
}

impl Crowd {
    /// Whether another one would be too many.
    pub(super) fn is_full(&self, open: usize) -> bool {
        self.most.is_some_and(|most| open >= most)
    }

    /// A request of that time was refused while so many others were open; gives how long nobody asks.
    ///
    /// Those that were on their way when the last one was refused say what it said, so they change nothing.
    pub(super) fn refused(&mut self, others: usize, sent: Duration, now: Duration, jitter: f64) -> Option<Duration> {
        if self.is_of_before(sent) {
            return None;
        }
        self.refused_at = Some(now);
        let before = self.most.map_or(others + 1, |most| most.min(others + 1));
        self.most = Some((before / 2).max(1));
        self.calm_since = now;
        let wait = WAIT.0.saturating_mul(1 << self.refusals.min(16)).min(WAIT.1);
        self.refusals = self.refusals.saturating_add(1);
        Some(wait.mul_f64(0.5 + jitter / 2.0))
    }

    /// A request of that time was answered.
    pub(super) fn answered(&mut self, sent: Duration, now: Duration) {
        if !self.is_of_before(sent) {
            self.refusals = 0;
        }
        if now >= self.calm_since + RECOVERY
            && let Some(most) = self.most
        {
            self.calm_since = now;
            self.most = Some(most + 1).filter(|most| *most < MANY);
        }
    }

    fn is_of_before(&self, sent: Duration) -> bool {
        self.refused_at.is_some_and(|refused_at| sent < refused_at)
    }
}
