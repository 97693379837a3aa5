//! `filter` and `q` of a connector: what Okta is sure to refuse is told before it is asked, with a caret under its place, and what
//! is probably a slip is a warning. Anything else is Okta's to judge.

use super::section::{Context, Field, Text};
use super::text;
use crate::okta::filter::{self, FilterProblem};

/// Reads `filter`; empty is the same as absent.
pub(super) fn read_filter(context: &mut Context<'_>, field: &Field<'_>) -> Option<Option<String>> {
    let read = context.text(field)?;
    if let Err(problem) = filter::check(&read.value) {
        context.refuse(field, with_caret(&read, &problem));
        return None;
    }
    for problem in filter::advice(&read.value) {
        context.warning(&field.path, field.node.line, in_words(&read, &problem));
    }
    Some(Some(read.value).filter(|value| !value.is_empty()))
}

/// Reads `q`; empty is the same as absent.
pub(super) fn read_q(context: &mut Context<'_>, field: &Field<'_>) -> Option<Option<String>> {
    let read = context.text(field)?;
    if let Err(problem) = filter::check_q(&read.value) {
        context.refuse(field, with_caret(&read, &problem));
        return None;
    }
    Some(Some(read.value).filter(|value| !value.is_empty()))
}

/// Three lines: what is wrong, where it stands, and the caret.
fn with_caret(read: &Text, problem: &FilterProblem) -> String {
    let words = in_words(read, problem);
    if !is_shown(read) {
        return words;
    }
    let mut message = words;
    for line in filter::caret(&read.value, problem.position).lines() {
        message.push_str("\n    ");
        message.push_str(line);
    }
    message
}

/// What is wrong, with parts of the value only where it may be shown.
fn in_words(read: &Text, problem: &FilterProblem) -> String {
    if is_shown(read) {
        return problem.to_string();
    }
    format!("`{}`: what stands at character {} of its value {}", read.shown(), problem.position + 1, problem.general())
}

/// What came from outside is never shown, nor what somebody wrote under the wrong key.
fn is_shown(read: &Text) -> bool {
    read.template.is_literal() && text::is_harmless(&read.value)
}
