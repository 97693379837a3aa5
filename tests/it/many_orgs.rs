//! Many connectors in one process, each with an org of its own: those whose org hangs, refuses or is slow delay no other.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use okta_kafka_source::simulator::{FaultKind, Faults, SimulatorConfig};

use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::ports::free_port;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::tail::Tail;
use crate::support::topics::{Isolation, create_topic, random_name, read_all};

const WAIT: Duration = Duration::from_secs(90);
/// New events of each org in a round.
const EVENTS: usize = 5;
const INTERVAL: &str = "500ms";
/// From an event's being there to ask for to its commit: an interval, a page, a commit, and a machine with much to do.
const BOUND: Duration = Duration::from_secs(3);

/// A connector of a good org, whose name has its number. All go to one topic, so that one reader sees each commit.
struct Good {
    name: String,
    org: Org,
}

impl Good {
    fn of(number: usize) -> Self {
        // Else all orgs have the same events.
        let seed = 1_000 + number as u64;
        let org = Org::start(SimulatorConfig { events: 100, seed, ..SimulatorConfig::default() });
        Self { name: format!("good-{number}"), org }
    }

    fn connector(&self, topic: &str) -> ConnectorYaml {
        self.org.connector(&self.name).topic(topic).interval(INTERVAL)
    }

    fn await_committed(&self, worker: &Connector) {
        let count = self.org.event_count() as f64;
        let _ = worker.await_of(&self.name, "events_committed_total", &[], |value| value >= count, WAIT);
    }
}

/// One connector each whose org never answers, refuses the connection, answers 401, 403, 429, 500, or takes its time.
fn bad() -> (Vec<Org>, Vec<ConnectorYaml>) {
    let faults = |kind: &str| Faults::one(kind.parse::<FaultKind>().unwrap(), 1.0).unwrap();
    let mut orgs = Vec::new();
    let mut connectors = Vec::new();
    for what in ["hangs", "refuses-connections", "401", "403", "429", "concurrency", "500", "slow"] {
        let org = Org::with_events(2_000);
        let mut connector = org.connector(&format!("bad-{what}")).interval(INTERVAL);
        connector.topic_partitions = 1;
        match what {
            "hangs" => org.set_latency(Duration::from_secs(3_600)),
            "refuses-connections" => connector.org = format!("http://127.0.0.1:{}", free_port()),
            "401" => connector.token = "no-such-token".to_owned(),
            "403" => org.set_faults(faults("http_403")),
            "429" => org.set_faults(faults("rate_limit")),
            "concurrency" => org.set_faults(faults("concurrency")),
            "500" => org.set_faults(faults("http_500")),
            _ => org.set_latency(Duration::from_secs(3)),
        }
        orgs.push(org);
        connectors.push(connector);
    }
    (orgs, connectors)
}

/// Rounds of a few events for each good org, all at once; gives for each org and round how long the last of them took to be
/// seen by a reader of committed records.
fn delays(tail: &mut Tail, good: &[Good], worker: &Connector) -> Vec<Duration> {
    let mut delays = Vec::new();
    for _ in 0..prove::scale(10, 3) {
        let began: HashMap<&str, Instant> = good
            .iter()
            .map(|one| {
                one.org.generate(EVENTS);
                (one.name.as_str(), Instant::now())
            })
            .collect();
        let mut missing: HashMap<&str, usize> = good.iter().map(|one| (one.name.as_str(), EVENTS)).collect();
        while !missing.is_empty() {
            let record = tail.next(WAIT);
            let record = record.unwrap_or_else(|| panic!("{missing:?} are missing:\n{}", worker.process().tail(60)));
            let name = record.header("okta_connector").unwrap();
            let Some((name, left)) = missing.get_key_value(name) else { panic!("{name} has too many events") };
            let (name, left) = (*name, left - 1);
            let _ = missing.insert(name, left);
            if left == 0 {
                let _ = missing.remove(name);
                delays.push(began[name].elapsed());
            }
        }
    }
    delays.sort_unstable();
    delays
}

fn shown(delays: &[Duration]) -> String {
    let (median, longest) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    format!("median {} ms, longest {} ms", median.as_millis(), longest.as_millis())
}

#[test]
fn bad_orgs_delay_no_other_of_many() {
    let Some(kafka) = shared_broker() else { return };
    let (orgs, bad) = bad();
    let good: Vec<Good> = (0..prove::scale(50 - bad.len(), 8)).map(Good::of).collect();
    // Several in a shard, as with 50 connectors and the default of 25; in the short run more.
    let shards = prove::scale(25, 4);
    let topic = random_name("system-log");
    create_topic(kafka.bootstrap(), &topic, 6, &[]);
    let config = ConfigYaml::new(kafka.bootstrap()).offsets_partitions(shards);
    let alone = good.iter().fold(config, |config, one| config.connector(one.connector(&topic)));
    let worker = Connector::spawn(&alone, &[]);
    good.iter().for_each(|one| one.await_committed(&worker));
    let mut tail = Tail::from_end(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let without = delays(&mut tail, &good, &worker);
    worker.stop();
    // By their names' hashes the bad ones fall into shards of good ones.
    let all = bad.iter().cloned().fold(alone, |config, one| config.connector(one));
    let started = Timestamp::now();
    let worker = Connector::spawn(&all, &[]);
    let spawned = Instant::now();
    for (name, state) in [("bad-401", "failed"), ("bad-403", "failed"), ("bad-500", "recovering")] {
        worker.await_state(name, state, WAIT);
    }
    for one in &good {
        worker.await_state(&one.name, "waiting", WAIT);
    }
    let running = spawned.elapsed();
    let with = delays(&mut tail, &good, &worker);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    let uuids: Vec<String> = good.iter().flat_map(|one| one.org.uuids()).collect();
    let difference = Difference::between(uuids.iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
    for (what, delays) in [("without", &without), ("with", &with)] {
        // One of many may meet a moment at which the machine did something else.
        assert!(
            delays[delays.len() * 9 / 10] < BOUND,
            "{what} bad orgs: {}\n{}",
            shown(delays),
            worker.process().tail(60)
        );
    }
    // The first requests of this process come one after the other.
    let mut first: Vec<Timestamp> = good
        .iter()
        .filter_map(|one| one.org.requests().iter().map(|request| request.at).find(|at| *at > started))
        .collect();
    first.sort_unstable();
    let spread = Duration::try_from(first[first.len() - 1].duration_since(first[0])).unwrap();
    let least = Duration::from_millis(200) * u32::try_from(first.len() - 1).unwrap() / 2;
    assert!(spread >= least, "{} first requests within {spread:?}", first.len());
    worker.stop();
    drop(orgs);
    prove::row(
        "many-orgs",
        "Of many connectors in one process, those whose org hangs, refuses or is slow delay no other",
        &format!(
            "{} connectors of as many orgs in {shards} shards, {} of them bad: one never answers, one refuses connections, one each \
             answers 401, 403, 429, 429 for concurrency and 500, one takes 3 s an answer; {} times {EVENTS} new events in each good org",
            good.len() + bad.len(),
            bad.len(),
            prove::scale(10, 3),
        ),
        &format!(
            "{difference} of {} events; from an event's being there to its commit at an interval of {INTERVAL}: {}; without the \
             bad ones {}; first requests spread over {:.1} s, all at work {:.1} s after the start",
            uuids.len(),
            shown(&with),
            shown(&without),
            spread.as_secs_f64(),
            running.as_secs_f64()
        ),
    );
}
