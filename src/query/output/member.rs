//! A member of an event by its path, without building a JSON tree.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// How deep arrays and objects are followed: no event of Okta's comes near, and each level is read anew.
const MAX_DEPTH: usize = 64;

/// Where a member is: `actor.alternateId`, `target.0.id`, or a JSON Pointer (RFC 6901) as `/debugContext/debugData/a.b`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    text: String,
    parts: Vec<String>,
}

impl Path {
    /// Reads a path; the error says what to write.
    ///
    /// # Errors
    /// A part of it is empty.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<String> = match text.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect(),
            None => text.split('.').map(str::to_owned).collect(),
        };
        if parts.iter().any(String::is_empty) {
            return Err("write a member, as `actor.alternateId`, or a JSON Pointer, as `/actor/alternateId`".to_owned());
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The values there: of each element, where an array is met without an index. Strings are their text, other values their
    /// JSON; null is none.
    pub fn values(&self, event: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        let text = String::from_utf8_lossy(event);
        if let Ok(value) = serde_json::from_str::<&RawValue>(&text) {
            find(value, &self.parts, MAX_DEPTH, &mut found);
        }
        found
    }

    /// The first of [`values`](Self::values).
    pub fn first(&self, event: &[u8]) -> Option<String> {
        self.values(event).into_iter().next()
    }
}

fn find(value: &RawValue, parts: &[String], deeper: usize, found: &mut Vec<String>) {
    let json = value.get();
    let Some((name, rest)) = parts.split_first() else {
        found.extend(shown(json));
        return;
    };
    let Some(deeper) = deeper.checked_sub(1) else { return };
    if json.starts_with('{') {
        let members: HashMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
        if let Some(member) = members.get(name) {
            find(member, rest, deeper, found);
        }
    } else if json.starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
        match name.parse::<usize>() {
            Ok(index) => elements.get(index).into_iter().for_each(|element| find(element, rest, deeper, found)),
            Err(_) => elements.into_iter().for_each(|element| find(element, parts, deeper, found)),
        }
    }
}

fn shown(json: &str) -> Option<String> {
    match json {
        "null" => None,
        // What is no Unicode text stays as it is written.
        _ if json.starts_with('"') => Some(serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())),
        _ => Some(json.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_both_kinds_of_path() {
        let event = br#"{"a":{"b":"x\"y","n":1.0e400,"z":null,"o":{"k": 1}},"t":[{"id":"1"},{"id":null},{"id":"2"}],"d.e":{"f/g":true},"a.b":"no","s":"\ud800"}"#;
        let rows: [(&str, &[&str]); 12] = [
            ("a.b", &["x\"y"]),
            ("a.n", &["1.0e400"]),
            ("a.z", &[]),
            ("a.missing.deeper", &[]),
            ("a.o", &["{\"k\": 1}"]),
            ("t.id", &["1", "2"]),
            ("t.2.id", &["2"]),
            ("/t/0/id", &["1"]),
            ("t.9.id", &[]),
            ("/d.e/f~1g", &["true"]),
            ("/a.b", &["no"]),
            ("s", &["\"\\ud800\""]),
        ];
        for (path, expected) in rows {
            assert_eq!(Path::parse(path).unwrap().values(event), expected, "{path}");
        }
        for wrong in ["", ".", "a.", "/", "/a/", "a..b"] {
            assert!(Path::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Path::parse("a").unwrap().values(b"7").is_empty());
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Path::parse("a").unwrap().values(deep.as_bytes()).is_empty());
    }
}
