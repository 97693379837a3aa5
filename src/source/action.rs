//! What a task decides, for the runner to carry out.

use std::time::Duration;

use jiff::Timestamp;

use crate::okta::page_url::PageUrl;
use crate::source::input::{LearnId, RequestId};
use crate::source::offset::SourceOffset;
use crate::source::record::PageRecords;

/// What to do.
#[derive(Debug, Clone)]
pub enum Action {
    /// Ask this page; one request is open at a time.
    Request {
        /// Given back with the answer.
        request: RequestId,
        /// What to ask.
        url: PageUrl,
    },
    /// Learn what the topic and the dead letter topic hold of this org; a page waits for it, and nothing else is asked.
    Learn {
        /// Given back with the answer.
        id: LearnId,
        /// All that has its `published` then (milliseconds since 1970) or later, as far as it fits; and what has none.
        from: i64,
    },
    /// The topic holds an event with this uuid, and its bytes are others: the first one stays.
    Differs {
        /// Of the event.
        uuid: String,
    },
    /// The topic holds something of this org where the connector begins: what comes again is left out from now on.
    OverOldGround,
    /// What the topic held at the start is behind, after [`OverOldGround`](Self::OverOldGround).
    OldGroundEnds {
        /// Elements that were left out since the start.
        suppressed: usize,
    },
    /// The position was lost, or is another query's: it goes on at a new one, which is on its way to Kafka.
    Recovered {
        /// Why.
        reason: RecoveryReason,
        /// Begin of the new position.
        from: Timestamp,
        /// From and until when events may be missing, since Okta no longer has them.
        hole: Option<(Timestamp, Timestamp)>,
        /// What Okta said, where it was asked.
        said: Option<String>,
        /// For how long it rests before it asks, since it got no further than the last time.
        rest: Option<Duration>,
        /// Whether what the topic holds is left out: not where it is asked for with `--allow-duplicates`.
        suppresses: bool,
    },
    /// The first page of a recovery shows that Okta no longer has all that was asked for.
    Missing {
        /// Events from then on may be missing.
        from: Timestamp,
        /// What Okta keeps begins there.
        until: Timestamp,
    },
    /// Hand a page to the shard, for the next transaction.
    Publish(PageRecords),
    /// Come back with [`Input::Woken`](crate::source::input::Input::Woken) at this monotonic time; replaces an earlier one.
    WakeAt(Duration),
    /// The request is made again after this delay; comes with the [`WakeAt`](Self::WakeAt) that does it.
    Retry {
        /// From now.
        delay: Duration,
    },
    /// What the topic holds can't be learnt for now, and a page waits for it; comes with the [`WakeAt`](Self::WakeAt) that tries
    /// again.
    LearnAgain {
        /// What to do about it.
        message: String,
        /// From now.
        delay: Duration,
    },
    /// Pages are asked for in another size than until now; [`Request`](Self::Request) has it in its URL.
    PageSize {
        /// Events a page.
        limit: u16,
        /// Whether it is less than what is configured, or that again.
        reduced: bool,
    },
    /// Read the credential from its file again before the next request.
    ReloadCredential,
    /// The checkpoint that this run begins at.
    ResumedFrom {
        /// As stored, or as just made.
        offset: SourceOffset,
        /// Whether there was none stored.
        cold: bool,
        /// The topic holds all that Okta had at this time, as far as the checkpoint tells: `published` of its last
        /// event, else the `since` that it began with. A lower bound.
        complete_until: Option<Timestamp>,
    },
    /// The topic holds all that Okta had.
    CaughtUp,
    /// The state changed.
    State(ConnectorState),
    /// A page arrived.
    PageKind(PageKind),
    /// The connector failed; a person has to act.
    Failed {
        /// Ends in the next thing to do.
        message: String,
        /// When it is tried again all the same, from now.
        retry_in: Duration,
    },
}

/// `cursor_recoveries_total{reason}` of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryReason {
    /// Okta refuses the link.
    CursorRefused,
    /// Okta refuses a `since` of over 180 days ago.
    SinceTooOld,
    /// `filter` or `q` is not what the link was made for.
    QueryChanged,
}

impl RecoveryReason {
    /// All reasons, in the order of the contract.
    pub const ALL: [Self; 3] = [Self::CursorRefused, Self::SinceTooOld, Self::QueryChanged];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CursorRefused => "cursor_refused",
            Self::SinceTooOld => "since_too_old",
            Self::QueryChanged => "query_changed",
        }
    }
}

/// `connector_state` of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectorState {
    /// Not yet resumed, or its cold start is not durable yet.
    Starting,
    /// Asking and publishing.
    Running,
    /// Resting for an interval.
    Waiting,
    /// Between two tries after a retriable error.
    Recovering,
    /// Resting until [`FAILED_RETRY`](crate::source::task::FAILED_RETRY) is over: somebody has to act.
    Failed,
}

impl ConnectorState {
    /// All states, in the order of the contract.
    pub const ALL: [Self; 5] = [Self::Starting, Self::Running, Self::Waiting, Self::Recovering, Self::Failed];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Recovering => "recovering",
            Self::Failed => "failed",
        }
    }
}

/// `pages_total{kind}` of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// As many events as the URL's `limit`: there may be more.
    Full,
    /// Fewer.
    Short,
    /// None.
    Empty,
}

impl PageKind {
    /// All kinds, in the order of the contract.
    pub const ALL: [Self; 3] = [Self::Full, Self::Short, Self::Empty];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Short => "short",
            Self::Empty => "empty",
        }
    }
}
