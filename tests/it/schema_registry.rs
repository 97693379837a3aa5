//! The ids that the worker asks for, at a real schema registry (Apicurio: see `support::registry`).

use std::future::Future;
use std::sync::Mutex;

use okta_kafka_source::config::{Config, SchemaRegistryConfig};
use okta_kafka_source::convert::avro::schema::SCHEMA_JSON;
use okta_kafka_source::okta::proxy::Network;
use okta_kafka_source::registry::{Registry, RegistryError, RequestResult, Severity};

use crate::support::ports::free_port;
use crate::support::registry::{self, shared_registry};
use crate::support::registry_front::RegistryFront;

/// The section of a file that has these keys in it.
fn config(keys: &str) -> SchemaRegistryConfig {
    let text = format!(
        "schema_registry: {{{keys}}}\nkafka: {{bootstrap.servers: x}}\nconnectors: [{{name: a, org: \"https://a.okta.com\", \
         auth: {{ssws: \"00x\"}}, topic: t}}]\n"
    );
    Config::parse(&text, &|_| None).unwrap().schema_registry.unwrap()
}

fn client(keys: &str) -> Registry {
    Registry::new(&config(keys), &Network::default()).unwrap()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The id, and the results of the requests in their order.
fn schema_id(client: &Registry, topic: &str) -> (Result<u32, RegistryError>, Vec<&'static str>) {
    let results = Mutex::new(Vec::new());
    let count = |result: RequestResult| results.lock().unwrap().push(result.as_str());
    let id = run(client.schema_id(topic, &count));
    (id, results.into_inner().unwrap())
}

#[test]
fn the_schema_is_registered_once_and_its_id_kept() {
    let Some(registry) = registry::Registry::start() else { return };
    let keys = format!("url: '{}'", registry.url());
    let first = client(&keys);
    let (id, asked) = schema_id(&first, "ids");
    let id = id.unwrap();
    assert_eq!(registry.latest("ids-value"), Some((id, SCHEMA_JSON.to_owned())));
    // Looked up, the latest asked for, registered.
    assert_eq!(asked, ["ok", "ok", "ok"]);

    // Another process, another connector: found, and nothing registered.
    let second = client(&keys);
    assert_eq!(schema_id(&second, "ids"), (Ok(id), vec!["ok", "ok"]));
    assert_eq!(registry.versions("ids-value"), [1]);

    // Down later: no effect on who knows the id, and everybody else is told that it is down.
    registry.kill9();
    assert_eq!(schema_id(&first, "ids"), (Ok(id), vec![]));
    let (error, asked) = schema_id(&client(&keys), "ids");
    let error = error.unwrap_err();
    assert_eq!((error.severity(), asked), (Severity::Retry, vec!["unavailable"]));
    let said = error.to_string();
    assert!(said.contains("127.0.0.1") && said.contains("check `schema_registry.url`"), "{said}");
}

#[test]
fn a_dead_url_is_passed_over_and_not_asked_again() {
    let Some(registry) = shared_registry() else { return };
    let client = client(&format!("url: 'http://127.0.0.1:{},{}'", free_port(), registry.url()));
    let (id, asked) = schema_id(&client, "failover");
    assert_eq!(registry.latest("failover-value").map(|(id, _)| id), id.ok());
    assert_eq!(asked, ["unavailable", "ok", "ok", "ok"]);
}

/// Of all that want the same id at once, one asks.
#[test]
fn connectors_of_one_topic_ask_once() {
    let Some(registry) = shared_registry() else { return };
    let alive = client(&format!("url: '{}'", registry.url()));
    let dead = client(&format!("url: 'http://127.0.0.1:{}'", free_port()));
    for (client, expected) in [(alive, 3), (dead, 1)] {
        let results = Mutex::new(0);
        let count = |_| *results.lock().unwrap() += 1;
        run(async {
            let (a, b, c) = tokio::join!(
                client.schema_id("at-once", &count),
                client.schema_id("at-once", &count),
                client.schema_id("at-once", &count)
            );
            assert!(a == b && b == c, "{a:?} {b:?} {c:?}");
        });
        assert_eq!(results.into_inner().unwrap(), expected);
    }
}

/// Contract: secrets from files are read again on a 401, before anything fails.
#[test]
fn a_login_that_was_renewed_is_read_again() {
    let Some(registry) = shared_registry() else { return };
    let front = RegistryFront::with_login(registry.address(), "Bearer new");
    let token = tempfile::NamedTempFile::new().unwrap();
    let write = |text: &str| std::fs::write(token.path(), text).unwrap();
    write("old\n");
    let client = client(&format!("url: '{}', bearer_token: '${{file:{}}}'", front.url(), token.path().display()));
    let (error, asked) = schema_id(&client, "renewed");
    let error = error.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
    // The front repeats what it was given, and the message does not.
    assert_eq!((error.severity(), asked), (Severity::Failed, vec!["refused"]));
    assert!(!error.to_string().contains("old"), "{error}");
    write("new\n");
    let (id, asked) = schema_id(&client, "renewed");
    assert_eq!(asked, ["refused", "ok", "ok", "ok"]);
    assert_eq!(registry.latest("renewed-value").map(|(id, _)| id), id.ok());
}

/// What two processes do at the same moment, as when a fleet starts: one version, one id.
#[test]
fn processes_that_register_at_once_get_one_id() {
    let Some(registry) = shared_registry() else { return };
    let keys = format!("url: '{}'", registry.url());
    let started: Vec<_> = (0..4)
        .map(|_| {
            let client = client(&keys);
            std::thread::spawn(move || schema_id(&client, "race").0)
        })
        .collect();
    let ids: Vec<_> = started.into_iter().map(|thread| thread.join().unwrap()).collect();
    let (id, _) = registry.latest("race-value").unwrap();
    // A registry may answer who comes second in a registration with an error; asked again, it has the id.
    let second = schema_id(&client(&keys), "race").0;
    assert_eq!(second, Ok(id));
    assert!(ids.iter().flatten().all(|found| *found == id), "{ids:?}");
    assert_eq!(registry.versions("race-value"), [1], "{ids:?}");
    println!("{ids:?}");
}
