//! All receipts of a dead letter topic, as one set: the letters that were published again.

use std::collections::BTreeMap;

use super::ReplayError;
use crate::dead_letter::ranges::OffsetRanges;
use crate::dead_letter::receipt::{self, Receipt};
use crate::kafka::record_reader::Record;

/// Offsets of letters that were published again, by partition.
#[derive(Debug, Default)]
pub struct Receipts {
    published: BTreeMap<i32, OffsetRanges>,
}

impl Receipts {
    /// Takes a record of the dead letter topic, where it is a receipt. One that can't be read is an error: what it is about
    /// would be published once more.
    pub fn take(&mut self, topic: &str, record: &Record) -> Result<(), ReplayError> {
        if record.header(receipt::HEADER).is_none() {
            return Ok(());
        }
        let receipt = Receipt::read(record.value.as_deref().unwrap_or_default()).map_err(|error| {
            ReplayError::Receipt { topic: topic.to_owned(), partition: record.partition, offset: record.offset, error }
        })?;
        self.add(record.partition, &receipt.offsets);
        Ok(())
    }

    /// Adds what was published of one partition.
    pub fn add(&mut self, partition: i32, offsets: &OffsetRanges) {
        self.published.entry(partition).or_default().extend(offsets);
    }

    /// Whether this letter was published again.
    pub fn contains(&self, partition: i32, offset: i64) -> bool {
        self.published.get(&partition).is_some_and(|offsets| offsets.contains(offset))
    }

    /// Those of a partition's letters that were not.
    pub fn open(&self, partition: i32, letters: &OffsetRanges) -> OffsetRanges {
        self.published.get(&partition).map_or_else(|| letters.clone(), |published| letters.minus(published))
    }
}
