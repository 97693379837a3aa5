//! The refusals of a service app as the shipped program meets them, on a real Kafka.

use std::time::{Duration, Instant};

use okta_kafka_source::simulator::{DpopMode, FaultKind, OauthConfig, RegisteredKey, SimulatorConfig, VerbatimAnswer};

use super::LOGS;
use super::shipped::{says, status};
use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::Connector;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::shared_broker::shared_broker;

const WAIT: Duration = Duration::from_secs(60);
const SNAPSHOT: &str = "error_table/oauth.snapshot.txt";
/// The connectors that fail, and the rows that say what of.
const FAILING: [(&str, &str); 3] =
    [("no-key", "no key"), ("no-scope", "no scope granted"), ("no-role", "the app's role")];
/// Those that go on: a token that is refused once, and a token endpoint that is in trouble three times.
const GOING_ON: [&str; 2] = ["revoked", "trouble"];

const ROLE: &str = r#"{"errorCode":"E0000006","errorSummary":"You do not have permission to perform the requested action","errorLink":"E0000006","errorId":"oaeA2-4_P9RtWIEh-N4O0qfg","errorCauses":[]}"#;
const REVOKED: &str = r#"Bearer authorization_uri="http://acme.okta.com/oauth2/v1/authorize", realm="http://acme.okta.com", scope="okta.logs.read", error="invalid_token", error_description="The access token has been revoked.", resource="/api/v1/logs""#;

#[test]
fn a_service_app_fails_or_goes_on_and_says_why() {
    let Some(kafka) = shared_broker() else { return };
    let key = ServiceKey::new("kid-1", Kind::P256);
    let public = || RegisteredKey::read("kid-1", &key.public_pem()).unwrap();
    let names: Vec<&str> = FAILING.iter().map(|(name, _)| *name).chain(GOING_ON).collect();
    let mut config = ConfigYaml::new(kafka.bootstrap());
    let orgs: Vec<Org> = names.iter().map(|_| org()).collect();
    let client_id = OauthConfig::default().client_id;
    let auth = format!("{{oauth: {{client_id: {client_id}, private_key: '${{env:OKS_KEY}}', key_id: kid-1}}}}");
    for (name, org) in names.iter().zip(&orgs) {
        let oauth = org.oauth().unwrap();
        if *name != "no-key" {
            oauth.register_key(public());
        }
        match *name {
            "no-scope" => oauth.set_scopes(["okta.users.read"]),
            "no-role" => org.answer_next(LOGS, VerbatimAnswer::new(403, ROLE)),
            "revoked" => org.answer_next(LOGS, VerbatimAnswer::new(401, "").header("www-authenticate", REVOKED)),
            "trouble" => (0..3).for_each(|_| oauth.inject(FaultKind::Http500)),
            _ => {}
        }
        config = config.connector(ConnectorYaml::new(name, org.url(), "").interval("500ms").auth(&auth));
    }
    let file = key.file(Form::Pkcs8);
    let environment = [("OKS_KEY", file.as_str())];
    let worker = Connector::spawn(&config, &environment);
    for (name, row) in FAILING {
        let expected = format!("connector failed: {}", says(SNAPSHOT, row));
        let is_it = |line: &str| line.contains(&format!("connector=\"{name}\"")) && line.contains(&expected);
        let _ = worker.await_log(&expected, is_it, WAIT);
        worker.await_state(name, "failed", WAIT);
    }
    for (name, org) in names.iter().zip(&orgs).filter(|(name, _)| GOING_ON.contains(name)) {
        worker.await_caught_up(org, name, WAIT);
        assert!(!worker.log().contains(&format!("connector failed: {name}")), "{}", worker.log());
    }
    let (revoked, trouble) = (&orgs[3], &orgs[4]);
    assert_eq!(revoked.oauth().unwrap().counters().tokens_issued, 2, "one in the place of the revoked one");
    assert_eq!(trouble.oauth().unwrap().token_requests().len(), 4, "three times in vain");
    // A try that comes too soon after a failed one gets the same answer from memory.
    let retried = worker.of("trouble", "retries_total", &[("reason", "http_5xx")]);
    assert!(retried.is_some_and(|count| count >= 3.0), "{retried:?}");
    let deadline = Instant::now() + WAIT;
    let told = loop {
        let lines = status(&config, &environment);
        if lines[..FAILING.len()].iter().all(|line| line["state"] == "failed" && line["trouble"].is_string()) {
            break lines;
        }
        assert!(Instant::now() < deadline, "{lines:#?}");
    };
    for ((name, row), line) in FAILING.iter().zip(&told) {
        let trouble = line["trouble"].as_str().unwrap_or_default();
        assert_eq!((&line["connector"], &line["state"]), (&(*name).into(), &"failed".into()));
        let words = trouble.split(" (`x-okta-request-id` `").next().unwrap_or_default();
        assert_eq!(words, says(SNAPSHOT, row), "to the last word, as that says what to do");
    }
    for secret in key.secret_parts() {
        assert!(!worker.log().contains(&secret), "a part of the key is in the log");
    }

    // Done as it was said, and started anew rather than waited for five minutes.
    orgs[0].oauth().unwrap().register_key(public());
    orgs[1].oauth().unwrap().set_scopes(["okta.logs.read"]);
    worker.terminate();
    let _ = worker.wait(WAIT);
    let worker = Connector::spawn(&config, &environment);
    for (name, org) in names.iter().zip(&orgs) {
        worker.await_caught_up(org, name, WAIT);
    }
    prove::row(
        "refusals-oauth",
        "What Okta refuses of a service app is in the log, in `connector_state` and in `status`, with what to do",
        "a key that is not registered, a scope and a role that are missing, a token revoked once, a token endpoint in trouble \
         three times, on one worker and a real Kafka",
        "three failed with the words of the table, and went on once the org was mended; the revoked token was replaced and the \
         trouble waited out without a failure",
    );
}

fn org() -> Org {
    let oauth = OauthConfig { dpop: DpopMode::Optional, ..OauthConfig::default() };
    Org::start(SimulatorConfig { events: 20, oauth: Some(oauth), ..SimulatorConfig::default() })
}
