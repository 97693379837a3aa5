//! Each parameter of the shipped `query`, alone and in combinations: the events it brings, and their order, are those that an
//! independent parser of filters says (tests/query).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use okta_kafka_source::simulator::SimulatorConfig;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, utf8};
use crate::support::evaluation::{Case, evaluate};
use crate::support::org::Org;
use crate::support::{prove, python};

const WAIT: Duration = Duration::from_secs(30);

/// What of a line is read here.
#[derive(Deserialize)]
struct Named {
    uuid: String,
}

/// Arguments; what they mean in parameters of Okta's; and how many events they ask for.
struct Row {
    arguments: Vec<String>,
    query: Vec<(&'static str, String)>,
    at_most: Option<usize>,
}

fn row<const A: usize, const Q: usize>(arguments: [&str; A], query: [(&'static str, &str); Q]) -> Row {
    Row {
        arguments: arguments.map(str::to_owned).into(),
        query: query.map(|(name, value)| (name, value.to_owned())).into(),
        at_most: None,
    }
}

impl Row {
    fn at_most(mut self, events: usize) -> Self {
        self.at_most = Some(events);
        self
    }
}

#[test]
fn each_parameter_and_their_combinations_bring_what_they_mean() {
    let Some(python) = python::there() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/query");
    let tests = Command::new(python).args(["-B", "-m", "unittest", "-q", "test_evaluate"]).current_dir(folder).output();
    let tests = tests.unwrap();
    assert!(tests.status.success(), "{}", String::from_utf8_lossy(&tests.stderr));

    let org = Org::start(SimulatorConfig { events: 300, ..SimulatorConfig::default() });
    let stored = org.events();
    let events: Vec<Value> = stored.iter().map(|event| serde_json::from_slice(&event.raw).unwrap()).collect();
    // A person's sign-in, of which all these are known.
    let person = events.iter().rfind(|event| event["eventType"] == "user.authentication.sso").unwrap();
    let text = |pointer: &str| person.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    let (login, id, ip) = (text("/actor/alternateId"), text("/actor/id"), text("/client/ipAddress"));
    let (target, app, city) =
        (text("/target/0/id"), text("/target/0/displayName"), text("/client/geographicalContext/city"));
    let by_login = format!("actor.alternateId eq {}", json!(login));
    let by_id = format!("actor.id eq {0} or actor.alternateId eq {0}", json!(id));
    let by_ip = format!("client.ipAddress eq {}", json!(ip));
    let by_target = format!("target.id eq {0} or target.alternateId eq {0}", json!(target));
    let by_app = format!("target.alternateId eq {}", json!(app));
    let (third, two_thirds) = (stored[100].published.as_deref().unwrap(), stored[200].published.as_deref().unwrap());
    let both = format!("(outcome.result eq \"SUCCESS\") and ({by_id})");
    let everything = String::from(
        "(not (severity eq \"DEBUG\")) and (eventType eq \"user.authentication.sso\" or eventType eq \"user.session.start\") and \
         client.ipAddress pr and outcome.result eq \"SUCCESS\" and severity eq \"INFO\"",
    );

    let alone = vec![
        row([], []),
        row(["--q", "success"], [("q", "success")]),
        row(["--q", &city], [("q", &city)]),
        row(["--q", "user", "--q", "LOGIN"], [("q", "user login")]),
        row(["--since", third], [("since", third)]),
        row(["--until", two_thirds], [("until", two_thirds)]),
        row(
            ["--filter", "eventType sw \"user.\" and not (outcome.result eq \"SUCCESS\")"],
            [("filter", "eventType sw \"user.\" and not (outcome.result eq \"SUCCESS\")")],
        ),
        row(["--limit", "7"], []),
        row(["--sort-order", "ascending"], []),
        row(["--sort-order", "descending"], [("sortOrder", "DESCENDING")]),
        row(["--max-pages", "1"], []).at_most(100),
        row(["--max-events", "42"], []).at_most(42),
        row(["--event-type", "user.session.start"], [("filter", "eventType eq \"user.session.start\"")]),
        row(["--actor", &login], [("filter", &by_login)]),
        row(["--actor", &id], [("filter", &by_id)]),
        row(["--target", &target], [("filter", &by_target)]),
        row(["--target", &app], [("filter", &by_app)]),
        row(["--ip", &ip], [("filter", &by_ip)]),
        row(["--outcome", "failure"], [("filter", "outcome.result eq \"FAILURE\"")]),
        row(["--severity", "warn"], [("filter", "severity eq \"WARN\"")]),
    ];
    let together = vec![
        row(["--since", third, "--until", two_thirds], [("since", third), ("until", two_thirds)]),
        row(["--since", third, "--q", "success", "--limit", "9"], [("since", third), ("q", "success")]),
        row(
            ["--until", two_thirds, "--sort-order", "descending"],
            [("until", two_thirds), ("sortOrder", "DESCENDING")],
        ),
        row(
            ["--filter", "severity eq \"INFO\"", "--q", "success", "--limit", "11"],
            [("filter", "severity eq \"INFO\""), ("q", "success")],
        ),
        row(
            ["--filter", "severity eq \"WARN\" or severity eq \"ERROR\"", "--outcome", "FAILURE"],
            [("filter", "(severity eq \"WARN\" or severity eq \"ERROR\") and outcome.result eq \"FAILURE\"")],
        ),
        row(
            ["--event-type", "user.session.start", "--event-type", "user.authentication.sso", "--outcome", "SUCCESS"],
            [(
                "filter",
                "(eventType eq \"user.session.start\" or eventType eq \"user.authentication.sso\") and outcome.result eq \"SUCCESS\"",
            )],
        ),
        row(
            ["--severity", "warn", "--severity", "error", "--since", third],
            [("filter", "severity eq \"WARN\" or severity eq \"ERROR\""), ("since", third)],
        ),
        row(
            ["--actor", &id, "--outcome", "success", "--sort-order", "descending", "--limit", "2"],
            [("filter", &both), ("sortOrder", "DESCENDING")],
        ),
        row(["--sort-order", "descending", "--max-events", "33", "--limit", "10"], [("sortOrder", "DESCENDING")])
            .at_most(33),
        row(["--limit", "20", "--max-pages", "3", "--severity", "info"], [("filter", "severity eq \"INFO\"")])
            .at_most(60),
        row(
            ["--q", "success", "--until", two_thirds, "--max-events", "10", "--sort-order", "descending"],
            [("q", "success"), ("until", two_thirds), ("sortOrder", "DESCENDING")],
        )
        .at_most(10),
        row(
            [
                "--filter",
                "not (severity eq \"DEBUG\")",
                "--event-type",
                "user.authentication.sso",
                "--event-type",
                "user.session.start",
                "--outcome",
                "success",
                "--severity",
                "info",
                "--since",
                third,
                "--sort-order",
                "descending",
                "--limit",
                "10",
            ],
            [("filter", &everything), ("since", third), ("sortOrder", "DESCENDING")],
        ),
    ];
    let combinations = together.len();

    let acme = org.connector("acme");
    let file = ConfigFile::new(&ConfigYaml::new("127.0.0.1:1").connector(acme).render());
    let path = file.path();
    let cases: Vec<Case> = alone
        .into_iter()
        .chain(together)
        .map(|row| {
            let mut arguments = vec!["query", "acme", "-c", utf8(&path), "--output", "ndjson"];
            arguments.extend(row.arguments.iter().map(String::as_str));
            let output = connector::run(&arguments, &[], WAIT);
            assert_eq!(output.code(), 0, "{output:?}");
            let uuid = |line: &str| serde_json::from_str::<Named>(line).unwrap().uuid;
            let mut query: Map<String, Value> =
                row.query.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            // A query has an end always.
            let _ = query.entry("until").or_insert_with(|| json!("2099-01-01T00:00:00Z"));
            Case {
                name: row.arguments.join(" "),
                query,
                uuids: output.stdout.lines().map(uuid).collect(),
                refused: None,
                at_most: row.at_most,
            }
        })
        .collect();
    let verdict = evaluate(python, &stored, &cases);
    println!("{verdict:?}");
    assert_eq!((verdict.cases, verdict.different, verdict.empty), (cases.len(), 0, 0), "{verdict:#?}");
    prove::row(
        "query-evaluated",
        "`query` brings the events that its parameters mean, in their order",
        &format!(
            "{} command lines of the shipped program, each parameter alone and {combinations} combinations, against an org of {} \
             events; what must come is said by scim2-models' parser and a script over the event list",
            cases.len(),
            stored.len()
        ),
        &format!("{} events, none missing, none too many, all in order", verdict.events),
    );
}
