//! What a topic holds: told exactly inside a window, whatever was read, and in whatever order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use crate::source::known::{ENTRY_BYTES, Fingerprint, Identity, Known, KnownBuilder, credible};

fn identity(number: u32) -> Identity {
    Identity::of(format!("u-{number}").as_bytes())
}

#[test]
fn two_keys_are_one_element_only_where_they_are_the_same_text() {
    let uuid = "0bbd2a24-f4f8-11ed-b41b-13f8e4a0c2b1";
    let keys = [
        uuid.to_owned(),
        uuid.to_uppercase(),
        uuid.replace('-', ""),
        uuid.replace('-', "_"),
        uuid.replace('a', "g"),
        format!("{uuid} "),
        uuid.replacen("0b", "0\u{e9}", 1),
        "u-1".to_owned(),
        String::new(),
        "f".repeat(64),
    ];
    let identities: BTreeSet<Identity> = keys.iter().map(|key| Identity::of(key.as_bytes())).collect();
    assert_eq!(identities.len(), keys.len());
    assert_eq!(format!("{:?}", Identity::of(uuid.as_bytes())), "Identity(0bbd2a24f4f811edb41b13f8e4a0c2b1)");
    // printf 'u-1' | sha256sum
    assert_eq!(format!("{:?}", identity(1)), "Identity(a24a7f55f278dd49fb1f99c5507800cb)");
}

#[test]
fn values_differ_only_where_they_can_be_compared() {
    let of = |value: &[u8]| Fingerprint::of(value);
    for (one, other, differ) in [
        (&b"{\"a\":1}"[..], &b"{\"a\":1}"[..], false),
        (b"{\"a\":1}", b"{\"a\":2}", true),
        // JSON and Avro, and two schemas of Avro.
        (b"{\"a\":1}", b"\0\0\0\0\x07abc", false),
        (b"\0\0\0\0\x08abc", b"\0\0\0\0\x07abd", false),
        (b"\0\0\0\0\x07abc", b"\0\0\0\0\x07abd", true),
        (b"\0\0\0\0\x07abc", b"\0\0\0\0\x07abc", false),
    ] {
        assert_eq!(of(one).differs_from(of(other)), differ, "{one:?} {other:?}");
        assert_eq!(of(other).differs_from(of(one)), differ, "{one:?} {other:?}");
    }
}

#[test]
fn nothing_covers_every_time() {
    let nothing = Known::nothing();
    for time in [None, Some(i64::MIN), Some(0), Some(i64::MAX)] {
        assert!(nothing.covers(time), "{time:?}");
    }
    assert!(
        nothing.is_empty() && nothing.find(&identity(1), Fingerprint::of(b"x")).is_none() && nothing.until().is_none()
    );
}

/// More of one second than fits would be a window of no length, asked for again for ever.
#[test]
fn what_no_window_can_hold_is_an_error() {
    let value = Fingerprint::of(b"x");
    for times in [vec![Some(5_000); 4], vec![None; 4], vec![None, None, Some(5_000), None]] {
        let mut builder = KnownBuilder::new(5_000, 3);
        let pushed: Result<Vec<()>, _> =
            times.iter().zip(0..).map(|(time, number)| builder.push(identity(number), value, *time)).collect();
        let error = pushed.expect_err("too many").to_string();
        assert!(error.contains("more than 3 elements"), "{error}");
    }
    // A second with less than fits is held whole, though the half of all would be a part of it.
    let mut builder = KnownBuilder::new(5_000, 4);
    for (number, time) in [5_000, 5_999, 5_001, 8_000, 9_000].into_iter().enumerate() {
        builder.push(identity(u32::try_from(number).expect("small")), value, Some(time)).expect("fits");
    }
    let known = builder.finish();
    assert_eq!((known.len(), known.until()), (3, Some(6_000)));
}

/// As of what was wanted twice, with Okta's bytes of another day: a third time it differs from none of them.
#[test]
fn one_of_several_values_is_found() {
    let [a, b, other] = [b"a", b"b", b"c"].map(|value| Fingerprint::of(value));
    let mut builder = KnownBuilder::new(0, 10);
    for value in [b, a, b, a] {
        builder.push(identity(1), value, None).expect("fits");
        builder.push(identity(2), other, None).expect("fits");
    }
    let known = builder.finish();
    assert_eq!(known.len(), 3);
    let find = |number, value| known.find(&identity(number), value);
    assert_eq!((find(1, a), find(1, b), find(2, a), find(3, a)), (Some(a), Some(b), Some(other), None));
    assert!(find(1, other).expect("is there").differs_from(other));
}

#[test]
fn a_time_of_the_future_is_none() {
    for (published, credible_then) in [(None, None), (Some(6), None), (Some(5), Some(5)), (Some(-1), Some(-1))] {
        assert_eq!(credible(published, 5), credible_then);
    }
}

/// What docs/sizing.md counts with.
#[test]
fn an_element_takes_28_bytes() {
    assert_eq!(ENTRY_BYTES, 28);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Inside its window it knows exactly what was pushed; the window begins where it was asked to, and is not empty.
    #[test]
    fn a_window_holds_all_of_its_time_and_no_more_than_its_capacity(
        from in -5_000..5_000_i64,
        capacity in 1..60_usize,
        pushed in vec((0..200_u32, proptest::option::weighted(0.95, -10_000..100_000_i64)), 0..150),
    ) {
        let mut builder = KnownBuilder::new(from, capacity);
        let value = |number: u32| Fingerprint::of(&number.to_be_bytes());
        // An event has one time, whenever it is read.
        let mut times: BTreeMap<u32, Option<i64>> = BTreeMap::new();
        for (number, time) in &pushed {
            let time = *times.entry(*number).or_insert(*time);
            if builder.push(identity(*number), value(*number), time).is_err() {
                let of_a_second = times.values().filter(|time| time.is_none_or(|time| (from..from + 1000).contains(&time)));
                let again = pushed.len() - times.len();
                prop_assert!(of_a_second.count() + again >= capacity, "room was left");
                return Ok(());
            }
        }
        let known = builder.finish();
        prop_assert!(known.len() <= capacity);
        prop_assert!(known.covers(Some(from)) && !known.covers(Some(from - 1)) && known.covers(None));
        if let Some(until) = known.until() {
            prop_assert!(until >= from + 1000 && known.covers(Some(until - 1)) && !known.covers(Some(until)));
        }
        for number in 0..200 {
            let found = known.find(&identity(number), value(number));
            match times.get(&number) {
                Some(time) if known.covers(*time) => prop_assert_eq!(found, Some(value(number))),
                _ => prop_assert_eq!(found, None),
            }
        }
    }
}
