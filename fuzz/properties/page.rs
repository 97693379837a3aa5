//! The page splitter: elements are slices of the body in its order, and a valid page is split as serde_json splits it.

use bytes::Bytes;
use okta_kafka_source::dead_letter::DeadLetter;
use okta_kafka_source::okta::page::{RawElement, split};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// The longest explanation of a dead letter, which stands in its headers.
const LONGEST_REASON: usize = 300;

/// `input`: the body of an answer.
pub fn check(input: &[u8]) {
    let body = Bytes::copy_from_slice(input);
    let expected = serde_json::from_slice::<Vec<&RawValue>>(&body).ok();
    let elements = match split(&body) {
        Ok(elements) => elements,
        Err(error) => {
            assert!(expected.is_none(), "a valid page is refused: {error}");
            assert!(error.to_string().len() < LONGEST_REASON);
            return;
        }
    };
    in_order(&body, &elements);
    if let Some(expected) = expected {
        let expected: Vec<&[u8]> = expected.iter().map(|value| value.get().as_bytes()).collect();
        let found: Vec<&[u8]> = elements.iter().map(|element| element.bytes().as_ref()).collect();
        assert_eq!(found, expected);
    }
    elements.iter().for_each(element);

    // Cut off within the array, it is no page (I8).
    let end = body.iter().rposition(|&byte| byte == b']').expect("an array ends");
    for cut in [end, end / 2, end / 3] {
        assert!(split(&body.slice(..cut)).is_err(), "cut off at {cut}");
    }
    // Joined anew it is split the same, also where every element has to be looked at by itself.
    let joined = elements.iter().map(|element| element.bytes().as_ref()).collect::<Vec<_>>().join(&b","[..]);
    for (before, more) in [(&b"["[..], 0), (if elements.is_empty() { b"[7" } else { b"[7," }, 1)] {
        let again = split(&Bytes::from([before, &joined, b"]"].concat())).expect("the same elements");
        assert_eq!(again[more..], elements[..]);
    }
}

/// Between two elements are one comma and white space, and nothing else.
fn in_order(body: &Bytes, elements: &[RawElement]) {
    let mut end = 0;
    for (index, element) in elements.iter().enumerate() {
        let start = element.bytes().as_ptr() as usize - body.as_ptr() as usize;
        let between: Vec<u8> = body[end..start].iter().copied().filter(|byte| !b" \t\r\n".contains(byte)).collect();
        assert_eq!(between, if index == 0 { b"[" } else { b"," });
        assert!(!element.bytes().is_empty());
        end = start + element.bytes().len();
    }
}

fn element(element: &RawElement) {
    let bytes = element.bytes();
    let is_json = std::str::from_utf8(bytes).is_ok() && serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
    match element {
        RawElement::Event(event) => {
            assert!(is_json && bytes.starts_with(b"{"));
            assert!(!event.uuid.trim().is_empty() && !event.uuid.contains(char::is_control));
            assert!(event.event_type.as_ref().is_none_or(|text| !text.is_empty()));
            if let Some(published) = &event.published {
                assert!(published.millis > 0 && published.text.is_ascii());
            }
            // A consumer who parses the value sees the same key. (Not all that is JSON fits into a tree.)
            if let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) {
                assert_eq!(value["uuid"].as_str(), Some(event.uuid.as_str()));
                assert_eq!(value["eventType"].as_str().filter(|text| !text.is_empty()), event.event_type.as_deref());
            }
        }
        RawElement::Refused(refused) => {
            assert!(refused.reason.to_string().len() < LONGEST_REASON);
            assert!(!refused.reason.to_string().contains(char::is_control));
            assert_eq!(is_json, matches!(refused.reason.as_str(), "NotAnObject" | "MissingUuid"), "{refused:?}");
            match (&refused.uuid, DeadLetter::from(refused.clone()).key()) {
                (Some(uuid), key) => assert_eq!(*uuid, key),
                (None, key) => assert!(key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit())),
            }
        }
    }
}
