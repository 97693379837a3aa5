//! What `query` makes of its results: text, files and what a terminal shows; and what is left when it ends early.

use std::cell::Cell;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use okta_kafka_source::simulator::FaultKind;
use serde_json::Value;
use tempfile::TempDir;

use crate::query::{config, query};
use crate::support::connector::{self, utf8};
use crate::support::org::Org;
use crate::support::process::{Process, Stream};
use crate::support::terminal;

const WAIT: Duration = Duration::from_secs(30);

fn event(uuid: &str, actor: &str) -> String {
    format!(
        r#"{{"actor":{{"alternateId":{},"displayName":"A"}},"eventType":"user.session.start","outcome":{{"result":"FAILURE"}},"published":"{:.3}","severity":"WARN","uuid":"{uuid}","client":{{"ipAddress":"192.0.2.7"}},"target":[{{"alternateId":"app","displayName":"x"}},{{"alternateId":null,"displayName":"y"}}]}}"#,
        Value::from(actor),
        jiff::Timestamp::now() - jiff::SignedDuration::from_secs(60)
    )
}

#[test]
fn csv_has_the_columns_that_are_asked_for() {
    let org = Org::with_events(0);
    org.append([event("u-1", "=HYPERLINK(\"http://x\",\"y\")"), event("u-2", "a, \"b\"")]);
    let output = query(
        &org,
        &["-o", "csv", "--columns", "uuid,actor.alternateId,/outcome/result,target.0.displayName,target.displayName"],
    );
    let expected = "uuid,actor.alternateId,/outcome/result,target.0.displayName,target.displayName\r\n\
                    u-1,\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\",FAILURE,x,x; y\r\n\
                    u-2,\"a, \"\"b\"\"\",FAILURE,x,x; y\r\n";
    // Lines are read without their ends.
    assert_eq!(output.stdout, expected.replace("\r\n", "\n"), "{output:?}");
    assert!(!output.stderr.contains("warning"), "{output:?}");
    let slip = query(&org, &["-o", "csv", "--columns", "uuid,actor.alternateID"]);
    assert!(
        slip.stderr.contains("warning: --columns: empty in all of these events: `actor.alternateID`\n"),
        "{slip:?}"
    );
    let default = query(&org, &["-o", "csv"]);
    assert!(default.stdout.starts_with("published,severity,eventType,"), "{default:?}");
    assert_eq!(query(&org, &["-o", "csv", "--until", "1h"]).stdout.lines().count(), 1, "the header alone");
    let refused = query(&org, &["--columns", "uuid"]);
    assert!(refused.code() == 2 && refused.stderr.contains("--output csv"), "{refused:?}");
}

#[test]
fn a_terminal_gets_a_table_of_its_width_that_nobody_else_steers() {
    let org = Org::with_events(30);
    org.append([
        event("u-1", "evil\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}gro"),
        event("u-2", "日本語の名前日本語の名前日本語の名前@example.com"),
    ]);
    let file = config(&org);
    let path = file.path();
    for columns in [60_u16, 100, 200] {
        let shown = terminal::run(&["query", "acme", "-c", utf8(&path), "--sort-order", "descending"], columns);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        let lines = terminal::lines(&shown.text);
        let header = lines.iter().position(|line| line.starts_with("TIME (UTC)")).expect("a header");
        let rows: Vec<&String> = lines[header + 1..].iter().filter(|line| line.starts_with("20")).collect();
        assert_eq!(rows.len(), 32, "{lines:#?}");
        let width =
            |text: &str| text.chars().map(|c| if ('\u{3000}'..'\u{a000}').contains(&c) { 2 } else { 1 }).sum::<usize>();
        assert!(rows.iter().all(|row| width(row) <= usize::from(columns)), "{columns}: {lines:#?}");
        assert_eq!(lines[header].contains("TARGET"), columns > 60, "{lines:#?}");
        assert!(lines.iter().any(|line| line.starts_with("32 events in 1 page")), "{lines:#?}");
        for steering in ["\u{1b}]", "\u{9b}", "\u{7}", "\u{202e}"] {
            assert!(!shown.text.contains(steering), "{steering:?}");
        }
    }
    // Nothing is cut where nothing limits it, also of later pages.
    let whole = query(&org, &["-o", "table", "--limit", "10"]).stdout;
    assert!(whole.contains("日本語の名前日本語の名前日本語の名前@example.com") && !whole.contains('…'), "{whole}");
    // Also as it came from Okta.
    for format in ["ndjson", "json", "csv"] {
        let shown = terminal::run(&["query", "acme", "-c", utf8(&path), "-o", format], 100).text;
        assert!(shown.contains("owned") && !shown.contains("\u{1b}]0") && !shown.contains('\u{9b}'), "{shown}");
    }
    // What goes on is shown meanwhile.
    org.inject(FaultKind::Http500);
    org.inject(FaultKind::RateLimit);
    let shown = terminal::run(&["query", "acme", "-c", utf8(&path), "--limit", "10"], 100).text;
    assert!(shown.contains("asking") && shown.contains("trying again in"), "{shown}");
    assert!(shown.contains("1 page, 10 events, at 20") && shown.contains(" %)"), "{shown}");
    assert!(shown.contains("waiting for the rate limit"), "{shown}");
}

#[test]
fn whoever_closes_the_output_ends_it_silently() {
    let org = Org::with_events(3_000);
    let file = config(&org);
    let command = format!(
        "'{}' query acme -c '{}' | head -1; echo \"${{PIPESTATUS[0]}}\"",
        env!("CARGO_BIN_EXE_okta-kafka-source"),
        utf8(&file.path())
    );
    let output = Command::new("bash").args(["-c", &command]).stdin(Stdio::null()).output().unwrap();
    let lines: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!((lines.len(), lines[1].as_str(), output.stderr.as_slice()), (2, "0", &b""[..]));
    let _: Value = serde_json::from_str(&lines[0]).expect("a whole line");
    assert!(org.request_count() < 10, "{} pages for one line", org.request_count());
}

#[test]
fn ctrl_c_leaves_whole_lines_and_the_command_to_go_on_with() {
    for order in ["ascending", "descending"] {
        let org = Org::with_events(60);
        org.set_latency(Duration::from_millis(100));
        let file = config(&org);
        let path = file.path();
        let arguments = ["query", "acme", "-c", utf8(&path), "--limit", "10", "--since=30d", "--sort-order", order];
        let process = connector::spawn(&arguments, &[]);
        let lines = Cell::new(0);
        let is_second_page = |_: &str| lines.replace(lines.get() + 1) > 10;
        let _ = process.await_line("a second page", is_second_page, WAIT);
        process.signal(Signal::SIGINT);
        assert_eq!(process.wait(WAIT).code(), Some(130), "{}", process.tail(40));
        let uuid = |line: &str| serde_json::from_str::<Value>(line).expect(line)["uuid"].as_str().unwrap().to_owned();
        let first: Vec<String> = process.text(Stream::Stdout).lines().map(uuid).collect();
        assert!(first.len() < 60 && first.len().is_multiple_of(10), "{}", first.len());
        let said = process.text(Stream::Stderr);
        let command = said.lines().last().unwrap().trim();
        org.set_latency(Duration::ZERO);
        let rest = Command::new("bash").args(["-c", command]).output().unwrap();
        assert_eq!(rest.status.code(), Some(0), "{command}: {rest:?}");
        let rest: Vec<String> = String::from_utf8(rest.stdout).unwrap().lines().map(uuid).collect();
        assert_eq!(rest[0], first[first.len() - 1], "the last one comes again: {command}");
        let mut all: Vec<String> = first.iter().chain(&rest).cloned().collect();
        all.sort();
        all.dedup();
        let mut expected = org.uuids();
        expected.sort();
        assert_eq!(all, expected, "{command}");
    }
}

/// A query of ten slow pages into that file, after the second of them.
fn slow_query_into(org: &Org, place: &str) -> Process {
    org.set_latency(Duration::from_millis(200));
    let file = config(org);
    let path = file.path();
    let before = org.request_count();
    let process = connector::spawn(&["query", "acme", "-c", utf8(&path), "--limit", "10", "--to-file", place], &[]);
    org.await_requests(before + 3, WAIT);
    process
}

#[test]
fn a_file_is_whole_or_as_it_was() {
    let org = Org::with_events(100);
    let folder = TempDir::with_prefix("query-").unwrap();
    let place = folder.path().join("answer.ndjson");
    let others = || {
        fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| *path != place)
            .collect::<Vec<_>>()
    };
    let output = query(&org, &["--to-file", utf8(&place)]);
    assert_eq!((output.code(), output.stdout.as_str(), others().len()), (0, "", 0), "{output:?}");
    assert!(output.stderr.contains("100 events in 1 page, written to `"), "{output:?}");
    let whole = fs::read(&place).unwrap();
    assert_eq!(whole, query(&org, &[]).stdout.as_bytes());

    // Killed: the old answer stays.
    let process = slow_query_into(&org, utf8(&place));
    let _ = process.kill9();
    assert_eq!(fs::read(&place).unwrap(), whole);
    others().into_iter().for_each(|path| fs::remove_file(path).unwrap());

    // Interrupted: what came is beside it.
    let process = slow_query_into(&org, utf8(&place));
    process.signal(Signal::SIGINT);
    assert_eq!(process.wait(WAIT).code(), Some(130));
    assert_eq!(fs::read(&place).unwrap(), whole);
    let partial = others().pop().expect("a partial file");
    assert!(process.text(Stream::Stderr).contains(utf8(&partial)), "{}", process.tail(9));
    let kept = fs::read_to_string(&partial).unwrap();
    assert!(kept.lines().count() >= 10 && kept.ends_with("}\n") && whole.starts_with(kept.as_bytes()), "{kept}");
    fs::remove_file(&partial).unwrap();

    // Refused by the org in the middle.
    org.set_latency(Duration::ZERO);
    let file = config(&org);
    fs::remove_file(&place).unwrap();
    org.inject(FaultKind::WrongOrigin);
    let path = file.path();
    let failed =
        connector::run(&["query", "acme", "-c", utf8(&path), "--limit", "10", "--to-file", utf8(&place)], &[], WAIT);
    assert!(failed.code() == 1 && failed.stderr.contains("go on") && failed.stderr.contains(".partial"), "{failed:?}");
    assert!(!place.exists());
    others().into_iter().for_each(|path| fs::remove_file(path).unwrap());

    // No room: whole pages of it are left, and what to do is said.
    let bytes = whole.len();
    let command = format!(
        "trap '' XFSZ; ulimit -f {}; '{}' query acme -c '{}' --limit 10 --to-file '{}'",
        bytes / 2048,
        env!("CARGO_BIN_EXE_okta-kafka-source"),
        utf8(&path),
        utf8(&place)
    );
    let full = Command::new("bash").args(["-c", &command]).output().unwrap();
    let said = String::from_utf8(full.stderr).unwrap();
    let partial = others().pop().expect("a partial file");
    assert_eq!(full.status.code(), Some(1), "{said}");
    for says in [utf8(&place), utf8(&partial), "go on"] {
        assert!(said.contains(says), "{says}: {said}");
    }
    let kept = fs::read(&partial).unwrap();
    let lines = kept.iter().filter(|byte| **byte == b'\n').count();
    assert!(
        lines > 0 && lines.is_multiple_of(10) && kept.ends_with(b"}\n") && whole.starts_with(&kept),
        "{lines} of {bytes}"
    );
    assert!(!place.exists());

    for (place, says) in [("/dev/null", "it is no file"), ("/nowhere/answer", "`/nowhere/answer`")] {
        let before = org.request_count();
        let refused = query(&org, &["--to-file", place]);
        assert!(refused.code() == 1 && refused.stderr.contains(says), "{refused:?}");
        assert_eq!(org.request_count(), before);
    }
}
