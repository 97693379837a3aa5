//! One line of the log: its parts, as text or as JSON (docs/logs.md).

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata};

use super::LogFormat;

/// What librdkafka says comes under this target.
const LIBRDKAFKA: &str = "librdkafka";
/// Records of libraries that know the crate `log` alone come under this one, and have theirs as a field.
const LOG: &str = "log";

/// A line before it is written.
#[derive(Debug, Clone)]
pub struct Line {
    /// `ERROR` to `TRACE`.
    pub level: Level,
    /// The module that it comes from.
    pub target: String,
    /// Its words.
    pub message: String,
    /// What it names, in the order in which the program does.
    pub fields: Vec<LineField>,
}

/// What a line names.
#[derive(Debug, Clone)]
pub struct LineField {
    /// Its name, as docs/logs.md has it.
    pub name: String,
    /// A number, a truth value, or a text.
    pub value: Value,
    /// Whether a text stands in a line for people as it is, without quotes.
    bare: bool,
}

impl LineField {
    /// A number.
    pub fn number(name: &str, value: u64) -> Self {
        Self { name: name.to_owned(), value: value.into(), bare: false }
    }
}

impl Line {
    /// A line without fields.
    pub fn new(level: Level, target: &str, message: String) -> Self {
        Self { level, target: target.to_owned(), message, fields: Vec::new() }
    }

    /// The line that an event makes.
    pub fn of(metadata: &Metadata<'_>, record: impl FnOnce(&mut dyn Visit)) -> Self {
        let mut line = Self::new(*metadata.level(), metadata.target(), String::new());
        record(&mut line);
        if line.target == LOG {
            for field in std::mem::take(&mut line.fields) {
                match (field.name.as_str(), &field.value) {
                    ("log.target", Value::String(target)) => line.target.clone_from(target),
                    (own, _) if own.starts_with("log.") => {}
                    _ => line.fields.push(field),
                }
            }
        }
        line
    }

    /// A field's value, where it is a text.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.name == name)?.value.as_str()
    }

    /// With the line feed.
    pub fn render(&self, at: Timestamp, format: LogFormat, colours: bool) -> String {
        match format {
            LogFormat::Text => self.as_text(at, colours),
            LogFormat::Json => self.as_json(at),
        }
    }

    /// Fields of ours have a name of their own at the top; those of libraries, which say what they like, are in `fields`.
    fn as_json(&self, at: Timestamp) -> String {
        let mut all: Vec<(&str, Value)> = vec![
            ("timestamp", shown_time(at).into()),
            ("level", self.level.as_str().into()),
            ("target", self.target.as_str().into()),
            ("message", self.message.as_str().into()),
        ];
        let fields = self.fields.iter().map(|field| (field.name.as_str(), field.value.clone()));
        if self.is_ours() {
            all.extend(fields);
        } else if !self.fields.is_empty() {
            let fields: Map<String, Value> = fields.map(|(name, value)| (name.to_owned(), value)).collect();
            all.push(("fields", Value::Object(fields)));
        }
        // In this order, for people who read it all the same.
        let members = all.iter().map(|(name, value)| format!("{}:{value}", Value::from(*name)));
        format!("{{{}}}\n", members.collect::<Vec<_>>().join(","))
    }

    fn is_ours(&self) -> bool {
        self.target.starts_with(env!("CARGO_CRATE_NAME")) || self.target == LIBRDKAFKA
    }

    fn as_text(&self, at: Timestamp, colours: bool) -> String {
        let paint =
            |code: &str, text: &str| if colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
        let level = paint(
            match self.level {
                Level::ERROR => "31",
                Level::WARN => "33",
                Level::INFO => "32",
                Level::DEBUG => "34",
                Level::TRACE => "35",
            },
            &format!("{:>5}", self.level.as_str()),
        );
        let mut text = format!("{} {level} {}", paint("2", &shown_time(at)), self.message);
        for LineField { name, value, bare } in &self.fields {
            let value = match value {
                Value::String(value) if *bare => value.clone(),
                Value::String(value) => format!("{value:?}"),
                other => other.to_string(),
            };
            text.push_str(&format!(" {}={value}", paint("3", name)));
        }
        text.push('\n');
        text
    }
}

/// RFC 3339 in UTC, to the microsecond.
fn shown_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

impl Line {
    fn put(&mut self, field: &Field, value: Value, bare: bool) {
        match (field.name(), value) {
            ("message", Value::String(message)) => self.message = message,
            // `r#type` and its like.
            (name, value) => {
                let name = name.trim_start_matches("r#").to_owned();
                self.fields.push(LineField { name, value, bare });
            }
        }
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into(), false);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into(), false);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into(), false);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into(), false);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into(), false);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into(), true);
    }
}
