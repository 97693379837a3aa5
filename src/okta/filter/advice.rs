//! What of a filter Okta may accept, and which is yet probably not what was meant.

use super::expression::{Comparison, walk};
use super::problem::{FilterProblem, shown};
use super::token::Kind;
use crate::okta::event_types;
use crate::spelling::distance;

/// The members of a LogEvent.
const MEMBERS: [&str; 17] = [
    "actor",
    "authenticationContext",
    "client",
    "debugContext",
    "device",
    "displayMessage",
    "eventType",
    "legacyEventType",
    "outcome",
    "published",
    "request",
    "securityContext",
    "severity",
    "target",
    "transaction",
    "uuid",
    "version",
];

const GENERAL_EVENT_TYPE: &str =
    "is not in Okta's catalogue of event types: check its spelling, unless it is a newer one";
const GENERAL_NONE_SUCH: &str =
    "fits no name of Okta's catalogue of event types: check its spelling, unless it is a newer one";
const GENERAL_MEMBER: &str =
    "is no attribute of a System Log event, and Okta compares names with their case: check its spelling";
const GENERAL_SINGLE: &str = "is in single quotes, which Okta does not document: write double quotes";

/// What is worth a word in a filter that [`check`](super::check) lets through, in its order: event types that are not in
/// the catalogue, attributes that look like a slip, strings in single quotes. All of it may be right.
pub fn advice(filter: &str) -> Vec<FilterProblem> {
    let mut found = Vec::new();
    // A problem is the other function's to tell.
    let _ = walk(filter, true, &mut |comparison| found.extend(of(filter, &comparison)));
    found.extend(single_quotes(filter));
    found
}

fn of(filter: &str, comparison: &Comparison<'_>) -> Option<FilterProblem> {
    let path = comparison.path;
    if path.text != "eventType" {
        let (member, rest) = path.text.split_at(path.text.find('.').unwrap_or(path.text.len()));
        let meant = meant_member(member)?;
        let found = format!("{} (did you mean `{meant}{rest}`?)", shown(path.text));
        return Some(FilterProblem::new(filter, path.at, found, GENERAL_MEMBER));
    }
    let value = comparison.value.filter(|value| value.kind == Kind::Text)?;
    let text: String = serde_json::from_str(value.text).ok()?;
    let operator = comparison.operator.text.to_ascii_lowercase();
    let any = |fits: &dyn Fn(&str) -> bool| event_types::all().iter().any(|known| fits(known));
    let (known, general) = match operator.as_str() {
        "eq" | "ne" => (event_types::is_known(&text), GENERAL_EVENT_TYPE),
        "sw" => (any(&|known| known.starts_with(&text)), GENERAL_NONE_SUCH),
        "ew" => (any(&|known| known.ends_with(&text)), GENERAL_NONE_SUCH),
        "co" => (any(&|known| known.contains(&text)), GENERAL_NONE_SUCH),
        _ => return None,
    };
    if known {
        return None;
    }
    let meant: Vec<String> = event_types::suggestions(&text).iter().map(|name| format!("`{name}`")).collect();
    let found = match meant.is_empty() {
        true => shown(&text),
        false => format!("{} (did you mean {}?)", shown(&text), meant.join(" or ")),
    };
    Some(FilterProblem::new(filter, value.at, found, general))
}

/// The member that an unknown first part of a path was meant to be, if it is a slip: another case, `_`, or a letter or two.
fn meant_member(member: &str) -> Option<&'static str> {
    if MEMBERS.contains(&member) || member.len() > 30 {
        return None;
    }
    let fold = |name: &str| -> Vec<char> { name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect() };
    let folded = fold(member);
    let allowed = if folded.len() < 6 { 1 } else { 2 };
    MEMBERS
        .iter()
        .map(|known| (distance(&folded, &fold(known)), *known))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, known)| known)
}

/// The first string in single quotes, if it stands where a value does.
fn single_quotes(filter: &str) -> Option<FilterProblem> {
    let mut before = None;
    super::token::tokens(filter, true).find_map(|token| {
        let follows_operator = before.replace(token).is_some_and(|before: super::token::Token<'_>| {
            super::expression::OPERATORS.iter().any(|known| *known != "pr" && before.is_word(known))
        });
        let is_single = token.kind == Kind::Word && token.text.starts_with('\'');
        (follows_operator && is_single).then(|| FilterProblem::new(filter, token.at, shown(token.text), GENERAL_SINGLE))
    })
}
