//! The offsets topic: what is read can be written again and is the same, and no stored URL leaves the org (I3).

use std::collections::BTreeMap;

use okta_kafka_source::config::OnQueryChange;
use okta_kafka_source::offsets::codec;
use okta_kafka_source::offsets::fold::{LogPosition, OffsetFold};
use okta_kafka_source::offsets::partitioner::partition_of;
use okta_kafka_source::okta::origin::Origin;
use okta_kafka_source::okta::page_url::PageUrl;
use okta_kafka_source::okta::query::SystemLogQuery;
use okta_kafka_source::source::resume::Resume;

/// `input`: records, each on a line: key, tab, value. A record without a tab has no value, a line without a key none.
pub fn check(input: &[u8]) {
    let mut fold = OffsetFold::default();
    let mut model: BTreeMap<&[u8], (&[u8], i64)> = BTreeMap::new();
    for (line, offset) in input.split(|&byte| byte == b'\n').zip(0..) {
        let (key, value) = match line.iter().position(|&byte| byte == b'\t') {
            Some(tab) => (&line[..tab], Some(&line[tab + 1..])),
            None => (line, None),
        };
        self::key(key);
        value.into_iter().for_each(self::value);
        let key = (!key.is_empty()).then_some(key);
        fold.apply(key, value, LogPosition { partition: 0, offset, timestamp: None });
        match (key, value) {
            (Some(key), Some(value)) => drop(model.insert(key, (value, offset))),
            (Some(key), None) => drop(model.remove(key)),
            (None, _) => {}
        }
    }
    let folded: Vec<_> = fold.iter().map(|(key, value, at)| (key, (value, at.offset))).collect();
    assert_eq!(folded, model.into_iter().collect::<Vec<_>>());
    for (key, (value, _)) in folded {
        assert_eq!(fold.get(key), Some(value));
    }
}

fn key(bytes: &[u8]) {
    assert!((0..25).contains(&partition_of(bytes, 25)));
    match codec::decode_key(bytes) {
        Ok((connector, partition)) => {
            let written = codec::encode_key(&connector, &partition);
            assert_eq!(codec::decode_key(&written).expect("our own"), (connector, partition));
        }
        Err(error) => short(&error.to_string()),
    }
}

/// What is said of a foreign record fits into a log.
fn short(shown: &str) {
    assert!(shown.len() < 4000 && !shown.contains(char::is_control), "{shown}");
}

fn value(bytes: &[u8]) {
    let offset = match codec::decode_value(bytes) {
        Ok(offset) => offset,
        Err(error) => return short(&error.to_string()),
    };
    let written = codec::encode_value(&offset);
    assert_eq!(codec::decode_value(&written).expect("our own"), offset);
    let org: Origin = "https://acme.okta.com".parse().expect("an origin");
    let query = SystemLogQuery { filter: None, q: None, limit: 50 };
    let now = "2026-11-01T00:00:00Z".parse().expect("a time");
    // With the query's own hash, so that what is left to judge is the URL.
    let stored = okta_kafka_source::source::offset::SourceOffset { query: query.hash(), ..offset };
    match Resume::from_stored(Some(stored.clone()), &org, &query, now, OnQueryChange::default()) {
        Ok(Resume::Warm { url, offset }) => {
            assert_eq!(offset, stored, "what the topic holds is kept");
            assert_eq!(Origin::of(url.url()).as_ref(), Some(&org));
            assert_eq!(url.limit(), 50);
            assert!(PageUrl::checked(&stored.checkpoint_url, &org).is_ok());
        }
        Ok(Resume::QueryChanged { .. }) => panic!("it has the query's own hash"),
        Ok(Resume::Cold { .. }) => panic!("a stored offset is not ignored"),
        Err(error) => short(&error.to_string()),
    }
}
