//! What a start over old ground would read before its first page: how much of it there is, and whether it may.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::permission::{Missing, Resource};
use crate::config::{Config, ConnectorConfig};
use crate::kafka::authorized_operations::{Allowed, Operation};
use crate::kafka::topic_clients::TopicClients;
use crate::kafka::topic_reading::TopicReading;

/// The topics that are there.
pub struct Ground<'a> {
    /// The file.
    pub config: &'a Config,
    /// Partitions of each topic that may be seen.
    pub there: &'a BTreeMap<String, usize>,
    /// What may be done with them, as far as the broker says.
    pub allowed: &'a Allowed,
}

impl Ground<'_> {
    /// What a start of this connector from that time on meets in its topic, as the end of a sentence; empty where it meets nothing.
    /// Without a time it is not known where it starts. An error is what keeps it from starting. Blocks for some seconds at most.
    pub fn met(&self, connector: &ConnectorConfig, from: Option<Timestamp>) -> Result<String, String> {
        let topic = connector.topic.name.as_str();
        let Some(held) = self.held(topic, from) else { return Ok(String::new()) };
        if self.allowed.get(topic).is_some_and(|allowed| !allowed.contains(&Operation::Read)) {
            let missing = Missing {
                bootstrap: self.config.kafka.bootstrap_servers(),
                operations: &[Operation::Read],
                resource: Resource::Topic(topic),
            };
            return Err(format!("what `{topic}` holds of this org is to be left out, and {missing}"));
        }
        Ok(match held {
            Some(0) => String::new(),
            Some(held) => format!(
                "; over old ground: `{topic}` has up to {held} records from then on, and those of this org are left out"
            ),
            None => format!("; over old ground: what `{topic}` has of this org is left out"),
        })
    }

    /// At most so many records from that time on; none where the topic holds nothing at all. The inner one is none where that is
    /// not known.
    fn held(&self, topic: &str, from: Option<Timestamp>) -> Option<Option<u64>> {
        let partitions: Vec<i32> = (0..i32::try_from(*self.there.get(topic)?).unwrap_or(i32::MAX)).collect();
        let clients = TopicClients::new(&self.config.kafka, &self.config.group_id);
        // What is not told here, is not told to `run` either, and the topic's own line says more.
        let Ok(mut reading) = TopicReading::stable(clients, topic, &partitions) else { return Some(None) };
        if reading.is_empty() {
            return None;
        }
        Some(from.and_then(|from| reading.extent(from.as_millisecond()).ok()))
    }
}
