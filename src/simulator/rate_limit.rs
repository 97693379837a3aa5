//! The rate limit bucket of `/api/v1/logs`: a window that starts with a request and not on the wall minute.

/// The three `x-rate-limit-*` values of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RateLimitState {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// Seconds since the Unix epoch.
    pub(super) reset: i64,
}

/// What the bucket says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Admission {
    pub(super) state: RateLimitState,
    /// The request is answered 429.
    pub(super) refused: bool,
    /// A 429 had already told the client to wait, and its reset is not reached yet.
    pub(super) in_rate_limit_window: bool,
    /// The same for a 429 of the concurrency limit, whose reset is only an estimate: the request is answered.
    pub(super) in_concurrency_wait: bool,
}

/// Counts the requests of a window.
#[derive(Debug)]
pub(super) struct RateLimiter {
    limit: u32,
    window_seconds: i64,
    used: u32,
    /// Seconds since the Unix epoch; the window that has been reached is over.
    reset: i64,
    /// Until then every request is refused, because one was.
    refused_until: i64,
    concurrency_until: i64,
}

impl RateLimiter {
    pub(super) fn new(limit: u32, window_seconds: i64) -> Self {
        Self { limit, window_seconds, used: 0, reset: 0, refused_until: 0, concurrency_until: 0 }
    }

    /// Counts a request that came at `now` (seconds since the Unix epoch) and says whether it is let through.
    pub(super) fn admit(&mut self, now: i64) -> Admission {
        if now >= self.reset {
            self.used = 0;
            self.reset = now + self.window_seconds;
        }
        let in_rate_limit_window = now < self.refused_until;
        let refused = in_rate_limit_window || self.used >= self.limit;
        if refused {
            self.refused_until = self.refused_until.max(if in_rate_limit_window { 0 } else { self.reset });
        } else {
            self.used += 1;
        }
        let reset = if refused { self.refused_until } else { self.reset };
        let remaining = if refused { 0 } else { self.limit - self.used };
        Admission {
            state: RateLimitState { limit: self.limit, remaining, reset },
            refused,
            in_rate_limit_window,
            in_concurrency_wait: now < self.concurrency_until,
        }
    }

    /// Exhausts the bucket: refuses everything until `wait_seconds` from now, when a new window begins.
    pub(super) fn exhaust(&mut self, now: i64, wait_seconds: i64) -> RateLimitState {
        self.reset = now + wait_seconds;
        self.refused_until = self.reset;
        RateLimitState { limit: self.limit, remaining: 0, reset: self.reset }
    }

    /// The values of a 429 of the concurrency limit.
    pub(super) fn exceed_concurrency(&mut self, now: i64, wait_seconds: i64) -> RateLimitState {
        self.concurrency_until = now + wait_seconds;
        RateLimitState { limit: 0, remaining: 0, reset: self.concurrency_until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_and_ends_at_its_reset() {
        let mut limiter = RateLimiter::new(2, 60);
        let seen: Vec<(u32, i64, bool, bool)> = [100, 110, 120, 159, 160]
            .map(|now| limiter.admit(now))
            .map(|admission| {
                let Admission { state, refused, in_rate_limit_window, .. } = admission;
                (state.remaining, state.reset, refused, in_rate_limit_window)
            })
            .to_vec();
        assert_eq!(
            seen,
            [
                (1, 160, false, false),
                (0, 160, false, false),
                // The first refusal is where the client learns of the wait; only what comes after it breaks the rule.
                (0, 160, true, false),
                (0, 160, true, true),
                (1, 220, false, false),
            ]
        );
    }

    #[test]
    fn an_exhausted_bucket_refuses_until_its_reset() {
        let mut limiter = RateLimiter::new(100, 60);
        assert!(!limiter.admit(100).refused);
        assert_eq!(limiter.exhaust(100, 3), RateLimitState { limit: 100, remaining: 0, reset: 103 });
        let again = limiter.admit(102);
        assert!(again.refused && again.in_rate_limit_window);
        assert_eq!(again.state.reset, 103);
        let after = limiter.admit(103);
        assert!(!after.refused && !after.in_rate_limit_window);
    }

    #[test]
    fn concurrency_refuses_nobody_else() {
        let mut limiter = RateLimiter::new(100, 60);
        assert_eq!(limiter.exceed_concurrency(100, 2), RateLimitState { limit: 0, remaining: 0, reset: 102 });
        let during = limiter.admit(101);
        assert!(!during.refused && during.in_concurrency_wait && !during.in_rate_limit_window);
        assert!(!limiter.admit(102).in_concurrency_wait);
    }
}
