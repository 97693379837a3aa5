//! The org itself: its events, its token, its limits, and the answer to one request. No sockets here.

use std::time::Duration;

use jiff::Timestamp;

use super::config::SimulatorConfig;
use super::error_body::{OktaError, token_text};
use super::faults::{DrawnFaults, FaultKind, Faults};
use super::feed::Feed;
use super::page::Page;
use super::poison::{self, Poison, PoisonKind};
use super::query::{LogsQuery, Parameters};
use super::rate_limit::{RateLimitState, RateLimiter};
use super::request_log::{Authorization, RequestLog, RequestRecord};
use super::verbatim::Waiting;

/// The only path there is.
pub(super) const LOGS_PATH: &str = "/api/v1/logs";

/// What of a request matters.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    /// Scheme and authority under which the client knows the org.
    pub(super) origin: String,
    pub(super) authorization: Option<Vec<u8>>,
    pub(super) user_agent: Option<String>,
    pub(super) has_body: bool,
}

/// Where the connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// After so many bytes, of which the header's first are one.
    AfterBytes(usize),
    /// After the header and so many bytes of the body.
    AfterBodyBytes(usize),
}

/// An answer, before it is compressed and written.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) links: Vec<String>,
    pub(super) location: Option<String>,
    /// In place of the usual headers of these names, or besides them.
    pub(super) headers: Vec<(String, String)>,
    pub(super) rate_limit: RateLimitState,
    /// The answer's `Date`, in seconds since the Unix epoch.
    pub(super) date: i64,
    pub(super) request_id: String,
    pub(super) delay: Duration,
    /// Whether it waits to be released.
    pub(super) held: bool,
    pub(super) cut: Option<Cut>,
}

/// The state behind the server; one lock holds it all, for no more than the making of a page.
pub(super) struct Org {
    token: String,
    pub(super) feed: Feed,
    pub(super) faults: Faults,
    /// Faults for the next requests, one each, before any draw.
    pub(super) injected: std::collections::VecDeque<FaultKind>,
    /// Answers that take the place of the next ones, before any fault.
    pub(super) verbatim: Waiting,
    pub(super) log: RequestLog,
    pub(super) latency: Duration,
    /// Whether pages with events are held back.
    pub(super) hold: bool,
    pub(super) poison: Vec<Poison>,
    limiter: RateLimiter,
    rng: fastrand::Rng,
    slow_delay: Duration,
    rate_limit_wait: i64,
    date_offset: i64,
    other_origin: String,
    /// Instead of what the client's `Host` names.
    origin: Option<String>,
}

impl Org {
    pub(super) fn new(config: &SimulatorConfig, token: String, feed: Feed) -> Self {
        let whole_seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4).max(1);
        Self {
            token,
            feed,
            faults: config.faults.clone(),
            injected: std::collections::VecDeque::new(),
            verbatim: Waiting::default(),
            log: RequestLog::default(),
            latency: config.latency,
            hold: false,
            poison: config.poison.clone(),
            limiter: RateLimiter::new(config.rate_limit, whole_seconds(config.rate_limit_window)),
            // Another stream than the events', so that faults do not change which events there are.
            rng: fastrand::Rng::with_seed(config.seed ^ 0x6f6b_7461),
            slow_delay: config.slow_delay,
            rate_limit_wait: whole_seconds(config.rate_limit_wait),
            date_offset: config.date_offset_seconds,
            origin: config.origin.clone(),
            other_origin: config.other_origin.trim_end_matches('/').to_owned(),
        }
    }

    /// Answers a request that came at `now`, and logs it.
    pub(super) fn answer(&mut self, request: &Request, now: Timestamp) -> Answer {
        let millis = now.as_millisecond();
        let seconds = millis.div_euclid(1000);
        self.feed.catch_up(millis);
        let authorization = self.authorize(request);
        let admission = self.limiter.admit(seconds);
        let mut answer = Answer {
            status: 200,
            body: Vec::new(),
            links: Vec::new(),
            location: None,
            headers: Vec::new(),
            rate_limit: admission.state,
            date: seconds,
            request_id: format!("{:032x}", self.rng.u128(..)),
            delay: self.latency,
            held: false,
            cut: None,
        };
        let mut events = 0;
        let mut faults = DrawnFaults::default();
        let refused = if let Some(verbatim) = self.verbatim.take(&request.path) {
            (answer.status, answer.headers, answer.body) = (verbatim.status, verbatim.headers, verbatim.body);
            None
        } else if request.path != LOGS_PATH {
            Some(OktaError::NoSuchPath)
        } else if request.method != "GET" {
            Some(OktaError::MethodNotSupported)
        } else if request.has_body {
            Some(OktaError::GetWithBody)
        } else if authorization != Authorization::Right {
            Some(OktaError::InvalidToken)
        } else {
            // A fault that replaces the answer is not spent on a request that is refused anyway; one that changes it is.
            faults = self.draw_faults(admission.refused);
            if admission.refused {
                Some(OktaError::RateLimited)
            } else {
                match self.answer_logs(request, &mut answer, faults, millis) {
                    Ok(count) => {
                        events = count;
                        None
                    }
                    Err(error) => Some(error),
                }
            }
        };
        if let Some(error) = refused {
            answer.status = error.status();
            answer.body = error.body(&mut self.rng);
        }
        answer.held = self.hold && events > 0;
        if faults.slow {
            answer.delay += self.slow_delay;
        }
        if faults.date_off {
            answer.date += self.date_offset;
            answer.rate_limit.reset += self.date_offset;
        }
        let cut_before_status = matches!(answer.cut, Some(Cut::AfterBytes(_)));
        self.log.push(RequestRecord {
            at: now,
            method: request.method.clone(),
            target: match &request.query {
                Some(query) => format!("{}?{query}", request.path),
                None => request.path.clone(),
            },
            authorization,
            user_agent: request.user_agent.clone(),
            status: (!cut_before_status).then_some(answer.status),
            events,
            faults: faults.kinds(),
            in_rate_limit_window: admission.in_rate_limit_window,
            in_concurrency_wait: admission.in_concurrency_wait,
        });
        answer
    }

    fn authorize(&self, request: &Request) -> Authorization {
        let Some(sent) = &request.authorization else { return Authorization::Missing };
        match sent.split_at_checked(5) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"SSWS ") && token == self.token.as_bytes() => {
                Authorization::Right
            }
            _ => Authorization::Wrong,
        }
    }

    fn draw_faults(&mut self, refused: bool) -> DrawnFaults {
        let mut faults = self.faults.draw(&mut self.rng);
        if refused {
            faults.replaces = None;
        } else if let Some(kind) = self.injected.pop_front() {
            faults.add(kind);
        }
        faults
    }

    /// The System Log's own answer, and what a fault makes of it. Returns how many events the page holds.
    fn answer_logs(
        &mut self,
        request: &Request,
        answer: &mut Answer,
        faults: DrawnFaults,
        now: i64,
    ) -> Result<usize, OktaError> {
        let seconds = now.div_euclid(1000);
        match faults.replaces {
            Some(FaultKind::Http400) => {
                return Err(OktaError::UnsupportedFilter { field: "debugContext.debugData.url".to_owned() });
            }
            Some(FaultKind::Http401) => return Err(OktaError::InvalidToken),
            Some(FaultKind::Http403) => return Err(OktaError::AccessDenied),
            Some(FaultKind::Http500) => return Err(OktaError::Internal),
            Some(FaultKind::Http503) => return Err(OktaError::ReadOnly),
            Some(FaultKind::Timeout) => return Err(OktaError::TookTooLong),
            Some(FaultKind::CursorRefused) => return Err(OktaError::BadCursor),
            Some(FaultKind::RateLimit) => {
                answer.rate_limit = self.limiter.exhaust(seconds, self.rate_limit_wait);
                return Err(OktaError::RateLimited);
            }
            Some(FaultKind::Concurrency) => {
                answer.rate_limit = self.limiter.exceed_concurrency(seconds, self.rate_limit_wait);
                return Err(OktaError::RateLimited);
            }
            Some(FaultKind::Redirect) => {
                let query = request.query.as_deref().unwrap_or_default();
                answer.status = 302;
                answer.location = Some(format!("{}{LOGS_PATH}?{query}", self.other_origin));
                return Ok(0);
            }
            _ => {}
        }
        let asked = Parameters::decode(request.query.as_deref().unwrap_or_default());
        let query = LogsQuery::check(&asked, now)?;
        let mut page = Page::of(self.feed.store(), &asked, &query, now)?;
        let hits = |poison: &&Poison| page.first.is_some_and(|first| poison.hits(first, page.events, query.limit));
        match self.poison.iter().find(hits).map(|poison| poison.kind) {
            Some(PoisonKind::Timeout) => return Err(OktaError::TookTooLong),
            Some(PoisonKind::TooLarge) => poison::swell(&mut page.body),
            None => {}
        }
        let origin = self.origin.as_ref().unwrap_or(&request.origin);
        let next_origin = match faults.replaces {
            Some(FaultKind::WrongOrigin) => &self.other_origin,
            _ => origin,
        };
        answer.links.push(link(origin, &asked, "self"));
        answer.links.extend(page.next.iter().map(|next| link(next_origin, next, "next")));
        match faults.replaces {
            // Nothing at all, or the first words of the header.
            Some(FaultKind::Cut) => answer.cut = Some(Cut::AfterBytes(if self.rng.bool() { 0 } else { 40 })),
            Some(FaultKind::Truncate) => answer.cut = Some(Cut::AfterBodyBytes(page.body.len() / 2)),
            _ => {}
        }
        answer.body = page.body;
        Ok(page.events)
    }
}

/// One `link` header value. A link without parameters keeps no `?`.
fn link(origin: &str, parameters: &Parameters, relation: &str) -> String {
    let query = parameters.encode();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("<{origin}{LOGS_PATH}{mark}{query}>; rel=\"{relation}\"")
}

/// A token that looks like Okta's: `00` and 40 more characters.
pub(super) fn new_token() -> String {
    format!("00{}", token_text(&mut fastrand::Rng::new(), 40))
}
