//! A mail is about all results: of a query that does not come to its end, of one whose output nobody reads, and of a file.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use okta_kafka_source::simulator::FaultKind;
use tempfile::TempDir;

use super::{NO_BROKER, WAIT, append, config, names, query, run_printed};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Output, utf8};
use crate::support::mail_server::MailServer;
use crate::support::org::Org;
use crate::support::process::Stream;
use crate::support::{prove, python};

fn plain(org: &Org, port: u16) -> ConfigFile {
    config(org, &format!("host: 127.0.0.1, security: none, port: {port}, from: okta@example.com"))
}

/// What a file that was named on stderr holds.
fn named(said: &str) -> String {
    let name = said.split_once("what came until then is in `").and_then(|(_, rest)| rest.split_once('`'));
    fs::read_to_string(name.unwrap_or_else(|| panic!("no file is named: {said}")).0).unwrap()
}

#[test]
fn what_an_unfinished_query_fetched_is_kept_and_the_printed_command_mails_all() {
    let Some(python) = python::there() else { return };
    let server = MailServer::start(python, &[]);
    for (ending, order) in [("interrupted", "ascending"), ("interrupted", "descending"), ("failed", "ascending")] {
        let org = Org::with_events(0);
        let mut all = append(&org, 60);
        if order == "descending" {
            all.reverse();
        }
        let file = plain(&org, server.port);
        let spool = TempDir::with_prefix("spool-").unwrap();
        let path = file.path();
        let arguments = ["query", "acme", "-c", utf8(&path), "--limit=10", "--sort-order", order];
        let mailed = ["--email=soc@example.com", "--email-attach=ndjson", "--max-events=50"];
        let environment = [("TMPDIR", utf8(spool.path()))];
        if ending == "failed" {
            org.inject(FaultKind::WrongOrigin);
        } else {
            org.set_latency(Duration::from_millis(200));
        }
        let process = connector::spawn(&[&arguments[..], &mailed].concat(), &environment);
        if ending == "interrupted" {
            org.await_requests(3, WAIT);
            process.signal(Signal::SIGINT);
        }
        let code = if ending == "interrupted" { 130 } else { 1 };
        assert_eq!(process.wait(WAIT).code(), Some(code), "{}", process.tail(40));
        let said = process.text(Stream::Stderr);
        let kept = named(&said);
        let lines = kept.lines().count();
        assert!(lines > 0 && lines < 50 && lines.is_multiple_of(10), "{ending} {order}: {lines} kept");
        assert!((all.join("\n") + "\n").starts_with(&kept), "{ending} {order}: {kept}");
        assert!(said.contains("no e-mail was sent") && said.contains("all of it again"), "{said}");
        assert!(!said.contains("to go on"), "{said}");
        let command = said.lines().find(|line| line.contains("--since")).expect("a command").trim();
        org.set_latency(Duration::ZERO);
        let mut bash = Command::new("bash");
        let again = bash.args(["-c", command]).env("TMPDIR", spool.path()).output().unwrap();
        assert_eq!(again.status.code(), Some(0), "{command}: {again:?}");
        let mail = server.mail();
        assert_eq!(mail.parts[2].text(), all[..50].join("\n") + "\n", "{ending} {order}: all of it, once: {command}");
        assert!(mail.parts[0].text().starts_with("50 events in 5 pages;"), "{mail:?}");
        assert_eq!(names(spool.path()).len(), 1, "what was kept of the first one is its owner's to remove");
    }
    prove::row(
        "query-email-whole",
        "An interrupted or failed query with --email loses nothing, and the printed command mails all results",
        "60 events; SIGINT after some pages of 10, ascending and descending; a `next` link that is refused after the first page",
        "what came is in a file that is named, no mail is sent, and the command sends the 50 of --max-events, each once",
    );
}

/// A query that had no page yet leaves nothing behind.
#[test]
fn where_nothing_came_nothing_is_kept() {
    let org = Org::with_events(10);
    (0..20).for_each(|_| org.inject(FaultKind::Http503));
    let spool = TempDir::with_prefix("spool-").unwrap();
    let output = query(&plain(&org, 1), &["--email=soc@example.com", "--retry-for=1s"], spool.path());
    assert!(output.code() == 1 && output.stderr.contains("given up"), "{output:?}");
    assert_eq!(names(spool.path()), [] as [&str; 0]);
}

#[test]
fn whoever_closes_the_output_gets_all_by_mail() {
    let Some(python) = python::there() else { return };
    let org = Org::with_events(3_000);
    let spool = TempDir::with_prefix("spool-").unwrap();
    let server = MailServer::start(python, &[]);
    let dead = crate::support::ports::free_port();
    for (port, code) in [(server.port, "0"), (dead, "1")] {
        let file = plain(&org, port);
        let command = format!(
            "'{}' query acme -c '{}' --limit 1000 --since 90d --retry-for 0s --email soc@example.com -o ndjson | head -1; echo \"${{PIPESTATUS[0]}}\"",
            env!("CARGO_BIN_EXE_okta-kafka-source"),
            utf8(&file.path())
        );
        let mut bash = Command::new("bash");
        let output = bash.args(["-c", &command]).env("TMPDIR", spool.path()).stdin(Stdio::null()).output().unwrap();
        let (said, printed) = (String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap());
        assert_eq!(printed.lines().last(), Some(code), "{said}");
        if code == "0" {
            assert!(server.mail().parts[0].text().starts_with("3,000 events in 3 pages\n"));
        } else {
            assert!(said.contains("no e-mail was sent") && said.contains("--from-file"), "{said}");
        }
    }
}

/// The server has the mail when it says so, whatever it does then.
#[test]
fn a_server_that_never_says_good_bye_has_the_mail() {
    let Some(python) = python::there() else { return };
    let org = Org::with_events(5);
    let server = MailServer::start(python, &["--silent-quit"]);
    let file = plain(&org, server.port);
    let spool = TempDir::with_prefix("spool-").unwrap();
    let began = Instant::now();
    let output = query(&file, &["--since=90d", "--email=soc@example.com"], spool.path());
    assert!(output.code() == 0 && output.stderr.contains("sent to"), "{output:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let _ = server.mail();
    server.await_good_bye();
    // Interrupted while it waits for that: it was sent, and says so.
    let path = file.path();
    let arguments = ["query", "acme", "-c", utf8(&path), "--since=90d", "--email=soc@example.com"];
    let process = connector::spawn(&arguments, &[("TMPDIR", utf8(spool.path()))]);
    let _ = server.mail();
    server.await_good_bye();
    process.signal(Signal::SIGINT);
    let status = process.wait(WAIT);
    let said = process.text(Stream::Stderr);
    assert!(status.code() == Some(0) && !said.contains("may not be sent"), "{status:?}: {said}");
    assert_eq!(names(spool.path()), [] as [&str; 0], "nothing is kept");
}

fn from_file(file: &ConfigFile, path: &Path, more: &[&str]) -> Output {
    let folder = path.parent().unwrap();
    query(file, &[&["--email=soc@example.com", "--from-file", utf8(path)], more].concat(), folder)
}

/// Nothing is said of a query that is not known.
#[test]
fn a_mail_of_a_file_says_what_is_known_of_it() {
    let Some(python) = python::there() else { return };
    let org = Org::with_events(0);
    let events = append(&org, 40);
    let server = MailServer::start(python, &[]);
    let file = plain(&org, server.port);
    let folder = TempDir::with_prefix("email-").unwrap();
    let path = folder.path().join("found.ndjson");
    fs::write(&path, events.join("\n") + "\n").unwrap();
    // Alone, and with no room for all of it.
    let small = config(
        &org,
        &format!(
            "host: 127.0.0.1, security: none, port: {}, from: okta@example.com, max_attachment_size: 2 KiB",
            server.port
        ),
    );
    let output = from_file(&small, &path, &[]);
    assert!(output.code() == 0 && output.stderr.contains("40 of `"), "{output:?}");
    let text = server.mail().parts[0].text();
    assert!(text.starts_with("40 events; attached are the first "), "{text}");
    for line in ["\nSince ", "\nUntil ", "\nFilter ", "All results, into a file", "--to-file"] {
        assert!(!text.contains(line), "{line}: {text}");
    }
    for line in ["\nFile  ", "\nFirst ", "\nLast ", "All results are in `", utf8(&path)] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // With what was asked, as the printed command has it.
    let days = |days: i64| jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days);
    let [since, until] = [format!("{:.0}", days(9)), format!("{:.0}", days(0))];
    let asked = ["--since", &since, "--until", &until, "--filter", "uuid pr", "--max-events=40"];
    let output = from_file(&file, &path, &asked);
    assert_eq!(output.code(), 0, "{output:?}");
    let text = server.mail().parts[0].text();
    for line in [format!("Since      {since}"), format!("Until      {until}"), "Filter     uuid pr".to_owned()] {
        assert!(text.contains(&line), "{line}: {text}");
    }
    assert!(text.contains("--max-events ends it here"), "{text}");
    // A bound that the file does not keep to is no bound of it.
    let output = from_file(&file, &path, &["--max-events=5"]);
    assert!(output.code() == 2 && output.stderr.contains("--max-events"), "{output:?}");
    assert_eq!(org.request_count(), 0);
}

/// A mail that failed of a query that was bounded, and of one that ended before: what is sent again says the same.
#[test]
fn the_printed_command_says_what_the_mail_would_have_said() {
    let Some(python) = python::there() else { return };
    let org = Org::with_events(0);
    let _ = append(&org, 40);
    let server = MailServer::start(python, &[]);
    let spool = TempDir::with_prefix("spool-").unwrap();
    for (bound, is_met) in
        [("--max-pages=2", true), ("--max-pages=9", false), ("--max-events=20", true), ("--max-events=99", false)]
    {
        let file = plain(&org, 1);
        let arguments = ["--limit=10", "--retry-for=0s", "--email=soc@example.com", bound];
        let failed = query(&file, &arguments, spool.path());
        assert_eq!(failed.code(), 1, "{failed:?}");
        fs::copy(plain(&org, server.port).path(), file.path()).unwrap();
        let again = run_printed(&failed, spool.path());
        assert!(again.status.success(), "{bound}: {again:?}");
        let text = server.mail().parts[0].text();
        assert_eq!(text.contains("and there may be more"), is_met, "{bound}: {text}");
        assert!(text.contains("\nSince ") && text.contains("\nUntil "), "{text}");
    }
}

#[test]
fn where_nothing_was_found_nothing_is_attached() {
    let Some(python) = python::there() else { return };
    let org = Org::with_events(3);
    let server = MailServer::start(python, &[]);
    let folder = TempDir::with_prefix("email-").unwrap();
    let output = query(&plain(&org, server.port), &["--email=soc@example.com", "--q=nowhere"], folder.path());
    assert_eq!(output.code(), 0, "{output:?}");
    let mail = server.mail();
    assert_eq!(mail.structure, ["multipart/alternative", "text/plain", "text/html"]);
    assert!(!mail.parts[0].text().contains("attached"), "{}", mail.parts[0].text());
}

#[test]
fn several_addresses_are_several_options() {
    let file = ConfigFile::new(&ConfigYaml::new(NO_BROKER).connector(Org::with_events(0).connector("acme")).render());
    for list in ["a@example.com,b@example.com", "SOC <a@example.com>; b@example.com"] {
        let output = query(&file, &["--email", list], Path::new("/tmp"));
        assert!(output.code() == 2 && output.stderr.contains("--email` once for each"), "{output:?}");
    }
}
