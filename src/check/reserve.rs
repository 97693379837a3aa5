//! What `check` leaves of a credential's rate limit to the `run` beside it.

use std::time::Duration;

use super::line::Line;
use super::org::what;
use crate::config::ConnectorConfig;
use crate::okta::limiter;
use crate::okta::rate_limit::RateLimit;

/// The window of a credential, as its last answer showed it.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    limit: RateLimit,
    /// Monotonic.
    over: Duration,
}

impl Window {
    /// Of an answer at a monotonic time, `rest` before the window is over; none where it was about too many requests at once.
    pub fn of(limit: RateLimit, rest: Duration, now: Duration) -> Option<Self> {
        (!limit.is_concurrency()).then_some(Self { limit, over: now + rest })
    }

    /// Why the next connector of this credential is not asked for: fewer requests than its reserve would be left. One request
    /// goes in any case, since only its answer tells.
    pub fn not_asked(&self, connector: &ConnectorConfig, now: Duration) -> Option<Line> {
        let RateLimit { limit, remaining, .. } = self.limit;
        let ours = limiter::bulk_allowed(limit, connector.rate_limit_share, connector.rate_limit_bulk_reserve);
        let rest = self.over.checked_sub(now).filter(|rest| !rest.is_zero())?;
        (limit.saturating_sub(remaining) >= ours).then(|| {
            Line::warn(
                what(connector),
                format!(
                    "{} was not asked, since `check` leaves {} of {limit} requests to `run` (`rate_limit_bulk_reserve`), and {remaining} are left with this credential: run `check` again in {} s",
                    connector.org,
                    limit - ours,
                    rest.as_secs() + 1,
                ),
            )
        })
    }
}
