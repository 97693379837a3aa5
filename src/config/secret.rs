//! A secret of a server that is neither Okta nor Kafka, which may change while the program runs.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::interpolation::{InterpolationError, Template};
use super::look::Trouble;

/// Why a secret cannot be used. No message shows any of it.
#[derive(Debug, Error)]
pub enum SecretError {
    /// A file that it is in cannot be read any more.
    #[error(transparent)]
    Interpolation(#[from] InterpolationError),
    /// There is nothing.
    #[error("is empty: write it")]
    Empty,
    /// It is not what its place in a request can carry.
    #[error("has {0}: write the value alone, on one line")]
    NotCarried(&'static str),
}

/// What a secret may be made of.
type Rule = fn(&str) -> Result<(), SecretError>;

/// A password, a user's name or a token.
///
/// Clones share the value: what one reads again, all have. Debug shows none of it (I9).
#[derive(Clone)]
pub struct Secret {
    inner: Arc<Inner>,
}

struct Inner {
    template: Template,
    rule: Rule,
    value: RwLock<SecretString>,
    trouble: Trouble,
}

impl Secret {
    pub(super) fn from_template(template: Template, rule: Rule) -> Result<Self, SecretError> {
        let value = usable(&template, rule)?;
        let inner = Inner { template, rule, value: RwLock::new(value), trouble: Trouble::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The value as last read.
    pub fn value(&self) -> SecretString {
        self.inner.value.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether any part of it is in a file.
    pub fn has_file(&self) -> bool {
        self.inner.template.has_file()
    }

    /// Reads its files again: someone may have renewed it. Returns whether it changed; what cannot be read, or cannot be
    /// used, has not, and the old value is kept.
    ///
    /// Blocks for the time of reading a small file, which on a mount that hangs has no end; where somebody reads it already,
    /// it is left to him.
    pub fn reload(&self) -> bool {
        self.inner.trouble.alone(|| self.read_again()).unwrap_or(false)
    }

    fn read_again(&self) -> bool {
        let Ok(read) = usable(&self.inner.template, self.inner.rule) else { return false };
        let mut value = self.inner.value.write().unwrap_or_else(PoisonError::into_inner);
        let changed = value.expose_secret() != read.expose_secret();
        *value = read;
        changed
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

fn usable(template: &Template, rule: Rule) -> Result<SecretString, SecretError> {
    let value = SecretString::from(template.render()?);
    rule(value.expose_secret())?;
    Ok(value)
}

/// RFC 6750, 2.1 (`b64token`), read generously: what a header can carry as one word.
pub(super) fn bearer_token(text: &str) -> Result<(), SecretError> {
    match text {
        "" => Err(SecretError::Empty),
        text if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(()),
        _ => Err(SecretError::NotCarried("spaces, line breaks or other characters that no bearer token has")),
    }
}

/// RFC 7617, 2: a user's name has no colon.
pub(super) fn username(text: &str) -> Result<(), SecretError> {
    password(text)?;
    if text.contains(':') {
        return Err(SecretError::NotCarried("a colon, which would end a user's name"));
    }
    Ok(())
}

/// RFC 7617, 2: a password has no control characters.
pub(super) fn password(text: &str) -> Result<(), SecretError> {
    match text {
        "" => Err(SecretError::Empty),
        text if text.contains(char::is_control) => Err(SecretError::NotCarried("line breaks or control characters")),
        _ => Ok(()),
    }
}
