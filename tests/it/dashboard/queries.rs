//! Every query of the dashboard, asked of a real Prometheus that scraped a real run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;
use url::form_urlencoded;

use super::file::{Choice, Dashboard, Query, escaped, labels_of, text_of};
use super::run::{CLUSTER, JOB, NAMESPACE, Run};
use crate::support::connector::unix_seconds;
use crate::support::prometheus::Prometheus;
use crate::support::prove;

const WAIT: Duration = Duration::from_secs(60);

/// Each query as Grafana asks it: with all chosen, and with one connector and the worker that has it.
#[test]
fn every_query_finds_what_it_asks_for() {
    let began = Instant::now();
    let Some(run) = Run::start() else { return };
    let dashboard = Dashboard::shipped();
    let queries = dashboard.queries();
    assert!(queries.len() > 60, "{} queries", queries.len());
    let all = [".*", ".*", ".*", ".*"].map(str::to_owned);
    let one = [escaped(CLUSTER), escaped(NAMESPACE), "hooli".to_owned(), escaped(&run.owner("hooli"))];
    for [cluster, namespace, connector, instance] in [all, one] {
        let chosen = [
            ("cluster", cluster),
            ("namespace", namespace),
            ("job", format!("({JOB})")),
            ("connector", connector.clone()),
            ("instance", instance),
            ("__rate_interval", "2s".to_owned()),
            ("__range", "60s".to_owned()),
            ("__range_s", "60".to_owned()),
        ];
        let choice = Choice(chosen.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        await_none(&connector, || {
            let of_queries = queries.iter().flat_map(|query| problems(&run.prometheus, query, &choice));
            let of_tables =
                dashboard.panels().iter().flat_map(|panel| unnamed_columns(&run.prometheus, panel, &choice));
            of_queries.chain(of_tables).collect()
        });
    }
    assert_variables(&run, &dashboard);
    run.stop();
    prove::row(
        "dashboard",
        "Every panel of the dashboard shows something of a run in which everything happens",
        &format!(
            "two workers, three connectors, an org with every fault, another that is caught up slowly, a refused token; \
             scraped by a real Prometheus, {} s",
            began.elapsed().as_secs()
        ),
        &format!(
            "{} queries, asked for all connectors and for one, and 5 variables: none is empty; each label of a legend and \
             each column is one that the answer has",
            queries.len()
        ),
    );
}

/// Asks until there are no problems: rates want a second scrape, alerts an evaluation.
fn await_none(chosen: &str, problems: impl Fn() -> Vec<String>) {
    let deadline = Instant::now() + WAIT;
    loop {
        let found = problems();
        if found.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "with {chosen} chosen:\n{}", found.join("\n"));
    }
}

/// The series of an expression, as labels: for one moment, or over the last ten seconds. Those without a number are none.
fn series(prometheus: &Prometheus, expr: &str, instant: bool) -> Vec<BTreeMap<String, String>> {
    let encoded: String = form_urlencoded::byte_serialize(expr.as_bytes()).collect();
    let now = unix_seconds();
    let path = match instant {
        true => format!("query?query={encoded}"),
        false => format!("query_range?query={encoded}&start={}&end={now}&step=0.5", now - 10.0),
    };
    let data = prometheus.api(&path);
    let number = |pair: &Value| pair[1].as_str().is_some_and(|text| text.parse::<f64>().is_ok_and(f64::is_finite));
    let has_number = |one: &Value| number(&one["value"]) || one["values"].as_array().into_iter().flatten().any(number);
    let all = data["result"].as_array().into_iter().flatten().filter(|one| has_number(one));
    all.map(|one| serde_json::from_value(one["metric"].clone()).expect("labels")).collect()
}

/// What is wrong with what a query finds.
fn problems(prometheus: &Prometheus, query: &Query, choice: &Choice) -> Vec<String> {
    let Query { of, ref_id, .. } = query;
    let expr = choice.expand(&query.expr);
    let found = series(prometheus, &expr, query.instant);
    let mut problems = Vec::new();
    if found.is_empty() {
        problems.push(format!("{of}, {ref_id}: empty: {expr}"));
    }
    for label in labels_of(&query.legend) {
        if let Some(without) = found.iter().find(|labels| !labels.contains_key(&label)) {
            problems.push(format!("{of}, {ref_id}: the legend names `{label}`, and a series has {without:?}"));
        }
    }
    // `… or vector(0)` is never empty, so what stands before it is looked at by itself.
    for selector in selectors(&expr) {
        if series(prometheus, &selector, true).is_empty() && !may_be_absent(&selector) {
            problems.push(format!("{of}, {ref_id}: nothing has {selector}"));
        }
    }
    // Two series of one name can't be told apart.
    if query.kind != "table" && query.kind != "annotation" && query.kind != "heatmap" {
        let names: BTreeSet<Vec<_>> = found
            .iter()
            .map(|one| labels_of(&query.legend).iter().map(|label| one.get(label).cloned()).collect())
            .collect();
        if names.len() < found.len() {
            problems.push(format!("{of}, {ref_id}: {} series have {} names", found.len(), names.len()));
        }
    }
    problems
}

/// In a run that goes well for the one that is chosen.
fn may_be_absent(selector: &str) -> bool {
    selector.starts_with("ALERTS{") && !selector.contains(".*")
}

/// The selectors of an expression with labels, as `up{job="x"}`.
fn selectors(expr: &str) -> Vec<String> {
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = expr[from..].find('{').map(|at| from + at) {
        let close = open + expr[open..].find('}').expect("a closing brace");
        let start = expr[..open].rfind(|c| !named(c)).map_or(0, |at| at + 1);
        found.push(expr[start..=close].to_owned());
        from = close;
    }
    found
}

/// A table's columns: what its queries give is named or left out, and what is named is there.
fn unnamed_columns(prometheus: &Prometheus, panel: &Value, choice: &Choice) -> Vec<String> {
    if panel["type"] != "table" {
        return Vec::new();
    }
    let targets = panel["targets"].as_array().unwrap();
    let mut given = BTreeSet::from(["Time".to_owned()]);
    for target in targets {
        // Grafana calls a value after its query where there are several.
        let ref_id = text_of(&target["refId"]);
        let _ = given.insert(if targets.len() == 1 { "Value".to_owned() } else { format!("Value #{ref_id}") });
        let found = series(prometheus, &choice.expand(&text_of(&target["expr"])), true);
        given.extend(found.into_iter().flat_map(BTreeMap::into_keys));
    }
    let organize =
        &panel["transformations"].as_array().unwrap().iter().find(|step| step["id"] == "organize").unwrap()["options"];
    let keys = |member: &str| organize[member].as_object().unwrap().keys().cloned();
    let named: BTreeSet<String> = keys("renameByName").chain(keys("excludeByName")).collect();
    let mut problems = Vec::new();
    // Which labels alerts have depends on which fire, so with one connector chosen not all need be there.
    if !given.is_subset(&named) || (choice.is_all() && named != given) {
        problems.push(format!("{}: columns {named:?} are named, and {given:?} are there", panel["title"]));
    }
    problems
}

/// Each variable that asks Prometheus finds what a person would choose from.
fn assert_variables(run: &Run, dashboard: &Dashboard) {
    let mut of_prometheus = 0;
    for variable in dashboard.variables().iter().filter(|variable| variable["type"] == "query") {
        let name = text_of(&variable["name"]);
        let query = text_of(&variable["query"]["query"]);
        let chosen = [("cluster", escaped(CLUSTER)), ("namespace", escaped(NAMESPACE)), ("job", format!("({JOB})"))];
        let choice = Choice(chosen.map(|(name, value)| (name.to_owned(), value)).into());
        let inner =
            |function: &str| query.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')').map(str::to_owned);
        let found: BTreeSet<String> = match (inner("label_values"), inner("query_result")) {
            (Some(arguments), None) => {
                let (selector, label) = arguments.rsplit_once(',').expect("a selector and a label");
                let selector: String = form_urlencoded::byte_serialize(choice.expand(selector).as_bytes()).collect();
                let data = run.prometheus.api(&format!("label/{}/values?match[]={selector}", label.trim()));
                data.as_array().unwrap().iter().map(text_of).collect()
            }
            (None, Some(expr)) => {
                // Grafana takes what the regular expression finds in the text of each series.
                assert_eq!(variable["regex"], r#"/job="([^"]+)"/"#);
                run.prometheus.query(&choice.expand(&expr)).into_iter().map(|one| one.labels["job"].clone()).collect()
            }
            _ => panic!("{name} asks `{query}`"),
        };
        let wanted: &[&str] = match name.as_str() {
            "cluster" => &[CLUSTER],
            "namespace" => &[NAMESPACE],
            "job" => &[JOB],
            "connector" => &["acme", "hooli", "initech"],
            "instance" => &run.instances.each_ref().map(String::as_str),
            _ => panic!("a new variable `{name}`: say here what it finds"),
        };
        assert_eq!(found, wanted.iter().map(|&one| one.to_owned()).collect(), "{name}");
        of_prometheus += 1;
    }
    assert_eq!(of_prometheus, 5);
}

#[test]
fn selectors_are_found_in_an_expression() {
    assert_eq!(
        selectors(r#"max(a:b{x="1"}) / (time() - sum by (le) (rate(c_total{y=~"2|", z="3"}[1m])))"#),
        [r#"a:b{x="1"}"#, r#"c_total{y=~"2|", z="3"}"#]
    );
}
