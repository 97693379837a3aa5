//! Before anything is measured: both sides produce the same.

use std::collections::BTreeMap;

use crate::run::Setting;
use crate::support::org::Org;
use crate::support::topics::{Isolation, OwnedRecord, read_all};

const EVENTS: usize = 5_000;

/// Lets both sides take the same events, and compares what then is in their topics. It also warms the broker up.
pub fn check(bootstrap: &str) {
    let org = Org::with_events(EVENTS);
    let (connector, bare_loop) = (Setting::new(bootstrap, &org), Setting::new(bootstrap, &org));
    let costs = (connector.connector(), bare_loop.bare_loop());
    let records = (records(bootstrap, connector.topic()), records(bootstrap, bare_loop.topic()));
    assert_eq!(records.0.len(), EVENTS);
    assert!(records.0 == records.1, "connector and bare loop do not produce the same records");
    println!(
        "{EVENTS} events, both sides produce the same records\n  connector {}\n  bare loop {}\n",
        costs.0, costs.1
    );
}

/// By key, without their offsets: markers of transactions take some.
fn records(bootstrap: &str, topic: &str) -> BTreeMap<String, OwnedRecord> {
    let records = read_all(bootstrap, topic, Isolation::ReadCommitted).into_iter();
    let records = records.map(|record| (record.key_text().to_owned(), OwnedRecord { offset: 0, ..record }));
    records.collect()
}
