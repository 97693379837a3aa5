//! What certainly was not delivered is tried again for `--retry-for`; what was, or may have been, is not.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::{WAIT, append, config, names, query};
use crate::support::connector::{self, ConfigFile, utf8};
use crate::support::mail_server::MailServer;
use crate::support::org::Org;
use crate::support::process::Stream;
use crate::support::{ports, prove, python};

const TO: [&str; 2] = ["--email=slow@example.com", "--email=soc@example.com"];

fn plain(org: &Org, port: u16) -> ConfigFile {
    config(org, &format!("host: 127.0.0.1, security: none, port: {port}, from: okta@example.com"))
}

/// Whom the server made wait, or that it was away, or had no room: each gets the mail once.
#[test]
fn who_wants_to_be_asked_later_is_asked_later() {
    let Some(python) = python::there() else { return };
    let org = Org::with_events(0);
    let _ = append(&org, 12);
    let run = |arguments: &[&str]| {
        let spool = TempDir::with_prefix("spool-").unwrap();
        let is_away = arguments == ["--away"];
        let port = ports::free_port();
        let mut server = (!is_away).then(|| MailServer::start(python, arguments));
        let file = plain(&org, server.as_ref().map_or(port, |server| server.port));
        let path = file.path();
        let before = org.request_count();
        let process = connector::spawn(
            &[&["query", "acme", "-c", utf8(&path), "--retry-for=1m"], &TO[..]].concat(),
            &[("TMPDIR", utf8(spool.path()))],
        );
        let line = process.await_line("it is tried again", |line| line.contains("trying again in 5s"), WAIT);
        assert!(line.contains(if is_away { "could not be reached" } else { "(451 4." }), "{line}");
        let server = server.take().unwrap_or_else(|| MailServer::start(python, &["--port", &port.to_string()]));
        assert_eq!(process.wait(WAIT).code(), Some(0), "{}", process.tail(9));
        assert!(org.request_count() > before);
        let first = server.mail().to;
        if first.len() == 1 {
            let mut all = [first, server.mail().to].concat();
            all.sort();
            assert_eq!(all, ["slow@example.com", "soc@example.com"]);
        } else {
            assert_eq!(first, ["slow@example.com", "soc@example.com"]);
        }
        assert!(!server.has_more(), "nobody gets it twice");
        assert_eq!(names(spool.path()), [] as [&str; 0]);
    };
    std::thread::scope(|scope| {
        let greylisted = scope.spawn(|| run(&["--defer=slow@example.com", "--defer-times=1"]));
        let both = scope.spawn(|| run(&["--defer=slow@example.com", "--defer=soc@example.com", "--defer-times=2"]));
        let full = scope.spawn(|| run(&["--answer=451 4.3.0 queue full", "--answer-times=1"]));
        run(&["--away"]);
        [greylisted, both, full].into_iter().for_each(|case| case.join().unwrap());
    });
    prove::row(
        "query-email-later",
        "A mail server that is away, or wants to be asked later, is asked again for --retry-for, and nobody gets a mail twice",
        "four servers: greylisting one of two recipients, and both; 451 to the first mail; one that starts after the query",
        "each recipient gets one mail at the second try, exit code 0; Okta is not asked again",
    );
}

#[test]
fn what_is_refused_for_good_or_may_have_been_sent_is_not_tried_again() {
    let Some(python) = python::there() else { return };
    let org = Org::with_events(0);
    let _ = append(&org, 12);
    for (arguments, says) in [
        (&["--answer=554 5.7.1 looks like spam"][..], "refused the mail (554"),
        (&["--hang-up"], "sent or not, nobody knows"),
        (&["--refuse=slow@example.com", "--refuse=soc@example.com"], "(550 5.1.1"),
        (&["--max-size=1000"], "takes mails of 1000 bytes"),
    ] {
        let server = MailServer::start(python, arguments);
        let spool = TempDir::with_prefix("spool-").unwrap();
        let began = Instant::now();
        let output = query(&plain(&org, server.port), &[&TO[..], &["--retry-for=1m"]].concat(), spool.path());
        assert!(output.code() == 1 && output.stderr.contains(says), "{output:?}");
        assert!(!output.stderr.contains("trying again"), "{output:?}");
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    }
}

/// It has an end, and says then where the results are.
#[test]
fn it_is_given_up_in_the_end() {
    let org = Org::with_events(0);
    let ndjson = append(&org, 12).join("\n") + "\n";
    let spool = TempDir::with_prefix("spool-").unwrap();
    let began = Instant::now();
    let output = query(&plain(&org, ports::free_port()), &[&TO[..], &["--retry-for=2s"]].concat(), spool.path());
    let took = began.elapsed();
    assert!(output.code() == 1 && output.stderr.contains("--from-file"), "{output:?}");
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(10), "{took:?}");
    let results = spool.path().join(&names(spool.path())[0]).join("results.ndjson");
    assert_eq!(fs::read_to_string(results).unwrap(), ndjson);
}

/// The printed command is for those alone that do not have it.
#[test]
fn who_interrupts_the_waiting_is_told_who_does_not_have_it() {
    let Some(python) = python::there() else { return };
    let org = Org::with_events(0);
    let _ = append(&org, 12);
    let server = MailServer::start(python, &["--defer=slow@example.com"]);
    let file = plain(&org, server.port);
    let spool = TempDir::with_prefix("spool-").unwrap();
    let path = file.path();
    let process =
        connector::spawn(&[&["query", "acme", "-c", utf8(&path)], &TO[..]].concat(), &[("TMPDIR", utf8(spool.path()))]);
    let line = process.await_line("it is tried again", |line| line.contains("trying again in 5s"), WAIT);
    assert!(line.contains("the e-mail went to 1 of 2 recipients"), "{line}");
    assert_eq!(server.mail().to, ["soc@example.com"]);
    process.signal(Signal::SIGTERM);
    assert_ne!(process.wait(Duration::from_secs(5)).code(), Some(0));
    let said = process.text(Stream::Stderr);
    let command = said.lines().find(|line| line.contains("--from-file")).expect("a command");
    assert!(command.ends_with("--email slow@example.com"), "{command}");
}
