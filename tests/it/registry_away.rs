//! A schema registry that is not there: at the start the connector waits, later nobody notices; and one that refuses.

use std::time::Duration;

use okta_kafka_source::convert::avro::schema::SCHEMA_JSON;
use serde_json::Value;

use crate::support::avro;
use crate::support::checkpoint;
use crate::support::config_yaml::ConfigYaml;
use crate::support::connector::{self, ConfigFile, Connector, utf8};
use crate::support::org::Org;
use crate::support::registry::{Registry, shared_registry};
use crate::support::registry_front::RegistryFront;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, read_all};

const WAIT: Duration = Duration::from_secs(60);

/// With `since: now`: what happens while the registry is away must be there when it is back (I7). Then it is killed for
/// good, and the shard begins a new life without it.
#[test]
fn the_registry_may_be_away_at_the_start_and_for_ever_after() {
    let Some(kafka) = shared_broker() else { return };
    let Some(registry) = Registry::not_started() else { return };
    let (org, other) = (Org::with_events(50), Org::with_events(50));
    let acme = org.connector("acme").interval("200ms").since("now").extra("format: avro");
    let beta = other.connector("beta").interval("200ms");
    let (topic, beta_topic) = (acme.topic.clone(), beta.topic.clone());
    let config = ConfigYaml::new(kafka.bootstrap()).schema_registry(&registry.url()).connector(acme).connector(beta);
    let worker = Connector::spawn(&config, &[]);

    // The cold start is durable, the state is told, and nothing is asked of the org.
    worker.await_state("acme", "recovering", WAIT);
    let line = worker.await_log("what it waits for", |line| line.contains("the schema registry does not answer"), WAIT);
    assert!(line.contains(&registry.address().to_string()), "{line}");
    let key = checkpoint::key("acme", &org.authority());
    assert_eq!(checkpoint::all(kafka.bootstrap(), &config.offsets_topic, &key).len(), 1, "I7");
    assert_eq!(org.request_count(), 0);
    // Whoever needs no registry goes on.
    worker.await_caught_up(&other, "beta", WAIT);
    let _ = worker.await_http("/readyz", 200, WAIT);
    let status = await_status(&config, |status| status["trouble"].is_string());
    assert_eq!(status["state"], "recovering");
    assert!(status["trouble"].as_str().unwrap().contains(&registry.address().to_string()), "{status}");
    // A stop does not wait for it.
    worker.stop();

    org.generate(120);
    let worker = Connector::spawn(&config, &[]);
    worker.await_state("acme", "recovering", WAIT);
    org.generate(130);
    registry.restart();
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    assert_eq!(records.len(), 250, "all since the first start");
    let _ = avro::assert_equal(&org, &records, &registry);
    let waits = |log: &str| log.lines().filter(|line| line.contains("the schema registry does not answer")).count();
    assert_eq!(waits(&worker.log()), 1, "{}", worker.process().tail(40));
    assert!(worker.of("acme", "connector_state", &[("state", "recovering")]) == Some(0.0));

    // Away for ever: pages go on, and so does the next life, which begins where somebody put it.
    let (id, schema) = registry.latest(&format!("{topic}-value")).unwrap();
    registry.kill9();
    org.generate(100);
    worker.await_caught_up(&org, "acme", WAIT);
    let url = org.checkpoint_behind(300);
    let file = ConfigFile::new(&config.render());
    let path = file.path();
    let alter = ["offsets", "alter", "acme", "--checkpoint-url", &url, "--yes", "-c", utf8(&path)];
    assert_eq!(connector::run(&alter, &[], WAIT).code(), 0);
    let cursor = url.rsplit("after=").next().unwrap();
    let _ = worker.await_log("the new life", |line| line.contains("resumed from") && line.contains(cursor), WAIT);
    org.generate(100);
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    assert_eq!(records.len(), 350 + 100, "the hundred behind the altered checkpoint are there already");
    // The ids are known, so a value that is there is told from another by its bytes, and those are the same.
    assert_eq!(worker.of("acme", "duplicates_suppressed_total", &[]), Some(100.0));
    assert!(!worker.log().contains("with other bytes"), "{}", worker.process().tail(40));
    assert!(records.iter().all(|record| record.value.as_deref().is_some_and(|value| value[1..5] == id.to_be_bytes())));
    assert_eq!(waits(&worker.log()), 1, "{}", worker.process().tail(40));
    assert!(!schema.is_empty());
    assert_eq!(read_all(kafka.bootstrap(), &beta_topic, Isolation::ReadCommitted).len(), 50);
}

/// Who takes a connector over needs its schema's id, and can't ask for it then: it asked when it started.
#[test]
fn a_worker_that_takes_over_while_the_registry_is_away_has_the_id() {
    let (Some(kafka), Some(registry)) = (shared_broker(), Registry::start()) else { return };
    let org = Org::with_events(50);
    let acme = org.connector("acme").interval("200ms").extra("format: avro");
    let topic = acme.topic.clone();
    // With one shard the second worker has none of it.
    let config =
        ConfigYaml::new(kafka.bootstrap()).schema_registry(&registry.url()).connector(acme).offsets_partitions(1);
    let first = Connector::spawn(&config, &[]);
    first.await_caught_up(&org, "acme", WAIT);
    let second = Connector::spawn(&config.second_worker(), &[]);
    let _ = second.await_log("that it is prepared", |line| line.contains("schema ids of all topics are known"), WAIT);
    assert_eq!(second.of("acme", "connector_state", &[("state", "running")]), None, "it has no shard");
    registry.kill9();
    org.generate(50);
    first.stop();

    second.await_caught_up(&org, "acme", WAIT);
    org.generate(50);
    second.await_caught_up(&org, "acme", WAIT);
    assert_eq!(read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted).len(), 150);
    assert!(!second.log().contains("schema registry does not answer"), "{}", second.process().tail(40));
    second.stop();

    // One that starts now has nobody to ask: it says so, waits, and a stop does not wait for it.
    let third = Connector::spawn(&config, &[]);
    let _ = third.await_log("what it lacks", |line| line.contains("are not known yet"), WAIT);
    third.await_state("acme", "recovering", WAIT);
    third.stop();
}

/// A registry that takes the connection and says nothing is waited for 15 s: that it is waited for is told before that.
#[test]
fn a_registry_that_says_nothing_is_told_soon() {
    let Some(kafka) = shared_broker() else { return };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let org = Org::with_events(50);
    let acme = org.connector("acme").interval("200ms").extra("format: avro");
    let url = format!("http://{}", silent.local_addr().unwrap());
    let config = ConfigYaml::new(kafka.bootstrap()).schema_registry(&url).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_state("acme", "recovering", Duration::from_secs(12));
    let status = await_status(&config, |status| status["trouble"].is_string());
    assert_eq!(status["state"], "recovering");
    assert!(worker.log().contains("has not answered for 3s"), "{}", worker.process().tail(40));
    assert_eq!(org.request_count(), 0);
    worker.stop();
}

/// Somebody else's schema under the topic's subject: no record is written, and when it is gone the connector goes on.
#[test]
fn a_foreign_schema_under_the_subject_is_refused_before_a_record_is_written() {
    let (Some(kafka), Some(registry)) = (shared_broker(), shared_registry()) else { return };
    let org = Org::with_events(50);
    let acme = org.connector("acme").interval("200ms").extra("format: avro");
    let topic = acme.topic.clone();
    let subject = format!("{topic}-value");
    // Ours is there too, as an older version: a look-up alone would find it.
    let _ = registry.register(&subject, SCHEMA_JSON).unwrap();
    let foreign = r#"{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"long"}]}"#;
    let _ = registry.register(&subject, foreign).unwrap();
    let config = ConfigYaml::new(kafka.bootstrap()).schema_registry(&registry.url()).connector(acme);
    let worker = Connector::spawn(&config, &[]);
    worker.await_state("acme", "failed", WAIT);
    let line = worker.await_log("why it failed", |line| line.contains("connector failed"), WAIT);
    assert!(line.contains(&subject), "{line}");
    let _ = worker.await_http("/readyz", 200, WAIT);
    assert_eq!(org.request_count(), 0, "nothing is asked that can't be published");
    assert_eq!(read_all(kafka.bootstrap(), &topic, Isolation::ReadUncommitted).len(), 0);
    assert_eq!(registry.versions(&subject), [1, 2], "and nothing is registered beside it");

    let (status, _) = registry.request("DELETE", &format!("/subjects/{subject}/versions/2"), None);
    assert_eq!(status, 200);
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    assert_eq!(records.len(), 50);
    let _ = avro::assert_equal(&org, &records, registry);
}

/// A refused login locks no account: it is tried again as soon as its file has another.
#[test]
fn a_refused_login_is_tried_again_when_its_file_changed() {
    let (Some(kafka), Some(registry)) = (shared_broker(), shared_registry()) else { return };
    let front = RegistryFront::with_login(registry.address(), "Bearer the-right-one");
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a-wrong-one").unwrap();
    let org = Org::with_events(50);
    let mut config = ConfigYaml::new(kafka.bootstrap());
    let keys = format!("url: \"{}\", bearer_token: \"${{file:{}}}\"", front.url(), utf8(&token));
    config.extra.push(format!("schema_registry: {{{keys}}}"));
    let acme = org.connector("acme").interval("200ms").extra("format: avro");
    let topic = acme.topic.clone();
    let worker = Connector::spawn(&config.connector(acme), &[]);
    worker.await_state("acme", "failed", WAIT);
    let line = worker.await_log("why it failed", |line| line.contains("connector failed"), WAIT);
    assert!(line.contains("refuses the login") && line.contains("retry_in=300s"), "{line}");
    let asked = front.asked().len();
    assert_eq!(org.request_count(), 0);

    std::fs::write(&token, "the-right-one").unwrap();
    worker.await_caught_up(&org, "acme", WAIT);
    let records = read_all(kafka.bootstrap(), &topic, Isolation::ReadCommitted);
    assert_eq!(records.len(), 50);
    let _ = avro::assert_equal(&org, &records, registry);
    assert!(front.asked().len() <= asked + 3, "{:?}", front.asked());
    for part in ["a-wrong-one", "the-right-one"] {
        assert!(!worker.log().contains(part), "{part} is in the log");
    }
}

/// What `status` says of `acme`, as soon as it is so.
fn await_status(config: &ConfigYaml, wanted: impl Fn(&Value) -> bool) -> Value {
    let file = ConfigFile::new(&config.render());
    let began = std::time::Instant::now();
    loop {
        let output = connector::run(&["status", "--json", "-c", utf8(&file.path())], &[], WAIT);
        let lines = output.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let acme = lines.into_iter().find(|line| line["connector"] == "acme").expect("it is in the file");
        if wanted(&acme) {
            return acme;
        }
        assert!(began.elapsed() < WAIT, "{acme}");
    }
}
