//! Whether a topic's records are of the format that a connector is about to write.
//!
//! Our records say themselves what they are (`content-type`), and that they are ours (`okta_connector`): what others write
//! to the topic is theirs to know, and is not judged.

use std::ops::ControlFlow;
use std::time::Duration;

use thiserror::Error;
use tracing::debug;

use crate::config::{Config, ConnectorConfig, Format, KafkaProperties};
use crate::convert;
use crate::kafka::authorized_operations::Operation;
use crate::kafka::topic_tail;
use crate::kafka::topics::Topics;

/// How far back from the end of each partition, in offsets; markers of transactions are among them.
const DEPTH: u16 = 100;
/// A broker that takes longer is not waited for: it is a look at a mistake that hardly anybody makes.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The topic's readers would break at the records that the connector is about to write.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "topic `{topic}` has records of this program as `{}`, and the connector has `format: {}`: whoever reads the topic would break; \
     write another `topic`, or set `format: {}` again; where nobody needs these records, delete them (kafka-delete-records.sh)",
    found.as_str(), wanted.as_str(), found.as_str()
)]
pub struct OtherFormat {
    /// The topic.
    pub topic: String,
    /// What our last records there are.
    pub found: Format,
    /// What would be written.
    pub wanted: Format,
}

/// What topics are looked at with.
#[derive(Debug, Clone)]
pub struct FormatLook {
    kafka: KafkaProperties,
    group_id: String,
}

impl FormatLook {
    /// `None` where the file names no schema registry: who never had one has never written Avro, and is spared a client of Kafka for
    /// each topic.
    pub fn of(config: &Config) -> Option<Self> {
        let look = || Self { kafka: config.kafka.clone(), group_id: config.group_id.clone() };
        config.schema_registry.is_some().then(look)
    }

    /// Whether the topic's last records are of the other format, and none of the connector's. What can't be read is nothing: who
    /// has to know what the topic holds says that READ is missing. Blocks.
    pub fn other_format(&self, topics: &Topics, connector: &ConnectorConfig) -> Option<OtherFormat> {
        let (topic, wanted) = (&connector.topic.name, connector.format);
        let partitions = topics.partitions().ok()?.get(topic).copied()?;
        if topics.allowed(topic).is_some_and(|allowed| !allowed.contains(&Operation::Read)) {
            return None;
        }
        let mut found = None;
        let looked = topic_tail::read(&self.kafka, &self.group_id, topic, partitions, DEPTH, TIMEOUT, |record| {
            let is_ours = record.header("okta_connector").is_some();
            match record.header("content-type").filter(|_| is_ours).and_then(convert::format_of) {
                Some(format) if format == wanted => {
                    found = None;
                    ControlFlow::Break(())
                }
                other => {
                    found = other.or(found);
                    ControlFlow::Continue(())
                }
            }
        });
        if let Err(error) = looked {
            debug!(topic, "not known of which format its records are: {error}");
            return None;
        }
        found.map(|found| OtherFormat { topic: topic.clone(), found, wanted })
    }
}
