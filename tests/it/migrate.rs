//! docs/migrate.md: what it tells to run is run, with what other readers keep.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{Connector, PROGRAM, utf8};
use crate::support::org::Org;
use crate::support::prove;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, create_topic, read_all};

const WAIT: Duration = Duration::from_secs(60);
const GUIDE: &str = include_str!("../../docs/migrate.md");

/// The commands of a section, as they stand there.
fn commands(section: &str) -> &'static str {
    let section = GUIDE.split(&format!("\n## {section}\n")).nth(1).unwrap_or_else(|| panic!("no section {section}"));
    let block = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let next = section.find("\n## ").unwrap_or(section.len());
    assert!(section.find("```sh").unwrap() < next, "no commands in {section}");
    block
}

/// Runs shell text in `folder`, with this program and the programs of `folder` before all others.
fn shell(text: &str, folder: &Path) -> String {
    let programs = Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:{}:{}", folder.display(), programs.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh").args(["-euc", text]).current_dir(folder).env("PATH", path).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// A reader that follows `next` links in pages of 1000, from `since` on, and stores the last link in a file.
fn link_of_an_old_reader(org: &Org, file: &Path) {
    // As Logstash's plugin asks: the page size first, a time with an offset.
    let since = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(30 * 24);
    let since = since.strftime("%Y-%m-%dT%H%%3A%M%%3A%S%%2B00%%3A00");
    let first = org.next_link_of(&format!("/api/v1/logs?limit=1000&since={since}"));
    let link = org.next_link_of(first.strip_prefix(org.url()).unwrap());
    fs::write(file, format!("{link}\n")).unwrap();
}

#[test]
fn a_stored_link_is_taken_over_without_loss_or_repetition() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(1_300);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    link_of_an_old_reader(&org, &state);
    let taken = org.event_count();
    org.generate(350);
    let acme = org.connector("acme").interval("200ms");
    let topic = acme.topic.clone();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    fs::write(folder.path().join("connectors.yaml"), config.render()).unwrap();

    // Before our first start, with the offsets topic made by hand.
    let made = "--partitions 25 --config cleanup.policy=compact";
    assert!(GUIDE.contains(&format!(
        "kafka-topics.sh --bootstrap-server localhost:9092 --create --topic okta-kafka-source-offsets {made}"
    )));
    let partitions = i32::try_from(config.offsets_partitions).unwrap();
    create_topic(kafka.bootstrap(), &config.offsets_topic, partitions, &[("cleanup.policy", "compact")]);
    let command = commands("Logstash");
    let (before, rest) = command.split_once("$(cat ").unwrap();
    let (_, after) = rest.split_once(')').unwrap();
    let _ = shell(&format!("{before}$(cat {}){after}", utf8(&state)), folder.path());
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    worker.stop();
    let mut found: Vec<String> = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted)
        .iter()
        .map(|record| record.key_text().to_owned())
        .collect();
    let mut expected = org.uuids().split_off(taken);
    found.sort_unstable();
    expected.sort_unstable();
    assert!(found == expected, "{} instead of {}", found.len(), expected.len());
    prove::row(
        "migrate",
        "A `next` link that another reader stored is taken over",
        &format!(
            "the command of docs/migrate.md, with a link in pages of 1000 behind {taken} events, before the first start"
        ),
        &format!("exactly the {} events behind it are in the topic, once", found.len()),
    );
}

/// Records as kcat prints them are put in kcat's place; all else runs as it stands in the guide.
#[test]
fn the_commands_that_compare_find_what_is_lost_and_what_is_twice() {
    let folder = tempfile::tempdir().unwrap();
    let kcat = folder.path().join("kcat");
    fs::write(&kcat, "#!/bin/sh\ncat records\n").unwrap();
    fs::set_permissions(&kcat, fs::Permissions::from_mode(0o755)).unwrap();
    let now = jiff::Timestamp::now().as_millisecond();
    let hours = |hours: i64| now - hours * 3_600_000;
    // Before the window, in it, in it and twice, in it and only here, behind it.
    let ours =
        [(hours(30), "a"), (hours(20), "b"), (hours(10), "c"), (hours(10), "c"), (hours(9), "d"), (hours(1), "e")];
    let counts = |records: &[(i64, &str)], theirs: &[&str]| {
        let records: String = records.iter().map(|(time, uuid)| format!("{time} {uuid}\n")).collect();
        fs::write(folder.path().join("records"), records).unwrap();
        fs::write(folder.path().join("theirs.uuids"), theirs.join("\n") + "\n").unwrap();
        let counts = shell(commands("Verify"), folder.path());
        counts.split_whitespace().map(|count| count.parse().unwrap()).collect::<Vec<usize>>()
    };
    assert_eq!(counts(&ours, &["b", "c", "x", "y"]), [1, 2, 1]);
    assert_eq!(counts(&[ours[0], ours[1], ours[2], ours[5]], &["c", "b", "c"]), [0, 0, 0]);
}
