//! One thing that is wrong with a filter, and where.

use std::fmt;

use unicode_width::UnicodeWidthStr;

/// The longest part of a filter that a message repeats, in characters.
const MAX_FOUND: usize = 40;
/// How many characters around the caret are shown.
const BEFORE: usize = 60;
const AFTER: usize = 50;

/// One thing that is wrong with a filter or a `q`.
///
/// Its Display is lower-case, has values in backticks and ends in what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterProblem {
    /// Where, in characters from 0, as Okta counts in its own complaints; at the end of the text, its length.
    pub position: usize,
    message: String,
    general: &'static str,
}

impl FilterProblem {
    /// At a byte of `text`; `found` is put into the message in front of `general`.
    pub(super) fn new(text: &str, byte: usize, found: impl fmt::Display, general: &'static str) -> Self {
        let position = text.get(..byte).unwrap_or(text).chars().count();
        let found = found.to_string();
        let message = if found.is_empty() { general.to_owned() } else { format!("{found} {general}") };
        Self { position, message, general }
    }

    /// What is wrong and what to write, with nothing of the text itself, for a text that must not be shown.
    pub fn general(&self) -> &'static str {
        self.general
    }
}

impl fmt::Display for FilterProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A part of the text in backticks, on one line and not too long.
pub(super) fn shown(part: &str) -> String {
    let mut found: String =
        part.chars().take(MAX_FOUND).map(|c| if c.is_control() || c == '`' { ' ' } else { c }).collect();
    if part.chars().nth(MAX_FOUND).is_some() {
        found.push('…');
    }
    format!("`{found}`")
}

/// Two lines: what stands around `position` (in characters from 0) of `text`, and a caret under it.
pub fn caret(text: &str, position: usize) -> String {
    let characters: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let position = position.min(characters.len());
    let start = position.saturating_sub(BEFORE);
    let end = characters.len().min(position + AFTER);
    let mut line = String::new();
    if start > 0 {
        line.push('…');
    }
    line.extend(&characters[start..position]);
    // In columns of a terminal: some characters (as 美) take two.
    let column = line.width();
    line.extend(&characters[position..end]);
    if end < characters.len() {
        line.push('…');
    }
    format!("{line}\n{}^", " ".repeat(column))
}

/// The position that Okta names in a complaint, as `…'eqq' at position 16. Expected: …`, in characters from 0.
///
/// The last one counts: the complaint repeats the filter, which may hold the same words.
pub fn complained_position(summary: &str) -> Option<usize> {
    let (_, after) = summary.rsplit_once(" at position ")?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..digits].parse().ok()
}
