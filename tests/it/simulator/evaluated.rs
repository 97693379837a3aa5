//! `filter`, `q` and the other parameters, held against a parser that shares no line with the simulated org's, and
//! `okta::filter`, the program's own check, held against both.

mod grammar;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use okta_kafka_source::okta::filter::{check, check_q};
use okta_kafka_source::simulator::{Simulator, SimulatorConfig};
use reqwest::Client;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

use self::grammar::Grammar;
use super::harness::{client, start, with_events};
use crate::support::evaluation::{Case, evaluate};
use crate::support::{prove, python};

/// What of an event is read here.
#[derive(Deserialize)]
struct Named {
    uuid: String,
}

/// Asks a query to its end, as a client does that stops at an empty page.
async fn ask(client: &Client, simulator: &Simulator, name: &str, query: &Map<String, Value>) -> Case {
    let mut serializer = Serializer::new(String::new());
    for (parameter, value) in query {
        let _ = serializer.append_pair(parameter, value.as_str().unwrap());
    }
    let mut url = Some(format!("{}/api/v1/logs?{}", simulator.url(), serializer.finish()));
    let mut case =
        Case { name: name.to_owned(), query: query.clone(), uuids: Vec::new(), refused: None, at_most: None };
    while let Some(asked) = url.take() {
        let request = client.get(&asked).header("authorization", format!("SSWS {}", simulator.token()));
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.unwrap();
        if !status.is_success() {
            assert_eq!(status, 400, "{asked}");
            let error: Value = serde_json::from_slice(&body).unwrap();
            case.refused = Some(error["errorCode"].as_str().unwrap().to_owned());
            return case;
        }
        let page: Vec<Named> = serde_json::from_slice(&body).unwrap();
        let links = headers.get_all("link").iter().map(|link| link.to_str().unwrap());
        let next =
            links.filter_map(|link| link.strip_suffix(">; rel=\"next\"")).map(|link| link[1..].to_owned()).next();
        url = next.filter(|_| !page.is_empty());
        case.uuids.extend(page.into_iter().map(|event| event.uuid));
    }
    case
}

fn query(parameters: &[(&str, &str)]) -> Map<String, Value> {
    parameters.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}

/// Filters of tests/query/filters.txt, with whether they are refused.
fn table(events: &[Value]) -> Vec<(bool, String)> {
    let text = include_str!("../../query/filters.txt");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lines = lines.map(|line| line.strip_prefix("! ").map_or((false, line), |line| (true, line)));
    lines.map(|(is_refused, line)| (is_refused, filled(line, events))).collect()
}

/// `{3:target.id}` is a literal of the event number 3.
fn filled(line: &str, events: &[Value]) -> String {
    let Some((before, rest)) = line.split_once('{').filter(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()))
    else {
        return line.to_owned();
    };
    let (place, after) = rest.split_once('}').unwrap();
    let (number, path) = place.split_once(':').unwrap();
    let number: usize = number.parse().unwrap();
    // Some events have no such value: the next one that has.
    let mut found = events[number..].iter().filter_map(|event| {
        path.split('.').try_fold(event, |value, name| value.as_array().map_or(value, |array| &array[0]).get(name))
    });
    let value = found.find(|value| value.is_string()).unwrap_or_else(|| panic!("no {path}"));
    format!("{before}{value}{}", filled(after, events))
}

fn parsed(simulator: &Simulator) -> Vec<Value> {
    simulator.events().iter().map(|event| serde_json::from_slice(&event.raw).unwrap()).collect()
}

#[tokio::test]
async fn the_org_selects_what_an_independent_parser_says() {
    let Some(python) = python::there() else { return };
    let seed = prove::seed();
    let simulator = start(SimulatorConfig { events: prove::scale(400, 250), seed, ..SimulatorConfig::default() }).await;
    let stored = simulator.events();
    let events = parsed(&simulator);
    let client = client();
    let began = Instant::now();

    let mut cases = Vec::new();
    let table = table(&events);
    assert!(table.len() >= 80, "{}", table.len());
    for (is_refused, filter) in &table {
        let case = ask(&client, &simulator, "table", &query(&[("filter", filter)])).await;
        assert_eq!(case.refused.is_some(), *is_refused, "{filter}: {:?}", case.refused);
        cases.push(case);
    }
    let mut grammar = Grammar::new(&events, seed);
    // Each parameter alone, and together.
    for parameters in grammar.parameters(&stored) {
        cases.push(ask(&client, &simulator, "parameters", &parameters).await);
    }
    let random = prove::scale(1_500, 80);
    for _ in 0..random {
        let parameters = grammar.query(&stored);
        let filter = parameters.get("filter").and_then(Value::as_str).unwrap_or_default();
        assert_eq!(check(filter), Ok(()), "{filter}");
        let q = parameters.get("q").and_then(Value::as_str).unwrap_or_default();
        assert_eq!(check_q(q), Ok(()), "{q}");
        cases.push(ask(&client, &simulator, "random", &parameters).await);
    }
    let asked = began.elapsed();
    let verdict = evaluate(python, &stored, &cases);
    println!("{verdict:?}, asked in {asked:?}, all in {:?}", began.elapsed());
    assert_eq!((verdict.cases, verdict.different), (cases.len(), 0), "{verdict:#?}");
    // What brings nothing or everything proves little.
    assert!((verdict.empty + verdict.all) * 2 < verdict.cases, "{verdict:?}");
    prove::row(
        "filter-evaluated",
        "`filter`, `q`, `since`, `until`, `sortOrder` and `limit` of the simulated org mean what Okta documents",
        &format!(
            "{} filters of a table, and {random} queries that a grammar makes of the org's own paths and values, asked page by \
             page over HTTP; which events must come, and in which order, is said by scim2-models' parser and a script that shares \
             no line with the org; seed {seed}",
            table.len()
        ),
        &format!(
            "{} queries and {} events equal; {} refused by both with the same code, {} without a result; no filter that the \
             grammar makes is refused by the program's own check",
            verdict.cases, verdict.events, verdict.refused, verdict.empty
        ),
    );
}

/// Of the refusals of the simulated org, these are let through by the program's check on purpose (`okta::filter`).
const LET_THROUGH: [&str; 6] = [
    // Tabs and line breaks.
    "Unexpected character at position",
    // An attribute may be new; of changeDetails the reference does not say that a query is refused.
    "field is not valid",
    // Escapes.
    "is not a valid JSON string",
    // `not` without a group.
    "Expected '(' at position",
    // A path may be anything that is one word.
    "Expected an attribute name at position",
    "groups within each other",
];

#[tokio::test]
async fn the_check_refuses_nothing_that_the_org_takes_and_states_what_it_lets_through() {
    let simulator = with_events(60).await;
    let events = parsed(&simulator);
    let mut grammar = Grammar::new(&events, prove::seed());
    let client = client();
    for (is_refused, filter) in table(&events) {
        let is_let_through = ["some_invalid_field", "target.changeDetails", "eventType eq 'user"];
        let is_let_through = is_let_through.iter().any(|start| filter.starts_with(start));
        assert_eq!(check(&filter).is_err(), is_refused && !is_let_through, "{filter}");
    }
    let (mut taken, mut refused, mut let_through) = (0, 0, HashSet::new());
    for _ in 0..prove::scale(5_000, 400) {
        let filter = grammar.broken_filter();
        let ours = check(&filter);
        let mut serializer = Serializer::new(String::new());
        let _ = serializer.append_pair("filter", &filter).append_pair("limit", "0");
        let url = format!("{}/api/v1/logs?{}", simulator.url(), serializer.finish());
        let request = client.get(url).header("authorization", format!("SSWS {}", simulator.token()));
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.text().await.unwrap();
        match (status, ours) {
            (200, Err(problem)) => panic!("refused here, and not by the org: {filter}: {problem}"),
            (200, Ok(())) => taken += 1,
            (400, Err(problem)) => {
                assert!(problem.position <= filter.chars().count(), "{filter}: {problem}");
                refused += 1;
            }
            (400, Ok(())) => {
                let stated = LET_THROUGH.iter().find(|words| body.contains(**words));
                // A value that begins as a number does, a string in single quotes, or a backslash before a quote.
                let is_number = body.split("Invalid value '").nth(1).is_some_and(|value| {
                    value.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | '\''))
                });
                let is_loose = is_number || filter.contains('\'') || filter.contains('\\');
                assert!(stated.is_some() || is_loose, "let through without a reason: {filter}: {body}");
                let _ = let_through.insert(stated.copied().unwrap_or("a loose value"));
            }
            (status, _) => panic!("{status} for {filter}: {body}"),
        }
    }
    println!("{taken} taken, {refused} refused by both, let through: {let_through:?}");
    assert!(taken > 20 && refused > 100, "{taken} taken, {refused} refused");
}

/// A filter over a hundred thousand events neither stalls the org nor costs the other pages anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_over_many_events_stalls_nobody() {
    let simulator = with_events(prove::scale(100_000, 10_000)).await;
    // Reading that many events takes longer than other tests' clients wait, where the program is not optimised.
    let client = Client::builder().timeout(Duration::from_secs(60)).no_proxy().build().unwrap();
    let page = query(&[("filter", "client.geographicalContext.city eq \"Nowhere\""), ("limit", "1000")]);
    let (long, others) = tokio::join!(
        async {
            let began = Instant::now();
            let case = ask(&client, &simulator, "long", &page).await;
            assert_eq!((case.uuids.len(), case.refused), (0, None));
            began.elapsed()
        },
        async {
            let mut slowest = Duration::ZERO;
            let first = query(&[("limit", "10"), ("until", "2001-01-01T00:00:00Z"), ("since", "2001-01-01T00:00:00Z")]);
            for _ in 0..20 {
                let began = Instant::now();
                let _ = ask(&client, &simulator, "short", &first).await;
                slowest = slowest.max(began.elapsed());
                tokio::task::yield_now().await;
            }
            slowest
        }
    );
    let began = Instant::now();
    let _ = ask(&client, &simulator, "again", &page).await;
    println!("first {long:?}, again {:?}, the slowest of the others {others:?}", began.elapsed());
    assert!(others < Duration::from_secs(2), "{others:?}");
}
