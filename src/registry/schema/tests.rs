use serde_json::json;

use super::*;
use crate::convert::avro::schema::SCHEMA_JSON;

/// Our schema with its fields changed.
fn changed(change: impl FnOnce(&mut Vec<Value>)) -> String {
    let mut schema: Value = serde_json::from_str(SCHEMA_JSON).unwrap();
    change(schema["fields"].as_array_mut().unwrap());
    schema.to_string()
}

/// A field that is always there.
fn required(field: &mut Value) {
    field["type"] = json!("string");
    field.as_object_mut().unwrap().remove("default");
}

fn field<'f>(fields: &'f mut [Value], name: &str) -> &'f mut Value {
    fields.iter_mut().find(|field| field["name"] == name).unwrap()
}

#[test]
fn layout_and_docs_do_not_make_another_schema() {
    // Members in another order, no blanks; a plain type written out; docs gone.
    let mut reordered: Value = serde_json::from_str(SCHEMA_JSON).unwrap();
    field(reordered["fields"].as_array_mut().unwrap(), "uuid")["type"] = json!({"type": "string"});
    reordered.as_object_mut().unwrap().remove("doc");
    field(reordered["fields"].as_array_mut().unwrap(), "severity").as_object_mut().unwrap().remove("doc");
    let mut full_name = reordered.clone();
    full_name.as_object_mut().unwrap().remove("namespace");
    full_name["name"] = json!(FULL_NAME);
    for text in [SCHEMA_JSON.to_owned(), reordered.to_string(), full_name.to_string()] {
        assert_eq!(relation(&text, "AVRO"), Relation::Same, "{text}");
    }
}

#[test]
fn another_version_of_ours_is_compatible() {
    for text in [
        changed(|fields| fields.push(json!({"name": "later", "type": ["null", "string"], "default": null}))),
        changed(|fields| fields.retain(|field| field["name"] != "severity")),
        // Records are read by the writer's order of fields, so this is not the same; but each can read the other.
        changed(|fields| fields.swap(0, 1)),
        changed(|fields| field(fields, "publishedAt")["type"] = json!(["null", "long"])),
    ] {
        assert_eq!(relation(&text, "AVRO"), Relation::Compatible, "{text}");
    }
}

#[test]
fn a_version_that_does_not_get_on_names_field_and_direction() {
    let write = "what we write cannot be read with it";
    let read = "what was written with it cannot be read with ours";
    for (text, says) in [
        (
            changed(|fields| required(field(fields, "severity"))),
            format!("{write}: field `severity`: written as `null`, read as `string`"),
        ),
        (
            changed(|fields| field(fields, "severity")["type"] = json!(["null", "string", "long"])),
            format!("{read}: field `severity`: written as `long`, read as `null` or `string`"),
        ),
        (
            changed(|fields| {
                field(fields, "publishedAt")["type"] =
                    json!(["null", {"type": "long", "logicalType": "timestamp-micros"}]);
            }),
            format!(
                "{write}: field `publishedAt`: written as `timestamp-millis`, read as `timestamp-micros`; {read}: field \
                 `publishedAt`: written as `timestamp-micros`, read as `timestamp-millis`"
            ),
        ),
        (
            changed(|fields| fields.push(json!({"name": "needed", "type": "string"}))),
            format!("{write}: field `needed`: is not written, and has no default"),
        ),
        (
            changed(|fields| fields.retain(|field| field["name"] != "uuid")),
            format!("{read}: field `uuid`: is not written, and has no default"),
        ),
        (
            changed(|fields| field(fields, "actor")["type"][1]["fields"][0]["type"] = json!(["null", "long"])),
            format!(
                "{write}: field `actor.id`: written as `string`, read as `null` or `long`; {read}: field `actor.id`: \
                 written as `long`, read as `null` or `string`"
            ),
        ),
        (
            changed(|fields| required(&mut field(fields, "target")["type"][1]["items"]["fields"][1])),
            format!("{write}: field `target.type`: written as `null`, read as `string`"),
        ),
        (
            changed(|fields| field(fields, "actor")["type"][1]["name"] = json!("Actor")),
            format!(
                "{write}: field `actor`: written as `okta.systemlog.LogActor`, read as `null` or `okta.systemlog.Actor`; \
                 {read}: field `actor`: written as `okta.systemlog.Actor`, read as `null` or `okta.systemlog.LogActor`"
            ),
        ),
    ] {
        match relation(&text, "AVRO") {
            Relation::Incompatible(said) => assert_eq!(said, says),
            other => panic!("{other:?} instead of {says}"),
        }
    }
}

#[test]
fn somebody_elses_schema_is_named() {
    let record = r#"{"type":"record","name":"Order","namespace":"shop","fields":[]}"#;
    for (text, kind, says) in [
        (record, "AVRO", "the record `shop.Order` (ours is `okta.systemlog.LogEvent`)"),
        (r#""string""#, "AVRO", "of type `string`"),
        (r#"{"type":"map","values":"long"}"#, "AVRO", "of type `map`"),
        ("{", "AVRO", "which is no Avro schema by itself"),
        (r#"{"type":"object"}"#, "JSON", "of type `JSON`"),
        ("syntax = \"proto3\";", "PROTOBUF", "of type `PROTOBUF`"),
    ] {
        match relation(text, kind) {
            Relation::Foreign(found) => assert!(found.starts_with(says), "{found}"),
            other => panic!("{other:?} instead of {says}"),
        }
    }
}
