//! Reading a topic to the end that it had, whatever a broker says of its end meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use okta_kafka_source::config::Config;
use okta_kafka_source::kafka::record_reader::RecordReaderError;
use okta_kafka_source::kafka::topic_reading::{Begin, TopicReading};

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::lagging_leader::LaggingLeader;
use crate::support::topic_records::{TopicRecord, event, write};
use crate::support::topics::create_topic;

const WAIT: Duration = Duration::from_secs(20);
const ORG: &str = "https://acme.okta.com";
const TOPIC: &str = "behind";
const RECORDS: i64 = 100;
const PARTITIONS: i32 = 3;

/// A new leader, and a follower that is read from, may be behind the end that the old leader told.
#[test]
fn a_leader_that_is_behind_is_waited_for() {
    let proxy = LaggingLeader::listen();
    let Some(broker) = Broker::start(BrokerOptions::default().behind_proxy(proxy.port())) else { return };
    proxy.forward_to(&broker.proxied_address());
    create_topic(&broker.bootstrap(), TOPIC, PARTITIONS, &[]);
    let record = |number: i64| {
        let partition = Some((number % i64::from(PARTITIONS)) as i32);
        TopicRecord { partition, ..event(TOPIC, ORG, "acme", &number.to_string(), number) }
    };
    write(&broker.bootstrap(), (0..RECORDS).map(record));
    let bootstrap = format!("127.0.0.1:{}", proxy.port());
    let acme = ConnectorYaml::new("acme", ORG, "token");
    let text = ConfigYaml::new(&bootstrap).connector(acme).render();
    let config = Config::parse(&text, &|_| None).unwrap();
    let partitions: Vec<i32> = (0..PARTITIONS).collect();
    let go_on = || Ok::<(), RecordReaderError>(());
    let mut reading = TopicReading::look(&config.kafka, "group", TOPIC, &partitions, &go_on).unwrap();
    let ends: i64 = reading.ends().values().sum();
    assert_eq!(ends, RECORDS + i64::from(PARTITIONS), "the marker of the transaction in each");

    proxy.lag(5);
    reading.begin(Begin::At(&BTreeMap::new())).unwrap();
    let began = Instant::now();
    let mut read = 0;
    while !reading.is_at_end() {
        assert!(began.elapsed() < WAIT, "{read} of {RECORDS}");
        read += i64::from(reading.poll().unwrap().is_some());
    }
    assert_eq!((proxy.left(), read), (0, RECORDS));
}
