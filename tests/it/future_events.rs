//! Events whose `published` lies a day in the future, as where some system's clock is wrong: they say nothing of where the log is.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::shared_broker::shared_broker;
use crate::support::{checkpoint, prove};

const WAIT: Duration = Duration::from_secs(60);

/// An event of tomorrow, stored now; `number` makes its uuid.
fn of_tomorrow(org: &Org, number: u32) {
    let published = Timestamp::now() + SignedDuration::from_hours(24);
    let uuid = format!("{number:08x}-1f23-11ef-8e1e-0242ac120002");
    org.append([format!(r#"{{"uuid":"{uuid}","published":"{published:.3}","eventType":"user.session.start"}}"#)]);
}

#[test]
fn events_of_tomorrow_hide_nothing_and_are_there_once() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(0);
    // On a page of its own log's middle, and as the last one.
    org.generate(330);
    of_tomorrow(&org, 1);
    org.generate(330);
    of_tomorrow(&org, 2);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let mut config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let key = checkpoint::key("acme", &org.authority());
    let stored = checkpoint::all(kafka.bootstrap(), &config.offsets_topic, &key).pop().unwrap();
    let stored: serde_json::Value = serde_json::from_str(stored.value_text()).unwrap();
    let published: Timestamp = stored["published"].as_str().unwrap().parse().unwrap();
    assert!(published <= Timestamp::now(), "a position in the future: {stored}");
    // Where it is lost, what was stored since then is younger than the position all the same.
    org.lose_cursors();
    org.generate(120);
    worker.await_caught_up(&org, "acme", WAIT);
    assert_eq!(worker.of("acme", "cursor_recoveries_total", &[("reason", "cursor_refused")]), Some(1.0));
    worker.stop();
    let difference = Difference::must_be_none(kafka.bootstrap(), &topic, &org, "lost behind an event of tomorrow");
    // Whoever knows nothing of the last pages meets them in the topic.
    config.connectors[0].name = "renamed".to_owned();
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "renamed", WAIT);
    let suppressed = worker.of("renamed", "duplicates_suppressed_total", &[]).unwrap();
    worker.stop();
    let renamed = Difference::must_be_none(kafka.bootstrap(), &topic, &org, "renamed");
    assert_eq!(suppressed, org.event_count() as f64);
    prove::row(
        "future-events",
        "An event with a `published` in the future hides none behind it, and is there once as any other",
        "one of tomorrow in the middle of the log, another as its last; the cursor lost behind that one; then another name for the \
         connector",
        &format!("{difference} after the recovery, {renamed} after the new name, with {suppressed} suppressed"),
    );
}
