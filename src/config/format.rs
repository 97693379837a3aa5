//! What a record's value is, and what goes with it.

use std::collections::HashMap;

use super::connector::{ConnectorFields, ConnectorRead};
use super::section::{Context, Field};

/// What a record's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Okta's bytes, verbatim.
    #[default]
    Json,
    /// Confluent's wire format: the schema's id in the registry, then Avro.
    Avro,
}

impl Format {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Avro => "avro",
        }
    }
}

pub(super) fn read(context: &mut Context<'_>, field: &Field<'_>) -> Option<Format> {
    let text = context.text(field)?;
    let known = [Format::Json, Format::Avro].into_iter().find(|format| format.as_str() == text.value);
    if known.is_none() {
        context.refuse(field, format!("`{}` is not a format: write `json` or `avro`", text.shown()));
    }
    known
}

/// Notes Avro without a registry, and topics with records of both formats; what could not be read is left out.
pub(super) fn check(
    context: &mut Context<'_>,
    fields: &[ConnectorFields<'_>],
    read: &[ConnectorRead],
    has_registry: bool,
) {
    let mut of_topics: HashMap<&str, (Format, usize)> = HashMap::new();
    for (fields, one) in fields.iter().zip(read) {
        let Some(format) = one.format else { continue };
        if format == Format::Avro
            && !has_registry
            && let Some(field) = fields.merged.get("format")
        {
            let message = "`avro` needs a schema registry: write `schema_registry: {url: http://localhost:8081}` at the \
                           top level of the file";
            context.refuse(field, message);
        }
        let (path, line) = fields.place("format");
        let Some(topic) = one.topic.as_deref() else { continue };
        let (first, first_line) = *of_topics.entry(topic).or_insert((format, line));
        if first != format {
            let message = format!(
                "is `{}`, and the connector of line {first_line} writes `{}` to the same topic: whoever reads it would \
                 break at the other's records; write the same `format` in both, or another topic",
                format.as_str(),
                first.as_str()
            );
            context.problem(&path, line, message);
        }
    }
}
