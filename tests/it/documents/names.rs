//! Keys of the configuration and metrics that documents name are there.

use std::collections::{BTreeMap, BTreeSet};

use okta_kafka_source::config::Config;

use super::markdown::Document;
use super::{all, assert_none};

/// Sections whose keys are told by their path, as `okta_http.ca_file`.
const SECTIONS: [&str; 10] = [
    "kafka",
    "offsets",
    "schema_registry",
    "okta_http",
    "http",
    "email",
    "connector_defaults",
    "connectors[]",
    "auth",
    "topic",
];
/// Words with a dot that begin as a section and are something else.
const NO_KEYS: [&str; 2] = ["kafka.", "topic.config."];

/// A file with this key, whose value may be wrong.
fn file_with(path: &str) -> String {
    let mut parts: Vec<&str> = match path.strip_prefix("kafka.") {
        // A property's own name has dots.
        Some(rest) => match rest.split_once('.') {
            Some((role @ ("producer" | "consumer"), property)) => vec!["kafka", role, property],
            _ => vec!["kafka", rest],
        },
        None => path.split('.').collect(),
    };
    if ["auth", "topic"].contains(&parts[0]) {
        parts.insert(0, "connectors[]");
    }
    let mut text = String::new();
    let mut indent = 0;
    for (index, part) in parts.iter().enumerate() {
        let value = if index + 1 == parts.len() { " x" } else { "" };
        if *part == "connectors[]" {
            text += &format!("{:indent$}connectors:\n", "");
            indent += 2;
            text += &format!("{:indent$}- name: a\n", "");
            indent += 2;
        } else {
            text += &format!("{:indent$}{part}:{value}\n", "");
            indent += 2;
        }
    }
    text
}

/// What the program says where it does not know the key.
pub fn unknown_key(path: &str) -> Option<String> {
    let problems = match Config::parse(&file_with(path), &|_| None) {
        Ok(_) => return None,
        Err(error) => error.problems().to_vec(),
    };
    let says = |message: &str| {
        ["unknown key", "does not belong here", "no property", "not supported by this version", "unknown property"]
            .iter()
            .any(|word| message.contains(word))
    };
    problems.into_iter().map(|problem| problem.message).find(|message| says(message))
}

fn key_of(span: &str) -> Option<&str> {
    let key = span.split([':', '=']).next().unwrap_or_default().trim();
    let (section, rest) = key.split_once('.')?;
    let name =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || "._".contains(character);
    (SECTIONS.contains(&section) && !rest.is_empty() && rest.chars().all(name) && !NO_KEYS.contains(&key))
        .then_some(key)
}

#[test]
fn every_key_of_the_configuration_is_one() {
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    for document in all() {
        // Decisions and changes may name keys that are gone; a chart has values of its own.
        if document.name == "CHANGELOG.md"
            || ["docs/adr/", "charts/"].iter().any(|folder| document.name.starts_with(folder))
        {
            continue;
        }
        for (line, span) in document.spans() {
            if let Some(key) = key_of(&span) {
                let _ = keys.entry(key.to_owned()).or_insert_with(|| document.at(line));
            }
        }
    }
    let found = |(key, at): (&String, &String)| unknown_key(key).map(|message| format!("{at}: {key}: {message}"));
    let findings: Vec<String> = keys.iter().filter_map(found).collect();
    assert_none(&findings, keys.len(), 40);
    for wrong in ["okta_http.proxy", "connectors[].intervall", "auth.oauth.kid", "kafka.bootstrap.server", "topic.nme"]
    {
        assert!(unknown_key(wrong).is_some(), "{wrong} is taken for a key: {}", file_with(wrong));
    }
}

const PREFIX: &str = "okta_kafka_source_";
/// Of histograms.
const PARTS: [&str; 3] = ["_bucket", "_sum", "_count"];

fn names(text: &str) -> impl Iterator<Item = &str> {
    let part = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
    text.split(move |character: char| !part(character))
}

/// Metrics as docs/metrics.md has them, which its own test holds against the program; before there is one, as the
/// README's table has them.
fn known(documents: &[Document]) -> BTreeSet<String> {
    let named = |name: &str| documents.iter().find(|document| document.name == name);
    let document = named("docs/metrics.md").or(named("README.md")).unwrap();
    let spans = document.spans();
    let known = spans.iter().flat_map(|(_, span)| names(span.split('{').next().unwrap_or_default()));
    known.map(|name| name.strip_prefix(PREFIX).unwrap_or(name).to_owned()).collect()
}

#[test]
fn every_metric_is_one() {
    let documents = all();
    let known = known(&documents);
    let (mut findings, mut seen) = (Vec::new(), 0);
    for document in &documents {
        let blocks = document.blocks.iter().map(|block| (block.line, block.text.as_str()));
        for (line, text) in document.prose.iter().map(|(line, text)| (*line, text.as_str())).chain(blocks) {
            for name in names(text).filter_map(|word| word.strip_prefix(PREFIX)).filter(|name| !name.is_empty()) {
                seen += 1;
                let base = PARTS.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
                if !known.contains(name) && !known.contains(base) && !name.ends_with('_') {
                    findings.push(format!("{}: no metric {PREFIX}{name}", document.at(line)));
                }
            }
        }
    }
    assert_none(&findings, seen, 1);
}
