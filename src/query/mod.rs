//! An ad hoc query of the System Log, page by page into its sinks.
//!
//! It shares with `run` what asks an org (client, credential, limiter), and nothing else: no group, no offsets topic, no
//! shard. Its requests are [`Kind::Bulk`]: they live on the part of the rate limit that `run` leaves.

pub mod email;
pub mod error;
pub mod output;
pub mod sink;
mod steps;
pub mod topic;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::task::spawn_blocking;

use self::error::QueryError;
use self::sink::{Ended, QueryResult, ResultPage, Sinks};
use self::steps::Steps;
use crate::clock::Clock;
use crate::config::ConnectorConfig;
use crate::okta::ad_hoc::AdHocQuery;
use crate::okta::auth::credential::Credential;
use crate::okta::client::gate::{Gate, Permit};
use crate::okta::client::{Client, ClientOptions, Outcome};
use crate::okta::error::{RequestError, RetryReason, Severity, told_request_id};
use crate::okta::limiter::{Ask, Kind, Known};
use crate::okta::page::{RawElement, SystemLogPage};
use crate::okta::page_url::PageUrl;
use crate::okta::proxy::Network;
use crate::source::page_size::{PageSize, Smallest};
use crate::worker::shutdown::Stop;

/// First and longest rest between two tries, as in `run`.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// A turn at the limit that takes longer is told.
const LONG_WAIT: Duration = Duration::from_secs(1);
/// How much longer than for other failures a query tries on where the rate limit refuses it: windows are a minute long.
const RATE_LIMIT_PATIENCE: u32 = 3;
/// A query has no `interval`, and `limit` is a connector's.
const RATE_LIMIT_ADVICE: &str = "it is asked again when Okta allows it; where that goes on, find out who else uses this limit, \
                                 ask with a greater --limit, for less, or later";
/// How long the sinks may take to end what they are at after a signal.
const LAST_PAGE: Duration = Duration::from_secs(6);

/// What is said while it goes on.
#[derive(Debug)]
pub enum News<'a> {
    /// A request is on its way.
    Asks,
    /// The next request waits for its turn at the rate limit.
    Waits {
        /// What is known of the window.
        known: Option<Known>,
        /// Whether nobody was told before in this query.
        is_first: bool,
    },
    /// A request failed, and is made again.
    Retries {
        /// Why.
        problem: &'a str,
        /// When.
        after: Duration,
    },
    /// A page is where it belongs.
    Page(&'a QueryResult),
}

/// A query, ready to be asked.
pub struct Query {
    connector: String,
    client: Client,
    credential: Credential,
    gate: Arc<Gate>,
    ask: Ask,
    url: PageUrl,
    steps: Steps,
    retry_for: Duration,
    result: QueryResult,
    clock: Clock,
    has_waited: AtomicBool,
}

/// How far a query goes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// `--max-pages`.
    pub max_pages: Option<u64>,
    /// `--max-events`.
    pub max_events: Option<u64>,
    /// How long it is tried without a page.
    pub retry_for: Duration,
}

impl Query {
    /// Asks the org of `connector` with the connector's credential.
    ///
    /// # Errors
    /// There is no HTTPS client.
    pub fn new(
        connector: &ConnectorConfig,
        network: &Network,
        request: AdHocQuery,
        bounds: Bounds,
    ) -> Result<Self, QueryError> {
        let options = ClientOptions { network: network.clone(), ..ClientOptions::default() };
        let Bounds { max_pages, max_events, retry_for } = bounds;
        Ok(Self {
            connector: connector.name.clone(),
            client: Client::new(connector.org.clone(), options)?,
            credential: Credential::new(&connector.org, &connector.auth),
            gate: Gate::new(),
            ask: Ask {
                kind: Kind::Bulk,
                share: connector.rate_limit_share,
                bulk_reserve: connector.rate_limit_bulk_reserve,
            },
            url: request.url(&connector.org),
            steps: Steps { max_pages, max_events, ..Steps::default() },
            retry_for,
            result: QueryResult {
                connector: connector.name.clone(),
                org: connector.org.to_string(),
                request,
                pages: 0,
                events: 0,
                dead_letters: 0,
                first: None,
                last: None,
                ended: Ended::Failed,
            },
            clock: Clock::new(),
            has_waited: AtomicBool::new(false),
        })
    }

    /// What is asked.
    pub fn request(&self) -> &AdHocQuery {
        &self.result.request
    }

    /// Asks page after page, until there is no more, or `stop`. What came of it is in the result also after an error.
    pub async fn run(
        mut self,
        sinks: Sinks,
        stop: &Stop,
        say: &(dyn Fn(News<'_>) + Sync),
    ) -> (QueryResult, Result<(), QueryError>) {
        let mut sinks = Some(sinks);
        let mut ran = self.pages(&mut sinks, stop, say).await;
        if matches!(ran, Err(QueryError::Stopped)) {
            self.result.ended = Ended::Interrupted;
        }
        if let Some(mut sinks) = sinks {
            let result = self.result.clone();
            let ended = spawn_blocking(move || sinks.end(&result)).await.unwrap_or(Err(QueryError::Panicked));
            if ran.is_ok() && ended.is_err() {
                self.result.ended = Ended::Failed;
            }
            ran = ran.and(ended);
        }
        (self.result, ran)
    }

    async fn pages(
        &mut self,
        sinks: &mut Option<Sinks>,
        stop: &Stop,
        say: &(dyn Fn(News<'_>) + Sync),
    ) -> Result<(), QueryError> {
        let mut size = PageSize::new(self.result.request.limit);
        let mut link = self.url.clone();
        loop {
            let (asked, page) = tokio::select! {
                page = self.page(&mut size, &link, say) => page?,
                () = stop.stopped() => return Err(QueryError::Stopped),
            };
            let SystemLogPage { mut elements, next, body_bytes, server_date, .. } = page;
            let is_full = elements.len() >= asked.limit();
            let (kept, ended) = self.steps.page(elements.len(), asked.limit(), next.is_some());
            elements.truncate(kept);
            let page = ResultPage { number: self.steps.pages, asked: asked.clone(), elements, body_bytes, server_date };
            self.deliver(sinks, page, stop).await?;
            say(News::Page(&self.result));
            if let Some(ended) = ended {
                self.result.ended = ended;
                return Ok(());
            }
            let Some(next) = next else { return Ok(()) };
            let next = next.map_err(|error| QueryError::Link { error, org: self.result.org.clone() })?;
            if next == link || next == asked {
                return Err(QueryError::SameLink { org: self.result.org.clone() });
            }
            link = next;
            let _ = size.on_page(&asked, Some(&link), is_full);
        }
    }

    /// Gives a page to the sinks, and counts it.
    async fn deliver(&mut self, sinks: &mut Option<Sinks>, page: ResultPage, stop: &Stop) -> Result<(), QueryError> {
        let Some(mut taking) = sinks.take() else { return Err(QueryError::Panicked) };
        let mut taken = spawn_blocking(move || {
            let taken = taking.page(&page);
            (taking, page, taken)
        });
        let taken = tokio::select! {
            taken = &mut taken => taken,
            () = stop.stopped() => match tokio::time::timeout(LAST_PAGE, taken).await {
                Ok(taken) => taken,
                Err(_) => return Err(QueryError::Stopped),
            },
        };
        let (back, page, taken) = taken.map_err(|_| QueryError::Panicked)?;
        let dead_letters = back.dead_letters();
        *sinks = Some(back);
        taken?;
        self.result.dead_letters = dead_letters;
        let published = |element: &RawElement| element.published().map(str::to_owned);
        self.result.pages = page.number;
        self.result.events = self.steps.events;
        self.result.first = self.result.first.take().or_else(|| page.elements.iter().find_map(published));
        self.result.last = page.elements.iter().rev().find_map(published).or_else(|| self.result.last.take());
        Ok(())
    }

    /// Asks until there is a page, and gives it with the URL that it was asked with in the end.
    async fn page(
        &self,
        size: &mut PageSize,
        link: &PageUrl,
        say: &(dyn Fn(News<'_>) + Sync),
    ) -> Result<(PageUrl, SystemLogPage), QueryError> {
        let backoff =
            ExponentialBuilder::new().with_min_delay(RETRY.0).with_max_delay(RETRY.1).without_max_times().with_jitter();
        let mut delays = backoff.build();
        let mut failing_since = None;
        let mut has_read_again = false;
        loop {
            let asked = size.url(link);
            let permit = self.turn(say).await;
            say(News::Asks);
            let outcome: Outcome = self.client.get(&asked, &self.credential).await;
            permit.answered(&outcome);
            let error = match outcome.result {
                Ok(page) => return Ok((asked, page)),
                Err(error) => error,
            };
            let filter = self.result.request.filter.as_deref();
            let reason = match error.severity() {
                Severity::Fatal if error.is_unauthorized() && !has_read_again => {
                    has_read_again = true;
                    self.credential.read_again(self.client.org(), &self.connector).await;
                    continue;
                }
                Severity::Fatal => return Err(QueryError::refused(&error, filter)),
                Severity::Retriable { reason, .. } => reason,
            };
            match &error {
                RequestError::TooLarge { .. } => {
                    if let Err(Smallest) = size.on_too_large(&asked) {
                        return Err(QueryError::refused(&error, filter));
                    }
                }
                error if error.is_page_timeout() => drop(size.on_timeout(&asked)),
                _ => {}
            }
            let problem = match &error {
                RequestError::RateLimited { .. } => format!("{error}: {RATE_LIMIT_ADVICE}"),
                error => error.with_advice(),
            };
            let problem = problem + &told_request_id(outcome.okta_request_id.as_deref());
            let since = *failing_since.get_or_insert_with(|| self.clock.elapsed());
            let after = self.clock.elapsed().saturating_sub(since);
            let is_rate_limit = matches!(reason, RetryReason::RateLimit | RetryReason::Concurrency);
            let left = (self.retry_for * if is_rate_limit { RATE_LIMIT_PATIENCE } else { 1 }).saturating_sub(after);
            if left.is_zero() {
                return Err(QueryError::GivenUp { after, problem });
            }
            // How long a 429 is to be rested for, the gate knows. The last try is at the end of the time that was given.
            let rest = match is_rate_limit && outcome.was_sent {
                true => Duration::ZERO,
                false => delays.next().unwrap_or(RETRY.1).min(RETRY.1).min(left),
            };
            say(News::Retries { problem: &problem, after: rest });
            tokio::time::sleep(rest).await;
        }
    }

    /// Waits for a turn at the limit.
    async fn turn(&self, say: &(dyn Fn(News<'_>) + Sync)) -> Permit {
        let mut turn = std::pin::pin!(self.gate.permit(self.ask));
        loop {
            match tokio::time::timeout(LONG_WAIT, &mut turn).await {
                Ok(permit) => return permit,
                Err(_) => {
                    let is_first = !self.has_waited.swap(true, Ordering::Relaxed);
                    say(News::Waits { known: self.gate.known(), is_first });
                }
            }
        }
    }
}
