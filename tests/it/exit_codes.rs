//! The exit codes of the contract, and what is said with them.

use std::net::TcpListener;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, utf8};
use crate::support::org::Org;
use crate::support::ports::free_port;

const WAIT: Duration = Duration::from_secs(60);

#[test]
fn a_bad_command_line_is_2_and_help_is_0() {
    for (arguments, code, part) in [
        (&["--help"][..], 0, "simulate"),
        (&["--version"], 0, env!("CARGO_PKG_VERSION")),
        (&["run", "--help"], 0, "Example"),
        (&["offsets", "--help"], 0, "Example"),
        (&["offsets", "get", "--help"], 0, "Example"),
        (&["offsets", "list", "--help"], 0, "Example"),
        (&["status", "--help"], 0, "Example"),
        (&["offsets", "alter", "--help"], 0, "Example"),
        (&["offsets", "reset", "--help"], 0, "Example"),
        (&["dead-letters", "--help"], 0, "Example"),
        (&["dead-letters", "list", "--help"], 0, "Example"),
        (&["simulate", "--help"], 0, "Example"),
        (&["demo", "--help"], 0, "Example"),
        (&["check", "--help"], 0, "Example"),
        (&["schema", "--help"], 0, "Example"),
        (&["schema", "show", "--help"], 0, "Example"),
        (&["schema", "check", "--help"], 0, "Example"),
        (&["schema", "register", "--help"], 0, "Example"),
        (&[], 2, "Usage"),
        (&["run"], 2, "--config"),
        (&["fly"], 2, "fly"),
        (&["offsets", "get", "-c", "x.yaml"], 2, "NAME"),
        (&["dead-letters", "list", "-c", "x.yaml"], 2, "NAME"),
        (&["run", "-c", "no/such/file.yaml"], 2, "no/such/file.yaml"),
        (&["schema", "check", "-c", "no/such/file.yaml"], 2, "no/such/file.yaml"),
        (&["offsets", "list", "-c", "no/such/file.yaml"], 2, "no/such/file.yaml"),
        (&["simulate", "--bootstrap", "kafka:9092"], 2, "of --print-config"),
        (&["simulate", "--fault", "no_such=1"], 2, "no_such"),
    ] {
        let output = connector::run(arguments, &[], WAIT);
        assert_eq!(output.code(), code, "{arguments:?}: {output:?}");
        let (said, silent) = match code {
            0 => (&output.stdout, &output.stderr),
            _ => (&output.stderr, &output.stdout),
        };
        assert!(said.contains(part) && silent.is_empty(), "{arguments:?}: {output:?}");
    }
}

/// Every problem at once, each with its key path and its line, in every command that takes the file.
#[test]
fn a_bad_file_is_2_with_every_problem() {
    let text = "\
kafka:
  bootstrap.servers: localhost:9092
  transactional.id: mine
offsets:
  partitions: 0
connectors:
  - name: acme
    org: https://acme-admin.okta.com
    auth: {ssws: \"${env:OKS_NOT_SET}\"}
    topic: t
    interval: 2d
    colour: red
  - name: second
";
    let file = ConfigFile::new(text);
    let path = file.path();
    for command in [
        &["run"][..],
        &["check"],
        &["check", "--offline"],
        &["offsets", "list"],
        &["status"],
        &["offsets", "reset", "acme"],
    ] {
        let arguments: Vec<&str> = command.iter().copied().chain(["-c", utf8(&path)]).collect();
        let output = connector::run(&arguments, &[], WAIT);
        assert_eq!(output.code(), 2, "{output:?}");
        assert_eq!(output.stdout, "");
        for (line, key, part) in [
            (3, "kafka.transactional.id", ""),
            (5, "offsets.partitions", ""),
            (8, "connectors[0].org", "https://acme.okta.com"),
            (9, "connectors[0].auth.ssws", "OKS_NOT_SET"),
            (11, "connectors[0].interval", ""),
            (12, "connectors[0].colour", ""),
            (13, "connectors[1].org", ""),
            (13, "connectors[1].auth", ""),
            (13, "connectors[1].topic", ""),
        ] {
            let found = output.stderr.lines().any(|said| {
                said.contains(&format!(":{line}:")) && said.contains(&format!("{key}:")) && said.contains(part)
            });
            assert!(found, "line {line}, {key} {part}:\n{}", output.stderr);
        }
    }
    let output = connector::run(&["run"], &[("OKTA_KAFKA_SOURCE_CONFIG", utf8(&path))], WAIT);
    assert_eq!(output.code(), 2);
    assert!(output.stderr.contains("connectors[0].colour"), "the file from the environment: {}", output.stderr);
}

#[test]
fn what_fails_at_run_time_is_1() {
    let org = Org::with_events(0);
    let bootstrap = format!("127.0.0.1:{}", free_port());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = ConfigYaml::new(&bootstrap).connector(org.connector("acme"));
    config.http_listen = taken.local_addr().unwrap().to_string();
    let worker = Connector::spawn(&config, &[]);
    assert_eq!(worker.wait(WAIT).code(), Some(1));
    assert!(worker.log().contains(&config.http_listen) && worker.log().contains("http.listen"), "{}", worker.log());

    let file = ConfigFile::new(&config.render());
    let path = file.path();
    let output = connector::run(&["offsets", "list", "-c", utf8(&path)], &[], WAIT);
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{output:?}");
    assert!(output.stderr.contains(&bootstrap), "the broker that can't be reached is named: {}", output.stderr);
}

/// A one-shot command that is interrupted says so with its code; a service that is told to stop is done.
#[test]
fn an_interrupted_command_is_130_and_143() {
    let org = Org::with_events(0);
    // A broker that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let bootstrap = silent.local_addr().unwrap().to_string();
    let config = ConfigYaml::new(&bootstrap).connector(org.connector("acme"));
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let command = connector::spawn(&["offsets", "list", "-c", utf8(&path)], &[]);
        let _connection = silent.accept().unwrap();
        command.signal(signal);
        assert_eq!(command.wait(WAIT).code(), Some(code), "{}", command.tail(20));
    }
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let simulate = connector::spawn(&["simulate", "--listen", "127.0.0.1:0", "--events", "10"], &[]);
        let line = simulate.await_line("where it listens", |line| line.starts_with('{'), WAIT);
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(ready["url"].as_str().unwrap().starts_with("http://127.0.0.1:") && ready["token"].is_string());
        simulate.signal(signal);
        assert_eq!(simulate.wait(WAIT).code(), Some(0), "{signal}");
    }
}
