//! What readers that share no line with the program make of its Avro records: confluent-kafka in Python, Avro's own
//! library in Java (tests/reader).

use std::path::{Path, PathBuf};
use std::time::Duration;

use okta_kafka_source::convert::avro::{Encoder, schema};
use okta_kafka_source::simulator::{DriftFrom, EventKind, SimulatorConfig, StoredEvent};

use crate::support::config_yaml::{ConfigYaml, ConnectorYaml};
use crate::support::connector::Connector;
use crate::support::org::Org;
use crate::support::readers::{AvroTopic, Readers};
use crate::support::registry::{Registry, shared_registry};
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{Isolation, create_topic, random_name, read_all};
use crate::support::{producers, prove};

const WAIT: Duration = Duration::from_secs(60);

/// Events of every kind, published by the shipped program, are what the org sent for both readers.
#[test]
fn mixed_events_are_read_back_as_okta_sent_them() {
    let (Some(kafka), Some(registry), Some(readers)) = (shared_broker(), shared_registry(), Readers::there()) else {
        return;
    };
    let events = prove::scale(10_000, 500);
    let seed = prove::seed();
    // The first half before the drift, the second behind it.
    let drift_from = Some(DriftFrom::Event(events / 2));
    let shares = SimulatorConfig { events, seed, drift_from, awkward: 0.2, unpublishable: 0.05, ..Default::default() };
    let org = Org::start(shares);
    let acme = org.connector("acme").interval("200ms").extra("format: avro");
    let (topic, dead_letter_topic) = (acme.topic.clone(), format!("{}.dlq", acme.topic));
    let worker = Connector::spawn(&config(kafka.bootstrap(), registry, acme), &[]);
    worker.await_caught_up(&org, "acme", WAIT);

    let all = org.events();
    let (bad, good): (Vec<_>, Vec<_>) = all.iter().partition(|event| event.kind == EventKind::Unpublishable);
    let texts: Vec<&[u8]> = good.iter().map(|event| &event.raw[..]).collect();
    let url = registry.url();
    let of = AvroTopic { bootstrap: kafka.bootstrap(), registry: &url, topic: &topic };
    let python = readers.python(&of, &texts, Some(&older_schema()));
    python.must_be_equal("confluent-kafka");
    assert_eq!(python.older, good.len());
    let java = readers.java(&of, &texts, Some(&older_schema()));
    java.must_be_equal("Avro's Java library");
    assert_eq!(java.unmapped, python.unmapped, "both see the same values without a place");
    // What has a place is in it: of these events everything.
    let placed = good.iter().filter(|event| event.kind == EventKind::Plain && !has_values_without_a_place(event));
    let placed = placed.count();
    assert!(placed > events / 10, "{placed}");
    assert!(good.len() - python.with_unmapped >= placed, "{python:?}");
    let letters = read_all(kafka.bootstrap(), &dead_letter_topic, Isolation::ReadCommitted);
    assert_eq!(letters.len(), bad.len(), "what cannot be published is a dead letter");
    prove::row(
        "avro-readers",
        "What a topic of Avro records holds is Okta's JSON for readers that share no line with the program",
        &format!(
            "{events} events, half of them behind a drift of their shape, a fifth odd, one in 20 impossible to publish; read by \
             confluent-kafka's AvroDeserializer through the registry and by Avro's own Java library, each record held against \
             what the org sent by the law written in Python; seed {seed}"
        ),
        &format!(
            "{} records equal for each reader, {} of their values from `unmapped`; {} dead letters; by an older schema each \
             reader got the same of every record as far as that goes",
            python.records,
            python.unmapped_values,
            letters.len()
        ),
    );
}

/// Okta changes its events while the connector runs.
#[test]
fn events_that_change_their_shape_during_a_run_lose_nothing_and_stop_nothing() {
    let (Some(kafka), Some(registry), Some(readers)) = (shared_broker(), shared_registry(), Readers::there()) else {
        return;
    };
    let half = prove::scale(5_000, 200);
    // Not yet, but the shape is that from before the drift.
    let drift_from = Some(DriftFrom::Event(usize::MAX));
    let org = Org::start(SimulatorConfig { events: half, drift_from, ..SimulatorConfig::default() });
    let acme = org.connector("acme").interval("100ms").extra("format: avro");
    let topic = acme.topic.clone();
    let worker = Connector::spawn(&config(kafka.bootstrap(), registry, acme), &[]);
    worker.await_caught_up(&org, "acme", WAIT);
    let count = |name: &str, labels: &[(&str, &str)]| worker.of("acme", name, labels).unwrap();
    let unmapped_before = count("unmapped_fields_total", &[]);

    org.drift();
    // In portions, as events come: several transactions, each decided by itself.
    for _ in 0..10 {
        org.generate(half / 10);
        org.await_requests(org.request_count() + 1, WAIT);
    }
    worker.await_caught_up(&org, "acme", WAIT);
    let unmapped_after = count("unmapped_fields_total", &[]) - unmapped_before;
    assert_eq!(
        count("connector_state", &[("state", "running")]) + count("connector_state", &[("state", "waiting")]),
        1.0
    );
    assert_eq!(count("events_committed_total", &[]), (2 * half) as f64);
    assert_eq!(count("transactions_total", &[("result", "aborted")]), 0.0, "nothing had to be tried again");
    assert_eq!(count("dead_letters_total", &[("stage", "VALUE_CONVERTER")]), 0.0);

    let events = org.events();
    let texts: Vec<&[u8]> = events.iter().map(|event| &event.raw[..]).collect();
    let url = registry.url();
    let of = AvroTopic { bootstrap: kafka.bootstrap(), registry: &url, topic: &topic };
    let verdict = readers.python(&of, &texts, Some(&older_schema()));
    verdict.must_be_equal("confluent-kafka");
    assert_eq!(verdict.unmapped_values as f64, unmapped_before + unmapped_after, "the metric counts what is there");
    assert!(unmapped_after > 3.0 * unmapped_before, "{unmapped_before} before, {unmapped_after} after");
    // A member of another type, and three new ones: at the top, in an object, in the elements of an array.
    for pointer in ["/version", "/entityRisk", "/client/tlsFingerprint", "/target/0/labels"] {
        assert!(verdict.unmapped.contains_key(pointer), "{pointer}: {verdict:?}");
    }
    // Strings before; objects after, of which the second one has a member that the schema lacks.
    let having = |part: &str| texts.iter().filter(|text| String::from_utf8_lossy(text).contains(part)).count();
    assert_eq!(verdict.unmapped["/securityContext/userBehaviors"], having(r#""userBehaviors":["New"#));
    assert_eq!(verdict.unmapped["/securityContext/userBehaviors/1/score"], having(r#""userBehaviors":[{"id""#));
    prove::row(
        "avro-drift",
        "When Okta changes its events, nothing is lost and nothing stops",
        &format!(
            "{half} events, then {half} in ten portions with new members at the top, in objects and in elements of arrays, \
             `userBehaviors` with objects in the place of strings, a new `outcome.result`, a member less, and numbers in the \
             place of strings; read by confluent-kafka, also with an older schema"
        ),
        &format!(
            "{} records equal, no failure, no aborted transaction, no dead letter; `unmapped_fields_total` rose by \
             {unmapped_before} before the drift and by {unmapped_after} after it",
            verdict.records
        ),
    );
}

fn config(bootstrap: &str, registry: &Registry, connector: ConnectorYaml) -> ConfigYaml {
    ConfigYaml::new(bootstrap).schema_registry(&registry.url()).connector(connector)
}

/// A version of the schema from before the current one.
fn older_schema() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/schema_evolution/earlier.avsc")
}

/// Of plain events those have such values that tell of changes, or come before a drift.
fn has_values_without_a_place(event: &StoredEvent) -> bool {
    let text = String::from_utf8_lossy(&event.raw);
    text.contains("\"changeDetails\"") || text.contains("\"userBehaviors\":[\"")
}

/// The readers find a value that was changed, an event that is lost, and one that is there twice; otherwise what they
/// say of the program's records would be worth nothing.
#[test]
fn the_readers_find_what_is_wrong() {
    let (Some(kafka), Some(registry), Some(readers)) = (shared_broker(), shared_registry(), Readers::there()) else {
        return;
    };
    readers.must_find_what_is_wrong();
    let topic = random_name("avro");
    create_topic(kafka.bootstrap(), &topic, 3, &[]);
    let id = registry.register(&format!("{topic}-value"), schema::SCHEMA_JSON).unwrap();
    let encoder = Encoder::new(id);
    let org = Org::start(SimulatorConfig { events: 200, awkward: 0.5, ..SimulatorConfig::default() });
    let events = org.events();
    let records: Vec<(&str, Vec<u8>)> = events
        .iter()
        .map(|event| (event.uuid.as_deref().unwrap(), encoder.encode(&event.raw).unwrap().value.to_vec()))
        .collect();
    producers::write_all(kafka.bootstrap(), &topic, &records);
    let url = registry.url();
    let of = AvroTopic { bootstrap: kafka.bootstrap(), registry: &url, topic: &topic };
    let mut texts: Vec<String> = events.iter().map(|event| String::from_utf8(event.raw.to_vec()).unwrap()).collect();
    for verdict in [readers.python(&of, &texts, None), readers.java(&of, &texts, None)] {
        verdict.must_be_equal("nothing is wrong yet");
        assert_eq!(verdict.with_unmapped > 0, verdict.unmapped_values > 0);
    }

    // One event each that says something else than the record.
    let changes = [
        ("\"severity\":\"INFO\"", "\"severity\":\"WARN\"", "/severity"),
        ("1e400", "1e401", "/client/geographicalContext/geolocation/lat"),
        ("\"\\udc00\"", "\"\\udc01\"", "/client/device"),
        ("\"lon\":-0.0", "\"lon\":-1e-9", "/client/geographicalContext/geolocation/lon"),
        ("\"m~n\":\"~\"", "\"m~n\":\"~~\"", "/debugContext/debugData/m~0n"),
    ];
    let mut changed = Vec::new();
    for (from, to, _) in changes {
        let place = texts.iter().position(|text| text.contains(from) && !changed.contains(text)).expect(from);
        texts[place] = texts[place].replacen(from, to, 1);
        changed.push(texts[place].clone());
    }
    // One that was published twice, one that nobody made, one that is lost.
    let plain = |text: &String| !changed.contains(text);
    let twice = texts.iter().position(plain).unwrap();
    producers::write_all(kafka.bootstrap(), &topic, &records[twice..=twice]);
    let strange = texts.iter().rposition(plain).unwrap();
    texts[strange] = "{\"uuid\":\"lost\"}".to_owned();
    for verdict in [readers.python(&of, &texts, None), readers.java(&of, &texts, None)] {
        let counts = (verdict.records, verdict.different, verdict.lost, verdict.twice);
        assert_eq!(counts, (201, changes.len() + 1, 1, 1), "{verdict:?}");
        for (.., pointer) in changes {
            assert!(verdict.differences.iter().any(|told| told.contains(&format!(": {pointer}: "))), "{verdict:?}");
        }
        assert!(verdict.differences.iter().any(|told| told.ends_with(": nobody made it")), "{verdict:?}");
    }
}
