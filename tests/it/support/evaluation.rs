//! What an independent parser of filters says: tests/query/evaluate.py.

use std::fs;
use std::path::Path;
use std::process::Command;

use okta_kafka_source::simulator::StoredEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A query and what came of it.
#[derive(Debug, Serialize)]
pub struct Case {
    /// Said of it where it is wrong.
    pub name: String,
    /// The request's parameters, as text.
    pub query: Map<String, Value>,
    /// In the order in which the events came.
    pub uuids: Vec<String>,
    /// Okta's error code, where it was refused.
    pub refused: Option<String>,
    /// No more events than these were asked for.
    pub at_most: Option<usize>,
}

/// What evaluate.py tells.
#[derive(Debug, Deserialize)]
pub struct Verdict {
    pub cases: usize,
    /// How many of them are rightly refused.
    pub refused: usize,
    /// How many of them rightly bring nothing.
    pub empty: usize,
    /// How many of them rightly bring every event.
    pub all: usize,
    /// Events of all cases together.
    pub events: usize,
    pub different: usize,
    /// The first of them, in words.
    pub differences: Vec<String>,
}

/// Holds cases against the events of an org, in the order in which they were stored.
pub fn evaluate(python: &Path, events: &[StoredEvent], cases: &[Case]) -> Verdict {
    let scratch = TempDir::with_prefix("query-").unwrap();
    let (event_lines, case_lines) = (scratch.path().join("events"), scratch.path().join("cases"));
    let line =
        |event: &StoredEvent| json!({"persisted": event.cursor.millis, "raw": String::from_utf8_lossy(&event.raw)});
    fs::write(&event_lines, lines(events.iter().map(|event| line(event).to_string()))).unwrap();
    fs::write(&case_lines, lines(cases.iter().map(|case| serde_json::to_string(case).unwrap()))).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/query/evaluate.py");
    let output = Command::new(python)
        .arg("-B")
        .arg(script)
        .arg("--events")
        .arg(&event_lines)
        .arg("--cases")
        .arg(&case_lines)
        .output()
        .unwrap();
    assert!(output.status.success(), "evaluate.py: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| line + "\n").collect()
}
