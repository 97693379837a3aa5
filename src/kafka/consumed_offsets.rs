//! How far a group has read a topic, committed in the transaction of what became of it.

use std::collections::BTreeMap;

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::{Offset, TopicPartitionList};

/// A group as a consumer knows it that is no member of it.
pub struct ConsumerGroup(pub(super) ConsumerGroupMetadata);

/// Offsets to commit for a group.
pub struct ConsumedOffsets<'a> {
    /// Whose.
    pub group: &'a ConsumerGroup,
    /// The topic that was read.
    pub topic: &'a str,
    /// The next offset to read, by partition.
    pub next: &'a BTreeMap<i32, i64>,
}

impl ConsumedOffsets<'_> {
    /// As librdkafka takes them.
    pub(super) fn list(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (partition, next) in self.next {
            // Fails only for an offset that is not one.
            let _ = list.add_partition_offset(self.topic, *partition, Offset::Offset(*next));
        }
        list
    }
}
