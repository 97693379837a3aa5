use super::*;

#[test]
fn what_okta_may_accept_is_let_through() {
    for filter in [
        "",
        " \n",
        "eventType eq \"user.session.start\"",
        "eventType EQ \"a\" OR (NOT (severity pr) and target.id co \"b c\")",
        // The reference's examples.
        "target.id eq \"00uxc78lMKUMVIHLTAXY\" and target.id eq \"0oabe82gnXOFVCDUMVAK\"",
        "(client.userAgent.os lt \"iOS\" or client.userAgent.os gt \"iOS\")",
        "eventType ew \"token\"",
        "event_type eq \"user.session.start\"",
        "transaction.detail.requestApiTokenId eq \"00T94e3cn9kSEO3c51s5\"",
        // Ours to let through: nobody documents it otherwise.
        "some.unknown-path_1.$ref:x eq \"x\"",
        "not severity eq \"INFO\"",
        "not not (a pr)",
        "a eq \"\\q\" and b eq \"\\u00\"",
        "displayMessage co \"C:\\\" and a pr",
        "a eq \"x\\\"",
        "a eq -1.5e3 or b eq TRUE or c ne null or d gt 2026-01-01T00:00:00Z",
        "a eq\"x\"and b pr",
        "a\teq\n\"x\"",
        "debugContext.debugData.url sw \"/api\"",
        "Published gt \"2026\"",
        "publisheds pr",
        "a eq 'O'Brien (x'",
        "a eq \"\u{201c}🦀\"",
    ] {
        assert_eq!(check(filter), Ok(()), "{filter}");
    }
    let deep = format!("{}a pr{}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(check(&deep), Ok(()));
}

#[test]
fn what_okta_is_sure_to_refuse_is_told_with_its_place() {
    for (filter, position, words) in [
        ("display_message eqq \"Create okta user\"", 16, "`eqq` is not an operator"),
        ("(eventType eq \"a b\") and actor.id is \"x\"", 34, "`is` is not an operator"),
        ("eventType", 0, "`eventType` is not followed by an operator"),
        ("é eq \"x\" and eventType", 13, "`eventType` is not followed by an operator"),
        ("a and b pr", 0, "`a` is not followed by an operator"),
        ("eventType eq", 10, "`eq` is not followed by a value"),
        ("a eq and b pr", 2, "`eq` is not followed by a value"),
        ("a eq )", 2, "`eq` is not followed by a value"),
        ("eventType eq user.session.start", 13, "`user.session.start` is neither"),
        ("a eq \u{201c}x\u{201d}", 5, "`\u{201c}x\u{201d}` is neither"),
        ("eventType eq \"user", 13, "`\"user` is not closed"),
        ("((a pr)", 0, "`(` is not closed"),
        ("(a pr) and (b pr", 11, "`(` is not closed"),
        ("a pr)", 4, "`)` closes no bracket"),
        (") a pr", 0, "`)` closes no bracket"),
        ("()", 1, "`)` stands where an expression is expected"),
        ("a pr and", 8, "the filter ends where"),
        ("a pr and (", 10, "the filter ends where"),
        ("not", 3, "the filter ends where"),
        ("and a pr", 0, "`and` stands where"),
        ("\"a\" eq b", 0, "`\"a\"` stands where"),
        ("a pr b pr", 5, "`b` is not joined"),
        ("a eq \"x and b eq \"y\"", 18, "`y` stands right behind a string"),
        ("a eq \"x\" \"y\"", 9, "`\"y\"` is not joined"),
        ("a pr (b pr)", 5, "`(` is not joined"),
        ("target[id eq \"x\"]", 6, "`[` is not supported"),
        ("published gt \"2026-01-01T00:00:00Z\"", 0, "`published` can't be filtered by"),
        ("a pr and (published pr)", 10, "`published` can't be filtered by"),
        ("debugContext.debugData.url co \"/oauth/\"", 0, "`debugContext.debugData.url` can't be searched with `co`"),
        ("eventType%20eq%20%22x%22", 0, "`eventType%20eq%20%22x%22` looks percent-encoded"),
    ] {
        let problem = check(filter).expect_err(filter);
        assert_eq!(problem.position, position, "{filter}: {problem}");
        assert!(problem.to_string().starts_with(words), "{filter}: {problem}");
        assert!(problem.to_string().ends_with(problem.general()), "{filter}: {problem}");
    }
}

#[test]
fn a_long_or_many_keyword_q_is_refused() {
    let forty = "é".repeat(40);
    let quoted = format!("\"{forty} {forty}\"");
    for q in ["", " ", "San Francisco", &forty, &quoted, "a b c d e f g h i j", "\"a b\" c d e f g h i j k"] {
        assert_eq!(check_q(q), Ok(()), "{q}");
    }
    let (long, quoted) = (format!("a {forty}b"), format!("\"{forty}b\""));
    for (q, position, words) in [
        (long.as_str(), 2, "is longer than the 40 characters"),
        (quoted.as_str(), 1, "is longer than the 40 characters"),
        ("a b c d e f g h i j  k", 21, "`k` is more than the 10 keywords"),
    ] {
        let problem = check_q(q).expect_err(q);
        assert_eq!(problem.position, position, "{q}: {problem}");
        assert!(problem.to_string().contains(words), "{q}: {problem}");
    }
    assert_eq!(keywords(" a \"b c\"  d"), [(1, "a"), (3, "\"b c\""), (10, "d")]);
}

#[test]
fn what_may_be_right_and_is_probably_not_is_advice() {
    for (filter, expected) in [
        (
            "eventType eq \"user.session.start\" and eventType sw \"user.\" and eventType ne \"user.session.end\"",
            &[][..],
        ),
        ("eventType eq \"user.sesion.start\"", &[(13, "`user.sesion.start` (did you mean `user.session.start`?)")]),
        ("eventType sw \"usr.\"", &[(13, "`usr.` fits no name")]),
        ("eventType co \"session\" or eventType gt \"x\" or eventType pr", &[]),
        ("event_type eq \"x\"", &[(0, "`event_type` (did you mean `eventType`?) is no attribute")]),
        ("Actor.id eq \"x\"", &[(0, "`Actor.id` (did you mean `actor.id`?) is no attribute")]),
        ("entityRisk.level eq \"x\"", &[]),
        ("(eventType eq 'user.session.start') and a pr", &[(14, "`'user.session.start'` is in single quotes")]),
    ] {
        let found = advice(filter);
        assert_eq!(found.len(), expected.len(), "{filter}: {found:?}");
        for (found, (position, words)) in found.iter().zip(expected) {
            assert_eq!(found.position, *position, "{filter}");
            assert!(found.to_string().starts_with(words), "{filter}: {found}");
        }
    }
}

#[test]
fn the_caret_stands_under_its_character() {
    assert_eq!(caret("a eqq \"x\"", 2), "a eqq \"x\"\n  ^");
    assert_eq!(caret("é\nb", 3), "é b\n   ^");
    assert_eq!(caret("", 7), "\n^");
    let long = format!("{}!{}", "a".repeat(200), "b".repeat(200));
    let shown = caret(&long, 200);
    let (line, below) = shown.split_once('\n').expect("two lines");
    assert_eq!(line.chars().nth(below.chars().count() - 1), Some('!'));
    assert!(line.chars().count() < 120, "{line}");
    assert_eq!(caret("美美 eqq", 3), "美美 eqq\n     ^");
}

#[test]
fn oktas_own_position_is_found() {
    let summary = "Invalid filter 'a eq \" at position 3 \" eqq': Unrecognized attribute operator 'eqq' at position 16. Expected: eq";
    assert_eq!(complained_position(summary), Some(16));
    assert_eq!(complained_position("field is not valid: x"), None);
    assert_eq!(complained_position("at position "), None);
}

#[test]
fn a_quoted_value_is_a_json_string() {
    for value in ["", "a", "a\"b\\c", "é\n\u{0}🦀"] {
        let filter = format!("a eq {}", quote(value));
        assert_eq!(serde_json::from_str::<String>(&quote(value)).expect("JSON"), value);
        assert_eq!(check(&filter), Ok(()), "{filter}");
    }
}
