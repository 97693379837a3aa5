use proptest::prelude::*;

use super::split::tests::{json_text, space};
use super::*;

/// What a test compares: each element's fate and bytes.
fn shown(body: &[u8]) -> Result<Vec<(String, Vec<u8>)>, SplitError> {
    let shown = |element: &RawElement| {
        let fate = match element {
            RawElement::Event(event) => event.uuid.clone(),
            RawElement::Refused(refused) => refused.reason.as_str().to_owned(),
        };
        (fate, element.bytes().to_vec())
    };
    Ok(split(&Bytes::copy_from_slice(body))?.iter().map(shown).collect())
}

#[test]
fn one_bad_element_is_one_dead_letter_and_the_page_goes_on() {
    for (bad, reason) in [
        (&b"7"[..], "NotAnObject"),
        (b"null", "NotAnObject"),
        (b"[{\"uuid\":\"x\"}]", "NotAnObject"),
        (b"{}", "MissingUuid"),
        (b"{\"uuid\":\"x\",}", "NotJson"),
        (b"{\"uuid\":\"x\"}{}", "NotJson"),
        (b"{\"uuid\":\"x\"} \"\"", "NotJson"),
        (b"{\"uuid\":\"x\",\"y\":\"\xc3\x28\"}", "NotUtf8"),
    ] {
        let good = |uuid: &str| (uuid.to_owned(), format!("{{\"uuid\":\"{uuid}\"}}").into_bytes());
        let body = [b"[ ", &good("a").1[..], b",\n", bad, b" ,", &good("b").1, b"]"].concat();
        let expected = vec![good("a"), (reason.to_owned(), bad.to_vec()), good("b")];
        assert_eq!(shown(&body), Ok(expected), "{}", String::from_utf8_lossy(&body));
    }
}

#[test]
fn i8_half_an_element_is_no_page() {
    for body in ["[{\"uuid\":\"a\"},{\"uuid\":\"b\"", "[{\"uuid\":\"a\"}", "[{\"uuid\":\"a\"},", "[", ""] {
        assert_eq!(shown(body.as_bytes()), Err(SplitError::CutOff { length: body.len() }));
    }
}

#[test]
fn an_element_says_what_it_is_whatever_its_fate() {
    let body = br#"[{"uuid":"a","published":"2024-08-13T15:58:20.3Z"},{"published":"2024-08-13T15:58:20.4Z"},{}]"#;
    let elements = split(&Bytes::from_static(body)).expect("a page");
    let found: Vec<_> = elements.iter().map(|element| (element.uuid(), element.published())).collect();
    let expected = [(Some("a"), Some("2024-08-13T15:58:20.3Z")), (None, Some("2024-08-13T15:58:20.4Z")), (None, None)];
    assert_eq!(found, expected);
}

/// A page in which most elements are events.
fn page() -> impl Strategy<Value = Vec<u8>> {
    let event = (json_text(), space(), json_text(), "[a-c]{0,3}").prop_map(|(before, space, after, uuid)| {
        format!("{{\"x\":{before},{space}\"uuid\"{space}:\"{uuid}\",\"y\":{after}}}")
    });
    let element = (space(), prop_oneof![8 => event, 1 => json_text()], space());
    let element = element.prop_map(|(before, element, after)| format!("{before}{element}{after}"));
    prop::collection::vec(element, 0..6).prop_map(|elements| format!("[{}]", elements.join(",")).into_bytes())
}

proptest! {
    #[test]
    fn one_pass_and_one_by_one_agree(
        page in page(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            any::<u8>(), prop::sample::select(b"[]{}\",:\\ ".to_vec())
        ]), 0..4),
    ) {
        let mut body = page;
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let body = Bytes::from(body);
        prop_assert_eq!(split(&body), one_by_one(&body), "{}", String::from_utf8_lossy(&body));
    }

    #[test]
    fn two_pages_are_read_as_one(left in page(), right in page()) {
        let (inner, other) = (&left[1..left.len() - 1], &right[1..right.len() - 1]);
        prop_assume!(!inner.is_empty() && !other.is_empty());
        let mut apart = shown(&left).expect("an array");
        apart.extend(shown(&right).expect("an array"));
        prop_assert_eq!(shown(&[b"[", inner, b",", other, b"]"].concat()), Ok(apart));
    }
}
