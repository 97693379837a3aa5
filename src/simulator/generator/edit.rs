//! Small changes to an event's text that leave all its other bytes as they are.
//!
//! Paths are member names and places in arrays, as `request/ipChain/0`; the names that the simulated org itself writes
//! hold no `/`. The text is an event that this generator wrote: compact JSON.

use std::ops::Range;

/// Sets the value at `path`, as the last member where its object has none of that name. Gives false, and changes
/// nothing, where the object or the array is not there.
pub(super) fn set(text: &mut String, path: &str, value: &str) -> bool {
    if let Some(range) = find(text, path) {
        text.replace_range(range, value);
        return true;
    }
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    add(text, parent, &format!("\"{name}\":{value}"))
}

/// Adds members, as `"a":1,"b":2`, behind the last one of the object at `path`; the event itself is at the empty path.
/// Gives false, and changes nothing, where no object is there.
pub(super) fn add(text: &mut String, path: &str, members: &str) -> bool {
    let Some(range) = find(text, path) else { return false };
    if !text[range.clone()].starts_with('{') {
        return false;
    }
    let comma = if text[range.clone()] == *"{}" { "" } else { "," };
    text.insert_str(range.end - 1, &format!("{comma}{members}"));
    true
}

/// Takes a member out, with its name and its comma.
pub(super) fn remove(text: &mut String, path: &str) -> bool {
    let Some(range) = find(text, path) else { return false };
    let name = path.rsplit('/').next().unwrap_or(path);
    let start = range.start - name.len() - r#""":"#.len();
    match (text.as_bytes()[range.end], text.as_bytes()[start - 1]) {
        (b',', _) => text.replace_range(start..=range.end, ""),
        (_, b',') => text.replace_range(start - 1..range.end, ""),
        _ => text.replace_range(start..range.end, ""),
    }
    true
}

/// The value at `path`.
pub(super) fn find(text: &str, path: &str) -> Option<Range<usize>> {
    let mut range = 0..text.len();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        range = step(text, range, part)?;
    }
    Some(range)
}

/// The member or the element `part` of the value at `range`.
fn step(text: &str, range: Range<usize>, part: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let is_object = match bytes[range.start] {
        b'{' => true,
        b'[' => false,
        _ => return None,
    };
    let (mut place, mut at) = (0, range.start + 1);
    while at < range.end - 1 {
        let mut found = !is_object && part.parse() == Ok(place);
        if is_object {
            let name_end = value_end(bytes, at);
            found = text[at + 1..name_end - 1] == *part;
            at = name_end + 1;
        }
        let end = value_end(bytes, at);
        if found {
            return Some(at..end);
        }
        place += 1;
        // Over the comma.
        at = end + 1;
    }
    None
}

/// Where the value ends that begins at `start`.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut in_text, mut at) = (0_usize, false, start);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            // A bare value ends where what it is in goes on, or ends.
            b',' | b':' if !in_text && depth == 0 => return at,
            b'}' | b']' if !in_text && depth == 0 => return at,
            b'}' | b']' if !in_text => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 && !in_text && matches!(bytes[at - 1], b'"' | b'}' | b']') {
            return at;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"a":"x,\"}","b":{"c":[1,{"d":null},"]"],"e":{}},"f":-1.5e3}"#;

    #[test]
    fn values_are_found_changed_added_and_taken_out() {
        for (path, expected) in [
            ("", Some(EVENT)),
            ("a", Some(r#""x,\"}""#)),
            ("b/c/0", Some("1")),
            ("b/c/1/d", Some("null")),
            ("b/c/2", Some(r#""]""#)),
            ("b/c/3", None),
            ("b/e", Some("{}")),
            ("b/e/x", None),
            ("a/x", None),
            ("f", Some("-1.5e3")),
            ("d", None),
        ] {
            assert_eq!(find(EVENT, path).map(|range| &EVENT[range]), expected, "{path}");
        }
        let changed = |change: &dyn Fn(&mut String) -> bool| {
            let mut text = EVENT.to_owned();
            change(&mut text).then_some(text)
        };
        for (is, expected) in [
            (changed(&|text| set(text, "f", "7")), Some(EVENT.replace("-1.5e3", "7"))),
            (changed(&|text| set(text, "b/e/x", "7")), Some(EVENT.replace("{}", r#"{"x":7}"#))),
            (changed(&|text| add(text, "", r#""g":7"#)), Some(EVENT.replace("e3}", r#"e3,"g":7}"#))),
            (changed(&|text| add(text, "b/c/1", r#""x":7"#)), Some(EVENT.replace("null}", r#"null,"x":7}"#))),
            (changed(&|text| add(text, "f", r#""x":7"#)), None),
            (changed(&|text| set(text, "g/x", "7")), None),
            (changed(&|text| remove(text, "a")), Some(EVENT.replace(r#""a":"x,\"}","#, ""))),
            (changed(&|text| remove(text, "f")), Some(EVENT.replace(r#","f":-1.5e3"#, ""))),
            (changed(&|text| remove(text, "b/c/1/d")), Some(EVENT.replace(r#""d":null"#, ""))),
            (changed(&|text| remove(text, "g")), None),
        ] {
            assert_eq!(is, expected);
        }
    }
}
