//! An Okta API token (SSWS), which may change while the program runs.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use thiserror::Error;

use super::interpolation::{InterpolationError, Template};
use super::look::{Look, Trouble};

/// Why a token cannot be used. No message shows any of it.
#[derive(Debug, Error)]
pub enum SswsError {
    /// A file that the token is in cannot be read any more.
    #[error(transparent)]
    Interpolation(#[from] InterpolationError),
    /// The token is empty.
    #[error("the token is empty: write the value that Okta showed when the token was created")]
    Empty,
    /// The token is not what a header can carry.
    #[error(
        "the token has spaces, line breaks or other characters that no Okta token has: write the token alone, \
         without `SSWS` and on one line"
    )]
    NotAToken,
}

/// The API token of an org, sent as `Authorization: SSWS <token>`.
///
/// Clones share the token: what one reads again, all have. Debug shows none of it (I9).
#[derive(Clone)]
pub struct Ssws {
    inner: Arc<Inner>,
}

struct Inner {
    template: Template,
    token: RwLock<SecretString>,
    trouble: Trouble,
}

impl Ssws {
    /// A token that never changes, as the simulated org's.
    ///
    /// # Errors
    /// The text is empty or has characters that a token cannot have.
    pub fn new(token: SecretString) -> Result<Self, SswsError> {
        Self::from_template(Template::literal(token))
    }

    pub(super) fn from_template(template: Template) -> Result<Self, SswsError> {
        let token = usable(template.render()?)?;
        Ok(Self { inner: Arc::new(Inner { template, token: RwLock::new(token), trouble: Trouble::default() }) })
    }

    pub(super) fn digest(&self, digest: &mut Sha256) {
        self.inner.template.digest(digest);
    }

    /// Whether the two are clones of one.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// [`reload`](Self::reload), where there is a file that may have changed.
    pub fn look(&self) -> Look<SswsError> {
        self.inner.trouble.look(self.has_file(), || self.read_again())
    }

    /// Whether any part of the token is in a file.
    pub fn has_file(&self) -> bool {
        self.inner.template.has_file()
    }

    /// The token as last read.
    pub fn token(&self) -> SecretString {
        self.inner.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files of the token again: someone may have renewed it. Returns whether it changed.
    ///
    /// Blocks for the time of reading a small file, which on a mount that hangs has no end; where somebody reads it already,
    /// it is left to him. A token from the environment or the configuration cannot change.
    ///
    /// # Errors
    /// A file cannot be read, or holds no token; the old token is kept.
    pub fn reload(&self) -> Result<bool, SswsError> {
        self.inner.trouble.alone(|| self.read_again()).unwrap_or(Ok(false))
    }

    fn read_again(&self) -> Result<bool, SswsError> {
        let read = usable(self.inner.template.render()?)?;
        let mut token = self.inner.token.write().unwrap_or_else(PoisonError::into_inner);
        let changed = token.expose_secret() != read.expose_secret();
        *token = read;
        Ok(changed)
    }
}

impl fmt::Debug for Ssws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ssws(***)")
    }
}

/// Visible ASCII only: anything else would be refused by the HTTP client with the value in hand, or by Okta.
fn usable(text: String) -> Result<SecretString, SswsError> {
    let token = SecretString::from(text);
    match token.expose_secret() {
        "" => Err(SswsError::Empty),
        text if text.bytes().all(|b| b.is_ascii_graphic()) => Ok(token),
        _ => Err(SswsError::NotAToken),
    }
}
