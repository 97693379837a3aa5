use super::*;

fn event(json: &str) -> Result<RawEvent, RefusedElement> {
    read(&Bytes::from(json.to_owned()))
}

fn reason(json: &str) -> RefusalReason {
    event(json).expect_err(json).reason
}

#[test]
fn the_envelope_is_the_top_levels() {
    let json = r#"{"actor":{"uuid":"no","published":"no","eventType":"no"},"published":"2024-08-13T15:58:20.353Z",
        "eventType":"user.session.start","uuid":"dc9fd3c0-598c-11ef-8478-2b7584bf8d5a","target":[{"uuid":"no"}]}"#;
    let event = event(json).expect("an event");
    assert_eq!(event.bytes, json.as_bytes(), "the bytes stay as they are");
    assert_eq!(event.uuid, "dc9fd3c0-598c-11ef-8478-2b7584bf8d5a");
    assert_eq!(event.event_type.as_deref(), Some("user.session.start"));
    let published = event.published.expect("a time");
    assert_eq!((published.text.as_str(), published.millis), ("2024-08-13T15:58:20.353Z", 1_723_564_700_353));
}

#[test]
fn an_event_needs_nothing_but_its_uuid() {
    for (json, published, event_type) in [
        (r#"{"uuid":"a"}"#, false, false),
        (r#"{"uuid":"a","published":null,"eventType":null}"#, false, false),
        (r#"{"uuid":"a","published":"yesterday","eventType":""}"#, false, false),
        (r#"{"uuid":"a","published":1723564700353,"eventType":["a"]}"#, false, false),
        (r#"{"uuid":"a","published":"2024-08-13T15:58:20.3Z","eventType":"x"}"#, true, true),
        (r#"{"\u0075uid":"\u0061","publishe\u0064":"2024-08-13T15:58:20.3\u005a","eventType":"\u0078"}"#, true, true),
    ] {
        let event = event(json).expect(json);
        assert_eq!(event.uuid, "a", "{json}");
        assert_eq!((event.published.is_some(), event.event_type.is_some()), (published, event_type), "{json}");
    }
}

#[test]
fn of_a_member_that_is_there_twice_the_last_counts() {
    assert_eq!(event(r#"{"uuid":"a","uuid":"b"}"#).expect("an event").uuid, "b");
    assert_eq!(reason(r#"{"uuid":"a","uuid":null}"#), RefusalReason::MissingUuid { problem: UuidProblem::Absent });
}

#[test]
fn an_unusable_uuid_is_a_dead_letter_that_keeps_its_time() {
    let long = format!(r#"{{"uuid":"{}"}}"#, "a".repeat(MAX_UUID_BYTES + 1));
    for (json, problem) in [
        ("{}", UuidProblem::Absent),
        (r#"{"uuid":null}"#, UuidProblem::Absent),
        (r#"{"UUID":"a"}"#, UuidProblem::Absent),
        (r#"{"uuid":5}"#, UuidProblem::NotAString),
        (r#"{"uuid":{"uuid":"a"}}"#, UuidProblem::NotAString),
        (r#"{"uuid":""}"#, UuidProblem::Blank),
        (r#"{"uuid":" \t"}"#, UuidProblem::Blank),
        (r#"{"uuid":"a\u0000"}"#, UuidProblem::BadCharacters),
        (r#"{"uuid":"a\ud800"}"#, UuidProblem::BadCharacters),
        (long.as_str(), UuidProblem::TooLong),
    ] {
        assert_eq!(reason(json), RefusalReason::MissingUuid { problem }, "{json}");
    }
    let json = r#"{"published":"2024-08-13T15:58:20.3Z"}"#;
    let refused = event(json).expect_err("no uuid");
    assert_eq!((refused.uuid, refused.published.as_deref()), (None, Some("2024-08-13T15:58:20.3Z")));
    assert_eq!(refused.bytes, json.as_bytes());
    assert!(event(&format!(r#"{{"uuid":"{}"}}"#, "a".repeat(MAX_UUID_BYTES))).is_ok());
}

#[test]
fn what_is_no_object_or_no_json_is_a_dead_letter() {
    for json in ["1", "-0.5e+7", "null", "true", r#""uuid""#, "[]", r#"[{"uuid":"a"}]"#] {
        assert_eq!(reason(json), RefusalReason::NotAnObject, "{json}");
    }
    for json in [
        "nonsense",
        "01",
        "1 2",
        "'a'",
        r#"{"uuid":"a","b":01}"#,
        r#"{"uuid":"a" "b":1}"#,
        r#"{"uuid":"a",}"#,
        r#"{"uuid":"a"}{}"#,
        r#"{uuid:"a"}"#,
        r#"{"uuid":"a","b":"\x"}"#,
        r#"{"uuid":"a","b":[1,]}"#,
        "{\"uuid\":\"a\",\"b\":\"\n\"}",
        "{\"uuid\":\"a\",\"\n\":1}",
    ] {
        assert_eq!(reason(json).as_str(), "NotJson", "{json}");
    }
}

#[test]
fn an_element_that_is_not_utf8_keeps_its_key() {
    let json = b"{\"uuid\":\"a\",\"published\":\"2024-08-13T15:58:20.3Z\",\"displayMessage\":\"caf\xe9\"}";
    let refused = read(&Bytes::from_static(json)).expect_err("not UTF-8");
    assert_eq!(refused.bytes, &json[..]);
    assert_eq!(refused.reason, RefusalReason::NotUtf8 { at: json.len() - 3 });
    assert_eq!((refused.uuid.as_deref(), refused.published.as_deref()), (Some("a"), Some("2024-08-13T15:58:20.3Z")));
    for json in [&b"{\"uuid\":\"\xff\"}"[..], b"{\"uuid\":\"a\",\"\xff\":1}", b"\xff", b"{\"a\":\"\xff\"}", b"{\xff}"] {
        let refused = read(&Bytes::from_static(json)).expect_err("not UTF-8");
        assert_eq!((refused.reason.as_str(), refused.uuid), ("NotUtf8", None));
    }
}

#[test]
fn depth_is_no_reason_to_refuse_and_costs_no_call_stack() {
    let depth = 200_000;
    let nested =
        |open: &str, close: &str| format!(r#"{{"uuid":"a","b":{}1{}}}"#, open.repeat(depth), close.repeat(depth));
    for json in [nested("[", "]"), nested("{\"c\":", "}")] {
        assert_eq!(event(&json).expect("valid JSON").bytes, json.as_bytes());
    }
    let array = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(reason(&array), RefusalReason::NotAnObject);
    let in_the_envelope = format!(r#"{{"uuid":{array},"published":{array}}}"#);
    assert_eq!(reason(&in_the_envelope), RefusalReason::MissingUuid { problem: UuidProblem::NotAString });
}

#[test]
fn broken_escapes_elsewhere_are_the_readers_business() {
    // Valid by the grammar of RFC 8259, which warns of them (section 8.2).
    for json in [r#"{"uuid":"a","b":"\ud800"}"#, r#"{"uuid":"a","\ud800":1}"#, r#"{"uuid":"a","b":{"\udfff":1e999}}"#] {
        assert_eq!(event(json).expect(json).uuid, "a");
    }
}

#[test]
fn a_reason_says_what_is_wrong_and_shows_nothing_of_the_event() {
    for json in [r#"{"secret":"hunter2"}"#, r#"{"uuid":"a","hunter2":hunter2}"#, "hunter2", r#"{"uuid":"hunter2\n"}"#] {
        let text = reason(json).to_string();
        assert!(!text.contains("hunter2") && !text.ends_with('.') && text.len() < 120, "{text}");
    }
}
