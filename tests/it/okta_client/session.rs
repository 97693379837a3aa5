//! What a service app's session makes of tokens, refusals and files that are not as they should be.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use okta_kafka_source::okta::auth::credential::Credential;
use okta_kafka_source::okta::error::{RetryReason, Severity};
use serde_json::{Value, json};

use super::oauth::{
    APP, DATE_SECONDS, ask, auth, auth_with, challenge, course, form, key, no, page, parts, proof, timeless, token,
};
use super::server::{Server, Step};
use super::{Client, Origin, answer, options, org, url};
use crate::support::recorder::{Recorder, Reply};
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::until::until;

/// `echo new > okta.kid` empties the file first; and what stands in it may be the key.
#[tokio::test]
async fn a_key_id_that_is_half_written_changes_nothing_and_is_never_sent() {
    let (key, other) = (key(), ServiceKey::new("kid-2", Kind::P256));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "kid-1\n").unwrap();
    let pem = key.file(Form::Pkcs8);
    let more = format!(", key_id: '${{file:{}}}'", file.path().display());
    let auth = auth_with(APP, "${env:KEY}", &more, &move |name| (name == "KEY").then(|| pem.clone()));
    // Tokens that are at their end at once.
    let server = Server::start((0..4).flat_map(|_| [token("Bearer", "a", "0"), page()]));
    let org = org(&server);
    let client = Client::new(org.clone(), options()).expect("a client");
    let credential = Credential::new(&org, &auth);
    for text in ["kid-1", "", &other.file(Form::Pkcs8), "kid-3"] {
        std::fs::write(file.path(), text).unwrap();
        let reloaded = credential.reload();
        assert_eq!(reloaded.is_ok(), text.starts_with("kid"), "{reloaded:?}");
        assert!(!format!("{reloaded:?}").contains("BEGIN"), "{reloaded:?}");
        let outcome = client.get(&url(&org, "since=a"), &credential).await;
        assert!(outcome.result.is_ok(), "{outcome:?}");
    }
    let bodies = server.bodies();
    let kids: Vec<Value> =
        [0, 2, 4, 6].iter().map(|at| parts(&form(&bodies[*at], "client_assertion")).0["kid"].clone()).collect();
    assert_eq!(kids, [json!("kid-1"), json!("kid-1"), json!("kid-1"), json!("kid-3")]);
}

#[tokio::test]
async fn a_token_that_is_refused_with_400_or_403_is_not_presented_again() {
    for (status, error, unauthorized) in [
        ("400 Bad Request", "invalid_token", true),
        ("401 Unauthorized", "invalid_token", true),
        // The scope may be granted meanwhile, and only a new token has it.
        ("403 Forbidden", "insufficient_scope", false),
    ] {
        let server = Server::start([
            token("Bearer", "first", "3600"),
            page(),
            challenge(status, error, "x", &[]),
            token("Bearer", "second", "3600"),
            page(),
        ]);
        let org = org(&server);
        let client = Client::new(org.clone(), options()).expect("a client");
        let credential = Credential::new(&org, &auth(&key(), ", key_id: kid-1"));
        assert!(client.get(&url(&org, "since=a"), &credential).await.result.is_ok());
        let refused = client.get(&url(&org, "since=a"), &credential).await.result.expect_err("refused");
        assert_eq!((refused.is_unauthorized(), refused.severity()), (unauthorized, Severity::Fatal), "{refused}");
        assert!(client.get(&url(&org, "since=a"), &credential).await.result.is_ok(), "{status}");
        assert_eq!(course(&server), ["token", "page", "page", "token", "page"], "{status}");
    }
}

/// RFC 9449, section 5: a client that asked for a bound token must not take another for one.
#[tokio::test]
async fn a_token_is_of_the_kind_that_was_asked_for() {
    for (more, token_type, what, severity) in [
        (", dpop: true", "Bearer", "take `dpop: true` out", Severity::Fatal),
        (", dpop: false", "DPoP", "though no proof", retriable(None)),
        ("", "DPoP", "though no proof", retriable(None)),
    ] {
        let server = Server::start([token(token_type, "t", "3600"), page()]);
        let error = ask(&server, &auth(&key(), &format!(", key_id: kid-1{more}"))).await.result.expect_err(token_type);
        assert!(error.to_string().contains(what), "{more} {token_type}: {error}");
        assert_eq!((error.severity(), server.requests().len()), (severity, 1), "{more} {token_type}");
    }
}

const fn retriable(wait: Option<std::time::Duration>) -> Severity {
    Severity::Retriable { reason: RetryReason::Connection, wait }
}

/// One request is refused; who asks a moment later has not been.
#[tokio::test]
async fn a_refusal_of_the_app_fails_who_met_it_and_a_new_key_ends_the_rest() {
    let (first, second) = (key(), ServiceKey::new("kid-2", Kind::P256));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), first.file(Form::Jwk)).unwrap();
    let auth = auth_with(APP, &format!("${{file:{}}}", file.path().display()), "", &|_| None);
    let server = Server::start([
        timeless("401 Unauthorized", "invalid_client", "The client_assertion JWT kid is invalid."),
        token("Bearer", "t", "3600"),
        page(),
    ]);
    let org = org(&server);
    let client = Client::new(org.clone(), options()).expect("a client");
    let credential = Credential::new(&org, &auth);
    let refused = client.get(&url(&org, "since=a"), &credential).await.result.expect_err("refused");
    assert_eq!(refused.severity(), Severity::Fatal, "{refused}");
    let told = client.get(&url(&org, "since=a"), &credential).await.result.expect_err("within the rest");
    let Severity::Retriable { wait: Some(wait), .. } = told.severity() else { panic!("{told}") };
    assert!(wait <= std::time::Duration::from_secs(5) && told.to_string().contains("kid is invalid"), "{told}");
    assert_eq!(course(&server), ["token"]);
    std::fs::write(file.path(), second.file(Form::Jwk)).unwrap();
    assert!(credential.reload().unwrap());
    let outcome = client.get(&url(&org, "since=a"), &credential).await;
    assert!(outcome.result.is_ok(), "{outcome:?}");
    assert_eq!(course(&server), ["token", "token", "page"]);
}

/// The first token is good for 4 s and renewed from 2 s on, which is refused; meanwhile the key's file is gone.
#[tokio::test]
async fn what_keeps_a_token_from_being_renewed_is_told_while_the_old_one_lives() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let pem = key().file(Form::Pkcs8);
    std::fs::write(file.path(), &pem).unwrap();
    let auth = auth_with(APP, &format!("${{file:{}}}", file.path().display()), ", key_id: kid-1", &|_| None);
    let asked = AtomicUsize::new(0);
    let server = Recorder::start(move |exchange| {
        let token = br#"{"token_type":"Bearer","access_token":"t","expires_in":4}"#;
        let refusal = br#"{"error":"invalid_client","error_description":"The client_assertion JWT kid is invalid."}"#;
        Reply::Bytes(match exchange.is_for_a_token().then(|| asked.fetch_add(1, Ordering::Relaxed)) {
            None => answer("200 OK", &[], b"[]"),
            Some(1) => answer("401 Unauthorized", &[], refusal),
            Some(_) => answer("200 OK", &[], token),
        })
    });
    let org: Origin = server.origin().parse().unwrap();
    let client = Client::new(org.clone(), options()).unwrap();
    let credential = Credential::new(&org, &auth);
    let told = async |wanted: &str| {
        let asked = async || {
            let outcome = client.get(&url(&org, "since=a"), &credential).await;
            assert!(outcome.result.is_ok(), "{outcome:?}");
            let trouble = credential.trouble().unwrap_or_default();
            (trouble.contains(wanted) && wanted.is_empty() == trouble.is_empty()).then_some(trouble)
        };
        until(&format!("trouble with {wanted:?}"), Duration::from_secs(20), asked).await
    };
    assert_eq!(credential.token_left(), Some(Duration::ZERO));
    let _ = told("").await;
    assert!(credential.token_left().is_some_and(|left| left <= Duration::from_secs(4) && !left.is_zero()));
    std::fs::remove_file(file.path()).unwrap();
    let trouble = told("access token not renewed, the old one is good for").await;
    assert!(trouble.contains("kid is invalid"), "{trouble}");
    // The next attempt is good, with the key that is in memory.
    let _ = told("private key not read again").await;
    std::fs::write(file.path(), &pem).unwrap();
    let _ = told("").await;
}

/// A key and its id in two files are read between the one and the other.
#[tokio::test]
async fn a_key_that_is_read_without_its_id_is_read_once_more_when_it_is_refused() {
    let second = ServiceKey::new("kid-2", Kind::P256);
    let folder = tempfile::TempDir::new().unwrap();
    let (pem, kid) = (folder.path().join("pem"), folder.path().join("kid"));
    std::fs::write(&pem, second.file(Form::Pkcs8)).unwrap();
    std::fs::write(&kid, "kid-1").unwrap();
    let more = format!(", key_id: '${{file:{}}}'", kid.display());
    let auth = auth_with(APP, &format!("${{file:{}}}", pem.display()), &more, &|_| None);
    let bytes = |steps: Vec<Step>| match steps.into_iter().next() {
        Some(Step::Send(bytes)) => Reply::Bytes(bytes),
        other => panic!("not an answer: {other:?}"),
    };
    let server = Recorder::start(move |exchange| {
        let assertion = exchange.form_member("client_assertion");
        match assertion.map(|assertion| parts(&assertion).0["kid"] == "kid-2") {
            None => bytes(page()),
            Some(true) => bytes(token("Bearer", "t", "3600")),
            Some(false) => {
                std::fs::write(&kid, "kid-2").unwrap();
                bytes(timeless("401 Unauthorized", "invalid_client", "The client_assertion signature is invalid."))
            }
        }
    });
    let org: Origin = server.origin().parse().unwrap();
    let client = Client::new(org.clone(), options()).expect("a client");
    let outcome = client.get(&url(&org, "since=a"), &Credential::new(&org, &auth)).await;
    assert!(outcome.result.is_ok(), "{outcome:?}");
    assert_eq!(server.token_exchanges().len(), 2);
}

/// A proxy's `Date` may be wrong in every answer; then this machine's clock is the better one.
#[tokio::test]
async fn a_date_by_which_everything_is_refused_gives_way_to_this_machines_clock() {
    let words = "The client_assertion token must be issued before the current time.";
    let refused = || no("401 Unauthorized", &[], "invalid_client", words);
    let again = [token("DPoP", "a", "3600"), page()];
    let server = Server::start([token("DPoP", "a", "0"), page(), refused(), refused()].into_iter().chain(again));
    let org = org(&server);
    let client = Client::new(org.clone(), options()).expect("a client");
    let credential = Credential::new(&org, &auth(&key(), ", key_id: kid-1, dpop: true"));
    for _ in 0..2 {
        let outcome = client.get(&url(&org, "since=a"), &credential).await;
        assert!(outcome.result.is_ok(), "{outcome:?}");
    }
    let bodies = server.bodies();
    let assertions: Vec<i64> =
        [0, 2, 3, 4].map(|at| parts(&form(&bodies[at], "client_assertion")).1["iat"].as_i64().unwrap()).to_vec();
    let proof = proof(&server.requests()[5]).1["iat"].as_i64().unwrap();
    let is_of_date = |issued: i64| (DATE_SECONDS - 5..DATE_SECONDS + 60).contains(&issued);
    assert_eq!(assertions.iter().map(|issued| is_of_date(*issued)).collect::<Vec<_>>(), [false, true, true, false]);
    assert!(!is_of_date(proof), "{proof}");
}
