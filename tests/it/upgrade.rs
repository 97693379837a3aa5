//! docs/upgrade.md: another build of the program takes over, and back, while events come: nothing lost, nothing twice.
//!
//! `OKS_OLD_PROGRAM` names the other build, as one of an earlier commit; without it, it is this one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, PROGRAM, utf8};
use crate::support::exactly_once::Difference;
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, create_topic, random_name, read_all};
use crate::support::{python, snapshot};

const WAIT: Duration = Duration::from_secs(60);

/// How a worker makes room for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// SIGTERM, then the next one, as `Recreate` does.
    Recreate,
    /// kill -9, then the next one.
    Kill9,
    /// The next one is there first, as with `RollingUpdate`.
    Rolling,
}

/// What `offsets get` of this build says.
fn checkpoint(program: &Path, config: &ConfigYaml) -> String {
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    let output = connector::run_program(program, &["offsets", "get", "acme", "-c", utf8(&path)], WAIT);
    assert_eq!(output.code(), 0, "{output:?}");
    output.stdout
}

#[test]
fn another_build_takes_over_and_back() {
    let Some(kafka) = shared_broker() else { return };
    let old = std::env::var_os("OKS_OLD_PROGRAM").map_or_else(|| PathBuf::from(PROGRAM), PathBuf::from);
    let new = PathBuf::from(PROGRAM);
    let events = prove::scale(5_000, 300);
    let org = Org::with_events(2 * events);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let mut worker = Connector::spawn_program(&old, &config, &[]);
    let mut changes = 0;
    // Up and down in each way; the first change is in the middle of the backlog.
    let _ = worker.await_of("acme", "events_committed_total", &[], |value| value >= 100.0, WAIT);
    // After a kill -9 the group waits for the session of the dead, 10 s.
    let changes_to_try: &[Change] =
        prove::scale(&[Change::Recreate, Change::Kill9, Change::Rolling], &[Change::Recreate, Change::Rolling]);
    for change in changes_to_try.iter().copied() {
        for next in [&new, &old] {
            match change {
                Change::Recreate => worker.stop(),
                Change::Kill9 => worker.kill9(),
                Change::Rolling => {}
            }
            let started = Connector::spawn_program(next, &config.second_worker(), &[]);
            org.generate(events);
            if change == Change::Rolling {
                // Ready first, as a rollout wants it; then the other one goes.
                let _ = started.await_http("/readyz", 200, WAIT);
                worker.stop();
            }
            worker = started;
            org.generate(events);
            worker.await_caught_up(&org, "acme", WAIT);
            let difference = Difference::of_topic(kafka.bootstrap(), &topic, &org);
            assert!(
                difference.is_none(),
                "{change:?} to {}: {difference}\n{}",
                next.display(),
                worker.process().tail(40)
            );
            changes += 1;
            if change == Change::Rolling && !prove::full() {
                break;
            }
        }
    }
    worker.stop();
    assert_eq!(checkpoint(&old, &config), checkpoint(&new, &config));
    prove::row(
        "upgrade",
        "Another build of the program takes over and back while events come",
        &format!(
            "{changes} changes up and down: SIGTERM, kill -9, and one beside the other; the other build is {}",
            if old == new { "this one" } else { "an earlier one" }
        ),
        &format!("{} events, each once for a read_committed reader", org.event_count()),
    );
}

/// What `jq -r .a.b` gives of objects, one a line; the tests need no jq.
const JQ: &str = r#"
import functools, json, sys
for line in sys.stdin:
    print(functools.reduce(lambda value, name: value[name], sys.argv[2].strip(".").split("."), json.loads(line)))
"#;

/// The guide's lines for another cluster, which here is another offsets topic and another data topic of the same one.
#[test]
fn checkpoints_are_carried_over() {
    let Some(kafka) = shared_broker() else { return };
    let Some(python) = python::there() else { return };
    // Of one seed they would have the same events.
    let other = SimulatorConfig { events: 130, seed: 2, ..SimulatorConfig::default() };
    let orgs = [Org::with_events(250), Org::start(other)];
    let config = |topic: &str| {
        let connectors =
            orgs.iter().zip(["acme", "beta"]).map(|(org, name)| org.connector(name).topic(topic).interval("200ms"));
        connectors.fold(ConfigYaml::new(kafka.bootstrap()), ConfigYaml::connector)
    };
    let (old, new) = (config(&random_name("old")), config(&random_name("new")));
    let worker = Connector::spawn(&old, &[]);
    worker.await_caught_up(&orgs[0], "acme", WAIT);
    worker.await_caught_up(&orgs[1], "beta", WAIT);
    worker.stop();
    let known: Vec<usize> = orgs.iter().map(|org| org.event_count()).collect();

    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("old.yaml", &old.render());
    write("jq", &format!("#!{}{JQ}", python.display()));
    fs::set_permissions(folder.path().join("jq"), fs::Permissions::from_mode(0o755)).unwrap();
    let partitions = i32::try_from(new.offsets_partitions).unwrap();
    create_topic(kafka.bootstrap(), &new.offsets_topic, partitions, &[("cleanup.policy", "compact")]);
    let guide = fs::read_to_string(snapshot::path("../../docs/upgrade.md")).unwrap();
    let section = guide.split("## Another cluster").nth(1).unwrap();
    let script = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(script.contains("-c old.yaml | while"), "{script}");
    let programs = Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:{}:{}", folder.path().display(), programs.display(), std::env::var("PATH").unwrap());
    let carry_over = |config: &ConfigYaml| {
        write("new.yaml", &config.render());
        Command::new("sh").args(["-euc", script]).current_dir(&folder).env("PATH", &path).output().unwrap()
    };
    // One that is left behind is told, and hinders no other.
    let mut without_acme = new.clone();
    let _ = without_acme.connectors.remove(0);
    let done = carry_over(&without_acme);
    assert!(!done.status.success());
    assert!(String::from_utf8_lossy(&done.stderr).contains("NOT carried over: acme\n"), "{done:?}");
    let difference = String::from_utf8_lossy(&done.stdout).lines().filter(|line| line.starts_with("< http")).count();
    assert_eq!(difference, 1, "{done:?}");
    let done = carry_over(&new);
    assert!(done.status.success(), "{done:?}");
    assert!(!String::from_utf8_lossy(&done.stdout).contains("<"), "{done:?}");

    orgs.iter().for_each(|org| org.generate(120));
    let worker = Connector::spawn(&new, &[]);
    worker.await_caught_up(&orgs[0], "acme", WAIT);
    worker.await_caught_up(&orgs[1], "beta", WAIT);
    worker.stop();
    let expected: Vec<String> = orgs.iter().zip(known).flat_map(|(org, known)| org.uuids().split_off(known)).collect();
    let records = read_all(kafka.bootstrap(), &new.connectors[0].topic, Isolation::ReadCommitted);
    let difference = Difference::between(expected.iter().map(String::as_str), &records);
    assert!(difference.is_none(), "{difference}");
}
