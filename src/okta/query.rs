//! The System Log query of a connector: the URL of its cold start, and the hash that its offset carries.

use std::fmt::Write;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::origin::Origin;
use super::page_url::{LOGS_PATH, PageUrl};

/// What a connector asks of the System Log, as configured.
///
/// There is no `until` and no `sortOrder`: this is a polling request, which returns every event, in the order in which
/// Okta stored them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemLogQuery {
    /// A SCIM filter expression, as written.
    pub filter: Option<String>,
    /// Keywords, as written.
    pub q: Option<String>,
    /// Page size.
    pub limit: u16,
}

impl SystemLogQuery {
    /// The first URL of a cold start: all events that Okta stored at `since` (cut to milliseconds) or later.
    ///
    /// `filter` and `q` are left out where they are absent or empty.
    pub fn cold_start_url(&self, org: &Origin, since: Timestamp) -> PageUrl {
        let mut url = format!("{org}{LOGS_PATH}?since={}&limit={}", encoded(&format!("{since:.3}")), self.limit);
        for (name, value) in [("filter", &self.filter), ("q", &self.q)] {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                url.push('&');
                url.push_str(name);
                url.push('=');
                url.push_str(&encoded(value));
            }
        }
        PageUrl::checked(&url, org).expect("it is the org's origin, the System Log's path and percent-encoded values")
    }

    /// The lower-case hex SHA-256 of `filter`, a line feed, `q`: each as written, empty when absent (contract 3.3).
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.filter.as_deref().unwrap_or_default());
        hash.update(b"\n");
        hash.update(self.q.as_deref().unwrap_or_default());
        hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// Percent-encodes all but the unreserved characters (RFC 3986, section 2.3), a space as `%20`.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(filter: Option<&str>, q: Option<&str>) -> SystemLogQuery {
        SystemLogQuery { filter: filter.map(str::to_owned), q: q.map(str::to_owned), limit: 100 }
    }

    #[test]
    fn a_cold_start_asks_from_since_with_all_that_is_configured() {
        let org: Origin = "https://acme.okta.com".parse().expect("an origin");
        let base = "https://acme.okta.com/api/v1/logs?since=2026-11-15T00%3A00%3A00.000Z&limit=100";
        for (filter, q, rest) in [
            (None, None, ""),
            (Some(""), Some(""), ""),
            (Some("eventType sw \"user.\""), None, "&filter=eventType%20sw%20%22user.%22"),
            (None, Some("a&b=c#d+e/é'"), "&q=a%26b%3Dc%23d%2Be%2F%C3%A9%27"),
            (Some("a"), Some("b"), "&filter=a&q=b"),
        ] {
            let since = "2026-11-15T00:00:00Z".parse().expect("a time");
            let url = query(filter, q).cold_start_url(&org, since);
            assert_eq!(url.as_str(), format!("{base}{rest}"));
            assert_eq!(url.url().as_str(), url.as_str(), "it is sent as it is stored");
            assert_eq!(url.limit(), 100);
            let sent: Vec<_> = url.url().query_pairs().into_owned().collect();
            for (name, value) in [("filter", filter), ("q", q)] {
                let value = value.filter(|value| !value.is_empty());
                let found = sent.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
                assert_eq!(found, value, "{name} comes back as it was written");
            }
        }
    }

    #[test]
    fn since_is_cut_to_milliseconds_and_never_later() {
        let org: Origin = "http://127.0.0.1:8084".parse().expect("an origin");
        let since = "2026-11-15T01:02:03.999999999+01:00".parse().expect("a time");
        let url = query(None, None).cold_start_url(&org, since);
        assert_eq!(url.as_str(), "http://127.0.0.1:8084/api/v1/logs?since=2026-11-15T00%3A02%3A03.999Z&limit=100");
    }

    #[test]
    fn the_hash_is_that_of_filter_line_feed_q() {
        // printf '\n' | sha256sum, and so on.
        for (filter, q, hash) in [
            (None, None, "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"),
            (Some(""), Some(""), "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"),
            (Some("a"), None, "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"),
            (None, Some("a"), "7361a6f4b374745deaf896ac72887d55e04107d1a1ff14e5e4d829fb47e82426"),
            (
                Some("eventType sw \"user.\""),
                Some("keyword"),
                "5d537acef2a4ad8c7304c923cb0a7daad63189d0f481232ec2640f3169e120c7",
            ),
        ] {
            assert_eq!(query(filter, q).hash(), hash, "{filter:?} {q:?}");
        }
    }
}
