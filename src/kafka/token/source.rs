//! The process's one token: renewed by a thread of its own, whether anybody asks for it or not.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

use super::endpoint::{Token, TokenEndpoint, TokenError};
use crate::clock::{self, Clock};
use crate::config::Oidc;
use crate::kafka::native;
use crate::telemetry;

/// The part of a token's life after which it is renewed: librdkafka logs in anew at 90 % of what the broker gives it.
const RENEW_AFTER: f64 = 0.7;
/// Rest after a failure, at first and at most.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// Rest after a proxy has refused our login: every refusal counts against an account.
const PROXY_REST: Duration = Duration::from_secs(300);
/// Shortest time between two tokens.
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// Between two words about a failure that stays.
const SILENCE: Duration = Duration::from_secs(30);

/// All sources of this process, one for each configuration. They live as long as it does.
static SOURCES: Mutex<Vec<Arc<TokenSource>>> = Mutex::new(Vec::new());

/// Gives every client the same token, as long as it holds.
pub struct TokenSource {
    oidc: Arc<Oidc>,
    clock: Clock,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    token: Option<Issued>,
    /// Why there is no new one.
    problem: Option<String>,
}

#[derive(Clone)]
struct Issued {
    text: SecretString,
    number: u64,
    /// On the source's clock.
    expires: Duration,
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource(***)")
    }
}

impl TokenSource {
    /// The source of a configuration, started when it is first asked for.
    pub fn of(oidc: &Arc<Oidc>) -> Arc<Self> {
        let mut sources = SOURCES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.iter().find(|source| Arc::ptr_eq(&source.oidc, oidc) || source.oidc == *oidc) {
            return Arc::clone(source);
        }
        let source = Arc::new(Self {
            oidc: Arc::clone(oidc),
            clock: Clock::new(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let renewing = Arc::clone(&source);
        let renew = move || renewing.renew_for_ever();
        match std::thread::Builder::new().name("token".to_owned()).spawn(renew) {
            Ok(_) => sources.push(Arc::clone(&source)),
            // The next client tries again.
            Err(error) => source.failed(format!("no thread for tokens: {error}; raise the limit of threads")),
        }
        source
    }

    /// Waits until there is a token, or a reason why there is none.
    pub fn await_first(&self, timeout: Duration) {
        let until = self.clock.elapsed() + timeout;
        let mut state = self.lock();
        while state.token.is_none() && state.problem.is_none() {
            let left = until.saturating_sub(self.clock.elapsed());
            if left.is_zero() {
                return;
            }
            state = match self.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Gives the client today's token, where `last` is not its number, and returns the number that it has now.
    pub fn feed<C: ClientContext>(&self, client: &Client<C>, last: u64) -> u64 {
        let now = self.clock.elapsed();
        let newer = |token: &&Issued| token.number != last && now < token.expires;
        let Some(token) = self.lock().token.as_ref().filter(newer).cloned() else { return last };
        let Oidc { client_id, extensions, .. } = &*self.oidc;
        // By the wall clock as it is now, which librdkafka compares it with: it may have been set since the token was issued.
        let left = i64::try_from(token.expires.saturating_sub(now).as_millis()).unwrap_or(i64::MAX / 2);
        let expires_ms = clock::wall().as_millisecond().saturating_add(left);
        if let Err(reason) = native::set_token(client, token.text.expose_secret(), client_id, expires_ms, extensions) {
            warn!(
                "librdkafka does not take the token: {reason}; check `sasl.oauthbearer.extensions` and this machine's clock"
            );
        }
        token.number
    }

    /// Why nobody can log in: no token that still holds, and what came of asking for one.
    pub fn problem(&self) -> Option<String> {
        let state = self.lock();
        if state.token.as_ref().is_some_and(|token| self.clock.elapsed() < token.expires) {
            return None;
        }
        let waiting = || {
            "the token endpoint has not answered yet: check `sasl.oauthbearer.token.endpoint.url` and the network"
                .to_owned()
        };
        Some(state.problem.clone().unwrap_or_else(waiting))
    }

    /// Why there will be no new token, though one may hold still.
    pub fn renewal_problem(&self) -> Option<String> {
        self.lock().problem.clone()
    }

    fn renew_for_ever(&self) {
        let runtime = loop {
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => break runtime,
                Err(error) => self.failed(format!("no runtime for tokens: {error}; raise the limit of open files")),
            }
            std::thread::park_timeout(REST.1);
        };
        runtime.block_on(self.renew());
    }

    async fn renew(&self) {
        let mut endpoint = None;
        let mut rest = REST.0;
        let mut said: Option<(String, Duration)> = None;
        for number in 1.. {
            let pause = match self.ask(&mut endpoint).await {
                Ok(token) => {
                    if said.take().is_some() {
                        info!("there is a token again");
                    }
                    rest = REST.0;
                    self.issued(number, token.text, token.life);
                    token.life.mul_f64(RENEW_AFTER).max(MIN_PAUSE)
                }
                Err(error) => {
                    let pause = if let TokenError::ProxyLogin { .. } = error { PROXY_REST } else { rest };
                    self.tell(&error, pause, &mut said);
                    rest = (rest * 2).min(REST.1);
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Where there is no client for the endpoint, the next try makes one: its file of authorities may have been mended.
    async fn ask(&self, endpoint: &mut Option<TokenEndpoint>) -> Result<Token, TokenError> {
        let endpoint = match endpoint {
            Some(endpoint) => endpoint,
            None => endpoint.insert(TokenEndpoint::new(Arc::clone(&self.oidc))?),
        };
        endpoint.ask().await
    }

    fn issued(&self, number: u64, text: SecretString, life: Duration) {
        let expires = self.clock.elapsed() + life;
        let mut state = self.lock();
        state.token = Some(Issued { text, number, expires });
        state.problem = None;
        drop(state);
        self.changed.notify_all();
    }

    fn failed(&self, problem: String) {
        self.lock().problem = Some(problem);
        self.changed.notify_all();
    }

    /// Said when it is new, and again now and then. Whoever has no token to begin with says it himself.
    fn tell(&self, error: &TokenError, retry_in: Duration, said: &mut Option<(String, Duration)>) {
        let (message, now) = (error.to_string(), self.clock.elapsed());
        let is_silent = said.as_ref().is_some_and(|(last, at)| *last == message && now < *at + SILENCE);
        if !is_silent && self.lock().token.is_some() {
            warn!(retry_in = ?telemetry::shown(retry_in), "{message}");
        }
        if !is_silent {
            *said = Some((message.clone(), now));
        }
        self.failed(message);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
