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

/// What a worker needs from its start until it has caught up, all of whose events are in the topic.
struct Cost {
    /// From its start to the first events that it recognised.
    recognised: Duration,
    /// The most memory that it held, in KiB.
    peak: u64,
}

fn cost(config: &ConfigYaml, org: &Org, events: usize) -> Cost {
    let worker = Connector::spawn(config, &[("RUST_LOG", "okta_kafka_source::worker=debug,info")]);
    let began = Instant::now();
    let _ = worker.await_of("acme", "duplicates_suppressed_total", &[], |value| value > 0.0, WAIT);
    let recognised = began.elapsed();
    worker.await_caught_up(org, "acme", WAIT);
    let all = worker.of("acme", "duplicates_suppressed_total", &[]).unwrap();
    let committed = worker.of("acme", "events_committed_total", &[]).unwrap();
    assert_eq!((all, committed), (events as f64, 0.0), "{}", worker.process().tail(40));
    let peak = worker.process().status_of("VmHWM");
    for line in worker.log().lines().filter(|line| line.contains("learnt what a topic holds")) {
        println!("{line}");
    }
    worker.stop();
    Cost { recognised, peak }
}

#[test]
fn a_million_records_in_the_tail_are_learnt_in_seconds() {
    let Some(kafka) = shared_broker() else { return };
    let events = 500;
    let records = prove::scale(1_000_000, 20_000);
    let org = Org::start(SimulatorConfig { events, ..Default::default() });
    let mut costs = Vec::new();
    for filled in [0, records] {
        let topic = random_name("system-log");
        create_topic(kafka.bootstrap(), &topic, PARTITIONS, &[]);
        topic_records::fill(kafka.bootstrap(), &topic, org.url(), filled, &[]);
        let events = org.events();
        let there = events.iter().map(|one| {
            let uuid = one.uuid.as_deref().unwrap();
            TopicRecord { value: one.raw.to_vec(), ..event(&topic, org.url(), "before", uuid, one.published_millis) }
        });
        OpenTransaction::with(kafka.bootstrap(), there).commit();
        let acme = org.connector("acme").interval("200ms").topic(&topic);
        let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
        costs.push(cost(&config, &org, events.len()));
        delete_topics(kafka.bootstrap(), &[&topic]);
    }
    let [without, with] = &costs[..] else { unreachable!("two runs") };
    let (longer, more) = (with.recognised.saturating_sub(without.recognised), with.peak.saturating_sub(without.peak));
    prove::row(
        "million-in-the-tail",
        "A cold start on a topic that holds a great many records of the org is quick, in bounded memory, and publishes nothing twice",
        &format!(
            "{records} records of 1.5 KB in {PARTITIONS} partitions, in transactions of {BATCH}, and the org's {events} events among \
             them; a connector that knows nothing of them starts cold"
        ),
        &format!(
            "{events} suppressed, 0 published; {:.1} s from the start to the first suppressed one, {:.1} s more than on a topic \
             that holds these {events} alone, and {} MiB more memory at the peak",
            with.recognised.as_secs_f64(),
            longer.as_secs_f64(),
            more / 1024
        ),
    );
}
