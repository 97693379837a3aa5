//! An org that answers badly more often than well.

use std::time::Duration;

use okta_kafka_source::simulator::{FaultKind, Faults, SimulatorConfig};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, read_all};

const KINDS: [FaultKind; 6] = [
    FaultKind::Http500,
    FaultKind::Http503,
    FaultKind::RateLimit,
    FaultKind::Concurrency,
    FaultKind::Cut,
    FaultKind::Truncate,
];

#[test]
fn a_faulty_org_loses_and_doubles_nothing() {
    let Some(kafka) = shared_broker() else { return };
    let backlog = prove::scale(10_000, 1_500);
    let seed = std::env::var("OKS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("OKS_SEED={seed}");
    let org = Org::start(SimulatorConfig {
        events: backlog,
        seed,
        faults: Faults::new(KINDS.map(|kind| (kind, 0.1))).unwrap(),
        rate_limit_wait: Duration::from_secs(1),
        ..Default::default()
    });
    // Each kind at least once, also in a short run.
    for kind in KINDS {
        org.inject(kind);
    }
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    let all = backlog as f64;
    let wait = Duration::from_secs(prove::scale(900, 240));
    let _ = worker.await_of("acme", "events_committed_total", &[], |committed| committed >= all, wait);
    for (reason, kinds) in [
        ("http_5xx", &[FaultKind::Http500, FaultKind::Http503][..]),
        ("rate_limit", &[FaultKind::RateLimit]),
        ("concurrency", &[FaultKind::Concurrency]),
        ("connection", &[FaultKind::Cut, FaultKind::Truncate]),
    ] {
        let met = met(&org, kinds);
        let counted = worker.of("acme", "retries_total", &[("reason", reason)]);
        assert!(
            met > 0 && counted >= Some(1.0) && counted <= Some(met as f64),
            "{reason}: {met} met, {counted:?} counted"
        );
    }
    worker.terminate();
    assert_eq!(worker.wait(Duration::from_secs(10)).code(), Some(0));

    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let uuids = org.uuids();
    let difference = Difference::between(uuids.iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}; OKS_SEED={seed}");
    assert_eq!(org.requests_in_rate_limit_window(), 0, "requests inside a 429's window; OKS_SEED={seed}");
    let counts = KINDS.map(|kind| format!("{} {kind}", met(&org, &[kind])));
    prove::row(
        "org-faults",
        "An org that fails in every way that is worth another try loses nothing and doubles nothing",
        &format!("a backlog of {backlog} events, 10 % each at random: {}; seed {seed}", counts.join(", ")),
        &format!("{difference}; no request inside the window of a 429, of {} requests", org.request_count()),
    );
}

/// How many requests met one of these faults.
fn met(org: &Org, kinds: &[FaultKind]) -> usize {
    org.requests().iter().filter(|request| kinds.iter().any(|kind| request.faults.contains(kind))).count()
}
