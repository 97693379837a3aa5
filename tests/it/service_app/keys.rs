//! Every kind of key that Okta takes, in every form in which people have it, signs for a whole run.

use std::time::Duration;

use okta_kafka_source::simulator::{DpopMode, RegisteredKey, SimulatorConfig};

use super::app::{App, CLIENT_ID};
use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::prove;
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::shared_broker::shared_broker;
use crate::support::verifier::{Verifier, unverified};

const WAIT: Duration = Duration::from_secs(60);
const EVENTS: usize = 120;

#[test]
fn every_kind_of_key_signs_for_a_whole_run() {
    let Some(kafka) = shared_broker() else { return };
    let Some(verifier) = Verifier::there() else { return };
    let cases = [
        ("rsa-pkcs8", Kind::Rsa, Form::Pkcs8, "", "RS256"),
        ("rsa-pkcs1", Kind::Rsa, Form::Traditional, "", "RS256"),
        ("rsa-jwk", Kind::Rsa, Form::Jwk, "", "RS256"),
        ("rsa-384", Kind::Rsa, Form::Pkcs8, ", algorithm: RS384", "RS384"),
        ("rsa-512", Kind::Rsa, Form::Jwk, ", algorithm: RS512", "RS512"),
        ("p256-pkcs8", Kind::P256, Form::Pkcs8, "", "ES256"),
        ("p256-sec1", Kind::P256, Form::Traditional, "", "ES256"),
        ("p256-jwk", Kind::P256, Form::Jwk, "", "ES256"),
        ("p384-pkcs8", Kind::P384, Form::Pkcs8, "", "ES384"),
        ("p384-sec1", Kind::P384, Form::Traditional, "", "ES384"),
        ("p384-jwk", Kind::P384, Form::Jwk, "", "ES384"),
    ];
    let config = SimulatorConfig { events: EVENTS, ..Default::default() };
    let key = ServiceKey::new("nobody's", Kind::P256);
    let app = App::start(config, DpopMode::Required, Duration::from_secs(3600), key, Form::Jwk);
    let folder = tempfile::TempDir::with_prefix("keys-").unwrap();
    let mut yaml = ConfigYaml::new(kafka.bootstrap());
    let mut keys = Vec::new();
    let mut topics = Vec::new();
    for (name, kind, form, more, _) in cases {
        let key = ServiceKey::new(name, kind);
        app.oauth.register_key(RegisteredKey::read(name, &key.public_pem()).unwrap());
        let file = folder.path().join(name);
        std::fs::write(&file, key.file(form)).unwrap();
        let key_id = if form == Form::Jwk { String::new() } else { format!(", key_id: {name}") };
        let auth = format!(
            "{{oauth: {{client_id: {CLIENT_ID}, private_key: \"${{file:{}}}\"{key_id}{more}}}}}",
            file.display()
        );
        let connector = ConnectorYaml::new(name, &app.recorder.origin(), "").auth(&auth);
        topics.push(connector.topic.clone());
        keys.push(key);
        yaml = yaml.connector(connector);
    }
    let worker = Connector::spawn(&yaml, &[]);
    for (name, ..) in cases {
        let _ = worker.await_of(name, "events_committed_total", &[], |value| value >= EVENTS as f64, WAIT);
    }
    worker.stop();
    for topic in &topics {
        let _ = Difference::must_be_none(kafka.bootstrap(), topic, &app.org, topic);
    }
    let exchanges = app.recorder.exchanges();
    let verified =
        verifier.must_accept(&app.recorder.origin(), &keys.iter().collect::<Vec<_>>(), CLIENT_ID, &exchanges);
    assert_eq!(verified.assertion_keys, cases.len() as u64);
    for (name, _, _, _, algorithm) in cases {
        let assertions = exchanges.iter().filter_map(|exchange| exchange.form_member("client_assertion"));
        let headers: Vec<_> =
            assertions.map(|token| unverified(&token, 0)).filter(|head| head["kid"] == name).collect();
        assert!(!headers.is_empty() && headers.iter().all(|header| header["alg"] == algorithm), "{name}: {headers:?}");
    }
    prove::row(
        "oauth-keys",
        "RSA and EC keys as PKCS#1, PKCS#8, SEC 1 and JWK, with RS256, RS384, RS512, ES256 and ES384, are good for a run",
        &format!(
            "{} connectors in one process, each with a key of its own, {EVENTS} events each, DPoP required",
            cases.len()
        ),
        &format!(
            "0 lost, 0 twice; {} assertions of {} keys and {} proofs verified by jwcrypto",
            verified.assertions, verified.assertion_keys, verified.proofs
        ),
    );
}
