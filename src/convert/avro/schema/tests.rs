//! The rules that keep the schema readable by every version and every language, checked on its text.

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;

/// SHA-256 of all that the schema says but its docs: names, types, logical types, defaults and the order of fields. (Avro's
/// own fingerprint is of a form without logical types and defaults.)
///
/// A record can only be read with what it was written with. Who changes the schema adds a version, as schemas/README.md
/// says under "Evolution", and then changes this.
const FINGERPRINT: &str = "0c3cea33e27388ce702788bea3c4179ece736957e71f7aa7a6990aafab6e605e";

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
    let plain = without_docs(&serde_json::from_str(SCHEMA_JSON).unwrap());
    let fingerprint: String = Sha256::digest(plain).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(fingerprint, FINGERPRINT, "another schema: see `FINGERPRINT`");
}

/// A text of the schema in which docs, white space and the order of a definition's members make no difference.
fn without_docs(schema: &Value) -> String {
    match schema {
        Value::Object(members) => {
            let members: BTreeSet<String> = members
                .iter()
                .filter(|(name, _)| *name != "doc")
                .map(|(name, value)| format!("{name:?}:{}", without_docs(value)))
                .collect();
            format!("{{{}}}", members.into_iter().collect::<Vec<_>>().join(","))
        }
        Value::Array(schemas) => format!("[{}]", schemas.iter().map(without_docs).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

#[test]
fn the_fingerprint_is_of_all_but_docs() {
    let plain = |change: fn(&mut Value)| {
        let mut schema: Value = serde_json::from_str(SCHEMA_JSON).unwrap();
        change(&mut schema);
        without_docs(&schema)
    };
    let ours = plain(|_| {});
    assert_eq!(plain(|schema| schema["fields"][2]["doc"] = "other".into()), ours);
    assert_eq!(plain(|schema| drop(schema["fields"][2].as_object_mut().unwrap().remove("doc"))), ours);
    let changes: [fn(&mut Value); 4] = [
        |schema| schema["fields"][2]["type"][1]["logicalType"] = "timestamp-micros".into(),
        |schema| drop(schema["fields"][1].as_object_mut().unwrap().remove("default")),
        |schema| schema["fields"].as_array_mut().unwrap().swap(3, 4),
        |schema| schema["namespace"] = "other".into(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert_ne!(plain(change), ours, "change {number}");
    }
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
