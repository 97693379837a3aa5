//! The ad hoc queries of Okta's guide, as the README writes them.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::query::config;
use crate::support::org::Org;

/// The commands of the README's section, in order.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = readme.split("\n## Ad hoc queries\n").nth(1).expect("the section");
    let block = section.split("```bash\n").nth(1).and_then(|rest| rest.split("```").next()).expect("its commands");
    block.lines().filter(|line| line.starts_with("okta-kafka-source query ")).map(str::to_owned).collect()
}

/// Runs a command of the README where `okta-kafka-source` and `connectors.yaml` are ours; gives the uuids.
fn run(org: &Org, command: &str) -> Vec<String> {
    let file = config(org);
    let folder = file.path().parent().unwrap().to_owned();
    fs::copy(file.path(), folder.join("connectors.yaml")).unwrap();
    let command = command.replace("okta-kafka-source", concat!("'", env!("CARGO_BIN_EXE_okta-kafka-source"), "'"));
    let output = Command::new("bash").args(["-c", &command]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["uuid"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_guide_s_ad_hoc_queries_are_the_readme_s_commands() {
    let commands = commands();
    assert_eq!(commands.len(), 2, "{commands:?}");
    let now = jiff::Timestamp::now();
    // Six days of events of one type by one user: 1,250 of them, oldest first.
    let event = |n: i64| {
        let published = now - jiff::SignedDuration::from_secs(6 * 86_400 - n * 400);
        format!(
            r#"{{"actor":{{"alternateId":"john.doe"}},"eventType":"user.session.start","published":"{published:.3}","uuid":"u-{n}"}}"#
        )
    };
    for (events, pages) in [(0, [1, 1]), (250, [3, 3]), (1000, [10, 10]), (1250, [13, 10])] {
        let org = Org::with_events(0);
        // Between any two of them one that neither command asks for.
        let other = |n: i64| event(n).replace("start", "end").replace("john", "jane").replace("u-", "other-");
        org.append((0..events).flat_map(|n| [event(n), other(n)]));
        let all: Vec<String> = (0..events).map(|n| format!("u-{n}")).collect();
        let newest: Vec<String> = all.iter().rev().take(1000).cloned().collect();
        for (command, expected, pages, filter) in [
            (&commands[0], all, pages[0], "filter=eventType%20eq%20%22user.session.start%22"),
            (&commands[1], newest, pages[1], "filter=actor.alternateId%20eq%20%22john.doe%22&sortOrder=DESCENDING"),
        ] {
            let before = org.request_count();
            assert_eq!(run(&org, command), expected, "{command}");
            assert_eq!(org.request_count() - before, pages, "no page more than needed: {events} events, {command}");
            assert!(org.requests()[before].target.contains(filter), "{}", org.requests()[before].target);
        }
    }
}
