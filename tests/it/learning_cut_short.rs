//! While a connector learns what its topic holds, it is killed, its broker is, or somebody else takes its shard.

use std::time::Duration;

use okta_kafka_source::simulator::{RequestRecord, SimulatorConfig};

use crate::support::broker::{Broker, BrokerOptions};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::producers::Open;
use crate::support::topic_records::{OpenTransaction, event};
use crate::support::topics::random_name;
use crate::support::{checkpoint, prove};

const WAIT: Duration = Duration::from_secs(120);
/// So long nothing is asked where the answer to the last page is being learnt about: twice the interval.
const QUIET: Duration = Duration::from_millis(400);

/// Why a connector learns what its topic holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Okta lost its cursor. The last pages are known by the end of the topic, too.
    Lost,
    /// It has a new name. Nothing else is known.
    Renamed,
}

struct Scene {
    broker: Broker,
    org: Org,
    config: ConfigYaml,
    topic: String,
    name: String,
}

impl Scene {
    fn key(&self) -> String {
        checkpoint::key(&self.name, &self.org.authority())
    }

    fn worker(&self) -> Connector {
        Connector::spawn(&self.config, &[])
    }

    /// Waits until the first page came, after so many requests, and nothing is asked behind it: it can't be judged before what
    /// the topic holds is known.
    fn await_learning(&self, worker: &Connector, mark: usize) {
        let is_first = |request: &RequestRecord| request.events > 0 && !request.target.contains("after=");
        while !self.org.requests()[mark..].iter().any(is_first) {
            self.org.await_requests(self.org.request_count() + 1, WAIT);
        }
        let count = self.org.request_count();
        worker.process().runs_on(QUIET);
        assert_eq!(self.org.request_count(), count, "it did not wait:\n{}", worker.process().tail(40));
        let last = checkpoint::all(&self.broker.bootstrap(), &self.config.offsets_topic, &self.key()).pop().unwrap();
        assert!(!last.value_text().contains("after="), "its first page is committed: {}", last.value_text());
    }
}

#[test]
fn learning_that_is_cut_short_loses_and_doubles_nothing() {
    let Some(broker) = Broker::start(BrokerOptions::default()) else { return };
    let reasons = prove::scale(&[Why::Lost, Why::Renamed, Why::Lost, Why::Renamed][..], &[Why::Renamed]);
    let org =
        Org::start(SimulatorConfig { events: 1_200, backlog_span: Duration::from_secs(3600), ..Default::default() });
    let acme = org.connector("acme").interval("200ms").extra("recovery_overlap: 1d");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(&broker.bootstrap()).group_instance_id(&random_name("worker")).connector(acme);
    let mut scene = Scene { broker, org, config, topic, name: "acme".to_owned() };
    let mut worker = scene.worker();
    worker.await_caught_up(&scene.org, "acme", WAIT);
    for (round, why) in reasons.iter().enumerate() {
        let bootstrap = scene.broker.bootstrap();
        // What this hides is not known before it ends.
        let elsewhere = event(&scene.topic, "https://other.okta.com", "other", "no-uuid-of-ours", 1_760_000_000_000);
        let open = OpenTransaction::with(&bootstrap, [elsewhere]);
        if *why == Why::Renamed {
            worker.stop();
        }
        let mark = scene.org.request_count();
        scene.org.generate(150);
        match why {
            Why::Lost => scene.org.lose_cursors(),
            Why::Renamed => {
                scene.name = format!("renamed-{round}");
                scene.config.connectors[0].name.clone_from(&scene.name);
                worker = scene.worker();
            }
        }
        scene.await_learning(&worker, mark);
        let mark = scene.org.request_count();
        worker.kill9();
        worker = scene.worker();
        scene.await_learning(&worker, mark);
        // The page that waits is kept, and what it waits for is read again.
        scene.broker.kill9();
        scene.broker.restart();
        // Seen by its commit, behind what was learnt.
        Open::fence(&bootstrap, &checkpoint::transactional_id(&scene.config, &scene.name, &scene.org));
        open.end(false);
        worker.await_caught_up(&scene.org, &scene.name, WAIT);
        let fenced = |line: &str| line.contains("the shard's producer is fenced");
        let _ = worker.await_log("that it was fenced", fenced, WAIT);
    }
    worker.stop();
    let difference = Difference::must_be_none(&scene.broker.bootstrap(), &scene.topic, &scene.org, &worker.log());
    prove::row(
        "learning-cut-short",
        "What cuts short the reading of what a topic holds loses nothing and doubles nothing",
        &format!(
            "{} times, by a lost cursor and by a new name in turns: over old ground of {} events, with another producer's open transaction in \
             the topic; kill -9 of the worker, kill -9 of the broker, and the shard fenced, each while the first page waited",
            reasons.len(),
            scene.org.event_count()
        ),
        &format!("{difference} of {} events", scene.org.event_count()),
    );
}
