//! What answers of a registry lead to that no real one gives when it is asked to: they are scripted.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use okta_kafka_source::config::{Config, SchemaRegistryConfig};
use okta_kafka_source::convert::avro::schema::SCHEMA_JSON;
use okta_kafka_source::okta::proxy::Network;
use okta_kafka_source::registry::Registry;
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
        Some("Bearer new") => ("200 OK", json!({"id": 9})),
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
