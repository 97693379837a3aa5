//! The ids that the worker asks for, at a real schema registry (Apicurio: see `support::registry`).

use std::future::Future;
use std::sync::Mutex;

use okta_kafka_source::config::{Config, SchemaRegistryConfig};
use okta_kafka_source::convert::avro::schema::SCHEMA_JSON;
use okta_kafka_source::okta::proxy::Network;
use okta_kafka_source::registry::{Registry, RegistryError, RequestResult, Severity};

use crate::support::ports::free_port;
use crate::support::registry::{self, shared_registry};

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
    assert_eq!(schema_id(&second, "ids"), (Ok(id), vec!["ok"]));
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
