//! The address of one page of the System Log, checked before a credential can travel to it (I3).

use std::fmt;

use jiff::Timestamp;
use thiserror::Error;
use url::Url;

use super::excerpt::excerpt;
use super::origin::Origin;

/// The path of the System Log API.
pub const LOGS_PATH: &str = "/api/v1/logs";

/// Why a link or a stored checkpoint is never asked (I3). What it shows of the link is short, and on one line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PageUrlError {
    /// Not a URL.
    #[error("`{0}` is not a URL")]
    NotAUrl(String),
    /// Points to another origin than the configured org's.
    #[error("`{found}` is not the configured org `{org}`: the credential is not sent there")]
    OtherOrigin {
        /// Origin of the link.
        found: String,
        /// Origin of the configured org.
        org: String,
    },
    /// Points into the org, but not to the System Log.
    #[error("path `{0}` is not `/api/v1/logs`: the credential is not sent there")]
    OtherPath(String),
    /// Carries a login of its own.
    #[error("the link carries a login of its own")]
    HasLogin,
}

/// A URL of the configured org's System Log, kept as it was written.
///
/// The only way to make one is [`PageUrl::checked`], and the client takes nothing else, so a token can't follow a link
/// out of the org.
#[derive(Clone, PartialEq, Eq)]
pub struct PageUrl {
    text: String,
    url: Url,
}

impl PageUrl {
    /// Accepts `text` where its origin is the org's and its path is the System Log's.
    pub fn checked(text: &str, org: &Origin) -> Result<Self, PageUrlError> {
        let not_a_url = || PageUrlError::NotAUrl(excerpt(text));
        // Parsing would drop these without a word, so that another text were sent than the one that is kept.
        if text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
            return Err(not_a_url());
        }
        let url = Url::parse(text).map_err(|_| not_a_url())?;
        let found = Origin::of(&url).ok_or_else(not_a_url)?;
        if found != *org {
            return Err(PageUrlError::OtherOrigin { found: excerpt(&found.to_string()), org: org.to_string() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PageUrlError::HasLogin);
        }
        if url.path() != LOGS_PATH {
            return Err(PageUrlError::OtherPath(excerpt(url.path())));
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// The link as Okta wrote it: what is stored as the checkpoint.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The link as it is sent.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The page size that this URL asks for; 100, Okta's default, where it names none.
    pub fn limit(&self) -> usize {
        let limit = self.url.query_pairs().find(|(name, _)| name == "limit");
        limit.and_then(|(_, value)| value.parse().ok()).unwrap_or(100)
    }

    /// The `since` of this URL, where it has one that is an RFC 3339 time; links keep that of the cold start.
    pub fn since(&self) -> Option<Timestamp> {
        let since = self.url.query_pairs().find(|(name, _)| name == "since");
        since.and_then(|(_, value)| value.parse().ok())
    }

    /// The same page asked with another page size: the one edit that I3 allows. Every other byte stays.
    #[must_use]
    pub fn with_limit(&self, limit: u16) -> Self {
        let (rest, fragment) = match self.text.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (self.text.as_str(), None),
        };
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        let limit = format!("limit={limit}");
        let mut found = false;
        let mut pairs: Vec<&str> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                // The name as the server reads it: `%6cimit` is one, too.
                let is_limit = url::form_urlencoded::parse(pair.as_bytes()).any(|(name, _)| name == "limit");
                found |= is_limit;
                if is_limit { limit.as_str() } else { pair }
            })
            .collect();
        if !found {
            pairs.push(&limit);
        }
        let query = pairs.join("&");
        let hash = fragment.map_or_else(String::new, |fragment| format!("#{fragment}"));
        let text = format!("{before}?{query}{hash}");
        let mut url = self.url.clone();
        url.set_query(Some(&query));
        Self { text, url }
    }
}

impl fmt::Display for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageUrl({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org() -> Origin {
        "https://acme.okta.com".parse().expect("an origin")
    }

    #[test]
    fn a_link_of_the_org_is_kept_verbatim() {
        let text = "https://acme.okta.com/api/v1/logs?since=2022-05-29T00%3A00%3A00.000Z&filter=eventType+eq+%22a%22&after=1658862453660_1";
        let url = PageUrl::checked(text, &org()).expect("a link of the org");
        assert_eq!(url.as_str(), text);
        assert_eq!(url.url().as_str(), text);
        assert_eq!(url.limit(), 100);
    }

    #[test]
    fn i3_other_origins_and_paths_are_refused() {
        for text in [
            "https://evil.example/api/v1/logs",
            "https://acme.okta.com.evil.example/api/v1/logs",
            "https://acme.okta.com@evil.example/api/v1/logs",
            "https://u:p@acme.okta.com/api/v1/logs",
            "http://acme.okta.com/api/v1/logs",
            "https://acme.okta.com:8443/api/v1/logs",
            "https://acme.okta.com/api/v1/users",
            "https://acme.okta.com/api/v1/logs/../users",
            "https://acme.okta.com/api/v1/logs/",
            "//acme.okta.com/api/v1/logs",
            "/api/v1/logs?after=1",
            " https://acme.okta.com/api/v1/logs",
            "https://acme.okta.com/api/v1/logs?after=1\n",
            "https://acme.okta.com/api/v1/lo\tgs",
            "",
        ] {
            assert!(PageUrl::checked(text, &org()).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_limit_changes() {
        for (text, expected) in [
            ("?since=a%3Ab&limit=100&after=1_1", "?since=a%3Ab&limit=10&after=1_1"),
            ("?since=a+b", "?since=a+b&limit=10"),
            ("?limit=100#a?b", "?limit=10#a?b"),
            ("#a?b", "?limit=10#a?b"),
            ("", "?limit=10"),
            ("?limit=100#", "?limit=10#"),
            // Percent-encoding hides no second limit: the server decodes names as well.
            ("?%6cimit=7&limit=9&after=1_1", "?limit=10&limit=10&after=1_1"),
            ("?limit&Limit=5", "?limit=10&Limit=5"),
        ] {
            let base = "https://acme.okta.com/api/v1/logs";
            let url = PageUrl::checked(&format!("{base}{text}"), &org()).expect("a link of the org");
            assert_eq!(url.with_limit(10).as_str(), format!("{base}{expected}"));
            assert_eq!(url.with_limit(10).limit(), 10);
            let stored = PageUrl::checked(url.with_limit(10).as_str(), &org()).expect("a link of the org");
            assert_eq!(stored, url.with_limit(10), "what is stored is what is sent");
        }
    }
}
