//! The rules that keep the schema readable by every version and every language, checked on its text.

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;

/// SHA-256 of the schema's parsing canonical form: names, types and the order of fields, without docs and defaults.
///
/// A record can only be read with what it was written with. Who changes the schema adds a version, as schemas/README.md
/// says under "Evolution", and then changes this.
const FINGERPRINT: &str = "5352dd74ca11375c12af2d24cfcedff59b98f08f08715921f6a27288db5104fa";

/// Every type that the schema may be made of. No enum: Okta adds values. No fixed, no decimal, no union of two types: not
/// every reader has them.
const PRIMITIVES: [&str; 4] = ["string", "long", "double", "boolean"];

#[test]
fn the_parsed_schema_is_the_record_of_that_name() {
    let Schema::Record(record) = schema() else { panic!("no record") };
    assert_eq!(record.name.to_string(), FULL_NAME);
    let names: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
    for own in OWN_FIELDS {
        assert!(names.contains(&own), "{own}");
    }
    assert_eq!(names[0], "uuid");
}

#[test]
fn the_schema_changes_only_by_a_new_version() {
    let fingerprint: String =
        Sha256::digest(schema().canonical_form()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(fingerprint, FINGERPRINT, "another schema: see `FINGERPRINT`");
}

#[test]
fn every_field_but_uuid_can_be_null_and_is_by_default() {
    for field in fields() {
        let nullable = field.json["type"].as_array().is_some_and(|types| types.len() == 2 && types[0] == "null");
        let default = field.json.get("default");
        if field.path == "LogEvent.uuid" {
            assert_eq!((&field.json["type"], default), (&Value::from("string"), None), "{}", field.path);
        } else {
            assert!(nullable, "{} is not [\"null\", …]", field.path);
            assert_eq!(default, Some(&Value::Null), "{}", field.path);
        }
    }
}

#[test]
fn every_field_and_every_record_is_described() {
    for field in fields() {
        let doc = field.json["doc"].as_str().unwrap_or_default();
        assert!(doc.ends_with('.') && doc.len() >= 10, "{}: {doc:?}", field.path);
    }
    for record in records() {
        let doc = record["doc"].as_str().unwrap_or_default();
        assert!(doc.ends_with('.') && doc.len() >= 10, "{}: {doc:?}", record["name"]);
    }
}

#[test]
fn nothing_but_records_arrays_maps_of_strings_and_plain_types() {
    let records: BTreeSet<String> =
        records().iter().map(|record| record["name"].as_str().unwrap().to_owned()).collect();
    for field in fields() {
        let schema = field.json["type"].as_array().map_or(&field.json["type"], |types| &types[1]);
        let item = if schema["type"] == "array" { &schema["items"] } else { schema };
        let fine = match item {
            Value::String(name) => PRIMITIVES.contains(&name.as_str()) || records.contains(name),
            item if item["type"] == "record" => true,
            item if item["type"] == "map" => item["values"] == "string",
            item => field.path == "LogEvent.publishedAt" && item["logicalType"] == "timestamp-millis",
        };
        assert!(fine, "{}: {item}", field.path);
    }
}

#[test]
fn names_are_unique_also_where_case_does_not_count() {
    // Hive, Glue and Athena know no case in column names.
    let mut seen = BTreeSet::new();
    for field in fields() {
        assert!(seen.insert(field.path.to_lowercase()), "{} twice", field.path);
    }
    let names: Vec<String> = records().iter().map(|record| record["name"].as_str().unwrap().to_lowercase()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("log")), "{names:?}");
}

/// A field as it stands in the text, and `Record.field`.
struct Field {
    path: String,
    json: Value,
}

fn fields() -> Vec<Field> {
    let of = |record: &Value| -> Vec<Field> {
        let name = record["name"].as_str().unwrap().to_owned();
        let fields = record["fields"].as_array().unwrap().iter();
        fields
            .map(|json| Field { path: format!("{name}.{}", json["name"].as_str().unwrap()), json: json.clone() })
            .collect()
    };
    let fields: Vec<Field> = records().iter().flat_map(of).collect();
    assert!(fields.len() > 100, "only {} fields found: the walk is wrong", fields.len());
    fields
}

/// Every record of the schema, the event first.
fn records() -> Vec<Value> {
    fn walk(schema: &Value, found: &mut Vec<Value>) {
        match schema {
            Value::Array(union) => union.iter().for_each(|schema| walk(schema, found)),
            Value::Object(members) => {
                if schema["type"] == "record" {
                    found.push(schema.clone());
                    schema["fields"].as_array().unwrap().iter().for_each(|field| walk(&field["type"], found));
                }
                ["items", "values"]
                    .iter()
                    .filter_map(|member| members.get(*member))
                    .for_each(|schema| walk(schema, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&serde_json::from_str(SCHEMA_JSON).unwrap(), &mut found);
    assert_eq!(found.len(), 23, "the records of schemas/README.md");
    found
}
