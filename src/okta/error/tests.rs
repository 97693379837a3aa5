use jiff::Timestamp;

use super::*;
use crate::okta::page_url::PageUrl;
use crate::okta::rate_limit::RateLimit;

const TOKEN: &str = "00hunter2hunter2";

fn asked(query: &str) -> PageUrl {
    let org = "https://acme.okta.com".parse().expect("an origin");
    PageUrl::checked(&format!("https://acme.okta.com/api/v1/logs?{query}"), &org).expect("the org's own")
}

fn error(status: u16, body: &str) -> RequestError {
    let asked = asked("since=a&after=1_1");
    let answer = RefusedAnswer { asked: &asked, rate_limit: None, server_date: None, app: None, location: None };
    answer.into_error(OktaError::read(status, body.as_bytes(), None, &[TOKEN]))
}

/// The name of the variant.
fn kind(error: &RequestError) -> String {
    format!("{error:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
}

#[test]
fn every_status_has_its_meaning() {
    let invalid_token = r#"{"errorCode":"E0000011","errorSummary":"Invalid token provided","errorLink":"E0000011","errorId":"oaeFi","errorCauses":[]}"#;
    let after = r#"{"errorCode":"E0000001","errorSummary":"API validation failed: 'after': must be a valid value."}"#;
    let after_in_a_cause = r#"{"errorCode":"E0000001","errorSummary":"Api validation failed: logs","errorCauses":[{"errorSummary":"'after': must be a valid value."}]}"#;
    let until = r#"{"errorCode":"E0000001","errorSummary":"Api validation failed: 'until': The date format in your query is not recognized. Please enter dates using ISO8601 string format. 'until': must be a valid date-time or empty.","errorCauses":[{"errorSummary":"'until': must be a valid date-time or empty."}]}"#;
    let too_old = r#"{"errorCode":"E0000053","errorSummary":"Invalid parameter: The since parameter is over 180 days prior to the current day."}"#;
    let filter = r#"{"errorCode":"E0000053","errorSummary":"Invalid filter 'a eqq': Unrecognized attribute operator 'eqq' at position 16. Expected: eq,co,sw,pr,gt,ge,lt,le"}"#;
    for (status, body, expected, reason) in [
        (204, "", "Unexpected", None),
        (206, "[]", "Unexpected", None),
        (301, "", "Redirected", None),
        (302, "", "Redirected", None),
        (304, "", "Redirected", None),
        (308, "", "Redirected", None),
        (400, "", "BadRequest", None),
        (400, filter, "BadRequest", None),
        (400, until, "BadRequest", None),
        (400, after, "CursorRefused", None),
        (400, after_in_a_cause, "CursorRefused", None),
        (400, too_old, "SinceTooOld", None),
        (401, invalid_token, "Unauthorized", None),
        (401, "", "Unauthorized", None),
        (
            403,
            r#"{"errorCode":"E0000006","errorSummary":"You do not have permission to perform the requested action"}"#,
            "Forbidden",
            None,
        ),
        (404, r#"{"errorCode":"E0000008"}"#, "Unexpected", None),
        (
            405,
            r#"{"errorCode":"E0000022","errorSummary":"HTTP 405 Method Not Allowed","errorId":"x"}"#,
            "Unexpected",
            None,
        ),
        (407, "", "Unexpected", None),
        (408, "", "RequestTimeout", Some("timeout")),
        (429, r#"{"errorCode":"E0000047"}"#, "RateLimited", Some("rate_limit")),
        (500, r#"{"errorCode":"E0000009","errorSummary":"Internal Server Error"}"#, "Server", Some("http_5xx")),
        (502, "<html>bad gateway</html>", "Server", Some("http_5xx")),
        (503, r#"{"errorCode":"E0000010","errorSummary":"Service is in read only mode"}"#, "Server", Some("http_5xx")),
        (504, "", "Server", Some("http_5xx")),
        (599, "", "Server", Some("http_5xx")),
        (600, "", "Unexpected", None),
    ] {
        let error = error(status, body);
        assert_eq!(kind(&error), expected, "{status} {body}");
        let found = match error.severity() {
            Severity::Retriable { reason, wait: None } => Some(reason.as_str()),
            Severity::Retriable { wait: Some(_), .. } => panic!("{status}: no headers say how long to wait"),
            Severity::Fatal => None,
        };
        assert_eq!(found, reason, "{status} {body}");
        assert_eq!(error.is_unauthorized(), status == 401);
        assert_eq!(error.is_page_timeout(), body.contains("E0000009") || status == 504 || status == 408);
        assert_eq!(error.okta().map(|okta| okta.status), Some(status));
        if reason.is_none() {
            assert!(
                error.to_string().contains("): ") || error.to_string().contains("), where"),
                "no next action: {error}"
            );
        }
    }
}

#[test]
fn without_a_cursor_in_the_url_no_cursor_was_refused() {
    let asked = asked("since=a&q=after");
    let answer = RefusedAnswer { asked: &asked, rate_limit: None, server_date: None, app: None, location: None };
    let body = br#"{"errorCode":"E0000001","errorSummary":"Api validation failed: 'q': 'after' is bad"}"#;
    assert_eq!(kind(&answer.into_error(OktaError::read(400, body, None, &[TOKEN]))), "BadRequest");
}

#[test]
fn both_forms_of_429_are_told_apart_and_the_wait_is_by_the_servers_clock() {
    let asked = asked("since=a");
    let date = Some(Timestamp::from_second(1_658_936_130).expect("a time"));
    for (limit, server_date, reason, wait) in [
        (60, date, RetryReason::RateLimit, Some(59)),
        (60, None, RetryReason::RateLimit, Some(61)),
        (0, date, RetryReason::Concurrency, None),
    ] {
        let rate_limit = Some(RateLimit { limit, remaining: 0, reset: 1_658_936_188 });
        let answer = RefusedAnswer { asked: &asked, rate_limit, server_date, app: None, location: None };
        let error = answer.into_error(OktaError::read(429, b"", None, &[TOKEN]));
        assert_eq!(error.severity(), Severity::Retriable { reason, wait: wait.map(Duration::from_secs) });
    }
}

#[test]
fn a_redirect_names_the_origin_and_nothing_more() {
    let asked = asked("since=a");
    for (location, to) in [
        (Some("https://evil.example/api/v1/logs?secret=1"), Some("https://evil.example")),
        (Some("//evil.example:8443/"), Some("https://evil.example:8443")),
        (Some("https://u:p@evil.example/"), Some("https://evil.example")),
        (Some("/login"), Some("https://acme.okta.com")),
        (Some("mailto:a@b"), None),
        (None, None),
    ] {
        let answer = RefusedAnswer { asked: &asked, rate_limit: None, server_date: None, app: None, location };
        let error = answer.into_error(OktaError::read(302, b"", None, &[TOKEN]));
        assert!(matches!(&error, RequestError::Redirected { to: found, .. } if found.as_deref() == to), "{error:?}");
        assert!(!error.to_string().contains("secret") && error.to_string().contains("set `org`"), "{error}");
        assert_eq!(error.severity(), Severity::Fatal);
    }
}

#[test]
fn what_is_no_refusal_is_asked_again() {
    let problem = "reset".to_owned();
    for (error, reason) in [
        (RequestError::Timeout { limit: Duration::from_secs(45) }, "timeout"),
        (RequestError::ConnectTimeout { limit: Duration::from_secs(10), advice: String::new() }, "timeout"),
        (RequestError::Connection { problem: problem.clone(), advice: None }, "connection"),
        (RequestError::BrokenBody { problem }, "connection"),
        (RequestError::TooLarge { cap: 1, next: None }, "connection"),
        (RequestError::NotAPage { error: SplitError::NotAnArray }, "connection"),
        (RequestError::BadLink { error: LinkError::NotUtf8 }, "connection"),
    ] {
        let Severity::Retriable { reason: found, wait: None } = error.severity() else {
            panic!("{error} is retriable")
        };
        assert_eq!(found.as_str(), reason);
        // A connection that could not be made says nothing of the page.
        assert_eq!(error.is_page_timeout(), matches!(error, RequestError::Timeout { .. }));
        assert!(error.okta().is_none());
    }
}

#[test]
fn oktas_texts_are_shown_short_escaped_and_without_the_credential() {
    let body = format!(
        r#"{{"errorCode":"E0000011","errorSummary":"no {TOKEN}\r\n\u001b[31m\u202e {}","errorId":"oae_{TOKEN}","errorCauses":[{{"errorSummary":"cause {TOKEN}"}},{{}},{{"errorSummary":null}}]}}"#,
        "x".repeat(100_000)
    );
    let shown = error(401, &body).to_string();
    assert!(shown.len() < 2_000, "{} characters", shown.len());
    assert!(shown.contains("401 E0000011 `no ***\\u{d}\\u{a}\\u{1b}[31m\\u{202e} xxx"), "{shown}");
    assert!(shown.contains("`cause ***`, error id `oae_***`"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.chars().any(char::is_control));
}

#[test]
fn the_credential_does_not_survive_a_cut_either() {
    for length in 280..300 {
        let body = format!(r#"{{"errorCode":"E1","errorSummary":"{}{TOKEN}"}}"#, "x".repeat(length));
        assert!(!error(500, &body).to_string().contains("00h"), "at {length}");
    }
}

#[test]
fn other_bodies_are_not_shown() {
    for body in [
        "<html>hunter2</html>",
        "hunter2",
        r#"["hunter2"]"#,
        r#"{"hunter2":1}"#,
        r#"{"errorCode":7,"errorSummary":"hunter2"}"#,
    ] {
        let error = error(502, body);
        assert_eq!(error.to_string(), "okta answered with 502", "{body}");
    }
}

#[test]
fn an_empty_body_leaves_the_word_to_the_challenge() {
    let challenge = r#"Bearer authorization_uri="http://acme.okta.com/oauth2/v1/authorize", realm="http://acme.okta.com", scope="okta.logs.read", error="insufficient_scope", error_description="The access token provided does not contain the required scopes.", resource="/api/v1/logs""#;
    let okta = OktaError::read(403, b"", Some(challenge), &[TOKEN]);
    assert_eq!(okta.code.as_deref(), Some("insufficient_scope"));
    assert_eq!(
        okta.to_string(),
        "403 insufficient_scope `The access token provided does not contain the required scopes.`"
    );
    for challenge in
        ["", "Bearer", "Bearer error", "Bearer error=\"", "Bearer errors=\"x\"", "=,=,=\"", "Bearer realm=a, b"]
    {
        assert_eq!(OktaError::read(401, b"", Some(challenge), &[TOKEN]).code, None, "{challenge}");
    }
    assert_eq!(
        OktaError::read(401, b"", Some("Bearer error=invalid_token, a=b"), &[TOKEN]).code.as_deref(),
        Some("invalid_token")
    );
}

#[test]
fn what_looks_like_a_token_is_not_shown_in_part_either() {
    let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIwb2EifQ.c2ln";
    for (said, shown) in [
        (format!("bad {jwt}, and again {jwt}"), "bad ***, and again ***"),
        (format!("bad '{}'", &jwt[..25]), "bad '***'"),
        ("eyJ".to_owned(), "***"),
        ("the eye".to_owned(), "the eye"),
    ] {
        let body = serde_json::json!({"error": "invalid_client", "error_description": said}).to_string();
        let okta = OktaError::read(401, body.as_bytes(), None, &[]);
        assert_eq!((okta.code.as_deref(), okta.summary.as_deref()), (Some("invalid_client"), Some(shown)));
    }
}
