//! The dashboard's file, and what Grafana makes of it: panels, queries, variables.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The file, parsed.
pub struct Dashboard {
    pub json: Value,
}

/// One query of a panel or of an annotation.
#[derive(Clone, Debug)]
pub struct Query {
    /// Title of its panel, or name of its annotation.
    pub of: String,
    /// The panel's type, or `annotation`.
    pub kind: String,
    pub ref_id: String,
    pub expr: String,
    /// How its series are called, with `{{label}}`; empty where the panel shows labels as columns.
    pub legend: String,
    /// Asked for one moment; else over a range.
    pub instant: bool,
}

impl Dashboard {
    /// The one that ships.
    pub fn shipped() -> Self {
        Self { json: serde_json::from_str(&text()).expect("the dashboard is JSON") }
    }

    /// All panels, the titles of rows among them, in the file's order.
    pub fn panels(&self) -> &[Value] {
        self.json["panels"].as_array().expect("there are panels")
    }

    /// All variables.
    pub fn variables(&self) -> &[Value] {
        self.json["templating"]["list"].as_array().expect("there are variables")
    }

    /// The queries of all panels and annotations.
    pub fn queries(&self) -> Vec<Query> {
        let panels = self.panels().iter().flat_map(|panel| {
            let targets = panel["targets"].as_array().into_iter().flatten();
            targets.map(|target| Query {
                of: text_of(&panel["title"]),
                kind: text_of(&panel["type"]),
                ref_id: text_of(&target["refId"]),
                expr: text_of(&target["expr"]),
                legend: target["legendFormat"].as_str().unwrap_or_default().to_owned(),
                instant: target["instant"] == true,
            })
        });
        let annotations = self.json["annotations"]["list"].as_array().into_iter().flatten();
        let annotations = annotations.filter(|annotation| annotation["target"].is_object()).map(|annotation| Query {
            of: text_of(&annotation["name"]),
            kind: "annotation".to_owned(),
            ref_id: text_of(&annotation["target"]["refId"]),
            expr: text_of(&annotation["target"]["expr"]),
            legend: text_of(&annotation["titleFormat"]),
            instant: false,
        });
        panels.chain(annotations).collect()
    }
}

/// Where the file is.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/okta-kafka-source.json")
}

/// The file as it is.
pub fn text() -> String {
    fs::read_to_string(path()).expect("the dashboard is there")
}

/// A text that must be there.
pub fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} where a text belongs")).to_owned()
}

/// What a person chose: for each variable, the regular expression that Grafana puts in its place.
pub struct Choice(pub BTreeMap<String, String>);

impl Choice {
    /// Whether nothing is left out.
    pub fn is_all(&self) -> bool {
        self.0["connector"] == ".*"
    }

    /// An expression with its variables replaced, as the Prometheus data source does it. Panics where one is unknown.
    pub fn expand(&self, expr: &str) -> String {
        let mut rest = expr;
        let mut text = String::new();
        while let Some((before, after)) = rest.split_once('$') {
            text += before;
            let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
            let value =
                self.0.get(&after[..end]).unwrap_or_else(|| panic!("`${}` of `{expr}` is no variable", &after[..end]));
            text += value;
            rest = &after[end..];
        }
        text + rest
    }
}

/// One value in a regular expression within quotes: Grafana escapes twice, once for each.
pub fn escaped(value: &str) -> String {
    let special = |c: char| r"\$^*{}[]'+?.()|-".contains(c);
    value
        .chars()
        .fold(String::new(), |text, c| if special(c) { text + r"\\" + &c.to_string() } else { text + &c.to_string() })
}

/// The labels that a legend names, as `connector` of `{{connector}}: late`.
pub fn labels_of(legend: &str) -> Vec<String> {
    let parts = legend.split("{{").skip(1);
    parts.map(|part| part.split("}}").next().unwrap_or_default().trim().to_owned()).collect()
}

#[test]
fn variables_are_replaced_as_grafana_does_it() {
    let choice = Choice(BTreeMap::from([
        ("connector".to_owned(), "(acme|globex)".to_owned()),
        ("instance".to_owned(), escaped("10.0.0.1:8083")),
        ("__rate_interval".to_owned(), "1m".to_owned()),
    ]));
    assert_eq!(
        choice.expand(r#"rate(x{connector=~"$connector|", instance=~"$instance"}[$__rate_interval])"#),
        r#"rate(x{connector=~"(acme|globex)|", instance=~"10\\.0\\.0\\.1:8083"}[1m])"#
    );
    assert_eq!(labels_of("{{connector}} on {{ instance }}"), ["connector", "instance"]);
}
