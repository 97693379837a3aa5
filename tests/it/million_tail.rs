//! A topic that holds a great many records already: what a cold start on it costs, in time and memory.

use std::time::{Duration, Instant};

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topic_records::{self, BATCH, OpenTransaction, TopicRecord, event};
use crate::support::topics::{create_topic, delete_topics, random_name};

const WAIT: Duration = Duration::from_secs(300);
const PARTITIONS: i32 = 6;
/// Of all orgs, which the connectors ask for.
const EVENTS: usize = 500;

/// What a worker needs from its start until it has caught up with orgs whose events are all in the topic.
struct Cost {
    /// From its start until each connector recognised events.
    recognised: Duration,
    /// The most memory that it held, in KiB.
    peak: u64,
    /// How often it read the topic.
    readings: usize,
}

fn cost(config: &ConfigYaml, orgs: &[Org]) -> Cost {
    let worker = Connector::spawn(config, &[("RUST_LOG", "okta_kafka_source::worker=debug,info")]);
    let began = Instant::now();
    for connector in &config.connectors {
        let _ = worker.await_of(&connector.name, "duplicates_suppressed_total", &[], |value| value > 0.0, WAIT);
    }
    let recognised = began.elapsed();
    for (org, connector) in orgs.iter().zip(&config.connectors) {
        worker.await_caught_up(org, &connector.name, WAIT);
        let of = |metric: &str| worker.of(&connector.name, metric, &[]).unwrap();
        let (all, committed) = (of("duplicates_suppressed_total"), of("events_committed_total"));
        assert_eq!((all, committed), (org.event_count() as f64, 0.0), "{}", worker.process().tail(40));
    }
    let peak = worker.process().status_of("VmHWM");
    let learnt: Vec<String> =
        worker.log().lines().filter(|line| line.contains("learnt what a topic holds")).map(str::to_owned).collect();
    learnt.iter().for_each(|line| println!("{line}"));
    worker.stop();
    Cost { recognised, peak, readings: learnt.len() }
}

/// So many orgs that share a topic with so many records, and their own events among them.
fn scene(bootstrap: &str, orgs: usize, records: usize) -> Cost {
    let seeds = (0..orgs as u64).map(|number| 1_000 + number);
    let orgs: Vec<Org> = seeds
        .map(|seed| Org::start(SimulatorConfig { events: EVENTS / orgs, seed, ..SimulatorConfig::default() }))
        .collect();
    let topic = random_name("system-log");
    create_topic(bootstrap, &topic, PARTITIONS, &[]);
    let urls: Vec<&str> = orgs.iter().map(|org| org.url()).collect();
    topic_records::fill(bootstrap, &topic, &urls, records, &[]);
    let mut config = ConfigYaml::new(bootstrap);
    let mut there = Vec::new();
    for (number, org) in orgs.iter().enumerate() {
        there.extend(org.events().iter().map(|one| {
            let uuid = one.uuid.as_deref().unwrap();
            TopicRecord { value: one.raw.to_vec(), ..event(&topic, org.url(), "before", uuid, one.published_millis) }
        }));
        config = config.connector(org.connector(&format!("org-{number}")).interval("200ms").topic(&topic));
    }
    OpenTransaction::with(bootstrap, there).commit();
    let cost = cost(&config, &orgs);
    delete_topics(bootstrap, &[&topic]);
    cost
}

#[test]
fn a_million_records_in_the_tail_are_learnt_in_seconds() {
    let Some(kafka) = shared_broker() else { return };
    let (records, connectors) = prove::scale((1_000_000, 50), (20_000, 10));
    let alone = scene(kafka.bootstrap(), 1, 0);
    let one = scene(kafka.bootstrap(), 1, records);
    let many = scene(kafka.bootstrap(), connectors, records);
    let words = |cost: &Cost| {
        format!(
            "{:.1} s from the start until each recognised its events, {} MiB of memory at the peak, the topic was read {} times",
            cost.recognised.as_secs_f64(),
            cost.peak / 1024,
            cost.readings
        )
    };
    // Who asks while it is read is answered by the next reading, of all who wait by then.
    assert!(many.readings <= connectors, "{}", many.readings);
    prove::row(
        "million-in-the-tail",
        "A cold start on a topic that holds a great many records of its org is quick, in bounded memory, and publishes nothing twice",
        &format!(
            "{records} records of 1.5 KB in {PARTITIONS} partitions, in transactions of {BATCH}, and {EVENTS} events of the org \
             among them; a connector that knows nothing of them starts cold. And so do {connectors} of one topic, an org each"
        ),
        &format!(
            "all {EVENTS} suppressed, 0 published. One connector: {}; on a topic that holds these alone: {}. {connectors} \
             connectors: {}",
            words(&one),
            words(&alone),
            words(&many)
        ),
    );
}
