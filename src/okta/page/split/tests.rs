use proptest::prelude::*;

use super::*;

fn split(body: &str) -> Result<Vec<String>, SplitError> {
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).expect("a slice of a text at its ASCII characters");
    Ok(elements(&Bytes::from(body.to_owned()))?.into_iter().map(text).collect())
}

#[test]
fn elements_are_verbatim_and_in_order() {
    for (body, expected) in [
        ("[]", &[][..]),
        (" [ \r\n\t] \n", &[]),
        ("[1]", &["1"]),
        ("[ 1 , 2 ]", &["1", "2"]),
        (r#"[{"a":1},{"b":2}]"#, &[r#"{"a":1}"#, r#"{"b":2}"#]),
        ("[{\n  \"a\" : [1, 2]\n} ,\t[[], {}]]", &["{\n  \"a\" : [1, 2]\n}", "[[], {}]"]),
        (r#"["a,b]", "{", "\"],[\\"]"#, &[r#""a,b]""#, r#""{""#, r#""\"],[\\""#]),
        (r#"["\\", "\\\"", "\u0022,"]"#, &[r#""\\""#, r#""\\\"""#, r#""\u0022,""#]),
        // Balanced, so told apart; that these are no JSON is for later.
        (r#"[nonsense, {"a" 1}, 01]"#, &["nonsense", r#"{"a" 1}"#, "01"]),
        ("[{},[\u{a0}]]", &["{}", "[\u{a0}]"]),
    ] {
        assert_eq!(split(body).expect(body), expected, "{body}");
    }
}

#[test]
fn i8_a_body_whose_elements_cannot_be_told_apart_is_refused() {
    for (body, expected) in [
        ("", SplitError::CutOff { length: 0 }),
        (" \n", SplitError::CutOff { length: 2 }),
        ("{\"errorCode\":\"E0000009\"}", SplitError::NotAnArray),
        ("null", SplitError::NotAnArray),
        ("<html>", SplitError::NotAnArray),
        ("\u{feff}[]", SplitError::NotAnArray),
        ("[", SplitError::CutOff { length: 1 }),
        ("[{}", SplitError::CutOff { length: 3 }),
        ("[{},", SplitError::CutOff { length: 4 }),
        ("[{\"a\":\"]}", SplitError::CutOff { length: 9 }),
        ("[\"a\\\"]", SplitError::CutOff { length: 6 }),
        ("[\"a\\", SplitError::CutOff { length: 4 }),
        ("[{\"a\":[1}]]", SplitError::Unbalanced { at: 8 }),
        ("[{]", SplitError::Unbalanced { at: 2 }),
        ("[}]", SplitError::Unbalanced { at: 1 }),
        ("[1,]", SplitError::NoElement { at: 3 }),
        ("[,1]", SplitError::NoElement { at: 1 }),
        ("[1, ,2]", SplitError::NoElement { at: 4 }),
        ("[] []", SplitError::TrailingBytes { at: 3 }),
        ("[1]]", SplitError::TrailingBytes { at: 3 }),
        ("[1]\0", SplitError::TrailingBytes { at: 3 }),
    ] {
        assert_eq!(split(body), Err(expected), "{body}");
    }
}

#[test]
fn bytes_that_are_not_utf8_stay_in_their_element() {
    let body = Bytes::from_static(b"[{\"a\":\"\xff\xfe\"},{\"b\":\"\xc3\"},{}]");
    let found = elements(&body).expect("balanced");
    assert_eq!(found, [&b"{\"a\":\"\xff\xfe\"}"[..], b"{\"b\":\"\xc3\"}", b"{}"]);
}

#[test]
fn elements_share_the_bodys_memory() {
    let body = Bytes::from(br#"[{"a":1}, {"b":2}]"#.to_vec());
    let range = body.as_ptr_range();
    for element in elements(&body).expect("balanced") {
        assert!(range.contains(&element.as_ptr()));
    }
}

#[test]
fn nesting_costs_no_call_stack() {
    let depth = 1_000_000;
    let element = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(split(&format!("[{element}]")).expect("balanced"), [element.as_str()]);
    let cut = "[".repeat(depth);
    assert_eq!(split(&cut), Err(SplitError::CutOff { length: depth }));
}

/// Any JSON value as text, with white space wherever JSON allows it and escapes in every spelling.
pub(in super::super) fn json_text() -> impl Strategy<Value = String> {
    let string = prop::collection::vec(
        prop_oneof![
            4 => any::<char>().prop_map(|c| serde_json::to_string(&c).expect("a char").trim_matches('"').to_owned()),
            1 => any::<u16>().prop_map(|unit| format!("\\u{unit:04x}")),
            2 => prop::sample::select(vec!["\\\"", "\\\\", "\\/", "\\n", "[", "]", "{", "}", ",", ":", " "]).prop_map(str::to_owned),
        ],
        0..12,
    )
    // A quote at either end was trimmed with the delimiters, and left its escape behind.
    .prop_map(|parts| parts.into_iter().filter(|part| part != "\\").collect::<String>())
    .prop_map(|text| format!("\"{text}\""));
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:e}")),
        any::<i64>().prop_map(|number| number.to_string()),
        string.clone(),
    ];
    scalar.prop_recursive(5, 40, 6, move |inner| {
        let member =
            (string.clone(), space(), inner.clone()).prop_map(|(name, space, value)| format!("{name}{space}:{value}"));
        prop_oneof![
            (prop::collection::vec(inner, 0..6), space())
                .prop_map(|(items, space)| format!("[{space}{}]", items.join(&format!("{space},")))),
            (prop::collection::vec(member, 0..6), space())
                .prop_map(|(items, space)| format!("{{{}{space}}}", items.join(&format!(",{space}")))),
        ]
    })
}

pub(in super::super) fn space() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec![' ', '\t', '\n', '\r']), 0..3)
        .prop_map(|spaces| spaces.into_iter().collect())
}

fn array(items: &[(String, String, String)]) -> String {
    let items: Vec<_> = items.iter().map(|(before, item, after)| format!("{before}{item}{after}")).collect();
    format!("[{}]", items.join(","))
}

fn items() -> impl Strategy<Value = Vec<(String, String, String)>> {
    prop::collection::vec((space(), json_text(), space()), 0..8)
}

proptest! {
    #[test]
    fn what_was_joined_is_split_again(items in items(), before in space(), after in space()) {
        let body = format!("{before}{}{after}", array(&items));
        let expected: Vec<_> = items.into_iter().map(|(_, item, _)| item).collect();
        prop_assert_eq!(split(&body), Ok(expected));
    }

    #[test]
    fn two_pages_split_as_one(left in items(), right in items()) {
        let together: Vec<_> = left.iter().chain(&right).cloned().collect();
        let mut apart = split(&array(&left)).expect("an array");
        apart.extend(split(&array(&right)).expect("an array"));
        prop_assert_eq!(split(&array(&together)), Ok(apart));
    }

    #[test]
    fn no_cut_off_page_passes_for_a_whole_one(items in items(), cut in any::<prop::sample::Index>()) {
        let body = Bytes::from(array(&items));
        let part = body.slice(..cut.index(body.len()));
        prop_assert_eq!(elements(&part), Err(SplitError::CutOff { length: part.len() }));
    }

    #[test]
    fn changed_bytes_never_panic_and_elements_stay_in_order(
        items in items(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut body = array(&items).into_bytes();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let body = Bytes::from(body);
        if let Ok(found) = ranges(&body) {
            for pair in found.windows(2) {
                prop_assert!(pair[0].end < pair[1].start);
                prop_assert_eq!(body[pair[0].end..pair[1].start].iter().filter(|&&byte| byte == b',').count(), 1);
            }
            // The same elements, joined anew, are split the same.
            let again: Vec<u8> = [b"[".to_vec(), found.iter().map(|range| body[range.clone()].to_vec()).collect::<Vec<_>>().join(&b','), b"]".to_vec()].concat();
            let elements_of = |body: &Bytes| elements(body).map(|found| found.iter().map(|bytes| bytes.to_vec()).collect::<Vec<_>>());
            prop_assert_eq!(elements_of(&Bytes::from(again)), elements_of(&body));
        }
    }
}
