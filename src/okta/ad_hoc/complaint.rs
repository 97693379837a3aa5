//! Where in the filter Okta's complaint is about: for a caret under it.

use crate::okta::filter;

/// The filter on a line and a caret under the place that the complaint names; `None` where it names none.
///
/// Okta says `… at position 16. …`, counted from 0, or names the field: `field is not valid: x`, `…, Field: x`.
pub fn marked(filter: &str, complaint: &str) -> Option<String> {
    // It repeats the filter first, which may hold the same words.
    let complaint = complaint.rsplit_once("': ").map_or(complaint, |(_, reason)| reason);
    let position = filter::complained_position(complaint).filter(|position| *position <= filter.chars().count());
    position.or_else(|| field(filter, complaint)).map(|position| filter::caret(filter, position))
}

/// Where the field that it names stands outside of quotation marks.
fn field(filter: &str, complaint: &str) -> Option<usize> {
    let name = ["field is not valid: ", "Field: "].iter().find_map(|before| complaint.rsplit_once(before))?.1;
    let name = name.trim().trim_end_matches(['.', '`', '\'', '"']).trim();
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '$' | ':');
    let mut is_quoted = false;
    let mut is_escaped = false;
    let mut before = ' ';
    for (index, (at, character)) in filter.char_indices().enumerate() {
        if !is_quoted && !is_part(before) && !name.is_empty() {
            let rest = &filter[at..];
            if rest.starts_with(name) && !rest[name.len()..].starts_with(is_part) {
                return Some(index);
            }
        }
        is_quoted ^= character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        before = character;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_is_under_the_place() {
        let rows: [(&str, &str, Option<usize>); 10] = [
            // The reference's own examples.
            (
                "display_message eqq \"Create okta user\"",
                "Invalid filter 'display_message eqq \"Create okta user\"': Unrecognized attribute operator 'eqq' at position 16. Expected: eq,co",
                Some(16),
            ),
            ("some_invalid_field eq \"a\"", "field is not valid: some_invalid_field", Some(0)),
            (
                "eventType eq \"Field: debugContext.debugData.url\" and debugContext.debugData.url co \"x\"",
                "The supplied combination of operator and field is not currently supported. Operator: co, Field: debugContext.debugData.url",
                Some(53),
            ),
            ("é eqq \"a\"", "x at position 2. Expected: eq", Some(2)),
            ("a eq \"b\"", "at position 99", None),
            (
                "a eq \"b at position 2. Expected\"",
                "Invalid filter 'a eq \"b at position 2. Expected\"': not a field",
                None,
            ),
            (
                "a eq \"it's': b at position 2\" or b eqq 1",
                "Invalid filter 'a eq \"it's': b … eqq 1': no 'eqq' at position 33.",
                Some(33),
            ),
            ("actor.idx pr or actor.id pr", "field is not valid: actor.id", Some(16)),
            ("a eq \"b\"", "Api validation failed: 'q'", None),
            ("a eq \"b\"", "field is not valid: ", None),
        ];
        for (filter, complaint, expected) in rows {
            let expected = expected.map(|place| format!("{filter}\n{}^", " ".repeat(place)));
            assert_eq!(marked(filter, complaint), expected, "{complaint}");
        }
    }
}
