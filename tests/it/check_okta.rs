//! What `check` says of orgs and credentials, word for word, and that each thing it says to do mends what it is said of.
//!
//! The lines stand in tests/it/check_okta.snapshot.txt, before and after. With `OKS_BLESS=1` it is written anew: read it
//! as the admin of an org.

use okta_kafka_source::simulator::{DpopMode, OauthConfig, RegisteredKey, SimulatorConfig};

use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::org::Org;
use crate::support::ports::free_port;
use crate::support::report::Report;
use crate::support::service_key::{Form, Kind, ServiceKey};
use crate::support::{prove, snapshot};

const SNAPSHOT: &str = "check_okta.snapshot.txt";
const CLIENT_ID: &str = "0oa1simulated2app3x7";

/// An org in some state, and a connector's `auth`: wrong, and as `check` says that it has to be.
struct State {
    name: &'static str,
    org: Org,
    wrong: String,
    right: String,
    /// What somebody does in the Admin Console.
    mend: fn(&Org, &ServiceKey),
}

impl State {
    fn connector(&self, auth: fn(&Self) -> &str) -> ConnectorYaml {
        // More than the share of a limit of 60 allows, until it is raised as it is said.
        let interval = if self.name == "busy" && auth(self) == self.wrong { "1s" } else { "60s" };
        ConnectorYaml::new(self.name, self.org.url(), "").interval(interval).auth(auth(self))
    }
}

/// `auth` of the service app, with more keys.
fn app(client_id: &str, more: &str) -> String {
    format!("{{oauth: {{client_id: {client_id}, private_key: '${{env:OKS_KEY}}', key_id: kid-1{more}}}}}")
}

fn ssws(token: &str) -> String {
    format!("{{ssws: {token}}}")
}

fn org(dpop: DpopMode, clock_offset_seconds: i64) -> Org {
    let oauth = OauthConfig { client_id: CLIENT_ID.to_owned(), dpop, ..OauthConfig::default() };
    Org::start(SimulatorConfig {
        events: 20,
        oauth: Some(oauth),
        clock_offset_seconds,
        rate_limit: 60,
        ..SimulatorConfig::default()
    })
}

fn nothing(_: &Org, _: &ServiceKey) {}

fn states(key: &ServiceKey) -> Vec<State> {
    let register = |org: &Org, key_id: &str, key: &ServiceKey| {
        org.oauth().unwrap().register_key(RegisteredKey::read(key_id, &key.public_pem()).unwrap());
    };
    let mut states = Vec::new();
    let mut add = |name, prepare: &dyn Fn(&Org), wrong: &str, right: &str, mend: fn(&Org, &ServiceKey)| {
        let mode = if name == "proof-required" || name == "proof" { DpopMode::Required } else { DpopMode::Optional };
        let offset = match name {
            "clock-ahead" | "scope-and-clock" => 3_600,
            "clock-behind" => -90,
            _ => 0,
        };
        let org = org(mode, offset);
        register(&org, "kid-1", key);
        prepare(&org);
        let token = org.token().to_owned();
        let [wrong, right] = [wrong, right].map(|auth| auth.replace("TOKEN", &token));
        states.push(State { name, org, wrong, right, mend });
    };
    let good = app(CLIENT_ID, "");
    add("fine", &|_| {}, &good, &good, nothing);
    add("proof", &|_| {}, &good, &good, nothing);
    add("token", &|_| {}, &ssws("TOKEN"), &ssws("TOKEN"), nothing);
    let other_key = |org: &Org| {
        let _ = org.oauth().unwrap().remove_key("kid-1");
        register(org, "kid-2", key);
    };
    let register_it: fn(&Org, &ServiceKey) =
        |org, key| org.oauth().unwrap().register_key(RegisteredKey::read("kid-1", &key.public_pem()).unwrap());
    add("key-id", &other_key, &good, &good, register_it);
    let no_key = |org: &Org| assert!(org.oauth().unwrap().remove_key("kid-1"));
    add("no-key", &no_key, &good, &good, register_it);
    let stranger = ServiceKey::new("kid-1", Kind::Rsa);
    add("signature", &|org| register(org, "kid-1", &stranger), &good, &good, register_it);
    add("client-id", &|_| {}, &app("0oa9another", ""), &good, nothing);
    let deactivate = |org: &Org| org.oauth().unwrap().set_active(false);
    add("deactivated", &deactivate, &good, &good, |org, _| org.oauth().unwrap().set_active(true));
    let withdraw = |org: &Org| org.oauth().unwrap().set_scopes(["okta.users.read"]);
    add("scope", &withdraw, &good, &good, |org, _| org.oauth().unwrap().set_scopes(["okta.logs.read"]));
    add("scope-and-clock", &withdraw, &good, &good, |org, _| {
        org.oauth().unwrap().set_scopes(["okta.logs.read"]);
        org.set_clock_offset(0);
    });
    let typo = app(CLIENT_ID, ", scopes: [okta.logs.read, okta.users.reed]");
    add("scope-unknown", &|_| {}, &typo, &good, nothing);
    let no_role = |org: &Org| org.oauth().unwrap().set_admin_role(false);
    add("role", &no_role, &good, &good, |org, _| org.oauth().unwrap().set_admin_role(true));
    add("proof-required", &|_| {}, &app(CLIENT_ID, ", dpop: false"), &good, nothing);
    add("other-token", &|_| {}, &ssws("00anotherOrgsToken"), &ssws("TOKEN"), nothing);
    add("busy", &|_| {}, &ssws("TOKEN"), &ssws("'TOKEN'"), nothing);
    add("clock-ahead", &|_| {}, &good, &good, |org, _| org.set_clock_offset(0));
    add("clock-behind", &|_| {}, &good, &good, |org, _| org.set_clock_offset(0));
    states
}

/// The lines of the connectors, without what differs from run to run.
fn lines(states: &[State], key: &ServiceKey, auth: fn(&State) -> &str) -> (Vec<String>, Report) {
    // Kafka is not what this is about: nobody listens there, and one line says so.
    let mut config = ConfigYaml::new(&format!("127.0.0.1:{}", free_port()));
    for state in states {
        config = config.connector(state.connector(auth));
    }
    let report = Report::with(&config, &[], &[("OKS_KEY", &key.file(Form::Pkcs8))]);
    let of_connectors = report.lines().filter(|line| line[5..].starts_with("connector `"));
    let lines = of_connectors.map(|line| {
        let org = states.iter().find(|state| line.contains(&format!("`{}`", state.name))).unwrap();
        let line = line.replace(org.org.url(), "https://acme.okta.com");
        let line = without_id(&line);
        ["reset in ", "clocks ", "clock is ", "and are "]
            .iter()
            .fold(line, |line, phrase| without_number(&line, phrase))
    });
    let lines = lines.collect();
    (lines, report)
}

/// Okta's ids of errors and of requests differ.
fn without_id(line: &str) -> String {
    ["error id `", "(`x-okta-request-id` `"].into_iter().fold(line.to_owned(), |line, phrase| {
        let Some((before, after)) = line.split_once(phrase) else { return line };
        format!("{before}{phrase}…{}", after.trim_start_matches(|character| character != '`'))
    })
}

/// `phrase` followed by a number: the number is `N`, and a large one `NNNN`, so that an hour is told from nothing.
fn without_number(line: &str, phrase: &str) -> String {
    let Some((before, after)) = line.split_once(phrase) else { return line.to_owned() };
    let rest = after.trim_start_matches(|character: char| character.is_ascii_digit());
    let digits = after.len() - rest.len();
    match digits {
        0 => line.to_owned(),
        1 | 2 => format!("{before}{phrase}N{rest}"),
        _ => format!("{before}{phrase}NNNN{rest}"),
    }
}

#[test]
fn each_state_has_its_line_and_what_it_says_mends_it() {
    let key = ServiceKey::new("kid-1", Kind::Rsa);
    let states = states(&key);
    let (before, report) = lines(&states, &key, |state| &state.wrong);
    for secret in key.secret_parts().iter().map(String::as_str).chain(["00anotherOrgsToken", "Bearer ey", "DPoP ey"]) {
        assert!(!report.to_string().contains(secret), "a secret is shown:\n{report}");
    }
    let failed = before.iter().filter(|line| line.starts_with("FAIL")).count();
    for state in &states {
        (state.mend)(&state.org, &key);
    }
    let (after, report) = lines(&states, &key, |state| &state.right);
    assert!(after.iter().all(|line| line.starts_with("ok   ")), "{report}");
    assert_eq!(after.len(), states.len());
    let after: Vec<&str> = after.iter().filter_map(|line| line.split("; rate limit").next()).collect();
    let text = format!("As they are\n\n{}\n\nDone as it was said\n\n{}\n", before.join("\n\n"), after.join("\n"));
    snapshot::assert(SNAPSHOT, &text);
    prove::row(
        "check-okta",
        "`check` says of an org and its credential what is wrong, in the admin's words, and what to do mends it",
        &format!("{} orgs, each in a state of its own: keys, ids, scopes, roles, proofs, tokens, clocks", states.len()),
        &format!("{failed} FAIL, each `ok` once that was done; the lines are tests/it/check_okta.snapshot.txt"),
    );
}

/// `check` beside a `run` leaves it half of what the credential may ask, and says whom it did not ask.
#[test]
fn half_of_the_rate_limit_is_left_to_run() {
    let org = Org::start(SimulatorConfig { events: 20, rate_limit: 10, ..SimulatorConfig::default() });
    let mut config = ConfigYaml::new(&format!("127.0.0.1:{}", free_port()));
    for number in 1..=8 {
        config = config.connector(org.connector(&format!("c{number}")));
    }
    let report = Report::of(&config);
    assert_eq!(org.request_count(), 5, "{report}");
    for number in 1..=5 {
        report.assert("ok", &format!("connector `c{number}`"), &["rate limit 10 requests"]);
    }
    for number in 6..=8 {
        let words = ["was not asked", "leaves 5 of 10", "and 5 are left", "run `check` again in "];
        report.assert("warn", &format!("connector `c{number}`"), &words);
    }
}

/// docs/okta-setup.md lists the words by which somebody finds his line.
#[test]
fn the_setup_guide_quotes_what_check_says() {
    let lines = std::fs::read_to_string(snapshot::path(SNAPSHOT)).unwrap();
    let guide = std::fs::read_to_string(snapshot::path("../../docs/okta-setup.md")).unwrap();
    let (_, table) = guide.split_once("## What `check` says").unwrap();
    let quoted: Vec<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(words, _)| words)).collect();
    assert!(quoted.len() >= 8, "{quoted:?}");
    for words in quoted {
        assert!(lines.contains(words), "`check` does not say `{words}`");
    }
}
