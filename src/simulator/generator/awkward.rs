//! Odd events: values that are valid JSON, and that a reader with a fixed idea of an event trips over; and events that
//! cannot be published at all.

use super::edit::{add, find, remove, set};

/// What can be odd about an event; taken in turn, so that any 18 awkward events in a row have them all.
pub(super) const AWKWARD: [fn(&mut String); 18] = [
    names_of_members,
    numbers_without_end,
    numbers_written_otherwise,
    numbers_at_the_edge,
    empty_texts,
    deep_nesting,
    values_in_open_maps,
    change_details,
    escapes,
    half_characters,
    half_names,
    our_own_names,
    arrays_of_anything,
    values_for_objects,
    other_types,
    times,
    no_time,
    long_texts,
];

/// What makes an event impossible to publish, taken in turn. The last three can be published byte for byte, and in no
/// format that has to read them.
pub(super) const UNPUBLISHABLE: [fn(&mut String) -> bool; 7] = [
    |text| remove(text, "uuid"),
    |text| set(text, "uuid", "null"),
    |text| set(text, "uuid", "17"),
    |text| set(text, "uuid", "\"\""),
    |text| add(text, "", r#""severity":"INFO""#),
    |text| add(text, "", r#""nested":{"once":[{"name":1,"name":1}]}"#),
    |text| set(text, "transaction/detail", &nested(TOO_DEEP)),
];

/// Arrays in arrays in an awkward event: more than anybody means, and well within what parsers of JSON take.
const DEEP: usize = 40;
/// And in one that cannot be published: parsers of JSON stop at 128 as a rule, some at 1,000.
const TOO_DEEP: usize = 5_000;

fn nested(depth: usize) -> String {
    format!("{}{}{}", r#"{"in":["#.repeat(depth / 2), r#""core""#, "]}".repeat(depth / 2))
}

fn names_of_members(text: &mut String) {
    let names = r#""a/b":1,"m~n":"~","~1":[],"~01":"","x.y":{"z.":null,".":true},"":{"":{"/":0.5}},"ключ":"значение","naïve 名前":-0,"\u0000":"\u0000","😀":{"😀":"😀"},"a\"b\\c":"quoted","%2F":false,"0":"zero","-":1"#;
    let _ = add(text, "debugContext/debugData", names);
    let _ = add(text, "", r#""top/level~member.":{"in/side":["~"]},"ü":{"ß/":1}"#);
    let _ = add(text, "target/0", r#""a/b":{"m~n":1}"#);
}

fn numbers_without_end(text: &mut String) {
    let huge = "123456789012345678901234567890.123456789012345678901234567890";
    let _ = set(text, "securityContext/asNumber", "18446744073709551616");
    let _ = set(text, "authenticationContext/authenticationStep", "-9223372036854775809");
    let _ = set(
        text,
        "client/geographicalContext/geolocation",
        r#"{"lat":1e400,"lon":0.1000000000000000055511151231257827}"#,
    );
    let _ = add(text, "debugContext/debugData", &format!(r#""huge":{huge},"tiny":1e-400,"far":-1E+9999"#));
    let _ = add(text, "", &format!(r#""amount":[{huge},1E-999]"#));
}

fn numbers_written_otherwise(text: &mut String) {
    let _ = set(text, "securityContext/asNumber", "64512.0");
    let _ = set(text, "authenticationContext/authenticationStep", "1.6e1");
    let _ = set(text, "client/geographicalContext/geolocation", r#"{"lat":375E-1,"lon":-0.0}"#);
    let _ = set(text, "securityContext/isProxy", "0");
}

fn numbers_at_the_edge(text: &mut String) {
    let _ = set(text, "securityContext/asNumber", "9007199254740991");
    let _ = set(text, "authenticationContext/authenticationStep", "-9223372036854775808");
    let _ = set(text, "client/geographicalContext/geolocation", r#"{"lat":5e-324,"lon":1.7976931348623157e308}"#);
    let _ = add(text, "", r#""edge":[9007199254740993,9223372036854775808,-0,0e0,1.5]"#);
}

fn empty_texts(text: &mut String) {
    for path in ["displayMessage", "severity", "eventType", "actor/id", "client/zone", "target/0/id", "legacyEventType"]
    {
        let _ = set(text, path, "\"\"");
    }
    let _ = set(text, "debugContext/debugData", r#"{"":""}"#);
    let _ = set(text, "outcome", "{}");
}

fn deep_nesting(text: &mut String) {
    let _ = add(text, "", &format!(r#""nested":{}"#, nested(DEEP)));
    let _ = add(text, "debugContext/debugData", &format!(r#""tree":{}"#, nested(DEEP)));
}

fn values_in_open_maps(text: &mut String) {
    let values = r#""originalPrincipal":{"id":"00u1","type":"User","alternateId":null},"count":3,"flag":true,"nothing":null,"list":["a",null,{"b":1}],"text":"plain""#;
    let _ = add(text, "debugContext/debugData", values);
    let _ = set(
        text,
        "actor/detailEntry",
        r#"{"methodTypeUsed":"Push","methodUsedVerifiedProperties":["[DEVICE_BOUND]"],"attempt":2}"#,
    );
    let _ = set(text, "target/0/detailEntry", r#"{"policyType":"OktaSignOn","nested":{"a":{"b":null}}}"#);
    let _ = set(text, "transaction/detail", r#"{"requestApiTokenId":"00T1","scopes":["okta.logs.read"],"retries":0}"#);
}

fn change_details(text: &mut String) {
    if find(text, "target/0").is_none() {
        let _ = set(text, "target", r#"[{"id":"00u1","type":"User"}]"#);
    }
    let changes = r#"{"from":{"policyProvisioning":{"action":"AUTO","groups":{"action":"NONE"},"profileMaster":true,"conditions":{}},"status":"ACTIVE","list":[],"none":null},"to":{"policyProvisioning":"AUTO","status":false}}"#;
    let _ = set(text, "target/0/changeDetails", changes);
    let _ = set(text, "target/1/changeDetails", r#"{"from":null,"to":["a"],"other":1}"#);
}

fn escapes(text: &mut String) {
    let _ = set(text, "displayMessage", r#""\u0041\/\t\"\\\u00e9\ud83d\ude00 \u2028""#);
    let _ = set(text, "actor/displayName", r#""\u0000 and \u001f""#);
    let _ = add(text, "", r#""\u0061\/b":"\u0041","esc\\aped":{"\u00fc":"\/"}"#);
    // White space where JSON allows it.
    let _ = set(text, "outcome", "{ \"result\" : \"SUCCESS\" ,\n\t\"reason\" : null , \"extra\" : [ 1 , { } ] }");
}

fn half_characters(text: &mut String) {
    let _ = set(text, "actor/displayName", r#""half \ud83d of one""#);
    let _ = set(text, "client/device", r#""\udc00""#);
    let _ = add(text, "debugContext/debugData", r#""half":"\ud800","good":"\ud83d\ude00""#);
    let _ = add(text, "", r#""halves":["\udfff\ud800"]"#);
}

/// No pointer can name such a member, which is a text too.
fn half_names(text: &mut String) {
    let _ = add(text, "client", r#""\ud83d":1"#);
    let _ = add(text, "debugContext/debugData", r#""half \udfff":"x""#);
    let _ = add(text, "target/0", r#""\ud800":null"#);
    let _ = add(text, "", r#""holder":{"\udbff":1}"#);
}

fn our_own_names(text: &mut String) {
    let _ = add(text, "", r#""unmapped":{"/actor/id":"\"somebody else\"","a":1},"publishedAt":1700000000000"#);
    let _ = add(text, "client", r#""unmapped":null,"publishedAt":"never""#);
    let _ = add(text, "debugContext/debugData", r#""unmapped":"text","/severity":"\"DEBUG\"""#);
}

fn arrays_of_anything(text: &mut String) {
    let _ = set(text, "target", r#"[null,{"id":"00u1","type":"User"},"text",[{"id":1}],3]"#);
    let _ = set(text, "request/ipChain", r#"[{"ip":"192.0.2.1","version":"V4"},null]"#);
    let _ = set(text, "securityContext/userBehaviors", r#"[]"#);
}

fn values_for_objects(text: &mut String) {
    let _ = set(text, "actor", "\"okta_system\"");
    let _ = set(text, "client", "[]");
    let _ = set(text, "target", r#"{"id":"00u1","type":"User"}"#);
    let _ = set(text, "debugContext/debugData", "\"{}\"");
    let _ = set(text, "request", "null");
    let _ = set(text, "securityContext", "{}");
    let _ =
        set(text, "device", r#"{"device_integrator":{"CROWDSTRIKE":{"overall":71}},"osVersion":"14","managed":"yes"}"#);
}

fn other_types(text: &mut String) {
    for (path, value) in [
        ("severity", "3"),
        ("version", "0"),
        ("displayMessage", "[\"a\",\"b\"]"),
        ("outcome", r#"{"result":["SUCCESS"],"reason":{"code":1}}"#),
        ("securityContext/isProxy", "\"false\""),
        ("securityContext/asNumber", "\"64512\""),
        ("client/userAgent", "\"curl/8\""),
        ("client/geographicalContext/geolocation", "[1.5,2.5]"),
        ("transaction/id", "17"),
        ("legacyEventType", "false"),
        ("target/0/displayName", "{\"en\":\"name\"}"),
    ] {
        let _ = set(text, path, value);
    }
}

/// The same instant, written otherwise.
fn times(text: &mut String) {
    if let Some(range) = find(text, "published") {
        let written = text[range.clone()].trim_matches('"').trim_end_matches('Z').to_owned();
        text.replace_range(range, &format!("\"{written}456789+00:00\""));
    }
    let _ = add(text, "", r#""received":"2026-02-30T25:61:61Z","timestamp":1772323200000.5"#);
}

/// A text where a time belongs: the event has an instant all the same, which only the org knows.
fn no_time(text: &mut String) {
    let _ = set(text, "published", "\"the day before\"");
}

fn long_texts(text: &mut String) {
    let long = "The quick brown fox, and its Döner. ".repeat(600);
    let _ = add(text, "debugContext/debugData", &format!(r#""tunnels":"{long}""#));
    let _ = add(text, "", &format!(r#""essay":["{long}",{{"{}":1}}]"#, "name".repeat(500)));
}
