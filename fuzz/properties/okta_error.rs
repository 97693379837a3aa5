//! Okta's error JSON: what is shown of it is one short line, and never the credential.

use okta_kafka_source::okta::error::{OktaError, RefusedAnswer, RequestError, Severity};
use okta_kafka_source::okta::origin::Origin;
use okta_kafka_source::okta::page_url::PageUrl;
use okta_kafka_source::okta::rate_limit::{MAX_WAIT, RateLimit};

/// What the request carried; the dictionary and the seeds know it.
const SECRET: &str = "00hunter2-XyZ";

/// Eight members of 300 characters, each as long as an escape can make it, and the sentence around them.
const LONGEST: usize = 8 * 300 * 12 + 1000;

/// `input`: two bytes of status; then `Location`, `WWW-Authenticate` and the body, separated by line feeds.
pub fn check(input: &[u8]) {
    let Some((status, rest)) = input.split_first_chunk::<2>() else { return };
    let status = 300 + u16::from_le_bytes(*status) % 300;
    let mut parts = rest.splitn(3, |&byte| byte == b'\n');
    let mut text = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
    let (location, challenge) = (text(), text());
    let body = parts.next().unwrap_or_default();

    let okta = OktaError::read(status, body, challenge, &[SECRET]);
    assert_eq!(okta.status, status);
    assert_eq!(okta, OktaError::read(status, body, challenge, &[SECRET]));
    for text in [&okta.code, &okta.summary, &okta.id].into_iter().flatten().chain(&okta.causes) {
        harmless(text);
    }
    let org: Origin = "https://acme.okta.com".parse().expect("an origin");
    for asked in ["https://acme.okta.com/api/v1/logs", "https://acme.okta.com/api/v1/logs?after=1_1"] {
        let asked = PageUrl::checked(asked, &org).expect("a page of the org");
        for limit in [None, Some(0), Some(60)] {
            let rate_limit = limit.map(|limit| RateLimit { limit, remaining: 0, reset: i64::from(status) << 48 });
            let answer = RefusedAnswer {
                asked: &asked,
                rate_limit,
                server_date: None,
                app: rate_limit.map(|_| "0oa1"),
                location,
            };
            let error = answer.into_error(okta.clone());
            harmless(&error.to_string());
            assert_eq!(error.okta(), Some(&okta));
            if let Severity::Retriable { wait: Some(wait), .. } = error.severity() {
                assert!(wait <= MAX_WAIT);
            }
            if let RequestError::Redirected { to: Some(to), .. } = &error {
                let shown = to.parse::<url::Url>().expect("an origin is a URL");
                assert!(shown.path() == "/" && shown.query().is_none() && shown.username().is_empty(), "{to}");
            }
        }
    }
}

fn harmless(shown: &str) {
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(shown.len() <= LONGEST, "{} bytes", shown.len());
    assert!(!shown.contains(char::is_control), "{shown:?}");
}
