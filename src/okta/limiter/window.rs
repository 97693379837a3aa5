//! What answers tell of the bucket: how much of which window is left, on our monotonic clock.
//!
//! `reset` and `Date` have whole seconds and are both the server's; an answer is made at a moment between its request
//! and its receipt. So each answer bounds the end of its window, and those of several answers narrow it.

use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;

use super::Known;
use crate::okta::rate_limit::{MARGIN, RateLimit};

/// Okta's usual window, until answers show another one.
const USUAL: Duration = Duration::from_secs(60);
/// `Date` and `reset` are rounded, each on its own.
const ROUNDING: Duration = Duration::from_secs(1);

/// One window, as far as it is known.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) limit: u64,
    remaining: u64,
    /// Its end is not before, and not after.
    ends: Range<Duration>,
    /// When the newest answer came.
    as_of: Duration,
    /// Answers of ours in it.
    ours: u64,
    /// Requests of other clients in it.
    others: u64,
    /// What other clients asked in the window before.
    others_before: u64,
    pub(super) length: Duration,
}

impl Window {
    /// Requests used, as last shown.
    pub(super) fn used(&self) -> u64 {
        self.limit.saturating_sub(self.remaining)
    }

    /// What other clients may have asked since then, if they go on as they did.
    pub(super) fn others_since(&self, now: Duration) -> u64 {
        let age = now.saturating_sub(self.as_of).as_secs_f64();
        (self.others_pace() * age).round() as u64
    }

    /// Requests of others in a second.
    fn others_pace(&self) -> f64 {
        let seen = self.elapsed(self.as_of);
        (self.others + self.others_before) as f64 / (seen + self.length).as_secs_f64()
    }

    /// How long the window has been there. It may have begun before our clock did.
    pub(super) fn elapsed(&self, now: Duration) -> Duration {
        (now + self.length).saturating_sub(self.ends.end)
    }

    /// When it will have been there so long.
    pub(super) fn at(&self, elapsed: Duration) -> Duration {
        (self.ends.end + elapsed).saturating_sub(self.length)
    }

    /// From then on, a request is surely in the next window.
    pub(super) fn over(&self) -> Duration {
        self.ends.end + MARGIN
    }
}

/// The bucket, over its windows.
#[derive(Debug)]
pub(super) struct Bucket {
    window: Option<Window>,
    length: Duration,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { window: None, length: USUAL }
    }
}

impl Bucket {
    /// The window, unless it is over or none is known.
    pub(super) fn window(&self, now: Duration) -> Option<&Window> {
        self.window.as_ref().filter(|window| now < window.over())
    }

    /// A request sent since then tells what is not known now.
    pub(super) fn unknown_since(&self) -> Duration {
        self.window.as_ref().map_or(Duration::ZERO, Window::over)
    }

    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// What is left of the window by this answer. One without a `Date` tells nothing of it: what was known goes on.
    pub(super) fn rest(&self, shown: RateLimit, date: Option<Timestamp>, now: Duration) -> Duration {
        match &self.window {
            Some(window) if date.is_none() && now < window.ends.end => window.ends.end - now,
            _ => shown.rest(date),
        }
    }

    /// Learns from an answer whose request was on its way during `travel`, while `open` others are without an answer.
    pub(super) fn learn(&mut self, shown: RateLimit, rest: Duration, travel: Range<Duration>, open: usize) {
        let ends = (travel.start + rest).saturating_sub(ROUNDING)..travel.end + rest;
        let remaining = shown.remaining.min(shown.limit);
        if let Some(window) = self.window.as_mut().filter(|window| travel.start < window.ends.end) {
            let is_newest = travel.start >= window.as_of;
            let is_earlier = ends.end + ROUNDING < window.ends.start;
            let is_later = ends.start > window.ends.end + ROUNDING;
            if !is_newest && is_earlier {
                return;
            }
            if !is_earlier && !is_later {
                let narrowed = window.ends.start.max(ends.start)..window.ends.end.min(ends.end);
                window.ends = if narrowed.start <= narrowed.end { narrowed } else { ends };
                // One that overtook another one knows less.
                window.remaining = if is_newest { remaining } else { window.remaining.min(remaining) };
                window.limit = shown.limit;
                window.as_of = travel.end;
                window.ours += 1;
                window.others = others(window, open);
                self.length = self.length.max(rest);
                window.length = self.length;
                return;
            }
        }
        self.measure(&ends, rest, shown.limit - remaining == 1);
        let others_before = self.window.as_ref().map_or(0, |window| window.others);
        let mut window = Window {
            limit: shown.limit,
            remaining,
            ends,
            as_of: travel.end,
            ours: 1,
            others: 0,
            others_before,
            length: self.length,
        };
        window.others = others(&window, open);
        self.window = Some(window);
    }

    /// Measures the length of a window by a new one: exactly by the first request in it, else by two ends.
    fn measure(&mut self, ends: &Range<Duration>, rest: Duration, is_first: bool) {
        if is_first && rest >= ROUNDING {
            self.length = rest;
            return;
        }
        if let Some(window) = &self.window
            && let Some(between) = ends.end.checked_sub(window.ends.end).filter(|between| *between > ROUNDING)
        {
            self.length = self.length.min(between);
        }
        self.length = self.length.max(rest);
    }

    /// A request came to nothing: it may have been counted.
    pub(super) fn lose_one(&mut self) {
        if let Some(window) = &mut self.window {
            window.remaining = window.remaining.saturating_sub(1);
            window.ours += 1;
        }
    }

    pub(super) fn forget(&mut self) {
        self.window = None;
    }

    pub(super) fn known(&self, now: Duration) -> Option<Known> {
        let window = self.window(now)?;
        let resets_in = window.ends.end.saturating_sub(now);
        Some(Known { limit: window.limit, remaining: window.remaining, resets_in })
    }
}

fn others(window: &Window, open: usize) -> u64 {
    window.limit.saturating_sub(window.remaining).saturating_sub(window.ours + open as u64)
}
