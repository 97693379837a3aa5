//! The access token of a service app: asked for, kept, presented, and renewed before it ends.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tracing::{debug, info, warn};
use url::Url;

use super::dpop::{Proof, ProofKey};
use super::exchange::{self, Exchange};
use super::files::{self, PATIENCE};
use super::refusal::{self, Tried, Verdict};
use super::renewal::{Plan, Renewal};
use super::signing_key::SigningKey;
use super::token::{AccessToken, Scheme};
use super::token_error::{self, Asked, TokenError};
use super::{assertion, jwt};
use crate::clock::{self, Clock};
use crate::config::{OauthApp, OauthError};
use crate::okta::client::Client;
use crate::okta::client::token_request::TokenAnswer;
use crate::okta::error::{self, OktaError, RequestError};
use crate::okta::origin::Origin;
use crate::okta::server_clock::ServerClock;

/// The org server's token endpoint; its whole URL is the audience of an assertion.
const TOKEN_PATH: &str = "/oauth2/v1/token";

/// A service app's session with its org. All connectors of the org and the app share it, and with it one token.
pub struct Session {
    org: Origin,
    app: OauthApp,
    clock: Clock,
    state: Mutex<State>,
    /// Made when the first proof is wanted.
    proof_key: OnceLock<ProofKey>,
    /// Held by who asks for a token: the others wait, and use what he got.
    flight: Arc<tokio::sync::Mutex<()>>,
    /// Hears the status of each request for a token.
    count: OnceLock<Box<dyn Fn(Option<u16>) + Send + Sync>>,
}

#[derive(Default)]
struct State {
    server: ServerClock,
    renewal: Renewal,
    /// Tokens so far: the number of the last one.
    tokens: u64,
    /// The org wants proofs: learnt once, and kept.
    proves: bool,
    /// The org's `Date` was found wrong: a token was given by the wall clock alone.
    by_wall: bool,
    /// The last nonce of the token endpoint, and of the System Log: a server knows its own only (RFC 9449, section 8.2).
    token_nonce: Option<String>,
    page_nonce: Option<String>,
    /// How the last token is presented, and the key id that it was asked for with: told when it changes.
    told: Option<(Scheme, String)>,
    /// Why the private key could not be read again.
    key_problem: Option<String>,
}

/// What was put on a request. Debug shows none of it, as it has none.
pub(in crate::okta) struct Presented {
    token: AccessToken,
    proof: Option<SecretString>,
}

impl Presented {
    /// What no error may repeat.
    pub fn secrets(&self) -> Vec<&str> {
        let proof = self.proof.iter().map(ExposeSecret::expose_secret);
        std::iter::once(self.token.secret.expose_secret()).chain(proof).collect()
    }
}

impl Session {
    /// A session without a token yet.
    pub fn new(org: Origin, app: OauthApp) -> Self {
        Self {
            org,
            app,
            clock: Clock::new(),
            state: Mutex::default(),
            proof_key: OnceLock::new(),
            flight: Arc::default(),
            count: OnceLock::new(),
        }
    }

    pub(super) fn count_requests(&self, count: Box<dyn Fn(Option<u16>) + Send + Sync>) {
        // Connectors that share the session count it once.
        let _ = self.count.set(count);
    }

    /// The app's.
    pub fn client_id(&self) -> &str {
        &self.app.client_id
    }

    /// How the token that is used now is presented.
    pub fn scheme(&self) -> Option<Scheme> {
        match self.plan() {
            Plan::Use(token) | Plan::UseAndRenew(token) => Some(token.scheme),
            Plan::Fail(_) | Plan::Ask => None,
        }
    }

    /// The private key as last read.
    pub(super) fn signing_key(&self) -> Arc<SigningKey> {
        self.app.signing_key()
    }

    /// How long the token may be used from now on; zero where there is none.
    pub fn token_left(&self) -> Duration {
        let now = self.clock.elapsed();
        self.state().renewal.left(now).unwrap_or_default()
    }

    /// What an operator should mend before the token ends: it can't be renewed, or the private key can't be read again.
    pub fn trouble(&self) -> Option<String> {
        let now = self.clock.elapsed();
        let state = self.state();
        let renewal = state.renewal.failing(now).map(|(left, error)| {
            let left = crate::telemetry::shown(left);
            let id = error.okta().and_then(|okta| okta.request_id.as_deref());
            format!(
                "access token not renewed, the old one is good for {left:?} more: {error}{}",
                error::told_request_id(id)
            )
        });
        let key = || Some(format!("private key not read again, the old one is used: {}", state.key_problem.as_ref()?));
        renewal.or_else(key)
    }

    /// Puts the token on a request of a page, with a proof where it is bound to our key; asks for one first where there is
    /// none.
    pub(in crate::okta) async fn authorize(
        self: &Arc<Self>,
        client: &Client,
        url: &Url,
        headers: &mut HeaderMap,
    ) -> Result<Presented, TokenError> {
        let token = self.token(client).await?;
        let value = token.authorization().ok_or(TokenError::NotAToken("it can't stand in a header"))?;
        headers.insert(AUTHORIZATION, value);
        let mut proof = None;
        if token.scheme == Scheme::Dpop {
            let nonce = self.state().page_nonce.clone();
            let made = self.prove("GET", url, self.now(), nonce.as_deref(), Some(&token.secret))?;
            headers.insert(HeaderName::from_static("dpop"), header(&made)?);
            proof = Some(made);
        }
        Ok(Presented { token, proof })
    }

    /// Learns from any answer of the System Log: the org's time, and its nonce.
    pub(in crate::okta) fn learn(&self, date: Option<Timestamp>, nonce: Option<&str>) {
        let mut state = self.state();
        if let Some(date) = date {
            state.server.learn(date, self.clock.elapsed());
        }
        if let Some(nonce) = nonce {
            state.page_nonce = Some(nonce.to_owned());
        }
    }

    /// The System Log refused the request. Returns whether to ask again at once.
    pub(in crate::okta) fn refused(
        &self,
        sent: &Presented,
        okta: &OktaError,
        has_nonce: bool,
        tried: &mut Tried,
    ) -> bool {
        let mut state = self.state();
        // The wall clock may have been set meanwhile; the answer's `Date` is the newer one.
        state.by_wall &= okta.code.as_deref() != Some("invalid_dpop_proof");
        match refusal::judge(okta, sent.token.scheme, has_nonce, self.app.dpop, tried) {
            Verdict::Again => true,
            Verdict::Prove => {
                state.proves = true;
                state.renewal.refused(sent.token.number);
                true
            }
            Verdict::Renew => {
                state.renewal.refused(sent.token.number);
                false
            }
            Verdict::Final => false,
        }
    }

    /// Reads the private key again, after the token was refused. Returns whether it changed.
    ///
    /// # Errors
    /// A file cannot be read, or holds no key; the old one is kept.
    pub fn reload(&self) -> Result<bool, OauthError> {
        let changed = self.app.reload()?;
        if changed {
            self.state().renewal.key_changed();
        }
        Ok(changed)
    }

    async fn token(self: &Arc<Self>, client: &Client) -> Result<AccessToken, TokenError> {
        match self.plan() {
            Plan::Use(token) => {
                // What was wrong is over as soon as it is mended, and not with the next renewal.
                let looks = self.state().key_problem.is_some();
                if looks && let Ok(flight) = Arc::clone(&self.flight).try_lock_owned() {
                    let session = Arc::clone(self);
                    drop(tokio::spawn(async move {
                        let _flight = flight;
                        let _ = session.current_key(false).await;
                    }));
                }
                return Ok(token);
            }
            Plan::UseAndRenew(token) => {
                // Nobody waits for it: the old token is good, however long the endpoint takes.
                if let Ok(flight) = Arc::clone(&self.flight).try_lock_owned() {
                    let (session, client) = (Arc::clone(self), client.clone());
                    drop(tokio::spawn(async move {
                        let _flight = flight;
                        if matches!(session.plan(), Plan::UseAndRenew(_)) {
                            let _ = session.renew(&client).await;
                        }
                    }));
                }
                return Ok(token);
            }
            Plan::Fail(error) => return Err(error),
            Plan::Ask => {}
        }
        let _flight = self.flight.lock().await;
        // Somebody else may have asked meanwhile.
        match self.plan() {
            Plan::Use(token) | Plan::UseAndRenew(token) => Ok(token),
            Plan::Fail(error) => Err(error),
            Plan::Ask => self.renew(client).await,
        }
    }

    fn plan(&self) -> Plan {
        let now = self.clock.elapsed();
        self.state().renewal.plan(now)
    }

    /// One attempt, by who holds the flight.
    async fn renew(&self, client: &Client) -> Result<AccessToken, TokenError> {
        let mut key = self.current_key(true).await;
        let got = self.attempt(client, &mut key).await;
        let (org, client_id, now) = (&self.org, &self.app.client_id, self.clock.elapsed());
        let mut state = self.state();
        match got {
            Ok(token) => {
                let (number, scheme, lives) = (token.number, token.scheme, token.expires_at.saturating_sub(now));
                let again = if state.renewal.succeed(token.clone()) { " again" } else { "" };
                let told = Some((scheme, key.key_id.clone()));
                let is_news = state.told != told;
                state.told = told;
                drop(state);
                if is_news || !again.is_empty() {
                    let (key_id, scheme, bound) = (&key.key_id, scheme.as_str(), scheme.bound());
                    info!(%org, client_id, key_id, scheme, "access token received{again}: {bound}");
                } else {
                    let (token, holds_for) = (number, crate::telemetry::shown(lives));
                    debug!(%org, client_id, token, scheme = scheme.as_str(), ?holds_for, "access token received");
                }
                Ok(token)
            }
            Err(error) => {
                let (lives, rest) = state.renewal.fail(now, error.clone());
                let left = state.renewal.left(now).unwrap_or_default();
                drop(state);
                if lives {
                    let (holds_for, retry_in) = (crate::telemetry::shown(left), crate::telemetry::shown(rest));
                    let okta_request_id = error.okta().and_then(|okta| okta.request_id.as_deref());
                    warn!(%org, client_id, ?holds_for, ?retry_in, okta_request_id, "access token not renewed, the old one is still good: {error}");
                }
                Err(error)
            }
        }
    }

    /// Asks until there is a token or a refusal that asking at once does not mend.
    async fn attempt(&self, client: &Client, key: &mut Arc<SigningKey>) -> Result<AccessToken, TokenError> {
        let url = self.token_url()?;
        let (proves, by_wall, knows) = {
            let state = self.state();
            (state.proves, state.by_wall, state.server.is_known())
        };
        let mut exchange = Exchange::new(self.app.dpop, proves);
        if knows {
            exchange = exchange.with_known_clock(by_wall);
        }
        loop {
            self.state().by_wall = exchange.by_wall();
            let (asked_at, signed_at) = (self.clock.elapsed(), self.now());
            let assertion = self.assertion(key, &url, signed_at)?;
            let proof = match exchange.proves() {
                true => {
                    let nonce = self.state().token_nonce.clone();
                    Some(self.prove("POST", &url, signed_at, nonce.as_deref(), None)?)
                }
                false => None,
            };
            let form = [
                ("client_assertion", assertion.expose_secret()),
                ("client_assertion_type", assertion::TYPE),
                ("grant_type", "client_credentials"),
                ("scope", &self.app.scope),
            ];
            let answer = client.post_token(&self.org, &url, &form, proof.as_ref().map(header).transpose()?).await;
            if let Some(count) = self.count.get() {
                count(answer.as_ref().ok().map(|answer| answer.status));
            }
            let answer = answer?;
            let number = self.take_over(&answer);
            if answer.status == 200 {
                self.state().proves |= exchange.proves();
                return AccessToken::read(&answer.body, asked_at, number, exchange.proved());
            }
            let proof = proof.as_ref().map_or("", |proof| proof.expose_secret());
            let okta = OktaError::read(answer.status, &answer.body, None, &[assertion.expose_secret(), proof])
                .with_request_id(answer.request_id.clone());
            // The time on the way is no difference of clocks.
            let way = self.clock.elapsed().saturating_sub(asked_at);
            let clock_off = answer
                .server_date
                .map_or(Duration::ZERO, |date| date.duration_since(signed_at).unsigned_abs().saturating_sub(way));
            let refusal = exchange::Refusal { okta: &okta, has_nonce: answer.nonce.is_some(), clock_off };
            if !exchange.again(refusal) {
                if exchange.looks_again(&okta) {
                    let seen = self.current_key(true).await;
                    if !Arc::ptr_eq(&seen, key) {
                        *key = seen;
                        debug!(org = %self.org, okta_request_id = okta.request_id, "asking for the token with the key as it is now: {okta}");
                        continue;
                    }
                }
                self.state().by_wall = false;
                return Err(self.refusal(okta, &answer, key, exchange.proves()));
            }
            debug!(org = %self.org, okta_request_id = okta.request_id, "asking for the token again: {okta}");
        }
    }

    /// Time and nonce of an answer of the token endpoint; the number of the token, if it is one.
    fn take_over(&self, answer: &TokenAnswer) -> u64 {
        let mut state = self.state();
        if let Some(date) = answer.server_date {
            state.server.learn(date, self.clock.elapsed());
        }
        if let Some(nonce) = &answer.nonce {
            state.token_nonce = Some(nonce.clone());
        }
        state.tokens += 1;
        state.tokens
    }

    /// The private key, read again where its file changed; where that can't be done, it is told in the log if `warns`.
    async fn current_key(&self, warns: bool) -> Arc<SigningKey> {
        let (org, client_id) = (&self.org, &self.app.client_id);
        if self.app.has_file() {
            let (app, org) = (self.app.clone(), org.clone());
            // Said by who looks, however late that is.
            let look = files::away(move || {
                let client_id = &app.client_id;
                match app.reload() {
                    Ok(false) => None,
                    Ok(true) => {
                        let key_id = &app.signing_key().key_id;
                        info!(%org, client_id, key_id, "private key read again: its file changed");
                        None
                    }
                    Err(problem) => {
                        if warns {
                            warn!(%org, client_id, "private key not read again, the old one is used: {problem}");
                        }
                        Some(problem.to_string())
                    }
                }
            });
            let problem = look.await.unwrap_or_else(|| {
                let org = &self.org;
                if warns {
                    warn!(%org, client_id, "private key not read again within {PATIENCE:?}, the old one is used: its file hangs");
                }
                Some("its file hangs".to_owned())
            });
            self.state().key_problem = problem;
        }
        self.app.signing_key()
    }

    fn token_url(&self) -> Result<Url, TokenError> {
        self.org.url().join(TOKEN_PATH).map_err(|_| TokenError::NotMade("the URL of the token endpoint"))
    }

    fn assertion(&self, key: &SigningKey, url: &Url, now: Timestamp) -> Result<SecretString, TokenError> {
        let id = jwt::fresh_id().map_err(|_| TokenError::NotMade("a random number"))?;
        let signed = assertion::sign(key, &self.app.client_id, url.as_str(), now.as_second(), &id);
        signed.map(SecretString::from).map_err(|_| TokenError::NotSigned)
    }

    fn prove(
        &self,
        method: &str,
        url: &Url,
        now: Timestamp,
        nonce: Option<&str>,
        token: Option<&SecretString>,
    ) -> Result<SecretString, TokenError> {
        let key = match self.proof_key.get() {
            Some(key) => key,
            None => {
                let made = ProofKey::generate().map_err(|_| TokenError::NotMade("a key for proofs of possession"))?;
                self.proof_key.get_or_init(|| made)
            }
        };
        let id = jwt::fresh_id().map_err(|_| TokenError::NotMade("a random number"))?;
        let proof = key.prove(&Proof { method, url, now, id: &id, nonce, token });
        proof.map(SecretString::from).map_err(|_| TokenError::NotMade("a proof of possession"))
    }

    fn refusal(&self, okta: OktaError, answer: &TokenAnswer, key: &SigningKey, proves: bool) -> TokenError {
        let wait = answer.rate_limit.map(|limit| limit.wait(answer.server_date));
        match okta.status {
            408 => RequestError::RequestTimeout { okta }.into(),
            429 if answer.rate_limit.is_some_and(|limit| limit.is_concurrency()) => {
                RequestError::Concurrency { okta }.into()
            }
            429 => RequestError::RateLimited { wait, okta }.into(),
            500..=599 => RequestError::Server { okta }.into(),
            300..=399 => {
                let asked = self.token_url().ok();
                let to = asked.and_then(|asked| error::redirected_to(&asked, answer.location.as_deref()));
                RequestError::Redirected { to, okta }.into()
            }
            400 | 401 | 403 => {
                let (org, client_id, scope) = (self.org.to_string(), &self.app.client_id, &self.app.scope);
                let asked = Asked { client_id, key_id: &key.key_id, org: &org, scope, proves };
                let advice = token_error::advice(&okta, asked);
                TokenError::Refused { okta: Box::new(okta), advice }
            }
            // No token endpoint says so.
            _ => RequestError::Unexpected { okta }.into(),
        }
    }

    /// The org's time, where an answer showed it.
    pub(in crate::okta) fn org_time(&self) -> Option<Timestamp> {
        let now = self.clock.elapsed();
        let state = self.state();
        state.server.is_known().then(|| state.server.now(now, clock::wall()))
    }

    /// The org's time, as far as it is known, and is not known to be wrong.
    fn now(&self) -> Timestamp {
        let (state, wall) = (self.state(), clock::wall());
        if state.by_wall { wall } else { state.server.now(self.clock.elapsed(), wall) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marked sensitive: no library below writes it into a log.
fn header(secret: &SecretString) -> Result<HeaderValue, TokenError> {
    let mut value =
        HeaderValue::from_str(secret.expose_secret()).map_err(|_| TokenError::NotMade("the header of a proof"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({}, {:?})", self.org, self.app)
    }
}
