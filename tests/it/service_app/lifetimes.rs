//! Tokens that end and are renewed, nonces and keys that are replaced: no poll fails, and every event is there once.

use std::time::{Duration, Instant};

use okta_kafka_source::simulator::{DpopMode, SimulatorConfig};

use super::app::App;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::prove;
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::shared_broker::shared_broker;
use crate::support::verifier::Verifier;

const WAIT: Duration = Duration::from_secs(60);

/// A backlog, and then new events all the time.
fn org() -> SimulatorConfig {
    SimulatorConfig { events: 500, seed: prove::seed(), ..Default::default() }
}

#[test]
fn three_token_lifetimes_and_a_new_key_fail_no_poll() {
    let key = ServiceKey::new("key-1", Kind::Rsa);
    through_three_lifetimes("oauth-lifetimes", DpopMode::Off, key, Form::Jwk, ServiceKey::new("key-2", Kind::P256));
}

#[test]
fn three_bound_token_lifetimes_a_new_nonce_and_a_new_key_fail_no_poll() {
    let key = ServiceKey::new("key-1", Kind::P384);
    through_three_lifetimes(
        "dpop-lifetimes",
        DpopMode::Required,
        key,
        Form::Pkcs8,
        ServiceKey::new("key-2", Kind::Rsa),
    );
}

fn through_three_lifetimes(row: &str, dpop: DpopMode, first: ServiceKey, form: Form, second: ServiceKey) {
    let Some(kafka) = shared_broker() else { return };
    let Some(verifier) = Verifier::there() else { return };
    let life = Duration::from_secs(prove::scale(20, 5));
    let mut app = App::start(org(), dpop, life, first, form);
    let acme = app.connector("acme");
    let topic = acme.topic.clone();
    let began = Instant::now();
    let worker = Connector::spawn(&ConfigYaml::new(kafka.bootstrap()).connector(acme), &[]);
    let failed = || worker.of("acme", "connector_state", &[("state", "failed")]).unwrap_or_default() == 1.0;
    let live = |app: &App, what: &str, tokens: usize| {
        app.live_until(what, WAIT + 5 * life, |app| {
            assert!(!failed(), "{}", worker.process().tail(20));
            app.oauth.counters().tokens_issued >= tokens
        });
    };
    live(&app, "a renewed token", 2);
    app.oauth.rotate_nonce(false);
    live(&app, "a token with the new nonce", 3);
    app.rotate_key(second);
    live(&app, "a token with the new key", 4);
    let first_token = app.recorder.token_exchanges().iter().find(|exchange| exchange.status() == 200).unwrap().at;
    app.live_until("a page behind three lifetimes", WAIT + 5 * life, |app| {
        let last = app.recorder.exchanges().last().map_or(0.0, |exchange| exchange.at);
        last > first_token + 3.0 * life.as_secs_f64()
    });
    worker.await_caught_up(&app.org, "acme", WAIT);
    let lived = began.elapsed();
    for reason in ["http_5xx", "timeout", "connection", "rate_limit", "concurrency", "kafka"] {
        assert_eq!(worker.of("acme", "retries_total", &[("reason", reason)]), Some(0.0), "{reason}");
    }
    assert_eq!(worker.of("acme", "events_committed_total", &[]), Some(app.org.event_count() as f64));
    let expires = worker.of("acme", "access_token_expires_timestamp_seconds", &[]).unwrap_or_default();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - 2.0..now + life.as_secs_f64()).contains(&expires), "{expires} at {now}");
    worker.stop();

    let log = worker.log();
    // What is said of the test's own configuration and broker aside.
    let of_the_test = |line: &str| line.contains("asks more often than") || line.contains("min.insync.replicas");
    let trouble = |line: &&str| line.contains("ERROR") || (line.contains(" WARN ") && !of_the_test(line));
    assert_eq!(log.lines().filter(trouble).collect::<Vec<_>>(), [""; 0], "words that an operator would have to read");
    assert_eq!(app.failed_polls(), [""; 0]);
    // The log proves the scheme and tells the rotation, and is silent of the renewals between.
    let said = |words: &str| log.lines().filter(|line| line.contains(" INFO ") && line.contains(words)).count();
    let bound = if dpop == DpopMode::Required { "received: bound to this" } else { "received: whoever has it" };
    assert_eq!((said(bound), said("access token received")), (2, 2), "one for each key:\n{log}");
    for key_id in ["key-1", "key-2"] {
        let line = log.lines().find(|line| line.contains("token received") && line.contains(key_id));
        assert!(line.is_some(), "no token of {key_id}:\n{log}");
    }
    let read_again = log.lines().filter(|line| line.contains("private key read again")).collect::<Vec<_>>();
    assert!(read_again.len() == 1 && read_again[0].contains("key-2"), "{read_again:?}");
    let difference = Difference::must_be_none(kafka.bootstrap(), &topic, &app.org, "");
    let counters = app.oauth.counters();
    match dpop {
        DpopMode::Off => assert_eq!((counters.refused(), counters.nonce_challenges), (0, 0), "{counters:?}"),
        // The first request finds out that proofs are wanted; then there are the first nonce and the new one.
        _ => assert_eq!((counters.refused(), counters.nonce_challenges), (1, 2), "{counters:?}"),
    }
    let verified = app.verify(&verifier);
    assert_eq!(verified.assertion_keys, 2, "both keys were used");
    assert_eq!(verified.proofs > 0, dpop == DpopMode::Required);
    let pages = app.recorder.exchanges().iter().filter(|exchange| exchange.is_for_a_page()).count();
    let rotated =
        if dpop == DpopMode::Required { "a new nonce (the old one refused) and a new key" } else { "a new key" };
    prove::row(
        row,
        match dpop {
            DpopMode::Off => {
                "Tokens of a service app end, and its key is replaced: no poll fails, nothing is lost or doubled"
            }
            _ => "The same with tokens that are bound to a key (DPoP), and a nonce that is replaced",
        },
        &format!(
            "{} events, new ones with every page, for {} s with tokens of {} s; {rotated}; {pages} polls with {} tokens",
            app.org.event_count(),
            lived.as_secs(),
            life.as_secs(),
            counters.tokens_issued,
        ),
        &format!(
            "{difference}; 0 failed polls; {} assertions and {} proofs verified by jwcrypto",
            verified.assertions, verified.proofs
        ),
    );
}
