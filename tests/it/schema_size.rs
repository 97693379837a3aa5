//! How large an Avro record is beside Okta's JSON. `--nocapture` shows the figures of docs/measurements.md.

use okta_kafka_source::convert::avro::Encoder;
use okta_kafka_source::simulator::SimulatorConfig;

use crate::support::org::Org;

/// Mean sizes in bytes: of the event as Okta wrote it, and of the record's value.
fn sizes<E: AsRef<[u8]>>(what: &str, events: &[E]) -> (usize, usize) {
    let encoder = Encoder::new(1);
    let json: usize = events.iter().map(|event| event.as_ref().len()).sum();
    let avro: usize = events.iter().map(|event| encoder.encode(event.as_ref()).unwrap().value.len()).sum();
    let (json, avro) = (json / events.len(), avro / events.len());
    println!("{what}: {} events, JSON {json} B, Avro {avro} B, {} %", events.len(), avro * 100 / json);
    (json, avro)
}

#[test]
fn a_record_is_smaller_than_oktas_json() {
    let org = Org::start(SimulatorConfig { events: 2000, ..SimulatorConfig::default() });
    let simulated: Vec<_> = org.events().into_iter().map(|event| event.raw).collect();
    let documented: Vec<&str> = include_str!("schema_members/openapi-examples.ndjson").lines().collect();
    let (simulated, documented) = (sizes("simulated", &simulated), sizes("documented", &documented));
    for (what, (json, avro)) in [("simulated", simulated), ("documented", documented)] {
        assert!(avro * 3 < json * 2, "{what}: JSON {json} B, Avro {avro} B");
    }
}
