//! Records of one version, read with another.

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as AvroValue;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::{Map, Value, json};

use super::Version;

/// Writes with each version a record that has every field of it, and reads it with each. What both versions have must be
/// what was written, and nothing else may be there. The number of values compared.
pub fn every_version_reads_what_every_other_wrote(versions: &[Version]) -> usize {
    let mut compared = 0;
    for (at, writer) in versions.iter().enumerate() {
        let written = filled(&writer.text);
        let bytes = write(writer, &written);
        for (other, reader) in versions.iter().enumerate() {
            let read = read(writer, reader, &bytes);
            // The older of two versions is what both have: later ones only add.
            let common = &versions[at.min(other)];
            let expected = filled(&common.text);
            assert_eq!(read, expected, "written by {}, read by {}", writer.name, reader.name);
            compared += leaves(&read);
        }
    }
    compared
}

/// The record of a version that holds `json`.
pub fn write(version: &Version, json: &Value) -> Vec<u8> {
    let schema = version.schema();
    let value = AvroValue::try_from(json.clone()).unwrap().resolve(&schema).unwrap();
    GenericDatumWriter::builder(&schema).build().unwrap().write_value_to_vec(value).unwrap()
}

/// What a reader sees, as JSON without nulls.
pub fn read(writer: &Version, reader: &Version, bytes: &[u8]) -> Value {
    let (writers, readers) = (writer.schema(), reader.schema());
    let datum = GenericDatumReader::builder(&writers).reader_schema(&readers).build().unwrap();
    let mut rest = bytes;
    let value =
        datum.read_value(&mut rest).unwrap_or_else(|error| panic!("{} by {}: {error}", writer.name, reader.name));
    assert!(rest.is_empty(), "{} by {}: {} bytes are left", writer.name, reader.name, rest.len());
    without_nulls(value.try_into().unwrap())
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(elements) => elements.into_iter().map(without_nulls).collect(),
        value => value,
    }
}

/// A record in which every field has a value of its own.
fn filled(schema: &str) -> Value {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let mut named = Map::new();
    name_records(&schema, &mut named);
    fill(&schema, &named, "")
}

fn fill(schema: &Value, named: &Map<String, Value>, path: &str) -> Value {
    match schema {
        Value::Array(union) => fill(&union[1], named, path),
        Value::String(name) => match name.as_str() {
            "string" => json!(format!("text of {path}")),
            "long" => json!(1_000_000_000_000_i64 + i64::try_from(path.len()).unwrap()),
            "double" => json!(-122.399_999_999_999_99),
            "boolean" => json!(true),
            record => fill(&named[record], named, path),
        },
        schema => match schema["type"].as_str().unwrap() {
            "array" => json!([
                fill(&schema["items"], named, &format!("{path}/0")),
                fill(&schema["items"], named, &format!("{path}/1"))
            ]),
            "map" => json!({ "/a~1b": format!("value of {path}"), "": "empty" }),
            "record" => {
                let fields = schema["fields"].as_array().unwrap().iter();
                let field = |field: &Value| {
                    let name = field["name"].as_str().unwrap();
                    (name.to_owned(), fill(&field["type"], named, &format!("{path}/{name}")))
                };
                Value::Object(fields.map(field).collect())
            }
            primitive => fill(&json!(primitive), named, path),
        },
    }
}

fn name_records(schema: &Value, named: &mut Map<String, Value>) {
    match schema {
        Value::Array(members) => members.iter().for_each(|member| name_records(member, named)),
        Value::Object(members) => {
            if schema["type"] == "record" {
                named.insert(schema["name"].as_str().unwrap().to_owned(), schema.clone());
            }
            members.values().for_each(|member| name_records(member, named));
        }
        _ => {}
    }
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.values().map(leaves).sum(),
        Value::Array(elements) => elements.iter().map(leaves).sum(),
        _ => 1,
    }
}
