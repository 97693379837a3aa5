//! Pages that do not get through until they are small enough (I8).

use std::time::Duration;

use okta_kafka_source::simulator::{FaultKind, Poison, PoisonKind, RequestRecord, SimulatorConfig};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::shared_broker::{SharedKafka, shared_broker};
use crate::support::topics::{Isolation, random_name, read_all};
use crate::support::{checkpoint, java_partitioner, producers, prove};

const WAIT: Duration = Duration::from_secs(120);
const CONFIGURED: usize = 100;

/// Okta gives up on every query whose page holds certain events, until the page is small; and the connector is killed
/// in the middle of them.
#[test]
fn queries_that_okta_cannot_answer_in_time_get_through_in_small_pages() {
    let Some(kafka) = shared_broker() else { return };
    let (events, stretches, kills) = prove::scale((20_000, 12, 10), (2_500, 3, 2));
    let poison = |kind, first: usize, length: usize, limit| Poison { kind, events: first..=first + length - 1, limit };
    // One event that must stand alone, a short stretch, a long one; over and over.
    let shapes = [(1, 1), (50, 7), (400, 12)];
    let between = events / stretches;
    let poison: Vec<Poison> = (0..stretches)
        .map(|number| {
            let (length, limit) = shapes[number % shapes.len()];
            poison(PoisonKind::Timeout, between / 3 + number * between, length, limit)
        })
        .collect();
    let latency = Duration::from_millis(20);
    // Longer than the client waits.
    let slow_delay = Duration::from_secs(60);
    let org = Org::start(SimulatorConfig { events, poison, latency, slow_delay, ..Default::default() });
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).group_instance_id(&random_name("worker")).connector(acme);
    let small = |org: &Org| org.requests().iter().filter(|asked| limit(asked) < CONFIGURED).count();
    let mut worker = Connector::spawn(&config, &[]);
    for kill in 1..=kills {
        // In the middle of small pages, each time further on.
        while small(&org) < kill * 12 {
            org.await_requests(org.request_count() + 1, WAIT);
        }
        worker.kill9();
        worker = Connector::spawn(&config, &[]);
    }
    org.set_latency(Duration::ZERO);
    let _ = worker.await_log("that the size is back", |line| line.contains("the page size is back"), WAIT);
    worker.await_caught_up(&org, "acme", WAIT);
    // Answers that we ourselves do not wait for, each of them 45 s: too long for a shortened run.
    let unanswered = prove::scale(2, 0);
    if unanswered > 0 {
        let before = org.request_count();
        (0..unanswered).for_each(|_| org.inject(FaultKind::Slow));
        org.generate(150);
        let is_all = |value: f64| value == f64::from(unanswered);
        let _ = worker.await_of("acme", "retries_total", &[("reason", "timeout")], is_all, WAIT);
        worker.await_caught_up(&org, "acme", WAIT);
        assert!(org.requests()[before..].iter().any(|asked| limit(asked) == CONFIGURED / 2), "half the page size");
    }
    let timeouts = org.requests().iter().filter(|asked| asked.status == Some(500)).count();
    finish(kafka, &org, worker, &topic, &|difference| {
        prove::row(
            "poison-timeout",
            "Queries that Okta cannot answer in time get through in small pages, also when it is killed among them",
            &format!(
                "{events} events with {stretches} stretches of 1 to 400 that Okta answers with 500 E0000009 unless the page \
                 has at most 1, 7 or 12 events; {kills} kill -9 between small pages; {unanswered} answers in a row that come only after the client's own time-out of 45 s"
            ),
            &format!(
                "{difference}; {} requests, of them {timeouts} time-outs and {} with a smaller `limit`; the last with {CONFIGURED}",
                org.request_count(),
                small(&org)
            ),
        );
    });
}

/// Pages whose body is over the size cap of 64 MiB: because the events are that large, and because of what is around
/// them.
#[test]
fn pages_over_the_size_cap_get_through_in_small_pages() {
    let Some(kafka) = shared_broker() else { return };
    let (heavy, gzip) = prove::scale((300, false), (80, true));
    let org = Org::start(SimulatorConfig { events: 200, gzip, ..Default::default() });
    let first = org.event_count();
    org.append((0..heavy).map(|number| event(&format!("heavy-{number}"), 900_000)));
    org.generate(500);
    let all = org.event_count();
    let swollen = Poison { kind: PoisonKind::TooLarge, events: all - 200..=all - 190, limit: 30 };
    org.set_poison(vec![swollen]);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let worker = Connector::spawn(&ConfigYaml::new(kafka.bootstrap()).connector(acme), &[]);
    let committed = |value: f64| value >= all as f64;
    let _ = worker.await_of("acme", "events_committed_total", &[], committed, WAIT);
    worker.await_caught_up(&org, "acme", WAIT);
    let refused = worker.of("acme", "retries_total", &[("reason", "connection")]).unwrap();
    assert!(refused >= 3.0, "{refused} pages over the cap");
    finish(kafka, &org, worker, &topic, &|difference| {
        prove::row(
            "poison-size",
            "Pages over the size cap of 64 MiB get through in smaller ones",
            &format!(
                "{heavy} events of 0.9 MB in a row, from event {first} on, so that a page of {CONFIGURED} has over 64 MiB; and \
                 11 events whose page is made longer than that unless it is asked for with 30 or less"
            ),
            &format!("{difference}; {refused} pages were over the cap; the last request has `limit={CONFIGURED}`"),
        );
    });
}

/// One event that is over the cap alone cannot be made smaller: the connector fails, says how to go on, and nothing is
/// lost.
#[test]
fn one_event_over_the_size_cap_fails_the_connector_and_says_how_to_go_on() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(120);
    org.append([event("whale", 64 * 1024 * 1024)]);
    org.generate(30);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    let line = worker.await_log("that the connector failed", |line| line.contains("connector failed"), WAIT);
    assert!(line.contains("one event alone") && line.contains("`offsets alter`"), "{line}");
    worker.await_state("acme", "failed", WAIT);
    let _ = worker.await_of("acme", "events_committed_total", &[], |value| value == 120.0, WAIT);
    // The message has the link behind the event; what `offsets alter` would write is written by hand here.
    let behind = line.split("checkpoint URL `").nth(1).and_then(|rest| rest.split('`').next());
    let behind = behind.unwrap_or_else(|| panic!("no link in {line}"));
    let key = checkpoint::key("acme", &org.authority());
    let partition = java_partitioner::partition(key.as_bytes(), 4);
    let id = format!("{}-{partition}", config.offsets_topic);
    let value = checkpoint::value(behind, None);
    producers::write_fencing(kafka.bootstrap(), &id, &config.offsets_topic, partition, &key, &value);
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let uuids = org.uuids();
    let expected = uuids.iter().map(String::as_str).filter(|uuid| *uuid != "whale");
    let difference = Difference::between(expected, &records);
    assert!(difference.is_none(), "{difference}");
}

/// Ends the worker, and compares what is there with what the org has.
fn finish(kafka: &SharedKafka, org: &Org, worker: Connector, topic: &str, row: &dyn Fn(&Difference)) {
    // The last page may have been a small and short one: the size is back with the request after it.
    org.await_requests(org.request_count() + 1, WAIT);
    worker.terminate();
    assert_eq!(worker.wait(Duration::from_secs(10)).code(), Some(0));
    let records = read_all(kafka.bootstrap(), topic, Isolation::ReadCommitted);
    let uuids = org.uuids();
    let difference = Difference::between(uuids.iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
    let requests = org.requests();
    assert!(requests.iter().any(|asked| limit(asked) < CONFIGURED), "no page was made smaller");
    assert_eq!(requests.last().map(limit), Some(CONFIGURED), "the page size is normal again");
    row(&difference);
}

/// The page size that a request asked for.
fn limit(asked: &RequestRecord) -> usize {
    let limit = asked.target.split(['?', '&']).find_map(|pair| pair.strip_prefix("limit="));
    limit.and_then(|limit| limit.parse().ok()).unwrap_or_else(|| panic!("no limit in {}", asked.target))
}

/// An event of so many bytes and a few more.
fn event(uuid: &str, bytes: usize) -> String {
    let padding = "0123456789abcdef".repeat(bytes / 16);
    format!(r#"{{"uuid":"{uuid}","published":"2026-11-01T00:00:00.000Z","eventType":"a.b","padding":"{padding}"}}"#)
}
