//! The state machine of one connector: cold and warm start, full, short and empty pages, interval, asking ahead.
//!
//! The rules are those of the guide's pseudocode ("Ongoing Polling"), with asking ahead and group commit on top:
//!
//! | a page of the URL asked | published | asked next |
//! |---|---|---|
//! | as many events as its `limit`, with a `next` link | yes | the `next` link, at once |
//! | fewer, with a `next` link | yes | the `next` link, one interval later |
//! | none | nothing | the same URL, one interval later |
//! | some, without a `next` link, or with one that I3 forbids | no (I8) | the connector fails, and asks again later |
//!
//! A page that does not get through is asked for in smaller ones (I8): `page_size` has the rules. Before a page is published,
//! `old_ground` says whether it has to be learnt first what the topic holds (ADR 0061). A position that is lost, or of
//! another query, is replaced (ADR 0062): its rules are in `task::positions`, and docs/start-up.md has all cases.

use std::collections::VecDeque;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use jiff::Timestamp;

use crate::config::{OnLostCursor, OnQueryChange};
use crate::okta::origin::Origin;
use crate::okta::page_url::PageUrl;
use crate::okta::query::SystemLogQuery;
use crate::source::action::{Action, ConnectorState, PageKind};
use crate::source::arrival::Arrival;
use crate::source::input::{Input, LearnId, Now, PageAnswer, Refusal, RequestId};
use crate::source::offset::SourceOffset;
use crate::source::old_ground::OldGround;
use crate::source::page_size::{Change, PageSize, Smallest};
use crate::source::recent::Recent;
use crate::source::record::{PageRecords, Sequence};
use crate::source::recovery;

mod judging;
mod positions;

/// How long a failed connector rests before it is tried again.
pub const FAILED_RETRY: Duration = Duration::from_secs(300);
/// First delay after a retriable error; doubles up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(500);
/// Longest delay between two tries of a retriable error that names no wait of its own.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// What a task needs to know of its connector.
#[derive(Debug, Clone)]
pub struct TaskSettings {
    /// The org; links to anywhere else are refused (I3).
    pub org: Origin,
    /// Filter, keywords and page size.
    pub query: SystemLogQuery,
    /// Rest between a short page and the next request.
    pub interval: Duration,
    /// Where a cold start begins, resolved.
    pub since: Timestamp,
    /// How far before the last published event a recovery begins.
    pub recovery_overlap: Duration,
    /// What follows where Okta no longer knows the position.
    pub on_lost_cursor: OnLostCursor,
    /// What follows where the stored position is another query's.
    pub on_query_change: OnQueryChange,
    /// Pages that may be asked for ahead of the commit.
    pub ahead_pages: usize,
    /// Bytes of page bodies that may be held ahead of the commit.
    pub ahead_bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// Before [`Input::Started`].
    New,
    /// A new position is on its way: nothing is asked before it is durable (I7), and before `rest` is over.
    MakingDurable { rest: Option<Duration> },
    /// A request is open.
    Asking(RequestId),
    /// A page waits for what the topic holds.
    Learning(LearnId),
    /// As much is collected as may be: the next commit makes room.
    Full,
    /// Resting until a monotonic time; what for is in the state.
    Resting { until: Duration },
}

/// A page that was handed over and is not yet known to be committed.
#[derive(Debug)]
struct Collected {
    sequence: Sequence,
    offset: SourceOffset,
    bytes: usize,
}

/// One connector's task.
#[derive(Debug)]
pub struct Task {
    settings: TaskSettings,
    phase: Phase,
    state: ConnectorState,
    /// I2: moves only on a confirmed commit.
    committed: Option<SourceOffset>,
    /// Next URL to ask: ahead of `committed` by what is collected; none before a start and after a roll-back.
    head: Option<PageUrl>,
    /// The URL of the open request: the head, with a smaller or the configured `limit` (I3, I8).
    asked: Option<PageUrl>,
    page_size: PageSize,
    collected: VecDeque<Collected>,
    last: Sequence,
    requests: u64,
    questions: u64,
    retries: Option<ExponentialBackoff>,
    /// The credential was read again after a 401, and no page came since.
    reloaded: bool,
    /// The last page said that there is no more: the topic is complete as soon as nothing is collected.
    drained: bool,
    /// The elements of the last pages.
    recent: Recent,
    /// Somebody put the stored offset there, as the end of the topic shows.
    is_foreign: bool,
    /// As long as pages may have what the topic holds.
    old_ground: Option<OldGround>,
    /// A page that waits until that is known.
    waiting: Option<Arrival>,
    /// The least age of a short page's youngest event, since the last full page, start or recovery.
    lag: Option<Duration>,
    /// The position was lost, and no page came since.
    recovered: bool,
    /// How far this connector had got when it recovered last.
    recovered_from: Option<Timestamp>,
    /// What the offsets topic held when the shard became ours.
    stored: Result<Option<SourceOffset>, String>,
}

impl Task {
    /// A task that waits for [`Input::Started`].
    pub fn new(settings: TaskSettings) -> Self {
        Self {
            page_size: PageSize::new(settings.query.limit),
            settings,
            phase: Phase::New,
            state: ConnectorState::Starting,
            committed: None,
            head: None,
            asked: None,
            collected: VecDeque::new(),
            last: Sequence::default(),
            requests: 0,
            questions: 0,
            retries: None,
            reloaded: false,
            drained: false,
            recent: Recent::default(),
            is_foreign: false,
            old_ground: None,
            waiting: None,
            lag: None,
            recovered: false,
            recovered_from: None,
            stored: Ok(None),
        }
    }

    /// The source offset of the last confirmed commit (I2).
    pub fn committed(&self) -> Option<&SourceOffset> {
        self.committed.as_ref()
    }

    /// Whether the answer to this request is still of use: not after a roll-back.
    pub fn awaits(&self, request: RequestId) -> bool {
        self.phase == Phase::Asking(request)
    }

    /// Whether the answer to this question is still of use: not after a roll-back.
    pub fn awaits_learning(&self, id: LearnId) -> bool {
        self.phase == Phase::Learning(id)
    }

    /// One step: takes what happened, gives what to do, in order.
    pub fn on(&mut self, input: Input, now: &Now) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Started { stored, tail } => {
                // Asked for with `--allow-duplicates`: what stands at the end of the topic may come again.
                if !matches!(&stored, Ok(Some(stored)) if stored.allow_duplicates) {
                    self.recent = Recent::seeded(&tail.own);
                    self.is_foreign = matches!(&stored, Ok(Some(stored)) if tail.contradicts(stored));
                }
                self.stored = stored;
                self.start(now, &mut actions);
            }
            Input::Page { request, page } if self.awaits(request) => {
                self.on_page(page, now, &mut actions);
            }
            Input::Refused { request, refusal } if self.awaits(request) => {
                self.on_refusal(refusal, now, &mut actions);
            }
            // The answer to a request of before a roll-back.
            Input::Page { .. } | Input::Refused { .. } => {}
            Input::Learned { id, known } if self.awaits_learning(id) => self.on_learned(known, now, &mut actions),
            Input::NotLearned { id, message, retriable } if self.awaits_learning(id) => {
                self.on_not_learned(message, retriable, now, &mut actions);
            }
            Input::Learned { .. } | Input::NotLearned { .. } => {}
            Input::Committed { through } => self.on_committed(through, now, &mut actions),
            Input::PublishRefused { generation, message } => {
                if generation == self.last.generation {
                    self.roll_back();
                    self.fail(message, now, &mut actions);
                }
            }
            Input::BeganTooLate { since } => {
                self.settings.since = since;
                self.roll_back();
                self.committed = None;
                self.stored = Ok(None);
                self.start(now, &mut actions);
            }
            Input::TopicsChanged | Input::CredentialChanged => {
                if self.state == ConnectorState::Failed && matches!(self.phase, Phase::Resting { .. }) {
                    self.go_on(now, &mut actions);
                }
            }
            Input::Woken => self.on_woken(now, &mut actions),
        }
        actions
    }

    fn on_page(&mut self, page: PageAnswer, now: &Now, actions: &mut Vec<Action>) {
        let Some(asked) = self.asked.take() else { return };
        let count = page.elements.len();
        let kind = match count {
            0 => PageKind::Empty,
            _ if count < asked.limit() => PageKind::Short,
            _ => PageKind::Full,
        };
        let next = match &page.next {
            Some(Ok(next)) => Some(next.clone()),
            None if kind == PageKind::Empty => None,
            None => {
                let message = format!(
                    "the org answered a page of {count} events without a `next` link, which a polling request always has; nothing was published: look at what answers for `{}`",
                    self.settings.org
                );
                return self.fail(message, now, actions);
            }
            Some(Err(error)) => {
                let message = format!(
                    "the page's `next` link is refused: {error}; nothing was published: look at what answers for `{}`",
                    self.settings.org
                );
                return self.fail(message, now, actions);
            }
        };
        self.retries = None;
        self.reloaded = false;
        self.recovered = false;
        let used = next.as_ref().filter(|_| kind != PageKind::Empty);
        actions.extend(self.page_size.on_page(&asked, used, kind == PageKind::Full).and_then(page_size));
        actions.push(Action::PageKind(kind));
        let is_in_backlog = self.is_in_backlog(kind, &page);
        let Some(next) = next.filter(|_| kind != PageKind::Empty) else {
            self.settle(actions);
            return self.pause(now, actions);
        };
        if let Some(old_ground) = &mut self.old_ground {
            old_ground.hear(page.date);
        }
        let before = self.before();
        let hole = page.date.zip(before).and_then(|(date, before)| recovery::hole_before(before, &asked, date));
        let mut arrival = Arrival::new(page, next, kind, asked.since(), now.wall);
        arrival.is_in_backlog = is_in_backlog;
        arrival.hole = hole;
        self.take_in(arrival, now, actions);
    }

    /// The offset that the next page is asked from.
    fn before(&self) -> Option<&SourceOffset> {
        self.collected.back().map(|last| &last.offset).or(self.committed.as_ref())
    }

    /// Okta has no more for now.
    fn pause(&mut self, now: &Now, actions: &mut Vec<Action>) {
        self.drained = true;
        self.rest(self.settings.interval, ConnectorState::Waiting, now, actions);
        if self.collected.is_empty() {
            actions.push(Action::CaughtUp);
        }
    }

    fn on_refusal(&mut self, refusal: Refusal, now: &Now, actions: &mut Vec<Action>) {
        let asked = self.asked.take();
        match refusal {
            Refusal::Retriable { wait } => self.retry(wait, now, actions),
            Refusal::TimedOut => {
                let change = asked.and_then(|asked| self.page_size.on_timeout(&asked));
                self.retry_smaller(change, now, actions);
            }
            Refusal::TooLarge { problem, next } => match asked.map(|asked| self.page_size.on_too_large(&asked)) {
                Some(Err(Smallest)) => self.fail(single_event(&problem, next.as_deref()), now, actions),
                halved => self.retry_smaller(halved.and_then(Result::ok), now, actions),
            },
            Refusal::Unauthorized { .. } if !self.reloaded => {
                self.reloaded = true;
                actions.push(Action::ReloadCredential);
                self.ask(actions);
            }
            Refusal::LostCursor(lost) => self.on_lost(lost, now, actions),
            Refusal::Unauthorized { message } | Refusal::Fatal { message } => self.fail(message, now, actions),
        }
    }

    fn retry(&mut self, wait: Option<Duration>, now: &Now, actions: &mut Vec<Action>) {
        let backoff = self.next_delay().mul_f64(0.5 + now.jitter / 2.0);
        let delay = match wait {
            // Never before the server's time, not all connectors at the same moment after it, and ever later where a
            // server goes on refusing after its own time.
            Some(wait) => wait.max(backoff) + Duration::from_secs_f64(now.jitter),
            None => backoff,
        };
        actions.push(Action::Retry { delay });
        self.rest(delay, ConnectorState::Recovering, now, actions);
    }

    fn retry_smaller(&mut self, change: Option<Change>, now: &Now, actions: &mut Vec<Action>) {
        if let Some(change) = change {
            // A smaller page is another question: no need to wait longer for it each time.
            self.retries = None;
            actions.extend(page_size(change));
        }
        self.retry(None, now, actions);
    }

    fn on_committed(&mut self, through: Sequence, now: &Now, actions: &mut Vec<Action>) {
        if through.generation != self.last.generation {
            return;
        }
        while self.collected.front().is_some_and(|page| page.sequence <= through) {
            self.committed = self.collected.pop_front().map(|page| page.offset);
        }
        self.recent.commit(through);
        match self.phase {
            // I7: what is made durable is the last of what is collected.
            Phase::MakingDurable { .. } if !self.collected.is_empty() => {}
            Phase::MakingDurable { rest: Some(rest) } => self.rest(rest, ConnectorState::Recovering, now, actions),
            Phase::MakingDurable { rest: None } | Phase::Full => self.ask(actions),
            _ if self.drained && self.collected.is_empty() => actions.push(Action::CaughtUp),
            _ => {}
        }
    }

    fn on_woken(&mut self, now: &Now, actions: &mut Vec<Action>) {
        let Phase::Resting { until } = self.phase else { return };
        if now.monotonic < until {
            actions.push(Action::WakeAt(until));
            return;
        }
        self.go_on(now, actions);
    }

    /// The end of a rest.
    fn go_on(&mut self, now: &Now, actions: &mut Vec<Action>) {
        if self.state == ConnectorState::Failed {
            self.reloaded = false;
            actions.push(Action::ReloadCredential);
        }
        if self.waiting.is_some() {
            self.learn(actions);
        } else if self.head.is_some() {
            self.ask(actions);
        } else {
            self.start(now, actions);
        }
    }

    /// Asks the head, or waits for room.
    fn ask(&mut self, actions: &mut Vec<Action>) {
        let Some(url) = self.head.as_ref().map(|head| self.page_size.url(head)) else { return };
        let bytes: usize = self.collected.iter().map(|page| page.bytes).sum();
        let full = self.collected.len() >= self.settings.ahead_pages || bytes >= self.settings.ahead_bytes;
        // Alone, a page larger than the bound still has to pass.
        if full && !self.collected.is_empty() {
            self.phase = Phase::Full;
            return;
        }
        self.requests += 1;
        let request = RequestId(self.requests);
        self.phase = Phase::Asking(request);
        self.set_state(ConnectorState::Running, actions);
        self.asked = Some(url.clone());
        actions.push(Action::Request { request, url });
    }

    fn collect(&mut self, records: PageRecords, actions: &mut Vec<Action>) {
        self.collected.push_back(Collected {
            sequence: records.sequence,
            offset: records.offset.clone(),
            bytes: records.bytes,
        });
        actions.push(Action::Publish(records));
    }

    /// Gives up all that is not committed (I2): the next request is the committed one.
    fn roll_back(&mut self) {
        self.collected.clear();
        self.last.generation += 1;
        self.drained = false;
        self.head = None;
        self.recent.roll_back();
        self.waiting = None;
        self.old_ground = None;
        self.recovered = false;
    }

    fn rest(&mut self, delay: Duration, state: ConnectorState, now: &Now, actions: &mut Vec<Action>) {
        let until = now.monotonic + delay;
        self.phase = Phase::Resting { until };
        self.set_state(state, actions);
        actions.push(Action::WakeAt(until));
    }

    fn fail(&mut self, message: String, now: &Now, actions: &mut Vec<Action>) {
        self.retries = None;
        let retry_in = FAILED_RETRY.mul_f64(1.0 + now.jitter / 10.0);
        actions.push(Action::Failed { message, retry_in });
        self.rest(retry_in, ConnectorState::Failed, now, actions);
    }

    fn set_state(&mut self, state: ConnectorState, actions: &mut Vec<Action>) {
        if self.state != state {
            self.state = state;
            actions.push(Action::State(state));
        }
    }

    fn next_sequence(&mut self) -> Sequence {
        self.last.number += 1;
        self.last
    }

    fn next_delay(&mut self) -> Duration {
        let build = || {
            ExponentialBuilder::new().with_min_delay(RETRY_MIN).with_max_delay(RETRY_MAX).without_max_times().build()
        };
        self.retries.get_or_insert_with(build).next().unwrap_or(RETRY_MAX)
    }
}

/// What is said of a change; of a page that becomes smaller still, its retry says enough.
fn page_size(change: Change) -> Option<Action> {
    match change {
        Change::Reduced(limit) => Some(Action::PageSize { limit, reduced: true }),
        Change::Smaller => None,
        Change::Restored(limit) => Some(Action::PageSize { limit, reduced: false }),
    }
}

fn single_event(problem: &str, next: Option<&str>) -> String {
    let next = next.map_or_else(|| "the `next` link of that answer".to_owned(), |next| format!("`{next}`"));
    format!(
        "{problem}, and it is one event alone, which can't be asked for in smaller parts; nothing was published and the \
         checkpoint has not moved: look at the event with `curl`, and to go on without it, set the checkpoint behind it \
         with `offsets alter` and the checkpoint URL {next}"
    )
}
