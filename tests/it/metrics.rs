//! `/metrics` against its page: what the program serves is what docs/metrics.md says, name by name, and Prometheus's own
//! linter has nothing to say of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use okta_kafka_source::simulator::{DpopMode, FaultKind, Faults, SimulatorConfig};

use crate::service_app::app::App;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::Connector;
use crate::support::org::Org;
use crate::support::prometheus;
use crate::support::prove;
use crate::support::registry::shared_registry;
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::shared_broker::shared_broker;

const WAIT: Duration = Duration::from_secs(60);
const PREFIX: &str = "okta_kafka_source_";

/// A family, of the page or of a scrape.
#[derive(Debug, Default, PartialEq, Eq)]
struct Family {
    kind: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// docs/metrics.md.
struct Page {
    text: String,
    families: BTreeMap<String, Family>,
    /// Of labels that have a row of their own, where they stand there; none: whatever the configuration has.
    values: BTreeMap<String, Option<BTreeSet<String>>>,
}

impl Page {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
        let text = fs::read_to_string(path).unwrap();
        let mut page = Self { families: BTreeMap::new(), values: BTreeMap::new(), text: String::new() };
        let rows = text.lines().filter_map(|line| line.strip_prefix("| ")).map(|row| row.split(" | ").collect());
        for row in rows.filter(|row: &Vec<&str>| row[0].starts_with('`')) {
            let name = quoted(row[0]).remove(0);
            match row[..] {
                [_, kind, labels, _, meaning, tells] => {
                    assert!(!meaning.is_empty() && !tells.trim_end_matches(" |").is_empty(), "{name}");
                    let full = if name.starts_with("process_") { name } else { format!("{PREFIX}{name}") };
                    let labels = labels.split(';').map(quoted).filter(|label| !label.is_empty());
                    let labels = labels.map(|mut label| (label.remove(0), label.into_iter().collect())).collect();
                    let family = Family { kind: kind.to_owned(), labels };
                    assert!(page.families.insert(full, family).is_none(), "twice");
                }
                [_, values, _] => {
                    let values = quoted(values).into_iter().filter(|value| !value.contains(['.', '('])).collect();
                    let own = (name == "code").then_some(values);
                    let _ = page.values.insert(name, own);
                }
                _ => panic!("a row of {} cells: {row:?}", row.len()),
            }
        }
        page.text = text;
        page
    }

    /// The number that stands before these words.
    fn number_before(&self, words: &str) -> usize {
        let at = self.text.find(words).unwrap_or_else(|| panic!("the page does not say `{words}`"));
        let number = self.text[..at].trim_end().rsplit(|c: char| !c.is_ascii_digit()).next();
        number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number before `{words}`"))
    }

    fn number_behind(&self, words: &str) -> usize {
        let at = self.text.find(words).unwrap_or_else(|| panic!("the page does not say `{words}`")) + words.len();
        let number = self.text[at..].trim_start().split(|c: char| !c.is_ascii_digit()).next();
        number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number behind `{words}`"))
    }
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The labels of one line of a scrape.
type Series = BTreeMap<String, String>;

/// What a scrape shows: families, and each of its series.
fn scraped(text: &str) -> (BTreeMap<String, Family>, Vec<Series>) {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut all = Vec::new();
    let mut now = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(words.len() > 15 || name.starts_with("process_"), "a HELP that helps nobody: {line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            now = name.to_owned();
            let family = Family { kind: kind.to_owned(), labels: BTreeMap::new() };
            assert!(families.insert(now.clone(), family).is_none(), "{name} twice");
        } else {
            let series = line.rsplit_once(' ').unwrap().0;
            assert!(series.starts_with(&now), "{line} under {now}");
            let labels = series.split_once('{').map_or("", |(_, labels)| labels.trim_end_matches('}'));
            let mut series = Series::new();
            for (label, value) in labels.split(',').filter_map(|label| label.split_once('=')) {
                let value = value.trim_matches('"').to_owned();
                let values = families.get_mut(&now).unwrap().labels.entry(label.to_owned()).or_default();
                let _ = values.insert(value.clone());
                let _ = series.insert(label.to_owned(), value);
            }
            all.push(series);
        }
    }
    (families, all)
}

#[test]
fn what_is_served_is_what_the_page_says_and_nothing_else() {
    let (Some(kafka), Some(registry)) = (shared_broker(), shared_registry()) else { return };
    let page = Page::read();
    let org = Org::start(SimulatorConfig {
        events: 1_500,
        unpublishable: 0.02,
        faults: Faults::one("http_500".parse::<FaultKind>().unwrap(), 0.1).unwrap(),
        ..SimulatorConfig::default()
    });
    let key = ServiceKey::new("key-1", Kind::P256);
    let app = App::start(
        SimulatorConfig { events: 200, ..SimulatorConfig::default() },
        DpopMode::Required,
        Duration::from_secs(600),
        key,
        Form::Jwk,
    );
    let acme = org.connector("acme").interval("200ms").extra("format: avro");
    let beta = app.connector("beta").interval("200ms");
    let config = ConfigYaml::new(kafka.bootstrap()).schema_registry(&registry.url()).connector(acme).connector(beta);
    let worker = Connector::spawn(&config, &[]);
    worker.await_caught_up(&app.org, "beta", WAIT);
    let letters = |count: f64| count > 0.0;
    let _ = worker.await_of("acme", "dead_letters_total", &[("stage", "VALUE_CONVERTER")], letters, WAIT);
    let _ = worker.await_of("acme", "okta_requests_total", &[("code", "500")], |count| count > 0.0, WAIT);

    let text = worker.http("/metrics").expect("it listens").body;
    let (families, series) = scraped(&text);
    let names = |families: &BTreeMap<String, Family>| families.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&families), names(&page.families), "what is served (left) and what the page has (right)");
    for (name, found) in &families {
        let expected = &page.families[name];
        assert_eq!(found.kind, expected.kind, "{name}");
        let labels = |family: &Family| family.labels.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(labels(found), labels(expected), "{name}: its labels (left) and those of the page (right)");
        for (label, values) in &found.labels {
            match page.values.get(label) {
                // As many as the configuration says.
                Some(None) => {}
                // The others come with the answers that they stand for.
                Some(Some(allowed)) => assert!(values.is_subset(allowed), "{name}: {values:?} of {allowed:?}"),
                None => assert_eq!(values, &expected.labels[label], "{name}{{{label}}}: served (left), page (right)"),
            }
        }
    }

    // How many series there are at most.
    let codes = page.values["code"].as_ref().unwrap().len();
    assert_eq!(codes, page.number_before(" |\n| `le`"));
    let is_code = |series: &&Series| series.contains_key("code");
    let with = |label: &str, value: &str| {
        let of = series.iter().filter(|series| series.get(label).is_some_and(|found| found == value));
        (of.clone().count(), of.filter(is_code).count())
    };
    let [of_token, of_app] = ["acme", "beta"].map(|name| {
        let (all, codes) = with("connector", name);
        all - codes
    });
    assert_eq!(of_token + 1, of_app, "the end of its access token");
    let fixed = of_token;
    // `200` and `error` are there at first.
    assert_eq!(fixed + 2, page.number_behind("A connector has"));
    assert_eq!(fixed + codes, page.number_behind("series at first and"));
    let shard = series.iter().find_map(|series| series.get("shard")).unwrap();
    assert_eq!(with("shard", shard).0, page.number_behind("at most; a shard"));
    let own = ["connector", "shard", "client_id"];
    let own = series.iter().filter(|series| !own.iter().any(|label| series.contains_key(*label))).count();
    assert_eq!(own, page.number_behind("a worker"));

    // What librdkafka says comes every ten seconds.
    let shards: BTreeSet<&String> = series.iter().filter_map(|series| series.get("shard")).collect();
    for shard in shards {
        let name = |name: &str| format!("{PREFIX}kafka_{name}");
        let labels = [("shard", shard.as_str())];
        let _ = worker.await_metric(&name("round_trips_total"), &labels, |count| count > 10.0, WAIT);
        let seconds = worker.metric(&name("round_trip_seconds_total"), &labels).unwrap();
        assert!((0.000_1..60.0).contains(&seconds), "{seconds}");
        let is_one =
            |state: &str| worker.metric(&name("transaction_state"), &[labels[0], ("state", state)]) == Some(1.0);
        // Caught up: between two transactions of milliseconds.
        let began = format!("{PREFIX}transaction_began_timestamp_seconds");
        let _ = worker.await_metric(&began, &labels, |began| began == 0.0, WAIT);
        assert!(!is_one("starting") && !is_one("failed"), "{text}");
    }
    check_with_promtool(&text);
    prove::row(
        "metrics-page",
        "`/metrics` is what docs/metrics.md says: each family, type, label and label value, in both directions, and `promtool check metrics` finds nothing to say",
        "two connectors, one with Avro and dead letters and 500s, one a service app with DPoP; a real Kafka and a real registry",
        &format!("{} families, {} series", families.len(), series.len()),
    );
    worker.stop();
}

/// Prometheus's linter: says nothing, and ends with 0.
fn check_with_promtool(scrape: &str) {
    let Some(tools) = prometheus::tools() else { return };
    let child = Command::new(tools.join("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    child.stdin.take().unwrap().write_all(scrape.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""));
}
