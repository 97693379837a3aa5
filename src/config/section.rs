//! Reading typed values out of the tree, noting every problem on the way.

use std::ops::RangeInclusive;

use jiff::Timestamp;

use super::findings::Findings;
use super::interpolation::Template;
use super::problem::Problem;
use super::yaml::{Entry, Node, Value};
use super::{keys, synonyms, text};

/// What all readers share: where values come from, and what was found wrong.
pub(super) struct Context<'e> {
    /// The environment.
    pub env: &'e dyn Fn(&str) -> Option<String>,
    /// The time that `since` is held against.
    pub now: Timestamp,
    problems: Findings,
    warnings: Findings,
}

/// A scalar with its placeholders filled in.
pub(super) struct Text {
    /// As it stands in the file: the only form that a message shows.
    pub written: String,
    /// What it means.
    pub value: String,
    /// To read it again.
    pub template: Template,
}

impl Text {
    /// For a message.
    pub fn shown(&self) -> String {
        text::shown(&self.written)
    }

    /// For a message, where a private key may stand by mistake: then nothing of it.
    pub fn shown_beside_a_key(&self) -> String {
        if !self.template.has_literal() || text::is_harmless_beside_a_key(&self.written) {
            format!("`{}`", self.shown())
        } else {
            "this".to_owned()
        }
    }
}

impl<'e> Context<'e> {
    pub fn new(env: &'e dyn Fn(&str) -> Option<String>, now: Timestamp) -> Self {
        Self { env, now, problems: Findings::default(), warnings: Findings::default() }
    }

    /// A context of its own, whose findings are judged before they count.
    pub fn rehearsal(&self) -> Self {
        Self::new(self.env, self.now)
    }

    /// Problems and warnings, each by line.
    pub fn findings(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems.sorted(), self.warnings.sorted())
    }

    pub fn problem(&mut self, path: &str, line: usize, message: impl Into<String>) {
        self.problems.add(path, line, message.into());
    }

    pub fn warning(&mut self, path: &str, line: usize, message: impl Into<String>) {
        self.warnings.add(path, line, message.into());
    }

    /// A problem with a field's value.
    pub fn refuse(&mut self, field: &Field<'_>, message: impl Into<String>) {
        self.problem(&field.path, field.node.line, message);
    }

    /// The known name that an unknown one was probably meant to be.
    pub fn nearest<'k>(&self, unknown: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
        // Thousands of unknown names are no slips of the hand: looking for the nearest of each would only take time.
        if self.is_full() {
            return None;
        }
        let known: Vec<&str> = known.into_iter().collect();
        text::nearest(unknown, known.iter().copied()).or_else(|| synonyms::find(unknown, known))
    }

    /// Whether there are so many problems that no more are kept.
    pub fn is_full(&self) -> bool {
        self.problems.is_full()
    }

    /// Notes an unknown key, and gives the known one that was probably meant.
    pub fn unknown_key(
        &mut self,
        section: &Section<'_>,
        key: &str,
        line: usize,
        known: &[&'static str],
    ) -> Option<&'static str> {
        let name = text::name(key);
        let joined = joined(key, known);
        let near = joined.or_else(|| self.nearest(key, known.iter().copied()));
        let message = if key == "<<" {
            "merge keys (`<<`) are not supported: put what connectors share into `connector_defaults`".to_owned()
        } else if let Some(joined) = joined {
            if key.as_bytes().get(joined.len()) == Some(&b':') {
                format!("a space is missing after `{joined}:`: write it")
            } else {
                let rest = text::name(&key[joined.len() + 1..]);
                let home = match keys::home_of(&rest) {
                    Some(home) if joined == "topic" => home.to_owned(),
                    _ => format!("`{joined}`, which is a map"),
                };
                format!("keys have no dots here: move `{rest}` to {home}")
            }
        } else if let (Some("auth"), true) = (near, synonyms::find(key, ["auth"]).is_some()) {
            format!("unknown key `{name}`: did you mean `auth: {{ssws: …}}`?")
        } else if let Some(near) = near {
            format!("unknown key `{name}`: did you mean `{near}`?")
        } else if let Some(home) = keys::home_of(key) {
            format!("`{name}` does not belong here: move it to {home}")
        } else if name == "…" {
            format!(
                "unknown key, which is not shown as it may be a secret: indent it where it is a line of a key; the keys here are {}",
                list(known)
            )
        } else {
            format!("unknown key `{name}`: the keys here are {}", list(known))
        };
        self.problem(&section.child(&name), line, message);
        near
    }

    /// The text of a field; a problem when it is none or has broken placeholders.
    pub fn text(&mut self, field: &Field<'_>) -> Option<Text> {
        let written = match &field.node.value {
            Value::Scalar(written) => written,
            Value::Null => {
                self.refuse(field, "has no value: write one, or remove the key");
                return None;
            }
            Value::Refused => return None,
            other => {
                self.refuse(field, format!("a single value is expected here, not {}: write one value", other.kind()));
                return None;
            }
        };
        let read = Template::parse(written, self.env)
            .and_then(|template| template.render().map(|value| (template, value)).map_err(|error| vec![error]));
        match read {
            Ok((template, value)) => Some(Text { written: written.clone(), value, template }),
            Err(errors) => {
                for error in errors {
                    self.refuse(field, error.to_string());
                }
                None
            }
        }
    }

    /// Text of which something is left.
    pub fn non_empty(&mut self, field: &Field<'_>) -> Option<Text> {
        let text = self.text(field)?;
        if text.value.trim().is_empty() {
            self.refuse(field, "is empty: write a value, or remove the key");
            return None;
        }
        if text.value.contains(char::is_control) {
            self.refuse(field, format!("`{}` has a line break or a control character: remove it", text.shown()));
            return None;
        }
        Some(text)
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, field: &Field<'_>) -> Option<bool> {
        let text = self.text(field)?;
        match text.value.as_str() {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => {
                self.refuse(field, format!("`{}` is neither true nor false: write `true` or `false`", text.shown()));
                None
            }
        }
    }

    /// A whole number of a range.
    pub fn integer(&mut self, field: &Field<'_>, range: RangeInclusive<i64>, what: &str) -> Option<i64> {
        let text = self.text(field)?;
        match text.value.parse::<i64>() {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                self.refuse(field, format!("`{}` is not {what}", text.shown()));
                None
            }
        }
    }

    /// The keys of a field that is a map.
    pub fn section<'n>(&mut self, field: &Field<'n>) -> Option<Section<'n>> {
        match &field.node.value {
            Value::Map(entries) => Some(Section::new(&field.path, field.node.line, entries)),
            Value::Null => {
                self.refuse(field, "has no keys: write some, indented under it, or remove it");
                None
            }
            Value::Refused => None,
            other => {
                // `key:value` without a space is one text to YAML.
                let hint = match other {
                    Value::Scalar(_) => ": write `key: value`, with a space after the colon",
                    _ => ": write `key: value`, without `-`",
                };
                self.refuse(field, format!("a map of keys and values is expected here, not {}{hint}", other.kind()));
                None
            }
        }
    }
}

/// A key's value and the names it goes by in messages.
#[derive(Clone)]
pub(super) struct Field<'n> {
    /// As `connectors[0].interval`.
    pub path: String,
    /// The key's own line.
    pub line: usize,
    /// The value.
    pub node: &'n Node,
}

/// The keys of a map.
#[derive(Clone)]
pub(super) struct Section<'n> {
    /// The map's own path; empty for the file.
    pub path: String,
    /// Where the map starts: the place to report what is missing from it.
    pub line: usize,
    fields: Vec<(&'n str, Field<'n>)>,
}

impl<'n> Section<'n> {
    pub fn new(path: &str, line: usize, entries: &'n [Entry]) -> Self {
        let mut section = Self { path: path.to_owned(), line, fields: Vec::with_capacity(entries.len()) };
        for Entry { key, line, node } in entries {
            let path = section.child(&text::name(key));
            section.fields.push((key, Field { path, line: *line, node }));
        }
        section
    }

    /// The path of a key of this map.
    pub fn child(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub fn get(&self, key: &str) -> Option<&Field<'n>> {
        self.fields.iter().find(|(name, _)| *name == key).map(|(_, field)| field)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'n str, &Field<'n>)> {
        self.fields.iter().map(|(key, field)| (*key, field))
    }

    /// This map with only those of its keys that are known.
    pub fn only(mut self, known: &[&str]) -> Self {
        self.fields.retain(|(key, _)| known.contains(key));
        self
    }

    /// This map without one of its keys.
    pub fn without(mut self, key: &str) -> Self {
        self.fields.retain(|(name, _)| *name != key);
        self
    }

    /// This map with the keys of another one that it does not have itself.
    pub fn over(&self, defaults: &Self) -> Self {
        let mut merged = self.clone();
        for (key, field) in &defaults.fields {
            if self.get(key).is_none() {
                merged.fields.push((key, field.clone()));
            }
        }
        merged
    }

    /// Refuses every key that is not known, and those that a later version will know.
    ///
    /// A misspelt key is read on as the one that was meant, so that it is not also missing, and mistakes below it are
    /// told in the same run.
    pub fn check_keys(&mut self, context: &mut Context<'_>, known: &[&'static str]) {
        for at in 0..self.fields.len() {
            let (key, Field { line, .. }) = &self.fields[at];
            if !known.contains(key)
                && let Some(meant) = context.unknown_key(self, key, *line, known)
                && self.get(meant).is_none()
            {
                let (key, field) = &mut self.fields[at];
                // What stands there was meant for something else than the whole of that key.
                if joined(key, known).is_some() || (meant == "auth" && matches!(field.node.value, Value::Scalar(_))) {
                    field.node = &TOLD;
                }
                *key = meant;
            }
        }
    }
}

/// The value of a key that all was said about.
static TOLD: Node = Node { line: 0, value: Value::Refused };

/// The known key that an unknown one begins with, as `auth:{ssws` without the space and `topic.retention.ms` do.
pub(super) fn joined<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let (first, _) = key.split_once([':', '.'])?;
    known.iter().find(|known| **known == first).copied()
}

/// `a`, `b`, `c`.
pub(super) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
