//! Checkpoints that are altered and reset at random moments beside a worker that is killed meanwhile: whatever the order, each
//! event is there once.

use std::time::Duration;

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, utf8};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::random_name;

const WAIT: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const LATENCY: Duration = Duration::from_millis(60);

#[test]
fn whatever_the_order_of_changes_and_kills_each_event_is_there_once() {
    let Some(kafka) = shared_broker() else { return };
    // In full more events than a start knows by the topic's newest ones: those are 20,000.
    let (changes, events) = prove::scale((30, 40_000), (3, 1_200));
    let seed = prove::seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let simulated = SimulatorConfig {
        events,
        backlog_span: 6 * 24 * HOUR,
        late: 0.1,
        unpublishable: 0.02,
        ..SimulatorConfig::default()
    };
    let org = Org::start(simulated);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).group_instance_id(&random_name("worker")).connector(acme);
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    let mut worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);

    // All of them to a place within the six days, and what is new is stored after it: forward loses nothing either.
    org.set_latency(LATENCY);
    let (mut resets, mut kills) = (0, 0);
    for _ in 0..changes {
        org.generate(random.usize(0..40));
        let since = format!("{}h", random.usize(1..6 * 24));
        let is_reset = random.u8(0..4) == 0;
        let arguments = match is_reset {
            true => vec!["offsets", "reset", "acme", "--yes"],
            false => vec!["offsets", "alter", "acme", "--since", &since, "--yes"],
        };
        let output = connector::run(&[&arguments[..], &["-c", utf8(&path)]].concat(), &[], WAIT);
        assert_eq!(output.code(), 0, "{output:?}");
        resets += usize::from(is_reset);
        let asked = org.request_count();
        org.await_requests(asked + random.usize(1..8), WAIT);
        if random.bool() {
            worker.kill9();
            kills += 1;
            worker = Connector::spawn(&config, &[]);
        }
    }
    org.set_latency(Duration::ZERO);
    org.generate(30);
    worker.await_caught_up(&org, "acme", WAIT);
    let suppressed = worker.of("acme", "duplicates_suppressed_total", &[]).unwrap();
    worker.stop();
    let difference = Difference::of_topic_and_letters(kafka.bootstrap(), &topic, &org);
    assert!(difference.is_none(), "{difference}; OKS_SEED={seed}");
    prove::row(
        "offsets-back-and-forth",
        "Checkpoints altered and reset at random moments beside a worker that is killed meanwhile: nothing lost, nothing twice",
        &format!(
            "{events} events over 6 days, one in ten late, some of them dead letters, new ones all the time; {changes} times \
             `offsets alter --since` to a random hour of them, or `offsets reset` ({resets}), while pages are under way; {kills} times \
             kill -9; seed {seed}"
        ),
        &format!(
            "{difference} of {} in topic and dead letter topic; the last life alone left out {suppressed}",
            org.event_count()
        ),
    );
}
