//! What a process knows of its token is in its memory only: one that is killed begins anew, and two connectors share.

use std::collections::HashSet;
use std::time::Duration;

use okta_kafka_source::simulator::{DpopMode, SimulatorConfig};

use super::app::App;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::prove;
use crate::support::recorder::Exchange;
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::shared_broker::shared_broker;
use crate::support::topics::random_name;
use crate::support::verifier::Verifier;

const WAIT: Duration = Duration::from_secs(60);

#[test]
fn a_killed_service_app_logs_in_again() {
    let Some(kafka) = shared_broker() else { return };
    let Some(verifier) = Verifier::there() else { return };
    let kills = prove::scale(20, 3);
    let seed = prove::seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let config = SimulatorConfig { events: 1000, seed, ..Default::default() };
    let key = ServiceKey::new("key-1", Kind::P256);
    let app = App::start(config, DpopMode::Required, Duration::from_secs(3), key, Form::Pkcs8);
    let acme = app.connector("acme");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).group_instance_id(&random_name("worker")).connector(acme);
    for _ in 0..kills {
        let pages = |exchanges: &[Exchange]| exchanges.iter().filter(|exchange| exchange.is_for_a_page()).count();
        let until = pages(&app.recorder.exchanges()) + random.usize(1..8);
        let worker = Connector::spawn(&config, &[]);
        app.live_until("a moment to kill in", WAIT, |app| pages(&app.recorder.exchanges()) >= until);
        worker.kill9();
    }
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&app.org, "acme", WAIT);
    worker.stop();
    let difference = Difference::must_be_none(kafka.bootstrap(), &topic, &app.org, &format!("OKS_SEED={seed}"));
    let verified = app.verify(&verifier);
    // A proof key is made when it is needed and is never stored: each life has another.
    assert_eq!(verified.proof_keys, kills as u64 + 1);
    prove::row(
        "oauth-kill-9",
        "A service app whose process is killed logs in again, with another proof key; nothing is lost or doubled",
        &format!("{kills} kills -9 at random pages, DPoP required, tokens of 3 s; seed {seed}"),
        &format!(
            "{difference}; {} assertions and {} proofs of {} lives verified by jwcrypto",
            verified.assertions, verified.proofs, verified.proof_keys
        ),
    );
}

#[test]
fn connectors_of_one_app_share_its_token() {
    let Some(kafka) = shared_broker() else { return };
    let Some(verifier) = Verifier::there() else { return };
    let config = SimulatorConfig { events: 300, ..Default::default() };
    let key = ServiceKey::new("key-1", Kind::P256);
    let app = App::start(config, DpopMode::Optional, Duration::from_secs(3600), key, Form::Jwk);
    let connectors = ["one", "two", "three"].map(|name| app.connector(name));
    let topics = connectors.clone().map(|connector| connector.topic);
    let yaml = connectors.into_iter().fold(ConfigYaml::new(kafka.bootstrap()), ConfigYaml::connector);
    let worker = Connector::spawn(&yaml, &[]);
    for name in ["one", "two", "three"] {
        let _ = worker.await_of(name, "events_committed_total", &[], |value| value >= 300.0, WAIT);
    }
    // Revoked, it is asked for once more: once for all, as well.
    app.oauth.revoke_tokens();
    let is_new = |exchange: &Exchange| exchange.is_for_a_page() && exchange.status() == 200;
    app.recorder.await_more("pages with a new token", 9, is_new, WAIT);
    for name in ["one", "two", "three"] {
        assert_eq!(worker.of(name, "connector_state", &[("state", "failed")]), Some(0.0), "{name}");
    }
    worker.stop();
    for topic in &topics {
        let _ = Difference::must_be_none(kafka.bootstrap(), topic, &app.org, topic);
    }
    let exchanges = app.recorder.exchanges();
    let asked = app.recorder.token_exchanges().len();
    assert_eq!((asked, app.oauth.counters().tokens_issued), (2, 2), "one token for all, and one after it was revoked");
    let good: HashSet<_> = exchanges.iter().filter(|x| is_new(x)).map(|x| x.request.header("authorization")).collect();
    assert_eq!(good.len(), 2);
    let refused = app.failed_polls().len();
    assert!((1..=3).contains(&refused), "each connector met the revoked token once at most: {refused}");
    assert_eq!(exchanges.iter().filter(|x| x.status() == 401).count(), refused);
    let verified = app.verify(&verifier);
    prove::row(
        "oauth-shared-token",
        "Connectors of one service app share its token; one that was revoked is renewed once, and no connector fails",
        "3 connectors in one process; then all tokens were revoked at the org",
        &format!(
            "2 requests for a token; {refused} polls met the revoked one; {} assertions good",
            verified.assertions
        ),
    );
}
