//! Where a cold start begins, when our clock turns out to be ahead of the org's.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Since;

/// How far ahead our clock may be; the org's has whole seconds and a way to come.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

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
    pub fn corrected(&self, since: &Since, date: Timestamp, monotonic: Duration) -> Option<Timestamp> {
        let elapsed = SignedDuration::try_from(monotonic.saturating_sub(self.monotonic)).ok()?;
        let orgs = date.checked_sub(elapsed).ok()?;
        if self.wall.duration_since(orgs) <= AHEAD {
            return None;
        }
        let corrected = since.resolve(orgs);
        (corrected < since.resolve(self.wall)).then_some(corrected)
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
            assert_eq!(cold.corrected(&since, time(date), seconds(105)), corrected.map(time), "{since:?} {date}");
        }
    }
}
