//! What the client puts on a request, and who shares it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

use super::files::{self, PATIENCE};
use super::session::Session;
use super::signing_key::SigningKey;
use super::token::Scheme;
use crate::config::{Auth, Look, OauthError, Ssws, SswsError};
use crate::okta::origin::Origin;

/// A credential at work: clones share it, and with it the access token of a service app.
#[derive(Debug, Clone)]
pub enum Credential {
    /// An API token.
    Ssws(Ssws),
    /// A service app.
    Oauth(Arc<Session>),
}

/// The credentials of a process: connectors of one org whose `auth` is written alike share one, so that one access token
/// serves them all.
#[derive(Debug, Default)]
pub struct Credentials {
    known: HashMap<(Origin, [u8; 32]), Credential>,
}

impl Credentials {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The credential of a connector.
    pub fn of(&mut self, org: &Origin, auth: &Auth) -> Credential {
        let known = self.known.entry((org.clone(), auth.identity()));
        known.or_insert_with(|| Credential::new(org, auth)).clone()
    }
}

impl Credential {
    /// One that nobody shares yet.
    pub fn new(org: &Origin, auth: &Auth) -> Self {
        match auth {
            Auth::Ssws(ssws) => Self::Ssws(ssws.clone()),
            Auth::Oauth(app) => Self::Oauth(Arc::new(Session::new(org.clone(), app.clone()))),
        }
    }

    /// An API token that never changes, as the simulated org's.
    ///
    /// # Errors
    /// The text is empty or has characters that a token cannot have.
    pub fn ssws(token: SecretString) -> Result<Self, SswsError> {
        Ssws::new(token).map(Self::Ssws)
    }

    /// The client ID of a service app; none for an API token.
    pub fn client_id(&self) -> Option<&str> {
        match self {
            Self::Ssws(_) => None,
            Self::Oauth(session) => Some(session.client_id()),
        }
    }

    /// Tells `count` the status of each request for an access token from now on, none where there was no answer. Only the
    /// first call of a credential counts.
    pub fn count_token_requests(&self, count: impl Fn(Option<u16>) + Send + Sync + 'static) {
        if let Self::Oauth(session) = self {
            session.count_requests(Box::new(count));
        }
    }

    /// How the access token of a service app is presented, where there is one.
    pub fn scheme(&self) -> Option<Scheme> {
        match self {
            Self::Ssws(_) => None,
            Self::Oauth(session) => session.scheme(),
        }
    }

    /// How long the access token of a service app may be used from now on, zero where there is none; `None` for an API token.
    pub fn token_left(&self) -> Option<Duration> {
        match self {
            Self::Ssws(_) => None,
            Self::Oauth(session) => Some(session.token_left()),
        }
    }

    /// What an operator should mend though requests go on. Shows nothing secret.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Ssws(_) => None,
            Self::Oauth(session) => session.trouble(),
        }
    }

    /// Whether the two are one credential, so that the org counts their requests together.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ssws(one), Self::Ssws(other)) => one.is_same(other),
            (Self::Oauth(one), Self::Oauth(other)) => Arc::ptr_eq(one, other),
            (Self::Ssws(_), Self::Oauth(_)) | (Self::Oauth(_), Self::Ssws(_)) => false,
        }
    }

    /// Reads again what the credential comes from, after it was refused. Returns whether it changed.
    ///
    /// # Errors
    /// A file cannot be read, or holds nothing usable; the old secret is kept.
    ///
    /// Blocks: see [`read_again`](Self::read_again).
    pub fn reload(&self) -> Result<bool, ReloadError> {
        match self {
            Self::Ssws(ssws) => Ok(ssws.reload()?),
            Self::Oauth(session) => Ok(session.reload()?),
        }
    }

    /// Waits until the secret is another than now, and reads its files again every `every` meanwhile. Has no end where it is
    /// in no file.
    pub async fn until_changed(self, every: Duration) {
        let then = self.secret();
        loop {
            files::rest(every).await;
            let credential = self.clone();
            // What can't be read is told when a request wants it.
            let _ = files::away(move || credential.reload()).await;
            if !self.secret().is_same(&then) {
                return;
            }
        }
    }

    fn secret(&self) -> Secret {
        match self {
            Self::Ssws(ssws) => Secret::Ssws(ssws.token()),
            Self::Oauth(session) => Secret::Oauth(session.signing_key()),
        }
    }

    /// [`reload`](Self::reload) for a connector, away from the runtime's threads; says in the log what came of it.
    pub async fn read_again(&self, org: &Origin, connector: &str) {
        let credential = self.clone();
        match files::away(move || credential.reload()).await {
            Some(Ok(true)) => info!(connector, %org, "credential read again: it changed"),
            Some(Ok(false)) => {}
            Some(Err(problem)) => warn!(connector, %org, "credential not read again: {problem}"),
            None => warn!(connector, %org, "credential not read again: its file was not read within {PATIENCE:?}"),
        }
    }
}

/// What a credential was at some time.
enum Secret {
    Ssws(SecretString),
    Oauth(Arc<SigningKey>),
}

impl Secret {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ssws(one), Self::Ssws(other)) => one.expose_secret() == other.expose_secret(),
            // Made anew only where it changed.
            (Self::Oauth(one), Self::Oauth(other)) => Arc::ptr_eq(one, other),
            (Self::Ssws(_), Self::Oauth(_)) | (Self::Oauth(_), Self::Ssws(_)) => false,
        }
    }
}

/// What a credential comes from can't be read again. No message shows any of it.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// Of an API token.
    #[error(transparent)]
    Ssws(#[from] SswsError),
    /// Of a service app.
    #[error(transparent)]
    Oauth(#[from] OauthError),
}

/// The API token, read again where its file changed.
pub(in crate::okta) async fn current(org: &Origin, ssws: &Ssws) -> SecretString {
    if ssws.has_file() {
        let (looking, at) = (ssws.clone(), org.clone());
        // Said by who looks, however late that is.
        let look = files::away(move || match looking.look() {
            Look::Same => {}
            Look::Changed => info!(org = %at, "API token read again: its file changed"),
            Look::Failed(problem) => warn!(org = %at, "API token not read again, the old one is used: {problem}"),
        });
        if look.await.is_none() {
            warn!(%org, "API token not read again within {PATIENCE:?}, the old one is used: its file hangs");
        }
    }
    ssws.token()
}
