//! `schema show`, `check` and `register`: the shipped program at a real registry (Apicurio: see `support::registry`), and
//! what it says of one that is wrong, foreign, closed or away. All of it is said by `run` too, which asks in the same way.

use std::time::Duration;

use okta_kafka_source::convert::avro::schema::SCHEMA_JSON;
use serde_json::{Value, json};

use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Output, utf8};
use crate::support::leak::Secret;
use crate::support::org::Org;
use crate::support::ports::free_port;
use crate::support::prove;
use crate::support::registry::{Registry, shared_registry};
use crate::support::registry_front::RegistryFront;
use crate::support::report::Report;
use crate::support::shared_broker::shared_broker;
use crate::support::tls_front::Authority;

const WAIT: Duration = Duration::from_secs(60);
const SECRET: &str = "Hunter2Hunter2";
const FOREIGN: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"string"}]}"#;

/// A file with this in its `schema_registry`, and a connector for each topic.
fn file(registry: &str, topics: &[&str]) -> ConfigFile {
    let mut text =
        format!("kafka: {{bootstrap.servers: '127.0.0.1:1'}}\nschema_registry: {{{registry}}}\nconnectors:\n");
    for (number, topic) in topics.iter().enumerate() {
        text += &format!(
            "  - {{name: c{number}, org: 'https://org{number}.okta.com', auth: {{ssws: '${{env:T}}'}}, topic: {topic}, format: avro}}\n"
        );
    }
    ConfigFile::new(&text)
}

/// `schema <verb>`; no output ever has the secret.
fn schema(verb: &str, file: &ConfigFile) -> Output {
    let path = file.path();
    let output = connector::run(&["schema", verb, "-c", utf8(&path)], &[("T", "00x"), ("S", SECRET)], WAIT);
    Secret::new(SECRET).must_not_be_in("the output", &format!("{}{}", output.stdout, output.stderr));
    output
}

/// Asserts that it fails with one line that says all of `parts`.
#[track_caller]
fn assert_fails(verb: &str, file: &ConfigFile, parts: &[&str]) {
    let output = schema(verb, file);
    assert_eq!(output.code(), 1, "{output:?}");
    let [line] = output.stdout.lines().collect::<Vec<_>>()[..] else { panic!("{output:?}") };
    assert!(line.starts_with("FAIL ") && parts.iter().all(|part| line.contains(part)), "{parts:?} in {line}");
}

#[track_caller]
fn assert_says(verb: &str, file: &ConfigFile, parts: &[&str]) {
    let output = schema(verb, file);
    assert_eq!(output.code(), 0, "{output:?}");
    let [line] = output.stdout.lines().collect::<Vec<_>>()[..] else { panic!("{output:?}") };
    assert!(line.starts_with("ok  ") && parts.iter().all(|part| line.contains(part)), "{parts:?} in {line}");
}

/// Our schema with its fields changed.
fn changed(change: impl FnOnce(&mut Vec<Value>)) -> String {
    let mut schema: Value = serde_json::from_str(SCHEMA_JSON).unwrap();
    change(schema["fields"].as_array_mut().unwrap());
    schema.to_string()
}

/// A version of ours whose `severity` is always there, which it is not.
fn with_severity_required() -> String {
    changed(|fields| {
        let severity = fields.iter_mut().find(|field| field["name"] == "severity").unwrap();
        *severity = json!({"name": "severity", "type": "string"});
    })
}

/// A later version of ours.
fn with_one_field_more() -> String {
    changed(|fields| fields.push(json!({"name": "later", "type": ["null", "string"], "default": null})))
}

#[test]
fn the_schema_is_shown_as_it_is_in_the_repository() {
    let output = connector::run(&["schema", "show"], &[], WAIT);
    assert_eq!((output.code(), output.stdout.as_str(), output.stderr.as_str()), (0, SCHEMA_JSON, ""));
}

#[test]
fn a_subject_is_looked_at_registered_and_looked_at_again() {
    let Some(registry) = shared_registry() else { return };
    let keys = format!("url: '{}'", registry.url());
    let two = file(&keys, &["command-a", "command-a", "command-b"]);
    let lines = |verb| {
        let output = schema(verb, &two);
        assert_eq!((output.code(), output.stderr.as_str()), (0, ""), "{output:?}");
        output.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let looked = lines("check");
    assert_eq!(looked.len(), 2, "one line a subject: {looked:?}");
    assert!(looked[0].starts_with("ok   schema `command-a-value`: nothing there yet; `run` registers"), "{looked:?}");
    assert!(
        looked[1].contains("`command-b-value`")
            && looked[1].ends_with(r#"PUT {"compatibility": "FULL_TRANSITIVE"} to its /config/command-b-value"#),
        "{looked:?}"
    );
    assert!(registry.versions("command-a-value").is_empty(), "looking changes nothing");

    let registered = lines("register");
    let (id, text) = registry.latest("command-a-value").unwrap();
    assert_eq!(text, SCHEMA_JSON);
    assert!(registered[0].contains(&format!("our schema is registered: id {id}")), "{registered:?}");
    assert!(lines("register")[0].contains(&format!("was there already: id {id}, version 1")));
    assert!(lines("check")[1].contains("our schema is there: id "));
    assert_eq!(registry.versions("command-a-value"), [1]);

    // With the rule that our versions keep to, nothing is left to say of it.
    registry.set_compatibility("command-a-value", "FULL_TRANSITIVE");
    let output = schema("check", &file(&keys, &["command-a"])).stdout;
    assert_eq!(output, format!("ok   schema `command-a-value`: our schema is there: id {id}, version 1\n"));

    // The other strategies.
    let by_record = file(&format!("{keys}, subject_strategy: topic_record"), &["command-a"]);
    assert_says("register", &by_record, &["`command-a-okta.systemlog.LogEvent`: our schema is registered"]);
    assert_eq!(registry.versions("command-a-okta.systemlog.LogEvent"), [1]);
    let by_record = file(&format!("{keys}, subject_strategy: record"), &["command-a", "command-b"]);
    assert_says("register", &by_record, &["`okta.systemlog.LogEvent`: our schema is registered"]);
}

#[test]
fn our_schema_is_found_however_it_was_written_down() {
    let Some(registry) = shared_registry() else { return };
    let parsed: Value = serde_json::from_str(SCHEMA_JSON).unwrap();
    for (topic, text) in [
        // serde_json sorts members by name, and leaves no blanks.
        ("layout-sorted", parsed.to_string()),
        ("layout-indented", serde_json::to_string_pretty(&parsed).unwrap()),
        (
            "layout-undocumented",
            changed(|fields| fields.iter_mut().for_each(|field| drop(field.as_object_mut().unwrap().remove("doc")))),
        ),
        ("layout-full-name", {
            let mut named = parsed.clone();
            named["name"] = json!("okta.systemlog.LogEvent");
            let _ = named.as_object_mut().unwrap().remove("namespace");
            named.to_string()
        }),
    ] {
        let subject = format!("{topic}-value");
        assert_ne!(text, SCHEMA_JSON);
        let id = registry.register(&subject, &text).unwrap();
        let file = file(&format!("url: '{}', auto_register: false", registry.url()), &[topic]);
        assert_says("check", &file, &[&format!("our schema is there: id {id}, version 1")]);
        assert_says("register", &file, &[&format!("was there already: id {id}")]);
        assert_eq!(registry.versions(&subject), [1], "{topic}");

        // Also under a later version.
        registry.register(&subject, &with_one_field_more()).unwrap();
        assert_says("check", &file, &[&format!("our schema is there: id {id}, version 1")]);
    }
}

#[test]
fn somebody_elses_schema_is_refused_whatever_the_rule() {
    let Some(registry) = shared_registry() else { return };
    for (topic, rule, kind, text, says) in [
        ("foreign-none", "NONE", "AVRO", FOREIGN, "the record `shop.Order` (ours is `okta.systemlog.LogEvent`)"),
        ("foreign-full", "FULL_TRANSITIVE", "AVRO", FOREIGN, "the record `shop.Order`"),
        ("foreign-string", "NONE", "AVRO", r#""string""#, "of type `string`"),
        (
            "foreign-json",
            "NONE",
            "JSON",
            r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}"#,
            "of type `JSON`",
        ),
    ] {
        let subject = format!("{topic}-value");
        let body = json!({"schema": text, "schemaType": kind});
        let (status, answer) = registry.request("POST", &format!("/subjects/{subject}/versions"), Some(&body));
        assert_eq!(status, 200, "{topic}: {answer}");
        registry.set_compatibility(&subject, rule);
        for auto_register in [true, false] {
            let file = file(&format!("url: '{}', auto_register: {auto_register}", registry.url()), &[topic]);
            for verb in ["check", "register"] {
                assert_fails(verb, &file, &[&subject, "holds another schema", says, "write another `topic`"]);
            }
        }
        assert_eq!(registry.versions(&subject), [1], "{topic}");
    }
}

/// Ours is there as an older version, so that a look-up alone would find it.
#[test]
fn somebody_elses_schema_after_ours_is_refused() {
    let Some(registry) = shared_registry() else { return };
    let file = file(&format!("url: '{}'", registry.url()), &["foreign-later"]);
    assert_says("register", &file, &["our schema is registered"]);
    registry.register("foreign-later-value", FOREIGN).unwrap();
    for verb in ["check", "register"] {
        assert_fails(verb, &file, &["holds another schema, the record `shop.Order`", "delete it in the registry"]);
    }
    assert_eq!(registry.versions("foreign-later-value"), [1, 2]);
}

#[test]
fn a_version_that_does_not_get_on_is_refused_by_field() {
    let Some(registry) = shared_registry() else { return };
    let required = with_severity_required();
    let says = ["field `severity`: written as `null`, read as `string`", "what we write cannot be read with it"];
    for (topic, rule) in [("rule-none", "NONE"), ("rule-full", "FULL_TRANSITIVE")] {
        let subject = format!("{topic}-value");
        registry.register(&subject, &required).unwrap();
        registry.set_compatibility(&subject, rule);
        let file = file(&format!("url: '{}'", registry.url()), &[topic]);
        for verb in ["check", "register"] {
            assert_fails(verb, &file, &[&says[..], &["version 1 of subject"]].concat());
        }
        assert_eq!(registry.versions(&subject), [1], "{topic}");
    }

    // The latest gets on, an older one does not, and the registry gives no reason: found by ourselves.
    let later = with_one_field_more();
    registry.register("rule-older-value", &required).unwrap();
    registry.register("rule-older-value", &later).unwrap();
    let older = file(&format!("url: '{}'", registry.url()), &["rule-older"]);
    assert_says("check", &older, &["other versions of our schema are there, the latest 2", "NONE"]);
    registry.set_compatibility("rule-older-value", "FULL_TRANSITIVE");
    assert_fails("register", &older, &[&says[..], &["version 1 of subject `rule-older-value`"]].concat());

    // One that gives its reason, as Confluent's does.
    registry.register("rule-verbose-value", &later).unwrap();
    let confluent = RegistryFront::start(registry.address(), |request| {
        let reasons = json!({"is_compatible": false, "messages": [
            "{errorType:'TYPE_MISMATCH', description:'The type (path '/fields/4/type/1') of a field', additionalInfo:'x'}",
            "{oldSchemaVersion: 1}", "{oldSchema: '…'}"]});
        request.start.contains("verbose=true").then(|| ("200 OK", reasons.to_string()))
    });
    let verbose = file(&format!("url: '{}'", confluent.url()), &["rule-verbose"]);
    assert_fails("check", &verbose, &["TYPE_MISMATCH", "/fields/4/type/1"]);

    // Our version beside others.
    let beside = file(&format!("url: '{}'", registry.url()), &["rule-verbose"]);
    assert_says("register", &beside, &["our schema is registered"]);
    assert_eq!(registry.versions("rule-verbose-value"), [1, 2]);
    prove::row(
        "schema-foreign",
        "Nothing is registered beside a schema that is somebody else's, or that cannot read ours",
        "a real registry, with and without a rule: another record, a plain type, a JSON schema, a version of ours with a field that may not be null",
        "refused by `schema check` and `schema register`, by record name or field and direction; the subject keeps its one version",
    );
}

#[test]
fn what_must_not_be_registered_is_not() {
    let Some(registry) = shared_registry() else { return };
    let keys = format!("url: '{}', auto_register: false", registry.url());
    let file = file(&keys, &["by-hand"]);
    assert_fails(
        "check",
        &file,
        &["not registered under subject `by-hand-value`", "okta-kafka-source schema register"],
    );
    assert!(registry.versions("by-hand-value").is_empty());
    assert_says("register", &file, &["our schema is registered"]);
    assert_says("check", &file, &["our schema is there"]);
}

#[test]
fn a_login_is_asked_for_and_a_wrong_one_told() {
    let Some(registry) = shared_registry() else { return };
    // `me:Hunter2Hunter2`, as Python's base64 has it.
    let basic = RegistryFront::with_login(registry.address(), "Basic bWU6SHVudGVyMkh1bnRlcjI=");
    let bearer = RegistryFront::with_login(registry.address(), &format!("Bearer {SECRET}"));
    for (front, right, wrong) in [
        (
            &basic,
            "basic_auth: {username: me, password: '${env:S}'}",
            "basic_auth: {username: us, password: '${env:S}'}",
        ),
        (&bearer, "bearer_token: '${env:S}'", "bearer_token: 'x${env:S}'"),
    ] {
        let url = format!("url: '{}'", front.url());
        assert_says("check", &file(&format!("{url}, {right}"), &["login"]), &["nothing there yet"]);
        for login in [wrong, "auto_register: true"] {
            let says = [front.url().as_str(), "refuses the login (401", "check `schema_registry.basic_auth`"]
                .map(str::to_owned);
            assert_fails("check", &file(&format!("{url}, {login}"), &["login"]), &says.each_ref().map(String::as_str));
        }
    }
    // A refusal is an answer: the next URL is not given the login too.
    let asked = bearer.asked().len();
    let both = file(&format!("url: '{},{}', bearer_token: x", basic.url(), bearer.url()), &["login"]);
    assert_fails("check", &both, &["refuses the login"]);
    assert_eq!(bearer.asked().len(), asked);

    // May read, must not write.
    let reader = RegistryFront::start(registry.address(), |request| {
        let is_new = request.start.starts_with("POST") && request.start.contains("/versions");
        is_new
            .then(|| ("403 Forbidden", r#"{"error_code":40301,"message":"User is denied operation Write"}"#.to_owned()))
    });
    let says = [
        "does not allow to register our schema under subject `login-value`",
        "denied operation Write",
        "auto_register: false",
    ];
    assert_fails("register", &file(&format!("url: '{}'", reader.url()), &["login"]), &says);
}

#[test]
fn no_login_is_logged_even_at_trace() {
    let Some(registry) = shared_registry() else { return };
    // Of a length that makes the password stand by itself in base64 of `me:password`.
    const PASSWORD: &str = "Qz7hWkV9pXr2LmNbT4sYcJd6GfAe8UvHiKoZxw31";
    let front = RegistryFront::with_login(registry.address(), "Basic of somebody else");
    let authority = Authority::new("the company's own");
    let tls = authority.front("localhost", registry.address());
    let directory = tempfile::tempdir().unwrap();
    let pem = directory.path().join("ca.pem");
    authority.write(&pem);
    let by_tls = format!("'https://localhost:{}/apis/ccompat/v7', ca_file: {}", tls.address().port(), utf8(&pem));
    for login in ["basic_auth: {username: me, password: '${env:P}'}", "bearer_token: '${env:P}'"] {
        for (url, code) in
            [(format!("'{}'", front.url()), 1), (format!("'{}'", registry.url()), 0), (by_tls.clone(), 0)]
        {
            let file = file(&format!("url: {url}, {login}"), &["trace"]);
            let path = file.path();
            let environment = [("T", "00x"), ("P", PASSWORD), ("RUST_LOG", "trace")];
            let output = connector::run(&["schema", "check", "-c", utf8(&path)], &environment, WAIT);
            assert_eq!(output.code(), code, "{output:?}");
            assert!(
                output.stderr.contains("TRACE") && output.stderr.contains("connecting to"),
                "not TRACE: {}",
                output.stderr
            );
            let secret = Secret::new(PASSWORD);
            secret.must_not_be_in("the log", &output.stderr);
            secret.must_not_be_in("the report", &output.stdout);
        }
    }
}

#[test]
fn an_unknown_authority_is_named_and_can_be_made_known() {
    let Some(registry) = shared_registry() else { return };
    let authority = Authority::new("the company's own");
    let front = authority.front("localhost", registry.address());
    let url = format!("url: 'https://localhost:{}/apis/ccompat/v7'", front.address().port());
    assert_fails("check", &file(&url, &["tls"]), &["`localhost`", "set `schema_registry.ca_file`"]);
    let directory = tempfile::tempdir().unwrap();
    let pem = directory.path().join("ca.pem");
    authority.write(&pem);
    let trusted = format!("{url}, ca_file: {}, basic_auth: {{username: me, password: '${{env:S}}'}}", utf8(&pem));
    assert_says("check", &file(&trusted, &["tls"]), &["nothing there yet"]);
    let expired = authority.expired_front("localhost", registry.address());
    let url = format!("url: 'https://localhost:{}/', ca_file: {}", expired.address().port(), utf8(&pem));
    assert_fails("check", &file(&url, &["tls"]), &["has expired"]);
    let plain = format!("url: 'https://{}/apis/ccompat/v7'", registry.address());
    assert_fails("check", &file(&plain, &["tls"]), &["speaks TLS"]);
    let the_other_way = format!("url: 'http://{}/apis/ccompat/v7'", front.address());
    assert_fails("check", &file(&the_other_way, &["tls"]), &["where it speaks TLS there, write `https://`"]);
}

#[test]
fn a_registry_that_is_away_busy_or_none_is_told_apart() {
    let Some(registry) = shared_registry() else { return };
    let answering = |status: &'static str, body: &'static str| {
        RegistryFront::start(registry.address(), move |_| Some((status, body.to_owned())))
    };
    let dead = format!("http://127.0.0.1:{}", free_port());
    let busy = answering("503 Service Unavailable", "<html>upstream</html>");
    let throttling = answering("429 Too Many Requests", r#"{"error_code":42901,"message":"slow down"}"#);

    // Away: one line for all subjects.
    let all = file(&format!("url: '{dead},{},{}'", busy.url(), throttling.url()), &["away-a", "away-b"]);
    let says = [
        "schema registry: the schema registry does not answer",
        dead.as_str(),
        "Connection refused",
        "503",
        "slow down",
    ];
    assert_fails("check", &all, &says);
    // The next one answers.
    let one = file(&format!("url: '{dead},{},{},{}'", busy.url(), throttling.url(), registry.url()), &["away-a"]);
    assert_says("check", &one, &["nothing there yet"]);

    for (status, body) in [
        ("200 OK", "<html>Log in</html>"),
        ("404 Not Found", "<html>no such page</html>"),
        ("404 Not Found", r#"{"message":"No endpoint POST /subjects"}"#),
        ("302 Found", ""),
        ("200 OK", r#"{"id":"seven"}"#),
    ] {
        let other = answering(status, body);
        let says = [other.url().as_str(), "is no schema registry", "check `schema_registry.url`"].map(str::to_owned);
        assert_fails(
            "register",
            &file(&format!("url: '{}'", other.url()), &["away-a"]),
            &says.each_ref().map(String::as_str),
        );
        assert_eq!(other.asked().len(), 1, "{:?}", other.asked());
    }
    // Apicurio without the path of Confluent's API.
    let bare = file(&format!("url: 'http://{}'", registry.address()), &["away-a"]);
    assert_fails("check", &bare, &["is no schema registry (404", "/apis/ccompat/v7"]);
}

#[test]
fn a_registry_of_ones_own_that_ends_is_away() {
    let Some(registry) = Registry::start() else { return };
    let file = file(&format!("url: '{}'", registry.url()), &["ends"]);
    assert_says("register", &file, &["our schema is registered"]);
    registry.kill9();
    assert_fails("check", &file, &["does not answer", "that the registry runs"]);
}

/// `check` says it beside all else, and in time where the registry is away.
#[test]
fn check_has_a_line_for_each_subject() {
    let (Some(kafka), Some(registry)) = (shared_broker(), shared_registry()) else { return };
    let org = Org::with_events(10);
    let with = |url: &str| {
        let acme = org.connector("acme").extra("format: avro");
        let topic = acme.topic.clone();
        let config = ConfigYaml::new(kafka.bootstrap()).schema_registry(url).connector(acme);
        (Report::of(&config), topic)
    };
    let (report, topic) = with(&registry.url());
    report.assert("ok", &format!("schema `{topic}-value`"), &["nothing there yet; `run` registers our schema"]);
    assert_eq!(report.code, 0, "{report}");
    assert!(registry.versions(&format!("{topic}-value")).is_empty(), "looking changes nothing");
    let (report, _) = with(&format!("http://127.0.0.1:{}", free_port()));
    report.assert("FAIL", "schema registry", &["does not answer", "check `schema_registry.url`"]);
    assert_eq!((report.code, report.count("FAIL")), (1, 1), "{report}");
}
