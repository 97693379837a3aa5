//! Carries out what a connector's task decides: Action → IO → Input.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::await_topics;
use super::changed_org::AllOffsets;
use super::cold_start::{ColdStart, Correction};
use super::progress::Progress;
use super::publish::OwnedPage;
use super::report::ConnectorStatus;
use super::shard::ShardInput;
use super::stagger::Stagger;
use super::topic_knowledge::TopicKnowledge;
use super::topic_limits::TopicLimits;
use super::turns::Turns;
use super::values::Values;
use crate::clock::{self, Clock};
use crate::config::ConnectorConfig;
use crate::kafka::topics::Topics;
use crate::metrics::ConnectorMetrics;
use crate::okta::auth::credential::Credential;
use crate::okta::client::{Client, Outcome};
use crate::okta::error::{RetryReason, told_request_id};
use crate::okta::page_url::PageUrl;
use crate::okta::query::SystemLogQuery;
use crate::source::action::{Action, ConnectorState};
use crate::source::input::{Input, LearnId, PageAnswer, RequestId};
use crate::source::offset::SourceOffset;
use crate::source::record::{Element, Sequence};
use crate::source::task::{Task, TaskSettings};
use crate::telemetry;

/// Pages that a connector may ask for ahead of the commit.
const AHEAD_PAGES: usize = 40;
/// Bytes that a connector may hold ahead of the commit: forty pages of a hundred events are 6 MB as JSON.
const AHEAD_BYTES: usize = 8 * 1024 * 1024;
/// Between two looks at the files of a failed connector's credential.
const CREDENTIAL_LOOK: Duration = Duration::from_secs(15);

/// What the shard tells a runner.
#[derive(Debug)]
pub enum FromShard {
    /// A confirmed commit holds all pages up to this one.
    Committed(Sequence),
    /// Kafka refuses this connector's records: pages of this generation were dropped.
    PublishRefused {
        /// Generation of the pages.
        generation: u32,
        /// What to do about it.
        message: String,
    },
}

/// One connector, for as long as its shard is ours.
pub struct Runner {
    /// Its configuration.
    pub connector: Arc<ConnectorConfig>,
    /// Index within the shard.
    pub owner: usize,
    /// Number of this life of the shard: pages of an earlier one are dropped.
    pub life: u64,
    /// The org.
    pub client: Client,
    /// What lets it in; others may share it.
    pub credential: Credential,
    /// Makes its records' values.
    pub values: Arc<Values>,
    /// When it may ask.
    pub turns: Turns,
    /// Its topics.
    pub topics: Arc<Topics>,
    /// What they hold.
    pub knowledge: TopicKnowledge,
    /// What is stored of all connectors.
    pub all_offsets: Arc<AllOffsets>,
    /// Its series.
    pub metrics: Arc<ConnectorMetrics>,
    /// What the worker's report says of it.
    pub status: Arc<ConnectorStatus>,
    /// Where pages go.
    pub to_shard: mpsc::Sender<ShardInput>,
    /// Where commits come from.
    pub from_shard: UnboundedReceiver<FromShard>,
    /// Ends the runner.
    pub stop: CancellationToken,
    /// What the last refused request met, until it is known when it is made again.
    pub refused: Option<(RetryReason, String)>,
    /// `x-okta-request-id` of the last answer.
    pub okta_request_id: Option<String>,
    /// The advice that was given since the last page: said once, not with every try.
    pub advised: Option<String>,
    /// Before the next request its credential is read again.
    pub reload: bool,
    /// What its topics take.
    pub limits: Arc<TopicLimits>,
    /// Kafka refused its records; nothing is asked before that time.
    pub held: Option<Held>,
    /// The clock of `held` and `stagger`.
    pub clock: Clock,
    /// Its turn to ask first; none when this life has asked.
    pub stagger: Option<Arc<Stagger>>,
    /// Its cold start, until the first page shows the org's clock.
    pub cold: Option<ColdStart>,
    /// What it said of its catching up.
    pub progress: Progress,
}

/// A connector that rests because Kafka refused its records.
#[derive(Debug, Clone)]
pub struct Held {
    /// Monotonic time of the worker's clock.
    pub until: Duration,
    /// What to do about it.
    pub message: String,
    /// Meanwhile.
    pub state: ConnectorState,
}

/// What came of a request.
struct Answered {
    request: RequestId,
    asked: PageUrl,
    outcome: Outcome,
    /// The page's elements, converted; none without a page.
    elements: Vec<Element>,
}

type OpenRequest = Pin<Box<dyn Future<Output = Answered> + Send>>;
/// Gives [`Input::Learned`] or [`Input::NotLearned`].
pub(super) type OpenQuestion = Pin<Box<dyn Future<Output = Input> + Send>>;

impl Runner {
    /// Runs until stopped. `stored` is what the offsets topic holds for the connector, or why that can't be read.
    pub async fn run(mut self, stored: Result<Option<SourceOffset>, String>) {
        let stop = self.stop.clone();
        let _ = stop.run_until_cancelled(self.work(stored)).await;
    }

    async fn work(&mut self, stored: Result<Option<SourceOffset>, String>) {
        let cold = matches!(stored, Ok(None));
        self.show_lower_bound(&stored);
        self.rest_held().await;
        if cold {
            self.await_org().await;
        }
        self.await_topics(cold).await;
        let clock = Clock::new();
        let wall = clock::wall();
        self.cold = cold.then(|| ColdStart { wall, monotonic: self.clock.elapsed() });
        let mut task = Task::new(self.settings(wall));
        let mut open: Option<(RequestId, OpenRequest)> = None;
        let mut question: Option<(LearnId, OpenQuestion)> = None;
        let mut wake: Option<Duration> = None;
        // Kafka refused our records: whether the topics change, so that it may take them.
        let mut change: Option<Pin<Box<dyn Future<Output = ()> + Send>>> = None;
        // It failed: whether its credential changes, so that it may be let in.
        let mut renewed: Option<Pin<Box<dyn Future<Output = ()> + Send>>> = None;
        let tail = self.await_tail(&stored).await;
        let mut input = Input::Started { stored, tail };
        loop {
            for action in task.on(input, &clock.now()) {
                match action {
                    Action::Request { request, url } => open = Some((request, self.request(request, url))),
                    Action::WakeAt(at) => wake = Some(at),
                    Action::Learn { id, from } => question = Some((id, self.learn(id, from))),
                    other => {
                        if matches!(other, Action::Failed { .. }) && change.is_none() {
                            renewed = Some(Box::pin(self.credential.clone().until_changed(CREDENTIAL_LOOK)));
                        }
                        self.carry_out(other);
                    }
                }
            }
            // Its page would be thrown away, and takes others' turn at the limit.
            open = open.filter(|(request, _)| task.awaits(*request));
            question = question.filter(|(id, _)| task.awaits_learning(*id));
            if open.is_some() {
                // Who asks waits for no topic, and a wait for one would leave the request, with its permit, alone.
                change = None;
                renewed = None;
            }
            input = tokio::select! {
                answered = finished(&mut open) => {
                    open = None;
                    self.answer(answered)
                }
                answer = answered(&mut question) => {
                    question = None;
                    answer
                }
                Some(said) = self.from_shard.recv() => match said {
                    FromShard::Committed(through) => Input::Committed { through },
                    FromShard::PublishRefused { generation, message } => {
                        let watch = await_topics::until_changed(Arc::clone(&self.topics), Arc::clone(&self.connector));
                        change = Some(Box::pin(watch));
                        self.okta_request_id = None;
                        Input::PublishRefused { generation, message }
                    }
                },
                () = reached(&clock, wake) => {
                    wake = None;
                    if change.take().is_some() {
                        self.await_topics(false).await;
                    }
                    Input::Woken
                }
                () = changed(&mut change) => {
                    change = None;
                    self.await_topics(false).await;
                    Input::TopicsChanged
                }
                () = changed(&mut renewed) => {
                    renewed = None;
                    info!(connector = self.connector.name, org = %self.connector.org, "its credential changed: trying again");
                    Input::CredentialChanged
                }
            };
        }
    }

    fn settings(&self, now: Timestamp) -> TaskSettings {
        let connector = &self.connector;
        TaskSettings {
            org: connector.org.clone(),
            query: SystemLogQuery { filter: connector.filter.clone(), q: connector.q.clone(), limit: connector.limit },
            interval: connector.interval,
            since: connector.since.resolve(now),
            recovery_overlap: connector.recovery_overlap,
            on_lost_cursor: connector.on_lost_cursor,
            on_query_change: connector.on_query_change,
            ahead_pages: AHEAD_PAGES,
            ahead_bytes: AHEAD_BYTES,
        }
    }

    /// Never 0, which would read as 1970, and never now: what is known before the task has begun.
    fn show_lower_bound(&self, stored: &Result<Option<SourceOffset>, String>) {
        let stored = stored.as_ref().ok().and_then(Option::as_ref);
        self.metrics.hole(stored.and_then(hole));
        let published = stored.and_then(|stored| stored.published.as_deref()?.parse().ok());
        let begun = || PageUrl::checked(&stored?.checkpoint_url, &self.connector.org).ok()?.since();
        let since = || self.connector.since.resolve(clock::wall());
        let bound: Timestamp = published.or_else(begun).unwrap_or_else(since);
        self.set_caught_up(bound.as_duration().as_secs_f64());
    }

    fn request(&mut self, request: RequestId, url: PageUrl) -> OpenRequest {
        let (stagger, connector, clock) = (self.stagger.take(), Arc::clone(&self.connector), self.clock);
        let client = self.client.clone();
        let credential = self.credential.clone();
        let turn = self.turns.next(&self.connector, &self.metrics, &self.status);
        let reload = std::mem::take(&mut self.reload);
        let values = Arc::clone(&self.values);
        Box::pin(async move {
            let converter = values.ready().await;
            if let Some(stagger) = stagger {
                stagger.turn(&connector.name, clock).await;
            }
            if reload {
                credential.read_again(&connector.org, &connector.name).await;
            }
            let permit = turn.await;
            let mut outcome = client.get(&url, &credential).await;
            permit.answered(&outcome);
            let page = outcome.result.as_mut().map(|page| std::mem::take(&mut page.elements));
            let elements = values.convert(&converter, page.unwrap_or_default()).await;
            Answered { request, asked: url, outcome, elements }
        })
    }

    /// Counts an answer and gives it to the task in its own terms.
    fn answer(&mut self, answered: Answered) -> Input {
        let Answered { request, asked, outcome, elements } = answered;
        let metrics = &self.metrics;
        if outcome.was_sent {
            metrics.request(outcome.status);
            metrics.okta_request_duration.observe(outcome.duration.as_secs_f64());
        }
        if let Some(limit) = outcome.rate_limit {
            metrics.rate_limit_requests.set(i64::try_from(limit.limit).unwrap_or(i64::MAX));
            metrics.rate_limit_remaining.set(i64::try_from(limit.remaining).unwrap_or(i64::MAX));
            metrics.rate_limit_reset.set(limit.reset);
        }
        if let Some(date) = outcome.server_date {
            self.limits.sending_time.learn(date.as_millisecond(), self.clock.elapsed());
        }
        if let Some(left) = self.credential.token_left() {
            metrics.access_token(if left.is_zero() { 0.0 } else { clock::unix_seconds() + left.as_secs_f64() });
        }
        self.okta_request_id = outcome.okta_request_id;
        self.status.set_warning(self.credential.trouble().as_deref());
        match outcome.result {
            Ok(page) => {
                metrics.page_bytes.inc_by(page.body_bytes as u64);
                self.advised = None;
                if let Some(since) = self.corrected_start(outcome.server_date) {
                    return Input::BeganTooLate { since };
                }
                let published = elements.iter().rev().find_map(Element::published);
                self.turns.page_ends(published, outcome.server_date);
                let bytes = page.body_bytes + elements.iter().map(Element::own_bytes).sum::<usize>();
                let page = PageAnswer { elements, next: page.next, bytes, date: outcome.server_date };
                Input::Page { request, page }
            }
            Err(error) => Input::Refused { request, refusal: self.refusal(&error, &asked, outcome.server_date) },
        }
    }

    /// Where a cold start should have begun, as its first page shows.
    fn corrected_start(&mut self, date: Option<Timestamp>) -> Option<Timestamp> {
        let connector = &self.connector;
        let since = match self.cold.take()?.corrected(&connector.since, date?, self.clock.elapsed())? {
            Correction::BeginAt(since) => since,
            Correction::Doubtful { ahead } => {
                warn!(
                    connector = connector.name, org = %connector.org, ahead_hours = ahead.as_hours(),
                    "this machine's clock is days ahead of the org's, and one of them is wrong: beginning at the `since` of this one; synchronise it (NTP), and `offsets reset` where events are missing"
                );
                return None;
            }
        };
        warn!(
            connector = connector.name, org = %connector.org, %since,
            "this machine's clock is ahead of the org's: beginning at the `since` of the org's clock; synchronise it (NTP)"
        );
        Some(since)
    }

    fn carry_out(&mut self, action: Action) {
        let connector = &self.connector;
        match action {
            Action::Retry { delay } => {
                if let Some((reason, problem)) = self.refused.take() {
                    // Who did not answer has refused nothing.
                    let what = match reason {
                        RetryReason::Timeout | RetryReason::Connection => "failed",
                        RetryReason::Http5xx | RetryReason::RateLimit | RetryReason::Concurrency => "refused",
                    };
                    let retry_in = telemetry::shown(delay);
                    let okta_request_id = &self.okta_request_id;
                    warn!(connector = connector.name, org = %connector.org, ?retry_in, okta_request_id, "system log request {what}: {problem}");
                    if matches!(reason, RetryReason::RateLimit | RetryReason::Concurrency) {
                        self.metrics.rate_limit_wait.inc_by(delay.as_secs_f64());
                    }
                }
            }
            Action::Publish(records) => {
                let page = Box::new(OwnedPage { owner: self.owner, records });
                // The shard is gone: then so is this runner in a moment.
                let _ = self.to_shard.send(ShardInput::Page { life: self.life, page });
            }
            Action::PageSize { limit, reduced: true } => {
                let okta_request_id = &self.okta_request_id;
                warn!(connector = connector.name, org = %connector.org, limit, okta_request_id, "a page does not get through: asking for smaller ones");
            }
            Action::PageSize { limit, reduced: false } => {
                info!(connector = connector.name, org = %connector.org, limit, "the page size is back to what is configured");
            }
            Action::ReloadCredential => self.reload = true,
            Action::ResumedFrom { offset, cold, complete_until } => {
                let how = if cold { "starts cold at" } else { "resumed from" };
                info!(connector = connector.name, org = %connector.org, cold, checkpoint = offset.checkpoint_url, "{how}");
                if offset.allow_duplicates {
                    info!(connector = connector.name, org = %connector.org, "what the topic holds already is published again, as `--allow-duplicates` asked");
                }
                self.metrics.hole(hole(&offset));
                if let Some(time) = complete_until {
                    let seconds = time.as_duration().as_secs_f64();
                    if offset.published.is_some() {
                        self.metrics.checkpoint_published.set(seconds);
                    }
                    self.set_caught_up(seconds);
                }
            }
            Action::CaughtUp => {
                self.set_caught_up(clock::unix_seconds());
                // What happens for the first time is told, and no more of it: it is every minute's.
                if self.status.reach_end() {
                    let events = self.metrics.events_committed.get();
                    info!(connector = connector.name, org = %connector.org, events, "caught up");
                }
            }
            Action::State(state) => self.set_state(state),
            Action::PageKind(kind) => {
                self.turns.page(kind, self.connector.interval);
                self.metrics.page(kind);
                let waited = self.metrics.rate_limit_wait.get();
                if let Some(held) = self.progress.page(self.turns.is_behind(), self.clock.elapsed(), waited) {
                    self.tell_progress(held);
                }
            }
            Action::Failed { message, retry_in } => {
                let okta_request_id = self.okta_request_id.take();
                self.status.set_trouble(&(message.clone() + &told_request_id(okta_request_id.as_deref())));
                let retry_in = telemetry::shown(retry_in);
                error!(connector = connector.name, org = %connector.org, ?retry_in, okta_request_id, "connector failed: {message}");
            }
            Action::Differs { uuid } => {
                warn!(connector = connector.name, org = %connector.org, uuid, "the topic holds this event with other bytes: the first one stays");
            }
            Action::OverOldGround => self.tell_old_ground(None),
            Action::OldGroundEnds { suppressed } => self.tell_old_ground(Some(suppressed)),
            Action::Recovered { reason, from, hole, said, rest, suppresses } => {
                self.tell_recovery(reason, from, hole, said.as_deref(), rest, suppresses);
            }
            Action::Missing { from, until } => self.tell_missing(from, until),
            Action::LearnAgain { message, delay } => {
                self.status.set_trouble(&message);
                let retry_in = telemetry::shown(delay);
                warn!(connector = connector.name, org = %connector.org, ?retry_in, "what the topic holds can't be read, and a page waits for it: {message}");
            }
            // Carried out by the loop itself.
            Action::Request { .. } | Action::Learn { .. } | Action::WakeAt(_) => {}
        }
    }

    /// `held` is the part of the last minute that it waited for the rate limit.
    fn tell_progress(&self, held: f64) {
        let (connector, events) = (&self.connector, self.metrics.events_committed.get());
        // Whole seconds of a time that was one.
        let published = Timestamp::from_second(self.metrics.checkpoint_published.get() as i64).ok();
        let published = published.filter(|time| *time > Timestamp::UNIX_EPOCH).map(|time| time.to_string());
        let percent = (held * 100.0).round();
        let why = match percent {
            0.0 => String::new(),
            _ => format!(": the rate limit holds it back {percent} % of the time"),
        };
        info!(connector = connector.name, org = %connector.org, events, published, "catching up{why}");
    }

    pub(super) fn set_state(&self, state: ConnectorState) {
        self.metrics.state(state);
        self.status.set_state(state);
    }

    pub(super) fn set_caught_up(&self, seconds: f64) {
        self.metrics.caught_up.set(seconds);
        self.status.set_caught_up(seconds);
    }
}

/// The hole that a checkpoint notes, in Unix seconds.
fn hole(offset: &SourceOffset) -> Option<(f64, f64)> {
    let seconds =
        |text: &Option<String>| text.as_deref()?.parse::<Timestamp>().ok().map(|time| time.as_duration().as_secs_f64());
    seconds(&offset.missing_from).zip(seconds(&offset.missing_until))
}

/// The answer to the open request; never, where there is none.
async fn finished(open: &mut Option<(RequestId, OpenRequest)>) -> Answered {
    match open {
        Some((_, request)) => request.await,
        None => pending().await,
    }
}

/// The answer to the open question; never, where there is none.
async fn answered(question: &mut Option<(LearnId, OpenQuestion)>) -> Input {
    match question {
        Some((_, answer)) => answer.await,
        None => pending().await,
    }
}

/// The change that is waited for; never, where none is.
async fn changed(change: &mut Option<Pin<Box<dyn Future<Output = ()> + Send>>>) {
    match change {
        Some(change) => change.await,
        None => pending().await,
    }
}

/// The wake-up time; never, where there is none.
async fn reached(clock: &Clock, wake: Option<Duration>) {
    match wake {
        Some(at) => tokio::time::sleep_until(clock.instant(at).into()).await,
        None => pending().await,
    }
}
