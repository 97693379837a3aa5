//! The few members of an event that tell a person what happened; its type is in a header.

use serde_json::Value;

/// Longest text shown of a member.
const MAX_TEXT: usize = 48;

/// Members to show, in Okta's order; a second name is a member of the first.
const SHOWN: [(&str, Option<&str>); 3] =
    [("actor", Some("displayName")), ("displayMessage", None), ("outcome", Some("result"))];

/// A LogEvent on one line, shortened: a few members, and `…` for the others.
///
/// What is no JSON object is shown as text, shortened too.
pub fn excerpt(value: &[u8]) -> String {
    let Ok(Value::Object(event)) = serde_json::from_slice(value) else {
        return shortened(&String::from_utf8_lossy(value));
    };
    let mut members = Vec::new();
    for (name, inner) in SHOWN {
        let Some(found) = event.get(name) else { continue };
        match (inner, found.as_object()) {
            (None, _) => members.push(format!(r#""{name}": {}"#, text(found))),
            (Some(inner), Some(object)) => {
                if let Some(value) = object.get(inner) {
                    members.push(format!(r#""{name}": {{"{inner}": {}, …}}"#, text(value)));
                }
            }
            (Some(_), None) => {}
        }
    }
    members.push("…}".to_owned());
    format!("{{{}", members.join(", "))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => Value::String(shortened(text)).to_string(),
        Value::Object(_) => "{…}".to_owned(),
        Value::Array(_) => "[…]".to_owned(),
        other => other.to_string(),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_few_members_on_one_line() {
        let long = "x".repeat(60);
        let rows = [
            (
                r#"{"actor":{"id":"1","displayName":"Ada"},"client":null,"displayMessage":"User login","eventType":"user.session.start","outcome":{"result":"SUCCESS","reason":null},"uuid":"u"}"#
                    .to_owned(),
                r#"{"actor": {"displayName": "Ada", …}, "displayMessage": "User login", "outcome": {"result": "SUCCESS", …}, …}"#
                    .to_owned(),
            ),
            (r#"{"displayMessage":null,"actor":{"displayName":[]}}"#.to_owned(), r#"{"actor": {"displayName": […], …}, "displayMessage": null, …}"#.to_owned()),
            (r#"{"displayMessage":"a\nb"}"#.to_owned(), r#"{"displayMessage": "a\nb", …}"#.to_owned()),
            (long.clone(), format!("{}…", &long[..48])),
            (format!("{{\"displayMessage\":\"{}\"}}", "é".repeat(60)), format!("{{\"displayMessage\": \"{}…\", …}}", "é".repeat(48))),
        ];
        for (value, expected) in rows {
            assert_eq!(excerpt(value.as_bytes()), expected);
        }
    }
}
