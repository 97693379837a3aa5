//! kill -9 at any moment: nothing is lost and nothing is there twice.

use std::time::{Duration, Instant};

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::tail::Tail;
use crate::support::topics::{Isolation, OwnedRecord, create_topic, end_offsets, random_name, read_aborted};

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

#[test]
fn no_kill_loses_an_event_or_doubles_one() {
    let Some(kafka) = shared_broker() else { return };
    let (kills, backlog, enough) = prove::scale((100, 20_000, 30), (10, 10_000, 3));
    let seed = prove::seed();
    let mut random = fastrand::Rng::with_seed(seed);

    let org = Org::start(SimulatorConfig { events: backlog, seed, latency: FIRST_ANSWER, ..Default::default() });
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    create_topic(kafka.bootstrap(), &topic, 3, &[]);
    // A batch goes out as soon as it holds ten records; the last ones of a transaction wait for the linger.
    let producer = format!("producer: {{linger.ms: {}, batch.num.messages: 10}}", LINGER.as_millis());
    let config =
        ConfigYaml::new(kafka.bootstrap()).kafka(&producer).group_instance_id(&random_name("worker")).connector(acme);

    let mut lives = Vec::new();
    let mut aimed = 0;
    for kill in 0..kills {
        let (worker, life) = start(&config, &org, kafka.bootstrap(), &topic);
        lives.push(life);
        let behind = org.asked() * kills > backlog * kill;
        let mut tail = (kill % 2 == 0).then(|| Tail::from_end(kafka.bootstrap(), &topic, Isolation::ReadUncommitted));
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
            None => std::thread::sleep(Duration::from_millis(random.u64(0..1500))),
        }
        worker.kill9();
    }
    assert!(org.asked() < backlog, "the backlog was finished before the last kill");

    let (worker, life) = start(&config, &org, kafka.bootstrap(), &topic);
    lives.push(life);
    org.set_latency(Duration::ZERO);
    worker.await_caught_up(&org, "acme", WAIT);
    worker.stop();

    let difference = Difference::must_be_none(kafka.bootstrap(), &topic, &org, &format!("OKS_SEED={seed}"));
    let aborted = read_aborted(kafka.bootstrap(), &topic);
    let left_aborted = lives_that_left(&aborted, &lives);
    println!("{kills} kills, {aimed} aimed: {left_aborted} left aborted records, {} in all", aborted.len());
    assert!(
        left_aborted >= enough,
        "only {left_aborted} of {kills} kills fell into a transaction: the run proves little"
    );
    prove::row(
        "kill-9",
        "kill -9 loses nothing and doubles nothing",
        &format!(
            "{kills} kills within a backlog of {backlog} events, with group_instance_id: {aimed} when a read_uncommitted \
             consumer saw a transaction's first record, {} at a random moment; seed {seed}",
            kills - aimed
        ),
        &format!(
            "{difference}; {left_aborted} kills left aborted records behind ({} records), which no read_committed reader sees",
            aborted.len()
        ),
    );
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
