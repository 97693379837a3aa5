//! The broker killed and started again in the middle of a backlog, while the worker goes on.

use std::time::Duration;

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::tail::Tail;
use crate::support::topics::{Isolation, create_topic};

const WAIT: Duration = Duration::from_secs(120);
/// So late does a page come that the backlog lasts until the last kill.
const SLOW: Duration = Duration::from_millis(100);

#[test]
fn a_broker_killed_and_restarted_loses_and_doubles_nothing() {
    let (restarts, backlog) = prove::scale((8, 60_000), (2, 12_000));
    let Some(broker) = Broker::start(BrokerOptions::default()) else { return };
    let org = Org::start(SimulatorConfig { events: backlog, latency: SLOW, ..Default::default() });
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    create_topic(&broker.bootstrap(), &topic, 3, &[]);
    // Transactions stay open for that long at least, so that the kill meets one.
    let config = ConfigYaml::new(&broker.bootstrap())
        .kafka("producer: {linger.ms: 300, batch.num.messages: 10}")
        .connector(acme);
    let worker = Connector::spawn(&config, &[]);
    for _ in 0..restarts {
        let mut tail = Tail::from_end(&broker.bootstrap(), &topic, Isolation::ReadUncommitted);
        let seen = tail.next_transaction(WAIT);
        assert!(seen.is_some(), "the backlog does not go on:\n{}", worker.process().tail(40));
        broker.kill9();
        assert!(org.asked() < backlog, "the backlog was asked for before the last kill: {} of {backlog}", org.asked());
        drop(tail);
        broker.restart();
    }
    org.set_latency(Duration::ZERO);
    worker.await_caught_up(&org, "acme", WAIT);
    worker.stop();

    let difference = Difference::must_be_none(&broker.bootstrap(), &topic, &org, "all restarts done");
    prove::row(
        "broker-restarted",
        "A broker that is killed and comes back loses nothing and doubles nothing",
        &format!(
            "kill -9 of the broker {restarts} times within a backlog of {backlog} events, each time when a \
             read_uncommitted consumer saw a transaction's first record, and pages were still to be asked for"
        ),
        &difference.to_string(),
    );
}
