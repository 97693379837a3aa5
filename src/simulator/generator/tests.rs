use std::collections::HashSet;

use serde_json::Value;

use super::*;

const EVENTS: usize = 10_000;

const PLAIN: Shape = Shape { drifted: None, awkward: 0.0, unpublishable: 0.0 };

fn events(seed: u64) -> Vec<Vec<u8>> {
    let mut generator = EventGenerator::new(seed);
    (0..EVENTS as i64)
        .map(|index| {
            let mut event = Vec::new();
            generator.write(1_772_323_200_000 + index / 3, PLAIN, &mut event);
            event
        })
        .collect()
}

/// Leaves of an event, and how many of them are null.
fn count_leaves(value: &Value, leaves: &mut usize, nulls: &mut usize) {
    match value {
        Value::Object(members) => members.values().for_each(|member| count_leaves(member, leaves, nulls)),
        Value::Array(elements) => elements.iter().for_each(|element| count_leaves(element, leaves, nulls)),
        leaf => {
            *leaves += 1;
            *nulls += usize::from(leaf.is_null());
        }
    }
}

#[test]
fn sizes_are_those_of_real_events() {
    let mut sizes: Vec<usize> = events(1).iter().map(Vec::len).collect();
    sizes.sort_unstable();
    let quantile = |share: f64| sizes[(sizes.len() as f64 * share) as usize];
    let (median, p95) = (quantile(0.5), quantile(0.95));
    println!("median {median} p95 {p95} max {}", sizes[sizes.len() - 1]);
    assert!((1_300..=1_700).contains(&median), "median {median}");
    assert!((1_900..=2_400).contains(&p95), "p95 {p95}");
}

#[test]
fn members_nulls_types_and_uuids_are_those_of_real_events() {
    const ORDER: [&str; 17] = [
        "actor",
        "client",
        "device",
        "authenticationContext",
        "displayMessage",
        "eventType",
        "outcome",
        "published",
        "securityContext",
        "severity",
        "debugContext",
        "legacyEventType",
        "transaction",
        "uuid",
        "version",
        "request",
        "target",
    ];
    let (mut leaves, mut nulls, mut zone_texts, mut non_ascii) = (0, 0, 0, 0);
    let (mut types, mut uuids) = (HashSet::new(), HashSet::new());
    let mut null_members: HashSet<&str> = HashSet::new();
    let events = events(1);
    for event in &events {
        let text = std::str::from_utf8(event).expect("UTF-8");
        let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let places: Vec<usize> =
            ORDER.iter().map(|name| text.find(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{name}"))).collect();
        // `device` and `version` occur deeper inside too, so order is checked on the ones that do not.
        let ordered: Vec<usize> = ORDER
            .iter()
            .zip(&places)
            .filter(|(name, _)| !["device", "version"].contains(*name))
            .map(|(_, place)| *place)
            .collect();
        assert!(ordered.is_sorted(), "{text}");
        assert_eq!(value.as_object().map(|members| members.len()), Some(ORDER.len()));
        null_members.extend(ORDER.into_iter().filter(|name| value[*name].is_null()));
        count_leaves(&value, &mut leaves, &mut nulls);
        zone_texts += usize::from(value["client"]["zone"] == "null");
        non_ascii += usize::from(!text.is_ascii());
        types.insert(value["eventType"].as_str().expect("eventType").to_owned());
        uuids.insert(value["uuid"].as_str().expect("uuid").to_owned());
        for always in ["published", "severity", "version", "eventType", "uuid"] {
            assert!(value[always].is_string(), "{always} in {text}");
        }
    }
    assert!(types.len() >= 100, "{} event types", types.len());
    assert_eq!(uuids.len(), EVENTS, "a uuid is there twice");
    // Recorded and documented events have 17-42 % nulls among their leaves.
    let share = nulls as f64 / leaves as f64;
    println!("types {} nulls {share} zone {zone_texts} non-ascii {non_ascii}", types.len());
    assert!((0.17..0.36).contains(&share), "share of nulls {share}");
    for member in ["device", "displayMessage", "outcome", "legacyEventType", "target"] {
        assert!(null_members.contains(member), "{member} is never null");
    }
    assert!(zone_texts > EVENTS / 2, "client.zone is the string \"null\" in most events");
    assert!(non_ascii > EVENTS / 20, "{non_ascii} events with names beyond ASCII");
}

#[test]
fn a_seed_makes_the_same_events() {
    assert_eq!(events(5), events(5));
    assert_ne!(events(5), events(6));
}

fn shaped(drifted: Option<bool>, awkward: f64, unpublishable: f64) -> Vec<(EventKind, Option<Box<str>>, String)> {
    let mut generator = EventGenerator::new(1);
    let shape = Shape { drifted, awkward, unpublishable };
    (0..2_000)
        .map(|index| {
            let mut event = Vec::new();
            let made = generator.write(1_772_323_200_000 + index, shape, &mut event);
            (made.kind, made.uuid, String::from_utf8(event).expect("UTF-8"))
        })
        .collect()
}

/// Which values of which types are there, by their path with `*` for places in arrays.
fn shape_of(events: &[(EventKind, Option<Box<str>>, String)]) -> HashSet<(String, &'static str)> {
    fn walk(value: &Value, path: &str, found: &mut HashSet<(String, &'static str)>) {
        let kind = match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, member)| walk(member, &format!("{path}/{name}"), found));
                "object"
            }
            Value::Array(elements) => {
                elements.iter().for_each(|element| walk(element, &format!("{path}/*"), found));
                "array"
            }
            Value::String(_) => "string",
            Value::Number(_) => "number",
            Value::Bool(_) => "boolean",
            Value::Null => "null",
        };
        found.insert((path.to_owned(), kind));
    }
    let mut found = HashSet::new();
    for (_, _, text) in events {
        walk(&serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")), "", &mut found);
    }
    found
}

#[test]
fn drift_adds_retypes_and_takes_away() {
    let (before, after) = (shaped(Some(false), 0.0, 0.0), shaped(Some(true), 0.0, 0.0));
    let (was, is) = (shape_of(&before), shape_of(&after));
    let there = |shape: &HashSet<_>, path: &str, kind| shape.contains(&(path.to_owned(), kind));
    for (path, kind) in [
        ("/entityRisk", "object"),
        ("/client/tlsFingerprint/ja3", "string"),
        ("/authenticationContext/assuranceLevel", "number"),
        ("/target/*/labels/*", "string"),
        ("/request/ipChain/*/autonomousSystem", "object"),
        ("/securityContext/userBehaviors/*", "object"),
        ("/version", "number"),
        ("/client/geographicalContext/postalCode", "number"),
        ("/authenticationContext/authenticationStep", "string"),
    ] {
        assert!(there(&is, path, kind) && !there(&was, path, kind), "{kind} at {path}");
    }
    for (path, kind) in [
        ("/securityContext/userBehaviors/*", "string"),
        ("/legacyEventType", "string"),
        ("/legacyEventType", "null"),
        ("/version", "string"),
    ] {
        assert!(there(&was, path, kind) && !there(&is, path, kind), "{kind} at {path}");
    }
    let partial = |events: &[(_, _, String)]| events.iter().filter(|(.., text)| text.contains("\"PARTIAL\"")).count();
    assert_eq!(partial(&before), 0);
    assert!((300..700).contains(&partial(&after)), "{}", partial(&after));
    assert!(before.iter().all(|(kind, ..)| *kind == EventKind::Plain));
    assert!(after.iter().all(|(kind, ..)| *kind == EventKind::Drifted));
}

#[test]
fn awkward_events_are_json_and_keep_their_uuid() {
    let plain = shaped(None, 0.0, 0.0);
    let events = shaped(None, 0.25, 0.0);
    let awkward = events.iter().filter(|(kind, ..)| *kind == EventKind::Awkward).count();
    assert!((400..600).contains(&awkward), "{awkward}");
    for ((kind, uuid, text), (_, plain_uuid, plain)) in events.iter().zip(&plain) {
        assert_eq!(uuid, plain_uuid, "the draws of the plain event are those of the seed");
        assert_eq!(text == plain, *kind == EventKind::Plain, "{text}");
        // Not `Value`: of huge numbers and half characters it has no notion.
        let checked = serde_json::from_str::<&serde_json::value::RawValue>(text);
        assert!(checked.is_ok(), "{checked:?}: {text}");
        assert!(text.contains(&format!("\"uuid\":\"{}\"", uuid.as_deref().expect("a uuid"))), "{text}");
    }
    // Each oddity is in a run of them.
    for odd in
        [r#""a/b":1"#, "1e400", "1.6e1", "5e-324", r#""outcome":{}"#, "}]}]}", "originalPrincipal", r#""\ud800""#]
    {
        assert!(events.iter().any(|(.., text)| text.contains(odd)), "{odd}");
    }
}

#[test]
fn unpublishable_events_have_no_uuid_a_member_twice_or_too_much_depth() {
    let events = shaped(Some(true), 0.0, 1.0);
    let count = |wanted: &dyn Fn(&Option<Box<str>>, &str) -> bool| {
        events[..70].iter().filter(|(_, uuid, text)| wanted(uuid, text)).count()
    };
    assert!(events.iter().all(|(kind, ..)| *kind == EventKind::Unpublishable));
    assert_eq!(count(&|uuid, text| uuid.is_none() && !text.contains("\"uuid\":")), 10);
    assert_eq!(count(&|uuid, _| uuid.is_none()), 30);
    assert_eq!(count(&|uuid, _| uuid.as_deref() == Some("")), 10);
    assert_eq!(count(&|_, text| text.matches("\"severity\":").count() == 2), 10);
    assert_eq!(count(&|_, text| text.contains(r#"{"name":1,"name":1}"#)), 10);
    assert_eq!(count(&|_, text| serde_json::from_str::<Value>(text).is_err()), 10, "too deep");
}
