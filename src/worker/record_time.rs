//! The time of a record: the event's own, where the topic takes it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

/// Kafka's default of `message.timestamp.after.max.ms`, for a topic whose settings we may not see.
const AFTER_DEFAULT_MS: i64 = 3_600_000;
/// How far the broker's clock may be from ours.
const MARGIN_MS: i64 = 60_000;

/// What times a topic takes (KIP-937), in milliseconds before and after the broker's clock.
///
/// A record outside of them would be refused, and with it the page.
#[derive(Debug)]
pub struct RecordTime {
    before: AtomicI64,
    after: AtomicI64,
}

impl Default for RecordTime {
    fn default() -> Self {
        Self { before: AtomicI64::new(i64::MAX), after: AtomicI64::new(AFTER_DEFAULT_MS) }
    }
}

impl RecordTime {
    /// Takes the bounds from a topic's settings; those that are not shown are Kafka's defaults.
    pub fn set(&self, settings: &BTreeMap<String, String>) {
        for (name, bound, default) in [
            ("message.timestamp.before.max.ms", &self.before, i64::MAX),
            ("message.timestamp.after.max.ms", &self.after, AFTER_DEFAULT_MS),
        ] {
            let value = settings.get(name).and_then(|value| value.parse().ok());
            bound.store(value.unwrap_or(default), Ordering::Relaxed);
        }
    }

    /// Takes note that a record of this time was refused at `now`: neither it nor one that is further off is sent again
    /// with its own time.
    pub fn learn_refused(&self, published: i64, now: i64) {
        let learn = |bound: &AtomicI64, distance: i64, room: i64| {
            let learned = distance.saturating_add(MARGIN_MS - 1 - room).max(0);
            let _ = bound.fetch_min(learned, Ordering::Relaxed);
        };
        if published <= now {
            learn(&self.before, now.saturating_sub(published), 0);
        } else {
            // It comes nearer while we look, so there is room for that.
            learn(&self.after, published.saturating_sub(now), MARGIN_MS);
        }
    }

    /// `published` where the topic takes it at the time `now`; else none, for the time of sending. Both in milliseconds.
    pub fn of(&self, published: i64, now: i64) -> Option<i64> {
        let within = |distance: i64, bound: &AtomicI64| {
            let bound = bound.load(Ordering::Relaxed);
            // Kafka's "any": no margin to keep.
            bound == i64::MAX || distance <= bound.saturating_sub(MARGIN_MS).max(0)
        };
        let taken = if published <= now {
            within(now.saturating_sub(published), &self.before)
        } else {
            within(published.saturating_sub(now), &self.after)
        };
        taken.then_some(published)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_763_769_600_000;

    #[test]
    fn a_time_that_the_topic_refuses_is_not_sent() {
        let minutes = |n: i64| n * 60_000;
        let settings = |before: &str, after: &str| {
            BTreeMap::from([
                ("message.timestamp.before.max.ms".to_owned(), before.to_owned()),
                ("message.timestamp.after.max.ms".to_owned(), after.to_owned()),
            ])
        };
        let any = i64::MAX.to_string();
        for (before, after, offset, taken) in [
            (any.as_str(), "3600000", minutes(-60 * 24 * 90), true),
            (any.as_str(), "3600000", minutes(58), true),
            (any.as_str(), "3600000", minutes(60), false),
            (any.as_str(), any.as_str(), minutes(60 * 24), true),
            ("3600000", any.as_str(), minutes(-58), true),
            ("3600000", any.as_str(), minutes(-61), false),
            ("0", "0", 0, true),
        ] {
            let time = RecordTime::default();
            time.set(&settings(before, after));
            assert_eq!(time.of(NOW + offset, NOW), taken.then_some(NOW + offset), "{before} {after} {offset}");
        }
    }

    #[test]
    fn a_refused_time_is_not_sent_again() {
        for distance in [1, 59_000, 120_000, 3_000_000, 90 * 86_400_000] {
            for published in [NOW - distance, NOW + distance] {
                let time = RecordTime::default();
                time.set(&BTreeMap::from([("message.timestamp.after.max.ms".to_owned(), i64::MAX.to_string())]));
                assert_eq!(time.of(published, NOW), Some(published));
                time.learn_refused(published, NOW);
                for later in [0, 30_000] {
                    assert_eq!(
                        time.of(published, NOW + later),
                        (published <= NOW + later && published > NOW).then_some(published),
                        "{distance}"
                    );
                }
            }
        }
        let time = RecordTime::default();
        time.learn_refused(NOW - 5_000_000, NOW);
        assert_eq!(time.of(NOW - 4_000_000, NOW), Some(NOW - 4_000_000), "what is nearer keeps its time");
    }

    #[test]
    fn without_settings_kafkas_defaults_hold() {
        let time = RecordTime::default();
        time.set(&BTreeMap::new());
        assert_eq!(time.of(NOW - 1_000_000_000_000, NOW), Some(NOW - 1_000_000_000_000));
        assert_eq!(time.of(NOW + 7_200_000, NOW), None);
    }
}
