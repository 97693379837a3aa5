//! The check of the client's JWTs by a library that is neither ours nor the simulator's: tests/verifier.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::python;
use super::recorder::Exchange;
use super::service_key::ServiceKey;

/// A Python with jwcrypto.
pub struct Verifier {
    python: &'static Path,
}

/// What was verified.
#[derive(Debug, PartialEq, Eq)]
pub struct Verified {
    /// Client assertions.
    pub assertions: u64,
    /// Keys that signed them.
    pub assertion_keys: u64,
    /// DPoP proofs.
    pub proofs: u64,
    /// Keys that signed them.
    pub proof_keys: u64,
}

impl Verifier {
    /// The verifier, which is fetched at the first call. Where it can't be had, says which part is missing and gives
    /// `None`: the test returns.
    pub fn there() -> Option<Self> {
        python::there().map(|python| Self { python })
    }

    /// Verifies every assertion and every proof that a client sent in these exchanges, as the org at `origin` knows it.
    ///
    /// Assertions must be signed by the one of `keys` that they name. Panics with all that is wrong, and where nothing
    /// was sent that could be.
    pub fn must_accept(&self, origin: &str, keys: &[&ServiceKey], client_id: &str, exchanges: &[Exchange]) -> Verified {
        let mut items = Vec::new();
        let mut nonce: Option<String> = None;
        let mut proof_keys = HashSet::new();
        for (place, exchange) in exchanges.iter().enumerate() {
            // Before its first answer a client knows no other clock than its own.
            #[allow(clippy::cast_possible_truncation)]
            let now = if place == 0 { exchange.at as i64 } else { server_time(exchange) };
            items.extend(assertion_of(exchange, origin, keys, client_id, now));
            if let Some((mut item, key)) = proof_of(exchange, origin, now) {
                // The nonce that was given last; a program that was started anew has another key, and has heard of none.
                let known = !proof_keys.insert(key) || has_nonce(&item);
                if exchange.is_for_a_token() {
                    item["nonce"] = json!(nonce.as_deref().filter(|_| known));
                }
                items.push(item);
            }
            let given = exchange.answer.as_ref().and_then(|answer| answer.header("dpop-nonce"));
            nonce = given.map(str::to_owned).or(nonce);
        }
        let (problems, summary) = self.verify(&items);
        let bad: Vec<_> = problems.iter().zip(&items).filter(|(problems, _)| !problems.is_empty()).collect();
        assert!(bad.is_empty(), "refused by the independent verifier: {bad:#?}");
        let count = |kind: &str, of: &str| summary[kind][of].as_u64().expect("the verifier's summary");
        let verified = Verified {
            assertions: count("assertions", "count"),
            assertion_keys: count("assertions", "keys"),
            proofs: count("proofs", "count"),
            proof_keys: count("proofs", "keys"),
        };
        assert!(verified.assertions > 0, "no assertion was sent: nothing was verified");
        verified
    }

    /// The problems of each item, and the summary. See verify.py for what an item is.
    fn verify(&self, items: &[Value]) -> (Vec<Vec<String>>, Value) {
        let mut child = Command::new(self.python)
            .arg("-B")
            .arg(folder().join("verify.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the verifier starts");
        let mut stdin = child.stdin.take().expect("piped");
        let lines: String = items.iter().map(|item| format!("{item}\n")).collect();
        // From a thread of its own: the verifier answers while it still reads.
        let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
        let output = child.wait_with_output().expect("the verifier ends");
        let text = String::from_utf8(output.stdout).expect("JSON");
        writer.join().unwrap().unwrap_or_else(|error| panic!("the verifier ended early ({error}): {text}"));
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let summary = lines.pop().expect("a summary");
        assert_eq!(lines.len(), items.len(), "a verdict for each item");
        let problems = lines.iter().map(|line| serde_json::from_value(line["problems"].clone()).expect("a list"));
        (problems.collect(), summary)
    }

    /// What holds the verifier itself up: it refuses tokens with one mistake each.
    pub fn must_refuse_what_is_wrong(&self) {
        let output = Command::new(self.python)
            .args(["-B", "-m", "unittest", "-q", "test_verify"])
            .current_dir(folder())
            .output()
            .expect("the verifier's tests start");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The assertion that an exchange carries.
fn assertion_of(exchange: &Exchange, origin: &str, keys: &[&ServiceKey], client_id: &str, now: i64) -> Option<Value> {
    let token = exchange.form_member("client_assertion")?;
    let kid = unverified(&token, 0)["kid"].as_str().unwrap_or_default().to_owned();
    let key = keys.iter().find(|key| key.key_id() == kid).unwrap_or_else(|| panic!("no key has the kid `{kid}`"));
    Some(json!({
        "kind": "assertion", "token": token, "key": key.public_pem(), "kid": kid, "client_id": client_id,
        "audience": format!("{origin}/oauth2/v1/token"), "now": now,
    }))
}

/// The proof that an exchange carries, and its key.
fn proof_of(exchange: &Exchange, origin: &str, now: i64) -> Option<(Value, String)> {
    let mut proofs = exchange.request.headers("dpop");
    let token = proofs.next()?;
    assert_eq!(proofs.next(), None, "RFC 9449, 4.3: one DPoP header at most");
    let authorization = exchange.request.header("authorization");
    let access_token = authorization.map(|value| {
        value.strip_prefix("DPoP ").unwrap_or_else(|| panic!("a proof beside another scheme: {exchange}"))
    });
    let item = json!({
        "kind": "proof", "token": token, "method": exchange.method(), "url": format!("{origin}{}", exchange.target()),
        "access_token": access_token, "now": now, "issued": exchange.answer_json()["access_token"],
    });
    Some((item, unverified(token, 0)["jwk"].to_string()))
}

fn has_nonce(proof: &Value) -> bool {
    unverified(proof["token"].as_str().unwrap_or_default(), 1)["nonce"].is_string()
}

/// The server's own time: the answer's `Date`, else this machine's.
fn server_time(exchange: &Exchange) -> i64 {
    let date = exchange.answer.as_ref().and_then(|answer| answer.header("date"));
    let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
    match date.and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok()) {
        Some(since) => i64::try_from(since.as_secs()).unwrap(),
        #[allow(clippy::cast_possible_truncation)]
        None => exchange.at as i64,
    }
}

/// A part of a JWT as JSON, unverified; null where it is none.
pub fn unverified(token: &str, part: usize) -> Value {
    let part = token.split('.').nth(part).unwrap_or_default().replace('-', "+").replace('_', "/");
    let padded = format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4));
    openssl::base64::decode_block(&padded)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verifier")
}
