//! A real exchange with an Okta org that requires DPoP, replayed to our client.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::Connector;
use crate::support::http_message;
use crate::support::prove;
use crate::support::recorder::{Exchange, Recorder, Reply};
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::shared_broker::shared_broker;
use crate::support::verifier::{Verifier, unverified};

const WAIT: Duration = Duration::from_secs(60);
const CLIENT_ID: &str = "0oa1gdh63g214q0Hq0g4";

#[derive(Deserialize)]
struct Recording {
    interactions: Vec<Interaction>,
}

#[derive(Deserialize)]
struct Interaction {
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
struct Request {
    body: Option<BTreeMap<String, String>>,
    headers: BTreeMap<String, Vec<String>>,
    method: String,
    uri: String,
}

#[derive(Deserialize)]
struct Response {
    body: Body,
    headers: BTreeMap<String, Vec<String>>,
    status: Status,
}

#[derive(Deserialize)]
struct Body {
    string: String,
}

#[derive(Deserialize)]
struct Status {
    code: u16,
    message: String,
}

impl Recording {
    fn read() -> Self {
        serde_saphyr::from_str(include_str!("recorded-exchange.yaml")).expect("the recording is YAML")
    }
}

impl Response {
    /// As recorded, with all its headers; only the links, which are of another path, are those of a poll.
    fn replayed(&self, exchange: &Exchange, origin: &str) -> Vec<u8> {
        let mut headers = Vec::new();
        for (name, values) in &self.headers {
            for value in values {
                match name.as_str() {
                    "Transfer-Encoding" => {}
                    "Link" => {
                        let url = format!("{origin}{}", exchange.target());
                        headers.push((name.clone(), format!("<{url}>; rel=\"self\"")));
                        headers.push((name.clone(), format!("<{url}>; rel=\"next\"")));
                    }
                    _ => headers.push((name.clone(), value.clone())),
                }
            }
        }
        let status = format!("{} {}", self.status.code, self.status.message);
        http_message::answer(&status, &headers, &self.body.string)
    }
}

/// Okta's answers as they were, to a client that was told of DPoP and to one that was not: the calls come in the order
/// of the recording, and what they carry has its members.
#[test]
fn the_recorded_exchange_is_met_as_recorded() {
    let Some(kafka) = shared_broker() else { return };
    let Some(verifier) = Verifier::there() else { return };
    verifier.must_refuse_what_is_wrong();
    let recording = Recording::read();
    let mut results = Vec::new();
    for dpop in ["auto", "true"] {
        let key = ServiceKey::new("recorded-key", Kind::Rsa);
        let recorder = replay();
        let folder = tempfile::TempDir::with_prefix("key-").unwrap();
        let file = folder.path().join("key.pem");
        std::fs::write(&file, key.file(Form::Pkcs8)).unwrap();
        let auth = format!(
            "{{oauth: {{client_id: {CLIENT_ID}, private_key: \"${{file:{}}}\", key_id: {}, dpop: {dpop}}}}}",
            file.display(),
            key.key_id()
        );
        let acme = ConnectorYaml::new("acme", &recorder.origin(), "").auth(&auth).interval("1s");
        let worker = Connector::spawn(&ConfigYaml::new(kafka.bootstrap()).connector(acme), &[]);
        // The recorded page has no events: polls go on, each with a proof of its own.
        recorder.await_exchanges(
            "six calls",
            |exchanges| exchanges.iter().filter(|x| x.status() > 0).count() >= 6,
            WAIT,
        );
        worker.await_state("acme", "running", WAIT);
        for reason in ["http_5xx", "timeout", "connection", "rate_limit", "concurrency"] {
            assert_eq!(worker.of("acme", "retries_total", &[("reason", reason)]), Some(0.0), "{reason}");
        }
        worker.stop();
        let exchanges = recorder.exchanges();
        for (number, recorded) in recording.interactions.iter().enumerate() {
            // Who was not told of DPoP cannot send a proof with the first call.
            let proof = number > 0 || dpop == "true";
            must_be_as_recorded(&recorded.request, &exchanges[number], proof);
        }
        assert!(exchanges[3..].iter().all(Exchange::is_for_a_page), "a token of an hour was given");
        // Answers set cookies, as they do for browsers.
        assert!(exchanges.iter().all(|exchange| exchange.request.header("cookie").is_none()), "a cookie was sent back");
        must_be_on_the_servers_clock(&exchanges);
        let verified = verifier.must_accept(&recorder.origin(), &[&key], CLIENT_ID, &exchanges);
        assert_eq!((verified.assertions, verified.assertion_keys, verified.proof_keys), (2, 1, 1));
        results.push(format!("dpop: {dpop}: {} assertions, {} proofs", verified.assertions, verified.proofs));
    }
    prove::row(
        "recorded-dpop",
        "A recorded exchange with an org that requires DPoP is met call for call",
        "Okta's recorded answers, replayed with all their headers and their clock (months off), to a client with `dpop: auto` \
         and one with `dpop: true`; compared with the recorded calls: order, form, members of the assertion; every \
         assertion and proof verified by jwcrypto",
        &format!("as recorded; good: {}", results.join("; ")),
    );
}

/// The endpoint that replays: after the last recorded answer, that one again.
fn replay() -> Recorder {
    let recording = Recording::read();
    let mut calls = 0;
    let recorder = Recorder::start(|_| Reply::Close);
    let origin = recorder.origin();
    recorder.decide(move |exchange| {
        let interaction = &recording.interactions[calls.min(recording.interactions.len() - 1)];
        calls += 1;
        Reply::Bytes(interaction.response.replayed(exchange, &origin))
    });
    recorder
}

fn must_be_as_recorded(recorded: &Request, exchange: &Exchange, proof: bool) {
    assert_eq!(exchange.method(), recorded.method);
    match &recorded.body {
        Some(form) => {
            assert!(recorded.uri.ends_with(exchange.target()), "{exchange}");
            let sent = exchange.form();
            let mut names: Vec<_> = sent.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            assert_eq!(names, form.keys().collect::<Vec<_>>());
            for same in ["client_assertion_type", "grant_type"] {
                assert_eq!(exchange.form_member(same).as_deref(), form.get(same).map(String::as_str), "{same}");
            }
            assert_eq!(exchange.form_member("scope").as_deref(), Some("okta.logs.read"));
            assert_eq!(exchange.request.header("content-type"), Some("application/x-www-form-urlencoded"));
            let assertion = exchange.form_member("client_assertion").unwrap_or_default();
            let mut header = members(&unverified(&assertion, 0));
            // The recorded client was not told its key's id.
            header.retain(|name| name != "kid");
            assert_eq!(header, members(&unverified(&form["client_assertion"], 0)));
            assert_eq!(members(&unverified(&assertion, 1)), members(&unverified(&form["client_assertion"], 1)));
        }
        None => {
            assert!(exchange.is_for_a_page() && exchange.request.body.is_empty(), "{exchange}");
            let scheme = |value: &str| value.split(' ').next().unwrap_or_default().to_owned();
            let sent = exchange.request.header("authorization").map(scheme);
            assert_eq!(sent, recorded.headers["Authorization"].first().map(|value| scheme(value)));
        }
    }
    assert_eq!(exchange.request.header("accept"), recorded.headers["Accept"].first().map(String::as_str), "{exchange}");
    assert_eq!(exchange.request.headers("dpop").count(), usize::from(proof), "{exchange}");
    assert!(exchange.request.header("user-agent").is_some_and(|agent| agent.starts_with("okta-kafka-source/")));
}

/// The names of an object's members, sorted.
fn members(object: &Value) -> Vec<String> {
    let mut names: Vec<_> = object.as_object().expect("an object").keys().cloned().collect();
    names.sort_unstable();
    names
}

/// The recording is of another month: from the first answer on, that month is the time of everything that is signed.
fn must_be_on_the_servers_clock(exchanges: &[Exchange]) {
    let date = exchanges[0].answer.as_ref().and_then(|answer| answer.header("date")).expect("a date");
    let date = httpdate::parse_http_date(date).unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let signed = exchanges[1].form_member("client_assertion").into_iter();
    let signed = signed.chain(exchanges[1..3].iter().filter_map(|x| x.request.header("dpop").map(str::to_owned)));
    for token in signed {
        let issued = unverified(&token, 1)["iat"].as_u64().expect("iat");
        assert!(issued.abs_diff(date) <= 10, "signed at {issued} by a server's clock of {date}");
    }
}
