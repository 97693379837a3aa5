//! A connector whose org was changed in the file: refused before anything is asked, while the others go on.

use std::time::{Duration, Instant};

use crate::support::checkpoint;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, utf8};
use crate::support::org::Org;
use crate::support::prove;
use crate::support::report::Report;
use crate::support::shared_broker::shared_broker;

const WAIT: Duration = Duration::from_secs(60);

/// Runs until the connector has all that its org has, and ends.
fn run_to_end(config: &ConfigYaml, org: &Org, connector: &str) {
    let worker = Connector::spawn(config, &[]);
    worker.await_caught_up(org, connector, WAIT);
    worker.stop();
}

#[test]
fn a_changed_org_is_refused_until_its_old_checkpoint_is_deleted() {
    let Some(kafka) = shared_broker() else { return };
    let (old, new, other) = (Org::with_events(120), Org::with_events(130), Org::with_events(10));
    let acme = old.connector("acme");
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme.clone()).connector(other.connector("other"));
    run_to_end(&config, &old, "acme");

    let mut changed = config.clone();
    changed.connectors[0].org = new.url().to_owned();
    changed.connectors[0].token = new.token().to_owned();
    let parts = [
        format!("`{}`", old.authority()),
        format!("none of `{}`", new.authority()),
        "another `name`".to_owned(),
        "`offsets reset acme`".to_owned(),
    ];
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let report = Report::of(&changed);
    assert_eq!((report.code, report.count("FAIL")), (1, 1), "{report}");
    report.assert("FAIL", "checkpoint of `acme`", &parts);
    report.assert("ok", "checkpoint of `other`", &["goes on"]);
    let asked = new.request_count();

    let worker = Connector::spawn(&changed, &[]);
    let line = worker.await_log("a refusal", |line| line.contains("connector failed"), WAIT);
    assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    worker.await_state("acme", "failed", WAIT);
    worker.await_caught_up(&other, "other", WAIT);
    assert_eq!(new.request_count(), asked, "the new org was asked");
    let key = |org: &Org| checkpoint::key("acme", &org.authority());
    let stored = |org: &Org| checkpoint::all(kafka.bootstrap(), &config.offsets_topic, &key(org));
    assert!(stored(&new).is_empty(), "a checkpoint of the new org");
    let last = stored(&old).pop().unwrap();

    // A position by hand is no way around it.
    let file = ConfigFile::new(&changed.render());
    let path = file.path();
    let output = connector::run(&["offsets", "alter", "acme", "--since", "1d", "--yes", "-c", utf8(&path)], &[], WAIT);
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{output:?}");
    assert!(parts.iter().all(|part| output.stderr.contains(part)), "{}", output.stderr);
    assert!(stored(&new).is_empty(), "a checkpoint of the new org");

    // What the message says to do, while the worker runs.
    let output = connector::run(&["offsets", "reset", "acme", "--yes", "-c", utf8(&path)], &[], WAIT);
    assert_eq!(output.code(), 0, "{output:?}");
    let since = Instant::now();
    worker.await_caught_up(&new, "acme", WAIT);
    let within = since.elapsed();
    assert!(within < Duration::from_secs(20), "{within:?}\n{}", worker.process().tail(40));
    assert_eq!(worker.of("acme", "events_committed_total", &[]), Some(130.0));
    assert_eq!(stored(&old).pop().unwrap().value, None);
    assert!(last.value.is_some());
    worker.stop();

    // Deleted is deleted: once more the other way, and nothing is in the way but the checkpoint of today's org.
    let report = Report::of(&config);
    report.assert("FAIL", "checkpoint of `acme`", &[&new.authority(), &format!("none of `{}`", old.authority())]);
    prove::row(
        "changed-org",
        "A connector whose org was changed in the file does not begin by chance: it is refused, and the others go on",
        "org changed; `check`; a worker; then `offsets reset` beside it",
        &format!(
            "`check` and the log name both orgs and what to do; the new org was asked nothing; another connector caught up; after the \
             reset all 130 events of the new org within {:.1} s",
            within.as_secs_f64()
        ),
    );
}

/// The old org back, or another name: the other two ways out of it.
#[test]
fn the_old_org_again_goes_on_where_it_was() {
    let Some(kafka) = shared_broker() else { return };
    let (old, new) = (Org::with_events(120), Org::with_events(130));
    let config = ConfigYaml::new(kafka.bootstrap()).connector(old.connector("acme"));
    run_to_end(&config, &old, "acme");
    old.append([&br#"{"uuid":"late","eventType":"a.b","published":"2026-11-22T00:00:00.000Z"}"#[..]]);

    let mut changed = config.clone();
    changed.connectors[0] = new.connector("acme").topic(&config.connectors[0].topic);
    let worker = Connector::spawn(&changed, &[]);
    worker.await_state("acme", "failed", WAIT);
    worker.stop();

    let worker = Connector::spawn(&config, &[]);
    let _ = worker.await_of("acme", "events_committed_total", &[], |value| value == 1.0, WAIT);
    assert!(worker.log().contains("resumed from"), "{}", worker.process().tail(20));
    worker.stop();
    changed.connectors[0].name = "new-acme".to_owned();
    run_to_end(&changed, &new, "new-acme");
}
