//! A YAML document as a tree that keeps the line of every key and value.
//!
//! Built from the parser's own events rather than through serde: a message can then name the line of any key, and no
//! snippet of the source, which may hold a secret, ever reaches an error.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::findings::Findings;
use super::problem::Problem;
use super::syntax;

/// Deeper than any configuration nests; bounds the recursion below.
pub(super) const MAX_DEPTH: usize = 32;

/// A value and where it starts.
pub(super) struct Node {
    /// The line, from 1.
    pub line: usize,
    /// What stands there.
    pub value: Value,
}

/// What a YAML value is; the type of a scalar is for its reader to decide.
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// The text of a scalar, with YAML's own escapes undone.
    Scalar(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the file's order, without duplicate keys.
    Map(Vec<Entry>),
    /// What a problem was noted for already: nothing more is to be said of it.
    Refused,
}

impl Value {
    /// What to call it in a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Refused => "something else",
        }
    }
}

/// One key of a mapping.
pub(super) struct Entry {
    /// The key's text.
    pub key: String,
    /// The key's line, from 1.
    pub line: usize,
    /// Its value.
    pub node: Node,
}

/// Reads one document. With its tree come the problems that leave one: duplicate keys, and the parts of YAML that a
/// configuration has no use for (anchors, aliases, own tags, keys that are no text, a second document).
///
/// # Errors
/// The file is empty or has a syntax error; then nothing after it was seen.
pub(super) fn parse(text: &str) -> Result<(Node, Vec<Problem>), Vec<Problem>> {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder =
        Builder { parser: Parser::new_from_str_with_options(text, options), problems: Findings::default() };
    match builder.document() {
        Ok(Some(node)) => return Ok((node, builder.problems.sorted())),
        Ok(None) => builder.problem(1, "the file is empty: start with `kafka:` and `connectors:`"),
        Err(error) => {
            let (line, message) = syntax::problem(&error, text);
            builder.problem(line, &message);
        }
    }
    Err(builder.problems.sorted())
}

struct Builder<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    problems: Findings,
}

impl<'t> Builder<'t> {
    fn problem(&mut self, line: usize, message: &str) {
        self.problems.add("", line, message.to_owned());
    }

    /// The first document's tree; `None` when there is none.
    fn document(&mut self) -> Result<Option<Node>, ScanError> {
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                event if root.is_none() => root = Some(self.node(event, &span)?),
                _ => {
                    self.problem(line(&span), "a second document starts here: write one document");
                    break;
                }
            }
        }
        let empty = matches!(&root, Some(Node { value: Value::Null, .. }));
        Ok(if empty { None } else { root })
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, ScanError> {
        self.parser.next_event().transpose()
    }

    fn node(&mut self, event: Event<'t>, span: &Span) -> Result<Node, ScanError> {
        let line = line(span);
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(line, anchor, tag.as_deref());
                scalar(text, style, tag.as_deref())
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_extras(line, anchor, tag.as_deref());
                let mut items = Vec::new();
                while let Some((event, span)) = self.next()? {
                    if event == Event::SequenceEnd {
                        break;
                    }
                    items.push(self.node(event, &span)?);
                }
                Value::List(items)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_extras(line, anchor, tag.as_deref());
                Value::Map(self.entries()?)
            }
            Event::Alias(_) => {
                self.problem(
                    line,
                    "aliases (`*name`) are not supported: write the value out, or put what connectors share into \
                     `connector_defaults`",
                );
                Value::Refused
            }
            // The parser opens and closes what it opened: nothing else can stand where a node is expected.
            _ => Value::Null,
        };
        Ok(Node { line, value })
    }

    fn entries(&mut self) -> Result<Vec<Entry>, ScanError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, &span)?;
            let Some((event, span)) = self.next()? else { break };
            let node = self.node(event, &span)?;
            let Value::Scalar(text) = key.value else {
                if !matches!(key.value, Value::Refused) {
                    self.problem(
                        key.line,
                        "a key is text: quote it if it starts with `{` or `[`, and write something before the colon",
                    );
                }
                continue;
            };
            // `<<: *name` is one mistake, and the alias was told.
            if text == "<<" && matches!(node.value, Value::Refused) {
                continue;
            }
            if let Some(first) = seen.get(&text) {
                let message =
                    format!("key `{}` is there twice, first on line {first}: remove one", super::text::name(&text));
                self.problem(key.line, &message);
                continue;
            }
            seen.insert(text.clone(), key.line);
            entries.push(Entry { key: text, line: key.line, node });
        }
        Ok(entries)
    }

    /// Anchors and tags would change what a value means in ways that the messages could not explain.
    fn refuse_extras(&mut self, line: usize, anchor: usize, tag: Option<&Tag>) {
        if anchor != 0 {
            let message = "anchors (`&name`) are not supported: quote a value that starts with `&`, and put what \
                           connectors share into `connector_defaults`";
            self.problem(line, message);
        }
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema() && tag.suffix() != "!") {
            self.problem(line, "tags (`!name`) are not supported: quote a value that starts with `!`");
        }
    }
}

/// A plain scalar may be YAML's null; a quoted or tagged one is text.
fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let null = matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
    match style {
        ScalarStyle::Plain if null && tag.is_none() => Value::Null,
        _ => Value::Scalar(text.into_owned()),
    }
}

fn line(span: &Span) -> usize {
    span.start.line()
}
