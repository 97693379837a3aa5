//! The dashboard against Grafana's own types, by the TypeScript compiler (tests/grafana).

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::file::{self, Dashboard};
use crate::support::{python, skip};

/// 0 where the file passes, and what the compiler says.
fn check(file: &Path) -> (i32, String) {
    let output = Command::new(script()).arg("check").arg(file).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("an exit code"), told)
}

fn script() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grafana/grafana.sh")
}

/// Whether the types are there; else it is said which part is missing.
fn there() -> bool {
    static FETCHED: LazyLock<Result<String, String>> = LazyLock::new(|| {
        let fetched = python::fetched("tests/grafana/grafana.sh");
        fetched.map_err(|reason| format!("@grafana/schema, which could not be had: {reason}"))
    });
    FETCHED.as_ref().map_err(|missing| skip::skip(missing)).is_ok()
}

#[test]
fn grafanas_types_take_the_dashboard() {
    if !there() {
        return;
    }
    let (code, told) = check(&file::path());
    assert_eq!(code, 0, "{told}");
}

/// Mistakes of the kinds that people make by hand, all in one copy: the compiler names each.
#[test]
fn grafanas_types_refuse_a_broken_dashboard() {
    if !there() {
        return;
    }
    let mut dashboard = Dashboard::shipped().json;
    let panels = dashboard["panels"].as_array_mut().unwrap();
    let mut of_kind = |kind: &str, number: usize, pointer: &str, value: Value| {
        let mut found = panels.iter_mut().filter(|panel| panel["type"] == kind);
        let panel = found.nth(number).unwrap_or_else(|| panic!("panel {number} of kind {kind}"));
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        panel.pointer_mut(parent).unwrap_or_else(|| panic!("{parent} of {kind}"))[name] = value;
    };
    of_kind("stat", 0, "/type", json!("singlestat"));
    of_kind("stat", 1, "/options/colorMode", json!("backgrounds"));
    of_kind("stat", 2, "/options/sparkline", json!(true));
    of_kind("timeseries", 0, "/fieldConfig/defaults/custom/linewidth", json!(3));
    of_kind("timeseries", 1, "/fieldConfig/defaults/units", json!("s"));
    of_kind("timeseries", 2, "/datasource/uid", json!("somebodys"));
    of_kind("table", 0, "/fieldConfig/overrides/0/properties", json!([{"id": "custom.widht", "value": 80}]));
    of_kind("table", 1, "/transformations/0/id", json!("organise"));
    dashboard["templating"]["list"][1]["refresh"] = json!(7);

    let scratch = tempfile::TempDir::new().unwrap();
    let broken = scratch.path().join("broken.json");
    std::fs::write(&broken, serde_json::to_string_pretty(&dashboard).unwrap()).unwrap();
    let (code, told) = check(&broken);
    assert_eq!(code, 1, "{told}");
    for wrong in
        ["singlestat", "backgrounds", "sparkline", "linewidth", "units", "somebodys", "custom.widht", "organise", "7"]
    {
        assert!(told.contains(&format!("\"{wrong}\"")) || told.contains(&format!("'{wrong}'")), "{wrong}: {told}");
    }
}
