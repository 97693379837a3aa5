//! Mail servers that refuse, hang up or are somebody else: what is said, what is left, and that the printed command sends it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::{PASSWORD, WAIT, append, config, names, query, run_printed};
use crate::support::certificates::{Authority, Leaf};
use crate::support::connector::{self, ConfigFile, utf8};
use crate::support::leak::Secret;
use crate::support::mail_server::MailServer;
use crate::support::org::Org;
use crate::support::process::Stream;
use crate::support::{ports, prove, python};

/// Two recipients, one of whom some servers do not know.
const TO: [&str; 2] = ["--email=gone@example.com", "--email=SOC <soc@example.com>"];

/// What is at the other end.
enum Server<'a> {
    Nobody,
    Real(&'a [&'a str]),
    Misbehaving(&'a [&'a str]),
}

/// Its name, what is at the other end, the section without the port, what is said, and who has to be sent it again.
type Case<'a> = (&'a str, Server<'a>, String, &'a [&'a str], &'a [&'a str]);

#[test]
fn whatever_the_server_does_the_results_are_kept_and_sent_by_the_printed_command() {
    let Some(python) = python::there() else { return };
    let folder = TempDir::with_prefix("email-").unwrap();
    let (ca, foreign) = (Authority::new(folder.path(), "ca"), Authority::new(folder.path(), "foreign"));
    let tls = |authority: &Authority, leaf: Leaf<'_>| {
        let pem = authority.sign(leaf);
        ["--certificate", utf8(&pem.certificate), "--key", utf8(&pem.key)].map(str::to_owned)
    };
    let good = tls(&ca, Leaf::new("good"));
    let expired = tls(&ca, Leaf { valid: (-7200, -60), ..Leaf::new("expired") });
    let other = tls(&ca, Leaf { hosts: &["mail.example.net"], ..Leaf::new("other") });
    let unknown = tls(&foreign, Leaf::new("unknown"));
    let with = |words: &[&'static str], pem: &[String; 4]| -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).chain(pem.iter().cloned()).collect()
    };
    let starttls = |pem: &[String; 4]| with(&["--security", "starttls"], pem);
    let (of_expired, of_other, of_unknown) = (starttls(&expired), starttls(&other), starttls(&unknown));
    let of_inject = with(&["inject"], &good);
    let of_tls = with(&["--security", "tls"], &good);
    let of_login = with(&["--security", "starttls", "--login", "okta:another", "--echo"], &good);
    let wants_login = with(&["--security", "starttls", "--login", "okta:another"], &good);
    let words =
        |words: &[String]| words.iter().map(|word| &*Box::leak(word.clone().into_boxed_str())).collect::<Vec<&str>>();
    let [of_expired, of_other, of_unknown, of_inject, of_tls, of_login, wants_login] =
        [of_expired, of_other, of_unknown, of_inject, of_tls, of_login, wants_login].map(|all| words(&all));
    let ca = format!("host: localhost, ca_file: '{}'", ca.path().display());
    let plain = "host: 127.0.0.1, security: none";
    let login = format!("{ca}, login: {{username: okta, password: '${{env:SMTP_PASSWORD}}'}}");
    let both_refused = ["--refuse=gone@example.com", "--refuse=soc@example.com"];
    let both = &["gone@example.com", "soc@example.com"][..];
    let cases: [Case<'_>; 20] = [
        (
            "nobody",
            Server::Nobody,
            plain.into(),
            &["no e-mail was sent", "could not be reached", "check `email.host`"],
            both,
        ),
        (
            "silent",
            Server::Misbehaving(&["silent"]),
            format!("{plain}, timeout: 1s"),
            &["no e-mail was sent", "did not answer within 1s", "`email.timeout`"],
            both,
        ),
        (
            "endless",
            Server::Misbehaving(&["endless"]),
            plain.into(),
            &["no e-mail was sent", "a line of more than 4096 bytes"],
            both,
        ),
        (
            "no STARTTLS",
            Server::Real(&[]),
            ca.clone(),
            &["no e-mail was sent", "offers no STARTTLS", "nothing is sent in the clear"],
            both,
        ),
        (
            "expired",
            Server::Real(&of_expired),
            ca.clone(),
            &["no e-mail was sent", "`localhost` has expired", "renew it"],
            both,
        ),
        (
            "other name",
            Server::Real(&of_other),
            ca.clone(),
            &["no e-mail was sent", "is for another name: check `email.host`"],
            both,
        ),
        (
            "unknown",
            Server::Real(&of_unknown),
            ca.clone(),
            &["no e-mail was sent", "does not know: set `email.ca_file`"],
            both,
        ),
        (
            "injected",
            Server::Misbehaving(&of_inject),
            ca.clone(),
            &["no e-mail was sent", "check `email.port` and `email.security`"],
            both,
        ),
        (
            "TLS, not STARTTLS",
            Server::Real(&of_tls),
            format!("{ca}, timeout: 2s"),
            &["no e-mail was sent", "`email.security`"],
            both,
        ),
        (
            "STARTTLS, not TLS",
            Server::Real(&wants_login),
            format!("{ca}, security: tls"),
            &["no e-mail was sent", "465 is for `tls`"],
            both,
        ),
        (
            "wrong password",
            Server::Real(&of_login),
            login.clone(),
            &["no e-mail was sent", "refused the login (535", "***", "check `email.login`"],
            both,
        ),
        (
            "no login",
            Server::Real(&wants_login),
            ca.clone(),
            &["no e-mail was sent", "530", "it wants a login: write `email.login`"],
            both,
        ),
        (
            "nobody known",
            Server::Real(&both_refused),
            plain.into(),
            &["no e-mail was sent", "`gone@example.com` (550 5.1.1", "`soc@example.com` (550", "check these addresses"],
            both,
        ),
        (
            "one known",
            Server::Real(&["--refuse=gone@example.com"]),
            plain.into(),
            &["the e-mail went to 1 of 2 recipients", "check these addresses"],
            &["gone@example.com"],
        ),
        (
            "greylisted",
            Server::Real(&["--defer=gone@example.com"]),
            plain.into(),
            &["the e-mail went to 1 of 2 recipients", "(451 4.7.1", "greylisting", "wait some minutes"],
            &["gone@example.com"],
        ),
        (
            "later",
            Server::Real(&["--answer=451 4.3.0 no room just now"]),
            plain.into(),
            &["no e-mail was sent", "refused the mail (451 4.3.0", "wait some minutes"],
            both,
        ),
        (
            "spam",
            Server::Real(&["--answer=554 5.7.1 looks like spam"]),
            plain.into(),
            &["no e-mail was sent", "refused the mail (554 5.7.1 looks like spam)"],
            both,
        ),
        (
            "hangs up at DATA",
            Server::Misbehaving(&["no-data"]),
            plain.into(),
            &["no e-mail was sent", "could not be spoken with"],
            both,
        ),
        (
            "hangs up in DATA",
            Server::Misbehaving(&["middle"]),
            plain.into(),
            &["sent or not, nobody knows", "look into its log"],
            both,
        ),
        (
            "hangs up after DATA",
            Server::Real(&["--hang-up"]),
            plain.into(),
            &["sent or not, nobody knows", "look into its log"],
            both,
        ),
    ];
    let org = Org::with_events(0);
    let ndjson = append(&org, 120).join("\n") + "\n";
    let secret = Secret::new(PASSWORD);
    let fine = MailServer::start(python, &[]);
    let count = cases.len();
    for (name, server, email, says, missing) in cases {
        let server = match server {
            Server::Nobody => None,
            Server::Real(arguments) => Some(MailServer::start(python, arguments)),
            Server::Misbehaving(arguments) => Some(MailServer::misbehaving(python, arguments)),
        };
        let port = server.as_ref().map_or_else(ports::free_port, |server| server.port);
        let file = config(&org, &format!("{email}, port: {port}, from: okta@example.com"));
        let spool = TempDir::with_prefix("spool-").unwrap();
        let (before, path) = (org.request_count(), file.path());
        let arguments =
            [&["query", "acme", "-c", utf8(&path), "--email-attach=ndjson", "--retry-for=0s"], &TO[..]].concat();
        let trace = [("TMPDIR", utf8(spool.path())), ("SMTP_PASSWORD", PASSWORD), ("RUST_LOG", "trace")];
        let output = connector::run(&arguments, &trace, WAIT);
        assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{name}: {output:?}");
        let error = &output.stderr[output.stderr.rfind("error: ").unwrap_or_else(|| panic!("{name}: {output:?}"))..];
        assert!(says.iter().all(|says| error.contains(says)), "{name}: {says:?}: {error}");
        secret.must_not_be_in(name, &output.stderr);
        assert!(org.request_count() > before);
        // What is left, for its owner alone.
        let kept = names(spool.path());
        assert_eq!(kept.len(), 1, "{name}: {kept:?}");
        let results = spool.path().join(&kept[0]).join("results.ndjson");
        assert!(error.contains(&format!("the results are in `{}`", results.display())), "{name}: {error}");
        assert_eq!(fs::read_to_string(&results).unwrap(), ndjson, "{name}");
        assert_eq!(mode(results.parent().unwrap()), 0o700, "{name}");
        // With a good server, or when this one has got better, the printed command sends it to whom it is missing.
        let fixed =
            config(&org, &format!("host: 127.0.0.1, security: none, port: {}, from: okta@example.com", fine.port));
        fs::copy(fixed.path(), file.path()).unwrap();
        let before = org.request_count();
        let again = run_printed(&output, spool.path());
        assert!(again.status.success(), "{name}: {error}\n{again:?}");
        assert_eq!(org.request_count(), before, "{name}: Okta is asked again");
        let mail = fine.mail();
        assert_eq!(
            (&mail.to[..], mail.parts[2].text()),
            (&missing.iter().map(ToString::to_string).collect::<Vec<_>>()[..], ndjson.clone()),
            "{name}"
        );
        assert_eq!(fs::read_to_string(&results).unwrap(), ndjson, "{name}: what was sent from is not touched");
        if let ("one known" | "greylisted", Some(server)) = (name, &server) {
            assert_eq!(server.mail().to, ["soc@example.com"], "{name}");
        }
    }
    prove::row(
        "query-email-faults",
        "A mail that fails, in part or whole, loses no result, and no message has the password",
        &format!(
            "{count} mail servers: none, silent, talking without end, without STARTTLS, with answers put in before TLS, expired, foreign or another's certificate, wrong or missing login, refused and greylisted recipients, hanging up"
        ),
        "exit code 1, what to do, all results in a file that only its owner reads; the printed command sends them without asking Okta",
    );
}

#[test]
fn who_interrupts_the_sending_is_told_where_the_results_are() {
    let Some(python) = python::there() else { return };
    let org = Org::with_events(0);
    let ndjson = append(&org, 12).join("\n") + "\n";
    let server = MailServer::misbehaving(python, &["silent"]);
    let file = config(&org, &format!("host: 127.0.0.1, security: none, port: {}, from: okta@example.com", server.port));
    let spool = TempDir::with_prefix("spool-").unwrap();
    let path = file.path();
    let arguments = ["query", "acme", "-c", utf8(&path), "--email=soc@example.com", "--email-attach=ndjson"];
    let process = connector::spawn(&arguments, &[("TMPDIR", utf8(spool.path()))]);
    server.await_connection();
    process.signal(Signal::SIGINT);
    assert_eq!(process.wait(Duration::from_secs(5)).code(), Some(130));
    let said = process.text(Stream::Stderr);
    assert!(said.contains("the e-mail may not be sent; the results are in `"), "{said}");
    let results = spool.path().join(&names(spool.path())[0]).join("results.ndjson");
    assert_eq!(fs::read_to_string(&results).unwrap(), ndjson);
    let command = said.lines().find(|line| line.contains("--from-file")).expect("a command");
    assert!(command.contains(utf8(&results)) && command.ends_with("--email soc@example.com"), "{command}");
}

#[test]
fn a_file_that_is_no_result_is_not_sent() {
    let org = Org::with_events(0);
    let file = config(&org, "host: 127.0.0.1, security: none, port: 1, from: okta@example.com");
    let folder = TempDir::with_prefix("email-").unwrap();
    for (content, says) in [
        (None, "cannot be read"),
        (Some("published,severity\n1,2\n"), "line 1 is not one event: write it with `query … --to-file`"),
        (Some("{\"uuid\":\"1\"}\n{\"uuid\":\n"), "line 2 is not one event"),
        (Some("{\"uuid\":\"1\"},{\"uuid\":\"2\"}\n"), "line 1 is not one event"),
        // Of `curl`, of `jq -c`, and whatever else is JSON.
        (Some("[{\"uuid\":\"1\"},{\"uuid\":\"2\"}]\n"), "line 1 is not one event"),
        (Some("{\"uuid\":\"1\"}\n\"text\"\n"), "line 2 is not one event"),
        (Some("3\n"), "line 1 is not one event"),
        (Some("[1,2]\n"), "line 1 is not one event"),
        (Some("{\"uuid\":\"1\"}\nnull\n"), "line 2 is not one event"),
    ] {
        let path = folder.path().join("results");
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let output = query(&file, &["--email=soc@example.com", "--from-file", utf8(&path)], folder.path());
        assert!(output.code() == 1 && output.stderr.contains(says), "{says}: {output:?}");
        assert!(!output.stderr.contains("e-mail was sent"), "{output:?}");
    }
    assert_eq!(org.request_count(), 0);
}

/// `check` says whether a mail would be taken up to its sender, and sends none.
#[test]
fn check_has_a_line_about_the_mail_server() {
    let Some(python) = python::there() else { return };
    let folder = TempDir::with_prefix("email-").unwrap();
    let authority = Authority::new(folder.path(), "ca");
    let pem = authority.sign(Leaf::new("mail"));
    let good = format!("okta:{PASSWORD}");
    let org = Org::with_events(0);
    let line = &|security: &str, login: &str, port: Option<u16>| {
        let arguments = [
            "--security",
            security,
            "--certificate",
            utf8(&pem.certificate),
            "--key",
            utf8(&pem.key),
            "--login",
            login,
        ];
        let server = MailServer::start(python, &arguments);
        let port = port.unwrap_or(server.port);
        let file = config(
            &org,
            &format!(
                "host: localhost, port: {port}, security: {security}, ca_file: '{}', from: okta@example.com, \
                 login: {{username: okta, password: '${{env:SMTP_PASSWORD}}'}}",
                authority.path().display()
            ),
        );
        (check(&file), port)
    };
    let nobody = ports::free_port();
    // Each waits for a broker that is not there.
    let lines = std::thread::scope(|scope| {
        let asked = [
            ("starttls", &*good, None),
            ("tls", &good, None),
            ("starttls", "okta:another", None),
            ("tls", &good, Some(nobody)),
        ];
        let asking = asked.map(|(security, login, port)| scope.spawn(move || line(security, login, port)));
        asking.map(|asking| asking.join().unwrap())
    });
    for ((line, port), with) in lines.iter().zip(["STARTTLS", "TLS"]) {
        let says = format!("localhost:{port} answers with {with}, and lets us in; no e-mail was sent");
        assert!(line.starts_with("ok ") && line.contains(&says), "{line}");
    }
    for ((line, _), says) in lines[2..].iter().zip(["refused the login (535", "could not be spoken with"]) {
        assert!(line.starts_with("warn ") && line.contains(says) && line.contains("check `email."), "{line}");
    }
}

/// The line of `check` about the mail server.
fn check(file: &ConfigFile) -> String {
    let path = file.path();
    let output = connector::run(&["check", "-c", utf8(&path)], &[("SMTP_PASSWORD", PASSWORD)], WAIT);
    Secret::new(PASSWORD).must_not_be_in("check", &(output.stdout.clone() + &output.stderr));
    let lines: Vec<&str> =
        output.stdout.lines().filter(|line| line.split_whitespace().nth(1) == Some("email:")).collect();
    assert_eq!(lines.len(), 1, "{output:?}");
    lines[0].to_owned()
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
