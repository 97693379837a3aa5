//! The same refusals as the shipped program meets them, on a real Kafka: what its log, its metrics and `status` say.

use std::time::{Duration, Instant};

use okta_kafka_source::simulator::VerbatimAnswer;
use serde_json::Value;

use super::rows::ROWS;
use super::{LOGS, SNAPSHOT, verbatim};
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, utf8};
use crate::support::org::Org;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::create_topic;
use crate::support::{checkpoint, prove, snapshot};

const WAIT: Duration = Duration::from_secs(60);

/// Connector, row, how often it is answered so, and for which reason it is asked again.
const KINDS: [(&str, &str, usize, Option<&str>); 11] = [
    ("filter", "bad filter, operator", 1, None),
    ("field", "operator and field", 1, None),
    ("cursor", "after", 1, None),
    ("old", "since too old, of a link with a cursor", 1, None),
    // Once, and once more after the token was read again.
    ("token", "SSWS", 2, None),
    ("role", "role", 1, None),
    ("path", "unknown path", 1, None),
    ("window", "window used up", 1, Some("rate_limit")),
    ("crowded", "too many at once", 1, Some("concurrency")),
    ("trouble", "internal", 3, Some("http_5xx")),
    ("maintenance", "read only", 3, Some("http_5xx")),
];

/// What the snapshot has of a row, as an operator reads it.
pub fn says(file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(snapshot::path(file)).unwrap();
    let block = text.split("\n\n").find(|block| {
        let title = block.lines().next().unwrap_or_default();
        title.split_once(' ').is_some_and(|(_, title)| title == name)
    });
    let block = block.unwrap_or_else(|| panic!("no `{name}` in the snapshot"));
    block.lines().find_map(|line| line.strip_prefix("  says    ")).unwrap().to_owned()
}

pub fn status(config: &ConfigYaml, environment: &[(&str, &str)]) -> Vec<Value> {
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    let output = connector::run(&["status", "--json", "-c", utf8(&path)], environment, WAIT);
    assert_eq!(output.code(), 0, "{output:?}");
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_program_fails_or_goes_on_and_says_why_in_log_metrics_and_status() {
    let Some(kafka) = shared_broker() else { return };
    let orgs: Vec<Org> = KINDS.iter().map(|_| Org::with_events(20)).collect();
    let mut config = ConfigYaml::new(kafka.bootstrap());
    create_topic(kafka.bootstrap(), &config.offsets_topic, 4, &[("cleanup.policy", "compact")]);
    for ((name, ..), org) in KINDS.iter().zip(&orgs) {
        // So that what a lost position says is seen: by default it goes on by itself.
        config = config.connector(org.connector(name).interval("500ms").extra("on_lost_cursor: fail"));
    }
    for ((name, row, times, reason), org) in KINDS.iter().zip(&orgs) {
        let row = ROWS.iter().find(|each| each.name == *row).unwrap();
        if row.query.contains("after=") {
            let url = format!("{}{LOGS}?since=2022-05-29T00%3A00%3A00.000Z&limit=100&after=1658862453660_1", org.url());
            checkpoint::alter(kafka.bootstrap(), &config, name, org, &url);
        }
        for _ in 0..*times {
            let answer = match *reason {
                // Of now, and with an end that a test can wait for.
                Some("rate_limit" | "concurrency") => {
                    let limit = if *reason == Some("concurrency") { "0" } else { "60" };
                    let reset = (jiff::Timestamp::now().as_second() + 8).to_string();
                    VerbatimAnswer::new(row.status, row.body)
                        .header("x-rate-limit-limit", limit)
                        .header("x-rate-limit-remaining", "0")
                        .header("x-rate-limit-reset", &reset)
                }
                _ => verbatim(row),
            };
            org.answer_next(LOGS, answer);
        }
    }
    let worker = Connector::spawn(&config, &[]);
    let is_of = |line: &str, name: &str| line.contains(&format!("connector=\"{name}\""));
    for (name, row, times, reason) in KINDS {
        let expected = match reason {
            None => format!("connector failed: {}", says(SNAPSHOT, row)),
            Some(_) => format!("system log request refused: {}", says(SNAPSHOT, row)),
        };
        let line = worker.await_log(&expected, |line| is_of(line, name) && line.contains(&expected), WAIT);
        assert!(line.contains(if reason.is_some() { "WARN" } else { "ERROR" }), "{line}");
        // What is asked again within a second may be over by now.
        if reason.is_none_or(|reason| !["http_5xx", "concurrency"].contains(&reason)) {
            worker.await_state(name, if reason.is_some() { "recovering" } else { "failed" }, WAIT);
        }
        if let Some(reason) = reason {
            let _ = worker.await_of(name, "retries_total", &[("reason", reason)], |count| count == times as f64, WAIT);
        }
    }
    let deadline = Instant::now() + WAIT;
    let told = loop {
        let lines = status(&config, &[]);
        // A worker reports at once what failed, and what is put off within 10 s: it may be over by then.
        let is_told = |(line, kind): (&Value, &(&str, &str, usize, Option<&str>))| {
            line["state"] == "failed" && line["trouble"].is_string() || kind.3.is_some()
        };
        if lines.iter().zip(&KINDS).all(is_told) {
            break lines;
        }
        assert!(Instant::now() < deadline, "{lines:#?}");
    };
    for (line, (name, row, _, reason)) in told.iter().zip(&KINDS) {
        assert_eq!(line["connector"], *name);
        let Some(trouble) = line["trouble"].as_str() else { continue };
        assert!(reason.is_some() || line["state"] == "failed", "{line}");
        let says = says(SNAPSHOT, row);
        // To the last word, as that says what to do; an advice that the log gives once stands behind it.
        assert!(trouble.starts_with(&says), "{trouble}");
    }
    // Those that Okta only puts off go on by themselves.
    let mut went_on = 0;
    for ((name, _, times, reason), org) in KINDS.iter().zip(&orgs) {
        let refused = org.requests().iter().filter(|request| request.status != Some(200)).count();
        assert_eq!(refused, *times, "{name}");
        if reason.is_some() {
            worker.await_caught_up(org, name, WAIT);
            went_on += 1;
        } else {
            assert_eq!(org.request_count(), *times, "{name} is asked no more");
        }
    }
    prove::row(
        "refusals",
        "What Okta refuses is in the log, in `connector_state` and in `status`, with what to do; what it puts off goes on by itself",
        &format!(
            "{} connectors, each with an org that refuses in its own way, on one worker and a real Kafka",
            KINDS.len()
        ),
        &format!(
            "{} failed at once, the token after it was read again, each with the words of the table; {went_on} went on by \
             themselves",
            KINDS.len() - went_on
        ),
    );
}
