//! The private key, assertions, tokens and proofs are in no log, metric, error or record, however much is logged.

use std::time::Duration;

use okta_kafka_source::simulator::{DpopMode, SimulatorConfig};

use super::app::App;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::http_message;
use crate::support::leak::Secret;
use crate::support::process::Stream;
use crate::support::prove;
use crate::support::recorder::{Exchange, Reply};
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, read_all};

const WAIT: Duration = Duration::from_secs(60);

#[test]
fn what_a_service_app_signs_and_gets_is_in_no_log_metric_or_record() {
    let Some(kafka) = shared_broker() else { return };
    let mut looked_at = Vec::new();
    for (format, kind, form, dpop) in
        [("text", Kind::Rsa, Form::Pkcs8, DpopMode::Required), ("json", Kind::P256, Form::Jwk, DpopMode::Off)]
    {
        let config = SimulatorConfig { events: 300, ..Default::default() };
        let app = App::start(config, dpop, Duration::from_secs(4), ServiceKey::new("key-1", kind), form);
        let acme = app.connector("acme");
        let yaml = ConfigYaml::new(kafka.bootstrap()).kafka("debug: all").connector(acme.clone());
        let environment = [("RUST_LOG", "trace"), ("OKTA_KAFKA_SOURCE_LOG_FORMAT", format)];
        let worker = Connector::spawn(&yaml, &environment);
        app.live_until("a renewed token", WAIT, |app| app.oauth.counters().tokens_issued >= 2);
        app.oauth.revoke_tokens();
        app.live_until("a token after the revoked one", WAIT, |app| app.oauth.counters().tokens_issued >= 3);
        // An endpoint may repeat what it was sent, in a field that is told to the operator.
        repeat_what_was_sent(&app);
        app.recorder.await_more("refused requests for a token", 1, Exchange::is_for_a_token, WAIT);
        worker.await_state("acme", "failed", WAIT);
        let metrics = worker.http("/metrics").unwrap().body;
        worker.terminate();
        assert_eq!(worker.wait(Duration::from_secs(10)).code(), Some(0));

        let log = worker.log();
        assert!(log.contains("librdkafka") && log.lines().count() > 1_000, "this is not TRACE");
        let mut records = Vec::new();
        for topic in [&yaml.offsets_topic, &acme.topic] {
            let all = read_all(kafka.bootstrap(), topic, Isolation::ReadUncommitted);
            assert!(!all.is_empty(), "nothing to look at in {topic}");
            records.extend(all);
        }
        let secrets = app.secrets();
        for text in &secrets {
            let secret = Secret::new(text);
            secret.must_not_be_in("the log", &log);
            secret.must_not_be_in("stdout", &worker.process().text(Stream::Stdout));
            secret.must_not_be_in("/metrics", &metrics);
            secret.must_not_be_in_records("a topic", &records);
        }
        looked_at.push(format!("{} secrets in {} lines of {format}", secrets.len(), log.lines().count()));
    }
    prove::row(
        "oauth-nowhere",
        "Private keys, client assertions, access tokens and proofs are in no log, error, metric or record",
        "RUST_LOG=trace and debug=all of librdkafka; tokens renewed, revoked, and refused by an endpoint that repeats what \
         it was sent; looked for each as it is, halved, backwards, in base64, hex and as bytes",
        &format!("nowhere: {}", looked_at.join(", ")),
    );
}

/// From now on the token endpoint refuses with the assertion in its description, and the System Log with the token.
fn repeat_what_was_sent(app: &App) {
    app.recorder.decide(|exchange| {
        let header = |name: &str, value: String| (name.to_owned(), value);
        let reply = match exchange.form_member("client_assertion") {
            Some(assertion) => {
                let proof = exchange.request.header("dpop").unwrap_or_default();
                let said = format!("No good: client_assertion={assertion} DPoP: {proof}");
                let body = serde_json::json!({"error": "invalid_client", "error_description": said}).to_string();
                let json = header("content-type", "application/json".to_owned());
                http_message::answer("401 Unauthorized", &[json], &body)
            }
            None => {
                let sent = exchange.request.header("authorization").unwrap_or_default();
                let said = format!("Bearer error=\"invalid_token\", error_description=\"No good: {sent}\"");
                http_message::answer("401 Unauthorized", &[header("www-authenticate", said)], "")
            }
        };
        Reply::Bytes(reply)
    });
}
