use std::collections::HashSet;

use serde_json::Value;

use super::*;

const EVENTS: usize = 10_000;

fn events(seed: u64) -> Vec<Vec<u8>> {
    let mut generator = EventGenerator::new(seed);
    (0..EVENTS as i64)
        .map(|index| {
            let mut event = Vec::new();
            generator.write(1_772_323_200_000 + index / 3, &mut event);
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
