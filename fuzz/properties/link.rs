//! Link headers: whatever they hold, no URL out of the org comes of them, and a good line is not overruled.

use okta_kafka_source::okta::link::{LinkError, next_link};
use okta_kafka_source::okta::origin::Origin;
use okta_kafka_source::okta::page_url::{LOGS_PATH, PageUrl};

const TRUSTED: &str = "https://acme.okta.com/api/v1/logs?limit=100&after=1";

/// `input`: header lines, separated by line feeds.
pub fn check(input: &[u8]) {
    let org: Origin = "https://acme.okta.com".parse().expect("an origin");
    let lines: Vec<&[u8]> = input.split(|&byte| byte == b'\n').collect();
    match next_link(lines.iter().copied()) {
        Ok(Some(target)) => {
            let written = format!("<{target}>");
            let stands_there = lines.iter().any(|line| find(line, written.as_bytes()));
            assert!(stands_there, "`{target}` stands in no line");
            page_url(&target, &org);
        }
        Ok(None) => assert!(!lines.iter().any(|line| is_plain_next(line)), "a `next` link was not seen"),
        Err(LinkError::Malformed { at }) => assert!(lines.iter().any(|line| at <= line.len())),
        Err(LinkError::NotUtf8 | LinkError::SeveralNext) => {}
    }
    // Nothing that something in between adds sends us elsewhere.
    let trusted = format!("<{TRUSTED}>; rel=\"next\"");
    for at in [0, lines.len()] {
        let mut lines = lines.clone();
        lines.insert(at, trusted.as_bytes());
        match next_link(lines) {
            Ok(Some(target)) => assert_eq!(target, TRUSTED),
            Err(LinkError::SeveralNext) => {}
            other => panic!("the trusted line is lost: {other:?}"),
        }
    }
}

/// What is accepted is of the org, is sent as it is written, and keeps that with another page size.
pub fn page_url(text: &str, org: &Origin) {
    let url = match PageUrl::checked(text, org) {
        Ok(url) => url,
        Err(error) => {
            let shown = error.to_string();
            assert!(shown.len() < 4000 && !shown.contains(char::is_control), "{shown}");
            return;
        }
    };
    assert_eq!(url.as_str(), text);
    for (url, limit) in [(url.clone(), url.limit()), (url.with_limit(1), 1), (url.with_limit(1000).with_limit(10), 10)]
    {
        assert_eq!(Origin::of(url.url()).as_ref(), Some(org), "{url}");
        assert_eq!(url.url().path(), LOGS_PATH, "{url}");
        assert!(url.url().username().is_empty() && url.url().password().is_none(), "{url}");
        assert_eq!(url.limit(), limit, "{url}");
        let again = PageUrl::checked(url.as_str(), org).expect("what was accepted once");
        assert_eq!(again, url, "what is stored is what is sent");
    }
    let others = |url: &PageUrl| -> Vec<(String, String)> {
        url.url().query_pairs().into_owned().filter(|(name, _)| name != "limit").collect()
    };
    assert_eq!(others(&url.with_limit(1)), others(&url), "only the limit changes: {url}");
}

/// The form in which Okta writes it, alone in its line.
fn is_plain_next(line: &[u8]) -> bool {
    let target = line.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">; rel=\"next\""));
    target.is_some_and(|target| !target.contains(&b'>'))
}

fn find(line: &[u8], wanted: &[u8]) -> bool {
    line.windows(wanted.len()).any(|found| found == wanted)
}
