//! What answers of a registry lead to that no real one gives when it is asked to: they are scripted.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use okta_kafka_source::config::{Config, SchemaRegistryConfig};
use okta_kafka_source::convert::avro::schema::SCHEMA_JSON;
use okta_kafka_source::okta::proxy::Network;
use okta_kafka_source::registry::{Registry, Severity};
use serde_json::{Value, json};

use crate::support::http_message::Message;
use crate::support::registry_front::RegistryFront;

type Scripted = (&'static str, Value);

/// A registry that answers all by itself.
fn scripted(rule: impl Fn(&Message) -> Scripted + Send + Sync + 'static) -> RegistryFront {
    RegistryFront::start(SocketAddr::from(([127, 0, 0, 1], 1)), move |request| {
        let (status, body) = rule(request);
        Some((status, body.to_string()))
    })
}

fn config(keys: &str, env: &str) -> SchemaRegistryConfig {
    let text = format!(
        "schema_registry: {{{keys}}}\nkafka: {{bootstrap.servers: x}}\nconnectors: [{{name: a, org: \"https://a.okta.com\", \
         auth: {{ssws: \"00x\"}}, topic: t}}]\n"
    );
    Config::parse(&text, &|name| (name == "S").then(|| env.to_owned())).unwrap().schema_registry.unwrap()
}

fn client(front: &RegistryFront, keys: &str, env: &str) -> Registry {
    Registry::new(&config(&format!("url: '{}'{keys}", front.url()), env), &Network::default()).unwrap()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

const ABSENT: &str = "404 Not Found";

fn absent() -> Scripted {
    (ABSENT, json!({"error_code": 40401, "message": "no such subject"}))
}

/// Our schema, as the subject's latest and as what was looked up.
fn ours() -> Scripted {
    ("200 OK", json!({"id": 9, "version": 1, "schema": SCHEMA_JSON}))
}

/// I9: whatever text of an answer repeats the login, or a part of it, no message does.
#[test]
fn no_answer_brings_the_login_into_a_message() {
    // As long as a JWT, so that a message is cut within it.
    let token: String = (0..800_u32).map(|n| char::from(b'A' + u8::try_from(n * n % 57 % 26).unwrap())).collect();
    let password = "p\u{202e}ass wörd\u{2066} of some length";
    for (keys, secret) in [
        (", bearer_token: '${env:S}'", token.as_str()),
        (", basic_auth: {username: me, password: '${env:S}'}", password),
    ] {
        // The whole, its beginning, a part of it; none: the header as it came.
        let parts: [String; 4] = [
            secret.to_owned(),
            secret.chars().take(12).collect(),
            secret.chars().skip(9).take(10).collect(),
            String::new(),
        ];
        for part in parts {
            for place in 0..7 {
                let text = part.clone();
                let front = scripted(move |request| {
                    let header = || request.header("authorization").and_then(|value| value.split(' ').nth(1));
                    let text = if text.is_empty() { header().unwrap() } else { &text };
                    let refused =
                        |message: String| ("401 Unauthorized", json!({"error_code": 401, "message": message}));
                    let latest = |schema: String, kind: String| match request.start.contains("latest") {
                        true => ("200 OK", json!({"id": 1, "version": 1, "schema": schema, "schemaType": kind})),
                        false => absent(),
                    };
                    let is_comparison = request.start.contains("compatibility");
                    let another = changed("later");
                    match place {
                        0 => refused(format!("rejected: {text}")),
                        1 => refused(format!("{} {text}", "-".repeat(295))),
                        2 => ("503 Service Unavailable", json!({"message": text})),
                        3 => latest("{".to_owned(), format!("Bearer {text}")),
                        4 => latest(
                            json!({"type": "enum", "name": "e", "symbols": [text]}).to_string(),
                            "AVRO".to_owned(),
                        ),
                        5 => latest(changed(text), "AVRO".to_owned()),
                        _ if is_comparison => {
                            ("200 OK", json!({"is_compatible": false, "messages": [format!("{{errorType:'{text}'}}")]}))
                        }
                        _ => latest(another, "AVRO".to_owned()),
                    }
                });
                let client = client(&front, keys, secret);
                let said = match run(client.schema_id("t", &|_| ())) {
                    Ok(id) => panic!("{place}: {id}"),
                    Err(error) => format!("{error} {error:?}"),
                };
                let characters: Vec<char> = secret.chars().collect();
                for window in characters.windows(8) {
                    let window: String = window.iter().collect();
                    let debug = format!("{window:?}");
                    assert!(!said.contains(&window) && !said.contains(debug.trim_matches('"')), "{place}: {said}");
                }
                assert!(!said.contains("\\u{202e}"), "{place}: {said}");
                // `me:`, as base64 has it.
                assert!(!said.contains("bWU6"), "{place}: {said}");
            }
        }
    }
}

/// Our schema with a field that has to be there, of that name as far as Avro's rule lets it.
fn changed(name: &str) -> String {
    let mut schema: Value = serde_json::from_str(SCHEMA_JSON).unwrap();
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphabetic());
    let added = match name {
        "later" => json!({"name": "later", "type": ["null", "string"], "default": null}),
        _ => json!({"name": if is_name { name } else { "other" }, "type": "string", "doc": name}),
    };
    schema["fields"].as_array_mut().unwrap().push(added);
    schema.to_string()
}

/// Questions that were sent with the old login, and are refused at once, all go on with the new one.
#[test]
fn a_login_that_was_renewed_serves_all_that_asked_with_the_old_one() {
    let (asked, refused) = (AtomicUsize::new(0), Barrier::new(3));
    let front = scripted(move |request| match request.header("authorization") {
        Some("Bearer new") => ours(),
        _ => {
            // None is refused before all have asked.
            if asked.fetch_add(1, Ordering::SeqCst) < 3 {
                let _ = refused.wait();
            }
            ("401 Unauthorized", json!({"error_code": 401, "message": "no"}))
        }
    });
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "old").unwrap();
    let client = client(&front, &format!(", bearer_token: '${{file:{}}}'", token.path().display()), "");
    std::fs::write(token.path(), "new").unwrap();
    let ids = run(async {
        tokio::join!(client.schema_id("a", &|_| ()), client.schema_id("b", &|_| ()), client.schema_id("c", &|_| ()))
    });
    assert_eq!(ids, (Ok(9), Ok(9), Ok(9)));
}

/// Somebody whose question was refused with the old login, while another's was sent with the new one, does not wait.
#[test]
fn who_was_refused_with_the_old_login_sees_that_there_is_another() {
    let front = scripted(|request| match request.header("authorization") {
        Some("Bearer new") => ours(),
        _ => ("401 Unauthorized", json!({"error_code": 401, "message": "no"})),
    });
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "old").unwrap();
    let client = client(&front, &format!(", bearer_token: '${{file:{}}}'", token.path().display()), "");
    run(async {
        let login = client.login();
        assert!(client.schema_id("a", &|_| ()).await.is_err());
        std::fs::write(token.path(), "new").unwrap();
        assert_eq!(client.schema_id("b", &|_| ()).await, Ok(9));
        let seen = client.until_login_changed(&login, Duration::from_secs(3600));
        tokio::time::timeout(Duration::from_secs(5), seen).await.expect("it is another already");
        let now = client.login();
        let seen = client.until_login_changed(&now, Duration::from_millis(10));
        assert!(tokio::time::timeout(Duration::from_millis(200), seen).await.is_err(), "it is the same");
    });
}

/// An unknown path of Confluent's servers is no absent subject.
#[test]
fn what_confluents_servers_say_to_a_wrong_path_is_not_taken_for_a_subject() {
    for body in [json!({"error_code": 404, "message": "HTTP 404 Not Found"}), json!("404 page not found")] {
        let front = scripted(move |_| (ABSENT, body.clone()));
        let client = client(&front, "", "");
        let said = run(client.look("t")).expect_err("nothing of a registry").to_string();
        assert!(said.contains("is no schema registry (404") && said.contains("check `schema_registry.url`"), "{said}");
        let said = run(client.schema_id("t", &|_| ())).expect_err("nothing of a registry");
        assert_eq!(said.severity(), Severity::Failed);
    }
}

/// A gateway whose registry is away answers what it likes; the next URL is asked.
#[test]
fn what_is_no_answer_of_a_registry_leads_to_the_next_url() {
    let id = scripted(|_| ours());
    let busy = scripted(|_| ("503 Service Unavailable", Value::Null));
    for (status, body) in [
        (ABSENT, json!({"error_code": 404, "message": "HTTP 404 Not Found"})),
        (ABSENT, Value::Null),
        ("405 Method Not Allowed", Value::Null),
        ("302 Found", Value::Null),
        ("200 OK", Value::Null),
        ("408 Request Timeout", Value::Null),
    ] {
        let gateway = scripted(move |_| (status, body.clone()));
        let client = |urls: &str| Registry::new(&config(&format!("url: '{urls}'"), ""), &Network::default()).unwrap();
        let both = client(&format!("{},{}", gateway.url(), id.url()));
        assert_eq!(run(both.schema_id("t", &|_| ())), Ok(9), "{status}");
        // Something is a registry there, though it is busy.
        let both = client(&format!("{},{}", gateway.url(), busy.url()));
        let said = run(both.schema_id("t", &|_| ())).expect_err(status);
        assert_eq!(said.severity(), Severity::Retry, "{said}");
        let text = said.to_string();
        assert!(text.contains(&gateway.url()) && text.contains(&status[..3]) && text.contains("503"), "{text}");
    }
}

/// A registry that does not know the question of compatibility refuses when it is to register: the field is named all the same.
#[test]
fn a_refusal_to_register_names_the_version_and_the_field() {
    for unknown in [
        (ABSENT, json!({"error_code": 404})),
        ("405 Method Not Allowed", Value::Null),
        ("501 Not Implemented", Value::Null),
    ] {
        let front = scripted(move |request| {
            let path = request.start.split([' ', '?']).nth(1).unwrap().trim_start_matches("/apis/ccompat/v7");
            let version =
                |number, name: &str| ("200 OK", json!({"id": number, "version": number, "schema": changed(name)}));
            match (request.start.starts_with("GET"), path) {
                (true, "/subjects/t-value/versions/latest" | "/subjects/t-value/versions/2") => version(2, "later"),
                (true, "/subjects/t-value/versions/1") => version(1, "needed"),
                (true, "/subjects/t-value/versions") => ("200 OK", json!([1, 2])),
                (false, "/subjects/t-value/versions") => {
                    ("409 Conflict", json!({"error_code": 409, "message": "incompatible with an earlier schema"}))
                }
                (_, path) if path.starts_with("/compatibility") => unknown.clone(),
                _ => absent(),
            }
        });
        let said = run(client(&front, "", "").schema_id("t", &|_| ())).expect_err("refused").to_string();
        assert!(said.contains("version 1 of subject `t-value`") && said.contains("field `needed`"), "{said}");
    }
}

/// Four bytes that readers take for a signed number, and none of which is 0.
#[test]
fn an_id_that_no_reader_can_ask_for_is_none() {
    for id in [0_u64, 3_000_000_000] {
        let front = scripted(move |_| ("200 OK", json!({ "id": id })));
        let said = run(client(&front, "", "").schema_id("t", &|_| ())).expect_err("no id").to_string();
        assert!(said.contains("has no `id` of a schema"), "{said}");
    }
}
