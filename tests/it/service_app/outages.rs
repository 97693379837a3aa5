//! A token endpoint that fails while the token lives: a warning, and no poll fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use okta_kafka_source::simulator::{DpopMode, FaultKind, RegisteredKey, SimulatorConfig};

use super::app::App;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::prove;
use crate::support::recorder::{Exchange, Reply};
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::shared_broker::shared_broker;
use crate::support::verifier::Verifier;

const WAIT: Duration = Duration::from_secs(60);

/// How a token endpoint fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    Once(FaultKind),
    /// Nothing is said until the connection is cut.
    Hangs,
}

const FAILURES: [(&str, Failure); 4] = [
    ("refuses", Failure::Once(FaultKind::Http503)),
    ("limits", Failure::Once(FaultKind::RateLimit)),
    ("cuts", Failure::Once(FaultKind::Cut)),
    ("hangs", Failure::Hangs),
];

/// Four orgs at once, each of whose token endpoints fails another way at the first renewal.
#[test]
fn a_failing_token_endpoint_is_a_warning_while_the_token_lives() {
    let Some(kafka) = shared_broker() else { return };
    let Some(verifier) = Verifier::there() else { return };
    // Renewed at 80 %: a fifth of this is left to do without.
    let life = Duration::from_secs(prove::scale(60, 20));
    let apps = FAILURES.map(|(name, failure)| (name, failure, app(life)));
    let mut yaml = ConfigYaml::new(kafka.bootstrap());
    let mut topics = Vec::new();
    for (name, _, app) in &apps {
        let connector = app.connector(name).interval("200ms");
        topics.push(connector.topic.clone());
        yaml = yaml.connector(connector);
    }
    let worker = Connector::spawn(&yaml, &[]);
    std::thread::scope(|scope| {
        for (name, failure, app) in &apps {
            let worker = &worker;
            scope.spawn(move || one_renewal_fails(worker, name, *failure, app, life));
        }
    });
    worker.stop();
    assert!(!worker.log().contains("ERROR"), "{}", worker.process().tail(40));
    let mut assertions = 0;
    for ((name, _, app), topic) in apps.iter().zip(&topics) {
        let _ = Difference::must_be_none(kafka.bootstrap(), topic, &app.org, name);
        assert_eq!(app.failed_polls(), [""; 0], "{name}");
        assertions += app.verify(&verifier).assertions;
    }
    prove::row(
        "oauth-endpoint-fails",
        "A token endpoint that fails while a token lives is a warning; no poll fails",
        &format!(
            "4 orgs with tokens of {} s, DPoP required; their renewals met 503, 429, a cut connection, and no answer at all \
             while pages went on, until the connection was cut",
            life.as_secs()
        ),
        &format!("0 lost, 0 twice; 0 failed polls; a warning each, and a new token; {assertions} assertions good"),
    );
}

/// Refused for its key; nobody restarts anything or waits for the 5 minutes.
#[test]
fn a_failed_connector_is_tried_again_soon_after_its_key_was_replaced() {
    let Some(kafka) = shared_broker() else { return };
    let mut app = app(Duration::from_secs(3600));
    let old = RegisteredKey::read("key-1", &app.key().public_jwk().to_string()).unwrap();
    assert!(app.oauth.remove_key("key-1"));
    let worker = Connector::spawn(&ConfigYaml::new(kafka.bootstrap()).connector(app.connector("acme")), &[]);
    let failed = [("state", "failed")];
    let _ = worker.await_of("acme", "connector_state", &failed, |value| value == 1.0, WAIT);
    // The key that the connector has goes on being refused: it is removed with the rotation.
    app.oauth.register_key(old);
    app.rotate_key(ServiceKey::new("key-2", Kind::P256));
    let _ = worker.await_of("acme", "events_committed_total", &[], |value| value >= 200.0, WAIT);
    assert_eq!(worker.of("acme", "connector_state", &failed), Some(0.0));
    worker.stop();
}

fn app(life: Duration) -> App {
    let config = SimulatorConfig { events: 200, rate_limit_wait: Duration::from_secs(1), ..Default::default() };
    App::start(config, DpopMode::Required, life, ServiceKey::new("key-1", Kind::P256), Form::Jwk)
}

fn one_renewal_fails(worker: &Connector, name: &str, failure: Failure, app: &App, life: Duration) {
    let wait = WAIT + life;
    let issued = || app.oauth.counters().tokens_issued;
    app.live_until("a page", wait, |app| {
        app.recorder.exchanges().iter().any(|x| x.is_for_a_page() && x.status() == 200)
    });
    assert_eq!(issued(), 1, "{name}");
    let asked = app.recorder.token_exchanges().len();
    let hangs = Arc::new(AtomicBool::new(matches!(failure, Failure::Hangs)));
    match failure {
        Failure::Once(kind) => app.oauth.inject(kind),
        Failure::Hangs => {
            let (org, hangs) = (app.org.address(), Arc::clone(&hangs));
            app.recorder.decide(move |exchange| match exchange.is_for_a_token() && hangs.load(Ordering::SeqCst) {
                true => Reply::Hang,
                false => Reply::Forward(org),
            });
        }
    }
    app.live_until("a renewal that fails", wait, |app| app.recorder.token_exchanges().len() > asked);
    if matches!(failure, Failure::Hangs) {
        // Nobody answers, and the pages go on.
        app.recorder.await_more("pages meanwhile", 3, Exchange::is_for_a_page, wait);
        hangs.store(false, Ordering::SeqCst);
        app.recorder.hang_up();
    }
    app.live_until("a token", wait, |_| issued() == 2);
    let origin = app.recorder.origin();
    let is_warning = |line: &str| {
        line.contains(" WARN ") && line.contains("not renewed") && line.contains("holds_for=") && line.contains(&origin)
    };
    assert!(worker.wait_for_log(is_warning, WAIT).is_some(), "{name}: no warning in\n{}", worker.process().tail(40));
    worker.await_caught_up(&app.org, name, wait);
    for state in ["failed", "recovering"] {
        assert_eq!(worker.of(name, "connector_state", &[("state", state)]), Some(0.0), "{name}");
    }
    for reason in ["http_5xx", "timeout", "connection", "rate_limit"] {
        assert_eq!(worker.of(name, "retries_total", &[("reason", reason)]), Some(0.0), "{name}");
    }
}
