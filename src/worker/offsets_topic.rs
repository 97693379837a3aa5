//! The offsets topic as it must be: looked at before a shard starts, and by `check`.

use std::collections::BTreeMap;

use crate::config::OffsetsConfig;
use crate::kafka::topics::{TopicError, WantedTopic};

/// `segment.bytes` of the offsets topic: small, so that compaction comes to it and a read to the end stays short.
const SEGMENT_BYTES: u32 = 64 * 1024 * 1024;
const CLEANUP_POLICY: &str = "cleanup.policy";
const COMPACT: &str = "compact";

/// As it is made where it is absent.
pub fn wanted(offsets: &OffsetsConfig) -> WantedTopic<'_> {
    let config = [(CLEANUP_POLICY, COMPACT.to_owned()), ("segment.bytes", SEGMENT_BYTES.to_string())];
    WantedTopic {
        name: &offsets.topic,
        partitions: offsets.partitions,
        replication_factor: offsets.replication_factor,
        create: true,
        config: config.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

/// A checkpoint would be looked for in another partition than it is in, were their number not the configured one.
pub fn judge_partitions(offsets: &OffsetsConfig, found: usize) -> Result<(), TopicError> {
    if usize::try_from(offsets.partitions) == Ok(found) {
        return Ok(());
    }
    Err(TopicError::PartitionCount { topic: offsets.topic.clone(), found, configured: offsets.partitions })
}

/// Under any other policy than `compact` alone, checkpoints are deleted.
pub fn judge_settings(offsets: &OffsetsConfig, settings: &BTreeMap<String, String>) -> Result<(), TopicError> {
    let found = settings.get(CLEANUP_POLICY).map_or("", String::as_str);
    if found == COMPACT {
        return Ok(());
    }
    Err(TopicError::NotCompacted { topic: offsets.topic.clone(), found: found.to_owned() })
}
