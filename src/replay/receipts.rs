//! All receipts of a dead letter topic, as sets: the letters that were published again, by the topic that they went to.

use std::collections::{BTreeMap, BTreeSet};

use super::ReplayError;
use crate::dead_letter::ranges::OffsetRanges;
use crate::dead_letter::receipt::{self, Receipt, ReceiptError};
use crate::kafka::record_reader::Record;

/// Whose receipts count, and which records are passed over.
#[derive(Debug, Default)]
pub struct Home {
    /// The cluster's id, where it is known.
    pub cluster: Option<String>,
    /// The dead letter topic.
    pub topic: String,
    /// Partition and offset of records that are marked as receipts, and are none.
    pub skipped: BTreeSet<(i32, i64)>,
    /// Whether one that can't be used is only told of.
    pub is_lenient: bool,
}

/// Offsets of letters that were published again, by topic and partition.
#[derive(Debug)]
pub struct Receipts {
    home: Home,
    published: BTreeMap<String, BTreeMap<i32, OffsetRanges>>,
}

impl Receipts {
    /// None yet.
    pub fn new(home: Home) -> Self {
        Self { home, published: BTreeMap::new() }
    }

    /// Takes a record of the dead letter topic, where it is a receipt. One that can't be used is an error: what it is about
    /// would be published once more.
    pub fn take(&mut self, record: &Record) -> Result<(), ReplayError> {
        if record.header(receipt::HEADER).is_none() {
            return Ok(());
        }
        let Home { cluster, topic, skipped, is_lenient } = &self.home;
        let (partition, offset) = (record.partition, record.offset);
        let read = Receipt::read(record.value.as_deref().unwrap_or_default());
        let read = read.and_then(|receipt| receipt.must_be_of(cluster.as_deref(), topic).map(|()| receipt));
        match read {
            Ok(receipt) => self.add(&receipt.topic, partition, &receipt.offsets),
            Err(ReceiptError::NoReceipt(_)) if skipped.contains(&(partition, offset)) => {}
            Err(error) => {
                let error = ReplayError::Receipt { topic: topic.clone(), partition, offset, error };
                if !is_lenient {
                    return Err(error);
                }
                tracing::warn!("a replay would end here: {error}");
            }
        }
        Ok(())
    }

    /// Adds what was published of one partition to this topic.
    pub fn add(&mut self, topic: &str, partition: i32, offsets: &OffsetRanges) {
        let by_partition = self.published.entry(topic.to_owned()).or_default();
        by_partition.entry(partition).or_default().extend(offsets);
    }

    /// Whether this letter was published again to one of these topics.
    pub fn contains(&self, topics: [&str; 2], partition: i32, offset: i64) -> bool {
        self.of(topics, partition).any(|offsets| offsets.contains(offset))
    }

    /// Those of a partition's letters that were published to none of these topics.
    pub fn open(&self, topics: [&str; 2], partition: i32, letters: &OffsetRanges) -> OffsetRanges {
        self.of(topics, partition).fold(letters.clone(), |open, published| open.minus(published))
    }

    fn of(&self, topics: [&str; 2], partition: i32) -> impl Iterator<Item = &OffsetRanges> {
        topics.into_iter().filter_map(move |topic| self.published.get(topic)?.get(&partition))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64, value: Option<&[u8]>) -> Record {
        Record {
            partition: 1,
            offset,
            timestamp: None,
            key: None,
            value: value.map(<[u8]>::to_vec),
            headers: vec![(receipt::HEADER.to_owned(), b"acme".to_vec())],
        }
    }

    fn receipts(is_lenient: bool, skipped: &[(i32, i64)]) -> Receipts {
        let skipped = skipped.iter().copied().collect();
        Receipts::new(Home { cluster: Some("c".to_owned()), topic: "events.dlq".to_owned(), skipped, is_lenient })
    }

    fn value(topic: &str) -> Vec<u8> {
        format!(r#"{{"v":1,"cluster":"c","dead_letter_topic":"events.dlq","connector":"acme","topic":"{topic}","replayed":[[3,5]]}}"#).into()
    }

    /// A letter that went to one topic is open for another, but where that is not the one it was meant for.
    #[test]
    fn a_receipt_counts_for_its_own_topic() {
        let mut receipts = receipts(false, &[]);
        receipts.take(&record(9, Some(&value("json")))).expect("a receipt");
        for (topics, is_published) in
            [(["json", "json"], true), (["avro", "avro"], false), (["other", "json"], true), (["json", "avro"], true)]
        {
            assert_eq!(receipts.contains(topics, 1, 4), is_published, "{topics:?}");
            let mut letters = OffsetRanges::default();
            letters.insert_range(2, 4);
            assert_eq!(receipts.open(topics, 1, &letters).count(), if is_published { 1 } else { 3 }, "{topics:?}");
        }
        assert!(!receipts.contains(["json", "json"], 0, 4), "of another partition");
    }

    #[test]
    fn what_is_no_receipt_is_passed_over_where_it_is_named_and_told_of_where_nothing_is_written() {
        let newer: &[u8] = br#"{"v":2}"#;
        let copied =
            br#"{"v":1,"cluster":"c","dead_letter_topic":"copied.dlq","connector":"acme","topic":"t","replayed":[]}"#;
        for (value, is_skipped, way_out) in [
            (None, true, "--skip-receipt 1@9"),
            (Some(&b"{}"[..]), true, "--skip-receipt 1@9"),
            (Some(newer), false, "newer"),
            (Some(&copied[..]), false, "replay from the original"),
        ] {
            let record = record(9, value);
            let said = receipts(false, &[(1, 8)]).take(&record).expect_err("not to be gone by").to_string();
            assert!(said.contains(way_out) && said.contains("offset 9 of partition 1 of `events.dlq`"), "{said}");
            assert_eq!(receipts(false, &[(1, 9)]).take(&record).is_ok(), is_skipped, "{value:?}");
            receipts(true, &[]).take(&record).expect("only told of");
        }
    }
}
