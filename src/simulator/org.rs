//! The org itself: its events, its tokens, its limits, and the answer to one request. No sockets here.

use std::time::Duration;

use jiff::Timestamp;

use super::config::SimulatorConfig;
use super::error_body::{OktaError, token_text};
use super::faults::{DrawnFaults, FaultKind, Faults};
use super::feed::Feed;
use super::lost_cursors::LostCursors;
use super::oauth::{OauthServer, OrgTime, ResourceRefusal, TOKEN_PATH};
use super::page::Page;
use super::poison::{self, Poison, PoisonKind};
use super::query::{LogsQuery, Parameters};
use super::rate_limit::{RateLimitState, RateLimiter};
use super::request_log::{Authorization, RequestLog, RequestRecord};
use super::selection::{Selections, Selector};
use super::verbatim::{VerbatimAnswer, Waiting};

/// The System Log's path.
pub(super) const LOGS_PATH: &str = "/api/v1/logs";
/// How many events are read for a filter before others have their turn.
const READ_AT_ONCE: usize = 500;
/// Where nonces for proofs are handed out (RFC 9449, section 8).
pub(super) const NONCE_HEADER: &str = "dpop-nonce";

/// What of a request matters.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    /// Scheme and authority under which the client knows the org.
    pub(super) origin: String,
    pub(super) authorization: Option<Vec<u8>>,
    /// The `DPoP` headers, each as it came.
    pub(super) proofs: Vec<Vec<u8>>,
    pub(super) user_agent: Option<String>,
    pub(super) has_body: bool,
    pub(super) content_type: Option<String>,
    /// Read at the token endpoint alone.
    pub(super) body: Vec<u8>,
    /// The org is answering as many others as it may.
    pub(super) too_many_at_once: bool,
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

impl Answer {
    /// Makes it the one that a test wrote out.
    pub(super) fn serve(&mut self, verbatim: VerbatimAnswer) {
        (self.status, self.headers, self.body) = (verbatim.status, verbatim.headers, verbatim.body);
    }
}

/// Why a request is refused.
enum Refused {
    /// In the form of the API's errors.
    Error(OktaError),
    /// In the form of RFC 6750: an access token.
    AccessToken(ResourceRefusal),
}

/// What a request's credentials are worth.
struct Authorized {
    seen: Authorization,
    refused: Option<Refused>,
}

impl Request {
    /// The scheme of its `Authorization`.
    fn scheme(&self) -> Option<String> {
        let authorization = String::from_utf8_lossy(self.authorization.as_deref()?).into_owned();
        authorization.split_once(' ').map(|(scheme, _)| scheme.to_owned())
    }
}

/// The state behind the server; one lock holds it all, for no more than the making of a page.
pub(super) struct Org {
    token: String,
    pub(super) feed: Feed,
    selections: Selections,
    pub(super) faults: Faults,
    /// Faults for the next requests, one each, before any draw.
    pub(super) injected: std::collections::VecDeque<FaultKind>,
    /// Answers that take the place of the next ones, before any fault.
    pub(super) verbatim: Waiting,
    /// The same for the token endpoint, which meets no faults by chance.
    pub(super) injected_at_token_endpoint: std::collections::VecDeque<FaultKind>,
    /// Tokens of a service app, if there is one.
    pub(super) oauth: Option<OauthServer>,
    pub(super) log: RequestLog,
    pub(super) latency: Duration,
    /// Which cursors are refused.
    pub(super) lost_cursors: LostCursors,
    /// After how many requests to the System Log cursors are lost.
    lose_cursors_after: Vec<usize>,
    /// How many requests to the System Log were not refused at the door.
    logs_requests: usize,
    /// Whether pages with events are held back.
    pub(super) hold: bool,
    pub(super) poison: Vec<Poison>,
    limiter: RateLimiter,
    pub(super) rng: fastrand::Rng,
    pub(super) slow_delay: Duration,
    pub(super) rate_limit_wait: i64,
    pub(super) date_offset: i64,
    /// By how many seconds the org's clock is off.
    pub(super) clock_offset: i64,
    other_origin: String,
    /// Instead of what the client's `Host` names.
    pub(super) origin: Option<String>,
}

impl Org {
    pub(super) fn new(config: &SimulatorConfig, token: String, feed: Feed, oauth: Option<OauthServer>) -> Self {
        let whole_seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4).max(1);
        Self {
            token,
            feed,
            selections: Selections::default(),
            faults: config.faults.clone(),
            injected: std::collections::VecDeque::new(),
            verbatim: Waiting::default(),
            injected_at_token_endpoint: std::collections::VecDeque::new(),
            oauth,
            log: RequestLog::default(),
            latency: config.latency,
            lost_cursors: LostCursors::default(),
            lose_cursors_after: config.lose_cursors_after.clone(),
            logs_requests: 0,
            hold: false,
            poison: config.poison.clone(),
            limiter: RateLimiter::new(config.rate_limit, whole_seconds(config.rate_limit_window)),
            // Another stream than the events', so that faults do not change which events there are.
            rng: fastrand::Rng::with_seed(config.seed ^ 0x6f6b_7461),
            slow_delay: config.slow_delay,
            rate_limit_wait: whole_seconds(config.rate_limit_wait),
            date_offset: config.date_offset_seconds,
            clock_offset: config.clock_offset_seconds,
            origin: config.origin.clone(),
            other_origin: config.other_origin.trim_end_matches('/').to_owned(),
        }
    }

    /// Reads some more events for the `filter` and `q` of a request, so that the answer need not read them all at once
    /// while everybody waits; says whether there is nothing left to read.
    pub(super) fn read_ahead(&mut self, request: &Request) -> bool {
        if request.path != LOGS_PATH {
            return true;
        }
        let asked = Parameters::decode(request.query.as_deref().unwrap_or_default());
        match Selector::parse(asked.filter.as_deref(), asked.q.as_deref()) {
            Ok(Some(selector)) => self.selections.read_on(&selector, self.feed.store().events(), READ_AT_ONCE),
            Ok(None) | Err(_) => true,
        }
    }

    /// Answers a request that came at `now`, and logs it.
    pub(super) fn answer(&mut self, request: &Request, now: Timestamp) -> Answer {
        let millis = now.as_millisecond();
        let machine = millis.div_euclid(1000);
        let time = OrgTime { machine, org: machine + self.clock_offset };
        if request.path == TOKEN_PATH && self.oauth.is_some() {
            return self.answer_token(request, now, time);
        }
        self.feed.catch_up(millis);
        let authorized = self.authorize(request, time);
        let admission = self.limiter.admit(time.machine);
        let mut answer = self.new_answer(time, admission.state);
        let nonce = self.oauth.as_mut().and_then(|oauth| oauth.resource_nonce(request, time));
        answer.headers.extend(nonce.map(|nonce| (NONCE_HEADER.to_owned(), nonce)));
        let mut events = 0;
        let mut faults = DrawnFaults::default();
        let refused = if let Some(verbatim) = self.verbatim.take(&request.path) {
            answer.serve(verbatim);
            None
        } else if request.too_many_at_once {
            self.exceed_concurrency(&mut answer, machine);
            Some(Refused::Error(OktaError::RateLimited))
        } else if request.path != LOGS_PATH {
            Some(Refused::Error(OktaError::NoSuchPath))
        } else if request.method != "GET" {
            Some(Refused::Error(OktaError::MethodNotSupported))
        } else if request.has_body {
            Some(Refused::Error(OktaError::GetWithBody))
        } else if let Some(refused) = authorized.refused {
            Some(refused)
        } else {
            // A fault that replaces the answer is not spent on a request that is refused anyway; one that changes it is.
            faults = self.draw_faults(admission.refused);
            if admission.refused {
                Some(Refused::Error(OktaError::RateLimited))
            } else {
                match self.answer_logs(request, &mut answer, faults, millis) {
                    Ok(count) => {
                        events = count;
                        None
                    }
                    // A token that is refused by fault is refused in the way of its kind.
                    Err(OktaError::InvalidToken) => Some(self.refuse_token(request)),
                    Err(error) => Some(Refused::Error(error)),
                }
            }
        };
        match refused {
            None => {}
            Some(Refused::Error(error)) => {
                answer.status = error.status();
                answer.body = error.body(&mut self.rng);
            }
            Some(Refused::AccessToken(refusal)) => {
                answer.status = refusal.status;
                answer.headers.push(("www-authenticate".to_owned(), refusal.www_authenticate));
                // There is no body to have a type.
                answer.headers.push(("content-type".to_owned(), String::new()));
            }
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
            scheme: request.scheme(),
            authorization: authorized.seen,
            user_agent: request.user_agent.clone(),
            status: (!cut_before_status).then_some(answer.status),
            events,
            faults: faults.kinds(),
            in_rate_limit_window: admission.in_rate_limit_window,
            in_concurrency_wait: admission.in_concurrency_wait,
        });
        answer
    }

    /// An answer with nothing in it yet. The limiters count on this machine's clock; what an answer says is on the org's.
    pub(super) fn new_answer(&mut self, time: OrgTime, mut rate_limit: RateLimitState) -> Answer {
        rate_limit.reset += self.clock_offset;
        Answer {
            status: 200,
            body: Vec::new(),
            links: Vec::new(),
            location: None,
            headers: Vec::new(),
            rate_limit,
            date: time.org,
            request_id: format!("{:032x}", self.rng.u128(..)),
            delay: self.latency,
            held: false,
            cut: None,
        }
    }

    /// The org's origin, as the client knows it.
    fn origin<'a>(&'a self, request: &'a Request) -> &'a str {
        self.origin.as_deref().unwrap_or(&request.origin)
    }

    fn authorize(&mut self, request: &Request, time: OrgTime) -> Authorized {
        let refused = |seen, error| Authorized { seen, refused: Some(Refused::Error(error)) };
        let right = Authorized { seen: Authorization::Right, refused: None };
        let Some(sent) = &request.authorization else {
            return refused(Authorization::Missing, OktaError::InvalidToken);
        };
        // Two fields of `self`: `origin()` would borrow it whole.
        let origin = self.origin.as_deref().unwrap_or(&request.origin);
        match self.oauth.as_mut().and_then(|oauth| oauth.authorize(request, origin, time)) {
            Some(Ok(token)) if token.has_role => return right,
            Some(Ok(_)) => return refused(Authorization::Right, OktaError::AccessDenied),
            Some(Err(refusal)) => {
                return Authorized { seen: Authorization::Wrong, refused: Some(Refused::AccessToken(refusal)) };
            }
            None => {}
        }
        match sent.split_at_checked(5) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"SSWS ") && token == self.token.as_bytes() => right,
            _ => refused(Authorization::Wrong, OktaError::InvalidToken),
        }
    }

    fn refuse_token(&mut self, request: &Request) -> Refused {
        let origin = self.origin.as_deref().unwrap_or(&request.origin);
        let refusal = self.oauth.as_mut().and_then(|oauth| oauth.refuse(request, origin));
        refusal.map_or(Refused::Error(OktaError::InvalidToken), Refused::AccessToken)
    }

    /// Has an answer say that there are too many at once; `now` is on this machine's clock.
    fn exceed_concurrency(&mut self, answer: &mut Answer, now: i64) {
        answer.rate_limit = self.limiter.exceed_concurrency(now, self.rate_limit_wait);
        answer.rate_limit.reset += self.clock_offset;
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
        if faults.replaces == Some(FaultKind::CursorsLost) || self.lose_cursors_after.contains(&self.logs_requests) {
            self.lost_cursors.lose();
        }
        self.logs_requests += 1;
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
                answer.rate_limit.reset += self.clock_offset;
                return Err(OktaError::RateLimited);
            }
            Some(FaultKind::Concurrency) => {
                self.exceed_concurrency(answer, seconds);
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
        let mut query = LogsQuery::check(&asked, now)?;
        self.lost_cursors.read(&mut query.range)?;
        let limit = query.limit;
        if faults.replaces == Some(FaultKind::ShortPage) && limit > 1 {
            query.limit = self.rng.usize(1..limit);
        }
        let store = self.feed.store();
        let selected = query.selector.as_ref().map(|selector| self.selections.of(selector, store.events()));
        let mut page = Page::of(store, &asked, &query, selected, now)?;
        let hits = |poison: &&Poison| page.first.is_some_and(|first| poison.hits(first, page.span, limit));
        match self.poison.iter().find(hits).map(|poison| poison.kind) {
            Some(PoisonKind::Timeout) => return Err(OktaError::TookTooLong),
            Some(PoisonKind::TooLarge) => poison::swell(&mut page.body),
            None => {}
        }
        if let Some(next) = &mut page.next {
            if faults.replaces == Some(FaultKind::PageTwice) {
                next.clone_from(&asked);
            }
            self.lost_cursors.write(&query.range, next);
        }
        let origin = self.origin(request);
        let next_origin = match faults.replaces {
            Some(FaultKind::WrongOrigin) => self.other_origin.as_str(),
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
