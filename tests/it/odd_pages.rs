//! Pages that Okta serves twice, and pages that are short in the middle of a backlog: neither costs an interval.

use std::time::{Duration, Instant};

use okta_kafka_source::simulator::{FaultKind, Faults, SimulatorConfig};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;

const WAIT: Duration = Duration::from_secs(60);
/// So long that a test which waits for it once is over its time.
const INTERVAL: &str = "5m";

/// Waits until so many events are committed.
fn await_committed(worker: &Connector, count: usize) {
    let is_all = |value: f64| value >= count as f64;
    let _ = worker.await_of("acme", "events_committed_total", &[], is_all, WAIT);
}

#[test]
fn a_page_that_is_served_twice_is_published_once() {
    let Some(kafka) = shared_broker() else { return };
    let latency = Duration::from_millis(20);
    let org = Org::start(SimulatorConfig { events: 1_500, latency, ..SimulatorConfig::default() });
    let acme = org.connector("acme").interval("300ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    // The first page twice, and one in mid-backlog four times.
    org.inject(FaultKind::PageTwice);
    let worker = Connector::spawn(&config, &[]);
    org.await_requests(4, WAIT);
    (0..3).for_each(|_| org.inject(FaultKind::PageTwice));
    worker.await_caught_up(&org, "acme", WAIT);
    let twice = |org: &Org| -> usize {
        let met = org.requests().into_iter().filter(|request| request.faults.contains(&FaultKind::PageTwice));
        met.map(|request| request.events).sum()
    };
    assert_eq!(twice(&org), 400);
    assert_eq!(worker.of("acme", "duplicates_suppressed_total", &[]), Some(400.0));
    // A short page that is served again and again, with new events behind the known ones.
    let page_twice = |org: &Org, count: usize| {
        let mark = org.request_count();
        org.set_faults(Faults::one(FaultKind::PageTwice, 1.0).unwrap());
        org.generate(count);
        while org.requests()[mark..].iter().all(|request| request.events == 0) {
            org.await_requests(org.request_count() + 1, WAIT);
        }
    };
    page_twice(&org, 7);
    org.generate(5);
    org.set_faults(Faults::none());
    worker.await_caught_up(&org, "acme", WAIT);
    let live = worker.of("acme", "duplicates_suppressed_total", &[]).unwrap();
    assert!(live > 400.0 && live == twice(&org) as f64, "{live} of {}", twice(&org));

    // Across a restart: the stored link leads to a page that the topic holds.
    page_twice(&org, 60);
    org.set_latency(Duration::from_secs(5));
    org.set_faults(Faults::none());
    await_committed(&worker, org.event_count());
    worker.kill9();
    org.set_latency(latency);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let restarted = worker.of("acme", "duplicates_suppressed_total", &[]).unwrap();
    worker.stop();
    assert!(restarted >= 60.0, "{restarted} suppressed after the restart");
    let difference = Difference::must_be_none(kafka.bootstrap(), &topic, &org, "pages served twice");
    prove::row(
        "page-twice",
        "A page that Okta serves twice is published once",
        "the first page, one in mid-backlog four times, a short one that came again with new events behind the known ones, and one \
         whose link was stored when the worker was killed -9",
        &format!(
            "{difference} of {} events; {} served twice and suppressed while it ran, {restarted} more after the kill",
            org.event_count(),
            live,
        ),
    );
}

/// A short page with old events is no end: no interval is waited for.
#[test]
fn short_pages_in_the_middle_of_a_backlog_cost_no_interval() {
    let Some(kafka) = shared_broker() else { return };
    let (events, short) = prove::scale((20_000, 20), (2_000, 5));
    let seed = prove::seed();
    let org = Org::start(SimulatorConfig { events, seed, ..SimulatorConfig::default() });
    let acme = org.connector("acme").interval(INTERVAL);
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let begun = Instant::now();
    (0..short).for_each(|_| org.inject(FaultKind::ShortPage));
    let worker = Connector::spawn(&config, &[]);
    await_committed(&worker, events);
    worker.await_state("acme", "waiting", WAIT);
    let took = begun.elapsed();
    // A second for each short page, and the start.
    assert!(took < Duration::from_secs(short as u64 + 15), "{took:?}");
    let requests = org.requests();
    let met: Vec<_> = requests.iter().filter(|request| request.faults.contains(&FaultKind::ShortPage)).collect();
    assert_eq!(met.len(), short);
    let of_short: usize = met.iter().map(|request| request.events).sum();
    let full = (events - of_short) / 100;
    // Full ones, short ones, and what is behind the last full one: a short page, and perhaps an empty one.
    let needed = full + short..=full + short + 2;
    assert!(needed.contains(&requests.len()), "{} requests, {full} full and {short} short pages", requests.len());
    let pauses = requests.windows(2).filter(|pair| pair[0].faults.contains(&FaultKind::ShortPage));
    let shortest = pauses.map(|pair| pair[1].at.duration_since(pair[0].at)).min().unwrap();
    assert!(shortest.as_millis() >= 950, "asked again after {shortest}, more than once a second");
    worker.stop();
    let difference = Difference::must_be_none(kafka.bootstrap(), &topic, &org, &format!("OKS_SEED={seed}"));
    prove::row(
        "short-pages",
        "A short page in the middle of a backlog costs a second, not an interval",
        &format!(
            "{short} short pages one after the other in a backlog of {events} events, interval {INTERVAL}; seed {seed}"
        ),
        &format!(
            "{difference}; caught up in {:.1} s with {} requests; never asked again within a second",
            took.as_secs_f64(),
            requests.len()
        ),
    );
}

/// Where the newest events are always older than an interval, a short page is the end all the same.
#[test]
fn an_org_that_is_always_late_is_not_asked_every_second() {
    let Some(kafka) = shared_broker() else { return };
    let watched = prove::scale(Duration::from_secs(60), Duration::from_secs(12));
    let org = Org::with_events(0);
    org.generate_late(150, Duration::from_secs(600));
    let acme = org.connector("acme").interval("3s");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    await_committed(&worker, 150);
    let before = org.request_count();
    let begun = Instant::now();
    let mut made = 150;
    while begun.elapsed() < watched {
        org.generate_late(3, Duration::from_secs(600));
        made += 3;
        org.await_requests(org.request_count() + 1, WAIT);
    }
    let (asked, took) = (org.request_count() - before, begun.elapsed());
    await_committed(&worker, made);
    worker.stop();
    let intervals = took.as_secs_f64() / 3.0;
    // Whole seconds of `Date` may make it look as if the delay had shrunk, now and then.
    assert!((asked as f64) <= intervals * 1.7 + 3.0, "{asked} requests in {took:?}, {intervals:.0} intervals");
    let difference = Difference::must_be_none(kafka.bootstrap(), &topic, &org, "always late");
    prove::row(
        "always-late",
        "An org whose log is always late is asked once an interval, not every second",
        &format!(
            "events that are ten minutes old when they are first served, watched for {} s, interval 3 s",
            watched.as_secs()
        ),
        &format!("{difference} of {made} events; {asked} requests in {intervals:.1} intervals"),
    );
}
