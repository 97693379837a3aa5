//! What Okta refuses of a `filter`, as far as its words are known. No filter filters here; one that none of these rules
//! is about passes, right or wrong.

use super::error_body::OktaError;

/// The members of a LogEvent, the only fields there are; what is below them is not looked at.
const FIELDS: [&str; 18] = [
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
    // Stands in the reference's example of another mistake.
    "display_message",
];

/// With `ew` and `ne`, which came later than the text of the refusal.
const OPERATORS: [&str; 11] = ["eq", "ne", "gt", "ge", "lt", "le", "sw", "ew", "co", "pr", "in"];

/// `co` on these is refused.
const NOT_SEARCHED: [&str; 2] = ["debugContext.debugData.url", "debugContext.debugData.requestUri"];

/// Checks what is known of a filter.
///
/// # Errors
/// An operator that there is none of, a field that there is none of, and `co` where that is not supported, in this order.
pub(super) fn check(filter: &str) -> Result<(), OktaError> {
    let words = words(filter);
    let mut at = 0;
    while let Some((_, field)) = words.get(at) {
        if ["and", "or", "not"].iter().any(|word| field.eq_ignore_ascii_case(word)) {
            at += 1;
            continue;
        }
        let Some((position, operator)) = words.get(at + 1) else { return Ok(()) };
        let known = OPERATORS.iter().find(|known| operator.eq_ignore_ascii_case(known));
        let Some(known) = known else {
            return Err(OktaError::UnknownOperator {
                filter: filter.to_owned(),
                operator: (*operator).to_owned(),
                position: *position,
            });
        };
        if !FIELDS.contains(&field.split('.').next().unwrap_or_default()) {
            return Err(OktaError::InvalidField { field: (*field).to_owned() });
        }
        if *known == "co" && NOT_SEARCHED.contains(field) {
            return Err(OktaError::UnsupportedFilter { field: (*field).to_owned() });
        }
        at += if *known == "pr" { 2 } else { 3 };
    }
    Ok(())
}

/// The words with their positions, counted in bytes from 0; a text in quotes is one, and parentheses are none.
fn words(filter: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut rest = filter;
    loop {
        rest = rest.trim_start_matches([' ', '(', ')']);
        if rest.is_empty() {
            return words;
        }
        let length = match rest.strip_prefix('"') {
            Some(quoted) => quoted.find('"').map_or(rest.len(), |end| end + 2),
            None => rest.find([' ', '(', ')']).unwrap_or(rest.len()),
        };
        words.push((filter.len() - rest.len(), &rest[..length]));
        rest = &rest[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_and_what_passes() {
        let unknown = |filter: &str, operator: &str, position| {
            let (filter, operator) = (filter.to_owned(), operator.to_owned());
            Err(OktaError::UnknownOperator { filter, operator, position })
        };
        // The reference's own example.
        let example = "display_message eqq \"Create okta user\"";
        assert_eq!(check(example), unknown(example, "eqq", 16));
        let second = "(eventType eq \"a b\") and actor.id is \"x\"";
        assert_eq!(check(second), unknown(second, "is", 34));
        let field = |field: &str| Err(OktaError::InvalidField { field: field.to_owned() });
        assert_eq!(check("some_invalid_field eq \"x\""), field("some_invalid_field"));
        assert_eq!(check("EventType eq \"x\""), field("EventType"));
        let url = "debugContext.debugData.url";
        let unsupported = OktaError::UnsupportedFilter { field: url.to_owned() };
        assert_eq!(check(&format!("{url} co \"x\"")), Err(unsupported));
        for passes in [
            "",
            "eventType eq \"user.session.start\"",
            "eventType EQ \"a\" OR (not (severity pr) and target.id co \"b c\")",
            "debugContext.debugData.url sw \"/api\"",
            "eventType",
        ] {
            assert_eq!(check(passes), Ok(()), "{passes}");
        }
    }
}
