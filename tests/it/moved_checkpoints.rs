//! What an operator may do to a checkpoint, or to what finds it: rename the connector, give the workers another group or another
//! offsets topic, reset it, set it back, change its query or its page size. The topic goes on without loss and without
//! duplicates, and the log says what happened.

use std::time::Duration;

use okta_kafka_source::simulator::{SimulatorConfig, StoredEvent};
use serde_json::Value;

use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::{self, ConfigFile, Connector, utf8};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, random_name, read_all};
use crate::support::{checkpoint, prove};

const WAIT: Duration = Duration::from_secs(60);
const OVERLAP_MILLIS: i64 = 10 * 60 * 1000;
/// One connector for each way; what is done to each is in its name.
const NAMES: [&str; 5] = ["renamed", "reset", "altered", "filtered", "limited"];
const OLD_FILTER: &str = r#"eventType sw "user.""#;
const NEW_FILTER: &str = r#"outcome.result eq "SUCCESS""#;

/// A connector, its org, and what its topic must hold.
struct Moved {
    /// Its name as of now.
    name: String,
    org: Org,
    yaml: ConnectorYaml,
}

impl Moved {
    fn new(name: &str, events: usize) -> Self {
        // As dense where it depends on the overlap that this is some hundred events.
        let minutes = if name == "filtered" { 40 } else { 6 * 24 * 60 };
        let backlog_span = Duration::from_secs(minutes * 60);
        let org = Org::start(SimulatorConfig { events, backlog_span, late: 0.1, ..SimulatorConfig::default() });
        let yaml = org.connector(name).interval("200ms");
        let yaml = if name == "filtered" { yaml.extra(&format!("filter: '{OLD_FILTER}'")) } else { yaml };
        Self { name: name.to_owned(), org, yaml }
    }

    fn of(&self, worker: &Connector, metric: &str) -> f64 {
        worker.of(&self.name, metric, &[]).unwrap_or_else(|| panic!("{} of {}", metric, self.name))
    }

    fn difference<'a>(&self, kafka: &str, expected: impl IntoIterator<Item = &'a StoredEvent>) -> Difference {
        let records = read_all(kafka, &self.yaml.topic, Isolation::ReadCommitted);
        Difference::between(expected.into_iter().map(|event| event.uuid.as_deref().unwrap()), &records)
    }

    /// Panics where the topic does not hold exactly these.
    fn must_hold<'a>(&self, kafka: &str, expected: impl IntoIterator<Item = &'a StoredEvent>, when: &str) {
        let difference = self.difference(kafka, expected);
        assert!(difference.is_none(), "{} {when}: {difference}", self.name);
    }
}

/// The fleet, and the file that it runs by.
struct Fleet {
    moved: Vec<Moved>,
    config: ConfigYaml,
}

impl Fleet {
    fn new(bootstrap: &str, events: usize) -> Self {
        let moved: Vec<Moved> = NAMES.iter().map(|name| Moved::new(name, events)).collect();
        Self { moved, config: ConfigYaml::new(bootstrap) }
    }

    fn named(&self, name: &str) -> &Moved {
        let place = NAMES.iter().position(|known| *known == name).unwrap();
        &self.moved[place]
    }

    fn named_mut(&mut self, name: &str) -> &mut Moved {
        let place = NAMES.iter().position(|known| *known == name).unwrap();
        &mut self.moved[place]
    }

    /// New events in each org, then a worker by the file as it is now, that has caught up with all of them.
    fn start(&self) -> Connector {
        self.moved.iter().for_each(|moved| moved.org.generate(30));
        let yaml = self.moved.iter().map(|moved| moved.yaml.clone());
        let worker = Connector::spawn(&yaml.fold(self.config.clone(), ConfigYaml::connector), &[]);
        self.await_caught_up(&worker);
        worker
    }

    fn await_caught_up(&self, worker: &Connector) {
        self.moved.iter().for_each(|moved| worker.await_caught_up(&moved.org, &moved.name, WAIT));
    }

    /// `offsets <command> <arguments> -c FILE`, and what it printed as the checkpoint after it.
    fn offsets(&self, arguments: &[&str]) -> Value {
        let yaml = self.moved.iter().map(|moved| moved.yaml.clone());
        let file = ConfigFile::new(&yaml.fold(self.config.clone(), ConfigYaml::connector).render());
        let path = file.path();
        let all: Vec<&str> = ["offsets"].iter().chain(arguments).copied().chain(["-c", utf8(&path)]).collect();
        let output = connector::run(&all, &[], WAIT);
        assert_eq!(output.code(), 0, "{output:?}");
        serde_json::from_str::<Value>(&output.stdout).unwrap()["after"].take()
    }

    /// All of each org, but for the one whose query leaves some out.
    fn must_hold_all(&self, when: &str) {
        for moved in self.moved.iter().filter(|moved| moved.name != "filtered") {
            moved.must_hold(&self.config.bootstrap, &moved.org.events(), when);
        }
    }
}

/// `since` of a checkpoint URL, in milliseconds since the Unix epoch.
fn since_of(url: &str) -> i64 {
    let url = url::Url::parse(url).unwrap();
    let since = url.query_pairs().find(|(name, _)| name == "since").unwrap().1.into_owned();
    since.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Whether an old or new query selects an event, by this test's own reading of its JSON.
fn is_selected(event: &StoredEvent, filter: &str) -> bool {
    let json: Value = serde_json::from_slice(&event.raw).unwrap();
    match filter {
        OLD_FILTER => json["eventType"].as_str().unwrap().starts_with("user."),
        _ => json["outcome"]["result"] == "SUCCESS",
    }
}

/// The line that tells the operator, which has all of these words.
fn said(worker: &Connector, connector: &str, words: &[&str]) -> String {
    let is_it = |line: &str| {
        line.contains(&format!("connector=\"{connector}\"")) && words.iter().all(|word| line.contains(word))
    };
    worker.await_log(&format!("{words:?} of {connector}"), is_it, WAIT)
}

#[test]
fn whatever_is_done_to_a_checkpoint_nothing_is_lost_or_there_twice() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    let events = prove::scale(10_000, 400);
    let mut fleet = Fleet::new(bootstrap, events);
    let first = fleet.start();

    // Beside the worker: it is fenced, and begins anew where the checkpoint says.
    let day_back = fleet.offsets(&["alter", "altered", "--since", "1d"]);
    let day_back = since_of(day_back["offsets"][0]["offset"]["checkpointUrl"].as_str().unwrap());
    let _ = fleet.offsets(&["reset", "reset"]);
    let suppresses = |worker: &Connector, name: &str, count: usize| {
        let moved = fleet.named(name);
        let is_all = |value: f64| value >= count as f64;
        let counted = worker.await_of(&moved.name, "duplicates_suppressed_total", &[], is_all, WAIT);
        assert_eq!(counted, count as f64, "suppressed of {name}");
    };
    let altered = fleet.named("altered").org.events();
    suppresses(&first, "altered", altered.iter().filter(|event| event.cursor.millis >= day_back).count());
    suppresses(&first, "reset", events + 30);
    fleet.await_caught_up(&first);
    said(&first, "altered", &["over old ground: what the topic holds already is suppressed"]);
    said(&first, "altered", &["old ground ends", "duplicates_suppressed="]);
    said(&first, "reset", &["old ground ends", &format!("duplicates_suppressed={}", events + 30)]);
    fleet.must_hold_all("after alter and reset");
    first.stop();

    // In the file.
    let key = checkpoint::key("filtered", &fleet.named("filtered").org.authority());
    let before = checkpoint::all(bootstrap, &fleet.config.offsets_topic, &key).pop().unwrap();
    let before: Value = serde_json::from_str(before.value_text()).unwrap();
    let published: jiff::Timestamp = before["published"].as_str().unwrap().parse().unwrap();
    let restarted_from = published.as_millisecond() - OVERLAP_MILLIS;
    let asked_before = fleet.named("filtered").org.events();
    let renamed = fleet.named_mut("renamed");
    renamed.name = "another-name".to_owned();
    renamed.yaml.name = "another-name".to_owned();
    fleet.named_mut("filtered").yaml.extra = vec![format!("filter: '{NEW_FILTER}'")];
    fleet.named_mut("limited").yaml.extra = vec!["limit: 40".to_owned()];
    let limited_asked = fleet.named("limited").org.request_count();
    let second = fleet.start();
    suppresses_all(&fleet, &second, "renamed", events + 30);
    said(&second, "another-name", &["starts cold at", "cold=true"]);
    said(&second, "limited", &["resumed from", "cold=false"]);
    said(&second, "another-name", &["old ground ends", &format!("duplicates_suppressed={}", events + 30)]);
    said(&second, "filtered", &["query_changed", "began again at"]);
    let of = |name: &str, metric: &str, labels: &[(&str, &str)]| second.of(&fleet.named(name).name, metric, labels);
    assert_eq!(of("filtered", "cursor_recoveries_total", &[("reason", "query_changed")]), Some(1.0));
    assert_eq!(fleet.named("limited").of(&second, "duplicates_suppressed_total"), 0.0, "a limit moves nothing");
    let limited = fleet.named("limited").org.requests();
    assert!(limited[limited_asked].target.contains("limit=40&after="), "{}", limited[limited_asked].target);
    fleet.must_hold_all("after a new name and a new limit");
    second.stop();
    let filtered = fleet.named("filtered");
    let must_hold = |since: i64| -> Vec<StoredEvent> {
        let known = asked_before.len();
        let is_there = |(place, event): &(usize, StoredEvent)| {
            (*place < known && is_selected(event, OLD_FILTER))
                || (event.cursor.millis >= since && is_selected(event, NEW_FILTER))
        };
        filtered.org.events().into_iter().enumerate().filter(is_there).map(|(_, event)| event).collect()
    };
    filtered.must_hold(bootstrap, &must_hold(restarted_from), "after another filter");
    let both = asked_before.iter().filter(|event| {
        event.cursor.millis >= restarted_from && is_selected(event, OLD_FILTER) && is_selected(event, NEW_FILTER)
    });
    let both = both.count();
    assert!(both > 10, "the overlap of {both} events proves little");

    // Another group changes nothing: its members find the same checkpoints.
    fleet.config.group_id = random_name("group");
    let third = fleet.start();
    for moved in &fleet.moved {
        assert_eq!(moved.of(&third, "duplicates_suppressed_total"), 0.0, "{} in another group", moved.name);
        said(&third, &moved.name, &["resumed from", "cold=false"]);
    }
    fleet.must_hold_all("after another group");
    third.stop();

    // Another offsets topic is a cold start of all.
    fleet.config.offsets_topic = random_name("offsets");
    let held: Vec<usize> = fleet.moved.iter().map(|moved| moved.org.event_count()).collect();
    let fourth = fleet.start();
    for (moved, held) in fleet.moved.iter().zip(&held).filter(|(moved, _)| moved.name != "filtered") {
        assert_eq!(moved.of(&fourth, "duplicates_suppressed_total"), *held as f64, "{}", moved.name);
        said(&fourth, &moved.name, &["starts cold at", "cold=true"]);
        said(&fourth, &moved.name, &["old ground ends", &format!("duplicates_suppressed={held}")]);
    }
    fleet.must_hold_all("after another offsets topic");
    fourth.stop();
    let filtered = fleet.named("filtered");
    filtered.must_hold(bootstrap, &must_hold_all_new(filtered, asked_before.len()), "after another offsets topic");

    let all: usize = fleet.moved.iter().map(|moved| moved.org.event_count()).sum();
    prove::row(
        "moved-checkpoints",
        "Rename, new group_id, new offsets topic, reset, alter back one day, changed filter, changed limit: nothing is lost and \
         nothing is there twice",
        &format!(
            "five connectors with an org of {events} events each and new ones at each start: `offsets alter --since 1d` and \
             `offsets reset` beside the worker; a new name, another filter and another limit in the file; another group; \
             another offsets topic"
        ),
        &format!(
            "0 lost, 0 twice of {all} events, counted over each whole topic after each step; each start said in the log, and in \
             duplicates_suppressed_total to the event; {both} of the overlap of the two filters not published again"
        ),
    );
}

/// What `filtered` holds when its new query was asked from 30 days back.
fn must_hold_all_new(filtered: &Moved, known: usize) -> Vec<StoredEvent> {
    let all = filtered.org.events().into_iter().enumerate();
    let is_there = |(place, event): &(usize, StoredEvent)| {
        is_selected(event, NEW_FILTER) || (*place < known && is_selected(event, OLD_FILTER))
    };
    all.filter(is_there).map(|(_, event)| event).collect()
}

fn suppresses_all(fleet: &Fleet, worker: &Connector, name: &str, count: usize) {
    let moved = fleet.named(name);
    assert_eq!(moved.of(worker, "duplicates_suppressed_total"), count as f64, "suppressed of {name}");
}
