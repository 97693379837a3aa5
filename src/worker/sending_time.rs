//! The time of records that have none of their own: this machine's, unless the org's clock shows that it is wrong.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::clock;

/// How far our clock may be from the org's before it counts as wrong; the org's has whole seconds and a way to come.
const WRONG_MS: i64 = 60_000;
/// A machine that is further behind has no clock at all, as one that begins in 1970.
const NO_CLOCK_MS: i64 = 86_400_000;
/// The org has not answered yet.
const UNKNOWN: i64 = i64::MIN;

/// What the time of sending is (docs/adr/0038): a broker refuses records from more than an hour ahead by default, so a
/// wrong clock here must not be in a record that has to be written.
#[derive(Debug)]
pub struct SendingTime {
    /// The org's clock, in milliseconds since 1970, where the worker's monotonic clock began.
    org: AtomicI64,
}

impl Default for SendingTime {
    fn default() -> Self {
        Self { org: AtomicI64::new(UNKNOWN) }
    }
}

impl SendingTime {
    /// Takes the org's `Date`, in milliseconds since 1970, at a time of the worker's monotonic clock.
    pub fn learn(&self, date: i64, monotonic: Duration) {
        self.org.store(date.saturating_sub(millis(monotonic)), Ordering::Relaxed);
    }

    /// What time it is in milliseconds since 1970, at a time of the worker's monotonic clock: what an event's own time is
    /// held against. By the org's clock, where ours is wrong.
    pub fn now(&self, monotonic: Duration) -> i64 {
        self.now_at(clock::wall().as_millisecond(), monotonic)
    }

    /// The time that goes into a record, likewise. The earlier of the two clocks, whichever is wrong: a broker refuses the
    /// future, and takes the past.
    pub fn stamp(&self, monotonic: Duration) -> i64 {
        self.stamp_at(clock::wall().as_millisecond(), monotonic)
    }

    fn now_at(&self, wall: i64, monotonic: Duration) -> i64 {
        match self.org.load(Ordering::Relaxed) {
            UNKNOWN => wall,
            org => {
                let org = org.saturating_add(millis(monotonic));
                if wall.abs_diff(org) > WRONG_MS.unsigned_abs() { org } else { wall }
            }
        }
    }

    fn stamp_at(&self, wall: i64, monotonic: Duration) -> i64 {
        let now = self.now_at(wall, monotonic);
        let is_without_clock = now.saturating_sub(wall) > NO_CLOCK_MS;
        if is_without_clock { now } else { now.min(wall) }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ours_unless_the_org_shows_that_ours_is_wrong() {
        const NOON: i64 = 1_795_348_800_000;
        const HOUR: i64 = 3_600_000;
        let hour = Duration::from_secs(3_600);
        for (date, wall, now, stamp) in [
            (None, NOON + 48 * HOUR, NOON + 48 * HOUR, NOON + 48 * HOUR),
            (Some(NOON), NOON + HOUR, NOON + HOUR, NOON + HOUR),
            (Some(NOON), NOON + HOUR + 59_999, NOON + HOUR + 59_999, NOON + HOUR + 59_999),
            (Some(NOON), NOON + HOUR - 59_999, NOON + HOUR - 59_999, NOON + HOUR - 59_999),
            // Ours is ahead, or the org's behind.
            (Some(NOON), NOON + 2 * HOUR, NOON + HOUR, NOON + HOUR),
            (Some(NOON), NOON + 480 * HOUR, NOON + HOUR, NOON + HOUR),
            // Ours is behind, or the org's ahead.
            (Some(NOON), NOON, NOON + HOUR, NOON),
            (Some(NOON), NOON - 22 * HOUR, NOON + HOUR, NOON - 22 * HOUR),
            (Some(NOON), NOON - 24 * HOUR, NOON + HOUR, NOON + HOUR),
            (Some(NOON), 0, NOON + HOUR, NOON + HOUR),
            (Some(NOON), i64::MIN, NOON + HOUR, NOON + HOUR),
        ] {
            let time = SendingTime::default();
            if let Some(date) = date {
                time.learn(date, hour);
            }
            // An hour of monotonic time after the answer.
            assert_eq!((time.now_at(wall, 2 * hour), time.stamp_at(wall, 2 * hour)), (now, stamp), "{date:?} {wall}");
        }
    }
}
