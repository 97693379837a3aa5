//! The org's clock, as its answers show it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The org's time, known from the `Date` of its last answer and a monotonic clock since then: a local clock that is an hour
/// off, or jumps, changes nothing of it.
///
/// `Date` has whole seconds and was written before it came here, so this clock is behind the org's by up to a second and
/// the way of an answer, and never ahead of it: what is signed by it is never issued in the org's future.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerClock {
    seen: Option<(Timestamp, Duration)>,
}

impl ServerClock {
    /// Learns from an answer that came at `monotonic`.
    pub fn learn(&mut self, date: Timestamp, monotonic: Duration) {
        self.seen = Some((date, monotonic));
    }

    /// The org's time at `monotonic`; `wall`, where no answer came yet.
    pub fn now(&self, monotonic: Duration, wall: Timestamp) -> Timestamp {
        let Some((date, at)) = self.seen else { return wall };
        let since = SignedDuration::try_from(monotonic.saturating_sub(at)).unwrap_or(SignedDuration::ZERO);
        date.checked_add(since).unwrap_or(date)
    }

    /// Whether an answer came already.
    pub fn is_known(&self) -> bool {
        self.seen.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answer_counts_and_the_wall_clock_only_before_the_first() {
        let time = |text: &str| text.parse::<Timestamp>().expect("a time");
        let wall = time("2026-11-22T01:00:00Z");
        let mut clock = ServerClock::default();
        assert_eq!(clock.now(Duration::from_secs(5), wall), wall);
        assert!(!clock.is_known());
        clock.learn(time("2026-11-22T00:00:00Z"), Duration::from_secs(5));
        assert_eq!(clock.now(Duration::from_millis(6_500), wall), time("2026-11-22T00:00:01.5Z"));
        // The local clock jumps by a day.
        assert_eq!(clock.now(Duration::from_secs(7), time("2026-11-23T01:00:00Z")), time("2026-11-22T00:00:02Z"));
        clock.learn(time("2026-11-22T02:00:00Z"), Duration::from_secs(8));
        assert_eq!(clock.now(Duration::from_secs(8), wall), time("2026-11-22T02:00:00Z"));
        // Threads may ask with a time that they took before the answer came.
        assert_eq!(clock.now(Duration::from_secs(7), wall), time("2026-11-22T02:00:00Z"));
        assert_eq!(clock.now(Duration::MAX, wall), time("2026-11-22T02:00:00Z"));
    }
}
