//! A topic of Avro records, and its dead letters, against the org whose events they are.

use std::collections::HashMap;

use apache_avro::Schema;
use okta_kafka_source::simulator::StoredEvent;
use sha2::{Digest, Sha256};

use super::exactly_once::Difference;
use super::law;
use super::org::Org;
use super::registry::Registry;
use super::topics::OwnedRecord;

/// The key of an event's record, or of its dead letter: its uuid, else the hash of its bytes.
pub fn key(event: &StoredEvent) -> String {
    match event.uuid.as_deref() {
        Some(uuid) if !uuid.trim().is_empty() => uuid.to_owned(),
        _ => Sha256::digest(&event.raw).iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// What is missing or too much in a topic and its dead letters together; a dead letter that is not the event byte for byte
/// is strange.
pub fn difference(org: &Org, records: &[OwnedRecord], letters: &[OwnedRecord]) -> Difference {
    let events = org.events();
    let keys: Vec<String> = events.iter().map(key).collect();
    let all: Vec<OwnedRecord> = records.iter().chain(letters).cloned().collect();
    let mut difference = Difference::between(keys.iter().map(String::as_str), &all);
    let raw: HashMap<&str, &[u8]> =
        keys.iter().map(String::as_str).zip(events.iter().map(|event| &event.raw[..])).collect();
    let altered = letters.iter().filter(|letter| raw.get(letter.key_text()).copied() != letter.value.as_deref());
    difference.strange.extend(altered.map(|letter| letter.key_text().to_owned()));
    difference
}

/// Decodes every record by the schema that the registry has under its id, and panics where one is not the org's event.
/// Gives how many values stood in `unmapped`.
pub fn assert_equal(org: &Org, records: &[OwnedRecord], registry: &Registry) -> usize {
    let events = org.events();
    let raw: HashMap<String, &[u8]> = events.iter().map(|event| (key(event), &event.raw[..])).collect();
    let mut schemas: HashMap<u32, Schema> = HashMap::new();
    let mut unmapped = 0;
    for record in records {
        let value = record.value.as_deref().expect("a record has a value");
        let id = u32::from_be_bytes(value[1..5].try_into().expect("four bytes"));
        let schema = schemas.entry(id).or_insert_with(|| Schema::parse_str(&registry.schema(id)).expect("a schema"));
        let event = raw[record.key_text()];
        let shown = || String::from_utf8_lossy(event).into_owned();
        let decoded = law::holds(schema, event, value).unwrap_or_else(|problem| panic!("{problem}: {}", shown()));
        assert_eq!(record.header("content-type"), Some("application/avro"));
        unmapped += decoded.unmapped.len();
    }
    unmapped
}
