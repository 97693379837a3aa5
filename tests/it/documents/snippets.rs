//! Configurations that documents show are valid.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::names::unknown_key;
use super::{all, assert_none};
use crate::support::certificates::Authority;
use crate::support::connector::{self, ConfigFile, utf8};
use crate::support::service_key::{Form, Kind, ServiceKey};

const WAIT: Duration = Duration::from_secs(30);
/// Keys of a connector that a block may begin with.
const CONNECTOR: [&str; 4] = ["auth", "topic", "filter", "format"];
/// Keys whose value is the path of a file that is read when the configuration is.
const PATHS: [&str; 6] = [
    "ca_file",
    "ssl.ca.location",
    "https.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
];

/// The keys at the left edge.
fn keys(yaml: &str) -> Vec<&str> {
    let lines = yaml.lines().filter(|line| !line.starts_with([' ', '#', '-']));
    lines.filter_map(|line| line.split_once(':').map(|(key, _)| key)).collect()
}

/// The block as a whole file, with what it leaves out; `None` where it is no configuration of ours.
fn complete(yaml: &str) -> Option<String> {
    let keys = keys(yaml);
    let has = |key: &str| keys.contains(&key);
    if keys.first().is_some_and(|key| CONNECTOR.contains(key)) {
        let indented: String = yaml.lines().map(|line| format!("    {line}\n")).collect();
        let rest = [("auth", "    auth: {ssws: '${env:OKTA_API_TOKEN}'}\n"), ("topic", "    topic: t\n")];
        let rest: String = rest.iter().filter(|(key, _)| !has(key)).map(|(_, line)| *line).collect();
        let registry = "schema_registry: {url: 'http://localhost:8081'}\n";
        return Some(format!(
            "kafka: {{bootstrap.servers: 'localhost:9092'}}\n{registry}connectors:\n  - name: documented\n    org: https://acme.okta.com\n{rest}{indented}"
        ));
    }
    // A block with a key at its left edge that the file does not have is none.
    if !keys.iter().all(|key| unknown_key(key).is_none()) || keys.is_empty() {
        return None;
    }
    let mut whole = yaml.to_owned();
    if !has("kafka") {
        whole += "kafka: {bootstrap.servers: 'localhost:9092'}\n";
    }
    if !has("connectors") {
        whole += "connectors:\n  - {name: documented, org: 'https://acme.okta.com', auth: {ssws: '${env:OKTA_API_TOKEN}'}, topic: t}\n";
    }
    Some(whole)
}

/// The text between `start` and `end`, wherever it stands.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    text.split(start).skip(1).filter_map(|rest| rest.split_once(end).map(|(inner, _)| inner)).collect()
}

/// Puts the files that the configuration names under `folder`, and gives the configuration that names them there.
fn with_files(yaml: &str, folder: &Path) -> String {
    let key = ServiceKey::new("kid", Kind::P256);
    let authority = Authority::new(folder, "authority");
    let mut text = yaml.to_owned();
    let mut paths: Vec<&str> = between(yaml, "${file:", "}");
    for name in PATHS {
        paths.extend(between(yaml, &format!("{name}: "), "\n").into_iter().map(|value| {
            let value = value.split(" #").next().unwrap_or_default();
            value.trim_matches(['"', '\'', '}', ' '])
        }));
    }
    paths.sort_unstable();
    paths.dedup();
    for path in paths.into_iter().filter(|path| !path.is_empty() && !path.contains("${")) {
        let place = folder.join(path.trim_start_matches('/'));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let content = if path.ends_with("ca.pem") {
            fs::read_to_string(authority.path()).unwrap()
        } else if path.contains("jwk") || path.ends_with(".json") {
            key.file(Form::Jwk)
        } else if path.ends_with("okta.key")
            || path.ends_with("private-key")
            || path.ends_with(".pem") && !path.contains("ca")
        {
            key.file(Form::Pkcs8)
        } else {
            format!("text-of-{}", path.rsplit('/').next().unwrap_or_default())
        };
        fs::write(&place, content).unwrap();
        for (before, after) in [("${file:", "}"), (": ", ""), (": \"", ""), (": '", "")] {
            text = text.replace(&format!("{before}{path}{after}"), &format!("{before}{}{after}", utf8(&place)));
        }
    }
    text
}

#[test]
fn every_configuration_is_valid() {
    let (mut findings, mut checked) = (Vec::new(), 0);
    for document in all() {
        for block in document.blocks.iter().filter(|block| ["yaml", "sh"].contains(&&*block.language)) {
            // One that a shell writes, as in the README's first example.
            let here = between(&block.text, "<<'END'\n", "\nEND");
            let yaml = if block.language == "yaml" { vec![block.text.as_str()] } else { here };
            for whole in yaml.into_iter().filter_map(complete) {
                checked += 1;
                let folder = tempfile::tempdir().unwrap();
                let file = ConfigFile::new(&with_files(&whole, folder.path()));
                let names: Vec<String> = between(&whole, "${env:", "}").into_iter().map(str::to_owned).collect();
                let environment: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "value")).collect();
                let path = file.path();
                let output = connector::run(&["check", "--offline", "-c", utf8(&path)], &environment, WAIT);
                if output.code() != 0 || output.stdout.contains("warn") {
                    findings.push(format!("{}:\n{}{}", document.at(block.line), output.stdout, output.stderr));
                }
            }
        }
    }
    assert_none(&findings, checked, 8);
}
