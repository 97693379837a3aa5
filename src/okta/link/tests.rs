use proptest::prelude::*;

use super::*;

fn next(lines: &[&str]) -> Result<Option<String>, LinkError> {
    next_link(lines.iter().map(|line| line.as_bytes()))
}

#[test]
fn the_next_link_is_found_in_every_spelling() {
    let target = "https://acme.okta.com/api/v1/logs?since=a&after=1627500044869_1";
    let own = r#"<https://acme.okta.com/api/v1/logs?since=a>; rel="self""#;
    for lines in [
        vec![own.to_owned(), format!(r#"<{target}>; rel="next""#)],
        vec![format!(r#"{own}, <{target}>; rel="next""#)],
        vec![format!(r#"{own},<{target}>;rel="next""#)],
        vec![format!(r#"<{target}>; rel="next", {own}"#)],
        vec![format!("<{target}>; rel=next")],
        vec![format!("<{target}> ; REL = \"NEXT\"")],
        vec![format!(r#"<{target}>; rel="prefetch next""#)],
        vec![format!("<{target}>; rel=\"prefetch\tnext\"")],
        vec![format!(r#"<{target}>; title="a, b; c=\"d\" <e>"; rel="next""#)],
        vec![format!(r#"<{target}>; title="\\"; rel="n\ext""#)],
        vec![format!(r#"<{target}>; rel="next"; rel="self""#)],
        vec![format!(r#"<{target}>; title; rel="next";"#)],
        vec![format!(r#",, <{target}>; rel="next" ,, "#)],
        vec![String::new(), format!(r#"<{target}>; rel="next""#), format!(r#"<{target}>; rel="next""#)],
        // Something in between added a line that is no link.
        vec!["nonsense".to_owned(), format!(r#"<{target}>; rel="next""#)],
    ] {
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        assert_eq!(next(&lines), Ok(Some(target.to_owned())), "{lines:?}");
    }
}

#[test]
fn other_links_are_not_the_next_one() {
    for lines in [
        &[][..],
        &[""],
        &[" , ,"],
        &["<https://a.example/>; rel=\"self\""],
        &["<https://a.example/>; rel=\"self\"; rel=\"next\""],
        &["<https://a.example/>; rel=\"nextish\""],
        &["<https://a.example/>; rel=\"self\"; title=\"rel=next\""],
        &["<https://a.example/?rel=\"next\">; rel=\"self\""],
        &["<https://a.example/>; rel=\"next\"; anchor=\"#foo\""],
        &["<https://a.example/>; rev=\"next\""],
        &["<https://a.example/>"],
        &["<https://a.example/>; rel"],
    ] {
        assert_eq!(next(lines), Ok(None), "{lines:?}");
    }
}

#[test]
fn what_cannot_be_read_is_an_error_and_no_end_of_the_log() {
    for (lines, at) in [
        (&["nonsense"][..], 0),
        (&["https://a.example/; rel=next"], 0),
        (&["<https://a.example/"], 19),
        (&["<https://a.example/>; rel=\"next"], 31),
        (&["<https://a.example/>; rel=\"next\\"], 32),
        (&["<https://a.example/> rel=next"], 21),
        (&["<https://a.example/>; rel=self nonsense"], 31),
        (&["<https://a.example/>; rel=\"self\"", "<https://b.example/>; rel=\"a\"b"], 29),
    ] {
        assert_eq!(next(lines), Err(LinkError::Malformed { at }), "{lines:?}");
    }
    let several = ["<https://a.example/>; rel=next, <https://b.example/>; rel=next"];
    assert_eq!(next(&several), Err(LinkError::SeveralNext));
    assert_eq!(next_link([&b"<https://a.example/\xff>; rel=next"[..]]), Err(LinkError::NotUtf8));
}

/// A target may hold anything but angle brackets.
fn target() -> impl Strategy<Value = String> {
    "[!-;=?-~é]{0,40}"
}

/// A parameter that is not `rel`, with anything in its quoted value.
fn parameter() -> impl Strategy<Value = String> {
    ("(title|type|hreflang|x)", "[ -~é]{0,12}")
        .prop_map(|(name, value)| format!("; {name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
}

proptest! {
    #[test]
    fn a_next_link_comes_back_as_it_was_written(
        target in target(),
        others in prop::collection::vec((target(), parameter(), any::<bool>()), 0..5),
        before in prop::collection::vec(parameter(), 0..3),
        at in any::<prop::sample::Index>(),
    ) {
        let next = format!("<{target}>{}; rel=\"next\"", before.concat());
        let mut lines = vec![String::new()];
        let at = at.index(others.len() + 1);
        for index in 0..=others.len() {
            if index == at {
                let line = lines.last_mut().expect("never empty");
                line.push_str(if line.is_empty() { "" } else { ", " });
                line.push_str(&next);
            }
            if let Some((target, parameter, joined)) = others.get(index) {
                let other = format!("<{target}>{parameter}; rel=self");
                match lines.last_mut() {
                    Some(line) if *joined && !line.is_empty() => { line.push(','); line.push_str(&other); }
                    _ => lines.push(other),
                }
            }
        }
        prop_assert_eq!(next_link(lines.iter().map(|line| line.as_bytes())), Ok(Some(target)), "{:?}", lines);
    }

    #[test]
    fn no_bytes_make_it_panic_or_invent_a_target(line in prop::collection::vec(prop_oneof![
        prop::sample::select(b"<>;,=\"\\ relnext".to_vec()), any::<u8>()
    ], 0..60)) {
        if let Ok(Some(target)) = next_link([line.as_slice()]) {
            let found = line.windows(target.len() + 2).any(|part| part == format!("<{target}>").as_bytes());
            prop_assert!(found);
        }
    }
}
