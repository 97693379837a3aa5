//! Keeps one org's rate limit with one credential: who may ask now, and who waits until when.
//!
//! Pure: times are handed in as monotonic time since any fixed moment, and no clock of ours is compared with a server's.
//! The rules, of which `window`, `pace` and `crowd` have one each (`standing` says of what kind a connector is):
//!
//! | what is known | what may be asked |
//! |---|---|
//! | nothing yet, or the window that was known is over | one request, whose answer tells; the others wait for it |
//! | limit, remaining and reset | what the pace allows ([`Kind`]): the allowance is spread over the window |
//! | that answers come without limits | everything |
//! | a 429 of the window | nothing until its reset + 1 s, and jitter |
//! | a 429 about concurrency (limit 0) | nothing for a moment that doubles, then half as many at once as before |
//!
//! Processes share nothing but what Okta's headers say, so the pace counts what *all* clients used (limit - remaining)
//! and leaves a part of the limit untouched (docs/adr/0036).

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use self::crowd::Crowd;
use self::pace::Pace;
pub use self::pace::{bulk_allowed, polls_allowed};
use self::window::Bucket;
use super::rate_limit::{MARGIN, RateLimit};

mod crowd;
mod pace;
pub mod standing;
#[cfg(test)]
mod tests;
mod window;

/// How long a request that is to tell the limits may take before the next one is let go beside it: three times what one
/// takes, and so much at the least and at the most.
const PROBE_PATIENCE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));
/// A request without an answer is over by then: longer than the client waits for a token and for the page after it, each
/// of which may be asked for again.
const LOST: Duration = Duration::from_secs(300);
/// How long somebody who could go holds up those behind him, where he does not come and go.
const GRACE: Duration = Duration::from_millis(250);
/// The shortest wait, so that nobody comes back at the same moment.
const SHORTEST: Duration = Duration::from_millis(1);

/// What a request is for. Those above go first, and deeper into the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A poll of a connector that is caught up; also of one that catches up and got nothing for long ([`standing`]).
    Live,
    /// A connector that catches up.
    Backlog,
    /// Another process than `run`: lives on what `run` leaves.
    Bulk,
}

/// Who wants to ask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ask {
    /// What for.
    pub kind: Kind,
    /// `rate_limit_share`: more than 0, at most 1.
    pub share: f64,
    /// `rate_limit_bulk_reserve`, for [`Kind::Bulk`]: 0 to 1.
    pub bulk_reserve: f64,
}

/// How many requests of a window a share allows: at least one, or nothing would ever be asked.
pub fn allowed(limit: u64, share: f64) -> u64 {
    // 0.7 * 10 is a little less than 7.
    ((limit as f64 * share + 1e-6).floor() as u64).clamp(1, limit.max(1))
}

/// Someone in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiter {
    kind: Kind,
    number: u64,
}

/// A request that was let go. To be given back, with its answer or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What a waiter is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Ask now; the waiter has left the queue.
    Go(Ticket),
    /// Come again at this time, or when something has changed: an answer, or somebody before him who went or gave up.
    Wait {
        /// Monotonic; none where only a change can help.
        until: Option<Duration>,
    },
}

/// What an answer tells the limiter, whatever its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// What its headers say.
    pub rate_limit: Option<RateLimit>,
    /// The server's own clock.
    pub server_date: Option<Timestamp>,
}

/// What is known at a moment, to be told to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Requests of a window.
    pub limit: u64,
    /// Requests left in it, as last shown.
    pub remaining: u64,
    /// Until it is over.
    pub resets_in: Duration,
}

#[derive(Debug)]
struct Waiting {
    ask: Ask,
    /// Since when he could go and did not come.
    ready_since: Option<Duration>,
}

/// The limiter of one org and credential.
#[derive(Debug, Default)]
pub struct Limiter {
    bucket: Bucket,
    crowd: Crowd,
    waiting: BTreeMap<Waiter, Waiting>,
    /// When each open request was let go.
    open: BTreeMap<Ticket, Duration>,
    numbers: u64,
    /// Nobody asks before.
    held_until: Duration,
    /// The last answers came without limits.
    unlimited: bool,
    /// Of all that `run` asked with.
    largest_share: f64,
    /// How long a request takes that is not slow; none before the first answer.
    latency: Option<Duration>,
}

impl Limiter {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a place in the queue: behind those of the same kind, before those of a later one.
    pub fn join(&mut self, ask: Ask) -> Waiter {
        let waiter = Waiter { kind: ask.kind, number: self.number() };
        if ask.kind != Kind::Bulk {
            self.largest_share = self.largest_share.max(ask.share);
        }
        let _ = self.waiting.insert(waiter, Waiting { ask, ready_since: None });
        waiter
    }

    /// Gives up the place. Whoever waits behind is to look again.
    pub fn leave(&mut self, waiter: Waiter) {
        let _ = self.waiting.remove(&waiter);
    }

    /// Whether this one may ask now.
    pub fn turn(&mut self, waiter: Waiter, now: Duration) -> Turn {
        self.forget_lost(now);
        let Some(ask) = self.waiting.get(&waiter).map(|waiting| waiting.ask) else {
            return Turn::Wait { until: None };
        };
        if let Err(until) = self.may(ask, now) {
            if let Some(waiting) = self.waiting.get_mut(&waiter) {
                waiting.ready_since = None;
            }
            return Turn::Wait { until: until.map(|until| until.max(now + SHORTEST)) };
        }
        if let Some(until) = self.somebody_before(waiter, now) {
            return Turn::Wait { until: Some(until.max(now + SHORTEST)) };
        }
        let _ = self.waiting.remove(&waiter);
        let ticket = Ticket(self.number());
        let _ = self.open.insert(ticket, now);
        Turn::Go(ticket)
    }

    /// Until when somebody before this one, who could go now, is waited for.
    fn somebody_before(&mut self, waiter: Waiter, now: Duration) -> Option<Duration> {
        let before: Vec<(Waiter, Ask)> =
            self.waiting.range(..waiter).map(|(before, waiting)| (*before, waiting.ask)).collect();
        for (before, ask) in before {
            if self.may(ask, now).is_err() {
                continue;
            }
            let waiting = self.waiting.get_mut(&before)?;
            let until = *waiting.ready_since.get_or_insert(now) + GRACE;
            if now < until {
                return Some(until);
            }
        }
        None
    }

    /// An answer came. `jitter`, from 0 to 1, is drawn for each.
    pub fn answered(&mut self, ticket: Ticket, answer: Answer, now: Duration, jitter: f64) {
        let sent = self.open.remove(&ticket).unwrap_or(now);
        let Answer { status, rate_limit, server_date } = answer;
        self.took(now.saturating_sub(sent));
        match (status, rate_limit) {
            (429, limit) if limit.is_none_or(|limit| limit.is_concurrency()) => {
                if let Some(wait) = self.crowd.refused(self.open.len(), sent, now, jitter) {
                    self.hold(now + wait);
                }
            }
            (_, Some(limit)) if limit.is_concurrency() => {}
            (_, Some(limit)) => {
                self.unlimited = false;
                let mut rest = self.bucket.rest(limit, server_date, now);
                if status == 429 {
                    // Where `Date` or `reset` is wrong, nobody stands still for longer than a window.
                    rest = rest.min(self.bucket.length());
                }
                self.bucket.learn(limit, rest, sent..now, self.open.len());
                if status == 429 {
                    self.hold(now + rest + MARGIN + MARGIN.mul_f64(jitter));
                } else {
                    self.crowd.answered(sent, now);
                }
            }
            (200, None) => {
                self.unlimited = true;
                self.bucket.forget();
                self.crowd.answered(sent, now);
            }
            // What stands before the org may answer so: it tells nothing.
            (_, None) => self.bucket.lose_one(),
        }
    }

    /// No answer came, and it is not known whether the org counted the request.
    pub fn unanswered(&mut self, ticket: Ticket) {
        if self.open.remove(&ticket).is_some() {
            self.bucket.lose_one();
        }
    }

    /// The request was not sent at all.
    pub fn unused(&mut self, ticket: Ticket) {
        let _ = self.open.remove(&ticket);
    }

    /// What is known of this window.
    pub fn known(&self, now: Duration) -> Option<Known> {
        self.bucket.known(now)
    }

    /// Whether it may be asked now; else when it is worth to look again.
    fn may(&self, ask: Ask, now: Duration) -> Result<(), Option<Duration>> {
        if now < self.held_until {
            return Err(Some(self.held_until));
        }
        if self.crowd.is_full(self.open.len()) {
            // By then the oldest is given up, where nobody gives it back.
            return Err(self.open.values().next().map(|oldest| *oldest + LOST));
        }
        if self.unlimited {
            return Ok(());
        }
        let Some(window) = self.bucket.window(now) else {
            return match self.probe() {
                Some(sent) if now < sent + self.probe_patience() => Err(Some(sent + self.probe_patience())),
                _ => Ok(()),
            };
        };
        let pace = Pace::new(ask, self.largest_share, window.limit);
        let used = window.used() + self.open.len() as u64;
        let others = window.others_since(now);
        let (elapsed, length) = (window.elapsed(now), window.length);
        // Who counts in what others may have asked meanwhile stays behind those who do not: polls go by what is known,
        // and of two who catch up, none by the other's pace, or the first one would get it all.
        let counted = match ask.kind {
            Kind::Live => used,
            Kind::Backlog if used + others >= pace.own => return Err(Some(window.over())),
            Kind::Backlog => used,
            Kind::Bulk => used + others,
        };
        if counted < pace.allowed(elapsed, length) {
            return Ok(());
        }
        let at = pace.time_of(counted + 1, length).map(|elapsed| window.at(elapsed));
        Err(Some(at.unwrap_or_else(|| window.over())))
    }

    /// When the last request was sent whose answer will tell the limits.
    fn probe(&self) -> Option<Duration> {
        let sent = self.open.values().next_back().copied()?;
        (sent >= self.bucket.unknown_since()).then_some(sent)
    }

    /// Slow requests of one connector are not what the polls of all others wait for in each window.
    fn probe_patience(&self) -> Duration {
        let (least, most) = PROBE_PATIENCE;
        self.latency.map_or(most, |latency| (latency * 3).clamp(least, most))
    }

    /// Follows the quick ones at once, and slower ones by and by.
    fn took(&mut self, latency: Duration) {
        let quick = self.latency.unwrap_or(latency);
        self.latency = Some(latency.min(quick) + latency.saturating_sub(quick) / 8);
    }

    fn hold(&mut self, until: Duration) {
        self.held_until = self.held_until.max(until);
    }

    /// Requests whose asker is stuck: they hold nobody up for ever.
    fn forget_lost(&mut self, now: Duration) {
        while let Some(oldest) = self.open.first_entry()
            && *oldest.get() + LOST <= now
        {
            let _ = oldest.remove();
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}
