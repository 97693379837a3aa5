//! What can be said of the file by itself: it is tidy, nothing overlaps, and every panel tells what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::file::{self, Choice, Dashboard, Query, labels_of, text_of};

/// Grafana's grid.
const COLUMNS: u64 = 24;

/// Metrics of docs/metrics.md that are on no panel; README.md, "Dashboard", says why.
const LEFT_OUT: [&str; 1] = ["process_virtual_memory_bytes"];

/// Hand-kept, so written in one way: sorted keys, two spaces, as Grafana's own export has them.
#[test]
fn the_file_is_tidy() {
    let text = file::text();
    let tidy = serde_json::to_string_pretty(&Dashboard::shipped().json).unwrap() + "\n";
    let first = text.lines().zip(tidy.lines()).position(|(is, should)| is != should);
    assert!(text == tidy, "line {:?} is not as `serde_json::to_string_pretty` writes it", first.map(|line| line + 1));
}

/// Each cell of the grid is one panel's, down to the last line.
#[test]
fn panels_neither_overlap_nor_leave_gaps() {
    let dashboard = Dashboard::shipped();
    let mut cells: BTreeMap<(u64, u64), String> = BTreeMap::new();
    let mut end = 0;
    for panel in dashboard.panels() {
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        let title = text_of(&panel["title"]);
        end = end.max(side("y") + side("h"));
        assert!(side("x") + side("w") <= COLUMNS, "{title} ends at column {}", side("x") + side("w"));
        for y in side("y")..side("y") + side("h") {
            for x in side("x")..side("x") + side("w") {
                if let Some(other) = cells.insert((y, x), title.clone()) {
                    panic!("{title} lies over {other} at line {y}");
                }
            }
        }
    }
    for y in 0..end {
        let gap = (0..COLUMNS).find(|x| !cells.contains_key(&(y, *x)));
        assert_eq!(gap, None, "line {y} has a gap, after {:?}", cells.range(..(y, 0)).next_back());
    }
    // The order of the file is that of the page, so that a difference between two versions is read from top to bottom.
    let places: Vec<_> = dashboard.panels().iter().map(|panel| &panel["gridPos"]).collect();
    assert!(places.is_sorted_by_key(|place| (place["y"].as_u64(), place["x"].as_u64())));
}

#[test]
fn ids_are_unique_and_everything_is_said() {
    let dashboard = Dashboard::shipped();
    let mut ids = BTreeSet::new();
    let mut titles = BTreeSet::new();
    for panel in dashboard.panels() {
        let title = text_of(&panel["title"]);
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}: its id is another's");
        assert!(titles.insert(title.clone()), "{title} is there twice");
        if panel["type"] == "row" {
            continue;
        }
        assert!(text_of(&panel["description"]).len() > 10, "{title} has no description");
        let refs: BTreeSet<_> =
            panel["targets"].as_array().unwrap().iter().map(|target| &target["refId"]).map(text_of).collect();
        assert_eq!(refs.len(), panel["targets"].as_array().unwrap().len(), "{title}: a refId is there twice");
        if panel["type"] != "table" && panel["type"] != "state-timeline" && panel["type"] != "heatmap" {
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        }
        if panel["type"] == "stat" {
            assert!(panel["fieldConfig"]["defaults"]["thresholds"]["steps"].is_array(), "{title} has no thresholds");
        }
    }
    // Before anything else: what is wrong. All of it above the fold of a screen of 1080 lines.
    let first_row: Vec<_> = dashboard.panels().iter().skip(1).take_while(|panel| panel["type"] != "row").collect();
    let end = first_row
        .iter()
        .map(|panel| panel["gridPos"]["y"].as_u64().unwrap() + panel["gridPos"]["h"].as_u64().unwrap())
        .max();
    assert!(end <= Some(22), "the first row ends at line {end:?}");
}

/// Every time that an id or a title is asked for by a name, somebody has it.
#[test]
fn columns_are_named_where_they_are_meant() {
    for panel in Dashboard::shipped().panels().iter().filter(|panel| panel["type"] == "table") {
        let title = text_of(&panel["title"]);
        let organize = panel["transformations"].as_array().unwrap().iter().find(|step| step["id"] == "organize");
        let organize = &organize.expect("a table is organized")["options"];
        let names: BTreeSet<String> = organize["renameByName"].as_object().unwrap().values().map(text_of).collect();
        let meant = panel["fieldConfig"]["overrides"].as_array().unwrap().iter().map(|one| &one["matcher"]["options"]);
        let sorted: Vec<&Value> =
            panel["options"]["sortBy"].as_array().unwrap().iter().map(|one| &one["displayName"]).collect();
        for name in meant.chain(sorted) {
            assert!(names.contains(&text_of(name)), "{title} has no column {name}: {names:?}");
        }
        let keys = |member: &str| organize[member].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys("indexByName"), keys("renameByName"), "{title}");
    }
}

/// A query names variables that there are, a table is of one moment, and whatever else is drawn has a name.
#[test]
fn queries_are_made_for_their_panels() {
    let dashboard = Dashboard::shipped();
    let names = dashboard.variables().iter().map(|variable| text_of(&variable["name"]));
    let own = ["__rate_interval", "__range", "__range_s"].map(str::to_owned);
    let choice = Choice(names.chain(own).map(|name| (name, "x".to_owned())).collect());
    for query in dashboard.queries() {
        let Query { of, ref_id, kind, expr, legend, instant } = query;
        let _ = choice.expand(&expr);
        assert!(kind != "table" || instant, "{of}, {ref_id}: a table is of one moment");
        assert_eq!(legend.is_empty(), kind == "table", "{of}, {ref_id}: only a table's columns are named elsewhere");
        assert!(
            labels_of(&legend).iter().all(|label| expr.contains(label.as_str()) || kind == "annotation"),
            "{of}: {legend}"
        );
    }
}

#[test]
fn every_metric_is_shown() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md")).unwrap();
    let row = |line: &str| {
        let mut cells = line.split(" | ").map(|cell| cell.trim_matches(['|', ' ', '`']).to_owned());
        let (name, kind) = (cells.next()?, cells.next()?);
        ["counter", "gauge", "histogram"].contains(&kind.as_str()).then_some(name)
    };
    let names: BTreeSet<String> = page.lines().filter_map(row).collect();
    assert!(names.len() > 40, "{names:?}");
    let queries = Dashboard::shipped().queries();
    let of_a_metric = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let shown: BTreeSet<&str> = queries.iter().flat_map(|query| query.expr.split(|c| !of_a_metric(c))).collect();
    // What the recording rules are made of is shown by them.
    let rules = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/recording.yaml")).unwrap();
    let recorded: BTreeSet<&str> = rules.split(|c| !of_a_metric(c)).collect();
    let not_shown = names.into_iter().filter(|name| {
        let full = if name.starts_with("process_") { name.clone() } else { format!("okta_kafka_source_{name}") };
        ![full.clone(), format!("{full}_bucket")]
            .iter()
            .any(|name| shown.contains(name.as_str()) || recorded.contains(name.as_str()))
    });
    let forgotten: Vec<_> = not_shown.filter(|name| !LEFT_OUT.contains(&name.as_str())).collect();
    assert!(forgotten.is_empty(), "on no panel: {forgotten:?}");
}

/// Links to the runbook lead to its headings, by the anchors that a forge makes of them.
#[test]
fn links_lead_into_the_runbook() {
    let runbook = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/runbook.md")).unwrap();
    let headings: BTreeSet<String> =
        runbook.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_lowercase).collect();
    let dashboard = Dashboard::shipped();
    let links = dashboard.panels().iter().flat_map(|panel| panel["links"].as_array().into_iter().flatten());
    let anchors: BTreeSet<String> = links
        .map(|link| text_of(&link["url"]).strip_prefix("${runbook}#").expect("a place in the runbook").to_owned())
        .collect();
    assert!(anchors.is_subset(&headings), "{anchors:?} of {headings:?}");
    // Each alert has a panel that shows what it is about, but for the one before there is anything to show.
    let mut alerts: BTreeSet<String> =
        headings.into_iter().filter(|heading| heading.starts_with("oktakafkasource")).collect();
    assert!(alerts.remove("oktakafkasourcenotstarted"));
    assert_eq!(anchors, alerts);
}
