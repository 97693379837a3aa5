//! The Avro schema of the records, as it is registered.

use std::sync::LazyLock;

use apache_avro::Schema;

/// The schema's text, as `schemas/okta-system-log-event.avsc` has it and as registries get it.
pub const SCHEMA_JSON: &str = include_str!("../../../schemas/okta-system-log-event.avsc");

/// The record's full name, of which the subject strategies `record` and `topic_record` are made.
pub const FULL_NAME: &str = "okta.systemlog.LogEvent";

/// The field for what no other field can hold.
pub const UNMAPPED: &str = "unmapped";

/// The field with the instant of `published`.
pub const PUBLISHED_AT: &str = "publishedAt";

/// The fields that the connector makes. Members of Okta's with these names are unknown members.
pub const OWN_FIELDS: [&str; 2] = [PUBLISHED_AT, UNMAPPED];

static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::parse_str(SCHEMA_JSON).expect("a constant, which this file's tests parse"));

/// The schema, parsed once.
pub fn schema() -> &'static Schema {
    &SCHEMA
}

#[cfg(test)]
mod tests;
