//! Our schema, held against what a registry has (pure): the same, another version of it, or somebody else's.

use std::collections::{HashMap, HashSet};

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use serde_json::Value;

use crate::convert::avro::schema::{self, FULL_NAME};
use crate::okta::excerpt::excerpt;

/// How many differences a message names.
const MAX_NAMED: usize = 3;

/// What a schema of a registry is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Relation {
    /// Ours: what it writes and reads is the same, whatever its layout and its docs.
    Same,
    /// Another version of ours: each can read what the other wrote.
    Compatible,
    /// Our record, but one cannot read the other: where, and in which direction.
    Incompatible(String),
    /// Something else: what.
    Foreign(String),
}

/// Holds the text of a registered schema against ours. `kind` is the registry's `schemaType`.
pub(super) fn relation(text: &str, kind: &str) -> Relation {
    if kind != "AVRO" {
        return Relation::Foreign(format!("of type `{}`", excerpt(kind)));
    }
    let theirs = match Schema::parse_str(text) {
        Ok(theirs) => theirs,
        Err(error) => {
            return Relation::Foreign(format!("which is no Avro schema by itself ({})", excerpt(&error.to_string())));
        }
    };
    let name = match &theirs {
        Schema::Record(record) => record.name.to_string(),
        other => return Relation::Foreign(format!("of type `{}`", kind_of(other))),
    };
    if name != FULL_NAME {
        return Relation::Foreign(format!("the record `{}` (ours is `{FULL_NAME}`)", excerpt(&name)));
    }
    let ours = schema::schema();
    if meaning(&theirs) == meaning(ours) {
        return Relation::Same;
    }
    let mut said = Vec::new();
    for (writer, reader, direction) in [
        (ours, &theirs, "what we write cannot be read with it"),
        (&theirs, ours, "what was written with it cannot be read with ours"),
    ] {
        let differences = differences(writer, reader);
        if !differences.is_empty() {
            said.push(format!("{direction}: {}", listed(&differences)));
        }
    }
    if said.is_empty() { Relation::Compatible } else { Relation::Incompatible(said.join("; ")) }
}

/// A schema without docs and layout: equal for two that encode, decode and default alike.
fn meaning(schema: &Schema) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                let is_schema = members.contains_key("type");
                if is_schema {
                    let _ = members.remove("doc");
                }
                // A default is a value, not a schema.
                members.iter_mut().filter(|(name, _)| *name != "default").for_each(|(_, value)| strip(value));
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    // Serializing a parsed schema does not fail; two failures would be equal, so they are told apart.
    let mut value = serde_json::to_value(schema).unwrap_or_else(|error| Value::String(error.to_string()));
    strip(&mut value);
    value
}

/// The fields by which `reader` cannot read everything that `writer` wrote, the first ones.
fn differences(writer: &Schema, reader: &Schema) -> Vec<String> {
    let mut walk = Walk { writer: named(writer), reader: named(reader), seen: HashSet::new(), found: Vec::new() };
    walk.compare(writer, reader, "");
    walk.found
}

fn listed(differences: &[String]) -> String {
    let named = differences.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match differences.len().saturating_sub(MAX_NAMED) {
        0 => named,
        more => format!("{named}, and {more} more"),
    }
}

struct Walk<'w, 'r> {
    writer: HashMap<String, &'w Schema>,
    reader: HashMap<String, &'r Schema>,
    seen: HashSet<String>,
    found: Vec<String>,
}

impl Walk<'_, '_> {
    fn compare(&mut self, writer: &Schema, reader: &Schema, path: &str) {
        let writer = resolved(&self.writer, writer);
        let reader = resolved(&self.reader, reader);
        match (writer, reader) {
            (Schema::Union(writers), Schema::Union(readers)) => {
                writers.variants().iter().for_each(|writer| self.one_of(writer, readers.variants(), path));
            }
            (Schema::Union(writers), reader) => {
                writers.variants().iter().for_each(|writer| self.compare(writer, reader, path));
            }
            (writer, Schema::Union(readers)) => self.one_of(writer, readers.variants(), path),
            (Schema::Record(from), Schema::Record(to)) => {
                let (from_name, to_name) = (from.name.to_string(), to.name.to_string());
                if from_name != to_name {
                    return self.note(path, format!("record `{from_name}` is not `{to_name}`"));
                }
                // Compared once, wherever it stands: what differs was said there, and a record may be within itself.
                if !self.seen.insert(from_name) {
                    return;
                }
                for field in &to.fields {
                    let below = if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
                    let mut names = std::iter::once(&field.name).chain(field.aliases.iter());
                    match names.find_map(|name| from.fields.iter().find(|from| from.name == *name)) {
                        Some(from) => self.compare(&from.schema, &field.schema, &below),
                        None if field.default.is_some() => {}
                        None => self.note(&below, "is not written, and has no default".to_owned()),
                    }
                }
            }
            (Schema::Array(from), Schema::Array(to)) => self.compare(&from.items, &to.items, path),
            (Schema::Map(from), Schema::Map(to)) => self.compare(&from.types, &to.types, path),
            (writer, reader) => {
                if SchemaCompatibility::can_read(writer, reader) != Ok(Compatibility::Full)
                    || have_other_meanings(writer, reader)
                {
                    let reason = format!("written as `{}`, read as `{}`", kind_of(writer), kind_of(reader));
                    self.note(path, reason);
                }
            }
        }
    }

    /// What was written has to be read by one of several.
    fn one_of(&mut self, writer: &Schema, readers: &[Schema], path: &str) {
        let writer = resolved(&self.writer, writer);
        let kind = kind_of(writer);
        let like = readers.iter().map(|reader| resolved(&self.reader, reader)).find(|reader| {
            kind_of(reader) == kind || SchemaCompatibility::can_read(writer, reader) == Ok(Compatibility::Full)
        });
        match like {
            Some(reader) => self.compare(writer, reader, path),
            None => {
                let read: Vec<String> = readers.iter().map(|reader| kind_of(resolved(&self.reader, reader))).collect();
                self.note(path, format!("written as `{kind}`, read as `{}`", read.join("` or `")));
            }
        }
    }

    fn note(&mut self, path: &str, reason: String) {
        let path = if path.is_empty() { "the record".to_owned() } else { format!("field `{}`", excerpt(path)) };
        let said = format!("{path}: {}", excerpt(&reason));
        if !self.found.contains(&said) {
            self.found.push(said);
        }
    }
}

/// Whether one says of a value what the other denies, as milliseconds and microseconds: read without an error, and wrong.
fn have_other_meanings(writer: &Schema, reader: &Schema) -> bool {
    let logical = |schema| {
        let value = serde_json::to_value(schema).unwrap_or_default();
        value["logicalType"].as_str().map(str::to_owned)
    };
    matches!((logical(writer), logical(reader)), (Some(writer), Some(reader)) if writer != reader)
}

fn resolved<'s>(names: &HashMap<String, &'s Schema>, schema: &'s Schema) -> &'s Schema {
    match schema {
        Schema::Ref { name } => names.get(&name.to_string()).copied().unwrap_or(schema),
        schema => schema,
    }
}

/// The named schemas within a schema, by full name.
fn named(schema: &Schema) -> HashMap<String, &Schema> {
    fn walk<'s>(schema: &'s Schema, found: &mut HashMap<String, &'s Schema>) {
        match schema {
            Schema::Record(record) => {
                let _ = found.insert(record.name.to_string(), schema);
                record.fields.iter().for_each(|field| walk(&field.schema, found));
            }
            Schema::Enum(named) => drop(found.insert(named.name.to_string(), schema)),
            Schema::Fixed(named) => drop(found.insert(named.name.to_string(), schema)),
            Schema::Array(array) => walk(&array.items, found),
            Schema::Map(map) => walk(&map.types, found),
            Schema::Union(union) => union.variants().iter().for_each(|schema| walk(schema, found)),
            _ => {}
        }
    }
    let mut found = HashMap::new();
    walk(schema, &mut found);
    found
}

/// A schema's type, or its name.
fn kind_of(schema: &Schema) -> String {
    match schema {
        Schema::Record(record) => record.name.to_string(),
        Schema::Enum(named) => named.name.to_string(),
        Schema::Fixed(named) => named.name.to_string(),
        Schema::Ref { name } => name.to_string(),
        Schema::Array(_) => "array".to_owned(),
        Schema::Map(_) => "map".to_owned(),
        Schema::Union(_) => "union".to_owned(),
        schema => match serde_json::to_value(schema) {
            Ok(Value::String(name)) => name,
            Ok(value) => value["logicalType"].as_str().or(value["type"].as_str()).unwrap_or("another type").to_owned(),
            Err(_) => "another type".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests;
