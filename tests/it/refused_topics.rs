//! Topics that take no record for now, and topics that would not keep what they are given.

use std::time::{Duration, Instant};

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{alter_topic, create_topic, end_offsets};

const WAIT: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Kafka asks for no more in-sync replicas than the partition has replicas, whatever `min.insync.replicas` says.
#[test]
fn a_topic_with_fewer_replicas_than_its_min_insync_is_written() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(100);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    create_topic(kafka.bootstrap(), &topic, 1, &[("min.insync.replicas", "2")]);
    let worker = Connector::spawn(&ConfigYaml::new(kafka.bootstrap()).connector(acme), &[]);
    worker.await_caught_up(&org, "acme", Duration::from_secs(15));
    let _ = Difference::must_be_none(kafka.bootstrap(), &topic, &org, "one replica, and min.insync.replicas 2");
}

/// 90 days into a topic that keeps 7: refused, and kept when the topic is altered as the message says.
#[test]
fn a_cold_start_keeps_everything_once_the_topic_is_altered_as_told() {
    let options = BrokerOptions::default().set("log.retention.check.interval.ms", 1000);
    let Some(broker) = Broker::start(options) else { return };
    let bootstrap = broker.bootstrap();
    let org = Org::start(SimulatorConfig { events: 2_000, backlog_span: DAY * 85, ..SimulatorConfig::default() });
    // A time, not an age: the age that is asked for grows while somebody reads the message.
    let since = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * 90 - 1);
    let acme = org.connector("acme").interval("200ms").since(&since.to_string());
    let topic = acme.topic.clone();
    let week = (DAY * 7).as_millis().to_string();
    create_topic(&bootstrap, &topic, 1, &[("retention.ms", &week)]);
    let worker = Connector::spawn(&ConfigYaml::new(&bootstrap).connector(acme), &[]);
    let says = |line: &str| line.contains("raise its `retention.ms` to at least ");
    let said = worker.await_log("why not", says, WAIT);
    worker.await_state("acme", "failed", WAIT);
    let (_, told) = said.split_once("to at least ").unwrap();
    let told: String = told.chars().take_while(char::is_ascii_digit).collect();
    assert_eq!(org.request_count(), 0, "nothing is asked for a topic that would not keep it");
    assert!(said.contains("keeps 7.0 days"), "{said}");

    alter_topic(&bootstrap, &topic, &[("retention.ms", &told)]);
    let altered = Instant::now();
    worker.await_caught_up(&org, "acme", Duration::from_secs(25));
    let altered = altered.elapsed();
    let (first, _) = end_offsets(&bootstrap, &topic)[&0];
    // Four retention checks: what would be deleted is deleted within one.
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!((first, end_offsets(&bootstrap, &topic)[&0].0), (0, 0), "Kafka deleted a part of the backlog");
    let difference = Difference::must_be_none(&bootstrap, &topic, &org, "a cold start of 90 days");
    worker.stop();

    // The other way round, so that the checks are known to come: under the old setting the backlog goes.
    alter_topic(&bootstrap, &topic, &[("retention.ms", &week)]);
    let began = Instant::now();
    while end_offsets(&bootstrap, &topic)[&0].0 == 0 {
        assert!(began.elapsed() < WAIT, "Kafka deletes nothing, so this proves nothing");
        std::thread::sleep(Duration::from_millis(100));
    }
    prove::row(
        "cold-start-retention",
        "A cold start into a topic that keeps less is refused with the fix, and loses nothing once it is made",
        "2000 events of 85 days, `since` 90 days back, a topic of 7 days, `log.retention.check.interval.ms=1000`; then \
         `retention.ms` set to the number in the message",
        &format!(
            "refused without a request to the org; altered, caught up {:.1} s later: {difference}, first offset 0 after 4 retention checks \
             (under the old 7 days the same backlog was cut {:.1} s later)",
            altered.as_secs_f64(),
            began.elapsed().as_secs_f64()
        ),
    );
}
