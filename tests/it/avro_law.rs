//! The law of `format: avro`, by examples: each event decodes to itself, and what has no place stands where it should.

use std::fs;
use std::path::Path;

use okta_kafka_source::convert::avro::{Encoder, MAX_PIECES, Unencodable, schema};

use crate::support::law;

mod invented;

/// Times and their instants, which tests/reader/test_law.py reads as well.
const INSTANTS: &str = include_str!("../reader/instants.txt");

/// Encodes an event, and shows `unmapped` after the law was checked.
fn unmapped(event: &str) -> Vec<(String, String)> {
    let encoded = Encoder::new(7).encode(event.as_bytes()).unwrap_or_else(|error| panic!("{error}: {event}"));
    let decoded = law::holds(schema::schema(), event.as_bytes(), &encoded.value);
    let decoded = decoded.unwrap_or_else(|problem| panic!("{problem}: {event}"));
    assert_eq!(decoded.schema_id, 7);
    assert_eq!(decoded.unmapped.len(), encoded.unmapped);
    decoded.unmapped
}

#[test]
fn what_has_no_place_is_in_unmapped_where_it_was() {
    for (members, expected) in [
        // Everything has a place.
        (r#""actor":{"id":"a","detailEntry":{"k":"v","n":null}},"target":[],"version":null"#, &[][..]),
        (r#""transaction":{"detail":{}},"actor":{},"securityContext":{"risk":{"reasons":[]}}"#, &[]),
        (r#""securityContext":{"asNumber":1.6e1,"isProxy":false},"legacyEventType":"""#, &[]),
        (r#""client":{"geographicalContext":{"geolocation":{"lat":-0,"lon":-122.39999999999999}}}"#, &[]),
        // Unknown members, whole.
        (r#""new":{"a":[1,{"b":null}]},"other":null"#, &[("/new", r#"{"a":[1,{"b":null}]}"#)]),
        (r#""actor":{"a/b~c.d":1,"":2}"#, &[("/actor/", "2"), ("/actor/a~1b~0c.d", "1")]),
        (r#""target":[{"name":"x"},{"id":"1"}]"#, &[("/target/0/name", "\"x\"")]),
        (r#""publishedAt":1,"unmapped":{"/a":"b"}"#, &[("/publishedAt", "1"), ("/unmapped", r#"{"/a":"b"}"#)]),
        (r#""\u0061ctor":{"\u0069d":"x","ne\u0077":0}"#, &[("/actor/new", "0")]),
        // Known members of another type.
        (r#""actor":"me","outcome":[],"version":0"#, &[("/actor", "\"me\""), ("/outcome", "[]"), ("/version", "0")]),
        (
            r#""securityContext":{"asNumber":"1","isProxy":"false"}"#,
            &[("/securityContext/asNumber", "\"1\""), ("/securityContext/isProxy", "\"false\"")],
        ),
        (
            r#""device":{"device_integrator":{ "CROWDSTRIKE" : {} }}"#,
            &[("/device/device_integrator", r#"{ "CROWDSTRIKE" : {} }"#)],
        ),
        // Numbers that would change.
        (r#""securityContext":{"asNumber":16.5}"#, &[("/securityContext/asNumber", "16.5")]),
        // Whole numbers that a double of JavaScript's can't hold.
        (
            r#""securityContext":{"asNumber":9007199254740991},"authenticationContext":{"authenticationStep":-9007199254740991}"#,
            &[],
        ),
        (
            r#""securityContext":{"asNumber":9007199254740992},"authenticationContext":{"authenticationStep":-9007199254740992}"#,
            &[
                ("/authenticationContext/authenticationStep", "-9007199254740992"),
                ("/securityContext/asNumber", "9007199254740992"),
            ],
        ),
        (
            r#""securityContext":{"asNumber":123456789012345678901234567890}"#,
            &[("/securityContext/asNumber", "123456789012345678901234567890")],
        ),
        (
            r#""client":{"geographicalContext":{"geolocation":{"lat":1e400,"lon":0.1e-400}}}"#,
            &[
                ("/client/geographicalContext/geolocation/lat", "1e400"),
                ("/client/geographicalContext/geolocation/lon", "0.1e-400"),
            ],
        ),
        // Open maps: what is no text goes by itself.
        (
            r#""debugContext":{"debugData":{"a":"1","b":2,"c":null,"d":{"e":["f"]}}}"#,
            &[("/debugContext/debugData/b", "2"), ("/debugContext/debugData/d", r#"{"e":["f"]}"#)],
        ),
        (r#""debugContext":{"debugData":["a"]}"#, &[("/debugContext/debugData", "[\"a\"]")]),
        (
            r#""target":[{},{"changeDetails":{"from":{"x":true},"to":null}}]"#,
            &[("/target/1/changeDetails/from/x", "true")],
        ),
        // Arrays: whole, with what was found in them before.
        (
            r#""securityContext":{"userBehaviors":["New Device"]}"#,
            &[("/securityContext/userBehaviors", "[\"New Device\"]")],
        ),
        (r#""target":[{"name":"x"}, null]"#, &[("/target", r#"[{"name":"x"}, null]"#)]),
        (r#""securityContext":{"risk":{"reasons":["a",1]}}"#, &[("/securityContext/risk/reasons", "[\"a\",1]")]),
        (
            r#""request":{"ipChain":[{"ipDetails":{"ipServiceCategories":[{"x":1},2]}}]}"#,
            &[("/request/ipChain/0/ipDetails/ipServiceCategories", r#"[{"x":1},2]"#)],
        ),
        // Half a surrogate pair is JSON, and no text.
        (r#""displayMessage":"\ud800""#, &[("/displayMessage", r#""\ud800""#)]),
        (
            r#""debugContext":{"debugData":{"a":"\udc00","b":"\ud83d\ude00"}}"#,
            &[("/debugContext/debugData/a", r#""\udc00""#)],
        ),
        (r#""securityContext":{"risk":{"reasons":["\ud800"]}}"#, &[("/securityContext/risk/reasons", r#"["\ud800"]"#)]),
        // In a name there is no pointer for it: its object goes as a whole.
        (r#""actor":{"id":"a","new":1,"\ud800":2}"#, &[("/actor", r#"{"id":"a","new":1,"\ud800":2}"#)]),
        (
            r#""debugContext":{"debugData":{"a":1,"\udfff":"x"}}"#,
            &[("/debugContext/debugData", r#"{"a":1,"\udfff":"x"}"#)],
        ),
        (r#""target":[{"\ud800":1}]"#, &[("/target", r#"[{"\ud800":1}]"#)]),
        (r#""new":{"\ud800":1}"#, &[("/new", r#"{"\ud800":1}"#)]),
    ] {
        let expected: Vec<_> =
            expected.iter().map(|(pointer, json)| ((*pointer).to_owned(), (*json).to_owned())).collect();
        for event in [format!(r#"{{"uuid":"u",{members}}}"#), format!(" {{\n {members} , \"uuid\" : \"u\" }} ")] {
            assert_eq!(unmapped(&event), expected, "{event}");
        }
    }
}

/// What would take much more memory than its JSON stays JSON.
#[test]
fn what_has_too_many_pieces_is_in_unmapped_whole() {
    let list = |piece: &str, count: usize| {
        let pieces: Vec<String> = (0..count).map(|number| piece.replace('#', &number.to_string())).collect();
        pieces.join(",")
    };
    let pointers = |members: String| -> Vec<String> {
        unmapped(&format!(r#"{{"uuid":"u",{members}}}"#)).into_iter().map(|(pointer, _)| pointer).collect()
    };
    let (most, none) = (MAX_PIECES, Vec::<String>::new());
    for (before, piece, after, whole) in [
        (r#""request":{"ipChain":["#, "{}", "]}", "/request/ipChain"),
        (r#""target":["#, "{}", "]", "/target"),
        (r#""securityContext":{"risk":{"reasons":["#, "\"\"", "]}}", "/securityContext/risk/reasons"),
        (r#""debugContext":{"debugData":{"#, "\"#\":\"\"", "}}", "/debugContext/debugData"),
    ] {
        assert_eq!(pointers(format!("{before}{}{after}", list(piece, most))), none, "{whole}");
        // What comes behind has its place all the same.
        let behind = r#""securityContext":{"userBehaviors":[{},{}]}"#;
        let behind = if before.contains("securityContext") { r#""actor":{"detailEntry":{"a":"b"}}"# } else { behind };
        assert_eq!(pointers(format!("{before}{}{after},{behind}", list(piece, most + 1))), [whole]);
    }
    let actor = |count: usize| pointers(format!(r#""actor":{{"id":"a",{}}}"#, list("\"#\":1", count)));
    assert_eq!(actor(most).len(), most);
    assert_eq!(actor(most + 1), ["/actor"]);
    // One address with too many: that list goes, and not the addresses.
    let inner = format!(r#"{{"ipDetails":{{"ipServiceCategories":[{}]}}}}"#, list("{}", most));
    let expected = ["/request/ipChain/1/ipDetails/ipServiceCategories"];
    assert_eq!(pointers(format!(r#""request":{{"ipChain":[{{}},{inner},{{}}]}}"#)), expected);
    // The event itself has no place to go to.
    let unknown = list("\"#\":1", most + 1);
    assert_eq!(pointers(unknown.clone()).len(), most + 1);
    assert_eq!(
        pointers(format!(r#"{unknown},"target":[{{}}],"actor":{{"id":"a"}},"device":{{"new":1}}"#)).len(),
        most + 3
    );
}

#[test]
fn what_no_record_can_hold_is_refused_with_its_class_and_place() {
    let deep = |levels: usize| {
        format!(
            r#"{{"uuid":"u","debugContext":{{"debugData":{{"x":{}1{}}}}}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    assert_eq!(unmapped(&deep(61)).len(), 1);
    let encoder = Encoder::new(7);
    for (event, class, message) in [
        (r#"{"uuid":"u""#.to_owned(), "NotJson", "the event is not JSON, at byte 11"),
        (r#"{"uuid":"u"}x"#.to_owned(), "NotJson", "the event is not JSON, at byte 12"),
        ("[1]".to_owned(), "NotAnObject", "the event is not a JSON object"),
        ("{}".to_owned(), "MissingUuid", "the event has no `uuid` that is a text"),
        (r#"{"uuid":7}"#.to_owned(), "MissingUuid", "the event has no `uuid` that is a text"),
        (r#"{"uuid":null}"#.to_owned(), "MissingUuid", "the event has no `uuid` that is a text"),
        (
            r#"{"uuid":"u","\ud800":1}"#.to_owned(),
            "NameNotUnicode",
            "the event has a member whose name is no Unicode text",
        ),
        (
            r#"{"uuid":"u","uuid":"u"}"#.to_owned(),
            "DuplicateMember",
            "the member `/uuid` is there twice, so that it is not clear which one counts",
        ),
        (
            r#"{"uuid":"u","actor":{"type":null,"typ\u0065":"x"}}"#.to_owned(),
            "DuplicateMember",
            "the member `/actor/type` is there twice, so that it is not clear which one counts",
        ),
        (
            r#"{"uuid":"u","debugContext":{"debugData":{"a":1,"a":"secret"}}}"#.to_owned(),
            "DuplicateMember",
            "the member `/debugContext/debugData/*` is there twice, so that it is not clear which one counts",
        ),
        (
            r#"{"uuid":"u","target":[1,{"a":{"b":0,"b":0}}]}"#.to_owned(),
            "DuplicateMember",
            "the member `/target/1/*/*` is there twice, so that it is not clear which one counts",
        ),
        // A name that is no field's may say who somebody is.
        (
            r#"{"uuid":"u","new":{"jane@example.com":1,"jane@example.com":2}}"#.to_owned(),
            "DuplicateMember",
            "the member `/*/*` is there twice, so that it is not clear which one counts",
        ),
        (
            r#"{"uuid":"u","jane@example.com":1,"jane@example.com":2}"#.to_owned(),
            "DuplicateMember",
            "the member `/*` is there twice, so that it is not clear which one counts",
        ),
        (
            r#"{"uuid":"u","target":[{},{"detailEntry":{"id":1,"id":2}}]}"#.to_owned(),
            "DuplicateMember",
            "the member `/target/1/detailEntry/*` is there twice, so that it is not clear which one counts",
        ),
        (
            r#"{"uuid":"u","request":{"ipChain":[{"ipDetails":{"ipServiceCategories":[{"type":1,"type":2}]}}]}}"#
                .to_owned(),
            "DuplicateMember",
            "the member `/request/ipChain/0/ipDetails/ipServiceCategories/0/type` is there twice, so that it is not clear which one counts",
        ),
        (
            r#"{"uuid":"u","actor":[{"id":1,"id":2}]}"#.to_owned(),
            "DuplicateMember",
            "the member `/actor/0/*` is there twice, so that it is not clear which one counts",
        ),
        (
            r#"{"uuid":"u","publishedAt":1,"publishedAt":2}"#.to_owned(),
            "DuplicateMember",
            "the member `/publishedAt` is there twice, so that it is not clear which one counts",
        ),
        (
            deep(62),
            "TooDeep",
            &format!(
                "`/debugContext/debugData/*{}…` is nested deeper than 64 levels, which many JSON readers refuse",
                &"/0".repeat(61)[..95]
            ),
        ),
    ] {
        let error = encoder.encode(event.as_bytes()).expect_err(&event);
        assert_eq!((error.as_str(), error.to_string().as_str()), (class, message), "{event}");
    }
    assert_eq!(encoder.encode(b"{\"uuid\":\"\xff\"}"), Err(Unencodable::NotJson { at: 9 }));
}

#[test]
fn published_at_is_the_instant_of_published() {
    let rows: Vec<(&str, Option<i64>)> = INSTANTS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(published, millis)| (published, (millis != "null").then(|| millis.parse().unwrap())))
        .collect();
    assert!(rows.len() > 50, "{}", rows.len());
    for (published, expected) in rows {
        let event = format!(r#"{{"uuid":"u","published":"{published}"}}"#);
        let encoded = Encoder::new(1).encode(event.as_bytes()).unwrap();
        let decoded = law::holds(schema::schema(), event.as_bytes(), &encoded.value).unwrap();
        assert_eq!(decoded.published_at, expected, "{published}");
    }
}

/// Real events, one a line: `OKS_EVENTS=FILE[:FILE] cargo test … -- events_of_files`. Without it, those of the repository.
#[test]
fn events_of_files_decode_to_themselves() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/page/two-events");
    let files = std::env::var("OKS_EVENTS").unwrap_or_else(|_| root.display().to_string());
    for file in files.split(':') {
        let text = fs::read_to_string(file).unwrap();
        let body = bytes::Bytes::from(if text.starts_with('[') {
            text
        } else {
            format!("[{}]", text.trim().replace('\n', ","))
        });
        let elements = okta_kafka_source::okta::page::split(&body).unwrap();
        assert!(!elements.is_empty());
        for element in &elements {
            let event = std::str::from_utf8(element.bytes()).unwrap();
            println!("{file}: {:?} unmapped", unmapped(event));
        }
    }
}
