//! How far into a window's limit each kind may go, and how fast.

use std::time::Duration;

use super::{Ask, Kind, allowed};

/// The part of the allowance that may be used at once.
const BURST: f64 = 0.1;

/// The part of a window after which all of the allowance may be used. What is asked at the very end would be counted in
/// the next window, and the last ones of several processes need room.
const SPREAD: f64 = 7.0 / 8.0;

/// Up to how many requests of a window a caught-up connector polls at this share, with all others: beyond the share by half
/// of what that leaves, since the other half is for those who ask at the same moment; but by no more than a quarter of
/// the share, or a small one would be no bound.
pub fn polls_allowed(limit: u64, share: f64) -> u64 {
    let allowed = allowed(limit, share);
    allowed + (limit.saturating_sub(allowed) / 2).min(allowed / 4)
}

/// Up to how many requests of a window, with all others, a process asks that is not `run`: at least one.
pub fn bulk_allowed(limit: u64, share: f64, bulk_reserve: f64) -> u64 {
    let reserved = (limit as f64 * bulk_reserve).ceil() as u64;
    limit.saturating_sub(reserved).clamp(1, allowed(limit, share))
}

/// What may be used in a window, by all clients together: a burst at once, and the rest along a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// At the end of the line.
    cap: u64,
    /// At its beginning.
    burst: u64,
    /// What this request's own share allows of it.
    pub(super) own: u64,
}

impl Pace {
    /// The pace of this request at this limit, in a process whose largest share is `largest`.
    ///
    /// Those of a smaller share keep to its line as far as their own goes: on a flatter one of their own they would always
    /// find more used than it allows, and get next to nothing.
    pub(super) fn new(ask: Ask, largest: f64, limit: u64) -> Self {
        let own = Self::alone(ask, limit);
        match ask.kind {
            Kind::Live | Kind::Backlog if largest > ask.share => {
                Self { own: own.cap, ..Self::alone(Ask { share: largest, ..ask }, limit) }
            }
            _ => own,
        }
    }

    fn alone(ask: Ask, limit: u64) -> Self {
        let allowed = allowed(limit, ask.share);
        let burst = |of: u64| ((of as f64 * BURST).ceil() as u64).clamp(1, of);
        match ask.kind {
            Kind::Backlog => Self { cap: allowed, burst: burst(allowed), own: allowed },
            Kind::Live => {
                let cap = polls_allowed(limit, ask.share);
                Self { cap, burst: (burst(allowed) + cap - allowed).max(cap / 2), own: cap }
            }
            Kind::Bulk => {
                let cap = bulk_allowed(limit, ask.share, ask.bulk_reserve);
                Self { cap, burst: burst(cap), own: cap }
            }
        }
    }

    /// How many requests may be used this long after the window began.
    pub(super) fn allowed(&self, elapsed: Duration, length: Duration) -> u64 {
        let line = length.mul_f64(SPREAD);
        if elapsed >= line {
            return self.own;
        }
        let done = elapsed.as_secs_f64() / line.as_secs_f64();
        // Where a wait ends, rounding must not ask for another one.
        let line = self.burst + ((self.cap - self.burst) as f64 * done + 1e-6).floor() as u64;
        line.min(self.own)
    }

    /// When, after the window began, so many may be used; never in this window where that is beyond the cap.
    pub(super) fn time_of(&self, used: u64, length: Duration) -> Option<Duration> {
        if used > self.own {
            return None;
        }
        let Some(beyond) = used.checked_sub(self.burst).filter(|beyond| *beyond > 0) else {
            return Some(Duration::ZERO);
        };
        Some(length.mul_f64(SPREAD * beyond as f64 / (self.cap - self.burst) as f64))
    }
}
