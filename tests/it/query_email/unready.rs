//! What only a mail needs may be away: it stops no other command.

use std::fs;

use tempfile::TempDir;

use super::{WAIT, config, names, query};
use crate::support::connector::{self, utf8};
use crate::support::mail_server::MailServer;
use crate::support::org::Org;
use crate::support::process::Stream;
use crate::support::python;

#[test]
fn a_password_or_an_authority_that_is_away_stops_the_mail_alone() {
    let org = Org::with_events(3);
    let folder = TempDir::with_prefix("email-").unwrap();
    let secret = folder.path().join("smtp-password");
    for (key, email) in [
        ("email.login.password", format!("login: {{username: okta, password: '${{file:{}}}'}}", secret.display())),
        ("email.login.password", "login: {username: okta, password: '${env:NO_SUCH_PASSWORD}'}".to_owned()),
        ("email.ca_file", format!("ca_file: '{}'", secret.display())),
    ] {
        let file = config(&org, &format!("host: localhost, from: okta@example.com, {email}"));
        let path = file.path();
        let before = org.request_count();
        let mailed = query(&file, &["--email=soc@example.com"], folder.path());
        assert!(mailed.code() == 2 && mailed.stderr.contains(&format!("`{key}`")), "{mailed:?}");
        assert_eq!(org.request_count(), before, "said before anything is asked");
        let asked = query(&file, &["--since=90d"], folder.path());
        assert_eq!((asked.code(), asked.stdout.lines().count()), (0, 3), "{asked:?}");
        let checked = connector::run(&["check", "--offline", "-c", utf8(&path)], &[], WAIT);
        let warned = checked.stdout.lines().any(|line| line.starts_with("warn ") && line.contains(key));
        assert!(checked.code() == 0 && warned, "{checked:?}");
        let run = connector::spawn(&["run", "-c", utf8(&path)], &[]);
        let _ = run.await_line("it goes on to Kafka", |line| line.contains("127.0.0.1:1"), WAIT);
        assert!(run.is_running() && run.text(Stream::Stderr).contains(key), "{}", run.tail(9));
        run.terminate();
        let _ = run.wait(WAIT);
    }
    assert_eq!(names(folder.path()), [] as [&str; 0]);
    // What is no way to write it is wrong for every command.
    for wrong in ["login: {username: okta, password: [x]}", "login: {username: okta, password: '${evn:X}'}"] {
        let file = config(&org, &format!("host: localhost, from: okta@example.com, {wrong}"));
        let refused = query(&file, &["--print-request"], folder.path());
        assert!(refused.code() == 2 && refused.stderr.contains("email.login.password"), "{refused:?}");
    }
}

/// Servers look at what a client calls itself.
#[test]
fn the_server_is_told_a_name() {
    let Some(python) = python::there() else { return };
    let org = Org::with_events(3);
    let folder = TempDir::with_prefix("email-").unwrap();
    let server = MailServer::start(python, &[]);
    let email = format!("host: 127.0.0.1, security: none, port: {}, from: okta@mail.example.com", server.port);
    let own = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let default = if own.contains('.') { own.trim() } else { "mail.example.com" };
    for (more, name) in [("", default), (", hello: queries.example.net", "queries.example.net")] {
        let output = query(&config(&org, &(email.clone() + more)), &["--email=soc@example.com"], folder.path());
        assert_eq!(output.code(), 0, "{output:?}");
        assert_eq!(server.mail().hello, name);
    }
}
