//! An org that answers badly more often than well.

use std::time::{Duration, Instant};

use okta_kafka_source::simulator::{FaultKind, Faults, SimulatorConfig};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;

const KINDS: [FaultKind; 6] = [
    FaultKind::Http500,
    FaultKind::Http503,
    FaultKind::RateLimit,
    FaultKind::Concurrency,
    FaultKind::Cut,
    FaultKind::Truncate,
];

const WAIT: Duration = Duration::from_secs(120);

#[test]
fn a_faulty_org_loses_and_doubles_nothing() {
    let Some(kafka) = shared_broker() else { return };
    // Delays grow up to a minute while nothing but faults comes, so the run is bounded by its time and not by its pages.
    let (backlog, faulty_for) = prove::scale((10_000, Duration::from_secs(600)), (2_000, Duration::from_secs(25)));
    let seed = prove::seed();
    let org = Org::start(SimulatorConfig {
        events: 100,
        seed,
        rate_limit_wait: Duration::from_secs(1),
        ..Default::default()
    });
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    // Each kind once for certain, in the middle of something.
    for kind in KINDS {
        org.generate(150);
        org.inject(kind);
        worker.await_caught_up(&org, "acme", WAIT);
    }
    org.set_faults(Faults::new(KINDS.map(|kind| (kind, 0.1))).unwrap());
    org.generate(backlog);
    let all = org.event_count() as f64;
    let committed = |value: f64| value >= all;
    let faulty_since = Instant::now();
    while faulty_since.elapsed() < faulty_for
        && !worker.of("acme", "events_committed_total", &[]).is_some_and(committed)
    {
        org.await_requests(org.request_count() + 1, WAIT);
    }
    let faulty_for = faulty_since.elapsed();
    org.set_faults(Faults::none());
    let _ = worker.await_of("acme", "events_committed_total", &[], committed, WAIT);
    worker.await_caught_up(&org, "acme", WAIT);
    for (reason, kinds) in [
        ("http_5xx", &[FaultKind::Http500, FaultKind::Http503][..]),
        ("rate_limit", &[FaultKind::RateLimit]),
        ("concurrency", &[FaultKind::Concurrency]),
        ("connection", &[FaultKind::Cut, FaultKind::Truncate]),
    ] {
        let counted = worker.of("acme", "retries_total", &[("reason", reason)]);
        assert_eq!(counted, Some(met(&org, kinds) as f64), "retries_total of {reason}");
    }
    assert_eq!(worker.of("acme", "events_committed_total", &[]), Some(all));
    worker.stop();

    let difference = Difference::must_be_none(kafka.bootstrap(), &topic, &org, &format!("OKS_SEED={seed}"));
    assert_eq!(org.requests_in_rate_limit_window(), 0, "requests inside a 429's window; OKS_SEED={seed}");
    let counts = KINDS.map(|kind| format!("{} {kind}", met(&org, &[kind])));
    prove::row(
        "org-faults",
        "An org that fails in every way that is worth another try loses nothing and doubles nothing",
        &format!(
            "{all} events; for {} s, each request met a fault with 10 % for each kind: {} in all; seed {seed}",
            faulty_for.as_secs(),
            counts.join(", ")
        ),
        &format!("{difference}; of {} requests none was inside the window of a 429", org.request_count()),
    );
}

/// The wait of a 429 is computed on the server's own clock: an hour off in either direction changes nothing.
#[test]
fn the_wait_is_by_the_orgs_own_clock() {
    let Some(kafka) = shared_broker() else { return };
    for offset in [3_600, -3_600] {
        let org = Org::start(SimulatorConfig {
            events: 250,
            faults: Faults::one(FaultKind::DateOff, 1.0).unwrap(),
            date_offset_seconds: offset,
            rate_limit_wait: Duration::from_secs(2),
            ..Default::default()
        });
        org.inject(FaultKind::RateLimit);
        org.inject(FaultKind::RateLimit);
        let config = ConfigYaml::new(kafka.bootstrap()).connector(org.connector("acme").interval("200ms"));
        let worker = Connector::spawn(&config, &[]);
        // Twice two seconds, one more each time, and the jitter.
        worker.await_caught_up(&org, "acme", Duration::from_secs(30));
        assert_eq!(org.requests_in_rate_limit_window(), 0, "{offset} s off");
        let waited = worker.of("acme", "rate_limit_wait_seconds_total", &[]).unwrap();
        assert!((4.0..10.0).contains(&waited), "{offset} s off: waited {waited} s");
        assert_eq!(worker.of("acme", "events_committed_total", &[]), Some(250.0));
    }
}

/// How many requests met one of these faults.
fn met(org: &Org, kinds: &[FaultKind]) -> usize {
    org.requests().iter().filter(|request| kinds.iter().any(|kind| request.faults.contains(kind))).count()
}
