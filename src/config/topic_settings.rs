//! The settings of a topic that Kafka 4 knows (org.apache.kafka.common.config.TopicConfig).
//!
//! A broker may be newer, or another product: an unknown name is no mistake for sure.

use Kind::{Bytes, Millis, Text, Whole};

use super::time;

/// What a setting takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A number of milliseconds.
    Millis,
    /// A number of bytes.
    Bytes,
    /// A number of something else.
    Whole,
    /// What the broker judges.
    Text,
}

const SETTINGS: &[(&str, Kind)] = &[
    ("cleanup.policy", Text),
    ("compression.gzip.level", Whole),
    ("compression.lz4.level", Whole),
    ("compression.type", Text),
    ("compression.zstd.level", Whole),
    ("delete.retention.ms", Millis),
    ("file.delete.delay.ms", Millis),
    ("flush.messages", Whole),
    ("flush.ms", Millis),
    ("follower.replication.throttled.replicas", Text),
    ("index.interval.bytes", Bytes),
    ("leader.replication.throttled.replicas", Text),
    ("local.retention.bytes", Bytes),
    ("local.retention.ms", Millis),
    ("max.compaction.lag.ms", Millis),
    ("max.message.bytes", Bytes),
    ("message.timestamp.after.max.ms", Millis),
    ("message.timestamp.before.max.ms", Millis),
    ("message.timestamp.type", Text),
    ("min.cleanable.dirty.ratio", Text),
    ("min.compaction.lag.ms", Millis),
    ("min.insync.replicas", Whole),
    ("preallocate", Text),
    ("remote.log.copy.disable", Text),
    ("remote.log.delete.on.disable", Text),
    ("remote.storage.enable", Text),
    ("retention.bytes", Bytes),
    ("retention.ms", Millis),
    ("segment.bytes", Bytes),
    ("segment.index.bytes", Bytes),
    ("segment.jitter.ms", Millis),
    ("segment.ms", Millis),
    ("unclean.leader.election.enable", Text),
];

/// All names, in their order.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|(name, _)| *name)
}

/// What is wrong with the value of a known setting, without the value.
pub(super) fn error(name: &str, value: &str) -> Option<String> {
    let (_, kind) = SETTINGS.iter().find(|(known, _)| *known == name)?;
    if *kind == Text || value.trim().parse::<i64>().is_ok() {
        return None;
    }
    Some(match (kind, time::duration(value)) {
        (Millis, Ok(duration)) => format!("has a unit: `{name}` is in milliseconds, write `{}`", duration.as_millis()),
        (Millis, Err(_)) => format!("is not a number: `{name}` is in milliseconds, 7 days are `604800000`"),
        (Bytes, _) => format!("is not a number: `{name}` is in bytes, 1 MiB is `1048576`"),
        _ => "is not a whole number: write one".to_owned(),
    })
}
