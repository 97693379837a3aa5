use serde::de::IgnoredAny;

use super::*;

fn skip(json: &str) -> Result<()> {
    let mut reader = Reader::new(json);
    reader.skip(&Path::Event)?;
    reader.end()
}

#[test]
fn what_is_json_is_what_serde_json_says() {
    for json in [
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.5e+10",
        "1E-2",
        "\"\"",
        " [ 1 , 2 ] ",
        "{\"a\":{\"b\":[]}}",
        "\t{\r\n\"a\" : 1 }\n",
        "\"\\ud800\"",
        "1e99999",
        "[[],[]]",
        "\"\u{7f}\"",
        "\"12345678\\u00e9\"",
        "",
        " ",
        "{",
        "[",
        "]",
        "}",
        "[1,]",
        "[,1]",
        "[,]",
        "{,}",
        "{\"a\":1,}",
        "{\"a\"}",
        "{\"a\":}",
        "{1:2}",
        "[1 2]",
        "{\"a\":1 \"b\":2}",
        "[1}",
        "{\"a\":1]",
        "nul",
        "nulL",
        "tru",
        "truee",
        "fals",
        "01",
        "-",
        "-a",
        "+1",
        ".5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "0x10",
        "NaN",
        "Infinity",
        "\"",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"a\nb\"",
        "\"\u{1}\"",
        "\"12345678\u{1f}\"",
        "\"1234567\t9\"",
        "'a'",
        "{} {}",
        "1 2",
        "[1]]",
        "\u{feff}{}",
        "\u{a0}1",
        "{\"a\":1}x",
        "{a:1}",
        "[\"a\":1]",
        "{\"a\",\"b\"}",
        "-01",
        "1e5.5",
        "--1",
    ] {
        assert_eq!(skip(json).is_ok(), serde_json::from_str::<IgnoredAny>(json).is_ok(), "{json:?}: {:?}", skip(json));
    }
}

#[test]
fn a_string_ends_at_its_quote_wherever_that_stands() {
    for length in 0..40 {
        for (stop, means) in [("\\\"", "\""), ("é", "é"), ("\\\\", "\\")] {
            let json = format!("\"{}{stop}{}\"  ", "x".repeat(length), "y".repeat(40 - length));
            let mut reader = Reader::new(&json);
            assert_eq!(reader.peek(), Ok(b'"'));
            let text = reader.string().expect("a string").unicode().expect("Unicode");
            assert_eq!(text, format!("{}{means}{}", "x".repeat(length), "y".repeat(40 - length)));
            assert_eq!(reader.end(), Ok(()));
        }
        for control in ['\0', '\n', '\u{1f}'] {
            let json = format!("\"{}{control}{}\"", "x".repeat(length), "y".repeat(40 - length));
            assert_eq!(skip(&json), Err(Unencodable::NotJson { at: length + 1 }));
        }
    }
}

#[test]
fn depth_is_bounded_and_the_message_says_where() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(skip(&nested(MAX_DEPTH)), Ok(()));
    // Side by side is not in each other.
    assert_eq!(skip(&format!("[{},{}]", nested(MAX_DEPTH - 1), nested(MAX_DEPTH - 1))), Ok(()));
    assert_eq!(skip(&nested(MAX_DEPTH + 1)), Err(Unencodable::TooDeep { value: format!("{}…", "/0".repeat(60)) }));
    // As deep as a page can be long, it needs no more stack.
    assert!(matches!(skip(&"[".repeat(10_000_000)), Err(Unencodable::TooDeep { .. })));
    assert!(matches!(skip(&"{\"a\":".repeat(10_000_000)), Err(Unencodable::TooDeep { .. })));
}

#[test]
fn a_name_that_is_there_twice_is_found_at_every_place_and_in_every_spelling() {
    let many: String = (0..100).map(|number| format!("\"m{number}\":{number},")).collect();
    let many = format!("{many}\"actor\":0,");
    // The message shows it by the fields' names alone.
    for (json, member) in [
        (r#"{"a":1,"a":1}"#, "/*"),
        (r#"{"b":0,"actor":1,"actor":1}"#, "/actor"),
        (r#"{"actor":1,"b":2,"\u0061ctor":null}"#, "/actor"),
        (r#"{"x":[{"y":{"a/b":1,"a\/b":2}}]}"#, "/*/0/*/*"),
        (r#"{"target":[{"changeDetails":{"to":1,"from":2,"t\u006f":3}}]}"#, "/target/0/changeDetails/to"),
        (r#"{"":1,"":2}"#, "/*"),
        (r#"{"\ud800":1,"\uD800":2}"#, "/*"),
        (&format!("{{{many}\"m7\":0}}"), "/*"),
        (&format!("{{{many}\"actor\":0}}"), "/actor"),
        (&format!("{{{many}\"\\u0061ctor\":0}}"), "/actor"),
    ] {
        assert_eq!(skip(json), Err(Unencodable::DuplicateMember { member: member.to_owned() }), "{json}");
    }
    for json in [
        r#"{"a":{"a":1},"b":{"a":{"a":1}}}"#,
        r#"[{"a":1},{"a":1}]"#,
        r#"{"\ud800":1,"\ud801":2,"\ufffd":3}"#,
        r#"{"a":"a","A":1,"a ":2}"#,
        &format!("{{{many}\"m100\":0}}"),
    ] {
        assert_eq!(skip(json), Ok(()), "{json}");
    }
}
