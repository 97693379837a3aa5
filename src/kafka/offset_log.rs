//! The offsets topic, read to the end (I4).

use std::collections::BTreeMap;
use std::time::Duration;

use super::record_reader::{self, RecordReaderError};
use crate::config::KafkaProperties;
use crate::offsets::fold::{LogPosition, OffsetFold};

/// Longest time for the whole read: a compacted partition is small.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// What some partitions hold, and where they end.
#[derive(Debug)]
pub struct OffsetLog {
    /// The last value of each key.
    pub fold: OffsetFold,
    /// Read-uncommitted end of each partition at the start of the read.
    pub ends: BTreeMap<i32, i64>,
    /// Offset of the last committed record of each partition that has one, tombstones included.
    pub last: BTreeMap<i32, i64>,
}

/// Reads the given partitions of the offsets topic from the beginning to their read-uncommitted end. Blocks.
pub fn read_to_end(
    kafka: &KafkaProperties,
    group_id: &str,
    topic: &str,
    partitions: &[i32],
    give_up: &dyn Fn() -> bool,
) -> Result<OffsetLog, RecordReaderError> {
    let mut fold = OffsetFold::default();
    let mut last = BTreeMap::new();
    let ends = record_reader::read_to_end(kafka, group_id, topic, partitions, READ_TIMEOUT, give_up, |record| {
        let position = LogPosition { partition: record.partition, offset: record.offset, timestamp: record.timestamp };
        let _ = last.insert(record.partition, record.offset);
        fold.apply(record.key.as_deref(), record.value.as_deref(), position);
    })?;
    Ok(OffsetLog { fold, ends, last })
}

/// The last value that `key` had before the record at `offset` of its partition; none where it had none, or where that
/// was a tombstone. Blocks.
pub fn value_before(
    kafka: &KafkaProperties,
    group_id: &str,
    topic: &str,
    (partition, offset): (i32, i64),
    key: &[u8],
) -> Result<Option<Vec<u8>>, RecordReaderError> {
    let mut last = None;
    let each = |record: record_reader::Record| {
        if record.offset < offset && record.key.as_deref() == Some(key) {
            last = record.value;
        }
    };
    let _ = record_reader::read_to_end(kafka, group_id, topic, &[partition], READ_TIMEOUT, &|| false, each)?;
    Ok(last)
}

/// Whether the record at `offset` of this partition is committed. Where its transaction is open, its end is waited for;
/// blocks for a minute at most.
pub fn is_committed(
    kafka: &KafkaProperties,
    group_id: &str,
    topic: &str,
    (partition, offset): (i32, i64),
    give_up: &dyn Fn() -> bool,
) -> Result<bool, RecordReaderError> {
    let mut found = false;
    let each = |record: record_reader::Record| found |= record.offset == offset;
    let _ = record_reader::read_to_end(kafka, group_id, topic, &[partition], READ_TIMEOUT, give_up, each)?;
    Ok(found)
}
