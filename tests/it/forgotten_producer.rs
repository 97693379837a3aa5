//! A broker that has forgotten the shard's producer: that counts as fenced, and the shard starts again from the topic.

use std::time::Duration;

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::topics::{Isolation, read_all};

const WAIT: Duration = Duration::from_secs(60);

/// Brokers drop a transactional id after seven days without a transaction, and a producer's sequence numbers after one:
/// here after a second or two. A connector that is quiet for so long must not notice more than a new start.
#[test]
fn a_quiet_connector_survives_the_expiry_of_its_producer() {
    for (forgets, properties) in [
        (
            "the transactional id",
            [
                ("transactional.id.expiration.ms", 1_500),
                ("transaction.remove.expired.transaction.cleanup.interval.ms", 300),
            ],
        ),
        (
            "the producer's state",
            [("producer.id.expiration.ms", 1_500), ("producer.id.expiration.check.interval.ms", 300)],
        ),
    ] {
        let options = properties.iter().fold(BrokerOptions::default(), |options, (key, value)| options.set(key, value));
        let Some(broker) = Broker::start(options) else { return };
        let org = Org::with_events(150);
        let acme = org.connector("acme").interval("200ms");
        let topic = acme.topic.clone();
        let config = ConfigYaml::new(&broker.bootstrap()).connector(acme);
        let worker = Connector::spawn(&config, &[]);
        worker.await_caught_up(&org, "acme", WAIT);
        for round in 0..3 {
            // Quiet for longer than the broker remembers; nothing tells when it has forgotten.
            worker.process().runs_on(Duration::from_secs(4));
            org.generate(120);
            worker.await_caught_up(&org, "acme", WAIT);
            let records = read_all(&broker.bootstrap(), &topic, Isolation::ReadCommitted);
            let difference = Difference::between(org.uuids().iter().map(String::as_str), &records);
            assert!(difference.is_none(), "round {round}, the broker forgets {forgets}: {difference}");
        }
        // I6: what looks like an error to continue from is the end of the producer, and the next one begins at I4.
        if forgets == "the transactional id" {
            let fenced = [("connector", "acme"), ("result", "fenced")];
            let fenced = worker.metric("okta_kafka_source_transactions_total", &fenced).unwrap();
            let aborted = [("connector", "acme"), ("result", "aborted")];
            let aborted = worker.metric("okta_kafka_source_transactions_total", &aborted).unwrap();
            assert!(fenced >= 1.0 && aborted == 0.0, "fenced {fenced}, aborted {aborted}");
        }
        // Otherwise the broker remembered, and this proves nothing.
        if forgets == "the transactional id" {
            assert!(worker.log().contains("fenced"), "{}", worker.process().tail(40));
        }
        worker.terminate();
        assert_eq!(worker.wait(Duration::from_secs(10)).code(), Some(0));
    }
    prove::row(
        "forgotten-producer",
        "A connector that is quiet for longer than the broker remembers its producer loses nothing and doubles nothing",
        "brokers that forget the transactional id, and the producer's state, after 1.5 s; three pauses of 4 s each",
        "0 lost, 0 twice after each",
    );
}
