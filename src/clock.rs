//! The one place that reads a clock or throws dice.

#![allow(clippy::disallowed_methods)] // the clippy.toml of this project sends everybody else here

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::source::input::Now;

/// A monotonic clock that began when it was made.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
}

impl Clock {
    /// Begins now.
    pub fn new() -> Self {
        Self { began: Instant::now() }
    }

    /// The time of one step.
    pub fn now(&self) -> Now {
        Now { monotonic: self.began.elapsed(), wall: wall(), jitter: fastrand::f64() }
    }

    /// Time since it began: the monotonic time of [`now`](Self::now).
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The instant of a monotonic time of this clock.
    pub fn instant(&self, monotonic: Duration) -> Instant {
        self.began + monotonic
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// The wall clock.
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// The wall clock in Unix seconds, as the metrics have it.
pub fn unix_seconds() -> f64 {
    wall().as_duration().as_secs_f64()
}
