//! The access token of a service app: asked for, kept, and renewed before it ends.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

use super::signing_key::SigningKey;
use super::token::AccessToken;
use super::token_error::{self, TokenError};
use super::{assertion, jwt};
use crate::clock::{self, Clock};
use crate::config::{OauthApp, OauthError};
use crate::okta::client::Client;
use crate::okta::error::{OktaError, RequestError};
use crate::okta::origin::Origin;
use crate::okta::server_clock::ServerClock;

/// The org server's token endpoint; its whole URL is the audience of an assertion.
const TOKEN_PATH: &str = "oauth2/v1/token";

/// A service app's session with its org. All connectors of the org and the app share it, and with it one token.
pub struct Session {
    org: Origin,
    app: OauthApp,
    clock: Clock,
    state: Mutex<State>,
    /// Held by who asks for a token: the others wait, and use what he got.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    server: ServerClock,
    token: Option<AccessToken>,
    tokens: u64,
}

impl Session {
    /// A session without a token yet.
    pub fn new(org: Origin, app: OauthApp) -> Self {
        Self { org, app, clock: Clock::new(), state: Mutex::default(), flight: tokio::sync::Mutex::default() }
    }

    /// The app's.
    pub fn client_id(&self) -> &str {
        &self.app.client_id
    }

    /// Puts the token on a request; asks for one first where there is none. Returns it, so that no error repeats it.
    pub(in crate::okta) async fn authorize(
        &self,
        client: &Client,
        headers: &mut HeaderMap,
    ) -> Result<AccessToken, TokenError> {
        let token = self.token(client).await?;
        let value = token.authorization().ok_or(TokenError::NotAToken("it can't stand in a header"))?;
        headers.insert(AUTHORIZATION, value);
        Ok(token)
    }

    /// Learns the org's time from any answer of it.
    pub(in crate::okta) fn learn(&self, date: Timestamp) {
        self.state().server.learn(date, self.clock.elapsed());
    }

    /// The org refused this token: it is used no more.
    pub(in crate::okta) fn refused(&self, number: u64) {
        let mut state = self.state();
        if state.token.as_ref().is_some_and(|token| token.number == number) {
            state.token = None;
        }
    }

    /// Looks whether the key can still be read.
    ///
    /// # Errors
    /// It can't.
    pub fn reload(&self) -> Result<bool, OauthError> {
        self.app.signing_key().map(|_| false)
    }

    async fn token(&self, client: &Client) -> Result<AccessToken, TokenError> {
        if let Some(token) = self.usable(|token| token.renew_at) {
            return Ok(token);
        }
        let _flight = self.flight.lock().await;
        // Somebody else may have asked meanwhile.
        if let Some(token) = self.usable(|token| token.renew_at) {
            return Ok(token);
        }
        match self.request(client).await {
            Ok(token) => {
                self.state().token = Some(token.clone());
                info!(org = %self.org, client_id = self.app.client_id, "access token received");
                Ok(token)
            }
            Err(error) => {
                let token = self.usable(|token| token.expires_at).ok_or(error.clone())?;
                warn!(org = %self.org, client_id = self.app.client_id, "access token not renewed, the old one still lives: {error}");
                Ok(token)
            }
        }
    }

    /// The token, while the time that `until` gives has not come.
    fn usable(&self, until: impl Fn(&AccessToken) -> Duration) -> Option<AccessToken> {
        let now = self.clock.elapsed();
        self.state().token.clone().filter(|token| now < until(token))
    }

    async fn request(&self, client: &Client) -> Result<AccessToken, TokenError> {
        let key = self.app.signing_key()?;
        let url = format!("{}{TOKEN_PATH}", self.org.url());
        let asked_at = self.clock.elapsed();
        let now = self.state().server.now(asked_at, clock::wall());
        let assertion = self.assertion(&key, &url, now)?;
        let form = [
            ("client_assertion", assertion.expose_secret()),
            ("client_assertion_type", assertion::TYPE),
            ("grant_type", "client_credentials"),
            ("scope", &self.app.scope),
        ];
        let answer = client.post_token(&self.org, &url, &form).await?;
        if let Some(date) = answer.server_date {
            self.learn(date);
        }
        if answer.status == 200 {
            let number = {
                let mut state = self.state();
                state.tokens += 1;
                state.tokens
            };
            return AccessToken::read(&answer.body, asked_at, number).map_err(TokenError::NotAToken);
        }
        let okta = OktaError::read(answer.status, &answer.body, None, assertion.expose_secret());
        Err(self.refusal(okta, &key, answer.rate_limit, answer.server_date))
    }

    fn assertion(&self, key: &SigningKey, url: &str, now: Timestamp) -> Result<SecretString, TokenError> {
        let id = jwt::fresh_id().map_err(|_| TokenError::NotSigned)?;
        let signed = assertion::sign(key, &self.app.client_id, url, now.as_second(), &id);
        signed.map(SecretString::from).map_err(|_| TokenError::NotSigned)
    }

    fn refusal(
        &self,
        okta: OktaError,
        key: &SigningKey,
        rate_limit: Option<crate::okta::rate_limit::RateLimit>,
        server_date: Option<Timestamp>,
    ) -> TokenError {
        match okta.status {
            408 | 429 | 500..=599 => {
                let wait = rate_limit.map(|limit| limit.wait(server_date));
                TokenError::from(match okta.status {
                    408 => RequestError::RequestTimeout { okta },
                    429 if rate_limit.is_some_and(|limit| limit.is_concurrency()) => {
                        RequestError::Concurrency { wait, okta }
                    }
                    429 => RequestError::RateLimited { wait, okta },
                    _ => RequestError::Server { okta },
                })
            }
            _ => {
                let org = self.org.to_string();
                let advice = token_error::advice(&okta, &self.app.client_id, &key.key_id, &org, &self.app.scope);
                TokenError::Refused { okta: Box::new(okta), advice }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({}, {:?})", self.org, self.app)
    }
}
