//! When a connector that is behind says how far it is: once a minute, and nothing where it is not behind.

use std::time::Duration;

/// Between two words of it.
const EVERY: Duration = Duration::from_secs(60);

/// What was known when it was last told, or when the connector fell behind.
#[derive(Debug, Default)]
pub struct Progress {
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    /// Monotonic.
    at: Duration,
    /// Seconds waited for the rate limit until then.
    waited: f64,
}

impl Progress {
    /// A page came at `now`; `waited` is how many seconds the connector waited for the rate limit in all. Returns which part
    /// of the time since the last word that was, from 0 to 1, where it is time for the next one.
    pub fn page(&mut self, is_behind: bool, now: Duration, waited: f64) -> Option<f64> {
        let last = self.last.take().filter(|_| is_behind);
        let passed = last.map_or(Duration::ZERO, |last| now.saturating_sub(last.at));
        let is_time = passed >= EVERY;
        let next = Last { at: now, waited };
        self.last = is_behind.then_some(if is_time { next } else { last.unwrap_or(next) });
        let waited = waited - last?.waited;
        is_time.then(|| (waited / passed.as_secs_f64()).clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_that_is_behind_says_so_once_a_minute_and_no_other_does() {
        let mut progress = Progress::default();
        for (is_behind, at, waited, told) in [
            (true, 1000, 5.0, None),
            (true, 1059, 50.0, None),
            (true, 1060, 50.0, Some(0.75)),
            (true, 1061, 51.0, None),
            (true, 1120, 50.0, Some(0.0)),
            // Caught up, and behind again an hour later.
            (false, 1180, 50.0, None),
            (true, 4800, 50.0, None),
            (true, 4859, 50.0, None),
            (true, 4900, 1000.0, Some(1.0)),
        ] {
            assert_eq!(progress.page(is_behind, Duration::from_secs(at), waited), told, "{at}");
        }
    }
}
