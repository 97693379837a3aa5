//! What a task is told: answers, commits and times.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::okta::page_url::{PageUrl, PageUrlError};
use crate::source::action::RecoveryReason;
use crate::source::known::{Identity, Known};
use crate::source::offset::SourceOffset;
use crate::source::record::{Element, Sequence};

/// The time of one step, given from outside: the task has no clock and no dice.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Since any fixed moment: intervals and delays are measured on it, so that a jump of the wall clock breaks none.
    pub monotonic: Duration,
    /// Wall clock, for what is shown.
    pub wall: Timestamp,
    /// From 0 to 1, drawn anew for each step: spreads the retries of many connectors.
    pub jitter: f64,
}

/// Number of a request: an answer to any but the open one is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(pub(super) u64);

/// Number of a question for what the topic holds: an answer to any but the open one is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LearnId(pub(super) u64);

/// What stands at the end of the topic and of the dead letter topic when a task begins.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    /// The newest elements of this connector, oldest first; more of them are of no use than
    /// [`RECENT_EVENTS`](crate::source::recent::RECENT_EVENTS).
    pub own: Vec<Identity>,
    /// Those of the same org that other connectors wrote: under an earlier name, or beside it (`allow_overlap`).
    pub others: Vec<Identity>,
}

impl Tail {
    /// Whether somebody put the offset there: this connector's own elements stand here, and the offset's last one is not among what
    /// the org has here.
    pub fn contradicts(&self, offset: &SourceOffset) -> bool {
        let Some(uuid) = offset.uuid.as_deref() else { return false };
        let last = Identity::of(uuid.as_bytes());
        !self.own.is_empty() && !self.own.contains(&last) && !self.others.contains(&last)
    }
}

/// The page that Okta gave.
#[derive(Debug, Clone)]
pub struct PageAnswer {
    /// Elements of the array, converted, in order.
    pub elements: Vec<Element>,
    /// The `next` link, checked (I3).
    pub next: Option<Result<PageUrl, PageUrlError>>,
    /// What it holds in memory: the body, and the values that were made of it.
    pub bytes: usize,
    /// The answer's `Date`: the org's clock.
    pub date: Option<Timestamp>,
}

/// Why a request gave no page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Worth another try: after `wait` where the server named one, else with growing delays.
    Retriable {
        /// As the server said, on its own clock.
        wait: Option<Duration>,
    },
    /// Okta, something before it, or we gave up waiting for the page: the second in a row is asked for in smaller pages
    /// (I8).
    TimedOut,
    /// The page is over the size cap: it is asked for in smaller pages (I8).
    TooLarge {
        /// What it is and what the cap is.
        problem: String,
        /// The page's own `next` link, where it has one that I3 allows: what comes behind it.
        next: Option<String>,
    },
    /// The credential was refused: it is read again once before the connector fails.
    Unauthorized {
        /// What to do about it.
        message: String,
    },
    /// Okta no longer knows the position that was asked for.
    LostCursor(LostPosition),
    /// No use in asking again soon.
    Fatal {
        /// What to do about it.
        message: String,
    },
}

/// A position that can't be gone on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostPosition {
    /// What is wrong with it.
    pub reason: RecoveryReason,
    /// What to do about it, where there is to be no recovery.
    pub message: String,
    /// What Okta said, where it was Okta.
    pub said: Option<String>,
    /// The answer's `Date`.
    pub date: Option<Timestamp>,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// The shard is ours and its offsets were read to the end (I4).
    Started {
        /// What the offsets topic holds for this connector; an error where it can't be read.
        stored: Result<Option<SourceOffset>, String>,
        /// What stands at the end of its topics.
        tail: Tail,
    },
    /// The open request was answered with a page.
    Page {
        /// Which request.
        request: RequestId,
        /// Its answer.
        page: PageAnswer,
    },
    /// The open request was answered otherwise, or not at all.
    Refused {
        /// Which request.
        request: RequestId,
        /// How.
        refusal: Refusal,
    },
    /// The answer to [`Action::Learn`](crate::source::action::Action::Learn).
    Learned {
        /// Which question.
        id: LearnId,
        /// It covers the time that was asked for, and what comes behind it as far as it fits.
        known: Arc<Known>,
    },
    /// It can't be learnt.
    NotLearned {
        /// Which question.
        id: LearnId,
        /// What to do about it.
        message: String,
        /// Whether it may pass by itself.
        retriable: bool,
    },
    /// All pages up to this one are in a confirmed commit.
    Committed {
        /// The last of them.
        through: Sequence,
    },
    /// Kafka refuses this connector's records: all its pages of that generation were dropped, nothing moved.
    PublishRefused {
        /// Generation of the dropped pages.
        generation: u32,
        /// What to do about it.
        message: String,
    },
    /// A page came, and its clock shows that the cold start's `since` was too late: the page is dropped, and it begins
    /// anew, as durable as before (I7).
    BeganTooLate {
        /// Where it begins.
        since: Timestamp,
    },
    /// The topics changed, after Kafka had refused records: it may take them now.
    TopicsChanged,
    /// The credential's files changed, after the connector had failed: it may be let in now.
    CredentialChanged,
    /// A wake-up time is reached.
    Woken,
}
