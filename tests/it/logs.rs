//! The log against its page: docs/logs.md names every field that a line may have, and what repeats is said seldom.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use okta_kafka_source::simulator::{DpopMode, FaultKind, Faults, SimulatorConfig};
use okta_kafka_source::telemetry::{self, LogFormat};
use serde_json::Value;

use crate::service_app::app::App;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, utf8};
use crate::support::log_fields;
use crate::support::org::Org;
use crate::support::ports::free_port;
use crate::support::prove;
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::shared_broker::shared_broker;

const WAIT: Duration = Duration::from_secs(60);
const JSON: (&str, &str) = ("OKTA_KAFKA_SOURCE_LOG_FORMAT", "json");

/// Fields and their types, as the page has them.
fn page() -> BTreeMap<String, String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/logs.md")).unwrap();
    let mut fields = BTreeMap::new();
    for row in text.lines().filter_map(|line| line.strip_prefix("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        assert_eq!(cells.len(), 3, "{row}");
        for name in cells[0].split('`').step_by(2).filter(|name| !name.is_empty()) {
            assert!(fields.insert(name.to_owned(), cells[1].to_owned()).is_none(), "`{name}` twice");
        }
    }
    fields
}

/// Each line is an object whose fields, and their types, are on the page.
fn assert_documented(page: &BTreeMap<String, String>, log: &str) -> Vec<Value> {
    let mut lines = Vec::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for name in ["timestamp", "level", "target", "message"] {
            assert!(line[name].is_string(), "no `{name}`: {line}");
        }
        assert!(line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
        for (name, value) in line.as_object().unwrap() {
            let kind = page.get(name).unwrap_or_else(|| panic!("docs/logs.md has no `{name}`: {line}"));
            let is = match kind.as_str() {
                "text" => value.is_string(),
                "number" => value.is_number(),
                "truth value" => value.is_boolean(),
                "object" => value.is_object(),
                other => panic!("what is `{other}`?"),
            };
            assert!(is, "`{name}` is no {kind}: {line}");
        }
        lines.push(line);
    }
    lines
}

/// Both ways: nothing in the sources that the page does not have, and nothing there that no line has any more.
#[test]
fn the_page_has_the_fields_of_the_sources() {
    /// What the log itself adds.
    const ADDED: [&str; 6] = ["timestamp", "level", "target", "message", "suppressed", "fields"];
    let page: BTreeSet<String> = page().into_keys().collect();
    let mut sources: BTreeSet<String> = ADDED.map(str::to_owned).into_iter().collect();
    sources.extend(log_fields::of_sources());
    assert_eq!(page, sources, "docs/logs.md (left) and the sources (right)");
}

/// The lines of a run in which much goes wrong: at the usual level, and with all that the program itself has to say.
#[test]
fn every_field_of_real_lines_is_on_the_page() {
    let Some(kafka) = shared_broker() else { return };
    let page = page();
    for levels in ["info", "info,okta_kafka_source=trace,librdkafka=trace,h2=trace,hyper=debug"] {
        let refused = Org::with_events(10);
        let failing = Org::start(SimulatorConfig {
            events: 2_000,
            faults: Faults::one("http_500".parse::<FaultKind>().unwrap(), 0.5).unwrap(),
            ..SimulatorConfig::default()
        });
        let life = Duration::from_secs(600);
        let key = ServiceKey::new("key-1", Kind::P256);
        let app = App::start(SimulatorConfig::default(), DpopMode::Required, life, key, Form::Jwk);
        let mut wrong = refused.connector("refused");
        wrong.token = "00wrong-token-wrong-token-wrong-token-wrong".to_owned();
        let config = ConfigYaml::new(kafka.bootstrap())
            .schema_registry(&format!("http://127.0.0.1:{}", free_port()))
            .connector(wrong)
            .connector(failing.connector("failing").interval("200ms"))
            .connector(app.connector("app"))
            .connector(refused.connector("avro").extra("format: avro"));
        let worker = Connector::spawn(&config, &[JSON, ("RUST_LOG", levels)]);
        worker.await_state("refused", "failed", WAIT);
        let _ = worker.await_of("failing", "okta_requests_total", &[("code", "500")], |count| count >= 3.0, WAIT);
        let _ =
            worker.await_of("avro", "schema_registry_requests_total", &[("result", "unavailable")], |n| n >= 1.0, WAIT);
        worker.await_caught_up(&app.org, "app", WAIT);
        worker.stop();
        let lines = assert_documented(&page, &worker.log());
        let said = |words: &str| -> Vec<&Value> {
            lines.iter().filter(|line| line["message"].as_str().unwrap().contains(words)).collect()
        };
        // What Okta's support asks for, on each error of Okta's.
        for words in ["connector failed: okta refused the credential", "okta answered with 500"] {
            let lines = said(words);
            assert!(!lines.is_empty(), "{words}");
            for line in lines {
                let id = line["okta_request_id"].as_str().unwrap_or_default();
                assert!(id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()), "{line}");
            }
        }
        assert!(!said("caught up").is_empty());
    }
    // One-shot commands too, and why the program ends.
    let file = ConfigFile::new("kafka: {}\nconnectors: []\n");
    let path = file.path();
    let output = connector::run(&["run", "-c", utf8(&path), "--log-format", "json"], &[], WAIT);
    assert_eq!(output.code(), 2);
    let lines = assert_documented(&page, &output.stderr);
    assert!(lines[0]["message"].as_str().unwrap().contains("bootstrap.servers"), "{output:?}");
}

/// `check` and `status` have the request's id behind their words.
#[test]
fn check_tells_the_request_s_id() {
    let Some(kafka) = shared_broker() else { return };
    let org = Org::with_events(10);
    let mut acme = org.connector("acme");
    acme.token = "00wrong-token-wrong-token-wrong-token-wrong".to_owned();
    let config = ConfigYaml::new(kafka.bootstrap()).connector(acme);
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    let output = connector::run(&["check", "-c", utf8(&path)], &[], WAIT);
    assert_eq!(output.code(), 1, "{output:?}");
    let line = output.stdout.lines().find(|line| line.contains("refused the credential")).unwrap();
    assert!(line.contains("(`x-okta-request-id` `"), "{line}");
    let worker = Connector::spawn(&config, &[]);
    worker.await_state("acme", "failed", WAIT);
    let deadline = Instant::now() + WAIT;
    loop {
        let output = connector::run(&["status", "--json", "-c", utf8(&path)], &[], WAIT);
        let status: Value = serde_json::from_str(output.stdout.lines().next().unwrap()).unwrap();
        if status["trouble"].as_str().is_some_and(|trouble| trouble.contains("(`x-okta-request-id` `")) {
            break;
        }
        assert!(Instant::now() < deadline, "{status}");
    }
}

/// Orgs that refuse all the time, a registry, an org and a Kafka that are not there: some lines, whatever their pace.
#[test]
fn faults_that_go_on_write_few_lines_and_say_how_many_were_left_out() {
    let Some(kafka) = shared_broker() else { return };
    let going_on = Duration::from_secs(prove::scale(60, 8));
    // Every answer but few is a 500: each that is not begins the pauses anew, so that half a line a second would be said.
    let failing = |share: f64| {
        let faults = Faults::one("http_500".parse::<FaultKind>().unwrap(), share).unwrap();
        Org::start(SimulatorConfig { events: 100_000, faults, ..SimulatorConfig::default() })
    };
    let orgs = [failing(0.3), failing(0.4)];
    let absent = format!("http://127.0.0.1:{}", free_port());
    let mut nobody = orgs[0].connector("nobody");
    nobody.org = absent.clone();
    let config = ConfigYaml::new(kafka.bootstrap())
        .schema_registry(&absent)
        .connector(orgs[0].connector("first").interval("100ms"))
        .connector(orgs[1].connector("second").interval("100ms"))
        .connector(nobody)
        .connector(orgs[0].connector("avro").extra("format: avro"));
    let worker = Connector::spawn(&config, &[JSON]);
    let alone = Connector::spawn(
        &ConfigYaml::new(&format!("127.0.0.1:{}", free_port())).connector(orgs[0].connector("acme")),
        &[JSON],
    );
    for connector in ["first", "second"] {
        let _ = worker.await_of(connector, "okta_requests_total", &[("code", "500")], |count| count >= 7.0, WAIT);
    }
    alone.process().runs_on(going_on);
    let refused = |connector: &str| worker.of(connector, "retries_total", &[("reason", "http_5xx")]).unwrap();
    let refused = refused("first") + refused("second");
    worker.stop();
    alone.stop();
    let page = page();
    let lines = assert_documented(&page, &worker.log());
    let alone = assert_documented(&page, &alone.log());
    // What is said at the start of this test's own configuration and broker aside.
    let of_the_start = |line: &Value| {
        let message = line["message"].as_str().unwrap();
        message.contains("asks more often than") || message.contains("min.insync.replicas 1")
    };
    let is_loud = |line: &&Value| (line["level"] == "WARN" || line["level"] == "ERROR") && !of_the_start(line);
    let loud = |lines: &[Value]| lines.iter().filter(is_loud).count();
    assert!(loud(&lines) <= 45, "{}:\n{lines:#?}", loud(&lines));
    assert!(loud(&alone) <= 12, "{}:\n{alone:#?}", loud(&alone));
    // What was said and what was left out are all there were.
    let of_orgs = lines.iter().filter(|line| line["message"].as_str().unwrap().contains("okta answered with 500"));
    let (mut said, mut left_out) = (0, 0);
    for line in of_orgs {
        let suppressed = line["suppressed"].as_u64().unwrap_or_default();
        left_out += suppressed;
        said += u64::from(!line["message"].as_str().unwrap().contains("more like this one were left out"));
    }
    assert!(left_out > 0 && said <= 24, "{said} said, {left_out} left out");
    assert!((said + left_out) as f64 >= refused, "{said} + {left_out} of {refused}");
    prove::row(
        "log-repeats",
        "A fault that goes on writes few lines, and the count of those that were left out is told",
        &format!(
            "for {} s: two orgs that refuse a third of all requests, an org, a schema registry and a Kafka that are not there",
            going_on.as_secs()
        ),
        &format!(
            "{} lines at WARN or ERROR beside {left_out} left out; without a Kafka {}",
            loud(&lines),
            loud(&alone)
        ),
    );
}

/// Each connector of the file has its own line, however many have the same mistake, whatever `RUST_LOG` is, if it is of no use.
#[test]
fn what_is_unwise_in_the_file_is_said_of_each_connector() {
    let org = Org::with_events(1);
    let mut config = ConfigYaml::new(&format!("127.0.0.1:{}", free_port()));
    for number in 0..10 {
        config = config.connector(org.connector(&format!("org-{number}")).interval("20s"));
    }
    let page = page();
    for (levels, refused) in [("", 0), ("info,okta_kafka_source::okta=debgu", 1)] {
        let worker = Connector::spawn(&config, &[JSON, ("RUST_LOG", levels)]);
        let _ = worker.await_log("its start", |line| line.contains("\"started\""), WAIT);
        worker.stop();
        let lines = assert_documented(&page, &worker.log());
        let said = |words: &str| {
            lines
                .iter()
                .filter(|line| line["level"] == "WARN" && line["message"].as_str().unwrap().contains(words))
                .count()
        };
        assert_eq!(said("].interval: "), 10, "{lines:#?}");
        assert_eq!(said("more like this one"), 0, "{lines:#?}");
        assert_eq!(said("RUST_LOG is `info,okta_kafka_source::okta=debgu`"), refused, "{lines:#?}");
    }
}

/// In a process of its own, since it is the process's hook: this test, told so by a variable, is the one that panics.
#[test]
fn a_panic_is_a_line_of_json_too() {
    const CHILD: &str = "OKS_TEST_PANICS";
    if std::env::var_os(CHILD).is_some() {
        telemetry::init(LogFormat::Json, "off");
        let panics = std::thread::Builder::new().name("shard-7".to_owned()).spawn(|| panic!("two\nlines \"quoted\""));
        assert!(panics.unwrap().join().is_err());
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let _ = command.args(["--exact", "logs::a_panic_is_a_line_of_json_too", "--nocapture"]).env(CHILD, "1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = assert_documented(&page(), &String::from_utf8_lossy(&output.stderr));
    assert_eq!(lines.len(), 1, "{lines:?}");
    let message = lines[0]["message"].as_str().unwrap();
    assert!(message.starts_with("thread `shard-7` panicked at tests/it/logs.rs:"), "{message}");
    assert!(message.contains("two\nlines \"quoted\"") && lines[0]["level"] == "ERROR", "{message}");
}
