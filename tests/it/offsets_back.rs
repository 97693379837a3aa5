//! `offsets alter` and `offsets reset` that go back: what the topic holds already is suppressed, unless it is wanted twice.

use std::collections::HashMap;
use std::time::Duration;

use okta_kafka_source::simulator::SimulatorConfig;
use serde_json::{Value, json};

use crate::support::checkpoint;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, Output, utf8};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::{SharedKafka, shared_broker};
use crate::support::topics::{Isolation, alter_topic, read_all};

const WAIT: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// So many events over six days.
const EVENTS: usize = 3_000;

/// An org, a connector of it, and how often each event should be in the topic.
struct Ground {
    kafka: &'static SharedKafka,
    org: Org,
    config: ConfigYaml,
    expected: HashMap<String, usize>,
}

impl Ground {
    fn new() -> Option<Self> {
        let kafka = shared_broker()?;
        let org = Org::start(SimulatorConfig { events: EVENTS, backlog_span: 6 * DAY, ..SimulatorConfig::default() });
        let config = ConfigYaml::new(kafka.bootstrap()).connector(org.connector("acme"));
        let expected = org.uuids().into_iter().map(|uuid| (uuid, 1)).collect();
        Some(Self { kafka, org, config, expected })
    }

    /// `offsets <command> acme <arguments>`.
    fn offsets(&self, arguments: &[&str]) -> Output {
        let file = ConfigFile::new(&self.config.render());
        let path = file.path();
        let (command, arguments) = arguments.split_first().unwrap();
        let all: Vec<&str> =
            ["offsets", command, "acme"].iter().chain(arguments).copied().chain(["-c", utf8(&path)]).collect();
        connector::run(&all, &[], WAIT)
    }

    /// The same, which must be done, and say all this.
    fn changed(&self, arguments: &[&str], says: &[&str]) -> Value {
        let output = self.offsets(arguments);
        assert_eq!(output.code(), 0, "{output:?}");
        assert!(says.iter().all(|part| output.stderr.contains(part)), "{says:?}: {}", output.stderr);
        let printed: Value = serde_json::from_str(&output.stdout).unwrap();
        printed.pointer("/after/offsets/0/offset").cloned().unwrap_or_default()
    }

    /// The uuids of what was stored by the org within the last day or so, by the answers that came since `asked` requests.
    fn served_since(&self, asked: usize) -> usize {
        self.org.requests()[asked..].iter().map(|request| request.events).sum()
    }

    fn must_be_as_expected(&self, when: &str) {
        let mut found: HashMap<String, usize> = HashMap::new();
        for record in read_all(self.kafka.bootstrap(), &self.config.connectors[0].topic, Isolation::ReadCommitted) {
            *found.entry(record.key_text().to_owned()).or_default() += 1;
        }
        let wrong = self.expected.iter().filter(|(uuid, count)| found.get(*uuid) != Some(*count)).count();
        assert!(
            wrong == 0 && found.len() == self.expected.len(),
            "{wrong} events are not there as often as expected; {when}"
        );
    }

    /// The last stored record.
    fn stored(&self) -> Value {
        let key = checkpoint::key("acme", &self.org.authority());
        let last = checkpoint::all(self.kafka.bootstrap(), &self.config.offsets_topic, &key).pop().unwrap();
        last.value.map_or(Value::Null, |value| serde_json::from_slice(&value).unwrap())
    }

    /// New events end what was still open: after them the record has its five members, and no other.
    fn go_on(&mut self, worker: &Connector) {
        let before = self.org.event_count();
        self.org.generate(20);
        self.expected.extend(self.org.uuids().into_iter().skip(before).map(|uuid| (uuid, 1)));
        worker.await_caught_up(&self.org, "acme", WAIT);
        let stored = self.stored();
        assert_eq!(stored.as_object().unwrap().len(), 5, "{stored}");
    }
}

/// The lines that tell the operator of the start over old ground: that it is one, and at its end how much was left out.
fn told(worker: &Connector, left_out: usize) {
    let _ = worker.await_log(
        "over old ground",
        |line| line.contains("over old ground: what the topic holds already is suppressed"),
        WAIT,
    );
    let count = format!("duplicates_suppressed={left_out}");
    let ends = |line: &str| line.contains("old ground ends: ") && line.split_whitespace().any(|field| field == count);
    let _ = worker.await_log(&count, ends, WAIT);
}

fn says_nothing_of_old_ground(worker: &Connector) {
    assert!(!worker.log().contains("old ground"), "{}", worker.process().tail(40));
}

fn suppressed(worker: &Connector) -> f64 {
    worker.of("acme", "duplicates_suppressed_total", &[]).unwrap_or_default()
}

#[test]
fn what_the_topic_holds_is_not_there_twice_beside_a_running_worker() {
    let Some(mut ground) = Ground::new() else { return };
    let worker = Connector::spawn(&ground.config, &[]);
    worker.await_caught_up(&ground.org, "acme", WAIT);
    ground.must_be_as_expected("before anything");
    assert_eq!(suppressed(&worker), 0.0);
    says_nothing_of_old_ground(&worker);
    alter_topic(ground.kafka.bootstrap(), &ground.config.connectors[0].topic, &[("retention.ms", "7776000000")]);

    // Back by a day, with no word of consent.
    let asked = ground.org.request_count();
    let says = [
        "goes back by",
        "asked for again",
        "are suppressed",
        "keeps 90.0 days",
        "has deleted is published again",
        "it goes on from there, over old ground",
    ];
    let after = ground.changed(&["alter", "--since", "1d"], &says);
    assert!(after["suppressUntil"].is_string() && after["uuid"].is_null(), "{after}");
    worker.await_caught_up(&ground.org, "acme", WAIT);
    let of_a_day = ground.served_since(asked);
    assert!((EVENTS / 12..EVENTS / 3).contains(&of_a_day), "{of_a_day} events of a day");
    assert_eq!(suppressed(&worker), of_a_day as f64);
    ground.must_be_as_expected("altered back by a day");
    told(&worker, of_a_day);
    ground.go_on(&worker);

    // All of it: what was a question, and what scripts say yes to, is none.
    let says = [
        "a cold start begins at `since`",
        "goes back by 30.0 days",
        "are suppressed",
        "`--yes` was not needed",
        "it starts cold, at `since`, over old ground",
    ];
    let after = ground.changed(&["reset", "--yes"], &says);
    assert!(after.is_null(), "{after}");
    let all = (of_a_day + ground.org.event_count()) as f64;
    let _ = worker.await_of("acme", "duplicates_suppressed_total", &[], |value| value >= all, WAIT);
    worker.await_caught_up(&ground.org, "acme", WAIT);
    assert_eq!(suppressed(&worker), all);
    ground.must_be_as_expected("reset");
    told(&worker, ground.org.event_count());
    ground.go_on(&worker);
    worker.stop();
    prove::row(
        "offsets-back",
        "`offsets alter` back by a day and `offsets reset`, beside a running worker: what the topic holds is suppressed, without a question",
        &format!("{EVENTS} events over 6 days; back by a day; then a cold start 30 days back"),
        &format!(
            "0 lost, 0 twice; {of_a_day} events suppressed, then {}; afterwards the record has its five members again",
            all - of_a_day as f64
        ),
    );
}

#[test]
fn what_the_topic_holds_is_not_there_twice_after_a_stop_and_what_it_lacks_is_published() {
    let Some(mut ground) = Ground::new() else { return };
    let worker = Connector::spawn(&ground.config, &[]);
    worker.await_caught_up(&ground.org, "acme", WAIT);
    worker.stop();

    // Forwards, which loses what is new: that it has to be wanted is as it was, and another option does not say it.
    ground.org.generate(50);
    let stored = ground.stored();
    for (arguments, says) in [
        (
            &["alter", "--since", "now"][..],
            &["goes forward by", "never will be", "nothing was written", "add `--yes`"][..],
        ),
        (&["alter", "--since", "now", "--allow-duplicates"], &["never will be", "`--yes`", "is not for what is lost"]),
    ] {
        let output = ground.offsets(arguments);
        assert_eq!((output.code(), output.stdout.as_str()), (2, ""), "{output:?}");
        assert!(says.iter().all(|part| output.stderr.contains(part)), "{says:?}: {}", output.stderr);
    }
    assert_eq!(ground.stored(), stored, "nothing was written");
    let _ = ground.changed(&["alter", "--since", "now", "--yes"], &["goes forward by"]);
    let worker = Connector::spawn(&ground.config, &[]);
    worker.await_caught_up(&ground.org, "acme", WAIT);
    ground.must_be_as_expected("50 events were left out");
    worker.stop();

    // Back again: what was left out is published, and nothing else.
    ground.expected = ground.org.uuids().into_iter().map(|uuid| (uuid, 1)).collect();
    let asked = ground.org.request_count();
    let _ = ground.changed(&["alter", "--since", "1d", "--yes"], &["are suppressed"]);
    let worker = Connector::spawn(&ground.config, &[]);
    worker.await_caught_up(&ground.org, "acme", WAIT);
    let _ = Difference::must_be_none(
        ground.kafka.bootstrap(),
        &ground.config.connectors[0].topic,
        &ground.org,
        "altered back over what was left out",
    );
    let served = ground.served_since(asked);
    assert_eq!(suppressed(&worker), (served - 50) as f64);
    told(&worker, served - 50);
    ground.go_on(&worker);
    worker.stop();

    // Reset while nobody runs it.
    let _ = ground.changed(&["reset"], &["are suppressed"]);
    assert_eq!(ground.stored(), Value::Null);
    let worker = Connector::spawn(&ground.config, &[]);
    worker.await_caught_up(&ground.org, "acme", WAIT);
    ground.must_be_as_expected("reset while it was stopped");
    assert_eq!(suppressed(&worker), ground.org.event_count() as f64);
    ground.go_on(&worker);
    worker.stop();
}

#[test]
fn duplicates_are_there_where_they_are_asked_for() {
    let Some(mut ground) = Ground::new() else { return };
    let worker = Connector::spawn(&ground.config, &[]);
    worker.await_caught_up(&ground.org, "acme", WAIT);
    let asked = ground.org.request_count();
    let says = [
        "goes back by",
        "published again",
        "there twice",
        "as `--allow-duplicates` asks",
        "is published again, this once",
    ];
    let after = ground.changed(&["alter", "--since", "1d", "--allow-duplicates"], &says);
    assert_eq!((&after["allowDuplicates"], after.get("suppressUntil")), (&json!(true), None), "{after}");
    worker.await_caught_up(&ground.org, "acme", WAIT);
    let again = ground.served_since(asked);
    let uuids = ground.org.uuids();
    for uuid in &uuids[EVENTS - again..] {
        *ground.expected.get_mut(uuid).unwrap() += 1;
    }
    ground.must_be_as_expected("altered back by a day, duplicates allowed");
    assert_eq!(suppressed(&worker), 0.0);
    says_nothing_of_old_ground(&worker);
    let twice = |line: &&str| line.contains("published again, as `--allow-duplicates` asked");
    assert_eq!(worker.log().lines().filter(twice).count(), 1, "{}", worker.process().tail(40));
    let stored = ground.stored();
    assert_eq!(stored.as_object().unwrap().len(), 5, "the mark is for one start: {stored}");
    worker.stop();

    // A tombstone can carry no mark: the record that the cold start would begin with takes its place.
    let after = ground.changed(&["reset", "--allow-duplicates"], &["a cold start begins at `since`", "there twice"]);
    assert_eq!((&after["allowDuplicates"], &after["uuid"]), (&json!(true), &Value::Null), "{after}");
    let url = after["checkpointUrl"].as_str().unwrap();
    assert!(url.contains("since=") && !url.contains("after="), "{url}");
    let worker = Connector::spawn(&ground.config, &[]);
    worker.await_caught_up(&ground.org, "acme", WAIT);
    for uuid in &uuids {
        *ground.expected.get_mut(uuid).unwrap() += 1;
    }
    ground.must_be_as_expected("reset, duplicates allowed");
    ground.go_on(&worker);
    worker.stop();

    // Of a name that is in the offsets topic alone nobody knows where it would begin.
    let mut renamed = ground.config.clone();
    renamed.connectors[0].name = "new-acme".to_owned();
    std::mem::swap(&mut renamed, &mut ground.config);
    let stored = ground.stored();
    let output = ground.offsets(&["reset", "--allow-duplicates", "--yes"]);
    assert_eq!((output.code(), output.stdout.as_str()), (2, ""), "{output:?}");
    let says = ["only in the offsets topic", "can carry no mark", "leave the option out"];
    assert!(says.iter().all(|part| output.stderr.contains(part)), "{}", output.stderr);
    let output = ground.offsets(&["reset"]);
    assert_eq!((output.code(), output.stdout.as_str()), (2, ""), "{output:?}");
    assert!(output.stderr.contains("it is not in the file") && output.stderr.contains("`--yes`"), "{}", output.stderr);
    assert_eq!(ground.stored(), stored, "nothing was written");
    prove::row(
        "offsets-allow-duplicates",
        "`--allow-duplicates` publishes again what the topic holds, once, and only where it is asked for",
        &format!(
            "{EVENTS} events; `offsets alter` back by a day beside a running worker, then `offsets reset` while it is stopped"
        ),
        &format!(
            "exactly the {again} events of the day twice, then each once more; the mark is gone with the first commit"
        ),
    );
}
