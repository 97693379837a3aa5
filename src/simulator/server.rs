//! The HTTP side: from axum's request to the org's question, and from its answer to bytes, headers and all.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::config::SimulatorConfig;
use super::connection::CutSwitch;
use super::oauth::TOKEN_PATH;
use super::org::{Answer, Cut, Org, Request};

/// Shorter bodies are not worth compressing.
const GZIP_MIN_BYTES: usize = 256;
/// Longer forms are not read.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// What every connection shares.
pub(super) struct Shared {
    org: Mutex<Org>,
    /// How many requests were logged so far, without those for tokens.
    pub(super) requests: watch::Sender<usize>,
    /// Whether pages stay here.
    pub(super) held: watch::Sender<bool>,
    /// The org's own origin, for clients that send no `Host`.
    pub(super) url: String,
    pub(super) gzip: bool,
    /// Requests that are being answered.
    at_once: AtomicUsize,
    /// More at once are refused.
    max_at_once: usize,
    pub(super) stop: CancellationToken,
}

impl Shared {
    pub(super) fn new(org: Org, url: String, config: &SimulatorConfig) -> Self {
        Self {
            org: Mutex::new(org),
            requests: watch::Sender::new(0),
            held: watch::Sender::new(false),
            url,
            gzip: config.gzip,
            at_once: AtomicUsize::new(0),
            max_at_once: usize::try_from(config.concurrency_limit).unwrap_or(usize::MAX),
            stop: CancellationToken::new(),
        }
    }

    /// The org; never held across an await.
    pub(super) fn org(&self) -> MutexGuard<'_, Org> {
        // A panic in a test that holds the lock must not hide behind a second one here.
        self.org.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request that is being answered.
struct AtOnce<'a>(&'a AtomicUsize);

impl<'a> AtOnce<'a> {
    /// Counts it, and says how many there are with it.
    fn enter(count: &'a AtomicUsize) -> (Self, usize) {
        let others = count.fetch_add(1, Ordering::Relaxed);
        (Self(count), others + 1)
    }
}

impl Drop for AtOnce<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers any request.
pub(super) async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(switch): ConnectInfo<CutSwitch>,
    request: axum::extract::Request,
) -> Response<Body> {
    let arrived = Instant::now();
    let (_at_once, at_once) = AtOnce::enter(&shared.at_once);
    let accepts_gzip = header_text(request.headers(), header::ACCEPT_ENCODING).is_some_and(|v| v.contains("gzip"));
    let (parts, body) = request.into_parts();
    let mut request = question(&parts, &shared.url);
    request.too_many_at_once = at_once > shared.max_at_once;
    let for_token = request.path == TOKEN_PATH;
    if for_token {
        // A longer body is no form that a client sends; it is answered as if there were none.
        request.body = axum::body::to_bytes(body, MAX_FORM_BYTES).await.unwrap_or_default().to_vec();
    }
    while !shared.org().read_ahead(&request) {
        tokio::task::yield_now().await;
    }
    let (mut answer, logged) = {
        let mut org = shared.org();
        let for_token = for_token && org.oauth.is_some();
        (org.answer(&request, clock::now()), !for_token)
    };
    if logged {
        shared.requests.send_modify(|count| *count += 1);
    }
    let compressed = shared.gzip && accepts_gzip && answer.body.len() >= GZIP_MIN_BYTES;
    if compressed {
        answer.body = gzip(&answer.body);
        if let Some(Cut::AfterBodyBytes(bytes)) = &mut answer.cut {
            *bytes = answer.body.len() / 2;
        }
    }
    if !answer.delay.is_zero() {
        // Counted from the request's coming, so that a simulated latency does not grow by the making of the page.
        tokio::select! {
            () = tokio::time::sleep_until(arrived + answer.delay) => {}
            () = shared.stop.cancelled() => {}
        }
    }
    if answer.held {
        let mut held = shared.held.subscribe();
        tokio::select! {
            // The sender lives as long as `shared`, so this cannot end in an error.
            _ = held.wait_for(|held| !held) => {}
            () = shared.stop.cancelled() => {}
        }
    }
    if let Some(cut) = answer.cut {
        switch.arm(cut);
    }
    response(answer, compressed)
}

fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn question(request: &Parts, url: &str) -> Request {
    let headers = &request.headers;
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || header_text(headers, header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    Request {
        method: request.method.to_string(),
        path: request.uri.path().to_owned(),
        query: request.uri.query().map(str::to_owned),
        origin: header_text(headers, header::HOST).map_or_else(|| url.to_owned(), |host| format!("http://{host}")),
        authorization: headers.get(header::AUTHORIZATION).map(|value| value.as_bytes().to_vec()),
        proofs: headers.get_all("dpop").iter().map(|value| value.as_bytes().to_vec()).collect(),
        user_agent: header_text(headers, header::USER_AGENT).map(str::to_owned),
        has_body,
        content_type: header_text(headers, header::CONTENT_TYPE).map(str::to_owned),
        body: Vec::new(),
        too_many_at_once: false,
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("writing to memory cannot fail")
}

/// Writes the answer with the headers that recorded answers of a real org have.
fn response(answer: Answer, compressed: bool) -> Response<Body> {
    let date = u64::try_from(answer.date).unwrap_or_default();
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(date));
    let session = &answer.request_id[..answer.request_id.len().min(32)];
    let mut headers: Vec<(&str, String)> = vec![
        ("date", date),
        ("content-type", "application/json".to_owned()),
        ("server", "nginx".to_owned()),
        ("x-okta-request-id", answer.request_id.clone()),
        ("x-rate-limit-limit", answer.rate_limit.limit.to_string()),
        ("x-rate-limit-remaining", answer.rate_limit.remaining.to_string()),
        ("x-rate-limit-reset", answer.rate_limit.reset.to_string()),
        ("cache-control", "no-cache, no-store".to_owned()),
        ("pragma", "no-cache".to_owned()),
        ("expires", "0".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        ("strict-transport-security", "max-age=315360000; includeSubDomains".to_owned()),
        ("vary", "Accept-Encoding".to_owned()),
        ("set-cookie", "sid=\"\"; Expires=Thu, 01-Jan-1970 00:00:10 GMT; Path=/".to_owned()),
        ("set-cookie", format!("JSESSIONID={}; Path=/; Secure; HttpOnly", session.to_uppercase())),
    ];
    headers.extend(answer.links.into_iter().map(|link| ("link", link)));
    headers.extend(answer.location.map(|location| ("location", location)));
    if compressed {
        headers.push(("content-encoding", "gzip".to_owned()));
    }
    headers.retain(|(name, _)| answer.headers.iter().all(|(own, _)| own != name));
    let own = answer.headers.iter().filter(|(_, value)| !value.is_empty());
    let headers = headers.into_iter().chain(own.map(|(name, value)| (name.as_str(), value.clone())));
    let mut response = Response::builder().status(answer.status);
    for (name, value) in headers {
        // A value that is no header value can come only from a client's own Host; it is left out.
        if let Ok(value) = HeaderValue::try_from(value) {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(answer.body)).expect("every part was checked when it was added")
}
