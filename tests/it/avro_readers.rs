//! What readers that share no line with the program make of its Avro records: confluent-kafka in Python, Avro's own
//! library in Java (tests/reader).

use okta_kafka_source::convert::avro::{Encoder, schema};
use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::org::Org;
use crate::support::producers;
use crate::support::readers::{AvroTopic, Readers};
use crate::support::registry::shared_registry;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{create_topic, random_name};

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
