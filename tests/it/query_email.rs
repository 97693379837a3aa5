//! `query --email`, received by a real SMTP server (aiosmtpd, tests/email) and read by Python's own e-mail package.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::certificates::{Authority, Leaf};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Output, utf8};
use crate::support::mail_server::MailServer;
use crate::support::org::Org;
use crate::support::{prove, python};

mod content;
mod faults;
mod later;
mod unready;
mod whole;

const WAIT: Duration = Duration::from_secs(30);
const NO_BROKER: &str = "127.0.0.1:1";
const PASSWORD: &str = "Hunter2Hunter2";

fn config(org: &Org, email: &str) -> ConfigFile {
    let mut yaml = ConfigYaml::new(NO_BROKER).connector(org.connector("acme"));
    yaml.extra.push(format!("email: {{{email}}}"));
    ConfigFile::new(&yaml.render())
}

/// `query acme`, with a temporary folder of its own, which tries a mail server once where nothing else is said.
fn query(file: &ConfigFile, arguments: &[&str], folder: &Path) -> Output {
    let path = file.path();
    let says_how_long = arguments.iter().any(|word| word.starts_with("--retry-for"));
    let once = if says_how_long { &[][..] } else { &["--retry-for=0s"] };
    let arguments = [&["query", "acme", "-c", utf8(&path)], arguments, once].concat();
    connector::run(&arguments, &[("TMPDIR", utf8(folder)), ("SMTP_PASSWORD", PASSWORD)], WAIT)
}

/// A command that the program printed.
fn run_printed(output: &Output, folder: &Path) -> std::process::Output {
    let command = output.stderr.lines().last().unwrap().trim();
    let mut bash = Command::new("bash");
    bash.args(["-c", command]).env("TMPDIR", folder).env("SMTP_PASSWORD", PASSWORD).current_dir(folder);
    bash.output().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

const EVIL: &str = "<img src=\"http://evil.example/x.png\" onerror='alert(1)'>\r\nBcc: evil@example.com";

fn append(org: &Org, count: usize) -> Vec<String> {
    let now = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(3600);
    let event = |n: usize| {
        let published = now + jiff::SignedDuration::from_secs(i64::try_from(n).unwrap());
        let actor = if n == 0 { EVIL.to_owned() } else { format!("user{}@example.com", n % 15) };
        let (kind, outcome) =
            if n.is_multiple_of(3) { ("user.session.start", "FAILURE") } else { ("user.session.end", "SUCCESS") };
        format!(
            r#"{{"actor":{{"alternateId":{}}},"eventType":"{kind}","outcome":{{"result":"{outcome}"}},"published":"{published:.3}","severity":"INFO","uuid":"u-{n}","displayMessage":"Zürich 日本"}}"#,
            Value::from(actor)
        )
    };
    let events: Vec<String> = (0..count).map(event).collect();
    org.append(events.clone());
    events
}

#[test]
fn a_mail_arrives_over_tls_with_parts_attachment_and_totals() {
    let Some(python) = python::there() else { return };
    let folder = TempDir::with_prefix("email-").unwrap();
    let authority = Authority::new(folder.path(), "ca");
    let pem = authority.sign(Leaf::new("mail"));
    let (certificate, key) = (utf8(&pem.certificate).to_owned(), utf8(&pem.key).to_owned());
    let ca = authority.path();
    let org = Org::with_events(0);
    let events = append(&org, 250);
    let spool = TempDir::with_prefix("spool-").unwrap();
    for (security, attach) in [("starttls", "ndjson"), ("tls", "csv")] {
        let login = format!("okta:{PASSWORD}");
        let server = MailServer::start(
            python,
            &["--security", security, "--certificate", &certificate, "--key", &key, "--login", &login],
        );
        let email = format!(
            "host: localhost, port: {}, security: {security}, login: {{username: okta, password: '${{env:SMTP_PASSWORD}}'}}, \
             from: 'Okta Fragen ä <okta@example.com>', subject: 'Größe {{count}} of {{connector}}', ca_file: '{}'",
            server.port,
            ca.display()
        );
        let file = config(&org, &email);
        let arguments = ["--email", "soc@example.com", "--email", "lead@example.com", "--email-attach", attach];
        let output = query(&file, &[&arguments[..], &["--filter", "uuid pr"]].concat(), spool.path());
        assert_eq!((output.code(), output.stdout.as_str()), (0, ""), "{output:?}");
        let said = "250 events in 3 pages, sent to `soc@example.com`, `lead@example.com`";
        assert!(output.stderr.contains(said), "{output:?}");
        assert_eq!(names(spool.path()), [] as [&str; 0], "nothing stays");
        let mail = server.mail();
        assert_eq!(mail.from, "okta@example.com");
        assert_eq!(mail.to, ["soc@example.com", "lead@example.com"]);
        assert_eq!(mail.header("Subject"), "Größe 250 events of acme");
        assert_eq!(mail.header("From"), "Okta Fragen ä <okta@example.com>");
        assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
        assert!(mail.header("Message-ID").ends_with(".okta-kafka-source@example.com>"), "{mail:?}");
        assert!((mail.date - connector::unix_seconds()).abs() < 60.0, "{}", mail.date);
        assert!(mail.is_ascii && mail.defects.is_empty() && mail.longest_line <= 998, "{mail:?}");
        assert!(!mail.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("bcc")), "{mail:?}");
        let kind = if attach == "csv" { "text/csv" } else { "application/x-ndjson" };
        let expected = ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", kind];
        assert_eq!(mail.structure, expected);
        assert!(mail.parts[..2].iter().all(|part| part.charset.as_deref() == Some("utf-8")), "{mail:?}");
        let (text, html, attached) = (mail.parts[0].text(), mail.parts[1].text(), &mail.parts[2]);
        assert_eq!(attached.filename.as_deref(), Some(format!("results.{attach}").as_str()));
        assert_eq!((attached.disposition.as_deref(), attached.r#type.as_str()), (Some("attachment"), kind));
        let now: Vec<u8> = query(&file, &["--filter", "uuid pr", "-o", attach], spool.path()).stdout.into_bytes();
        // Lines of the output are read without their ends.
        let mut bytes = String::from_utf8(attached.bytes()).unwrap();
        if attach == "csv" {
            // By which Excel knows that it is UTF-8.
            assert_eq!(bytes.remove(0), '\u{feff}');
        }
        assert_eq!(bytes.replace("\r\n", "\n").into_bytes(), now);
        if attach == "ndjson" {
            assert_eq!(bytes, events.join("\n") + "\n", "Okta's bytes");
        }
        // 84 of 250 are multiples of 3; actors are 15 and the evil one.
        let lines: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.trim().split_once("  ")).collect();
        for (count, name) in [("84", "user.session.start"), ("166", "user.session.end")] {
            assert_eq!(lines.get(count), Some(&if name.ends_with("end") { "SUCCESS" } else { "FAILURE" }), "{text}");
            assert!(text.contains(&format!("{count}  {name}\n")), "{text}");
            assert!(html.contains(&format!(">{count}</td>")) && html.contains(name), "{html}");
        }
        assert!(text.starts_with("250 events in 3 pages\n") && text.contains("and 6 more actors"), "{text}");
        assert!(text.contains("The first 25 of 250 events") && text.contains("Filter     uuid pr"), "{text}");
        assert!(text.contains(&format!("All of it is attached, as results.{attach}.")), "{text}");
        assert!(html.contains("&lt;img src=&quot;http[://]evil[.]example/x[.]png&quot;"), "{html}");
        for active in ["<img", "<script", "<a ", "<link", "@import", "url(", "src=\"", "href="] {
            assert!(!html.contains(active), "{active}: {html}");
        }
        assert!(!text.contains("\nBcc"), "{text}");
    }
    prove::row(
        "query-email",
        "Results of a query arrive by e-mail",
        "250 events with markup and header injection in a name sent through aiosmtpd with STARTTLS and with TLS, with a login; read by Python's e-mail package",
        "parts, counts and attachment are right, nothing of the data is markup or a header",
    );
}

#[test]
fn a_mail_that_fails_loses_nothing() {
    let Some(python) = python::there() else { return };
    let folder = TempDir::with_prefix("email-").unwrap();
    let authority = Authority::new(folder.path(), "ca");
    let pem = authority.sign(Leaf::new("mail"));
    let (certificate, key) = (utf8(&pem.certificate).to_owned(), utf8(&pem.key).to_owned());
    let org = Org::with_events(0);
    let events = append(&org, 120);
    let ndjson = events.join("\n") + "\n";
    let spool = TempDir::with_prefix("spool-").unwrap();
    let kept = || {
        let names = names(spool.path());
        assert_eq!(names.len(), 1, "{names:?}");
        spool.path().join(&names[0])
    };
    let plain = |port: u16| format!("host: 127.0.0.1, port: {port}, security: none, from: okta@example.com");

    // Nobody there; the same file again when there is somebody.
    let port = crate::support::ports::free_port();
    let file = config(&org, &plain(port));
    let dead = query(&file, &["--email", "soc@example.com", "--since=2d"], spool.path());
    assert_eq!((dead.code(), dead.stdout.as_str()), (1, ""), "{dead:?}");
    assert!(dead.stderr.contains("no e-mail was sent") && dead.stderr.contains("refused (os error"), "{dead:?}");
    assert!(dead.stderr.contains("check `email.host`"), "{dead:?}");
    let results = kept().join("results.ndjson");
    assert_eq!(fs::read_to_string(&results).unwrap(), ndjson);
    fs::remove_dir_all(kept()).unwrap();
    let stored = spool.path().join("stored.ndjson");
    let dead = query(&file, &["--email", "soc@example.com", "--to-file", utf8(&stored)], spool.path());
    assert!(dead.code() == 1 && dead.stderr.contains(utf8(&stored)), "{dead:?}");
    assert_eq!(fs::read_to_string(&stored).unwrap(), ndjson, "the file is written first");
    let server = MailServer::start(python, &["--refuse", "gone@example.com", "--max-size", "100000"]);
    let file = config(&org, &plain(server.port));
    let before = org.request_count();
    let again = query(&file, &["--email", "soc@example.com", "--from-file", utf8(&stored)], spool.path());
    assert_eq!((again.code(), org.request_count()), (0, before), "{again:?}");
    let mail = server.mail();
    assert!(mail.parts[0].text().starts_with("120 events\n"), "{mail:?}");
    // One name has a line break in it.
    assert_eq!(mail.parts[2].text().lines().count(), 122);
    fs::remove_file(&stored).unwrap();

    // One of two recipients: the other has it, and the printed command is for the one.
    let some = query(&file, &["--email", "gone@example.com", "--email=soc@example.com"], spool.path());
    assert!(some.code() == 1 && some.stderr.contains("went to 1 of 2 recipients"), "{some:?}");
    assert!(some.stderr.contains("`gone@example.com` (550 5.1.1"), "{some:?}");
    assert_eq!(server.mail().to, ["soc@example.com"]);
    let last = some.stderr.lines().last().unwrap();
    assert!(last.contains("--email gone@example.com") && !last.contains("soc@"), "{last}");
    assert_eq!(fs::read_to_string(kept().join("results.ndjson")).unwrap(), ndjson);
    fs::remove_dir_all(kept()).unwrap();

    // Too large for the server; then cut, with the command that gets all.
    let large = query(&file, &["--email", "soc@example.com", "--limit=1000", "--email-attach=ndjson"], spool.path());
    assert!(large.code() == 0, "120 events fit: {large:?}");
    assert_eq!(server.mail().parts[2].text(), ndjson);
    append(&org, 600);
    let large = query(&file, &["--email", "soc@example.com", "--email-attach", "ndjson"], spool.path());
    assert!(large.code() == 1 && large.stderr.contains("takes mails of 100000 bytes, and this one has "), "{large:?}");
    assert!(large.stderr.contains("smaller `email.max_attachment_size`"), "{large:?}");
    fs::remove_dir_all(kept()).unwrap();
    let small = config(&org, &(plain(server.port) + ", max_attachment_size: 20 KiB"));
    let cut = query(&small, &["--email", "soc@example.com", "--email-attach", "ndjson"], spool.path());
    assert_eq!(cut.code(), 0, "{cut:?}");
    let mail = server.mail();
    let (text, attached) = (mail.parts[0].text(), mail.parts[2].text());
    let lines = attached.lines().count();
    assert!(attached.len() <= 20 * 1024 && attached.len() > 19 * 1024 && attached.ends_with("}\n"), "{lines}");
    assert!(text.contains(&format!("CUT: results.ndjson holds the first {lines} of 720 events")), "{text}");
    let command = text.lines().rfind(|line| !line.is_empty()).unwrap().trim();
    let mut all = Command::new("bash");
    all.args(["-c", command]).env("SMTP_PASSWORD", PASSWORD).current_dir(spool.path()).stderr(Stdio::null());
    assert!(all.status().unwrap().success(), "{command}");
    let all = spool.path().join("results.ndjson");
    assert_eq!(fs::read_to_string(&all).unwrap().lines().count(), 720, "{command}");
    fs::remove_file(all).unwrap();

    // Nothing found: told, unless that is not wanted.
    let none = query(&file, &["--email", "soc@example.com", "--q", "nowhere", "--email-if-any"], spool.path());
    assert!(none.code() == 0 && !none.stderr.contains("sent to"), "{none:?}");
    let none = query(&file, &["--email", "soc@example.com", "--q", "nowhere"], spool.path());
    assert!(none.code() == 0 && none.stderr.contains("match, sent to `soc@example.com`"), "{none:?}");
    let mail = server.mail();
    assert!(mail.header("Subject").ends_with(": no events"), "{mail:?}");
    assert!(mail.parts[0].text().starts_with("No events match\n"), "{mail:?}");

    // A wrong password, of a server that repeats it; a certificate of nobody we know; no STARTTLS.
    let tls =
        ["--security", "starttls", "--certificate", &certificate, "--key", &key, "--login", "okta:other", "--echo"];
    let strict = MailServer::start(python, &tls);
    let login = "login: {username: okta, password: '${env:SMTP_PASSWORD}'}";
    let ca = format!("ca_file: '{}'", authority.path().display());
    let of = |port: u16, more: &str| format!("host: localhost, port: {port}, from: okta@example.com, {login}{more}");
    for (email, says) in [
        (of(strict.port, &format!(", {ca}")), &["refused the login (535", "check `email.login`"][..]),
        (of(strict.port, ""), &["an authority that this machine does not know", "`email.ca_file`"]),
        (of(server.port, ""), &["offers no STARTTLS"]),
        (of(strict.port, ", security: tls, timeout: 5s"), &["`email.security`"]),
    ] {
        let file = config(&org, &email);
        let refused = query(&file, &["--email", "soc@example.com", "--max-pages=1"], spool.path());
        assert_eq!(refused.code(), 1, "{refused:?}");
        assert!(says.iter().all(|says| refused.stderr.contains(says)), "{says:?}: {refused:?}");
        let basic = BASE64_STANDARD.encode(format!("\0okta\0{PASSWORD}"));
        assert!(!refused.stderr.contains(PASSWORD) && !refused.stderr.contains(&basic), "{refused:?}");
        assert!(kept().join("results.ndjson").exists());
        let printed = run_printed(&refused, spool.path());
        assert_eq!(printed.status.code(), Some(1), "the printed command tries again: {printed:?}");
        fs::remove_dir_all(kept()).unwrap();
    }
    // Before anything is asked.
    let before = org.request_count();
    let without = ConfigFile::new(&ConfigYaml::new(NO_BROKER).connector(org.connector("acme")).render());
    let refused = query(&without, &["--email", "soc@example.com"], spool.path());
    assert!(refused.code() == 2 && refused.stderr.contains("write `email:"), "{refused:?}");
    let refused = query(&file, &["--email", "soc@example.com\nBcc: x@example.com"], spool.path());
    assert!(refused.code() == 2 && refused.stderr.contains("is not an address"), "{refused:?}");
    let refused = query(&file, &["--email", "soc@example.com"], Path::new("/nowhere"));
    assert!(refused.code() == 1 && refused.stderr.contains("--to-file"), "{refused:?}");
    assert_eq!(org.request_count(), before);
}
