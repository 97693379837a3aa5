//! Okta's API tokens: `Authorization: SSWS <token>`.

use std::fmt;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

/// An API token on its way into a request's headers.
pub struct Ssws<'a> {
    token: &'a SecretString,
}

/// The token holds characters that no header can carry; which ones is not said, as they are the token's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnusableToken;

impl<'a> Ssws<'a> {
    /// The scheme for this token.
    pub fn new(token: &'a SecretString) -> Self {
        Self { token }
    }

    /// Adds the `Authorization` header, marked sensitive: no library below writes it into a log, and HTTP/2 does not
    /// keep it in its compression table.
    pub fn authorize(&self, headers: &mut HeaderMap) -> Result<(), UnusableToken> {
        let text = SecretString::from(format!("SSWS {}", self.token.expose_secret()));
        let mut value = HeaderValue::from_str(text.expose_secret()).map_err(|_| UnusableToken)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
        Ok(())
    }
}

impl fmt::Debug for Ssws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ssws(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_carries_the_token_and_shows_it_to_nobody() {
        let token = SecretString::from("00aBc-DeF_123");
        let mut headers = HeaderMap::new();
        Ssws::new(&token).authorize(&mut headers).expect("a usable token");
        assert_eq!(headers[AUTHORIZATION], "SSWS 00aBc-DeF_123");
        assert!(headers[AUTHORIZATION].is_sensitive());
        for shown in [format!("{headers:?}"), format!("{:?}", Ssws::new(&token)), format!("{token:?}")] {
            assert!(!shown.contains("00aBc"), "{shown}");
        }
    }

    #[test]
    fn a_token_with_a_line_break_is_refused_without_being_shown() {
        for token in ["00abc\n", "00abc\r\nx-evil: 1", "00\0abc"] {
            let mut headers = HeaderMap::new();
            assert_eq!(Ssws::new(&SecretString::from(token)).authorize(&mut headers), Err(UnusableToken), "{token:?}");
            assert!(headers.is_empty());
        }
    }
}
