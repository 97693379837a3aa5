//! By what a registry lets us in: the header that is sent, and what no message may repeat of it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::config::RegistryAuth;
use crate::okta::auth::files;

/// So many bytes of a secret, wherever in it, are too many: an answer may repeat it cut, masked or in other words.
const PART: usize = 8;

/// What a request is sent with. Two are equal where they send the same header. It has no Debug, and shows nothing (I9).
#[derive(Clone)]
pub struct Credentials {
    header: Option<HeaderValue>,
    /// As they stand in the header, and before they are encoded.
    secrets: Arc<[SecretString]>,
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header
    }
}

impl Credentials {
    fn of(auth: &RegistryAuth) -> Self {
        let (scheme, text, secret) = match auth {
            RegistryAuth::None => return Self { header: None, secrets: Arc::default() },
            RegistryAuth::Basic { username, password } => {
                let (username, password) = (username.value(), password.value());
                let pair = format!("{}:{}", username.expose_secret(), password.expose_secret());
                ("Basic", STANDARD.encode(pair), password)
            }
            RegistryAuth::Bearer(token) => ("Bearer", token.value().expose_secret().to_owned(), token.value()),
        };
        let mut header = HeaderValue::from_str(&format!("{scheme} {text}")).ok();
        if let Some(header) = &mut header {
            header.set_sensitive(true);
        }
        Self { header, secrets: Arc::new([SecretString::from(text), secret]) }
    }

    /// The value of `Authorization`, marked as a secret.
    pub(super) fn header(&self) -> Option<&HeaderValue> {
        self.header.as_ref()
    }

    /// Whether an answer repeats what was sent, or a part of it: as its bytes are, or in a text of its JSON, where it may be
    /// escaped. The whole answer is looked at, before anything of it is cut or cleaned.
    pub(super) fn are_repeated_in(&self, bytes: &[u8], body: &Value) -> bool {
        let needles = Needles::of(&self.secrets);
        needles.are_in(bytes) || (bytes.contains(&b'\\') && needles.are_in_texts(body))
    }
}

/// Parts of secrets, by their length.
struct Needles<'s> {
    parts: HashSet<&'s [u8]>,
    lengths: Vec<usize>,
}

impl<'s> Needles<'s> {
    fn of(secrets: &'s [SecretString]) -> Self {
        let secrets =
            secrets.iter().map(|secret| secret.expose_secret().as_bytes()).filter(|secret| !secret.is_empty());
        let parts: HashSet<&[u8]> = secrets.flat_map(|secret| secret.windows(secret.len().min(PART))).collect();
        let mut lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Self { parts, lengths }
    }

    fn are_in(&self, text: &[u8]) -> bool {
        self.lengths.iter().any(|length| text.windows(*length).any(|window| self.parts.contains(window)))
    }

    fn are_in_texts(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.are_in(text.as_bytes()),
            Value::Array(items) => items.iter().any(|item| self.are_in_texts(item)),
            Value::Object(members) => {
                members.iter().any(|(name, value)| self.are_in(name.as_bytes()) || self.are_in_texts(value))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

/// The login of the configuration, as it was read last.
pub(super) struct Login {
    auth: RegistryAuth,
    /// Made when all its files were read: name and password are never of two readings.
    current: Arc<RwLock<Credentials>>,
    /// Held by the thread that reads: of files that hang, one thread is kept and no more.
    reading: Arc<Mutex<()>>,
    /// Held by who waits for it: the others wait for the same.
    turn: tokio::sync::Mutex<()>,
}

impl Login {
    pub fn new(auth: &RegistryAuth) -> Self {
        let current = Arc::new(RwLock::new(Credentials::of(auth)));
        Self { auth: auth.clone(), current, reading: Arc::default(), turn: tokio::sync::Mutex::default() }
    }

    /// What to send now.
    pub fn current(&self) -> Credentials {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What to send in place of what was refused; `None` where there is nothing else. Reads the files, unless somebody did
    /// since that was sent: of several questions that are refused at once, all go on with what one of them reads.
    pub async fn renewed(&self, refused: &Credentials) -> Option<Credentials> {
        if self.auth.secrets().any(|secret| secret.has_file()) {
            let _turn = self.turn.lock().await;
            if self.current() == *refused {
                self.read_again().await;
            }
        }
        let current = self.current();
        (current != *refused).then_some(current)
    }

    async fn read_again(&self) {
        let (auth, current, reading) = (self.auth.clone(), Arc::clone(&self.current), Arc::clone(&self.reading));
        let read = move || {
            let _alone = match reading.try_lock() {
                Ok(alone) => alone,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            for secret in auth.secrets() {
                let _ = secret.reload();
            }
            *current.write().unwrap_or_else(PoisonError::into_inner) = Credentials::of(&auth);
        };
        let _ = files::away(read).await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_sent_is_found_wherever_it_is_repeated() {
        let token: String = (0..800).map(|n| char::from(b'a' + u8::try_from(n * n % 23).unwrap())).collect();
        let sent = Credentials {
            header: None,
            secrets: Arc::new([token.clone().into(), "p\u{202e}ß\"w ".to_owned().into()]),
        };
        let repeated = |body: &Value| sent.are_repeated_in(body.to_string().as_bytes(), body);
        for text in [
            &token,
            &token[..8],
            &token[300..310],
            &token[792..],
            &format!("{}{}", "-".repeat(298), &token[..20]),
            "wrong: p\u{202e}ß\"w !",
        ] {
            for body in [json!(text), json!({"a": [1, {"b": text}]}), json!({ text: null })] {
                assert!(repeated(&body), "{body}");
            }
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let escaped = format!(r#"{{"message":"{escaped}"}}"#);
            assert!(sent.are_repeated_in(escaped.as_bytes(), &serde_json::from_str(&escaped).unwrap()), "{escaped}");
        }
        for text in [&token[..7], "p\u{202e}ß", "no such user"] {
            assert!(!repeated(&json!(text)), "{text}");
        }
        let nothing = Credentials::of(&RegistryAuth::None);
        assert!(!nothing.are_repeated_in(b"\"x\"", &json!("x")));
    }
}
