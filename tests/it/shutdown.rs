//! SIGTERM and SIGINT end the service within ten seconds with 0, whatever it is at.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use okta_kafka_source::simulator::{FaultKind, SimulatorConfig};

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::end_txn_proxy::{EndTxnProxy, Moment};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::ports::free_port;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, read_all};

const WAIT: Duration = Duration::from_secs(60);
const PROMISED: Duration = Duration::from_secs(10);

/// Signals the worker, and gives how long it took to end.
fn stop(worker: &Connector, signal: Signal, doing: &str) -> Duration {
    let log = worker.process().line_count();
    worker.process().signal(signal);
    let told = Instant::now();
    let status = worker.process().try_wait(PROMISED);
    let status =
        status.unwrap_or_else(|| panic!("{doing}: still there after {PROMISED:?}:\n{}", worker.process().tail(40)));
    assert_eq!(status.code(), Some(0), "{doing}, {signal}:\n{}", worker.process().tail(40));
    let said: Vec<_> = worker.process().lines().split_off(log);
    assert!(said.iter().any(|line| line.text.contains("stopped")), "{doing}: it says that it stopped: {said:?}");
    told.elapsed()
}

#[test]
fn with_kafka_there_it_stops_at_once() {
    let Some(kafka) = shared_broker() else { return };
    let mut longest = Duration::ZERO;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        for doing in ["resting", "waiting for a page", "waiting for the rate limit", "failed", "just started"] {
            let org = Org::start(SimulatorConfig { events: 50, ..Default::default() });
            let mut acme = org.connector("acme").interval("1h");
            match doing {
                "waiting for a page" => org.set_latency(Duration::from_secs(600)),
                "failed" => acme.token = "no-such-token".to_owned(),
                _ => {}
            }
            if doing == "waiting for the rate limit" {
                org.inject(FaultKind::RateLimit);
            }
            let worker = Connector::spawn(&ConfigYaml::new(kafka.bootstrap()).connector(acme), &[]);
            match doing {
                "resting" => worker.await_state("acme", "waiting", WAIT),
                "waiting for a page" => org.await_requests(1, WAIT),
                "waiting for the rate limit" => worker.await_state("acme", "recovering", WAIT),
                "failed" => worker.await_state("acme", "failed", WAIT),
                // As soon as it can take a signal at all.
                _ => drop(worker.await_log("that it started", |line| line.contains("started"), WAIT)),
            }
            let took = stop(&worker, signal, doing);
            println!("{signal} while {doing}: {took:?}");
            longest = longest.max(took);
        }
    }
    prove::row(
        "shutdown",
        "SIGTERM and SIGINT end the service within 10 s with exit code 0",
        "each of them while it rested, waited for a page, waited for the rate limit, had failed, and had just started",
        &format!("at most {:.1} s", longest.as_secs_f64()),
    );
}

#[test]
fn with_kafka_out_of_reach_it_stops_all_the_same() {
    let org = Org::with_events(50);
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let config = ConfigYaml::new(&format!("127.0.0.1:{}", free_port())).connector(org.connector("acme"));
        let worker = Connector::spawn(&config, &[]);
        let _ = worker.await_log("that Kafka is away", |line| line.contains("can't be reached"), WAIT);
        println!("{signal} with no broker: {:?}", stop(&worker, signal, "without a broker"));
    }
    assert_eq!(org.request_count(), 0);
}

/// In the middle of a commit that nobody answers, and while the broker is frozen otherwise; what was committed then is
/// found out at the next start.
#[test]
fn with_the_broker_frozen_it_stops_in_time() {
    let proxy = EndTxnProxy::listen();
    let Some(broker) = Broker::start(BrokerOptions::default().behind_proxy(proxy.port())) else { return };
    let broker = Arc::new(broker);
    proxy.forward_to(&broker.proxied_address());
    let org = Org::with_events(150);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(&proxy.bootstrap()).connector(acme);
    let mut longest = Duration::ZERO;
    for moment in [Some(Moment::BeforeForwarding), Some(Moment::AfterForwarding), None] {
        let worker = Connector::spawn(&config, &[]);
        worker.await_caught_up(&org, "acme", WAIT);
        match moment {
            Some(moment) => {
                let (frozen, has_frozen) = mpsc::channel();
                let freezer = Arc::clone(&broker);
                proxy.on_end_txn(move |end_txn| {
                    if end_txn.moment == moment {
                        freezer.freeze();
                        // Nobody there any more: the test has failed already.
                        let _ = frozen.send(());
                    }
                });
                org.generate(150);
                has_frozen.recv_timeout(WAIT).expect("a commit comes");
                proxy.pass_all();
            }
            None => broker.freeze(),
        }
        let took = stop(&worker, Signal::SIGTERM, "in a commit, with the broker frozen");
        println!("SIGTERM with the broker frozen at {moment:?}: {took:?}");
        longest = longest.max(took);
        broker.thaw();
    }
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(&broker.bootstrap(), &topic, Isolation::ReadCommitted);
    let difference = Difference::between(org.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
    prove::row(
        "shutdown-frozen",
        "The same with a broker that answers nothing, also in the middle of a commit",
        "SIGTERM with the broker frozen just before and just after it got the EndTxn, and between two transactions; it went on \
         later, and so did the next start",
        &format!("at most {:.1} s, exit code 0; {difference}", longest.as_secs_f64()),
    );
}

/// In the middle of a backlog: what is in a commit is finished, nothing is aborted that need not be, and nothing of the
/// rest is lost.
#[test]
fn in_a_backlog_it_stops_between_two_pages() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::start(SimulatorConfig { events: 6_000, latency: Duration::from_millis(20), ..Default::default() });
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    for round in 0..4 {
        let worker = Connector::spawn(&config, &[]);
        let wanted = f64::from(round * 100);
        let _ = worker.await_of("acme", "events_committed_total", &[], |value| value >= wanted, WAIT);
        let _ = stop(&worker, Signal::SIGTERM, "in a backlog");
    }
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let difference = Difference::between(org.uuids().iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
}
