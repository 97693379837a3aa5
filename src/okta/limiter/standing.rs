//! Whether a connector asks as one that is caught up.
//!
//! A full page alone says little: an org that writes five pages a minute has full ones at every poll. What counts is how
//! far behind the org's own clock the page ends.

use std::time::Duration;

use super::Kind;

/// A connector whose page ends so near to the org's time, or within two intervals, is caught up.
const NEAR: Duration = Duration::from_secs(180);
/// One that is behind waits so long as such at the most, or an interval, and then as one that is not, whatever others
/// use up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is known of one connector. Times are monotonic, by the limiter's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    is_behind: bool,
    /// When it was last let go.
    last: Option<Duration>,
}

impl Standing {
    /// A page came. `lag` is how far before the answer's `Date` its last event was published, where that is known.
    pub fn page(&mut self, is_full: bool, lag: Option<Duration>, interval: Duration) {
        self.is_behind = is_full && lag.is_none_or(|lag| lag > NEAR.max(interval * 2));
    }

    /// Whether its next request is [`Kind::Backlog`] at first.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// As what it is to wait at this time.
    pub fn kind(&self, now: Duration, interval: Duration) -> Kind {
        match self.live_from(interval) {
            Some(from) if now < from => Kind::Backlog,
            _ => Kind::Live,
        }
    }

    /// When a wait as [`Kind::Backlog`] is to end, and one as [`Kind::Live`] to begin; none where it begins at once.
    pub fn live_from(&self, interval: Duration) -> Option<Duration> {
        self.last.filter(|_| self.is_behind).map(|last| last + interval.max(PATIENCE))
    }

    /// It was let go.
    pub fn went(&mut self, now: Duration) {
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_is_behind_is_told_by_the_lag() {
        let minute = 60 * SECOND;
        for (is_full, lag, interval, is_behind) in [
            (true, Some(NEAR + SECOND), minute, true),
            (true, Some(NEAR), minute, false),
            (true, Some(19 * minute), 10 * minute, false),
            (true, Some(21 * minute), 10 * minute, true),
            // Without the org's time, or an event's, it is as it looks.
            (true, None, minute, true),
            (false, Some(24 * 60 * minute), minute, false),
            (false, None, minute, false),
        ] {
            let mut standing = Standing::default();
            standing.page(is_full, lag, interval);
            assert_eq!(standing.is_behind(), is_behind, "{is_full} {lag:?} {interval:?}");
        }
    }

    #[test]
    fn one_that_is_behind_waits_as_such_for_an_interval() {
        for (interval, patience) in [(60 * SECOND, 60 * SECOND), (SECOND, PATIENCE)] {
            let mut standing = Standing::default();
            standing.page(true, None, interval);
            assert_eq!(standing.kind(100 * SECOND, interval), Kind::Live, "it has asked nothing yet");
            standing.went(100 * SECOND);
            assert_eq!(standing.live_from(interval), Some(100 * SECOND + patience));
            assert_eq!(standing.kind(99 * SECOND + patience, interval), Kind::Backlog);
            assert_eq!(standing.kind(100 * SECOND + patience, interval), Kind::Live);
            standing.page(false, None, interval);
            assert_eq!((standing.kind(101 * SECOND, interval), standing.live_from(interval)), (Kind::Live, None));
        }
    }
}
