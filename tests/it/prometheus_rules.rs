//! The recording rules and alerts of deploy/prometheus: Prometheus's own checks, their tests, and that each has what belongs
//! to it: both cases, a section of docs/runbook.md, and metrics that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::connector::utf8;
use crate::support::prometheus::promtool;
use crate::support::prove;

/// A file of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&read(name)).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// All rules of a file.
fn rules(name: &str) -> Vec<Value> {
    list(&yaml(name)["groups"]).iter().flat_map(|group| list(&group["rules"]).to_vec()).collect()
}

fn alerts() -> Vec<Value> {
    rules("deploy/prometheus/alerts.yaml")
}

/// The files of deploy/prometheus/tests.
fn test_files() -> Vec<String> {
    let entries = fs::read_dir(path("deploy/prometheus/tests")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| name.ends_with("_test.yaml")), "{names:?}");
    names.sort();
    names.into_iter().map(|name| format!("deploy/prometheus/tests/{name}")).collect()
}

/// The cases of one kind (`alert_rule_test`, `promql_expr_test`) of all tests.
fn cases(kind: &str) -> Vec<Value> {
    let files = test_files().into_iter().map(|name| yaml(&name));
    files
        .flat_map(|file| list(&file["tests"]).iter().flat_map(|test| list(&test[kind]).to_vec()).collect::<Vec<_>>())
        .collect()
}

/// The names in an expression that begin so.
fn names(expression: &str, prefix: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    words.filter(|word| word.starts_with(prefix)).map(str::to_owned).collect()
}

#[test]
fn promtool_finds_nothing_to_say_and_every_rule_test_passes() {
    let files = ["deploy/prometheus/recording.yaml", "deploy/prometheus/alerts.yaml"].map(path);
    let files: Vec<&str> = files.iter().map(|file| utf8(file)).collect();
    let arguments: Vec<&str> = ["check", "rules", "--lint=all", "--lint-fatal"].into_iter().chain(files).collect();
    let Some(checked) = promtool(&arguments) else { return };
    assert_eq!(checked.code(), 0, "{checked:?}");
    let tests: Vec<PathBuf> = test_files().iter().map(|name| path(name)).collect();
    let arguments: Vec<&str> = ["test", "rules"].into_iter().chain(tests.iter().map(|file| utf8(file))).collect();
    let tested = promtool(&arguments).expect("it was there a moment ago");
    assert_eq!(tested.code(), 0, "{}{}", tested.stdout, tested.stderr);
    let (firing, silent): (Vec<_>, Vec<_>) =
        cases("alert_rule_test").into_iter().partition(|case| !list(&case["exp_alerts"]).is_empty());
    prove::row(
        "alert-rules",
        "Each alert fires when it should, and is silent when it should be",
        &format!(
            "`promtool check rules --lint=all`; `promtool test rules` with a rolling restart, a hand-over, a quiet org, a cold start, one \
             connector of many, two clusters: {} files",
            tests.len()
        ),
        &format!(
            "{} alerts: {} looks at them firing, with their texts, and {} at them silent; {} looks at recording rules",
            alerts().len(),
            firing.len(),
            silent.len(),
            cases("promql_expr_test").len()
        ),
    );
}

#[test]
fn every_alert_has_its_texts_and_both_cases() {
    let cases = cases("alert_rule_test");
    for alert in alerts() {
        let (name, severity) = (text(&alert, "alert"), text(&alert["labels"], "severity"));
        assert!(["page", "ticket"].contains(&severity), "{name}: {severity}");
        assert!(!text(&alert, "for").is_empty(), "{name} is never pending");
        let annotations = &alert["annotations"];
        assert!(!text(annotations, "summary").is_empty(), "{name}");
        assert!(text(annotations, "description").contains("$labels"), "{name}: {annotations}");
        assert_eq!(text(annotations, "runbook_url"), format!("docs/runbook.md#{}", name.to_lowercase()));
        let of = || cases.iter().filter(|case| case["alertname"] == name);
        let fires = |case: &&Value| {
            list(&case["exp_alerts"]).iter().any(|expected| expected["exp_labels"]["severity"] == severity)
        };
        assert!(of().any(|case| fires(&case)), "no test sees {name} ({severity}) fire");
        assert!(of().any(|case| !fires(&case)), "no test sees {name} ({severity}) silent");
    }
    let tested = self::cases("promql_expr_test");
    for rule in rules("deploy/prometheus/recording.yaml") {
        let name = text(&rule, "record");
        let of = |case: &&Value| names(text(case, "expr"), name).contains(name);
        assert!(tested.iter().any(|case| of(&case)), "no test looks at {name}");
    }
}

#[test]
fn the_runbook_has_a_section_and_a_line_for_each_alert_and_no_other() {
    let runbook = read("docs/runbook.md");
    let alerts: BTreeSet<String> = alerts().iter().map(|alert| text(alert, "alert").to_owned()).collect();
    let headings = runbook.lines().filter_map(|line| line.strip_prefix("## "));
    let headings: Vec<&str> = headings.filter(|heading| *heading != "How to look").collect();
    assert_eq!(headings.iter().map(|heading| (*heading).to_owned()).collect::<BTreeSet<_>>(), alerts);
    assert_eq!(headings.len(), alerts.len(), "one is there twice");
    for heading in headings {
        let section = runbook.split(&format!("## {heading}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
        for part in ["**Means**", "**Look**", "**Escalate**"] {
            assert!(section.contains(part), "{heading} has no {part}");
        }
        let row = format!("| [{heading}](#{}) | ", heading.to_lowercase());
        let row =
            runbook.lines().find_map(|line| line.strip_prefix(&row)).unwrap_or_else(|| panic!("no row of {heading}"));
        let told: BTreeSet<&str> = row.split(" | ").next().unwrap().split(", ").collect();
        let rules = self::alerts();
        let of = rules.iter().filter(|alert| alert["alert"] == heading);
        assert_eq!(told, of.map(|alert| text(&alert["labels"], "severity")).collect(), "{heading}");
    }
}

/// docs/metrics.md is held against a scrape of the program by a test of its own.
#[test]
fn rules_name_metrics_and_rules_that_there_are() {
    let page = read("docs/metrics.md");
    let metrics: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(|name| format!("okta_kafka_source_{name}"))
        .collect();
    let recording = rules("deploy/prometheus/recording.yaml");
    let recorded: BTreeSet<String> = recording.iter().map(|rule| text(rule, "record").to_owned()).collect();
    let mut used = BTreeSet::new();
    for rule in alerts().iter().chain(&recording) {
        for name in names(text(rule, "expr"), "okta_kafka_source") {
            assert!(metrics.contains(&name) || recorded.contains(&name), "{name} in {rule}");
            let _ = used.insert(name);
        }
    }
    assert!(used.len() > 10, "{used:?}");
}
