//! Versions of the Avro schema read each other's records, and a change that would break this is seen.
//!
//! The versions: one made for these tests as an earlier one, every released one, the current one, and one made as the
//! next one. Three judges, which share no code: the real registry, apache-avro, and the rule of schemas/README.md.

use std::fs;
use std::path::Path;

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use okta_kafka_source::convert::avro::schema::SCHEMA_JSON;
use serde_json::{Value, json};

use self::tree::{Record, record, record_mut};
use crate::support::prove;
use crate::support::registry::{Registry, shared_registry};

mod other_makers;
mod reading;
mod tree;

const EARLIER: &str = include_str!("schema_evolution/earlier.avsc");

struct Version {
    name: String,
    text: String,
}

impl Version {
    fn schema(&self) -> Schema {
        Schema::parse_str(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

/// All versions, from the oldest to the newest.
fn versions() -> Vec<Version> {
    let mut versions = vec![Version { name: "made as an earlier one".to_owned(), text: EARLIER.to_owned() }];
    versions.extend(released());
    versions.push(Version { name: "current".to_owned(), text: SCHEMA_JSON.to_owned() });
    versions.push(Version { name: "made as the next one".to_owned(), text: next().to_string() });
    versions
}

/// `schemas/versions/1.avsc` and so on: what a release had before the current text.
fn released() -> Vec<Version> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/versions");
    let numbered = |number: u32| folder.join(format!("{number}.avsc"));
    let found = (1..).take_while(|number| numbered(*number).exists());
    let read =
        |number| Version { name: format!("version {number}"), text: fs::read_to_string(numbered(number)).unwrap() };
    let versions: Vec<Version> = found.map(read).collect();
    let files = fs::read_dir(&folder).map_or(0, Iterator::count);
    assert_eq!(versions.len(), files, "{} holds 1.avsc, 2.avsc and so on, without a gap", folder.display());
    versions
}

/// What Okta may bring next: a member of the event, one of a nested object, and an object of a new kind.
fn next() -> Value {
    let mut schema = current();
    add(&mut schema, "LogEvent", json!({"name": "orgId", "type": ["null", "string"], "default": null}));
    add(&mut schema, "LogDevice", json!({"name": "screen_lock_seconds", "type": ["null", "long"], "default": null}));
    let session = json!({"type": "record", "name": "LogSession", "fields": [
        {"name": "id", "type": ["null", "string"], "default": null},
        {"name": "ipDetails", "type": ["null", "LogIpDetails"], "default": null}
    ]});
    let sessions = json!({"name": "sessions", "type": ["null", {"type": "array", "items": session}], "default": null});
    add(&mut schema, "LogTransaction", sessions);
    schema
}

fn current() -> Value {
    serde_json::from_str(SCHEMA_JSON).unwrap()
}

fn add(schema: &mut Value, record: &str, field: Value) {
    record_mut(schema, record)["fields"].as_array_mut().unwrap().push(field);
}

/// What apache-avro says. It calls `Partial` what depends on the record: to us that is no.
fn apache_avro_agrees(one: &Schema, other: &Schema) -> bool {
    SchemaCompatibility::mutual_read(one, other) == Ok(Compatibility::Full)
}

/// What a registry says that has `one` under a new subject of FULL_TRANSITIVE.
fn registry_agrees(registry: &Registry, subject: &str, one: &str, other: &str) -> bool {
    registry.set_compatibility(subject, "FULL_TRANSITIVE");
    let _id = registry.register(subject, one).unwrap_or_else(|refusal| panic!("{subject}: {refusal:?}"));
    registry.is_compatible(subject, other)
}

/// The rule of schemas/README.md: a later version holds every field of an earlier one, with the same type and default,
/// and what it adds can be null and is by default; no definition moves.
fn broken_rules(earlier: &Value, later: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    if tree::full_name(earlier) != tree::full_name(later) {
        broken.push("the event has another name".to_owned());
    }
    for old in tree::records(earlier) {
        let Some(new) = record(later, &old.name) else {
            broken.push(format!("{} is gone", old.name));
            continue;
        };
        let gone_or_other = |field: &&tree::Field| new.fields.iter().all(|new| new != *field);
        broken.extend(old.fields.iter().filter(gone_or_other).map(|field| format!("{}.{}", old.name, field.name)));
    }
    let order = |schema: &Value| tree::records(schema).into_iter().map(|record| record.name).collect::<Vec<_>>();
    let (old, mut new) = (order(earlier), order(later));
    new.retain(|name| old.contains(name));
    if new.iter().ne(old.iter().filter(|name| new.contains(name))) {
        broken.push("a record is defined elsewhere".to_owned());
    }
    for new in tree::records(later) {
        let old = record(earlier, &new.name).map_or_else(Vec::new, |Record { fields, .. }| fields);
        let added = new.fields.iter().filter(|field| old.iter().all(|old| old.name != field.name));
        let required = added.filter(|field| !field.null_by_default);
        broken.extend(required.map(|field| format!("{}.{} is new and required", new.name, field.name)));
    }
    broken
}

#[test]
fn every_version_reads_every_other() {
    let versions = versions();
    let mut judged = 0;
    for (at, earlier) in versions.iter().enumerate() {
        for later in &versions[at + 1..] {
            let pair = format!("{} and {}", earlier.name, later.name);
            assert!(apache_avro_agrees(&earlier.schema(), &later.schema()), "apache-avro: {pair}");
            let json = |version: &Version| serde_json::from_str::<Value>(&version.text).unwrap();
            assert_eq!(broken_rules(&json(earlier), &json(later)), [""; 0], "{pair}");
            judged += 1;
        }
    }
    let read = reading::every_version_reads_what_every_other_wrote(&versions);

    let Some(registry) = shared_registry() else { return };
    for (number, one) in versions.iter().enumerate() {
        for (other_number, other) in versions.iter().enumerate().filter(|(other, _)| *other != number) {
            let subject = format!("evolution-{number}-{other_number}");
            let agrees = registry_agrees(registry, &subject, &one.text, &other.text);
            assert!(agrees, "the registry refuses {} after {}", other.name, one.name);
        }
    }
    // And in one subject, as a topic sees them over the years.
    registry.set_compatibility("evolution-all", "FULL_TRANSITIVE");
    for version in &versions {
        registry
            .register("evolution-all", &version.text)
            .unwrap_or_else(|refusal| panic!("{}: {refusal:?}", version.name));
    }
    prove::row(
        "schema-evolution",
        "Readers with an older or a newer schema read every record",
        &format!("{} versions of the schema, {judged} pairs, both directions", versions.len()),
        &format!("the registry (FULL_TRANSITIVE) and apache-avro accept each; {read} values compared"),
    );
}

/// What nobody may do, and who sees it beside our rule, which sees all of it.
struct Forbidden {
    what: &'static str,
    /// Who else calls it incompatible. Both ask only whether records could be read.
    seen_by: &'static [Judge],
    change: fn(&mut Value),
}

#[derive(PartialEq, Eq)]
enum Judge {
    ApacheAvro,
    Registry,
}

const BOTH: &[Judge] = &[Judge::ApacheAvro, Judge::Registry];

const FORBIDDEN: &[Forbidden] = &[
    Forbidden { what: "a field retyped", seen_by: BOTH, change: |s| retype(s, "LogEvent.severity", json!("long")) },
    Forbidden { what: "a nested one", seen_by: BOTH, change: |s| retype(s, "LogIpDetails.asNumber", json!("string")) },
    Forbidden { what: "widened", seen_by: BOTH, change: |s| retype(s, "LogSecurityContext.asNumber", json!("double")) },
    Forbidden { what: "an enum", seen_by: BOTH, change: |s| retype(s, "LogEvent.severity", severity_enum()) },
    Forbidden {
        what: "texts as elements again",
        seen_by: BOTH,
        change: |s| retype(s, "LogSecurityContext.userBehaviors", json!({"type": "array", "items": "string"})),
    },
    Forbidden {
        what: "other values in a map",
        seen_by: BOTH,
        change: |s| retype(s, "LogDebugContext.debugData", json!({"type": "map", "values": ["null", "string"]})),
    },
    Forbidden {
        what: "a required field",
        seen_by: BOTH,
        change: |s| add(s, "LogEvent", json!({"name": "orgId", "type": "string"})),
    },
    Forbidden {
        what: "a required field of a nested record",
        seen_by: BOTH,
        change: |s| add(s, "LogTarget", json!({"name": "orgId", "type": "string"})),
    },
    Forbidden {
        what: "a field that can no longer be null",
        seen_by: BOTH,
        change: |s| {
            let field = tree::field_mut(s, "LogEvent.severity");
            (field["type"], field["default"]) = (json!("string"), json!("INFO"));
        },
    },
    Forbidden {
        what: "`uuid` that can be null",
        seen_by: BOTH,
        change: |s| tree::field_mut(s, "LogEvent.uuid")["type"] = json!(["null", "string"]),
    },
    Forbidden {
        what: "a nested record renamed",
        seen_by: BOTH,
        change: |s| record_mut(s, "LogOutcome")["name"] = json!("LogResult"),
    },
    Forbidden { what: "the event renamed", seen_by: BOTH, change: |s| s["name"] = json!("Event") },
    // Harmless to readers, but apache-avro finds a definition and a name for it unlike.
    Forbidden { what: "a definition moved", seen_by: &[Judge::ApacheAvro], change: move_a_definition },
    // What can be read, but finds its readers unprepared: a value is silently gone, or a class does not fit.
    Forbidden {
        what: "another namespace",
        seen_by: &[Judge::ApacheAvro],
        change: |s| s["namespace"] = json!("okta.log"),
    },
    Forbidden { what: "a field gone", seen_by: &[], change: |s| remove(s, "LogEvent", "severity") },
    Forbidden {
        what: "a field renamed",
        seen_by: &[],
        change: |s| tree::field_mut(s, "LogActor.id")["name"] = json!("uid"),
    },
    Forbidden { what: "bytes for a text", seen_by: &[], change: |s| retype(s, "LogEvent.severity", json!("bytes")) },
];

/// The actor gets a place, so that places are defined there and only named at the client.
fn move_a_definition(schema: &mut Value) {
    let place = tree::field_mut(schema, "LogClient.geographicalContext");
    let definition = place["type"][1].clone();
    place["type"][1] = json!("LogGeographicalContext");
    add(schema, "LogActor", json!({"name": "place", "type": ["null", definition], "default": null}));
}

fn severity_enum() -> Value {
    json!({"type": "enum", "name": "LogSeverity", "symbols": ["DEBUG", "INFO", "WARN", "ERROR"]})
}

fn retype(schema: &mut Value, path: &str, to: Value) {
    tree::field_mut(schema, path)["type"][1] = to;
}

fn remove(schema: &mut Value, record: &str, field: &str) {
    record_mut(schema, record)["fields"].as_array_mut().unwrap().retain(|member| member["name"] != field);
}

#[test]
fn a_change_that_breaks_readers_is_refused() {
    let current_schema = Schema::parse_str(SCHEMA_JSON).unwrap();
    let mut changed = Vec::new();
    for Forbidden { what, seen_by, change } in FORBIDDEN {
        let mut later = current();
        change(&mut later);
        assert_ne!(later, current(), "{what}: nothing was changed");
        assert_ne!(broken_rules(&current(), &later), [""; 0], "{what}: against our own rules");
        let schema = Schema::parse_str(&later.to_string()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(
            apache_avro_agrees(&current_schema, &schema),
            !seen_by.contains(&Judge::ApacheAvro),
            "{what}: apache-avro"
        );
        changed.push((what, seen_by.contains(&Judge::Registry), later.to_string()));
    }
    let Some(registry) = shared_registry() else { return };
    for (number, (what, seen, text)) in changed.iter().enumerate() {
        let subject = format!("evolution-forbidden-{number}");
        let agrees = registry_agrees(registry, &subject, SCHEMA_JSON, text);
        assert_eq!(agrees, !seen, "{what}: the registry");
        if *seen {
            let refusal = registry.register(&subject, text).expect_err(what);
            assert_eq!(refusal.0, 409, "{what}: {refusal:?}");
        }
    }
}
