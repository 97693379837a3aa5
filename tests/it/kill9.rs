//! kill -9 at any moment: nothing is lost and nothing is there twice.

use std::fmt;
use std::time::{Duration, Instant};

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::avro;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::registry::shared_registry;
use crate::support::shared_broker::shared_broker;
use crate::support::tail::Tail;
use crate::support::topics::{Isolation, OwnedRecord, create_topic, end_offsets, random_name, read_aborted, read_all};

const WAIT: Duration = Duration::from_secs(90);
/// How long records wait for others before they are sent: so long is a transaction open at least.
const LINGER: Duration = Duration::from_millis(400);
/// The first answer of a life is that late: until then nothing of that life can be in the topic.
const FIRST_ANSWER: Duration = Duration::from_millis(500);
/// Answers while the kills are not behind the backlog, and while they are.
const FAST: Duration = Duration::from_millis(40);
const SLOW: Duration = Duration::from_millis(400);

/// Where the data topic ended when a life began: what lies before was written by the lives before it.
struct Life {
    begin: Vec<(i32, i64)>,
    /// False where the look came too late to be sure of that.
    certain: bool,
}

/// What a run of kills went through.
struct Kills {
    /// How many came when a transaction was seen; the others at a random moment.
    aimed: usize,
    /// How many left records behind that were never committed.
    left_aborted: usize,
    /// How many such records there are.
    aborted: usize,
}

#[test]
fn no_kill_loses_an_event_or_doubles_one() {
    let Some(kafka) = shared_broker() else { return };
    let (kills, backlog, enough) = prove::scale((100, 20_000, 30), (10, 10_000, 3));
    let seed = prove::seed();
    let org = Org::start(SimulatorConfig { events: backlog, seed, latency: FIRST_ANSWER, ..Default::default() });
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = config(kafka.bootstrap()).connector(acme);
    let done = kill_on(&config, &org, kills, seed);

    let difference = Difference::must_be_none(kafka.bootstrap(), &topic, &org, &format!("OKS_SEED={seed}"));
    done.must_be_enough(kills, enough);
    prove::row(
        "kill-9",
        "kill -9 loses nothing and doubles nothing",
        &format!("{}, with group_instance_id: {}; seed {seed}", within(kills, backlog), done.how(kills)),
        &format!("{difference}; {done}"),
    );
}

/// The same with values that are made of the events, some of which can't be: each is in the topic or the dead letter
/// topic, once, and every value is the event.
#[test]
fn no_kill_loses_an_event_of_avro_or_doubles_one() {
    let (Some(kafka), Some(registry)) = (shared_broker(), shared_registry()) else { return };
    let (kills, backlog, enough) = prove::scale((50, 15_000, 15), (6, 6_000, 2));
    let seed = prove::seed();
    let org = Org::start(SimulatorConfig {
        events: backlog,
        seed,
        latency: FIRST_ANSWER,
        awkward: 0.05,
        unpublishable: 0.05,
        ..Default::default()
    });
    let acme = org.connector("acme").interval("200ms").extra("format: avro");
    let (topic, dead_letter_topic) = (acme.topic.clone(), format!("{}.dlq", acme.topic));
    let config = config(kafka.bootstrap()).schema_registry(&registry.url()).connector(acme);
    let done = kill_on(&config, &org, kills, seed);

    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let letters = read_all(kafka.bootstrap(), &dead_letter_topic, Isolation::ReadCommitted);
    let difference = avro::difference(&org, &records, &letters);
    assert!(difference.is_none(), "{difference}; OKS_SEED={seed}");
    avro::assert_equal(&org, &records, registry);
    done.must_be_enough(kills, enough);
    let share = letters.len() as f64 / backlog as f64;
    assert!((0.03..0.07).contains(&share), "{} of {backlog} events are dead letters", letters.len());
    prove::row(
        "kill-9-avro",
        "kill -9 loses nothing and doubles nothing where records are Avro and some events cannot be published",
        &format!("{}, 5 % of which cannot be published: {}; seed {seed}", within(kills, backlog), done.how(kills)),
        &format!(
            "{} in topic and dead letter topic together; {} records decode to what the org served, {} dead letters are it \
             byte for byte; {done}",
            difference,
            records.len(),
            letters.len()
        ),
    );
}

fn config(bootstrap: &str) -> ConfigYaml {
    // A batch goes out as soon as it holds ten records; the last ones of a transaction wait for the linger.
    let producer = format!("producer: {{linger.ms: {}, batch.num.messages: 10}}", LINGER.as_millis());
    ConfigYaml::new(bootstrap).kafka(&producer).group_instance_id(&random_name("worker"))
}

fn within(kills: usize, backlog: usize) -> String {
    format!("{kills} kills within a backlog of {backlog} events")
}

/// Kills the worker of the configuration's one connector again and again, while it takes the org's backlog, and lets the
/// last one finish.
fn kill_on(config: &ConfigYaml, org: &Org, kills: usize, seed: u64) -> Kills {
    let mut random = fastrand::Rng::with_seed(seed);
    let (bootstrap, topic, backlog) = (&config.bootstrap, &config.connectors[0].topic, org.event_count());
    create_topic(bootstrap, topic, 3, &[]);
    let mut lives = Vec::new();
    let mut aimed = 0;
    for kill in 0..kills {
        let (worker, life) = start(config, org, bootstrap, topic);
        lives.push(life);
        let behind = org.asked() * kills > backlog * kill;
        let mut tail = (kill % 2 == 0).then(|| Tail::from_end(bootstrap, topic, Isolation::ReadUncommitted));
        org.set_latency(if behind { SLOW } else { FAST });
        match &mut tail {
            Some(tail) => {
                // The first, second or third transaction of this life.
                for _ in 0..=random.u32(0..3) {
                    let record = tail.next_transaction(WAIT);
                    assert!(record.is_some(), "no transaction was seen to kill in:\n{}", worker.process().tail(40));
                }
                aimed += 1;
            }
            None => worker.process().runs_on(Duration::from_millis(random.u64(0..1500))),
        }
        worker.kill9();
    }
    assert!(org.asked() < backlog, "the backlog was finished before the last kill");

    let (worker, life) = start(config, org, bootstrap, topic);
    lives.push(life);
    org.set_latency(Duration::ZERO);
    worker.await_caught_up(org, "acme", WAIT);
    worker.stop();
    let aborted = read_aborted(bootstrap, topic);
    let left_aborted = lives_that_left(&aborted, &lives);
    println!("{kills} kills, {aimed} aimed: {left_aborted} left aborted records, {} in all", aborted.len());
    Kills { aimed, left_aborted, aborted: aborted.len() }
}

impl Kills {
    fn must_be_enough(&self, kills: usize, enough: usize) {
        let left = self.left_aborted;
        assert!(left >= enough, "only {left} of {kills} kills fell into a transaction: the run proves little");
    }

    fn how(&self, kills: usize) -> String {
        let random = kills - self.aimed;
        format!(
            "{} when a read_uncommitted consumer saw a transaction's first record, {random} at a random moment",
            self.aimed
        )
    }
}

impl fmt::Display for Kills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills left aborted records behind ({} records), which no read_committed reader sees",
            self.left_aborted, self.aborted
        )
    }
}

/// Starts a life and waits for its first request; the answer comes only after the look at the topic.
fn start(config: &ConfigYaml, org: &Org, bootstrap: &str, topic: &str) -> (Connector, Life) {
    org.set_latency(FIRST_ANSWER);
    let requests = org.request_count();
    let worker = Connector::spawn(config, &[]);
    org.await_requests(requests + 1, WAIT);
    let asked = Instant::now();
    let begin = end_offsets(bootstrap, topic).into_iter().map(|(partition, (_, end))| (partition, end)).collect();
    let certain = asked.elapsed() < FIRST_ANSWER - Duration::from_millis(100);
    (worker, Life { begin, certain })
}

/// How many lives left at least one of these records: all but the last one, which was not killed.
fn lives_that_left(aborted: &[OwnedRecord], lives: &[Life]) -> usize {
    let is_between = |record: &OwnedRecord, from: &Life, to: &Life| {
        let at = |life: &Life| life.begin.iter().find(|(partition, _)| *partition == record.partition).unwrap().1;
        (at(from)..at(to)).contains(&record.offset)
    };
    let pairs = lives.windows(2).filter(|pair| pair[0].certain && pair[1].certain);
    pairs.filter(|pair| aborted.iter().any(|record| is_between(record, &pair[0], &pair[1]))).count()
}
