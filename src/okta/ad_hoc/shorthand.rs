//! Questions that are asked often, as the SCIM filter that asks them.

use crate::okta::filter;

/// Each several values, of which one has to match; all that are given have to match together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shorthands {
    /// `eventType`.
    pub event_types: Vec<String>,
    /// Login or id of the actor.
    pub actors: Vec<String>,
    /// Login or id of a target.
    pub targets: Vec<String>,
    /// The client's address.
    pub ips: Vec<String>,
    /// `outcome.result`.
    pub outcomes: Vec<String>,
    /// `severity`.
    pub severities: Vec<String>,
}

impl Shorthands {
    /// The filter that asks for these and for `filter`, which stays as it was written where it is alone.
    pub fn filter(&self, filter: Option<&str>) -> Option<String> {
        let plain = |attribute: &str, values: &[String]| any(values.iter().map(|value| is(attribute, value)));
        let who = |of: &str, values: &[String]| any(values.iter().flat_map(|value| person(of, value)));
        let terms = [
            plain("eventType", &self.event_types),
            who("actor", &self.actors),
            who("target", &self.targets),
            plain("client.ipAddress", &self.ips),
            plain("outcome.result", &self.outcomes),
            plain("severity", &self.severities),
        ];
        let terms: Vec<String> = terms.into_iter().flatten().collect();
        let filter = filter.map(str::trim).filter(|filter| !filter.is_empty());
        match (filter, terms.is_empty()) {
            (None, true) => None,
            (None, false) => Some(terms.join(" and ")),
            (Some(filter), true) => Some(filter.to_owned()),
            (Some(filter), false) => Some(format!("({filter}) and {}", terms.join(" and "))),
        }
    }
}

/// Whoever is called so. What looks like an id may be a login all the same; a login never looks like one by its `@`.
fn person(of: &str, value: &str) -> Vec<String> {
    let login = is(&format!("{of}.alternateId"), value);
    if looks_like_id(value) { vec![is(&format!("{of}.id"), value), login] } else { vec![login] }
}

/// Okta's ids have twenty characters, as `00u1ab2cd3EF4gh5IJ6k`.
fn looks_like_id(value: &str) -> bool {
    value.len() == 20 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is(attribute: &str, value: &str) -> String {
    format!("{attribute} eq {}", filter::quote(value))
}

fn any(terms: impl Iterator<Item = String>) -> Option<String> {
    let terms: Vec<String> = terms.collect();
    match terms.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        _ => Some(format!("({})", terms.join(" or "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorthands_become_a_filter() {
        let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let none = Shorthands::default();
        let rows: [(Shorthands, Option<&str>, Option<&str>); 8] = [
            (none.clone(), None, None),
            (none.clone(), Some(" severity eq \"WARN\" "), Some("severity eq \"WARN\"")),
            (
                Shorthands { event_types: texts(&["user.session.start"]), ..none.clone() },
                None,
                Some("eventType eq \"user.session.start\""),
            ),
            (
                Shorthands { event_types: texts(&["a", "b"]), outcomes: texts(&["DENY"]), ..none.clone() },
                None,
                Some("(eventType eq \"a\" or eventType eq \"b\") and outcome.result eq \"DENY\""),
            ),
            (
                Shorthands { actors: texts(&["john.doe"]), ips: texts(&["192.0.2.1"]), ..none.clone() },
                Some("severity pr or version pr"),
                Some(
                    "(severity pr or version pr) and actor.alternateId eq \"john.doe\" and client.ipAddress eq \"192.0.2.1\"",
                ),
            ),
            (
                Shorthands { targets: texts(&["00u1ab2cd3EF4gh5IJ6k"]), severities: texts(&["INFO"]), ..none.clone() },
                None,
                Some(
                    "(target.id eq \"00u1ab2cd3EF4gh5IJ6k\" or target.alternateId eq \"00u1ab2cd3EF4gh5IJ6k\") and severity eq \"INFO\"",
                ),
            ),
            (
                Shorthands { actors: texts(&["x\" or \"1\" eq \"1\\"]), ..none.clone() },
                None,
                Some("actor.alternateId eq \"x\\\" or \\\"1\\\" eq \\\"1\\\\\""),
            ),
            (none, Some("  "), None),
        ];
        for (shorthands, filter, expected) in rows {
            assert_eq!(shorthands.filter(filter).as_deref(), expected, "{shorthands:?} {filter:?}");
        }
    }
}
