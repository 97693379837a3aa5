//! Kafka's own misfortunes while a connector goes over old ground: the broker is killed, or the shard is handed to another worker.

use std::time::Duration;

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::checkpoint;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::random_name;

const WAIT: Duration = Duration::from_secs(120);
/// Of a page of old ground, so that something can happen in its middle.
const LATENCY: Duration = Duration::from_millis(150);

/// An org whose log a worker has in full, and a connector that goes over all of it again when its cursor is lost.
struct Known {
    org: Org,
    config: ConfigYaml,
    topic: String,
    name: String,
    /// How many requests there were before the old ground.
    mark: usize,
}

impl Known {
    fn new(bootstrap: &str, events: usize) -> (Self, Connector) {
        // The whole log is within the overlap.
        let backlog_span = Duration::from_secs(6 * 60 * 60);
        let org = Org::start(SimulatorConfig { events, backlog_span, unpublishable: 0.02, ..Default::default() });
        let acme = org.connector("acme").interval("200ms").extra("recovery_overlap: 1d");
        let topic = acme.topic.clone();
        let config = ConfigYaml::new(bootstrap).kafka("consumer: {session.timeout.ms: 6000}").connector(acme);
        let worker = Connector::spawn(&config, &[]);
        worker.await_caught_up(&org, "acme", WAIT);
        let mark = org.request_count();
        (Self { org, config, topic, name: "acme".to_owned(), mark }, worker)
    }

    /// Loses the cursor, with new events to come, and waits until so many pages of old ground were asked for.
    fn lose(&mut self, pages: usize) {
        self.org.set_latency(LATENCY);
        self.org.lose_cursors();
        self.mark = self.org.request_count();
        self.org.generate(150);
        self.await_pages(pages);
    }

    fn await_pages(&self, pages: usize) {
        let mark = self.org.request_count();
        let has_page = |count: &usize| *count >= pages;
        while !has_page(&self.org.requests()[mark..].iter().filter(|request| request.events > 0).count()) {
            self.org.await_requests(self.org.request_count() + 1, WAIT);
        }
        assert!(self.in_old_ground(), "the old ground is over");
    }

    /// Whether there is more old ground ahead, once it was begun.
    fn in_old_ground(&self) -> bool {
        self.org.request_count() == self.mark || self.org.asked() < self.org.event_count() - 200
    }

    /// The connector under another name, which has no checkpoint.
    fn rename(&mut self, name: &str) {
        self.mark = self.org.request_count();
        name.clone_into(&mut self.config.connectors[0].name);
        self.name = name.to_owned();
    }

    fn finish(&self, worker: &Connector) -> Difference {
        self.org.set_latency(Duration::ZERO);
        worker.await_caught_up(&self.org, &self.name, WAIT);
        let key = checkpoint::key(&self.name, &self.org.authority());
        let stored = checkpoint::all(&self.config.bootstrap, &self.config.offsets_topic, &key);
        let marked = stored.iter().filter(|record| record.value_text().contains("suppressUntil")).count();
        assert!(marked > 1, "no page of old ground was committed: {marked}");
        let difference = Difference::of_topic_and_letters(&self.config.bootstrap, &self.topic, &self.org);
        assert!(difference.is_none(), "{difference}");
        difference
    }
}

#[test]
fn a_broker_killed_in_the_middle_of_old_ground_loses_and_doubles_nothing() {
    let (restarts, events) = prove::scale((4, 20_000), (1, 4_000));
    let Some(broker) = Broker::start(BrokerOptions::default()) else { return };
    let (mut known, worker) = Known::new(&broker.bootstrap(), events);
    for _ in 0..restarts {
        known.lose(5);
        broker.kill9();
        assert!(known.in_old_ground());
        broker.restart();
        known.await_pages(3);
    }
    let difference = known.finish(&worker);
    let suppressed = worker.of("acme", "duplicates_suppressed_total", &[]).unwrap();
    // What was committed when the answer to that was lost with the broker is not counted.
    assert!(suppressed >= events as f64 / 2.0, "{suppressed}");
    worker.stop();
    prove::row(
        "old-ground-broker",
        "A broker that is killed while a connector goes over old ground loses nothing and doubles nothing",
        &format!(
            "{restarts} times: the cursor lost with {events} events in the overlap, and kill -9 of the broker after five pages of \
             old ground, then its restart"
        ),
        &format!("{difference} in topic and dead letter topic; {suppressed} suppressed"),
    );
}

#[test]
fn a_shard_handed_over_in_the_middle_of_old_ground_loses_and_doubles_nothing() {
    let Some(kafka) = shared_broker() else { return };
    let (handovers, events) = prove::scale((6, 20_000), (2, 4_000));
    let (mut known, mut worker) = Known::new(kafka.bootstrap(), events);
    known.lose(4);
    for _ in 0..handovers {
        // A rebalance takes longer than the old ground.
        known.org.hold_pages();
        let next = Connector::spawn(&known.config.second_worker(), &[]);
        let all = f64::from(known.config.offsets_partitions);
        let owned = |worker: &Connector, shards: f64| {
            let _ = worker.await_metric("okta_kafka_source_shards_owned", &[], |owned| owned == shards, WAIT);
        };
        owned(&next, all / 2.0);
        // Whichever has the connector by now: the one that goes hands everything on.
        worker.stop();
        owned(&next, all);
        worker = next;
        known.org.release_pages();
        known.await_pages(3);
    }
    let difference = known.finish(&worker);
    worker.stop();
    prove::row(
        "old-ground-handover",
        "A shard that is handed to another worker in the middle of old ground loses nothing and doubles nothing",
        &format!(
            "the cursor lost with {events} events in the overlap; {handovers} times a new worker, and SIGTERM to the old one"
        ),
        &format!("{difference} of {} in topic and dead letter topic", known.org.event_count()),
    );
}

/// A new name, whose cold start is killed again and again on its way through what the topic holds.
#[test]
fn a_renamed_connector_killed_in_the_middle_of_old_ground_loses_and_doubles_nothing() {
    let Some(kafka) = shared_broker() else { return };
    let (kills, events) = prove::scale((12, 20_000), (3, 3_000));
    let seed = prove::seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut known, worker) = Known::new(kafka.bootstrap(), events);
    worker.stop();
    known.rename("another-name");
    known.config = known.config.clone().group_instance_id(&random_name("worker"));
    known.org.set_latency(LATENCY);
    known.org.generate(150);
    for kill in 0..kills {
        let mark = known.org.request_count();
        let worker = Connector::spawn(&known.config, &[]);
        // Of the first life also before its first page is committed, and before it has asked at all.
        known.org.await_requests(mark + kill.min(random.usize(1..6)), WAIT);
        worker.process().runs_on(LATENCY.mul_f64(random.f64()));
        worker.kill9();
        assert!(known.in_old_ground(), "the old ground is over");
    }
    let worker = Connector::spawn(&known.config, &[]);
    let difference = known.finish(&worker);
    worker.stop();
    prove::row(
        "old-ground-killed",
        "A connector that starts cold on a topic which holds its org's events is killed meanwhile, and loses and doubles nothing",
        &format!(
            "a new name, {events} events in the topic; {kills} times kill -9 within the first pages of a life; seed {seed}"
        ),
        &format!("{difference} of {} in topic and dead letter topic", known.org.event_count()),
    );
}
