//! A running simulated org, and what a test can do with it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::clock;
use super::config::{SimulatorConfig, SimulatorError};
use super::connection::{CutSwitch, CuttableListener};
use super::cursor::Cursor;
use super::drift::DriftFrom;
use super::faults::{FaultKind, Faults};
use super::feed::Feed;
use super::lost_cursors::event_cursor;
use super::oauth::{OauthControl, OauthServer};
use super::org::{Org, new_token};
use super::poison::Poison;
use super::query::Range;
use super::request_log::RequestRecord;
use super::server::{Shared, handle};
use super::store::StoredEvent;
use super::verbatim::VerbatimAnswer;

/// Open connections get this long to end when the org is shut down.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// A running simulated org. It stops when it is shut down or dropped.
pub struct Simulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    token: String,
    server: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Makes the backlog, listens, and answers from then on.
    ///
    /// # Errors
    /// [`SimulatorError`] when a setting makes no sense, the events file cannot be read, or the address is taken.
    pub async fn start(config: SimulatorConfig) -> Result<Self, SimulatorError> {
        config.check()?;
        let listen_error = |reason| SimulatorError::Listen { listen: config.listen, reason };
        let listener = TcpListener::bind(config.listen).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let token = config.token.clone().unwrap_or_else(new_token);
        let backlog_config = config.clone();
        let made = move || {
            let now = clock::now();
            let feed = Feed::new(&backlog_config, now.as_millisecond())?;
            let oauth = backlog_config.oauth.as_ref();
            let oauth = oauth.map(|oauth| OauthServer::new(oauth, backlog_config.seed, now.as_second())).transpose();
            Ok::<_, SimulatorError>((
                feed,
                oauth.map_err(|reason| SimulatorError::SigningKey { reason: reason.to_string() })?,
            ))
        };
        let (feed, oauth) = tokio::task::spawn_blocking(made)
            .await
            .map_err(|error| SimulatorError::Backlog { reason: error.to_string() })??;
        let org = Org::new(&config, token.clone(), feed, oauth);
        let shared = Arc::new(Shared::new(org, format!("http://{address}"), &config));
        let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let service = router.into_make_service_with_connect_info::<CutSwitch>();
        let stop = shared.stop.clone();
        let server = tokio::spawn(async move {
            let serving =
                axum::serve(CuttableListener(listener), service).with_graceful_shutdown(stop.cancelled_owned());
            // Serving ends only by the shutdown; the listener itself retries what can go wrong.
            let _ = serving.await;
        });
        Ok(Self { shared, address, token, server: Some(server) })
    }

    /// The org's origin, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API token it accepts.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The org's OAuth side, if it has one: counters, and what an admin may change.
    pub fn oauth(&self) -> Option<OauthControl> {
        OauthControl::new(&self.shared)
    }

    /// Sets how many seconds the org's own clock is off, from the next request on: as if the client's clock had jumped
    /// the other way. Tokens, nonces and windows of the rate limit go on as they were.
    pub fn set_clock_offset(&self, seconds: i64) {
        self.shared.org().clock_offset = seconds;
    }

    /// Replaces the faults; holds from the next request on.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.org().faults = faults;
    }

    /// Replaces the events whose pages fail until they are small enough; holds from the next request on.
    pub fn set_poison(&self, poison: Vec<Poison>) {
        self.shared.org().poison = poison;
    }

    /// Makes exactly one of the next requests to the System Log meet this fault, for certain. Called several times, one
    /// request each, in that order.
    pub fn inject(&self, kind: FaultKind) {
        self.shared.org().injected.push_back(kind);
    }

    /// Makes the next request to this path, whatever it is, get exactly this answer, before any fault. Called several
    /// times, one request each, in that order.
    pub fn answer_next(&self, path: &str, answer: VerbatimAnswer) {
        self.shared.org().verbatim.push(path, answer);
    }

    /// Takes back what [`Simulator::answer_next`] was told and nobody asked for yet.
    pub fn forget_answers(&self) {
        self.shared.org().verbatim.clear();
    }

    /// Every answer takes at least this long from the next request on.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.org().latency = latency;
    }

    /// Holds back every page with events, complete as it is, from the next request on, until [`Simulator::release_pages`].
    pub fn hold_pages(&self) {
        self.shared.org().hold = true;
        let _ = self.shared.held.send_replace(true);
    }

    /// Lets pages go, those that were held back and those to come.
    pub fn release_pages(&self) {
        self.shared.org().hold = false;
        let _ = self.shared.held.send_replace(false);
    }

    /// Adds events as they are, whatever their bytes, persisted now and in this order.
    pub fn append<E: AsRef<[u8]>>(&self, events: impl IntoIterator<Item = E>) {
        let now = clock::now().as_millisecond();
        let mut org = self.shared.org();
        org.feed.catch_up(now);
        for event in events {
            org.feed.append(event.as_ref(), now);
        }
    }

    /// Adds generated events, persisted now.
    pub fn generate(&self, count: usize) {
        let now = clock::now().as_millisecond();
        let mut org = self.shared.org();
        org.feed.catch_up(now);
        for _ in 0..count {
            org.feed.generate_at(now);
        }
    }

    /// Adds generated events that are persisted now and were published `late_by` ago, at a millisecond's precision.
    pub fn generate_late(&self, count: usize, late_by: Duration) {
        let now = clock::now().as_millisecond();
        let mut org = self.shared.org();
        org.feed.catch_up(now);
        for _ in 0..count {
            org.feed.generate_late(now, i64::try_from(late_by.as_millis()).unwrap_or(now));
        }
    }

    /// From the next request on, every cursor that was given out before is refused, and those given out later are good.
    pub fn lose_cursors(&self) {
        self.shared.org().lost_cursors.lose();
    }

    /// Whether a cursor (`after`) was given out before the last loss, so that it is refused.
    pub fn is_lost(&self, after: &str) -> bool {
        let mut range = Range::Polling { since: 0, after: Cursor::parse(after) };
        self.shared.org().lost_cursors.read(&mut range).is_err()
    }

    /// How many events lie up to the place of a polling cursor (`after`), whether it is lost or not; `None` where there is no
    /// such event.
    pub fn events_up_to(&self, after: &str) -> Option<usize> {
        let cursor = event_cursor(Cursor::parse(after)?);
        let mut org = self.shared.org();
        org.feed.store().events().binary_search_by_key(&cursor, |event| event.cursor).ok().map(|place| place + 1)
    }

    /// From the next made event on, events have the shape that they have behind [`SimulatorConfig::drift_from`].
    pub fn drift(&self) {
        let mut org = self.shared.org();
        org.feed.catch_up(clock::now().as_millisecond());
        let next = org.feed.store().events().len();
        org.feed.drift_from = Some(DriftFrom::Event(next));
    }

    /// Every event there is by now, in persistence order: what a client that polls from the beginning must have got.
    pub fn events(&self) -> Vec<StoredEvent> {
        let mut org = self.shared.org();
        org.feed.catch_up(clock::now().as_millisecond());
        org.feed.store().events().to_vec()
    }

    /// How many events there are by now.
    pub fn event_count(&self) -> usize {
        let mut org = self.shared.org();
        org.feed.catch_up(clock::now().as_millisecond());
        org.feed.store().events().len()
    }

    /// Every request so far but those for access tokens ([`OauthControl::token_requests`]), oldest first (the last
    /// 200,000). A request is logged before its answer is sent, also while
    /// a latency or the fault `slow` holds that back.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.org().log.records()
    }

    /// How many requests there were so far, without those for access tokens.
    pub fn request_count(&self) -> usize {
        *self.shared.requests.borrow()
    }

    /// Waits until there were at least `count` requests since the start, without those for access tokens.
    pub async fn wait_for_requests(&self, count: usize) {
        let mut requests = self.shared.requests.subscribe();
        // The sender lives as long as `self`, so this cannot end in an error.
        let _ = requests.wait_for(|seen| *seen >= count).await;
    }

    /// How many requests came although a 429 of the rate limit had told to wait longer: a polite client has none.
    pub fn requests_in_rate_limit_window(&self) -> usize {
        self.shared.org().log.in_rate_limit_window()
    }

    /// The same for a 429 of the concurrency limit, whose reset is only an estimate.
    pub fn requests_in_concurrency_wait(&self) -> usize {
        self.shared.org().log.in_concurrency_wait()
    }

    /// Stops listening, lets answers end, and waits for it.
    pub async fn shutdown(mut self) {
        self.shared.stop.cancel();
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(SHUTDOWN_GRACE, &mut server).await.is_err()
        {
            server.abort();
        }
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // All but the token.
        f.debug_struct("Simulator").field("url", &self.shared.url).finish_non_exhaustive()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}
