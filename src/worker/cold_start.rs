//! Where a cold start begins, when our clock turns out to be ahead of the org's.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Since;

/// How far ahead our clock may be; the org's has whole seconds and a way to come.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

/// Further ahead than that, nobody knows whose clock is wrong: a `since` from long ago is durable, and Okta refuses one of
/// more than 180 days.
const CREDIBLE: SignedDuration = SignedDuration::from_hours(48);

/// What the org's clock says of where a cold start began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// It should have begun at this `since`.
    BeginAt(Timestamp),
    /// One of the two clocks is wrong by so much that it stays as it is.
    Doubtful {
        /// How far ours is ahead.
        ahead: SignedDuration,
    },
}

/// A cold start of this run, whose `since` was resolved by our clock before anything was asked (I7).
#[derive(Debug, Clone, Copy)]
pub struct ColdStart {
    /// Our wall clock at that moment.
    pub wall: Timestamp,
    /// The worker's monotonic clock.
    pub monotonic: Duration,
}

impl ColdStart {
    /// The `since` that it should have begun at, by the org's `date` at a monotonic time; none where ours was early enough.
    ///
    /// Too early a start costs a few events that were not asked for. Too late a one skips what comes until then, so the
    /// earlier clock counts, whichever is wrong (docs/adr/0038).
    pub fn corrected(&self, since: &Since, date: Timestamp, monotonic: Duration) -> Option<Correction> {
        let elapsed = SignedDuration::try_from(monotonic.saturating_sub(self.monotonic)).ok()?;
        let orgs = date.checked_sub(elapsed).ok()?;
        let ahead = self.wall.duration_since(orgs);
        let corrected = since.resolve(orgs);
        if ahead <= AHEAD || corrected >= since.resolve(self.wall) {
            return None;
        }
        let credible = ahead <= CREDIBLE;
        Some(if credible { Correction::BeginAt(corrected) } else { Correction::Doubtful { ahead } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_clock_counts() {
        let time = |text: &str| -> Timestamp { text.parse().expect("a time") };
        let seconds = Duration::from_secs;
        let cold = ColdStart { wall: time("2026-11-22T13:00:00Z"), monotonic: seconds(5) };
        for (since, date, corrected) in [
            // The answer came 100 s after the start.
            ("now", "2026-11-22T12:01:40Z", Some("2026-11-22T12:00:00Z")),
            ("7d", "2026-11-22T12:01:40Z", Some("2026-11-15T12:00:00Z")),
            ("2026-11-20T00:00:00Z", "2026-11-22T12:01:40Z", None),
            ("now", "2026-11-22T13:01:40Z", None),
            ("now", "2026-11-22T13:00:41Z", None),
            ("now", "2026-11-22T13:00:39Z", Some("2026-11-22T12:58:59Z")),
            ("now", "2026-11-24T13:00:00Z", None),
        ] {
            let since = Since::parse(since).expect("a start");
            let corrected = corrected.map(|at| Correction::BeginAt(time(at)));
            assert_eq!(cold.corrected(&since, time(date), seconds(105)), corrected, "{since:?} {date}");
        }
        let since = Since::parse("now").expect("a start");
        for date in ["2026-11-20T12:00:00Z", "2025-11-22T13:00:00Z", "1970-01-01T00:10:00Z"] {
            let found = cold.corrected(&since, time(date), seconds(105));
            assert!(matches!(found, Some(Correction::Doubtful { .. })), "{date}: {found:?}");
        }
    }
}
