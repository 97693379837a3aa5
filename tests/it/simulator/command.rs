//! `simulate --oauth`: what the shipped program prints is all that a service app needs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use openssl::pkey::PKey;
use serde_json::{Value, json};

use super::harness::client;
use super::service_app::{form, reply, token_of};
use super::signer::{Key, RSA, fresh_id, now};
use crate::support::connector::{self, ConfigFile, utf8};
use crate::support::process::{Process, Stream};

const WAIT: Duration = Duration::from_secs(20);

fn simulate(arguments: &[&str]) -> Process {
    let always = ["simulate", "--listen", "127.0.0.1:0", "--events", "3", "--live-rate", "0", "--oauth"];
    connector::spawn(&[&always[..], arguments].concat(), &[])
}

/// The line of JSON.
fn ready(process: &Process) -> Value {
    serde_json::from_str(&process.await_line("where it listens", |line| line.starts_with('{'), WAIT)).unwrap()
}

/// Asks for a token as the app that the line of JSON tells of.
async fn token(ready: &Value, private_pem: &str) -> Value {
    let text = |name: &str| ready[name].as_str().unwrap().to_owned();
    let private = PKey::private_key_from_pem(private_pem.as_bytes()).unwrap();
    let key = Key { private, jwk: Value::Null, algorithm: "RS256" };
    let url = format!("{}/oauth2/v1/token", text("url"));
    let claims =
        json!({"iss": text("client_id"), "sub": text("client_id"), "aud": url, "exp": now() + 60, "jti": fresh_id()});
    let assertion = key.sign(&json!({"alg": "RS256", "kid": text("key_id")}), &claims);
    let body =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form(&assertion, "okta.logs.read")).finish();
    let request = client().post(&url).header("content-type", "application/x-www-form-urlencoded").body(body);
    let reply = reply(request).await;
    token_of(&reply);
    reply.json()
}

#[tokio::test]
async fn the_command_makes_an_app_and_prints_what_it_needs() {
    let process = simulate(&["--token-life", "7s", "--client-id", "0oamine", "--key-id", "k1"]);
    let ready = ready(&process);
    assert_eq!((&ready["client_id"], &ready["key_id"]), (&json!("0oamine"), &json!("k1")));
    let answer = token(&ready, ready["private_key"].as_str().unwrap()).await;
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(7)));
    process.signal(Signal::SIGTERM);
    process.wait(WAIT);
}

#[tokio::test]
async fn a_key_is_written_for_its_owner_or_registered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.pem");
    let process = simulate(&["--oauth-private-key", utf8(&path)]);
    let line = ready(&process);
    assert!(line.get("private_key").is_none(), "{line}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    token(&line, &fs::read_to_string(&path).unwrap()).await;
    process.signal(Signal::SIGTERM);
    process.wait(WAIT);

    let again = connector::run(&["simulate", "--oauth", "--oauth-private-key", utf8(&path)], &[], WAIT);
    assert!(again.code() == 1 && again.stderr.contains("give a file that is not there yet"), "{again:?}");

    let public = folder.path().join("public.jwk");
    fs::write(&public, RSA.jwk.to_string()).unwrap();
    let process = simulate(&["--oauth-public-key", utf8(&public)]);
    let own = String::from_utf8(RSA.private.private_key_to_pem_pkcs8().unwrap()).unwrap();
    token(&ready(&process), &own).await;
    process.signal(Signal::SIGTERM);
    process.wait(WAIT);
    // Under its own id, and under another on request.
    let mut jwk = RSA.jwk.clone();
    jwk["kid"] = "its-own".into();
    fs::write(&public, jwk.to_string()).unwrap();
    for (arguments, expected) in [(&[][..], "its-own"), (&["--key-id", "another"], "another")] {
        let process = simulate(&[&["--oauth-public-key", utf8(&public)], arguments].concat());
        let line = ready(&process);
        assert_eq!(line["key_id"], expected);
        token(&line, &own).await;
        process.signal(Signal::SIGTERM);
        process.wait(WAIT);
    }
    fs::write(&public, own).unwrap();
    let refused = connector::run(&["simulate", "--oauth", "--oauth-public-key", utf8(&public)], &[], WAIT);
    assert!(refused.code() == 1 && refused.stderr.contains("this is no public key"), "{refused:?}");
}

#[test]
fn the_printed_configuration_is_one_that_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.pem");
    for arguments in [&[][..], &["--oauth-private-key", utf8(&path)]] {
        let process = simulate(&[arguments, &["--print-config", "--dpop", "required"]].concat());
        process.await_line("the configuration", |line| line.contains("interval:"), WAIT);
        let config = process.text(Stream::Stdout);
        assert!(config.contains("      oauth:\n"), "{config}");
        assert!(!ready(&process).to_string().contains("PRIVATE KEY"), "the key is in the configuration alone");
        let file = ConfigFile::new(&config);
        let path: &Path = &file.path();
        let checked = connector::run(&["check", "--offline", "-c", utf8(path)], &[], WAIT);
        assert_eq!(checked.code(), 0, "{checked:?}\n{config}");
        process.signal(Signal::SIGTERM);
        process.wait(WAIT);
    }
}
