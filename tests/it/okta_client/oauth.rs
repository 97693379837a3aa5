//! Service apps against a token endpoint that says what a test wants.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use okta_kafka_source::config::{Auth, Config};
use okta_kafka_source::okta::auth::credential::{Credential, Credentials};
use okta_kafka_source::okta::error::{RequestError, RetryReason, Severity};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Verifier;
use serde_json::{Value, json};

use super::server::{Server, Step};
use super::{Client, EVENTS, Origin, answer, options, org, url};
use crate::support::recorder::{Recorder, Reply};
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::until::until;

pub(super) const APP: &str = "0oa1test";
const DATE: &str = "date: Thu, 12 Mar 2026 04:57:46 GMT";
pub(super) const DATE_SECONDS: i64 = 1_773_291_466;

pub(super) fn key() -> ServiceKey {
    ServiceKey::new("kid-1", Kind::Rsa)
}

/// `auth` of a service app with this key.
pub(super) fn auth(key: &ServiceKey, more: &str) -> Auth {
    let pem = key.file(Form::Pkcs8);
    auth_with(APP, "${env:KEY}", more, &move |name| (name == "KEY").then(|| pem.clone()))
}

/// `auth` of a service app whose `private_key` is written so.
pub fn auth_with(client_id: &str, private_key: &str, more: &str, env: &dyn Fn(&str) -> Option<String>) -> Auth {
    let text = format!(
        "kafka: {{bootstrap.servers: 'localhost:1'}}\nconnectors:\n  - name: acme\n    org: https://acme.okta.com\n    \
         auth: {{oauth: {{client_id: {client_id}, private_key: '{private_key}'{more}}}}}\n    topic: okta\n"
    );
    Config::parse(&text, env).unwrap().connectors[0].auth.clone()
}

pub(super) fn token(token_type: &str, token: &str, expires_in: &str) -> Vec<Step> {
    let body = json!({"token_type": token_type, "access_token": token, "scope": "okta.logs.read"}).to_string();
    let body = body.replacen('{', &format!("{{\"expires_in\":{expires_in},"), 1);
    vec![Step::Send(answer("200 OK", &[DATE, "dpop-nonce: nonce-of-200"], body.as_bytes()))]
}

pub(super) fn page() -> Vec<Step> {
    vec![Step::Send(answer("200 OK", &[DATE], EVENTS.as_bytes()))]
}

/// A refusal of the token endpoint.
pub(super) fn no(status: &str, headers: &[&str], error: &str, description: &str) -> Vec<Step> {
    let body = json!({"error": error, "error_description": description}).to_string();
    vec![Step::Send(answer(status, &[&[DATE], headers].concat(), body.as_bytes()))]
}

/// The same without a `Date`, so that no clock is off.
pub(super) fn timeless(status: &str, error: &str, description: &str) -> Vec<Step> {
    let body = json!({"error": error, "error_description": description}).to_string();
    vec![Step::Send(answer(status, &[], body.as_bytes()))]
}

/// A refusal of the System Log, as it was captured live: an empty body.
pub(super) fn challenge(status: &str, error: &str, description: &str, more: &[&str]) -> Vec<Step> {
    let challenge = format!(
        r#"www-authenticate: DPoP algs="RS256 RS384 RS512 ES256 ES384 ES512", authorization_uri="http://acme.okta.com/oauth2/v1/authorize", realm="http://acme.okta.com", scope="okta.logs.read", error="{error}", error_description="{description}", resource="/api/v1/logs""#
    );
    vec![Step::Send(answer(status, &[&[DATE, challenge.as_str()], more].concat(), b""))]
}

/// The value of a header of a request's head.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
}

pub(super) fn form(body: &str, name: &str) -> String {
    url::form_urlencoded::parse(body.as_bytes()).find(|(found, _)| found == name).unwrap().1.into_owned()
}

/// Header and claims of a JWT.
pub(super) fn parts(jwt: &str) -> (Value, Value) {
    let mut parts = jwt.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let mut json = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (json(), json())
}

/// Header and claims of a request's proof.
pub(super) fn proof(head: &str) -> (Value, Value) {
    parts(header(head, "dpop").unwrap_or_else(|| panic!("no proof: {head}")))
}

/// `POST` or `GET`, and whether with a proof, of each request.
pub(super) fn course(server: &Server) -> Vec<&'static str> {
    let shown = |head: &String| match (head.starts_with("POST"), header(head, "dpop").is_some()) {
        (true, true) => "token proved",
        (true, false) => "token",
        (false, true) => "page proved",
        (false, false) => "page",
    };
    server.requests().iter().map(shown).collect()
}

pub(super) async fn ask(server: &Server, auth: &Auth) -> super::Outcome {
    let org = org(server);
    let client = Client::new(org.clone(), options()).expect("a client");
    client.get(&url(&org, "since=a"), &Credential::new(&org, auth)).await
}

#[tokio::test]
async fn a_service_app_asks_for_a_token_once_and_presents_it() {
    let key = key();
    let server = Server::start([token("Bearer", "first", "3600"), page(), page()]);
    let org = org(&server);
    let client = Client::new(org.clone(), options()).expect("a client");
    let mut credentials = Credentials::new();
    let kid = ", key_id: kid-1";
    let credential = credentials.of(&org, &auth(&key, kid));
    let shared = credentials.of(&org, &auth(&key, kid));
    assert!(credential.is_same(&shared));
    assert!(!credential.is_same(&credentials.of(&org, &auth(&key, ", key_id: kid-1, dpop: false"))));
    for credential in [credential, shared] {
        let outcome = client.get(&url(&org, "since=a"), &credential).await;
        assert!(outcome.result.is_ok(), "{outcome:?}");
    }
    let (heads, bodies) = (server.requests(), server.bodies());
    assert_eq!(course(&server), ["token", "page", "page"]);
    assert!(heads[0].starts_with("POST /oauth2/v1/token HTTP/1.1\r\n"), "{}", heads[0]);
    assert_eq!(header(&heads[0], "accept"), Some("application/json"));
    assert_eq!(header(&heads[0], "content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(header(&heads[0], "authorization"), None);
    assert_eq!(header(&heads[1], "authorization"), Some("Bearer first"));
    assert_eq!(header(&heads[2], "authorization"), Some("Bearer first"));
    let names: Vec<_> = url::form_urlencoded::parse(bodies[0].as_bytes()).map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["client_assertion", "client_assertion_type", "grant_type", "scope"]);
    assert_eq!(form(&bodies[0], "scope"), "okta.logs.read");
    let assertion = form(&bodies[0], "client_assertion");
    let (head, claims) = parts(&assertion);
    assert_eq!(head, json!({"alg": "RS256", "typ": "JWT", "kid": "kid-1"}));
    assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some(APP), Some(APP)));
    assert_eq!(claims["aud"].as_str(), Some(format!("{org}/oauth2/v1/token").as_str()));
    assert_eq!(claims["exp"].as_i64(), claims["iat"].as_i64().map(|iat| iat + 305));
    assert!(claims["jti"].as_str().is_some_and(|id| id.len() >= 20), "{claims}");
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let public = PKey::public_key_from_pem(key.public_pem().as_bytes()).unwrap();
    let mut verifier = Verifier::new(MessageDigest::sha256(), &public).unwrap();
    assert!(verifier.verify_oneshot(&URL_SAFE_NO_PAD.decode(signature).unwrap(), signed.as_bytes()).unwrap());
}

#[tokio::test]
async fn connectors_that_wait_for_one_token_get_the_same() {
    let server = Server::start([token("Bearer", "first", "3600"), page(), page(), page(), page()]);
    let org = org(&server);
    let credential = Credential::new(&org, &auth(&key(), ", key_id: kid-1"));
    let client = Arc::new(Client::new(org.clone(), options()).expect("a client"));
    let asking = (0..4).map(|_| {
        let (client, credential, url) = (Arc::clone(&client), credential.clone(), url(&org, "since=a"));
        tokio::spawn(async move { client.get(&url, &credential).await.result.is_ok() })
    });
    for asked in asking.collect::<Vec<_>>() {
        assert!(asked.await.unwrap());
    }
    assert_eq!(course(&server).iter().filter(|what| **what == "token").count(), 1);
}

#[tokio::test]
async fn a_refused_service_app_is_told_what_to_do_and_no_secret_is_shown() {
    let server =
        Server::start([timeless("401 Unauthorized", "invalid_client", "The client_assertion JWT kid is invalid.")]);
    let outcome = ask(&server, &auth(&key(), ", key_id: kid-1")).await;
    assert_eq!((outcome.status, course(&server)), (Some(401), vec!["token"]));
    let error = outcome.result.expect_err("no token");
    assert_eq!(error.severity(), Severity::Fatal);
    let error = error.to_string();
    for part in ["no access token", "401 invalid_client", "kid is invalid", "`kid-1`", APP, "register the public half"]
    {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn an_endpoint_in_trouble_is_asked_again_and_its_own_limit_is_waited_for() {
    let limits = ["x-rate-limit-limit: 150", "x-rate-limit-remaining: 0", "x-rate-limit-reset: 1773291476"];
    for (status, headers, reason, wait) in [
        ("503 Service Unavailable", &[][..], RetryReason::Http5xx, None),
        ("500 Internal Server Error", &[], RetryReason::Http5xx, None),
        ("429 Too Many Requests", &limits, RetryReason::RateLimit, Some(11)),
        ("429 Too Many Requests", &[], RetryReason::RateLimit, None),
        ("408 Request Timeout", &[], RetryReason::Timeout, None),
    ] {
        let server = Server::start([no(status, headers, "server_error", "x")]);
        let outcome = ask(&server, &auth(&key(), ", key_id: kid-1")).await;
        let error = outcome.result.expect_err("no token");
        let wait = wait.map(Duration::from_secs);
        assert_eq!(error.severity(), Severity::Retriable { reason, wait }, "{status}");
        assert!(!error.is_page_timeout() && outcome.rate_limit.is_none(), "it is not the System Log's: {error}");
    }
    let server = Server::start([vec![Step::Close]]);
    let error = ask(&server, &auth(&key(), ", key_id: kid-1")).await.result.expect_err("no token");
    assert!(matches!(error.severity(), Severity::Retriable { reason: RetryReason::Connection, .. }), "{error}");
    for body in ["", "[]", r#"{"access_token":"x"}"#, r#"{"access_token":"a b","token_type":"Bearer"}"#] {
        let server = Server::start([vec![Step::Send(answer("200 OK", &[], body.as_bytes()))]]);
        let error = ask(&server, &auth(&key(), ", key_id: kid-1")).await.result.expect_err("no token");
        assert!(error.to_string().contains("can't be used"), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_of_the_token_endpoint_is_not_followed() {
    let other = Server::start([token("Bearer", "stolen", "3600")]);
    let location = format!("location: http://{}/oauth2/v1/token", other.address);
    let server = Server::start([no("307 Temporary Redirect", &[&location], "x", "y")]);
    let error = ask(&server, &auth(&key(), ", key_id: kid-1")).await.result.expect_err("no token");
    assert_eq!((error.severity(), other.connections()), (Severity::Fatal, 0));
    let to = format!("the token endpoint: the server redirects to `http://{}`", other.address);
    assert!(error.to_string().starts_with(&format!("no access token: {to}")), "{error}");
}

#[tokio::test]
async fn what_was_asked_of_the_system_log_and_what_the_clock_is_are_known_without_a_token_too() {
    let refused = || no("400 Bad Request", &[], "invalid_scope", "x");
    // Twice, as its clock is far from ours.
    let server = Server::start([refused(), refused()]);
    let outcome = ask(&server, &auth(&key(), ", key_id: kid-1")).await;
    assert_eq!((outcome.was_sent, outcome.status), (false, Some(400)), "{outcome:?}");
    let date = outcome.server_date.map(|date| date.as_second()).expect("the token endpoint's");
    assert!((DATE_SECONDS..DATE_SECONDS + 10).contains(&date), "{date}");
    // The limiter counts what the System Log was asked, whatever came of the token for the second try.
    let wants = challenge("400 Bad Request", "invalid_request", "The resource request requires a DPoP proof.", &[]);
    let server = Server::start([token("Bearer", "first", "3600"), wants, refused()]);
    let outcome = ask(&server, &auth(&key(), ", key_id: kid-1")).await;
    assert!(matches!(outcome.result, Err(RequestError::Token(_))), "{outcome:?}");
    assert_eq!((outcome.was_sent, outcome.status, course(&server).len()), (true, Some(400), 3), "{outcome:?}");
}

/// The order of calls of the recorded exchange, begun without a proof as an org that wants none has it.
#[tokio::test]
async fn an_org_that_wants_proofs_gets_them_with_its_nonce_and_each_request_is_signed_anew() {
    let server = Server::start([
        no("400 Bad Request", &[], "invalid_dpop_proof", "The DPoP proof JWT header is missing."),
        no(
            "400 Bad Request",
            &["dpop-nonce: first"],
            "use_dpop_nonce",
            "Authorization server requires nonce in DPoP proof.",
        ),
        token("DPoP", "bound", "3600"),
        page(),
    ]);
    let outcome = ask(&server, &auth(&key(), ", key_id: kid-1")).await;
    assert!(outcome.result.is_ok(), "{outcome:?}");
    assert_eq!(course(&server), ["token", "token proved", "token proved", "page proved"]);
    let (heads, bodies) = (server.requests(), server.bodies());
    let assertions: Vec<Value> = bodies[..3].iter().map(|body| parts(&form(body, "client_assertion")).1).collect();
    let org = org(&server);
    let (token_url, page_url) = (format!("{org}/oauth2/v1/token"), format!("{org}/api/v1/logs"));
    let proofs: Vec<(Value, Value)> = heads[1..].iter().map(|head| proof(head)).collect();
    let mut ids: Vec<&Value> = assertions.iter().map(|claims| &claims["jti"]).collect();
    ids.extend(proofs.iter().map(|(_, claims)| &claims["jti"]));
    ids.sort_by_key(|id| id.to_string());
    ids.dedup();
    assert_eq!(ids.len(), 6, "each id is good for one request");
    assert!(proofs.iter().all(|(head, _)| *head == proofs[0].0), "one key: {proofs:?}");
    let of_rfc =
        |claims: &Value| [claims["htm"].clone(), claims["htu"].clone(), claims["nonce"].clone(), claims["ath"].clone()];
    assert_eq!(of_rfc(&proofs[0].1), [json!("POST"), json!(token_url), Value::Null, Value::Null]);
    assert_eq!(of_rfc(&proofs[1].1), [json!("POST"), json!(token_url), json!("first"), Value::Null]);
    let ath = URL_SAFE_NO_PAD.encode(openssl::sha::sha256(b"bound"));
    assert_eq!(of_rfc(&proofs[2].1), [json!("GET"), json!(page_url), Value::Null, json!(ath)]);
    assert_eq!(header(&heads[3], "authorization"), Some("DPoP bound"));
    // This machine's clock is not that of the answers.
    for claims in [&assertions[1], &assertions[2], &proofs[0].1, &proofs[1].1, &proofs[2].1] {
        assert!(
            claims["iat"].as_i64().is_some_and(|iat| (DATE_SECONDS - 5..DATE_SECONDS + 60).contains(&iat)),
            "{claims}"
        );
    }
}

#[tokio::test]
async fn with_dpop_false_an_org_that_wants_proofs_is_told_of() {
    let refusals = [
        vec![no("400 Bad Request", &[], "invalid_dpop_proof", "The DPoP proof JWT header is missing.")],
        vec![
            token("Bearer", "plain", "3600"),
            challenge("400 Bad Request", "invalid_request", "The resource request requires a DPoP proof.", &[]),
        ],
    ];
    for answers in refusals {
        let server = Server::start(answers);
        let error = ask(&server, &auth(&key(), ", key_id: kid-1, dpop: false")).await.result.expect_err("refused");
        assert_eq!(error.severity(), Severity::Fatal);
        assert!(error.to_string().contains("`dpop: false`"), "{error}");
    }
}

#[tokio::test]
async fn a_resource_that_wants_a_proof_gets_one_at_once() {
    let server = Server::start([
        token("Bearer", "plain", "3600"),
        challenge("400 Bad Request", "invalid_request", "The resource request requires a DPoP proof.", &[]),
        token("DPoP", "bound", "3600"),
        challenge(
            "401 Unauthorized",
            "use_dpop_nonce",
            "Resource server requires nonce in DPoP proof",
            &["dpop-nonce: of-logs"],
        ),
        challenge("400 Bad Request", "invalid_dpop_proof", "The DPoP proof JWT has already been used.", &[]),
        page(),
        page(),
    ]);
    let org = org(&server);
    let client = Client::new(org.clone(), options()).expect("a client");
    let credential = Credential::new(&org, &auth(&key(), ", key_id: kid-1"));
    for _ in 0..2 {
        let outcome = client.get(&url(&org, "since=a"), &credential).await;
        assert!(outcome.result.is_ok(), "{outcome:?}");
    }
    let expected = ["token", "page", "token proved", "page proved", "page proved", "page proved", "page proved"];
    assert_eq!(course(&server), expected);
    let heads = server.requests();
    // The nonce of the 200 of the token endpoint came before the first proof.
    let nonces: Vec<Value> = heads[2..].iter().map(|head| proof(head).1["nonce"].clone()).collect();
    let of_logs = json!("of-logs");
    assert_eq!(nonces, [json!("nonce-of-200"), Value::Null, of_logs.clone(), of_logs.clone(), of_logs]);
}

#[tokio::test]
async fn a_proof_that_is_refused_again_and_again_fails_with_words() {
    let refused =
        || challenge("400 Bad Request", "invalid_dpop_proof", "'htu' claim in the DPoP proof JWT is invalid.", &[]);
    let server = Server::start([token("DPoP", "bound", "3600"), refused(), refused(), page()]);
    let error = ask(&server, &auth(&key(), ", key_id: kid-1, dpop: true")).await.result.expect_err("refused");
    assert_eq!((error.severity(), error.is_unauthorized()), (Severity::Fatal, false));
    assert!(error.to_string().contains("'htu' claim") && error.to_string().contains("the host"), "{error}");
    assert_eq!(course(&server), ["token proved", "page proved", "page proved"]);
}

#[tokio::test]
async fn a_clock_that_is_off_is_learnt_from_the_refusal() {
    for (error, description) in [
        ("invalid_client", "The client_assertion token must be issued before the current time."),
        ("invalid_client", "The client_assertion token is expired."),
        // Words that nobody knows, and a `Date` that is months from here.
        ("invalid_client", "The client_assertion is bad."),
    ] {
        let refused = no("401 Unauthorized", &[], error, description);
        let server = Server::start([refused.clone(), token("Bearer", "first", "3600"), page()]);
        let outcome = ask(&server, &auth(&key(), ", key_id: kid-1")).await;
        assert!(outcome.result.is_ok(), "{outcome:?}");
        let iat = parts(&form(&server.bodies()[1], "client_assertion")).1["iat"].as_i64().unwrap();
        assert!((DATE_SECONDS - 5..DATE_SECONDS + 60).contains(&iat), "{iat}");
        let server = Server::start([refused.clone(), refused, token("Bearer", "first", "3600")]);
        let outcome = ask(&server, &auth(&key(), ", key_id: kid-1")).await;
        assert!(matches!(outcome.result, Err(RequestError::Token(_))), "once only: {outcome:?}");
        assert_eq!(course(&server), ["token", "token"]);
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_asked_for_anew_and_one_that_was_renewed_meanwhile_is_kept() {
    let server = Server::start([
        token("Bearer", "first", "3600"),
        challenge("401 Unauthorized", "invalid_token", "The token has expired.", &[]),
        token("Bearer", "second", "3600"),
        page(),
    ]);
    let org = org(&server);
    let client = Client::new(org.clone(), options()).expect("a client");
    let credential = Credential::new(&org, &auth(&key(), ", key_id: kid-1"));
    let refused = client.get(&url(&org, "since=a"), &credential).await.result.expect_err("expired");
    assert!(refused.is_unauthorized() && refused.to_string().contains("The token has expired."), "{refused}");
    assert!(!credential.reload().expect("a key from the environment"));
    assert!(client.get(&url(&org, "since=a"), &credential).await.result.is_ok());
    assert_eq!(header(&server.requests()[3], "authorization"), Some("Bearer second"));
}

#[tokio::test]
async fn a_renewal_that_fails_while_the_token_lives_is_no_outage() {
    let mut tokens = 0;
    let bytes = |steps: Vec<Step>| match steps.into_iter().next() {
        Some(Step::Send(bytes)) => Reply::Bytes(bytes),
        other => panic!("not an answer: {other:?}"),
    };
    // Lives 3 s, and is renewed after 2.4 s.
    let server = Recorder::start(move |exchange| {
        tokens += u32::from(exchange.is_for_a_token());
        match (exchange.is_for_a_token(), tokens) {
            (true, 1) => bytes(token("Bearer", "first", "3")),
            (true, _) => Reply::Hang,
            (false, _) => bytes(page()),
        }
    });
    let org: Origin = server.origin().parse().unwrap();
    let client = Client::new(org.clone(), options()).expect("a client");
    let credential = Credential::new(&org, &auth(&key(), ", key_id: kid-1"));
    let got = || async { client.get(&url(&org, "since=a"), &credential).await.result.is_ok() };
    assert!(got().await);
    let is_due = async || credential.token_left().filter(|left| *left < Duration::from_millis(600)).map(drop);
    until("the last fifth of the token's life", Duration::from_secs(10), is_due).await;
    for _ in 0..3 {
        assert!(got().await, "the old token is good, and nobody waits for the new one");
    }
    let is_asked = async || (server.token_exchanges().len() == 2).then_some(());
    until("the renewal", Duration::from_secs(10), is_asked).await;
    let exchanges = server.exchanges();
    let mut pages = exchanges.iter().filter(|exchange| exchange.is_for_a_page());
    assert!(pages.all(|page| page.request.header("authorization") == Some("Bearer first")));
    assert_eq!(server.token_exchanges().len(), 2, "one renewal at a time");
}

#[tokio::test]
async fn the_key_is_read_again_when_its_file_changed_and_a_broken_file_changes_nothing() {
    let (first, second) = (key(), ServiceKey::new("kid-2", Kind::P256));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), first.file(Form::Jwk)).unwrap();
    let auth = auth_with(APP, &format!("${{file:{}}}", file.path().display()), "", &|_| None);
    // Tokens that are at their end at once.
    let server = Server::start([
        token("Bearer", "a", "0"),
        page(),
        token("Bearer", "b", "0"),
        page(),
        token("Bearer", "c", "0"),
        page(),
    ]);
    let org = org(&server);
    let client = Client::new(org.clone(), options()).expect("a client");
    let credential = Credential::new(&org, &auth);
    for text in [None, Some("-----BEGIN".to_owned()), Some(second.file(Form::Jwk))] {
        if let Some(text) = text {
            std::fs::write(file.path(), text).unwrap();
        }
        let outcome = client.get(&url(&org, "since=a"), &credential).await;
        assert!(outcome.result.is_ok(), "{outcome:?}");
    }
    let bodies = server.bodies();
    let heads: Vec<Value> = [0, 2, 4].map(|at| parts(&form(&bodies[at], "client_assertion")).0).to_vec();
    assert_eq!(heads[0], heads[1]);
    assert_eq!(heads[2], json!({"alg": "ES256", "typ": "JWT", "kid": "kid-2"}));
}

#[tokio::test]
async fn an_answer_that_repeats_what_it_was_sent_shows_none_of_it() {
    let server = Server::start([]);
    let org = org(&server);
    let client = Client::new(org.clone(), options()).expect("a client");
    let credential = Credential::new(&org, &auth(&key(), ", key_id: kid-1, dpop: true"));
    server.will_say([timeless("400 Bad Request", "invalid_client", "bad eyJhbGciOiJSUzI1NiJ9.eyJzdWIi, cut off")]);
    let error = client.get(&url(&org, "since=a"), &credential).await.result.expect_err("refused");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("bad ***, cut off") && !shown.contains("eyJ"), "{shown}");
    let shown = format!("{credential:?} {:?}", auth(&key(), ", key_id: kid-1"));
    assert!(!shown.contains("BEGIN") && shown.contains(APP), "{shown}");
}
