//! What a start over old ground would read before its first page, and how much of it there is. Whether it may, the topic's own
//! line says.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::config::{Config, ConnectorConfig};
use crate::kafka::topic_clients::TopicClients;
use crate::kafka::topic_reading::TopicReading;

/// The topics that are there.
pub struct Ground<'a> {
    /// The file.
    pub config: &'a Config,
    /// Partitions of each topic that may be seen.
    pub there: &'a BTreeMap<String, usize>,
}

impl Ground<'_> {
    /// What a start of this connector from that time on meets in its topic, as the end of a sentence; empty where it meets nothing.
    /// Without a time it is not known where it starts. Blocks for some seconds at most.
    pub fn met(&self, connector: &ConnectorConfig, from: Option<Timestamp>) -> String {
        let topic = connector.topic.name.as_str();
        match self.held(topic, from) {
            None | Some(Some(0)) => String::new(),
            Some(Some(held)) => format!(
                "; over old ground: `{topic}` has up to {held} records from then on, and those of this org are left out"
            ),
            Some(None) => format!("; over old ground: what `{topic}` has of this org is left out"),
        }
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
