//! What an operator chose, or has to know, of a lost cursor and a changed query: `on_lost_cursor: fail`, `on_query_change: fail`,
//! and a link whose `since` Okta no longer takes, behind which events are missing for good.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use okta_kafka_source::simulator::SimulatorConfig;
use serde_json::Value;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, utf8};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, create_topic, read_all};
use crate::support::{checkpoint, java_partitioner, producers, prove};

const WAIT: Duration = Duration::from_secs(60);

/// Two connectors in one process: `acme` fails, as it was told to, and `other` goes on.
#[test]
fn a_connector_that_is_to_fail_fails_alone_and_moves_nothing() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    let (org, other_org) = (Org::with_events(450), Org::with_events(100));
    let acme = org.connector("acme").interval("200ms").extra("on_lost_cursor: fail").extra("on_query_change: fail");
    let other = other_org.connector("other").interval("200ms");
    let (topic, other_topic) = (acme.topic.clone(), other.topic.clone());
    let mut config = ConfigYaml::new(bootstrap).connector(acme).connector(other);
    let key = checkpoint::key("acme", &org.authority());
    let first = Connector::spawn(&config, &[]);
    first.await_caught_up(&org, "acme", WAIT);
    let stored = checkpoint::all(bootstrap, &config.offsets_topic, &key);
    let records = read_all(bootstrap, &topic, Isolation::ReadCommitted).len();

    org.lose_cursors();
    org.generate(40);
    first.await_state("acme", "failed", WAIT);
    let line = failed(&first, "acme");
    for part in ["'after': must be a valid value", "on_lost_cursor", "offsets alter"] {
        assert!(line.contains(part), "`{part}` is not in: {line}");
    }
    other_org.generate(40);
    first.await_caught_up(&other_org, "other", WAIT);
    let of = |metric: &str, labels: &[(&str, &str)]| first.of("acme", metric, labels);
    assert_eq!(of("cursor_recoveries_total", &[("reason", "cursor_refused")]), Some(0.0));
    assert_eq!(checkpoint::all(bootstrap, &config.offsets_topic, &key), stored, "the checkpoint moved");
    assert_eq!(read_all(bootstrap, &topic, Isolation::ReadCommitted).len(), records);
    first.stop();

    // Another query, which is seen before anything is asked.
    config.connectors[0].extra.push("filter: 'eventType sw \"user.\"'".to_owned());
    let asked = org.request_count();
    let second = Connector::spawn(&config, &[]);
    second.await_state("acme", "failed", WAIT);
    let line = failed(&second, "acme");
    for part in ["`filter`", "on_query_change", "offsets alter"] {
        assert!(line.contains(part), "`{part}` is not in: {line}");
    }
    other_org.generate(40);
    second.await_caught_up(&other_org, "other", WAIT);
    assert_eq!(org.request_count(), asked, "it was asked for another query");
    assert_eq!(checkpoint::all(bootstrap, &config.offsets_topic, &key), stored, "the checkpoint moved");
    second.stop();

    // What the messages say mends both: the old query, and a position that Okta knows.
    let _ = config.connectors[0].extra.pop();
    let third = Connector::spawn(&config, &[]);
    third.await_state("acme", "failed", WAIT);
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    let altered = ["offsets", "alter", "acme", "--since", "20d", "-c", utf8(&path)];
    let output = connector::run(&altered, &[], WAIT);
    assert_eq!(output.code(), 0, "{output:?}");
    third.await_caught_up(&org, "acme", WAIT);
    third.stop();
    let difference = Difference::must_be_none(bootstrap, &topic, &org, "mended by hand");
    let other = Difference::must_be_none(bootstrap, &other_topic, &other_org, "nothing was wrong with it");
    prove::row(
        "recovery-refused",
        "`on_lost_cursor: fail` and `on_query_change: fail` stop that connector alone, and move nothing",
        "a cursor lost; then another `filter` in the file; another connector in the same process; at last `offsets alter` and the old \
         `filter`",
        &format!(
            "failed with what to do, no commit, no request for another query; then {difference}; the other one {other}"
        ),
    );
}

/// The line of a connector's failure.
fn failed(worker: &Connector, connector: &str) -> String {
    let is_it = |line: &str| line.contains("connector failed") && line.contains(&format!("connector=\"{connector}\""));
    worker.await_log("why it failed", is_it, WAIT)
}

/// A worker that stood still for half a year: its link is refused, and events are gone that it never asked for.
#[test]
fn a_link_that_is_half_a_year_old_is_left_with_the_hole_on_record() {
    let Some(kafka) = shared_broker() else { return };
    let bootstrap = kafka.bootstrap();
    // (how old the link's `since` is, how old the last event, whether events behind that are gone)
    for (since_days, published_days, has_hole) in [(200, 120, true), (200, 2, false)] {
        let org = Org::start(SimulatorConfig { events: 600, ..SimulatorConfig::default() });
        let acme = org.connector("acme").interval("200ms");
        let topic = acme.topic.clone();
        let config = ConfigYaml::new(bootstrap).connector(acme);
        create_topic(bootstrap, &config.offsets_topic, 4, &[("cleanup.policy", "compact")]);
        let now = Timestamp::now();
        let ago = |days: i64| now - SignedDuration::from_hours(24 * days);
        let since = format!("{:.3}", ago(since_days)).replace(':', "%3A");
        let published = format!("{:.3}", ago(published_days));
        let after = format!("{}_1", ago(published_days).as_millisecond());
        let url = format!("{}/api/v1/logs?since={since}&limit=100&after={after}", org.url());
        let key = checkpoint::key("acme", &org.authority());
        let last = (published.as_str(), "bc3ee9e0-1f23-11ef-8e1e-0242ac120002");
        let shard = java_partitioner::partition(key.as_bytes(), 4);
        producers::write(bootstrap, &config.offsets_topic, shard, &key, &checkpoint::value(&url, Some(last)));

        let worker = Connector::spawn(&config, &[]);
        worker.await_caught_up(&org, "acme", WAIT);
        let recovered = [("reason", "since_too_old")];
        assert_eq!(worker.of("acme", "cursor_recoveries_total", &recovered), Some(1.0), "{since_days}");
        let is_it = |line: &str| line.contains("since_too_old") && line.contains("connector=\"acme\"");
        let line = worker.await_log("that it recovered", is_it, WAIT);
        let file = ConfigFile::new(&config.render());
        let got = connector::run(&["offsets", "get", "acme", "-c", utf8(&file.path())], &[], WAIT);
        let got: Value = serde_json::from_str(&got.stdout).unwrap();
        let offset = &got["offsets"][0]["offset"];
        let hole = [&offset["missingFrom"], &offset["missingUntil"]].map(|time| time.as_str().map(str::to_owned));
        if has_hole {
            let [Some(from), Some(until)] = &hole else { panic!("no hole in {offset}") };
            // Late events of the overlap before the last one may be missing as well.
            let overlap = published.parse::<Timestamp>().unwrap().duration_since(from.parse().unwrap());
            assert!((0..=600).contains(&overlap.as_secs()), "{offset}");
            let off = until.parse::<Timestamp>().unwrap().duration_since(ago(90));
            assert!(off.abs() < SignedDuration::from_mins(2), "{offset}");
            let told = ["missing_from", "missing_until"].map(|name| time_field(&line, name));
            assert_eq!(told, [from, until].map(|time| time.parse().ok()), "{line}");
        } else {
            assert_eq!(hole, [None, None], "{offset}");
        }
        worker.stop();
        // Everything that Okta still had, behind the overlap.
        let begun = ago(published_days).as_millisecond() - 10 * 60 * 1000;
        let events = org.events();
        let expected = events.iter().filter(|event| event.cursor.millis >= begun);
        let records = read_all(bootstrap, &topic, Isolation::ReadCommitted);
        let difference = Difference::between(expected.map(|event| event.uuid.as_deref().unwrap()), &records);
        assert!(difference.is_none(), "{since_days} days: {difference}");
        if has_hole {
            let [from, until] = hole.map(Option::unwrap_or_default);
            prove::row(
                "since-too-old",
                "A checkpoint that stood still for over 180 days goes on where Okta still has events, and says what is missing",
                "a stored link with a `since` of 200 days ago, and a last event of 120 days ago",
                &format!(
                    "{difference} of {} events that Okta still had; missing from {from} until {until}, in the log and in `offsets get`",
                    records.len()
                ),
            );
        }
    }
}

/// A time that a log line has as a field.
fn time_field(line: &str, name: &str) -> Option<Timestamp> {
    line.split_once(&format!(" {name}=\""))?.1.split('"').next()?.parse().ok()
}
