//! Access tokens against servers that say odd things.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use okta_kafka_source::config::{Auth, Config};
use okta_kafka_source::okta::auth::credential::{Credential, Credentials};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Verifier;
use serde_json::Value;

use super::server::{Server, Step};
use super::{Client, EVENTS, answer, options, org, url};
use crate::support::keys;

const APP: &str = "0oa1test";

/// `auth` of a service app with this key.
fn auth(key: &PKey<Private>, more: &str) -> Auth {
    let pem = keys::pkcs8(key);
    let text = format!(
        "kafka: {{bootstrap.servers: 'localhost:1'}}\nconnectors:\n  - name: acme\n    org: https://acme.okta.com\n    \
         auth: {{oauth: {{client_id: {APP}, private_key: '${{env:KEY}}', key_id: kid-1{more}}}}}\n    topic: okta\n"
    );
    let config = Config::parse(&text, &|name| (name == "KEY").then(|| pem.clone())).unwrap();
    config.connectors[0].auth.clone()
}

fn token(token_type: &str, token: &str, expires_in: &str) -> Vec<Step> {
    let body = format!(
        r#"{{"token_type":"{token_type}","expires_in":{expires_in},"access_token":"{token}","scope":"okta.logs.read"}}"#
    );
    vec![Step::Send(answer("200 OK", &["date: Thu, 12 Mar 2026 04:57:46 GMT"], body.as_bytes()))]
}

fn page() -> Vec<Step> {
    vec![Step::Send(answer("200 OK", &["date: Thu, 12 Mar 2026 04:57:46 GMT"], EVENTS.as_bytes()))]
}

/// The value of a header of a request's head.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|line| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)))
        .map(|(_, value)| value)
}

fn form(body: &str, name: &str) -> String {
    url::form_urlencoded::parse(body.as_bytes()).find(|(found, _)| found == name).unwrap().1.into_owned()
}

/// Header and claims of a JWT.
fn parts(jwt: &str) -> (Value, Value) {
    let mut parts = jwt.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let mut json = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (json(), json())
}

#[tokio::test]
async fn a_service_app_asks_for_a_token_once_and_presents_it() {
    let key = keys::rsa(2048);
    let server = Server::start([token("Bearer", "first", "3600"), page(), page()]);
    let org = org(&server);
    let client = Client::new(org.clone(), options()).expect("a client");
    let mut credentials = Credentials::new();
    let credential = credentials.of(&org, &auth(&key, ""));
    let shared = credentials.of(&org, &auth(&key, ""));
    assert!(credential.is_same(&shared) && !credential.is_same(&credentials.of(&org, &auth(&key, ", dpop: false"))));
    for credential in [credential, shared] {
        let outcome = client.get(&url(&org, "since=a"), &credential).await;
        assert!(outcome.result.is_ok(), "{outcome:?}");
    }
    let (heads, bodies) = (server.requests(), server.bodies());
    assert_eq!(heads.len(), 3, "{heads:?}");
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
    assert_eq!(head, serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": "kid-1"}));
    assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some(APP), Some(APP)));
    assert_eq!(claims["aud"].as_str(), Some(format!("{org}/oauth2/v1/token").as_str()));
    assert_eq!(claims["exp"].as_i64(), claims["iat"].as_i64().map(|iat| iat + 300));
    assert!(claims["jti"].as_str().is_some_and(|id| id.len() >= 20), "{claims}");
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key).unwrap();
    assert!(verifier.verify_oneshot(&URL_SAFE_NO_PAD.decode(signature).unwrap(), signed.as_bytes()).unwrap());
}

#[tokio::test]
async fn a_refused_service_app_is_told_what_to_do_and_no_secret_is_shown() {
    let key = keys::rsa(2048);
    let body = br#"{"error":"invalid_client","error_description":"The client_assertion JWT kid is invalid."}"#;
    let server = Server::start([vec![Step::Send(answer("401 Unauthorized", &[], body))]]);
    let org = org(&server);
    let client = Client::new(org.clone(), options()).expect("a client");
    let outcome = client.get(&url(&org, "since=a"), &Credential::new(&org, &auth(&key, ""))).await;
    let error = outcome.result.expect_err("no token").to_string();
    for part in ["no access token", "401 invalid_client", "kid is invalid", "`kid-1`", APP, "register the public half"]
    {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!((outcome.status, server.requests().len()), (Some(401), 1));
}

#[tokio::test]
async fn connectors_that_wait_for_one_token_get_the_same() {
    let key = keys::rsa(2048);
    let server = Server::start([token("Bearer", "first", "3600"), page(), page(), page(), page()]);
    let org = org(&server);
    let credential = Credential::new(&org, &auth(&key, ""));
    let client = Arc::new(Client::new(org.clone(), options()).expect("a client"));
    let asking = (0..4).map(|_| {
        let (client, credential, url) = (Arc::clone(&client), credential.clone(), url(&org, "since=a"));
        tokio::spawn(async move { client.get(&url, &credential).await.result.is_ok() })
    });
    for asked in asking.collect::<Vec<_>>() {
        assert!(asked.await.unwrap());
    }
    let heads = server.requests();
    assert_eq!(heads.iter().filter(|head| head.starts_with("POST")).count(), 1, "{heads:?}");
}
