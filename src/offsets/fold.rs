//! The log of the offsets topic, folded into the last value per key, as compaction would leave it.

use std::collections::BTreeMap;

/// Where a record lies in the offsets topic, and when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    /// Partition of the offsets topic: the shard.
    pub partition: i32,
    /// Offset in that partition.
    pub offset: i64,
    /// Record timestamp in milliseconds since the epoch, where it has one.
    pub timestamp: Option<i64>,
}

/// The last value of every key that is not deleted, by the key's bytes.
#[derive(Debug, Default)]
pub struct OffsetFold {
    last: BTreeMap<Vec<u8>, (Vec<u8>, LogPosition)>,
}

impl OffsetFold {
    /// Takes the next record of the log. A missing value is a tombstone: the offset was deleted.
    pub fn apply(&mut self, key: Option<&[u8]>, value: Option<&[u8]>, position: LogPosition) {
        // A compacted topic has no records without a key; one would belong to nobody.
        let Some(key) = key else { return };
        match value {
            Some(value) => drop(self.last.insert(key.to_vec(), (value.to_vec(), position))),
            None => drop(self.last.remove(key)),
        }
    }

    /// The last value under exactly these bytes.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.last.get(key).map(|(value, _)| value.as_slice())
    }

    /// All keys that have a value, in the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8], LogPosition)> {
        self.last.iter().map(|(key, (value, position))| (key.as_slice(), value.as_slice(), *position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_wins_and_a_tombstone_deletes() {
        let at = |offset| LogPosition { partition: 0, offset, timestamp: None };
        let mut fold = OffsetFold::default();
        fold.apply(Some(b"a"), Some(b"1"), at(0));
        fold.apply(Some(b"b"), Some(b"1"), at(1));
        fold.apply(Some(b"a"), Some(b"2"), at(2));
        fold.apply(Some(b"b"), None, at(3));
        fold.apply(None, Some(b"x"), at(4));
        assert_eq!(fold.get(b"a"), Some(&b"2"[..]));
        assert_eq!(fold.get(b"b"), None);
        assert_eq!(fold.iter().map(|(_, _, at)| at.offset).collect::<Vec<_>>(), [2]);
    }
}
