//! What the `X-Rate-Limit-*` headers say, and how long to wait by them.

use std::time::Duration;

use jiff::Timestamp;

/// The longest wait that a 429 can cause. Okta's windows are 60 s; a longer wait means that a clock of the server's is
/// wrong, and asking too early costs one more 429.
pub const MAX_WAIT: Duration = Duration::from_secs(300);

/// A whole window, for an answer that has no `Date` to count from.
const WINDOW: Duration = Duration::from_secs(60);

/// Added to every wait, as Okta's own client does: both clocks show whole seconds.
pub const MARGIN: Duration = Duration::from_secs(1);

/// The rate limit that an answer shows: the ceiling that applies to this request, so this token's share of the org's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests allowed in a window; 0 in a 429 that is about concurrency.
    pub limit: u64,
    /// Requests left in this window.
    pub remaining: u64,
    /// When the window ends, in seconds since 1970 by the server's clock.
    pub reset: i64,
}

impl RateLimit {
    /// Reads the three headers through `header`, a look-up by lower-case name; `None` unless all three are numbers.
    pub fn from_headers<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let value = |name| header(name).map(str::trim);
        Some(Self {
            limit: value("x-rate-limit-limit")?.parse().ok()?,
            remaining: value("x-rate-limit-remaining")?.parse().ok()?,
            reset: value("x-rate-limit-reset")?.parse().ok()?,
        })
    }

    /// Whether a 429 with these headers is about too many requests at once, which no window's end resolves.
    pub fn is_concurrency(&self) -> bool {
        self.limit == 0
    }

    /// How long to wait until the window is over: `reset` - `Date` + 1 s, both by the server's clock and never by ours.
    ///
    /// At least 1 s (a reset in the past), at most [`MAX_WAIT`]; 61 s where the answer has no `Date`.
    pub fn wait(&self, server_date: Option<Timestamp>) -> Duration {
        self.rest(server_date).saturating_add(MARGIN).min(MAX_WAIT)
    }

    /// What was left of the window when the answer was made, in whole seconds: `reset` - `Date`, at most [`MAX_WAIT`].
    pub fn rest(&self, server_date: Option<Timestamp>) -> Duration {
        let Some(date) = server_date else { return WINDOW };
        let seconds = self.reset.saturating_sub(date.as_second());
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).min(MAX_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(reset: i64) -> RateLimit {
        RateLimit { limit: 60, remaining: 0, reset }
    }

    #[test]
    fn the_headers_are_three_numbers_or_nothing() {
        for (headers, expected) in [
            (["60", "59", "1658936188"], Some((60, 59, 1_658_936_188))),
            (["0", "0", "1658936188"], Some((0, 0, 1_658_936_188))),
            ([" 60", "59 ", "1658936188"], Some((60, 59, 1_658_936_188))),
            (["60", "59", ""], None),
            (["60", "-1", "1658936188"], None),
            (["many", "59", "1658936188"], None),
            (["60", "59", "99999999999999999999"], None),
        ] {
            let found = RateLimit::from_headers(|name| match name {
                "x-rate-limit-limit" => Some(headers[0]),
                "x-rate-limit-remaining" => Some(headers[1]),
                "x-rate-limit-reset" => Some(headers[2]),
                _ => None,
            });
            assert_eq!(found.map(|found| (found.limit, found.remaining, found.reset)), expected);
        }
        assert_eq!(RateLimit::from_headers(|name| (name != "x-rate-limit-reset").then_some("60")), None);
    }

    #[test]
    fn the_wait_is_by_the_servers_clock() {
        let date = |second| Some(Timestamp::from_second(second).expect("a time"));
        for (reset, date, seconds) in [
            (1_658_936_188, date(1_658_936_130), 59),
            (1_658_936_188, date(1_658_936_188), 1),
            (1_658_936_188, date(1_658_936_999), 1),
            (1_658_936_188, date(0), 300),
            (1_658_936_188, None, 61),
            (i64::MAX, date(-1), 300),
            (i64::MIN, date(1), 1),
        ] {
            assert_eq!(limit(reset).wait(date), Duration::from_secs(seconds), "{reset} {date:?}");
        }
    }

    #[test]
    fn a_limit_of_zero_is_concurrency() {
        assert!(RateLimit { limit: 0, remaining: 0, reset: 1 }.is_concurrency());
        assert!(!limit(1).is_concurrency());
    }
}
