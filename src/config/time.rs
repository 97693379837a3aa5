//! Durations (`60s`, `5m`, `7d`) and where a cold start begins.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The units of the contract and their milliseconds.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Okta keeps the System Log for 90 days; it refuses a `since` of more than 180.
const RETENTION: Duration = Duration::from_secs(90 * 86_400);
const OLDEST_SINCE: Duration = Duration::from_secs(180 * 86_400);

/// One day.
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// Reads `<number><unit>`; the error says what to write, without the value.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let usage = "write a whole number and one unit of `ms`, `s`, `m`, `h`, `d`, as `60s`, `5m` or `7d`";
    if !number.is_empty() && unit.is_empty() {
        return Err(format!("has no unit: {usage}"));
    }
    let Some((_, millis)) = UNITS.iter().find(|(name, _)| *name == unit).filter(|_| !number.is_empty()) else {
        return Err(format!("is not a duration: {usage}"));
    };
    let total = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*millis));
    // Ten thousand years and more overflow the arithmetic of times later on.
    match total.map(Duration::from_millis).filter(|total| *total <= DAY * 3_650_000) {
        Some(total) => Ok(total),
        None => Err(format!("is too long a duration: {usage}")),
    }
}

/// Where a connector without a stored offset begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// That long before the cold start.
    Ago(Duration),
    /// At a fixed time.
    At(Timestamp),
    /// At the cold start itself: nothing from before.
    Now,
}

impl Since {
    /// The time to ask from, when the cold start is at `now`.
    pub fn resolve(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(age) => {
                SignedDuration::try_from(*age).ok().and_then(|age| now.checked_sub(age).ok()).unwrap_or(Timestamp::MIN)
            }
            Self::At(time) => *time,
            Self::Now => now,
        }
    }

    /// Reads an age, an RFC 3339 time, or `now`; the error says what to write, without the value.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::Now);
        }
        if text.len() > 4 && text.as_bytes()[4] == b'-' {
            let usage = "write a time with its zone, as `2026-01-31T00:00:00Z`";
            return text.parse().map(Self::At).map_err(|_| format!("is not an RFC 3339 time: {usage}"));
        }
        duration(text).map(Self::Ago).map_err(|_| {
            "is not a start: write an age (`7d`), an RFC 3339 time (`2026-01-31T00:00:00Z`) or `now`".to_owned()
        })
    }

    /// Whether Okta would take it at `now`: an error where it would not, a warning where it keeps nothing that old; both
    /// without the value.
    pub fn judge(&self, now: Timestamp) -> Result<Option<&'static str>, &'static str> {
        let age = now.duration_since(self.resolve(now));
        let longer_than = |limit: Duration| SignedDuration::try_from(limit).is_ok_and(|limit| age > limit);
        if age.is_negative() {
            return Err("is in the future: write a time in the past, or `now`");
        }
        if longer_than(OLDEST_SINCE) {
            return Err("is more than 180 days ago, which Okta refuses: write `90d` or less");
        }
        let unwise = "is more than 90 days ago, and Okta keeps events for 90: write `90d` or less";
        Ok(longer_than(RETENTION).then_some(unwise))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in
            [("500ms", 500), ("60s", 60_000), ("5m", 300_000), ("2h", 7_200_000), ("7d", 604_800_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for (text, says) in [
            ("60", "no unit"),
            ("1h30m", "not a duration"),
            ("", "not a duration"),
            ("s", "not a duration"),
            ("-1s", "not a duration"),
            ("1.5h", "not a duration"),
            ("60 s", "not a duration"),
            ("1w", "not a duration"),
            ("99999999999999999999d", "too long"),
            ("9999999999d", "too long"),
        ] {
            let error = duration(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn since_resolves_against_the_time_of_the_cold_start() {
        let now: Timestamp = "2026-02-01T00:00:00Z".parse().expect("a time");
        for (text, expected) in [
            ("7d", "2026-01-25T00:00:00Z"),
            ("now", "2026-02-01T00:00:00Z"),
            ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z"),
        ] {
            let since = Since::parse(text).expect(text);
            assert_eq!(since.resolve(now).to_string(), expected, "{text}");
        }
    }
}
