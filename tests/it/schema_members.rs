//! The schema's fields are the members that Okta's documents name, all of them and no others.
//!
//! `schema_members/members.txt` lists them with the document of each. `openapi-examples.ndjson` has the two examples of the
//! OpenAPI specification, as JSON (okta/okta-management-openapi-spec, Apache-2.0).

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as AvroValue;
use okta_kafka_source::convert::avro::{Encoder, schema};
use serde_json::{Value, json};

use crate::support::law;

const MEMBERS: &str = include_str!("schema_members/members.txt");

/// An event with every member of the list.
fn event_with_every_member() -> Value {
    let mut event = json!({});
    let lines = MEMBERS.lines().filter(|line| !line.starts_with('#'));
    for line in lines {
        let [path, kind, _document] = line.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{line}") };
        let value = match kind {
            "text" => json!("a text"),
            "integer" => json!(394_089),
            "number" => json!(-74.01),
            "boolean" => json!(true),
            "map" => json!({"name": "a text"}),
            _ => panic!("{line}"),
        };
        let pointer = path.replace("[]", "/0").replace('.', "/");
        put(&mut event, &pointer, value);
    }
    event
}

fn put(place: &mut Value, pointer: &str, value: Value) {
    let (name, rest) = pointer.split_once('/').map_or((pointer, None), |(name, rest)| (name, Some(rest)));
    let member = match name {
        "0" => {
            if place.is_null() {
                *place = json!([null]);
            }
            &mut place[0]
        }
        name => &mut place[name],
    };
    match rest {
        Some(rest) => put(member, rest, value),
        None => *member = value,
    }
}

#[test]
fn every_member_that_a_document_names_has_a_field() {
    let event = event_with_every_member().to_string();
    let encoded = Encoder::new(1).encode(event.as_bytes()).unwrap();
    let decoded = law::holds(schema::schema(), event.as_bytes(), &encoded.value).unwrap();
    assert_eq!(decoded.unmapped, [], "members without a field");
}

#[test]
fn every_field_is_a_member_that_a_document_names() {
    let event = event_with_every_member().to_string();
    let encoded = Encoder::new(1).encode(event.as_bytes()).unwrap();
    let reader = GenericDatumReader::builder(schema::schema()).build().unwrap();
    let record = reader.read_value(&mut &encoded.value[5..]).unwrap();
    let mut nulls = Vec::new();
    find_nulls(&record, "", &mut nulls);
    assert_eq!(nulls, [".publishedAt", ".unmapped"], "fields that no document names, beside our own");
}

fn find_nulls(value: &AvroValue, path: &str, found: &mut Vec<String>) {
    match value {
        AvroValue::Null => found.push(path.to_owned()),
        AvroValue::Union(_, value) => find_nulls(value, path, found),
        AvroValue::Array(elements) => {
            elements.iter().for_each(|element| find_nulls(element, &format!("{path}[]"), found))
        }
        AvroValue::Record(fields) => {
            fields.iter().for_each(|(name, value)| find_nulls(value, &format!("{path}.{name}"), found));
        }
        _ => {}
    }
}

/// The examples are YAML, where `0` and `10013` are numbers; Okta's answers have texts there.
#[test]
fn of_the_specifications_examples_only_the_numbers_for_texts_have_no_field() {
    let expected = [
        ("/client/geographicalContext/postalCode", "10013"),
        ("/request/ipChain/0/geographicalContext/postalCode", "10013"),
        ("/version", "0"),
    ];
    let events: Vec<&str> = include_str!("schema_members/openapi-examples.ndjson").lines().collect();
    assert_eq!(events.len(), 2);
    for event in events {
        let encoded = Encoder::new(1).encode(event.as_bytes()).unwrap();
        let decoded = law::holds(schema::schema(), event.as_bytes(), &encoded.value).unwrap();
        let unmapped: Vec<_> = decoded.unmapped.iter().map(|(pointer, text)| (&pointer[..], &text[..])).collect();
        assert_eq!(unmapped, expected);
    }
}
