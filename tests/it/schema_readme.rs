//! What schemas/README.md shows is run: its Python gives Okta's JSON back, and its pointers are where values go.

use std::io::Write;
use std::process::{Command, Stdio};

use apache_avro::reader::datum::GenericDatumReader;
use okta_kafka_source::convert::avro::{Encoder, MAX_DEPTH, MAX_PIECES, schema};
use serde_json::{Value, json};

use crate::support::{law, skip};

const README: &str = include_str!("../../schemas/README.md");

/// Reads a record and its event a line; what the README's function makes of the record must be the event.
const CHECK: &str = r#"
import sys

def plain(value):
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items() if member is not None}
    return [plain(element) for element in value] if isinstance(value, list) else value

for number, line in enumerate(sys.stdin):
    line = json.loads(line, parse_int=Decimal, parse_float=Decimal)
    record, event = line["record"], json.loads(line["event"], parse_int=Decimal, parse_float=Decimal)
    again = plain(okta_json(record))
    if again != plain(event):
        sys.exit(f"line {number}: {again} is not {event}")
    event = okta_json(record)
    json.loads(@DUMPS@)
print("equal")
"#;

/// Members, each beside a `uuid`.
const EVENTS: &[&str] = &[
    r#""version":null"#,
    r#""published":"2024-08-13T15:58:20.353Z","actor":{},"target":[],"transaction":{"detail":{}}"#,
    r#""actor":{"id":"a","risk/score~1":{"level":3,"of":[1,null]},"":"empty"},"new":[]"#,
    r#""target":[{"id":"1"},{"name":"x","changeDetails":{"from":{},"to":{"active":true,"0":{"a":1}}}}]"#,
    r#""target":[{"id":"1"},null],"securityContext":{"asNumber":16.0,"userBehaviors":["New Device"]}"#,
    r#""client":{"geographicalContext":{"geolocation":{"lat":48.13743000000000001,"lon":1e2}}},"device":"none""#,
    r#""debugContext":{"debugData":{"a":"1","b":2,"originalPrincipal":{"id":"x"}}},"unmapped":{"/a":"b"},"publishedAt":1"#,
    r#""displayMessage":"\ud83d","outcome":{"reason":"Grüße \ud83d\ude00"}"#,
];

#[test]
fn the_python_of_the_readme_gives_oktas_json_back() {
    let (_, rest) = README.split_once("```python\nimport json\n").expect("the README's first block of Python");
    let (block, _) = rest.split_once("```").unwrap();
    let reader = GenericDatumReader::builder(schema::schema()).build().unwrap();
    // More digits than Python's `int` reads from a text.
    let long = format!(r#""new":{}"#, "9".repeat(5000));
    let lines = EVENTS.iter().copied().chain([long.as_str()]).map(|members| {
        let event = format!(r#"{{"uuid":"u",{members}}}"#);
        let encoded = Encoder::new(1).encode(event.as_bytes()).unwrap_or_else(|error| panic!("{error}: {event}"));
        let record = reader.read_value(&mut &encoded.value[5..]).unwrap();
        let record: Value = record.try_into().unwrap();
        json!({"record": record, "event": event}).to_string() + "\n"
    });
    let lines: String = lines.collect();

    // And it can be written.
    let dumps = "json.dumps(event, default=float)";
    assert!(README.contains(&format!("`{dumps}`")));
    let script = format!("import json\n{block}{}", CHECK.replace("@DUMPS@", dumps));
    let python = Command::new("python3").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut python) = python else { return skip::skip("python3") };
    python.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "equal", "see the message above");
}

/// A row of the table under "`unmapped`", and an event that does what it says.
const ROWS: &[(&str, &str, &str)] = &[
    ("/actor/riskScore", r#"{"level":3}"#, r#""actor":{"riskScore":{"level":3}}"#),
    ("/target/0/riskScore", "3", r#""target":[{"riskScore":3}]"#),
    ("/version", "0", r#""version":0"#),
    ("/target/0/changeDetails/to/active", "true", r#""target":[{"changeDetails":{"to":{"active":true}}}]"#),
    (
        "/client/geographicalContext/geolocation/lat",
        "48.13743000000000001",
        r#""client":{"geographicalContext":{"geolocation":{"lat":48.13743000000000001}}}"#,
    ),
    ("/securityContext/userBehaviors", r#"["New Device"]"#, r#""securityContext":{"userBehaviors":["New Device"]}"#),
    ("/displayMessage", r#""\ud83d""#, r#""displayMessage":"\ud83d""#),
    ("/actor", r#"{"id":"a","\ud800":2}"#, r#""actor":{"id":"a","\ud800":2}"#),
];

#[test]
fn the_readmes_pointers_are_where_values_go() {
    for (pointer, text, members) in ROWS {
        assert!(README.contains(&format!("| `{pointer}` | `{text}` |")), "no row `{pointer}` | `{text}`");
        let event = format!(r#"{{"uuid":"u",{members}}}"#);
        let encoded = Encoder::new(1).encode(event.as_bytes()).unwrap();
        let decoded = law::decode(schema::schema(), &encoded.value).unwrap();
        assert_eq!(decoded.unmapped, [((*pointer).to_owned(), (*text).to_owned())], "{event}");
    }
}

#[test]
fn what_the_readme_says_cannot_be_encoded_cannot() {
    let deep = |levels: usize| format!(r#""new":{}{}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(README.contains(&format!("nested deeper than {MAX_DEPTH} levels")));
    let encode = |members: &str| Encoder::new(1).encode(format!(r#"{{"uuid":"u",{members}}}"#).as_bytes());
    assert_eq!(MAX_PIECES, 10_000);
    assert!(README.contains("more than 10,000 elements, map entries and values in `unmapped`"));
    // The event itself is the first level.
    assert!(encode(&deep(MAX_DEPTH - 1)).is_ok());
    for (class, members) in [
        ("DuplicateMember", r#""new":{"a":1,"a":1}"#),
        ("TooDeep", &deep(MAX_DEPTH)),
        ("NameNotUnicode", r#""\ud800":1"#),
    ] {
        assert!(README.contains(&format!("| `{class}` |")), "{class}");
        assert_eq!(encode(members).unwrap_err().as_str(), class);
    }
}

#[test]
fn the_readme_names_every_record() {
    let records = schema::SCHEMA_JSON.split("\"name\": \"Log").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut named = 0;
    for record in records {
        assert!(README.contains(&format!("`Log{record}`")), "Log{record}");
        named += 1;
    }
    assert_eq!(named, 23, "the schema's text is written otherwise than this test looks for");
}
