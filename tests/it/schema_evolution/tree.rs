//! A schema's text as a tree of records and fields.

use serde_json::Value;

/// A record, with what counts of its fields.
pub struct Record {
    pub name: String,
    pub fields: Vec<Field>,
}

/// A field. Two are equal when a reader finds no difference; what a nested record holds is that record's business.
#[derive(PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub null_by_default: bool,
    kind: String,
}

/// Name with namespace.
pub fn full_name(schema: &Value) -> String {
    format!("{}.{}", schema["namespace"].as_str().unwrap(), schema["name"].as_str().unwrap())
}

/// Every record, the event first.
pub fn records(schema: &Value) -> Vec<Record> {
    let mut found = Vec::new();
    walk(schema, &mut |record| found.push(read(record)));
    found
}

/// The record of that name, where there is one.
pub fn record(schema: &Value, name: &str) -> Option<Record> {
    records(schema).into_iter().find(|record| record.name == name)
}

/// The record of that name, to change it.
pub fn record_mut<'s>(schema: &'s mut Value, name: &str) -> &'s mut Value {
    find_mut(schema, name).unwrap_or_else(|| panic!("no record `{name}`"))
}

/// The field `Record.field`, to change it.
pub fn field_mut<'s>(schema: &'s mut Value, path: &str) -> &'s mut Value {
    let (record, field) = path.split_once('.').unwrap();
    let mut fields = record_mut(schema, record)["fields"].as_array_mut().unwrap().iter_mut();
    fields.find(|member| member["name"] == field).unwrap_or_else(|| panic!("no field `{path}`"))
}

fn read(record: &Value) -> Record {
    let field = |field: &Value| Field {
        name: field["name"].as_str().unwrap().to_owned(),
        null_by_default: field["type"][0] == "null" && field.get("default") == Some(&Value::Null),
        kind: kind(&field["type"]),
    };
    Record {
        name: record["name"].as_str().unwrap().to_owned(),
        fields: record["fields"].as_array().unwrap().iter().map(field).collect(),
    }
}

/// A type with its records by name only.
fn kind(schema: &Value) -> String {
    match schema {
        Value::String(name) => name.clone(),
        Value::Array(union) => format!("[{}]", union.iter().map(kind).collect::<Vec<_>>().join(", ")),
        schema if schema["type"] == "record" => schema["name"].as_str().unwrap().to_owned(),
        schema if schema["type"] == "array" => format!("array of {}", kind(&schema["items"])),
        schema if schema["type"] == "map" => format!("map of {}", kind(&schema["values"])),
        schema => schema.to_string(),
    }
}

fn walk(schema: &Value, visit: &mut impl FnMut(&Value)) {
    match schema {
        Value::Array(union) => union.iter().for_each(|schema| walk(schema, visit)),
        Value::Object(members) => {
            if schema["type"] == "record" {
                visit(schema);
                schema["fields"].as_array().unwrap().iter().for_each(|field| walk(&field["type"], visit));
            }
            ["items", "values"].iter().filter_map(|member| members.get(*member)).for_each(|schema| walk(schema, visit));
        }
        _ => {}
    }
}

fn find_mut<'s>(schema: &'s mut Value, name: &str) -> Option<&'s mut Value> {
    if schema["type"] == "record" && schema["name"] == name {
        return Some(schema);
    }
    match schema {
        Value::Array(members) => members.iter_mut().find_map(|member| find_mut(member, name)),
        Value::Object(members) => members.values_mut().find_map(|member| find_mut(member, name)),
        _ => None,
    }
}
