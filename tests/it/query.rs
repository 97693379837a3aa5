//! `query`: what it asks the org, and no page more than it needs.

use std::time::{Duration, Instant};

use okta_kafka_source::simulator::{Authorization, FaultKind, SimulatorConfig};
use serde_json::Value;
use url::form_urlencoded;

use crate::okta_client::server::{Server, Step};
use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::{self, ConfigFile, Output, utf8};
use crate::support::org::Org;

const WAIT: Duration = Duration::from_secs(30);
/// Nobody listens there: a query has no need for Kafka.
const NO_BROKER: &str = "127.0.0.1:1";

/// Arguments, and parameters that reach the org, or do not.
type Row<'a> = (&'a [&'a str], &'a [(&'a str, Option<&'a str>)]);

/// Runs `query acme` with these arguments.
pub fn query(org: &Org, arguments: &[&str]) -> Output {
    let file = config(org);
    let path = file.path();
    connector::run(&[&["query", "acme", "-c", utf8(&path)], arguments].concat(), &[], WAIT)
}

/// A file with connector `acme` of this org.
pub fn config(org: &Org) -> ConfigFile {
    let acme =
        org.connector("acme").extra("filter: 'eventType eq \"user.session.end\"'").extra("q: run").extra("limit: 10");
    ConfigFile::new(&ConfigYaml::new(NO_BROKER).connector(acme).render())
}

/// What the requests asked for since the `skip`th, decoded.
fn asked(org: &Org, skip: usize) -> Vec<Vec<(String, String)>> {
    let requests = org.requests();
    let requests = requests.iter().skip(skip);
    requests
        .map(|request| {
            assert_eq!((request.authorization, request.method.as_str()), (Authorization::Right, "GET"));
            let query = request.target.split_once('?').expect("a query").1;
            form_urlencoded::parse(query.as_bytes()).into_owned().collect()
        })
        .collect()
}

fn value<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

fn uuids(lines: &str) -> Vec<String> {
    lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["uuid"].as_str().expect("a uuid").to_owned())
        .collect()
}

#[test]
fn each_parameter_reaches_the_org_and_nothing_else_does() {
    let org = Org::with_events(3);
    let filter = |text: &'static str| ("filter", Some(text));
    let rows: [Row<'_>; 19] = [
        (&[], &[("filter", None), ("q", None), ("sortOrder", None), ("limit", Some("100")), ("after", None)]),
        (&["--q", "a b", "--q", "c&d"], &[("q", Some("a b c&d")), ("filter", None)]),
        (&["--since", "2026-11-01T00:00:00+01:00"], &[("since", Some("2026-10-31T23:00:00.000Z"))]),
        (&["--since", "2026-11-01"], &[("since", Some("2026-11-01T00:00:00.000Z"))]),
        (&["--sort-order", "desc"], &[("sortOrder", Some("DESCENDING"))]),
        (&["--until", "2099-11-01T00:00:00Z"], &[("until", Some("2099-11-01T00:00:00.000Z"))]),
        (&["--filter", "severity eq \"WARN\""], &[filter("severity eq \"WARN\"")]),
        (&["--limit", "7"], &[("limit", Some("7"))]),
        (&["--limit=1000"], &[("limit", Some("1000"))]),
        (&["--sort-order", "ascending"], &[("sortOrder", Some("ASCENDING"))]),
        (&["--sort-order", "descending"], &[("sortOrder", Some("DESCENDING"))]),
        (&["--max-events", "5"], &[("limit", Some("5"))]),
        (&["--max-events", "5", "--limit", "50"], &[("limit", Some("50"))]),
        (&["--event-type", "user.session.start"], &[filter("eventType eq \"user.session.start\"")]),
        (&["--actor", "john.doe"], &[filter("actor.alternateId eq \"john.doe\"")]),
        (&["--target", "john.doe"], &[filter("target.alternateId eq \"john.doe\"")]),
        (&["--ip", "192.0.2.1"], &[filter("client.ipAddress eq \"192.0.2.1\"")]),
        (&["--outcome", "failure"], &[filter("outcome.result eq \"FAILURE\"")]),
        (
            &["--severity", "warn", "--severity", "ERROR", "--filter", "version pr"],
            &[filter("(version pr) and (severity eq \"WARN\" or severity eq \"ERROR\")")],
        ),
    ];
    for (arguments, expected) in rows {
        let before = org.request_count();
        let output = query(&org, arguments);
        assert_eq!(output.code(), 0, "{arguments:?} {output:?}");
        let asked = asked(&org, before);
        assert_eq!(asked.len(), 1, "{arguments:?}");
        for (name, expected) in expected {
            assert_eq!(value(&asked[0], name), *expected, "{arguments:?}: {name}");
        }
        // Bounded, whatever was said: and by the defaults where nothing was.
        let [since, until] = ["since", "until"].map(|name| value(&asked[0], name).expect(name).to_owned());
        let [since, until]: [jiff::Timestamp; 2] = [since, until].map(|time| time.parse().unwrap());
        if !arguments.iter().any(|argument| argument.starts_with("--since") || argument.starts_with("--until")) {
            assert_eq!(until.duration_since(since).as_hours(), 7 * 24, "{arguments:?}");
            assert!(jiff::Timestamp::now().duration_since(until).as_secs() < 30);
        }
        // What would be asked is what is asked, but for the time.
        let shown = query(&org, &[arguments, &["--print-request"]].concat());
        assert_eq!((shown.code(), org.request_count()), (0, before + 1), "{shown:?}");
        let url = url::Url::parse(shown.stdout.trim_end()).unwrap();
        let shown: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        assert_eq!(shown.len(), asked[0].len());
        for ((name, shown), (_, asked)) in shown.iter().zip(&asked[0]) {
            assert!(shown == asked || matches!(name.as_str(), "since" | "until"), "{name}: {shown} {asked}");
        }
        assert!(!shown.iter().any(|(_, value)| value.contains(org.token())));
    }
}

#[test]
fn no_page_more_than_needed() {
    let org = Org::with_events(200);
    let all: Vec<String> = uuids(&query(&org, &[]).stdout);
    assert_eq!(all.len(), 200);
    let newest: Vec<String> = all.iter().rev().cloned().collect();
    let rows: [(&[&str], &[String], usize); 10] = [
        // The last page is exactly full: it has no link.
        (&["--limit", "100"], &all, 2),
        (&["--limit", "60"], &all, 4),
        (&["--limit", "1000"], &all, 1),
        (&["--max-pages", "1"], &all[..100], 1),
        (&["--limit", "50", "--max-pages", "3"], &all[..150], 3),
        (&["--max-events", "100"], &all[..100], 1),
        (&["--max-events", "101"], &all[..101], 2),
        (&["--max-events", "5"], &all[..5], 1),
        (&["--sort-order", "descending", "--max-events", "130"], &newest[..130], 2),
        (&["--until", "6d", "--since", "60d"], &[], 1),
    ];
    for (arguments, expected, pages) in rows {
        let before = org.request_count();
        let output = query(&org, arguments);
        assert_eq!(output.code(), 0, "{output:?}");
        assert_eq!(uuids(&output.stdout), expected, "{arguments:?}");
        assert_eq!(org.request_count() - before, pages, "{arguments:?}");
        assert_eq!(output.stderr.is_empty(), !expected.is_empty(), "{output:?}");
    }
}

#[test]
fn results_are_okta_s_bytes() {
    let org = Org::with_events(250);
    let bodies: Vec<u8> = org.events().iter().flat_map(|event| [&event.raw[..], b"\n"].concat()).collect();
    let mut sorted: Vec<&[u8]> = bodies.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let lines = query(&org, &["--limit", "100"]).stdout;
    let mut found: Vec<&[u8]> = lines.lines().map(str::as_bytes).collect();
    let array = query(&org, &["--output", "json"]).stdout;
    assert_eq!(array, format!("[\n{}\n]\n", lines.trim_end().replace('\n', ",\n")));
    sorted.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, sorted);
    assert_eq!(query(&org, &["--output", "json", "--until", "6d", "--since", "60d"]).stdout, "[]\n");
}

#[test]
fn what_fails_is_asked_again_and_what_is_refused_is_shown_with_its_place() {
    let org = Org::with_events(150);
    for fault in [FaultKind::Http500, FaultKind::RateLimit, FaultKind::Cut, FaultKind::Timeout] {
        org.inject(fault);
        let before = org.request_count();
        let output = query(&org, &[]);
        assert_eq!(
            (output.code(), uuids(&output.stdout).len(), org.request_count() - before),
            (0, 150, 3),
            "{output:?}"
        );
    }
    // Twice too slow: smaller pages.
    org.inject(FaultKind::Timeout);
    org.inject(FaultKind::Timeout);
    let before = org.request_count();
    let output = query(&org, &[]);
    assert_eq!((output.code(), uuids(&output.stdout).len()), (0, 150), "{output:?}");
    let limits: Vec<_> = asked(&org, before).iter().map(|one| value(one, "limit").unwrap().to_owned()).collect();
    assert_eq!(limits[..3], ["100", "100", "50"]);
    // Never to another place.
    org.inject(FaultKind::WrongOrigin);
    let output = query(&org, &[]);
    assert_eq!((output.code(), uuids(&output.stdout).len()), (1, 100), "{output:?}");
    assert!(output.stderr.contains("`next` link is refused"), "{output:?}");
    // For ever: given up.
    (0..100).for_each(|_| org.inject(FaultKind::Http503));
    let began = Instant::now();
    let output = query(&org, &["--retry-for", "3s"]);
    let took = began.elapsed();
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{output:?}");
    // The third rest alone would be 2 to 4 s long.
    assert!((3.0..4.5).contains(&took.as_secs_f32()), "{took:?}");
    assert!(output.stderr.contains("the query is given up") && output.stderr.contains("--retry-for"), "{output:?}");

    let org = Org::start(SimulatorConfig { events: 5, ..SimulatorConfig::default() });
    org.inject(FaultKind::Http400);
    let output = query(&org, &["--filter", "severity pr and debugContext.debugData.url sw \"x\""]);
    assert_eq!((output.code(), org.request_count()), (1, 1), "{output:?}");
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert!(lines[0].contains("E0000031"), "{output:?}");
    assert!(lines[1].starts_with("severity pr and debugContext.debugData.url sw "), "{output:?}");
    assert_eq!(lines[2], format!("{}^", " ".repeat(16)));
}

/// An org that says this, whatever is asked.
fn answered(status: &str, link: &str, body: &str, arguments: &[&str]) -> (Server, Output) {
    let server = Server::start([]);
    let org = format!("http://{}", server.address);
    let link = link.replace("ORG", &org);
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{link}\r\n{body}").into_bytes();
    server.will_say(std::iter::repeat_n(vec![Step::Send(answer)], 9));
    let file =
        ConfigFile::new(&ConfigYaml::new(NO_BROKER).connector(ConnectorYaml::new("acme", &org, "token")).render());
    let output = connector::run(&[&["query", "acme", "-c", utf8(&file.path())], arguments].concat(), &[], WAIT);
    (server, output)
}

#[test]
fn the_reason_is_shown_however_long_the_filter_is() {
    // What stands in the filter is no complaint.
    let filter =
        format!("displayMessage eq \"x at position 3. Expected\" and {}eventType pr", "version pr and ".repeat(99));
    let position = filter.find("eventType").unwrap();
    for (said, caret) in
        [(format!("no 'eventType' at position {position}. Expected: eq"), true), ("wrong".to_owned(), false)]
    {
        let summary = format!("Invalid filter '{filter}': {said}").replace('"', "\\\"");
        let body = format!(r#"{{"errorCode":"E0000053","errorSummary":"{summary}"}}"#);
        let (_, output) = answered("400 Bad Request", "", &body, &["--filter", &filter]);
        let lines: Vec<&str> = output.stderr.lines().collect();
        assert!(output.code() == 1 && lines[0].contains(&said), "{output:?}");
        assert_eq!(lines.len() > 1, caret, "{output:?}");
        if caret {
            let at = lines[2].chars().count() - 1;
            assert!(lines[1].chars().skip(at).collect::<String>().starts_with("eventType pr"), "{output:?}");
        }
    }
}

#[test]
fn a_page_that_follows_itself_is_asked_for_once() {
    let link = "link: <ORG/api/v1/logs?after=1&limit=2>; rel=\"next\"\r\n";
    let (server, output) = answered("200 OK", link, r#"[{"uuid":"a"},{"uuid":"b"}]"#, &["--limit", "2"]);
    assert!(output.code() == 1 && output.stderr.contains("is the page itself"), "{output:?}");
    assert_eq!((server.requests().len(), output.stdout.lines().count()), (2, 4), "{output:?}");
}

#[test]
fn what_can_be_known_before_is_said_before() {
    let org = Org::with_events(1);
    let (forty_one, eleven) = ("x".repeat(41), "a b c d e f g h i j k");
    let rows: [(&[&str], i32, &str); 14] = [
        (&["--q", &forty_one], 2, "longer than the 40 characters"),
        (&["--q", eleven], 2, "more than the 10 keywords"),
        (&["--limit", "1001"], 2, "1..=1000"),
        (&["--limit", "0"], 2, "1..=1000"),
        (&["--max-pages", "0"], 2, "--max-pages"),
        (&["--since", "yesterday"], 2, "RFC 3339"),
        (&["--since", "181d"], 2, "180 days"),
        (&["--since", "1h", "--until", "2h"], 2, "is not after --since"),
        (&["--since", "2026-11-20T00:00:00.0001Z", "--until", "2026-11-20T00:00:00.0005Z"], 2, "is not after --since"),
        (&["--severity", "FATAL"], 2, "--severity"),
        (&["--ip", "localhost"], 2, "--ip"),
        (&["--ip", "10.0.0.0/8"], 2, "--filter 'client.ipAddress sw \"10.\"'"),
        (&["--sort-order", "newest"], 2, "--sort-order"),
        // And not that there is no broker.
        (&["--to-topic", "x", "--columns", "uuid"], 2, "--output csv"),
    ];
    for (arguments, code, says) in rows {
        let output = query(&org, arguments);
        assert_eq!((output.code(), output.stdout.as_str()), (code, ""), "{output:?}");
        assert!(output.stderr.contains(says), "{says}: {output:?}");
    }
    let unknown = query(&org, &["--outcome", "fail", "--print-request"]);
    assert!(unknown.code() == 0 && unknown.stderr.contains("has no `FAIL`: it has SUCCESS, FAILURE"), "{unknown:?}");
    for name in ["policy.*", "policy."] {
        let begin = query(&org, &["--event-type", name, "--print-request"]);
        assert!(begin.stderr.contains("--filter 'eventType sw \"policy.\"'"), "{begin:?}");
    }
    let file = config(&org);
    let output = connector::run(&["query", "acmee", "-c", utf8(&file.path())], &[], WAIT);
    assert!(output.code() == 1 && output.stderr.contains("there are: `acme`"), "{output:?}");
    assert_eq!(org.request_count(), 0);
}
