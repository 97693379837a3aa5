//! The chart's README: its table of values is made from the comments of values.yaml, and its table of objects has all kinds.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::objects::Objects;
use crate::support::helm::{self, Helm};

const BEGIN: &str =
    "<!-- The table is made from values.yaml by `OKS_BLESS=1 cargo test --release --test it -- chart::readme`. -->\n\n";
const END: &str = "<!-- Here it ends. -->\n";

/// Defaults that are longer are to be looked up.
const LONGEST_DEFAULT: usize = 70;

#[test]
fn the_table_of_values_is_made_from_the_values() {
    let values = fs::read_to_string(helm::chart().join("values.yaml")).unwrap();
    let file = helm::chart().join("README.md");
    let readme = fs::read_to_string(&file).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the table's beginning");
    let (_, after) = rest.split_once(END).expect("the table's end");
    let made = format!("{before}{BEGIN}{}{END}{after}", table(&values));
    if std::env::var_os("OKS_BLESS").is_some() {
        fs::write(&file, &made).unwrap();
    }
    let is_fresh = fs::read_to_string(&file).unwrap() == made;
    assert!(is_fresh, "charts/okta-kafka-source/README.md is older than values.yaml: OKS_BLESS=1 writes it anew");
}

/// Each kind of object that any values make has a row that says what it is for, and no other kind has.
#[test]
fn the_table_of_objects_has_all_kinds() {
    let Some(helm) = Helm::there() else { return };
    let readme = fs::read_to_string(helm::chart().join("README.md")).unwrap();
    let (_, section) = readme.split_once("\n## Objects\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut told: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split([' ', ',']).next())
        .filter(|kind| *kind != "object")
        .collect();
    told.sort_unstable();
    told.dedup();
    let mut made: Vec<String> = Vec::new();
    for values in helm::sets_of_values() {
        let rendered = Objects::parse("values", &helm.template(&values, &[]).unwrap());
        made.extend(rendered.all().iter().map(|object| object["kind"].as_str().unwrap().to_owned()));
    }
    made.sort_unstable();
    made.dedup();
    assert_eq!(told, made);
}

/// Whoever misspells a key is told so, at every level; and whatever has a default is known to the schema.
#[test]
fn the_schema_has_the_keys_of_the_values() {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(helm::chart().join("values.schema.json")).unwrap()).unwrap();
    let values: Value =
        serde_saphyr::from_str(&fs::read_to_string(helm::chart().join("values.yaml")).unwrap()).unwrap();
    for (key, value) in values.as_object().unwrap() {
        let mut node = &schema["properties"][key];
        if let Some(name) = node["$ref"].as_str() {
            node = &schema["definitions"][name.rsplit('/').next().unwrap()];
        }
        assert!(!node.is_null(), "`{key}` is not in values.schema.json");
        // `config` is the program's, and the security contexts are Kubernetes's.
        if node["additionalProperties"] == false {
            for key in value.as_object().unwrap().keys() {
                assert!(!node["properties"][key].is_null(), "`{key}` is not in values.schema.json");
            }
        }
    }
    let known = schema["properties"].as_object().unwrap();
    assert_eq!(schema["additionalProperties"], false);
    for key in known.keys().filter(|key| *key != "global") {
        assert!(!values[key].is_null(), "`{key}` of values.schema.json is not in values.yaml");
    }
}

/// The README's `sed` makes the program's file of a rendered ConfigMap, which a running worker is asked about before an upgrade.
#[test]
fn the_configuration_can_be_taken_out_of_its_config_map() {
    let Some(helm) = Helm::there() else { return };
    let readme = fs::read_to_string(helm::chart().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("  sed '").expect("the README's sed");
    let (script, _) = rest.split_once('\'').unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("configmap.yaml");
    for values in helm::sets_of_values() {
        let text = helm.template(&values, &["--show-only", "templates/configmap.yaml"]).unwrap();
        fs::write(&file, &text).unwrap();
        let output = Command::new("sed").arg(script).arg(&file).output().unwrap();
        let taken: Value = serde_saphyr::from_slice(&output.stdout).unwrap();
        let rendered = Objects::parse("configmap", &text);
        let whole = rendered.only("ConfigMap")["data"]["config.yaml"].as_str().unwrap();
        assert_eq!(taken, serde_saphyr::from_str::<Value>(whole).unwrap(), "{}", values.display());
        assert!(taken["connectors"].is_array(), "{taken}");
    }
}

/// Rows for the keys that have a comment, in their order.
fn table(text: &str) -> String {
    let values: Value = serde_saphyr::from_str(text).unwrap();
    let mut table = String::from("| key | default | meaning |\n|---|---|---|\n");
    // Key and indentation of each map that the line is in, and whether it has a row.
    let mut within: Vec<(usize, &str, bool)> = Vec::new();
    let mut comment = String::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(first) = line.strip_prefix("# -- ") {
            first.clone_into(&mut comment);
        } else if let Some(more) = line.strip_prefix("# ").filter(|_| !comment.is_empty()) {
            comment += " ";
            comment += more;
        } else if let Some((key, _)) = line.split_once(':').filter(|_| !line.starts_with(['#', '-'])) {
            while within.last().is_some_and(|(outer, ..)| *outer >= indent) {
                let _ = within.pop();
            }
            let is_told = within.iter().any(|(.., has_row)| *has_row);
            let has_row = !comment.is_empty();
            within.push((indent, key, has_row));
            let path: Vec<&str> = within.iter().map(|(_, key, _)| *key).collect();
            let default = path.iter().fold(&values, |value, key| &value[key]);
            assert!(
                has_row || is_told || default.as_object().is_some_and(|map| !map.is_empty()),
                "`{}` has no comment that begins with `# --`",
                path.join(".")
            );
            if has_row {
                let meaning = std::mem::take(&mut comment).replace('|', "\\|");
                writeln!(table, "| `{}` | {} | {meaning} |", path.join("."), shown(default)).unwrap();
            }
        }
    }
    table
}

fn shown(default: &Value) -> String {
    let text = default.to_string();
    match default {
        Value::Null => String::new(),
        Value::String(text) if text.is_empty() => "`\"\"`".to_owned(),
        Value::String(text) => format!("`{text}`"),
        _ if text.len() > LONGEST_DEFAULT => "see values.yaml".to_owned(),
        _ => format!("`{text}`"),
    }
}
